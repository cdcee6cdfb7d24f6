//! The promise: channels between threads behave as those of one thread, whoever
//! waits at their ends: order is kept, whoever waits longest is served first, nothing
//! is lost or given twice, and values come back with every error.
//!
//! Nothing here needs a certain speed to be right: threads wait for each other, and
//! where time plays a part, it is a virtual clock's.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod support;

#[path = "remote/alone.rs"]
mod alone;
#[path = "remote/arms.rs"]
mod arms;
#[path = "remote/ends.rs"]
mod ends;
#[path = "remote/model.rs"]
mod model;
#[path = "remote/random.rs"]
mod random;
#[path = "remote/threads.rs"]
mod threads;
