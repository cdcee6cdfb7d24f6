//! Standard input, output and error, waiting instead of blocking.
//!
//! Their open files belong to other processes as well (the shell, the program at the other end of the pipe), so
//! the flag `O_NONBLOCK` must not be set on them. A try that cannot be told not to wait asks `poll` first.
//!
//! What is watched is a duplicate, made when somebody has to wait and closed when nobody does any more. So
//! a program may close its output or turn it elsewhere at any time.
//!
//! Must never: change a flag, hold a lock across a wait, or keep a pipe open that the program has closed.

mod input;
mod output;
mod waiters;

pub use input::{Lines, Stdin, stdin};
pub use output::{Stderr, Stdout, stderr, stdout};

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::descriptor::Descriptor;
use crate::scheduler::io::Direction;
use crate::scheduler::park;
use crate::sys::descriptor::poll_one;
use crate::sys::nowait::{self, Refused};

/// What the process has once for each of the three.
#[derive(Debug)]
struct Stream {
    /// What is watched, as long as somebody waits.
    watched: Mutex<Weak<Descriptor<OwnedFd>>>,
    refused: Refused,
}

/// What a try said that did not fail.
enum Tried<R> {
    Done(R),
    /// It would wait, but for another file than is watched: the stream was turned elsewhere.
    Elsewhere,
}

impl Stream {
    const fn new() -> Self {
        Self {
            watched: Mutex::new(Weak::new()),
            refused: Refused::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Weak<Descriptor<OwnedFd>>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The duplicate that is watched; made if there is none, or none of this file.
    fn watch(&self, fd: BorrowedFd<'_>) -> io::Result<Arc<Descriptor<OwnedFd>>> {
        let mut watched = self.lock();
        if let Some(descriptor) = watched.upgrade() {
            if nowait::are_of_one_file(fd, descriptor.std().as_fd()) {
                return Ok(descriptor);
            }
        }
        let made = Arc::new(Descriptor::new(fd.try_clone_to_owned()?));
        *watched = Arc::downgrade(&made);
        Ok(made)
    }

    /// Makes `attempt` until it says something else than `WouldBlock`, and waits in between.
    fn transfer<R>(
        &self,
        fd: BorrowedFd<'_>,
        direction: Direction,
        mut attempt: impl FnMut() -> io::Result<R>,
    ) -> io::Result<R> {
        let Some(task) = park::current() else {
            return block(fd, direction, attempt);
        };
        let somebody_waits = self.lock().strong_count() > 0;
        if !somebody_waits {
            park::spend(task);
            match attempt() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
        }
        // Whoever comes while others wait goes behind them.
        let mut watched = self.watch(fd)?;
        loop {
            let tried = watched.transfer(
                direction,
                |_| false,
                |watched| match attempt() {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        if nowait::are_of_one_file(fd, watched) {
                            Err(error)
                        } else {
                            Ok(Tried::Elsewhere)
                        }
                    }
                    result => result.map(Tried::Done),
                },
            )?;
            match tried {
                Tried::Done(result) => return Ok(result),
                Tried::Elsewhere => watched = self.watch(fd)?,
            }
        }
    }
}

/// On a plain thread.
fn block<R>(
    fd: BorrowedFd<'_>,
    direction: Direction,
    mut attempt: impl FnMut() -> io::Result<R>,
) -> io::Result<R> {
    let reads = direction == Direction::Read;
    loop {
        match attempt() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                poll_one(fd, reads, !reads, None)?;
            }
            result => return result,
        }
    }
}

/// As std does: a stream that was closed is at its end, and takes whatever is written.
fn where_closed<R>(result: io::Result<R>, instead: R) -> io::Result<R> {
    match result {
        Err(error) if nowait::is_closed(&error) => Ok(instead),
        result => result,
    }
}
