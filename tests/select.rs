//! The promise: `select!` does what is written for the wait that is over first, and
//! the others have lost nothing.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod support;

#[path = "select/arms.rs"]
mod arms;
#[path = "select/cancelled.rs"]
mod cancelled;
#[path = "select/fairness.rs"]
mod fairness;
#[path = "select/hygiene.rs"]
mod hygiene;
#[path = "select/lists.rs"]
mod lists;
#[path = "select/model.rs"]
mod model;
#[path = "select/own_channel.rs"]
mod own_channel;
#[path = "select/queues.rs"]
mod queues;
#[path = "select/sending.rs"]
mod sending;
#[path = "select/sockets.rs"]
mod sockets;
#[path = "select/syntax.rs"]
mod syntax;

use std::time::Duration;

use greenroom::{Clock, Config, ReadyTask, Runtime, Schedule, testing};

const SECOND: Duration = Duration::from_secs(1);

/// Runs on the virtual clock, and looks that nothing is left.
#[track_caller]
fn clean<T>(main: impl FnOnce() -> T) -> T {
    clean_with(Config::new(), main)
}

#[track_caller]
fn clean_with<T>(config: Config, main: impl FnOnce() -> T) -> T {
    let before = testing::stacks_in_use();
    let mut runtime = Runtime::with(config.clock(Clock::virtual_()));
    let value = runtime.run(main);
    assert_eq!(runtime.tasks_alive(), 0);
    assert_eq!(runtime.next_deadline(), None, "a timer is left");
    assert_eq!(testing::stacks_in_use(), before, "a stack is left");
    value
}

/// A schedule that does not go on for ever: a program that spins fails.
struct Within<S> {
    schedule: S,
    steps: u32,
}

impl<S: Schedule> Schedule for Within<S> {
    fn next(&mut self, ready: &[ReadyTask]) -> usize {
        self.steps = self.steps.checked_sub(1).expect("the program spins");
        self.schedule.next(ready)
    }
}
