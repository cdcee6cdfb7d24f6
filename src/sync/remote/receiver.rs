//! The receiving end of a channel between threads.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::channel::{Channel, Refused};
use super::inlet::Inlet;
use super::state::State;
use crate::awaitable::Awaitable;
use crate::sync::error::{RecvError, RecvTimeoutError, TryRecvError};

/// The receiving end of a channel between threads. Clones receive from the same
/// channel: each value goes to one of them.
///
/// ```
/// use greenroom::sync::remote;
///
/// let (sender, receiver) = remote::bounded(1);
/// let workers: Vec<_> = (0..3)
///     .map(|_| {
///         let receiver = receiver.clone();
///         std::thread::spawn(move || receiver.iter().sum::<u32>())
///     })
///     .collect();
/// (1..=100).for_each(|n| sender.send(n).unwrap());
/// drop(sender);
/// let sum: u32 = workers.into_iter().map(|worker| worker.join().unwrap()).sum();
/// assert_eq!(sum, 5050);
/// ```
///
/// It may be moved to another thread. To receive in several threads give each a clone; in
/// the tasks of one thread an `Rc` of it does as well.
pub struct Receiver<T> {
    pub(super) inlet: Inlet<T>,
}

impl<T> Receiver<T> {
    pub(super) fn new(channel: Arc<Channel<T>>) -> Self {
        Self {
            inlet: Inlet::new(channel),
        }
    }

    /// Takes the next value, waiting for one: in a task the others run, on a plain
    /// thread the thread blocks.
    ///
    /// ```
    /// use greenroom::sync::{RecvError, remote};
    ///
    /// let (sender, receiver) = remote::bounded(1);
    /// std::thread::spawn(move || sender.send(5).unwrap());
    /// greenroom::run(|| {
    ///     assert_eq!(receiver.recv(), Ok(5));
    ///     assert_eq!(receiver.recv(), Err(RecvError::Disconnected));
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// If the channel is empty, and all senders are gone or it was closed.
    /// [`RecvError::WouldBlock`] if it would have to wait, and the process has no
    /// descriptor left by which the task's runtime could be woken.
    ///
    /// # Scheduling
    ///
    /// With a value there it goes on at once; one of every 128 calls yields. Else
    /// the others run. Receivers are served in order. A sender whose value made room for
    /// is woken; one in this very runtime goes to the end of the queue at the loop's
    /// next look outside.
    ///
    /// # Cancellation
    ///
    /// If it waits, it unwinds when the task was cancelled; a value handed over
    /// before that is returned, not lost. While the task unwinds it returns an
    /// error instead of waiting.
    #[inline]
    pub fn recv(&self) -> Result<T, RecvError> {
        self.inlet.recv(None).map_err(|refused| match refused {
            Refused::Disconnected => RecvError::Disconnected,
            Refused::Cancelled => RecvError::Cancelled,
            // Without a limit it is never late.
            Refused::WouldBlock | Refused::Late => RecvError::WouldBlock,
        })
    }

    /// [`recv`](Self::recv), but it waits no longer than `limit`: for plain threads,
    /// where there is no [`timeout`](crate::timeout).
    ///
    /// ```
    /// use std::time::Duration;
    /// use greenroom::sync::{RecvTimeoutError, remote};
    ///
    /// let (sender, receiver) = remote::bounded(1);
    /// let late = receiver.recv_timeout(Duration::from_millis(1));
    /// assert_eq!(late, Err(RecvTimeoutError::Timeout));
    /// sender.send(5).unwrap();
    /// assert_eq!(receiver.recv_timeout(Duration::ZERO), Ok(5));
    /// ```
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv), and [`RecvTimeoutError::Timeout`] if there was no value
    /// in that time.
    ///
    /// # Scheduling
    ///
    /// As [`recv`](Self::recv). In a task the time is that of its runtime's clock.
    ///
    /// # Cancellation
    ///
    /// As [`recv`](Self::recv).
    pub fn recv_timeout(&self, limit: Duration) -> Result<T, RecvTimeoutError> {
        self.inlet
            .recv(Some(limit))
            .map_err(|refused| match refused {
                Refused::Disconnected => RecvTimeoutError::Disconnected,
                Refused::Cancelled => RecvTimeoutError::Cancelled,
                Refused::WouldBlock => RecvTimeoutError::WouldBlock,
                Refused::Late => RecvTimeoutError::Timeout,
            })
    }

    /// Takes the next value if there is one. Never waits.
    ///
    /// ```
    /// use greenroom::sync::{TryRecvError, remote};
    ///
    /// let (sender, receiver) = remote::bounded(1);
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    /// sender.send(5).unwrap();
    /// assert_eq!(receiver.try_recv(), Ok(5));
    /// drop(sender);
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
    /// ```
    ///
    /// A value that a [`select!`](crate::select) was woken for is kept for it until it
    /// has taken it, or something else.
    ///
    /// # Errors
    ///
    /// If there is none, or there will be none because all senders are gone, or the
    /// channel was closed.
    #[inline]
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        self.inlet.try_recv()
    }

    /// No more values go in: every `send` from now on fails, and those that wait get
    /// their values back. What is on its way can still be received.
    ///
    /// ```
    /// use greenroom::sync::{RecvError, SendError, remote};
    ///
    /// let (sender, receiver) = remote::unbounded();
    /// sender.send(1).unwrap();
    /// receiver.close();
    /// assert_eq!(sender.send(2), Err(SendError::Disconnected(2)));
    /// assert_eq!(receiver.recv(), Ok(1));
    /// assert_eq!(receiver.recv(), Err(RecvError::Disconnected));
    /// ```
    ///
    /// # Scheduling
    ///
    /// The caller goes on. Those who waited are woken.
    pub fn close(&self) {
        self.inlet.channel().change(State::close);
    }

    /// Whether nothing more can be sent: the channel was closed, by either end, or all
    /// senders are gone. Values may still be on their way.
    ///
    /// ```
    /// use greenroom::sync::remote;
    ///
    /// let (sender, receiver) = remote::bounded::<u8>(1);
    /// assert!(!receiver.is_closed());
    /// drop(sender);
    /// assert!(receiver.is_closed());
    /// ```
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.inlet.channel().look(State::is_closed)
    }

    /// How many values are on their way, those of waiting senders not counted. Other
    /// threads may have changed that by the time it is looked at.
    ///
    /// ```
    /// let (sender, receiver) = greenroom::sync::remote::bounded(2);
    /// sender.send('a').unwrap();
    /// assert_eq!(receiver.len(), 1);
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.inlet.channel().len()
    }

    /// Whether no value is on its way.
    ///
    /// ```
    /// let (_sender, receiver) = greenroom::sync::remote::bounded::<u8>(2);
    /// assert!(receiver.is_empty());
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
    /// assert_eq!(remote::bounded::<u8>(0).1.capacity(), Some(0));
    /// assert_eq!(remote::unbounded::<u8>().1.capacity(), None);
    /// ```
    #[must_use]
    pub fn capacity(&self) -> Option<usize> {
        self.inlet.channel().capacity()
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        Self {
            inlet: self.inlet.clone(),
        }
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .finish()
    }
}

/// Waits for the next value: see [`Receiver::recv`].
///
/// ```
/// use greenroom::{Awaitable, run, sync::remote};
///
/// let (sender, receiver) = remote::bounded(1);
/// std::thread::spawn(move || sender.send(5));
/// run(|| assert_eq!((&receiver).wait(), Ok(5)));
/// ```
impl<T> Awaitable for &Receiver<T> {
    type Output = Result<T, RecvError>;

    fn wait(self) -> Self::Output {
        self.recv()
    }
}
