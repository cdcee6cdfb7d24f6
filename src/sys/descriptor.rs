//! What can be asked of any descriptor: whether it blocks, and whether it is worth a try.
//!
//! Whether it blocks is a flag of the open file, shared by all duplicates of the descriptor, in this
//! process and in others.
//!
//! Must never: block, [`poll_one`] and [`poll_two`] excepted; know of the reactor.
#![expect(unsafe_code, reason = "the calls `fcntl` and `poll`")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::{Duration, Instant};

use super::check::check;

/// Sets or clears the flag that all duplicates of this descriptor share.
pub(crate) fn set_nonblocking(fd: BorrowedFd<'_>, on: bool) -> io::Result<()> {
    let old = status_flags(fd)?;
    let new = if on {
        old | libc::O_NONBLOCK
    } else {
        old & !libc::O_NONBLOCK
    };
    if new != old {
        // SAFETY: the descriptor is borrowed, so it is open, and this command takes a number.
        check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, new) })?;
    }
    Ok(())
}

/// Whether the flag is set.
pub(crate) fn is_nonblocking(fd: BorrowedFd<'_>) -> io::Result<bool> {
    Ok(status_flags(fd)? & libc::O_NONBLOCK != 0)
}

fn status_flags(fd: BorrowedFd<'_>) -> io::Result<libc::c_int> {
    // SAFETY: the descriptor is borrowed, so it is open, and this command takes nothing more.
    check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) })
}

/// Blocks the OS thread until a descriptor is worth a try, or the time is over (`Ok(false)`).
///
/// For calls made outside a runtime. An error or the end of the stream counts as ready, since the call
/// tried next will tell. Time limits are kept to the millisecond, rounded up, never cut short by a signal.
pub(crate) fn poll_one(
    fd: BorrowedFd<'_>,
    readable: bool,
    writable: bool,
    timeout: Option<Duration>,
) -> io::Result<bool> {
    let read = if readable { libc::POLLIN } else { 0 };
    let write = if writable { libc::POLLOUT } else { 0 };
    poll([(fd, read | write)], timeout)
}

/// Blocks the OS thread until one of two descriptors is worth a try to read, or the time is over (`Ok(false)`).
///
/// As [`poll_one`] else.
pub(crate) fn poll_two(
    one: BorrowedFd<'_>,
    other: BorrowedFd<'_>,
    timeout: Option<Duration>,
) -> io::Result<bool> {
    poll([(one, libc::POLLIN), (other, libc::POLLIN)], timeout)
}

fn poll<const N: usize>(
    wanted: [(BorrowedFd<'_>, libc::c_short); N],
    timeout: Option<Duration>,
) -> io::Result<bool> {
    let mut wanted = wanted.map(|(fd, events)| libc::pollfd {
        fd: fd.as_raw_fd(),
        events,
        revents: 0,
    });
    let count = libc::nfds_t::try_from(N).map_err(io::Error::other)?;
    // A limit beyond the end of the clock is none.
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        // SAFETY: so many entries are passed as there are, ours to write for the length of the call.
        let found = check(unsafe { libc::poll(wanted.as_mut_ptr(), count, milliseconds(left)) });
        match found {
            Ok(0) if deadline.is_some_and(|deadline| deadline <= Instant::now()) => {
                return Ok(false);
            }
            // A very long limit was cut: go on with the rest.
            Ok(0) => {}
            Ok(_) if wanted.iter().any(|one| one.revents & libc::POLLNVAL != 0) => {
                return Err(io::Error::from_raw_os_error(libc::EBADF));
            }
            Ok(_) => return Ok(true),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The unit of `poll`: -1 is for ever. Rounded up, so that nothing is waited for with 0 ms left.
fn milliseconds(left: Option<Duration>) -> libc::c_int {
    left.map_or(-1, |left| {
        let up = left.as_nanos().div_ceil(1_000_000);
        libc::c_int::try_from(up).unwrap_or(libc::c_int::MAX)
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;
    use std::time::{Duration, Instant};

    use super::super::check::interrupts::interrupting;
    use super::{is_nonblocking, poll_one, poll_two, set_nonblocking};

    #[test]
    fn the_flag_is_set_and_cleared() {
        let (near, _far) = UnixStream::pair().unwrap();
        for on in [true, true, false, false] {
            set_nonblocking(near.as_fd(), on).unwrap();
            assert_eq!(is_nonblocking(near.as_fd()).unwrap(), on);
        }
    }

    #[test]
    fn poll_tells_the_directions_apart() {
        let (near, mut far) = UnixStream::pair().unwrap();
        let look = Some(Duration::ZERO);
        assert!(!poll_one(near.as_fd(), true, false, look).unwrap());
        assert!(poll_one(near.as_fd(), false, true, look).unwrap());
        assert!(poll_one(near.as_fd(), true, true, None).unwrap());
        far.write_all(b"x").unwrap();
        assert!(poll_one(near.as_fd(), true, false, Some(Duration::MAX)).unwrap());
        drop(far);
        assert!(poll_one(near.as_fd(), false, true, None).unwrap());
    }

    #[test]
    fn either_of_two_ends_the_wait() {
        let (near, mut far) = UnixStream::pair().unwrap();
        let (quiet, _far) = UnixStream::pair().unwrap();
        let short = Some(Duration::from_millis(1));
        assert!(!poll_two(near.as_fd(), quiet.as_fd(), short).unwrap());
        far.write_all(b"x").unwrap();
        assert!(poll_two(near.as_fd(), quiet.as_fd(), None).unwrap());
        assert!(poll_two(quiet.as_fd(), near.as_fd(), None).unwrap());
    }

    #[test]
    fn poll_is_never_too_short_even_under_signals() {
        let (near, _far) = UnixStream::pair().unwrap();
        let limit = Duration::from_millis(20);
        let begin = Instant::now();
        assert!(
            !poll_one(
                near.as_fd(),
                true,
                false,
                Some(Duration::from_micros(1_500))
            )
            .unwrap()
        );
        assert!(begin.elapsed() >= Duration::from_micros(1_500));
        let ((ready, took), signals) = interrupting(move || {
            let begin = Instant::now();
            (
                poll_one(near.as_fd(), true, false, Some(limit)).unwrap(),
                begin.elapsed(),
            )
        });
        assert!(!ready && took >= limit && signals > 0);
    }
}
