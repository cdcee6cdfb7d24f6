//! The reactor on real sockets: edges, ends, numbers used again, wakes.

use std::cell::RefCell;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::{Reactor, SlotKey};

const LOOK: Option<Duration> = Some(Duration::ZERO);
const LONG: Option<Duration> = Some(Duration::from_secs(20));

/// What a wait reported of one descriptor: its number, readable, writable.
type Seen = (RawFd, bool, bool);

/// One wait, with the two directions of one descriptor put together (kqueue tells them apart).
fn wait(reactor: &Reactor<()>, timeout: Option<Duration>) -> Vec<Seen> {
    let mut seen: Vec<Seen> = Vec::new();
    reactor
        .wait(timeout, |ready| {
            let number = ready.slot.number();
            match seen.iter_mut().find(|(other, _, _)| *other == number) {
                Some((_, readable, writable)) => {
                    *readable |= ready.readable;
                    *writable |= ready.writable;
                }
                None => seen.push((number, ready.readable, ready.writable)),
            }
        })
        .unwrap();
    seen
}

fn registered(reactor: &Reactor<()>) -> (SlotKey, UnixStream, UnixStream) {
    let (near, far) = UnixStream::pair().unwrap();
    near.set_nonblocking(true).unwrap();
    let key = reactor.register(near.as_fd()).unwrap();
    (key, near, far)
}

#[test]
fn edges_are_told_once_and_clear_the_note_of_a_drained_descriptor() {
    let reactor = Reactor::<()>::new().unwrap();
    let (key, near, mut far) = registered(&reactor);
    let number = near.as_raw_fd();
    assert_eq!(reactor.len(), 1);
    assert_eq!(wait(&reactor, LOOK), [(number, false, true)]);
    assert_eq!(wait(&reactor, LOOK), []);

    let slot = reactor.slot(key).unwrap();
    slot.mark_drained();
    far.write_all(b"x").unwrap();
    assert!(
        slot.is_drained(),
        "nothing is known before the kernel was asked"
    );
    let seen = wait(&reactor, LONG);
    assert!(seen.len() == 1 && seen[0].1);
    assert!(!slot.is_drained() && !slot.is_closed());
    reactor.deregister(key, near.as_fd()).unwrap();
    assert_eq!(reactor.len(), 0);
}

#[test]
fn the_end_that_came_with_data_is_remembered() {
    let reactor = Reactor::<()>::new().unwrap();
    let (key, mut near, mut far) = registered(&reactor);
    far.write_all(b"bye").unwrap();
    drop(far);
    assert!(wait(&reactor, LONG)[0].1);
    assert_eq!(near.read(&mut [0; 8]).unwrap(), 3);
    // A short read: with a living peer that would mean drained.
    let slot = reactor.slot(key).unwrap();
    slot.mark_drained();
    assert!(slot.is_closed() && !slot.is_drained());
    assert_eq!(wait(&reactor, LOOK), [], "no second edge comes");
    assert_eq!(near.read(&mut [0; 8]).unwrap(), 0);
}

#[test]
fn a_key_of_the_past_neither_finds_nor_removes() {
    let reactor = Reactor::<()>::new().unwrap();
    let (old, near, far) = registered(&reactor);
    let number = near.as_raw_fd();
    reactor.deregister(old, near.as_fd()).unwrap();
    drop((near, far));
    let (new, near, _far) = registered(&reactor);
    assert_ne!(old, new);
    assert!(reactor.slot(old).is_none());
    // Even for the same number, the registration of the new tenant stays.
    if near.as_raw_fd() == number {
        reactor.deregister(old, near.as_fd()).unwrap();
    }
    assert!(reactor.slot(new).is_some());
    assert_eq!(wait(&reactor, LOOK).len(), 1);
}

