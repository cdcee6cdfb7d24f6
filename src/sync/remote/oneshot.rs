//! One value, from one thread to another, once: a channel that is used once.

use std::fmt;

use super::select::RemoteArm;
use super::{Receiver, Sender, bounded};
use crate::awaitable::Awaitable;
use crate::scheduler::select::Selectable;
use crate::sync::error::{RecvError, SendError, TryRecvError, TrySendError};

/// The end that sends the one value of a [`oneshot`] between threads. Dropping it says
/// that there will be none.
#[must_use = "dropping it says that no value will come"]
pub struct OneshotSender<T> {
    sender: Sender<T>,
}

/// The end that receives the one value of a [`oneshot`] between threads.
#[must_use = "dropping it says that nobody wants the value"]
pub struct OneshotReceiver<T> {
    receiver: Receiver<T>,
}

/// A channel between threads for one value: an answer, for example.
///
/// ```
/// use greenroom::sync::remote::{self, OneshotSender};
///
/// let (questions, asked) = remote::unbounded::<(u32, OneshotSender<u32>)>();
/// std::thread::spawn(move || {
///     for (n, answer) in asked {
///         let _nobody_waits = answer.send(n * n);
///     }
/// });
/// greenroom::run(|| {
///     let (answer, receiver) = remote::oneshot();
///     questions.send((7, answer)).unwrap();
///     assert_eq!(receiver.recv(), Ok(49));
/// });
/// ```
pub fn oneshot<T>() -> (OneshotSender<T>, OneshotReceiver<T>) {
    let (sender, receiver) = bounded(1);
    (OneshotSender { sender }, OneshotReceiver { receiver })
}

impl<T> OneshotSender<T> {
    /// Sends the value. Never waits.
    ///
    /// ```
    /// use greenroom::sync::{SendError, remote};
    ///
    /// let (sender, receiver) = remote::oneshot();
    /// assert_eq!(sender.send(5), Ok(()));
    /// assert_eq!(receiver.recv(), Ok(5));
    ///
    /// let (sender, receiver) = remote::oneshot();
    /// drop(receiver);
    /// assert_eq!(sender.send(5), Err(SendError::Disconnected(5)));
    /// ```
    ///
    /// # Errors
    ///
    /// [`SendError::Disconnected`] if the receiver is gone. The value comes back.
    ///
    /// # Scheduling
    ///
    /// The caller goes on. A receiver that waits is woken.
    pub fn send(self, value: T) -> Result<(), SendError<T>> {
        match self.sender.try_send(value) {
            Ok(()) => Ok(()),
            // It is never full: nothing else is sent.
            Err(TrySendError::Disconnected(value) | TrySendError::Full(value)) => {
                Err(SendError::Disconnected(value))
            }
        }
    }

    /// Whether nothing can be sent: the receiver is gone, and nobody wants the value any
    /// more.
    ///
    /// ```
    /// use greenroom::sync::remote;
    ///
    /// let (sender, receiver) = remote::oneshot::<u32>();
    /// assert!(!sender.is_closed());
    /// drop(receiver);
    /// assert!(sender.is_closed());
    /// ```
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }
}

impl<T> OneshotReceiver<T> {
    /// Waits for the value: in a task the others run, on a plain thread the thread
    /// blocks.
    ///
    /// To wait more than once, with a [`timeout`](crate::timeout) around it for
    /// example, wait for a `&mut OneshotReceiver`:
    ///
    /// ```
    /// use std::time::Duration;
    /// use greenroom::{Awaitable, run, sync::remote, timeout};
    ///
    /// run(|| {
    ///     let (sender, mut receiver) = remote::oneshot();
    ///     let at_once = timeout(Duration::ZERO, || (&mut receiver).wait());
    ///     assert!(at_once.is_err());
    ///     std::thread::spawn(move || sender.send("late"));
    ///     assert_eq!(receiver.recv(), Ok("late"));
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// If the sender was dropped without sending. [`RecvError::WouldBlock`] if it would
    /// have to wait, and the process has no descriptor left by which the task's runtime
    /// could be woken.
    ///
    /// # Scheduling
    ///
    /// With a value there it goes on at once. Else the others run.
    ///
    /// # Cancellation
    ///
    /// If it waits, it unwinds when the task was cancelled; a value sent before that
    /// is returned, not lost. While the task unwinds it returns an error instead of
    /// waiting.
    pub fn recv(self) -> Result<T, RecvError> {
        self.receiver.recv()
    }

    /// Takes the value if it is there. Never waits.
    ///
    /// ```
    /// use greenroom::sync::{TryRecvError, remote};
    ///
    /// let (sender, mut receiver) = remote::oneshot();
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    /// sender.send(5).unwrap();
    /// assert_eq!(receiver.try_recv(), Ok(5));
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
    /// ```
    ///
    /// # Errors
    ///
    /// If there is none yet; or there will be none, because the sender was dropped
    /// without sending, or the value was taken before.
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        self.receiver.try_recv()
    }

    /// Whether nothing more can be sent: the sender has sent its value, or is gone. The
    /// value may still be there to be taken.
    ///
    /// ```
    /// use greenroom::sync::remote;
    ///
    /// let (sender, mut receiver) = remote::oneshot();
    /// assert!(!receiver.is_closed());
    /// sender.send(5).unwrap();
    /// assert!(receiver.is_closed());
    /// assert_eq!(receiver.try_recv(), Ok(5));
    /// ```
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.receiver.is_closed()
    }
}

impl<T> fmt::Debug for OneshotSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OneshotSender")
            .field("is_closed", &self.is_closed())
            .finish()
    }
}

impl<T> fmt::Debug for OneshotReceiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OneshotReceiver")
            .field("is_closed", &self.is_closed())
            .finish()
    }
}

/// See [`OneshotReceiver::recv`].
impl<T> Awaitable for OneshotReceiver<T> {
    type Output = Result<T, RecvError>;

    fn wait(self) -> Self::Output {
        self.recv()
    }
}

/// Like [`OneshotReceiver::recv`], but the receiver is still there if that is
/// cancelled. After a value it gives [`RecvError::Disconnected`].
impl<T> Awaitable for &mut OneshotReceiver<T> {
    type Output = Result<T, RecvError>;

    fn wait(self) -> Self::Output {
        self.receiver.recv()
    }
}

impl<'a, T> Selectable for &'a mut OneshotReceiver<T> {
    type Output = Result<T, RecvError>;
    type Arm = RemoteArm<'a, T>;

    fn into_arm(self) -> RemoteArm<'a, T> {
        (&self.receiver).into_arm()
    }

    fn finish(arm: &mut RemoteArm<'a, T>) -> Result<T, RecvError> {
        <&'a Receiver<T> as Selectable>::finish(arm)
    }
}
