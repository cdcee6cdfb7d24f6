//! Queues of work: an object that many share, where each item is taken by one, and
//! marked done.
//!
//! It is the core of a channel without ends: who waits, and who is served when, is
//! `channel/core.rs`'s. Here is what a queue has besides: an order, the items that are
//! not done, and that it is shut down by a call, since no end of it can be gone.
//!
//! | file | what is there |
//! |---|---|
//! | `mod.rs` | the queue: how it is made, what goes in and out |
//! | `order.rs`, `heap.rs` | which item is next |
//! | `counted.rs`, `done.rs` | what is not done, and waiting for it |
//! | `end.rs` | shutting it down |
//! | `iter.rs`, `arm.rs` | as a loop, and as an arm of `select!` |

mod arm;
mod counted;
mod done;
mod end;
mod heap;
mod iter;
mod order;

use std::fmt;

use super::channel::Channel;
use super::error::{RecvError, SendError, TryRecvError, TrySendError};
use crate::scheduler::WaitReason;
use crate::scheduler::park::WaitQueue;
use counted::Counted;
pub use iter::QueueIter;
pub use order::{Fifo, Lifo, Order, Priority};

/// A queue of work that tasks share: some push, some pop, and one may wait until all is
/// done.
///
/// ```
/// use greenroom::{run, scope, sync::Queue, yield_now};
///
/// run(|| {
///     let queue = Queue::fifo(2);
///     let squares = std::cell::RefCell::new(Vec::new());
///     scope(|s| {
///         for _ in 0..3 {
///             s.spawn(|| {
///                 for n in &queue {
///                     yield_now(); // the work
///                     squares.borrow_mut().push(n * n);
///                     queue.task_done();
///                 }
///             });
///         }
///         for n in 1..=5 {
///             queue.push(n).unwrap(); // waits while two lie there
///         }
///         queue.join(); // all five are done
///         assert_eq!(squares.borrow().len(), 5);
///         queue.shutdown(); // the workers' loops end
///     });
/// });
/// ```
///
/// Which item is next is part of its type, and chosen by how it is made: [`fifo`], [`lifo`],
/// [`priority`]. The order is that of the items inside. A `push` that waits for room
/// keeps its item, and those are let in first come, first served; a `pop` that waits is
/// given the next item that comes. With a capacity of 0 nothing lies inside: items go from
/// hand to hand.
///
/// A queue has no ends that could be gone: it is used through `&Queue`, borrowed by the
/// tasks of a [`scope`](crate::scope()) or in an `Rc`, until it is [shut down](Self::shutdown).
/// Where the end of all producers is to end the consumers by itself, and nobody asks what
/// is done, take a [channel](super::bounded).
///
/// It belongs to one thread:
///
/// ```compile_fail,E0277
/// let queue = greenroom::sync::Queue::fifo(1);
/// std::thread::scope(|s| {
///     s.spawn(|| queue.try_push(5));
/// });
/// ```
///
/// # Done
///
/// An item is done when whoever took it says so by [`task_done`](Self::task_done), not when it is
/// dropped or its task has ended: a worker that panics, or is cancelled, has not done its
/// item, and only the program knows whether to push it again, to call `task_done`
/// all the same, or to give up. So [`pop`](Self::pop) gives the item itself, with nothing
/// around it. Programs that never [`join`](Self::join) need not call `task_done`.
///
/// [`fifo`]: Queue::fifo
/// [`lifo`]: Queue::lifo
/// [`priority`]: Queue::priority
pub struct Queue<T, O: Order<T> = Fifo> {
    channel: Channel<T, Counted<O::Items>>,
    /// They wait until all is done.
    joining: WaitQueue,
}

impl<T> Queue<T> {
    /// A queue of up to `capacity` items, the first that came first. `usize::MAX` is any
    /// number. Memory is used as items come.
    ///
    /// ```
    /// use greenroom::sync::Queue;
    ///
    /// let queue = Queue::fifo(2);
    /// queue.push("a").unwrap();
    /// queue.push("b").unwrap();
    /// assert_eq!(queue.pop(), Ok("a"));
    /// ```
    #[must_use]
    pub fn fifo(capacity: usize) -> Self {
        Self::new(capacity)
    }

