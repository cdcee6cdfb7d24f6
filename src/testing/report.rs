//! What happened in a test run: recorded step by step, around any schedule.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use crate::id::TaskId;
use crate::scheduler::{LeftOver, ReadyTask, Schedule};

/// What a test run gave, and how it went.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report<T> {
    /// What the program returned.
    pub value: T,
    trace: Vec<usize>,
    choices: Vec<u32>,
    overtakes: u64,
    elapsed: Duration,
    left_over: LeftOver,
}

impl<T> Report<T> {
    pub(super) fn new(value: T, record: Record, elapsed: Duration, left_over: LeftOver) -> Self {
        Self {
            value,
            trace: record.trace,
            choices: record.choices,
            overtakes: record.overtakes,
            elapsed,
            left_over,
        }
    }

    /// Which task took each step. Tasks are numbered in the order in which they
    /// first became ready: the main task is 0, its first child 1.
    #[must_use]
    pub fn trace(&self) -> &[usize] {
        &self.trace
    }

    /// What the schedule chose at each step: as [`Choices`](super::Choices) they
    /// give this run again, whatever schedule it came from.
    ///
    /// ```
    /// use greenroom::testing::{self, Choices, Random};
    /// use greenroom::{spawn, yield_now};
    ///
    /// let program = || (0..3).for_each(|_| drop(spawn(yield_now)));
    /// let found = testing::run(Random(5), program);
    /// let again = testing::run(Choices(found.choices().to_vec()), program);
    /// assert_eq!(again.trace(), found.trace());
    /// ```
    #[must_use]
    pub fn choices(&self) -> &[u32] {
        &self.choices
    }

    /// How many steps were taken.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.trace.len()
    }

    /// How often a task was passed over by one that became ready after it. Zero
    /// is round robin's promise.
    #[must_use]
    pub fn overtakes(&self) -> u64 {
        self.overtakes
    }

    /// What the runtime still had when all tasks had ended.
    ///
    /// ```
    /// use greenroom::testing::{self, RoundRobin};
    ///
    /// let report = testing::run(RoundRobin, || greenroom::sleep(std::time::Duration::from_secs(1)));
    /// assert!(report.left_over().is_nothing());
    /// ```
    #[must_use]
    pub fn left_over(&self) -> LeftOver {
        self.left_over
    }

    /// Virtual time from start to end.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }
}

/// What is noted while a program runs.
#[derive(Debug, Default)]
pub(super) struct Record {
    trace: Vec<usize>,
    choices: Vec<u32>,
    overtakes: u64,
    numbers: HashMap<TaskId, usize>,
}

impl Record {
    fn number(&mut self, id: TaskId) -> usize {
        let next = self.numbers.len();
        *self.numbers.entry(id).or_insert(next)
    }
}

/// A schedule that notes what another decides.
pub(super) struct Recorder<S> {
    schedule: S,
    record: Rc<RefCell<Record>>,
}

impl<S> Recorder<S> {
    pub(super) fn new(schedule: S, record: Rc<RefCell<Record>>) -> Self {
        Self { schedule, record }
    }
}

impl<S: Schedule> Schedule for Recorder<S> {
    fn next(&mut self, ready: &[ReadyTask]) -> usize {
        let choice = self.schedule.next(ready) % ready.len();
        let mut record = self.record.borrow_mut();
        for task in ready {
            record.number(task.id);
        }
        let number = record.number(ready[choice].id);
        record.trace.push(number);
        record
            .choices
            .push(u32::try_from(choice).unwrap_or(u32::MAX));
        // Those before it became ready earlier.
        record.overtakes += u64::try_from(choice).unwrap_or(u64::MAX);
        choice
    }
}
