//! The arms of a `select!` that send and receive.

use std::cell::Cell;
use std::fmt;
use std::ptr;
use std::rc::Rc;

use super::channel::{Buffer, Channel, Line, Receiver, Sender};
use super::error::{RecvError, SendError, TryRecvError, TrySendError};
use super::remote;
use crate::scheduler::park::Seat;
use crate::scheduler::select::sealed::Sealed;
use crate::scheduler::select::{Arm, Entry, Selectable};

/// `recv(receiver)`, or what takes from a queue.
pub struct RecvArm<'a, T, B = Line<T>> {
    channel: &'a Channel<T, B>,
    seat: Seat<T>,
    value: Cell<Option<T>>,
    /// Why there is no value, if there is none.
    error: Cell<RecvError>,
}

impl<'a, T, B: Buffer<T>> RecvArm<'a, T, B> {
    #[inline(always)]
    pub(super) fn new(channel: &'a Channel<T, B>) -> Self {
        Self {
            channel,
            seat: Seat::new(),
            value: Cell::new(None),
            error: Cell::new(RecvError::Disconnected),
        }
    }

    /// What it gives, when it was chosen.
    #[inline(always)]
    pub(super) fn result(&mut self) -> Result<T, RecvError> {
        self.value.take().ok_or(self.error.get())
    }
}

impl<T, B> fmt::Debug for RecvArm<'_, T, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecvArm").finish_non_exhaustive()
    }
}

impl<'a, T> Selectable for &'a Receiver<T> {
    type Output = Result<T, RecvError>;
    type Arm = RecvArm<'a, T>;

    #[inline(always)]
    fn into_arm(self) -> RecvArm<'a, T> {
        RecvArm::new(self.channel())
    }

    #[inline(always)]
    fn finish(arm: &mut RecvArm<'a, T>) -> Result<T, RecvError> {
        arm.result()
    }
}

impl<T, B> Sealed for RecvArm<'_, T, B> {}

impl<T, B: Buffer<T>> Arm for RecvArm<'_, T, B> {
    #[inline(always)]
    fn poll(&self) -> bool {
        if self.channel.is_quiet() {
            return false;
        }
        match self.channel.try_recv_for(Some(&self.seat)) {
            Ok(value) => {
                self.value.set(Some(value));
                true
            }
            Err(TryRecvError::Disconnected) => true,
            Err(TryRecvError::Empty) => false,
        }
    }

    fn enter<'a>(&'a self, entry: Entry<'a>) -> bool {
        entry.sit(&self.channel.receiving, &self.seat)
    }

    fn leave(&self) {
        self.seat.leave();
    }

    fn take_given(&self) {
        self.value.set(self.seat.take_hand());
    }

    fn interrupt(&self) -> bool {
        self.error.set(RecvError::Cancelled);
        true
    }
}

/// `send(sender, value)`.
pub struct SendArm<'a, T> {
    sender: &'a Sender<T>,
    seat: Seat<T>,
    interrupted: Cell<bool>,
}

impl<T> fmt::Debug for SendArm<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendArm").finish_non_exhaustive()
    }
}

/// What leads to a receiver: the receiver itself, or references to it.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`recv(..)` is for receivers of channels, not for `{Self}`",
    note = "a `Queue` or an `Event` is waited for with `wait(&it)`; a receiver of a broadcast, a watch or a oneshot with `wait(&mut it)`"
)]
pub trait Receives {
    /// Which kind; a reference to it gives the arm.
    #[doc(hidden)]
    type Receiver;
    #[doc(hidden)]
    fn receiver(&self) -> &Self::Receiver;
}

/// What leads to a sender.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`send(.., ..)` is for senders of channels of one thread, not for `{Self}`",
    note = "to send to another thread beside other things, give the send a task of its own"
)]
pub trait Sends {
    #[doc(hidden)]
    type Value;
    #[doc(hidden)]
    fn sender(&self) -> &Sender<Self::Value>;
}

impl<T> Receives for Receiver<T> {
    type Receiver = Self;

    #[inline(always)]
    fn receiver(&self) -> &Self {
        self
    }
}

impl<T> Receives for remote::Receiver<T> {
    type Receiver = Self;

    #[inline(always)]
    fn receiver(&self) -> &Self {
        self
    }
}

impl<T> Sends for Sender<T> {
    type Value = T;

    #[inline(always)]
    fn sender(&self) -> &Sender<T> {
        self
    }
}

macro_rules! through {
    ($($pointer:ty)*) => {$(
        impl<R: Receives> Receives for $pointer {
            type Receiver = R::Receiver;

            #[inline(always)]
            fn receiver(&self) -> &R::Receiver {
                (**self).receiver()
            }
        }
    )*};
}

macro_rules! through_for_senders {
    ($($pointer:ty)*) => {$(
        impl<S: Sends> Sends for $pointer {
            type Value = S::Value;

            #[inline(always)]
            fn sender(&self) -> &Sender<S::Value> {
                (**self).sender()
            }
        }
    )*};
}

through! { &R &mut R Rc<R> Box<R> }
through_for_senders! { &S &mut S Rc<S> Box<S> }

/// The receiver of an arm `recv(receiver)`, however many references lead there.
#[inline(always)]
pub fn receiver<R: Receives>(receiver: &R) -> &R::Receiver {
    receiver.receiver()
}

/// The arm `send(sender, value)`, without the value.
#[inline(always)]
pub fn send<S: Sends>(sender: &S) -> SendArm<'_, S::Value> {
    SendArm {
        sender: sender.sender(),
        seat: Seat::new(),
        interrupted: Cell::new(false),
    }
}

impl<T> SendArm<'_, T> {
    /// The arm was chosen, and this is the value.
    ///
    /// # Errors
    ///
    /// As [`Sender::send`].
    #[inline(always)]
    pub fn finish(&self, value: T) -> Result<(), SendError<T>> {
        if self.interrupted.get() {
            return Err(SendError::Cancelled(value));
        }
        match self.sender.channel().send_chosen(value) {
            Ok(()) => Ok(()),
            Err(TrySendError::Disconnected(value)) => Err(SendError::Disconnected(value)),
            // Evaluating the value let others run, and they took the room.
            Err(TrySendError::Full(value)) => self.sender.channel().wait_to_send(value),
        }
    }
}

impl<T> Drop for SendArm<'_, T> {
    #[inline(always)]
    fn drop(&mut self) {
        if !self.sender.channel().sending.is_empty() {
            self.sender.channel().settle();
        }
    }
}

impl<T> Sealed for SendArm<'_, T> {}

impl<T> Arm for SendArm<'_, T> {
    #[inline(always)]
    fn poll(&self) -> bool {
        let channel = self.sender.channel();
        let sending = &channel.sending;
        channel.is_closed()
            || ((sending.is_empty() || sending.is_first(&self.seat))
                && channel.has_room(&self.seat))
            || (!sending.is_empty() && channel.may_pass(&self.seat))
    }

    fn enter<'a>(&'a self, entry: Entry<'a>) -> bool {
        entry.in_line();
        let _poll_again = entry.sit(&self.sender.channel().sending, &self.seat);
        // As a receiver it may have become one that others may pass.
        true
    }

    fn leave(&self) {
        self.seat.leave();
    }

    fn line(&self) -> *const () {
        ptr::from_ref(self.sender.channel()).cast()
    }

    fn give_way(&self) {
        self.sender.channel().settle();
    }

    fn interrupt(&self) -> bool {
        self.interrupted.set(true);
        true
    }
}
