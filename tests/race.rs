//! The promise: a race gives the first that ends, and when it returns the others
//! have ended too; tasks are seen to end in the order in which they do.

#![cfg(unix)]

mod support;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use greenroom::sync::{Event, RecvError, bounded};
use greenroom::testing::{self, Choices, Random};
use greenroom::{
    CancelScope, Clock, Config, Delivery, Elapsed, Instant, JoinError, JoinHandle, Runtime,
    as_completed, first_ok, is_cancelled, no_switch, park, race, scope, select, shield, sleep,
    spawn, supervise, timeout, wait_all, wait_any, yield_now,
};
use proptest::prelude::{ProptestConfig, any, prop, prop_assert, prop_assert_eq, proptest};
use support::{Log, OnDrop, panic_text, quiet_panic};

const SECOND: Duration = Duration::from_secs(1);

type Boxed<'a, T> = Box<dyn FnOnce() -> T + 'a>;

/// Runs on the virtual clock, and looks that nothing is left. What was told to the
/// hook for failures that nobody sees.
#[track_caller]
fn clean_with(config: Config, main: impl FnOnce()) -> Vec<String> {
    let told = Log::new();
    let log = told.clone();
    let before = testing::stacks_in_use();
    let config = config
        .clock(Clock::virtual_())
        .on_unobserved(move |what| log.add(support::text_of(&*what.payload)));
    let mut runtime = Runtime::with(config);
    runtime.run(main);
    assert_eq!(runtime.tasks_alive(), 0);
    assert_eq!(runtime.next_deadline(), None, "a timer is left");
    assert_eq!(testing::stacks_in_use(), before, "a stack is left");
    told.take()
}

/// The same where nothing is to be told.
#[track_caller]
fn clean(main: impl FnOnce()) {
    assert_eq!(clean_with(Config::new(), main), Vec::<String>::new());
}

fn after<T>(seconds: u32, value: T) -> impl FnOnce() -> T {
    move || {
        sleep(SECOND * seconds);
        value
    }
}

fn boom<T>(seconds: u32, what: &'static str) -> impl FnOnce() -> T {
    move || {
        sleep(SECOND * seconds);
        quiet_panic(what)
    }
}

/// A job that never ends, and takes its time to be cancelled.
fn stubborn<'a, T>(log: &'a Log<&'static str>, name: &'static str, seconds: u32) -> Boxed<'a, T> {
    Box::new(move || {
        let _guard = OnDrop(|| {
            shield(|| sleep(SECOND * seconds));
            log.add(name);
        });
        loop {
            park();
        }
    })
}

// race.

#[test]
fn the_first_to_end_wins() {
    clean(|| {
        let start = Instant::now();
        assert_eq!(race([after(3, "c"), after(1, "a"), after(2, "b")]), "a");
        assert_eq!(start.elapsed(), SECOND);
        assert_eq!(race(vec![after(3, 3)]), 3);
        assert_eq!(race((0..50).rev().map(|n| after(n, n))), 0);
        assert_eq!(race([|| 5, || 6]), 5, "in the order of the jobs");
        // Handles are jobs; their tasks run on when they lose.
        let log = Log::new();
        let l = log.clone();
        let slow = spawn(move || {
            sleep(SECOND * 5);
            l.add("slow");
            1
        });
        assert_eq!(race([slow, spawn(after(1, 2))]).unwrap(), 2);
        assert!(log.take().is_empty());
        sleep(SECOND * 9);
        assert_eq!(log.take(), ["slow"]);
        let guarded = [spawn(park).cancel_on_drop(), spawn(|| ()).cancel_on_drop()];
        race(guarded).unwrap();
        scope(|s| {
            let children = [3, 1].map(|n| s.spawn(after(n, n)));
            assert_eq!(race(children), 1);
        });
    });
}

