//! The promise: a generator is an ordinary iterator, fused, whose body may yield
//! from any depth, may borrow, and inside a task may wait.

#![expect(
    clippy::infinite_iter,
    reason = "a generator gives as many values as are wanted"
)]

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::time::Duration;

use greenroom::CoroutineState::{Complete, Yielded};
use greenroom::{
    Clock, CloseError, Config, Coroutine, CoroutineBuilder, Generator, ResumeError, Runtime,
    Status, Values, Yielder, generator, sleep, spawn, yield_now,
};

/// Counts how many were dropped.
struct Counts(Rc<Cell<u32>>);

impl Drop for Counts {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

// It is an iterator.

#[test]
fn fibonacci() {
    let fib = generator(|y| {
        let (mut a, mut b) = (0u64, 1);
        loop {
            y.yield_(a);
            (a, b) = (b, a + b);
        }
    });
    let _unit: &Generator<u64, ()> = &fib;
    assert_eq!(fib.take(7).collect::<Vec<_>>(), [0, 1, 1, 2, 3, 5, 8]);
}

#[test]
fn it_works_in_a_for_loop_and_with_adapters() {
    let count = |from: u32, to: u32| generator(move |y| (from..to).for_each(|n| y.yield_(n)));
    let mut seen = Vec::new();
    for n in count(1, 4) {
        seen.push(n);
    }
    assert_eq!(seen, [1, 2, 3]);
    let sum: u32 = count(0, 10).filter(|n| n % 2 == 1).map(|n| n * n).sum();
    assert_eq!(sum, 1 + 9 + 25 + 49 + 81);
    // Two at once, in step.
    let pairs: Vec<_> = count(0, 3).zip(count(10, 20)).collect();
    assert_eq!(pairs, [(0, 10), (1, 11), (2, 12)]);
    let mut peeked = count(5, 7).peekable();
    assert_eq!(peeked.peek(), Some(&5));
    assert_eq!(peeked.collect::<Vec<_>>(), [5, 6]);
}

#[test]
fn making_one_runs_nothing_and_each_next_runs_to_a_yield() {
    let steps = Rc::new(Cell::new(0));
    let count = Rc::clone(&steps);
    let mut g = generator(move |y| {
        for n in 1..=2 {
            count.set(n);
            y.yield_(n);
        }
        count.set(3);
    });
    assert_eq!((g.status(), steps.get()), (Status::Created, 0));
    assert_eq!(g.next(), Some(1));
    assert_eq!((g.status(), steps.get()), (Status::Suspended, 1));
    assert_eq!(g.next(), Some(2));
    assert_eq!(steps.get(), 2);
    assert_eq!(g.next(), None);
    assert_eq!((g.status(), steps.get()), (Status::Done, 3));
}

#[test]
fn it_is_fused() {
    fn is_fused(_: &impl std::iter::FusedIterator) {}
    let mut g = generator(|y| y.yield_(1));
    is_fused(&g);
    assert_eq!(g.next(), Some(1));
    for _ in 0..3 {
        assert_eq!(g.next(), None);
    }
}

#[test]
fn it_can_be_kept_behind_dyn_and_sent_nowhere() {
    let evens = generator(|y| (0..).step_by(2).for_each(|n| y.yield_(n)));
    let squares = generator(|y| (0..).for_each(|n: u32| y.yield_(n * n)));
    let mut both: Vec<Box<dyn Iterator<Item = u32>>> = vec![Box::new(evens), Box::new(squares)];
    let rows: Vec<Vec<u32>> = (0..3)
        .map(|_| both.iter_mut().filter_map(Iterator::next).collect())
        .collect();
    assert_eq!(rows, [[0, 0], [2, 1], [4, 4]]);
}

#[test]
fn debug_shows_where_it_stands() {
    let mut g = CoroutineBuilder::new()
        .name("once")
        .generator(|y: &Yielder<(), u32>| y.yield_(1))
        .unwrap();
    let shows = |g: &Generator<u32>, status: &str| {
        let text = format!("{g:?}");
        let start = format!("Generator(Coroutine {{ name: \"once\", status: {status}, made_at: ");
        assert!(text.starts_with(&start), "{text}");
    };
    shows(&g, "Created");
    g.next();
    shows(&g, "Suspended");
    g.next();
    shows(&g, "Done");
}

// What the body returns.

#[test]
fn the_result_is_given_once_after_the_end() {
    let mut g = generator(|y| {
        y.yield_(1);
        "the end".to_owned()
    });
    assert_eq!(g.result(), None);
    assert_eq!(g.next(), Some(1));
    assert_eq!(g.result(), None);
    assert_eq!(g.next(), None);
    assert_eq!(g.result().as_deref(), Some("the end"));
    assert_eq!(g.result(), None);
    assert_eq!(g.next(), None);
    assert_eq!(g.result(), None);
}

#[test]
fn a_closed_one_has_no_result_unless_its_body_caught_that_and_returned() {
    let mut plain = generator(|y| {
        y.yield_(1);
        5
    });
    plain.next();
    assert_eq!(plain.close(), Ok(()));
    assert_eq!((plain.next(), plain.result()), (None, None));

    let mut catches = generator(|y: &Yielder<(), u32>| {
        let closed = catch_unwind(AssertUnwindSafe(|| y.yield_(1)));
        u32::from(closed.is_err())
    });
    catches.next();
    assert_eq!(catches.close(), Ok(()));
    assert_eq!((catches.next(), catches.result()), (None, Some(1)));
}

#[test]
fn closing_keeps_a_result_that_nobody_took() {
    let mut g = generator(|_: &Yielder<(), ()>| 7);
    assert_eq!(g.next(), None);
    assert_eq!(g.close(), Ok(()));
    assert_eq!(g.result(), Some(7));
}

// Ending early.

#[test]
fn dropped_or_closed_early_its_destructors_run() {
    let dropped = Rc::new(Cell::new(0));
    let make = || {
        let counts = Counts(Rc::clone(&dropped));
        generator(move |y| {
            let _counts = counts;
            (0..).for_each(|n: u32| y.yield_(n));
        })
    };
    assert_eq!(make().take(3).count(), 3);
    assert_eq!(dropped.get(), 1);
    let mut closed = make();
    closed.next();
    closed.close().unwrap();
    assert_eq!(dropped.get(), 2);
    drop(make());
    assert_eq!(dropped.get(), 3, "captured by a body that never ran");
}

#[test]
fn a_body_that_yields_while_closed_is_an_error() {
    let mut g = generator(|y| {
        let _closed = catch_unwind(AssertUnwindSafe(|| y.yield_(1)));
        y.yield_(2);
        y.yield_(3);
    });
    assert_eq!(g.next(), Some(1));
    assert_eq!(g.close(), Err(CloseError::Yielded(2)));
    assert_eq!(g.next(), Some(3));
    assert_eq!(g.close(), Ok(()));
    assert_eq!(g.status(), Status::Done);
}

#[test]
fn a_panic_of_the_body_goes_on_in_next_and_then_it_is_over() {
    let mut g = generator(|y| {
        y.yield_(1);
        resume_unwind(Box::new("broken"))
    });
    let _unit: &Generator<u32, ()> = &g;
    assert_eq!(g.next(), Some(1));
    let payload = catch_unwind(AssertUnwindSafe(|| g.next())).unwrap_err();
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"broken"));
    assert_eq!((g.next(), g.result()), (None, None));
    assert_eq!(g.status(), Status::Done);
}

