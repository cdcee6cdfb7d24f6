//! What is measured, for all runtimes alike: sizes, the stopwatch of `yield`, the memory of `sleepers`, the line printed.
//!
//! Nothing here may know a runtime. What tasks share is atomic and leaked: may's tasks and threads need that, the
//! others then pay the same, and it is touched outside the loops that are measured.

use std::fs;
use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Bytes of stack for a task of every runtime that lets us choose.
pub(crate) const STACK: usize = 64 * 1024;
/// Tasks of one burst of `spawnmany`.
pub(crate) const BURST: usize = 1_000;
/// Capacity of the channel of `stream`.
pub(crate) const STREAM: usize = 128;
/// Tasks of `ring`.
pub(crate) const RING: usize = 503;
/// How long the task of `yield` that only keeps a timer registered sleeps.
pub(crate) const HOUR: Duration = Duration::from_secs(3600);
/// How long a task of `sleepers` sleeps: longer than it takes to start a million of them on cold memory.
const LONG: Duration = Duration::from_secs(120);

/// What a run found, as it is printed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line {
    n: usize,
    value: f64,
    unit: &'static str,
}

impl Line {
    /// Nanoseconds for each of `count` things that took `time` together.
    pub(crate) fn each(n: usize, time: Duration, count: usize) -> Self {
        Self {
            n,
            value: time.as_secs_f64() * 1e9 / count as f64,
            unit: "ns",
        }
    }

    /// Nanoseconds for each of `n` times something was done that must have been `counted` as often.
    pub(crate) fn counted(n: usize, time: Duration, counted: usize) -> io::Result<Self> {
        if counted == n {
            Ok(Self::each(n, time, n))
        } else {
            Err(io::Error::other(format!("{counted} were counted, not {n}")))
        }
    }

    /// A whole duration.
    pub(crate) fn seconds(n: usize, time: Duration) -> Self {
        Self {
            n,
            value: time.as_secs_f64(),
            unit: "s",
        }
    }

    /// Prints `runtime name n value unit`.
    pub(crate) fn print(&self, runtime: &str, name: &str) {
        let decimals = match (self.unit, self.value < 100.0) {
            ("s", _) => 3,
            ("ns", true) => 2, // a bare resume is two of them: one decimal would be coarse
            ("ns", false) => 1,
            _ => 0,
        };
        println!(
            "{runtime} {name} {} {:.decimals$} {}",
            self.n, self.value, self.unit
        );
    }
}

/// Rounds of `yield` with `n` tasks: about 10 million yields in all, at least 3 rounds.
pub(crate) fn rounds(n: usize) -> usize {
    (10_000_000 / n).max(3)
}

/// How long task `i` of the `n` of `timers` sleeps: they spread evenly over one second, the last has all of it.
pub(crate) fn spread(i: usize, n: usize) -> Duration {
    Duration::from_secs(1).mul_f64((i + 1) as f64 / n as f64)
}

/// The stopwatch of `yield`: it runs from when every task has begun until the last has done its rounds,
/// so that neither spawning, nor the first touch of a stack, nor finishing is counted.
#[derive(Debug)]
pub(crate) struct Laps {
    tasks: usize,
    rounds: usize,
    begun: AtomicUsize,
    done: AtomicUsize,
    /// Yields beyond the rounds, by tasks that waited for the last one.
    extra: AtomicUsize,
    begin: OnceLock<Instant>,
    end: OnceLock<Instant>,
}

impl Laps {
    pub(crate) fn leaked(tasks: usize, rounds: usize) -> &'static Self {
        Box::leak(Box::new(Self {
            tasks,
            rounds,
            begun: AtomicUsize::new(0),
            done: AtomicUsize::new(0),
            extra: AtomicUsize::new(0),
            begin: OnceLock::new(),
            end: OnceLock::new(),
        }))
    }

    /// The body of one task, where yielding is a function.
    pub(crate) fn run(&self, yield_now: impl Fn()) {
        self.arrive();
        while self.is_waiting() {
            yield_now();
        }
        for _ in 0..self.start() {
            yield_now();
        }
        self.finish();
        while self.is_racing() {
            yield_now();
        }
    }

    /// Another task has begun.
    pub(crate) fn arrive(&self) {
        self.begun.fetch_add(1, Relaxed);
    }

    /// Whether some task has not begun.
    pub(crate) fn is_waiting(&self) -> bool {
        self.begun.load(Relaxed) < self.tasks
    }

    /// The first caller starts the watch. Returns the rounds to do.
    pub(crate) fn start(&self) -> usize {
        self.begin.get_or_init(Instant::now);
        self.rounds
    }

    /// A task has done its rounds. The last stops the watch.
    pub(crate) fn finish(&self) {
        if self.done.fetch_add(1, Relaxed) + 1 == self.tasks {
            self.end.get_or_init(Instant::now);
        }
    }

    /// Whether some task has rounds to do; if so, the caller yields once more, and that is counted.
    pub(crate) fn is_racing(&self) -> bool {
        let racing = self.done.load(Relaxed) < self.tasks;
        if racing {
            self.extra.fetch_add(1, Relaxed);
        }
        racing
    }

    /// The figure, once all tasks are joined.
    pub(crate) fn line(&self) -> io::Result<Line> {
        let (Some(&begin), Some(&end)) = (self.begin.get(), self.end.get()) else {
            return Err(io::Error::other("not every task did its rounds"));
        };
        let yields = self.tasks * self.rounds + self.extra.load(Relaxed);
        Ok(Line::each(self.tasks, end - begin, yields))
    }
}

