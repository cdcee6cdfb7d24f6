//! Coroutines without a scheduler: the switch, a generator against iterators
//! written by hand, and a walk through a tree.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use greenroom::{Coroutine, Generator, Yielder, generator};

fn switch(c: &mut Criterion) {
    let mut group = c.benchmark_group("switch");
    group.bench_function("resume and yield nothing", |b| {
        let coroutine = Coroutine::<(), (), ()>::new(|y, ()| {
            loop {
                y.yield_(());
            }
        });
        b.iter(|| coroutine.resume(()));
    });
    group.bench_function("resume and yield a number each way", |b| {
        let coroutine = Coroutine::new(|y: &Yielder<u64, u64>, first| {
            let mut value = first;
            loop {
                value = y.yield_(value + 1);
            }
        });
        b.iter(|| coroutine.resume(black_box(1)));
    });
    group.bench_function("make, run to the end, drop", |b| {
        b.iter(|| Coroutine::<u64, (), u64>::new(|_, value| value + 1).resume(black_box(1)));
    });
    group.finish();
}

/// The same numbers as the generator below, as an iterator written by hand.
struct Fibonacci(u64, u64);

impl Iterator for Fibonacci {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let value = self.0;
        (self.0, self.1) = (self.1, self.0.wrapping_add(self.1));
        Some(value)
    }
}

fn next(c: &mut Criterion) {
    let mut group = c.benchmark_group("next");
    group.bench_function("generator", |b| {
        let mut fibonacci = generator(|y| {
            let (mut a, mut b) = (0u64, 1u64);
            loop {
                y.yield_(a);
                (a, b) = (b, a.wrapping_add(b));
            }
        });
        b.iter(|| fibonacci.next());
    });
    group.bench_function("iterator written by hand", |b| {
        let mut fibonacci = Fibonacci(0, 1);
        b.iter(|| black_box(&mut fibonacci).next());
    });
    group.finish();
}

struct Tree {
    left: Option<Box<Tree>>,
    value: u64,
    right: Option<Box<Tree>>,
}

fn tree(depth: u32) -> Option<Box<Tree>> {
    (depth > 0).then(|| {
        Box::new(Tree {
            left: tree(depth - 1),
            value: u64::from(depth),
            right: tree(depth - 1),
        })
    })
}

fn walk(tree: &Tree, y: &Yielder<(), u64>) {
    if let Some(left) = &tree.left {
        walk(left, y);
    }
    y.yield_(tree.value);
    if let Some(right) = &tree.right {
        walk(right, y);
    }
}

/// A walk with a stack kept by hand.
struct Walk<'a> {
    pending: Vec<&'a Tree>,
}

impl<'a> Walk<'a> {
    fn descend(&mut self, mut tree: Option<&'a Tree>) {
        while let Some(node) = tree {
            self.pending.push(node);
            tree = node.left.as_deref();
        }
    }
}

impl Iterator for Walk<'_> {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let node = self.pending.pop()?;
        self.descend(node.right.as_deref());
        Some(node.value)
    }
}

fn tree_walk(c: &mut Criterion) {
    let Some(tree) = tree(12) else { return };
    let mut group = c.benchmark_group("walk of 4,095 nodes");
    group.bench_function("generator", |b| {
        b.iter(|| Generator::scope(|y| walk(&tree, y), |values| values.sum::<u64>()));
    });
    group.bench_function("iterator written by hand", |b| {
        b.iter(|| {
            let mut walk = Walk {
                pending: Vec::new(),
            };
            walk.descend(Some(&tree));
            walk.sum::<u64>()
        });
    });
    group.finish();
}

criterion_group!(benches, switch, next, tree_walk);
criterion_main!(benches);
