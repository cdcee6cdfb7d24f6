//! The promise: a body ends in one of few ways (it returns, panics, is thrown into,
//! closed or dropped), each with its stated outcome, and its destructors run once.
//!
//! What a body that ended does afterwards is in `coroutines.rs`.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any, resume_unwind};
use std::rc::Rc;

use greenroom::CoroutineState::{Complete, Yielded};
use greenroom::{CloseError, Coroutine, ResumeError, Status, ThrowError, Thrown, Yielder};

/// Notes its name when it is dropped.
struct Noted(&'static str, Rc<RefCell<Vec<&'static str>>>);

impl Drop for Noted {
    fn drop(&mut self) {
        self.1.borrow_mut().push(self.0);
    }
}

type Notes = Rc<RefCell<Vec<&'static str>>>;

/// What `f` panicked with. Panics if it did not.
#[track_caller]
fn panic_of<T>(f: impl FnOnce() -> T) -> Box<dyn Any + Send> {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(_) => panic!("it should have panicked"),
        Err(payload) => payload,
    }
}

/// Panics with a number, and nothing is printed.
fn quiet_panic(number: u32) -> ! {
    resume_unwind(Box::new(number))
}

#[track_caller]
fn assert_panic_is(payload: &(dyn Any + Send), number: u32) {
    assert_eq!(payload.downcast_ref::<u32>(), Some(&number));
}

// Throwing.

#[test]
fn throwing_into_an_unstarted_body_drops_it_unrun() {
    let notes = Notes::default();
    let captured = Noted("captured", Rc::clone(&notes));
    let c = Coroutine::new(move |_: &Yielder<(), ()>, ()| {
        captured.1.borrow_mut().push("ran");
    });
    let Err(ThrowError::Uncaught(thrown)) = c.throw(7u32) else {
        panic!("nobody could catch it");
    };
    assert_eq!(thrown.downcast_ref::<u32>(), Some(&7));
    assert_eq!(*notes.borrow(), ["captured"]);
    assert_eq!(c.status(), Status::Done);
}

#[test]
fn a_throw_is_caught_by_try_yield_and_the_body_yields_again() {
    let c = Coroutine::new(|y: &Yielder<u32, u32>, first| {
        let thrown = y.try_yield(first).unwrap_err();
        let sent = y.try_yield(100).unwrap();
        sent + *thrown.downcast::<u32>().unwrap()
    });
    assert_eq!(c.resume(1), Ok(Yielded(1)));
    assert_eq!(c.throw(7u32).unwrap(), Yielded(100));
    assert_eq!(c.status(), Status::Suspended);
    assert_eq!(c.resume(30), Ok(Complete(37)));
}

#[test]
fn a_throw_that_is_caught_may_end_the_body() {
    let c = Coroutine::new(|y: &Yielder<(), ()>, ()| y.try_yield(()).is_err());
    c.resume(()).unwrap();
    assert_eq!(c.throw("stop").unwrap(), Complete(true));
    assert_eq!(c.status(), Status::Done);
}

#[test]
fn an_uncaught_throw_unwinds_and_comes_back() {
    let notes = Notes::default();
    let log = Rc::clone(&notes);
    let c = Coroutine::new(move |y: &Yielder<(), ()>, ()| {
        let _outer = Noted("outer", Rc::clone(&log));
        let _inner = Noted("inner", Rc::clone(&log));
        y.yield_(());
        log.borrow_mut().push("went on");
    });
    c.resume(()).unwrap();
    let Err(ThrowError::Uncaught(thrown)) = c.throw("stop".to_owned()) else {
        panic!("nobody caught it");
    };
    assert_eq!(*thrown.downcast::<String>().unwrap(), "stop");
    assert_eq!(*notes.borrow(), ["inner", "outer"]);
    assert_eq!(c.status(), Status::Done);
    assert!(!std::thread::panicking());
}

#[test]
fn a_throw_passes_catch_unwind_as_thrown() {
    let c = Coroutine::new(|y: &Yielder<(), u32>, ()| {
        let payload = panic_of(|| y.yield_(1));
        let thrown = payload.downcast::<Thrown>().unwrap();
        assert_eq!(thrown.downcast_ref::<u32>(), Some(&7));
        y.yield_(2);
        resume_unwind(thrown)
    });
    let _unit: &Coroutine<(), u32, ()> = &c;
    assert_eq!(c.resume(()), Ok(Yielded(1)));
    assert_eq!(c.throw(7u32).unwrap(), Yielded(2));
    // Unwound with later, in an ordinary resume, it is a panic like any other.
    let payload = panic_of(|| c.resume(()));
    assert!(payload.is::<Thrown>());
    assert_eq!(c.status(), Status::Done);
}

