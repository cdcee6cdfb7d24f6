//! Stackful coroutines.

#![cfg_attr(
    not(all(feature = "net", feature = "sync", feature = "time")),
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

pub mod coroutine;
#[cfg(feature = "runtime")]
mod error;
mod generator;
#[cfg(feature = "runtime")]
mod id;
#[cfg(all(feature = "net", any(reactor = "epoll", reactor = "kqueue")))]
pub mod net;
#[cfg(all(feature = "runtime", any(reactor = "epoll", reactor = "kqueue")))]
mod reactor;
#[cfg(feature = "runtime")]
mod scheduler;
#[cfg(feature = "sync")]
pub mod sync;
mod sys;
#[cfg(feature = "runtime")]
mod task;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(feature = "time")]
mod time;
#[cfg(feature = "runtime")]
mod timer;

pub use coroutine::{
    CloseError, Coroutine, CoroutineBuilder, CoroutineState, DEFAULT_GUARD_SIZE,
    DEFAULT_STACK_SIZE, ResumeError, ScopedCoroutine, Status, ThrowError, Thrown, Unstarted,
    Yielder, set_unstarted_hook,
};
pub use generator::{Generator, Values, generator};
#[cfg(feature = "time")]
pub use time::{Interval, MissedTick, Timer, interval, sleep, sleep_until};
#[cfg(feature = "runtime")]
pub use {
    error::JoinError,
    id::TaskId,
    scheduler::{
        Config, DEFAULT_MAIN_STACK_SIZE, Deadlock, ReadyTask, RunError, Runtime, Schedule,
        StuckTask, Turn, Unobserved,
    },
    task::{
        Builder, JoinHandle, Task, current, in_task, park, run, spawn, try_current, try_run,
        yield_now,
    },
    timer::{Clock, Instant},
};
