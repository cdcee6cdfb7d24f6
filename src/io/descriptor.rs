//! What everything with a descriptor is made of: std's type, who watches it, and how it is waited for.
//!
//! ```text
//!   a call      in a task                                  on a plain thread
//!               spend a unit of the budget
//!               others wait, or nothing is there: ---+
//!               try; not WouldBlock: done            |     try; not WouldBlock: done
//!               <------------------------------------+
//!               wait in the descriptor's queue             poll(2)
//!               first in it, and worth it: try             again
//! ```
//!
//! The budget comes first: yielding is where a cancelled task unwinds, and then the call must not have
//! taken anything.
//!
//! `O_NONBLOCK` belongs to the open file, which others may share, so it is set only where a system call
//! cannot do without, when the first task needs it, and taken back by conversions.
//!
//! Must never: change a descriptor by holding or converting it, wait where the task may not, or close a
//! descriptor before its registrations are gone.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::settings::Settings;
use crate::scheduler::TaskRef;
use crate::scheduler::io::{self as waiting, Direction, Registrations};
use crate::scheduler::park;
use crate::sys::descriptor;

/// A descriptor, held as a type `S` of std's or the user's, which does whatever need not wait.
pub(crate) struct Descriptor<S: AsFd> {
    end: End<S>,
    registrations: Registrations,
    /// Only made when there is something to say: most sockets have none.
    settings: OnceLock<Arc<Settings>>,
    /// Whether the open file may belong to others, too: then its flag is put back in any case.
    shared: bool,
}

/// What is behind a socket. The one branch here is the seam for an end in memory: a variant with two
/// buffers and a wait queue for each, to which [`Descriptor::transfer`] would turn before it asks for a descriptor.
enum End<S> {
    /// A descriptor of the system.
    System(S),
    /// Nothing any more: it was converted, and what is left of the socket is about to be dropped.
    Taken,
}

impl<S: AsFd> Descriptor<S> {
    pub(crate) fn new(socket: S) -> Self {
        Self {
            end: End::System(socket),
            registrations: Registrations::default(),
            settings: OnceLock::new(),
            shared: false,
        }
    }

    /// One whose open file others may hold: `O_NONBLOCK` is set now, and put back also when it is dropped.
    ///
    /// # Errors
    /// What the kernel says.
    pub(crate) fn shared(source: S) -> io::Result<Self> {
        let mut new = Self::new(source);
        new.shared = true;
        new.keep_flag()?;
        Ok(new)
    }

    /// Another descriptor of the same socket: `duplicate`, which std has made.
    pub(crate) fn duplicated(&self, duplicate: S) -> Self {
        self.settings().another();
        Self {
            end: End::System(duplicate),
            registrations: Registrations::default(),
            settings: OnceLock::from(Arc::clone(self.settings())),
            shared: self.shared,
        }
    }

    /// std's socket, for what need not wait.
    #[inline]
    pub(crate) fn std(&self) -> &S {
        match &self.end {
            End::System(socket) => socket,
            End::Taken => unreachable!("a converted socket is gone"),
        }
    }

    /// Gives up the socket. The descriptor is as it was when it came, if it has no duplicate here.
    pub(crate) fn into_std(mut self) -> S {
        self.deregister();
        self.goes(true);
        match std::mem::replace(&mut self.end, End::Taken) {
            End::System(socket) => socket,
            End::Taken => unreachable!("a converted socket is gone"),
        }
    }

    /// Lets the tasks that wait try again: what was done here may be something the system tells nobody of.
    #[cfg(feature = "net")]
    pub(crate) fn nudge(&self) {
        self.registrations.nudge();
    }

    /// Who watches it.
    pub(crate) fn registrations(&self) -> &Registrations {
        &self.registrations
    }

    fn deregister(&mut self) {
        if let End::System(socket) = &self.end {
            self.registrations.forget(socket.as_fd());
        }
    }

    fn settings(&self) -> &Arc<Settings> {
        self.settings.get_or_init(Arc::default)
    }

    /// How long a call may wait, if there is a limit.
    pub(crate) fn limit(&self, direction: Direction) -> Option<Duration> {
        self.settings.get()?.limit(direction)
    }

    pub(crate) fn set_limit(&self, direction: Direction, limit: Option<Duration>) {
        if limit.is_some() || self.settings.get().is_some() {
            self.settings().set_limit(direction, limit);
        }
    }

    /// Whether the user asked for `WouldBlock` instead of waiting.
    #[inline]
    pub(crate) fn never_waits(&self) -> bool {
        let settings = self.settings.get();
        settings.is_some_and(|settings| settings.never_waits())
    }

    /// Notes that the user has set or cleared `O_NONBLOCK`.
    pub(crate) fn set_never_waits(&self, on: bool) {
        self.settings().set_never_waits(on);
    }

    /// Sets `O_NONBLOCK`, for system calls that cannot be told not to wait in another way. To be called before
    /// each of them: others may clear it.
    ///
    /// # Errors
    /// What the kernel says.
    pub(crate) fn keep_flag(&self) -> io::Result<()> {
        self.settings().keep_flag(self.std().as_fd())
    }

