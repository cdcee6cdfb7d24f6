//! Closures, clones and destructors that do what they should not: use the watch, wait,
//! panic.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use greenroom::sync::{RecvError, WatchReceiver, WatchSender, watch};
use greenroom::{run, scope, sleep, spawn, timeout, yield_now};

use crate::support::{on_virtual, quiet_panic};
use crate::{counted, number};

const MS: Duration = Duration::from_millis(1);

#[test]
fn a_modification_that_panics_changes_nothing() {
    let alive = Rc::new(Cell::new(0));
    let (sender, receiver) = watch(counted(5, &alive));
    let modified = catch_unwind(AssertUnwindSafe(|| {
        sender.send_modify(|value| {
            value.number = 6;
            quiet_panic("on purpose");
        });
    }));
    assert!(modified.is_err());
    assert!(!receiver.has_changed());
    assert_eq!((receiver.get().number, alive.get()), (5, 1));
    sender.send_modify(|value| value.number += 2);
    assert_eq!(receiver.get().number, 7);
}

/// It sees the old value until it returns, and then overwrites what was sent meanwhile.
#[test]
fn a_modification_may_use_its_watch() {
    let (sender, mut receiver) = watch(1);
    sender.send_modify(|value| {
        *value += 10;
        assert_eq!((*sender.get(), *receiver.get()), (1, 1));
        sender.send_modify(|value| *value += 100);
        assert_eq!(number(receiver.changed()), Ok(101));
        let late = sender.subscribe();
        assert!(!late.has_changed());
    });
    assert_eq!(number(receiver.changed()), Ok(11));
    assert_eq!(receiver.changed(), Err(RecvError::WouldBlock));
}

#[test]
fn a_modification_that_waits_is_in_nobodys_way() {
    on_virtual(|| {
        let (sender, mut receiver) = watch(1);
        scope(|s| {
            s.spawn(|| {
                sleep(MS);
                assert_eq!(*receiver.get(), 1);
                sender.send(2).unwrap();
                assert_eq!(number(receiver.changed()), Ok(2));
                assert_eq!(number(receiver.changed()), Ok(101));
            });
            sender.send_modify(|value| {
                sleep(2 * MS);
                *value += 100;
            });
        });
        let cut = timeout(MS, || sender.send_modify(|_| sleep(2 * MS)));
        assert!(cut.is_err());
        assert!(!receiver.has_changed(), "cut short, it has changed nothing");
    });
}

#[test]
fn a_predicate_that_panics_has_seen_nothing() {
    let (sender, mut receiver) = watch(1);
    sender.send(2).unwrap();
    let asked = catch_unwind(AssertUnwindSafe(|| {
        let _never = receiver.wait_for(|_| quiet_panic("on purpose"));
    }));
    assert!(asked.is_err());
    assert_eq!(number(receiver.changed()), Ok(2));
}

/// What it sends is asked about next; what it waits for is not lost.
#[test]
fn a_predicate_may_use_its_watch() {
    on_virtual(|| {
        let (sender, mut receiver) = watch(1);
        let asked = RefCell::new(Vec::new());
        let got = receiver.wait_for(|value| {
            asked.borrow_mut().push(*value);
            if *value < 4 {
                sender.send(value + 1).unwrap();
            }
            *value == 4
        });
        assert_eq!(number(got), Ok(4));
        assert_eq!(*asked.borrow(), [1, 2, 3, 4]);
        assert!(!receiver.has_changed());
        // Sent while it accepts the one before: not seen yet.
        let got = receiver.wait_for(|value| {
            sender.send(value + 1).unwrap();
            true
        });
        assert_eq!(number(got), Ok(4));
        assert_eq!(number(receiver.changed()), Ok(5));
        let slow = spawn(move || {
            number(receiver.wait_for(|value| {
                sleep(2 * MS);
                *value == 7
            }))
        });
        yield_now();
        sender.send(6).unwrap();
        sender.send(7).unwrap();
        assert_eq!(slow.join().unwrap(), Ok(7));
    });
}

/// A value whose destructor does something.
struct Actor(u32, Rc<dyn Fn(u32)>);

impl Drop for Actor {
    fn drop(&mut self) {
        (self.1)(self.0);
    }
}

/// The old value goes when the new one is there for all to see.
#[test]
fn a_destructor_may_use_its_watch() {
    let (sender, mut receiver) = watch(Actor(0, Rc::new(|_| {})));
    let (s, r) = (sender.clone(), receiver.clone());
    let within: RefCell<Option<(WatchSender<Actor>, WatchReceiver<Actor>)>> =
        RefCell::new(Some((s, r)));
    let deed = move |number| {
        let (s, mut r) = within.borrow_mut().take().unwrap();
        assert_eq!((number, s.get().0), (1, 2));
        assert_eq!(r.changed().unwrap().0, 2);
        assert!(s.send(Actor(3, Rc::new(|_| {}))).is_ok());
    };
    assert!(sender.send(Actor(1, Rc::new(deed))).is_ok());
    assert!(sender.send(Actor(2, Rc::new(|_| {}))).is_ok());
    assert_eq!(receiver.changed().unwrap().0, 3);
    assert_eq!(sender.receiver_count(), 1);
}

#[test]
fn a_destructor_that_panics_has_lost_nothing() {
    let armed = Rc::new(Cell::new(true));
    let trigger = Rc::clone(&armed);
    let bomb = Actor(
        1,
        Rc::new(move |_| {
            if trigger.take() {
                quiet_panic("on purpose");
            }
        }),
    );
    run(|| {
        let (sender, mut receiver) = watch(bomb);
        let waiter = spawn(move || receiver.changed().unwrap().0);
        yield_now();
        let sent = catch_unwind(AssertUnwindSafe(|| {
            sender.send(Actor(2, Rc::new(|_| {}))).is_ok()
        }));
        assert!(sent.is_err() && !armed.get());
        yield_now();
        assert!(waiter.is_finished(), "it was sent");
        assert_eq!(waiter.join().unwrap(), 2);
    });
}

/// A value that holds the ends of its own watch, and lets them go.
#[test]
fn a_value_may_hold_a_receiver_of_its_own_watch() {
    struct Knot(#[expect(dead_code, reason = "it is only held")] Option<WatchReceiver<Knot>>);
    let (sender, receiver) = watch(Knot(None));
    assert!(sender.send(Knot(Some(receiver.clone()))).is_ok());
    drop(receiver);
    assert_eq!(sender.receiver_count(), 1);
    assert!(sender.send(Knot(None)).is_ok());
    assert_eq!(sender.receiver_count(), 0);
}
