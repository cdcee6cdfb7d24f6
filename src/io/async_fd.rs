//! Anything with a descriptor, waiting instead of blocking.
//!
//! What is watched is a duplicate of the descriptor, made here and closed here. So it does not matter what
//! the user's type does: `as_fd` may name another descriptor each time, `read` may close its own and open
//! a new one, and somebody may close it by its number. What is registered is always the descriptor that
//! can be deregistered, and its number is nobody else's as long as it is. It also lets one
//! descriptor be watched in several places.
//!
//! Must never: call the user's code under a borrow or a lock, or ask it for the descriptor a second time.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use super::by_reference::{ReadByReference, WriteByReference};
use super::descriptor::Descriptor;
use super::nonblocking::{Lend, NonBlocking};
use super::{Watch, Watched};
use crate::scheduler::io::Direction;
use crate::sys::selector::Selector;

/// Anything with a descriptor, waiting instead of blocking: a pipe, a terminal, a timer, an inotify, another
/// library's socket.
///
/// Where the type has [`Read`] and [`Write`], an `Async` of it has them too, and so has a reference to an
/// `Async`, where a reference to the type has. Any other call goes through [`read_with`](Self::read_with)
/// and [`write_with`](Self::write_with), or their kin for `&mut`. `select!` takes it in its arms `readable(..)` and
/// `writable(..)`.
///
/// ```
/// use std::io::{Read, Write};
/// use std::os::unix::net::UnixStream;
/// use greenroom::io::Async;
/// use greenroom::{run, spawn};
///
/// let word = run(|| {
///     let (near, far) = UnixStream::pair()?;
///     let (near, mut far) = (Async::new(near)?, Async::new(far)?);
///     spawn(move || far.write_all(b"hello"));
///     let mut word = String::new();
///     (&near).read_to_string(&mut word)?;
///     Ok::<_, std::io::Error>(word)
/// })?;
/// assert_eq!(word, "hello");
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// It is `Send` and `Sync` where the type is; each runtime that waits for it watches it by itself. On a
/// plain thread its calls block the thread.
///
/// # The descriptor
///
/// `O_NONBLOCK` is set for as long as the `Async` lives. The flag belongs to the open file, and holds for all its
/// duplicates, in other processes too: whoever reads from one of them may meet `WouldBlock`. For standard input
/// and output use [`stdin`](super::stdin) and its kin, which leave the flag alone. It is looked at before each
/// try, and set again if somebody has cleared it. [`into_inner`](Self::into_inner) and dropping clear it,
/// unless it was set when the `Async` was made. So of two `Async` of one open file in two threads, the end
/// of one may make one call of the other block.
///
/// The descriptor is asked for once, and a duplicate of it is what is watched. It takes the place of one more
/// descriptor, and is closed with the `Async`. If the type replaces its descriptor, make a new `Async`: the old one
/// would go on to wait for the descriptor that was.
///
/// # Errors
///
/// What the type says; never `WouldBlock` or `Interrupted`. Where a call has to wait for the first time in a
/// runtime, the system's error comes back if it cannot watch one descriptor more.
///
/// # Scheduling
///
/// A call that can do something does it at once; one of every 128 lets the other tasks run first. Else the
/// others run until it can. Tasks that wait to read are served in order, and so are those that wait to write.
///
/// # Cancellation
///
/// A read or write that is cancelled unwinds, and has taken or written nothing; one that has done something
/// returns it. Calls made of several, such as `write_all`, may have got some way. While the task unwinds,
/// calls that would have to wait return an error of kind `Other` at once.
pub struct Async<T: AsFd> {
    /// Before the source, so that nothing is watched any more when that is dropped.
    watch: Descriptor<OwnedFd>,
    source: T,
}

impl<T: AsFd> Async<T> {
    /// Takes something with a descriptor, and sets `O_NONBLOCK`. It may be made in any thread.
    ///
    /// # Errors
    ///
    /// `Unsupported` for what is always ready and so cannot be waited for: files and directories, and devices
    /// such as `/dev/null`. Reading those blocks for as long as the disk takes: call it inside
    /// [`unblock`](crate::unblock). Else what the system says, if the process is out of descriptors
    /// for instance. The descriptor is left as it was then, and `source` is dropped.
    pub fn new(source: T) -> io::Result<Self> {
        let duplicate = source.as_fd().try_clone_to_owned()?;
        // Whether it can be watched is said by a queue that lives no longer than the question. The
        // runtime that will watch it is the one that uses it.
        if let Err(error) = Selector::new()?.register(duplicate.as_fd(), 0) {
            if error.kind() == io::ErrorKind::PermissionDenied {
                return Err(always_ready());
            }
            return Err(error);
        }
        Ok(Self {
            watch: Descriptor::shared(duplicate)?,
            source,
        })
    }

