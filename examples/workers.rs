//! Two workers with equal waits: who fell asleep first wakes first.
//!
//! ```python
//! import asyncio
//!
//! async def worker(name):
//!     print(f"{name} started")
//!     await asyncio.sleep(2)
//!     print(f"{name} finished")
//!
//! async def main():
//!     a = asyncio.create_task(worker("A"))
//!     b = asyncio.create_task(worker("B"))
//!     await a
//!     await b
//!
//! asyncio.run(main())
//! ```
//!
//! What to notice:
//!
//! - Two seconds for both.
//! - The order of the last two lines is a promise: sleepers whose deadlines are
//!   equal wake in the order they fell asleep. asyncio keeps timers in a heap
//!   without a tie-break, so many equal deadlines come out in any order there.
//! - On the real clock A's deadline is a little earlier than B's; on the virtual
//!   one they are equal to the nanosecond. The lines are the same.

pub(crate) mod support;

use std::time::Duration;

use greenroom::{JoinError, sleep, spawn};
use support::say;

fn main() -> Result<(), JoinError> {
    support::runtime().run(program)
}

/// Both workers: two seconds.
pub(crate) fn program() -> Result<(), JoinError> {
    let a = spawn(|| worker("A"));
    let b = spawn(|| worker("B"));
    a.join()?;
    b.join()
}

fn worker(name: &str) {
    say(format!("{name} started"));
    sleep(Duration::from_secs(2));
    say(format!("{name} finished"));
}
