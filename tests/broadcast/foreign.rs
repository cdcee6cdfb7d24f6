//! Values whose clones and destructors do what they should not: use the broadcast, wait,
//! panic.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use greenroom::sync::{
    BroadcastReceiver, BroadcastRecvError, BroadcastSender, BroadcastTryRecvError, broadcast,
};
use greenroom::{run, scope, sleep, spawn, timeout, yield_now};

use crate::support::{Log, OnDrop, on_virtual, quiet_panic};

const MS: Duration = Duration::from_millis(1);

type Deed = Rc<dyn Fn(u32)>;

/// A value that does something when it is cloned, and when it is dropped.
struct Actor {
    number: u32,
    on_clone: Deed,
    on_drop: Deed,
}

impl Clone for Actor {
    fn clone(&self) -> Self {
        (self.on_clone)(self.number);
        Self {
            number: self.number,
            on_clone: Rc::clone(&self.on_clone),
            on_drop: Rc::clone(&self.on_drop),
        }
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        (self.on_drop)(self.number);
    }
}

fn clones(number: u32, deed: impl Fn(u32) + 'static) -> Actor {
    Actor {
        number,
        on_clone: Rc::new(deed),
        on_drop: Rc::new(|_| {}),
    }
}

fn drops(number: u32, deed: impl Fn(u32) + 'static) -> Actor {
    Actor {
        number,
        on_clone: Rc::new(|_| {}),
        on_drop: Rc::new(deed),
    }
}

fn number(received: Result<Actor, BroadcastTryRecvError>) -> Result<u32, BroadcastTryRecvError> {
    received.map(|actor| actor.number)
}

/// A clone that sends and receives on its own broadcast, subscribes, and lets others go.
#[test]
fn a_clone_may_use_its_broadcast() {
    let (sender, mut receiver) = broadcast(2);
    let mut other = receiver.clone();
    let inner: Rc<RefCell<Option<BroadcastReceiver<Actor>>>> = Rc::default();
    *inner.borrow_mut() = Some(receiver.clone());
    let (s, deeds) = (sender.clone(), Rc::new(Cell::new(0)));
    let (within, count) = (Rc::clone(&inner), Rc::clone(&deeds));
    let deed = move |number| {
        count.set(count.get() + 1);
        if number == 0 {
            // Pushes the very value that is being cloned out of the ring.
            for n in 1..4 {
                assert!(s.send(clones(n, |_| {})).is_ok());
            }
            let mut late = s.subscribe();
            assert_eq!(number_of(&mut late), Err(BroadcastTryRecvError::Empty));
            let mut taken = within.borrow_mut().take().unwrap();
            assert_eq!(number_of(&mut taken), Err(BroadcastTryRecvError::Lagged(2)));
            assert_eq!(number_of(&mut taken), Ok(2));
        }
    };
    assert!(sender.send(clones(0, deed)).is_ok());
    assert_eq!(number(receiver.try_recv()), Ok(0), "it has it all the same");
    assert_eq!(deeds.get(), 1);
    // Of 1, 2, 3 there is room for two.
    assert_eq!(
        number(receiver.try_recv()),
        Err(BroadcastTryRecvError::Lagged(1))
    );
    assert_eq!(number(receiver.try_recv()), Ok(2));
    assert_eq!(number(receiver.try_recv()), Ok(3));
    assert_eq!(
        number(receiver.try_recv()),
        Err(BroadcastTryRecvError::Empty)
    );
    assert_eq!(
        number(other.try_recv()),
        Err(BroadcastTryRecvError::Lagged(2))
    );
    assert_eq!(number(other.try_recv()), Ok(2));
    assert_eq!((sender.len(), sender.receiver_count()), (1, 2));
}

fn number_of(receiver: &mut BroadcastReceiver<Actor>) -> Result<u32, BroadcastTryRecvError> {
    number(receiver.try_recv())
}

