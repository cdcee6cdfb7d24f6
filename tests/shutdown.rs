//! The promise: no task outlives its runtime. What is alive when main ends is
//! unwound and joined; its destructors run, and what they may do is stated here.
//!
//! Cases that end the process run in a child.

#![cfg(unix)]

mod support;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use greenroom::{
    Builder, Clock, Config, JoinHandle, ReadyTask, Runtime, Schedule, Turn, park, run, sleep,
    spawn, sync, try_run, yield_now,
};
use support::{Log, OnDrop, case, on_virtual, quiet_panic, rerun, text_of};

/// Spawns a task that does `clean_up` in a destructor, and waits for ever.
fn waiting_with(clean_up: impl FnMut() + 'static) -> JoinHandle<()> {
    spawn(move || {
        let _at_the_end = OnDrop(clean_up);
        park();
        unreachable!("nobody unparks it");
    })
}

/// Whatever a task waits for when main returns: its destructors run, nothing
/// after the wait does, and all have ended before `run` returns.
#[test]
fn tasks_alive_at_the_end_are_unwound() {
    let log = Log::new();
    let ways: [(&str, fn()); 6] = [
        ("park", park),
        ("sleep", || sleep(Duration::from_secs(1000))),
        ("for ever", || sleep(Duration::MAX)),
        ("yield", || {
            loop {
                yield_now()
            }
        }),
        ("recv", || {
            let (_keep, receive) = sync::bounded::<()>(1);
            let _never = receive.recv();
        }),
        ("send", || {
            let (send, _keep) = sync::bounded(0);
            let _never = send.send(());
        }),
    ];
    let clock = Clock::virtual_();
    Runtime::with(Config::new().clock(clock.clone())).run(|| {
        for (name, wait) in ways {
            let (dropped, after) = (log.clone(), log.clone());
            spawn(move || {
                let _guard = OnDrop(move || dropped.add(name));
                wait();
                after.add("ran on");
            });
        }
        let (dropped, l) = (log.clone(), log.clone());
        spawn(move || {
            let _guard = OnDrop(move || dropped.add("join"));
            let _never = spawn(park).join();
            l.add("ran on");
        });
        yield_now();
        yield_now();
        log.add("main ends");
    });
    let said = log.take();
    assert_eq!(said[0], "main ends");
    let mut rest = said[1..].to_vec();
    rest.sort_unstable();
    assert_eq!(
        rest,
        ["for ever", "join", "park", "recv", "send", "sleep", "yield"]
    );
    assert_eq!(clock.elapsed(), Duration::ZERO);
}

/// A task that had no step yet never has one: its closure is dropped unrun.
#[test]
fn unstarted_tasks_are_dropped_unrun() {
    let log = Log::new();
    let handle = run(|| {
        let (l, ran) = (log.clone(), log.clone());
        let guard = OnDrop(move || l.add("dropped"));
        spawn(move || {
            let _guard = guard;
            ran.add("ran");
        })
    });
    assert_eq!(log.take(), ["dropped"]);
    assert!(handle.join().unwrap_err().is_cancelled());
}

/// Main's panic ends the others in the same way.
#[test]
fn a_panic_of_main_unwinds_the_others() {
    let log = Log::new();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        run(|| {
            for n in 0..10 {
                let log = log.clone();
                waiting_with(move || log.add(n));
            }
            yield_now();
            quiet_panic("main");
        })
    }));
    let _never: &Result<(), _> = &panicked;
    assert_eq!(text_of(&*panicked.unwrap_err()), "main");
    assert_eq!(log.take(), (0..10).collect::<Vec<_>>());
}

/// A task spawned meanwhile is cancelled at birth, and can be joined.
#[test]
fn a_task_spawned_during_the_end_is_dropped_unrun() {
    let log = Log::new();
    run(|| {
        let log = log.clone();
        waiting_with(move || {
            let l = log.clone();
            let late = spawn(move || l.add("ran".to_owned()));
            log.add(late.join().unwrap_err().to_string());
        });
        yield_now();
    });
    assert_eq!(log.take(), ["the task was cancelled"]);
}

