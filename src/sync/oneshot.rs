//! One value, from one task to another, once.
//!
//! The value lies between the two ends until the receiver takes it: nobody else
//! can, so one that was sent is not lost when its receiver is cancelled before it
//! runs, and a call that waits for several things loses nothing here.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

use super::error::{RecvError, SendError, TryRecvError};
use crate::awaitable::Awaitable;
use crate::scheduler::WaitReason;
use crate::scheduler::park::{self, Interrupted, Patience, Seat, WaitQueue};
use crate::scheduler::select::sealed::Sealed;
use crate::scheduler::select::{Arm, Entry, Selectable};

struct Shot<T> {
    value: Cell<Option<T>>,
    has_sender: Cell<bool>,
    has_receiver: Cell<bool>,
    /// The receiver waits here; only while there is a sender.
    receiving: WaitQueue,
}

/// The end that sends the one value of a [`oneshot`]. Dropping it says that there
/// will be none.
#[must_use = "dropping it says that no value will come"]
pub struct OneshotSender<T> {
    shot: Rc<Shot<T>>,
}

/// The end that receives the one value of a [`oneshot`].
#[must_use = "dropping it says that nobody wants the value"]
pub struct OneshotReceiver<T> {
    shot: Rc<Shot<T>>,
}

/// A channel for one value: an answer, for example.
///
/// ```
/// use greenroom::{run, spawn, sync::{OneshotSender, oneshot, unbounded}};
///
/// run(|| {
///     let (questions, asked) = unbounded::<(u32, OneshotSender<u32>)>();
///     spawn(move || {
///         for (n, answer) in asked {
///             let _nobody_waits = answer.send(n * n);
///         }
///     });
///     let (answer, receiver) = oneshot();
///     questions.send((7, answer)).unwrap();
///     assert_eq!(receiver.recv(), Ok(49));
/// });
/// ```
pub fn oneshot<T>() -> (OneshotSender<T>, OneshotReceiver<T>) {
    let shot = Rc::new(Shot {
        value: Cell::new(None),
        has_sender: Cell::new(true),
        has_receiver: Cell::new(true),
        receiving: WaitQueue::new(),
    });
    (
        OneshotSender {
            shot: Rc::clone(&shot),
        },
        OneshotReceiver { shot },
    )
}

impl<T> OneshotSender<T> {
    /// Sends the value. Never waits.
    ///
    /// ```
    /// use greenroom::sync::{SendError, oneshot};
    ///
    /// let (sender, receiver) = oneshot();
    /// assert_eq!(sender.send(5), Ok(()));
    /// assert_eq!(receiver.recv(), Ok(5));
    ///
    /// let (sender, receiver) = oneshot();
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
    /// The caller goes on. A receiver that waits goes to the end of the queue.
    pub fn send(self, value: T) -> Result<(), SendError<T>> {
        if self.is_closed() {
            return Err(SendError::Disconnected(value));
        }
        self.shot.value.set(Some(value));
        // Dropping this end wakes the receiver.
        Ok(())
    }

    /// Whether nothing can be sent: the receiver is gone, and nobody wants the value
    /// any more.
    ///
    /// ```
    /// use greenroom::sync::oneshot;
    ///
    /// let (sender, receiver) = oneshot::<u32>();
    /// assert!(!sender.is_closed());
    /// drop(receiver);
    /// assert!(sender.is_closed());
    /// ```
    #[must_use]
    pub fn is_closed(&self) -> bool {
        !self.shot.has_receiver.get()
    }
}

impl<T> OneshotReceiver<T> {
    /// Waits for the value.
    ///
    /// To wait more than once, with a [`timeout`](crate::timeout) around it for
    /// example, wait for a `&mut OneshotReceiver`:
    ///
    /// ```
    /// use std::time::Duration;
    /// use greenroom::{Awaitable, run, sleep, spawn, sync::oneshot, timeout};
    ///
    /// run(|| {
    ///     let (sender, mut receiver) = oneshot();
    ///     spawn(move || {
    ///         sleep(Duration::from_millis(5));
    ///         sender.send("late")
    ///     });
    ///     let at_once = timeout(Duration::ZERO, || (&mut receiver).wait());
    ///     assert!(at_once.is_err());
    ///     assert_eq!(receiver.recv(), Ok("late"));
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// If the sender was dropped without sending. On a plain thread, where nothing
    /// could send, if there is no value yet.
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
    pub fn recv(mut self) -> Result<T, RecvError> {
        self.recv_by_ref()
    }

