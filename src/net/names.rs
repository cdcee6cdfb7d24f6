//! Addresses, and names that stand for them, in the image of std's trait.
//!
//! The system looks a name up by blocking a thread, so in a task a thread of the pool does it.
//!
//! Must never: block a thread that has tasks, or hand a literal address to another thread.

use std::io;
use std::net::{self, IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::{iter, option, slice, vec};

use crate::scheduler::park;
use crate::unblock::try_unblock;

/// What can be turned into addresses, as [`std::net::ToSocketAddrs`]; a name is looked up while the other
/// tasks run.
///
/// It is a trait of its own, with std's name, method and implementations: std's would block the thread with all
/// its tasks. What is an address already, or a literal one such as `"127.0.0.1:80"`, is not looked
/// up.
///
/// ```
/// use greenroom::net::ToSocketAddrs;
///
/// greenroom::run(|| {
///     let addresses: Vec<_> = "localhost:80".to_socket_addrs()?.collect();
///     assert!(addresses.iter().all(|address| address.ip().is_loopback()));
///     assert_eq!(("::1", 80).to_socket_addrs()?.next(), "[::1]:80".parse().ok());
///     Ok::<(), std::io::Error>(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[doc(alias = "lookup_host")]
#[doc(alias = "getaddrinfo")]
pub trait ToSocketAddrs {
    /// The addresses.
    type Iter: Iterator<Item = SocketAddr>;

    /// Finds out the addresses, in the order in which they are to be tried.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a text that is no name and port; what the system says of the name. In a task also if
    /// there is no thread to look the name up.
    ///
    /// # Scheduling
    ///
    /// To look up a name, it waits as [`unblock`](crate::unblock()) does, on the same pool: the other tasks run.
    /// Else it does not wait.
    ///
    /// # Cancellation
    ///
    /// A look-up that is cancelled unwinds; one that has begun ends by itself, on its thread. While the task
    /// unwinds, looking up returns an error.
    fn to_socket_addrs(&self) -> io::Result<Self::Iter>;
}

macro_rules! single {
    ($($address:ty),*) => {$(
        impl ToSocketAddrs for $address {
            type Iter = option::IntoIter<SocketAddr>;

            fn to_socket_addrs(&self) -> io::Result<Self::Iter> {
                net::ToSocketAddrs::to_socket_addrs(self)
            }
        }
    )*};
}

single! {
    SocketAddr, SocketAddrV4, SocketAddrV6, (IpAddr, u16), (Ipv4Addr, u16), (Ipv6Addr, u16)
}

impl<'a> ToSocketAddrs for &'a [SocketAddr] {
    type Iter = iter::Cloned<slice::Iter<'a, SocketAddr>>;

    fn to_socket_addrs(&self) -> io::Result<Self::Iter> {
        Ok(self.iter().cloned())
    }
}

impl<T: ToSocketAddrs + ?Sized> ToSocketAddrs for &T {
    type Iter = T::Iter;

    fn to_socket_addrs(&self) -> io::Result<T::Iter> {
        (**self).to_socket_addrs()
    }
}

impl ToSocketAddrs for (&str, u16) {
    type Iter = vec::IntoIter<SocketAddr>;

    fn to_socket_addrs(&self) -> io::Result<Self::Iter> {
        let (host, port) = *self;
        let is_literal = host.parse::<IpAddr>().is_ok();
        look_up(is_literal, self, || (host.to_owned(), port))
    }
}

impl ToSocketAddrs for (String, u16) {
    type Iter = vec::IntoIter<SocketAddr>;

    fn to_socket_addrs(&self) -> io::Result<Self::Iter> {
        (&*self.0, self.1).to_socket_addrs()
    }
}

impl ToSocketAddrs for str {
    type Iter = vec::IntoIter<SocketAddr>;

    fn to_socket_addrs(&self) -> io::Result<Self::Iter> {
        // What is no name and port fails without being looked up.
        let has_name = self
            .rsplit_once(':')
            .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let is_settled = !has_name || self.parse::<SocketAddr>().is_ok();
        look_up(is_settled, self, || self.to_owned())
    }
}

impl ToSocketAddrs for String {
    type Iter = vec::IntoIter<SocketAddr>;

    fn to_socket_addrs(&self) -> io::Result<Self::Iter> {
        (**self).to_socket_addrs()
    }
}

/// Asks std, here if that needs no look-up or there are no tasks, else on another thread.
fn look_up<A, O>(
    is_settled: bool,
    here: &A,
    there: impl FnOnce() -> O,
) -> io::Result<vec::IntoIter<SocketAddr>>
where
    A: net::ToSocketAddrs<Iter = vec::IntoIter<SocketAddr>> + ?Sized,
    O: net::ToSocketAddrs<Iter = vec::IntoIter<SocketAddr>> + Send + 'static,
{
    if is_settled || park::current().is_none() {
        return here.to_socket_addrs();
    }
    let name = there();
    try_unblock(move || name.to_socket_addrs())?
}

/// Tries one address after the other, and gives the error of the last one. In a task, an error that is not the
/// system's ends it: the task is cancelled or unwinding, and may wait for no other address either.
pub(super) fn each<A: ToSocketAddrs, T>(
    addresses: A,
    mut attempt: impl FnMut(SocketAddr) -> io::Result<T>,
) -> io::Result<T> {
    let mut last = None;
    for address in addresses.to_socket_addrs()? {
        match attempt(address) {
            Ok(done) => return Ok(done),
            Err(error) if error.raw_os_error().is_none() && park::current().is_some() => {
                return Err(error);
            }
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(no_address))
}

/// The error of a call that was given no address at all.
pub(super) fn no_address() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "there is no address to use")
}
