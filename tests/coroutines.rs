//! The promise: a coroutine driven by hand does what its documentation states,
//! for every call in every state: created, suspended, running, done.
//!
//! Throwing, closing, panicking and dropping are in `coroutine_endings.rs`,
//! delegation in `yield_from.rs`, memory in `coroutine_stacks.rs`.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::{Rc, Weak};

use greenroom::CoroutineState::{Complete, Yielded};
use greenroom::{CloseError, Coroutine, ResumeError, Status, ThrowError, Yielder};

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

// What passes between the two sides.

#[test]
fn making_one_runs_nothing() {
    let ran = Rc::new(Cell::new(false));
    let seen = Rc::clone(&ran);
    let c = Coroutine::new(move |_: &Yielder<(), ()>, ()| seen.set(true));
    assert!(!ran.get());
    assert_eq!(c.resume(()), Ok(Complete(())));
    assert!(ran.get());
}

#[test]
fn values_sent_come_back_from_the_yields_in_order() {
    let c = Coroutine::new(|y: &Yielder<String, String>, first| {
        let second = y.yield_(format!("got {first}"));
        let third = y.yield_(format!("got {second}"));
        vec![first, second, third]
    });
    let send = |text: &str| c.resume(text.to_owned()).unwrap();
    assert_eq!(send("a"), Yielded("got a".to_owned()));
    assert_eq!(send("b"), Yielded("got b".to_owned()));
    let all = ["a", "b", "c"].map(str::to_owned).to_vec();
    assert_eq!(send("c"), Complete(all));
}

#[test]
fn a_running_average_is_sent_its_numbers() {
    let average = Coroutine::new(|y: &Yielder<f64, f64>, first| {
        let (mut sum, mut n) = (first, 1.0);
        loop {
            sum += y.yield_(sum / n);
            n += 1.0;
        }
    });
    let _never: &Coroutine<f64, f64, ()> = &average;
    assert_eq!(average.resume(10.0).unwrap(), Yielded(10.0));
    assert_eq!(average.resume(30.0).unwrap(), Yielded(20.0));
    assert_eq!(average.resume(5.0).unwrap(), Yielded(15.0));
    assert_eq!(average.close(), Ok(None));
    let refused = average.resume(1.0).unwrap_err();
    assert_eq!(refused, ResumeError::Finished(1.0));
}

#[test]
fn many_are_resumed_in_any_order() {
    let all: Vec<_> = (0..10)
        .map(|n| {
            Coroutine::new(move |y: &Yielder<u32, u32>, mut sent| {
                for _ in 0..3 {
                    sent = y.yield_(sent * 10 + n);
                }
                sent
            })
        })
        .collect();
    for round in 1..=3 {
        for (n, c) in (0..10).zip(all.iter()).rev() {
            assert_eq!(c.resume(round), Ok(Yielded(round * 10 + n)));
        }
    }
    for c in &all {
        assert_eq!(c.resume(7), Ok(Complete(7)));
    }
}

#[test]
fn one_may_resume_another() {
    let outer = Coroutine::new(|y: &Yielder<(), u32>, ()| {
        let inner = Coroutine::new(|y: &Yielder<(), u32>, ()| {
            y.yield_(1);
            y.yield_(2);
        });
        while let Ok(Yielded(n)) = inner.resume(()) {
            y.yield_(n * 10);
        }
        inner.status()
    });
    assert_eq!(outer.resume(()), Ok(Yielded(10)));
    assert_eq!(outer.resume(()), Ok(Yielded(20)));
    assert_eq!(outer.resume(()), Ok(Complete(Status::Done)));
}

// Status and Debug.

#[test]
fn status_and_debug_follow_the_body() {
    let me = Rc::new(RefCell::new(Weak::<Coroutine<(), String, ()>>::new()));
    let inside = Rc::clone(&me);
    let c = Coroutine::<(), String, ()>::builder()
        .name("square")
        .coroutine(move |y: &Yielder<(), String>, ()| {
            let running = inside.borrow().upgrade().expect("it is being resumed");
            let text = format!("{:?} {running:?}", running.status());
            drop(running);
            y.yield_(text);
        });
    let c = Rc::new(c.unwrap());
    me.replace(Rc::downgrade(&c));

    let shows = |status: &str, text: &str| {
        let start = format!(
            "Coroutine {{ name: \"square\", status: {status}, made_at: tests/coroutines.rs:"
        );
        assert!(text.starts_with(&start), "{text}");
        assert!(text.ends_with(" }"), "{text}");
    };
    assert_eq!(c.name(), Some("square"));
    assert_eq!(c.status(), Status::Created);
    shows("Created", &format!("{c:?}"));
    let Ok(Yielded(seen)) = c.resume(()) else {
        panic!("it yields first");
    };
    shows("Running", seen.strip_prefix("Running ").unwrap());
    assert_eq!(c.status(), Status::Suspended);
    shows("Suspended", &format!("{c:?}"));
    assert_eq!(c.resume(()), Ok(Complete(())));
    assert_eq!(c.status(), Status::Done);
    shows("Done", &format!("{c:?}"));
}

#[test]
fn without_a_name_debug_shows_none() {
    let c = Coroutine::new(|_: &Yielder<(), ()>, ()| ());
    assert_eq!(c.name(), None);
    let text = format!("{c:?}");
    assert!(text.starts_with("Coroutine { status: Created, made_at: tests/coroutines.rs:"));
    c.close().unwrap();
}

// A body that is running refuses to be driven.

