//! Panics nobody can take, and the last words of a process.
//!
//! A payload may panic when it is dropped, and writing to standard error may
//! fail. Neither may stop what these functions are called for.

use std::any::Any;
use std::io::Write;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What a panic carries.
pub(crate) type Payload = Box<dyn Any + Send>;

/// Drops what somebody else's code made, whatever its destructor does. Returns
/// what that panicked with.
pub(crate) fn drop_caught<T>(value: T) -> Option<Payload> {
    catch_unwind(AssertUnwindSafe(|| drop(value))).err()
}

/// Drops a payload, whatever its destructor does.
pub(crate) fn defuse(payload: Payload) {
    if let Some(second) = drop_caught(payload) {
        // It would go on like this: the second one is leaked.
        let _leaked = ManuallyDrop::new(second);
    }
}

/// Says why, and aborts.
pub(crate) fn fatal(why: &str) -> ! {
    // A closed pipe must not turn this into a panic.
    let _unheard = writeln!(std::io::stderr(), "greenroom: {why}");
    std::process::abort();
}

/// A wall that nothing may unwind through: [`standing`](Self::standing) aborts if
/// something does.
#[cfg(feature = "runtime")]
pub(crate) struct Wall(&'static str);

#[cfg(feature = "runtime")]
impl Wall {
    /// Runs `inside`, and aborts, saying `what`, if it unwinds.
    #[inline(always)]
    pub(crate) fn standing<R>(what: &'static str, inside: impl FnOnce() -> R) -> R {
        let wall = Self(what);
        let result = inside();
        let _taken_down = ManuallyDrop::new(wall);
        result
    }
}

#[cfg(feature = "runtime")]
impl Drop for Wall {
    fn drop(&mut self) {
        fatal(self.0);
    }
}
