//! The promise: a body may capture, be sent, yield and return values of any size
//! and alignment that its stack holds, and yield from any depth.
//!
//! What happens at the limits is in `coroutine_limits.rs`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::cell::Cell;
use std::hint::black_box;
use std::rc::Rc;

use greenroom::CoroutineState::{Complete, Yielded};
use greenroom::{Coroutine, Status, Yielder};

// Captures and values of every size and alignment.

/// One with plenty of stack: builds without optimisation copy every value from
/// frame to frame, on its way to the body and back, some thirty times.
fn roomy<In: 'static, Out: 'static, Ret: 'static>(
    body: impl FnOnce(&Yielder<In, Out>, In) -> Ret + 'static,
) -> Coroutine<In, Out, Ret> {
    let builder = Coroutine::<In, Out, Ret>::builder().stack_size(4 * 1024 * 1024);
    builder.coroutine(body).unwrap()
}

fn captures_of<const SIZE: usize>() {
    let captured: [u8; SIZE] = std::array::from_fn(|i| u8::try_from(i % 251).unwrap());
    let dropped = Rc::new(());
    let held = Rc::clone(&dropped);
    let c = roomy(move |y: &Yielder<(), u64>, ()| {
        let _held = held;
        let sum = |bytes: &[u8]| bytes.iter().copied().map(u64::from).sum();
        y.yield_(sum(&captured));
        sum(black_box(&captured))
    });
    let sum: u64 = captured.iter().copied().map(u64::from).sum();
    assert_eq!(c.resume(()), Ok(Yielded(sum)), "{SIZE} bytes");
    assert_eq!(c.resume(()), Ok(Complete(sum)), "{SIZE} bytes");
    assert_eq!(Rc::strong_count(&dropped), 1);

    // Dropped unrun, they are dropped once all the same.
    let held = Rc::clone(&dropped);
    let unrun = roomy(move |_: &Yielder<(), ()>, ()| drop((held, captured)));
    assert_eq!(Rc::strong_count(&dropped), 2);
    drop(unrun);
    assert_eq!(Rc::strong_count(&dropped), 1);
}

#[test]
fn captures_may_have_any_size() {
    captures_of::<0>();
    captures_of::<1>();
    captures_of::<900>();
    captures_of::<1000>();
    captures_of::<1023>();
    captures_of::<1024>();
    captures_of::<1025>();
    captures_of::<5000>();
    captures_of::<16384>();
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(align(64))]
struct Align64(u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(align(4096))]
struct Align4096(u64);

trait Aligned: Copy + PartialEq + std::fmt::Debug + 'static {
    fn make(n: u64) -> Self;
}

impl Aligned for Align64 {
    fn make(n: u64) -> Self {
        Self(n)
    }
}

impl Aligned for Align4096 {
    fn make(n: u64) -> Self {
        Self(n)
    }
}

#[track_caller]
fn assert_aligned<T>(value: &T) {
    let address = std::ptr::from_ref(black_box(value)).addr();
    assert_eq!(address % align_of::<T>(), 0, "at {address:#x}");
}

fn aligned_captures<T: Aligned>() {
    let captured = T::make(7);
    let c = roomy(move |y: &Yielder<(), T>, ()| {
        assert_aligned(&captured);
        y.yield_(captured);
        assert_aligned(&captured);
        captured
    });
    assert_eq!(c.resume(()), Ok(Yielded(T::make(7))));
    assert_eq!(c.resume(()), Ok(Complete(T::make(7))));
}

fn aligned_values<T: Aligned>() {
    // Several at once: their stacks begin at different distances from a page.
    let all: Vec<_> = (0..40)
        .map(|_| {
            roomy(|y: &Yielder<T, T>, first| {
                assert_aligned(&first);
                let second = y.yield_(first);
                assert_aligned(&second);
                let third = y.try_yield(second).unwrap();
                assert_aligned(&third);
                third
            })
        })
        .collect();
    for (n, c) in (0u64..).zip(&all) {
        assert_eq!(c.resume(T::make(n)), Ok(Yielded(T::make(n))));
    }
    for (n, c) in (100u64..).zip(&all) {
        let Ok(Yielded(value)) = c.resume(T::make(n)) else {
            panic!("it yields twice");
        };
        assert_aligned(&value);
        assert_eq!(value, T::make(n));
    }
    for (n, c) in (200u64..).zip(&all) {
        let Ok(Complete(value)) = c.resume(T::make(n)) else {
            panic!("then it returns");
        };
        assert_aligned(&value);
        assert_eq!(value, T::make(n));
    }
}

#[test]
fn captures_may_have_any_alignment() {
    aligned_captures::<Align64>();
    aligned_captures::<Align4096>();
}

#[test]
fn values_sent_and_yielded_may_have_any_alignment() {
    aligned_values::<Align64>();
    aligned_values::<Align4096>();
}

#[test]
fn large_values_pass_both_ways() {
    const SIZE: usize = 8 * 1024;
    let c = roomy(|y: &Yielder<[u8; SIZE], [u8; SIZE]>, first| {
        let second = y.yield_(first.map(|b| b + 1));
        second.map(|b| b + 2)
    });
    assert_eq!(c.resume([1; SIZE]), Ok(Yielded([2; SIZE])));
    assert_eq!(c.resume([10; SIZE]), Ok(Complete([12; SIZE])));
}

#[test]
fn large_values_given_back_are_whole() {
    const SIZE: usize = 16 * 1024;
    let c = roomy(|_: &Yielder<[u8; SIZE], ()>, first: [u8; SIZE]| first[SIZE - 1]);
    assert_eq!(c.resume([3; SIZE]), Ok(Complete(3)));
    assert_eq!(c.resume([4; SIZE]).unwrap_err().into_inner(), [4; SIZE]);
}

