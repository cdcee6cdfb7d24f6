//! The contract of `selector.rs`, tried on the backend of this system with real descriptors.
#![expect(
    unsafe_code,
    reason = "std cannot make a pipe on the oldest supported compiler"
)]

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::super::check::interrupts::interrupting;
use super::{Event, Events, Selector, Waker};

const TOKEN: u64 = 0xdead_beef_0000_0001;
const WAKER: u64 = u64::MAX;
const LOOK: Option<Duration> = Some(Duration::ZERO);
const LONG: Option<Duration> = Some(Duration::from_secs(20));

/// What one wait reports, with the two directions of one token put together.
fn wait(selector: &Selector, timeout: Option<Duration>) -> Vec<Event> {
    let mut events = Events::with_capacity(8);
    selector.wait(&mut events, timeout).unwrap();
    let mut merged: Vec<Event> = Vec::new();
    for event in events.iter() {
        match merged.iter_mut().find(|other| other.token == event.token) {
            Some(other) => {
                other.readable |= event.readable;
                other.writable |= event.writable;
                other.closed |= event.closed;
            }
            None => merged.push(event),
        }
    }
    merged
}

fn event(readable: bool, writable: bool, closed: bool) -> Event {
    Event {
        token: TOKEN,
        readable,
        writable,
        closed,
    }
}

fn nonblocking_pair() -> (UnixStream, UnixStream) {
    let (near, far) = UnixStream::pair().unwrap();
    near.set_nonblocking(true).unwrap();
    far.set_nonblocking(true).unwrap();
    (near, far)
}

fn pipe() -> (OwnedFd, OwnedFd) {
    let mut ends = [0; 2];
    // SAFETY: the array has room for the two descriptors.
    assert_eq!(unsafe { libc::pipe(ends.as_mut_ptr()) }, 0);
    // SAFETY: the kernel just made this descriptor for us, so nobody else owns it.
    let read = unsafe { OwnedFd::from_raw_fd(ends[0]) };
    // SAFETY: the kernel just made this descriptor for us, so nobody else owns it.
    let write = unsafe { OwnedFd::from_raw_fd(ends[1]) };
    (read, write)
}

#[test]
fn what_is_ready_already_is_reported_once() {
    let selector = Selector::new().unwrap();
    let (near, _far) = nonblocking_pair();
    assert_eq!(wait(&selector, LOOK), []);
    selector.register(near.as_fd(), TOKEN).unwrap();
    assert_eq!(wait(&selector, LOOK), [event(false, true, false)]);
    assert_eq!(wait(&selector, LOOK), []);
}

#[test]
fn each_arrival_is_an_edge_even_if_nobody_read_the_last_one() {
    let selector = Selector::new().unwrap();
    let (near, mut far) = nonblocking_pair();
    selector.register(near.as_fd(), TOKEN).unwrap();
    wait(&selector, LOOK);
    for _ in 0..3 {
        far.write_all(b"x").unwrap();
        let found = wait(&selector, LONG);
        assert_eq!(found.len(), 1);
        assert!(found[0].readable && !found[0].closed);
        assert_eq!(wait(&selector, LOOK), []);
    }
}

#[test]
fn new_room_is_an_edge() {
    let selector = Selector::new().unwrap();
    let (mut near, mut far) = nonblocking_pair();
    selector.register(near.as_fd(), TOKEN).unwrap();
    wait(&selector, LOOK);
    let block = [0; 4096];
    while near.write(&block).is_ok() {}
    assert_eq!(wait(&selector, LOOK), []);
    let mut sink = [0; 4096];
    while far.read(&mut sink).is_ok() {}
    let found = wait(&selector, LONG);
    assert_eq!(found.len(), 1);
    assert!(found[0].writable);
}

#[test]
fn data_and_end_may_come_as_one_edge_and_it_says_closed() {
    let selector = Selector::new().unwrap();
    let (mut near, mut far) = nonblocking_pair();
    selector.register(near.as_fd(), TOKEN).unwrap();
    wait(&selector, LOOK);
    far.write_all(b"last words").unwrap();
    far.shutdown(std::net::Shutdown::Write).unwrap();
    let found = wait(&selector, LONG);
    assert_eq!(found.len(), 1);
    assert!(found[0].readable && found[0].closed);
    // A short read, and no edge is left to tell of the end.
    assert_eq!(near.read(&mut [0; 64]).unwrap(), 10);
    assert_eq!(wait(&selector, LOOK), []);
    assert_eq!(near.read(&mut [0; 64]).unwrap(), 0);
}

#[test]
fn a_peer_that_is_gone_is_reported_in_both_directions() {
    let selector = Selector::new().unwrap();
    let (near, far) = nonblocking_pair();
    selector.register(near.as_fd(), TOKEN).unwrap();
    wait(&selector, LOOK);
    drop(far);
    assert_eq!(wait(&selector, LONG), [event(true, true, true)]);
}

#[test]
fn deregistered_means_silent_and_twice_is_fine() {
    let selector = Selector::new().unwrap();
    let (near, mut far) = nonblocking_pair();
    selector.deregister(near.as_fd()).unwrap();
    selector.register(near.as_fd(), TOKEN).unwrap();
    far.write_all(b"x").unwrap();
    selector.deregister(near.as_fd()).unwrap();
    selector.deregister(near.as_fd()).unwrap();
    assert_eq!(wait(&selector, LOOK), []);
    selector.register(near.as_fd(), TOKEN).unwrap();
    assert_eq!(wait(&selector, LOOK), [event(true, true, false)]);
}

