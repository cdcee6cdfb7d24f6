//! Locks, flags and parking that a race detector can see: see `threads.rs`.
//!
//! helgrind learns that one thread waits for another from the calls of the C library
//! (`pthread_mutex_lock` and its kin), which std does not make on Linux. Of atomics it takes
//! what locks the bus for no write at all, so here every store does that.
//!
//! Compiled for that alone. Must never: be fast, or be used for anything else.

#![expect(unsafe_code, reason = "calls the C library, and is a lock")]

use std::cell::UnsafeCell;
use std::collections::HashMap;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, OnceLock, PoisonError, atomic};
use std::thread::ThreadId;
use std::time::Duration;

pub(crate) use std::sync::atomic::{Ordering, fence};

macro_rules! atomics {
    ($($name:ident of $value:ty),*) => {$(
        /// As std's of that name, but every store locks the bus.
        #[derive(Debug)]
        pub(crate) struct $name(atomic::$name);

        impl $name {
            pub(crate) const fn new(value: $value) -> Self {
                Self(atomic::$name::new(value))
            }

            pub(crate) fn load(&self, order: Ordering) -> $value {
                self.0.load(order)
            }

            pub(crate) fn store(&self, value: $value, order: Ordering) {
                let _before = self.0.swap(value, order);
            }
        }
    )*};
}

atomics! { AtomicBool of bool, AtomicUsize of usize }

impl AtomicBool {
    pub(crate) fn swap(&self, value: bool, order: Ordering) -> bool {
        self.0.swap(value, order)
    }
}

impl AtomicUsize {
    pub(crate) fn fetch_add(&self, more: usize, order: Ordering) -> usize {
        self.0.fetch_add(more, order)
    }

    pub(crate) fn fetch_sub(&self, less: usize, order: Ordering) -> usize {
        self.0.fetch_sub(less, order)
    }
}

/// What the C library keeps; it must not move.
struct Raw {
    mutex: UnsafeCell<libc::pthread_mutex_t>,
    condition: UnsafeCell<libc::pthread_cond_t>,
}

/// As std's, without poisoning.
pub(crate) struct Mutex<T> {
    raw: Box<Raw>,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached through a guard only, and there is one at a time.
unsafe impl<T: Send> Sync for Mutex<T> {}

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self {
            raw: Box::new(Raw {
                mutex: UnsafeCell::new(libc::PTHREAD_MUTEX_INITIALIZER),
                condition: UnsafeCell::new(libc::PTHREAD_COND_INITIALIZER),
            }),
            value: UnsafeCell::new(value),
        }
    }

    #[expect(clippy::unnecessary_wraps, reason = "it is called as std's is")]
    pub(crate) fn lock(&self) -> Result<MutexGuard<'_, T>, PoisonError<MutexGuard<'_, T>>> {
        // SAFETY: it was initialised, and lies in a box.
        let failed = unsafe { libc::pthread_mutex_lock(self.raw.mutex.get()) };
        assert_eq!(failed, 0, "the lock of the C library failed");
        Ok(MutexGuard(self))
    }
}

pub(crate) struct MutexGuard<'a, T>(&'a Mutex<T>);

impl<T> MutexGuard<'_, T> {
    /// Gives the lock up until somebody says that there is something new. Or not: it may
    /// come back for nothing.
    fn wait(&mut self) {
        let raw = &self.0.raw;
        // SAFETY: both were initialised, and the guard says that it is locked.
        let failed = unsafe { libc::pthread_cond_wait(raw.condition.get(), raw.mutex.get()) };
        assert_eq!(failed, 0, "waiting failed in the C library");
    }

    fn notify(&self) {
        // SAFETY: it was initialised.
        let failed = unsafe { libc::pthread_cond_signal(self.0.raw.condition.get()) };
        assert_eq!(failed, 0, "the C library cannot wake");
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: one guard at a time.
        unsafe { &*self.0.value.get() }
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: one guard at a time, and it is borrowed.
        unsafe { &mut *self.0.value.get() }
    }
}

impl<T> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        // SAFETY: the guard says that this thread has locked it.
        let _failed = unsafe { libc::pthread_mutex_unlock(self.0.raw.mutex.get()) };
    }
}

impl<T> Drop for Mutex<T> {
    fn drop(&mut self) {
        // SAFETY: nobody borrows it any more, so nobody waits for it.
        let _failed = unsafe { libc::pthread_cond_destroy(self.raw.condition.get()) };
        // SAFETY: as above.
        let _failed = unsafe { libc::pthread_mutex_destroy(self.raw.mutex.get()) };
    }
}

/// A thread that can be woken.
#[derive(Debug, Clone)]
pub(crate) struct Thread(Arc<Permit>);

struct Permit(Mutex<bool>);

impl std::fmt::Debug for Permit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Permit(..)")
    }
}

impl Thread {
    pub(crate) fn unpark(&self) {
        if let Ok(mut permit) = self.0.0.lock() {
            *permit = true;
            permit.notify();
        }
    }
}

/// This thread.
pub(crate) fn current() -> Thread {
    static ALL: OnceLock<Mutex<HashMap<ThreadId, Thread>>> = OnceLock::new();
    let all = ALL.get_or_init(|| Mutex::new(HashMap::new()));
    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
    all.entry(std::thread::current().id())
        .or_insert_with(|| Thread(Arc::new(Permit(Mutex::new(false)))))
        .clone()
}

pub(crate) fn park() {
    let thread = current();
    if let Ok(mut permit) = thread.0.0.lock() {
        while !*permit {
            permit.wait();
        }
        *permit = false;
    }
}

/// Returns early: whoever calls it looks at the time.
pub(crate) fn park_timeout(_limit: Duration) {
    let thread = current();
    if let Ok(mut permit) = thread.0.0.lock() {
        *permit = false;
    }
    std::thread::yield_now();
}
