//! The promise: nobody starves. Each test is a way in which schedulers have been
//! unfair, counted in steps, never in time.

#![cfg(unix)]

mod support;

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use greenroom::{Config, Runtime, current, park, run, sleep, spawn, sync, yield_now};
use support::Log;

/// A task that yields goes behind those who were ready already, not before them.
#[test]
fn a_yield_goes_to_the_back() {
    let log = Log::new();
    run(|| {
        for name in ["a", "b", "c"] {
            let log = log.clone();
            spawn(move || {
                for _ in 0..3 {
                    log.add(name);
                    yield_now();
                }
            });
        }
        for _ in 0..4 {
            yield_now();
        }
    });
    assert_eq!(log.take(), ["a", "b", "c"].repeat(3));
}

/// A pair that wakes each other for ever does not keep a third from its turns.
#[test]
fn a_ping_pong_pair_starves_nobody() {
    run(|| {
        let rounds = Rc::new(Cell::new(0u32));
        let (ping, pinged) = sync::bounded(0);
        let (pong, ponged) = sync::bounded(0);
        let r = Rc::clone(&rounds);
        spawn(move || {
            while ping.send(()).is_ok() && ponged.recv().is_ok() {
                r.set(r.get() + 1);
            }
        });
        spawn(move || while pinged.recv().is_ok() && pong.send(()).is_ok() {});
        for turn in 1..=1000 {
            yield_now();
            assert!(
                rounds.get() <= turn,
                "the pair had {} rounds in {turn} turns",
                rounds.get()
            );
        }
        assert!(rounds.get() >= 200, "the pair is not starved either");
    });
}

/// The same by park and unpark.
#[test]
fn a_pair_that_unparks_each_other_starves_nobody() {
    run(|| {
        let steps = Rc::new(Cell::new(0u32));
        let place = Rc::new(Cell::new(None::<greenroom::Task>));
        for _ in 0..2 {
            let (steps, place) = (Rc::clone(&steps), Rc::clone(&place));
            spawn(move || {
                loop {
                    if let Some(other) = place.replace(Some(current())) {
                        other.unpark();
                    }
                    steps.set(steps.get() + 1);
                    park();
                }
            });
        }
        for turn in 1..=1000 {
            yield_now();
            assert!(steps.get() <= 2 * turn);
        }
    });
}

/// A task that spawns without end is one task: the others get their steps, and so
/// do its children, in order.
#[test]
fn a_spawn_storm_starves_nobody() {
    let log = Log::new();
    run(|| {
        let l = log.clone();
        spawn(move || {
            for n in 0..2000 {
                let inner = l.clone();
                spawn(move || inner.add(n));
                if n % 10 == 9 {
                    yield_now();
                }
            }
        });
        for turn in 0..100 {
            assert!(log.len() <= 10 * (turn + 1));
            assert!(log.len() >= 10 * (turn.max(2) - 2));
            yield_now();
        }
    });
    let ran = log.take();
    assert!(
        ran.iter()
            .copied()
            .eq(0..i32::try_from(ran.len()).expect("few")),
        "in the order of their spawning"
    );
}

/// Children that spawn children and end: each generation waits for its turn.
#[test]
fn a_chain_of_spawns_starves_nobody() {
    fn link(count: Rc<Cell<u32>>) {
        count.set(count.get() + 1);
        spawn(move || link(count));
    }
    run(|| {
        let count = Rc::new(Cell::new(0));
        let c = Rc::clone(&count);
        spawn(move || link(c));
        for turn in 1..=1000 {
            yield_now();
            assert_eq!(count.get(), turn);
        }
    });
}

/// A channel that always has a value, or always has room, is left when the budget
/// is used up: `budget` calls to a step.
#[test]
fn an_always_ready_channel_yields_when_the_budget_is_used_up() {
    for budget in [1u32, 10, 128] {
        Runtime::with(Config::new().budget(budget)).run(|| {
            let calls = Rc::new(Cell::new(0u32));
            let (send, receive) = sync::unbounded();
            let c = Rc::clone(&calls);
            spawn(move || {
                loop {
                    send.send(1).unwrap();
                    c.set(c.get() + 1);
                    receive.recv().unwrap();
                    c.set(c.get() + 1);
                }
            });
            for turn in 1..=100 {
                yield_now();
                let most = turn * (budget + 1);
                assert!(calls.get() <= most, "{} calls in {turn} steps", calls.get());
                assert!(calls.get() >= turn * budget - 1);
            }
        });
    }
}

/// Calls that never wait use up nothing and never switch.
#[test]
fn calls_that_never_wait_never_switch() {
    Runtime::with(Config::new().budget(1)).run(|| {
        let switched = Rc::new(Cell::new(false));
        let s = Rc::clone(&switched);
        spawn(move || s.set(true));
        let (send, receive) = sync::bounded(1);
        for n in 0..1000 {
            send.try_send(n).unwrap();
            assert_eq!(receive.try_recv(), Ok(n));
            current().unpark();
            let _handle = spawn(|| ());
        }
        assert!(!switched.get());
        yield_now();
        assert!(switched.get());
    });
}

