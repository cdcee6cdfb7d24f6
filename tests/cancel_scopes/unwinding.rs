//! Cancellation, panics and `catch_unwind` together, and while another task is
//! parked in the middle of its own unwinding.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::time::Duration;

use greenroom::sync::bounded;
use greenroom::{
    CancelScope, Cancelled, Elapsed, Instant, JoinHandle, is_cancelled, park, scope, shield, sleep,
    spawn, timeout, try_scope, yield_now,
};

use crate::support::{Log, OnDrop, case, quiet_panic, rerun, text_of};
use crate::{SECOND, clean};

/// What `f` unwound with, if it did.
fn caught<T>(f: impl FnOnce() -> T) -> Option<Box<dyn std::any::Any + Send>> {
    catch_unwind(AssertUnwindSafe(f)).err()
}

fn is_ours(payload: Option<Box<dyn std::any::Any + Send>>) -> bool {
    payload.is_some_and(|payload| payload.is::<Cancelled>())
}

#[test]
fn who_swallows_it_meets_it_again() {
    clean(|| {
        let start = Instant::now();
        let late = timeout(SECOND, || {
            assert!(is_ours(caught(park)));
            assert!(is_cancelled());
            for _ in 0..3 {
                assert!(is_ours(caught(yield_now)));
                assert!(is_ours(caught(|| sleep(SECOND))));
                assert!(is_ours(caught(|| timeout(9 * SECOND, park))));
            }
            "its own value"
        });
        assert_eq!((late, start.elapsed()), (Ok("its own value"), SECOND));
        assert!(!is_cancelled());
        yield_now();
    });
}

#[test]
fn who_passes_it_on_is_caught_as_ever() {
    clean(|| {
        let late = timeout(SECOND, || {
            let payload = caught(park).expect("it unwinds");
            resume_unwind(payload)
        });
        let _never: &Result<(), _> = &late;
        assert_eq!(late, Err(Elapsed));
        // Kept, and passed on where nobody is cancelled: a task that ends so.
        let mut kept = None;
        let late = timeout(SECOND, || kept = caught(park));
        assert_eq!(late, Ok(()));
        let kept = kept.expect("it unwound");
        let task = spawn(move || {
            let scope = CancelScope::new();
            scope.run(|| resume_unwind(kept))
        });
        let _never: &JoinHandle<Option<()>> = &task;
        assert!(task.join().expect_err("it unwound").is_cancelled());
    });
}

/// Swallowed once by each of many requests: no task that resists its end.
#[test]
fn many_that_swallow_it_once() {
    const NAME: &str = "unwinding::many_that_swallow_it_once";
    if case().is_none() {
        rerun(NAME, "run", &[]).assert_success();
        return;
    }
    clean(|| {
        for _ in 0..3000 {
            assert_eq!(timeout(SECOND, || is_ours(caught(park))), Ok(true));
            let failed = try_scope(|s| {
                s.spawn(|| Err::<(), _>("child"));
                assert!(is_ours(caught(park)));
                Ok(())
            });
            assert_eq!(failed, Err("child"));
        }
    });
}

/// One that goes on swallowing in one scope is given up, also where the limits
/// inside that scope are met and caught as they should be.
#[test]
fn one_that_swallows_for_ever_is_given_up() {
    const NAME: &str = "unwinding::one_that_swallows_for_ever_is_given_up";
    if case().is_none() {
        let ended = rerun(NAME, "run", &[]);
        ended.assert_signal(libc::SIGABRT);
        assert!(
            ended.stderr.contains("was cancelled and will not end"),
            "{ended:#?}"
        );
        return;
    }
    clean(|| {
        timeout(SECOND, || {
            loop {
                caught(|| timeout(SECOND, park));
            }
        })
    })
    .ok();
}

/// A panic with a cancellation under way is a panic.
#[test]
fn a_panic_goes_before_a_cancellation() {
    clean(|| {
        let payload = caught(|| {
            timeout(SECOND, || {
                let _swallowed = caught(park);
                quiet_panic("mine");
            })
        });
        assert_eq!(text_of(&*payload.expect("it panics")), "mine");
        assert!(!is_cancelled());
        sleep(SECOND);
    });
}

/// A panic that is caught in a destructor while a cancellation unwinds.
#[test]
fn panics_inside_destructors() {
    clean(|| {
        let log = Log::new();
        let late = timeout(SECOND, || {
            let _guard = OnDrop(|| {
                log.add(caught(|| quiet_panic("inner") as ()).map(|payload| text_of(&*payload)));
                // It still unwinds: nothing waits, nothing is thrown.
                sleep(SECOND);
                yield_now();
                log.add(caught(park).map(|_| "thrown".to_owned()));
            });
            park();
        });
        assert_eq!(late, Err(Elapsed));
        assert_eq!(log.take(), [Some("inner".to_owned()), None]);
    });
}

