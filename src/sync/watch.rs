//! A watch: one value that changes, and those who wait for it to change.
//!
//! The value lies in an `Rc`, and whoever looks at it gets that: a look is never in the
//! way of a change, however long it is kept. Each change has a number; a receiver knows
//! the number of the last one it saw. So waiting takes nothing, and a wait that is
//! cancelled has lost nothing.
//!
//! Closures and destructors are foreign code, which may use this very watch, wait or
//! panic: none runs while the value is borrowed.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;

use super::error::{RecvError, SendError};
use crate::awaitable::Awaitable;
use crate::scheduler::WaitReason;
use crate::scheduler::park::{self, Interrupted, Patience, Seat, WaitQueue};
use crate::scheduler::select::sealed::Sealed;
use crate::scheduler::select::{Arm, Entry, Selectable};

/// What the receiver of a value that nobody has seen has seen.
const NOTHING: u64 = 0;

struct Watch<T> {
    value: RefCell<Rc<T>>,
    /// How many values there were.
    version: Cell<u64>,
    /// They have seen the value.
    waiting: WaitQueue,
    senders: Cell<usize>,
    receivers: Cell<usize>,
}

/// The end of a [`watch`] that changes the value. Clones change the same one.
pub struct WatchSender<T> {
    watch: Rc<Watch<T>>,
}

/// The end of a [`watch`] that looks at the value, and waits for it to change.
///
/// Each has a mark of its own: whether it has seen the value there is. A clone has seen
/// as much as the original.
pub struct WatchReceiver<T> {
    watch: Rc<Watch<T>>,
    /// The number of the last value it saw.
    seen: u64,
}

/// A value that changes: its receivers look at it, and wait for it to change. What
/// matters is what it is now: a receiver may miss values in between, never the last.
///
/// ```
/// use greenroom::sync::{RecvError, watch};
/// use greenroom::{run, spawn};
///
/// run(|| {
///     let (level, mut seen) = watch("low");
///     assert_eq!(*seen.get(), "low");
///     let watcher = spawn(move || {
///         let next = seen.changed().unwrap();
///         (next, seen.changed())
///     });
///     level.send("middle").unwrap();
///     level.send("high").unwrap();
///     drop(level);
///     let (next, then) = watcher.join().unwrap();
///     assert_eq!(*next, "high"); // nobody looked in between
///     assert_eq!(then, Err(RecvError::Disconnected));
/// });
/// ```
///
/// A look at the value is an `Rc`: it may be kept for as long as one likes, also while
/// others send, and stays what it was.
///
/// The first value counts as seen.
#[must_use]
pub fn watch<T>(initial: T) -> (WatchSender<T>, WatchReceiver<T>) {
    let sender = WatchSender {
        watch: Rc::new(Watch {
            value: RefCell::new(Rc::new(initial)),
            version: Cell::new(NOTHING + 1),
            waiting: WaitQueue::new(),
            senders: Cell::new(1),
            receivers: Cell::new(0),
        }),
    };
    let receiver = sender.subscribe();
    (sender, receiver)
}

impl<T> Watch<T> {
    fn get(&self) -> Rc<T> {
        Rc::clone(&self.value.borrow())
    }

    /// Another value. Returns the one before, which nobody drops here.
    fn set(&self, value: Rc<T>) -> Rc<T> {
        let before = self.value.replace(value);
        self.version.set(self.version.get() + 1);
        self.waiting.wake_all();
        before
    }

    /// Whether somebody who has seen value `seen` need not wait: there is another, or
    /// there will be none.
    fn is_ready(&self, seen: u64) -> bool {
        self.version.get() != seen || self.senders.get() == 0
    }

    /// Whether there is another value than `seen`: if there will be one.
    fn has_more(&self, seen: u64) -> Result<(), RecvError> {
        if self.version.get() != seen {
            Ok(())
        } else if self.senders.get() == 0 {
            Err(RecvError::Disconnected)
        } else {
            Err(RecvError::WouldBlock)
        }
    }

