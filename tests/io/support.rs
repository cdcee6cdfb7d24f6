//! What the tests of descriptors share: a time limit, pipes, and the flag.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::panic::resume_unwind;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use greenroom::run;

/// Far more than any test takes on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// Runs a test on a thread of its own, and fails if it does not come to an end.
#[track_caller]
pub(crate) fn bounded<T: Send + 'static>(test: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, ended) = mpsc::channel();
    let thread = thread::spawn(move || done.send(test()));
    match ended.recv_timeout(LIMIT) {
        Ok(value) => value,
        Err(RecvTimeoutError::Timeout) => panic!("not done after {LIMIT:?}"),
        Err(RecvTimeoutError::Disconnected) => match thread.join() {
            Err(payload) => resume_unwind(payload),
            Ok(_) => unreachable!("it ends by sending or by a panic"),
        },
    }
}

/// The same in a task.
#[track_caller]
pub(crate) fn in_a_task<T: Send + 'static>(test: impl FnOnce() -> T + Send + 'static) -> T {
    bounded(|| run(test))
}

/// What went wrong.
#[track_caller]
pub(crate) fn kind<T: std::fmt::Debug>(result: io::Result<T>) -> io::ErrorKind {
    result.unwrap_err().kind()
}

/// The two ends of a pipe in std's hands: reading, writing. Programs started by other tests do not inherit them.
pub(crate) fn raw_pipe() -> (File, File) {
    let (read, write) = greenroom::io::pipe().unwrap();
    (OwnedFd::from(read).into(), OwnedFd::from(write).into())
}

/// Whether `O_NONBLOCK` is set.
#[expect(unsafe_code, reason = "std cannot ask for it")]
pub(crate) fn is_nonblocking(fd: &impl AsFd) -> bool {
    let fd = fd.as_fd().as_raw_fd();
    // SAFETY: the descriptor is borrowed, and so open.
    let flags = unsafe { libc::fcntl(fd, libc::F_GETFL) };
    assert!(flags >= 0);
    flags & libc::O_NONBLOCK != 0
}

/// Sets it, or clears it.
#[expect(unsafe_code, reason = "std cannot do it for a pipe")]
pub(crate) fn set_nonblocking(fd: &impl AsFd, on: bool) {
    let fd = fd.as_fd().as_raw_fd();
    // SAFETY: the descriptor is borrowed, and so open.
    let old = unsafe { libc::fcntl(fd, libc::F_GETFL) };
    let new = if on {
        old | libc::O_NONBLOCK
    } else {
        old & !libc::O_NONBLOCK
    };
    // SAFETY: as above.
    assert_eq!(unsafe { libc::fcntl(fd, libc::F_SETFL, new) }, 0);
}
