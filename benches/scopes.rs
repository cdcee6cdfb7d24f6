//! What structure costs, beside what it stands on: a limit of time beside a yield, a
//! scope beside spawn + join, `select!` beside a receive.
//!
//! All in one process and in turns, so that ratios of the medians can be trusted on a
//! machine whose speed is not steady.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use greenroom::sync::bounded;
use greenroom::{run, scope, select, select_biased, sleep, spawn, timeout, yield_now};

/// Five frames with a destructor each above a wait that is cut short.
fn five_frames_deep(depth: u32) -> u32 {
    struct Unwound(u32);
    impl Drop for Unwound {
        fn drop(&mut self) {
            black_box(self.0);
        }
    }
    let frame = Unwound(black_box(depth));
    if depth > 1 {
        return five_frames_deep(depth - 1) + frame.0;
    }
    sleep(Duration::from_secs(3600));
    frame.0
}

fn limits(c: &mut Criterion) {
    let mut group = c.benchmark_group("scopes");
    group.bench_function("a yield among two", |b| {
        run(|| {
            spawn(|| {
                loop {
                    yield_now();
                }
            });
            b.iter_custom(|iterations| {
                let start = Instant::now();
                for _ in 0..iterations / 2 {
                    yield_now();
                }
                start.elapsed()
            });
        });
    });
    group.bench_function("timeout, unexpired", |b| {
        run(|| b.iter(|| timeout(Duration::from_secs(1), || black_box(1))));
    });
    group.bench_function("timeout, unexpired, in another", |b| {
        run(|| {
            let _done = timeout(Duration::from_secs(3600), || {
                b.iter(|| timeout(Duration::from_secs(1), || black_box(1)));
            });
        });
    });
    group.bench_function("timeout, expired five frames deep", |b| {
        run(|| b.iter(|| timeout(Duration::ZERO, || five_frames_deep(5))));
    });
    group.finish();
}

fn children(c: &mut Criterion) {
    let mut group = c.benchmark_group("scopes");
    group.bench_function("spawn + join", |b| {
        run(|| b.iter(|| spawn(|| black_box(1)).join().ok()));
    });
    group.bench_function("scope with one child", |b| {
        run(|| b.iter(|| scope(|s| s.spawn(|| black_box(1)).join())));
    });
    group.finish();
}

fn selections(c: &mut Criterion) {
    let mut group = c.benchmark_group("scopes");
    group.bench_function("send + receive, ready", |b| {
        run(|| {
            let (sender, receiver) = bounded::<u64>(8);
            b.iter(|| {
                let _sent = sender.send(1);
                receiver.recv()
            });
        });
    });
    group.bench_function("send + select! of four, ready", |b| {
        run(|| {
            let (sender, first) = bounded::<u64>(8);
            let (_s2, second) = bounded::<u64>(8);
            let (_s3, third) = bounded::<u64>(8);
            let (_s4, fourth) = bounded::<u64>(8);
            b.iter(|| {
                let _sent = sender.send(1);
                select! {
                    recv(first) -> value => value,
                    recv(second) -> value => value,
                    recv(third) -> value => value,
                    recv(fourth) -> value => value,
                }
            });
        });
    });
    group.bench_function("send + select_biased! of four, ready", |b| {
        run(|| {
            let (sender, first) = bounded::<u64>(8);
            let (_s2, second) = bounded::<u64>(8);
            let (_s3, third) = bounded::<u64>(8);
            let (_s4, fourth) = bounded::<u64>(8);
            b.iter(|| {
                let _sent = sender.send(1);
                select_biased! {
                    recv(first) -> value => value,
                    recv(second) -> value => value,
                    recv(third) -> value => value,
                    recv(fourth) -> value => value,
                }
            });
        });
    });
    group.finish();
}

fn waiting_selections(c: &mut Criterion) {
    let mut group = c.benchmark_group("scopes");
    group.bench_function("round trip, received", |b| {
        run(|| {
            let (ping, pings) = bounded::<u64>(1);
            let (pong, pongs) = bounded(1);
            spawn(move || pings.iter().try_for_each(|value| pong.send(value)).is_ok());
            b.iter(|| ping.send(1).is_ok() && pongs.recv().is_ok());
        });
    });
    group.bench_function("round trip, selected of four", |b| {
        run(|| {
            let (ping, pings) = bounded::<u64>(1);
            let (pong, first) = bounded(1);
            let (_s2, second) = bounded::<u64>(8);
            let (_s3, third) = bounded::<u64>(8);
            let (_s4, fourth) = bounded::<u64>(8);
            spawn(move || pings.iter().try_for_each(|value| pong.send(value)).is_ok());
            b.iter(|| {
                let _sent = ping.send(1);
                select! {
                    recv(first) -> value => value,
                    recv(second) -> value => value,
                    recv(third) -> value => value,
                    recv(fourth) -> value => value,
                }
            });
        });
    });
    group.finish();
}

criterion_group!(benches, limits, children, selections, waiting_selections);
criterion_main!(benches);
