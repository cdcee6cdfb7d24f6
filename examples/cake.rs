//! Two things at once: the frosting is made while the cake is in the oven.
//!
//! ```python
//! import asyncio
//!
//! async def bake_cake():
//!     print("Preheating the oven...")
//!     await asyncio.sleep(2)
//!     print("Putting the cake in the oven.")
//!     await asyncio.sleep(5)
//!     print("Cake is done! It smells delicious.")
//!     return "Cake is ready"
//!
//! async def prepare_frosting():
//!     print("Gathering frosting ingredients.")
//!     await asyncio.sleep(3)
//!     print("Mixing the frosting. It's so smooth!")
//!     return "Frosting is ready"
//!
//! async def main():
//!     cake = asyncio.create_task(bake_cake())
//!     frosting = asyncio.create_task(prepare_frosting())
//!     print(f"The final results: {await cake} and {await frosting}.")
//!
//! asyncio.run(main())
//! ```
//!
//! What to notice:
//!
//! - Seven seconds, not ten: while one task sleeps, the other works. Both run on
//!   one thread, so nothing is locked.
//! - [`spawn`] takes the function itself, `spawn(bake_cake)`, not a call of it.
//!   There is no half-made coroutine that one could forget to await.
//! - The frosting is done first and joined second. Its result waits for `join`.

pub(crate) mod support;

use std::time::Duration;

use greenroom::{JoinError, sleep, spawn};
use support::say;

fn main() -> Result<(), JoinError> {
    support::runtime().run(program)
}

/// Bakes and frosts: seven seconds.
pub(crate) fn program() -> Result<(), JoinError> {
    let cake = spawn(bake_cake);
    let frosting = spawn(prepare_frosting);
    let (cake, frosting) = (cake.join()?, frosting.join()?);
    say(format!("The final results: {cake} and {frosting}."));
    Ok(())
}

fn bake_cake() -> &'static str {
    say("Preheating the oven...");
    sleep(Duration::from_secs(2));
    say("Putting the cake in the oven.");
    sleep(Duration::from_secs(5));
    say("Cake is done! It smells delicious.");
    "Cake is ready"
}

fn prepare_frosting() -> &'static str {
    say("Gathering frosting ingredients.");
    sleep(Duration::from_secs(3));
    say("Mixing the frosting. It's so smooth!");
    "Frosting is ready"
}