/// Losers have been cancelled, and are gone with all they had, when it returns.
#[test]
fn losers_are_gone() {
    let log = Log::new();
    clean(|| {
        let start = Instant::now();
        let jobs: [Boxed<'_, u32>; 4] = [
            stubborn(&log, "a", 2),
            Box::new(after(1, 7)),
            stubborn(&log, "b", 5),
            Box::new(after(2, 8)),
        ];
        assert_eq!(race(jobs), 7);
        assert_eq!((log.take(), start.elapsed()), (vec!["a", "b"], SECOND * 6));
        assert!(!is_cancelled());
        // What they borrowed is free again.
        let mut counts = [0, 0, 0];
        let jobs = counts.iter_mut().enumerate().map(|(n, count)| {
            move || {
                *count += 1;
                if n > 0 {
                    park();
                }
                *count += 10;
            }
        });
        race(jobs);
        assert_eq!(counts, [11, 1, 1]);
        // Those that have not begun are dropped, or run to their first wait: no more.
        let dropped = Cell::new(0);
        let jobs = (0..5).map(|n| {
            let guard = OnDrop(|| dropped.set(dropped.get() + 1));
            move || {
                let _guard = guard;
                n
            }
        });
        assert_eq!(race(jobs), 0);
        assert_eq!(dropped.get(), 5);
    });
}

/// Of several that end in one turn the first wins, and the outputs of the others are
/// dropped.
#[test]
fn ties() {
    clean(|| {
        let dropped = Rc::new(Cell::new(0));
        let value = |n| {
            let dropped = Rc::clone(&dropped);
            (n, OnDrop(move || dropped.set(dropped.get() + 1)))
        };
        let won = race([1, 2, 3].map(|n| after(1, value(n))));
        assert_eq!((won.0, dropped.get()), (1, 2));
        drop(won);
        assert_eq!(dropped.take(), 3);
        let event = Event::new();
        let jobs: [Boxed<'_, u32>; 3] = [
            Box::new(|| {
                event.wait();
                1
            }),
            Box::new(|| {
                event.wait();
                2
            }),
            Box::new(|| {
                event.set();
                park();
                3
            }),
        ];
        assert_eq!(race(jobs), 1);
        // A loser may still give a value when it is cancelled: it comes too late.
        let jobs: [Boxed<'_, u32>; 2] = [
            Box::new(|| {
                let _cut = catch_unwind(AssertUnwindSafe(park));
                1
            }),
            Box::new(|| 2),
        ];
        assert_eq!(race(jobs), 2);
    });
}

