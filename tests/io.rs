//! The promise: whatever has a descriptor can be waited for, and nothing done to a descriptor, by anybody,
//! harms those who wait for another.
//!
//! On the real clock, like all that asks the kernel. Nothing here sleeps to put things in order; every
//! test gives up after a while, so that a lost wake-up is a failure and not a hang.

#![cfg(all(feature = "io", feature = "net", unix))]
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

#[path = "support/mod.rs"]
mod again;
#[path = "io/child.rs"]
mod child;
#[path = "io/support.rs"]
mod support;

#[path = "io/async_fd.rs"]
mod async_fd;
#[path = "io/copying.rs"]
mod copying;
#[path = "io/foreign.rs"]
mod foreign;
#[path = "io/nonblocking.rs"]
mod nonblocking;
#[path = "io/pipes.rs"]
mod pipes;
#[path = "io/std_input.rs"]
mod std_input;
#[path = "io/std_output.rs"]
mod std_output;
