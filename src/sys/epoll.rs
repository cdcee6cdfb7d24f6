//! The epoll backend: Linux, Android, illumos. Its contract is in `selector.rs`.
//!
//! Facts of epoll the code below depends on:
//! - Level-triggered, an entry that is ready stays on the ready list until a wait finds it not ready.
//!   Edge-triggered (`EPOLLET`), a wait takes it off, and the next change of the descriptor puts it
//!   back. Adding an entry counts as a change, so what is ready already is reported.
//! - A wait looks at the descriptor again before it reports an edge: one that is no longer ready is
//!   dropped. All bits that hold at that moment are reported, not only the one that changed.
//! - `EPOLLOUT` returns after a send has run into a full buffer: one that sent less than asked, or failed
//!   with `EAGAIN`.
//! - `EPOLLHUP` and `EPOLLERR` are reported whether asked for or not; `EPOLLRDHUP` must be asked for.
//!   A FIN that arrives together with data makes one edge for both. If the data was all that the
//!   reader took, nothing reminds it of the FIN, hence `Event::closed`.
//! - An entry is named by (descriptor number, open file). Closing the number removes it only when
//!   no duplicate of it is left; until then its events go on, and nothing can name it any more.
//! - Files that are always ready (those of a disk) are refused with `EPERM`.
//! - `epoll_wait` counts in milliseconds. `epoll_pwait2` (Linux 5.11) counts in nanoseconds;
//!   older kernels answer `ENOSYS`, some sandboxes that do not know it `EPERM`.
//! - An `epoll_wait` of 0 ms and one without end need no exact clock, so they use the old call.
//! - An `eventfd` is a counter: a write adds to it and a read takes all of it. Every write is a change,
//!   also where it was not empty. Written while it is full, it gives `EAGAIN`, and makes no change.
//!
//! Must never: keep an event back, or turn a time limit into a shorter one.
#![expect(unsafe_code, reason = "the system calls of epoll and eventfd")]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

use super::check::{check, retry};
use super::selector::Event;

/// Both directions and the end of the incoming one, each change reported once.
const BOTH_DIRECTIONS: u32 = bits(libc::EPOLLIN)
    | bits(libc::EPOLLOUT)
    | URGENT
    | bits(libc::EPOLLRDHUP)
    | bits(libc::EPOLLET);

/// Urgent data of TCP: a read stops short at its mark though more has come, so from then on a short
/// read says nothing. It counts as [`CLOSED`], which has the same effect.
const URGENT: u32 = bits(libc::EPOLLPRI);

/// An error: worth a try in both directions, since either call fetches it.
const FAILED: u32 = bits(libc::EPOLLERR) | bits(libc::EPOLLHUP);

const READABLE: u32 = bits(libc::EPOLLIN) | bits(libc::EPOLLRDHUP) | FAILED;
const WRITABLE: u32 = bits(libc::EPOLLOUT) | FAILED;
const CLOSED: u32 = bits(libc::EPOLLRDHUP) | URGENT | FAILED;

/// The C headers give event bits as `int`, the structure holds them unsigned.
const fn bits(flags: libc::c_int) -> u32 {
    u32::from_ne_bytes(flags.to_ne_bytes())
}

/// One epoll instance.
#[derive(Debug)]
pub(crate) struct Selector {
    epoll: OwnedFd,
}

