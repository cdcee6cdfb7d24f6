//! The socket calls std lacks, each for one try that never waits.
//!
//! Whether a socket blocks is a flag of the open file, shared by all duplicates of the descriptor, in this
//! process and in others. So streams leave the flag alone and say `MSG_DONTWAIT` with each call:
//! - Linux, illumos and the BSDs honour it for reading and for sending. On Linux a send that found
//!   room for a part only returns that part, and asks for the edge that reports new room.
//! - Apple's kernel honours it for reading, and ignores it for sending: a send to a full buffer blocks. There the
//!   flag of the open file has to be set after all; [`SEND_NEEDS_NONBLOCKING`] says so.
//! - `accept` has no such argument anywhere, so a listener needs the flag. On Linux and with `accept4` the
//!   accepted socket does not inherit it; with the `accept` of Apple's kernel it does, and it is cleared here.
//!
//! A peer that is gone must be an error, not a signal: `MSG_NOSIGNAL` with each send; Apple's systems
//! have an option of the socket for it, which std sets on those it makes and [`accept`] on those made here.
//!
//! `EINTR` is retried here, so no caller ever meets it. All calls take borrowed descriptors: who owns them,
//! and who else reads from them, is the business of the rooms above.
//!
//! Must never: block, or know of the reactor.
#![expect(unsafe_code, reason = "socket calls with flags that std does not pass")]

use std::io::{self, IoSlice, IoSliceMut};
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use socket2::{SockAddr, SockAddrStorage};

use super::check::{check, retry};

/// Whether [`send`] on a socket whose flag says "blocking" may block all the same.
///
/// Where it is true, whoever sends has to call [`set_nonblocking`](super::descriptor::set_nonblocking) before.
pub(crate) const SEND_NEEDS_NONBLOCKING: bool = cfg!(target_vendor = "apple");

pub(super) const RECEIVE_FLAGS: libc::c_int = libc::MSG_DONTWAIT;

#[cfg(not(target_vendor = "apple"))]
pub(super) const SEND_FLAGS: libc::c_int = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
#[cfg(target_vendor = "apple")]
pub(super) const SEND_FLAGS: libc::c_int = libc::MSG_DONTWAIT;

/// More pieces than this are refused by the kernel, so the rest is left for the next call.
pub(crate) const MOST_PIECES: u16 = 1024;

/// Receives what is there, or fails with `WouldBlock`. `Ok(0)` is the end of the stream.
pub(crate) fn recv(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    recv_with(fd, buffer, RECEIVE_FLAGS)
}

/// Like [`recv`], but what was received stays there to be received again.
pub(crate) fn peek(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    recv_with(fd, buffer, RECEIVE_FLAGS | libc::MSG_PEEK)
}

fn recv_with(fd: BorrowedFd<'_>, buffer: &mut [u8], flags: libc::c_int) -> io::Result<usize> {
    // SAFETY: the buffer is borrowed mutably for the call, and its true length is passed.
    count(retry(|| unsafe {
        libc::recv(
            fd.as_raw_fd(),
            buffer.as_mut_ptr().cast(),
            buffer.len(),
            flags,
        )
    }))
}

/// Sends as much as there is room for, or fails with `WouldBlock`. See [`SEND_NEEDS_NONBLOCKING`].
pub(crate) fn send(fd: BorrowedFd<'_>, data: &[u8]) -> io::Result<usize> {
    // SAFETY: the data is borrowed for the call, and its true length is passed.
    count(retry(|| unsafe {
        libc::send(fd.as_raw_fd(), data.as_ptr().cast(), data.len(), SEND_FLAGS)
    }))
}

/// Like [`recv`], into several buffers, one after the other.
pub(crate) fn recv_vectored(
    fd: BorrowedFd<'_>,
    buffers: &mut [IoSliceMut<'_>],
) -> io::Result<usize> {
    let pieces = pieces(buffers.len());
    // std promises that `IoSliceMut` has the layout of an `iovec`.
    let mut message = message(buffers.as_mut_ptr().cast(), pieces);
    // SAFETY: the message names buffers that are borrowed mutably for the call, no more than there are.
    count(retry(|| unsafe {
        libc::recvmsg(fd.as_raw_fd(), &raw mut message, RECEIVE_FLAGS)
    }))
}

/// Like [`send`], from several buffers, one after the other. See [`SEND_NEEDS_NONBLOCKING`].
pub(crate) fn send_vectored(fd: BorrowedFd<'_>, data: &[IoSlice<'_>]) -> io::Result<usize> {
    let pieces = pieces(data.len());
    // std promises that `IoSlice` has the layout of an `iovec`. The kernel only reads here.
    let message = message(data.as_ptr().cast_mut().cast(), pieces);
    // SAFETY: the message names data that is borrowed for the call, no more than there is.
    count(retry(|| unsafe {
        libc::sendmsg(fd.as_raw_fd(), &raw const message, SEND_FLAGS)
    }))
}

fn pieces(length: usize) -> u16 {
    u16::try_from(length).map_or(MOST_PIECES, |length| length.min(MOST_PIECES))
}

fn message(first: *mut libc::iovec, pieces: u16) -> libc::msghdr {
    // Systems have fields of their own in this structure, so it is not built by naming them all.
    // SAFETY: a structure of integers and pointers; zero means "no address, no control data, no flags".
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_iov = first;
    message.msg_iovlen = pieces.into();
    message
}