#[test]
fn a_running_body_refuses_everything_and_hands_values_back() {
    type Job = Coroutine<String, (), u32>;
    let c: Rc<Job> = Rc::new_cyclic(|me: &Weak<Job>| {
        let me = me.clone();
        Coroutine::new(move |_y, first: String| {
            let me = me.upgrade().expect("it is being resumed");
            assert_eq!(first, "first");
            assert_eq!(
                me.resume("sent".to_owned()),
                Err(ResumeError::Running("sent".to_owned()))
            );
            let Err(ThrowError::Running(thrown)) = me.throw(7u32) else {
                panic!("a running body is not thrown into");
            };
            assert_eq!(thrown.downcast_ref::<u32>(), Some(&7));
            assert_eq!(me.close(), Err(CloseError::Running));
            assert_eq!(me.status(), Status::Running);
            5
        })
    });
    assert_eq!(c.resume("first".to_owned()), Ok(Complete(5)));
}

#[test]
fn a_body_that_resumes_another_is_running_too() {
    type Job = Coroutine<u32, (), Result<(), u32>>;
    let outer: Rc<Job> = Rc::new_cyclic(|me: &Weak<Job>| {
        let me = me.clone();
        Coroutine::new(move |_y, _| {
            let inner = Coroutine::new(move |_: &Yielder<(), ()>, ()| {
                let outer = me.upgrade().expect("it is being resumed");
                assert_eq!(outer.status(), Status::Running);
                outer.resume(3).map(|_| ()).map_err(ResumeError::into_inner)
            });
            match inner.resume(()) {
                Ok(Complete(refused)) => refused,
                other => panic!("the inner one ends at once: {other:?}"),
            }
        })
    });
    assert_eq!(outer.resume(1), Ok(Complete(Err(3))));
}

// After the end.

#[test]
fn a_finished_body_refuses_and_hands_values_back() {
    let c = Coroutine::new(|_: &Yielder<String, ()>, first: String| first);
    assert_eq!(c.resume("a".to_owned()), Ok(Complete("a".to_owned())));
    for _ in 0..2 {
        let refused = c.resume("b".to_owned()).unwrap_err();
        assert_eq!(refused, ResumeError::Finished("b".to_owned()));
        assert_eq!(refused.into_inner(), "b");
        let Err(ThrowError::Finished(thrown)) = c.throw("c".to_owned()) else {
            panic!("a finished body is not thrown into");
        };
        assert_eq!(*thrown.downcast::<String>().unwrap(), "c");
        assert_eq!(c.close(), Ok(None));
        assert_eq!(c.status(), Status::Done);
    }
}

// Bodies that borrow.

#[test]
fn a_scoped_body_borrows_and_is_closed_at_the_end() {
    let notes = Notes::default();
    let words = ["to".to_owned(), "be".to_owned(), "or".to_owned()];
    let length = Coroutine::scope(
        |y: &Yielder<usize, usize>, first| {
            let _held = Noted("held", Rc::clone(&notes));
            let mut index: usize = first;
            loop {
                index = y.yield_(words[index].len());
            }
        },
        |c: greenroom::ScopedCoroutine<'_, usize, usize>| {
            assert_eq!(c.status(), Status::Created);
            let first = c.resume(1);
            assert_eq!(c.status(), Status::Suspended);
            assert_eq!(*notes.borrow(), [""; 0]);
            first
        },
    );
    assert_eq!(length, Ok(Yielded(2)));
    assert_eq!(*notes.borrow(), ["held"]);
}

#[test]
fn a_scoped_body_is_closed_though_its_user_panics_or_forgets() {
    let notes = Notes::default();
    let body = |y: &Yielder<(), ()>, ()| {
        let _held = Noted("held", Rc::clone(&notes));
        y.yield_(());
    };
    let payload = panic_of(|| {
        Coroutine::scope(body, |c| {
            c.resume(()).unwrap();
            quiet_panic(1);
        })
    });
    assert_panic_is(&*payload, 1);
    assert_eq!(*notes.borrow(), ["held"]);

    Coroutine::scope(body, |c| {
        c.resume(()).unwrap();
        let _forgotten = std::mem::ManuallyDrop::new(c);
    });
    assert_eq!(*notes.borrow(), ["held", "held"]);
}

// A yielder belongs to its own stack.

#[test]
fn yielding_from_another_stack_panics_and_harms_nobody() {
    let c = Coroutine::new(|outer: &Yielder<(), u32>, ()| {
        let payload = Coroutine::scope(
            |_inner: &Yielder<(), u32>, ()| outer.yield_(1),
            |inner: greenroom::ScopedCoroutine<'_, (), u32>| {
                let payload = panic_of(|| inner.resume(()));
                assert_eq!(inner.status(), Status::Done);
                payload
            },
        );
        let text = payload.downcast_ref::<&str>().copied();
        assert!(text.unwrap_or_default().contains("another stack"));
        outer.yield_(2);
        3
    });
    assert_eq!(c.resume(()), Ok(Yielded(2)));
    assert_eq!(c.resume(()), Ok(Complete(3)));
}

// What the errors say.

#[test]
fn errors_say_what_was_wrong() {
    let c = Coroutine::new(|_: &Yielder<(), ()>, ()| ());
    c.resume(()).unwrap();
    let refused = c.resume(()).unwrap_err();
    assert_eq!(format!("{refused:?}"), "Finished(..)");
    assert_eq!(
        refused.to_string(),
        "the coroutine has finished and cannot be resumed"
    );
    assert_eq!(
        c.throw(()).unwrap_err().to_string(),
        "the coroutine has finished and cannot be thrown into"
    );
    assert_eq!(
        CloseError::Yielded(()).to_string(),
        "the coroutine yielded while it was being closed"
    );
    // Usable with `?` whatever is sent and yielded: no bound on the values.
    struct Opaque;
    fn is_error(_: &impl std::error::Error) {}
    is_error(&ResumeError::Finished(Opaque));
    is_error(&CloseError::Yielded(Opaque));
}
