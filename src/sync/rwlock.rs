//! A lock that many may read under, or one write.
//!
//! First come, first served: a reader that comes after a waiting writer waits behind it.
//! So a writer is not starved by readers that come and go, nor readers by writers.

use std::cell::{Cell, Ref, RefCell, RefMut};
use std::fmt;
use std::ops::{Deref, DerefMut};

use super::error::{LockError, TryLockError};
use super::mutex::refuse;
use crate::scheduler::holders::{self, Owners, Wants};
use crate::scheduler::park::{self, Patience};
use crate::scheduler::{TaskRef, WaitReason};

/// A value that many tasks read at a time, or one writes, also across calls that wait.
///
/// Tasks are served in the order in which they ask: readers that stand in line together
/// get it together. There is no poisoning.
///
/// ```
/// use greenroom::{run, scope, sync::RwLock, yield_now};
///
/// run(|| {
///     let prices = RwLock::new(vec![1, 2, 3]);
///     scope(|s| {
///         for _ in 0..2 {
///             s.spawn(|| {
///                 let prices = prices.read();
///                 yield_now(); // both read at the same time
///                 assert_eq!(prices.len(), 3);
///             });
///         }
///         s.spawn(|| prices.write().push(4)); // waits for both
///     });
///     assert_eq!(prices.into_inner(), [1, 2, 3, 4]);
/// });
/// ```
///
/// A task that reads and asks to read once more waits for ever if a writer has lined up
/// between. That is a circle of waits, and as with a [`Mutex`](super::Mutex) it is an
/// error at once.
#[derive(Default)]
pub struct RwLock<T: ?Sized> {
    state: Cell<State>,
    /// Who holds it, and who waits.
    owners: Owners,
    value: RefCell<T>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Free,
    /// So many read.
    Read(usize),
    Written,
}

/// The right to read the value of an [`RwLock`]. Dropping it never switches.
#[must_use = "dropping it frees the lock"]
pub struct RwLockReadGuard<'a, T: ?Sized> {
    // Dropped first: whoever is handed the lock finds the value free.
    value: Ref<'a, T>,
    _held: Held<'a, T>,
}

/// The right to read and write the value of an [`RwLock`]. Dropping it never switches.
#[must_use = "dropping it frees the lock"]
pub struct RwLockWriteGuard<'a, T: ?Sized> {
    value: RefMut<'a, T>,
    held: Held<'a, T>,
}

/// The place of a holder. Dropping it hands the lock on.
struct Held<'a, T: ?Sized> {
    lock: &'a RwLock<T>,
    place: usize,
}

impl<T: ?Sized> Drop for Held<'_, T> {
    fn drop(&mut self) {
        self.lock.owners.remove(self.place);
        self.lock.leave();
    }
}

impl State {
    /// With one more reader, if that may be.
    #[inline]
    fn with_reader(self) -> Option<Self> {
        match self {
            Self::Free => Some(Self::Read(1)),
            Self::Read(count) => Some(Self::Read(count + 1)),
            Self::Written => None,
        }
    }

    #[inline]
    fn with(self, wants: Wants) -> Option<Self> {
        match wants {
            Wants::Read => self.with_reader(),
            Wants::Write if self == Self::Free => Some(Self::Written),
            Wants::Write | Wants::Has(_) => None,
        }
    }
}

impl<T> RwLock<T> {
    /// A free lock around a value.
    ///
    /// ```
    /// use greenroom::sync::RwLock;
    ///
    /// let lock = RwLock::new(5);
    /// assert_eq!(*lock.read(), 5);
    /// ```
    #[must_use]
    pub const fn new(value: T) -> Self {
        Self {
            state: Cell::new(State::Free),
            owners: Owners::new(),
            value: RefCell::new(value),
        }
    }

