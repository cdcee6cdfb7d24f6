//! The promise: a set gives back its tasks in the order in which they ended, each
//! once, whoever ran when; and none of them runs on unasked when the set is gone.

#![cfg(unix)]

mod support;

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use greenroom::sync::Event;
use greenroom::testing::{self, Random};
use greenroom::{
    Builder, CancelScope, Config, Delivery, Instant, JoinSet, RunError, Runtime, Turn, no_switch,
    park, run, shield, sleep, spawn, task_local, timeout, try_run, yield_now,
};
use proptest::prelude::{Just, prop, prop_assert_eq, prop_oneof, proptest};
use support::{Log, OnDrop, on_virtual, panic_text, quiet_panic, text_of};

const MS: Duration = Duration::from_millis(1);

/// All results of a set, as text.
fn drain<T: ToString>(set: &mut JoinSet<T>) -> Vec<String> {
    std::iter::from_fn(|| set.join_next())
        .map(
            |result| match result.map_err(|error| error.try_into_panic()) {
                Ok(value) => value.to_string(),
                Err(Ok(payload)) => format!("panic: {}", text_of(&*payload)),
                Err(Err(_)) => "cancelled".to_owned(),
            },
        )
        .collect()
}

// The order.

#[test]
fn results_come_in_the_order_of_their_ends() {
    on_virtual(|| {
        let mut set = JoinSet::new();
        for n in [5, 1, 4, 2, 3, 1] {
            set.spawn(move || {
                sleep(n * MS);
                n
            });
        }
        assert_eq!(set.len(), 6);
        assert_eq!(drain(&mut set), ["1", "1", "2", "3", "4", "5"]);
        assert!(set.is_empty());
        assert!(set.join_next().is_none());
        assert!(set.try_join_next().is_none());
        assert!(set.join_next_with_id().is_none());
    });
}

#[test]
fn the_order_is_kept_when_several_end_before_the_caller_runs() {
    on_virtual(|| {
        let mut set = JoinSet::new();
        for n in [3, 1, 2, 5, 4] {
            set.spawn(move || {
                sleep(n * MS);
                n
            });
        }
        sleep(10 * MS); // all have ended
        assert_eq!(set.len(), 5);
        let drained = no_switch(|| drain(&mut set));
        assert_eq!(drained, ["1", "2", "3", "4", "5"]);
    });
}

#[test]
fn panics_cancelled_and_unrun_bodies_keep_their_place() {
    on_virtual(|| {
        let mut set = JoinSet::new();
        set.spawn(|| {
            sleep(2 * MS);
            "value"
        });
        set.spawn(|| {
            sleep(MS);
            quiet_panic("early")
        });
        set.spawn(|| {
            let _late = OnDrop(no_wait_is_left);
            sleep(60 * MS);
            "never"
        });
        set.spawn(|| {
            sleep(3 * MS);
            quiet_panic("late")
        });
        sleep(5 * MS);
        set.spawn(|| "dropped unrun");
        set.cancel_all();
        set.spawn(|| "a new one");
        let wanted = [
            "panic: early",
            "value",
            "panic: late",
            "cancelled",
            "cancelled",
            "a new one",
        ];
        assert_eq!(drain(&mut set), wanted);
    });
}

fn no_wait_is_left() {
    sleep(MS); // returns at once: the task unwinds
}

#[test]
fn bodies_that_were_cancelled_before_their_first_step_are_dropped_unrun_in_order() {
    let log = Log::new();
    run(|| {
        let mut set = JoinSet::new();
        for n in 0..5 {
            let (l, dropped) = (log.clone(), log.clone());
            let kept = OnDrop(move || dropped.add(n));
            set.spawn(move || {
                let _kept = kept;
                l.add(100);
                n
            });
        }
        set.cancel_all();
        assert_eq!(log.len(), 0, "they are dropped in their tasks");
        let mut ended = Vec::new();
        while let Some(result) = set.join_next() {
            assert!(result.unwrap_err().is_cancelled());
            ended.push(log.len());
        }
        assert_eq!(log.take(), [0, 1, 2, 3, 4]);
    });
}

