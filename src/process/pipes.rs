//! The ends of a child's pipes: its standard input, output and error, on our side. They are the ends of any
//! pipe, with std's names and conversions.
//!
//! Must never: read or write in a way of their own.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use std::process::{self, Stdio};

use crate::io::{PipeReader, PipeWriter, Watch, Watched};

macro_rules! pipes {
    ($($(#[$doc:meta])* $name:ident is $end:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name($end);

        /// Changes nothing of the descriptor.
        impl From<process::$name> for $name {
            fn from(pipe: process::$name) -> Self {
                OwnedFd::from(pipe).into()
            }
        }

        /// Ends what runtimes know of the descriptor, which is as it was when it came.
        impl From<$name> for process::$name {
            fn from(pipe: $name) -> Self {
                OwnedFd::from(pipe).into()
            }
        }

        impl From<OwnedFd> for $name {
            fn from(fd: OwnedFd) -> Self {
                Self(fd.into())
            }
        }

        impl From<$name> for OwnedFd {
            fn from(pipe: $name) -> Self {
                pipe.0.into()
            }
        }

        /// To make it a stream of another child.
        impl From<$name> for Stdio {
            fn from(pipe: $name) -> Self {
                pipe.0.into()
            }
        }

        impl AsFd for $name {
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.0.as_fd()
            }
        }

        impl AsRawFd for $name {
            fn as_raw_fd(&self) -> RawFd {
                self.0.as_raw_fd()
            }
        }

        impl IntoRawFd for $name {
            fn into_raw_fd(self) -> RawFd {
                self.0.into_raw_fd()
            }
        }

        impl Watch for $name {
            type Std = File;

            fn watched(&self) -> Watched<'_, File> {
                self.0.watched()
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
    ChildStdin is PipeWriter;
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
    ChildStdout is PipeReader;
    /// What a child writes to its standard error, as [`std::process::ChildStderr`], waiting instead of blocking.
    ///
    /// # Scheduling
    ///
    /// As [`ChildStdout`].
    ///
    /// # Cancellation
    ///
    /// As [`ChildStdout`].
    ChildStderr is PipeReader;
}

macro_rules! readers {
    ($($name:ty)*) => {$(
        impl Read for $name {
            fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                (&self.0).read(buf)
            }

            fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                (&self.0).read_vectored(bufs)
            }
        }
    )*};
}

readers! { ChildStdout &ChildStdout ChildStderr &ChildStderr }

macro_rules! writers {
    ($($name:ty)*) => {$(
        impl Write for $name {
            fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
                (&self.0).write(buf)
            }

            fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
                (&self.0).write_vectored(bufs)
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
    )*};
}

writers! { ChildStdin &ChildStdin }
