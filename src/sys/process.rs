//! The ends of child processes, and their pipes.
//!
//! Where the system has descriptors of processes, the end of a child is waited for as anything else is:
//! by the reactor. Where it has none, a thread has to block.
//!
//! Must never: reap. Who knows of a child's status is std's `Child` alone.
#![expect(
    unsafe_code,
    reason = "descriptors of processes, and reads and writes by reference, which std lacks"
)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use super::check::retry;

/// A descriptor that becomes readable when a child that is not reaped ends.
///
/// # Errors
///
/// Where the system has none, or the process none left.
#[cfg(exits = "pidfd")]
pub(crate) fn end_of(pid: u32) -> io::Result<OwnedFd> {
    use std::os::fd::FromRawFd;

    let pid = libc::pid_t::try_from(pid).map_err(io::Error::other)?;
    // SAFETY: takes two numbers. It is closed on `exec`.
    let fd = super::check(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
    let fd = libc::c_int::try_from(fd).map_err(io::Error::other)?;
    // SAFETY: the kernel just made this descriptor for us, so nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// There are none here.
///
/// # Errors
///
/// Always.
#[cfg(not(exits = "pidfd"))]
pub(crate) fn end_of(_pid: u32) -> io::Result<OwnedFd> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Blocks the OS thread until a child has ended. It is not reaped by that.
///
/// # Errors
///
/// If there is no such child.
pub(crate) fn wait_for_end(pid: u32) -> io::Result<()> {
    // SAFETY: a structure of integers and pointers; the call fills it in.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let options = libc::WEXITED | libc::WNOWAIT;
    let pid = libc::id_t::from(pid);
    // SAFETY: the structure is ours to write for the length of the call.
    retry(|| unsafe { libc::waitid(libc::P_PID, pid, &raw mut info, options) })?;
    Ok(())
}

/// Reads from a pipe. It may block, as far as the pipe does.
pub(crate) fn read(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    let room = buffer.len();
    // SAFETY: the buffer is borrowed mutably for the call, and its true length is passed.
    count(retry(|| unsafe {
        libc::read(fd.as_raw_fd(), buffer.as_mut_ptr().cast(), room)
    }))
}

/// Writes to a pipe. It may block, as far as the pipe does.
pub(crate) fn write(fd: BorrowedFd<'_>, data: &[u8]) -> io::Result<usize> {
    // SAFETY: the data is borrowed for the call, and its true length is passed.
    count(retry(|| unsafe {
        libc::write(fd.as_raw_fd(), data.as_ptr().cast(), data.len())
    }))
}

fn count(returned: io::Result<isize>) -> io::Result<usize> {
    // `check` has seen that it is not negative.
    returned.map(|count| usize::try_from(count).unwrap_or(0))
}
