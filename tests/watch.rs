//! The promise: a watch shows the value there is, and tells every receiver of the last
//! change, if not of each; a look at the value is never in the way of anybody; nothing that
//! closures, predicates and destructors do can harm anybody else.

#![cfg(all(unix, feature = "sync", feature = "time"))]
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod support;

#[path = "watch/foreign.rs"]
mod foreign;
#[path = "watch/model.rs"]
mod model;
#[path = "watch/program.rs"]
mod program;
#[path = "watch/waiting.rs"]
mod waiting;

use std::cell::Cell;
use std::rc::Rc;

use greenroom::sync::{RecvError, SendError, watch};
use greenroom::{no_switch, run, spawn, yield_now};
use support::Log;

/// A number; how many such are alive is counted.
#[derive(Debug)]
struct Counted {
    number: u64,
    alive: Rc<Cell<usize>>,
}

fn counted(number: u64, alive: &Rc<Cell<usize>>) -> Counted {
    alive.set(alive.get() + 1);
    Counted {
        number,
        alive: Rc::clone(alive),
    }
}

impl Clone for Counted {
    fn clone(&self) -> Self {
        counted(self.number, &self.alive)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.alive.set(self.alive.get() - 1);
    }
}

fn number(result: Result<Rc<u32>, RecvError>) -> Result<u32, RecvError> {
    result.map(|value| *value)
}

#[test]
fn it_shows_the_value_there_is() {
    let (sender, receiver) = watch(1);
    let other = receiver.clone();
    for n in 2..10 {
        sender.send(n).unwrap();
        let all = [
            sender.get(),
            receiver.get(),
            other.get(),
            sender.subscribe().get(),
        ];
        assert!(all.iter().all(|value| **value == n));
    }
}

#[test]
fn the_first_value_counts_as_seen() {
    let (sender, mut receiver) = watch(1);
    assert!(!receiver.has_changed());
    assert_eq!(receiver.changed(), Err(RecvError::WouldBlock));
    sender.send(2).unwrap();
    assert!(receiver.has_changed());
    let late = sender.subscribe();
    assert!(!late.has_changed(), "it came after");
    assert_eq!(number(receiver.changed()), Ok(2));
    assert!(!receiver.has_changed());
}

#[test]
fn values_in_between_may_be_missed_the_last_never() {
    let log = Log::new();
    run(|| {
        let (sender, mut receiver) = watch(0);
        let l = log.clone();
        let watcher = spawn(move || {
            while let Ok(value) = receiver.changed() {
                l.add(*value);
            }
        });
        for n in 1..=30 {
            sender.send(n).unwrap();
            if n % 10 == 0 {
                yield_now();
            }
        }
        sender.send(31).unwrap();
        drop(sender);
        watcher.join().unwrap();
    });
    assert_eq!(log.take(), [10, 20, 30, 31]);
}

#[test]
fn a_change_to_the_same_value_is_one() {
    let (sender, mut receiver) = watch(1);
    sender.send(1).unwrap();
    assert_eq!(number(receiver.changed()), Ok(1));
    assert!(!sender.send_if_modified(|_| false));
    assert!(!receiver.has_changed());
}

#[test]
fn when_the_last_sender_goes_what_is_unseen_comes_first() {
    let (sender, mut receiver) = watch(1);
    let second = sender.clone();
    let mut other = receiver.clone();
    drop(sender);
    assert!(!receiver.is_closed());
    second.send(2).unwrap();
    assert_eq!(number(other.changed()), Ok(2));
    drop(second);
    assert!(receiver.is_closed() && other.is_closed());
    assert_eq!(number(receiver.changed()), Ok(2));
    for receiver in [&mut receiver, &mut other] {
        assert_eq!(receiver.changed(), Err(RecvError::Disconnected));
        assert_eq!(*receiver.get(), 2, "it can still be looked at");
        receiver.mark_changed();
        assert_eq!(number(receiver.changed()), Ok(2));
        assert_eq!(receiver.changed(), Err(RecvError::Disconnected));
    }
}

#[test]
fn without_receivers_the_value_comes_back() {
    let (sender, receiver) = watch(1);
    drop(receiver.clone());
    assert_eq!(sender.receiver_count(), 1);
    drop(receiver);
    assert_eq!(sender.receiver_count(), 0);
    assert_eq!(sender.send(2), Err(SendError::Disconnected(2)));
    assert_eq!(*sender.get(), 1, "the old one stays");
    assert_eq!(*sender.replace(3), 1);
    sender.send_modify(|value| *value += 1);
    let receiver = sender.subscribe();
    assert_eq!((*receiver.get(), receiver.has_changed()), (4, false));
    sender.send(5).unwrap();
    assert!(receiver.has_changed());
}

