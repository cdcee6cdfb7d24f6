//! A type of your own that can be waited for.
//!
//! ```python
//! import asyncio
//!
//! class Pause:
//!     def __await__(self):
//!         print("Awaiting")
//!         yield
//!         print("Done")
//!
//! async def main():
//!     print("Starting main")
//!     await Pause()
//!     pause = Pause()
//!     await pause
//!     print("Ending main")
//!
//! asyncio.run(main())
//! ```
//!
//! What to notice:
//!
//! - `wait` is an ordinary function. In Python `__await__` has to be a generator,
//!   whose bare `yield` goes through every caller up to the event loop; here
//!   [`yield_now`] does it, from any depth.
//! - It gives up exactly one turn: every task that is ready takes one step, then it
//!   is this one's turn again. The test has a task that counts them.
//! - `wait` takes the value itself. To wait for one twice does not compile, where
//!   Python has an error at run time.

pub(crate) mod support;

use greenroom::{Awaitable, yield_now};
use support::say;

fn main() {
    support::runtime().run(program);
}

/// Gives up one turn.
struct Pause;

impl Awaitable for Pause {
    type Output = ();

    fn wait(self) {
        say("Awaiting");
        yield_now();
        say("Done");
    }
}

/// Pauses twice: two turns.
pub(crate) fn program() {
    say("Starting main");
    Pause.wait();
    let pause = Pause;
    pause.wait();
    say("Ending main");
}
