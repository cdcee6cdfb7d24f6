//! The end of a queue: nothing more goes in.

use super::{Order, Queue};
use crate::sync::channel::Buffer;

impl<T, O: Order<T>> Queue<T, O> {
    /// Nothing more goes in: a push fails from now on, and so do those who wait for room,
    /// with their items. What lies inside is still taken; then a pop fails, too, and
    /// loops over the queue end. Never waits.
    ///
    /// ```
    /// use greenroom::sync::{Queue, RecvError, SendError};
    ///
    /// let queue = Queue::fifo(2);
    /// queue.push(1).unwrap();
    /// queue.shutdown();
    /// assert_eq!(queue.push(2), Err(SendError::Disconnected(2)));
    /// assert_eq!((queue.pop(), queue.pop()), (Ok(1), Err(RecvError::Disconnected)));
    /// ```
    ///
    /// # Scheduling
    ///
    /// The caller goes on. Those who waited go to the end of the queue.
    pub fn shutdown(&self) {
        self.channel.close();
    }

    /// [`shutdown`](Self::shutdown), and takes out what lies inside, in the queue's
    /// order. It counts as done: a [`join`](Self::join) waits for no more than the items that
    /// somebody is working on. Never waits.
    ///
    /// ```
    /// use greenroom::sync::{Queue, RecvError};
    ///
    /// let queue = Queue::fifo(2);
    /// queue.push(1).unwrap();
    /// queue.push(2).unwrap();
    /// assert_eq!(queue.shutdown_now(), [1, 2]);
    /// assert_eq!(queue.pop(), Err(RecvError::Disconnected));
    /// queue.join(); // nothing is left to be done
    /// ```
    ///
    /// # Panics
    ///
    /// If comparing two items of a [`priority`](Queue::priority) queue does. What was
    /// taken out before that is dropped.
    ///
    /// # Scheduling
    ///
    /// The caller goes on. Those who waited go to the end of the queue.
    pub fn shutdown_now(&self) -> Vec<T> {
        self.shutdown();
        let mut left = Vec::with_capacity(self.len());
        while let Some(item) = self.channel.buffer().pop() {
            left.push(item);
            self.finish_one();
        }
        left
    }

    /// Whether it was shut down. Items may still lie inside.
    ///
    /// ```
    /// use greenroom::sync::Queue;
    ///
    /// let queue = Queue::fifo(1);
    /// queue.push(5).unwrap();
    /// queue.shutdown();
    /// assert!(queue.is_shut_down() && !queue.is_empty());
    /// ```
    #[must_use]
    pub fn is_shut_down(&self) -> bool {
        self.channel.is_closed()
    }
}