#[test]
fn each_receiver_has_a_mark_of_its_own() {
    let (sender, mut first) = watch(1);
    sender.send(2).unwrap();
    let mut second = first.clone();
    assert_eq!(number(first.changed()), Ok(2));
    assert!(!first.has_changed() && second.has_changed());
    let third = first.clone();
    assert!(!third.has_changed());
    second.mark_unchanged();
    assert_eq!(second.changed(), Err(RecvError::WouldBlock));
    second.mark_changed();
    assert!(second.has_changed() && !third.has_changed());
    let mut fourth = second.clone();
    assert_eq!(number(fourth.changed()), Ok(2));
    assert_eq!(number(second.changed()), Ok(2));
}

/// A look may be kept for as long as one likes.
#[test]
fn a_look_is_in_nobodys_way() {
    run(|| {
        let (sender, mut receiver) = watch(vec![0]);
        let looks: Vec<_> = (1..=5)
            .map(|n| {
                let look = receiver.get();
                let changes = sender.clone();
                spawn(move || changes.send_modify(|list| list.push(n)));
                assert_eq!(receiver.changed().unwrap().len(), n + 1);
                look
            })
            .collect();
        for (n, look) in looks.iter().enumerate() {
            assert!(look.iter().copied().eq(0..=n), "it stays what it was");
        }
    });
}

#[test]
fn values_nobody_looks_at_are_gone() {
    let alive = Rc::new(Cell::new(0));
    let (sender, mut receiver) = watch(counted(0, &alive));
    for n in 1..10 {
        sender.send(counted(n, &alive)).unwrap();
        assert_eq!(alive.get(), 1);
    }
    let look = receiver.changed().unwrap();
    sender.send_modify(|value| value.number += 1);
    assert_eq!((look.number, receiver.get().number), (9, 10));
    assert_eq!(alive.get(), 2);
    drop(look);
    let before = sender.replace(counted(11, &alive));
    assert_eq!((before.number, alive.get()), (10, 2));
    drop((before, sender));
    assert_eq!((receiver.get().number, alive.get()), (11, 1));
    drop(receiver);
    assert_eq!(alive.get(), 0);
}

#[test]
fn a_modification_that_is_none_changes_nothing() {
    let alive = Rc::new(Cell::new(0));
    let (sender, receiver) = watch(counted(5, &alive));
    let modified = sender.send_if_modified(|value| {
        value.number = 99;
        false
    });
    assert!(!modified && !receiver.has_changed());
    assert_eq!((receiver.get().number, alive.get()), (5, 1));
    let modified = sender.send_if_modified(|value| {
        value.number = 6;
        true
    });
    assert!(modified && receiver.has_changed());
    assert_eq!((receiver.get().number, alive.get()), (6, 1));
}

/// Woken in the order in which they came; sending lets nobody run.
#[test]
fn who_waits_is_woken_in_order() {
    let log = Log::new();
    run(|| {
        let (sender, receiver) = watch(0);
        let tasks: Vec<_> = (0..50)
            .map(|n| {
                let (mut receiver, log) = (receiver.clone(), log.clone());
                spawn(move || {
                    while let Ok(value) = receiver.changed() {
                        log.add((*value, n));
                    }
                })
            })
            .collect();
        yield_now();
        for value in 1..=3 {
            no_switch(|| sender.send(value).unwrap());
            assert_eq!(log.len(), (value - 1) * 50);
            yield_now();
        }
        drop(sender);
        tasks.into_iter().for_each(|task| task.join().unwrap());
    });
    let wanted = (1..=3).flat_map(|value| (0..50).map(move |n| (value, n)));
    assert_eq!(log.take(), wanted.collect::<Vec<_>>());
}

#[test]
fn it_waits_for_a_value_as_wanted() {
    run(|| {
        let (sender, mut receiver) = watch(4);
        let even = |value: &u32| value % 2 == 0;
        let got = no_switch(|| receiver.wait_for(even));
        assert_eq!(number(got), Ok(4), "the one there is, seen or not");
        sender.send(6).unwrap();
        assert_eq!(number(receiver.wait_for(even)), Ok(6));
        assert!(!receiver.has_changed(), "it counts as seen");
        let waiter = spawn(move || {
            let large = number(receiver.wait_for(|value| *value > 10));
            let never = receiver.wait_for(|value| *value > 100);
            (large, never, receiver.has_changed(), *receiver.get())
        });
        for n in [7, 9, 11, 13] {
            sender.send(n).unwrap();
            yield_now();
        }
        drop(sender);
        let got = waiter.join().unwrap();
        // What was only asked about does not count as seen.
        assert_eq!(got, (Ok(11), Err(RecvError::Disconnected), true, 13));
    });
}

#[test]
fn it_says_what_it_is() {
    let (sender, receiver) = watch(1);
    assert_eq!(
        format!("{sender:?} {receiver:?}"),
        "WatchSender { receivers: 1, .. } \
         WatchReceiver { has_changed: false, is_closed: false, .. }"
    );
}