/// While one clones, the others see the value and leave it; the one who clones is the
/// last then.
#[test]
fn others_may_see_the_value_while_it_is_cloned() {
    on_virtual(|| {
        let alive = Rc::new(Cell::new(0));
        let (sender, receiver) = broadcast(2);
        let count = Rc::clone(&alive);
        let value = Actor {
            number: 7,
            on_clone: Rc::new({
                let alive = Rc::clone(&alive);
                move |_| {
                    alive.set(alive.get() + 1);
                    sleep(MS);
                }
            }),
            on_drop: Rc::new(move |_| count.set(count.get() - 1)),
        };
        alive.set(1);
        let tasks: Vec<_> = (0..5)
            .map(|_| {
                let mut receiver = receiver.clone();
                spawn(move || receiver.recv().map(|actor: Actor| actor.number))
            })
            .collect();
        drop(receiver);
        yield_now();
        assert_eq!(sender.send(value).ok(), Some(5));
        for task in tasks {
            assert_eq!(task.join().unwrap(), Ok(7));
        }
        assert_eq!((alive.get(), sender.len()), (0, 0));
    });
}

/// It counts as not received: the same receiver tries again, and the others have theirs.
#[test]
fn a_clone_that_panics_has_taken_nothing() {
    let (sender, mut receiver) = broadcast(4);
    let mut other = receiver.clone();
    let fails = Rc::new(Cell::new(2));
    let left = Rc::clone(&fails);
    let deed = move |_| {
        if left.get() > 0 {
            left.set(left.get() - 1);
            quiet_panic("on purpose");
        }
    };
    assert!(sender.send(clones(1, deed)).is_ok());
    assert!(sender.send(clones(2, |_| {})).is_ok());
    for _ in 0..2 {
        let cloned = catch_unwind(AssertUnwindSafe(|| receiver.try_recv().is_ok()));
        assert!(cloned.is_err());
        assert_eq!((receiver.len(), other.len(), sender.len()), (2, 2, 2));
    }
    assert_eq!(number_of(&mut receiver), Ok(1));
    assert_eq!(number_of(&mut receiver), Ok(2));
    fails.set(9);
    assert_eq!(number_of(&mut other), Ok(1), "the last clones nothing");
    assert_eq!(number_of(&mut other), Ok(2));
    assert_eq!(fails.get(), 9);
}

#[test]
fn a_clone_that_waits_and_is_cancelled_has_taken_nothing() {
    on_virtual(|| {
        let (sender, mut receiver) = broadcast(4);
        let _other = receiver.clone();
        assert!(sender.send(clones(1, |_| sleep(5 * MS))).is_ok());
        assert!(timeout(MS, || receiver.recv().is_ok()).is_err());
        assert_eq!(receiver.len(), 1);
        assert_eq!(receiver.recv().ok().map(|actor| actor.number), Some(1));
    });
}

/// The destructor of what was overwritten may send: what it sends comes after the new one.
#[test]
fn a_destructor_may_use_its_broadcast() {
    fn sends(sender: &BroadcastSender<Actor>, number: u32, left: u32) -> Actor {
        let s = sender.clone();
        drops(number, move |number| {
            assert!(s.len() <= 2 && s.capacity() == 2);
            if left > 0 && s.receiver_count() > 0 {
                let another = sends(&s, number + 10, left - 1);
                assert!(s.send(another).is_ok());
            }
        })
    }
    let (sender, mut receiver) = broadcast(2);
    assert!(sender.send(sends(&sender, 1, 1)).is_ok());
    assert!(sender.send(sends(&sender, 2, 0)).is_ok());
    assert!(sender.send(sends(&sender, 3, 0)).is_ok());
    // 1 went for 3; its destructor sent 11, and 2 went for that.
    assert_eq!(
        number_of(&mut receiver),
        Err(BroadcastTryRecvError::Lagged(2))
    );
    assert_eq!(number_of(&mut receiver), Ok(3));
    assert_eq!(number_of(&mut receiver), Ok(11));
    assert!(sender.send(sends(&sender, 4, 5)).is_ok());
    drop(receiver); // nobody is left to whom it could send
    assert_eq!((sender.len(), sender.receiver_count()), (0, 0));
}