// Depth and borrowing.

struct Tree {
    left: Option<Box<Tree>>,
    value: u32,
    right: Option<Box<Tree>>,
}

impl Tree {
    /// A search tree of the numbers from `low` to below `high`.
    fn balanced(low: u32, high: u32) -> Option<Box<Self>> {
        (low < high).then(|| {
            let value = low + (high - low) / 2;
            Box::new(Self {
                left: Self::balanced(low, value),
                value,
                right: Self::balanced(value + 1, high),
            })
        })
    }

    /// As deep as it has nodes.
    fn path(depth: u32) -> Self {
        let leaf = Self {
            left: None,
            value: 0,
            right: None,
        };
        (1..depth).fold(leaf, |below, value| Self {
            left: Some(Box::new(below)),
            value,
            right: None,
        })
    }

    fn walk(&self, y: &Yielder<(), u32>) {
        if let Some(left) = &self.left {
            left.walk(y);
        }
        y.yield_(self.value);
        if let Some(right) = &self.right {
            right.walk(y);
        }
    }
}

#[test]
fn a_body_may_borrow_what_it_walks() {
    let tree = Tree::balanced(0, 1000).unwrap();
    let all = Generator::scope(|y| tree.walk(y), |values| values.collect::<Vec<u32>>());
    assert!(all.into_iter().eq(0..1000));
    assert_eq!(tree.value, 500, "it is still ours");
}

