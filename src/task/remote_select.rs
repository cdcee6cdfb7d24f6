//! The handle of a task of another thread as an arm of a `select!`.
//!
//! Another thread cannot decide a selection, so the end of the task only nudges the one
//! that waits, and the arm looks. It never takes the result before it was chosen: what it
//! has not chosen stays in the packet. It must not hold anything that borrows the handle
//! and has a destructor: the bodies of the other arms may use the handle.

use std::cell::Cell;
use std::fmt;

use super::packet::{Entered, Packet};
use super::remote_join::RemoteJoinHandle;
use crate::error::JoinError;
use crate::scheduler::outside::{Beside, Caller};
use crate::scheduler::select::sealed::Sealed;
use crate::scheduler::select::{Arm, Entry, Selectable};

/// `join(&mut handle)` of a task that was spawned through a handle.
pub struct RemoteJoinArm<'a, T> {
    packet: &'a Packet<T>,
    entered: Cell<Option<Entered>>,
    beside: Cell<Option<Beside>>,
}

impl<T> fmt::Debug for RemoteJoinArm<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteJoinArm").finish_non_exhaustive()
    }
}

impl<'a, T> Selectable for &'a mut RemoteJoinHandle<T> {
    type Output = Result<T, JoinError>;
    type Arm = RemoteJoinArm<'a, T>;

    fn into_arm(self) -> RemoteJoinArm<'a, T> {
        RemoteJoinArm {
            packet: self.packet(),
            entered: Cell::new(None),
            beside: Cell::new(None),
        }
    }

    #[track_caller]
    fn finish(arm: &mut RemoteJoinArm<'a, T>) -> Result<T, JoinError> {
        match arm.packet.take() {
            Some(result) => result,
            None => unreachable!("it is chosen when the task has ended"),
        }
    }
}

impl<T> Sealed for RemoteJoinArm<'_, T> {}

impl<T> Arm for RemoteJoinArm<'_, T> {
    fn poll(&self) -> bool {
        self.packet.is_finished()
    }

    fn enter<'a>(&'a self, entry: Entry<'a>) -> bool {
        self.entered
            .set(Some(self.packet.enter(Caller::here(), None)));
        // A runtime of this thread cannot run while this one waits for good.
        if !self.packet.runtime.belongs_to_this_thread() {
            self.beside.set(Some(Beside::new(entry.task())));
        }
        true // it may have ended since
    }

    fn leave(&self) {
        if let Some(entered) = self.entered.take() {
            self.packet.leave(entered);
        }
        self.beside.set(None);
    }
}