#[test]
fn an_event_on_its_way_does_not_wake_the_next_tenant() {
    let reactor = Reactor::<()>::new().unwrap();
    // All are writable at once, so one wait fetches all their events.
    let streams = RefCell::new(
        (0..4)
            .map(|_| Some(registered(&reactor)))
            .collect::<Vec<_>>(),
    );
    let replaced = RefCell::new(Vec::new());
    let mut calls = 0;
    reactor
        .wait(LOOK, |_| {
            calls += 1;
            if calls > 1 {
                return;
            }
            // The first call closes all, and opens as many on the same numbers and slots.
            for place in streams.borrow_mut().iter_mut() {
                let (key, near, far) = place.take().unwrap();
                reactor.deregister(key, near.as_fd()).unwrap();
                drop((near, far));
            }
            for _ in 0..4 {
                replaced.borrow_mut().push(registered(&reactor));
            }
        })
        .unwrap();
    assert_eq!(
        calls, 1,
        "the other events were for descriptors that are gone"
    );
    assert_eq!(reactor.len(), 4);
    assert_eq!(wait(&reactor, LOOK).len(), 4, "the new ones have their own");
}

#[test]
fn a_duplicate_that_lives_on_makes_no_events_after_deregistering() {
    let reactor = Reactor::<()>::new().unwrap();
    let (key, near, mut far) = registered(&reactor);
    let duplicate = near.try_clone().unwrap();
    reactor.deregister(key, near.as_fd()).unwrap();
    drop(near);
    far.write_all(b"x").unwrap();
    assert_eq!(wait(&reactor, LOOK), []);
    drop(duplicate);
}

#[test]
fn a_failed_registration_leaves_no_slot() {
    let reactor = Reactor::<()>::new().unwrap();
    // kqueue takes files of a disk, epoll refuses them; a second registration only epoll refuses.
    let (key, near, _far) = registered(&reactor);
    if cfg!(reactor = "epoll") {
        assert!(reactor.register(near.as_fd()).is_err());
    }
    assert_eq!(reactor.len(), 1);
    reactor.deregister(key, near.as_fd()).unwrap();
}

#[test]
fn wakes_from_other_threads_are_reported_and_are_one() {
    let reactor = Reactor::<()>::new().unwrap();
    let waker = reactor.waker();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let waker = Arc::clone(&waker);
            thread::spawn(move || {
                for _ in 0..100 {
                    waker.wake().unwrap();
                }
            })
        })
        .collect();
    // A signal to this thread could end a wait with nothing, hence the loop.
    while !reactor
        .wait(None, |_| panic!("nothing is registered"))
        .unwrap()
    {}
    for thread in threads {
        thread.join().unwrap();
    }
    // At most one more report for all that came since; then silence.
    reactor.wait(LOOK, |_| {}).unwrap();
    assert!(!reactor.wait(LOOK, |_| {}).unwrap());
}

#[test]
fn a_time_limit_is_not_too_short() {
    let reactor = Reactor::<()>::new().unwrap();
    let limit = Duration::from_micros(700);
    let begin = Instant::now();
    assert_eq!(wait(&reactor, Some(limit)), []);
    assert!(begin.elapsed() >= limit);
}

#[test]
fn another_loop_can_watch_a_reactor() {
    let (inner, outer) = (Reactor::<()>::new().unwrap(), Reactor::<()>::new().unwrap());
    outer.register(inner.as_fd()).unwrap();
    assert_eq!(wait(&outer, LOOK), []);
    inner.waker().wake().unwrap();
    assert_eq!(wait(&outer, LONG).len(), 1);
    assert!(inner.wait(LOOK, |_| {}).unwrap());
}

#[test]
fn waiters_of_a_slot_stay_where_they_are() {
    let reactor = Reactor::<RefCell<Vec<u32>>>::new().unwrap();
    let (near, _far) = UnixStream::pair().unwrap();
    let key = reactor.register(near.as_fd()).unwrap();
    reactor.slot(key).unwrap().writers.borrow_mut().push(7);
    let mut woken = Vec::new();
    reactor
        .wait(LOOK, |ready| {
            if ready.writable {
                woken.append(&mut ready.slot.writers.borrow_mut());
            }
        })
        .unwrap();
    assert_eq!(woken, [7]);
}
