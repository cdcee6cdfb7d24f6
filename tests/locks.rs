//! The promise: locks, permits, barriers and cells serve first come, first served; letting
//! go never switches; a wait that is given up leaves no trace; a wait in a circle is an
//! error at once.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(
    clippy::mem_forget,
    reason = "guards may be forgotten, and that must be sound"
)]

mod support;

#[path = "locks/cells.rs"]
mod cells;
#[path = "locks/condvar.rs"]
mod condvar;
#[path = "locks/cycles.rs"]
mod cycles;
#[path = "locks/kinds.rs"]
mod kinds;
#[path = "locks/late_circles.rs"]
mod late_circles;
#[path = "locks/line.rs"]
mod line;
#[path = "locks/meeting.rs"]
mod meeting;
#[path = "locks/puppets.rs"]
mod puppets;
#[path = "locks/semaphore.rs"]
mod semaphore;
#[path = "locks/values.rs"]
mod values;
