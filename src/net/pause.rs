//! Waiting for what no descriptor tells: a while, then longer.
//!
//! Must never: be used where the system can tell that something is ready.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use crate::scheduler::io as waiting;
use crate::scheduler::park;
use crate::sys::clock;

const FIRST: Duration = Duration::from_millis(1);

/// Pauses that grow from a millisecond to a limit.
#[derive(Debug)]
pub(super) struct Pause {
    next: Duration,
    longest: Duration,
}

impl Pause {
    pub(super) fn until(longest: Duration) -> Self {
        Self::between(FIRST, longest)
    }

    pub(super) fn between(first: Duration, longest: Duration) -> Self {
        Self {
            next: first,
            longest,
        }
    }

    /// How long the next pause is. The one after it is longer.
    pub(super) fn grow(&mut self) -> Duration {
        let now = self.next;
        self.next = self.longest.min(now * 2);
        now
    }

    /// Makes the next pause.
    ///
    /// # Errors
    ///
    /// Of kind `Other`, at once, if the task is unwinding.
    pub(super) fn wait(&mut self, fd: BorrowedFd<'_>) -> io::Result<()> {
        Self::once(fd, self.grow())
    }

    /// Waits in a call of `fd`: in a task, or on a plain thread.
    ///
    /// # Errors
    ///
    /// Of kind `Other`, at once, if the task is unwinding.
    pub(super) fn once(fd: BorrowedFd<'_>, length: Duration) -> io::Result<()> {
        match park::current() {
            Some(task) => waiting::pause(task, fd, length),
            None => {
                clock::sleep_nanos(u64::try_from(length.as_nanos()).unwrap_or(u64::MAX));
                Ok(())
            }
        }
    }
}
