//! Addresses of Unix sockets, between std's type and the one the system is handed.
//!
//! Must never: lose an address of one of the three kinds: without a name, a path, an abstract name.

#[cfg(sockets = "linux")]
use std::ffi::OsStr;
use std::io;
#[cfg(target_os = "android")]
use std::os::android::net::SocketAddrExt;
#[cfg(target_os = "linux")]
use std::os::linux::net::SocketAddrExt;
#[cfg(sockets = "linux")]
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::SocketAddr;
use std::path::Path;

use socket2::SockAddr;

/// What the system is handed for std's address.
pub(super) fn to_system(address: &SocketAddr) -> io::Result<SockAddr> {
    #[cfg(sockets = "linux")]
    if let Some(name) = address.as_abstract_name() {
        return SockAddr::unix(OsStr::from_bytes(&[b"\0", name].concat()));
    }
    SockAddr::unix(address.as_pathname().unwrap_or(Path::new("")))
}

/// What the system is handed for a path, with std's errors.
pub(super) fn path_to_system(path: &Path) -> io::Result<SockAddr> {
    to_system(&SocketAddr::from_pathname(path)?)
}

/// std's address for what the system gave. What is neither a path nor an abstract name has no name.
pub(super) fn from_system(address: &SockAddr) -> io::Result<SocketAddr> {
    #[cfg(sockets = "linux")]
    if let Some(name) = address.as_abstract_namespace() {
        return SocketAddr::from_abstract_name(name);
    }
    // std has no other way to make one without a name.
    SocketAddr::from_pathname(address.as_pathname().unwrap_or(Path::new("")))
}