#[test]
fn recursion_yields_from_a_depth_of_a_thousand() {
    let tree = Tree::path(1000);
    let roomy = CoroutineBuilder::new().stack_size(4 * 1024 * 1024);
    let g = roomy.generator(move |y: &Yielder<(), u32>| tree.walk(y));
    assert!(g.unwrap().eq(0..1000));
}

#[test]
fn a_scope_left_early_unwinds_the_body_before_it_returns() {
    let dropped = Rc::new(Cell::new(0));
    let words = ["to", "be", "or", "not"];
    let body = |y: &Yielder<(), &'static str>| {
        let _counts = Counts(Rc::clone(&dropped));
        words.iter().for_each(|word| y.yield_(word));
    };
    let two = Generator::scope(body, |values| values.take(2).collect::<Vec<_>>());
    assert_eq!((two, dropped.get()), (vec!["to", "be"], 1));

    // Forgotten, it is unwound all the same.
    Generator::scope(body, |mut values| {
        assert_eq!(values.next(), Some("to"));
        let _forgotten = std::mem::ManuallyDrop::new(values);
    });
    assert_eq!(dropped.get(), 2);

    // So it is if its user panics.
    let ended = catch_unwind(AssertUnwindSafe(|| {
        Generator::scope(body, |mut values: Values<'_, &str>| {
            values.next();
            resume_unwind(Box::new(9u32))
        })
    }));
    let _never: &Result<(), _> = &ended;
    assert_eq!(ended.unwrap_err().downcast_ref::<u32>(), Some(&9));
    assert_eq!(dropped.get(), 3);

    // Never asked for a value, the body never runs.
    Generator::scope(body, |_values| ());
    assert_eq!(dropped.get(), 3);
}

#[test]
fn a_body_in_a_scope_that_panics_goes_on_in_next() {
    let text = "borrowed".to_owned();
    let ended = catch_unwind(AssertUnwindSafe(|| {
        Generator::scope(
            |y| {
                y.yield_(text.len());
                resume_unwind(Box::new(text.clone()))
            },
            |values| values.sum::<usize>(),
        )
    }));
    let payload = ended.unwrap_err();
    assert_eq!(payload.downcast_ref::<String>(), Some(&text));
}

#[test]
fn generators_nest() {
    let mut outer = generator(|y| {
        for size in 1..4u32 {
            let inner = generator(move |y| (0..size).for_each(|n| y.yield_(size * 10 + n)));
            inner.for_each(|n| y.yield_(n));
        }
    });
    assert!(outer.by_ref().eq([10, 20, 21, 30, 31, 32]));
    let of_generators = generator(|y| {
        for size in 1..4u32 {
            y.yield_(generator(move |y| (0..size).for_each(|n| y.yield_(n))));
        }
    });
    assert!(of_generators.flatten().eq([0, 0, 1, 0, 1, 2]));
}

#[test]
fn the_outer_yielder_does_not_work_on_the_inner_stack() {
    let mut outer = generator(|outer| {
        let ended = catch_unwind(AssertUnwindSafe(|| {
            Generator::scope(|_inner| outer.yield_(1), |mut values| values.next())
        }));
        let _nothing: &Result<Option<()>, _> = &ended;
        let said = ended.unwrap_err().downcast_ref::<&str>().copied();
        assert!(said.unwrap_or_default().contains("another stack"));
        outer.yield_(2);
    });
    assert_eq!(outer.next(), Some(2));
    assert_eq!(outer.next(), None);
}