pub(super) fn count(returned: io::Result<isize>) -> io::Result<usize> {
    // `check` has seen that it is not negative.
    returned.map(|count| usize::try_from(count).unwrap_or(0))
}

/// What a listener says that was shut down. Of a Unix socket Linux says it only to a call that blocks.
pub(crate) fn no_longer_listens() -> io::Error {
    io::Error::from_raw_os_error(libc::EINVAL)
}

/// Takes one connection off a listener, or fails with `WouldBlock` if the listener is non-blocking.
///
/// The new socket is closed on `exec`, and its own flag says "blocking". The address is the peer's.
pub(crate) fn accept(listener: BorrowedFd<'_>) -> io::Result<(OwnedFd, SockAddr)> {
    accepting::accept(listener)
}

/// Whether an [`accept`] failed over the one connection it had taken off, so that the next may succeed at once.
pub(crate) fn is_connections_own(error: &io::Error) -> bool {
    // The documentation of accept(2) counts these; `EOPNOTSUPP`, which it counts too, is also what a
    // socket says that does not listen.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if error.raw_os_error() == Some(libc::ENONET) {
        return true;
    }
    matches!(
        error.raw_os_error(),
        Some(
            libc::ECONNABORTED
                | libc::EPROTO
                | libc::ENOPROTOOPT
                | libc::ENETDOWN
                | libc::ENETUNREACH
                | libc::EHOSTDOWN
                | libc::EHOSTUNREACH
        )
    )
}

/// Whether a non-blocking `connect` goes on by itself.
pub(crate) fn is_in_progress(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EINPROGRESS)
}

/// Whether the process or the system is out of descriptors or memory, so that the same call may succeed later.
pub(crate) fn is_exhaustion(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM)
    )
}

#[cfg(not(target_vendor = "apple"))]
mod accepting {
    use super::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, SockAddr, SockAddrStorage, io, retry};

    pub(super) fn accept(listener: BorrowedFd<'_>) -> io::Result<(OwnedFd, SockAddr)> {
        let take = |address: *mut SockAddrStorage, length: *mut libc::socklen_t| {
            // SAFETY: `try_init` passes a place for an address, and its true length.
            let socket = retry(|| unsafe {
                libc::accept4(
                    listener.as_raw_fd(),
                    address.cast(),
                    length,
                    libc::SOCK_CLOEXEC,
                )
            })?;
            // SAFETY: the kernel just made this descriptor for us, so nobody else owns it.
            Ok(unsafe { OwnedFd::from_raw_fd(socket) })
        };
        // SAFETY: where the kernel accepts, it fills in the address and its length.
        unsafe { SockAddr::try_init(take) }
    }
}

/// Apple's systems have no `accept4`.
#[cfg(target_vendor = "apple")]
mod accepting {
    use std::os::fd::AsFd;

    use super::{
        AsRawFd, BorrowedFd, FromRawFd, OwnedFd, SockAddr, SockAddrStorage, check, io, mem, retry,
    };
    use crate::sys::descriptor::set_nonblocking;

    pub(super) fn accept(listener: BorrowedFd<'_>) -> io::Result<(OwnedFd, SockAddr)> {
        let take = |address: *mut SockAddrStorage, length: *mut libc::socklen_t| {
            // SAFETY: `try_init` passes a place for an address, and its true length.
            let socket =
                retry(|| unsafe { libc::accept(listener.as_raw_fd(), address.cast(), length) })?;
            // SAFETY: the kernel just made this descriptor for us, so nobody else owns it.
            Ok(unsafe { OwnedFd::from_raw_fd(socket) })
        };
        // SAFETY: where the kernel accepts, it fills in the address and its length.
        let (socket, address): (OwnedFd, SockAddr) = unsafe { SockAddr::try_init(take) }?;
        // SAFETY: the descriptor is open, and this command takes a number.
        check(unsafe { libc::fcntl(socket.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) })?;
        set_nonblocking(socket.as_fd(), false)?;
        no_signals(socket.as_fd())?;
        Ok((socket, address))
    }

    fn no_signals(socket: BorrowedFd<'_>) -> io::Result<()> {
        let on: libc::c_int = 1;
        let size = libc::socklen_t::try_from(mem::size_of_val(&on)).unwrap_or(0);
        // SAFETY: the value outlives the call, and its true size is passed.
        let set = check(unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_NOSIGPIPE,
                (&raw const on).cast(),
                size,
            )
        });
        match set {
            // The peer has hung up already. The first read will say so.
            Err(error) if error.raw_os_error() != Some(libc::EINVAL) => Err(error),
            _ => Ok(()),
        }
    }
}

/// Fetches and clears the error that waits in a socket, such as the outcome of a connect.
pub(crate) fn take_error(fd: BorrowedFd<'_>) -> io::Result<Option<io::Error>> {
    let mut error: libc::c_int = 0;
    let mut size = libc::socklen_t::try_from(mem::size_of_val(&error)).unwrap_or(0);
    // SAFETY: the value and its size are ours to write for the length of the call.
    check(unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ERROR,
            (&raw mut error).cast(),
            &raw mut size,
        )
    })?;
    Ok((error != 0).then(|| io::Error::from_raw_os_error(error)))
}

#[cfg(test)]
#[path = "socket_tests.rs"]
mod tests;