/// What a body holds belongs to its task: the end is the end of its destructors.
#[test]
fn a_task_has_ended_when_its_destructors_have() {
    on_virtual(|| {
        let mut set = JoinSet::new();
        let slow = OnDrop(|| sleep(5 * MS));
        set.spawn(move || {
            let _slow = slow;
            "slow"
        });
        let slow = OnDrop(|| sleep(5 * MS));
        set.spawn(move || {
            let _slow = slow;
            quiet_panic("slow, but it unwinds")
        });
        set.spawn(|| {
            sleep(MS);
            "quick"
        });
        let start = Instant::now();
        let wanted = ["panic: slow, but it unwinds", "quick", "slow"];
        assert_eq!(drain(&mut set), wanted);
        assert_eq!(start.elapsed(), 5 * MS);
    });
}

#[test]
fn an_unrun_body_has_ended_when_its_destructors_have() {
    on_virtual(|| {
        let mut set = JoinSet::new();
        let slow = OnDrop(|| shield(|| sleep(5 * MS)));
        set.spawn(move || {
            let _slow = slow;
            "never"
        });
        set.cancel_all();
        set.spawn(|| {
            sleep(MS);
            "quick"
        });
        sleep(2 * MS);
        assert_eq!(set.try_join_next().unwrap().unwrap(), "quick");
        assert!(set.try_join_next().is_none());
        assert_eq!(drain(&mut set), ["cancelled"]);
    });
}

#[test]
fn a_body_whose_destructor_panics_unrun_is_joined_too() {
    run(|| {
        let mut set = JoinSet::new();
        let bad = OnDrop(|| quiet_panic("in the destructor"));
        set.spawn(move || drop(bad));
        set.cancel_all();
        let error = set.join_next().unwrap().unwrap_err();
        assert_eq!(text_of(&*error.into_panic()), "in the destructor");
        assert!(set.is_empty());
    });
}

#[derive(Debug, Clone)]
enum End {
    Returns,
    Panics,
}

proptest! {
    #[test]
    fn the_order_is_that_of_the_ends(
        tasks in prop::collection::vec(
            (1u32..8, prop_oneof![Just(End::Returns), Just(End::Panics)]),
            0..20,
        ),
        before in 0u32..10,
    ) {
        let mut wanted: Vec<_> = tasks.iter().enumerate().collect();
        wanted.sort_by_key(|(_, (delay, _))| *delay);
        let wanted: Vec<_> = wanted.into_iter().map(|(n, (_, end))| match end {
            End::Returns => n.to_string(),
            End::Panics => "panic: as told".to_owned(),
        }).collect();
        let drained = on_virtual(|| {
            let mut set = JoinSet::new();
            for (n, (delay, end)) in tasks.iter().cloned().enumerate() {
                set.spawn(move || {
                    sleep(delay * MS);
                    match end {
                        End::Returns => n,
                        End::Panics => quiet_panic("as told"),
                    }
                });
            }
            sleep(before * MS);
            drain(&mut set)
        });
        prop_assert_eq!(drained, wanted);
    }
}

