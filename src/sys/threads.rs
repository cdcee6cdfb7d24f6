//! What threads share and how they wait for each other: locks, flags, parking.
//!
//! It is std's. Checkers cannot see into that, so for them the same few names are
//! something they can:
//!
//! | built with | it is | for |
//! |---|---|---|
//! | | std's | everybody |
//! | `--cfg loom`, the unit tests | loom's | every order in which threads may go |
//! | `--cfg race_detector` | the C library's, by `pthread.rs` | helgrind, which watches those calls |
//!
//! Whatever two threads touch at once, and what is to be checked so, is built of
//! these. Must never: know of tasks.

use std::fmt;

#[cfg(not(any(race_detector, all(loom, test))))]
mod shown {
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
    pub(crate) use std::sync::{Mutex, MutexGuard};
    pub(crate) use std::thread::{Thread, current, park, park_timeout};
}

#[cfg(race_detector)]
use super::pthread as shown;

#[cfg(all(loom, test))]
mod shown {
    use std::sync::Arc;

    use loom::sync::Condvar;
    pub(crate) use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
    pub(crate) use loom::sync::{Mutex, MutexGuard};

    loom::thread_local! {
        static CURRENT: Thread = Thread::default();
    }

    /// A thread to be woken. Loom's own cannot be while it waits for a lock: so here is
    /// one made of what loom knows best.
    #[derive(Debug, Clone, Default)]
    pub(crate) struct Thread(Arc<Parker>);

    #[derive(Debug)]
    struct Parker {
        token: Mutex<bool>,
        changed: Condvar,
    }

    impl Default for Parker {
        fn default() -> Self {
            Self {
                token: Mutex::new(false),
                changed: Condvar::new(),
            }
        }
    }

    impl Thread {
        pub(crate) fn unpark(&self) {
            *self.0.token.lock().expect("it does not poison") = true;
            self.0.changed.notify_one();
        }
    }

    pub(crate) fn current() -> Thread {
        CURRENT.with(Thread::clone)
    }

    pub(crate) fn park() {
        let parker = current().0;
        let mut token = parker.token.lock().expect("it does not poison");
        while !std::mem::take(&mut *token) {
            token = parker.changed.wait(token).expect("it does not poison");
        }
    }

    /// No time passes there.
    pub(crate) fn park_timeout(_limit: std::time::Duration) {
        loom::thread::yield_now();
        *current().0.token.lock().expect("it does not poison") = false;
    }

    /// As std's. Sizes and names say nothing there.
    pub(crate) fn spawn(
        _name: String,
        _stack_size: Option<usize>,
        body: impl FnOnce() + Send + 'static,
    ) -> std::io::Result<()> {
        let _unjoined = loom::thread::spawn(body);
        Ok(())
    }
}

#[cfg(all(loom, test))]
pub(crate) use shown::spawn;
pub(crate) use shown::{
    AtomicBool, AtomicUsize, Ordering, Thread, current, fence, park, park_timeout,
};

/// Starts a thread that nobody joins.
#[cfg(not(all(loom, test)))]
pub(crate) fn spawn(
    name: String,
    stack_size: Option<usize>,
    body: impl FnOnce() + Send + 'static,
) -> std::io::Result<()> {
    let mut thread = std::thread::Builder::new().name(name);
    if let Some(bytes) = stack_size {
        thread = thread.stack_size(bytes);
    }
    thread.spawn(body).map(drop)
}

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
