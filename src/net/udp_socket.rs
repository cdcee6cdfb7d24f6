//! A UDP socket.
//!
//! Must never: name a system call. What waits goes through [`Descriptor`]; the rest is std's.
#![expect(
    unsafe_code,
    reason = "`FromRawFd` is an unsafe trait method, as in std"
)]

use std::io;
use std::net::{self, SocketAddr};

use socket2::SockAddr;

use super::convert::conversions;
use super::settings::{socket, time_limits};
use super::{Datagrams, ToSocketAddrs, names};
use crate::io::descriptor::Descriptor;
use crate::scheduler::io::Direction;
use crate::sys::datagram;

/// How many datagrams one system call is given to send.
const SENT_AT_ONCE: usize = 16;

/// A UDP socket, as [`std::net::UdpSocket`], waiting instead of blocking.
///
/// It is closed when it is dropped. All calls take `&self`, so one task may receive while another sends.
///
/// ```
/// use greenroom::net::UdpSocket;
/// use greenroom::{run, spawn};
///
/// run(|| {
///     let server = UdpSocket::bind("127.0.0.1:0")?;
///     let address = server.local_addr()?;
///     spawn(move || {
///         let mut buffer = [0; 1_500];
///         loop {
///             let (length, from) = server.recv_from(&mut buffer)?;
///             buffer[..length].make_ascii_uppercase();
///             server.send_to(&buffer[..length], from)?;
///         }
///         #[expect(unreachable_code, reason = "tells the type of an error")]
///         Ok::<(), std::io::Error>(())
///     });
///     let client = UdpSocket::bind("127.0.0.1:0")?;
///     client.connect(address)?;
///     client.send(b"hello")?;
///     let mut answer = [0; 16];
///     let length = client.recv(&mut answer)?;
///     assert_eq!(&answer[..length], b"HELLO");
///     Ok::<(), std::io::Error>(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
///
/// Calls that send or receive give the errors of std's socket. On a connected socket one of them gives
/// `ConnectionRefused` if the peer's machine has said that nobody listens there. At the limit of
/// [`set_read_timeout`](Self::set_read_timeout) or [`set_write_timeout`](Self::set_write_timeout) they give
/// `TimedOut`, on every system. A datagram that is longer than the buffer is cut, on Unix without an
/// error. Unlike a connection's, a call with an empty buffer sends or takes a datagram.
///
/// # Scheduling
///
/// Where there is a datagram, or room, a call goes on at once; one of every 128 calls lets the other tasks run
/// first. Else the others run. Tasks that wait to receive are served in order, and so are those that
/// wait to send.
///
/// # Cancellation
///
/// A call that is cancelled unwinds, and has taken or sent nothing; one that has taken something returns it.
/// While the task unwinds, calls that would have to wait return an error of kind `Other` at once.
///
/// # Options that must be set before it is bound
///
/// The socket of the crate `socket2` has all options there are, and can be converted:
///
/// ```
/// use std::net::SocketAddr;
/// use greenroom::net::UdpSocket;
/// use socket2::{Domain, SockRef, Socket, Type};
///
/// let new = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
/// new.set_reuse_address(true)?;
/// new.bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into())?;
/// let socket = UdpSocket::from(std::net::UdpSocket::from(new));
/// // What may be set later can be set so, on every socket here:
/// SockRef::from(&socket).set_recv_buffer_size(1 << 16)?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct UdpSocket(pub(super) Descriptor<net::UdpSocket>);

impl UdpSocket {
    /// A socket on the first of some addresses that is free. Port 0 takes any free port.
    ///
    /// # Errors
    ///
    /// `AddrInUse` for a port that is taken; else what the system says of the last address.
    ///
    /// # Scheduling
    ///
    /// It waits only to look up a name (see [`ToSocketAddrs`]).
    ///
    /// # Cancellation
    ///
    /// Only while a name is looked up.
    pub fn bind<A: ToSocketAddrs>(addr: A) -> io::Result<Self> {
        names::each(addr, net::UdpSocket::bind).map(Self::fresh)
    }

    fn fresh(socket: net::UdpSocket) -> Self {
        Self(Descriptor::new(socket))
    }