    /// What was taken. Whatever is called on it says `WouldBlock` where it would have to wait.
    ///
    /// `O_NONBLOCK` is set again if somebody has cleared it, as another `Async` of the same open file does when it is
    /// dropped. What clears it between this call and the next one on what was taken is not noticed: ask anew each time.
    pub fn get_ref(&self) -> &T {
        // A failure means that it is no descriptor any more, which the next call will say.
        let _set = self.watch.keep_flag();
        &self.source
    }

    /// What was taken, to be changed.
    pub fn get_mut(&mut self) -> &mut T {
        &mut self.source
    }

    /// Gives it back. `O_NONBLOCK` is as it was when it came.
    pub fn into_inner(self) -> T {
        let Self { watch, source } = self;
        drop(watch);
        source
    }

    /// Waits until a read is worth a try: there is data, or the end of it, or an error.
    ///
    /// It takes nothing. Somebody else may be faster, so what is called next may still say `WouldBlock`;
    /// [`read_with`](Self::read_with) waits again then.
    ///
    /// # Errors
    ///
    /// If the descriptor cannot be watched; while the task unwinds, if it would have to wait.
    ///
    /// # Scheduling
    ///
    /// As reading: it waits in the same line.
    ///
    /// # Cancellation
    ///
    /// Unwinds; nothing is lost.
    pub fn readable(&self) -> io::Result<()> {
        self.watch.ready(Direction::Read)
    }

    /// Waits until a write is worth a try: there is room, or an error.
    ///
    /// # Errors
    ///
    /// As [`readable`](Self::readable).
    ///
    /// # Scheduling
    ///
    /// As writing: it waits in the same line.
    ///
    /// # Cancellation
    ///
    /// Unwinds; nothing is lost.
    pub fn writable(&self) -> io::Result<()> {
        self.watch.ready(Direction::Write)
    }

    /// Calls `read` until it says something else than `WouldBlock`, and waits in between for something to read.
    ///
    /// ```
    /// use std::os::unix::net::UnixDatagram;
    /// use greenroom::io::Async;
    ///
    /// greenroom::run(|| {
    ///     let (near, far) = UnixDatagram::pair()?;
    ///     let near = Async::new(near)?;
    ///     greenroom::spawn(move || far.send(b"hello"));
    ///     let mut buffer = [0; 16];
    ///     let length = near.read_with(|socket| socket.recv(&mut buffer))?;
    ///     assert_eq!(&buffer[..length], b"hello");
    ///     Ok::<(), std::io::Error>(())
    /// })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// It may be called several times. It is to say `WouldBlock` only because the descriptor did: what is there
    /// already is told once, so a wait after another kind of `WouldBlock` lasts until *more* comes. After
    /// `Interrupted` it is called again at once. It should not wait for anything itself: those who
    /// come later wait until it is done.
    ///
    /// # Errors
    ///
    /// What `read` says, and what waiting says: see [`Async`].
    ///
    /// # Panics
    ///
    /// With the panic of `read`. The next in line goes on.
    ///
    /// # Scheduling
    ///
    /// As reading.
    ///
    /// # Cancellation
    ///
    /// As reading: `read` is not called any more then.
    pub fn read_with<R>(&self, read: impl FnMut(&T) -> io::Result<R>) -> io::Result<R> {
        self.attempt(Direction::Read, read)
    }

    /// Calls `write` until it says something else than `WouldBlock`, and waits in between for room.
    ///
    /// As [`read_with`](Self::read_with) in all else.
    ///
    /// # Errors
    ///
    /// What `write` says, and what waiting says: see [`Async`].
    ///
    /// # Panics
    ///
    /// With the panic of `write`. The next in line goes on.
    ///
    /// # Scheduling
    ///
    /// As writing.
    ///
    /// # Cancellation
    ///
    /// As writing: `write` is not called any more then.
    pub fn write_with<R>(&self, write: impl FnMut(&T) -> io::Result<R>) -> io::Result<R> {
        self.attempt(Direction::Write, write)
    }