    /// Waits until there is another value than `seen`.
    fn wait_for_more(&self, seen: u64) -> Result<(), RecvError> {
        let task = park::current();
        if let Some(task) = task {
            park::spend(task);
        }
        loop {
            match (self.has_more(seen), task) {
                (Err(RecvError::WouldBlock), Some(task)) => {
                    let waiting = &self.waiting;
                    if let Err(Interrupted(_)) =
                        waiting.wait(task, WaitReason::Watch, Patience::Fails, None)
                    {
                        return Err(RecvError::Cancelled);
                    }
                }
                (result, _) => return result,
            }
        }
    }
}

impl<T> WatchSender<T> {
    /// Changes the value, for all to see. Never waits.
    ///
    /// It counts as a change also if the new value equals the old one:
    /// [`send_if_modified`](Self::send_if_modified) can tell.
    ///
    /// ```
    /// use greenroom::sync::{SendError, watch};
    ///
    /// let (sender, receiver) = watch(1);
    /// sender.send(2).unwrap();
    /// assert!(receiver.has_changed());
    /// drop(receiver);
    /// assert_eq!(sender.send(3), Err(SendError::Disconnected(3)));
    /// assert_eq!(*sender.get(), 2);
    /// ```
    ///
    /// # Errors
    ///
    /// [`SendError::Disconnected`] if there is no receiver. The value comes back, and the
    /// old one stays; [`replace`](Self::replace) asks nobody.
    ///
    /// # Panics
    ///
    /// If dropping the old value does. The new one has been sent then.
    ///
    /// # Scheduling
    ///
    /// The caller goes on. Receivers that wait go to the end of the queue, in the order
    /// in which they came.
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        if self.watch.receivers.get() == 0 {
            return Err(SendError::Disconnected(value));
        }
        drop(self.replace(value));
        Ok(())
    }

    /// Changes the value, whether there are receivers or not, and returns the one before.
    /// Never waits; see [`send`](Self::send).
    ///
    /// ```
    /// use greenroom::sync::watch;
    ///
    /// let (sender, receiver) = watch(1);
    /// drop(receiver);
    /// assert_eq!(*sender.replace(2), 1);
    /// assert_eq!(*sender.subscribe().get(), 2);
    /// ```
    pub fn replace(&self, value: T) -> Rc<T> {
        self.watch.set(Rc::new(value))
    }

    /// Changes the value in place, as it seems: `modify` gets a clone, which is sent when
    /// it returns, whether there are receivers or not.
    ///
    /// Until then everybody sees the old value, `modify` itself, too; and if it panics,
    /// nothing has changed. What others send before it returns is overwritten, so `modify`
    /// should neither wait nor send here.
    ///
    /// ```
    /// use greenroom::sync::watch;
    ///
    /// let (sender, receiver) = watch(vec![1]);
    /// let before = receiver.get();
    /// sender.send_modify(|list| list.push(2));
    /// assert_eq!(*receiver.get(), [1, 2]);
    /// assert_eq!(*before, [1]);
    /// ```
    pub fn send_modify(&self, modify: impl FnOnce(&mut T))
    where
        T: Clone,
    {
        self.send_if_modified(|value| {
            modify(value);
            true
        });
    }

    /// [`send_modify`](Self::send_modify), if `modify` returns `true`; else nothing has
    /// changed, whatever it did to its clone. Returns what `modify` does.
    ///
    /// ```
    /// use greenroom::sync::watch;
    ///
    /// let (sender, receiver) = watch(5);
    /// let raise_to = |least: i32| {
    ///     sender.send_if_modified(|value| {
    ///         let is_lower = *value < least;
    ///         *value = least;
    ///         is_lower
    ///     })
    /// };
    /// assert!(!raise_to(3) && !receiver.has_changed());
    /// assert!(raise_to(7) && receiver.has_changed());
    /// assert_eq!(*receiver.get(), 7);
    /// ```
    pub fn send_if_modified(&self, modify: impl FnOnce(&mut T) -> bool) -> bool
    where
        T: Clone,
    {
        let mut value = T::clone(&self.get());
        let modified = modify(&mut value);
        if modified {
            drop(self.replace(value));
        }
        modified
    }

    /// The value there is now.
    #[must_use]
    pub fn get(&self) -> Rc<T> {
        self.watch.get()
    }

    /// A new receiver. The value there is counts as seen.
    ///
    /// ```
    /// use greenroom::sync::watch;
    ///
    /// let (sender, _) = watch(1);
    /// let receiver = sender.subscribe();
    /// assert!(!receiver.has_changed());
    /// sender.send(2).unwrap();
    /// assert!(receiver.has_changed());
    /// ```
    #[must_use]
    pub fn subscribe(&self) -> WatchReceiver<T> {
        let watch = Rc::clone(&self.watch);
        watch.receivers.set(watch.receivers.get() + 1);
        WatchReceiver {
            seen: watch.version.get(),
            watch,
        }
    }

    /// How many receivers there are.
    #[must_use]
    pub fn receiver_count(&self) -> usize {
        self.watch.receivers.get()
    }
}

