//! The receiving end as an arm of a `select!`.
//!
//! Another thread cannot decide a selection: the task may have chosen something else
//! that very moment. So the arm has no hand. It is nudged, comes, and takes; a value
//! is kept for it until it has, or has left its place.

use std::cell::Cell;
use std::fmt;

use super::Receiver;
use crate::scheduler::outside::{Beside, Caller};
use crate::scheduler::select::sealed::Sealed;
use crate::scheduler::select::{Arm, Entry, Selectable};
use crate::sync::error::{RecvError, TryRecvError};

/// `recv(receiver)` of a channel between threads.
pub struct RemoteArm<'a, T> {
    receiver: &'a Receiver<T>,
    place: Cell<Option<usize>>,
    beside: Cell<Option<Beside>>,
    outcome: Cell<Option<Result<T, RecvError>>>,
}

impl<T> fmt::Debug for RemoteArm<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteArm").finish_non_exhaustive()
    }
}

impl<'a, T> Selectable for &'a Receiver<T> {
    type Output = Result<T, RecvError>;
    type Arm = RemoteArm<'a, T>;

    #[inline]
    fn into_arm(self) -> RemoteArm<'a, T> {
        RemoteArm {
            receiver: self,
            place: Cell::new(None),
            beside: Cell::new(None),
            outcome: Cell::new(None),
        }
    }

    #[inline]
    fn finish(arm: &mut RemoteArm<'a, T>) -> Result<T, RecvError> {
        arm.outcome.take().unwrap_or(Err(RecvError::Disconnected))
    }
}

impl<T> Sealed for RemoteArm<'_, T> {}

impl<T> Arm for RemoteArm<'_, T> {
    fn poll(&self) -> bool {
        let inlet = &self.receiver.inlet;
        let taken = match self.place.get() {
            None => inlet.try_recv(),
            Some(place) => inlet.change(|state, _, wakes| state.take_as(place, wakes)),
        };
        let outcome = match taken {
            Ok(value) => Ok(value),
            Err(TryRecvError::Disconnected) => Err(RecvError::Disconnected),
            // It may have no place because it cannot be woken.
            Err(TryRecvError::Empty) => match self.outcome.take() {
                None => return false,
                Some(outcome) => outcome,
            },
        };
        self.outcome.set(Some(outcome));
        true
    }

    fn enter<'a>(&'a self, entry: Entry<'a>) -> bool {
        let Ok(address) = Caller::here().address() else {
            self.outcome.set(Some(Err(RecvError::WouldBlock)));
            return true;
        };
        let (place, again) = self
            .receiver
            .inlet
            .change(|state, _, _| state.enter(address));
        self.place.set(Some(place));
        self.beside.set(Some(Beside::new(entry.task())));
        again
    }

    fn leave(&self) {
        if let Some(place) = self.place.take() {
            self.beside.set(None);
            self.receiver
                .inlet
                .change(|state, _, wakes| state.leave(place, wakes));
        }
    }

    fn interrupt(&self) -> bool {
        self.outcome.set(Some(Err(RecvError::Cancelled)));
        true
    }
}

impl<T> Drop for RemoteArm<'_, T> {
    fn drop(&mut self) {
        self.leave();
        // Taken, and then somebody unwound before it was handed on.
        if let Some(Ok(value)) = self.outcome.take() {
            self.receiver.inlet.put_back(value);
        }
    }
}
