//! A TCP connection.
//!
//! Must never: name a system call. What waits goes through [`Descriptor`]; the rest is std's.
#![expect(
    unsafe_code,
    reason = "`FromRawFd` is an unsafe trait method, as in std"
)]

use std::io;
use std::net::{self, SocketAddr};
use std::time::Duration;

use super::convert::conversions;
use super::settings::{socket, time_limits};
use super::stream::{ShortRead, stream};
use super::{ToSocketAddrs, connect, names};
use crate::io::descriptor::Descriptor;
use crate::scheduler::park;

/// A TCP connection between this side and a peer, as [`std::net::TcpStream`], waiting instead of blocking.
///
/// It is closed when it is dropped. [`Read`](io::Read) and [`Write`](io::Write) are implemented for it and for references to
/// it, so one task may read while another writes.
///
/// ```
/// use std::io::{Read, Write};
/// use std::time::Duration;
/// use greenroom::net::{Shutdown, TcpListener, TcpStream};
/// use greenroom::{run, spawn};
///
/// run(|| {
///     let listener = TcpListener::bind("127.0.0.1:0")?;
///     let mut near = TcpStream::connect(listener.local_addr()?)?;
///     let (mut far, _) = listener.accept()?;
///
///     near.set_read_timeout(Some(Duration::from_millis(1)))?;
///     let late = near.read(&mut [0; 8]).unwrap_err();
///     assert_eq!(late.kind(), std::io::ErrorKind::TimedOut);
///
///     far.write_all(b"bye")?;
///     far.shutdown(Shutdown::Write)?;
///     let mut all = Vec::new();
///     near.read_to_end(&mut all)?;
///     assert_eq!(all, b"bye");
///     Ok::<(), std::io::Error>(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
///
/// Reading and writing give the errors of std's stream (`ConnectionReset`, `BrokenPipe`; never a signal). At
/// the limit of [`set_read_timeout`](Self::set_read_timeout) or
/// [`set_write_timeout`](Self::set_write_timeout) they give `TimedOut`, on every system. Reading into an
/// empty buffer gives 0 at once. Where a call has to wait for the first time in a runtime, the
/// system's error comes back if it cannot watch one descriptor more.
///
/// # Scheduling
///
/// Where there is data, or room, a read or write goes on at once; one of every 128 calls lets the other tasks run
/// first. Else the others run until the call has something to return. Tasks that wait to read
/// are served in order, and so are those that wait to write; a call behind others that wait does
/// not overtake them.
///
/// # Cancellation
///
/// A read, write or peek that is cancelled unwinds, and has taken or sent nothing; one that has taken
/// something returns it, and the next call that waits unwinds. Calls made of several, such as `write_all`
/// and `read_exact`, may have got some way. While the task unwinds, calls that would have to wait
/// return an error of kind `Other` at once.
pub struct TcpStream(pub(super) Descriptor<net::TcpStream>);

impl TcpStream {
    /// Connects to the first of some addresses that takes the connection.
    ///
    /// # Errors
    ///
    /// That of the last address, if none took it; `InvalidInput` if there is none. What looking up a name says.
    ///
    /// # Scheduling
    ///
    /// The other tasks run while the connection is made, and while a name is looked up (see [`ToSocketAddrs`]).
    ///
    /// # Cancellation
    ///
    /// Unwinds when the task was cancelled; the connection that was begun is dropped. While the task
    /// unwinds, it returns an error.
    pub fn connect<A: ToSocketAddrs>(addr: A) -> io::Result<Self> {
        let Some(task) = park::current() else {
            return names::each(addr, net::TcpStream::connect).map(Self::fresh);
        };
        names::each(addr, |address| connect::tcp(task, address, None)).map(Self)
    }

    /// Connects to one address, but gives up after `timeout`.
    ///
    /// # Errors
    ///
    /// `TimedOut` when the time is over; `InvalidInput` for a timeout of zero; else as [`connect`](Self::connect).
    ///
    /// # Scheduling
    ///
    /// As [`connect`](Self::connect).
    ///
    /// # Cancellation
    ///
    /// As [`connect`](Self::connect).
    pub fn connect_timeout(addr: &SocketAddr, timeout: Duration) -> io::Result<Self> {
        let Some(task) = park::current() else {
            return net::TcpStream::connect_timeout(addr, timeout).map(Self::fresh);
        };
        if timeout.is_zero() {
            return Err(connect::no_time());
        }
        connect::tcp(task, *addr, Some(timeout)).map(Self)
    }

    /// Receives into `buf` as a read does, but leaves the data there to be received again.
    ///
    /// # Errors
    ///
    /// As reading.
    ///
    /// # Scheduling
    ///
    /// As reading: it waits in the same order.
    ///
    /// # Cancellation
    ///
    /// As reading.
    pub fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        self.0.peek(buf)
    }

    /// Sets `TCP_NODELAY`: small writes are sent at once instead of being gathered.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.0.std().set_nodelay(nodelay)
    }

    /// Whether `TCP_NODELAY` is set.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.0.std().nodelay()
    }

    /// Sets `IP_TTL`: how many routers a packet may pass.
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

stream!(TcpStream, net::TcpStream, SocketAddr, ShortRead::Drained);
socket!(TcpStream, SocketAddr);
time_limits!(TcpStream, net::TcpStream);
conversions!(TcpStream, net::TcpStream);