/// Limits in a destructor of a task that unwinds: nothing waits outside a shield;
/// inside one their waits are cut short without anything being thrown.
#[test]
fn limits_in_destructors() {
    let log = Log::new();
    clean(|| {
        let l = log.clone();
        let task = spawn(move || {
            let start = Instant::now();
            let _guard = OnDrop(|| {
                let (_keep, empty) = bounded::<()>(1);
                l.add(format!("{:?}", timeout(SECOND, || empty.recv())));
                l.add(format!("{:?}", shield(|| timeout(SECOND, || empty.recv()))));
                l.add(format!(
                    "{:?}",
                    shield(|| timeout(SECOND, || sleep(9 * SECOND)))
                ));
                l.add(format!("{:?}", start.elapsed()));
            });
            park();
        });
        yield_now();
        task.cancel();
        assert!(task.join().expect_err("it unwound").is_cancelled());
    });
    let wanted = ["Ok(Err(Cancelled))", "Ok(Err(Cancelled))", "Ok(())", "2s"];
    assert_eq!(log.take(), wanted);
}

// While another task is parked in the middle of its unwinding.

/// Another task parks in a destructor until the guard is dropped: it panicked, or
/// was cancelled.
fn while_another_unwinds(panics: bool, body: impl FnOnce()) {
    let (open, gate) = bounded::<()>(1);
    let other = spawn(move || {
        let mut helper = Some(spawn(move || gate.recv()));
        let _join = OnDrop(move || drop(helper.take().expect("once").join()));
        if panics {
            quiet_panic("the other");
        }
        park();
    });
    yield_now();
    if !panics {
        other.cancel();
    }
    yield_now();
    assert!(std::thread::panicking(), "the other is in the middle of it");
    body();
    assert!(!other.is_finished());
    open.try_send(()).expect("there is room");
    let ended = other.join().expect_err("it unwound");
    assert_eq!(ended.is_panic(), panics);
    assert!(!std::thread::panicking());
}

/// Runs a test in a process of its own, in both cases.
fn both(name: &str, body: impl Fn()) {
    match case().as_deref() {
        None => {
            for case in ["panic", "cancel"] {
                rerun(name, case, &[]).assert_success();
            }
        }
        Some(case) => clean(|| while_another_unwinds(case == "panic", body)),
    }
}

#[test]
fn limits_and_shields_meanwhile() {
    both("unwinding::limits_and_shields_meanwhile", || {
        let start = Instant::now();
        for _ in 0..3 {
            assert_eq!(timeout(SECOND, || sleep(9 * SECOND)), Err(Elapsed));
            assert_eq!(timeout(2 * SECOND, || sleep(SECOND)), Ok(()));
            let nested = timeout(SECOND, || timeout(SECOND, park));
            assert_eq!(nested, Err(Elapsed));
            let shielded = timeout(SECOND, || {
                shield(|| sleep(2 * SECOND));
                yield_now();
            });
            assert_eq!(shielded, Err(Elapsed));
        }
        assert_eq!(start.elapsed(), 15 * SECOND);
        assert!(!is_cancelled());
    });
}

#[test]
fn scopes_meanwhile() {
    both("unwinding::scopes_meanwhile", || {
        let start = Instant::now();
        let sum = scope(|s| {
            let child = |n| {
                move || {
                    sleep(SECOND);
                    n
                }
            };
            let (a, b) = (s.spawn(child(1)), s.spawn(child(2)));
            a.join() + b.join()
        });
        assert_eq!((sum, start.elapsed()), (3, SECOND));
        let failed = try_scope(|s| {
            s.spawn(|| Err::<(), _>("child"));
            park();
            Ok(())
        });
        assert_eq!(failed, Err("child"));
        let payload = caught(|| {
            scope(|s| {
                s.spawn(|| quiet_panic("child") as ());
                park();
            })
        });
        assert_eq!(text_of(&*payload.expect("it fails")), "child");
        let late = timeout(SECOND, || scope(|s| drop(s.spawn(park))));
        assert_eq!(late, Err(Elapsed));
        sleep(SECOND); // it really waits, as ever
        assert_eq!(start.elapsed(), 3 * SECOND);
    });
}