#[test]
fn a_panic_is_an_end() {
    let log = Log::new();
    let told = clean_with(Config::new(), || {
        let start = Instant::now();
        let jobs: [Boxed<'_, u32>; 3] = [
            Box::new(after(2, 7)),
            Box::new(boom(1, "first")),
            stubborn(&log, "gone", 3),
        ];
        assert_eq!(panic_text(|| race(jobs)), "first");
        assert_eq!((log.take(), start.elapsed()), (vec!["gone"], SECOND * 4));
        assert!(!is_cancelled());
        // After the winner it is no end any more, whenever it comes.
        let jobs: [Boxed<'_, u32>; 2] = [Box::new(|| 1), Box::new(|| quiet_panic("same turn"))];
        assert_eq!(race(jobs), 1);
        let jobs: [Boxed<'_, u32>; 2] = [Box::new(|| quiet_panic("sooner")), Box::new(|| 1)];
        assert_eq!(panic_text(|| race(jobs)), "sooner");
        let jobs: [Boxed<'_, u32>; 2] = [
            Box::new(|| {
                let _cut = catch_unwind(AssertUnwindSafe(park));
                quiet_panic("while it is cancelled")
            }),
            Box::new(after(1, 2)),
        ];
        assert_eq!(race(jobs), 2);
        let jobs: [Boxed<'_, u32>; 2] = [Box::new(boom(1, "one")), Box::new(boom(1, "two"))];
        assert_eq!(panic_text(|| race(jobs)), "one");
    });
    assert_eq!(told, ["same turn", "while it is cancelled", "two"]);
}

#[test]
fn a_race_of_nobody() {
    clean(|| {
        let text = panic_text(|| race(Vec::<fn() -> u8>::new()));
        assert_eq!(text, "a race needs at least one job");
        assert_eq!(first_ok(Vec::<fn() -> Result<u8, u8>>::new()), Err(vec![]));
        assert_eq!(
            panic_text(|| wait_any::<JoinHandle<()>>([])),
            "wait_any needs at least one task"
        );
        wait_all::<JoinHandle<()>>([]);
        assert_eq!(as_completed(Vec::<JoinHandle<()>>::new()).count(), 0);
    });
    assert!(panic_text(|| race([|| 5])).contains("needs a task"));
    assert!(panic_text(|| first_ok([|| Ok::<_, ()>(5)]).is_ok()).contains("needs a task"));
}

/// An iterator of jobs may wait, may end early because one has won, and may panic.
#[test]
fn jobs_from_an_iterator() {
    let log = Log::new();
    clean(|| {
        let jobs = (0..3u32).map(|n| {
            sleep(SECOND);
            after(1, n)
        });
        assert_eq!(race(jobs), 0);
        let jobs = (0..3u32).map(|n| {
            if n == 2 {
                quiet_panic("no more jobs");
            }
            yield_now();
            stubborn::<u32>(&log, "gone", 1)
        });
        assert_eq!(panic_text(|| race(jobs)), "no more jobs");
        assert_eq!(log.take(), ["gone"], "the second had not begun");
    });
}

/// When the caller is cancelled, so are the jobs, and it unwinds when they are gone.
#[test]
fn a_cancelled_caller() {
    let log = Log::new();
    clean(|| {
        let start = Instant::now();
        let cut = timeout(SECOND, || {
            race([stubborn::<u32>(&log, "a", 1), stubborn(&log, "b", 2)])
        });
        assert_eq!((cut, start.elapsed()), (Err(Elapsed), SECOND * 3));
        assert_eq!(log.take(), ["a", "b"]);
        let cut = timeout(SECOND, || {
            first_ok([stubborn::<Result<u8, u8>>(&log, "c", 0)])
        });
        assert_eq!((cut, log.take()), (Err(Elapsed), vec!["c"]));
        // Jobs that are born cancelled are dropped unrun.
        let stop = CancelScope::new();
        stop.cancel("enough");
        let ran = Cell::new(false);
        assert_eq!(stop.run(|| race([|| ran.set(true)])), None);
        let stop = CancelScope::new();
        stop.cancel("enough");
        let never = || -> Result<(), ()> {
            ran.set(true);
            Ok(())
        };
        assert_eq!(stop.run(|| first_ok([never])), None);
        assert!(!ran.get());
        // By its handle, in the turn in which one wins: it has a value, or unwinds.
        let (alive, cut) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        for order in [0, 1] {
            let (alive, count) = (Rc::clone(&alive), Rc::clone(&cut));
            let task = spawn(move || {
                race([1, 1].map(|n| {
                    let alive = &alive;
                    move || {
                        alive.set(alive.get() + 1);
                        let _gone = OnDrop(|| alive.set(alive.get() - 1));
                        sleep(SECOND * n);
                    }
                }));
                count.set(count.get() + 1);
            });
            (0..order).for_each(|_| yield_now());
            sleep(SECOND);
            task.cancel();
            let end = task.join();
            assert_eq!(end.is_ok(), cut.take() == 1);
        }
        assert_eq!(alive.get(), 0);
    });
}

/// With delivery by errors the jobs learn of it by errors: the first one's is what
/// the race gives.
#[test]
fn a_cancelled_caller_with_delivery_by_errors() {
    clean(|| {
        let (_s, r) = bounded::<u32>(0);
        let scope = |deadline: Option<Instant>| {
            let builder = CancelScope::builder().delivery(Delivery::Error);
            match deadline {
                Some(deadline) => builder.deadline(deadline).build(),
                None => {
                    let scope = builder.build();
                    scope.cancel("enough");
                    scope
                }
            }
        };
        for late in [true, false] {
            let deadline = || late.then(|| Instant::now() + SECOND);
            let get = || r.recv();
            let gone = RecvError::Cancelled;
            assert_eq!(scope(deadline()).run(|| race([get, get])), Some(Err(gone)));
            assert_eq!(
                scope(deadline()).run(|| first_ok([get, get])),
                Some(Err(vec![gone, gone]))
            );
            let fine: [Boxed<'_, Result<u32, RecvError>>; 2] = [Box::new(get), Box::new(|| Ok(5))];
            assert_eq!(scope(deadline()).run(|| first_ok(fine)), Some(Ok(5)));
            let early = scope(deadline()).run(|| race([after(9, 1), after(8, 2)]));
            assert_eq!(early, Some(1), "a sleep is over early");
        }
    });
}

// first_ok.

#[test]
fn the_first_value_wins() {
    let log = Log::new();
    let told = clean_with(Config::new(), || {
        let start = Instant::now();
        let fails = |n: u32| after(n, Err::<u32, u32>(n));
        let jobs: Vec<Boxed<'_, Result<u32, u32>>> = vec![
            Box::new(fails(1)),
            stubborn(&log, "gone", 1),
            Box::new(after(3, Ok(7))),
            Box::new(after(4, Ok(8))),
            Box::new(fails(2)),
        ];
        assert_eq!((first_ok(jobs), start.elapsed()), (Ok(7), SECOND * 4));
        assert_eq!(log.take(), ["gone"]);
        // All fail: the errors in the order in which they came.
        assert_eq!(first_ok([fails(3), fails(1), fails(2)]), Err(vec![1, 2, 3]));
        assert_eq!(first_ok([fails(1)]), Err(vec![1]));
        let same = [1, 2, 3].map(|n| after(1, Err::<u32, u32>(n)));
        assert_eq!(first_ok(same), Err(vec![1, 2, 3]));
        // A panic before a value is one; after it is not.
        let jobs: [Boxed<'_, Result<u32, u32>>; 2] =
            [Box::new(boom(1, "no")), Box::new(after(2, Ok(1)))];
        assert_eq!(panic_text(|| first_ok(jobs)), "no");
        let jobs: [Boxed<'_, Result<u32, u32>>; 3] = [
            Box::new(fails(0)),
            Box::new(|| Ok(1)),
            Box::new(|| quiet_panic("late")),
        ];
        assert_eq!(first_ok(jobs), Ok(1));
        let handles = [
            spawn(|| -> u32 { quiet_panic("its own") }),
            spawn(after(1, 5)),
        ];
        assert_eq!(first_ok(handles).unwrap(), 5);
        let all: Result<u32, Vec<JoinError>> =
            first_ok([spawn(|| quiet_panic("x")), spawn(|| quiet_panic("y"))]);
        assert_eq!(all.unwrap_err().len(), 2);
    });
    assert_eq!(told, ["late"]);
}

// as_completed.

/// In the order of ends, also of many that end at one moment, whatever is asked
/// between.
#[test]
fn tasks_come_as_they_end() {
    clean(|| {
        let task = |n: u32| spawn(after(n % 7, n));
        let mut order = Vec::new();
        for end in as_completed((0..50).map(task)) {
            order.push(end.unwrap());
        }
        let mut wanted: Vec<u32> = (0..50).collect();
        wanted.sort_by_key(|n| n % 7);
        assert_eq!(
            order, wanted,
            "those of one moment in the order of their ends"
        );
        // All have ended before it looks.
        let tasks: Vec<_> = [3, 1, 2].map(|n| spawn(after(n, n))).into();
        sleep(SECOND * 9);
        let all: Vec<_> = no_switch(|| as_completed(tasks).map(Result::unwrap).collect());
        assert_eq!(all, [1, 2, 3]);
        // Some end while the caller is busy with one.
        let mut order = Vec::new();
        for end in as_completed([4, 1, 3, 2, 9].map(|n| spawn(after(n, n)))) {
            order.push(end.unwrap());
            sleep(SECOND * 3);
        }
        assert_eq!(order, [1, 2, 3, 4, 9]);
        let mut lengths = as_completed([1, 2].map(|n| spawn(after(n, n))));
        assert_eq!((lengths.len(), lengths.size_hint()), (2, (2, Some(2))));
        assert!(lengths.next().is_some());
        assert_eq!(lengths.len(), 1);
        assert!(lengths.next().is_some() && lengths.next().is_none() && lengths.next().is_none());
    });
}

/// Failures come in their turn.
#[test]
fn failures_come_as_they_happen() {
    clean(|| {
        let tasks = vec![
            spawn(after(3, 3)),
            spawn(boom(1, "one")),
            spawn(after(2, 2)),
            spawn(after(9, 9)),
        ];
        tasks[3].cancel();
        let ends: Vec<_> = as_completed(tasks)
            .map(|end| match end {
                Ok(n) => format!("{n}"),
                Err(error) if error.is_cancelled() => "cancelled".to_owned(),
                Err(error) => support::text_of(&*error.into_panic()),
            })
            .collect();
        assert_eq!(ends, ["cancelled", "one", "2", "3"]);
        supervise(|s| {
            let children = [s.spawn(after(2, 2)), s.spawn(boom(1, "one"))];
            let ends: Vec<_> = as_completed(children).map(|end| end.is_ok()).collect();
            assert_eq!(ends, [false, true]);
        });
        let text = panic_text(|| {
            scope(|s| as_completed([s.spawn(after(2, 2)), s.spawn(boom(1, "one"))]).count())
        });
        assert_eq!(text, "one");
    });
}

/// Dropped early it lets go of what is left.
#[test]
fn the_rest_runs_on() {
    let log = Log::new();
    clean(|| {
        let job = |n: u32| {
            let log = log.clone();
            spawn(move || {
                sleep(SECOND * n);
                log.add(n);
                n
            })
        };
        let mut ends = as_completed([job(3), job(1), job(2)]);
        assert_eq!(ends.next().unwrap().unwrap(), 1);
        drop(ends);
        assert_eq!(log.take(), [1]);
        sleep(SECOND * 5);
        assert_eq!(log.take(), [2, 3]);
        // Guards cancel theirs.
        let mut ends = as_completed([3, 1, 2].map(|n| job(n).cancel_on_drop()));
        assert_eq!(ends.next().unwrap().unwrap(), 1);
        drop(ends);
        sleep(SECOND * 5);
        assert_eq!(log.take(), [1]);
        // A cancelled caller loses nothing: it may ask again.
        let mut ends = as_completed([job(5), job(6)]);
        assert!(timeout(SECOND, || ends.next().is_some()).is_err());
        assert_eq!(ends.len(), 2);
        assert_eq!(ends.next().unwrap().unwrap(), 5);
        assert_eq!(ends.next().unwrap().unwrap(), 6);
    });
}

// wait_any, wait_all.

#[test]
fn waiting_without_joining() {
    clean(|| {
        let start = Instant::now();
        let tasks = [3, 1, 2].map(|n| spawn(after(n, n)));
        for _ in 0..3 {
            assert_eq!(wait_any(&tasks), 1, "it is still there");
        }
        assert_eq!(start.elapsed(), SECOND);
        sleep(SECOND * 2);
        assert_eq!(wait_any(&tasks), 1, "of several the first to end");
        assert_eq!(wait_any([&tasks[0], &tasks[2]]), 1);
        wait_all(&tasks);
        assert_eq!(start.elapsed(), SECOND * 3);
        assert_eq!(tasks.map(|task| task.join().unwrap()), [3, 1, 2]);
        let tasks: Vec<_> = [4, 5, 4].map(|n| spawn(after(n, n))).into();
        wait_all(&tasks);
        assert_eq!(start.elapsed(), SECOND * 8);
        wait_all(tasks.iter().chain(&tasks));
        // The same handle several times; failures are ends.
        let task = spawn(boom::<u32>(1, "no"));
        assert_eq!(wait_any([&task, &task, &task]), 0);
        assert!(task.join().unwrap_err().is_panic());
        let cut = spawn(park);
        cut.cancel();
        wait_all([&cut]);
        assert!(cut.join().unwrap_err().is_cancelled());
        scope(|s| {
            let children = [2, 1].map(|n| s.spawn(after(n, n)));
            assert_eq!(wait_any(&children), 1);
            wait_all(&children);
        });
    });
}

/// Several may wait for the same tasks, in all ways at once.
#[test]
fn many_look_at_the_same_tasks() {
    clean(|| {
        let tasks = Rc::new([2, 1, 3].map(|n| spawn(after(n, n))));
        let watchers: Vec<_> = (0..5)
            .map(|n| {
                let tasks = Rc::clone(&tasks);
                spawn(move || match n {
                    0..=2 => wait_any(&*tasks),
                    3 => wait_any([&tasks[2], &tasks[0]]) + 10,
                    _ => {
                        wait_all(&*tasks);
                        20
                    }
                })
            })
            .collect();
        let cut: Vec<_> = (0..3)
            .map(|_| {
                let tasks = Rc::clone(&tasks);
                spawn(move || timeout(SECOND / 2, || wait_any(&*tasks)))
            })
            .collect();
        let got: Vec<_> = watchers
            .into_iter()
            .map(|task| task.join().unwrap())
            .collect();
        assert_eq!(got, [1, 1, 1, 11, 20]);
        assert!(cut.into_iter().all(|task| task.join().unwrap().is_err()));
        let tasks = Rc::into_inner(tasks).unwrap();
        assert_eq!(tasks.map(|task| task.join().unwrap()), [2, 1, 3]);
    });
}

/// By errors, and in a destructor while the task unwinds, they really wait.
#[test]
fn what_cannot_fail_really_waits() {
    let log = Log::new();
    clean(|| {
        let start = Instant::now();
        let stop = CancelScope::builder().delivery(Delivery::Error).build();
        stop.cancel("enough");
        let tasks = [2, 1].map(|n| spawn(after(n, n)));
        assert_eq!(stop.run(|| wait_any(&tasks)), Some(1));
        assert_eq!(start.elapsed(), SECOND);
        let l = log.clone();
        let text = panic_text(move || {
            let _guard = OnDrop(|| {
                wait_all(&tasks);
                l.add(start.elapsed());
                let ends = as_completed([1, 3, 2].map(|n| spawn(after(n, n))));
                ends.for_each(|end| l.add(SECOND * 100 * end.unwrap()));
                l.add(start.elapsed());
            });
            quiet_panic("the body")
        });
        assert_eq!(text, "the body");
        let times = [2, 100, 200, 300, 5].map(|n| SECOND * n);
        assert_eq!(log.take(), times);
    });
    let mut runtime = Runtime::new();
    let waiting = runtime.spawn(|| 5);
    assert!(panic_text(|| wait_any([&waiting])).contains("needs a task"));
}

/// A race in a selection's place: the same program both ways gives the same.
#[test]
fn a_race_is_a_selection_among_tasks() {
    clean(|| {
        for seconds in [[1, 2, 3], [3, 1, 2], [2, 2, 1], [1, 1, 1]] {
            let raced = race((0..3).zip(seconds).map(|(n, s)| after(s, n)));
            let [mut a, mut b, mut c] = seconds.map(|s| spawn(after(s, ())));
            let selected = select! {
                join(&mut a) -> end => { end.unwrap(); 0 }
                join(&mut b) -> end => { end.unwrap(); 1 }
                join(&mut c) -> end => { end.unwrap(); 2 }
            };
            assert_eq!(raced, selected, "{seconds:?}");
            sleep(SECOND * 5);
        }
    });
}

// Under any schedule.

/// What a job of a random race does.
fn perform(kind: u32, turns: u32, alive: &Cell<i32>) -> Result<u32, u32> {
    alive.set(alive.get() + 1);
    let _gone = OnDrop(|| {
        shield(|| (0..turns % 3).for_each(|_| yield_now()));
        alive.set(alive.get() - 1);
    });
    (0..turns).for_each(|_| yield_now());
    match kind {
        0 => Ok(turns),
        1 => Err(turns),
        2 => {
            park();
            unreachable!("nobody unparks it")
        }
        3 => quiet_panic("no"),
        _ => {
            sleep(SECOND * turns);
            Ok(turns)
        }
    }
}

/// All of a random race's ends: its winner, if any, and whether nothing was left
/// when it returned.
fn random_race(jobs: &[(u32, u32)], limit: Option<u32>, firsts: bool) -> (String, bool) {
    let alive = Cell::new(0);
    let body = || {
        let all = jobs.iter().map(|(kind, turns)| {
            let alive = &alive;
            move || perform(*kind, *turns, alive)
        });
        let raced = catch_unwind(AssertUnwindSafe(|| {
            if firsts {
                first_ok(all).map_err(|errors| errors.len())
            } else {
                race(all).map_err(|_| 0)
            }
        }));
        match raced {
            Ok(end) => format!("{end:?}"),
            Err(_) if alive.get() != 0 => "children are left".to_owned(),
            Err(_) => "unwound".to_owned(),
        }
    };
    // There is a limit in any case: a race of jobs that never end has no other end.
    let limit = SECOND * limit.unwrap_or(1000);
    let end = timeout(limit, body).unwrap_or_else(|_| "late".to_owned());
    (end, alive.get() == 0)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn races_leave_nothing_behind(
        jobs in prop::collection::vec((0u32..6, 0u32..5), 1..7),
        limit in prop::option::of(0u32..4),
        firsts in any::<bool>(),
        by_error in any::<bool>(),
        choices in prop::collection::vec(0u32..6, 0..60),
    ) {
        let once = || {
            let before = testing::stacks_in_use();
            let delivery = if by_error { Delivery::Error } else { Delivery::Unwind };
            let config = Config::new()
                .clock(Clock::virtual_())
                .delivery(delivery)
                .schedule(Choices(choices.clone()));
            // By errors a park is over early, and there is no such job.
            let jobs: Vec<_> = jobs.iter().copied().filter(|job| !by_error || job.0 != 2).collect();
            let mut runtime = Runtime::with(config);
            let (end, gone) = if jobs.is_empty() {
                (String::new(), true)
            } else {
                runtime.run(|| random_race(&jobs, limit, firsts))
            };
            let clean = runtime.tasks_alive() == 0 && runtime.next_deadline().is_none();
            (end, gone, clean, testing::stacks_in_use() == before)
        };
        let first = once();
        prop_assert_eq!((first.1, first.2, first.3), (true, true, true), "{}", first.0);
        prop_assert!(first.0 != "children are left");
        prop_assert_eq!(&first, &once(), "two runs of one schedule differ");
    }

    /// As they end, whatever the schedule: the order is that in which they say it.
    #[test]
    fn as_completed_tells_the_order_of_ends(
        turns in prop::collection::vec((0u32..4, 0u32..3), 0..9),
        pauses in prop::collection::vec(0u32..3, 9),
        seed in any::<u64>(),
    ) {
        let config = Config::new().clock(Clock::virtual_()).schedule(Random(seed));
        let (told, seen) = Runtime::with(config).run(|| {
            let log = Log::new();
            let tasks: Vec<_> = (0..)
                .zip(turns)
                .map(|(n, (yields, seconds))| {
                    let log = log.clone();
                    spawn(move || {
                        (0..yields).for_each(|_| yield_now());
                        sleep(SECOND * seconds);
                        log.add(n);
                        n
                    })
                })
                .collect();
            let mut seen = Vec::new();
            for (end, pause) in as_completed(tasks).zip(pauses) {
                seen.push(end.unwrap());
                sleep(SECOND * pause);
            }
            (log.take(), seen)
        });
        prop_assert_eq!(told, seen);
    }
}