#[test]
fn the_order_is_exact_under_any_schedule() {
    for seed in 0..300 {
        let program = || {
            let (mut set, ends) = (JoinSet::new(), Log::new());
            for n in 0..7u64 {
                let ends = ends.clone();
                set.spawn(move || {
                    // Dropped last of the body, also when it unwinds.
                    let _end = OnDrop(|| ends.add(n));
                    for _ in 0..(n * 5) % 4 {
                        yield_now();
                    }
                    if n % 3 == 0 {
                        quiet_panic("as told");
                    }
                    sleep(Duration::from_millis(n % 2));
                    n
                });
            }
            let mut joined = Vec::new();
            while let Some((id, result)) = set.join_next_with_id() {
                joined.push((id, result.ok()));
            }
            (joined, ends.take())
        };
        let (joined, ends) = testing::run(Random::seeded(seed), program).value;
        assert_eq!(joined.len(), ends.len());
        let mut ids: Vec<_> = joined.iter().map(|(id, _)| *id).collect();
        ids.sort();
        for ((id, value), end) in joined.iter().zip(ends) {
            assert_eq!(ids.iter().position(|i| i == id), usize::try_from(end).ok());
            assert_eq!(*value, (end % 3 != 0).then_some(end), "seed {seed}");
        }
    }
}

// Spawning.

#[test]
fn ids_and_names_are_those_of_the_tasks() {
    run(|| {
        let mut set = JoinSet::new();
        let id = || greenroom::current().id();
        let first = set.spawn(id);
        let second = set.spawn_with(Builder::new().name("second"), id).unwrap();
        assert_ne!(first, second);
        for wanted in [first, second] {
            let (ended, result) = set.join_next_with_id().unwrap();
            assert_eq!((ended, result.unwrap()), (wanted, wanted));
        }
        let name = || greenroom::current().name().map(str::to_owned);
        let mut set = JoinSet::new();
        set.spawn_with(Builder::new().name("baker"), name).unwrap();
        assert_eq!(set.join_all(), [Some("baker".to_owned())]);
        let task = greenroom::tasks();
        assert_eq!(task.len(), 1, "they have ended: {task:?}");
    });
}

#[test]
fn a_task_is_spawned_where_the_caller_says() {
    run(|| {
        let mut set = JoinSet::new();
        set.spawn(park);
        set.spawn_with(Builder::new(), park).unwrap();
        for task in &greenroom::tasks()[1..] {
            assert!(task.spawned_at.file().ends_with("join_sets.rs"), "{task:?}");
        }
    });
}

#[test]
fn a_spawn_that_fails_leaves_the_set_as_it_was() {
    on_virtual(|| {
        let mut set = JoinSet::new();
        let dropped = Rc::new(Cell::new(0));
        set.spawn(|| {
            sleep(MS);
            "there"
        });
        for builder in [
            Builder::new().name("a\0name"),
            Builder::new().stack_size(usize::MAX),
        ] {
            let count = Rc::clone(&dropped);
            // The destructor of the body lets others run meanwhile.
            let body = OnDrop(move || {
                sleep(MS);
                count.set(count.get() + 1);
            });
            let failed = set.spawn_with(builder, move || {
                let _body = body;
                "never"
            });
            assert!(failed.is_err());
            assert_eq!(set.len(), 1);
        }
        assert_eq!(dropped.get(), 2);
        set.spawn(|| "new");
        assert_eq!(drain(&mut set), ["there", "new"]);
    });
}

#[test]
fn outside_a_runtime_it_cannot_spawn_and_goes_on_working() {
    let mut set = JoinSet::new();
    let text = panic_text(|| set.spawn(|| "never"));
    assert!(text.contains("needs a runtime"), "{text}");
    assert!(set.is_empty());
    assert!(set.join_next().is_none());
    run(|| {
        set.spawn(|| {
            yield_now();
            "first"
        });
        set.spawn(|| "second");
        assert_eq!(drain(&mut set), ["second", "first"]);
    });
}

// Joining without waiting, and where one cannot.

#[test]
fn try_join_next_never_waits() {
    run(|| {
        let mut set = JoinSet::new();
        assert!(set.try_join_next().is_none());
        set.spawn(|| {
            yield_now();
            1
        });
        set.spawn(|| 2);
        set.spawn(|| quiet_panic("three"));
        no_switch(|| assert!(set.try_join_next().is_none()));
        yield_now();
        no_switch(|| {
            assert_eq!(set.try_join_next().unwrap().unwrap(), 2);
            assert!(set.try_join_next().unwrap().unwrap_err().is_panic());
            assert!(set.try_join_next().is_none());
            assert_eq!(set.len(), 1);
        });
        assert_eq!(set.join_next().unwrap().unwrap(), 1);
    });
}

