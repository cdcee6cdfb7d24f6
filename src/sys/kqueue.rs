//! The kqueue backend: macOS and its kin, the BSDs. Its contract is in `selector.rs`.
//!
//! Facts of kqueue the code below depends on:
//! - One call, `kevent`, takes a list of changes and gives a list of events. With `EV_RECEIPT` each
//!   change is answered by an event at once, `EV_ERROR` set and `errno` (or 0) in `data`, and nothing
//!   else is taken off the queue.
//! - An entry is named by (descriptor number, filter), so each direction is an entry of its own,
//!   and both directions can be ready in two events of one wait. Adding an entry again replaces its token.
//! - `EV_CLEAR` makes an entry edge-triggered. Adding it looks at the descriptor, so what is ready
//!   already is reported.
//! - `EV_EOF` says that a direction is finished: on `EVFILT_READ` the other side sends no more, on
//!   `EVFILT_WRITE` nobody reads any more. Data may still be there to be read.
//! - A filter that does not fit is refused: the write side of a pipe nobody reads with `EPIPE`, the
//!   missing direction of a one-way device with `EINVAL`.
//! - `close` removes the entries of the number, even if a duplicate lives on.
//! - Interrupted by a signal, `kevent` has applied all changes. Applying ours again does no harm.
//! - Time limits are in nanoseconds. Some systems refuse more than 100,000,000 seconds.
//! - `EVFILT_USER` is an entry without a descriptor, triggered by whoever has the queue. NetBSD has it
//!   since 10, OpenBSD only lately; on these two a socket pair serves.
//! - A queue is not inherited by `fork`, so setting its close-on-exec flag afterwards races with nothing.
//!
//! Must never: keep an event back, or turn a time limit into a shorter one.
#![expect(unsafe_code, reason = "the system calls of kqueue")]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use super::check::{check, retry};
use super::selector::Event;

pub(crate) use waker::Waker;

// The fields of `kevent` are of different types on NetBSD.
#[cfg(not(target_os = "netbsd"))]
mod types {
    pub(super) type Filter = i16;
    pub(super) type Flags = u16;
    pub(super) type Count = libc::c_int;
}

#[cfg(target_os = "netbsd")]
mod types {
    pub(super) type Filter = u32;
    pub(super) type Flags = u32;
    pub(super) type Count = libc::size_t;
}

/// The field that brings a token back: a pointer nobody follows. Older versions of libc have it as an
/// integer on NetBSD, hence a trait and not a type.
trait UserData {
    fn from_token(token: usize) -> Self;
    fn token(self) -> usize;
}

impl UserData for *mut libc::c_void {
    fn from_token(token: usize) -> Self {
        std::ptr::without_provenance_mut(token)
    }

    fn token(self) -> usize {
        self.addr()
    }
}

impl UserData for isize {
    fn from_token(token: usize) -> Self {
        Self::from_ne_bytes(token.to_ne_bytes())
    }

    fn token(self) -> usize {
        usize::from_ne_bytes(self.to_ne_bytes())
    }
}

// The token travels in a field as wide as a pointer.
const _: () = assert!(
    size_of::<usize>() >= size_of::<u64>(),
    "on 32-bit systems with kqueue there is no room for a token"
);

/// The longest limit no system refuses: three years. A wait may end early, so that is only a detour.
const LONGEST_SECONDS: i32 = 100_000_000;

/// One kernel queue. The waker holds it too, so it lives until both are gone.
#[derive(Debug)]
pub(crate) struct Selector {
    queue: Arc<OwnedFd>,
}

