//! A lock around a value, for code that waits while it holds it.
//!
//! Between two calls that may switch nothing runs but the task itself, so much of what
//! threads need a lock for needs none here. What is left: not to be disturbed *across*
//! such calls.
//!
//! The value lies in a `RefCell`, whose flag agrees with the lock: two lines of checks
//! instead of unsafe code, and no time that could be measured.

use std::cell::{RefCell, RefMut};
use std::fmt;
use std::ops::{Deref, DerefMut};

use super::error::{LockError, TryLockError};
use super::raw::RawLock;
use crate::id::TaskId;
use crate::scheduler::WaitReason;
use crate::scheduler::park::{self, Patience};

/// A value that one task uses at a time, also across calls that wait.
///
/// Tasks get it in the order in which they ask. There is no poisoning: a guard that is
/// dropped by a panic frees the lock like any other.
///
/// ```
/// use std::rc::Rc;
/// use greenroom::{run, spawn, sync::Mutex, yield_now};
///
/// run(|| {
///     let total = Rc::new(Mutex::new(0));
///     let tasks: Vec<_> = (0..3)
///         .map(|_| {
///             let total = Rc::clone(&total);
///             spawn(move || {
///                 let mut total = total.lock();
///                 let before = *total;
///                 yield_now(); // the others run, and wait for the lock
///                 *total = before + 1;
///             })
///         })
///         .collect();
///     tasks.into_iter().for_each(|task| task.join().unwrap());
///     assert_eq!(*total.lock(), 3);
/// });
/// ```
///
/// It belongs to one thread, and so does its guard:
///
/// ```compile_fail,E0277
/// let mutex = greenroom::sync::Mutex::new(0);
/// std::thread::scope(|s| {
///     s.spawn(|| *mutex.lock() += 1);
/// });
/// ```
///
/// # Deadlocks
///
/// A task that would wait in a circle (for itself, or for one that waits for it, by way
/// of locks, joins and the ends of scopes) is told at once:
/// [`checked_lock`](Self::checked_lock) returns an error that names everyone in the
/// circle, [`lock`](Self::lock) panics with it. A [`timeout`](crate::timeout) round one of
/// these waits does not prevent that. Whoever locked counts as the holder, also if the guard was moved to
/// another task since. What anybody might end leads no further: a channel, a permit. The
/// search looks at a thousand tasks at most.
#[derive(Default)]
pub struct Mutex<T: ?Sized> {
    lock: RawLock,
    value: RefCell<T>,
}

/// The right to use the value of a [`Mutex`]. Dropping it hands the lock on, and never
/// switches.
#[must_use = "dropping it frees the lock"]
pub struct MutexGuard<'a, T: ?Sized> {
    // Dropped first: whoever is handed the lock finds the value free.
    value: RefMut<'a, T>,
    held: Held<'a, T>,
}

/// Hands the lock on.
struct Held<'a, T: ?Sized>(&'a Mutex<T>);

impl<T: ?Sized> Drop for Held<'_, T> {
    #[inline(always)]
    fn drop(&mut self) {
        self.0.lock.unlock();
    }
}

impl<T> Mutex<T> {
    /// A free lock around a value.
    ///
    /// ```
    /// use greenroom::sync::Mutex;
    ///
    /// let mutex = Mutex::new(5);
    /// assert_eq!(*mutex.lock(), 5);
    /// ```
    #[must_use]
    pub const fn new(value: T) -> Self {
        Self {
            lock: RawLock::new(),
            value: RefCell::new(value),
        }
    }