    /// Fixes the peer: [`send`](Self::send) sends to it, and only what it sends is received.
    ///
    /// # Errors
    ///
    /// What the system says of the last address. That nobody listens there is not known yet.
    ///
    /// # Scheduling
    ///
    /// It waits only to look up a name (see [`ToSocketAddrs`]).
    ///
    /// # Cancellation
    ///
    /// Only while a name is looked up.
    pub fn connect<A: ToSocketAddrs>(&self, addr: A) -> io::Result<()> {
        names::each(addr, |address| self.0.std().connect(address))
    }

    /// The peer's address, if there is one.
    ///
    /// # Errors
    ///
    /// `NotConnected` if there is none.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.std().peer_addr()
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

    /// Sends a datagram to the first of some addresses.
    ///
    /// # Errors
    ///
    /// As said of the [type](Self). `InvalidInput` if there is no address.
    ///
    /// # Scheduling
    ///
    /// As said of the [type](Self). A name is looked up first (see [`ToSocketAddrs`]).
    ///
    /// # Cancellation
    ///
    /// As said of the [type](Self).
    pub fn send_to<A: ToSocketAddrs>(&self, buf: &[u8], addr: A) -> io::Result<usize> {
        match addr.to_socket_addrs()?.next() {
            Some(address) => self.0.send_to(buf, &address.into()),
            None => Err(names::no_address()),
        }
    }

    /// Receives a datagram of the peer of a connected socket; of anybody, if it is not connected.
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

    /// Waits for a datagram, and takes all that are there, as far as there is room. Returns how many. What was
    /// in `datagrams` before is gone, whatever becomes of the call.
    ///
    /// On Linux that is one system call for all.
    ///
    /// # Errors
    ///
    /// As said of the [type](Self). One that comes after the first datagram is given by the next call.
    ///
    /// # Scheduling
    ///
    /// As said of the [type](Self). It uses up one unit of the budget, however many it takes.
    ///
    /// # Cancellation
    ///
    /// As said of the [type](Self).
    pub fn recv_many(&self, datagrams: &mut Datagrams) -> io::Result<usize> {
        let Datagrams {
            buffer,
            size,
            arrived,
            scratch,
        } = datagrams;
        arrived.clear();
        self.0
            .receive(|fd| datagram::recv_many(fd, buffer, *size, scratch, arrived))?;
        Ok(arrived.len())
    }

    /// Sends several datagrams, each to an address of its own. Waits until there is room for the first, and then
    /// sends as many as there is room for. Returns how many: what is left is for another call.
    ///
    /// On Linux that is one system call for every 16.
    ///
    /// # Errors
    ///
    /// As said of the [type](Self). They are of the first: one of a later datagram ends the call, which
    /// returns how many went before it.
    ///
    /// # Scheduling
    ///
    /// As said of the [type](Self). It uses up one unit of the budget, however many it sends.
    ///
    /// # Cancellation
    ///
    /// As said of the [type](Self).
    pub fn send_many<D: AsRef<[u8]>>(&self, datagrams: &[(D, SocketAddr)]) -> io::Result<usize> {
        if datagrams.is_empty() {
            return Ok(0);
        }
        let mut addressed: Vec<(&[u8], SockAddr)> =
            Vec::with_capacity(SENT_AT_ONCE.min(datagrams.len()));
        self.0.transfer(
            Direction::Write,
            |_| false,
            |fd| {
                self.0.before_sending()?;
                let mut sent = 0;
                for some in datagrams.chunks(SENT_AT_ONCE) {
                    addressed.clear();
                    let each = some.iter().map(|(data, to)| (data.as_ref(), (*to).into()));
                    addressed.extend(each);
                    match datagram::send_many(fd, &addressed) {
                        Err(error) if sent == 0 => return Err(error),
                        Err(_) => break,
                        Ok(count) => sent += count,
                    }
                    if sent % SENT_AT_ONCE != 0 {
                        break;
                    }
                }
                Ok(sent)
            },
        )
    }
}

fn with_sender(received: Option<(usize, SockAddr)>) -> io::Result<(usize, SocketAddr)> {
    let Some((length, address)) = received else {
        // As std says it where there is nobody who could have sent it.
        return Err(io::ErrorKind::InvalidInput.into());
    };
    match address.as_socket() {
        Some(address) => Ok((length, address)),
        None => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the sender has no internet address",
        )),
    }
}

socket!(UdpSocket, SocketAddr);
time_limits!(UdpSocket, net::UdpSocket);
conversions!(UdpSocket, net::UdpSocket);
