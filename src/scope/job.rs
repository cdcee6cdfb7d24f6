//! What can be gathered or raced: closures, and what can be waited for.

use super::supervise::SupervisedJoinHandle;
use super::tasks::ScopedJoinHandle;
use crate::awaitable::Awaitable;
use crate::error::JoinError;
use crate::task::{CancelOnDrop, JoinHandle};

/// A closure, or a handle of a task: something to be run, once, for its output.
///
/// To gather other things that can be waited for, wrap them:
/// `|| awaitable.wait()`.
pub trait Job {
    /// What it gives.
    type Output;

    /// Runs it.
    fn run(self) -> Self::Output;
}

impl<T, F: FnOnce() -> T> Job for F {
    type Output = T;

    #[inline(always)]
    fn run(self) -> T {
        self()
    }
}

impl<T> Job for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    #[track_caller]
    fn run(self) -> Self::Output {
        self.join()
    }
}

impl<T> Job for CancelOnDrop<T> {
    type Output = Result<T, JoinError>;

    #[track_caller]
    fn run(self) -> Self::Output {
        self.join()
    }
}

impl<T> Job for ScopedJoinHandle<'_, T> {
    type Output = T;

    #[track_caller]
    fn run(self) -> T {
        self.join()
    }
}

impl<T> Job for SupervisedJoinHandle<'_, T> {
    type Output = Result<T, JoinError>;

    #[track_caller]
    fn run(self) -> Self::Output {
        self.join()
    }
}

/// Makes a job of something that can be waited for.
pub(super) struct Waiting<A>(pub(super) A);

impl<A: Awaitable> Job for Waiting<A> {
    type Output = A::Output;

    fn run(self) -> A::Output {
        self.0.wait()
    }
}