    fn recv_by_ref(&mut self) -> Result<T, RecvError> {
        match self.try_recv() {
            Ok(value) => return Ok(value),
            Err(TryRecvError::Disconnected) => return Err(RecvError::Disconnected),
            Err(TryRecvError::Empty) => {}
        }
        let Some(task) = park::current() else {
            return Err(RecvError::WouldBlock);
        };
        match self
            .shot
            .receiving
            .wait(task, WaitReason::Oneshot, Patience::Fails, None)
        {
            // Woken by the sender's end, so the value is there, or never will be.
            Ok(_) => self.try_recv().map_err(|_| RecvError::Disconnected),
            Err(Interrupted(_)) => Err(RecvError::Cancelled),
        }
    }

    /// Takes the value if it is there. Never waits.
    ///
    /// ```
    /// use greenroom::sync::{TryRecvError, oneshot};
    ///
    /// let (sender, mut receiver) = oneshot();
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
    #[inline]
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        match self.shot.value.take() {
            Some(value) => Ok(value),
            None if self.shot.has_sender.get() => Err(TryRecvError::Empty),
            None => Err(TryRecvError::Disconnected),
        }
    }

    /// Whether nothing more can be sent: the sender has sent its value, or is gone. The
    /// value may still be there to be taken.
    ///
    /// ```
    /// use greenroom::sync::oneshot;
    ///
    /// let (sender, mut receiver) = oneshot();
    /// assert!(!receiver.is_closed());
    /// sender.send(5).unwrap();
    /// assert!(receiver.is_closed());
    /// assert_eq!(receiver.try_recv(), Ok(5));
    /// ```
    #[must_use]
    pub fn is_closed(&self) -> bool {
        !self.shot.has_sender.get()
    }
}

impl<T> Drop for OneshotSender<T> {
    fn drop(&mut self) {
        self.shot.has_sender.set(false);
        self.shot.receiving.wake_all();
    }
}

impl<T> Drop for OneshotReceiver<T> {
    fn drop(&mut self) {
        // A value that was sent has no other owner left: it goes with this end.
        self.shot.has_receiver.set(false);
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
        self.recv_by_ref()
    }
}

/// The receiving end as an arm of `select!`.
#[doc(hidden)]
pub struct OneshotArm<'a, T> {
    receiver: &'a mut OneshotReceiver<T>,
    seat: Seat<()>,
    interrupted: Cell<bool>,
}

impl<T> fmt::Debug for OneshotArm<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OneshotArm").finish_non_exhaustive()
    }
}

impl<'a, T> Selectable for &'a mut OneshotReceiver<T> {
    type Output = Result<T, RecvError>;
    type Arm = OneshotArm<'a, T>;

    fn into_arm(self) -> OneshotArm<'a, T> {
        OneshotArm {
            receiver: self,
            seat: Seat::new(),
            interrupted: Cell::new(false),
        }
    }

    fn finish(arm: &mut OneshotArm<'a, T>) -> Result<T, RecvError> {
        match arm.receiver.try_recv() {
            Ok(value) => Ok(value),
            Err(_) if arm.interrupted.get() => Err(RecvError::Cancelled),
            Err(_) => Err(RecvError::Disconnected),
        }
    }
}

impl<T> Sealed for OneshotArm<'_, T> {}

impl<T> Arm for OneshotArm<'_, T> {
    fn poll(&self) -> bool {
        let shot = &self.receiver.shot;
        let value = shot.value.take();
        let is_there = value.is_some();
        shot.value.set(value);
        is_there || !shot.has_sender.get()
    }

    fn enter<'a>(&'a self, entry: Entry<'a>) -> bool {
        entry.sit(&self.receiver.shot.receiving, &self.seat)
    }

    fn leave(&self) {
        self.seat.leave();
    }

    fn interrupt(&self) -> bool {
        self.interrupted.set(true);
        true
    }
}