    /// A queue of any number of items, the first that came first: `push` never waits.
    ///
    /// ```
    /// use greenroom::sync::Queue;
    ///
    /// let queue = Queue::unbounded();
    /// (0..1000).for_each(|n| queue.push(n).unwrap());
    /// assert_eq!((queue.len(), queue.capacity()), (1000, None));
    /// ```
    #[must_use]
    pub fn unbounded() -> Self {
        Self::new(usize::MAX)
    }
}

impl<T> Queue<T, Lifo> {
    /// A queue of up to `capacity` items, the last that came first.
    ///
    /// ```
    /// use greenroom::sync::{Lifo, Queue};
    ///
    /// let queue: Queue<_, Lifo> = Queue::lifo(2);
    /// queue.push("a").unwrap();
    /// queue.push("b").unwrap();
    /// assert_eq!(queue.pop(), Ok("b"));
    /// ```
    #[must_use]
    pub fn lifo(capacity: usize) -> Self {
        Self::new(capacity)
    }
}

impl<T: Ord> Queue<T, Priority> {
    /// A queue of up to `capacity` items, the greatest first, as std's
    /// [`BinaryHeap`](std::collections::BinaryHeap) has it;
    /// [`Reverse`](std::cmp::Reverse) makes that the least. Equal ones come in order of
    /// arrival.
    ///
    /// ```
    /// use std::cmp::Reverse;
    /// use greenroom::sync::Queue;
    ///
    /// let queue = Queue::priority(usize::MAX);
    /// for due in [30, 10, 20] {
    ///     queue.push(Reverse(due)).unwrap();
    /// }
    /// assert_eq!(queue.pop(), Ok(Reverse(10)));
    /// ```
    ///
    /// Items are compared when one is taken out, never when one is pushed. A comparison that
    /// panics makes that call panic; all items are still there. One that takes from the
    /// same queue, or lets other tasks run, panics. If the order is not a total one, neither is
    /// that of the queue.
    #[must_use]
    pub fn priority(capacity: usize) -> Self {
        Self::new(capacity)
    }
}

impl<T, O: Order<T>> Queue<T, O> {
    fn new(capacity: usize) -> Self {
        Self {
            channel: Channel::new(capacity, Counted::default()),
            joining: WaitQueue::new(),
        }
    }

    /// Puts an item in, waiting for room.
    ///
    /// ```
    /// use greenroom::{run, scope, sync::Queue};
    ///
    /// run(|| {
    ///     let queue = Queue::fifo(0);
    ///     scope(|s| {
    ///         let popper = s.spawn(|| queue.pop());
    ///         queue.push(5).unwrap(); // waits for somebody to take it
    ///         assert_eq!(popper.join(), Ok(5));
    ///     });
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// If the queue is shut down, also while it waits. The item comes back. On a plain
    /// thread, where nothing could make room, if the queue is full.
    ///
    /// # Scheduling
    ///
    /// With room it goes on at once; one of every 128 calls yields. Else the others run.
    /// Those who wait are served in order.
    ///
    /// # Cancellation
    ///
    /// If it waits, it unwinds when the task was cancelled; the item is dropped, not pushed.
    /// While the task unwinds it returns an error instead of waiting.
    #[doc(alias = "put")]
    #[inline(always)]
    pub fn push(&self, item: T) -> Result<(), SendError<T>> {
        self.channel.send(item, WaitReason::Room)
    }

    /// Puts an item in if there is room, or somebody waits for one. Never waits.
    ///
    /// ```
    /// use greenroom::sync::{Queue, TrySendError};
    ///
    /// let queue = Queue::fifo(1);
    /// assert_eq!(queue.try_push(1), Ok(()));
    /// assert_eq!(queue.try_push(2), Err(TrySendError::Full(2)));
    /// queue.shutdown();
    /// assert_eq!(queue.try_push(3), Err(TrySendError::Disconnected(3)));
    /// ```
    ///
    /// # Errors
    ///
    /// If there is no room, or the queue is shut down. The item comes back.
    #[inline]
    pub fn try_push(&self, item: T) -> Result<(), TrySendError<T>> {
        self.channel.try_send(item)
    }

