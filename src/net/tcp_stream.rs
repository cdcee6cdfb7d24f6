//! A TCP connection.
//!
//! Must never: name a system call. What waits goes through [`Descriptor`]; the rest is std's.
#![expect(
    unsafe_code,
    reason = "`FromRawFd` is an unsafe trait method, as in std"
)]

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::{self, Shutdown, SocketAddr, ToSocketAddrs};
use std::time::Duration;

use super::connect;
use super::convert::conversions;
use crate::io::descriptor::Descriptor;
use crate::scheduler::io::Direction;
use crate::scheduler::park;
use crate::sys::socket;

/// A TCP connection between this side and a peer, as [`std::net::TcpStream`], waiting instead of blocking.
///
/// It is closed when it is dropped. [`Read`] and [`Write`] are implemented for it and for references to
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
pub struct TcpStream(Descriptor<net::TcpStream>);

impl TcpStream {
    /// Connects to the first of some addresses that takes the connection.
    ///
    /// # Errors
    ///
    /// That of the last address, if none took it; `InvalidInput` if there is none. What looking up a name says.
    ///
    /// # Scheduling
    ///
    /// The other tasks run while the connection is made. Looking up a name blocks the thread; a literal
    /// address is not looked up.
    ///
    /// # Cancellation
    ///
    /// Unwinds when the task was cancelled; the connection that was begun is dropped. While the task
    /// unwinds, it returns an error.
    pub fn connect<A: ToSocketAddrs>(addr: A) -> io::Result<Self> {
        let Some(task) = park::current() else {
            return net::TcpStream::connect(addr).map(Self::fresh);
        };
        let mut last = None;
        for address in addr.to_socket_addrs()? {
            match connect::connect(task, address, None) {
                Ok(socket) => return Ok(Self(socket)),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                "there is no address to connect to",
            )
        }))
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
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "a timeout of zero would leave no time to connect",
            ));
        }
        connect::connect(task, *addr, Some(timeout)).map(Self)
    }

    /// A stream nobody has set anything on.
    pub(super) fn fresh(stream: net::TcpStream) -> Self {
        Self(Descriptor::new(stream))
    }

    /// The peer's address.
    ///
    /// # Errors
    ///
    /// `NotConnected` after the connection was reset, for instance.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.std().peer_addr()
    }

    /// The address of this side.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.std().local_addr()
    }

    /// Ends one direction of the connection, or both. Whoever waits for that direction, in any task, returns.
    ///
    /// # Errors
    ///
    /// `NotConnected` if it was reset, for instance.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.0.std().shutdown(how)
    }

    /// A second handle of the same connection, with a descriptor of its own. Time limits are common to both.
    ///
    /// # Errors
    ///
    /// If the process has no descriptor left.
    pub fn try_clone(&self) -> io::Result<Self> {
        let duplicate = self.0.std().try_clone()?;
        Ok(Self(self.0.duplicated(duplicate)))
    }

    /// Sets how long a read may wait; `None` is for ever.
    ///
    /// The limit holds for each call by itself, and for all handles of the connection; a call that waits
    /// already keeps the limit it began with. It is a property of the socket, as in std: it is still
    /// there after a conversion to std's type.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a limit of zero.
    pub fn set_read_timeout(&self, dur: Option<Duration>) -> io::Result<()> {
        self.0.std().set_read_timeout(dur)?;
        self.0.set_limit(Direction::Read, dur);
        Ok(())
    }

    /// Sets how long a write may wait; `None` is for ever. As [`set_read_timeout`](Self::set_read_timeout).
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a limit of zero.
    pub fn set_write_timeout(&self, dur: Option<Duration>) -> io::Result<()> {
        self.0.std().set_write_timeout(dur)?;
        self.0.set_limit(Direction::Write, dur);
        Ok(())
    }

    /// How long a read may wait.
    ///
    /// # Errors
    ///
    /// None. It returns a `Result` because std's does.
    pub fn read_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(self.0.limit(Direction::Read))
    }

    /// How long a write may wait.
    ///
    /// # Errors
    ///
    /// None. It returns a `Result` because std's does.
    pub fn write_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(self.0.limit(Direction::Write))
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
        self.0
            .transfer(Direction::Read, |_| false, |fd| socket::peek(fd, buf))
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

    /// Fetches and clears the error that waits in the socket.
    ///
    /// # Errors
    ///
    /// If it cannot be asked.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.0.std().take_error()
    }

    /// Makes reads, writes and peeks return `WouldBlock` instead of waiting, or wait again.
    ///
    /// As in std it holds for all handles of the connection, and it sets or clears `O_NONBLOCK`. While it is
    /// on, these calls never let another task run.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.0.std().set_nonblocking(nonblocking)?;
        self.0.set_never_waits(nonblocking);
        Ok(())
    }

    #[inline]
    fn receive(&self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        let room = buf.len();
        self.0.transfer(
            Direction::Read,
            |&taken| is_short(taken, room),
            |fd| socket::recv(fd, buf),
        )
    }

    fn receive_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        // One call takes so many pieces; with all of them counted, a full read
        // would look short.
        let count = bufs.len().min(usize::from(socket::MOST_PIECES));
        let bufs = &mut bufs[..count];
        let room = bufs.iter().map(|buf| buf.len()).sum();
        if room == 0 {
            return Ok(0);
        }
        self.0.transfer(
            Direction::Read,
            |&taken| is_short(taken, room),
            |fd| socket::recv_vectored(fd, bufs),
        )
    }

    #[inline]
    fn send(&self, buf: &[u8]) -> io::Result<usize> {
        self.0.transfer(
            Direction::Write,
            |_| false,
            |fd| {
                self.before_sending()?;
                socket::send(fd, buf)
            },
        )
    }

    fn send_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.transfer(
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
    fn before_sending(&self) -> io::Result<()> {
        if socket::SEND_NEEDS_NONBLOCKING && park::current().is_some() {
            self.0.borrow_flag()?;
        }
        Ok(())
    }
}

/// Whether a read has emptied the socket: it took something, and less than it could. Nothing at all is the end
/// of the stream, which is there to be read again.
#[inline]
fn is_short(taken: usize, room: usize) -> bool {
    0 < taken && taken < room
}

impl Read for &TcpStream {
    #[inline]
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.receive(buf)
    }

    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.receive_vectored(bufs)
    }
}

impl Read for TcpStream {
    #[inline]
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.receive(buf)
    }

    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.receive_vectored(bufs)
    }
}

impl Write for &TcpStream {
    #[inline]
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.send(buf)
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.send_vectored(bufs)
    }

    #[inline]
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Write for TcpStream {
    #[inline]
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.send(buf)
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.send_vectored(bufs)
    }

    #[inline]
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Changes nothing of the descriptor. Time limits that were set stay in force; `O_NONBLOCK` is left as it is,
/// and does not keep calls from waiting.
impl From<net::TcpStream> for TcpStream {
    fn from(stream: net::TcpStream) -> Self {
        let socket = Descriptor::new(stream);
        let limits = [
            (Direction::Read, socket.std().read_timeout()),
            (Direction::Write, socket.std().write_timeout()),
        ];
        for (direction, limit) in limits {
            socket.set_limit(direction, limit.unwrap_or(None));
        }
        Self(socket)
    }
}

conversions!(TcpStream, net::TcpStream);
