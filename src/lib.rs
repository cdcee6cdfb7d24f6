//! Stackful coroutines: green threads that look like [`std::thread`], generators
//! that are ordinary iterators, channels, timers and sockets, under a fair
//! round-robin scheduler.
//!
//! ```
//! use std::io::{Read, Write};
//! # #[cfg(feature = "net")] {
//! use greenroom::net::{TcpListener, TcpStream};
//! use greenroom::{run, spawn};
//!
//! let answer = run(|| {
//!     let listener = TcpListener::bind("127.0.0.1:0")?;
//!     let address = listener.local_addr()?;
//!     spawn(move || {
//!         let (mut stream, _) = listener.accept()?; // waits; other tasks run
//!         stream.write_all(b"welcome")
//!     });
//!     let mut answer = String::new();
//!     TcpStream::connect(address)?.read_to_string(&mut answer)?;
//!     Ok::<_, std::io::Error>(answer)
//! })?;
//! assert_eq!(answer, "welcome");
//! # }
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # Where to begin
//!
//! | you want | look at |
//! |---|---|
//! | values one after the other, from any depth of calls | [`generator`], [`Generator::scope`] |
//! | a function that is sent values, too | [`Coroutine`], [`Yielder`] |
//! | many things at once on one thread | `run`, `spawn`, `JoinHandle` |
//! | tasks that borrow, and end before the call does | `scope`, `try_scope`, `supervise` |
//! | the results of several functions at once | `gather`, `race`, `first_ok`, `as_completed`, `JoinSet` |
//! | to give up after a while, or when told to | `timeout`, `move_on_after`, `CancelScope`, `shield` |
//! | the first of several things | `select!` |
//! | a resource that is closed whatever happens | `with`, `Close` |
//! | to pass values between tasks | `sync`: channels, queues, `broadcast`, `watch`, `oneshot` |
//! | to keep others out while a task waits | `sync`: `Mutex`, `RwLock`, `Semaphore`, `Barrier`, `OnceCell` |
//! | to pass values between threads | `sync::remote` |
//! | moments | `sleep`, `interval`, `Timer`, `Clock` |
//! | values that belong to a task | `task_local!` |
//! | to wake a task from another thread | `Task::waker` |
//! | to spawn a task from another thread | `Handle`, `RemoteJoinHandle` |
//! | to call something that blocks, or computes for long | `unblock`, `ThreadPool` |
//! | to see what all tasks wait for | `tasks`, `Runtime::left_over`, `Config::shutdown_grace` |
//! | a server, a client, datagrams | `net` |
//! | pipes, standard input, anything else with a descriptor | `io`, `copy_bidirectional` |
//! | files and folders | `fs` |
//! | to run other programs | `process` |
//! | Ctrl-C, and other signals | `signal` |
//! | to test all that | `testing` |
//!
//! The folder `examples` holds programs; its index is a path for those who come
//! from Python's asyncio.
//!
//! # No function has a colour
//!
//! A function that waits is an ordinary function. Inside a task it lets other
//! tasks run; on a plain thread it blocks that thread.
//!
//! ```
//! # #[cfg(feature = "time")] {
//! use std::time::Duration;
//!
//! fn pause() {
//!     greenroom::sleep(Duration::from_millis(1));
//! }
//!
//! pause(); // blocks this thread
//! greenroom::run(pause); // other tasks could run meanwhile
//! # }
//! ```
//!
//! So do sockets. What only another task of the thread could end does not block a
//! plain thread for ever: `send` and `recv` return an error there, `join` and
//! `spawn` panic with a sentence. So do limits and scopes, which need a task to keep
//! them: `timeout`, `scope`, `gather`, `race`, `CancelScope::run`, a `select!` that has to
//! wait.
//!
//! # What may switch
//!
//! Tasks take turns only inside these calls; no other call of this crate ever
//! lets another task run. What lies between two of them is never interrupted.
//!
//! | call | it lets others run |
//! |---|---|
//! | `yield_now` | always |
//! | `checkpoint` | always |
//! | `park`, `OneshotReceiver::recv`, `join` of any handle, `join_timeout`, `wait_any`, `wait_all`, `AsCompleted::next`, `Awaitable::wait`, `JoinSet::join_next` and its kin | if it has to wait |
//! | the end of `scope`, `try_scope`, `supervise`; `spawn` into one with a limit; `spawn_started` | if it has to wait |
//! | `gather` and its kin, `race`, `first_ok` | if there are any jobs |
//! | `with` | if the body or `Close::close` does |
//! | `timeout`, `shield`, `CancelScope::run`, a task-local's `scope` | if the body does |
//! | `sleep`, `sleep_until`, `Timer::wait`, `Interval::tick`, `unblock`, `Condvar::wait` and its kin | always |
//! | `Sender::send`, `Receiver::recv`, their kin with a limit of time, iterators, those of `sync::remote` as well, `Event::wait`, `select!` | if it has to wait, and one of every 128 times |
//! | `lock`, `read`, `write`, `acquire` and their kin, `Barrier::wait` | if it has to wait, and one of every 128 times |
//! | `OnceCell::get_or_init` | if it has to wait |
//! | `Queue::push`, `pop`, `join`, its iterators | if it has to wait, and one of every 128 times |
//! | `BroadcastReceiver::recv`, its iterators, `WatchReceiver::changed`, `wait_for` | if it has to wait, and one of every 128 times |
//! | sockets: `accept`, `connect`, `read`, `write`, `peek`, `send`, `recv`, `readable`, `writable` and their kin, and what is made of them; `send_file` for each 256 KiB | if it has to wait, and one of every 128 times |
//! | `ToSocketAddrs::to_socket_addrs` and what takes its addresses: `connect`, `bind`, `send_to` | if there is a name to be looked up |
//! | in `io`: `read`, `write`, `readable`, `writable`, `read_with`, `write_with`, `read_line`, and what is made of them: `copy`, `Stdin::lines` | if it has to wait, and one of every 128 times |
//! | `copy_bidirectional` | always |
//! | the functions of `fs`, reading, writing and most other calls of a `File` | always, but where bytes of a cancelled read are left |
//! | the iterator of `fs::read_dir` | at its first entry and every 32nd after, and one of every 128 times |
//! | `Child::wait`, `wait_with_output`, `Command::status`, `output`, reading and writing the pipes of a child | if it has to wait, and one of every 128 times |
//! | `Signals::recv`, its iterator, `ctrl_c` | if it has to wait, and one of every 128 times |
//! | `Iterator::next` of a generator, `Coroutine::resume` | if the body does one of the above |
//!
//! `no_switch` makes sure: inside it a call of the table panics instead.
//!
//! # Cancellation
//!
//! A task is cancelled by its handle, by the failure of its `scope`, by a limit of
//! time, by a `CancelScope`, or because the main task has ended: `run` returns when
//! all tasks have ended.
//!
//! The call it waits in unwinds, or the next that would wait: destructors run, and
//! no code after the call does. That goes as far as the scope that was cancelled: a
//! `timeout` returns `Elapsed`, a cancelled task ends. A waiting call that had
//! completed wins, and one that had not has done nothing: no message, byte or place
//! is lost. A task that has not begun is dropped unrun.
//!
//! ```
//! # #[cfg(feature = "time")] {
//! use std::time::Duration;
//! use greenroom::{run, shield, sleep, timeout};
//!
//! run(|| {
//!     let cut_short = timeout(Duration::from_millis(1), || {
//!         shield(|| sleep(Duration::from_millis(2))); // is done in any case
//!         sleep(Duration::from_secs(60)); // unwinds
//!         unreachable!();
//!     });
//!     assert!(cut_short.is_err());
//! });
//! # }
//! ```
//!
//! It is level-triggered. The unwinding carries a `Cancelled`; a `catch_unwind` in a
//! task sees it: pass it on with `resume_unwind`. A task that swallows it meets it
//! again at its next waiting call; one that does so a thousand times without leaving
//! the cancelled scope aborts the process.
//!
//! While a task unwinds nothing is thrown into it again. Its calls that can fail
//! return an error instead of waiting, `sleep`, `park` and `yield_now` return early,
//! and what cannot fail, such as `join`, really waits. Inside `shield` all really
//! wait. Clean-up that must wait belongs into `with`, not into a destructor.
//!
//! Code that must not be unwound (it holds a std lock while it waits, or has C
//! frames) runs in a scope with `Delivery::Error`: there calls that return a
//! `Result` fail instead (I/O with `TimedOut` for a deadline, else, and channels always,
//! with `Cancelled`), and the others do as while unwinding. `Config::delivery` makes that the rule; with `panic = "abort"` it is.
//!
//! # What blocks the whole thread
//!
//! Tasks share one thread. Whatever blocks that thread without going through this
//! crate blocks them all: `std::thread::sleep`, `std::net`, `std::fs`,
//! `std::io::stdin` (`io::stdin` waits), a contended `std::sync::Mutex`, long computations, and
//! looking up host names. `unblock` runs such a call on another thread, and lets only the
//! task wait: `unblock(move || std::fs::read(path))`. A std mutex must not be held across a call of the table
//! above: the next task that locks it blocks the thread for ever.
//!
//! The documentation of `unblock` has tables of what blocks, call by call, in std and in three dozen crates,
//! with what to call instead; and settings for clippy, which then finds such calls.
//!
//! # Limits
//!
//! The README begins with them: programs that no stackful library can make sound
//! today, `panic = "abort"`, and the platforms.

