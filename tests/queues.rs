//! The promise: a queue gives each item to one, in its order; lets in and serves first
//! whoever waits longest; loses nothing; and knows when all is done.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod support;

#[path = "queues/comparing.rs"]
mod comparing;
#[path = "queues/done.rs"]
mod done;
#[path = "queues/every_schedule.rs"]
mod every_schedule;
#[path = "queues/exhaustive.rs"]
mod exhaustive;
#[path = "queues/model.rs"]
mod model;
#[path = "queues/order.rs"]
mod order;
#[path = "queues/program.rs"]
mod program;
#[path = "queues/random.rs"]
mod random;
