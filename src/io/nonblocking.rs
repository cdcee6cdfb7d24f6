//! A view of a stream for event-driven code and C libraries: it says `WouldBlock`.
//!
//! Must never: wait in a read or a write, or leave the descriptor's flag set when the last view is gone.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use super::Watch;
use crate::scheduler::io::Direction;

/// Something whose own calls can be lent to those who do not wait.
#[doc(hidden)]
pub trait Lend: Watch {
    /// What is read from and written to.
    #[doc(hidden)]
    type Lent: AsFd;
    #[doc(hidden)]
    fn lent(&self) -> &Self::Lent;
}

/// A view of a socket, a pipe or an [`Async`](super::Async) through which calls say `WouldBlock` instead of waiting.
///
/// For code that is driven by events, such as state machines of protocols, and for C libraries that are given
/// a descriptor. While the view lives, `O_NONBLOCK` is set on the descriptor, for all its duplicates; when the last
/// view is dropped the flag is as it was before. The socket's own calls go on waiting meanwhile.
///
/// ```
/// use std::io::{ErrorKind, Read, Write};
/// use greenroom::net::{TcpListener, TcpStream};
/// use greenroom::{run, spawn};
///
/// run(|| {
///     let listener = TcpListener::bind("127.0.0.1:0")?;
///     let near = TcpStream::connect(listener.local_addr()?)?;
///     let (mut far, _) = listener.accept()?;
///
///     let mut view = near.nonblocking()?;
///     assert_eq!(view.read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
///     spawn(move || far.write_all(b"x"));
///     view.readable()?; // the other tasks run
///     assert_eq!(view.read(&mut [0; 8])?, 1);
///     Ok::<(), std::io::Error>(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// Reads and writes through it are the type's own, as std has them: they never let another task run, and
/// may say `Interrupted`.
pub struct NonBlocking<'a, S: Lend> {
    stream: &'a S,
}

/// A view of `stream` that does not wait: what its method `nonblocking` gives. See [`NonBlocking`].
///
/// # Errors
///
/// What the system says.
pub fn nonblocking<S: Lend>(stream: &S) -> io::Result<NonBlocking<'_, S>> {
    stream.watched().0.lend_flag()?;
    Ok(NonBlocking { stream })
}

impl<'a, S: Lend> NonBlocking<'a, S> {
    /// Waits until a read is worth a try.
    ///
    /// # Errors
    ///
    /// If the descriptor cannot be watched; while the task unwinds, if it would have to wait.
    ///
    /// # Scheduling
    ///
    /// The other tasks run until there is something to read; if there is, one of every 128 calls lets them
    /// run first. It waits in line with the stream's own reads.
    ///
    /// # Cancellation
    ///
    /// Unwinds; nothing is lost.
    pub fn readable(&self) -> io::Result<()> {
        self.stream.watched().0.ready(Direction::Read)
    }

    /// Waits until a write is worth a try.
    ///
    /// # Errors
    ///
    /// As [`readable`](Self::readable).
    ///
    /// # Scheduling
    ///
    /// As [`readable`](Self::readable), in line with the stream's own writes.
    ///
    /// # Cancellation
    ///
    /// Unwinds; nothing is lost.
    pub fn writable(&self) -> io::Result<()> {
        self.stream.watched().0.ready(Direction::Write)
    }

    /// The stream this is a view of.
    pub fn get_ref(&self) -> &'a S {
        self.stream
    }

    /// What to call, with the flag for sure set: somebody may have cleared it meanwhile.
    fn lent(&self) -> io::Result<&'a S::Lent> {
        self.stream.watched().0.keep_flag_lent()?;
        Ok(self.stream.lent())
    }
}

impl<S: Lend> Drop for NonBlocking<'_, S> {
    fn drop(&mut self) {
        self.stream.watched().0.end_of_view();
    }
}

impl<'a, S: Lend> Read for NonBlocking<'a, S>
where
    &'a S::Lent: Read,
{
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.lent()?.read(buf)
    }

    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.lent()?.read_vectored(bufs)
    }
}

impl<'a, S: Lend> Write for NonBlocking<'a, S>
where
    &'a S::Lent: Write,
{
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.lent()?.write(buf)
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.lent()?.write_vectored(bufs)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.lent()?.flush()
    }
}

impl<S: Lend> AsFd for NonBlocking<'_, S> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.lent().as_fd()
    }
}

/// For C libraries: the number is good for as long as the view is.
impl<S: Lend> AsRawFd for NonBlocking<'_, S> {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl<S: Lend + fmt::Debug> fmt::Debug for NonBlocking<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NonBlocking").field(&self.stream).finish()
    }
}
