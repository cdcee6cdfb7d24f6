//! A condition variable: to give up a lock and wait until somebody says that it is
//! worth a look.

use std::fmt;
use std::time::Duration;

use super::mutex::{Mutex, MutexGuard};
use crate::scheduler::park::{self, Patience, WaitQueue};
use crate::scheduler::{TaskRef, WaitReason};

/// To wait for a change of what a [`Mutex`] guards.
///
/// ```
/// use std::rc::Rc;
/// use greenroom::{run, spawn, sync::{Condvar, Mutex}};
///
/// run(|| {
///     let pair = Rc::new((Mutex::new(false), Condvar::new()));
///     let starter = Rc::clone(&pair);
///     spawn(move || {
///         let (started, changed) = &*starter;
///         *started.lock() = true;
///         changed.notify_one();
///     });
///     let (started, changed) = &*pair;
///     let mut started = started.lock();
///     while !*started {
///         started = changed.wait(started);
///     }
/// });
/// ```
///
/// It never wakes anybody for nothing, but what it was notified of may be over when the
/// lock is free again: so wait in a loop, or with [`wait_while`](Self::wait_while).
#[derive(Default)]
pub struct Condvar {
    waiting: WaitQueue<Notice>,
}

/// How a waiter was notified.
#[derive(Debug, Clone, Copy)]
enum Notice {
    /// For itself: if it cannot take it, another is to have it.
    One,
    /// With all others.
    All,
}

