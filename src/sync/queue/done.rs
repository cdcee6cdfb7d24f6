//! What is done: told by those who took it, waited for by others.

use super::{Order, Queue};
use crate::scheduler::WaitReason;
use crate::scheduler::park::{self, Patience};

impl<T, O: Order<T>> Queue<T, O> {
    /// An item that was taken is done. Whoever took it says so once: see
    /// [`join`](Self::join), and [above](Self#done) why it has to be said.
    ///
    /// # Panics
    ///
    /// If more are said to be done than were taken.
    ///
    /// ```should_panic
    /// let queue = greenroom::sync::Queue::fifo(1);
    /// queue.push("work").unwrap();
    /// queue.task_done(); // nobody has taken it
    /// ```
    ///
    /// # Scheduling
    ///
    /// The caller goes on. Those who [`join`](Self::join) go to the end of the queue.
    #[track_caller]
    pub fn task_done(&self) {
        assert!(
            self.unfinished() > self.len(),
            "task_done was called more often than items were taken"
        );
        self.finish_one();
    }

    /// How many items were pushed and are not done: those inside, and those that were
    /// taken.
    ///
    /// ```
    /// use greenroom::sync::Queue;
    ///
    /// let queue = Queue::fifo(2);
    /// queue.push(1).unwrap();
    /// queue.push(2).unwrap();
    /// assert_eq!(queue.pop(), Ok(1));
    /// assert_eq!((queue.len(), queue.unfinished()), (1, 2));
    /// queue.task_done();
    /// assert_eq!((queue.len(), queue.unfinished()), (1, 1));
    /// ```
    #[must_use]
    pub fn unfinished(&self) -> usize {
        self.channel.buffer().unfinished()
    }

    pub(super) fn finish_one(&self) {
        if self.channel.buffer().finish() == 0 {
            self.joining.wake_all();
        }
    }

    /// Waits until every item that was ever pushed is [done](Self::task_done). At that moment
    /// all who wait here are let go, whatever is pushed before they run. An item whose push waits for
    /// room was not pushed yet.
    ///
    /// ```
    /// use std::rc::Rc;
    /// use greenroom::{run, spawn, sync::Queue, yield_now};
    ///
    /// run(|| {
    ///     let queue = Rc::new(Queue::unbounded());
    ///     queue.push("work").unwrap();
    ///     let worker = spawn({
    ///         let queue = Rc::clone(&queue);
    ///         move || {
    ///             queue.pop().unwrap();
    ///             yield_now();
    ///             queue.task_done();
    ///         }
    ///     });
    ///     queue.join(); // waits for the worker's word
    ///     assert_eq!(queue.unfinished(), 0);
    ///     worker.join().unwrap();
    /// });
    /// ```
    ///
    /// # Panics
    ///
    /// On a plain thread, where nothing could be done meanwhile, if something is not.
    ///
    /// # Scheduling
    ///
    /// If all is done, it goes on at once; one of every 128 calls yields. Else the others
    /// run.
    ///
    /// # Cancellation
    ///
    /// If it waits, it unwinds when the task was cancelled, unless all was done before that.
    /// It cannot fail: with [`Delivery::Error`](crate::Delivery::Error), and while the task
    /// unwinds, it really waits.
    #[track_caller]
    pub fn join(&self) {
        let task = park::current();
        if let Some(task) = task {
            park::spend(task);
        }
        if self.unfinished() == 0 {
            return;
        }
        let Some(task) = task else {
            panic!("join would wait for ever: items are not done, and no runtime is running here");
        };
        // Woken when all was done. Patience never fails.
        let _done = self
            .joining
            .wait(task, WaitReason::ItemsDone, Patience::Waits, None);
    }
}
