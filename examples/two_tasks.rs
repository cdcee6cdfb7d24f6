//! Gathered tasks end in the order of their waits, not of their start.
//!
//! ```python
//! import asyncio
//!
//! async def task_1():
//!     await asyncio.sleep(2)
//!     print("Task 1 done")
//!
//! async def task_2():
//!     await asyncio.sleep(1)
//!     print("Task 2 done")
//!
//! async def main():
//!     await asyncio.gather(task_1(), task_2())
//!
//! asyncio.run(main())
//! ```
//!
//! What to notice:
//!
//! - Two seconds: the longer of the two waits, not their sum.
//! - `gather` is given functions to call, not coroutines to await. It starts one
//!   task for each and joins them in order.

pub(crate) mod support;

use std::time::Duration;

use greenroom::{gather, sleep};
use support::say;

fn main() {
    support::runtime().run(program);
}

/// Both tasks at once: two seconds.
pub(crate) fn program() {
    gather([task_1, task_2]);
}

fn task_1() {
    sleep(Duration::from_secs(2));
    say("Task 1 done");
}

fn task_2() {
    sleep(Duration::from_secs(1));
    say("Task 2 done");
}
