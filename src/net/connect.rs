//! Making a TCP connection from a task, without blocking the thread.
//!
//! A socket that does not block answers `connect` with "in progress" and becomes writable when it is
//! settled; then `SO_ERROR` tells how. The flag is cleared again before anybody else sees the socket.
//!
//! Must never: look up names, or leave the socket of a failed or cancelled try behind.

use std::io;
use std::net::{self, SocketAddr};
use std::os::fd::AsFd;
use std::time::Duration;

use socket2::{Domain, Protocol, Type};

use crate::io::descriptor::Descriptor;
use crate::scheduler::TaskRef;
use crate::scheduler::io::Direction;
use crate::scheduler::park;
use crate::sys::socket;

/// Connects to one address.
///
/// # Errors
/// What the system says; `TimedOut` when the limit is over; what waiting says.
pub(super) fn connect(
    task: TaskRef,
    address: SocketAddr,
    limit: Option<Duration>,
) -> io::Result<Descriptor<net::TcpStream>> {
    park::spend(task);
    let new = socket2::Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    new.set_nonblocking(true)?;
    let begun = new.connect(&address.into());
    let socket = Descriptor::new(net::TcpStream::from(new));
    match begun {
        Err(error) if is_in_progress(&error) => {
            socket.finish(task, Direction::Write, limit, outcome)?;
        }
        begun => begun?,
    }
    socket.std().set_nonblocking(false)?;
    Ok(socket)
}

/// Whether the connection is being made. An interrupted `connect` goes on by itself, too.
fn is_in_progress(error: &io::Error) -> bool {
    socket::is_in_progress(error) || error.kind() == io::ErrorKind::Interrupted
}

/// How it went, or `WouldBlock` while it is not settled.
fn outcome(stream: &net::TcpStream) -> io::Result<()> {
    if let Some(error) = socket::take_error(stream.as_fd())? {
        return Err(error);
    }
    match stream.peer_addr() {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotConnected => {
            Err(io::ErrorKind::WouldBlock.into())
        }
        Err(error) => Err(error),
    }
}
