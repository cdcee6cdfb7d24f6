//! What all datagram sockets have: sending and receiving, whatever the kind of address.
//!
//! A datagram is taken whole or not at all, and may be empty, so an empty buffer makes the call all the same.
//! What came says nothing about what is still there: such sockets are read until they say `WouldBlock`.
//!
//! Must never: mark a socket as drained, or name a system call.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use socket2::SockAddr;

use super::pause::Pause;
use crate::io::descriptor::Descriptor;
use crate::scheduler::io::Direction;
use crate::scheduler::park;
use crate::sys::{datagram, socket};

/// How long the pauses are between two tries to reach a peer whose queue is full: at first, and at most.
const FIRST_PAUSE: Duration = Duration::from_micros(100);
const LONGEST_PAUSE: Duration = Duration::from_millis(10);

impl<S: AsFd> Descriptor<S> {
    #[inline]
    pub(super) fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        let received = self.receive(|fd| socket::recv(fd, buf))?;
        Ok(received.unwrap_or(0))
    }

    pub(super) fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        let received = self.receive(|fd| socket::peek(fd, buf))?;
        Ok(received.unwrap_or(0))
    }

    /// `None` where the direction was ended: nothing came, from nobody.
    #[inline]
    pub(super) fn recv_from(&self, buf: &mut [u8]) -> io::Result<Option<(usize, SockAddr)>> {
        self.receive(|fd| datagram::recv_from(fd, buf))
    }

    pub(super) fn peek_from(&self, buf: &mut [u8]) -> io::Result<Option<(usize, SockAddr)>> {
        self.receive(|fd| datagram::peek_from(fd, buf))
    }

    /// Receives, or returns `None` where a shutdown has ended that: a call that blocks returns then, too.
    pub(super) fn receive<R>(
        &self,
        mut attempt: impl FnMut(BorrowedFd<'_>) -> io::Result<R>,
    ) -> io::Result<Option<R>> {
        let waits = !self.never_waits();
        self.transfer(
            Direction::Read,
            |_| false,
            |fd| match attempt(fd) {
                Err(error)
                    if error.kind() == io::ErrorKind::WouldBlock
                        && waits
                        && datagram::is_shut_down(fd) =>
                {
                    Ok(None)
                }
                result => result.map(Some),
            },
        )
    }

    #[inline]
    pub(super) fn send_to(&self, buf: &[u8], address: &SockAddr) -> io::Result<usize> {
        self.transfer(
            Direction::Write,
            |_| false,
            |fd| {
                self.before_sending()?;
                datagram::send_to(fd, buf, address)
            },
        )
    }

    /// Sends to an address whose owner may have a full queue. No system tells a sender that is not connected when
    /// there is room; on Linux a try that fails even says that the socket is writable. So it pauses and tries again.
    pub(super) fn send_to_queue(&self, buf: &[u8], address: &SockAddr) -> io::Result<usize> {
        let fd = self.std().as_fd();
        let task = park::current().filter(|_| !self.never_waits());
        if let Some(task) = task {
            park::spend(task);
        }
        let mut left = self.limit(Direction::Write);
        let mut pause = Pause::between(FIRST_PAUSE, LONGEST_PAUSE);
        // The receiver may be a task of this thread, which only has to get its turn.
        let mut turn = task;
        loop {
            self.before_sending()?;
            match datagram::send_to(fd, buf, address) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && !self.never_waits() => {}
                result => return result,
            }
            if let Some(task) = turn.take() {
                park::yield_now(task);
                continue;
            }
            if left.is_some_and(|left| left.is_zero()) {
                return Err(io::ErrorKind::TimedOut.into());
            }
            let next = pause.grow().min(left.unwrap_or(Duration::MAX));
            let begin = Instant::now();
            Pause::once(fd, next)?;
            // No real time passes on a virtual clock.
            left = left.map(|left| left.saturating_sub(begin.elapsed().max(next)));
        }
    }
}
