//! Items of a queue as they come. Each `next` is one `pop`.

use super::{Fifo, Order, Queue};

/// Items as they come: see [`Queue::iter`].
#[derive(Debug)]
pub struct QueueIter<'a, T, O: Order<T> = Fifo> {
    queue: &'a Queue<T, O>,
}

impl<'a, T, O: Order<T>> QueueIter<'a, T, O> {
    pub(super) fn new(queue: &'a Queue<T, O>) -> Self {
        Self { queue }
    }
}

impl<T, O: Order<T>> Iterator for QueueIter<'_, T, O> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.queue.pop().ok()
    }
}

impl<'a, T, O: Order<T>> IntoIterator for &'a Queue<T, O> {
    type Item = T;
    type IntoIter = QueueIter<'a, T, O>;

    fn into_iter(self) -> QueueIter<'a, T, O> {
        self.iter()
    }
}
