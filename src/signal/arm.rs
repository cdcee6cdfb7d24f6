//! A receiver of signals as an arm of a `select!`.
//!
//! The arm takes a signal when it is polled; what it took and could not hand on rings again.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::os::fd::AsFd;

use super::{SignalKind, Signals};
use crate::io::{Watch, Watched};
use crate::scheduler::io::{Direction, Watching};
use crate::scheduler::select::sealed::Sealed;
use crate::scheduler::select::{Arm, Entry, Selectable};
use crate::scheduler::{cancel, park};

/// `recv(signals)`, `wait(&signals)`.
#[doc(hidden)]
pub struct SignalArm<'a> {
    signals: &'a Signals,
    watching: Watching,
    outcome: RefCell<Option<io::Result<SignalKind>>>,
}

impl fmt::Debug for SignalArm<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignalArm").finish_non_exhaustive()
    }
}

impl<'a> Selectable for &'a Signals {
    type Output = io::Result<SignalKind>;
    type Arm = SignalArm<'a>;

    fn into_arm(self) -> SignalArm<'a> {
        SignalArm {
            signals: self,
            watching: Watching::default(),
            outcome: RefCell::new(None),
        }
    }

    fn finish(arm: &mut SignalArm<'a>) -> io::Result<SignalKind> {
        let chosen = arm.outcome.take();
        chosen.unwrap_or_else(|| Err(io::ErrorKind::WouldBlock.into()))
    }
}

impl Sealed for SignalArm<'_> {}

impl Arm for SignalArm<'_> {
    fn poll(&self) -> bool {
        let mut outcome = self.outcome.borrow_mut();
        if outcome.is_none() {
            match self.signals.take() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                taken => *outcome = Some(taken),
            }
        }
        outcome.is_some()
    }

    fn enter<'a>(&'a self, entry: Entry<'a>) -> bool {
        let ear = &self.signals.ear;
        let entered = self.watching.enter(
            entry,
            ear.registrations(),
            ear.std().as_fd(),
            Direction::Read,
        );
        if let Err(error) = entered {
            *self.outcome.borrow_mut() = Some(Err(error));
        }
        true
    }

    fn leave(&self) {
        self.watching.leave();
    }

    fn interrupt(&self) -> bool {
        if let Some(task) = park::current() {
            *self.outcome.borrow_mut() = Some(Err(cancel::error(task)));
        }
        true
    }
}

impl Drop for SignalArm<'_> {
    fn drop(&mut self) {
        self.leave();
        // Taken, and then somebody unwound before it was handed on.
        if let Some(Ok(kind)) = self.outcome.take() {
            self.signals.put_back(kind);
        }
    }
}

/// `readable(signals)`.
impl Watch for Signals {
    type Std = std::os::unix::net::UnixStream;

    fn watched(&self) -> Watched<'_, Self::Std> {
        Watched(&self.ear)
    }
}

#[cfg(feature = "sync")]
impl crate::sync::arms::Receives for Signals {
    type Receiver = Self;

    fn receiver(&self) -> &Self {
        self
    }
}