/// What a destructor may do while its task unwinds: sleep and yield return at
/// once, calls that can fail say so instead of waiting, and what needs no wait works.
#[test]
fn waits_in_destructors_do_not_wait() {
    let log = Log::new();
    on_virtual(|| {
        let log = log.clone();
        let (full, kept) = sync::bounded(1);
        full.send(1).unwrap();
        let (keep, empty) = sync::bounded::<u8>(1);
        let (ready, values) = sync::bounded(2);
        ready.send(7).unwrap();
        waiting_with(move || {
            let start = greenroom::Instant::now();
            sleep(Duration::from_secs(10));
            yield_now();
            park();
            assert_eq!(start.elapsed(), Duration::ZERO);
            log.add(format!("{:?}", full.send(2)));
            log.add(format!("{:?}", empty.recv()));
            log.add(format!("{:?} {:?}", ready.send(8), values.recv()));
            assert!(!kept.is_closed() && !keep.is_closed());
        });
        yield_now();
    });
    assert_eq!(
        log.take(),
        ["Err(Cancelled(..))", "Err(Cancelled)", "Ok(()) Ok(7)"]
    );
}

/// A join must not fail, so it really waits, and several may do so at once.
#[test]
fn a_join_in_a_destructor_really_waits() {
    const NAME: &str = "a_join_in_a_destructor_really_waits";
    let Some(case) = case() else {
        for count in ["1", "2", "5"] {
            rerun(NAME, count, &[]).assert_success();
        }
        return;
    };
    let count: usize = case.parse().unwrap();
    let log = Log::new();
    run(|| {
        for n in 0..count {
            let log = log.clone();
            spawn(move || {
                let inner = log.clone();
                let mut helper = Some(waiting_with(move || inner.add(format!("helper {n}"))));
                let _join = OnDrop(move || {
                    let ended = helper.take().unwrap().join();
                    assert!(ended.unwrap_err().is_cancelled());
                    log.add(format!("joined {n}"));
                });
                park();
            });
        }
        yield_now();
        yield_now();
    });
    let mut said = log.take();
    said.sort();
    let helpers = (0..count).map(|n| format!("helper {n}"));
    let wanted: Vec<_> = helpers
        .chain((0..count).map(|n| format!("joined {n}")))
        .collect();
    assert_eq!(said, wanted);
}

/// While one task is parked in the middle of its unwinding, another's destructor
/// that sleeps is still the destructor of a task that unwinds.
#[test]
fn a_sleep_in_one_destructor_while_another_joins() {
    const NAME: &str = "a_sleep_in_one_destructor_while_another_joins";
    if case().is_none() {
        rerun(NAME, "run", &[]).assert_success();
        return;
    }
    let log = Log::new();
    on_virtual(|| {
        let l = log.clone();
        spawn(move || {
            let mut helper = Some(waiting_with(|| ()));
            let _join = OnDrop(move || {
                l.add(helper.take().unwrap().join().unwrap_err().to_string());
            });
            park();
        });
        let l = log.clone();
        waiting_with(move || {
            sleep(Duration::from_secs(1));
            l.add("slept".to_owned());
        });
        yield_now();
        yield_now();
    });
    assert_eq!(log.take(), ["slept", "the task was cancelled"]);
}

