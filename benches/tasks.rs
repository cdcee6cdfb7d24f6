//! Tasks under the scheduler: yield, spawn, channels, timers.
//!
//! Each measures inside one run, so that making the runtime does not count.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use greenroom::sync::bounded;
use greenroom::{run, sleep, spawn, yield_now};

/// Yields of so many tasks in turn; the time of one.
fn yields(tasks: u64, iterations: u64) -> Duration {
    run(|| {
        let rounds = iterations / tasks + 1;
        let handles: Vec<_> = (0..tasks)
            .map(|_| {
                spawn(move || {
                    for _ in 0..rounds {
                        yield_now();
                    }
                })
            })
            .collect();
        yield_now();
        let start = Instant::now();
        for handle in handles {
            let _ended = handle.join();
        }
        scale(start.elapsed(), iterations, rounds * tasks)
    })
}

/// `elapsed` for `done` operations, as it would be for `wanted`.
fn scale(elapsed: Duration, wanted: u64, done: u64) -> Duration {
    let nanos = elapsed.as_nanos() * u128::from(wanted) / u128::from(done.max(1));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

fn yielding(c: &mut Criterion) {
    let mut group = c.benchmark_group("yield");
    for tasks in [2, 100, 10_000] {
        group.bench_function(BenchmarkId::from_parameter(tasks), |b| {
            b.iter_custom(|iterations| yields(tasks, iterations));
        });
    }
    group.finish();
}

fn spawning(c: &mut Criterion) {
    let mut group = c.benchmark_group("spawn");
    group.bench_function("and join", |b| {
        run(|| b.iter(|| spawn(|| black_box(1)).join().ok()));
    });
    group.bench_function("1,000, each yields once, join all", |b| {
        run(|| {
            b.iter(|| {
                let tasks: Vec<_> = (0..1000).map(|_| spawn(yield_now)).collect();
                tasks
                    .into_iter()
                    .filter_map(|task| task.join().ok())
                    .count()
            });
        });
    });
    group.finish();
}

fn channels(c: &mut Criterion) {
    let mut group = c.benchmark_group("channel");
    group.bench_function("round trip", |b| {
        run(|| {
            let (ping, pings) = bounded::<u64>(1);
            let (pong, pongs) = bounded(1);
            spawn(move || pings.iter().try_for_each(|value| pong.send(value)).is_ok());
            b.iter(|| ping.send(1).is_ok() && pongs.recv().is_ok());
        });
    });
    group.bench_function("a message, capacity 128", |b| {
        b.iter_custom(|iterations| {
            run(|| {
                let (sender, receiver) = bounded(128);
                let start = Instant::now();
                spawn(move || {
                    (0..iterations)
                        .try_for_each(|value| sender.send(value))
                        .is_ok()
                });
                black_box(receiver.iter().fold(0, u64::wrapping_add));
                start.elapsed()
            })
        });
    });
    group.finish();
}

fn timers(c: &mut Criterion) {
    let mut group = c.benchmark_group("timer");
    group.bench_function("sleep of zero among 1,000 sleepers", |b| {
        run(|| {
            for _ in 0..1000 {
                spawn(|| sleep(Duration::from_secs(3600)));
            }
            yield_now();
            b.iter(|| sleep(Duration::ZERO));
        });
    });
    group.finish();
}

criterion_group!(benches, yielding, spawning, channels, timers);
criterion_main!(benches);
