//! The sending end of a channel between threads.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::channel::{Channel, Refused};
use super::state::State;
use crate::sync::error::{SendError, SendTimeoutError, TrySendError};

/// The sending end of a channel between threads. Clones send into the same channel.
///
/// ```
/// use greenroom::sync::remote;
///
/// let (sender, receiver) = remote::bounded(1);
/// for name in ["one", "two", "three"] {
///     let sender = sender.clone();
///     std::thread::spawn(move || sender.send(name));
/// }
/// drop(sender); // so that there is an end
/// assert_eq!(receiver.iter().count(), 3);
/// ```
pub struct Sender<T> {
    pub(super) channel: Arc<Channel<T>>,
}

impl<T> Sender<T> {
    pub(super) fn new(channel: Arc<Channel<T>>) -> Self {
        Self { channel }
    }

    /// Sends a value, waiting for room: in a task the others run, on a plain thread the
    /// thread blocks.
    ///
    /// ```
    /// use greenroom::sync::{SendError, remote};
    ///
    /// let (sender, receiver) = remote::bounded(1);
    /// assert_eq!(sender.send(1), Ok(()));
    /// drop(receiver);
    /// assert_eq!(sender.send(2), Err(SendError::Disconnected(2)));
    /// ```
    ///
    /// # Errors
    ///
    /// If all receivers are gone, or the channel was closed, also while it waits. The
    /// value comes back. [`SendError::WouldBlock`] if it would have to wait, and the
    /// process has no descriptor left by which the task's runtime could be woken.
    ///
    /// # Scheduling
    ///
    /// With room it goes on at once; one of every 128 calls yields. Else the
    /// others run. Senders are served in order. A receiver that waits for the value is
    /// woken; one in this very runtime goes to the end of the queue at the loop's next
    /// look outside.
    ///
    /// # Cancellation
    ///
    /// If it waits, it unwinds when the task was cancelled; the value is dropped,
    /// not sent. While the task unwinds it returns an error instead of waiting.
    #[inline]
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        self.channel
            .send(value, None)
            .map_err(|(refused, value)| match refused {
                Refused::Disconnected => SendError::Disconnected(value),
                Refused::Cancelled => SendError::Cancelled(value),
                // Without a limit it is never late.
                Refused::WouldBlock | Refused::Late => SendError::WouldBlock(value),
            })
    }

    /// [`send`](Self::send), but it waits no longer than `limit`: for plain threads,
    /// where there is no [`timeout`](crate::timeout).
    ///
    /// ```
    /// use std::time::Duration;
    /// use greenroom::sync::{SendTimeoutError, remote};
    ///
    /// let (sender, _receiver) = remote::bounded(1);
    /// assert_eq!(sender.send_timeout(1, Duration::ZERO), Ok(()));
    /// let late = sender.send_timeout(2, Duration::from_millis(1));
    /// assert_eq!(late, Err(SendTimeoutError::Timeout(2)));
    /// ```
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), and [`SendTimeoutError::Timeout`] if there was no room
    /// in that time. The value comes back.
    ///
    /// # Scheduling
    ///
    /// As [`send`](Self::send). In a task the time is that of its runtime's clock.
    ///
    /// # Cancellation
    ///
    /// As [`send`](Self::send).
    pub fn send_timeout(&self, value: T, limit: Duration) -> Result<(), SendTimeoutError<T>> {
        self.channel
            .send(value, Some(limit))
            .map_err(|(refused, value)| match refused {
                Refused::Disconnected => SendTimeoutError::Disconnected(value),
                Refused::Cancelled => SendTimeoutError::Cancelled(value),
                Refused::WouldBlock => SendTimeoutError::WouldBlock(value),
                Refused::Late => SendTimeoutError::Timeout(value),
            })
    }

    /// Sends a value if there is room, or a receiver waits. Never waits.
    ///
    /// ```
    /// use greenroom::sync::{TrySendError, remote};
    ///
    /// let (sender, _receiver) = remote::bounded(1);
    /// assert_eq!(sender.try_send(1), Ok(()));
    /// assert_eq!(sender.try_send(2), Err(TrySendError::Full(2)));
    /// ```
    ///
    /// A [`select!`](crate::select) that waits to receive takes a value only when it
    /// comes to look: in a channel of capacity 0 it is passed over.
    ///
    /// # Errors
    ///
    /// If there is no room; or all receivers are gone, or the channel was closed. The
    /// value comes back.
    #[inline]
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        self.channel.try_send(value)
    }

    /// No more values go in: every `send` from now on fails, and those that wait get
    /// their values back. What is on its way is still received.
    ///
    /// ```
    /// use greenroom::sync::{RecvError, SendError, remote};
    ///
    /// let (sender, receiver) = remote::unbounded();
    /// sender.send(1).unwrap();
    /// sender.close();
    /// assert_eq!(sender.send(2), Err(SendError::Disconnected(2)));
    /// assert_eq!(receiver.recv(), Ok(1));
    /// assert_eq!(receiver.recv(), Err(RecvError::Disconnected));
    /// ```
    ///
    /// # Scheduling
    ///
    /// The caller goes on. Those who waited are woken.
    pub fn close(&self) {
        self.channel.change(State::close);
    }

    /// Whether nothing more can be sent: the channel was closed, by either end, or all
    /// receivers are gone.
    ///
    /// ```
    /// use greenroom::sync::remote;
    ///
    /// let (sender, receiver) = remote::bounded::<u8>(1);
    /// assert!(!sender.is_closed());
    /// receiver.close();
    /// assert!(sender.is_closed());
    /// ```
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.channel.look(State::is_closed)
    }

    /// How many values are on their way, those of waiting senders not counted. Other
    /// threads may have changed that by the time it is looked at.
    ///
    /// ```
    /// let (sender, _receiver) = greenroom::sync::remote::bounded(2);
    /// sender.send('a').unwrap();
    /// assert_eq!(sender.len(), 1);
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.channel.len()
    }

    /// Whether no value is on its way.
    ///
    /// ```
    /// let (sender, _receiver) = greenroom::sync::remote::bounded::<u8>(2);
    /// assert!(sender.is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many values it may hold; `None` if any number.
    ///
    /// ```
    /// use greenroom::sync::remote;
    ///
    /// assert_eq!(remote::bounded::<u8>(2).0.capacity(), Some(2));
    /// assert_eq!(remote::unbounded::<u8>().0.capacity(), None);
    /// ```
    #[must_use]
    pub fn capacity(&self) -> Option<usize> {
        self.channel.capacity()
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.channel.change(|state, _| state.add_sender());
        Self::new(Arc::clone(&self.channel))
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.channel.change(State::remove_sender);
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .finish()
    }
}
