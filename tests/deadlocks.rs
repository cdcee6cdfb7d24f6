//! The promise: where every task waits and nothing can wake one, the runtime says
//! so, with every task's name, place and reason, and hangs never.

#![cfg(unix)]

mod support;

use std::cell::RefCell;
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

use greenroom::{
    Builder, Clock, Config, Deadlock, JoinHandle, RunError, Runtime, current, generator, park, run,
    sleep, spawn, sync, try_run, yield_now,
};
use support::{OnDrop, case, on_virtual, panic_text, rerun};

/// The deadlock that `main` ends in.
#[track_caller]
fn deadlock_of<T: std::fmt::Debug>(main: impl FnOnce() -> T) -> Deadlock {
    match try_run(main) {
        Err(RunError::Deadlock(deadlock)) => deadlock,
        other => panic!("it should be a deadlock: {other:?}"),
    }
}

#[test]
fn the_report_names_every_task_its_place_and_its_reason() {
    let here = Location::caller();
    let deadlock = deadlock_of(|| {
        let (send, receive) = sync::bounded::<u8>(0);
        let (full, kept) = sync::bounded(0);
        let reader = Builder::new().name("reader");
        let reader = reader.spawn(move || receive.recv().is_ok()).unwrap();
        let writer = Builder::new().name("writer");
        let _writer = writer.spawn(move || full.send(1).is_ok()).unwrap();
        let _sleeper = spawn(park);
        let ended = reader.join();
        drop((send, kept));
        ended.is_ok()
    });
    let tasks = deadlock.tasks();
    assert_eq!(tasks.len(), 4);
    let reader = tasks[1].id;
    let joins = format!("the end of task {reader} 'reader'");
    let reasons: Vec<_> = tasks.iter().map(|task| task.waits_for.as_str()).collect();
    assert_eq!(
        reasons,
        [
            &*joins,
            "a value in a channel",
            "room in a channel",
            "unpark"
        ]
    );
    let names: Vec<_> = tasks.iter().map(|task| task.name.as_deref()).collect();
    assert_eq!(names, [None, Some("reader"), Some("writer"), None]);
    for task in tasks {
        assert_eq!(task.spawned_at.file(), here.file());
    }
    let lines: Vec<_> = tasks.iter().map(|task| task.spawned_at.line()).collect();
    let from = here.line();
    assert_eq!(lines, [from + 1, from + 5, from + 7, from + 8]);

    let text = deadlock.to_string();
    let wanted = format!(
        "deadlock: every task waits, and nothing can wake one\
         \n  task {}, spawned at {}, waits for {joins}\
         \n  task {reader} 'reader', spawned at {}, waits for a value in a channel\
         \n  task {} 'writer', spawned at {}, waits for room in a channel\
         \n  task {}, spawned at {}, waits for unpark",
        tasks[0].id,
        tasks[0].spawned_at,
        tasks[1].spawned_at,
        tasks[2].id,
        tasks[2].spawned_at,
        tasks[3].id,
        tasks[3].spawned_at,
    );
    assert_eq!(text, wanted);
}

#[test]
fn run_panics_with_the_report() {
    let text = panic_text(|| run(park));
    assert!(text.starts_with("deadlock: every task waits"), "{text}");
    assert!(text.contains("tests/deadlocks.rs:"), "{text}");
    assert!(text.ends_with("waits for unpark"), "{text}");
}

#[test]
fn two_tasks_that_wait_for_each_others_values() {
    let deadlock = deadlock_of(|| {
        let (to_left, left) = sync::bounded::<u8>(1);
        let (to_right, right) = sync::bounded::<u8>(1);
        let a = spawn(move || {
            let n = left.recv().unwrap();
            to_right.send(n).unwrap();
        });
        let b = spawn(move || {
            let n = right.recv().unwrap();
            to_left.send(n).unwrap();
        });
        (a.join().is_ok(), b.join().is_ok())
    });
    assert_eq!(deadlock.tasks().len(), 3);
}

#[test]
fn two_tasks_that_join_each_other() {
    type Place = Rc<RefCell<Option<JoinHandle<()>>>>;
    let deadlock = deadlock_of(|| {
        let (a, b): (Place, Place) = Default::default();
        let other = Rc::clone(&b);
        *a.borrow_mut() = Some(spawn(move || {
            let handle = other.take().unwrap();
            let _never = handle.join();
        }));
        let other = Rc::clone(&a);
        *b.borrow_mut() = Some(spawn(move || {
            let handle = other.take().unwrap();
            let _never = handle.join();
        }));
        park();
    });
    let joins = deadlock
        .tasks()
        .iter()
        .filter(|task| task.waits_for.starts_with("the end of task "));
    assert_eq!(joins.count(), 2);
}

