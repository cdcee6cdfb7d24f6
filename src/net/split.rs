//! The two directions of a connection, each with an owner of its own.
//!
//! Both halves keep the connection open; what one does never touches the other's direction.
//!
//! Must never: end a direction that was put together again.

use std::error::Error;
use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use super::{TcpStream, UnixStream};
use crate::io::{Watch, Watched};

mod sealed {
    #[expect(
        unnameable_types,
        reason = "that nobody outside can name it is its use"
    )]
    pub trait Sealed {}
}

/// A connection with two directions: [`TcpStream`] or [`UnixStream`]. Sealed.
pub trait Split: sealed::Sealed + Watch + AsFd + fmt::Debug {
    #[doc(hidden)]
    fn end(&self, how: Shutdown) -> io::Result<()>;
}

/// The direction of a connection that receives: see [`TcpStream::split`].
///
/// It is also the way to what both halves have in common, such as addresses, through [`AsRef`].
#[derive(Debug)]
pub struct ReadHalf<S: Split>(Arc<S>);

/// The direction of a connection that sends: see [`TcpStream::split`].
///
/// When it is dropped, the peer meets the end of the stream, unless [`forget`](Self::forget) was called.
#[derive(Debug)]
pub struct WriteHalf<S: Split> {
    stream: Arc<S>,
    keeps_open: bool,
}

pub(super) fn split<S: Split>(stream: S) -> (ReadHalf<S>, WriteHalf<S>) {
    let stream = Arc::new(stream);
    let write = WriteHalf {
        stream: Arc::clone(&stream),
        keeps_open: false,
    };
    (ReadHalf(stream), write)
}

impl<S: Split> ReadHalf<S> {
    /// Puts the two halves of a connection together again. Nothing is ended by it.
    ///
    /// # Errors
    ///
    /// If they are not of the same connection. They are in the error.
    pub fn reunite(self, write: WriteHalf<S>) -> Result<S, ReuniteError<S>> {
        if !Arc::ptr_eq(&self.0, &write.stream) {
            return Err(ReuniteError(self, write));
        }
        write.forget();
        // The only other owner is gone.
        Arc::try_unwrap(self.0).map_err(|_| unreachable!("a connection has two halves"))
    }
}

impl<S: Split> WriteHalf<S> {
    /// Drops the half without ending its direction. The connection is closed when the other half is dropped.
    pub fn forget(mut self) {
        self.keeps_open = true;
    }

    /// Puts the two halves of a connection together again: as [`ReadHalf::reunite`].
    ///
    /// # Errors
    ///
    /// If they are not of the same connection. They are in the error.
    pub fn reunite(self, read: ReadHalf<S>) -> Result<S, ReuniteError<S>> {
        read.reunite(self)
    }
}

impl<S: Split> Drop for WriteHalf<S> {
    fn drop(&mut self) {
        if !self.keeps_open {
            // A connection that is gone has no end to tell.
            let _gone = self.stream.end(Shutdown::Write);
        }
    }
}

impl<S: Split> AsRef<S> for ReadHalf<S> {
    fn as_ref(&self) -> &S {
        &self.0
    }
}

impl<S: Split> AsRef<S> for WriteHalf<S> {
    fn as_ref(&self) -> &S {
        &self.stream
    }
}

macro_rules! both {
    ($half:ident) => {
        impl<S: Split> AsFd for $half<S> {
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.as_ref().as_fd()
            }
        }

        impl<S: Split> Watch for $half<S> {
            type Std = S::Std;

            fn watched(&self) -> Watched<'_, S::Std> {
                self.as_ref().watched()
            }
        }
    };
}

both!(ReadHalf);
both!(WriteHalf);

macro_rules! traits {
    ($($stream:ident)*) => {$(
        impl sealed::Sealed for $stream {}

        impl Split for $stream {
            fn end(&self, how: Shutdown) -> io::Result<()> {
                self.shutdown(how)
            }
        }

        traits!(@read $stream, ReadHalf<$stream>);
        traits!(@read $stream, &ReadHalf<$stream>);
        traits!(@write $stream, WriteHalf<$stream>);
        traits!(@write $stream, &WriteHalf<$stream>);
    )*};
    (@read $stream:ident, $half:ty) => {
        impl Read for $half {
            #[inline]
            fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                <&$stream>::read(&mut self.as_ref(), buf)
            }

            fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                <&$stream>::read_vectored(&mut self.as_ref(), bufs)
            }
        }
    };
    (@write $stream:ident, $half:ty) => {
        impl Write for $half {
            #[inline]
            fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
                <&$stream>::write(&mut self.as_ref(), buf)
            }

            fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
                <&$stream>::write_vectored(&mut self.as_ref(), bufs)
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
    };
}

traits!(TcpStream UnixStream);

/// Two halves that are not of the same connection.
#[derive(Debug)]
pub struct ReuniteError<S: Split>(pub ReadHalf<S>, pub WriteHalf<S>);

impl<S: Split> fmt::Display for ReuniteError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the halves are not of the same connection")
    }
}

impl<S: Split> Error for ReuniteError<S> {}
