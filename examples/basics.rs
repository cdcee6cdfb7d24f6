//! The two smallest programs: wait in the middle, and wait for a task.
//!
//! ```python
//! import asyncio
//!
//! async def main():
//!     print("Start")
//!     await asyncio.sleep(1)
//!     print("End")
//!
//! asyncio.run(main())
//!
//! async def work():
//!     print("Task started")
//!     await asyncio.sleep(2)
//!     print("Task finished")
//!
//! async def with_a_task():
//!     task = asyncio.create_task(work())
//!     await task
//!
//! asyncio.run(with_a_task())
//! ```
//!
//! What to notice:
//!
//! - No `async`, no `await`. [`sleep`] is called like any function; only the task
//!   that calls it waits.
//! - `create_task` is [`spawn`], `await task` is `join`, as with threads. A task
//!   may fail, so `join` gives a `Result`.
//! - It takes three seconds. With `--virtual` it takes none: the clock jumps
//!   whenever every task waits.

pub(crate) mod support;

use std::time::Duration;

use greenroom::{JoinError, sleep, spawn};
use support::say;

fn main() -> Result<(), JoinError> {
    support::runtime().run(program)
}

/// Both programs, one after the other: three seconds.
pub(crate) fn program() -> Result<(), JoinError> {
    wait_a_second();
    wait_for_a_task()
}

fn wait_a_second() {
    say("Start");
    sleep(Duration::from_secs(1));
    say("End");
}

fn wait_for_a_task() -> Result<(), JoinError> {
    let task = spawn(|| {
        say("Task started");
        sleep(Duration::from_secs(2));
        say("Task finished");
    });
    task.join()
}
