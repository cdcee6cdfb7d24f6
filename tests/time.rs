//! The promise: time is that of the runtime's clock, deadlines come in order, and
//! nothing sleeps too short. All of it on the virtual clock, which has no jitter,
//! but for the two tests that say otherwise.

#![cfg(unix)]

mod support;

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use greenroom::{
    Clock, Config, Instant, MissedTick, Runtime, Timer, interval, run, select, sleep, sleep_until,
    spawn, yield_now,
};
use support::{Log, on_virtual, panic_text, virtual_runtime};

const SECOND: Duration = Duration::from_secs(1);

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[test]
fn equal_deadlines_come_in_the_order_they_were_asked_for() {
    let log = Log::new();
    on_virtual(|| {
        for n in 0..8 {
            let log = log.clone();
            spawn(move || {
                sleep(SECOND);
                log.add(n);
            });
        }
        sleep(secs(2));
    });
    assert_eq!(log.take(), [0, 1, 2, 3, 4, 5, 6, 7]);
}

/// Ten thousand sleepers wake as a stable sort by deadline says, each at its moment.
#[test]
fn ten_thousand_random_sleeps_agree_with_a_sorted_list() {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    // Few distinct deadlines, so that many are equal.
    let naps: Vec<u64> = (0..10_000).map(|_| 1 + random() % 500).collect();
    let log = Log::new();
    let mut rt = Runtime::with(Config::new().clock(Clock::virtual_()).stack_size(64 * 1024));
    rt.run(|| {
        let start = Instant::now();
        let tasks: Vec<_> = naps
            .iter()
            .copied()
            .enumerate()
            .map(|(n, nap)| {
                let log = log.clone();
                spawn(move || {
                    sleep(Duration::from_millis(nap));
                    log.add((start.elapsed(), n));
                })
            })
            .collect();
        tasks.into_iter().for_each(|task| task.join().unwrap());
    });
    let mut wanted: Vec<_> = naps
        .iter()
        .map(|nap| Duration::from_millis(*nap))
        .zip(0..)
        .collect();
    wanted.sort();
    assert_eq!(log.take(), wanted);
}

#[test]
fn a_zero_sleep_is_a_turn_for_the_others_and_takes_no_time() {
    let log = Log::new();
    on_virtual(|| {
        let start = Instant::now();
        let l = log.clone();
        spawn(move || l.add("other"));
        sleep(Duration::ZERO);
        log.add("main");
        let l = log.clone();
        spawn(move || l.add("other"));
        sleep_until(Instant::now()); // a deadline that is over
        log.add("main");
        assert_eq!(start.elapsed(), Duration::ZERO);
    });
    assert_eq!(log.take(), ["other", "main", "other", "main"]);
}

#[test]
fn a_deadline_in_the_past_is_over() {
    on_virtual(|| {
        let start = Instant::now();
        sleep(secs(10));
        sleep_until(start);
        sleep_until(start + secs(3));
        assert_eq!(start.elapsed(), secs(10));
    });
}

#[test]
fn very_long_sleeps() {
    let (mut rt, clock) = virtual_runtime();
    rt.run(|| sleep(secs(1_000_000)));
    assert_eq!(clock.elapsed(), secs(1_000_000));
    // Beside a sleep for ever the others have their time.
    let log = Log::new();
    rt.run(|| {
        let l = log.clone();
        spawn(move || {
            sleep(Duration::MAX);
            l.add("for ever is over");
        });
        for _ in 0..10 {
            sleep(secs(1_000_000));
        }
    });
    assert!(log.take().is_empty());
    assert_eq!(clock.elapsed(), secs(11_000_000));
    // Alone it is a deadlock: nothing on this clock could end it.
    assert!(rt.try_run(|| sleep(Duration::MAX)).is_err());
    assert!(rt.try_run(|| sleep(Duration::from_secs(u64::MAX))).is_err());
    // The latest moment that can be told comes.
    let last = Duration::from_nanos(u64::MAX - 1) - clock.elapsed();
    rt.run(|| sleep(last));
    assert_eq!(clock.elapsed(), Duration::from_nanos(u64::MAX - 1));
}

#[test]
fn timers_and_ready_tasks_keep_their_order() {
    let log = Log::new();
    on_virtual(|| {
        for (n, nap) in [(0, 2), (1, 1), (2, 2)] {
            let log = log.clone();
            spawn(move || {
                sleep(secs(nap));
                log.add(format!("{n} woke"));
                yield_now();
                log.add(format!("{n} again"));
            });
        }
        sleep(secs(2)); // asked for first: main is queued first
        log.add("main".to_owned());
        yield_now();
        yield_now();
    });
    assert_eq!(
        log.take(),
        [
            "1 woke", "1 again", "main", "0 woke", "2 woke", "0 again", "2 again"
        ]
    );
}