    /// [`read_with`](Self::read_with) for calls that want `&mut`.
    ///
    /// # Errors
    ///
    /// What `read` says, and what waiting says: see [`Async`].
    ///
    /// # Panics
    ///
    /// With the panic of `read`. The next in line goes on.
    ///
    /// # Scheduling
    ///
    /// As reading.
    ///
    /// # Cancellation
    ///
    /// As reading: `read` is not called any more then.
    pub fn read_with_mut<R>(
        &mut self,
        mut read: impl FnMut(&mut T) -> io::Result<R>,
    ) -> io::Result<R> {
        let source = &mut self.source;
        attempt(&self.watch, Direction::Read, || read(source))
    }

    /// [`write_with`](Self::write_with) for calls that want `&mut`.
    ///
    /// # Errors
    ///
    /// What `write` says, and what waiting says: see [`Async`].
    ///
    /// # Panics
    ///
    /// With the panic of `write`. The next in line goes on.
    ///
    /// # Scheduling
    ///
    /// As writing.
    ///
    /// # Cancellation
    ///
    /// As writing: `write` is not called any more then.
    pub fn write_with_mut<R>(
        &mut self,
        mut write: impl FnMut(&mut T) -> io::Result<R>,
    ) -> io::Result<R> {
        let source = &mut self.source;
        attempt(&self.watch, Direction::Write, || write(source))
    }

    /// A view through which calls say `WouldBlock` instead of waiting: see [`NonBlocking`].
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn nonblocking(&self) -> io::Result<NonBlocking<'_, Self>> {
        super::nonblocking(self)
    }

    fn attempt<R>(
        &self,
        direction: Direction,
        mut call: impl FnMut(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        let call = || call(&self.source);
        attempt(&self.watch, direction, call)
    }
}

/// One call of the user's type, as often as needed. A short read says nothing of what is left there.
fn attempt<R>(
    watch: &Descriptor<OwnedFd>,
    direction: Direction,
    mut call: impl FnMut() -> io::Result<R>,
) -> io::Result<R> {
    watch.transfer(
        direction,
        |_| false,
        |_| {
            loop {
                watch.keep_flag()?;
                match call() {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    result => return result,
                }
            }
        },
    )
}

#[cold]
fn always_ready() -> io::Error {
    io::Error::new(
        io::ErrorKind::Unsupported,
        "files and devices that are always ready cannot be waited for: use them inside `unblock`",
    )
}

impl<T: AsFd + Read> Read for Async<T> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let source = &mut self.source;
        attempt(&self.watch, Direction::Read, || source.read(buf))
    }

    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let source = &mut self.source;
        attempt(&self.watch, Direction::Read, || source.read_vectored(bufs))
    }
}

/// Where a reference to the type can be read.
impl<T: AsFd + ReadByReference> Read for &Async<T> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.read_with(|source| source.read_by_reference(buf))
    }

    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.read_with(|source| source.read_vectored_by_reference(bufs))
    }
}

impl<T: AsFd + Write> Write for Async<T> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let source = &mut self.source;
        attempt(&self.watch, Direction::Write, || source.write(buf))
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        let source = &mut self.source;
        attempt(&self.watch, Direction::Write, || {
            source.write_vectored(bufs)
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        let source = &mut self.source;
        attempt(&self.watch, Direction::Write, || source.flush())
    }
}

/// Where a reference to the type can be written to.
impl<T: AsFd + WriteByReference> Write for &Async<T> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.write_with(|source| source.write_by_reference(buf))
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.write_with(|source| source.write_vectored_by_reference(bufs))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.write_with(WriteByReference::flush_by_reference)
    }
}

impl<T: AsFd> Watch for Async<T> {
    type Std = OwnedFd;

    fn watched(&self) -> Watched<'_, OwnedFd> {
        Watched(&self.watch)
    }
}

impl<T: AsFd> Lend for Async<T> {
    type Lent = T;

    fn lent(&self) -> &T {
        &self.source
    }
}

/// What the type says.
impl<T: AsFd> AsFd for Async<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.source.as_fd()
    }
}

/// What the type says.
impl<T: AsFd> AsRawFd for Async<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.source.as_fd().as_raw_fd()
    }
}

impl<T: AsFd + fmt::Debug> fmt::Debug for Async<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Async").field(&self.source).finish()
    }
}
