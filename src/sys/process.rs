//! The ends of child processes.
//!
//! The end of a child is waited for as anything else is: by the reactor, at a descriptor. Where the system has
//! none that stand for processes, one is made, and a thread of its own looks after the child.
//!
//! Must never: reap. Who knows of a child's status is std's `Child` alone.
#![expect(
    unsafe_code,
    reason = "descriptors of processes, and waiting without reaping, which std lacks"
)]

use std::io;
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use super::check::retry;
use super::threads;

/// A descriptor that becomes readable when a child that is not reaped ends.
///
/// # Errors
///
/// If the process has no descriptor left, or, where a thread is needed, no thread.
pub(crate) fn end_of(pid: u32) -> io::Result<OwnedFd> {
    own(pid).unwrap_or_else(|| told_by_a_thread(pid))
}

/// The system's own descriptor of a process. Nothing where it has none, or does not give them away.
#[cfg(exits = "pidfd")]
fn own(pid: u32) -> Option<io::Result<OwnedFd>> {
    use std::os::fd::FromRawFd;

    let pid = libc::pid_t::try_from(pid).ok()?;
    // SAFETY: takes two numbers. It is closed on `exec`.
    let fd = super::check(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) });
    let fd = fd.and_then(|fd| libc::c_int::try_from(fd).map_err(io::Error::other));
    match fd {
        // SAFETY: the kernel just made this descriptor for us, so nobody else owns it.
        Ok(fd) => Some(Ok(unsafe { OwnedFd::from_raw_fd(fd) })),
        // An old kernel, a filter that forbids it; or somebody else has reaped the child.
        Err(error) => match error.raw_os_error() {
            Some(libc::ENOSYS | libc::EPERM | libc::EINVAL | libc::ESRCH) => None,
            _ => Some(Err(error)),
        },
    }
}

#[cfg(not(exits = "pidfd"))]
fn own(_pid: u32) -> Option<io::Result<OwnedFd>> {
    None
}

/// The stack of a thread that makes two system calls.
const STACK: usize = 128 * 1024;

/// A descriptor that becomes readable when a thread of its own has seen the child end.
///
/// # Errors
///
/// If the process has no descriptor left, or no thread.
fn told_by_a_thread(pid: u32) -> io::Result<OwnedFd> {
    let (told, tells) = UnixStream::pair()?;
    let name = format!("greenroom-child-{pid}");
    threads::spawn(name, Some(STACK), move || {
        // Without such a child there is nothing to wait for either: that is what std will say.
        let _gone = wait_for_end(pid);
        // Not only closed: a program that was started meanwhile may have inherited it on some systems.
        let _told = tells.shutdown(Shutdown::Both);
    })?;
    Ok(told.into())
}

/// Blocks the OS thread until a child has ended. It is not reaped by that.
///
/// # Errors
///
/// If there is no such child.
fn wait_for_end(pid: u32) -> io::Result<()> {
    // SAFETY: a structure of integers and pointers; the call fills it in.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let options = libc::WEXITED | libc::WNOWAIT;
    let pid = libc::id_t::from(pid);
    // SAFETY: the structure is ours to write for the length of the call.
    retry(|| unsafe { libc::waitid(libc::P_PID, pid, &raw mut info, options) })?;
    Ok(())
}
