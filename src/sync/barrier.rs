//! A place where so many tasks meet, and go on together.

use std::cell::Cell;
use std::fmt;

use crate::awaitable::Awaitable;
use crate::scheduler::WaitReason;
use crate::scheduler::park::{self, Patience, WaitQueue};

/// Where so many tasks wait for each other; then all go on. And again.
///
/// ```
/// use greenroom::{run, scope, sync::Barrier};
/// use std::cell::Cell;
///
/// run(|| {
///     let (start, ready) = (Barrier::new(3), Cell::new(0));
///     scope(|s| {
///         for _ in 0..3 {
///             s.spawn(|| {
///                 ready.set(ready.get() + 1);
///                 start.wait();
///                 assert_eq!(ready.get(), 3);
///             });
///         }
///     });
/// });
/// ```
pub struct Barrier {
    size: usize,
    /// How many wait in this round.
    here: Cell<usize>,
    waiting: WaitQueue,
}

/// What [`Barrier::wait`] gives: whether the caller was the last to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BarrierWaitResult(bool);

impl BarrierWaitResult {
    /// Whether the caller was the last to come: one task of each round is.
    #[must_use]
    pub fn is_leader(&self) -> bool {
        self.0
    }
}

impl Barrier {
    /// A barrier for `size` tasks. With 0 or 1 nobody waits.
    #[must_use]
    pub const fn new(size: usize) -> Self {
        Self {
            size,
            here: Cell::new(0),
            waiting: WaitQueue::new(),
        }
    }

    /// How many tasks it is for.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }

    /// How many wait now.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.here.get()
    }

    /// Waits until as many tasks have come as the barrier is for. The last of them does
    /// not wait; it is the leader.
    ///
    /// ```
    /// use greenroom::{gather, run, sync::Barrier};
    ///
    /// run(|| {
    ///     let barrier = Barrier::new(2);
    ///     let (a, b) = gather((|| barrier.wait(), || barrier.wait()));
    ///     assert!(!a.is_leader());
    ///     assert!(b.is_leader());
    /// });
    /// ```
    ///
    /// # Panics
    ///
    /// On a plain thread, where nobody else could come, if it is not the last.
    ///
    /// # Scheduling
    ///
    /// The last to come goes on at once; one of every 128 calls yields. The others are
    /// queued in the order in which they came.
    ///
    /// # Cancellation
    ///
    /// If it waits, it unwinds when the task was cancelled, unless the last has come
    /// before that; then it counts as one that has not come, and the barrier waits for
    /// another. It cannot fail: with [`Delivery::Error`](crate::Delivery::Error), and
    /// while the task unwinds, it really waits.
    #[track_caller]
    pub fn wait(&self) -> BarrierWaitResult {
        let task = park::current();
        if let Some(task) = task {
            park::spend(task);
        }
        if self.here.get() + 1 >= self.size {
            self.here.set(0);
            self.waiting.wake_all();
            return BarrierWaitResult(true);
        }
        let Some(task) = task else {
            panic!(
                "wait would wait for ever: others must come to the barrier, and no runtime is running here"
            );
        };
        self.here.set(self.here.get() + 1);
        let mut counted = Counted(Some(self));
        let _met = self
            .waiting
            .wait(task, WaitReason::Barrier, Patience::Waits, None);
        // The last to come has counted anew.
        counted.0 = None;
        BarrierWaitResult(false)
    }
}

/// One who waits, and leaves if it is cancelled.
struct Counted<'a>(Option<&'a Barrier>);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        if let Some(barrier) = self.0 {
            barrier.here.set(barrier.here.get() - 1);
        }
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Barrier")
            .field("size", &self.size)
            .field("waiting", &self.waiting())
            .finish()
    }
}

/// See [`Barrier::wait`].
impl Awaitable for &Barrier {
    type Output = BarrierWaitResult;

    #[track_caller]
    fn wait(self) -> BarrierWaitResult {
        Barrier::wait(self)
    }
}
