//! Events: something that has happened, or has not yet, and those who wait for it.
//!
//! Whoever waits is handed the event when it is set: a `clear` that comes before
//! the waiter runs does not take it back. Nobody is ever asked to look again, so
//! there is no wake-up for nothing.

use std::cell::Cell;
use std::fmt;

use crate::awaitable::Awaitable;
use crate::scheduler::WaitReason;
use crate::scheduler::park::{self, Patience, Seat, WaitQueue};
use crate::scheduler::select::sealed::Sealed;
use crate::scheduler::select::{Arm, Entry, Selectable};

/// Something that has happened, or not yet. Any number of tasks may wait for it.
///
/// ```
/// use std::rc::Rc;
/// use greenroom::{run, spawn, sync::Event};
///
/// run(|| {
///     let ready = Rc::new(Event::new());
///     let waiter = spawn({
///         let ready = Rc::clone(&ready);
///         move || ready.wait()
///     });
///     ready.set();
///     waiter.join().unwrap();
///     ready.wait(); // it has happened: returns at once
/// });
/// ```
///
/// It belongs to one thread:
///
/// ```compile_fail,E0277
/// let event = greenroom::sync::Event::new();
/// std::thread::scope(|s| {
///     s.spawn(|| event.set());
/// });
/// ```
#[doc(alias = "Notify")]
#[derive(Default)]
pub struct Event {
    set: Cell<bool>,
    /// They wait; only while it is not set.
    waiting: WaitQueue,
}

impl Event {
    /// An event that has not happened.
    ///
    /// ```
    /// use greenroom::sync::Event;
    ///
    /// assert!(!Event::new().is_set());
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self {
            set: Cell::new(false),
            waiting: WaitQueue::new(),
        }
    }

    /// It has happened. Wakes all who wait, in the order in which they came; from
    /// now on, nobody has to. Never waits.
    ///
    /// ```
    /// use greenroom::sync::Event;
    ///
    /// let event = Event::new();
    /// event.set();
    /// event.set(); // it has happened already
    /// assert!(event.is_set());
    /// ```
    ///
    /// # Scheduling
    ///
    /// The caller goes on. Those who waited go to the end of the queue.
    pub fn set(&self) {
        self.set.set(true);
        self.waiting.wake_all();
    }

    /// Whether it has happened.
    ///
    /// ```
    /// use greenroom::sync::Event;
    ///
    /// let event = Event::new();
    /// assert!(!event.is_set());
    /// event.set();
    /// assert!(event.is_set());
    /// ```
    #[must_use]
    #[inline]
    pub fn is_set(&self) -> bool {
        self.set.get()
    }

    /// It is to happen again: from now on, whoever comes waits. Those whom `set`
    /// has woken go on all the same, even if they have not run since.
    ///
    /// ```
    /// use std::rc::Rc;
    /// use greenroom::{run, spawn, sync::Event, yield_now};
    ///
    /// run(|| {
    ///     let gong = Rc::new(Event::new());
    ///     let listener = spawn({
    ///         let gong = Rc::clone(&gong);
    ///         move || gong.wait()
    ///     });
    ///     yield_now(); // it waits now
    ///     gong.set();
    ///     gong.clear();
    ///     listener.join().unwrap(); // it heard the gong
    ///     assert!(!gong.is_set());
    /// });
    /// ```
    #[doc(alias = "reset")]
    pub fn clear(&self) {
        self.set.set(false);
    }

    /// Waits until it has happened.
    ///
    /// ```
    /// use std::rc::Rc;
    /// use std::time::Duration;
    /// use greenroom::{run, spawn, sync::Event, timeout};
    ///
    /// run(|| {
    ///     let event = Rc::new(Event::new());
    ///     let limit = Duration::from_millis(1);
    ///     assert!(timeout(limit, || event.wait()).is_err());
    ///     let setter = Rc::clone(&event);
    ///     spawn(move || setter.set());
    ///     event.wait();
    /// });
    /// ```
    ///
    /// # Panics
    ///
    /// On a plain thread, where nothing could set it, if it is not set.
    ///
    /// # Scheduling
    ///
    /// If it is set, it goes on at once; one of every 128 calls yields. Else the
    /// others run.
    ///
    /// # Cancellation
    ///
    /// If it waits, it unwinds when the task was cancelled, unless the event was
    /// set before that. It cannot fail: with
    /// [`Delivery::Error`](crate::Delivery::Error), and while the task unwinds, it
    /// really waits.
    #[track_caller]
    pub fn wait(&self) {
        let task = park::current();
        if let Some(task) = task {
            park::spend(task);
        }
        if self.is_set() {
            return;
        }
        let Some(task) = task else {
            panic!(
                "wait would wait for ever: the event is not set, and no runtime is running here"
            );
        };
        // `Ok` without a look at the event: it was handed over. Patience never fails.
        let _handed = self
            .waiting
            .wait(task, WaitReason::Event, Patience::Waits, None);
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("is_set", &self.is_set())
            .finish()
    }
}

/// See [`Event::wait`].
impl Awaitable for &Event {
    type Output = ();

    #[track_caller]
    fn wait(self) {
        Event::wait(self);
    }
}

/// An event as an arm of `select!`.
#[doc(hidden)]
#[derive(Debug)]
pub struct EventArm<'a> {
    event: &'a Event,
    seat: Seat<()>,
}

impl<'a> Selectable for &'a Event {
    type Output = ();
    type Arm = EventArm<'a>;

    fn into_arm(self) -> EventArm<'a> {
        EventArm {
            event: self,
            seat: Seat::new(),
        }
    }

    fn finish(_arm: &mut EventArm<'a>) {}
}

impl Sealed for EventArm<'_> {}

impl Arm for EventArm<'_> {
    fn poll(&self) -> bool {
        self.event.is_set()
    }

    fn enter<'a>(&'a self, entry: Entry<'a>) -> bool {
        entry.sit(&self.event.waiting, &self.seat)
    }

    fn leave(&self) {
        self.seat.leave();
    }
}
