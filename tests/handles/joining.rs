//! What `join` gives, to whom, and where results that nobody joins are dropped.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

use greenroom::{
    CancelScope, Config, Delivery, Handle, RemoteJoinHandle, Runtime, Turn, park, run, spawn,
    unblock, yield_now,
};

use crate::support::{OnDrop, panic_text, quiet_panic, text_of};
use crate::{Elsewhere, PATIENCE, Tells, from_outside};

#[test]
fn a_plain_thread_is_blocked_until_the_end() {
    let (go, wait) = mpsc::channel();
    from_outside(move |handle| {
        let task = handle.spawn(move || {
            while wait.try_recv().is_err() {
                yield_now();
            }
            5
        });
        let joiner = thread::spawn(move || task.join().unwrap());
        go.send(()).unwrap();
        assert_eq!(joiner.join().unwrap(), 5);
    });
}

#[test]
fn a_task_of_another_runtime_parks_and_others_run() {
    let elsewhere = Elsewhere::start();
    run(|| {
        let (go, wait) = mpsc::channel();
        let task = elsewhere.handle().spawn(move || {
            while wait.try_recv().is_err() {
                yield_now();
            }
            thread::current().id()
        });
        // Only another task of this runtime lets it end.
        let sender = spawn(move || go.send(()).unwrap());
        assert_ne!(task.join().unwrap(), thread::current().id());
        sender.join().unwrap();
    });
}

#[test]
fn a_task_of_the_same_runtime_parks_and_others_run() {
    run(|| {
        let task = Handle::current().unwrap().spawn(|| {
            yield_now();
            7
        });
        assert_eq!(task.join().unwrap(), 7);
    });
}

#[test]
fn a_panic_is_the_joiners() {
    #[derive(Debug, PartialEq)]
    struct Carried(u32);
    let error = from_outside(|handle| {
        let task = handle.spawn(|| -> () { resume_unwind(Box::new(Carried(5))) });
        task.join().unwrap_err()
    });
    assert!(error.is_panic());
    assert_eq!(error.into_panic().downcast_ref(), Some(&Carried(5)));
}

/// What the hook of a runtime is told, and where: name, text, thread.
type Told = (Option<String>, String, thread::ThreadId);

/// A runtime with such a hook.
fn telling(to: mpsc::Sender<Told>) -> Runtime {
    Runtime::with(Config::new().on_unobserved(move |failure| {
        let name = failure.name.map(str::to_owned);
        let told = (name, text_of(&*failure.payload), thread::current().id());
        to.send(told).unwrap();
    }))
}

#[test]
fn a_panic_that_nobody_joins_is_told_to_the_runtimes_hook() {
    let (to, told) = mpsc::channel();
    let here = thread::current().id();
    telling(to).run(|| {
        let handle = Handle::current().unwrap();
        let before = handle.clone();
        let named = move |name: &str, handle: &Handle| {
            let builder = greenroom::Builder::new().name(name);
            builder
                .spawn_on(handle, || -> () { quiet_panic("unheard") })
                .unwrap()
        };
        // Dropped before the end, by another thread and by this one.
        unblock(move || drop(named("first", &before)));
        let kept = named("second", &handle);
        while !kept.is_finished() {
            yield_now();
        }
        assert_eq!(
            told.recv(),
            Ok((Some("first".into()), "unheard".into(), here))
        );
        assert!(told.try_recv().is_err());
        // Dropped after the end.
        unblock(move || drop(kept));
        let joined = named("third", &handle).join();
        assert!(joined.unwrap_err().is_panic());
        assert_eq!(
            told.recv(),
            Ok((Some("second".into()), "unheard".into(), here))
        );
        assert!(told.try_recv().is_err());
    });
}

#[test]
fn a_result_is_dropped_by_whoever_drops_the_handle() {
    let (to, dropped) = mpsc::channel();
    let elsewhere = Elsewhere::start();
    let task = elsewhere.handle().spawn(move || Tells(to));
    while !task.is_finished() {
        thread::yield_now();
    }
    assert!(dropped.try_recv().is_err());
    drop(task);
    assert_eq!(dropped.try_recv(), Ok((thread::current().id(), false)));
}

