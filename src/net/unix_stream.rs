//! A connection between two sockets of this machine.
//!
//! Must never: name a system call. What waits goes through [`Descriptor`]; the rest is std's.
#![expect(
    unsafe_code,
    reason = "`FromRawFd` is an unsafe trait method, as in std"
)]

use std::io;
use std::os::unix::net::{self, SocketAddr};
use std::path::Path;

use super::convert::conversions;
use super::settings::{socket, time_limits};
use super::stream::{ShortRead, stream};
use super::{connect, unix_address};
use crate::io::descriptor::Descriptor;
use crate::scheduler::park;

/// A connection between two sockets of this machine, as [`std::os::unix::net::UnixStream`], waiting instead of
/// blocking.
///
/// It is closed when it is dropped. [`Read`](io::Read) and [`Write`](io::Write) are implemented for it and for
/// references to it, so one task may read while another writes.
///
/// ```
/// use std::io::{Read, Write};
/// use greenroom::net::{Shutdown, UnixStream};
/// use greenroom::{run, spawn};
///
/// let answer = run(|| {
///     let (mut near, mut far) = UnixStream::pair()?;
///     spawn(move || {
///         let mut question = String::new();
///         far.read_to_string(&mut question)?;
///         far.write_all(question.to_uppercase().as_bytes())
///     });
///     near.write_all(b"hello")?;
///     near.shutdown(Shutdown::Write)?;
///     let mut answer = String::new();
///     near.read_to_string(&mut answer)?;
///     Ok::<_, std::io::Error>(answer)
/// })?;
/// assert_eq!(answer, "HELLO");
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors, scheduling, cancellation
///
/// As those of [`TcpStream`](super::TcpStream).
pub struct UnixStream(pub(super) Descriptor<net::UnixStream>);

impl UnixStream {
    /// Connects to the socket with this path.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no such file, `ConnectionRefused` if nobody listens any more, `InvalidInput` if
    /// the path is too long for an address. On some systems `ConnectionRefused` if the listener's queue is full.
    ///
    /// # Scheduling
    ///
    /// It does not wait, unless the listener's queue is full: on Linux it waits a while then (1 ms, then longer, up
    /// to 50 ms) and tries again, while the other tasks run. So those who wait are in no order.
    ///
    /// # Cancellation
    ///
    /// Unwinds when the task was cancelled, and was not connected. While the task unwinds, it returns an error
    /// instead of waiting.
    pub fn connect<P: AsRef<Path>>(path: P) -> io::Result<Self> {
        match park::current() {
            None => net::UnixStream::connect(path).map(Self::fresh),
            Some(task) => {
                let address = unix_address::path_to_system(path.as_ref())?;
                connect::unix(task, &address).map(Self)
            }
        }
    }

    /// Connects to an address of any kind: on Linux also one with an abstract name, which is no file.
    ///
    /// ```
    /// # #[cfg(target_os = "linux")] {
    /// use std::os::linux::net::SocketAddrExt;
    /// use std::os::unix::net::SocketAddr;
    /// use greenroom::net::{UnixListener, UnixStream};
    ///
    /// greenroom::run(|| {
    ///     let name = format!("greenroom example {}", std::process::id());
    ///     let address = SocketAddr::from_abstract_name(name)?;
    ///     let listener = UnixListener::bind_addr(&address)?;
    ///     let near = UnixStream::connect_addr(&address)?;
    ///     let (_far, from) = listener.accept()?;
    ///     assert!(from.is_unnamed());
    ///     assert!(near.peer_addr()?.as_abstract_name().is_some());
    ///     Ok::<(), std::io::Error>(())
    /// })?;
    /// # }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    ///
    /// # Scheduling
    ///
    /// As [`connect`](Self::connect).
    ///
    /// # Cancellation
    ///
    /// As [`connect`](Self::connect).
    pub fn connect_addr(socket_addr: &SocketAddr) -> io::Result<Self> {
        match park::current() {
            None => net::UnixStream::connect_addr(socket_addr).map(Self::fresh),
            Some(task) => {
                let address = unix_address::to_system(socket_addr)?;
                connect::unix(task, &address).map(Self)
            }
        }
    }

    /// Two ends of one connection, without names.
    ///
    /// # Errors
    ///
    /// If the process has no descriptor left.
    pub fn pair() -> io::Result<(Self, Self)> {
        let (near, far) = net::UnixStream::pair()?;
        Ok((Self::fresh(near), Self::fresh(far)))
    }
}

stream!(UnixStream, net::UnixStream, SocketAddr, ShortRead::Unsure);
socket!(UnixStream, SocketAddr);
time_limits!(UnixStream, net::UnixStream);
conversions!(UnixStream, net::UnixStream);
