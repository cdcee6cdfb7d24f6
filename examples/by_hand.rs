//! Coroutines driven by hand: no scheduler, no runtime, no clock.
//!
//! ```python
//! import types
//!
//! async def square(x):
//!     print(f"Starting square with argument {x}!")
//!     print(f"Finishing square with argument {x}!")
//!     return x * x
//!
//! async def cube(x):
//!     print(f"Starting cube with argument {x}!")
//!     y = await square(x)
//!     print(f"Finishing cube with argument {x}!")
//!     return x * y
//!
//! @types.coroutine
//! def manual_sleep(seconds):
//!     yield f"Please do not continue until {seconds} seconds have elapsed."
//!
//! async def sleepy_square(x):
//!     print(f"Starting square with argument {x}!")
//!     await manual_sleep(3)
//!     print(f"Finishing square with argument {x}!")
//!     return x * x
//!
//! async def sleepy_cube(x):
//!     print(f"Starting cube with argument {x}!")
//!     await manual_sleep(3)
//!     y = await sleepy_square(x)
//!     print(f"Finishing cube with argument {x}!")
//!     return x * y
//!
//! def step(coroutine):
//!     try:
//!         print(coroutine.send(None))
//!     except StopIteration as end:
//!         print(end.value)
//!
//! step(square(4))
//! step(cube(3))
//!
//! c = sleepy_cube(3)
//! for _ in range(3):
//!     step(c)
//!
//! c1, c2 = sleepy_cube(5), sleepy_cube(10)
//! for _ in range(3):
//!     step(c1)
//!     step(c2)
//! ```
//!
//! What to notice:
//!
//! - [`Coroutine::new`] runs nothing. Each `resume` runs the body to its next
//!   yield, or to its end, and says which: [`Yielded`] or [`Complete`]. There is
//!   no `StopIteration`.
//! - `square` and `cube` are plain functions. That `cube` calls `square` inside a
//!   coroutine needs no `await`, and nothing is passed up frame by frame: the
//!   yield switches stacks from whatever depth it is called at.
//! - `sleepy_square` yields two calls deep, through the [`Yielder`] it is handed.
//!   What a yield means is up to the driver. This one prints the request and
//!   does not honour it; a scheduler is a driver that does.

pub(crate) mod support;

use greenroom::CoroutineState::{Complete, Yielded};
use greenroom::{Coroutine, ResumeError, Yielder};
use support::say;

/// What our coroutines are: resumed with nothing, they yield texts and return a
/// number.
type Job = Coroutine<(), String, u64>;

fn main() -> Result<(), ResumeError<()>> {
    // There is no clock here: with `--virtual` everything is as without.
    let _either_way = support::is_virtual();
    program()
}

/// All four parts.
pub(crate) fn program() -> Result<(), ResumeError<()>> {
    step(&Job::new(|_y, ()| square(4)))?;
    step(&Job::new(|_y, ()| cube(3)))?;

    let c = sleepy(3);
    for _ in 0..3 {
        step(&c)?;
    }

    let (c1, c2) = (sleepy(5), sleepy(10));
    for _ in 0..3 {
        step(&c1)?;
        step(&c2)?;
    }
    Ok(())
}

/// A coroutine that will compute `x` cubed. Making it says nothing.
pub(crate) fn sleepy(x: u64) -> Job {
    Job::new(move |y, ()| sleepy_cube(y, x))
}

/// Resumes once, and says what came out.
fn step(job: &Job) -> Result<(), ResumeError<()>> {
    match job.resume(())? {
        Yielded(text) => say(text),
        Complete(number) => say(number.to_string()),
    }
    Ok(())
}

fn square(x: u64) -> u64 {
    say(format!("Starting square with argument {x}!"));
    say(format!("Finishing square with argument {x}!"));
    x * x
}

fn cube(x: u64) -> u64 {
    say(format!("Starting cube with argument {x}!"));
    let y = square(x);
    say(format!("Finishing cube with argument {x}!"));
    x * y
}

fn manual_sleep(y: &Yielder<(), String>, seconds: u64) {
    y.yield_(format!(
        "Please do not continue until {seconds} seconds have elapsed."
    ));
}

fn sleepy_square(y: &Yielder<(), String>, x: u64) -> u64 {
    say(format!("Starting square with argument {x}!"));
    manual_sleep(y, 3);
    say(format!("Finishing square with argument {x}!"));
    x * x
}

fn sleepy_cube(y: &Yielder<(), String>, x: u64) -> u64 {
    say(format!("Starting cube with argument {x}!"));
    manual_sleep(y, 3);
    let squared = sleepy_square(y, x);
    say(format!("Finishing cube with argument {x}!"));
    x * squared
}