#[test]
fn what_was_thrown_can_be_looked_at_and_keeps_its_box() {
    let c = Coroutine::new(|y: &Yielder<(), ()>, ()| y.try_yield(()).unwrap_err());
    c.resume(()).unwrap();
    let Ok(Complete(thrown)) = c.throw("late") else {
        panic!("it is caught and returned");
    };
    assert!(thrown.is::<&str>() && !thrown.is::<u32>());
    assert_eq!(format!("{thrown:?}"), "Thrown(\"late\")");
    assert_eq!(
        thrown.to_string(),
        "a value was thrown into the coroutine: late"
    );
    let thrown = thrown.downcast::<u32>().unwrap_err();
    assert!(thrown.into_inner().is::<&str>());
}

// Closing.

#[test]
fn closing_an_unstarted_body_drops_it_unrun() {
    let notes = Notes::default();
    let captured = Noted("captured", Rc::clone(&notes));
    let c = Coroutine::new(move |_: &Yielder<(), ()>, ()| {
        captured.1.borrow_mut().push("ran");
    });
    assert_eq!(c.close(), Ok(None));
    assert_eq!(*notes.borrow(), ["captured"]);
    assert_eq!(c.status(), Status::Done);
}

#[test]
fn closing_a_suspended_body_unwinds_it_from_its_yield() {
    let notes = Notes::default();
    let log = Rc::clone(&notes);
    let c = Coroutine::new(move |y: &Yielder<(), ()>, ()| {
        let _outer = Noted("outer", Rc::clone(&log));
        let deeper = |log: &Notes| {
            let _inner = Noted("inner", Rc::clone(log));
            let _not_caught = y.try_yield(());
            log.borrow_mut().push("went on");
        };
        deeper(&log);
    });
    c.resume(()).unwrap();
    assert_eq!(c.close(), Ok(None));
    assert_eq!(*notes.borrow(), ["inner", "outer"]);
    assert_eq!(c.status(), Status::Done);
    assert!(!std::thread::panicking());
    assert_eq!(c.close(), Ok(None), "closing again does nothing");
}

#[test]
fn a_body_that_catches_the_close_may_return() {
    let c = Coroutine::new(|y: &Yielder<(), ()>, ()| {
        let closed = catch_unwind(AssertUnwindSafe(|| y.yield_(()))).is_err();
        if closed { "tidied up" } else { "resumed" }
    });
    c.resume(()).unwrap();
    assert_eq!(c.close(), Ok(Some("tidied up")));
    assert_eq!(c.status(), Status::Done);
}

#[test]
fn yielding_while_closed_is_an_error_and_close_may_be_called_again() {
    let closes = Rc::new(Cell::new(0));
    let count = Rc::clone(&closes);
    let c = Coroutine::new(move |y: &Yielder<(), u32>, ()| {
        for refusal in 0..3 {
            if catch_unwind(AssertUnwindSafe(|| y.yield_(refusal))).is_err() {
                count.set(count.get() + 1);
            }
        }
    });
    assert_eq!(c.resume(()), Ok(Yielded(0)));
    assert_eq!(c.close(), Err(CloseError::Yielded(1)));
    assert_eq!(c.status(), Status::Suspended);
    assert_eq!(c.close(), Err(CloseError::Yielded(2)));
    assert_eq!(c.close(), Ok(Some(())));
    assert_eq!(closes.get(), 3);
    assert_eq!(c.status(), Status::Done);
}

#[test]
fn a_body_that_refused_to_close_may_be_resumed_instead() {
    let c = Coroutine::new(|y: &Yielder<u32, u32>, first| {
        let _closed = catch_unwind(AssertUnwindSafe(|| y.yield_(first)));
        y.yield_(2) * 10
    });
    assert_eq!(c.resume(1), Ok(Yielded(1)));
    assert_eq!(c.close(), Err(CloseError::Yielded(2)));
    assert_eq!(c.resume(3), Ok(Complete(30)));
}

/// Yields when it is dropped.
struct YieldsInDrop<'a>(&'a Yielder<(), u32>, u32);

impl Drop for YieldsInDrop<'_> {
    fn drop(&mut self) {
        self.0.yield_(self.1);
    }
}

#[test]
fn suspended_in_a_destructor_it_can_only_be_resumed() {
    let c = Coroutine::new(|y: &Yielder<(), u32>, ()| {
        let _late = YieldsInDrop(y, 9);
        y.yield_(1);
    });
    assert_eq!(c.resume(()), Ok(Yielded(1)));
    assert_eq!(c.close(), Err(CloseError::Yielded(9)));
    // A second unwinding inside the first would abort the process.
    assert_eq!(c.close(), Err(CloseError::Unwinding));
    assert!(matches!(c.throw(1u32), Err(ThrowError::Unwinding(_))));
    assert_eq!(c.status(), Status::Suspended);
    // It goes on unwinding, and with nobody left to catch it that comes out here.
    panic_of(|| c.resume(()));
    assert_eq!(c.status(), Status::Done);
    assert!(!std::thread::panicking());
}

