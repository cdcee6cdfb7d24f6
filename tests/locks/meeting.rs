//! Barriers: all go on together, and one of them leads.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use greenroom::sync::Barrier;
use greenroom::{Awaitable, Instant, gather, scope, sleep, spawn, yield_now};
use proptest::prelude::{ProptestConfig, prop, prop_assert_eq, proptest};

use crate::support::{Log, on_virtual, panic_text};

#[test]
fn the_last_to_come_leads_and_all_go_on_in_order() {
    on_virtual(|| {
        let (barrier, log) = (Barrier::new(3), Log::new());
        for _round in 0..3 {
            scope(|s| {
                for n in 0..3 {
                    let (barrier, log) = (&barrier, log.clone());
                    s.spawn(move || {
                        let met = barrier.wait();
                        log.add((n, met.is_leader()));
                    });
                }
            });
            assert_eq!(log.take(), [(2, true), (0, false), (1, false)]);
            assert_eq!(barrier.waiting(), 0);
        }
    });
}

/// The leader may be back before the others have run: it is in the next round.
#[test]
fn a_fast_one_does_not_mix_rounds_up() {
    on_virtual(|| {
        let (barrier, rounds) = (Barrier::new(3), Cell::new([0; 3]));
        scope(|s| {
            for n in 0..3 {
                let (barrier, rounds) = (&barrier, &rounds);
                s.spawn(move || {
                    for round in 0..20 {
                        let mut all = rounds.get();
                        all[n] += 1;
                        rounds.set(all);
                        barrier.wait();
                        assert!(rounds.get().iter().all(|other| *other > round));
                    }
                });
            }
        });
        assert_eq!(rounds.get(), [20; 3]);
    });
}

#[test]
fn a_cancelled_one_has_not_come() {
    on_virtual(|| {
        let barrier = Rc::new(Barrier::new(3));
        let come = || {
            let barrier = Rc::clone(&barrier);
            spawn(move || barrier.wait().is_leader())
        };
        let (a, b) = (come(), come());
        yield_now();
        assert_eq!(barrier.waiting(), 2);
        a.cancel();
        yield_now();
        assert_eq!(barrier.waiting(), 1);
        let c = come();
        yield_now();
        assert!(!b.is_finished());
        let d = come();
        assert!(d.join().unwrap());
        assert!(!b.join().unwrap());
        assert!(!c.join().unwrap());
        assert!(a.join().unwrap_err().is_cancelled());
    });
}

/// Met, and then cancelled before it has run: it was there.
#[test]
fn one_that_has_met_wins_over_its_cancellation() {
    on_virtual(|| {
        let barrier = Rc::new(Barrier::new(2));
        let theirs = Rc::clone(&barrier);
        let met = Rc::new(Cell::new(false));
        let sees = Rc::clone(&met);
        let task = spawn(move || {
            theirs.wait();
            sees.set(true);
            yield_now();
        });
        yield_now();
        assert!(Awaitable::wait(&*barrier).is_leader());
        task.cancel();
        assert!(task.join().unwrap_err().is_cancelled());
        assert!(met.get());
        assert_eq!(barrier.waiting(), 0);
    });
}

#[test]
fn for_one_or_none_nobody_waits() {
    for size in [0, 1] {
        let barrier = Barrier::new(size);
        assert!(barrier.wait().is_leader());
        assert!(barrier.wait().is_leader());
    }
    let lonely = Barrier::new(2);
    let text = panic_text(|| lonely.wait());
    assert!(text.contains("no runtime is running here"), "{text}");
    assert_eq!(lonely.waiting(), 0);
    let huge = Barrier::new(usize::MAX);
    on_virtual(|| {
        let waited = greenroom::timeout(Duration::from_secs(1), || huge.wait());
        assert!(waited.is_err());
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Everyone goes on when the last of a round has come: the model is a sorted list.
    #[test]
    fn rounds_end_when_the_last_has_come(
        size in 1..5usize,
        mut times in prop::collection::vec(0..1000u64, 1..20),
    ) {
        times.sort_unstable();
        times.dedup();
        times.truncate(times.len() / size * size);
        let went: Vec<u64> = on_virtual(|| {
            let (barrier, start) = (Barrier::new(size), Instant::now());
            let barrier = &barrier;
            gather(times.iter().map(|moment| move || {
                sleep(Duration::from_millis(*moment));
                barrier.wait();
                u64::try_from(start.elapsed().as_millis()).unwrap()
            }).collect::<Vec<_>>())
        });
        let expected: Vec<u64> = times
            .chunks(size)
            .flat_map(|round| round.iter().map(|_| *round.last().unwrap()))
            .collect();
        prop_assert_eq!(went, expected);
    }
}