    /// The same for a call of a view.
    ///
    /// # Errors
    /// What the kernel says.
    pub(super) fn keep_flag_lent(&self) -> io::Result<()> {
        self.settings().keep_flag_lent(self.std().as_fd())
    }

    /// Sets `O_NONBLOCK` for a view, until [`end_of_view`](Self::end_of_view) was called for each.
    ///
    /// # Errors
    /// What the kernel says.
    pub(super) fn lend_flag(&self) -> io::Result<()> {
        self.settings().lend_flag(self.std().as_fd())
    }

    pub(super) fn end_of_view(&self) {
        self.settings().end_of_view(self.std().as_fd());
    }

    fn goes(&self, given_back: bool) {
        if let (Some(settings), End::System(socket)) = (self.settings.get(), &self.end) {
            settings.handle_goes(socket.as_fd(), given_back);
        }
    }

    /// Makes a call that says `WouldBlock` where it would have to wait, and waits until it does not.
    ///
    /// `drained` looks at a result and says whether there is nothing left to take, so that the next call need
    /// not even try.
    ///
    /// # Errors
    /// What `attempt` says; `TimedOut` at the limit of the direction; what waiting says.
    #[inline]
    pub(crate) fn transfer<R>(
        &self,
        direction: Direction,
        drained: impl Fn(&R) -> bool,
        mut attempt: impl FnMut(BorrowedFd<'_>) -> io::Result<R>,
    ) -> io::Result<R> {
        let fd = self.std().as_fd();
        if self.never_waits() {
            return attempt(fd);
        }
        let Some(task) = park::current() else {
            return self.block(direction, || attempt(fd));
        };
        park::spend(task);
        let slot = self.registrations.slot(task);
        let hopeless = slot.as_ref().is_some_and(|slot| match direction {
            Direction::Read => slot.is_drained() || !slot.readers.is_empty(),
            Direction::Write => !slot.writers.is_empty(),
        });
        if !hopeless {
            match attempt(fd) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => {
                    if let (Some(slot), Ok(result)) = (&slot, &result) {
                        if drained(result) {
                            slot.mark_drained();
                        }
                    }
                    return result;
                }
            }
        }
        let limit = self.limit(direction);
        waiting::wait(
            task,
            &self.registrations,
            fd,
            direction,
            limit.map(|limit| waiting::deadline_in(task, limit)),
            |slot| {
                let result = attempt(fd);
                if result.as_ref().is_ok_and(&drained) {
                    slot.mark_drained();
                }
                result
            },
        )
    }

    /// Waits until a call is worth a try, without making one. Limits of time do not count here, nor does it
    /// whether calls wait.
    ///
    /// # Errors
    /// What waiting says.
    pub(crate) fn ready(&self, direction: Direction) -> io::Result<()> {
        let fd = self.std().as_fd();
        let reads = direction == Direction::Read;
        let Some(task) = park::current() else {
            return descriptor::poll_one(fd, reads, !reads, None).map(drop);
        };
        park::spend(task);
        let look = || match descriptor::poll_one(fd, reads, !reads, Some(Duration::ZERO)) {
            Ok(false) => Err(io::ErrorKind::WouldBlock.into()),
            result => result.map(drop),
        };
        let slot = self.registrations.slot(task);
        let in_line = slot.is_some_and(|slot| match direction {
            Direction::Read => !slot.readers.is_empty(),
            Direction::Write => !slot.writers.is_empty(),
        });
        if !in_line {
            match look() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
        }
        waiting::wait(task, &self.registrations, fd, direction, None, |_| look())
    }

    /// Waits until a call that was begun already says something else than `WouldBlock`.
    ///
    /// # Errors
    /// What `attempt` says; `TimedOut` at the limit; what waiting says.
    pub(crate) fn finish<R>(
        &self,
        task: TaskRef,
        direction: Direction,
        limit: Option<Duration>,
        mut attempt: impl FnMut(&S) -> io::Result<R>,
    ) -> io::Result<R> {
        waiting::wait(
            task,
            &self.registrations,
            self.std().as_fd(),
            direction,
            limit.map(|limit| waiting::deadline_in(task, limit)),
            |_| attempt(self.std()),
        )
    }

    /// The same on a plain thread, which is blocked meanwhile.
    fn block<R>(
        &self,
        direction: Direction,
        mut attempt: impl FnMut() -> io::Result<R>,
    ) -> io::Result<R> {
        // A limit beyond the end of the clock is none.
        let deadline = self
            .limit(direction)
            .and_then(|limit| Instant::now().checked_add(limit));
        let reads = direction == Direction::Read;
        loop {
            match attempt() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if !descriptor::poll_one(self.std().as_fd(), reads, !reads, left)? {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
    }
}

impl<S: AsFd> Drop for Descriptor<S> {
    fn drop(&mut self) {
        self.deregister();
        self.goes(self.shared);
    }
}

/// As std's socket says it.
impl<S: AsFd + fmt::Debug> fmt::Debug for Descriptor<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.std().fmt(f)
    }
}