    /// Takes the next item, waiting for one.
    ///
    /// ```
    /// use greenroom::{run, scope, sync::{Queue, RecvError}};
    ///
    /// run(|| {
    ///     let queue = Queue::unbounded();
    ///     scope(|s| {
    ///         s.spawn(|| {
    ///             queue.push(5).unwrap();
    ///             queue.shutdown();
    ///         });
    ///         assert_eq!(queue.pop(), Ok(5)); // waits
    ///         assert_eq!(queue.pop(), Err(RecvError::Disconnected));
    ///     });
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// If the queue is shut down and empty. On a plain thread, where nothing could
    /// push, if it is empty.
    ///
    /// # Panics
    ///
    /// If comparing two items of a [`priority`](Queue::priority) queue does.
    ///
    /// # Scheduling
    ///
    /// With an item there it goes on at once; one of every 128 calls yields. Else the
    /// others run. Those who wait are served in order.
    ///
    /// # Cancellation
    ///
    /// If it waits, it unwinds when the task was cancelled; an item handed over before that
    /// is returned, not lost. While the task unwinds it returns an error instead of
    /// waiting.
    #[doc(alias = "get")]
    #[inline(always)]
    pub fn pop(&self) -> Result<T, RecvError> {
        self.channel.recv(WaitReason::Item)
    }

    /// Takes the next item if there is one. Never waits.
    ///
    /// ```
    /// use greenroom::sync::{Queue, TryRecvError};
    ///
    /// let queue = Queue::fifo(1);
    /// assert_eq!(queue.try_pop(), Err(TryRecvError::Empty));
    /// queue.push(5).unwrap();
    /// queue.shutdown();
    /// assert_eq!(queue.try_pop(), Ok(5));
    /// assert_eq!(queue.try_pop(), Err(TryRecvError::Disconnected));
    /// ```
    ///
    /// # Errors
    ///
    /// If there is none, or there will be none because the queue is shut down.
    ///
    /// # Panics
    ///
    /// If comparing two items of a [`priority`](Queue::priority) queue does.
    #[inline]
    pub fn try_pop(&self) -> Result<T, TryRecvError> {
        self.channel.try_recv()
    }

    /// Items as they come, waiting for each, until the queue is shut down and empty.
    ///
    /// It ends where [`pop`](Self::pop) gives an error: so also on a plain thread when
    /// the queue is empty, while the task unwinds, and, with
    /// [`Delivery::Error`](crate::Delivery::Error), when the task is cancelled. Where
    /// that matters ask [`is_cancelled`](crate::is_cancelled) after the loop.
    ///
    /// ```
    /// use greenroom::sync::Queue;
    ///
    /// let queue = Queue::lifo(4);
    /// (0..4).for_each(|n| queue.push(n).unwrap());
    /// queue.shutdown();
    /// assert!(queue.iter().eq([3, 2, 1, 0]));
    /// ```
    pub fn iter(&self) -> QueueIter<'_, T, O> {
        QueueIter::new(self)
    }

    /// How many items lie inside, those of waiting pushes not counted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.channel.len()
    }

    /// Whether no item lies inside.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether as many items lie inside as may. With a capacity of 0 it always is.
    ///
    /// ```
    /// use greenroom::sync::Queue;
    ///
    /// let queue = Queue::fifo(1);
    /// queue.push(5).unwrap();
    /// assert!(queue.is_full() && Queue::<u8>::fifo(0).is_full());
    /// ```
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.channel.is_full()
    }

    /// How many items it may hold; `None` if any number.
    #[must_use]
    pub fn capacity(&self) -> Option<usize> {
        self.channel.capacity()
    }
}

impl<T, O: Order<T>> fmt::Debug for Queue<T, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .field("unfinished", &self.unfinished())
            .field("is_shut_down", &self.is_shut_down())
            .finish()
    }
}
