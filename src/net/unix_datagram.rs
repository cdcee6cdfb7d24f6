//! A socket for datagrams between programs of this machine.
//!
//! Must never: name a system call. What waits goes through [`Descriptor`]; the rest is std's.
#![expect(
    unsafe_code,
    reason = "`FromRawFd` is an unsafe trait method, as in std"
)]

use std::io;
use std::net::Shutdown;
use std::os::unix::net::{self, SocketAddr};
use std::path::Path;

use socket2::SockAddr;

use super::convert::conversions;
use super::settings::{self, time_limits};
use super::unix_address;
use crate::io::descriptor::Descriptor;

/// A socket for datagrams between programs of this machine, as [`std::os::unix::net::UnixDatagram`], waiting
/// instead of blocking.
///
/// It is closed when it is dropped. The file of its address stays, as std's does.
///
/// ```
/// use greenroom::net::UnixDatagram;
/// use greenroom::{run, spawn};
///
/// run(|| {
///     let (near, far) = UnixDatagram::pair()?;
///     spawn(move || far.send(b"hello"));
///     let mut buffer = [0; 16];
///     let length = near.recv(&mut buffer)?;
///     assert_eq!(&buffer[..length], b"hello");
///     Ok::<(), std::io::Error>(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors, scheduling, cancellation
///
/// As those of [`UdpSocket`](super::UdpSocket). But no datagram is lost on its way: where the receiver's queue is
/// full, the sender waits. A socket that is not connected is not told when there is room: so
/// [`send_to`](Self::send_to) lets the other tasks run and tries again, then pauses (0.1 ms, then longer, up to
/// 10 ms) and tries again; those who wait are in no order. Some systems give an error for a full queue
/// instead, as with std's type.
pub struct UnixDatagram(pub(super) Descriptor<net::UnixDatagram>);

impl UnixDatagram {
    /// A socket whose address is a path. The file must not exist yet.
    ///
    /// # Errors
    ///
    /// `AddrInUse` if there is a file of that name; `InvalidInput` if the path is too long for an address.
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<Self> {
        net::UnixDatagram::bind(path).map(Self::fresh)
    }

    /// A socket with an address of any kind: on Linux also one with an abstract name, which is no file.
    ///
    /// # Errors
    ///
    /// As [`bind`](Self::bind).
    pub fn bind_addr(socket_addr: &SocketAddr) -> io::Result<Self> {
        net::UnixDatagram::bind_addr(socket_addr).map(Self::fresh)
    }

    /// A socket without an address: nobody can send to it, unless it is connected.
    ///
    /// # Errors
    ///
    /// If the process has no descriptor left.
    pub fn unbound() -> io::Result<Self> {
        net::UnixDatagram::unbound().map(Self::fresh)
    }

    /// Two sockets, each connected to the other.
    ///
    /// # Errors
    ///
    /// If the process has no descriptor left.
    pub fn pair() -> io::Result<(Self, Self)> {
        let (near, far) = net::UnixDatagram::pair()?;
        Ok((Self::fresh(near), Self::fresh(far)))
    }

    fn fresh(socket: net::UnixDatagram) -> Self {
        Self(Descriptor::new(socket))
    }

    /// Fixes the peer: [`send`](Self::send) sends to it, and only what it sends is received.
    ///
    /// It does not wait.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no such file, `ConnectionRefused` if nobody has it as an address any more.
    pub fn connect<P: AsRef<Path>>(&self, path: P) -> io::Result<()> {
        self.0.std().connect(path)
    }

    /// [`connect`](Self::connect) to an address of any kind.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    pub fn connect_addr(&self, socket_addr: &SocketAddr) -> io::Result<()> {
        self.0.std().connect_addr(socket_addr)
    }

    /// The peer's address, if there is a peer.
    ///
    /// # Errors
    ///
    /// `NotConnected` if there is none.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.std().peer_addr()
    }

    /// Ends one direction, or both. Whoever waits for that direction, in any task, returns: a receiver with an
    /// empty datagram of nobody. Linux does not tell who waits to send that only that direction was ended, so the
    /// tasks that wait by this handle are told here. One that waits by another handle, and a plain thread, return
    /// when the peer takes something, or goes.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.0.std().shutdown(how)?;
        self.0.nudge();
        Ok(())
    }

    /// Sends a datagram to the peer of a connected socket.
    ///
    /// # Errors
    ///
    /// As said of the [type](Self).
    ///
    /// # Scheduling
    ///
    /// As said of the [type](Self).
    ///
    /// # Cancellation
    ///
    /// As said of the [type](Self).
    pub fn send(&self, buf: &[u8]) -> io::Result<usize> {
        self.0.write(buf)
    }

    /// Sends a datagram to the socket with this path.
    ///
    /// # Errors
    ///
    /// As said of the [type](Self).
    ///
    /// # Scheduling
    ///
    /// As said of the [type](Self).
    ///
    /// # Cancellation
    ///
    /// As said of the [type](Self).
    pub fn send_to<P: AsRef<Path>>(&self, buf: &[u8], path: P) -> io::Result<usize> {
        let address = unix_address::path_to_system(path.as_ref())?;
        self.0.send_to_queue(buf, &address)
    }

    /// Sends a datagram to an address of any kind.
    ///
    /// # Errors
    ///
    /// As said of the [type](Self).
    ///
    /// # Scheduling
    ///
    /// As said of the [type](Self).
    ///
    /// # Cancellation
    ///
    /// As said of the [type](Self).
    pub fn send_to_addr(&self, buf: &[u8], socket_addr: &SocketAddr) -> io::Result<usize> {
        let address = unix_address::to_system(socket_addr)?;
        self.0.send_to_queue(buf, &address)
    }

    /// Receives a datagram.
    ///
    /// # Errors
    ///
    /// As said of the [type](Self).
    ///
    /// # Scheduling
    ///
    /// As said of the [type](Self).
    ///
    /// # Cancellation
    ///
    /// As said of the [type](Self).
    pub fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.recv(buf)
    }

    /// Receives a datagram, and says who sent it.
    ///
    /// # Errors
    ///
    /// As said of the [type](Self).
    ///
    /// # Scheduling
    ///
    /// As said of the [type](Self).
    ///
    /// # Cancellation
    ///
    /// As said of the [type](Self).
    pub fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        with_sender(self.0.recv_from(buf)?)
    }

    /// Receives as [`recv`](Self::recv) does, but leaves the datagram there to be received again.
    ///
    /// # Errors
    ///
    /// As said of the [type](Self).
    ///
    /// # Scheduling
    ///
    /// As said of the [type](Self).
    ///
    /// # Cancellation
    ///
    /// As said of the [type](Self).
    pub fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.peek(buf)
    }

    /// Receives as [`recv_from`](Self::recv_from) does, but leaves the datagram there to be received again.
    ///
    /// # Errors
    ///
    /// As said of the [type](Self).
    ///
    /// # Scheduling
    ///
    /// As said of the [type](Self).
    ///
    /// # Cancellation
    ///
    /// As said of the [type](Self).
    pub fn peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        with_sender(self.0.peek_from(buf)?)
    }
}

fn with_sender(received: Option<(usize, SockAddr)>) -> io::Result<(usize, SocketAddr)> {
    match received {
        Some((length, address)) => Ok((length, unix_address::from_system(&address)?)),
        None => Ok((0, SocketAddr::from_pathname("")?)),
    }
}

settings::socket!(UnixDatagram, SocketAddr);
time_limits!(UnixDatagram, net::UnixDatagram);
conversions!(UnixDatagram, net::UnixDatagram);
