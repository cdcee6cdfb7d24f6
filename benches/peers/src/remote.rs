//! Messages between two threads: who runs where, the stopwatch, and the loops of both ends where waiting is a function.
//!
//! Each end goes to a processor of its own by itself, in the same way for every runtime: left to the kernel the two
//! would share one now and then, and a run would measure which it was. A runtime's thread takes the last processor
//! that the process may use, the other thread the first. Nothing here may know a runtime.
#![expect(unsafe_code, reason = "no call of std's binds a thread to a processor")]

use std::ops::Range;
use std::sync::{Barrier, OnceLock};
use std::thread::JoinHandle;
use std::time::Instant;
use std::{fs, io};

use crate::workload::Line;

/// The two threads.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Side {
    /// The runtime under test.
    Runtime,
    /// A plain thread, or one more runtime of the same kind.
    Other,
}

/// `n` messages from one thread to another, or there and back.
#[derive(Debug)]
pub(crate) struct Crossing {
    n: usize,
    /// The processors of `Side::Other` and of `Side::Runtime`.
    processors: (usize, usize),
    both: Barrier,
    begin: OnceLock<Instant>,
}

impl Crossing {
    pub(crate) fn leaked(n: usize) -> io::Result<&'static Self> {
        Ok(Box::leak(Box::new(Self {
            n,
            processors: processors()?,
            both: Barrier::new(2),
            begin: OnceLock::new(),
        })))
    }

    /// The calling thread goes to its processor and waits there for the other. The first to go on starts the watch.
    pub(crate) fn meet(&self, side: Side) -> io::Result<()> {
        let bound = bind(match side {
            Side::Other => self.processors.0,
            Side::Runtime => self.processors.1,
        });
        // Met in any case: the other would wait for ever.
        self.both.wait();
        self.begin.get_or_init(Instant::now);
        bound
    }

    /// What is sent, in order.
    pub(crate) fn messages(&self) -> Range<u64> {
        0..self.n as u64
    }

    /// The figure. Called where the last message has been received.
    pub(crate) fn line(&self) -> io::Result<Line> {
        let begin = self.begin.get().ok_or_else(left)?;
        Ok(Line::each(self.n, begin.elapsed(), self.n))
    }

    /// The end that sends.
    #[inline(always)]
    pub(crate) fn send_all(&self, side: Side, send: impl Fn(u64) -> bool) -> io::Result<()> {
        self.meet(side)?;
        for i in self.messages() {
            if !send(i) {
                return Err(left());
            }
        }
        Ok(())
    }

    /// The end that receives.
    #[inline(always)]
    pub(crate) fn receive_all(
        &self,
        side: Side,
        recv: impl Fn() -> Option<u64>,
    ) -> io::Result<Line> {
        self.meet(side)?;
        for i in self.messages() {
            if recv() != Some(i) {
                return Err(left());
            }
        }
        self.line()
    }

    /// The end that sends and waits for the same to come back.
    #[inline(always)]
    pub(crate) fn play(
        &self,
        side: Side,
        send: impl Fn(u64) -> bool,
        recv: impl Fn() -> Option<u64>,
    ) -> io::Result<Line> {
        self.meet(side)?;
        for i in self.messages() {
            if !send(i) || recv() != Some(i) {
                return Err(left());
            }
        }
        self.line()
    }

    /// The end that sends back what it receives.
    #[inline(always)]
    pub(crate) fn echo(
        &self,
        side: Side,
        send: impl Fn(u64) -> bool,
        recv: impl Fn() -> Option<u64>,
    ) -> io::Result<()> {
        self.meet(side)?;
        for _ in self.messages() {
            if !recv().is_some_and(&send) {
                return Err(left());
            }
        }
        Ok(())
    }
}

/// A channel has ended before its time, or a message came out of turn.
pub(crate) fn left() -> io::Error {
    io::Error::other("the other side left")
}

pub(crate) fn join<T>(thread: JoinHandle<io::Result<T>>) -> io::Result<T> {
    thread
        .join()
        .map_err(|_| io::Error::other("the other thread panicked"))?
}

/// The first and the last processor that the process may use: those of its first thread, which no runtime has bound.
fn processors() -> io::Result<(usize, usize)> {
    let status = fs::read_to_string("/proc/self/status")?;
    let list = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    // A list of numbers and ranges, in order.
    let mut numbers = list
        .unwrap_or_default()
        .split([',', '-'])
        .filter_map(|number| number.trim().parse().ok());
    match (numbers.next(), numbers.next_back()) {
        (Some(first), Some(last)) => Ok((first, last)),
        _ => Err(io::Error::other("two threads need two processors")),
    }
}

/// Binds the calling thread to one processor.
fn bind(processor: usize) -> io::Result<()> {
    const WORD: usize = u64::BITS as usize;
    // As many as the kernel's own type has.
    let mut mask = [0_u64; 1024 / WORD];
    let word = mask.get_mut(processor / WORD);
    *word.ok_or_else(|| io::Error::other("a processor's number is too large"))? |=
        1 << (processor % WORD);
    // SAFETY: the mask is as long as is said, and is only read; 0 is the calling thread.
    let status =
        unsafe { libc::sched_setaffinity(0, size_of_val(&mask), (&raw const mask).cast()) };
    if status == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
