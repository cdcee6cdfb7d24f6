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

    /// A write of nothing waits for nobody. It makes its try, since the connection may have something to say.
    #[inline]
    pub(super) fn write_some(&self, buf: &[u8]) -> io::Result<usize> {
        if !buf.is_empty() {
            return self.write(buf);
        }
        match socket::send(self.std().as_fd(), buf) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            result => result,
        }
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
            self.keep_flag()?;
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
            /// Linux does not tell who waits to write to a full Unix socket that only that direction was ended, so the tasks
            /// that wait by this handle are told here. One that waits by another handle, and a plain thread, return
            /// when the peer reads or goes.
            ///
            /// # Errors
            ///
            /// `NotConnected` if it was reset, for instance.
            pub fn shutdown(&self, how: std::net::Shutdown) -> std::io::Result<()> {
                self.0.std().shutdown(how)?;
                self.0.nudge();
                Ok(())
            }

            /// Gives each direction an owner of its own, which may go to another task or thread.
            ///
            /// ```
            /// use std::io::{Read, Write};
            /// use greenroom::net::UnixStream; // or a TcpStream
            /// use greenroom::{run, spawn};
            ///
            /// run(|| {
            ///     let (near, far) = UnixStream::pair()?;
            ///     let (mut reads, mut writes) = near.split();
            ///     spawn(move || std::io::copy(&mut &far, &mut &far)); // an echo
            ///     spawn(move || writes.write_all(b"hello")); // dropped, it ends its direction
            ///     let mut all = String::new();
            ///     reads.read_to_string(&mut all)?;
            ///     assert_eq!(all, "hello");
            ///     Ok::<(), std::io::Error>(())
            /// })?;
            /// # Ok::<(), std::io::Error>(())
            /// ```
            ///
            /// A task that reads while another writes needs no halves: references read and write, too. But
            /// the half that writes ends its direction when it is dropped.
            #[must_use = "a half that is dropped ends its direction"]
            #[doc(alias = "into_split")]
            pub fn split(self) -> (crate::net::ReadHalf<Self>, crate::net::WriteHalf<Self>) {
                crate::net::split::split(self)
            }

            /// Sends `len` bytes of a file, from `offset` on. Returns how many were sent: fewer if the file
            /// is shorter, or if something went wrong after the first of them, which the next call says.
            ///
            /// On Linux the kernel copies them by itself; elsewhere, and from files it cannot copy, they are read and
            /// written in pieces. The position of the file does not matter and is not changed.
            ///
            /// The system's call needs `O_NONBLOCK`, which is set on the connection and all its duplicates: one in
            /// std's hands may say `WouldBlock` from now on. Converting the connection into std's type clears it
            /// again. In a process that does not ignore `SIGPIPE`, as Rust's programs do, a peer that is
            /// gone makes that signal.
            ///
            /// # Errors
            ///
            /// As writing; what reading the file says.
            ///
            /// # Scheduling
            ///
            /// As writing, for each 256 KiB. Reading the file blocks the thread where its pages are not in memory.
            ///
            /// # Cancellation
            ///
            /// Unwinds when the task was cancelled and it has to wait; a part may have been sent then. While the task
            /// unwinds, it returns what was sent, or an error.
            pub fn send_file<F: std::os::fd::AsFd>(
                &self,
                file: F,
                offset: u64,
                len: u64,
            ) -> std::io::Result<u64> {
                self.0.send_file(file.as_fd(), offset, len)
            }
        }

        crate::net::stream::stream!(@io $ours, $short);
        crate::net::stream::stream!(@io &$ours, $short);

        impl crate::io::CloseWrite for $ours {
            fn close_write(&self) -> std::io::Result<()> {
                self.shutdown(std::net::Shutdown::Write)
            }
        }
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
                self.0.write_some(buf)
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
