//! Two coroutines gathered: both start, then both end.
//!
//! ```python
//! import asyncio
//!
//! async def coroutine_1():
//!     print("Start of coroutine_1")
//!     await asyncio.sleep(1)
//!     print("End of coroutine_1")
//!
//! async def coroutine_2():
//!     print("Start of coroutine_2")
//!     await asyncio.sleep(1)
//!     print("End of coroutine_2")
//!
//! async def main():
//!     await asyncio.gather(coroutine_1(), coroutine_2())
//!
//! asyncio.run(main())
//! ```
//!
//! What to notice:
//!
//! - Every function that is spawned is a coroutine: nothing about it says so.
//! - Tasks change places only where one waits, so the lines never mix otherwise.
//! - One second for both.

pub(crate) mod support;

use std::time::Duration;

use greenroom::{gather, sleep};
use support::say;

fn main() {
    support::runtime().run(program);
}

/// Both at once: one second.
pub(crate) fn program() {
    gather([coroutine_1, coroutine_2]);
}

fn coroutine_1() {
    say("Start of coroutine_1");
    sleep(Duration::from_secs(1));
    say("End of coroutine_1");
}

fn coroutine_2() {
    say("Start of coroutine_2");
    sleep(Duration::from_secs(1));
    say("End of coroutine_2");
}