    /// The value, without the lock.
    ///
    /// ```
    /// use greenroom::sync::Mutex;
    ///
    /// assert_eq!(Mutex::new(5).into_inner(), 5);
    /// ```
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Waits until the lock is free, and takes it.
    ///
    /// ```
    /// use greenroom::{run, sync::Mutex};
    ///
    /// run(|| {
    ///     let list = Mutex::new(vec![1]);
    ///     list.lock().push(2);
    ///     assert_eq!(*list.lock(), [1, 2]);
    /// });
    /// ```
    ///
    /// # Panics
    ///
    /// If the wait would close a circle of tasks: the message names them. On a plain
    /// thread, where nobody could free it, if it is locked.
    ///
    /// # Scheduling
    ///
    /// If it is free it goes on at once; one of every 128 calls yields. Else the others
    /// run. Tasks are served in order.
    ///
    /// # Cancellation
    ///
    /// If it waits, it unwinds when the task was cancelled; its place in line is given up.
    /// A lock handed over before that is taken. It cannot fail: with
    /// [`Delivery::Error`](crate::Delivery::Error), and while the task unwinds, it really
    /// waits; while it unwinds, also in a circle.
    #[inline(always)]
    #[track_caller]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        match self.lock.lock(Patience::Waits, WaitReason::lock) {
            Ok(()) => self.guard(),
            Err(error) => refuse(&error),
        }
    }

    /// Like [`lock`](Self::lock), but returns an error where that panics, and where that
    /// really waits though the task is cancelled or unwinding.
    ///
    /// ```
    /// use greenroom::{run, sync::{LockError, Mutex}};
    ///
    /// run(|| {
    ///     let mutex = Mutex::new(());
    ///     let _held = mutex.lock();
    ///     let Err(LockError::Deadlock(circle)) = mutex.checked_lock() else {
    ///         panic!("a task cannot wait for itself");
    ///     };
    ///     assert_eq!(circle.tasks().len(), 1);
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// [`LockError`] tells them apart. The lock is not taken.
    ///
    /// # Scheduling
    ///
    /// As [`lock`](Self::lock).
    ///
    /// # Cancellation
    ///
    /// If it waits, it unwinds when the task was cancelled, or, with
    /// [`Delivery::Error`](crate::Delivery::Error), fails.
    #[inline]
    pub fn checked_lock(&self) -> Result<MutexGuard<'_, T>, LockError> {
        self.lock.lock(Patience::Fails, WaitReason::lock)?;
        Ok(self.guard())
    }

    /// Takes the lock if it is free. Never waits.
    ///
    /// ```
    /// use greenroom::sync::Mutex;
    ///
    /// let mutex = Mutex::new(5);
    /// let held = mutex.try_lock().unwrap();
    /// assert!(mutex.try_lock().is_err());
    /// drop(held);
    /// assert!(mutex.try_lock().is_ok());
    /// ```
    ///
    /// # Errors
    ///
    /// If somebody holds it.
    #[inline]
    pub fn try_lock(&self) -> Result<MutexGuard<'_, T>, TryLockError> {
        if self.lock.try_lock(park::current()) {
            Ok(self.guard())
        } else {
            Err(TryLockError)
        }
    }

    /// The value: nobody can hold the lock meanwhile, but one that was forgotten.
    ///
    /// ```
    /// use greenroom::sync::Mutex;
    ///
    /// let mut mutex = Mutex::new(5);
    /// *mutex.get_mut() += 1;
    /// assert_eq!(mutex.into_inner(), 6);
    /// ```
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    /// Whether somebody holds it.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.lock.is_locked()
    }

    /// The task that locked it. `None` if it is free, or was locked on a plain thread.
    ///
    /// ```
    /// use greenroom::{current, run, sync::Mutex};
    ///
    /// run(|| {
    ///     let mutex = Mutex::new(());
    ///     let _held = mutex.lock();
    ///     assert_eq!(mutex.owner(), Some(current().id()));
    /// });
    /// ```
    #[must_use]
    pub fn owner(&self) -> Option<TaskId> {
        self.lock.owner()
    }

    /// The lock is the caller's.
    #[inline(always)]
    fn guard(&self) -> MutexGuard<'_, T> {
        let held = Held(self);
        MutexGuard {
            value: self.value.borrow_mut(),
            held,
        }
    }
}

#[cold]
#[track_caller]
pub(super) fn refuse(error: &LockError) -> ! {
    panic!("{error}")
}

impl<'a, T: ?Sized> MutexGuard<'a, T> {
    /// The mutex it belongs to.
    ///
    /// ```
    /// use greenroom::sync::{Mutex, MutexGuard};
    ///
    /// let mutex = Mutex::new(5);
    /// let held = mutex.lock();
    /// assert!(MutexGuard::mutex(&held).is_locked());
    /// ```
    #[must_use]
    pub fn mutex(guard: &Self) -> &'a Mutex<T> {
        guard.held.0
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T> From<T> for Mutex<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Mutex");
        // Held meanwhile: what writes it down may wait.
        match self.try_lock() {
            Ok(value) => debug.field("value", &&*value),
            Err(_) => debug.field("value", &format_args!("<locked>")),
        };
        debug.finish_non_exhaustive()
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
