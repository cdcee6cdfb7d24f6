//! Taking connections, whatever the kind of address.
//!
//! `accept` cannot be told "do not wait", so the listener's own flag is set when the first task accepts,
//! and taken back by conversions.
//!
//! Must never: name a system call, or let one bad connection end a server.

use std::io;
use std::iter::FusedIterator;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use socket2::SockAddr;

use super::pause::Pause;
use super::{TcpListener, TcpStream, UnixListener, UnixStream};
use crate::io::descriptor::Descriptor;
use crate::scheduler::io::Direction;
use crate::scheduler::park;
use crate::sys::{datagram, socket};

/// How long [`Incoming`] waits at most before it tries again.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

impl<S: AsFd> Descriptor<S> {
    /// Waits for a connection, and takes it.
    pub(super) fn accept(&self) -> io::Result<(OwnedFd, SockAddr)> {
        let in_task = park::current().is_some();
        self.transfer(
            Direction::Read,
            |_| false,
            |fd| {
                if in_task {
                    self.keep_flag()?;
                }
                loop {
                    match socket::accept(fd) {
                        Err(error) if socket::is_connections_own(&error) => {}
                        Err(error)
                            if error.kind() == io::ErrorKind::WouldBlock
                                && !self.never_waits()
                                && datagram::is_shut_down(fd) =>
                        {
                            return Err(socket::no_longer_listens());
                        }
                        result => return result,
                    }
                }
            },
        )
    }

    /// Accepts; but where the process or the system is out of descriptors or memory, waits and tries again.
    fn accept_patiently<T>(&self, accept: impl Fn() -> io::Result<T>) -> io::Result<T> {
        let mut pause = Pause::until(LONGEST_PAUSE);
        loop {
            match accept() {
                Err(error) if socket::is_exhaustion(&error) && !self.never_waits() => {
                    pause.wait(self.std().as_fd())?;
                }
                result => return result,
            }
        }
    }
}

/// The connections of a listener: see [`TcpListener::incoming`] and [`UnixListener::incoming`].
#[derive(Debug)]
#[must_use = "connections are taken by iterating"]
pub struct Incoming<'a, L = TcpListener> {
    pub(super) listener: &'a L,
}

macro_rules! incoming {
    ($listener:ty, $stream:ty) => {
        impl Iterator for Incoming<'_, $listener> {
            type Item = io::Result<$stream>;

            fn next(&mut self) -> Option<Self::Item> {
                let accept = || self.listener.accept().map(|(stream, _)| stream);
                Some(self.listener.0.accept_patiently(accept))
            }
        }

        impl FusedIterator for Incoming<'_, $listener> {}
    };
}

incoming!(TcpListener, TcpStream);
incoming!(UnixListener, UnixStream);