#[test]
fn a_set_outlives_its_runtime() {
    let mut set = JoinSet::new();
    on_virtual(|| {
        set.spawn(|| "ended");
        set.spawn(|| {
            park();
            "never"
        });
        yield_now();
        set.spawn(|| "unrun");
    });
    // The end of the runtime was the end of its tasks.
    assert_eq!(set.len(), 3);
    assert_eq!(drain(&mut set), ["ended", "cancelled", "cancelled"]);
}

#[test]
fn on_a_plain_thread_nothing_could_end() {
    let mut runtime = Runtime::new();
    let mut set = runtime.run(|| {
        let mut set = JoinSet::new();
        set.spawn(|| 1);
        set
    });
    assert!(set.join_next().unwrap().unwrap_err().is_cancelled());
    let shared = Rc::new(RefCell::new(JoinSet::new()));
    let inside = Rc::clone(&shared);
    let _starter = runtime.spawn(move || {
        inside.borrow_mut().spawn(park);
        inside.borrow_mut().spawn(|| ());
    });
    while runtime.turn() == Turn::Ready {}
    let mut set = shared.take();
    assert!(set.join_next().unwrap().is_ok());
    let text = panic_text(|| set.join_next());
    assert!(text.contains("no runtime is running here"), "{text}");
    let text = panic_text(|| set.shutdown());
    assert!(text.contains("no runtime is running here"), "{text}");
    assert_eq!(set.len(), 1);
}

#[test]
fn a_set_whose_tasks_all_wait_is_a_deadlock() {
    let ended = try_run(|| {
        let mut set = JoinSet::new();
        set.spawn(park);
        set.join_next().is_some()
    });
    let Err(RunError::Deadlock(deadlock)) = ended else {
        panic!("nothing can end: {ended:?}");
    };
    assert_eq!(deadlock.tasks().len(), 2);
    assert_eq!(deadlock.tasks()[1].waits_for, "unpark");
}

// Callers that are cancelled.

#[test]
fn a_limit_of_time_loses_no_result() {
    on_virtual(|| {
        let mut set = JoinSet::new();
        for n in [10, 30] {
            set.spawn(move || {
                sleep(n * MS);
                n
            });
        }
        let start = Instant::now();
        assert!(timeout(4 * MS, || set.join_next()).is_err());
        assert_eq!((start.elapsed(), set.len()), (4 * MS, 2));
        assert_eq!(set.join_next().unwrap().unwrap(), 10);
        // One that has ended need not be waited for.
        sleep(60 * MS);
        let ended = timeout(Duration::ZERO, || set.join_next());
        assert_eq!(ended.unwrap().unwrap().unwrap(), 30);
    });
}

#[test]
fn an_end_wins_over_a_later_cancel() {
    let log = Log::new();
    run(|| {
        let (event, l) = (Rc::new(Event::new()), log.clone());
        let e = Rc::clone(&event);
        let task = spawn(move || {
            let mut set = JoinSet::new();
            set.spawn(move || {
                e.wait();
                "ended"
            });
            l.add(set.join_next().unwrap().unwrap());
            park();
            l.add("never");
        });
        yield_now();
        yield_now();
        event.set();
        yield_now(); // the member ends, and its joiner is queued
        task.cancel();
        assert!(task.join().unwrap_err().is_cancelled());
    });
    assert_eq!(log.take(), ["ended"]);
}

