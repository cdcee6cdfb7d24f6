//! A TCP socket before it listens or connects, for the options that have to be set by then.
//!
//! Must never: set what was not asked for.

use std::fmt;
use std::io;
use std::net::{self, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};

use super::{TcpListener, TcpStream, connect};
use crate::scheduler::park;

/// A TCP socket that neither listens nor is connected yet: for options that must be set before.
///
/// What it is set to holds for the listener or stream made of it; what a listener takes inherits the options of
/// TCP from it, such as `nodelay`. Options this type does not know can be set through `socket2::SockRef`, as it
/// gives out its descriptor.
///
/// ```
/// use greenroom::net::{TcpSocket, TcpStream};
///
/// greenroom::run(|| {
///     let socket = TcpSocket::new_v4()?;
///     socket.set_reuse_address(true)?;
///     socket.set_nodelay(true)?;
///     socket2::SockRef::from(&socket).set_linger(None)?;
///     socket.bind("127.0.0.1:0".parse().unwrap())?;
///     let listener = socket.listen(16)?;
///
///     let near = TcpSocket::new_v4()?;
///     near.set_recv_buffer_size(1 << 16)?;
///     let near = near.connect(listener.local_addr()?)?;
///     let (far, from) = listener.accept()?;
///     assert_eq!(from, near.local_addr()?);
/// #   #[cfg(target_os = "linux")]
///     assert!(far.nodelay()?);
///     Ok::<(), std::io::Error>(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct TcpSocket(Socket);

/// An option that is set and asked for.
macro_rules! options {
    ($($(#[doc = $doc:literal])+ $set:ident / $get:ident: $type:ty => $their_set:ident / $their_get:ident;)*) => {
        impl TcpSocket {
            $(
                $(#[doc = $doc])+
                ///
                /// # Errors
                ///
                /// What the system says.
                pub fn $set(&self, $get: $type) -> io::Result<()> {
                    self.0.$their_set($get)
                }

                #[doc = concat!("What [`", stringify!($set), "`](Self::", stringify!($set), ") sets.")]
                ///
                /// # Errors
                ///
                /// What the system says.
                pub fn $get(&self) -> io::Result<$type> {
                    self.0.$their_get()
                }
            )*
        }
    };
}

options! {
    /// Sets `SO_REUSEADDR`: whether it may be bound to an address old connections still hold.
    /// [`TcpListener::bind`] always sets it.
    set_reuse_address / reuse_address: bool => set_reuse_address / reuse_address;
    /// Sets `IPV6_V6ONLY`: whether a socket for IPv6 leaves IPv4 alone.
    set_only_v6 / only_v6: bool => set_only_v6 / only_v6;
    /// Sets `TCP_NODELAY`: small writes are sent at once instead of being gathered.
    set_nodelay / nodelay: bool => set_tcp_nodelay / tcp_nodelay;
    /// Sets `SO_RCVBUF`, in bytes. Systems take it as a hint; Linux doubles it.
    set_recv_buffer_size / recv_buffer_size: usize => set_recv_buffer_size / recv_buffer_size;
    /// Sets `SO_SNDBUF`, in bytes. Systems take it as a hint; Linux doubles it.
    set_send_buffer_size / send_buffer_size: usize => set_send_buffer_size / send_buffer_size;
}

#[cfg(reuse_port)]
options! {
    /// Sets `SO_REUSEPORT`: several sockets that have it set may be bound to one address, say one for each thread.
    /// Linux spreads connections over them; other systems may give all to one.
    set_reuse_port / reuse_port: bool => set_reuse_port / reuse_port;
}

impl TcpSocket {
    /// A socket for IPv4.
    ///
    /// # Errors
    ///
    /// If the process has no descriptor left.
    pub fn new_v4() -> io::Result<Self> {
        Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).map(Self)
    }

    /// A socket for IPv6.
    ///
    /// # Errors
    ///
    /// If the process has no descriptor left, or the system has no IPv6.
    pub fn new_v6() -> io::Result<Self> {
        Socket::new(Domain::IPV6, Type::STREAM, Some(Protocol::TCP)).map(Self)
    }

    /// Asks a silent peer whether it is still there (`SO_KEEPALIVE`), after so long without a word; `None` never does.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn set_keepalive(&self, after: Option<Duration>) -> io::Result<()> {
        match after {
            Some(after) => self
                .0
                .set_tcp_keepalive(&TcpKeepalive::new().with_time(after)),
            None => self.0.set_keepalive(false),
        }
    }

    /// Whether a silent peer is asked.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn keepalive(&self) -> io::Result<bool> {
        self.0.keepalive()
    }

    /// Chooses the address of this side. Port 0 takes any free port.
    ///
    /// # Errors
    ///
    /// `AddrInUse` for a port that is taken; else what the system says.
    pub fn bind(&self, addr: SocketAddr) -> io::Result<()> {
        self.0.bind(&addr.into())
    }

    /// The address of this side, with the port that was chosen.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        let address = self.0.local_addr()?;
        let none = || io::Error::new(io::ErrorKind::InvalidData, "it has no internet address");
        address.as_socket().ok_or_else(none)
    }

    /// Takes connections from now on. Of those nobody accepts yet, about `backlog` wait; [`TcpListener::bind`] says
    /// 128 or more, as std does.
    ///
    /// # Errors
    ///
    /// `AddrInUse` where the address is taken; else what the system says.
    pub fn listen(self, backlog: u32) -> io::Result<TcpListener> {
        let backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
        self.0.listen(backlog)?;
        Ok(net::TcpListener::from(OwnedFd::from(self.0)).into())
    }

    /// Connects.
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// # Scheduling
    ///
    /// The other tasks run while the connection is made.
    ///
    /// # Cancellation
    ///
    /// Unwinds when the task was cancelled; the connection that was begun is dropped. While the task
    /// unwinds, it returns an error.
    pub fn connect(self, addr: SocketAddr) -> io::Result<TcpStream> {
        let Some(task) = park::current() else {
            connect::blocking(&self.0, &addr.into())?;
            return Ok(TcpStream::fresh(OwnedFd::from(self.0).into()));
        };
        park::spend(task);
        connect::connect(task, self.0, &addr.into(), None).map(TcpStream)
    }

    /// Connects, but gives up after `timeout`.
    ///
    /// # Errors
    ///
    /// `TimedOut` when the time is over; `InvalidInput` for a timeout of zero; else what the system says.
    ///
    /// # Scheduling
    ///
    /// As [`connect`](Self::connect).
    ///
    /// # Cancellation
    ///
    /// As [`connect`](Self::connect).
    pub fn connect_timeout(self, addr: SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
        if timeout.is_zero() {
            return Err(connect::no_time());
        }
        let Some(task) = park::current() else {
            self.0.connect_timeout(&addr.into(), timeout)?;
            return Ok(TcpStream::fresh(OwnedFd::from(self.0).into()));
        };
        park::spend(task);
        connect::connect(task, self.0, &addr.into(), Some(timeout)).map(TcpStream)
    }
}

impl AsFd for TcpSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl fmt::Debug for TcpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpSocket")
            .field("local_addr", &self.local_addr().ok())
            .finish_non_exhaustive()
    }
}