#[test]
fn a_destructor_that_panics_has_lost_nothing() {
    run(|| {
        let log = Log::new();
        let (sender, mut slow) = broadcast(1);
        let (mut receiver, l) = (slow.clone(), log.clone());
        spawn(move || {
            let numbers = receiver.iter().flatten().map(|actor: Actor| actor.number);
            numbers.for_each(|number| l.add(number));
        });
        let armed = Rc::new(Cell::new(false));
        let trigger = Rc::clone(&armed);
        let bomb = drops(1, move |_| {
            if trigger.take() {
                quiet_panic("on purpose");
            }
        });
        yield_now();
        assert!(sender.send(bomb).is_ok());
        yield_now(); // one has seen it, and waits for more
        armed.set(true);
        let sent = catch_unwind(AssertUnwindSafe(|| sender.send(drops(2, |_| {})).is_ok()));
        assert!(sent.is_err() && !armed.get(), "the one that went for it");
        yield_now();
        assert_eq!(log.take(), [1, 2], "it was sent");
        assert_eq!(number_of(&mut slow), Err(BroadcastTryRecvError::Lagged(1)));
        assert_eq!(number_of(&mut slow), Ok(2));
    });
}

/// All are dropped, also those behind the one whose destructor panics.
#[test]
fn a_receiver_that_goes_drops_all_it_had_yet_to_see() {
    let dropped = Rc::new(Cell::new(0));
    let (sender, receiver) = broadcast(8);
    let mut other = sender.subscribe();
    for number in 0..5 {
        let count = Rc::clone(&dropped);
        let value = drops(number, move |number| {
            count.set(count.get() + 1);
            if number == 1 && !std::thread::panicking() {
                quiet_panic("on purpose");
            }
        });
        assert!(sender.send(value).is_ok());
    }
    for _ in 0..3 {
        let seen = catch_unwind(AssertUnwindSafe(|| drop(other.try_recv())));
        drop(seen);
    }
    dropped.set(0);
    let gone = catch_unwind(AssertUnwindSafe(move || drop(receiver)));
    assert!(gone.is_err());
    assert_eq!((dropped.get(), sender.len()), (3, 2));
    drop(other);
    assert_eq!((dropped.get(), sender.len()), (5, 0));
    assert!(sender.subscribe().is_empty());
}

/// Values that hold the ends of their own broadcast.
#[test]
fn a_value_may_hold_a_receiver_of_its_own_broadcast() {
    struct Knot(#[expect(dead_code, reason = "it is only held")] BroadcastReceiver<Knot>);
    let ends = OnDrop(|| {});
    let (sender, receiver) = broadcast::<Knot>(1);
    assert_eq!(sender.send(Knot(sender.subscribe())).ok(), Some(2));
    // The second pushes the first out, whose receiver goes.
    assert_eq!(sender.send(Knot(sender.subscribe())).ok(), Some(3));
    assert_eq!((sender.receiver_count(), sender.len()), (2, 1));
    sender.close();
    drop(receiver);
    // What is left holds itself; nobody else can reach it.
    assert_eq!(sender.receiver_count(), 1);
    drop((sender, ends));
}

/// A destructor that waits, of the value a receiver leaves behind.
#[test]
fn a_destructor_may_wait() {
    on_virtual(|| {
        let (sender, mut receiver) = broadcast(1);
        assert!(sender.send(drops(1, |_| sleep(5 * MS))).is_ok());
        scope(|s| {
            s.spawn(|| {
                yield_now();
                // Sent, and visible, before the destructor is done.
                assert_eq!(receiver.recv().err(), Some(BroadcastRecvError::Lagged(1)));
                assert_eq!(receiver.recv().ok().map(|actor| actor.number), Some(2));
            });
            assert!(sender.send(drops(2, |_| {})).is_ok());
        });
    });
}