/// Time stands still while anyone can run.
#[test]
fn the_virtual_clock_moves_only_when_all_wait() {
    on_virtual(|| {
        let start = Instant::now();
        let sleeper = spawn(|| sleep(SECOND));
        for _ in 0..10_000 {
            yield_now();
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
        sleeper.join().unwrap();
        assert_eq!(start.elapsed(), SECOND);
    });
}

// Intervals.

/// The moments of eight ticks, where the third is followed by a pause of 3.5 periods.
fn ticks(missed: MissedTick) -> Vec<(u64, u64)> {
    on_virtual(|| {
        let start = Instant::now();
        let mut ticks = interval(secs(10)).missed_tick(missed);
        assert_eq!(ticks.period(), secs(10));
        (0..8)
            .map(|n| {
                let due = ticks.tick();
                let at = start.elapsed().as_secs();
                if n == 2 {
                    sleep(secs(35));
                }
                (due.duration_since(start).as_secs(), at)
            })
            .collect()
    })
}

/// Each pair: when the tick was due, and when it came.
#[test]
fn missed_ticks() {
    let burst = [
        (0, 0),
        (10, 10),
        (20, 20),
        (30, 55),
        (40, 55),
        (50, 55),
        (60, 60),
        (70, 70),
    ];
    assert_eq!(ticks(MissedTick::Burst), burst);
    let delay = [
        (0, 0),
        (10, 10),
        (20, 20),
        (30, 55),
        (65, 65),
        (75, 75),
        (85, 85),
        (95, 95),
    ];
    assert_eq!(ticks(MissedTick::Delay), delay);
    let skip = [
        (0, 0),
        (10, 10),
        (20, 20),
        (30, 55),
        (60, 60),
        (70, 70),
        (80, 80),
        (90, 90),
    ];
    assert_eq!(ticks(MissedTick::Skip), skip);
}

#[test]
fn a_tick_missed_by_exactly_one_period() {
    on_virtual(|| {
        for missed in [MissedTick::Burst, MissedTick::Delay, MissedTick::Skip] {
            let start = Instant::now();
            let mut ticks = interval(secs(10)).missed_tick(missed);
            ticks.tick();
            sleep(secs(20));
            assert_eq!(ticks.tick(), start + secs(10));
            let next = ticks.tick();
            let wanted = if missed == MissedTick::Burst { 20 } else { 30 };
            assert_eq!(next.duration_since(start), secs(wanted), "{missed:?}");
        }
    });
}

#[test]
fn extreme_periods() {
    assert!(panic_text(|| interval(Duration::ZERO)).contains("longer than zero"));
    on_virtual(|| {
        let mut fast = interval(Duration::from_nanos(1)).missed_tick(MissedTick::Skip);
        fast.tick();
        sleep(secs(1_000_000));
        fast.tick();
        fast.tick();
        let mut once = interval(Duration::MAX);
        once.tick();
        let other = spawn(move || once.tick());
        sleep(secs(1_000_000));
        assert!(!other.is_finished());
    });
}

// Timers and moments.

#[test]
fn timers() {
    on_virtual(|| {
        let start = Instant::now();
        let timer = Timer::after(secs(5));
        assert_eq!(timer.deadline(), start + secs(5));
        assert_eq!(timer, Timer::at(start + secs(5)));
        assert!(!timer.is_over());
        let waiters: Vec<_> = (0..3).map(|_| spawn(move || timer.wait())).collect();
        timer.wait();
        assert!(timer.is_over());
        assert_eq!(start.elapsed(), secs(5));
        timer.wait();
        waiters.into_iter().for_each(|task| task.join().unwrap());
        assert_eq!(start.elapsed(), secs(5));
        assert!(Timer::after(Duration::ZERO).is_over());
        assert!(!Timer::after(Duration::MAX).is_over());
    });
}

#[test]
fn arithmetic_of_moments() {
    on_virtual(|| {
        let zero = Instant::now();
        let later = zero + secs(7);
        assert_eq!(later - secs(7), zero);
        assert_eq!(later.duration_since(zero), secs(7));
        assert_eq!(zero.duration_since(later), Duration::ZERO);
        assert_eq!(zero.checked_duration_since(later), None);
        assert_eq!(later.checked_duration_since(zero), Some(secs(7)));
        assert_eq!(zero.checked_add(Duration::MAX), None);
        assert_eq!(zero.checked_sub(Duration::from_nanos(1)), None);
        let mut moment = zero;
        moment += secs(2);
        moment -= SECOND;
        assert_eq!(moment, zero + SECOND);
        assert!(zero < later);
        assert_eq!(zero.elapsed(), Duration::ZERO);
        assert!(panic_text(|| zero + Duration::MAX).contains("overflow"));
        assert!(panic_text(|| zero - SECOND).contains("overflow"));
    });
}

// The real clock.

/// A sleep is never too short, by the clock of the crate and by std's; neither in
/// a task nor on a plain thread.
#[test]
fn a_sleep_on_the_real_clock_is_never_too_short() {
    let check = || {
        for micros in [0, 1, 50, 999, 1000, 2500] {
            let wanted = Duration::from_micros(micros);
            let (ours, of_std) = (Instant::now(), std::time::Instant::now());
            sleep(wanted);
            assert!(ours.elapsed() >= wanted);
            assert!(of_std.elapsed() >= wanted);
        }
    };
    check();
    run(|| {
        check();
        let tasks: Vec<_> = (0..20).map(|_| spawn(check)).collect();
        tasks.into_iter().for_each(|task| task.join().unwrap());
    });
}

/// Tasks that only yield do not keep timers from being looked at.
#[test]
fn yielding_tasks_do_not_starve_timers_of_the_real_clock() {
    let over = Rc::new(Cell::new(false));
    run(|| {
        for _ in 0..3 {
            let over = Rc::clone(&over);
            spawn(move || {
                while !over.get() {
                    yield_now();
                }
            });
        }
        sleep(Duration::from_millis(2));
        over.set(true);
    });
}

#[test]
fn ticks_in_a_selection_are_those_of_the_interval() {
    on_virtual(|| {
        let start = Instant::now();
        let mut ticks = interval(secs(10));
        let mut late = Timer::at(start + secs(25));
        let (mut ticked, mut gone) = (Vec::new(), 0);
        while ticked.len() < 5 {
            select! {
                wait(&mut ticks) -> due => ticked.push(due.duration_since(start).as_secs()),
                wait(late) => {
                    late = Timer::after(secs(1_000));
                    gone += 1;
                }
            }
        }
        assert_eq!((ticked, gone), (vec![0, 10, 20, 30, 40], 1));
        assert_eq!(ticks.tick().duration_since(start), secs(50));
    });
}
