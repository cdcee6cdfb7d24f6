//! Tasks, as a user meets them: in the image of `std::thread`.
//!
//! Nothing here decides who runs; waiting goes through `scheduler::park`.

mod builder;
mod handle;
mod join_set;
mod local;
mod packet;
mod remote;
mod remote_cancel;
mod remote_join;
pub(crate) mod remote_select;
pub(crate) mod select;

use std::fmt;
use std::io;
use std::task::Waker;

pub use builder::Builder;
pub use handle::{CancelOnDrop, JoinHandle};
pub use join_set::JoinSet;
pub use local::LocalKey;
pub use remote::Handle;
pub use remote_cancel::RemoteCancelOnDrop;
pub use remote_join::RemoteJoinHandle;

use crate::id::TaskId;
use crate::scheduler::spawn::TaskName;
use crate::scheduler::{self, RunError, Runtime, TaskInfo, park};

/// Runs `main` as a task in a new [`Runtime`], and everything it spawns; returns
/// what it returned.
///
/// When `main` has returned, the tasks still alive are cancelled: their waiting
/// calls unwind, bodies that have not begun are dropped unrun, and all tasks have
/// ended before this returns.
///
/// ```
/// use greenroom::{run, spawn};
///
/// let sum = run(|| {
///     let a = spawn(|| 40);
///     let b = spawn(|| 2);
///     a.join().unwrap() + b.join().unwrap()
/// });
/// assert_eq!(sum, 42);
/// ```
///
/// # Panics
///
/// With `main`'s own panic; if all tasks wait and nothing can wake one (the
/// message lists them); inside a runtime; and if there is no memory for the main
/// task's stack.
#[track_caller]
pub fn run<T>(main: impl FnOnce() -> T) -> T {
    Runtime::new().run(main)
}

/// Like [`run`], but returns an error where that panics by itself.
///
/// ```
/// use greenroom::{RunError, park, try_run};
///
/// let error = try_run(park).unwrap_err();
/// assert!(matches!(error, RunError::Deadlock(_)));
/// assert!(error.to_string().contains("waits for unpark"));
/// ```
///
/// # Errors
///
/// If all tasks wait and nothing can wake one, or the main task could not be made.
///
/// After a deadlock every task is cancelled. Where one waits in a
/// [`shield`](crate::shield), or with [`Delivery::Error`](crate::Delivery::Error) in a
/// call that cannot fail, that ends nothing: the process aborts with both reports.
///
/// # Panics
///
/// With `main`'s own panic, and inside a runtime.
#[track_caller]
pub fn try_run<T>(main: impl FnOnce() -> T) -> Result<T, RunError> {
    Runtime::new().try_run(main)
}

/// Starts a task. It is put at the end of the queue; the caller goes on.
///
/// Tasks start in the order they were spawned. A task that is not joined runs
/// on by itself, until the main task has ended: then it is cancelled, and if it
/// has not begun by then, its body is dropped unrun. So join what must be done.
///
/// A handle is no value to compute with. Where the result is meant, forgetting to
/// join does not compile:
///
/// ```compile_fail,E0277
/// # greenroom::run(|| {
/// let square = greenroom::spawn(|| 4 * 4);
/// println!("{}", 4 * square);
/// # });
/// ```
///
/// # Panics
///
/// Outside a runtime, and if there is no memory for the task's stack; see
/// [`Builder::spawn`].
#[inline]
#[track_caller]
pub fn spawn<T: 'static>(body: impl FnOnce() -> T + 'static) -> JoinHandle<T> {
    match Builder::new().spawn(body) {
        Ok(handle) => handle,
        Err(error) => panic!("no stack for a task: {error}"),
    }
}