#[test]
fn a_generator_whose_body_waits_is_its_tasks_wait() {
    let deadlock = deadlock_of(|| {
        let mut stuck = generator(|y| {
            park();
            y.yield_(1);
        });
        stuck.next()
    });
    assert_eq!(deadlock.tasks()[0].waits_for, "unpark");
}

/// On the virtual clock a sleep that never ends is nothing to wait for.
#[test]
fn a_sleep_for_ever_is_a_deadlock_on_the_virtual_clock() {
    let config = || Config::new().clock(Clock::virtual_());
    let error = Runtime::with(config())
        .try_run(|| sleep(Duration::MAX))
        .unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("waits for a moment that never comes"),
        "{text}"
    );
}

/// A timer is a reason to wait; the deadlock is told when it has passed.
#[test]
fn a_deadlock_is_told_once_the_last_timer_has_passed() {
    let clock = Clock::virtual_();
    let error = Runtime::with(Config::new().clock(clock.clone())).try_run(|| {
        spawn(|| sleep(Duration::from_secs(60)));
        park();
    });
    assert!(matches!(error, Err(RunError::Deadlock(deadlock)) if deadlock.tasks().len() == 1));
    assert_eq!(clock.elapsed(), Duration::from_secs(60));
}

/// While a waker lives that somebody may use, nothing is told; when the last is
/// gone unused, it is.
#[test]
fn no_deadlock_while_another_thread_may_wake_a_task() {
    for is_virtual in [false, true] {
        let clock = if is_virtual {
            Clock::virtual_()
        } else {
            Clock::real()
        };
        let mut rt = Runtime::with(Config::new().clock(clock));
        rt.run(|| {
            let waker = current().waker().unwrap();
            let thread = std::thread::spawn(move || {
                (0..1000).for_each(|_| std::thread::yield_now());
                waker.wake();
            });
            park();
            thread.join().unwrap();
        });
        let error = rt.try_run(|| {
            let waker = current().waker().unwrap();
            let thread = std::thread::spawn(move || {
                (0..1000).for_each(|_| std::thread::yield_now());
                drop(waker);
            });
            let _joined = OnDrop({
                let mut thread = Some(thread);
                move || drop(thread.take().map(std::thread::JoinHandle::join))
            });
            park();
        });
        assert!(matches!(error, Err(RunError::Deadlock(_))));
    }
}

/// The runtime can be used again.
#[test]
fn after_a_deadlock_the_runtime_goes_on() {
    let mut rt = Runtime::new();
    for _ in 0..20 {
        assert!(rt.try_run(park).is_err());
        assert_eq!(rt.run(|| spawn(|| 2).join().unwrap()), 2);
    }
}

/// A main that catches the cancellation after a deadlock may still return; the
/// deadlock is told all the same.
#[test]
fn a_main_that_goes_on_after_a_deadlock() {
    let error = try_run(|| std::panic::catch_unwind(park).is_err());
    assert!(matches!(error, Err(RunError::Deadlock(_))), "{error:?}");
}

/// Two destructors that join each other's task: a second deadlock, in the
/// clean-up after the first. It is told, and the process aborts.
#[test]
fn a_second_deadlock_during_the_clean_up_aborts() {
    const NAME: &str = "a_second_deadlock_during_the_clean_up_aborts";
    type Place = Rc<RefCell<Option<JoinHandle<()>>>>;
    if let Some(case) = case() {
        let main = || {
            let (a, b): (Place, Place) = Default::default();
            let waits_for = |other: &Place| {
                let other = Rc::clone(other);
                move || {
                    let _join = OnDrop(move || {
                        let handle = other.take();
                        let _never = handle.map(JoinHandle::join);
                    });
                    park();
                }
            };
            let first = Builder::new().name("first").spawn(waits_for(&b)).unwrap();
            let second = Builder::new().name("second").spawn(waits_for(&a)).unwrap();
            *a.borrow_mut() = Some(first);
            *b.borrow_mut() = Some(second);
            yield_now();
            if case == "stuck" {
                park();
            }
        };
        let _never = try_run(main);
        return;
    }
    for case in ["stuck", "main returns"] {
        let ended = rerun(NAME, case, &[]);
        ended.assert_signal(libc::SIGABRT);
        assert_eq!(ended.said().len(), 1, "{ended:#?}");
        assert!(
            ended
                .stderr
                .contains("while cleaning up after it, a second deadlock"),
            "{ended:#?}"
        );
        assert!(
            ended.stderr.contains("'first'") && ended.stderr.contains("'second'"),
            "{ended:#?}"
        );
    }
}

/// Tasks that only yield, or sleep in turns, are no deadlock.
#[test]
fn tasks_that_work_are_no_deadlock() {
    on_virtual(|| {
        let (send, receive) = sync::bounded(1);
        let sender = spawn(move || {
            for n in 0..100 {
                sleep(Duration::from_secs(1));
                send.send(n).unwrap();
            }
        });
        assert_eq!(receive.iter().count(), 100);
        sender.join().unwrap();
    });
}