#[test]
fn suspended_in_a_destructor_of_its_own_panic_it_can_be_resumed() {
    let c = Coroutine::new(|y: &Yielder<(), u32>, ()| {
        let _late = YieldsInDrop(y, 9);
        quiet_panic(4);
    });
    let _unit: &Coroutine<(), u32, ()> = &c;
    assert_eq!(c.resume(()), Ok(Yielded(9)));
    // Closing it here would abort: see the documentation of `close`.
    assert_panic_is(&*panic_of(|| c.resume(())), 4);
    assert_eq!(c.status(), Status::Done);
}

#[test]
fn a_body_that_has_stopped_unwinding_can_be_closed_again() {
    let c = Coroutine::new(|y: &Yielder<(), u32>, ()| {
        let caught = catch_unwind(AssertUnwindSafe(|| {
            let _late = YieldsInDrop(y, 9);
            y.yield_(1);
        }));
        assert!(caught.is_err());
        y.yield_(2);
    });
    assert_eq!(c.resume(()), Ok(Yielded(1)));
    assert_eq!(c.close(), Err(CloseError::Yielded(9)));
    assert_eq!(c.resume(()), Ok(Yielded(2)));
    let closed = c.close();
    // Ended by hand, so that a failure here is one and does not abort.
    let _ended = c.resume(());
    assert_eq!(closed, Ok(None));
}

// Panics of the body.

#[test]
fn a_panic_of_the_body_goes_on_in_resume() {
    let c = Coroutine::new(|y: &Yielder<u32, ()>, first: u32| {
        y.yield_(());
        quiet_panic(first);
    });
    let _unit: &Coroutine<u32, (), ()> = &c;
    c.resume(7).unwrap();
    let payload = panic_of(|| c.resume(8));
    assert_panic_is(&*payload, 7);
    assert_eq!(c.status(), Status::Done);
    assert_eq!(c.resume(9), Err(ResumeError::Finished(9)));
    assert!(!std::thread::panicking());
}

#[test]
fn a_panic_with_any_value_arrives_unchanged() {
    let c = Coroutine::new(|_: &Yielder<(), ()>, ()| {
        panic_any(vec![1, 2, 3]);
    });
    let _unit: &Coroutine<(), (), ()> = &c;
    let payload = panic_of(|| c.resume(()));
    assert_eq!(*payload.downcast::<Vec<i32>>().unwrap(), [1, 2, 3]);
}

#[test]
fn a_panic_while_closed_or_thrown_into_goes_on_there() {
    let make = || {
        let c = Coroutine::new(|y: &Yielder<(), ()>, ()| {
            let _caught = catch_unwind(AssertUnwindSafe(|| y.yield_(())));
            quiet_panic(5);
        });
        let _unit: &Coroutine<(), (), ()> = &c;
        c.resume(()).unwrap();
        c
    };
    let closed = make();
    assert_panic_is(&*panic_of(|| closed.close()), 5);
    assert_eq!(closed.status(), Status::Done);
    let thrown_into = make();
    assert_panic_is(&*panic_of(|| thrown_into.throw(1)), 5);
    assert_eq!(thrown_into.status(), Status::Done);
    let dropped = make();
    assert_panic_is(&*panic_of(|| drop(dropped)), 5);
}

#[test]
fn two_bodies_in_the_middle_of_their_panics_keep_their_own() {
    let make = |number| {
        let c = Coroutine::new(move |y: &Yielder<(), u32>, ()| {
            let _late = YieldsInDrop(y, number);
            quiet_panic(number);
        });
        let _unit: &Coroutine<(), u32, ()> = &c;
        assert_eq!(c.resume(()), Ok(Yielded(number)));
        c
    };
    let (a, b) = (make(1), make(2));
    assert_panic_is(&*panic_of(|| a.resume(())), 1);
    assert_panic_is(&*panic_of(|| b.resume(())), 2);
    assert!(!std::thread::panicking());
}

// Dropping.

#[test]
fn dropping_a_suspended_one_unwinds_it() {
    let notes = Notes::default();
    let log = Rc::clone(&notes);
    let c = Coroutine::new(move |y: &Yielder<(), ()>, ()| {
        let _held = Noted("held", log);
        y.yield_(());
    });
    c.resume(()).unwrap();
    drop(c);
    assert_eq!(*notes.borrow(), ["held"]);
}