impl Condvar {
    /// Nobody waits for it.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            waiting: WaitQueue::new(),
        }
    }

    /// Frees the lock, waits to be notified, and takes the lock again.
    ///
    /// To wait no longer than so long there is [`wait_timeout`](Self::wait_timeout); or a
    /// [`timeout`](crate::timeout) round the whole, which gives up without the lock.
    ///
    /// # Panics
    ///
    /// On a plain thread, where nobody could notify; and as [`Mutex::lock`].
    ///
    /// # Scheduling
    ///
    /// The others run. Those who wait are notified in order.
    ///
    /// # Cancellation
    ///
    /// Two waits in a row. Cancelled in either it unwinds, and the lock is not taken
    /// again. A notification by [`notify_one`](Self::notify_one) that had come is passed on
    /// to the next. It cannot fail: with [`Delivery::Error`](crate::Delivery::Error), and
    /// while the task unwinds, it really waits.
    #[track_caller]
    pub fn wait<'a, T: ?Sized>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        let task = waiter();
        let mutex = MutexGuard::mutex(&guard);
        // Freeing it switches to nobody: no notification falls between this and the wait.
        drop(guard);
        let notice = self
            .waiting
            .wait(task, WaitReason::Notified, Patience::Waits, None);
        self.lock_again(mutex, notice.ok().flatten())
    }

    /// Like [`wait`](Self::wait), but waits no longer than so long to be notified. Then it
    /// takes the lock again, however long that takes.
    ///
    /// ```
    /// use std::time::Duration;
    /// use greenroom::{run, sync::{Condvar, Mutex}};
    ///
    /// run(|| {
    ///     let (mutex, changed) = (Mutex::new(5), Condvar::new());
    ///     let (guard, waited) = changed.wait_timeout(mutex.lock(), Duration::from_millis(1));
    ///     assert!(waited.timed_out());
    ///     assert_eq!(*guard, 5);
    /// });
    /// ```
    ///
    /// # Panics
    ///
    /// As [`wait`](Self::wait).
    ///
    /// # Scheduling
    ///
    /// As [`wait`](Self::wait).
    ///
    /// # Cancellation
    ///
    /// As [`wait`](Self::wait).
    #[track_caller]
    pub fn wait_timeout<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
        limit: Duration,
    ) -> (MutexGuard<'a, T>, WaitTimeoutResult) {
        let task = waiter();
        let mutex = MutexGuard::mutex(&guard);
        drop(guard);
        let (notice, late) = park::wait_at_most(
            &self.waiting,
            task,
            WaitReason::Notified,
            Patience::Waits,
            limit,
        );
        let guard = self.lock_again(mutex, notice.ok().flatten());
        (guard, WaitTimeoutResult(late))
    }

    #[track_caller]
    fn lock_again<'a, T: ?Sized>(
        &self,
        mutex: &'a Mutex<T>,
        notice: Option<Notice>,
    ) -> MutexGuard<'a, T> {
        let mut pass_on = PassOn(None);
        if let Some(Notice::One) = notice {
            pass_on.0 = Some(self);
        }
        let guard = mutex.lock();
        pass_on.0 = None;
        guard
    }

    /// Waits as long as `condition` says so of the value.
    ///
    /// ```
    /// use greenroom::{run, scope, sync::{Condvar, Mutex}};
    ///
    /// run(|| {
    ///     let (list, changed) = (Mutex::new(Vec::new()), Condvar::new());
    ///     scope(|s| {
    ///         s.spawn(|| {
    ///             for n in 0..3 {
    ///                 list.lock().push(n);
    ///                 changed.notify_one();
    ///             }
    ///         });
    ///         let full = changed.wait_while(list.lock(), |list| list.len() < 3);
    ///         assert_eq!(*full, [0, 1, 2]);
    ///     });
    /// });
    /// ```
    ///
    /// # Panics
    ///
    /// As [`wait`](Self::wait), and if `condition` does.
    ///
    /// # Scheduling
    ///
    /// As [`wait`](Self::wait); it returns at once if the condition does not hold.
    ///
    /// # Cancellation
    ///
    /// As [`wait`](Self::wait).
    #[track_caller]
    pub fn wait_while<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> MutexGuard<'a, T> {
        let mut guard = guard;
        while condition(&mut guard) {
            guard = self.wait(guard);
        }
        guard
    }

    /// Like [`wait_while`](Self::wait_while), but waits no longer than so long in all for
    /// the condition not to hold. Then it takes the lock again, however long that takes.
    ///
    /// ```
    /// use std::time::Duration;
    /// use greenroom::{run, sync::{Condvar, Mutex}};
    ///
    /// run(|| {
    ///     let (count, changed) = (Mutex::new(0), Condvar::new());
    ///     let limit = Duration::from_millis(1);
    ///     let (_count, waited) = changed.wait_timeout_while(count.lock(), limit, |n| *n == 0);
    ///     assert!(waited.timed_out());
    /// });
    /// ```
    ///
    /// # Panics
    ///
    /// As [`wait_while`](Self::wait_while).
    ///
    /// # Scheduling
    ///
    /// As [`wait_while`](Self::wait_while).
    ///
    /// # Cancellation
    ///
    /// As [`wait`](Self::wait).
    #[track_caller]
    pub fn wait_timeout_while<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
        limit: Duration,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> (MutexGuard<'a, T>, WaitTimeoutResult) {
        let start = park::now(waiter());
        let mut guard = guard;
        loop {
            if !condition(&mut guard) {
                return (guard, WaitTimeoutResult(false));
            }
            let passed = park::now(waiter()).duration_since(start);
            let Some(left) = limit.checked_sub(passed).filter(|left| !left.is_zero()) else {
                return (guard, WaitTimeoutResult(true));
            };
            (guard, _) = self.wait_timeout(guard, left);
        }
    }

    /// Wakes the one who waits longest, if anybody does. Never waits.
    ///
    /// # Scheduling
    ///
    /// The caller goes on. The one who is notified goes to the end of the queue, and then
    /// waits for the lock.
    pub fn notify_one(&self) {
        if let Some(waiter) = self.waiting.pop() {
            waiter.give(Notice::One);
        }
    }

    /// Wakes all who wait, in order. Never waits.
    ///
    /// # Scheduling
    ///
    /// The caller goes on. Those who are notified go to the end of the queue, and then
    /// wait for the lock.
    pub fn notify_all(&self) {
        while let Some(waiter) = self.waiting.pop() {
            waiter.give(Notice::All);
        }
    }
}

/// Who waits.
#[track_caller]
fn waiter() -> TaskRef {
    let Some(task) = park::current() else {
        panic!("wait would wait for ever: nobody could notify, and no runtime is running here");
    };
    task
}

/// What [`Condvar::wait_timeout`] says: whether the time was over before a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaitTimeoutResult(bool);

impl WaitTimeoutResult {
    /// Whether the time was over before a notification.
    #[must_use]
    pub fn timed_out(&self) -> bool {
        self.0
    }
}

/// Notifies another, if the one who was notified is cancelled before it has the lock.
struct PassOn<'a>(Option<&'a Condvar>);

impl Drop for PassOn<'_> {
    fn drop(&mut self) {
        if let Some(condvar) = self.0 {
            condvar.notify_one();
        }
    }
}

impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condvar").finish_non_exhaustive()
    }
}