impl Selector {
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: no pointer is passed.
        let epoll = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: the kernel just made this descriptor for us, so nobody else owns it.
        let epoll = unsafe { OwnedFd::from_raw_fd(epoll) };
        Ok(Self { epoll })
    }

    pub(crate) fn register(&self, fd: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        self.add(fd, BOTH_DIRECTIONS, token)
    }

    pub(crate) fn deregister(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        // Kernels before 2.6.9 wanted an event here too; a null pointer is right for all later ones.
        // SAFETY: both descriptors are borrowed, so they are open; removing reads no event.
        let removed = check(unsafe {
            libc::epoll_ctl(
                self.epoll.as_raw_fd(),
                libc::EPOLL_CTL_DEL,
                fd.as_raw_fd(),
                std::ptr::null_mut(),
            )
        });
        match removed {
            Err(error) if error.raw_os_error() != Some(libc::ENOENT) => Err(error),
            _ => Ok(()),
        }
    }

    pub(crate) fn wait(&self, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        events.found = 0;
        let found = match timeout {
            None => self.wait_milliseconds(events, -1),
            Some(limit) if limit.is_zero() => self.wait_milliseconds(events, 0),
            Some(limit) => self.wait_until_over(events, limit),
        };
        match found {
            Ok(found) => events.found = found,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn wait_until_over(&self, events: &mut Events, limit: Duration) -> io::Result<usize> {
        match exact::wait(&self.epoll, events, limit) {
            Some(result) => result,
            None => self.wait_milliseconds(events, milliseconds_rounded_up(limit)),
        }
    }

    /// `epoll_wait` with its own unit: -1 is for ever, 0 only looks.
    fn wait_milliseconds(&self, events: &mut Events, limit: libc::c_int) -> io::Result<usize> {
        // SAFETY: the buffer is borrowed mutably for the call, and its true length is passed.
        let found = check(unsafe {
            libc::epoll_wait(
                self.epoll.as_raw_fd(),
                events.buffer.as_mut_ptr(),
                events.capacity(),
                limit,
            )
        })?;
        Ok(usize::try_from(found).unwrap_or(0))
    }

    fn add(&self, fd: BorrowedFd<'_>, interest: u32, token: u64) -> io::Result<()> {
        let mut event = libc::epoll_event {
            events: interest,
            u64: token,
        };
        // SAFETY: both descriptors are borrowed, so they are open, and the event outlives the call.
        check(unsafe {
            libc::epoll_ctl(
                self.epoll.as_raw_fd(),
                libc::EPOLL_CTL_ADD,
                fd.as_raw_fd(),
                &raw mut event,
            )
        })?;
        Ok(())
    }
}

impl AsFd for Selector {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

/// Never too short: a wait that ends early would be made again with 0 ms left, round and round.
fn milliseconds_rounded_up(limit: Duration) -> libc::c_int {
    let up = limit.as_nanos().div_ceil(1_000_000);
    libc::c_int::try_from(up).unwrap_or(libc::c_int::MAX)
}

/// Waiting with a limit in nanoseconds, on the systems that have the call.
#[cfg(any(target_os = "linux", target_os = "android"))]
mod exact {
    use std::io;
    use std::os::fd::{AsRawFd, OwnedFd};
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use super::{Events, check};

    /// Set once by the first refusal: neither the kernel nor a sandbox changes its mind later.
    /// Nothing else is published through it, so relaxed is enough.
    static REFUSED: AtomicBool = AtomicBool::new(false);

    /// The kernel's own time structure: 64 bits on every machine, unlike the C library's.
    #[repr(C)]
    struct KernelTimespec {
        seconds: i64,
        nanoseconds: i64,
    }

    /// `None` where the call is not to be had.
    pub(super) fn wait(
        epoll: &OwnedFd,
        events: &mut Events,
        limit: Duration,
    ) -> Option<io::Result<usize>> {
        if REFUSED.load(Ordering::Relaxed) {
            return None;
        }
        let limit = KernelTimespec {
            // The kernel itself cuts what its clock cannot hold.
            seconds: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX),
            nanoseconds: i64::from(limit.subsec_nanos()),
        };
        // By number, since not every C library we run on has a function for it.
        // SAFETY: the buffer is borrowed mutably for the call and its true length is passed; the limit
        // outlives the call; a null signal mask (of size 0) leaves the mask alone.
        let found = check(unsafe {
            libc::syscall(
                libc::SYS_epoll_pwait2,
                epoll.as_raw_fd(),
                events.buffer.as_mut_ptr(),
                events.capacity(),
                &raw const limit,
                std::ptr::null::<libc::sigset_t>(),
                0_usize,
            )
        });
        match found {
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM)) => {
                REFUSED.store(true, Ordering::Relaxed);
                None
            }
            found => Some(found.map(|found| usize::try_from(found).unwrap_or(0))),
        }
    }
}

