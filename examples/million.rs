//! A million tasks that sleep, each on a guarded stack of its own.
//!
//! Stacks come from a few large mappings, and a task that waits touches one
//! page of its stack. So a task costs that page, its share of the page tables,
//! and some 150 bytes of book-keeping. The example shows its progress, and what
//! a task cost, read from the system.
//!
//! ```text
//! cargo run --release --example million            # a million
//! cargo run --release --example million -- 100000  # fewer
//! cargo run --release --example million -- finished
//! ```
//!
//! The last one runs a million tasks to their end and keeps all their handles: a
//! finished task keeps its result, not its stack.

#![expect(clippy::print_stdout, reason = "an example shows its work")]

use std::cell::Cell;
use std::error::Error;
use std::rc::Rc;
use std::time::Duration;

use greenroom::{Config, Instant, JoinHandle, Runtime, sleep_until, spawn, yield_now};

/// Bytes of address space for each stack. A task that only sleeps needs one page.
const STACK: usize = 64 * 1024;

fn main() -> Result<(), Box<dyn Error>> {
    let mut runtime = Runtime::with(Config::new().stack_size(STACK));
    match std::env::args().nth(1).as_deref() {
        Some("finished") => runtime.run(|| finished(1_000_000)),
        Some(text) => {
            let count = text.parse()?;
            runtime.run(|| million(count))
        }
        None => runtime.run(|| million(1_000_000)),
    }
}

fn million(count: usize) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let before = memory()?;
    let asleep = Rc::new(Cell::new(0));
    let morning = start + Duration::from_secs(3600);

    let mut tasks: Vec<JoinHandle<()>> = Vec::with_capacity(count);
    for number in 1..=count {
        let lying_down = Rc::clone(&asleep);
        tasks.push(spawn(move || {
            lying_down.set(lying_down.get() + 1);
            sleep_until(morning);
        }));
        if number % (count / 10).max(1) == 0 {
            yield_now(); // those spawned so far lie down
            println!("{} of {count} tasks are asleep", asleep.get());
        }
    }
    yield_now();
    assert_eq!(asleep.get(), count);

    let bytes = memory()?.saturating_sub(before) / count.max(1);
    println!("greenroom sleepers-mem {count} {bytes} B/task");
    println!("all asleep after {:.1} s", start.elapsed().as_secs_f64());

    // Main returns: a million sleepers are woken, unwound and joined.
    drop(tasks);
    Ok(())
}

/// Tasks that have ended, and whose handles are all kept.
fn finished(count: usize) -> Result<(), Box<dyn Error>> {
    let before = memory()?;
    let mut tasks: Vec<JoinHandle<[u64; 2]>> = Vec::with_capacity(count);
    for number in 0..u64::try_from(count)? {
        tasks.push(spawn(move || [number, number * number]));
        if number % 1000 == 999 {
            yield_now(); // they run, and end
        }
    }
    let bytes = memory()?.saturating_sub(before);
    println!("greenroom finished-mem {count} {} MB", bytes / 1_000_000);
    for (number, task) in (0..).zip(tasks) {
        assert_eq!(task.join()?, [number, number * number]);
    }
    Ok(())
}

/// Bytes this process holds: resident pages and page tables.
fn memory() -> Result<usize, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let kib = |name: &str| -> usize {
        status
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .and_then(|rest| {
                rest.trim_start_matches(':')
                    .trim()
                    .trim_end_matches(" kB")
                    .parse()
                    .ok()
            })
            .unwrap_or(0)
    };
    Ok((kib("VmRSS") + kib("VmPTE")) * 1024)
}
