//! Items whose comparison does what it should not: panics, uses the queue, or waits.
//! Whatever it does, no item is lost.

use std::cell::{Cell, RefCell};
use std::cmp::Ordering;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use greenroom::sync::{Priority, Queue, TrySendError};
use greenroom::{spawn, yield_now};

use crate::support::{on_virtual, quiet_panic, text_of};

thread_local! {
    /// What each comparison does first.
    static FIRST: RefCell<Option<Rc<dyn Fn()>>> = const { RefCell::new(None) };
}

/// Sets what each comparison does first, until it is dropped.
struct Mischief;

impl Mischief {
    fn new(first: impl Fn() + 'static) -> Self {
        FIRST.set(Some(Rc::new(first)));
        Self
    }
}

impl Drop for Mischief {
    fn drop(&mut self) {
        FIRST.set(None);
    }
}

#[derive(Debug)]
struct Item(u32);

impl PartialEq for Item {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Item {}

impl PartialOrd for Item {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Item {
    fn cmp(&self, other: &Self) -> Ordering {
        let first = FIRST.with_borrow(Clone::clone);
        if let Some(first) = first {
            first();
        }
        self.0.cmp(&other.0)
    }
}

fn filled(count: u32) -> Rc<Queue<Item, Priority>> {
    let queue = Rc::new(Queue::priority(usize::MAX));
    // Up and down.
    (0..count).for_each(|n| queue.try_push(Item(n * 7 % count)).unwrap());
    queue
}

#[track_caller]
fn assert_holds(queue: &Queue<Item, Priority>, count: u32) {
    assert_eq!(queue.len(), usize::try_from(count).unwrap());
    let left: Vec<_> = queue
        .shutdown_now()
        .into_iter()
        .map(|item| item.0)
        .collect();
    assert!(left.into_iter().eq((0..count).rev()));
}

/// A comparison panics, the n-th of all, for every n there is.
#[test]
fn one_that_panics_loses_nothing() {
    for nth in 0.. {
        let queue = filled(15);
        let calls = Rc::new(Cell::new(0));
        let counted = Rc::clone(&calls);
        let mischief = Mischief::new(move || {
            counted.set(counted.get() + 1);
            if counted.get() == nth + 1 {
                quiet_panic("no");
            }
        });
        let mut popped = 0;
        let panicked = loop {
            match catch_unwind(AssertUnwindSafe(|| queue.try_pop())) {
                Ok(Ok(item)) => {
                    popped += 1;
                    assert_eq!(item.0, 15 - popped);
                }
                Ok(Err(_)) => break false,
                Err(_) => break true,
            }
        };
        drop(mischief);
        if !panicked {
            assert!(nth > 30, "only {nth} comparisons");
            return;
        }
        assert_holds(&queue, 15 - popped);
    }
}

/// Also where somebody waits for the room: neither the item that would come out nor the
/// one that would come in is lost.
#[test]
fn one_that_panics_while_others_wait_for_room() {
    on_virtual(|| {
        let queue = Rc::new(Queue::priority(2));
        queue.push(Item(1)).unwrap();
        queue.push(Item(2)).unwrap();
        let pusher = spawn({
            let queue = Rc::clone(&queue);
            move || queue.push(Item(3)).is_ok()
        });
        yield_now();
        let mischief = Mischief::new(|| quiet_panic("no"));
        assert!(catch_unwind(AssertUnwindSafe(|| queue.pop())).is_err());
        assert!(catch_unwind(AssertUnwindSafe(|| queue.try_pop())).is_err());
        yield_now();
        assert!(!pusher.is_finished());
        assert_eq!((queue.len(), queue.unfinished()), (2, 2));
        drop(mischief);
        assert_eq!(queue.pop().unwrap().0, 2);
        assert!(pusher.join().unwrap());
        assert_eq!(queue.pop().unwrap().0, 3);
        assert_eq!(queue.pop().unwrap().0, 1);
    });
}

/// A comparison may push and look; it may not take.
#[test]
fn one_that_uses_the_queue() {
    let queue = filled(6);
    let inside = Rc::clone(&queue);
    let pushed = Rc::new(Cell::new(0));
    let count = Rc::clone(&pushed);
    let mischief = Mischief::new(move || {
        assert!(inside.len() >= 6 && !inside.is_empty() && !inside.is_full());
        if count.get() < 3 {
            inside.try_push(Item(6 + count.get())).unwrap();
            count.set(count.get() + 1);
        }
    });
    assert_eq!(queue.try_pop().unwrap().0, 5, "the others came after");
    drop(mischief);
    assert_eq!(pushed.get(), 3);
    queue.try_push(Item(5)).unwrap();
    assert_holds(&queue, 9);

    let queue = filled(6);
    let inside = Rc::clone(&queue);
    let mischief = Mischief::new(move || drop(inside.try_pop()));
    let caught = catch_unwind(AssertUnwindSafe(|| queue.try_pop())).unwrap_err();
    assert_eq!(
        text_of(&*caught),
        "comparing two items of a queue must not take one out of it"
    );
    drop(mischief);
    assert_holds(&queue, 6);

    let queue = filled(6);
    let inside = Rc::clone(&queue);
    let mischief = Mischief::new(move || inside.shutdown());
    assert_eq!(queue.try_pop().unwrap().0, 5);
    drop(mischief);
    assert!(matches!(
        queue.try_push(Item(9)),
        Err(TrySendError::Disconnected(Item(9)))
    ));
    assert_holds(&queue, 5);
}

/// A comparison that would let others run panics, so nobody ever meets a queue in the
/// middle of one.
#[test]
fn one_that_waits() {
    on_virtual(|| {
        let queue = filled(6);
        let mischief = Mischief::new(yield_now);
        let caught = catch_unwind(AssertUnwindSafe(|| queue.try_pop())).unwrap_err();
        let text = text_of(&*caught);
        assert!(text.contains("would let other tasks run"), "{text}");
        drop(mischief);
        assert_holds(&queue, 6);
    });
}

/// An order that is none: nothing is lost, nothing is promised of the order.
#[test]
fn one_that_lies() {
    #[derive(Debug, PartialEq, Eq)]
    struct Liar(u32);
    thread_local!(static STATE: Cell<u32> = const { Cell::new(1) });
    impl PartialOrd for Liar {
        fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
            Some(self.cmp(other))
        }
    }
    impl Ord for Liar {
        fn cmp(&self, _other: &Self) -> Ordering {
            let state = STATE
                .get()
                .wrapping_mul(1_664_525)
                .wrapping_add(1_013_904_223);
            STATE.set(state);
            (state >> 16).cmp(&0x8000)
        }
    }
    for count in 0..60 {
        let queue = Queue::priority(usize::MAX);
        (0..count).for_each(|n| queue.try_push(Liar(n)).unwrap());
        let mut all: Vec<_> = queue
            .shutdown_now()
            .into_iter()
            .map(|item| item.0)
            .collect();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..count));
    }
}