/// Gives every task that is ready one step, then goes on.
///
/// ```
/// use std::{cell::RefCell, rc::Rc};
/// use greenroom::{run, spawn, yield_now};
///
/// let order = Rc::new(RefCell::new(Vec::new()));
/// run(|| {
///     let seen = Rc::clone(&order);
///     spawn(move || seen.borrow_mut().push("child"));
///     yield_now();
///     order.borrow_mut().push("main");
/// });
/// assert_eq!(*order.borrow(), ["child", "main"]);
/// ```
///
/// # Scheduling
///
/// The caller goes to the end of the queue. On a plain thread it is
/// [`std::thread::yield_now`].
///
/// # Cancellation
///
/// Unwinds when the task was cancelled. While the task unwinds, it returns at once.
#[inline(always)]
pub fn yield_now() {
    match park::current() {
        Some(task) => park::yield_now(task),
        None => std::thread::yield_now(),
    }
}

/// Waits until somebody unparks this task; returns at once if that has happened
/// since the last `park`. It never returns without.
///
/// On a plain thread it is [`std::thread::park`].
///
/// ```
/// use greenroom::{current, park, run, spawn};
///
/// run(|| {
///     let main = current();
///     spawn(move || main.unpark());
///     park();
/// });
/// ```
///
/// # Scheduling
///
/// The other tasks run. With no one left who could unpark it, `run` reports a deadlock.
///
/// # Cancellation
///
/// Unwinds when the task was cancelled. While the task unwinds, it returns at once.
pub fn park() {
    match park::current() {
        Some(task) => park::park(task),
        None => std::thread::park(),
    }
}

/// The task that calls.
///
/// # Panics
///
/// On a plain thread. See [`try_current`].
#[must_use]
#[track_caller]
pub fn current() -> Task {
    match try_current() {
        Some(task) => task,
        None => panic!("current needs a task: call it inside greenroom::run"),
    }
}

/// The task that calls, or `None` on a plain thread.
#[must_use]
pub fn try_current() -> Option<Task> {
    TaskName::current().map(Task)
}

/// The tasks of this runtime that have not ended, in the order they were spawned.
///
/// ```
/// use greenroom::{Builder, park, run, tasks, yield_now};
///
/// run(|| {
///     let sleeper = Builder::new().name("sleeper").spawn(park).unwrap();
///     yield_now();
///     let all = tasks();
///     assert_eq!(all.len(), 2);
///     assert_eq!(all[1].name.as_deref(), Some("sleeper"));
///     assert_eq!(all[1].waits_for.as_deref(), Some("unpark"));
///     sleeper.cancel();
/// });
/// ```
///
/// It asks the system about each stack: for reports, not for a hot path. Empty on
/// a plain thread.
#[must_use]
pub fn tasks() -> Vec<TaskInfo> {
    scheduler::tasks()
}

/// Whether the caller runs in a task.
#[must_use]
pub fn in_task() -> bool {
    park::current().is_some()
}

/// A task, to be unparked by others of its thread. It does not keep the task's
/// stack, and may outlive the task.
#[derive(Clone)]
pub struct Task(TaskName);

impl Task {
    /// Its number.
    #[must_use]
    pub fn id(&self) -> TaskId {
        self.0.id()
    }

    /// The name given to its [`Builder`].
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.0.name()
    }

    /// Wakes the task from [`park`](fn@park), or spares it its next one. A task that has
    /// ended is left in peace.
    pub fn unpark(&self) {
        self.0.unpark();
    }

    /// A waker that unparks the task, from any thread, at any time.
    ///
    /// While it lives, a runtime whose tasks all wait does not report a
    /// deadlock: the waker may still be used.
    ///
    /// ```
    /// use greenroom::{current, park, run};
    ///
    /// run(|| {
    ///     let waker = current().waker().unwrap();
    ///     let helper = std::thread::spawn(move || waker.wake());
    ///     park();
    ///     helper.join().unwrap();
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// If the process has no descriptor left for the runtime to be woken by.
    #[cfg(any(reactor = "epoll", reactor = "kqueue"))]
    pub fn waker(&self) -> io::Result<Waker> {
        self.0.waker()
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("id", &self.id())
            .field("name", &self.name())
            .finish()
    }
}
