//! Time, without anyone who waits for it: the sleep queue and the clocks.
//!
//! This room is pure. It knows no tasks: the scheduler puts into the queue
//! whatever it wants to find again when a deadline has come.

mod clock;
mod queue;

pub use clock::{Clock, Instant};
pub(crate) use queue::{TimerKey, Timers};
