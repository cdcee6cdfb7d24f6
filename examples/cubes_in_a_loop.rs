//! A loop waits for each call; `gather` waits for all of them at once.
//!
//! ```python
//! import asyncio
//!
//! async def square(x):
//!     print(f"Starting square with argument {x}!")
//!     await asyncio.sleep(3)
//!     print(f"Finishing square with argument {x}!")
//!     return x * x
//!
//! async def cube(x):
//!     print(f"Starting cube with argument {x}!")
//!     await asyncio.sleep(3)
//!     y = await square(x)
//!     print(f"Finishing cube with argument {x}!")
//!     return x * y
//!
//! async def main():
//!     for x in range(1, 4):
//!         await cube(x)
//!     print(await asyncio.gather(*(cube(x) for x in range(1, 4))))
//!
//! asyncio.run(main())
//! ```
//!
//! What to notice:
//!
//! - That a function may wait does not make its callers run at once: `cube` in a
//!   loop takes eighteen seconds, as the loop reads.
//! - Concurrency is asked for where it is wanted, by the caller. The same `cube`,
//!   gathered, takes six.

pub(crate) mod support;

use std::time::Duration;

use greenroom::{gather, sleep};
use support::say;

fn main() {
    support::runtime().run(program);
}

/// First in a row, then at once: eighteen seconds and six.
pub(crate) fn program() {
    for x in 1..4 {
        cube(x);
    }
    let cubes = gather([1, 2, 3].map(|x| move || cube(x)));
    say(format!("{cubes:?}"));
}

fn cube(x: u64) -> u64 {
    say(format!("Starting cube with argument {x}!"));
    sleep(Duration::from_secs(3));
    let y = square(x);
    say(format!("Finishing cube with argument {x}!"));
    x * y
}

fn square(x: u64) -> u64 {
    say(format!("Starting square with argument {x}!"));
    sleep(Duration::from_secs(3));
    say(format!("Finishing square with argument {x}!"));
    x * x
}
