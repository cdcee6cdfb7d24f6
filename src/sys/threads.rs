//! What threads share and how they wait for each other: locks, flags, parking.
//!
//! It is std's. Checkers cannot see into that, so under them the same few names are
//! something they can: with `--cfg loom` the unit tests run on loom's, which tries
//! the orders in which threads may go.
//!
//! Whatever two threads touch at once, and what is to be checked so, is built of
//! these. Must never: know of tasks.

use std::fmt;

#[cfg(not(all(loom, test)))]
mod shown {
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    pub(crate) use std::sync::{Mutex, MutexGuard};
    pub(crate) use std::thread::{Thread, current, park, park_timeout};
}

#[cfg(all(loom, test))]
mod shown {
    pub(crate) use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    pub(crate) use loom::sync::{Mutex, MutexGuard};
    pub(crate) use loom::thread::{Thread, current, park};

    /// No time passes there.
    pub(crate) fn park_timeout(_limit: std::time::Duration) {
        loom::thread::yield_now();
    }
}

pub(crate) use shown::{AtomicBool, AtomicUsize, Ordering, Thread, current, park, park_timeout};

/// A lock that does not poison: nothing that can panic is done under it.
pub(crate) struct Lock<T>(shown::Mutex<T>);

impl<T> Lock<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(shown::Mutex::new(value))
    }

    /// Blocks the thread until it has the lock: for moments only.
    #[inline]
    pub(crate) fn lock(&self) -> shown::MutexGuard<'_, T> {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl<T> fmt::Debug for Lock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lock(..)")
    }
}
