//! The bare resume: raw coroutines and nothing else, which all other figures are multiples of.
//!
//! No queue, no wake-up, no cancellation: an array, resumed in turn. Stacks are corosensei's own, one mapping and one
//! guard page each, not coloured; so beyond a hundred or so their tops fall into the same cache sets, and beyond
//! 32,000 the kernel's limit of mappings ends it. `yield 2` is the unit: it has neither trouble.

use std::hint::black_box;
use std::io;
use std::time::Instant;

use ::corosensei::stack::DefaultStack;
use ::corosensei::{Coroutine, CoroutineResult};

use crate::Answer;
use crate::workload::{Line, STACK, rounds};

pub(crate) fn measure(name: &str, n: usize) -> Answer {
    match name {
        "generator" => generator(n).map(Some),
        "yield" => yields(n).map(Some),
        _ => Ok(None),
    }
}

/// One coroutine that counts, resumed `n` times: what an iterator over a stack costs at least.
fn generator(n: usize) -> io::Result<Line> {
    let mut numbers =
        Coroutine::<(), u64, ()>::with_stack(DefaultStack::new(STACK)?, |yielder, ()| {
            let mut i = 0;
            loop {
                yielder.suspend(i);
                i += 1;
            }
        });
    let begin = Instant::now();
    for _ in 0..n {
        if let CoroutineResult::Yield(value) = numbers.resume(()) {
            black_box(value);
        }
    }
    Ok(Line::each(n, begin.elapsed(), n))
}

/// `n` coroutines resumed in turn. The first round, which touches the stacks, is not counted.
fn yields(n: usize) -> io::Result<Line> {
    let mut coroutines = (0..n)
        .map(|_| {
            let stack = DefaultStack::new(STACK)?;
            Ok(Coroutine::<(), (), ()>::with_stack(stack, |yielder, ()| {
                loop {
                    yielder.suspend(());
                }
            }))
        })
        .collect::<io::Result<Vec<_>>>()?;
    let mut round = || {
        for coroutine in &mut coroutines {
            coroutine.resume(());
        }
    };
    round();
    let rounds = rounds(n);
    let begin = Instant::now();
    for _ in 0..rounds {
        round();
    }
    Ok(Line::each(n, begin.elapsed(), n * rounds))
}