#[test]
fn with_delivery_by_errors_it_waits_on() {
    on_virtual(|| {
        let (mut set, start) = (JoinSet::new(), Instant::now());
        set.spawn(|| {
            sleep(7 * MS);
            7
        });
        let stubborn = CancelScope::builder()
            .delivery(Delivery::Error)
            .deadline(start + 2 * MS)
            .build();
        let joined = stubborn.run(|| set.join_next().unwrap().unwrap());
        assert_eq!((joined, start.elapsed()), (Some(7), 7 * MS));
        assert!(stubborn.deadline_passed());
    });
}

#[test]
fn while_the_caller_unwinds_it_really_waits() {
    let log = Log::new();
    on_virtual(|| {
        let l = log.clone();
        let task = spawn(move || {
            let mut set = JoinSet::new();
            for n in [2, 1] {
                set.spawn(move || {
                    sleep(n * MS);
                    n
                });
            }
            let _guard = OnDrop(move || {
                while let Some(result) = set.join_next() {
                    l.add(result.unwrap());
                }
            });
            quiet_panic("on purpose");
        });
        assert!(task.join().unwrap_err().is_panic());
    });
    assert_eq!(log.take(), [1, 2]);
}

task_local! {
    static HELD: OnDrop<fn()>;
}

/// A task whose body has ended may still wait, in the destructors of what it
/// inherited. Its result is not lost, whoever stops waiting for it.
#[test]
fn what_was_inherited_is_dropped_before_the_join_returns() {
    on_virtual(|| {
        let mut set = JoinSet::new();
        let start = Instant::now();
        HELD.scope(OnDrop(|| sleep(10 * MS)), || {
            for name in ["first", "second"] {
                let inherits = Builder::new().inherit_locals(true);
                let body = move || {
                    sleep(MS);
                    name
                };
                set.spawn_with(inherits, body).unwrap();
            }
        });
        let first = set.join_next().unwrap().unwrap();
        assert_eq!((first, start.elapsed()), ("first", MS));
        assert!(set.try_join_next().is_none(), "the task has not ended");
        assert!(timeout(MS, || set.join_next()).is_err());
        assert_eq!((set.len(), start.elapsed()), (1, 2 * MS));
        let second = set.join_next().unwrap().unwrap();
        assert_eq!((second, start.elapsed()), ("second", 11 * MS));
        assert_eq!(greenroom::tasks().len(), 1);
    });
}

// Ending them all.

#[test]
fn cancel_all_cancels_in_the_order_of_spawning_and_keeps_the_tasks() {
    let log = Log::new();
    run(|| {
        let mut set = JoinSet::new();
        for n in 0..50 {
            let log = log.clone();
            set.spawn(move || {
                let _end = OnDrop(|| log.add(n));
                park();
            });
        }
        yield_now();
        no_switch(|| set.cancel_all());
        assert_eq!((set.len(), log.len()), (50, 0));
        while let Some(result) = set.join_next() {
            assert!(result.unwrap_err().is_cancelled());
        }
    });
    assert_eq!(log.take(), (0..50).collect::<Vec<_>>());
}

/// A runtime that writes down panics that nobody sees.
fn telling(log: &Log<String>) -> Runtime {
    let log = log.clone();
    let config = Config::new().clock(greenroom::Clock::virtual_());
    Runtime::with(config.on_unobserved(move |panic| log.add(text_of(&*panic.payload))))
}

#[test]
fn shutdown_cancels_waits_and_tells_of_panics() {
    let (log, told) = (Log::new(), Log::new());
    telling(&told).run(|| {
        let mut set = JoinSet::new();
        for n in 0..3 {
            let log = log.clone();
            set.spawn(move || {
                let _end = OnDrop(|| log.add(n));
                park();
            });
        }
        set.spawn(|| quiet_panic("before"));
        set.spawn(|| {
            let caught = catch_unwind(AssertUnwindSafe(park));
            assert!(caught.is_err());
            quiet_panic("meanwhile")
        });
        yield_now();
        set.spawn(|| unreachable!("it is dropped unrun"));
        set.shutdown();
        assert!(set.is_empty());
        assert_eq!(log.take(), [0, 1, 2]);
        assert_eq!(told.take(), ["before", "meanwhile"]);
        set.shutdown(); // of none
        set.spawn(|| ());
        assert!(set.join_next().unwrap().is_ok());
    });
    assert_eq!(told.len(), 0);
}

