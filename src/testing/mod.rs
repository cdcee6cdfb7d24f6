//! A test kit: the schedule is a value, and time is virtual.
//!
//! [`run`] runs a program under a [`Schedule`] and tells what happened. Two runs
//! of one program under one schedule are the same, step for step, as long as the
//! program itself asks nothing but its runtime: no threads, no sockets, no
//! random numbers of its own.
//!
//! A schedule can be written down: [`Choices`] is a list of numbers, so a
//! property test can generate one and shrink it. It shrinks towards round robin.
//!
//! ```
//! use greenroom::testing::{self, Choices, RoundRobin};
//! use greenroom::{spawn, yield_now};
//!
//! let program = || {
//!     let tasks: Vec<_> = (0..3).map(|n| spawn(move || { yield_now(); n })).collect();
//!     tasks.into_iter().map(|task| task.join().unwrap()).sum::<i32>()
//! };
//! let fair = testing::run(RoundRobin, program);
//! assert_eq!((fair.value, fair.overtakes()), (3, 0));
//!
//! let other = testing::run(Choices(vec![0, 2, 1]), program);
//! assert_eq!(other.value, 3); // the same under any schedule
//! assert!(other.overtakes() > 0);
//! ```

mod report;
mod schedules;

use std::cell::RefCell;
use std::rc::Rc;

pub use crate::scheduler::{ReadyTask, Schedule};
pub use report::Report;
pub use schedules::{Choices, Random, RoundRobin};

use crate::coroutine::pool;
use crate::scheduler::{Config, Runtime};
use crate::timer::Clock;
use report::{Record, Recorder};

/// Runs `program` as the main task under a schedule, on the virtual clock.
///
/// With settings of your own, do what it does: a [`Config`] with a
/// [virtual clock](crate::Clock::virtual_) and a [schedule](crate::Config::schedule).
///
/// # Panics
///
/// As [`Runtime::run`] does.
#[track_caller]
pub fn run<T>(schedule: impl Schedule + 'static, program: impl FnOnce() -> T) -> Report<T> {
    let clock = Clock::virtual_();
    let record = Rc::new(RefCell::new(Record::default()));
    let recorder = Recorder::new(schedule, Rc::clone(&record));
    let config = Config::new().clock(clock.clone()).schedule(recorder);
    let mut runtime = Runtime::with(config);
    let value = runtime.run(program);
    let left_over = runtime.left_over();
    Report::new(value, record.take(), clock.elapsed(), left_over)
}

/// How many stacks of coroutines and tasks are in use in this thread. For tests
/// that nothing is left.
///
/// ```
/// let before = greenroom::testing::stacks_in_use();
/// let numbers = greenroom::generator(|y| y.yield_(1));
/// assert_eq!(greenroom::testing::stacks_in_use(), before + 1);
/// drop(numbers);
/// assert_eq!(greenroom::testing::stacks_in_use(), before);
/// ```
#[must_use]
pub fn stacks_in_use() -> usize {
    pool::stacks_in_use()
}
