//! Standard input, with one buffer for the whole process.
//!
//! ```text
//!   take, under the lock:   from the buffer; else one try of the kernel, into the buffer
//!                           would block: note who waits, unlock, and wait for the descriptor
//! ```
//!
//! A line that has come in part stays in the buffer until the rest is there, so a call that gives up loses
//! nothing. The kernel does not tell of what was taken from it. So whoever takes more than it returns wakes all
//! who wait, and each looks once: after that there is nothing in the buffer for it. Tasks of one runtime wait in one
//! line; the first of them looks, and each that leaves wakes the next.
//!
//! Must never: wait, or wake anybody, with the buffer locked; give bytes in another order than they came.

use std::io::{self, IsTerminal, Read};
use std::iter::FusedIterator;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::waiters::{Bell, Waiters, Whom};
use super::{Stream, where_closed};
use crate::scheduler::io::Direction;
use crate::scheduler::outside::Caller;
use crate::sys::nowait;

static STDIN: Stream = Stream::new();
static BUFFER: Mutex<Buffer> = Mutex::new(Buffer::new());

/// How much is asked of the kernel at once.
const CHUNK: usize = 8 * 1024;

/// The standard input of this process: see [`Stdin`].
#[must_use]
pub fn stdin() -> Stdin {
    Stdin(io::stdin())
}

/// The standard input of this process, waiting instead of blocking.
///
/// ```no_run
/// use greenroom::{io, run, select, sync, spawn};
/// use std::time::Duration;
///
/// run(|| {
///     let (send, lines) = sync::bounded(1);
///     spawn(move || {
///         for line in io::stdin().lines() {
///             send.send(line?).ok();
///         }
///         Ok::<(), std::io::Error>(())
///     });
///     select! {
///         recv(lines) -> line => println!("{line:?}"),
///         after(Duration::from_secs(10)) -> _ => println!("still there?"),
///     }
/// });
/// ```
///
/// All handles share one buffer, in all threads, and nothing is lost between them. std's own
/// [`stdin`](std::io::stdin) has another: do not use both.
///
/// # The descriptor
///
/// Nothing of it is changed: it belongs to other processes, too. Where the system cannot read from it without
/// waiting (terminals and named pipes; on systems other than Linux, and Linux before 6.4, pipes as well), it
/// is asked whether there is something. If another process takes that in between, the thread blocks until there
/// is more.
///
/// # Errors
///
/// What the system says (to a program in the background of a terminal for instance); never `WouldBlock` or
/// `Interrupted`. A call that has to wait needs a descriptor or two of its own, and says if there are none left. A
/// closed descriptor is at its end, as with std.
///
/// # Scheduling
///
/// Where there is something a read goes on at once; one of every 128 lets the other tasks run first. Else the
/// others run until there is. Tasks of one thread that wait are served in order. Of several threads the
/// fastest is served first; what it leaves is for those who wait.
///
/// # Cancellation
///
/// A read that is cancelled unwinds, and has taken nothing; nor has a line that had come in part: it is there for
/// the next call. While the task unwinds, a read that would have to wait returns an error of kind `Other`.
#[derive(Debug)]
pub struct Stdin(io::Stdin);

/// What was taken from the kernel and not yet by anybody.
#[derive(Debug)]
struct Buffer {
    bytes: Vec<u8>,
    /// Up to here they are taken.
    start: usize,
    /// From `start` up to here there is no end of a line.
    searched: usize,
    /// Whether something was taken from the kernel that those who wait have not been told of.
    news: bool,
    waiters: Waiters,
}

