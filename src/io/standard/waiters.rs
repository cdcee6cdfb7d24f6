//! Who waits for standard input, and how each of them is told that somebody else has left bytes in the buffer.
//!
//! The kernel tells of what it has, and of nothing that was taken from it. A task is woken by a message to its
//! runtime. A plain thread waits in `poll(2)`, so it listens to a pipe of its own as well.
//!
//! Must never: wait, or be called with anything of the user's under the lock of the buffer.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::scheduler::outside::Address;
use crate::sys::descriptor::poll_two;
use crate::sys::pipe::pipe;

/// Those who have looked into the buffer, found nothing for them, and wait.
#[derive(Debug)]
pub(super) struct Waiters {
    all: Vec<(u64, Whom)>,
    /// The number of the next.
    next: u64,
}

/// One who waits.
#[derive(Debug, Clone)]
pub(super) enum Whom {
    Task(Address),
    Thread(Arc<Bell>),
}

impl Waiters {
    pub(super) const fn new() -> Self {
        Self {
            all: Vec::new(),
            next: 0,
        }
    }

    /// Adds one, and returns its number.
    pub(super) fn add(&mut self, whom: Whom) -> u64 {
        let number = self.next;
        self.next += 1;
        self.all.push((number, whom));
        number
    }

    pub(super) fn remove(&mut self, number: u64) {
        self.all.retain(|(other, _)| *other != number);
    }

    /// All but one, to be woken when the lock is free.
    pub(super) fn others(&self, own: Option<u64>) -> Vec<Whom> {
        let others = self.all.iter().filter(|(number, _)| Some(*number) != own);
        others.map(|(_, whom)| whom.clone()).collect()
    }
}

impl Whom {
    /// Makes it look into the buffer again. Nothing happens if it waits no more.
    pub(super) fn wake(self) {
        match self {
            Self::Task(address) => address.wake(),
            Self::Thread(bell) => bell.ring(),
        }
    }
}

/// What a plain thread listens to.
#[derive(Debug)]
pub(super) struct Bell {
    reader: File,
    writer: File,
    /// Whether there is a byte in the pipe, or will be soon: never a second one.
    rung: AtomicBool,
}

impl Bell {
    pub(super) fn new() -> io::Result<Self> {
        let (reader, writer) = pipe()?;
        Ok(Self {
            reader: reader.into(),
            writer: writer.into(),
            rung: AtomicBool::new(false),
        })
    }

    fn ring(&self) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            // There is room, and the reading end is ours.
            let _written = (&self.writer).write_all(&[0]);
        }
    }

    /// Blocks the thread until there is something to read, or the bell rings.
    pub(super) fn or_readable(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        poll_two(fd, self.reader.as_fd(), None)?;
        if self.rung.load(Ordering::Acquire) {
            // The byte is there, or about to be.
            (&self.reader).read_exact(&mut [0])?;
            // Whoever rings from here on rings again. Who did before has left what the next look finds.
            self.rung.store(false, Ordering::Release);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::sync::Arc;
    use std::sync::atomic::Ordering;
    use std::thread;

    use super::{Bell, Waiters, Whom};
    use crate::sys::pipe::pipe;

    #[test]
    fn a_thread_hears_its_bell() {
        let (quiet, _writer) = pipe().unwrap();
        let bell = Arc::new(Bell::new().unwrap());
        let mut waiters = Waiters::new();
        let own = waiters.add(Whom::Thread(Arc::clone(&bell)));
        assert!(waiters.others(Some(own)).is_empty());
        for _ in 0..100 {
            let others = waiters.others(None);
            let ringing = thread::spawn(move || others.into_iter().for_each(Whom::wake));
            bell.or_readable(quiet.as_fd()).unwrap();
            ringing.join().unwrap();
            assert!(!bell.rung.load(Ordering::Relaxed));
        }
        // However often it is rung, it is heard once, and nobody waits for room.
        for _ in 0..100_000 {
            bell.ring();
        }
        bell.or_readable(quiet.as_fd()).unwrap();
        assert!(!bell.rung.load(Ordering::Relaxed));
        waiters.remove(own);
        assert!(waiters.others(None).is_empty());
    }
}
