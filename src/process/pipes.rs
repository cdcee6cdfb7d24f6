//! The ends of a child's pipes: its standard input, output and error, on our side.
//!
//! `O_NONBLOCK` is set on our end only, which the child does not have, and when a task first needs it; it is
//! taken back when the pipe is given to somebody else.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use std::process::{self, Stdio};

use crate::io::descriptor::Descriptor;
use crate::io::{Watch, Watched};
use crate::scheduler::io::Direction;
use crate::scheduler::park;
use crate::sys::process as system;

macro_rules! pipes {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name(Descriptor<process::$name>);

        /// Changes nothing of the descriptor.
        impl From<process::$name> for $name {
            fn from(pipe: process::$name) -> Self {
                Self(Descriptor::new(pipe))
            }
        }

        /// Ends what runtimes know of the descriptor, which is as it was when it came.
        impl From<$name> for process::$name {
            fn from(pipe: $name) -> Self {
                pipe.0.into_std()
            }
        }

        impl From<OwnedFd> for $name {
            fn from(fd: OwnedFd) -> Self {
                process::$name::from(fd).into()
            }
        }

        impl From<$name> for OwnedFd {
            fn from(pipe: $name) -> Self {
                pipe.0.into_std().into()
            }
        }

        /// To make it a stream of another child.
        impl From<$name> for Stdio {
            fn from(pipe: $name) -> Self {
                pipe.0.into_std().into()
            }
        }

        impl AsFd for $name {
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.0.std().as_fd()
            }
        }

        impl AsRawFd for $name {
            fn as_raw_fd(&self) -> RawFd {
                self.0.std().as_raw_fd()
            }
        }

        impl IntoRawFd for $name {
            fn into_raw_fd(self) -> RawFd {
                self.0.into_std().into_raw_fd()
            }
        }

        impl Watch for $name {
            type Std = process::$name;

            fn watched(&self) -> Watched<'_, Self::Std> {
                Watched(&self.0)
            }
        }
    )*};
}

pipes! {
    /// What a child reads as its standard input, as [`std::process::ChildStdin`], waiting instead of blocking.
    ///
    /// Dropping it closes the pipe: the child meets the end of its input.
    ///
    /// # Scheduling
    ///
    /// Where there is room a write goes on at once; one of every 128 calls lets the other tasks run first.
    /// Else the others run until there is. Tasks that wait are served in order.
    ///
    /// # Cancellation
    ///
    /// A write that is cancelled unwinds, and has written nothing. `write_all` may have got some way.
    ChildStdin;
    /// What a child writes to its standard output, as [`std::process::ChildStdout`], waiting instead of blocking.
    ///
    /// # Scheduling
    ///
    /// Where there is data a read goes on at once; one of every 128 calls lets the other tasks run first.
    /// Else the others run until there is. Tasks that wait are served in order.
    ///
    /// # Cancellation
    ///
    /// A read that is cancelled unwinds, and has taken nothing. `read_exact` and `read_to_end` may have
    /// got some way.
    ChildStdout;
    /// What a child writes to its standard error, as [`std::process::ChildStderr`], waiting instead of blocking.
    ///
    /// # Scheduling
    ///
    /// As [`ChildStdout`].
    ///
    /// # Cancellation
    ///
    /// As [`ChildStdout`].
    ChildStderr;
}

/// One try. In a task the descriptor must not block; on a plain thread it may.
fn attempt<S: AsFd, R>(
    pipe: &Descriptor<S>,
    call: impl FnOnce(BorrowedFd<'_>) -> io::Result<R>,
) -> io::Result<R> {
    if park::current().is_some() {
        pipe.keep_flag()?;
    }
    call(pipe.std().as_fd())
}

fn receive<S: AsFd>(pipe: &Descriptor<S>, buf: &mut [u8]) -> io::Result<usize> {
    if buf.is_empty() {
        return Ok(0);
    }
    pipe.transfer(
        Direction::Read,
        |_| false,
        |_| attempt(pipe, |fd| system::read(fd, buf)),
    )
}

macro_rules! readers {
    ($($name:ident)*) => {$(
        impl $name {
            /// Reads what is there, or fails with `WouldBlock`. For tasks.
            pub(super) fn try_receive(&self, buf: &mut [u8]) -> io::Result<usize> {
                attempt(&self.0, |fd| system::read(fd, buf))
            }
        }

        impl Read for $name {
            fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                receive(&self.0, buf)
            }
        }

        impl Read for &$name {
            fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                receive(&self.0, buf)
            }
        }
    )*};
}

readers! { ChildStdout ChildStderr }

impl ChildStdin {
    fn send(&self, buf: &[u8]) -> io::Result<usize> {
        self.0.transfer(
            Direction::Write,
            |_| false,
            |_| attempt(&self.0, |fd| system::write(fd, buf)),
        )
    }
}

impl Write for ChildStdin {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.send(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Write for &ChildStdin {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.send(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