impl Selector {
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: no pointer is passed.
        let queue = check(unsafe { libc::kqueue() })?;
        // SAFETY: the kernel just made this descriptor for us, so nobody else owns it.
        let queue = unsafe { OwnedFd::from_raw_fd(queue) };
        // SAFETY: the descriptor is open, and this command takes a number.
        check(unsafe { libc::fcntl(queue.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) })?;
        Ok(Self {
            queue: Arc::new(queue),
        })
    }

    pub(crate) fn register(&self, fd: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        let flags = libc::EV_ADD | libc::EV_CLEAR;
        let [read, write] = apply(&self.queue, both_directions(fd, flags, token))?;
        match (read, write) {
            (0, 0) => Ok(()),
            (0, refused) | (refused, 0) if does_not_fit(refused) => Ok(()),
            (0, error) | (error, _) => {
                // Half a registration would be worse than none. What refused the one half is the
                // news; that the other half cannot be taken back is not.
                drop(self.deregister(fd));
                Err(io::Error::from_raw_os_error(error))
            }
        }
    }

    pub(crate) fn deregister(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        for error in apply(&self.queue, both_directions(fd, libc::EV_DELETE, 0))? {
            if error != 0 && error != libc::ENOENT {
                return Err(io::Error::from_raw_os_error(error));
            }
        }
        Ok(())
    }

    pub(crate) fn wait(&self, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        events.found = 0;
        let limit = timeout.map(timespec);
        let limit = limit.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
        // SAFETY: no changes are passed; the buffer is borrowed mutably for the call and its true
        // length is passed; the limit, where there is one, outlives the call.
        let found = check(unsafe {
            libc::kevent(
                self.queue.as_raw_fd(),
                std::ptr::null(),
                0,
                events.buffer.as_mut_ptr(),
                events.capacity(),
                limit,
            )
        });
        match found {
            Ok(found) => events.found = usize::try_from(found).unwrap_or(0),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

impl AsFd for Selector {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.queue.as_fd()
    }
}

/// The answers of a filter that means nothing for this kind of descriptor.
fn does_not_fit(error: i32) -> bool {
    matches!(error, libc::EPIPE | libc::EINVAL)
}

fn timespec(limit: Duration) -> libc::timespec {
    let seconds = i32::try_from(limit.as_secs()).unwrap_or(LONGEST_SECONDS);
    let mut time = zeroed_timespec();
    if seconds < LONGEST_SECONDS {
        time.tv_sec = libc::time_t::from(seconds);
        time.tv_nsec = limit.subsec_nanos().into();
    } else {
        time.tv_sec = libc::time_t::from(LONGEST_SECONDS);
    }
    time
}

fn zeroed_timespec() -> libc::timespec {
    libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    }
}

fn both_directions(fd: BorrowedFd<'_>, flags: types::Flags, token: u64) -> [libc::kevent; 2] {
    // A descriptor is never negative.
    let number = usize::try_from(fd.as_raw_fd()).unwrap_or(usize::MAX);
    [
        change(number, libc::EVFILT_READ, flags, 0, token),
        change(number, libc::EVFILT_WRITE, flags, 0, token),
    ]
}

fn change(
    number: usize,
    filter: types::Filter,
    flags: types::Flags,
    filter_flags: u32,
    token: u64,
) -> libc::kevent {
    let mut event = empty_event();
    event.ident = number;
    event.filter = filter;
    event.flags = flags | libc::EV_RECEIPT;
    event.fflags = filter_flags;
    // The assertion on top of this file makes it fit.
    event.udata = UserData::from_token(usize::try_from(token).unwrap_or(usize::MAX));
    event
}

/// Systems have fields of their own in this structure, so it is not built by naming them all.
fn empty_event() -> libc::kevent {
    // SAFETY: a structure of integers and pointers that are never followed; all of them may be zero.
    unsafe { std::mem::zeroed() }
}

/// Makes all changes, each by itself, and returns what each was answered: 0 or an `errno`.
fn apply<const N: usize>(queue: &OwnedFd, changes: [libc::kevent; N]) -> io::Result<[i32; N]> {
    let mut receipts = changes;
    let count = types::Count::try_from(N).unwrap_or(0);
    let at_once = zeroed_timespec();
    // SAFETY: both lists hold `N` entries, and all arguments outlive the call.
    let answered = retry(|| unsafe {
        libc::kevent(
            queue.as_raw_fd(),
            changes.as_ptr(),
            count,
            receipts.as_mut_ptr(),
            count,
            &raw const at_once,
        )
    })?;
    let answered = usize::try_from(answered).unwrap_or(0);
    let mut errors = [0; N];
    for (error, receipt) in errors.iter_mut().zip(&receipts).take(answered) {
        if receipt.flags & libc::EV_ERROR != 0 {
            *error = i32::try_from(receipt.data).unwrap_or(libc::EIO);
        }
    }
    Ok(errors)
}

