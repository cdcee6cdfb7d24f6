//! One try to read or write that does not wait, on descriptors whose flag `O_NONBLOCK` must be left alone.
//!
//! Standard input and output belong to other processes, too, and the flag would be theirs as well.
//! - Linux can be told with each call, by `RWF_NOWAIT`: it does so for sockets and disk files, for pipes
//!   since 6.4, not for terminals or named pipes. Who cannot says `EOPNOTSUPP`. What a pipe or a socket says is
//!   the answer; a disk file's `WouldBlock` is a "not yet" that nothing would tell the end of.
//! - Elsewhere `poll` is asked first. When it says that there is something, a read returns what there is. When
//!   it says that there is room, a pipe takes `PIPE_BUF` bytes. Another process may be faster in between, and
//!   a terminal may have less room than asked for: then the call blocks after all.
//! - What is always ready, such as a disk file, is so for `poll`, and then the call is an ordinary one.
//!
//! Must never: change a flag.
#![expect(
    unsafe_code,
    reason = "the calls `read` and `write`, with and without flags"
)]

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::check::{check, retry};
use super::descriptor::poll_one;

/// What a terminal is given at once: the less, the less probable it is that it has no room.
const FOR_A_TERMINAL: usize = 512;

/// One descriptor's memory of whether it can be told not to wait. It is a hint: both ways work.
#[derive(Debug)]
pub(crate) struct Refused(AtomicBool);

impl Refused {
    pub(crate) const fn new() -> Self {
        Self(AtomicBool::new(false))
    }
}

/// Reads what is there, or fails with `WouldBlock`.
pub(crate) fn read(fd: BorrowedFd<'_>, buf: &mut [u8], refused: &Refused) -> io::Result<usize> {
    match told(fd, refused, || flagged::read(fd, buf)) {
        Some(result) => return result,
        None => look(fd, true)?,
    }
    // SAFETY: the buffer is borrowed mutably for the call, and its true length is passed.
    let count =
        retry(|| unsafe { libc::read(fd.as_raw_fd(), buf.as_mut_ptr().cast(), buf.len()) })?;
    Ok(usize::try_from(count).unwrap_or(0))
}

/// Writes what there is room for, or fails with `WouldBlock`.
pub(crate) fn write(fd: BorrowedFd<'_>, data: &[u8], refused: &Refused) -> io::Result<usize> {
    match told(fd, refused, || flagged::write(fd, data)) {
        Some(result) => return result,
        None => look(fd, false)?,
    }
    let length = data.len().min(most(fd)?);
    // SAFETY: the data is borrowed for the call, and no more than its length is passed.
    let count = retry(|| unsafe { libc::write(fd.as_raw_fd(), data.as_ptr().cast(), length) })?;
    Ok(usize::try_from(count).unwrap_or(0))
}

