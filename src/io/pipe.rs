//! Pipes: two ends, one to write into and one to read from.
//!
//! The flag `O_NONBLOCK` of an end is set when the first task uses it, and taken back by conversions, so that
//! a program that is given the other end, or this one later, finds a pipe as any other.
//!
//! Must never: name a system call; what waits goes through [`Descriptor`].
#![expect(
    unsafe_code,
    reason = "`FromRawFd` is an unsafe trait method, as in std"
)]

use std::fmt;
use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};

use super::descriptor::Descriptor;
use super::nonblocking::{Lend, NonBlocking};
use super::{Watch, Watched};
use crate::scheduler::io::Direction;
use crate::scheduler::park;
use crate::sys;

/// Makes a pipe: what is written into the one end is read from the other, in order.
///
/// ```
/// use std::io::{Read, Write};
/// use greenroom::{io, run, spawn};
///
/// let text = run(|| {
///     let (mut reader, mut writer) = io::pipe()?;
///     spawn(move || writer.write_all(b"down the pipe")); // and then it is closed
///     let mut text = String::new();
///     reader.read_to_string(&mut text)?;
///     Ok::<_, std::io::Error>(text)
/// })?;
/// assert_eq!(text, "down the pipe");
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// Between tasks of one program channels do better. A pipe is for other processes: turn an end into an [`OwnedFd`]
/// and give it to a command as its input or output.
///
/// # Errors
///
/// If the process or the system has no descriptors left.
pub fn pipe() -> io::Result<(PipeReader, PipeWriter)> {
    let (read, write) = sys::pipe::pipe()?;
    Ok((read.into(), write.into()))
}

/// The end of a pipe to read from, waiting instead of blocking: see [`pipe`].
///
/// # Errors
///
/// What the system says; never `WouldBlock` or `Interrupted`. When all writers are gone, what is left is read, and
/// then 0.
///
/// # Scheduling
///
/// Where there is data a read goes on at once; one of every 128 lets the other tasks run first. Else the others
/// run until there is. Tasks that wait are served in order.
///
/// # Cancellation
///
/// A read that is cancelled unwinds, and has taken nothing. Calls made of several, such as `read_exact`,
/// may have got some way. While the task unwinds, one that would have to wait returns an error of kind `Other`.
pub struct PipeReader(Descriptor<File>);

/// The end of a pipe to write into, waiting instead of blocking: see [`pipe`].
///
/// Up to 512 bytes (on Linux 4,096) are written in one piece, or not at all, however many write.
///
/// # Errors
///
/// `BrokenPipe` when nobody can read any more; else what the system says; never `WouldBlock` or `Interrupted`.
///
/// # Scheduling
///
/// Where there is room a write goes on at once; one of every 128 lets the other tasks run first. Else the others
/// run until there is. Tasks that wait are served in order.
///
/// # Cancellation
///
/// A write that is cancelled unwinds, and has written nothing. Calls made of several, such as `write_all`,
/// may have got some way. While the task unwinds, one that would have to wait returns an error of kind `Other`.
pub struct PipeWriter(Descriptor<File>);

/// One call of std's, as often as needed.
fn attempt<R>(
    end: &Descriptor<File>,
    direction: Direction,
    mut call: impl FnMut(&File) -> io::Result<R>,
) -> io::Result<R> {
    let in_task = park::current().is_some();
    end.transfer(
        direction,
        |_| false,
        |_| {
            if in_task {
                end.keep_flag()?;
            }
            loop {
                match call(end.std()) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    result => return result,
                }
            }
        },
    )
}

impl PipeReader {
    /// Waits until a read is worth a try: there is data, or the end of it. It takes nothing.
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
        self.0.ready(Direction::Read)
    }

    fn receive(&self, buf: &mut [u8]) -> io::Result<usize> {
        attempt(&self.0, Direction::Read, |mut file| file.read(buf))
    }

    fn receive_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        attempt(&self.0, Direction::Read, |mut file| {
            file.read_vectored(bufs)
        })
    }
}

impl PipeWriter {
    /// Waits until a write is worth a try: there is room, or nobody reads any more.
    ///
    /// # Errors
    ///
    /// If the descriptor cannot be watched; while the task unwinds, if it would have to wait.
    ///
    /// # Scheduling
    ///
    /// As writing: it waits in the same line.
    ///
    /// # Cancellation
    ///
    /// Unwinds; nothing is lost.
    pub fn writable(&self) -> io::Result<()> {
        self.0.ready(Direction::Write)
    }

    fn send(&self, buf: &[u8]) -> io::Result<usize> {
        attempt(&self.0, Direction::Write, |mut file| file.write(buf))
    }

    fn send_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        attempt(&self.0, Direction::Write, |mut file| {
            file.write_vectored(bufs)
        })
    }
}

impl Read for PipeReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.receive(buf)
    }

    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.receive_vectored(bufs)
    }
}

impl Read for &PipeReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.receive(buf)
    }

    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.receive_vectored(bufs)
    }
}

impl Write for PipeWriter {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.send(buf)
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.send_vectored(bufs)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Write for &PipeWriter {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.send(buf)
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.send_vectored(bufs)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What both ends have.
macro_rules! end_of_a_pipe {
    ($end:ident) => {
        impl $end {
            /// A second handle of the same end, with a descriptor of its own.
            ///
            /// # Errors
            ///
            /// If the process has no descriptor left.
            pub fn try_clone(&self) -> io::Result<Self> {
                let duplicate = self.0.std().try_clone()?;
                Ok(Self(self.0.duplicated(duplicate)))
            }

            /// A view through which calls say `WouldBlock` instead of waiting: see [`NonBlocking`].
            ///
            /// # Errors
            ///
            /// What the system says.
            pub fn nonblocking(&self) -> io::Result<NonBlocking<'_, Self>> {
                super::nonblocking(self)
            }
        }

        /// For the end of a pipe that comes from elsewhere. Nothing of the descriptor is changed.
        impl From<OwnedFd> for $end {
            fn from(fd: OwnedFd) -> Self {
                Self(Descriptor::new(fd.into()))
            }
        }

        /// The descriptor is as it was when it came.
        impl From<$end> for OwnedFd {
            fn from(end: $end) -> Self {
                end.0.into_std().into()
            }
        }

        /// An end to give to a program that is started. The descriptor is as it was when it came.
        impl From<$end> for std::process::Stdio {
            fn from(end: $end) -> Self {
                OwnedFd::from(end).into()
            }
        }

        impl Watch for $end {
            type Std = File;

            fn watched(&self) -> Watched<'_, File> {
                Watched(&self.0)
            }
        }

        impl Lend for $end {
            type Lent = File;

            fn lent(&self) -> &File {
                self.0.std()
            }
        }

        impl AsFd for $end {
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.0.std().as_fd()
            }
        }

        impl AsRawFd for $end {
            fn as_raw_fd(&self) -> RawFd {
                self.0.std().as_raw_fd()
            }
        }

        impl IntoRawFd for $end {
            fn into_raw_fd(self) -> RawFd {
                self.0.into_std().into_raw_fd()
            }
        }

        impl FromRawFd for $end {
            unsafe fn from_raw_fd(fd: RawFd) -> Self {
                // SAFETY: the caller's duty is the same: the descriptor is open, and theirs to give away.
                unsafe { OwnedFd::from_raw_fd(fd) }.into()
            }
        }

        impl fmt::Debug for $end {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($end))
                    .field(&self.as_raw_fd())
                    .finish()
            }
        }
    };
}

end_of_a_pipe!(PipeReader);
end_of_a_pipe!(PipeWriter);