#[test]
fn the_ends_of_a_pipe_have_one_direction_each() {
    let selector = Selector::new().unwrap();
    let (read, write) = pipe();
    selector.register(read.as_fd(), TOKEN).unwrap();
    assert_eq!(wait(&selector, LOOK), []);
    selector.register(write.as_fd(), 2).unwrap();
    let found = wait(&selector, LOOK);
    assert!(found.iter().any(|event| event.token == 2 && event.writable));
    drop(write);
    let found = wait(&selector, LONG);
    assert!(
        found
            .iter()
            .any(|event| event.token == TOKEN && event.readable && event.closed)
    );
}

#[cfg(reactor = "epoll")]
#[test]
fn a_second_registration_and_a_file_on_disk_are_refused() {
    let selector = Selector::new().unwrap();
    let (near, _far) = nonblocking_pair();
    selector.register(near.as_fd(), TOKEN).unwrap();
    let again = selector.register(near.as_fd(), 2).unwrap_err();
    assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
    let file = std::fs::File::open("/proc/self/exe").unwrap();
    let refused = selector.register(file.as_fd(), TOKEN).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
}

#[test]
fn what_does_not_fit_comes_with_the_next_wait() {
    let selector = Selector::new().unwrap();
    let pairs: Vec<_> = (0..5).map(|_| nonblocking_pair()).collect();
    for (token, (near, _)) in (0..).zip(&pairs) {
        selector.register(near.as_fd(), token).unwrap();
    }
    let mut seen = [0; 5];
    let mut events = Events::with_capacity(2);
    for _ in 0..3 {
        selector.wait(&mut events, LOOK).unwrap();
        assert!(events.iter().count() <= 2);
        for event in events.iter() {
            seen[usize::try_from(event.token).unwrap()] += 1;
        }
    }
    assert_eq!(seen, [1; 5]);
}

#[test]
fn a_wake_before_the_wait_is_kept_and_many_are_one() {
    let selector = Selector::new().unwrap();
    let waker = Waker::new(&selector, WAKER).unwrap();
    for _ in 0..1_000 {
        waker.wake().unwrap();
    }
    let found = wait(&selector, None);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].token, found[0].readable), (WAKER, true));
    waker.reset().unwrap();
    assert_eq!(wait(&selector, LOOK), []);
    waker.reset().unwrap();
    waker.wake().unwrap();
    assert_eq!(wait(&selector, LOOK).len(), 1);
}

#[test]
fn a_wake_from_another_thread_ends_the_longest_wait() {
    for longest in [
        None,
        Some(Duration::MAX),
        Some(Duration::from_secs(u64::MAX / 4)),
    ] {
        let selector = Selector::new().unwrap();
        let waker = Arc::new(Waker::new(&selector, WAKER).unwrap());
        let thread = thread::spawn({
            let waker = Arc::clone(&waker);
            move || {
                super::super::clock::sleep_nanos(2_000_000);
                waker.wake().unwrap();
            }
        });
        while wait(&selector, longest).is_empty() {}
        thread.join().unwrap();
    }
}

#[test]
fn wakes_race_with_resets_and_none_is_lost() {
    const WAKES: usize = 10_000;
    let selector = Selector::new().unwrap();
    let waker = Arc::new(Waker::new(&selector, WAKER).unwrap());
    let (sender, inbox) = std::sync::mpsc::channel();
    let thread = thread::spawn({
        let waker = Arc::clone(&waker);
        move || {
            for number in 0..WAKES {
                sender.send(number).unwrap();
                waker.wake().unwrap();
            }
        }
    });
    let mut received = 0;
    while received < WAKES {
        assert!(!wait(&selector, LONG).is_empty(), "a wake was lost");
        waker.reset().unwrap();
        received += inbox.try_iter().count();
    }
    thread.join().unwrap();
}

#[test]
fn a_wait_is_never_too_short() {
    let selector = Selector::new().unwrap();
    for micros in [1, 50, 300, 999, 1_000, 1_001, 2_500] {
        let limit = Duration::from_micros(micros);
        let begin = Instant::now();
        assert_eq!(wait(&selector, Some(limit)), []);
        assert!(begin.elapsed() >= limit);
    }
}

#[test]
fn a_signal_ends_a_wait_with_nothing() {
    let selector = Selector::new().unwrap();
    let (found, signals) = interrupting(move || wait(&selector, None));
    assert_eq!(found, []);
    assert!(signals > 0);
}

#[test]
fn a_signal_does_not_stop_a_wake() {
    let selector = Selector::new().unwrap();
    let waker = Waker::new(&selector, WAKER).unwrap();
    let (found, _) = interrupting(move || {
        for _ in 0..20_000 {
            waker.wake().unwrap();
            waker.reset().unwrap();
        }
        waker.wake().unwrap();
        wait(&selector, None)
    });
    assert_eq!(found.len(), 1);
}

#[test]
fn one_selector_can_watch_another() {
    let (inner, outer) = (Selector::new().unwrap(), Selector::new().unwrap());
    let (near, _far) = nonblocking_pair();
    outer.register(inner.as_fd(), TOKEN).unwrap();
    assert_eq!(wait(&outer, LOOK), []);
    inner.register(near.as_fd(), 1).unwrap();
    let found = wait(&outer, LONG);
    assert!(found.len() == 1 && found[0].readable);
    assert_eq!(wait(&inner, LOOK).len(), 1);
}

#[test]
fn descriptors_are_closed_on_exec() {
    let selector = Selector::new().unwrap();
    // SAFETY: the descriptor is open, and this command takes nothing more.
    let flags = unsafe { libc::fcntl(selector.as_fd().as_raw_fd(), libc::F_GETFD) };
    assert_eq!(flags & libc::FD_CLOEXEC, libc::FD_CLOEXEC);
}