// Inside a task the body may wait.

fn on_virtual_clock<T>(main: impl FnOnce(&Clock) -> T) -> (T, Duration) {
    let clock = Clock::virtual_();
    let value = Runtime::with(Config::new().clock(clock.clone())).run(|| main(&clock));
    (value, clock.elapsed())
}

#[test]
fn a_body_that_sleeps_parks_its_task_and_others_run() {
    let (seen, end) = on_virtual_clock(|clock| {
        let seen = Rc::new(RefCell::new(Vec::new()));
        let (log, time) = (Rc::clone(&seen), clock.clone());
        spawn(move || {
            for _ in 0..7 {
                sleep(Duration::from_secs(1));
                log.borrow_mut().push(("tick", time.elapsed().as_secs()));
            }
        });
        let slow = generator(|y| {
            for n in 1..=3 {
                sleep(Duration::from_millis(2500));
                y.yield_(n);
            }
        });
        for n in slow {
            let at = clock.elapsed();
            assert_eq!(at, Duration::from_millis(2500) * n);
            seen.borrow_mut().push(("row", at.as_secs()));
        }
        seen.take()
    });
    assert_eq!(end, Duration::from_millis(7500));
    // At five seconds the body wakes first: it fell asleep before the other task did.
    let ticks = |seconds: std::ops::RangeInclusive<u64>| seconds.map(|second| ("tick", second));
    let row = |second| std::iter::once(("row", second));
    let expected = ticks(1..=2)
        .chain(row(2))
        .chain(ticks(3..=4))
        .chain(row(5))
        .chain(ticks(5..=7))
        .chain(row(7));
    assert_eq!(seen, expected.collect::<Vec<_>>());
}

#[test]
fn while_its_body_waits_it_is_running_and_other_tasks_are_refused() {
    let (states, _) = on_virtual_clock(|_| {
        let c = Rc::new(Coroutine::new(|y: &Yielder<u32, u32>, first| {
            sleep(Duration::from_secs(1));
            let second = y.yield_(first);
            sleep(Duration::from_secs(1));
            second
        }));
        let driver = Rc::clone(&c);
        let driven = spawn(move || driver.resume(5));
        yield_now();
        let waiting = c.status();
        let refused = c.resume(6);
        let result = driven.join().unwrap();
        // Begun by one task, it is resumed by another.
        let other = Rc::clone(&c);
        let ended = spawn(move || other.resume(7)).join().unwrap();
        (waiting, refused, result, ended)
    });
    let expected = (
        Status::Running,
        Err(ResumeError::Running(6)),
        Ok(Yielded(5)),
        Ok(Complete(7)),
    );
    assert_eq!(states, expected);
}

#[test]
fn a_task_cancelled_while_its_generator_waits_unwinds_the_body() {
    let dropped = Rc::new(Cell::new(0));
    let slow = Rc::new(Coroutine::new({
        let count = Rc::clone(&dropped);
        move |y: &Yielder<(), ()>, ()| {
            let _counts = Counts(count);
            y.yield_(());
            sleep(Duration::MAX);
        }
    }));
    let driver = Rc::clone(&slow);
    let ((), end) = on_virtual_clock(|_| {
        spawn(move || {
            assert_eq!(driver.resume(()), Ok(Yielded(())));
            let _never = driver.resume(());
            unreachable!("the sleep has no end");
        });
        sleep(Duration::from_secs(1));
        assert_eq!(slow.status(), Status::Running);
        // Leaving `run` cancels the task that waits inside the body.
    });
    assert_eq!(end, Duration::from_secs(1));
    assert_eq!(slow.status(), Status::Done);
    assert_eq!(dropped.get(), 1);
    assert_eq!(slow.resume(()), Err(ResumeError::Finished(())));
}

#[test]
fn one_begun_outside_a_runtime_goes_on_inside_and_after_it() {
    let mut g = generator(|y| (1..).for_each(|n: u32| y.yield_(n)));
    assert_eq!(g.next(), Some(1));
    let (second, _) = on_virtual_clock(|_| g.next());
    assert_eq!(second, Some(2));
    assert_eq!(g.next(), Some(3));
}
