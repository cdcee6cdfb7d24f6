//! What was said of a descriptor: how long its calls may wait, and whose its `O_NONBLOCK` is.
//!
//! The flag belongs to the open file, which duplicates share, in other processes too. So it is borrowed:
//!
//! ```text
//!   Unknown --found set--> Theirs                      stays set for ever
//!           --a call needs it--> Ours                  until the descriptor, and all its duplicates, are given back
//!           --a view needs it--> Lent --last view gone--> Unknown
//! ```
//!
//! Must never: clear a flag that was found set, or one that somebody here still needs.

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::scheduler::io::Direction;
use crate::sys::descriptor;

/// What was said of a descriptor. Shared by its duplicates, as the system does with its own settings.
#[derive(Debug, Default)]
pub(super) struct Settings {
    /// Nanoseconds a call may wait; 0 is for ever.
    read_limit: AtomicU64,
    write_limit: AtomicU64,
    /// Whether the user asked for `WouldBlock`.
    never_waits: AtomicBool,
    /// One of the constants below. Changed under the lock only.
    flag: AtomicU8,
    users: Mutex<Users>,
}

/// Who counts on the flag.
#[derive(Debug, Default)]
struct Users {
    /// How many views of the descriptor there are.
    views: u32,
    /// How many handles there are besides the first: duplicates.
    others: u32,
    /// Whether a handle was given back while others still counted on the flag.
    owed: bool,
}

/// Nobody has looked at `O_NONBLOCK`, or it was taken back.
const UNKNOWN: u8 = 0;
/// It was found set, or the user set it: it stays.
const THEIRS: u8 = 1;
/// It was set here for calls that cannot do without, and has to be taken back.
const OURS: u8 = 2;
/// It was set here for as long as there are views.
const LENT: u8 = 3;

impl Settings {
    fn limit_of(&self, direction: Direction) -> &AtomicU64 {
        match direction {
            Direction::Read => &self.read_limit,
            Direction::Write => &self.write_limit,
        }
    }

    pub(super) fn limit(&self, direction: Direction) -> Option<Duration> {
        let nanos = self.limit_of(direction).load(Ordering::Relaxed);
        (nanos > 0).then(|| Duration::from_nanos(nanos))
    }

    pub(super) fn set_limit(&self, direction: Direction, limit: Option<Duration>) {
        let nanos = limit.map_or(0, |limit| {
            u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX)
        });
        self.limit_of(direction).store(nanos, Ordering::Relaxed);
    }

    pub(super) fn never_waits(&self) -> bool {
        self.never_waits.load(Ordering::Relaxed)
    }

    /// Notes that the user has set or cleared `O_NONBLOCK`.
    pub(super) fn set_never_waits(&self, on: bool) {
        let _users = self.users();
        let flag = if on { THEIRS } else { UNKNOWN };
        self.flag.store(flag, Ordering::Release);
        self.never_waits.store(on, Ordering::Relaxed);
    }

    fn users(&self) -> MutexGuard<'_, Users> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// There is one more handle.
    pub(super) fn another(&self) {
        self.users().others += 1;
    }

    /// Sets the flag for calls that cannot do without. It is looked at each time: whoever shares the open file may
    /// have cleared it, and a call would block the thread with all its tasks.
    pub(super) fn keep_flag(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        let is_set = descriptor::is_nonblocking(fd)?;
        if is_set && self.flag.load(Ordering::Relaxed) != LENT {
            return Ok(());
        }
        let _users = self.users();
        if !is_set {
            descriptor::set_nonblocking(fd, true)?;
        }
        self.flag.store(OURS, Ordering::Release);
        Ok(())
    }

    /// The same for a call of a view.
    pub(super) fn keep_flag_lent(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        if descriptor::is_nonblocking(fd)? {
            return Ok(());
        }
        let _users = self.users();
        self.lend(fd)
    }

    fn lend(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        descriptor::set_nonblocking(fd, true)?;
        if self.flag.load(Ordering::Relaxed) != OURS {
            self.flag.store(LENT, Ordering::Release);
        }
        Ok(())
    }

    /// A view begins: the flag is set until the last one ends.
    pub(super) fn lend_flag(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        let mut users = self.users();
        if !descriptor::is_nonblocking(fd)? {
            self.lend(fd)?;
        }
        users.views += 1;
        Ok(())
    }

    /// A view ends.
    pub(super) fn end_of_view(&self, fd: BorrowedFd<'_>) {
        let mut users = self.users();
        users.views -= 1;
        if users.views == 0 {
            self.clear_flag(fd, LENT);
        }
    }

    /// A handle goes. If it is the last, the flag is put back, where this or an earlier one was `given_back`; else
    /// the others still count on it, perhaps in other threads.
    pub(super) fn handle_goes(&self, fd: BorrowedFd<'_>, given_back: bool) {
        let mut users = self.users();
        users.owed |= given_back;
        if users.others > 0 {
            users.others -= 1;
        } else if users.owed {
            self.clear_flag(fd, OURS);
            self.clear_flag(fd, LENT);
        }
    }

    fn clear_flag(&self, fd: BorrowedFd<'_>, if_it_is: u8) {
        if self.flag.load(Ordering::Relaxed) == if_it_is {
            self.flag.store(UNKNOWN, Ordering::Release);
            // An open descriptor's own flags can always be changed.
            let _changed = descriptor::set_nonblocking(fd, false);
        }
    }
}