/// The token's way in `ring`: a first lap that is not counted, so that every task has begun, then the hops that are.
#[derive(Debug)]
pub(crate) struct Token {
    hops: usize,
    begin: OnceLock<Instant>,
    end: OnceLock<Instant>,
}

impl Token {
    pub(crate) fn leaked(hops: usize) -> &'static Self {
        Box::leak(Box::new(Self {
            hops,
            begin: OnceLock::new(),
            end: OnceLock::new(),
        }))
    }

    /// What the first task is sent.
    pub(crate) fn first(&self) -> usize {
        self.hops + RING
    }

    /// What to pass on after receiving `left`, or `None` at the end of the way.
    pub(crate) fn pass(&self, left: usize) -> Option<usize> {
        if left == self.hops {
            self.begin.get_or_init(Instant::now);
        } else if left == 0 {
            self.end.get_or_init(Instant::now);
        }
        left.checked_sub(1)
    }

    /// The figure, once all tasks are joined.
    pub(crate) fn line(&self) -> io::Result<Line> {
        let (Some(&begin), Some(&end)) = (self.begin.get(), self.end.get()) else {
            return Err(io::Error::other("the token did not come to its end"));
        };
        Ok(Line::each(self.hops, end - begin, self.hops))
    }
}

/// The tasks of `sleepers`, and the memory they take.
#[derive(Debug)]
pub(crate) struct Sleepers {
    runtime: &'static str,
    tasks: usize,
    asleep: AtomicUsize,
    woken: AtomicUsize,
    before: usize,
}

impl Sleepers {
    /// Made where the tasks are about to be spawned: what is in use now is not theirs.
    pub(crate) fn leaked(runtime: &'static str, tasks: usize) -> io::Result<&'static Self> {
        Ok(Box::leak(Box::new(Self {
            runtime,
            tasks,
            asleep: AtomicUsize::new(0),
            woken: AtomicUsize::new(0),
            before: memory_in_use()?,
        })))
    }

    /// A task goes to sleep for what this returns.
    pub(crate) fn lie_down(&self) -> Duration {
        self.asleep.fetch_add(1, Relaxed);
        LONG
    }

    /// A task has woken by itself.
    pub(crate) fn wake(&self) {
        self.woken.fetch_add(1, Relaxed);
    }

    /// What the spawner sleeps before it asks again; `None` once all are asleep.
    pub(crate) fn pause(&self) -> Option<Duration> {
        (self.asleep.load(Relaxed) < self.tasks).then_some(Duration::from_millis(250))
    }

    /// How long all lie still before the memory is read.
    pub(crate) fn settle(&self) -> Duration {
        Duration::from_secs(2)
    }

    /// Reads the memory, prints the line, and ends the process: to wake a million tasks or to take them down is not
    /// what is measured.
    pub(crate) fn print_and_exit(&self) -> io::Result<Line> {
        let taken = memory_in_use()?.saturating_sub(self.before);
        if self.woken.load(Relaxed) > 0 {
            return Err(io::Error::other("a task woke before the memory was read"));
        }
        let line = Line {
            n: self.tasks,
            value: taken as f64 / self.tasks as f64,
            unit: "B/task",
        };
        line.print(self.runtime, "sleepers");
        std::process::exit(0)
    }
}

/// Bytes of this process in memory, with the page tables that map them.
fn memory_in_use() -> io::Result<usize> {
    let status = fs::read_to_string("/proc/self/status")?;
    let kib = |key: &str| {
        let line = status.lines().find(|line| line.starts_with(key));
        let value = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<usize>().ok());
        value.ok_or_else(|| io::Error::other(format!("no {key} in /proc/self/status")))
    };
    Ok((kib("VmRSS:")? + kib("VmPTE:")?) * 1024)
}