fn buffer() -> MutexGuard<'static, Buffer> {
    // Nothing of the user's runs under the lock.
    BUFFER.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Buffer {
    const fn new() -> Self {
        Self {
            bytes: Vec::new(),
            start: 0,
            searched: 0,
            news: false,
            waiters: Waiters::new(),
        }
    }

    fn rest(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// Up to `length` bytes that are there.
    fn take(&mut self, length: usize) -> &[u8] {
        let taken = self.start..self.bytes.len().min(self.start + length);
        self.start = taken.end;
        self.searched = self.searched.max(self.start);
        &self.bytes[taken]
    }

    /// Asks the kernel once. 0 is the end of the input.
    fn fill(&mut self, fd: BorrowedFd<'_>) -> io::Result<usize> {
        self.bytes.drain(..self.start);
        self.searched -= self.start;
        self.start = 0;
        let old = self.bytes.len();
        self.bytes.resize(old + CHUNK, 0);
        let read = nowait::read(fd, &mut self.bytes[old..], &STDIN.refused);
        let length = read.as_ref().map_or(0, |length| *length);
        self.bytes.truncate(old + length);
        self.news |= length > 0;
        read
    }

    /// Those to be woken after a look of `own`.
    fn tell_whom(&mut self, own: Option<&Waits>) -> Vec<Whom> {
        if std::mem::take(&mut self.news) && !self.rest().is_empty() {
            self.waiters.others(own.map(|waits| waits.0))
        } else {
            Vec::new()
        }
    }

    fn read(&mut self, fd: BorrowedFd<'_>, buf: &mut [u8]) -> io::Result<usize> {
        if self.rest().is_empty() {
            if buf.len() >= CHUNK {
                return nowait::read(fd, buf, &STDIN.refused);
            }
            self.fill(fd)?;
        }
        let taken = self.take(buf.len());
        buf[..taken.len()].copy_from_slice(taken);
        Ok(taken.len())
    }

    /// A line with its end; what is there at the end of the input; or nothing.
    fn line(&mut self, fd: BorrowedFd<'_>) -> io::Result<Vec<u8>> {
        loop {
            let new = &self.bytes[self.searched..];
            if let Some(at) = new.iter().position(|byte| *byte == b'\n') {
                let length = self.searched + at + 1 - self.start;
                return Ok(self.take(length).to_vec());
            }
            self.searched = self.bytes.len();
            if where_closed(self.fill(fd), 0)? == 0 {
                return Ok(self.take(usize::MAX).to_vec());
            }
        }
    }
}

/// A call that waits, for as long as it does: its number.
struct Waits(u64);

impl Waits {
    /// To be made before the lock is given up.
    fn enter(buffer: &mut Buffer, whom: Whom) -> Self {
        Self(buffer.waiters.add(whom))
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        buffer().waiters.remove(self.0);
    }
}

/// One look into the buffer. Who finds nothing is noted as `waits`, and those who wait are told of what is left.
fn look<R>(
    fd: BorrowedFd<'_>,
    call: &mut impl FnMut(&mut Buffer, BorrowedFd<'_>) -> io::Result<R>,
    waits: &mut Option<Waits>,
    whom: impl FnOnce() -> io::Result<Whom>,
) -> io::Result<R> {
    let mut buffer = buffer();
    let mut result = call(&mut buffer, fd);
    if waits.is_none() && result.as_ref().is_err_and(is_blocked) {
        match whom() {
            Ok(whom) => *waits = Some(Waits::enter(&mut buffer, whom)),
            Err(error) => result = Err(error),
        }
    }
    let others = buffer.tell_whom(waits.as_ref());
    drop(buffer);
    others.into_iter().for_each(Whom::wake);
    result
}

fn is_blocked(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}

impl Stdin {
    /// Reads a line, up to and with its end, and appends it to `buf`. Returns how many bytes; 0 is the end of the input.
    ///
    /// The last line may have no end.
    ///
    /// # Errors
    ///
    /// `InvalidData` for a line that is not UTF-8; it is taken and lost, as with std. Else as reading.
    ///
    /// # Scheduling
    ///
    /// As reading: the other tasks run until the whole line is there.
    ///
    /// # Cancellation
    ///
    /// Unwinds; what had come of the line is there for the next call.
    pub fn read_line(&self, buf: &mut String) -> io::Result<usize> {
        let line = self.call(Buffer::line)?;
        let line = String::from_utf8(line).map_err(|_| {
            io::Error::new(io::ErrorKind::InvalidData, "the line is not valid UTF-8")
        })?;
        buf.push_str(&line);
        Ok(line.len())
    }

    /// The lines of the input, without their ends.
    ///
    /// ```no_run
    /// greenroom::run(|| {
    ///     for line in greenroom::io::stdin().lines() {
    ///         println!("{} letters", line?.chars().count());
    ///     }
    ///     Ok::<(), std::io::Error>(())
    /// })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Scheduling
    ///
    /// Each waits as [`read_line`](Self::read_line).
    ///
    /// # Cancellation
    ///
    /// As [`read_line`](Self::read_line).
    pub fn lines(&self) -> Lines {
        Lines {
            stdin: stdin(),
            at_end: false,
        }
    }

    /// Whether it is a terminal. [`IsTerminal`] cannot be implemented outside of std.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        self.0.is_terminal()
    }

    /// One call of the buffer, as often as needed.
    fn call<R>(
        &self,
        mut call: impl FnMut(&mut Buffer, BorrowedFd<'_>) -> io::Result<R>,
    ) -> io::Result<R> {
        let fd = self.0.as_fd();
        let mut waits = None;
        let caller = Caller::here();
        if caller.is_task() {
            return STDIN.transfer(fd, Direction::Read, || {
                look(fd, &mut call, &mut waits, || {
                    caller.address().map(Whom::Task)
                })
            });
        }
        let mut bell = None;
        loop {
            let result = look(fd, &mut call, &mut waits, || {
                let new = bell.insert(Arc::new(Bell::new()?));
                Ok(Whom::Thread(Arc::clone(new)))
            });
            match (result, &bell) {
                (Err(error), Some(bell)) if is_blocked(&error) => bell.or_readable(fd)?,
                (result, _) => return result,
            }
        }
    }

    fn receive(&self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        where_closed(self.call(|buffer, fd| buffer.read(fd, buf)), 0)
    }
}

/// The lines of standard input: see [`Stdin::lines`].
#[derive(Debug)]
#[must_use = "lines are read by iterating"]
pub struct Lines {
    stdin: Stdin,
    at_end: bool,
}

impl Iterator for Lines {
    type Item = io::Result<String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at_end {
            return None;
        }
        let mut line = String::new();
        match self.stdin.read_line(&mut line) {
            Ok(0) => {
                self.at_end = true;
                return None;
            }
            Ok(_) => {}
            Err(error) => return Some(Err(error)),
        }
        if line.ends_with('\n') {
            line.pop();
            if line.ends_with('\r') {
                line.pop();
            }
        }
        Some(Ok(line))
    }
}

impl FusedIterator for Lines {}

impl Read for Stdin {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.receive(buf)
    }
}

impl Read for &Stdin {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.receive(buf)
    }
}

/// What lies in the buffer is not to be had through it.
impl AsFd for Stdin {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// What lies in the buffer is not to be had through it.
impl AsRawFd for Stdin {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}
