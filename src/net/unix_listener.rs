//! A socket that takes connections from this machine.
//!
//! Must never: name a system call, or remove the file of its address, which std does not do either.
#![expect(
    unsafe_code,
    reason = "`FromRawFd` is an unsafe trait method, as in std"
)]

use std::io;
use std::os::unix::net::{self, SocketAddr};
use std::path::Path;

use super::convert::conversions;
use super::settings::socket;
use super::{Incoming, UnixStream, unix_address};
use crate::io::descriptor::Descriptor;

/// A socket that takes Unix connections, as [`std::os::unix::net::UnixListener`], waiting instead of blocking.
///
/// It is closed when it is dropped. The file of its address stays, as std's does.
///
/// ```
/// use std::io::{Read, Write};
/// use greenroom::net::{UnixListener, UnixStream};
/// use greenroom::{run, spawn};
///
/// let path = std::env::temp_dir().join(format!("greenroom-{}", std::process::id()));
/// let answer = run(|| {
///     let listener = UnixListener::bind(&path)?;
///     spawn(move || {
///         for stream in listener.incoming() {
///             stream?.write_all(b"hello")?;
///         }
///         Ok::<(), std::io::Error>(())
///     });
///     let mut answer = String::new();
///     UnixStream::connect(&path)?.read_to_string(&mut answer)?;
///     Ok::<_, std::io::Error>(answer)
/// });
/// std::fs::remove_file(&path)?;
/// assert_eq!(answer?, "hello");
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # The descriptor's flag
///
/// When a task accepts, `O_NONBLOCK` is set, which all duplicates of the descriptor share: while the
/// listener is used, a duplicate in std's hands may say `WouldBlock`. Converting the listener into std's
/// type clears the flag again, once no other handle made by `try_clone` is left.
pub struct UnixListener(pub(super) Descriptor<net::UnixListener>);

impl UnixListener {
    /// A listener whose address is a path. The file must not exist yet.
    ///
    /// # Errors
    ///
    /// `AddrInUse` if there is a file of that name; `InvalidInput` if the path is too long for an address.
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<Self> {
        net::UnixListener::bind(path).map(Self::from)
    }

    /// A listener on an address of any kind: on Linux also one with an abstract name, which is no file.
    ///
    /// # Errors
    ///
    /// As [`bind`](Self::bind).
    pub fn bind_addr(socket_addr: &SocketAddr) -> io::Result<Self> {
        net::UnixListener::bind_addr(socket_addr).map(Self::from)
    }

    /// Waits for a connection, and takes it.
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
    pub fn accept(&self) -> io::Result<(UnixStream, SocketAddr)> {
        let (socket, address) = self.0.accept()?;
        let stream = net::UnixStream::from(socket);
        // An address that was bound without the zero at its end is longer than std takes from us.
        let address = unix_address::from_system(&address).or_else(|_| stream.peer_addr())?;
        Ok((UnixStream::fresh(stream), address))
    }

    /// Connections, one after the other, for ever: what a server loops over.
    ///
    /// Each is what [`accept`](Self::accept) gives, but for one thing: when the process or the system is out of
    /// descriptors or memory, it waits (1 ms, then longer, up to 100 ms) and tries again, until some of those
    /// in use are given back. Connections wait in the system's queue meanwhile.
    ///
    /// # Scheduling
    ///
    /// As [`accept`](Self::accept).
    ///
    /// # Cancellation
    ///
    /// As [`accept`](Self::accept).
    pub fn incoming(&self) -> Incoming<'_, Self> {
        Incoming { listener: self }
    }
}

impl<'a> IntoIterator for &'a UnixListener {
    type Item = io::Result<UnixStream>;
    type IntoIter = Incoming<'a, UnixListener>;

    fn into_iter(self) -> Self::IntoIter {
        self.incoming()
    }
}

/// Changes nothing of the descriptor. Where `O_NONBLOCK` is set it stays so, and does not keep calls from waiting.
impl From<net::UnixListener> for UnixListener {
    fn from(listener: net::UnixListener) -> Self {
        Self(Descriptor::new(listener))
    }
}

socket!(UnixListener, SocketAddr);
conversions!(UnixListener, net::UnixListener);
