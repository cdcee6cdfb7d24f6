//! The receiving end. What it does is `core.rs`'s; here it is counted.

use std::fmt;
use std::rc::Rc;

use super::iter::{IntoIter, Iter, TryIter};
use super::{Channel, Shared};
use crate::scheduler::WaitReason;
use crate::sync::error::{RecvError, TryRecvError};

/// The receiving end. Clones receive from the same channel: each value goes to
/// one of them.
pub struct Receiver<T> {
    shared: Rc<Shared<T>>,
}

impl<T> Receiver<T> {
    /// The one its channel begins with.
    pub(super) fn first(shared: Rc<Shared<T>>) -> Self {
        Self { shared }
    }

    #[inline(always)]
    pub(in crate::sync) fn channel(&self) -> &Channel<T> {
        &self.shared.channel
    }

    /// Takes the next value, waiting for one.
    ///
    /// ```
    /// use greenroom::{run, spawn, sync::{RecvError, bounded}};
    ///
    /// run(|| {
    ///     let (sender, receiver) = bounded(1);
    ///     spawn(move || sender.send(5)); // and its end is gone
    ///     assert_eq!(receiver.recv(), Ok(5)); // waits
    ///     assert_eq!(receiver.recv(), Err(RecvError::Disconnected));
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// If the channel is empty and nothing more can be sent, because it is closed or all
    /// senders are gone. On a plain thread, where nothing could send, if the channel is
    /// empty.
    ///
    /// # Scheduling
    ///
    /// With a value there it goes on at once; one of every 128 calls yields. Else
    /// the others run. Receivers are served in order.
    ///
    /// # Cancellation
    ///
    /// If it waits, it unwinds when the task was cancelled; a value handed over
    /// before that is returned, not lost. While the task unwinds it returns an
    /// error instead of waiting.
    #[inline(always)]
    pub fn recv(&self) -> Result<T, RecvError> {
        self.channel().recv(WaitReason::Receive)
    }

    /// Takes the next value if there is one. Never waits.
    ///
    /// A [`select!`](crate::select) that waits to send has no value yet, and is passed
    /// over.
    ///
    /// ```
    /// use greenroom::sync::{TryRecvError, bounded};
    ///
    /// let (sender, receiver) = bounded(1);
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    /// sender.send(5).unwrap();
    /// assert_eq!(receiver.try_recv(), Ok(5));
    /// ```
    ///
    /// # Errors
    ///
    /// If there is none, or there will be none because the channel is closed or all
    /// senders are gone.
    #[inline]
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        self.channel().try_recv()
    }

    /// Values as they come, waiting for each, until nothing more can be sent.
    ///
    /// It ends where [`recv`](Self::recv) gives an error: so also on a plain
    /// thread when the channel is empty, while the task unwinds, and, with
    /// [`Delivery::Error`](crate::Delivery::Error), when the task is cancelled. Where that
    /// matters ask [`is_cancelled`](crate::is_cancelled) after the loop.
    pub fn iter(&self) -> Iter<'_, T> {
        Iter::new(self)
    }

    /// The values that are there. Never waits.
    pub fn try_iter(&self) -> TryIter<'_, T> {
        TryIter::new(self)
    }

    /// Nothing more goes in, from any sender. What is on its way is still received: see
    /// [`Sender::close`](super::Sender::close). So a receiver that stops loses nothing:
    ///
    /// ```
    /// use greenroom::sync::{SendError, bounded};
    ///
    /// let (sender, receiver) = bounded(4);
    /// sender.send(1).unwrap();
    /// sender.send(2).unwrap();
    /// receiver.close();
    /// assert_eq!(sender.send(3), Err(SendError::Disconnected(3)));
    /// assert_eq!(receiver.iter().collect::<Vec<_>>(), [1, 2]);
    /// ```
    ///
    /// # Scheduling
    ///
    /// The caller goes on. Those who waited go to the end of the queue.
    pub fn close(&self) {
        self.channel().close();
    }

    /// Whether nothing more can be sent: the channel was closed, by either end, or all
    /// senders are gone. Values may still be on their way.
    ///
    /// ```
    /// use greenroom::sync::bounded;
    ///
    /// let (sender, receiver) = bounded(1);
    /// sender.send(5).unwrap();
    /// drop(sender);
    /// assert!(receiver.is_closed() && !receiver.is_empty());
    /// ```
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.channel().is_closed()
    }

    /// How many values are on their way, those of waiting senders not counted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.channel().len()
    }

    /// Whether no value is on its way.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many values it may hold; `None` if any number.
    #[must_use]
    pub fn capacity(&self) -> Option<usize> {
        self.channel().capacity()
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        self.shared.receivers.set(self.shared.receivers.get() + 1);
        Self {
            shared: Rc::clone(&self.shared),
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let left = self.shared.receivers.get() - 1;
        self.shared.receivers.set(left);
        if left == 0 {
            self.channel().close();
            // Nobody will take these; their destructors may use the channel.
            let unread = self.channel().buffer().take();
            drop(unread);
        }
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .field("is_closed", &self.is_closed())
            .finish()
    }
}

impl<'a, T> IntoIterator for &'a Receiver<T> {
    type Item = T;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

impl<T> IntoIterator for Receiver<T> {
    type Item = T;
    type IntoIter = IntoIter<T>;

    fn into_iter(self) -> IntoIter<T> {
        IntoIter::new(self)
    }
}