/// A task that panics by itself while another is parked in the middle of its
/// unwinding, and is cancelled while its own destructor waits: nothing tells it
/// from a task that does not unwind. The documented hole: Rust aborts.
#[test]
fn a_panic_while_another_task_is_parked_in_its_unwinding() {
    const NAME: &str = "a_panic_while_another_task_is_parked_in_its_unwinding";
    if case().is_none() {
        rerun(NAME, "run", &[]).assert_signal(libc::SIGABRT);
        return;
    }
    let log = Log::new();
    let handles = on_virtual(|| {
        let handles: Vec<JoinHandle<()>> = (0..3)
            .map(|n| {
                let log = log.clone();
                spawn(move || {
                    let mut helper = Some(spawn(|| sleep(Duration::from_secs(1000))));
                    let _join = OnDrop(move || {
                        log.add(format!("{n} begins"));
                        let ended = helper.take().unwrap().join();
                        log.add(format!("{n} joined: {}", ended.unwrap_err()));
                    });
                    quiet_panic("mine");
                })
            })
            .collect();
        yield_now();
        yield_now();
        assert_eq!(log.take(), ["0 begins", "1 begins", "2 begins"]);
        handles
    });
    let joined = |n| format!("{n} joined: the task was cancelled");
    assert_eq!(log.take(), [joined(0), joined(1), joined(2)]);
    for handle in handles {
        assert_eq!(text_of(&*handle.join().unwrap_err().into_panic()), "mine");
    }
}

/// A task that catches its cancellation once, and ends, has ended.
#[test]
fn a_task_may_catch_its_cancellation_and_return() {
    let handle = run(|| {
        let task = spawn(|| {
            let caught = catch_unwind(park);
            assert!(caught.is_err());
            let again = catch_unwind(yield_now);
            assert!(again.is_err(), "it meets it again at each wait");
            5
        });
        yield_now();
        task
    });
    assert_eq!(handle.join().unwrap(), 5);
}

/// One that catches it for ever is given up: the process aborts, and says who.
#[test]
fn a_task_that_swallows_its_cancellation_for_ever_aborts_by_name() {
    const NAME: &str = "a_task_that_swallows_its_cancellation_for_ever_aborts_by_name";
    let waits: [(&str, fn()); 3] = [
        ("park", park),
        ("yield", yield_now),
        ("sleep", || sleep(Duration::from_secs(1))),
    ];
    if let Some(case) = case() {
        let (_, wait) = waits.into_iter().find(|(name, _)| *name == case).unwrap();
        return on_virtual(|| {
            let stubborn = Builder::new().name("stubborn");
            let body = move || loop {
                let _swallowed = catch_unwind(wait);
            };
            drop(stubborn.spawn(body).unwrap());
            yield_now();
        });
    }
    for (case, _) in waits {
        let ended = rerun(NAME, case, &[]);
        ended.assert_signal(libc::SIGABRT);
        let [line] = ended.said()[..] else {
            panic!("one line: {ended:#?}");
        };
        assert!(
            line.contains("'stubborn', spawned at tests/shutdown.rs:"),
            "{line}"
        );
        assert!(line.contains("was cancelled and will not end"), "{line}");
    }
}

/// A panic in a destructor of a task that is being unwound is what it is in any
/// Rust program: the process aborts.
#[test]
fn a_panic_in_a_destructor_while_unwinding_aborts() {
    const NAME: &str = "a_panic_in_a_destructor_while_unwinding_aborts";
    if case().is_some() {
        return run(|| {
            waiting_with(|| panic!("the second"));
            yield_now();
        });
    }
    let ended = rerun(NAME, "run", &[]);
    ended.assert_signal(libc::SIGABRT);
    assert!(ended.stderr.contains("panic in a destructor"), "{ended:#?}");
}

/// One that is caught inside the destructor is none.
#[test]
fn a_panic_caught_inside_a_destructor_is_nothing() {
    let log = Log::new();
    run(|| {
        let log = log.clone();
        waiting_with(move || {
            let caught = catch_unwind(|| quiet_panic("inner"));
            let _never: &Result<(), _> = &caught;
            log.add(text_of(&*caught.unwrap_err()));
        });
        yield_now();
    });
    assert_eq!(log.take(), ["inner"]);
}

