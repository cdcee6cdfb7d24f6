//! `timeout`, `move_on_after` and `shield`, alone and nested.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use greenroom::{
    CancelScope, Clock, Config, Elapsed, Instant, Runtime, Turn, checkpoint, is_cancelled,
    move_on_after, move_on_at, park, shield, sleep, spawn, timeout, timeout_at, yield_now,
};

use crate::support::{Log, OnDrop, case, rerun};
use crate::{SECOND, clean};

#[test]
fn a_limit_of_zero() {
    clean(|| {
        assert_eq!(timeout(Duration::ZERO, || 5), Ok(5));
        assert_eq!(timeout(Duration::ZERO, yield_now), Err(Elapsed));
        assert_eq!(timeout(Duration::ZERO, || sleep(SECOND)), Err(Elapsed));
        assert!(timeout(Duration::ZERO, is_cancelled).unwrap());
        assert_eq!(move_on_after(Duration::ZERO, park), None);
        let now = Instant::now();
        assert_eq!(timeout_at(now, park), Err(Elapsed));
        assert_eq!(move_on_at(now, park), None);
        assert_eq!(move_on_at(now, || 5), Some(5));
        sleep(SECOND);
        assert_eq!(timeout_at(now, park), Err(Elapsed)); // past by now
        assert_eq!(now.elapsed(), SECOND);
        assert!(!is_cancelled());
    });
}

#[test]
fn a_limit_that_never_comes() {
    clean(|| {
        let forever = timeout(Duration::MAX, || {
            timeout(Duration::MAX, || sleep(1_000_000 * SECOND))
        });
        assert_eq!(forever, Ok(Ok(())));
        assert_eq!(timeout(SECOND, || sleep(Duration::MAX)), Err(Elapsed));
    });
}

#[test]
fn a_limit_is_met_at_its_moment() {
    clean(|| {
        let start = Instant::now();
        assert_eq!(timeout(SECOND, || sleep(2 * SECOND)), Err(Elapsed));
        assert_eq!(start.elapsed(), SECOND);
        // Who is done at that very moment is done.
        assert_eq!(timeout(SECOND, || sleep(SECOND)), Ok(()));
        assert_eq!(start.elapsed(), 2 * SECOND);
        let error = std::io::Error::from(Elapsed);
        assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
    });
}

/// A level of a program of nested scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Limit(u32),
    Shield,
}