/// The buffer a wait fills. All of it is initialised, the first `found` entries mean something.
pub(crate) struct Events {
    buffer: Box<[libc::kevent]>,
    found: usize,
}

impl Events {
    /// Room for `capacity` events of one wait, one at least.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        let buffer = vec![empty_event(); capacity.max(1)];
        Self {
            buffer: buffer.into_boxed_slice(),
            found: 0,
        }
    }

    /// What the last wait found.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Event> + '_ {
        self.buffer.iter().take(self.found).map(|event| {
            let failed = event.flags & libc::EV_ERROR != 0;
            Event {
                token: event.udata.token() as u64,
                // The waker's entry is neither; it counts as something to read.
                readable: failed || event.filter != libc::EVFILT_WRITE,
                writable: failed || event.filter == libc::EVFILT_WRITE,
                closed: failed || event.flags & libc::EV_EOF != 0,
            }
        })
    }

    fn capacity(&self) -> types::Count {
        types::Count::try_from(self.buffer.len()).unwrap_or(types::Count::MAX)
    }
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Waking by an entry of the queue itself.
#[cfg(not(any(target_os = "netbsd", target_os = "openbsd")))]
mod waker {
    use super::{Arc, OwnedFd, Selector, apply, change, io};

    /// The waker's entry is the only one of its filter, so any number names it.
    const NUMBER: usize = 0;

    /// An `EVFILT_USER` entry: triggered, it is reported once (`EV_CLEAR`) and is ready to be triggered
    /// again. A trigger between a wait and the next is kept by the kernel, so none is lost.
    #[derive(Debug)]
    pub(crate) struct Waker {
        queue: Arc<OwnedFd>,
        token: u64,
    }

    impl Waker {
        pub(crate) fn new(selector: &Selector, token: u64) -> io::Result<Self> {
            let waker = Self {
                queue: Arc::clone(&selector.queue),
                token,
            };
            waker.change(libc::EV_ADD | libc::EV_CLEAR, 0)?;
            Ok(waker)
        }

        pub(crate) fn wake(&self) -> io::Result<()> {
            self.change(0, libc::NOTE_TRIGGER)
        }

        /// The kernel has reset the entry already.
        pub(crate) fn reset(&self) -> io::Result<()> {
            Ok(())
        }

        fn change(&self, flags: super::types::Flags, filter_flags: u32) -> io::Result<()> {
            let entry = change(NUMBER, libc::EVFILT_USER, flags, filter_flags, self.token);
            match apply(&self.queue, [entry])? {
                [0] => Ok(()),
                [error] => Err(io::Error::from_raw_os_error(error)),
            }
        }
    }
}

/// Waking by a byte in a socket pair.
#[cfg(any(target_os = "netbsd", target_os = "openbsd"))]
mod waker {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    use super::{AsFd, Selector, apply, both_directions, io};

    /// A socket pair whose far end is in the queue, level-triggered: the byte in it remembers the wake
    /// until `reset` has taken it.
    #[derive(Debug)]
    pub(crate) struct Waker {
        near: UnixStream,
        far: UnixStream,
    }

    impl Waker {
        pub(crate) fn new(selector: &Selector, token: u64) -> io::Result<Self> {
            let (near, far) = UnixStream::pair()?;
            near.set_nonblocking(true)?;
            far.set_nonblocking(true)?;
            let [read, _] = both_directions(far.as_fd(), libc::EV_ADD, token);
            match apply(&selector.queue, [read])? {
                [0] => Ok(Self { near, far }),
                [error] => Err(io::Error::from_raw_os_error(error)),
            }
        }

        pub(crate) fn wake(&self) -> io::Result<()> {
            // Full of bytes, it wakes already.
            unless_would_block((&self.near).write_all(&[1]))
        }

        pub(crate) fn reset(&self) -> io::Result<()> {
            let mut bytes = [0; 64];
            loop {
                match (&self.far).read(&mut bytes) {
                    Ok(0) => return Ok(()),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Ok(_) => {}
                    Err(error) => return unless_would_block(Err(error)),
                }
            }
        }
    }

    fn unless_would_block(result: io::Result<()>) -> io::Result<()> {
        match result {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(()),
        }
    }
}
