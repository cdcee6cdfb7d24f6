//! The arm of a `select!` that waits for the end of a task.

use std::fmt;

use super::JoinHandle;
use crate::error::JoinError;
use crate::scheduler::park::Seat;
use crate::scheduler::select::sealed::Sealed;
use crate::scheduler::select::{Arm, Entry, Selectable};
use crate::scheduler::spawn::TaskKey;

/// Waits for the end of a task; whoever made it takes the ending.
#[doc(hidden)]
pub struct JoinArm<'a, H> {
    pub(crate) handle: &'a mut H,
    seat: Seat<()>,
}

/// A handle of a task, known by its key.
#[doc(hidden)]
pub trait Handle {
    #[doc(hidden)]
    fn key(&self) -> Key<'_>;
}

/// A key that only this crate can look into.
#[doc(hidden)]
#[derive(Debug)]
pub struct Key<'a>(pub(crate) &'a TaskKey);

impl<H> fmt::Debug for JoinArm<'_, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinArm").finish_non_exhaustive()
    }
}

impl<'a, H> JoinArm<'a, H> {
    pub(crate) fn new(handle: &'a mut H) -> Self {
        Self {
            handle,
            seat: Seat::new(),
        }
    }
}

impl<H: Handle> Sealed for JoinArm<'_, H> {}

impl<H: Handle> Arm for JoinArm<'_, H> {
    fn poll(&self) -> bool {
        self.handle.key().0.is_finished()
    }

    fn enter<'a>(&'a self, entry: Entry<'a>) -> bool {
        entry.sit(self.handle.key().0.joiners(), &self.seat)
    }

    fn leave(&self) {
        self.seat.leave();
    }
}

impl<'a, T> Selectable for &'a mut JoinHandle<T> {
    type Output = Result<T, JoinError>;
    type Arm = JoinArm<'a, JoinHandle<T>>;

    fn into_arm(self) -> Self::Arm {
        JoinArm::new(self)
    }

    #[track_caller]
    fn finish(arm: &mut Self::Arm) -> Self::Output {
        arm.handle.take_result()
    }
}