// Making them.

#[test]
fn sizes_that_cannot_work_are_errors() {
    let make = |builder: greenroom::CoroutineBuilder| {
        let made = builder.coroutine(|_: &Yielder<(), ()>, ()| ());
        made.map(|c| assert!(c.close().is_ok()))
            .map_err(|error| error.kind())
    };
    let builder = Coroutine::<(), (), ()>::builder;
    let invalid = Err(std::io::ErrorKind::InvalidInput);
    assert_eq!(make(builder()), Ok(()));
    assert_eq!(make(builder().stack_size(16 * 1024)), Ok(()));
    assert_eq!(make(builder().stack_size(0)), invalid);
    assert_eq!(make(builder().stack_size(16 * 1024 - 1)), invalid);
    assert_eq!(make(builder().stack_size(usize::MAX)), invalid);
    assert_eq!(make(builder().stack_size(usize::MAX / 2)), invalid);
    assert_eq!(make(builder().guard_size(0)), invalid);
    assert_eq!(make(builder().guard_size(1)), Ok(()));
    assert_eq!(make(builder().guard_size(usize::MAX)), invalid);
    assert_eq!(make(builder().name("a\0b")), invalid);
    // More addresses than a process has.
    let too_much = make(builder().stack_size(1 << 60)).unwrap_err();
    assert_eq!(too_much, std::io::ErrorKind::OutOfMemory);
}

#[test]
fn a_hundred_thousand_are_made_and_dropped_unstarted() {
    let held = Rc::new(());
    for _ in 0..100_000 {
        let captured = Rc::clone(&held);
        drop(Coroutine::new(move |_: &Yielder<(), ()>, ()| {
            drop(captured);
        }));
    }
    assert_eq!(Rc::strong_count(&held), 1);
}

#[test]
fn ten_thousand_are_unstarted_at_once() {
    let held = Rc::new(());
    let all: Vec<_> = (0..10_000)
        .map(|_| {
            let captured = Rc::clone(&held);
            let builder = Coroutine::<(), (), ()>::builder().stack_size(16 * 1024);
            let made = builder.coroutine(move |_: &Yielder<(), ()>, ()| drop(captured));
            made.unwrap()
        })
        .collect();
    assert_eq!(Rc::strong_count(&held), 10_001);
    assert!(all.iter().all(|c| c.status() == Status::Created));
    drop(all);
    assert_eq!(Rc::strong_count(&held), 1);
}

#[test]
fn stacks_of_ended_bodies_are_used_again() {
    let here = || {
        let c = Coroutine::new(|_: &Yielder<(), ()>, ()| {
            let local = 0u8;
            std::ptr::from_ref(black_box(&local)).addr()
        });
        c.resume(()).unwrap()
    };
    assert_eq!(
        here(),
        here(),
        "the stack that is warm is the next to be used"
    );
}

// Recursion.

struct Tree {
    left: Option<Box<Tree>>,
    value: u32,
    right: Option<Box<Tree>>,
}

impl Tree {
    /// A path of this many nodes, turning left and right in turn.
    fn path(depth: u32) -> Self {
        let mut tree = Self {
            left: None,
            value: depth,
            right: None,
        };
        for value in (1..depth).rev() {
            let (left, right) = if value % 2 == 0 {
                (Some(Box::new(tree)), None)
            } else {
                (None, Some(Box::new(tree)))
            };
            tree = Self { left, value, right };
        }
        tree
    }

    fn walk(&self, y: &Yielder<u32, u32>, factor: &mut u32) {
        if let Some(left) = &self.left {
            left.walk(y, factor);
        }
        *factor = y.yield_(self.value * *factor);
        if let Some(right) = &self.right {
            right.walk(y, factor);
        }
    }
}

#[test]
fn recursion_yields_from_any_depth() {
    const DEPTH: u32 = 1000;
    let tree = Tree::path(DEPTH);
    let c = Coroutine::<u32, u32, ()>::builder()
        .stack_size(4 * 1024 * 1024)
        .coroutine(move |y: &Yielder<u32, u32>, mut factor| tree.walk(y, &mut factor))
        .unwrap();
    let mut seen = Vec::new();
    let mut factor = 1;
    while let Ok(Yielded(product)) = c.resume(factor) {
        assert_eq!(product % factor, 0);
        seen.push(product / factor);
        factor = factor % 7 + 1;
    }
    assert_eq!(c.status(), Status::Done);
    // In order: on this path odd nodes come on the way down, even ones on the way up.
    let odd = (1..=DEPTH).filter(|n| n % 2 == 1);
    let even = (1..=DEPTH).filter(|n| n % 2 == 0).rev();
    assert_eq!(seen, odd.chain(even).collect::<Vec<_>>());
}

#[test]
fn a_deep_recursion_unwinds_when_closed() {
    struct Counts(Rc<Cell<u32>>);
    impl Drop for Counts {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }
    fn descend(y: &Yielder<(), u32>, left: u32, count: &Rc<Cell<u32>>) {
        let _counts = Counts(Rc::clone(count));
        if left == 0 {
            y.yield_(0);
        } else {
            descend(y, left - 1, count);
        }
    }
    let unwound = Rc::new(Cell::new(0));
    let count = Rc::clone(&unwound);
    let c = Coroutine::<(), u32, ()>::builder()
        .stack_size(4 * 1024 * 1024)
        .coroutine(move |y: &Yielder<(), u32>, ()| descend(y, 999, &count))
        .unwrap();
    assert_eq!(c.resume(()), Ok(Yielded(0)));
    assert_eq!(unwound.get(), 0);
    c.close().unwrap();
    assert_eq!(unwound.get(), 1000);
}