#[test]
fn a_shutdown_that_is_cancelled_has_cancelled_all() {
    on_virtual(|| {
        let mut set = JoinSet::new();
        let event = Rc::new(Event::new());
        let e = Rc::clone(&event);
        set.spawn(move || {
            let _slow = OnDrop(|| e.wait());
            park();
        });
        yield_now();
        assert!(timeout(MS, || set.shutdown()).is_err());
        assert_eq!(set.len(), 1);
        event.set();
        set.shutdown();
        assert!(set.is_empty());
    });
}

#[test]
fn join_all_gives_all_in_the_order_of_their_ends() {
    on_virtual(|| {
        let mut set = JoinSet::new();
        for n in [3, 1, 2] {
            set.spawn(move || {
                sleep(n * MS);
                n
            });
        }
        assert_eq!(set.join_all(), [1, 2, 3]);
        assert!(JoinSet::<u32>::new().join_all().is_empty());
    });
}

#[test]
fn join_all_goes_on_with_the_first_panic_and_cancels_the_rest() {
    let log = Log::new();
    on_virtual(|| {
        let mut set = JoinSet::new();
        let l = log.clone();
        set.spawn(move || {
            let _end = OnDrop(|| l.add("cancelled"));
            sleep(60 * MS);
            l.add("never");
        });
        set.spawn(|| {
            sleep(MS);
            quiet_panic("the first")
        });
        assert_eq!(panic_text(|| set.join_all()), "the first");
        let start = Instant::now();
        yield_now();
        assert_eq!(
            (log.take(), start.elapsed()),
            (vec!["cancelled"], Duration::ZERO)
        );

        let mut set = JoinSet::new();
        set.spawn(park);
        set.cancel_all();
        let text = panic_text(|| set.join_all());
        assert!(text.contains("was cancelled"), "{text}");
    });
}

#[test]
fn join_all_that_is_cancelled_cancels_the_rest() {
    let log = Log::new();
    on_virtual(|| {
        let mut set = JoinSet::new();
        let l = log.clone();
        set.spawn(move || {
            let _end = OnDrop(|| l.add("cancelled"));
            park();
        });
        assert!(timeout(MS, || set.join_all()).is_err());
        yield_now();
    });
    assert_eq!(log.take(), ["cancelled"]);
}

#[test]
fn detach_all_lets_them_run_on() {
    let (log, told) = (Log::new(), Log::new());
    telling(&told).run(|| {
        let mut set = JoinSet::new();
        for n in 0..3 {
            let log = log.clone();
            set.spawn(move || {
                sleep(MS);
                log.add(n);
                n
            });
        }
        set.spawn(|| quiet_panic("nobody sees it"));
        yield_now();
        set.detach_all();
        assert!(set.is_empty());
        assert!(set.join_next().is_none());
        // Their ends are not taken for those of new ones.
        for n in 10..13 {
            set.spawn(move || {
                sleep(5 * MS);
                n
            });
        }
        assert_eq!(drain(&mut set), ["10", "11", "12"]);
        assert_eq!(log.take(), [0, 1, 2]);
    });
    assert_eq!(told.take(), ["nobody sees it"]);
}

// Dropping and forgetting the set.