/// A task is cancelled, and its destructors do not wait; one that was well does.
#[test]
fn cancelled_meanwhile() {
    both("unwinding::cancelled_meanwhile", || {
        let log = Log::new();
        let l = log.clone();
        let task = spawn(move || {
            let _guard = OnDrop(|| {
                let start = Instant::now();
                sleep(SECOND);
                yield_now();
                let (_keep, empty) = bounded::<()>(1);
                l.add(format!("{:?} {:?}", start.elapsed(), empty.recv()));
                shield(|| sleep(SECOND));
                l.add(format!("{:?}", start.elapsed()));
            });
            park();
        });
        yield_now();
        task.cancel();
        assert!(task.join().expect_err("it unwound").is_cancelled());
        assert_eq!(log.take(), ["0ns Err(Cancelled)", "1s"]);
    });
}

/// A panic of one's own, caught: afterwards the task is well.
#[test]
fn an_ordinary_panic_meanwhile() {
    both("unwinding::an_ordinary_panic_meanwhile", || {
        let start = Instant::now();
        assert!(caught(|| quiet_panic("mine") as ()).is_some());
        sleep(SECOND);
        assert_eq!(timeout(SECOND, park), Err(Elapsed));
        assert_eq!(start.elapsed(), 2 * SECOND);
        let task = spawn(|| {
            let _guard = OnDrop(|| ());
            quiet_panic("a task's") as ()
        });
        assert_eq!(
            text_of(&*task.join().expect_err("it panics").into_panic()),
            "a task's"
        );
    });
}

/// A cancellation that the user caught, inside a scope that ends: the task is well
/// again when the scope has ended, at the latest.
#[test]
fn a_swallowed_cancellation_meanwhile() {
    both("unwinding::a_swallowed_cancellation_meanwhile", || {
        let start = Instant::now();
        for _ in 0..3 {
            assert_eq!(timeout(SECOND, || is_ours(caught(park))), Ok(true));
            sleep(SECOND);
        }
        assert_eq!(start.elapsed(), 6 * SECOND);
        // A loop that waits for others does not starve them.
        let done = Rc::new(Cell::new(false));
        let sets = Rc::clone(&done);
        let other = spawn(move || sets.set(true));
        let late = timeout(SECOND, || {
            assert!(is_ours(caught(park)));
            while !done.get() {
                let _thrown = caught(yield_now);
            }
        });
        assert_eq!(late, Ok(()));
        other.join().expect("it ran");
    });
}

/// A whole task that was cancelled and caught it has no scope that ends. What it
/// does then must not hold up the others.
#[test]
fn a_task_that_swallows_its_end_meanwhile() {
    both("unwinding::a_task_that_swallows_its_end_meanwhile", || {
        let done = Rc::new(Cell::new(false));
        let (sets, sees) = (Rc::clone(&done), done);
        let task = spawn(move || {
            assert!(is_ours(caught(park)));
            let mut rounds = 0;
            while !sees.get() && rounds < 900 {
                let _thrown = caught(|| sleep(SECOND));
                rounds += 1;
            }
            rounds
        });
        yield_now();
        task.cancel();
        let other = spawn(move || {
            (0..3).for_each(|_| yield_now());
            sets.set(true);
        });
        assert!(task.join().expect("it returned") < 900);
        other.join().expect("it ran");
    });
}

/// Two are parked in the middle of it, and end in the order they began, and in the
/// other.
#[test]
fn two_of_them() {
    const NAME: &str = "unwinding::two_of_them";
    let Some(case) = case() else {
        for case in ["fifo", "lifo"] {
            rerun(NAME, case, &[]).assert_success();
        }
        return;
    };
    clean(|| {
        let slow = |seconds: u32, panics: bool| {
            let task = spawn(move || {
                let _guard = OnDrop(move || shield(|| sleep(seconds * SECOND)));
                if panics {
                    quiet_panic("mine");
                }
                park();
            });
            yield_now();
            task.cancel();
            task
        };
        let seconds = if case == "fifo" { [1, 2] } else { [2, 1] };
        let (one, two) = (slow(seconds[0], true), slow(seconds[1], false));
        let start = Instant::now();
        assert_eq!(timeout(Duration::from_millis(1500), park), Err(Elapsed));
        sleep(Duration::from_millis(250));
        assert!(one.join().expect_err("it unwound").is_panic());
        assert!(two.join().expect_err("it unwound").is_cancelled());
        assert_eq!(start.elapsed(), 2 * SECOND);
        assert!(!std::thread::panicking());
        sleep(SECOND);
    });
}