impl<T> WatchReceiver<T> {
    /// The value there is now. It does not count as seen by that: see
    /// [`mark_unchanged`](Self::mark_unchanged).
    ///
    /// ```
    /// use greenroom::sync::watch;
    ///
    /// let (sender, mut receiver) = watch(1);
    /// let old = receiver.get();
    /// sender.send(2).unwrap(); // nothing is in the way
    /// assert_eq!((*old, *receiver.get()), (1, 2));
    /// assert_eq!(receiver.changed(), Ok(2.into())); // not seen yet
    /// ```
    #[must_use]
    pub fn get(&self) -> Rc<T> {
        self.watch.get()
    }

    /// Waits until there is a value this receiver has not seen, and returns the one there
    /// is then. It counts as seen.
    ///
    /// ```
    /// use greenroom::sync::watch;
    /// use greenroom::{run, spawn};
    ///
    /// run(|| {
    ///     let (limit, mut watched) = watch(0);
    ///     let worker = spawn(move || {
    ///         let mut sum = 0;
    ///         while let Ok(limit) = watched.changed() {
    ///             sum += *limit;
    ///         }
    ///         sum
    ///     });
    ///     for n in [1, 2, 3] {
    ///         limit.send(n).unwrap();
    ///         greenroom::yield_now(); // it has time to look at each
    ///     }
    ///     drop(limit);
    ///     assert_eq!(worker.join().unwrap(), 6);
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// If it has seen the value, and all senders are gone. On a plain thread, where nothing
    /// could send, if it has seen the value.
    ///
    /// # Scheduling
    ///
    /// With a value it has not seen it goes on at once; one of every 128 calls yields. Else
    /// the others run.
    ///
    /// # Cancellation
    ///
    /// If it waits, it unwinds when the task was cancelled, unless a value was sent before
    /// that. Nothing counts as seen then. While the task unwinds it returns an error instead
    /// of waiting.
    pub fn changed(&mut self) -> Result<Rc<T>, RecvError> {
        self.watch.wait_for_more(self.seen)?;
        Ok(self.look())
    }

    /// Waits until the value is as `wanted`, and returns it. It counts as seen. The value
    /// there is now is asked first, seen or not.
    ///
    /// ```
    /// use greenroom::sync::watch;
    /// use greenroom::{run, spawn};
    ///
    /// run(|| {
    ///     let (workers, mut count) = watch(3);
    ///     let done = spawn(move || count.wait_for(|count| *count == 0).is_ok());
    ///     for _ in 0..3 {
    ///         workers.send_modify(|count| *count -= 1);
    ///     }
    ///     assert!(done.join().unwrap());
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// If the value is not as wanted, and all senders are gone, or nothing can be waited
    /// for: as [`changed`](Self::changed). What counts as seen is what did before.
    ///
    /// # Panics
    ///
    /// If `wanted` does. What counts as seen is what did before.
    ///
    /// # Scheduling
    ///
    /// If the value is as wanted it goes on at once; one of every 128 looks yields. Else the
    /// others run. `wanted` may itself do anything; values sent meanwhile are asked next.
    ///
    /// # Cancellation
    ///
    /// As [`changed`](Self::changed): what counts as seen is what did before.
    pub fn wait_for(&mut self, mut wanted: impl FnMut(&T) -> bool) -> Result<Rc<T>, RecvError> {
        let mut asked = NOTHING;
        loop {
            self.watch.wait_for_more(asked)?;
            asked = self.watch.version.get();
            let value = self.get();
            if wanted(&value) {
                self.seen = asked;
                return Ok(value);
            }
        }
    }