/// A wake-up from another thread is served within `event_interval` steps, and the
/// tasks ready then, however busy the others are.
#[test]
fn a_wake_up_from_another_thread_is_served_among_busy_tasks() {
    const BUSY: u32 = 5;
    for interval in [1u32, 16, 256] {
        Runtime::with(Config::new().event_interval(interval)).run(|| {
            let woken = Rc::new(Cell::new(false));
            let sent = Arc::new(AtomicBool::new(false));
            let (w, s) = (Rc::clone(&woken), Arc::clone(&sent));
            let sleeper = spawn(move || {
                let waker = current().waker().unwrap();
                let thread = std::thread::spawn(move || {
                    waker.wake();
                    s.store(true, Ordering::SeqCst);
                });
                park();
                w.set(true);
                thread.join().unwrap();
            });
            // Steps of the busy tasks since the wake-up was surely sent.
            let steps = Rc::new(Cell::new(0u32));
            for _ in 0..BUSY {
                let (woken, sent, steps) =
                    (Rc::clone(&woken), Arc::clone(&sent), Rc::clone(&steps));
                spawn(move || {
                    while !woken.get() {
                        if sent.load(Ordering::SeqCst) {
                            steps.set(steps.get() + 1);
                        }
                        yield_now();
                    }
                });
            }
            sleeper.join().unwrap();
            let most = interval + 2 * BUSY;
            assert!(
                steps.get() <= most,
                "served after {} steps, not {most}",
                steps.get()
            );
        });
    }
}

/// Timers of the real clock are looked at every `event_interval` steps.
#[test]
fn a_yield_storm_does_not_starve_timers() {
    Runtime::with(Config::new().event_interval(8)).run(|| {
        let over = Rc::new(Cell::new(false));
        let late = Rc::new(Cell::new(0u32));
        let deadline = greenroom::Instant::now() + Duration::from_millis(1);
        for _ in 0..4 {
            let (over, late) = (Rc::clone(&over), Rc::clone(&late));
            spawn(move || {
                while !over.get() {
                    if greenroom::Instant::now() > deadline {
                        late.set(late.get() + 1);
                    }
                    yield_now();
                }
            });
        }
        greenroom::sleep_until(deadline);
        over.set(true);
        assert!(
            late.get() <= 8 + 2 * 4,
            "{} steps after the deadline",
            late.get()
        );
    });
}

/// A task that unparks itself and parks goes on at once; it is not a way to get
/// more than one's share, for others it has not given its turn away.
#[test]
fn a_task_that_unparks_itself_is_not_queued_twice() {
    let log = Log::new();
    run(|| {
        for name in ["a", "b"] {
            let log = log.clone();
            spawn(move || {
                for _ in 0..3 {
                    current().unpark();
                    current().unpark();
                    park();
                    log.add(name);
                    current().unpark();
                    yield_now(); // queued once, as one who yielded
                    park();
                }
            });
        }
        for _ in 0..10 {
            yield_now();
        }
    });
    assert_eq!(log.take(), ["a", "b"].repeat(3));
}

/// A task whose waker fires all the time is woken once a step.
#[test]
fn a_waker_that_fires_all_the_time_starves_nobody() {
    let stop = Arc::new(AtomicBool::new(false));
    Runtime::with(Config::new().event_interval(4)).run(|| {
        let steps = Rc::new(Cell::new(0u32));
        let (s, stopped) = (Rc::clone(&steps), Arc::clone(&stop));
        let woken = spawn(move || {
            let waker = current().waker().unwrap();
            let st = Arc::clone(&stopped);
            let thread = std::thread::spawn(move || {
                while !st.load(Ordering::Relaxed) {
                    waker.wake_by_ref();
                }
                waker.wake();
            });
            while !stopped.load(Ordering::Relaxed) {
                park();
                s.set(s.get() + 1);
            }
            thread.join().unwrap();
        });
        for turn in 1..=2000 {
            yield_now();
            assert!(steps.get() <= turn);
        }
        stop.store(true, Ordering::Relaxed);
        woken.join().unwrap();
    });
}

/// Sleepers that wake at the same moment as others are ready queue behind them.
#[test]
fn woken_tasks_queue_behind_the_ready_ones() {
    let log = Log::new();
    support::on_virtual(|| {
        let l = log.clone();
        spawn(move || {
            sleep(Duration::from_secs(1));
            l.add("sleeper");
        });
        let l = log.clone();
        spawn(move || {
            sleep(Duration::from_secs(1));
            l.add("second sleeper");
            let inner = l.clone();
            spawn(move || inner.add("child"));
        });
        sleep(Duration::from_secs(1));
        log.add("main");
        yield_now();
        log.add("main again");
        yield_now();
    });
    // main fell asleep first: it runs before them when all wake at once.
    assert_eq!(
        log.take(),
        ["main", "sleeper", "second sleeper", "main again", "child"]
    );
}