#[test]
fn dropping_the_set_cancels_its_tasks_and_does_not_wait() {
    let (log, told) = (Log::new(), Log::new());
    telling(&told).run(|| {
        let mut set = JoinSet::new();
        for n in 0..3 {
            let log = log.clone();
            set.spawn(move || {
                let _end = OnDrop(|| log.add(n));
                park();
            });
        }
        set.spawn(|| quiet_panic("before"));
        yield_now();
        set.spawn(|| unreachable!("it is dropped unrun"));
        no_switch(|| drop(set));
        assert_eq!(told.take(), ["before"]);
        assert_eq!(log.len(), 0);
        yield_now();
        assert_eq!(log.take(), [0, 1, 2]);
        assert_eq!(greenroom::tasks().len(), 1);
    });
}

#[test]
fn a_set_may_be_dropped_while_its_task_unwinds() {
    let log = Log::new();
    run(|| {
        for cancelled in [false, true] {
            let (l, done) = (log.clone(), Rc::new(Cell::new(0)));
            let d = Rc::clone(&done);
            let task = spawn(move || {
                let mut set = JoinSet::new();
                set.spawn(move || {
                    let _end = OnDrop(|| l.add(cancelled));
                    park();
                });
                set.spawn(move || d.set(d.get() + 1));
                yield_now();
                if cancelled {
                    park();
                }
                quiet_panic("on purpose")
            });
            yield_now();
            yield_now();
            task.cancel();
            let error = task.join().unwrap_err();
            assert_eq!(error.is_cancelled(), cancelled);
            yield_now();
            assert_eq!((log.take(), done.get()), (vec![cancelled], 1));
        }
    });
}

#[test]
fn every_result_is_dropped_once() {
    let drops = Rc::new(Cell::new(0));
    let value = |drops: &Rc<Cell<u32>>| {
        let drops = Rc::clone(drops);
        OnDrop(move || drops.set(drops.get() + 1))
    };
    run(|| {
        let mut set = JoinSet::new();
        for _ in 0..3 {
            let value = value(&drops);
            set.spawn(move || value);
        }
        yield_now();
        let first = set.join_next();
        assert_eq!(drops.get(), 0);
        drop(first);
        assert_eq!(drops.get(), 1);
        drop(set);
        assert_eq!(drops.replace(0), 3);

        let mut set = JoinSet::new();
        for _ in 0..2 {
            let value = value(&drops);
            set.spawn(move || value);
        }
        yield_now();
        set.detach_all();
        assert_eq!(drops.replace(0), 2);
        let unrun = value(&drops);
        set.spawn(move || unrun);
        drop(set);
        yield_now();
        assert_eq!(drops.replace(0), 1);
    });
}

#[test]
#[expect(clippy::mem_forget, reason = "that is what is tried")]
fn a_set_that_is_forgotten_lets_its_tasks_run_on() {
    let log = Log::new();
    on_virtual(|| {
        let mut set = JoinSet::new();
        let l = log.clone();
        set.spawn(move || {
            sleep(MS);
            l.add("ran on");
        });
        std::mem::forget(set);
        sleep(2 * MS);
    });
    assert_eq!(log.take(), ["ran on"]);
}

/// The guard of a pool: always as many as allowed, each joined as it ends.
#[test]
fn a_set_may_be_filled_while_it_is_drained() {
    on_virtual(|| {
        let (mut set, mut started, mut sum) = (JoinSet::new(), 0u64, 0);
        for _ in 0..50 {
            started += 1;
            set.spawn(move || started);
        }
        while let Some(result) = set.join_next() {
            sum += result.unwrap();
            if started < 20_000 {
                started += 1;
                let (n, nap) = (started, u32::try_from(started % 5).unwrap());
                set.spawn(move || {
                    sleep(nap * MS);
                    n
                });
            }
        }
        assert_eq!(sum, 20_000 * 20_001 / 2);
        assert_eq!(greenroom::tasks().len(), 1);
    });
}

#[test]
fn debug_says_how_many_there_are() {
    run(|| {
        let mut set = JoinSet::default();
        set.spawn(park);
        assert_eq!(format!("{set:?}"), "JoinSet { len: 1, .. }");
    });
}
