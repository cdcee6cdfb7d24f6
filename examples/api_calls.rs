//! Three requests under way at once: the answers come as they are ready.
//!
//! ```python
//! import asyncio
//!
//! async def fetch(name, seconds):
//!     print(f"Fetching from {name}")
//!     await asyncio.sleep(seconds)
//!     print(f"Done {name}")
//!
//! async def main():
//!     await asyncio.gather(
//!         fetch("API 1", 3),
//!         fetch("API 2", 1),
//!         fetch("API 3", 2),
//!     )
//!
//! asyncio.run(main())
//! ```
//!
//! What to notice:
//!
//! - A call with arguments becomes a closure: `move || fetch(name, seconds)`.
//!   `map` over an array makes one for each.
//! - All three begin before any waits to the end: a task runs until it waits, and
//!   tasks start in the order they were given.
//! - Three seconds, the slowest of the three.

pub(crate) mod support;

use std::time::Duration;

use greenroom::{gather, sleep};
use support::say;

fn main() {
    support::runtime().run(program);
}

/// All three requests: three seconds.
pub(crate) fn program() {
    let requests = [("API 1", 3), ("API 2", 1), ("API 3", 2)];
    gather(requests.map(|(name, seconds)| move || fetch(name, seconds)));
}

fn fetch(name: &str, seconds: u64) {
    say(format!("Fetching from {name}"));
    sleep(Duration::from_secs(seconds));
    say(format!("Done {name}"));
}