/// A closure dropped unrun whose captures panic: a JoinError like any other.
#[test]
fn a_capture_that_panics_when_dropped_unrun() {
    let handle = run(|| {
        let sore = OnDrop(|| quiet_panic("sore"));
        spawn(move || drop(sore))
    });
    let error = handle.join().unwrap_err();
    assert_eq!(text_of(&*error.into_panic()), "sore");
}

// The runtime is dropped.

#[test]
fn a_dropped_runtime_unwinds_its_tasks() {
    let log = Log::new();
    let mut rt = Runtime::new();
    for n in 0..3 {
        let log = log.clone();
        rt.spawn(move || {
            let _guard = OnDrop(move || log.add(n));
            park();
        });
    }
    assert_eq!(rt.turn(), Turn::Waiting(None));
    let l = log.clone();
    let guard = OnDrop(move || l.add(3));
    let unstarted = rt.spawn(move || drop(guard));
    assert!(log.take().is_empty());
    drop(rt);
    // It was ready already; the others are by their cancellation.
    assert_eq!(log.take(), [3, 0, 1, 2]);
    assert!(unstarted.join().unwrap_err().is_cancelled());
}

/// Also where it is dropped because its thread panics: the tasks themselves are
/// unwound at their waits, and do not run on.
#[test]
fn a_runtime_dropped_by_a_panic_unwinds_its_tasks() {
    const NAME: &str = "a_runtime_dropped_by_a_panic_unwinds_its_tasks";
    if case().is_none() {
        rerun(NAME, "run", &[]).assert_success();
        return;
    }
    let log = Log::new();
    let l = log.clone();
    let panicked = catch_unwind(AssertUnwindSafe(move || {
        let mut rt = Runtime::new();
        let ways: [(&str, fn()); 3] = [
            ("yield", yield_now),
            ("park", park),
            ("sleep", || sleep(Duration::from_secs(3600))),
        ];
        for (name, wait) in ways {
            let log = l.clone();
            rt.spawn(move || {
                let (dropped, l) = (log.clone(), log);
                let _guard = OnDrop(move || dropped.add(format!("{name} dropped")));
                wait();
                l.add(format!("{name} ran on"));
                wait();
            });
        }
        rt.turn();
        quiet_panic("the thread");
    }));
    let _never: &Result<(), _> = &panicked;
    assert!(panicked.is_err());
    // The task that yields may have been stepped; none may have run past its wait.
    assert_eq!(
        log.take(),
        ["yield dropped", "park dropped", "sleep dropped"]
    );
}

/// A destructor that runs while its thread panics may use a runtime of its own,
/// and its tasks wait as tasks do.
#[test]
fn a_runtime_run_by_a_destructor_while_the_thread_panics() {
    const NAME: &str = "a_runtime_run_by_a_destructor_while_the_thread_panics";
    if case().is_none() {
        rerun(NAME, "run", &[]).assert_success();
        return;
    }
    let clock = Clock::virtual_();
    let c = clock.clone();
    let log = Log::new();
    let l = log.clone();
    let panicked = catch_unwind(AssertUnwindSafe(move || {
        let _guard = OnDrop(move || {
            Runtime::with(Config::new().clock(c.clone())).run(|| {
                let (send, receive) = sync::bounded(0);
                let sender = spawn(move || {
                    sleep(Duration::from_secs(3));
                    send.send(5).is_ok()
                });
                l.add(format!("{:?} {:?}", receive.recv(), sender.join().ok()));
            });
        });
        quiet_panic("the thread");
    }));
    let _never: &Result<(), _> = &panicked;
    assert!(panicked.is_err());
    assert_eq!(log.take(), ["Ok(5) Some(true)"]);
    assert_eq!(clock.elapsed(), Duration::from_secs(3));
}

