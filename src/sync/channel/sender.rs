//! The sending end. What it does with a value is `core.rs`'s; here it is counted.

use std::fmt;
use std::rc::Rc;

use super::{Channel, Shared};
use crate::scheduler::WaitReason;
use crate::sync::error::{SendError, TrySendError};

/// The sending end. Clones send into the same channel.
pub struct Sender<T> {
    shared: Rc<Shared<T>>,
}

impl<T> Sender<T> {
    /// The one its channel begins with.
    pub(super) fn first(shared: Rc<Shared<T>>) -> Self {
        Self { shared }
    }

    #[inline(always)]
    pub(in crate::sync) fn channel(&self) -> &Channel<T> {
        &self.shared.channel
    }

    /// Sends a value, waiting for room.
    ///
    /// ```
    /// use greenroom::{run, spawn, sync::{SendError, bounded}};
    ///
    /// run(|| {
    ///     let (sender, receiver) = bounded(1);
    ///     let first_two = spawn(move || (receiver.recv(), receiver.recv()));
    ///     sender.send("a").unwrap();
    ///     sender.send("b").unwrap(); // waits for room
    ///     assert_eq!(first_two.join().unwrap(), (Ok("a"), Ok("b")));
    ///     assert_eq!(sender.send("c"), Err(SendError::Disconnected("c")));
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// If the channel is closed or all receivers are gone, also while it waits. The
    /// value comes back. On a plain thread, where nothing could make room, if the
    /// channel is full.
    ///
    /// # Scheduling
    ///
    /// With room it goes on at once; one of every 128 calls yields. Else the
    /// others run. Senders are served in order.
    ///
    /// # Cancellation
    ///
    /// If it waits, it unwinds when the task was cancelled; the value is dropped,
    /// not sent. While the task unwinds it returns an error instead of waiting.
    #[inline(always)]
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        self.channel().send(value, WaitReason::Send)
    }

    /// Sends a value if there is room, or a receiver waits. Never waits.
    ///
    /// ```
    /// use greenroom::sync::{TrySendError, bounded};
    ///
    /// let (sender, _receiver) = bounded(1);
    /// assert_eq!(sender.try_send(1), Ok(()));
    /// assert_eq!(sender.try_send(2), Err(TrySendError::Full(2)));
    /// ```
    ///
    /// # Errors
    ///
    /// If there is no room, or the channel is closed, or all receivers are gone. The
    /// value comes back.
    #[inline]
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        self.channel().try_send(value)
    }

    /// Nothing more goes in, from any sender: sending gives
    /// [`Disconnected`](SendError::Disconnected) from now on, and those who wait for room
    /// get their values back. What is on its way is still received; then receiving
    /// gives `Disconnected`, too. Never waits. Closing once more does nothing.
    ///
    /// ```
    /// use greenroom::{run, spawn, sync::{SendError, bounded}, yield_now};
    ///
    /// run(|| {
    ///     let (sender, receiver) = bounded(1);
    ///     sender.send(1).unwrap();
    ///     let other = sender.clone();
    ///     let waiting = spawn(move || other.send(2));
    ///     yield_now();
    ///     sender.close();
    ///     assert_eq!(waiting.join().unwrap(), Err(SendError::Disconnected(2)));
    ///     assert_eq!(receiver.iter().collect::<Vec<_>>(), [1]);
    /// });
    /// ```
    ///
    /// # Scheduling
    ///
    /// The caller goes on. Those who waited go to the end of the queue.
    pub fn close(&self) {
        self.channel().close();
    }

    /// Whether nothing more can be sent: the channel was closed, by either end, or all
    /// receivers are gone.
    ///
    /// ```
    /// use greenroom::sync::bounded;
    ///
    /// let (sender, receiver) = bounded::<u8>(1);
    /// assert!(!sender.is_closed());
    /// drop(receiver);
    /// assert!(sender.is_closed());
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

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.shared.senders.set(self.shared.senders.get() + 1);
        Self {
            shared: Rc::clone(&self.shared),
        }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let left = self.shared.senders.get() - 1;
        self.shared.senders.set(left);
        if left == 0 {
            self.channel().close();
        }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .field("is_closed", &self.is_closed())
            .finish()
    }
}
