//! What all connections have: reading and writing, whatever the kind of address.
//!
//! The calls are methods of [`Descriptor`]; a macro dresses them in std's names and traits.
//!
//! Must never: know of an address, or name a system call.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::AsFd;

use crate::io::descriptor::Descriptor;
use crate::scheduler::io::Direction;
use crate::scheduler::park;
use crate::sys::socket;

/// Whether a read that came short has emptied the socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ShortRead {
    /// It has: so it is with TCP.
    Drained,
    /// It may not have: a Unix socket also stops a read behind descriptors that came with the data.
    Unsure,
}

impl<S: AsFd> Descriptor<S> {
    #[inline]
    pub(super) fn read(&self, short: ShortRead, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        let room = buf.len();
        self.transfer(
            Direction::Read,
            |&taken| short.has_drained(taken, room),
            |fd| socket::recv(fd, buf),
        )
    }

    pub(super) fn read_vectored(
        &self,
        short: ShortRead,
        bufs: &mut [IoSliceMut<'_>],
    ) -> io::Result<usize> {
        // One call takes so many pieces; with all of them counted, a full read
        // would look short.
        let count = bufs.len().min(usize::from(socket::MOST_PIECES));
        let bufs = &mut bufs[..count];
        let room = bufs.iter().map(|buf| buf.len()).sum();
        if room == 0 {
            return Ok(0);
        }
        self.transfer(
            Direction::Read,
            |&taken| short.has_drained(taken, room),
            |fd| socket::recv_vectored(fd, bufs),
        )
    }

    #[inline]
    pub(super) fn write(&self, buf: &[u8]) -> io::Result<usize> {
        self.transfer(
            Direction::Write,
            |_| false,
            |fd| {
                self.before_sending()?;
                socket::send(fd, buf)
            },
        )
    }

    pub(super) fn write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.transfer(
            Direction::Write,
            |_| false,
            |fd| {
                self.before_sending()?;
                socket::send_vectored(fd, bufs)
            },
        )
    }

    /// Some systems do not honour "do not wait" for a single send.
    #[inline]
    pub(super) fn before_sending(&self) -> io::Result<()> {
        if socket::SEND_NEEDS_NONBLOCKING && park::current().is_some() {
            self.borrow_flag()?;
        }
        Ok(())
    }
}

impl ShortRead {
    /// Whether a read has emptied the socket: it took something, and less than it could. Nothing at all is
    /// the end of the stream, which is there to be read again.
    #[inline]
    fn has_drained(self, taken: usize, room: usize) -> bool {
        self == Self::Drained && 0 < taken && taken < room
    }
}

/// `Read` and `Write`, and the methods all connections have. `$ours` is a tuple of one `Descriptor<$std>`.
macro_rules! stream {
    ($ours:ident, $std:ty, $address:ty, $short:expr) => {
        impl $ours {
            /// A stream nobody has set anything on.
            pub(super) fn fresh(stream: $std) -> Self {
                Self(crate::io::descriptor::Descriptor::new(stream))
            }

            /// The peer's address.
            ///
            /// # Errors
            ///
            /// `NotConnected` after the connection was reset, for instance.
            pub fn peer_addr(&self) -> std::io::Result<$address> {
                self.0.std().peer_addr()
            }

            /// Ends one direction of the connection, or both. Whoever waits for that direction, in any task, returns.
            ///
            /// # Errors
            ///
            /// `NotConnected` if it was reset, for instance.
            pub fn shutdown(&self, how: std::net::Shutdown) -> std::io::Result<()> {
                self.0.std().shutdown(how)
            }
        }

        crate::net::stream::stream!(@io $ours, $short);
        crate::net::stream::stream!(@io &$ours, $short);
    };
    (@io $ours:ty, $short:expr) => {
        impl std::io::Read for $ours {
            #[inline]
            fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
                self.0.read($short, buf)
            }

            fn read_vectored(
                &mut self,
                bufs: &mut [std::io::IoSliceMut<'_>],
            ) -> std::io::Result<usize> {
                self.0.read_vectored($short, bufs)
            }
        }

        impl std::io::Write for $ours {
            #[inline]
            fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
                self.0.write(buf)
            }

            fn write_vectored(
                &mut self,
                bufs: &[std::io::IoSlice<'_>],
            ) -> std::io::Result<usize> {
                self.0.write_vectored(bufs)
            }

            #[inline]
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
    };
}

pub(super) use stream;