/// There is no such call here.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod exact {
    use std::io;
    use std::os::fd::OwnedFd;
    use std::time::Duration;

    use super::Events;

    pub(super) fn wait(_: &OwnedFd, _: &mut Events, _: Duration) -> Option<io::Result<usize>> {
        None
    }
}

/// The buffer a wait fills. All of it is initialised, the first `found` entries mean something.
pub(crate) struct Events {
    buffer: Box<[libc::epoll_event]>,
    found: usize,
}

impl Events {
    /// Room for `capacity` events of one wait, one at least.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        let empty = libc::epoll_event { events: 0, u64: 0 };
        Self {
            buffer: vec![empty; capacity.max(1)].into_boxed_slice(),
            found: 0,
        }
    }

    /// What the last wait found.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Event> + '_ {
        self.buffer.iter().take(self.found).map(|event| Event {
            token: event.u64,
            readable: event.events & READABLE != 0,
            writable: event.events & WRITABLE != 0,
            closed: event.events & CLOSED != 0,
        })
    }

    fn capacity(&self) -> libc::c_int {
        libc::c_int::try_from(self.buffer.len()).unwrap_or(libc::c_int::MAX)
    }
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// An `eventfd` in the selector's set.
///
/// It is registered edge-triggered: each write is an edge, whatever the counter says, so nobody
/// needs to read it, and a wake costs one system call less. What it was for is remembered by whoever
/// wakes, as the contract asks.
#[derive(Debug)]
pub(crate) struct Waker {
    counter: OwnedFd,
}

impl Waker {
    pub(crate) fn new(selector: &Selector, token: u64) -> io::Result<Self> {
        // SAFETY: no pointer is passed.
        let counter = check(unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) })?;
        // SAFETY: the kernel just made this descriptor for us, so nobody else owns it.
        let counter = unsafe { OwnedFd::from_raw_fd(counter) };
        selector.add(
            counter.as_fd(),
            bits(libc::EPOLLIN) | bits(libc::EPOLLET),
            token,
        )?;
        Ok(Self { counter })
    }

    pub(crate) fn wake(&self) -> io::Result<()> {
        match self.count_up() {
            // Full, after some 10^19 wakes: empty, it takes the next.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.empty()?;
                self.count_up()
            }
            result => result,
        }
    }

    fn count_up(&self) -> io::Result<()> {
        let one = 1_u64.to_ne_bytes();
        // SAFETY: the eight bytes outlive the call.
        let written = retry(|| unsafe {
            libc::write(self.counter.as_raw_fd(), one.as_ptr().cast(), one.len())
        });
        written.map(drop)
    }

    #[cold]
    fn empty(&self) -> io::Result<()> {
        let mut count = [0_u8; 8];
        // SAFETY: the eight bytes are ours to write for the length of the call.
        let read = retry(|| unsafe {
            libc::read(
                self.counter.as_raw_fd(),
                count.as_mut_ptr().cast(),
                count.len(),
            )
        });
        match read {
            // Another thread was faster.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            read => read.map(drop),
        }
    }

    /// An edge is over when it was reported.
    #[expect(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "other backends have something to do"
    )]
    pub(crate) fn reset(&self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Events, Selector, milliseconds_rounded_up};

    #[test]
    fn milliseconds_are_rounded_up_and_cut_to_what_fits() {
        assert_eq!(milliseconds_rounded_up(Duration::from_nanos(1)), 1);
        assert_eq!(milliseconds_rounded_up(Duration::from_millis(1)), 1);
        assert_eq!(milliseconds_rounded_up(Duration::from_nanos(1_000_001)), 2);
        assert_eq!(milliseconds_rounded_up(Duration::MAX), libc::c_int::MAX);
    }
    #[test]
    fn without_the_exact_call_a_wait_is_longer_and_never_shorter() {
        let selector = Selector::new().unwrap();
        let mut events = Events::with_capacity(1);
        for micros in [1, 999, 1_001, 2_500] {
            let limit = Duration::from_micros(micros);
            let begin = Instant::now();
            let found = selector.wait_milliseconds(&mut events, milliseconds_rounded_up(limit));
            assert_eq!(found.unwrap(), 0);
            assert!(begin.elapsed() >= limit);
        }
    }
}
