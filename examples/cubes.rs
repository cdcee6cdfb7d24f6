//! Calls within calls, and one runtime used twice.
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
//! async def several():
//!     return await asyncio.gather(cube(3), cube(4), cube(5))
//!
//! with asyncio.Runner() as runner:
//!     print(runner.run(cube(5)))
//!     print(runner.run(several()))
//! ```
//!
//! What to notice:
//!
//! - `cube` calls `square` like any function, and waits inside it as if it were
//!   its own wait.
//! - [`Runtime`](greenroom::Runtime) is the value behind `greenroom::run`. It
//!   keeps its clock, its memory and its settings from one `run` to the next.
//! - Six seconds each time: three cubes at once take as long as one.
//! - In Python the order of the last lines is an accident of the heap of timers.
//!   Here it is promised.

pub(crate) mod support;

use std::time::Duration;

use greenroom::{gather, sleep};
use support::say;

fn main() {
    let mut runtime = support::runtime();
    runtime.run(one);
    runtime.run(several);
}

/// One cube: six seconds.
pub(crate) fn one() {
    say(cube(5).to_string());
}

/// Three cubes at once: six seconds.
pub(crate) fn several() {
    let cubes = gather([3, 4, 5].map(|x| move || cube(x)));
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
