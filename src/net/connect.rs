//! Making a connection from a task, without blocking the thread.
//!
//! A socket that does not block answers `connect` with "in progress" and becomes writable when it is
//! settled; then `SO_ERROR` tells how. A Unix socket connects at once; but where the queue of the listener is
//! full, Linux says `WouldBlock`, and nothing tells when there is room: so it is tried again.
//! The flag is as it was again before anybody else sees the socket.
//!
//! Must never: look up names, or leave the socket of a failed or cancelled try behind.

use std::io;
use std::net::{self, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, Type};

use super::pause::Pause;
use crate::io::descriptor::Descriptor;
use crate::scheduler::TaskRef;
use crate::scheduler::io::Direction;
use crate::scheduler::park;
use crate::sys::{descriptor, socket};

/// How long the pauses become between two tries with a listener whose queue is full.
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// Connects to one internet address.
///
/// # Errors
/// What the system says; `TimedOut` when the limit is over; what waiting says.
pub(super) fn tcp(
    task: TaskRef,
    address: SocketAddr,
    limit: Option<Duration>,
) -> io::Result<Descriptor<net::TcpStream>> {
    park::spend(task);
    let new = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    connect(task, new, &address.into(), limit)
}

/// Connects to an address of this machine.
///
/// # Errors
/// What the system says; what waiting says.
pub(super) fn unix(task: TaskRef, address: &SockAddr) -> io::Result<Descriptor<UnixStream>> {
    park::spend(task);
    let new = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    connect(task, new, address, None)
}

/// Connects a new socket.
///
/// # Errors
/// What the system says; `TimedOut` when the limit is over; what waiting says.
pub(super) fn connect<S: AsFd + From<OwnedFd>>(
    task: TaskRef,
    new: Socket,
    address: &SockAddr,
    limit: Option<Duration>,
) -> io::Result<Descriptor<S>> {
    let was_set = descriptor::is_nonblocking(new.as_fd())?;
    new.set_nonblocking(true)?;
    let mut pause = Pause::until(LONGEST_PAUSE);
    let begun = loop {
        match new.connect(address) {
            Err(error) if address.is_unix() && error.kind() == io::ErrorKind::WouldBlock => {
                pause.wait(new.as_fd())?;
            }
            begun => break begun,
        }
    };
    let socket = Descriptor::new(S::from(OwnedFd::from(new)));
    match begun {
        Err(error) if is_in_progress(&error) => {
            socket.finish(task, Direction::Write, limit, outcome)?;
        }
        begun => begun?,
    }
    if !was_set {
        descriptor::set_nonblocking(socket.std().as_fd(), false)?;
    }
    Ok(socket)
}

/// The error of a limit that leaves no time at all.
pub(super) fn no_time() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        "a timeout of zero would leave no time to connect",
    )
}

/// Connects a socket on a plain thread, also one that was told not to block.
///
/// # Errors
/// What the system says.
pub(super) fn blocking(socket: &Socket, address: &SockAddr) -> io::Result<()> {
    match socket.connect(address) {
        // It goes on by itself, and must not be begun anew.
        Err(error) if is_in_progress(&error) => {
            descriptor::poll_one(socket.as_fd(), false, true, None)?;
            socket.take_error()?.map_or(Ok(()), Err)
        }
        result => result,
    }
}

/// Whether the connection is being made. An interrupted `connect` goes on by itself, too.
fn is_in_progress(error: &io::Error) -> bool {
    socket::is_in_progress(error) || error.kind() == io::ErrorKind::Interrupted
}

/// How it went, or `WouldBlock` while it is not settled.
fn outcome(stream: &impl AsFd) -> io::Result<()> {
    if let Some(error) = socket::take_error(stream.as_fd())? {
        return Err(error);
    }
    match SockRef::from(stream).peer_addr() {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotConnected => {
            Err(io::ErrorKind::WouldBlock.into())
        }
        Err(error) => Err(error),
    }
}
