//! No colour: one function, called outside a runtime and inside one.
//!
//! ```python
//! import asyncio
//! import time
//!
//! def function():
//!     print("Start of the function")
//!     time.sleep(1)
//!     print("End of the function")
//!
//! async def coroutine():
//!     print("Start of the coroutine")
//!     await asyncio.sleep(1)
//!     print("End of the coroutine")
//!
//! function()
//! asyncio.run(coroutine())
//! ```
//!
//! What to notice:
//!
//! - Python needs the text twice, once with `async` and once without. Here
//!   `pause` is written once. Outside a runtime its [`sleep`] blocks the thread;
//!   inside, the other tasks run meanwhile.
//! - So a library need not choose for its users, and a function that begins to
//!   wait one day does not change its callers.
//! - The first call is on the real clock always: a plain thread knows no other.
//!   With `--virtual` it is cut to a millisecond.

pub(crate) mod support;

use std::time::Duration;

use greenroom::sleep;
use support::say;

fn main() {
    outside(if support::is_virtual() {
        Duration::from_millis(1)
    } else {
        Duration::from_secs(1)
    });
    support::runtime().run(inside);
}

/// On a plain thread: blocks it for as long.
pub(crate) fn outside(time: Duration) {
    pause("function", time);
}

/// In a task: one second.
pub(crate) fn inside() {
    pause("coroutine", Duration::from_secs(1));
}

fn pause(what: &str, time: Duration) {
    say(format!("Start of the {what}"));
    sleep(time);
    say(format!("End of the {what}"));
}
