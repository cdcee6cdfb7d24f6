//! The calls that send and receive datagrams, each for one try that never waits.
//!
//! Where the system has calls for several datagrams at once, they are used; elsewhere it is one call for each.
//! A datagram may be empty, so no length here is an end.
//!
//! Must never: block, or know of the reactor.
#![expect(unsafe_code, reason = "socket calls with flags that std does not pass")]

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd};

use socket2::{SockAddr, SockAddrStorage};

use super::check::retry;
use super::socket::{RECEIVE_FLAGS, SEND_FLAGS, count};

pub(crate) use many::{Scratch, recv_many, send_many};

/// Receives a datagram and its sender's address, or fails with `WouldBlock`. What does not fit is lost.
pub(crate) fn recv_from(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<(usize, SockAddr)> {
    recv_from_with(fd, buffer, RECEIVE_FLAGS)
}

/// Like [`recv_from`], but the datagram stays there to be received again.
pub(crate) fn peek_from(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<(usize, SockAddr)> {
    recv_from_with(fd, buffer, RECEIVE_FLAGS | libc::MSG_PEEK)
}

fn recv_from_with(
    fd: BorrowedFd<'_>,
    buffer: &mut [u8],
    flags: libc::c_int,
) -> io::Result<(usize, SockAddr)> {
    let receive = |address: *mut SockAddrStorage, length: *mut libc::socklen_t| {
        // SAFETY: the buffer is borrowed mutably for the call, and its true length is passed; `try_init`
        // passes a place for an address, and its true length.
        count(retry(|| unsafe {
            libc::recvfrom(
                fd.as_raw_fd(),
                buffer.as_mut_ptr().cast(),
                buffer.len(),
                flags,
                address.cast(),
                length,
            )
        }))
    };
    // SAFETY: where the kernel has a datagram, it fills in the address and its length.
    unsafe { SockAddr::try_init(receive) }
}

/// Sends a datagram to an address, or fails with `WouldBlock`. See
/// [`SEND_NEEDS_NONBLOCKING`](super::socket::SEND_NEEDS_NONBLOCKING).
pub(crate) fn send_to(fd: BorrowedFd<'_>, data: &[u8], address: &SockAddr) -> io::Result<usize> {
    // SAFETY: the data and the address are borrowed for the call, and their true lengths are passed.
    count(retry(|| unsafe {
        libc::sendto(
            fd.as_raw_fd(),
            data.as_ptr().cast(),
            data.len(),
            SEND_FLAGS,
            address.as_ptr().cast(),
            address.len(),
        )
    }))
}

/// Whether the direction that receives was ended. Linux lets a blocking call return nothing then, but tells one that
/// must not wait to come again.
pub(crate) fn is_shut_down(fd: BorrowedFd<'_>) -> bool {
    #[cfg(sockets = "linux")]
    {
        let mut wanted = libc::pollfd {
            fd: fd.as_raw_fd(),
            events: libc::POLLRDHUP,
            revents: 0,
        };
        // SAFETY: one entry is passed, ours to write for the length of the call, which only looks.
        let found = retry(|| unsafe { libc::poll(&raw mut wanted, 1, 0) });
        found.is_ok() && wanted.revents & libc::POLLRDHUP != 0
    }
    #[cfg(not(sockets = "linux"))]
    {
        let _tells_by_itself = fd;
        false
    }
}

/// What came with a datagram: its length, as far as it did fit, and who sent it.
pub(crate) type Arrived = (usize, SocketAddr);

fn no_internet_address() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "the sender has no internet address",
    )
}

/// Several at once: `recvmmsg` and `sendmmsg`.
#[cfg(sockets = "linux")]
mod many {
    use std::mem;
    use std::ptr;

    use super::{
        Arrived, AsRawFd, BorrowedFd, RECEIVE_FLAGS, SEND_FLAGS, SockAddr, SockAddrStorage, io,
        no_internet_address, retry,
    };

    /// What the calls need room for. Used again and again.
    #[derive(Default)]
    pub(crate) struct Scratch {
        names: Vec<libc::sockaddr_storage>,
        pieces: Vec<libc::iovec>,
        headers: Vec<libc::mmsghdr>,
    }

    // SAFETY: its pointers are set anew by each call, and nobody looks at them between two calls.
    unsafe impl Send for Scratch {}
    // SAFETY: as above; and a shared reference to it gives access to nothing.
    unsafe impl Sync for Scratch {}

    /// Receives the datagrams that are there, each into the next `size` bytes of `buffer`, and notes them in
    /// `arrived`; or fails with `WouldBlock`.
    ///
    /// An error after the first datagram is kept by the kernel for the next call.
    pub(crate) fn recv_many(
        fd: BorrowedFd<'_>,
        buffer: &mut [u8],
        size: usize,
        scratch: &mut Scratch,
        arrived: &mut Vec<Arrived>,
    ) -> io::Result<()> {
        let Scratch {
            names,
            pieces,
            headers,
        } = scratch;
        let slots = buffer.chunks_exact_mut(size);
        // SAFETY: a structure of integers; zero means "no address".
        names.resize(slots.len(), unsafe { mem::zeroed() });
        pieces.clear();
        pieces.extend(slots.map(|slot| libc::iovec {
            iov_base: slot.as_mut_ptr().cast(),
            iov_len: slot.len(),
        }));
        headers.clear();
        for (piece, name) in pieces.iter_mut().zip(&mut *names) {
            headers.push(header(piece, ptr::from_mut(name).cast(), size_of_val(name)));
        }
        let most = u32::try_from(headers.len()).unwrap_or(u32::MAX);
        // SAFETY: the headers name buffers and places for addresses that are borrowed mutably for the call, with
        // their true lengths, and no more headers than there are; no limit of time is given.
        let received = retry(|| unsafe {
            libc::recvmmsg(
                fd.as_raw_fd(),
                headers.as_mut_ptr(),
                most,
                // Its type differs between C libraries.
                RECEIVE_FLAGS as _,
                ptr::null_mut(),
            )
        })?;
        let received = usize::try_from(received).unwrap_or(0);
        for (header, name) in headers.iter().zip(&*names).take(received) {
            let address = address(name, header.msg_hdr.msg_namelen).as_socket();
            let address = address.ok_or_else(no_internet_address)?;
            arrived.push((usize::try_from(header.msg_len).unwrap_or(0), address));
        }
        Ok(())
    }