#[test]
fn dropping_one_that_refuses_a_few_times_ends_it() {
    let refusals = Rc::new(Cell::new(0));
    let count = Rc::clone(&refusals);
    let c = Coroutine::new(move |y: &Yielder<(), ()>, ()| {
        while count.get() < 10 {
            let _closed = catch_unwind(AssertUnwindSafe(|| y.yield_(())));
            count.set(count.get() + 1);
        }
    });
    c.resume(()).unwrap();
    drop(c);
    assert_eq!(refusals.get(), 10);
}

#[test]
fn dropping_while_the_thread_panics_works() {
    let notes = Notes::default();
    let payload = panic_of(|| {
        let started = |name: &'static str| {
            let log = Rc::clone(&notes);
            let c = Coroutine::new(move |y: &Yielder<(), ()>, ()| {
                let _held = Noted(name, log);
                y.yield_(());
            });
            c.resume(()).unwrap();
            c
        };
        let _a = started("a");
        let _b = started("b");
        let _unstarted = Coroutine::new(|_: &Yielder<(), ()>, ()| ());
        quiet_panic(3);
    });
    assert_panic_is(&*payload, 3);
    assert_eq!(*notes.borrow(), ["b", "a"]);
}

#[test]
fn one_driven_by_a_destructor_of_a_panicking_thread_works() {
    struct Drives(Rc<RefCell<Vec<u32>>>);
    impl Drop for Drives {
        fn drop(&mut self) {
            let c = Coroutine::new(|y: &Yielder<u32, u32>, first| {
                let caught = catch_unwind(AssertUnwindSafe(|| y.yield_(first))).is_err();
                y.yield_(u32::from(caught))
            });
            let mut got = self.0.borrow_mut();
            if let Ok(Yielded(n)) = c.resume(5) {
                got.push(n);
            }
            // Unwinding within the body does not disturb the panic outside.
            if let Err(CloseError::Yielded(n)) = c.close() {
                got.push(n);
            }
            if let Ok(Complete(n)) = c.resume(6) {
                got.push(n);
            }
        }
    }
    let got = Rc::new(RefCell::new(Vec::new()));
    let payload = panic_of(|| {
        let _drives = Drives(Rc::clone(&got));
        quiet_panic(4);
    });
    assert_panic_is(&*payload, 4);
    assert_eq!(*got.borrow(), [5, 1, 6]);
}

struct PanicsInDrop(u32);

impl Drop for PanicsInDrop {
    fn drop(&mut self) {
        quiet_panic(self.0);
    }
}

#[test]
fn a_captured_value_that_panics_in_drop_does_so_where_the_body_is_dropped() {
    let make = |number| {
        let captured = PanicsInDrop(number);
        Coroutine::new(move |_: &Yielder<(), ()>, ()| drop(captured))
    };
    let (a, b, c) = (make(1), make(2), make(3));
    assert_panic_is(&*panic_of(|| drop(a)), 1);
    assert_panic_is(&*panic_of(|| b.close()), 2);
    assert_eq!(b.status(), Status::Done);
    assert_panic_is(&*panic_of(|| c.throw(())), 3);
    assert_eq!(c.status(), Status::Done);
    // Where the thread panics already, that panic is the one that goes on.
    let payload = panic_of(|| {
        let _unstarted = make(4);
        quiet_panic(5);
    });
    assert_panic_is(&*payload, 5);
}

// Never started.

#[test]
fn a_hook_hears_of_those_never_started() {
    use std::sync::Mutex;
    static HEARD: Mutex<Vec<(String, String)>> = Mutex::new(Vec::new());
    greenroom::set_unstarted_hook(|unstarted| {
        // Other tests of this process drop unstarted ones too: theirs have no name.
        if let Some(name) = unstarted.name {
            let entry = (name.to_owned(), unstarted.made_at.file().to_owned());
            HEARD.lock().unwrap().push(entry);
        }
    });
    let named = |name: &str| {
        let builder = Coroutine::<(), (), ()>::builder().name(name);
        builder.coroutine(|y: &Yielder<(), ()>, ()| y.yield_(()))
    };
    drop(named("never resumed").unwrap());
    let started = named("resumed").unwrap();
    started.resume(()).unwrap();
    drop(started);
    // Closing one is a decision, not an oversight.
    named("closed").unwrap().close().unwrap();

    let heard = HEARD.lock().unwrap();
    if cfg!(debug_assertions) {
        let file = file!().to_owned();
        assert_eq!(*heard, [("never resumed".to_owned(), file)]);
    } else {
        assert!(heard.is_empty());
    }
}
