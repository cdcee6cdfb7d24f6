//! The promise: limits of time, shields and scopes that are cancelled from elsewhere
//! end what they enclose and nothing else; and what is of one task stays with it.

#![cfg(unix)]

mod support;

#[path = "cancel_scopes/ambient.rs"]
mod ambient;
#[path = "cancel_scopes/hooks.rs"]
mod hooks;
#[path = "cancel_scopes/limits.rs"]
mod limits;
#[path = "cancel_scopes/remote.rs"]
mod remote;
#[path = "cancel_scopes/unwinding.rs"]
mod unwinding;
#[path = "cancel_scopes/with.rs"]
mod with;

use std::time::Duration;

use greenroom::{Clock, Config, Runtime, testing};

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