    /// The value, without the lock.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> RwLock<T> {
    /// Waits until nobody writes, nor waits before it, and takes the lock for reading.
    ///
    /// ```
    /// use greenroom::sync::RwLock;
    ///
    /// let lock = RwLock::new(5);
    /// let (one, two) = (lock.read(), lock.read());
    /// assert_eq!(*one + *two, 10);
    /// ```
    ///
    /// # Panics
    ///
    /// If the wait would close a circle of tasks: the message names them. On a plain
    /// thread, where nobody could free it, if it would have to wait.
    ///
    /// # Scheduling
    ///
    /// If it need not wait it goes on at once; one of every 128 calls yields. Else the
    /// others run. Tasks are served in order.
    ///
    /// # Cancellation
    ///
    /// If it waits, it unwinds when the task was cancelled; its place in line is given up.
    /// A lock handed over before that is taken. It cannot fail: with
    /// [`Delivery::Error`](crate::Delivery::Error), and while the task unwinds, it really
    /// waits; while it unwinds, also in a circle.
    #[inline]
    #[track_caller]
    pub fn read(&self) -> RwLockReadGuard<'_, T> {
        match self.take(Wants::Read, Patience::Waits) {
            Ok(held) => self.reader(held),
            Err(error) => refuse(&error),
        }
    }

    /// Waits until the lock is free, and nobody waits before it, and takes it for writing.
    ///
    /// ```
    /// use greenroom::sync::RwLock;
    ///
    /// let lock = RwLock::new(5);
    /// *lock.write() += 1;
    /// assert_eq!(*lock.read(), 6);
    /// ```
    ///
    /// # Panics
    ///
    /// As [`read`](Self::read).
    ///
    /// # Scheduling
    ///
    /// As [`read`](Self::read).
    ///
    /// # Cancellation
    ///
    /// As [`read`](Self::read).
    #[inline]
    #[track_caller]
    pub fn write(&self) -> RwLockWriteGuard<'_, T> {
        match self.take(Wants::Write, Patience::Waits) {
            Ok(held) => self.writer(held),
            Err(error) => refuse(&error),
        }
    }

    /// Like [`read`](Self::read), but returns an error where that panics, and where that
    /// really waits though the task is cancelled or unwinding.
    ///
    /// # Errors
    ///
    /// [`LockError`] tells them apart. The lock is not taken.
    ///
    /// # Scheduling
    ///
    /// As [`read`](Self::read).
    ///
    /// # Cancellation
    ///
    /// If it waits, it unwinds when the task was cancelled, or, with
    /// [`Delivery::Error`](crate::Delivery::Error), fails.
    pub fn checked_read(&self) -> Result<RwLockReadGuard<'_, T>, LockError> {
        let held = self.take(Wants::Read, Patience::Fails)?;
        Ok(self.reader(held))
    }

    /// Like [`write`](Self::write), but returns an error where that panics, and where that
    /// really waits though the task is cancelled or unwinding.
    ///
    /// ```
    /// use greenroom::{run, sync::{LockError, RwLock}};
    ///
    /// run(|| {
    ///     let lock = RwLock::new(5);
    ///     let _reading = lock.read();
    ///     let refused = lock.checked_write();
    ///     assert!(matches!(refused, Err(LockError::Deadlock(_))));
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// [`LockError`] tells them apart. The lock is not taken.
    ///
    /// # Scheduling
    ///
    /// As [`read`](Self::read).
    ///
    /// # Cancellation
    ///
    /// As [`checked_read`](Self::checked_read).
    pub fn checked_write(&self) -> Result<RwLockWriteGuard<'_, T>, LockError> {
        let held = self.take(Wants::Write, Patience::Fails)?;
        Ok(self.writer(held))
    }

    /// Takes the lock for reading if nobody writes or waits. Never waits.
    ///
    /// ```
    /// use greenroom::sync::RwLock;
    ///
    /// let lock = RwLock::new(5);
    /// let _reading = lock.read();
    /// assert!(lock.try_read().is_ok());
    /// assert!(lock.try_write().is_err());
    /// ```
    ///
    /// # Errors
    ///
    /// If it is not to be had at once.
    #[inline]
    pub fn try_read(&self) -> Result<RwLockReadGuard<'_, T>, TryLockError> {
        let held = self.try_take(Wants::Read, park::current());
        held.map(|held| self.reader(held)).ok_or(TryLockError)
    }

    /// Takes the lock for writing if it is free. Never waits.
    ///
    /// # Errors
    ///
    /// If it is not to be had at once.
    #[inline]
    pub fn try_write(&self) -> Result<RwLockWriteGuard<'_, T>, TryLockError> {
        let held = self.try_take(Wants::Write, park::current());
        held.map(|held| self.writer(held)).ok_or(TryLockError)
    }

    /// The value: nobody can hold the lock meanwhile, but one that was forgotten.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    /// How many read now.
    #[must_use]
    pub fn readers(&self) -> usize {
        match self.state.get() {
            State::Read(count) => count,
            State::Free | State::Written => 0,
        }
    }

    /// Whether somebody holds it for writing.
    #[must_use]
    pub fn is_write_locked(&self) -> bool {
        self.state.get() == State::Written
    }

    fn reader<'a>(&'a self, held: Held<'a, T>) -> RwLockReadGuard<'a, T> {
        RwLockReadGuard {
            value: self.value.borrow(),
            _held: held,
        }
    }

    fn writer<'a>(&'a self, held: Held<'a, T>) -> RwLockWriteGuard<'a, T> {
        RwLockWriteGuard {
            value: self.value.borrow_mut(),
            held,
        }
    }

    #[inline]
    fn try_take(&self, wants: Wants, task: Option<TaskRef>) -> Option<Held<'_, T>> {
        if !self.owners.line.is_empty() {
            return None;
        }
        self.set(self.state.get().with(wants)?);
        Some(Held {
            lock: self,
            place: self.owners.add(task),
        })
    }

    #[inline]
    fn take(&self, wants: Wants, patience: Patience) -> Result<Held<'_, T>, LockError> {
        let task = park::current();
        if let Some(task) = task {
            park::spend(task);
        }
        match self.try_take(wants, task) {
            Some(held) => Ok(held),
            None => self.wait(wants, task, patience),
        }
    }

    #[cold]
    #[inline(never)]
    fn wait(
        &self,
        wants: Wants,
        task: Option<TaskRef>,
        patience: Patience,
    ) -> Result<Held<'_, T>, LockError> {
        let task = task.ok_or(LockError::WouldBlock)?;
        let reason = WaitReason::shared_lock(&self.owners);
        // Should it leave the line, those behind it may be served.
        let _leaving = Serve(self);
        match holders::wait_for_lock(&self.owners.line, task, reason, patience, Some(wants)) {
            Ok(Some(Wants::Has(place))) => Ok(Held { lock: self, place }),
            Ok(_) => unreachable!("whoever is taken out of the line has the lock"),
            Err(Some(circle)) => Err(LockError::Deadlock(circle)),
            Err(None) => Err(LockError::Cancelled),
        }
    }

    fn set(&self, state: State) {
        self.state.set(state);
        self.owners.alone.set(state == State::Written);
    }

    /// One holder less.
    fn leave(&self) {
        self.set(match self.state.get() {
            State::Read(count) if count > 1 => State::Read(count - 1),
            _ => State::Free,
        });
        self.serve();
    }

    /// Hands the lock to those who wait, in order.
    fn serve(&self) {
        while !self.owners.line.is_empty() {
            let state = self.state.get();
            let mut then = None;
            let next = self.owners.line.pop_if(|wants| {
                then = state.with(wants);
                then.is_some()
            });
            let (Some(next), Some(then)) = (next, then) else {
                return;
            };
            self.set(then);
            let place = self.owners.add(Some(next.task()));
            next.give(Wants::Has(place));
        }
    }
}