/// A result's destructor that waits is part of its task, also where the handle
/// was dropped: it is unwound with it, and `run` does not return before.
#[test]
fn a_result_that_waits_when_dropped_belongs_to_its_task() {
    const NAME: &str = "a_result_that_waits_when_dropped_belongs_to_its_task";
    if case().is_none() {
        rerun(NAME, "run", &[]).assert_success();
        return;
    }
    let (begun, after) = (Log::new(), Log::new());
    let (b, a) = (begun.clone(), after.clone());
    let mut rt = Runtime::new();
    let send = rt.run(move || {
        let (send, receive) = sync::bounded(1);
        let result = OnDrop(move || {
            b.add(());
            a.add(receive.recv());
        });
        drop(spawn(move || result));
        yield_now();
        send
    });
    assert_eq!((begun.len(), after.len()), (1, 0));
    assert_eq!(rt.tasks_alive(), 0);
    drop(rt);
    // The frame that waited is gone: nobody is left to be handed a value.
    assert_eq!(send.send(5).unwrap_err().into_inner(), 5);
}

/// While the runtime goes on, such a destructor really waits.
#[test]
fn a_result_may_wait_when_it_is_dropped() {
    let log = Log::new();
    on_virtual(|| {
        let l = log.clone();
        let result = OnDrop(move || {
            sleep(Duration::from_secs(2));
            l.add("waited");
        });
        drop(spawn(move || result));
        sleep(Duration::from_secs(1));
        assert_eq!(log.len(), 0);
        sleep(Duration::from_secs(2));
    });
    assert_eq!(log.take(), ["waited"]);
}

/// A hook that waits although it must not belongs to its task as well.
#[test]
fn a_hook_that_waits_belongs_to_its_task() {
    const NAME: &str = "a_hook_that_waits_belongs_to_its_task";
    if case().is_none() {
        rerun(NAME, "run", &[]).assert_success();
        return;
    }
    let (send, receive) = sync::bounded::<u8>(0);
    let config = Config::new().on_unobserved(move |_| {
        let _got = receive.recv();
    });
    let mut rt = Runtime::with(config);
    rt.run(|| {
        drop::<JoinHandle<()>>(spawn(|| quiet_panic("unseen")));
        yield_now();
    });
    assert_eq!(rt.tasks_alive(), 0);
    assert!(send.try_send(4).is_err(), "nobody waits there any more");
    drop(rt);
    assert!(send.try_send(5).is_err());
}

/// A schedule that panics cannot make `run` return before main has ended: main
/// may borrow from the caller.
#[test]
fn a_schedule_that_panics_does_not_leave_main_behind() {
    const NAME: &str = "a_schedule_that_panics_does_not_leave_main_behind";
    struct Once(bool);
    impl Schedule for Once {
        fn next(&mut self, ready: &[ReadyTask]) -> usize {
            if ready.len() > 1 && !std::mem::replace(&mut self.0, true) {
                quiet_panic("the schedule");
            }
            0
        }
    }
    if case().is_none() {
        // It may panic in `run` once main has ended, or say why and abort.
        let ended = rerun(NAME, "run", &[]);
        assert!(!ended.hung, "{ended:#?}");
        let sound = ended.status.success() || !ended.said().is_empty();
        assert!(sound, "{ended:#?}");
        return;
    }
    let ended = Rc::new(Cell::new(false));
    let mut rt = Runtime::with(Config::new().schedule(Once(false)));
    let e = Rc::clone(&ended);
    let _panicked = catch_unwind(AssertUnwindSafe(|| {
        rt.run(|| {
            let _guard = OnDrop(|| e.set(true));
            spawn(|| ());
            yield_now();
        });
    }));
    assert!(
        ended.get(),
        "main is still alive, and borrows from a frame that is gone"
    );
}

/// try_run that gives an error has ended every task, too.
#[test]
fn a_deadlock_ends_every_task() {
    let log = Log::new();
    let error = try_run(|| {
        for n in 0..3 {
            let log = log.clone();
            waiting_with(move || log.add(n));
        }
        park();
    });
    assert!(error.is_err());
    assert_eq!(log.take(), [0, 1, 2]);
}
