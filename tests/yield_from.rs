//! The promise: `yield_from` puts an inner coroutine in the outer one's place.
//! Sends, throws and closes pass through however deep it is nested, and what the
//! inner one returns is the value of the expression.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;

use greenroom::CoroutineState::{Complete, Yielded};
use greenroom::{CloseError, Coroutine, Status, ThrowError, Yielder};

type Log = Rc<RefCell<Vec<String>>>;
type Job = Coroutine<u32, String, u32>;

/// Notes that its level was unwound or left.
struct Leaves(&'static str, Log);

impl Drop for Leaves {
    fn drop(&mut self) {
        self.1.borrow_mut().push(format!("{} left", self.0));
    }
}

/// The innermost: yields what it is sent and what is thrown at it, until it is
/// sent 0; returns how many values came.
fn innermost(log: Log) -> Job {
    Coroutine::new(move |y: &Yielder<u32, String>, first| {
        let _leaves = Leaves("innermost", log);
        let (mut count, mut next) = (0, Ok(first));
        loop {
            let text = match next {
                Ok(0) => return count,
                Ok(sent) => format!("sent {sent}"),
                Err(thrown) => format!("caught {thrown:?}"),
            };
            count += 1;
            next = y.try_yield(text);
        }
    })
}

/// Adds ten to what the one within returns.
fn around(name: &'static str, inner: Job, log: Log) -> Job {
    Coroutine::new(move |y: &Yielder<u32, String>, first| {
        let _leaves = Leaves(name, log);
        y.yield_from(&inner, first) + 10
    })
}

fn three_deep(log: &Log) -> Job {
    let inner = innermost(Rc::clone(log));
    let middle = around("middle", inner, Rc::clone(log));
    around("outer", middle, Rc::clone(log))
}

fn yielded(text: &str) -> greenroom::CoroutineState<String, u32> {
    Yielded(text.to_owned())
}

#[test]
fn sends_and_throws_reach_the_innermost_and_its_value_comes_out() {
    let log = Log::default();
    let c = three_deep(&log);
    assert_eq!(c.resume(5).unwrap(), yielded("sent 5"));
    assert_eq!(c.resume(6).unwrap(), yielded("sent 6"));
    assert_eq!(
        c.throw("a stone").unwrap(),
        yielded("caught Thrown(\"a stone\")")
    );
    assert_eq!(c.resume(7).unwrap(), yielded("sent 7"));
    assert_eq!(c.resume(0).unwrap(), Complete(4 + 10 + 10));
    assert_eq!(
        *log.borrow(),
        ["innermost left", "middle left", "outer left"]
    );
}

#[test]
fn a_throw_that_nobody_catches_unwinds_all_from_the_inside_and_comes_back() {
    let log = Log::default();
    let inner_log = Rc::clone(&log);
    let inner = Coroutine::new(move |y: &Yielder<u32, String>, _| {
        let _leaves = Leaves("innermost", inner_log);
        y.yield_("waiting".to_owned())
    });
    let middle = around("middle", inner, Rc::clone(&log));
    let outer = around("outer", middle, Rc::clone(&log));
    outer.resume(1).unwrap();
    let Err(ThrowError::Uncaught(thrown)) = outer.throw(99u64) else {
        panic!("nobody catches it");
    };
    assert_eq!(*thrown.downcast::<u64>().unwrap(), 99);
    assert_eq!(
        *log.borrow(),
        ["innermost left", "middle left", "outer left"]
    );
    assert_eq!(outer.status(), Status::Done);
}

#[test]
fn a_throw_may_be_caught_halfway() {
    let inner = Coroutine::new(|y: &Yielder<u32, String>, _| y.yield_("inner".to_owned()));
    let outer = Coroutine::new(move |y: &Yielder<u32, String>, first| {
        let ended = catch_unwind(AssertUnwindSafe(|| y.yield_from(&inner, first)));
        assert!(ended.is_err());
        assert_eq!(inner.status(), Status::Done);
        y.yield_("outer goes on".to_owned())
    });
    assert_eq!(outer.resume(1).unwrap(), yielded("inner"));
    assert_eq!(outer.throw(()).unwrap(), yielded("outer goes on"));
    assert_eq!(outer.resume(8).unwrap(), Complete(8));
}

#[test]
fn a_close_unwinds_from_the_inside() {
    let log = Log::default();
    let c = three_deep(&log);
    c.resume(1).unwrap();
    assert_eq!(c.close(), Ok(None));
    assert_eq!(
        *log.borrow(),
        ["innermost left", "middle left", "outer left"]
    );
    assert_eq!(c.status(), Status::Done);
}

#[test]
fn dropping_the_outer_one_unwinds_from_the_inside() {
    let log = Log::default();
    let c = three_deep(&log);
    c.resume(1).unwrap();
    drop(c);
    assert_eq!(
        *log.borrow(),
        ["innermost left", "middle left", "outer left"]
    );
}

#[test]
fn an_inner_one_that_yields_while_closed_is_seen_outside() {
    let inner = Coroutine::new(|y: &Yielder<u32, String>, _| {
        let closed = catch_unwind(AssertUnwindSafe(|| y.yield_("open".to_owned())));
        assert!(closed.is_err());
        y.yield_("not yet".to_owned())
    });
    let log = Log::default();
    let middle = around("middle", inner, Rc::clone(&log));
    let outer = around("outer", middle, Rc::clone(&log));
    assert_eq!(outer.resume(1).unwrap(), yielded("open"));
    assert_eq!(
        outer.close(),
        Err(CloseError::Yielded("not yet".to_owned()))
    );
    assert_eq!(outer.status(), Status::Suspended);
    assert_eq!(*log.borrow(), [""; 0]);
    // Closed again, or resumed: it is where it was.
    assert_eq!(outer.resume(5).unwrap(), Complete(25));
}

#[test]
fn a_panic_of_the_inner_one_goes_on_in_the_outer() {
    let inner = Coroutine::new(|y: &Yielder<u32, String>, _| {
        y.yield_("calm".to_owned());
        resume_unwind(Box::new(17u32))
    });
    let log = Log::default();
    let outer = around("outer", inner, Rc::clone(&log));
    outer.resume(1).unwrap();
    let payload = catch_unwind(AssertUnwindSafe(|| outer.resume(2))).unwrap_err();
    assert_eq!(payload.downcast_ref::<u32>(), Some(&17));
    assert_eq!(*log.borrow(), ["outer left"]);
    assert_eq!(outer.status(), Status::Done);
}

#[test]
fn an_inner_one_may_have_begun_before() {
    let inner = Coroutine::new(|y: &Yielder<u32, String>, first| {
        let second = y.yield_(format!("first {first}"));
        let third = y.yield_(format!("second {second}"));
        first + second + third
    });
    assert_eq!(inner.resume(1).unwrap(), yielded("first 1"));
    let outer = Coroutine::new(move |y: &Yielder<u32, String>, first| y.yield_from(&inner, first));
    assert_eq!(outer.resume(20).unwrap(), yielded("second 20"));
    assert_eq!(outer.resume(300).unwrap(), Complete(321));
}

#[test]
fn an_inner_one_that_yields_nothing_gives_its_value_at_once() {
    let inner = Coroutine::new(|_: &Yielder<u32, String>, first| first * 2);
    let outer = Coroutine::new(move |y: &Yielder<u32, String>, first| y.yield_from(&inner, first));
    assert_eq!(outer.resume(21).unwrap(), Complete(42));
}

#[test]
fn a_finished_inner_one_is_a_panic_with_a_sentence() {
    let outer = Coroutine::new(|y: &Yielder<u32, String>, first| {
        let inner = Coroutine::new(|_: &Yielder<u32, String>, first| first);
        inner.resume(1).unwrap();
        y.yield_from(&inner, first)
    });
    let payload = catch_unwind(AssertUnwindSafe(|| outer.resume(2))).unwrap_err();
    assert_eq!(
        payload.downcast_ref::<String>().map(String::as_str),
        Some("yield_from: the coroutine has finished and cannot be resumed")
    );
}

#[test]
fn one_after_the_other() {
    let outer = Coroutine::new(|y: &Yielder<(), u32>, ()| {
        let mut total = 0;
        for n in 1..=3 {
            let inner = Coroutine::new(move |y: &Yielder<(), u32>, ()| {
                (1..=n).for_each(|k| y.yield_(n * 10 + k));
                n
            });
            total += y.yield_from(&inner, ());
        }
        total
    });
    let mut seen = Vec::new();
    let total = loop {
        match outer.resume(()).unwrap() {
            Yielded(n) => seen.push(n),
            Complete(total) => break total,
        }
    };
    assert_eq!(seen, [11, 21, 22, 31, 32, 33]);
    assert_eq!(total, 6);
}

#[test]
fn a_hundred_deep() {
    let mut job = Coroutine::new(|y: &Yielder<u32, u32>, first| {
        let mut sent = first;
        while sent != 0 {
            sent = y.yield_(sent);
        }
        0
    });
    for _ in 0..100 {
        let inner = job;
        job = Coroutine::new(move |y: &Yielder<u32, u32>, first| y.yield_from(&inner, first) + 1);
    }
    for n in 1..50 {
        assert_eq!(job.resume(n), Ok(Yielded(n)));
    }
    assert_eq!(job.resume(0), Ok(Complete(100)));
}
