//! The promise: tasks of a scope end before the call that opened it does, whatever
//! becomes of them, and no failure is lost.

#![cfg(unix)]

mod support;

#[path = "scopes/cancelling.rs"]
mod cancelling;
#[path = "scopes/children.rs"]
mod children;
#[path = "scopes/failing.rs"]
mod failing;
#[path = "scopes/handles.rs"]
mod handles;
#[path = "scopes/places.rs"]
mod places;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use greenroom::{Clock, Config, Runtime, shield, sleep, testing};
use support::{Log, quiet_panic, text_of};

const SECOND: Duration = Duration::from_secs(1);

/// Runs on the virtual clock; says what nobody saw, and that nothing is left.
#[track_caller]
fn watched<T>(main: impl FnOnce() -> T) -> (T, Vec<String>) {
    let log = Log::new();
    let told = log.clone();
    let config = Config::new()
        .clock(Clock::virtual_())
        .on_unobserved(move |unseen| told.add(text_of(&*unseen.payload)));
    let before = testing::stacks_in_use();
    let mut runtime = Runtime::with(config);
    let value = runtime.run(main);
    assert_eq!(runtime.tasks_alive(), 0);
    assert_eq!(runtime.next_deadline(), None);
    assert_eq!(testing::stacks_in_use(), before);
    (value, log.take())
}

/// Fails after so many seconds, whatever is cancelled meanwhile.
fn fails_after(seconds: u32, what: &'static str) {
    shield(|| sleep(seconds * SECOND));
    quiet_panic(what)
}

/// The text of the panic that `f` ends with.
#[track_caller]
fn failure<T>(f: impl FnOnce() -> T) -> String {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(_) => panic!("it should have failed"),
        Err(payload) => text_of(&*payload),
    }
}
