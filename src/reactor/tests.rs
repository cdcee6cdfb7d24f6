//! The reactor on real sockets: edges, ends, numbers used again, wakes.

use std::cell::{Cell, RefCell};
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::{Reactor, SlotKey};

const LOOK: Option<Duration> = Some(Duration::ZERO);
const LONG: Option<Duration> = Some(Duration::from_secs(20));

/// Slots in which a name is written where tasks would wait.
type Named = Reactor<Cell<u32>>;

/// What a wait reported of one slot: its name, readable, writable.
type Seen = (u32, bool, bool);

/// One wait, with the two directions of one descriptor put together (kqueue tells them apart).
fn wait(reactor: &Named, timeout: Option<Duration>) -> Vec<Seen> {
    let mut seen: Vec<Seen> = Vec::new();
    reactor
        .wait(timeout, |ready| {
            let name = ready.slot.readers.get();
            match seen.iter_mut().find(|(other, _, _)| *other == name) {
                Some((_, readable, writable)) => {
                    *readable |= ready.readable;
                    *writable |= ready.writable;
                }
                None => seen.push((name, ready.readable, ready.writable)),
            }
        })
        .unwrap();
    seen
}

fn registered(reactor: &Named, name: u32) -> (SlotKey, UnixStream, UnixStream) {
    let (near, far) = UnixStream::pair().unwrap();
    near.set_nonblocking(true).unwrap();
    let key = reactor.register(near.as_fd()).unwrap();
    reactor.slot(key).unwrap().readers.set(name);
    (key, near, far)
}

fn deregister(reactor: &Named, key: SlotKey, stream: UnixStream) {
    reactor.selector().deregister(stream.as_fd()).unwrap();
    drop(stream);
    reactor.release(key);
}

#[test]
fn edges_are_told_once_and_clear_the_note_of_a_drained_descriptor() {
    let reactor = Named::new().unwrap();
    let (key, near, mut far) = registered(&reactor, 1);
    assert_eq!(reactor.len(), 1);
    assert_eq!(wait(&reactor, LOOK), [(1, false, true)]);
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
    assert!(!slot.is_drained());
    deregister(&reactor, key, near);
    assert_eq!(reactor.len(), 0);
}

#[test]
fn the_end_that_came_with_data_is_remembered() {
    let reactor = Named::new().unwrap();
    let (key, mut near, mut far) = registered(&reactor, 1);
    far.write_all(b"bye").unwrap();
    drop(far);
    assert!(wait(&reactor, LONG)[0].1);
    assert_eq!(near.read(&mut [0; 8]).unwrap(), 3);
    // A short read: with a living peer that would mean drained.
    let slot = reactor.slot(key).unwrap();
    slot.mark_drained();
    assert!(!slot.is_drained(), "the end is still to be read");
    assert_eq!(wait(&reactor, LOOK), [], "no second edge comes");
    assert_eq!(near.read(&mut [0; 8]).unwrap(), 0);
}

#[test]
fn a_key_of_the_past_neither_finds_nor_frees() {
    let reactor = Named::new().unwrap();
    let (old, near, _far) = registered(&reactor, 1);
    deregister(&reactor, old, near);
    let (new, _near, _far) = registered(&reactor, 2);
    assert_ne!(old, new);
    assert!(reactor.slot(old).is_none());
    reactor.release(old);
    assert_eq!(reactor.len(), 1);
    assert_eq!(wait(&reactor, LOOK), [(2, false, true)]);
}

#[test]
fn an_event_on_its_way_does_not_wake_the_next_tenant() {
    let reactor = Named::new().unwrap();
    // All are writable at once, so one wait fetches all their events.
    let streams = RefCell::new((0..4).map(|_| registered(&reactor, 1)).collect::<Vec<_>>());
    let mut calls = 0;
    reactor
        .wait(LOOK, |_| {
            calls += 1;
            if calls > 1 {
                return;
            }
            // The first call closes all, and opens as many again: in the same slots, and under the
            // same numbers unless another test was faster.
            for (key, near, far) in streams.take() {
                deregister(&reactor, key, near);
                drop(far);
            }
            streams.replace((0..4).map(|_| registered(&reactor, 2)).collect());
        })
        .unwrap();
    assert_eq!(
        calls, 1,
        "the other events were of descriptors that are gone"
    );
    assert_eq!(reactor.len(), 4);
    assert_eq!(
        wait(&reactor, LOOK),
        [(2, false, true)],
        "the new ones have their own"
    );
}

#[test]
fn a_duplicate_that_lives_on_makes_no_events_after_deregistering() {
    let reactor = Named::new().unwrap();
    let (key, near, mut far) = registered(&reactor, 1);
    let duplicate = near.try_clone().unwrap();
    deregister(&reactor, key, near);
    far.write_all(b"x").unwrap();
    assert_eq!(wait(&reactor, LOOK), []);
    drop(duplicate);
}

#[test]
fn a_descriptor_dropped_in_another_thread_is_silent_before_its_slot_is_free() {
    let reactor = Named::new().unwrap();
    let (key, near, _far) = registered(&reactor, 1);
    let selector = reactor.selector();
    thread::spawn(move || selector.deregister(near.as_fd()).unwrap())
        .join()
        .unwrap();
    assert_eq!(wait(&reactor, LOOK), []);
    assert_eq!(reactor.len(), 1);
    reactor.release(key);
    assert_eq!(reactor.len(), 0);
}

#[test]
fn a_failed_registration_leaves_no_slot() {
    let reactor = Named::new().unwrap();
    // kqueue takes files of a disk, epoll refuses them; a second registration only epoll refuses.
    let (key, near, _far) = registered(&reactor, 1);
    if cfg!(reactor = "epoll") {
        assert!(reactor.register(near.as_fd()).is_err());
    }
    assert_eq!(reactor.len(), 1);
    deregister(&reactor, key, near);
    assert_eq!(reactor.len(), 0);
}

#[test]
fn wakes_from_other_threads_are_reported_and_are_one() {
    let reactor = Named::new().unwrap();
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
    let reactor = Named::new().unwrap();
    let limit = Duration::from_micros(700);
    let begin = Instant::now();
    assert_eq!(wait(&reactor, Some(limit)), []);
    assert!(begin.elapsed() >= limit);
}

#[test]
fn another_loop_can_watch_a_reactor() {
    let (inner, outer) = (Named::new().unwrap(), Named::new().unwrap());
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
