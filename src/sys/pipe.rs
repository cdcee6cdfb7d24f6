//! Pipes, which std makes only since a later Rust than this crate asks for.
//!
//! Must never: let a descriptor be inherited by a program that is started meanwhile, where the system can help it.
#![expect(unsafe_code, reason = "the call `pipe`, and owning what it makes")]

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

use super::check::check;

/// A new pipe: the end to read from, and the end to write to. They block, and are closed on `exec`.
pub(crate) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends = [-1; 2];
    make(&mut ends)?;
    let [read, write] = ends.map(|end| {
        // SAFETY: the kernel just made this descriptor for us, so nobody else owns it.
        unsafe { OwnedFd::from_raw_fd(end) }
    });
    #[cfg(target_vendor = "apple")]
    for end in [&read, &write] {
        use std::os::fd::AsRawFd;
        // SAFETY: the descriptor is ours, so it is open, and this command takes a number.
        check(unsafe { libc::fcntl(end.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) })?;
    }
    Ok((read, write))
}

#[cfg(not(target_vendor = "apple"))]
fn make(ends: &mut [libc::c_int; 2]) -> io::Result<()> {
    // SAFETY: there is room for two numbers.
    check(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) }).map(drop)
}

/// Apple's kernel makes the ends inheritable first.
#[cfg(target_vendor = "apple")]
fn make(ends: &mut [libc::c_int; 2]) -> io::Result<()> {
    // SAFETY: there is room for two numbers.
    check(unsafe { libc::pipe(ends.as_mut_ptr()) }).map(drop)
}