#[test]
fn a_result_that_nobody_can_want_is_dropped_in_the_task() {
    let (to, dropped) = mpsc::channel();
    let elsewhere = Elsewhere::start();
    let id = elsewhere.handle().spawn(|| thread::current().id());
    let there = id.join().unwrap();
    let (go, wait) = mpsc::channel();
    let task = elsewhere.handle().spawn(move || {
        wait.recv().unwrap();
        Tells(to)
    });
    drop(task);
    go.send(()).unwrap();
    assert_eq!(dropped.recv_timeout(PATIENCE), Ok((there, true)));
}

#[test]
fn a_result_whose_destructor_panics_in_the_task_is_a_panic_that_nobody_joined() {
    let (to, told) = mpsc::channel();
    telling(to).run(|| {
        let handle = Handle::current().unwrap();
        drop(handle.spawn(|| OnDrop(|| quiet_panic("dropped"))));
        handle.spawn(|| ()).join().unwrap();
    });
    assert_eq!(told.try_recv().unwrap().1, "dropped");
}

#[test]
fn a_task_cannot_join_itself() {
    let text = from_outside(|handle| {
        let (give, take) = mpsc::channel::<RemoteJoinHandle<()>>();
        let (tell, told) = mpsc::channel();
        let task = handle.spawn(move || {
            let own = take.recv().unwrap();
            tell.send(panic_text(|| own.join())).unwrap();
        });
        give.send(task).unwrap();
        told.recv_timeout(PATIENCE).unwrap()
    });
    assert_eq!(text, "a task cannot join itself");
}

#[test]
fn where_it_would_wait_for_ever_it_panics() {
    let mut rt = Runtime::new();
    let handle = rt.handle().unwrap();
    let first = handle.spawn(|| 1);
    let text = panic_text(|| first.join());
    assert!(text.starts_with("join would wait for ever: "), "{text}");
    let second = handle.spawn(|| 2);
    while rt.turn() == Turn::Ready {}
    assert_eq!(second.join().unwrap(), 2);
}

#[test]
fn a_joiner_that_is_cancelled_unwinds_and_the_task_runs_on() {
    run(|| {
        let handle = Handle::current().unwrap();
        let (go, wait) = mpsc::channel();
        let (ended, has_ended) = mpsc::channel();
        let task = handle.spawn(move || {
            while wait.try_recv().is_err() {
                yield_now();
            }
            ended.send(()).unwrap();
        });
        let joiner = spawn(|| task.join());
        yield_now();
        joiner.cancel();
        assert!(joiner.join().unwrap_err().is_cancelled());
        go.send(()).unwrap();
        while has_ended.try_recv().is_err() {
            yield_now();
        }
    });
}

#[test]
fn an_end_that_came_before_is_returned() {
    run(|| {
        let handle = Handle::current().unwrap();
        let task = handle.spawn(|| 3);
        while !task.is_finished() {
            yield_now();
        }
        let scope = CancelScope::new();
        scope.cancel("late");
        assert_eq!(scope.run(|| task.join().unwrap()), Some(3));
        // It ends while the joiner waits, and is cancelled before it runs again.
        let task = handle.spawn(|| 4);
        let joiner = spawn(|| task.join().unwrap());
        let handle = Handle::current().unwrap();
        let marker = handle.spawn(|| ());
        while !marker.is_finished() {
            // The one that ends wakes the joiner by a message, which is not yet read.
            yield_now();
        }
        joiner.cancel();
        assert_eq!(joiner.join().unwrap(), 4);
    });
}

#[test]
fn with_errors_and_while_unwinding_it_really_waits() {
    for unwinding in [true, false] {
        let delivery = if unwinding {
            Delivery::Unwind
        } else {
            Delivery::Error
        };
        Runtime::with(Config::new().delivery(delivery)).run(|| {
            let handle = Handle::current().unwrap();
            let (go, wait) = mpsc::channel();
            let joined = Arc::new(AtomicBool::new(false));
            let seen = Arc::clone(&joined);
            let task = handle.spawn(move || {
                while wait.try_recv().is_err() {
                    yield_now();
                }
            });
            let joiner = spawn(move || {
                let mut task = Some(task);
                let mut join = || {
                    if let Some(task) = task.take() {
                        task.join().unwrap();
                        joined.store(true, Ordering::Release);
                    }
                };
                if unwinding {
                    let _clean_up = OnDrop(join);
                    park();
                } else {
                    join();
                }
            });
            yield_now();
            joiner.cancel();
            for _ in 0..10 {
                yield_now();
            }
            assert!(!joiner.is_finished());
            go.send(()).unwrap();
            assert_eq!(joiner.join().is_err(), unwinding);
            assert!(seen.load(Ordering::Acquire));
        });
    }
}
