//! The same three operations in a row, then at once.
//!
//! ```python
//! import asyncio
//! import time
//!
//! def operation():
//!     time.sleep(1)
//!     return "Done"
//!
//! print([operation() for _ in range(3)])
//!
//! async def async_operation():
//!     await asyncio.sleep(1)
//!     return "Done"
//!
//! async def main():
//!     print(await asyncio.gather(*(async_operation() for _ in range(3))))
//!
//! asyncio.run(main())
//! ```
//!
//! What to notice:
//!
//! - Python has two versions of the operation, and calling the wrong one inside
//!   `main` stops every task. Here there is one; who calls it says how.
//! - Three seconds in a row, then one more at once.

pub(crate) mod support;

use std::time::Duration;

use greenroom::{gather, sleep};
use support::say;

fn main() {
    support::runtime().run(program);
}

/// In a row, then at once: three seconds and one.
pub(crate) fn program() {
    let in_a_row = [operation(), operation(), operation()];
    say(format!("{in_a_row:?}"));

    let at_once = gather([operation, operation, operation]);
    say(format!("{at_once:?}"));
}

fn operation() -> &'static str {
    sleep(Duration::from_secs(1));
    "Done"
}