struct Serve<'a, T: ?Sized>(&'a RwLock<T>);

impl<T: ?Sized> Drop for Serve<'_, T> {
    fn drop(&mut self) {
        self.0.serve();
    }
}

impl<'a, T: ?Sized> RwLockWriteGuard<'a, T> {
    /// Goes on reading: nobody writes in between, and other readers may come in.
    ///
    /// ```
    /// use greenroom::sync::{RwLock, RwLockWriteGuard};
    ///
    /// let lock = RwLock::new(5);
    /// let mut writing = lock.write();
    /// *writing += 1;
    /// let reading = RwLockWriteGuard::downgrade(writing);
    /// assert_eq!(*reading + *lock.read(), 12);
    /// ```
    pub fn downgrade(guard: Self) -> RwLockReadGuard<'a, T> {
        let Self { value, held } = guard;
        drop(value);
        let lock = held.lock;
        lock.set(State::Read(1));
        let reading = lock.reader(held);
        // Readers that are first in line read along.
        lock.serve();
        reading
    }
}

impl<T: ?Sized> Deref for RwLockReadGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: ?Sized> Deref for RwLockWriteGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: ?Sized> DerefMut for RwLockWriteGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T> From<T> for RwLock<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("RwLock");
        // Held meanwhile: what writes it down may wait.
        match self.try_read() {
            Ok(value) => debug.field("value", &&*value),
            Err(_) => debug.field("value", &format_args!("<locked>")),
        };
        debug.finish_non_exhaustive()
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLockReadGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLockWriteGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