type Events = Vec<(usize, &'static str, u32)>;

/// What a program of nested scopes does, by a naive model: who is cancelled is
/// found by looking at all deadlines that can be seen. Returns the time of the
/// end, or which level is cancelled, and when.
fn model(
    levels: &[Level],
    at: usize,
    body: u32,
    now: u32,
    seen: &[(usize, u32)],
    events: &mut Events,
) -> Result<u32, (usize, u32)> {
    let outermost = |now: u32, seen: &[(usize, u32)]| {
        let over = seen.iter().filter(|(_, deadline)| *deadline <= now);
        over.map(|(level, _)| *level).min()
    };
    let Some(level) = levels.get(at) else {
        // Whoever is cancelled at once gives nobody time.
        if let Some(level) = outermost(now, seen) {
            return Err((level, now));
        }
        return match seen.iter().map(|(_, deadline)| *deadline).min() {
            Some(first) if first < now + body => {
                let level = outermost(first, seen).expect("one is over");
                Err((level, first))
            }
            _ => Ok(now + body),
        };
    };
    let inside: Vec<_> = match level {
        Level::Limit(limit) => seen.iter().copied().chain([(at, now + limit)]).collect(),
        Level::Shield => Vec::new(),
    };
    let now = match model(levels, at + 1, body, now, &inside, events) {
        Ok(now) => {
            events.push((at, "done", now));
            now
        }
        Err((caught, now)) if caught == at => {
            events.push((at, "elapsed", now));
            now
        }
        Err(further) => return Err(further),
    };
    // Each level waits once more when it is through.
    match outermost(now, seen) {
        Some(level) => Err((level, now)),
        None => Ok(now),
    }
}

fn program(levels: &[Level], at: usize, body: u32, start: Instant, log: &Log<(usize, &str, u32)>) {
    let Some(level) = levels.get(at) else {
        return sleep(body * SECOND);
    };
    let inner = || program(levels, at + 1, body, start, log);
    let ended = match level {
        Level::Limit(limit) => timeout(*limit * SECOND, inner),
        Level::Shield => {
            shield(inner);
            Ok(())
        }
    };
    let now = u32::try_from(start.elapsed().as_secs()).expect("a few seconds");
    log.add((at, if ended.is_ok() { "done" } else { "elapsed" }, now));
    yield_now();
}

/// All programs of up to three levels of limits and shields, with bodies of
/// several lengths, do what the naive model says.
#[test]
fn nested_in_all_orders() {
    let kinds = [
        Level::Limit(0),
        Level::Limit(1),
        Level::Limit(2),
        Level::Limit(3),
        Level::Shield,
    ];
    let mut programs = vec![Vec::new()];
    for _ in 0..3 {
        let longer = |program: &Vec<Level>| {
            let program = program.clone();
            kinds.map(|kind| [program.as_slice(), &[kind]].concat())
        };
        let more: Vec<_> = programs.iter().flat_map(longer).collect();
        programs.extend(more);
    }
    clean(|| {
        for levels in &programs {
            for body in 0..5 {
                let (mut wanted, log) = (Events::new(), Log::new());
                let ended = model(levels, 0, body, 0, &[], &mut wanted);
                let start = Instant::now();
                program(levels, 0, body, start, &log);
                assert_eq!(log.take(), wanted, "{levels:?}, {body} s");
                let now = u32::try_from(start.elapsed().as_secs()).expect("a few seconds");
                assert_eq!(ended, Ok(now), "{levels:?}, {body} s");
            }
        }
    });
}

#[test]
fn a_shield_with_a_limit_of_its_own() {
    clean(|| {
        let start = Instant::now();
        let outer = timeout(SECOND, || {
            shield(|| {
                assert_eq!(timeout(3 * SECOND, || sleep(9 * SECOND)), Err(Elapsed));
                assert_eq!(start.elapsed(), 3 * SECOND);
                assert!(!is_cancelled());
                assert_eq!(checkpoint().ok(), Some(()));
            });
            assert!(is_cancelled());
            yield_now();
            unreachable!("it is cut short");
        });
        assert_eq!(outer, Err(Elapsed));
        let scope = CancelScope::builder()
            .shield()
            .deadline(Instant::now().checked_add(SECOND).expect("soon"))
            .build();
        let outer = timeout(Duration::ZERO, || {
            let inner = scope.run(|| sleep(9 * SECOND));
            assert_eq!((inner, scope.deadline_passed()), (None, true));
            yield_now();
        });
        assert_eq!((outer, start.elapsed()), (Err(Elapsed), 4 * SECOND));
    });
}

/// Cut-short bodies leave nothing in a task that goes on: no count, no timer.
#[test]
fn five_thousand_limits_that_are_met() {
    const NAME: &str = "limits::five_thousand_limits_that_are_met";
    if case().is_none() {
        rerun(NAME, "run", &[]).assert_success();
        return;
    }
    clean(|| {
        for n in 0..5000 {
            assert_eq!(timeout(SECOND, park), Err(Elapsed), "{n}");
        }
        let mut round = 0;
        while round < 5000 {
            // Through several levels, and out of a shield.
            let cut = timeout(SECOND, || {
                shield(|| timeout(SECOND, || timeout(9 * SECOND, park)))
            });
            assert_eq!(cut, Ok(Err(Elapsed)));
            round += 1;
        }
    });
}

/// The one timer of a task is set and taken back with its scopes.
#[test]
fn limits_leave_no_timers() {
    let mut runtime = Runtime::with(Config::new().clock(Clock::virtual_()));
    let start = runtime.run(Instant::now);
    let task = runtime.spawn(|| {
        for _ in 0..10_000 {
            timeout(3600 * SECOND, yield_now).expect("an hour");
        }
        let limit =
            |hours: u32, body: &dyn Fn()| timeout(hours * 3600 * SECOND, body).expect("hours");
        limit(3, &|| {
            limit(1, &|| limit(2, &|| (0..10_000).for_each(|_| yield_now())))
        });
        limit(3, &|| {
            limit(1, &yield_now);
            park();
        });
    });
    let mut seen = Vec::new();
    while runtime.turn() == Turn::Ready {
        seen.push(
            runtime
                .next_deadline()
                .map(|moment| moment.duration_since(start)),
        );
    }
    // While it yields the first of its deadlines is there, at last the only one.
    let hours = |hours: u32| Some(hours * 3600 * SECOND);
    assert!(seen.len() >= 20_000);
    assert!(seen.iter().all(|moment| *moment == hours(1)));
    let last = runtime
        .next_deadline()
        .map(|moment| moment.duration_since(start));
    assert_eq!(last, hours(3));
    drop(runtime);
    assert!(task.join().expect_err("it was cancelled").is_cancelled());
}

/// A thousand tasks, each with limits in limits: each is cut short at its first.
#[test]
fn a_thousand_tasks_with_limits() {
    let cut = Rc::new(Cell::new(0));
    clean(|| {
        let start = Instant::now();
        let tasks: Vec<_> = (1..=1000_u32)
            .map(|n| {
                let cut = Rc::clone(&cut);
                spawn(move || {
                    let late = timeout((n + 5) * SECOND, || {
                        timeout(n * SECOND, || timeout(2 * n * SECOND, park))
                    });
                    assert_eq!((late, start.elapsed()), (Ok(Err(Elapsed)), n * SECOND));
                    cut.set(cut.get() + 1);
                })
            })
            .collect();
        tasks
            .into_iter()
            .for_each(|task| task.join().expect("each asserts"));
    });
    assert_eq!(cut.get(), 1000);
}

/// Destructors run at the moment of the limit, innermost first, each once.
#[test]
fn what_is_cut_short_is_cleaned_up() {
    let log = Log::new();
    clean(|| {
        let start = Instant::now();
        let l = &log;
        let guard = |name| OnDrop(move || l.add((name, start.elapsed())));
        let _late = timeout(SECOND, || {
            let _a = guard("a");
            let _b = guard("b");
            timeout(9 * SECOND, || {
                let _c = guard("c");
                park();
            })
        });
    });
    assert_eq!(log.take(), [("c", SECOND), ("b", SECOND), ("a", SECOND)]);
}

/// A limit is for the task that set it: others in it are not hurried.
#[test]
fn spawned_tasks_are_not_under_the_limit() {
    clean(|| {
        let start = Instant::now();
        let mut task = None;
        let late = timeout(SECOND, || {
            task = Some(spawn(|| sleep(5 * SECOND)));
            park();
        });
        assert!(late.is_err());
        task.expect("it was spawned").join().expect("it slept");
        assert_eq!(start.elapsed(), 5 * SECOND);
    });
}

/// A computation looks at the clock itself. On the real clock: a virtual one stands
/// still meanwhile.
#[test]
fn computations_ask() {
    greenroom::run(|| {
        let soon = Duration::from_millis(2);
        let late = timeout(soon, || {
            while !is_cancelled() {}
            "saw it"
        });
        assert_eq!(late, Ok("saw it"));
        let late = timeout(soon, || {
            loop {
                checkpoint().expect("it unwinds");
            }
        });
        let _never: &Result<(), _> = &late;
        assert_eq!(late, Err(Elapsed));
        // The outer deadline is seen, too; not through a shield.
        let late = timeout(soon, || {
            while !timeout(3600 * SECOND, is_cancelled).expect("it does not wait") {}
            shield(|| assert!(!is_cancelled()));
            yield_now();
        });
        assert_eq!(late, Err(Elapsed));
    });
}