#![cfg_attr(
    not(all(feature = "fs", feature = "net", feature = "sync", feature = "time")),
    allow(
        dead_code,
        unused_imports,
        reason = "the lower rooms serve optional ones that are left out"
    )
)]
#[cfg(all(
    feature = "runtime",
    not(all(stacks = "slab", any(reactor = "epoll", reactor = "kqueue")))
))]
compile_error!(
    "greenroom's runtime needs epoll or kqueue; with default-features = false coroutines and generators are left"
);

#[cfg(feature = "runtime")]
mod awaitable;
mod coroutine;
#[cfg(feature = "runtime")]
mod error;
#[cfg(all(feature = "fs", any(reactor = "epoll", reactor = "kqueue")))]
pub mod fs;
mod generator;
#[cfg(feature = "runtime")]
mod id;
#[cfg(all(feature = "io", any(reactor = "epoll", reactor = "kqueue")))]
pub mod io;
#[cfg(all(feature = "net", any(reactor = "epoll", reactor = "kqueue")))]
pub mod net;
mod panic;
#[cfg(all(feature = "process", any(reactor = "epoll", reactor = "kqueue")))]
pub mod process;
#[cfg(all(feature = "runtime", any(reactor = "epoll", reactor = "kqueue")))]
mod reactor;
#[cfg(all(feature = "io", any(reactor = "epoll", reactor = "kqueue")))]
mod relay;
#[cfg(feature = "runtime")]
mod scheduler;
#[cfg(feature = "runtime")]
mod scope;
#[cfg(feature = "runtime")]
mod select;
#[cfg(all(feature = "signal", any(reactor = "epoll", reactor = "kqueue")))]
pub mod signal;
#[cfg(feature = "sync")]
pub mod sync;
mod sys;
#[cfg(feature = "runtime")]
mod task;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(feature = "runtime")]
mod thread_pool;
#[cfg(feature = "time")]
mod time;
#[cfg(feature = "runtime")]
mod timer;
#[cfg(feature = "runtime")]
mod unblock;