    /// Sends several datagrams, and returns how many; or fails with `WouldBlock`, or as the first of them does.
    pub(crate) fn send_many(
        fd: BorrowedFd<'_>,
        datagrams: &[(&[u8], SockAddr)],
    ) -> io::Result<usize> {
        let mut pieces: Vec<libc::iovec> = datagrams
            .iter()
            .map(|(data, _)| libc::iovec {
                // The kernel only reads here.
                iov_base: data.as_ptr().cast_mut().cast(),
                iov_len: data.len(),
            })
            .collect();
        let mut headers: Vec<libc::mmsghdr> = pieces
            .iter_mut()
            .zip(datagrams)
            .map(|(piece, (_, address))| {
                let length = usize::try_from(address.len()).unwrap_or(0);
                header(piece, address.as_ptr().cast_mut().cast(), length)
            })
            .collect();
        let most = u32::try_from(headers.len()).unwrap_or(u32::MAX);
        // SAFETY: the headers name data and addresses that are borrowed for the call, with their true lengths, and
        // no more headers than there are.
        let sent = retry(|| unsafe {
            libc::sendmmsg(
                fd.as_raw_fd(),
                headers.as_mut_ptr(),
                most,
                // Its type differs between C libraries.
                SEND_FLAGS as _,
            )
        })?;
        Ok(usize::try_from(sent).unwrap_or(0))
    }

    fn header(
        piece: &mut libc::iovec,
        name: *mut libc::c_void,
        name_length: usize,
    ) -> libc::mmsghdr {
        // C libraries have padding of their own in this structure, so it is not built by naming all fields.
        // SAFETY: a structure of integers and pointers; zero means "no address, no data, no flags".
        let mut header: libc::mmsghdr = unsafe { mem::zeroed() };
        header.msg_hdr.msg_name = name;
        header.msg_hdr.msg_namelen = libc::socklen_t::try_from(name_length).unwrap_or(0);
        header.msg_hdr.msg_iov = piece;
        header.msg_hdr.msg_iovlen = 1;
        header
    }

    fn address(name: &libc::sockaddr_storage, length: libc::socklen_t) -> SockAddr {
        let mut storage = SockAddrStorage::zeroed();
        if length > 0 {
            // SAFETY: that is what the storage is made of.
            let place = unsafe { storage.view_as::<libc::sockaddr_storage>() };
            *place = *name;
        }
        // SAFETY: the kernel has filled in the address, and given its length.
        unsafe { SockAddr::new(storage, length) }
    }
}

/// One call for each.
#[cfg(not(sockets = "linux"))]
mod many {
    use super::{Arrived, BorrowedFd, SockAddr, io, no_internet_address, recv_from, send_to};

    /// Nothing is needed here.
    #[derive(Default)]
    pub(crate) struct Scratch {
        /// An error that came after datagrams that had to be returned first.
        late: Option<io::Error>,
    }

    /// Receives the datagrams that are there, each into the next `size` bytes of `buffer`, and notes them in
    /// `arrived`; or fails with `WouldBlock`.
    ///
    /// An error after the first datagram is kept for the next call.
    pub(crate) fn recv_many(
        fd: BorrowedFd<'_>,
        buffer: &mut [u8],
        size: usize,
        scratch: &mut Scratch,
        arrived: &mut Vec<Arrived>,
    ) -> io::Result<()> {
        if let Some(late) = scratch.late.take() {
            return Err(late);
        }
        for slot in buffer.chunks_exact_mut(size) {
            match recv_from(fd, slot) {
                Ok((length, address)) => {
                    arrived.push((length, address.as_socket().ok_or_else(no_internet_address)?));
                }
                Err(error) if arrived.is_empty() => return Err(error),
                Err(error) => {
                    if error.kind() != io::ErrorKind::WouldBlock {
                        scratch.late = Some(error);
                    }
                    break;
                }
            }
        }
        Ok(())
    }

    /// Sends several datagrams, and returns how many; or fails with `WouldBlock`, or as the first of them does.
    pub(crate) fn send_many(
        fd: BorrowedFd<'_>,
        datagrams: &[(&[u8], SockAddr)],
    ) -> io::Result<usize> {
        for (sent, (data, address)) in datagrams.iter().enumerate() {
            match send_to(fd, data, address) {
                Err(error) if sent == 0 => return Err(error),
                Err(_) => return Ok(sent),
                Ok(_) => {}
            }
        }
        Ok(datagrams.len())
    }
}
