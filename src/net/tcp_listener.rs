//! A socket that takes TCP connections.
//!
//! Must never: name a system call, or set what std's does not.
#![expect(
    unsafe_code,
    reason = "`FromRawFd` is an unsafe trait method, as in std"
)]

use std::io;
use std::net::{self, SocketAddr};

use super::convert::conversions;
use super::settings::socket;
use super::{Incoming, TcpStream, ToSocketAddrs, names};
use crate::io::descriptor::Descriptor;

/// A socket that takes TCP connections, as [`std::net::TcpListener`], waiting instead of blocking.
///
/// It is closed when it is dropped.
///
/// ```
/// use std::io::{self, Read, Write};
/// use greenroom::net::{TcpListener, TcpStream};
/// use greenroom::{run, spawn};
///
/// fn echo(mut stream: TcpStream) -> io::Result<u64> {
///     let mut back = stream.try_clone()?;
///     io::copy(&mut stream, &mut back)
/// }
///
/// run(|| {
///     let listener = TcpListener::bind("127.0.0.1:0")?;
///     let address = listener.local_addr()?;
///     spawn(move || {
///         for stream in listener.incoming() {
///             let stream = stream?;
///             spawn(move || echo(stream)); // a task for each connection
///         }
///         Ok::<(), io::Error>(())
///     });
///     let mut stream = TcpStream::connect(address)?;
///     stream.write_all(b"hello")?;
///     stream.read_exact(&mut [0; 5])
/// })?;
/// # Ok::<(), io::Error>(())
/// ```
///
/// # The descriptor's flag
///
/// When a task accepts, `O_NONBLOCK` is set, which all duplicates of the descriptor share: while the
/// listener is used, a duplicate in std's hands may say `WouldBlock`. Converting the listener into std's
/// type clears the flag again, once no other handle made by `try_clone` is left.
pub struct TcpListener(pub(super) Descriptor<net::TcpListener>);

impl TcpListener {
    /// A listener on the first of some addresses that is free. Port 0 takes any free port.
    ///
    /// As in std, `SO_REUSEADDR` is set on Unix, so that a server that was ended can start anew at once.
    ///
    /// # Errors
    ///
    /// `AddrInUse` for a port somebody listens on; else what the system says of the last address.
    ///
    /// # Scheduling
    ///
    /// It waits only to look up a name (see [`ToSocketAddrs`]).
    ///
    /// # Cancellation
    ///
    /// Only while a name is looked up.
    pub fn bind<A: ToSocketAddrs>(addr: A) -> io::Result<Self> {
        names::each(addr, net::TcpListener::bind).map(Self::from)
    }

    /// Waits for a connection, and takes it.
    ///
    /// A connection that broke before it was taken is passed over.
    ///
    /// # Errors
    ///
    /// When the process or the system is out of descriptors or memory. The connection is not lost: a later
    /// call takes it. [`incoming`](Self::incoming) does that by itself.
    ///
    /// # Scheduling
    ///
    /// With a connection there it goes on at once; one of every 128 calls lets the other tasks run first. Else the
    /// others run. Tasks that wait are served in order.
    ///
    /// # Cancellation
    ///
    /// Unwinds when the task was cancelled; no connection is lost. While the task unwinds, it returns an
    /// error instead of waiting.
    pub fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (socket, address) = self.0.accept()?;
        let stream = TcpStream::fresh(net::TcpStream::from(socket));
        match address.as_socket() {
            Some(address) => Ok((stream, address)),
            None => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the peer has no internet address",
            )),
        }
    }

    /// Connections, one after the other, for ever: what a server loops over.
    ///
    /// Each is what [`accept`](Self::accept) gives, but for one thing: when the process or the system is out of
    /// descriptors or memory, it waits (1 ms, then longer, up to 100 ms) and tries again, until some of those
    /// in use are given back. Connections wait in the system's queue meanwhile. So
    /// `let stream = stream?;` in the loop ends a server only for reasons that will not pass.
    ///
    /// # Scheduling
    ///
    /// As [`accept`](Self::accept).
    ///
    /// # Cancellation
    ///
    /// As [`accept`](Self::accept).
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming { listener: self }
    }

    /// Sets `IP_TTL` for the connections taken: how many routers a packet may pass.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.0.std().set_ttl(ttl)
    }

    /// The value of `IP_TTL`.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn ttl(&self) -> io::Result<u32> {
        self.0.std().ttl()
    }
}

/// Changes nothing of the descriptor. Where `O_NONBLOCK` is set it stays so, and does not keep calls from waiting.
impl From<net::TcpListener> for TcpListener {
    fn from(listener: net::TcpListener) -> Self {
        Self(Descriptor::new(listener))
    }
}

socket!(TcpListener, SocketAddr);
conversions!(TcpListener, net::TcpListener);