pub use coroutine::{
    CloseError, Coroutine, CoroutineBuilder, CoroutineState, DEFAULT_GUARD_SIZE,
    DEFAULT_STACK_SIZE, ResumeError, ScopedCoroutine, Status, ThrowError, Thrown, Unstarted,
    Yielder, set_unstarted_hook,
};
pub use generator::{Generator, Values, generator};
#[cfg(all(feature = "io", any(reactor = "epoll", reactor = "kqueue")))]
pub use relay::copy_bidirectional;
#[cfg(feature = "time")]
pub use time::{Interval, MissedTick, Timer, interval, sleep, sleep_until};
#[cfg(feature = "runtime")]
pub use {
    awaitable::Awaitable,
    error::JoinError,
    id::TaskId,
    scheduler::select::Selectable,
    scheduler::{
        Cancelled, Config, DEFAULT_MAIN_STACK_SIZE, Deadlock, Delivery, LeftOver, ReadyTask,
        RunError, Runtime, Schedule, StuckTask, Switch, TaskInfo, Turn, Unobserved, WaitCycle,
    },
    scope::{
        AsCompleted, CancelScope, CancelScopeBuilder, Close, Elapsed, Gather, Job, Scope,
        ScopedJoinHandle, StartError, Started, SupervisedJoinHandle, Supervisor, TryGather,
        TryScope, as_completed, checkpoint, first_ok, gather, gather_limited, gather_settled,
        is_cancelled, move_on_after, move_on_at, no_switch, race, scope, shield, supervise,
        timeout, timeout_at, try_gather, try_scope, try_supervise, wait_all, wait_any, with,
    },
    task::{
        Builder, CancelOnDrop, Handle, JoinHandle, JoinSet, LocalKey, RemoteCancelOnDrop,
        RemoteJoinHandle, Task, current, in_task, park, run, spawn, tasks, try_current, try_run,
        yield_now,
    },
    thread_pool::{ThreadPool, ThreadPoolBuilder, ThreadPoolCounts},
    timer::{Clock, Instant},
    unblock::unblock,
};

/// What the expansions of macros call, and what cannot be named otherwise. Not for
/// anybody else.
#[cfg(feature = "runtime")]
#[doc(hidden)]
pub mod __private {
    #[cfg(feature = "io")]
    pub use crate::io::arms::{
        Lend, ReadByReference, Readable, ReadyArm, Watch, Watched, Writable, WriteByReference,
    };
    pub use crate::scheduler::select::{Arm, Entry};
    pub use crate::select::{Turn, Wait, done, into_arm};
    #[cfg(feature = "signal")]
    pub use crate::signal::arms::SignalArm;
    #[cfg(feature = "sync")]
    pub use crate::sync::arms::{
        BroadcastArm, EventArm, OneshotArm, Receives, RecvArm, RemoteArm, SendArm, Sends, WatchArm,
        receiver, send,
    };
    pub use crate::task::remote_select::RemoteJoinArm;
    pub use crate::task::select::{Handle, JoinArm, Key};
    #[cfg(feature = "time")]
    pub use crate::time::{Otherwise, TickArm, TimerArm, otherwise};
}

/// The programs of the README are compiled, and run, as tests.
#[cfg(all(doctest, feature = "net", feature = "testing"))]
#[doc = include_str!("../README.md")]
struct Readme;