    /// Whether there is a value this receiver has not seen.
    #[must_use]
    pub fn has_changed(&self) -> bool {
        self.watch.version.get() != self.seen
    }

    /// The value there is counts as not seen.
    ///
    /// ```
    /// use greenroom::sync::watch;
    ///
    /// let (_sender, mut receiver) = watch(1);
    /// receiver.mark_changed();
    /// assert_eq!(receiver.changed(), Ok(1.into())); // the first value, too
    /// ```
    pub fn mark_changed(&mut self) {
        self.seen = NOTHING;
    }

    /// The value there is counts as seen.
    pub fn mark_unchanged(&mut self) {
        self.seen = self.watch.version.get();
    }

    /// Whether all senders are gone: the value never changes again. It may not have been
    /// seen yet.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.watch.senders.get() == 0
    }

    /// The value there is, which counts as seen.
    fn look(&mut self) -> Rc<T> {
        self.mark_unchanged();
        self.get()
    }
}

impl<T> Clone for WatchSender<T> {
    fn clone(&self) -> Self {
        let senders = &self.watch.senders;
        senders.set(senders.get() + 1);
        Self {
            watch: Rc::clone(&self.watch),
        }
    }
}

/// It has seen as much as the original.
impl<T> Clone for WatchReceiver<T> {
    fn clone(&self) -> Self {
        let receivers = &self.watch.receivers;
        receivers.set(receivers.get() + 1);
        Self {
            watch: Rc::clone(&self.watch),
            seen: self.seen,
        }
    }
}

impl<T> Drop for WatchSender<T> {
    fn drop(&mut self) {
        let left = self.watch.senders.get() - 1;
        self.watch.senders.set(left);
        if left == 0 {
            self.watch.waiting.wake_all();
        }
    }
}

impl<T> Drop for WatchReceiver<T> {
    fn drop(&mut self) {
        let receivers = &self.watch.receivers;
        receivers.set(receivers.get() - 1);
    }
}

impl<T> fmt::Debug for WatchSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WatchSender")
            .field("receivers", &self.receiver_count())
            .finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for WatchReceiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WatchReceiver")
            .field("has_changed", &self.has_changed())
            .field("is_closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

/// See [`WatchReceiver::changed`].
impl<T> Awaitable for &mut WatchReceiver<T> {
    type Output = Result<Rc<T>, RecvError>;

    fn wait(self) -> Self::Output {
        self.changed()
    }
}

/// A receiver as an arm of `select!`.
#[doc(hidden)]
#[derive(Debug)]
pub struct WatchArm<'a, T> {
    receiver: &'a mut WatchReceiver<T>,
    seat: Seat<()>,
}

impl<'a, T> Selectable for &'a mut WatchReceiver<T> {
    type Output = Result<Rc<T>, RecvError>;
    type Arm = WatchArm<'a, T>;

    fn into_arm(self) -> WatchArm<'a, T> {
        WatchArm {
            receiver: self,
            seat: Seat::new(),
        }
    }

    fn finish(arm: &mut WatchArm<'a, T>) -> Self::Output {
        let receiver = &mut *arm.receiver;
        match receiver.watch.has_more(receiver.seen) {
            Ok(()) => Ok(receiver.look()),
            // It was chosen with nothing there: because the task is cancelled.
            Err(RecvError::WouldBlock) => Err(RecvError::Cancelled),
            Err(error) => Err(error),
        }
    }
}

impl<T> Sealed for WatchArm<'_, T> {}

impl<T> Arm for WatchArm<'_, T> {
    fn poll(&self) -> bool {
        self.receiver.watch.is_ready(self.receiver.seen)
    }

    fn enter<'a>(&'a self, entry: Entry<'a>) -> bool {
        entry.sit(&self.receiver.watch.waiting, &self.seat)
    }

    fn leave(&self) {
        self.seat.leave();
    }

    fn interrupt(&self) -> bool {
        true
    }
}
