//! Parts of files, for sockets: copied by the kernel where it can, else read at a place.
//!
//! Reading a file blocks the thread; the socket never does if its own flag says "do not wait".
//!
//! Must never: move the file's own position.
#![expect(unsafe_code, reason = "the calls `sendfile` and `pread`")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::check::retry;
use super::socket::count;

/// Whether [`send_file`] does anything here.
pub(crate) const COPIES: bool = cfg!(sockets = "linux");

/// Sends a part of a file, or as much as there is room for, or fails with `WouldBlock`. Zero is the end of
/// the file, `None` a file the system cannot do that with.
#[cfg(sockets = "linux")]
pub(crate) fn send_file(
    socket: BorrowedFd<'_>,
    file: BorrowedFd<'_>,
    offset: u64,
    most: usize,
) -> io::Result<Option<usize>> {
    let mut offset = place(offset)?;
    // SAFETY: both descriptors are borrowed, so they are open; the offset is ours to write.
    let sent = count(retry(|| unsafe {
        libc::sendfile64(socket.as_raw_fd(), file.as_raw_fd(), &raw mut offset, most)
    }));
    match sent {
        Err(error) if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOSYS)) => Ok(None),
        sent => sent.map(Some),
    }
}

#[cfg(not(sockets = "linux"))]
pub(crate) fn send_file(
    _socket: BorrowedFd<'_>,
    _file: BorrowedFd<'_>,
    _offset: u64,
    _most: usize,
) -> io::Result<Option<usize>> {
    Ok(None)
}

/// Reads at a place of a file. Zero is its end.
pub(crate) fn read_at(file: BorrowedFd<'_>, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    #[cfg(not(sockets = "linux"))]
    use libc::pread;
    #[cfg(sockets = "linux")]
    use libc::pread64 as pread;
    let offset = place(offset)?;
    // SAFETY: the buffer is borrowed mutably for the call, and its true length is passed.
    count(retry(|| unsafe {
        pread(
            file.as_raw_fd(),
            buffer.as_mut_ptr().cast(),
            buffer.len(),
            offset,
        )
    }))
}

/// The system's type for a place in a file.
fn place(offset: u64) -> io::Result<i64> {
    i64::try_from(offset)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "no file is so long"))
}
