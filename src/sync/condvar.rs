//! A condition variable: to give up a lock and wait until somebody says that it is
//! worth a look.

use std::fmt;

use super::mutex::MutexGuard;
use crate::scheduler::WaitReason;
use crate::scheduler::park::{self, Patience, WaitQueue};

/// To wait for a change of what a [`Mutex`](super::Mutex) guards.
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
    /// To wait no longer than so long, surround the loop with
    /// [`timeout`](crate::timeout).
    ///
    /// # Panics
    ///
    /// On a plain thread, where nobody could notify; and as [`Mutex::lock`](super::Mutex::lock).
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
        let Some(task) = park::current() else {
            panic!("wait would wait for ever: nobody could notify, and no runtime is running here");
        };
        let mutex = MutexGuard::mutex(&guard);
        // Freeing it switches to nobody: no notification falls between this and the wait.
        drop(guard);
        let notice = self
            .waiting
            .wait(task, WaitReason::Notified, Patience::Waits, None);
        let mut pass_on = PassOn(None);
        if let Ok(Some(Notice::One)) = notice {
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