/// Asks `poll` whether a call is worth it.
fn look(fd: BorrowedFd<'_>, reads: bool) -> io::Result<()> {
    if poll_one(fd, reads, !reads, Some(Duration::ZERO))? {
        Ok(())
    } else {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

/// How much can be written at once where `poll` says that there is room.
fn most(fd: BorrowedFd<'_>) -> io::Result<usize> {
    let about = about(fd)?;
    Ok(match about.st_mode & libc::S_IFMT {
        libc::S_IFIFO | libc::S_IFSOCK => libc::PIPE_BUF,
        libc::S_IFCHR => FOR_A_TERMINAL,
        _ => usize::MAX,
    })
}

/// Whether it is a pipe or a socket: then `poll` tells when the next try is worth it.
fn waits_for_somebody(fd: BorrowedFd<'_>) -> bool {
    about(fd)
        .is_ok_and(|about| matches!(about.st_mode & libc::S_IFMT, libc::S_IFIFO | libc::S_IFSOCK))
}

/// The call that is told not to wait, if it can be, and if its answer counts.
///
/// Where it would wait for somebody, `poll` and an ordinary call must not come after: whoever is faster in between
/// would make that one block. A disk file waits for nobody, and is not asked twice.
fn told<R>(
    fd: BorrowedFd<'_>,
    refused: &Refused,
    call: impl FnOnce() -> io::Result<R>,
) -> Option<io::Result<R>> {
    if !flagged::EXISTS || refused.0.load(Ordering::Relaxed) {
        return None;
    }
    match call() {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            waits_for_somebody(fd).then(|| Err(error))
        }
        Err(error)
            if matches!(
                error.raw_os_error(),
                Some(libc::EOPNOTSUPP | libc::ENOSYS | libc::EINVAL)
            ) =>
        {
            refused.0.store(true, Ordering::Relaxed);
            None
        }
        result => Some(result),
    }
}

#[cfg(nowait = "flag")]
mod flagged {
    use std::io;
    use std::os::fd::{AsRawFd, BorrowedFd};

    use super::retry;

    pub(super) const EXISTS: bool = true;

    /// The kernel's own number; older C libraries have no name for it.
    const RWF_NOWAIT: libc::c_int = 8;

    /// Where the file stands, in two halves.
    const HERE: libc::c_long = -1;

    fn call(
        number: libc::c_long,
        fd: BorrowedFd<'_>,
        base: *mut libc::c_void,
        length: usize,
    ) -> io::Result<usize> {
        let piece = libc::iovec {
            iov_base: base,
            iov_len: length,
        };
        // By number, since not every C library we run on has a function for it.
        // SAFETY: one piece is passed, which the caller has borrowed for as long as this lasts.
        let count = retry(|| unsafe {
            libc::syscall(
                number,
                fd.as_raw_fd(),
                &raw const piece,
                1_usize,
                HERE,
                HERE,
                RWF_NOWAIT,
            )
        })?;
        Ok(usize::try_from(count).unwrap_or(0))
    }

    pub(super) fn read(fd: BorrowedFd<'_>, buf: &mut [u8]) -> io::Result<usize> {
        call(libc::SYS_preadv2, fd, buf.as_mut_ptr().cast(), buf.len())
    }

    pub(super) fn write(fd: BorrowedFd<'_>, data: &[u8]) -> io::Result<usize> {
        // The kernel only reads here.
        let base = data.as_ptr().cast_mut().cast();
        call(libc::SYS_pwritev2, fd, base, data.len())
    }
}

/// There is no such call here.
#[cfg(not(nowait = "flag"))]
mod flagged {
    use std::io;
    use std::os::fd::BorrowedFd;

    pub(super) const EXISTS: bool = false;

    pub(super) fn read(_: BorrowedFd<'_>, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }

    pub(super) fn write(_: BorrowedFd<'_>, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

/// Whether two descriptors are of the same file.
pub(crate) fn are_of_one_file(one: BorrowedFd<'_>, other: BorrowedFd<'_>) -> bool {
    match (about(one), about(other)) {
        (Ok(one), Ok(other)) => (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino),
        _ => false,
    }
}

fn about(fd: BorrowedFd<'_>) -> io::Result<libc::stat> {
    let mut about = MaybeUninit::uninit();
    // SAFETY: there is room for what is told.
    check(unsafe { libc::fstat(fd.as_raw_fd(), about.as_mut_ptr()) })?;
    // SAFETY: the call has filled it in.
    Ok(unsafe { about.assume_init() })
}

/// Whether a descriptor is not there, which standard input and output may be.
pub(crate) fn is_closed(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EBADF)
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::os::fd::AsFd;

    use super::{Refused, flagged, read, told, write};
    use crate::sys::pipe::pipe;

    /// Whether this kernel can be told not to wait, with pipes.
    fn can_be_told() -> bool {
        let (reader, _writer) = pipe().unwrap();
        let told = flagged::EXISTS.then(|| flagged::read(reader.as_fd(), &mut [0]));
        told.is_some_and(|told| told.is_err_and(|error| blocked(&error)))
    }

    fn blocked(error: &io::Error) -> bool {
        error.kind() == io::ErrorKind::WouldBlock
    }

    #[test]
    fn of_a_pipe_the_first_answer_counts() {
        if !can_be_told() {
            return;
        }
        let refused = Refused::new();
        let (reader, writer) = pipe().unwrap();
        let (reader, writer) = (reader.as_fd(), writer.as_fd());
        // Something comes just after the call has found nothing: others may take it just as fast.
        let answer = told(reader, &refused, || {
            let found = flagged::read(reader, &mut [0]);
            write(writer, b"x", &refused).unwrap();
            found
        });
        assert!(answer.unwrap().is_err_and(|error| blocked(&error)));
        assert_eq!(read(reader, &mut [0; 8], &refused).unwrap(), 1);

        let page = [0; 4096];
        let full = loop {
            if let Err(error) = write(writer, &page, &refused) {
                break error;
            }
        };
        assert!(blocked(&full));
        let answer = told(writer, &refused, || {
            let found = flagged::write(writer, &page);
            read(reader, &mut [0; 4096], &refused).unwrap();
            found
        });
        assert!(answer.unwrap().is_err_and(|error| blocked(&error)));
    }

    #[test]
    fn who_refused_is_asked_by_poll() {
        let refused = Refused::new();
        let (reader, writer) = pipe().unwrap();
        let unable = || Err::<(), _>(io::Error::from_raw_os_error(libc::EOPNOTSUPP));
        assert!(told(reader.as_fd(), &refused, unable).is_none());
        assert!(read(reader.as_fd(), &mut [0], &refused).is_err_and(|error| blocked(&error)));
        assert_eq!(write(writer.as_fd(), b"x", &refused).unwrap(), 1);
        assert_eq!(read(reader.as_fd(), &mut [0; 8], &refused).unwrap(), 1);
    }
}
