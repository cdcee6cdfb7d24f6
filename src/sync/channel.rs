//! Channels between the tasks of one thread: bounded, rendezvous, unbounded.
//!
//! A value goes straight into the hand of the receiver that waits longest, if
//! one waits; else into the buffer, if there is room; else its sender waits with
//! it in hand. So order is kept, nobody barges past a waiter, and a value that
//! was handed over is not lost when its receiver is cancelled.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;

use super::error::{RecvError, SendError, TryRecvError, TrySendError};
use crate::scheduler::WaitReason;
use crate::scheduler::park::{self, Interrupted, Patience, Seat, WaitQueue};

pub(super) struct Channel<T> {
    buffer: RefCell<VecDeque<T>>,
    /// Values the buffer may hold. `usize::MAX` is unbounded.
    capacity: usize,
    /// They wait with empty hands; only while the buffer is empty.
    pub(super) receiving: WaitQueue<T>,
    /// They wait with a value in hand; only while the buffer is full. Those of a
    /// `select!` have none yet: they are woken when there is room, and keep their
    /// place until they send, or leave.
    pub(super) sending: WaitQueue<T>,
    senders: Cell<usize>,
    receivers: Cell<usize>,
}

/// The sending end. Clones send into the same channel.
pub struct Sender<T> {
    pub(super) channel: Rc<Channel<T>>,
}

/// The receiving end. Clones receive from the same channel: each value goes to
/// one of them.
pub struct Receiver<T> {
    pub(super) channel: Rc<Channel<T>>,
}

/// A channel that holds up to `capacity` values. With a capacity of 0 every send
/// waits for its receiver. Memory is used as values come, up to that.
///
/// ```
/// use greenroom::{run, spawn, sync::bounded};
///
/// run(|| {
///     let (numbers, all) = bounded(2);
///     spawn(move || {
///         for n in 1..=4 {
///             numbers.send(n).unwrap(); // waits while two are on their way
///         }
///     });
///     assert_eq!(all.iter().sum::<i32>(), 10);
/// });
/// ```
#[must_use]
pub fn bounded<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let channel = Rc::new(Channel {
        buffer: RefCell::new(VecDeque::new()),
        capacity,
        receiving: WaitQueue::new(),
        sending: WaitQueue::new(),
        senders: Cell::new(1),
        receivers: Cell::new(1),
    });
    (
        Sender {
            channel: Rc::clone(&channel),
        },
        Receiver { channel },
    )
}

/// A channel that holds any number of values; sending never waits.
#[must_use]
pub fn unbounded<T>() -> (Sender<T>, Receiver<T>) {
    bounded(usize::MAX)
}

impl<T> Channel<T> {
    /// Passes a value on without waiting.
    #[inline(always)]
    pub(super) fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        if self.receivers.get() == 0 {
            return Err(TrySendError::Disconnected(value));
        }
        if !self.sending.is_empty() && !self.may_pass(&Seat::new()) {
            // Nobody barges past those who wait.
            return Err(TrySendError::Full(value));
        }
        self.pass_on(value)
    }

    /// Gives a value to a receiver or the buffer, whoever else waits to send.
    #[inline(always)]
    fn pass_on(&self, value: T) -> Result<(), TrySendError<T>> {
        if let Some(receiver) = self.receiving.pop() {
            receiver.give(value);
            return Ok(());
        }
        let mut buffer = self.buffer.borrow_mut();
        if buffer.len() < self.capacity {
            buffer.push_back(value);
            Ok(())
        } else {
            Err(TrySendError::Full(value))
        }
    }

    /// Takes a value without waiting.
    #[inline(always)]
    fn try_recv(&self) -> Result<T, TryRecvError> {
        self.try_recv_for(None)
    }

    /// [`try_recv`](Self::try_recv) for a call that may wait to send as well.
    #[inline(always)]
    pub(super) fn try_recv_for(&self, seat: Option<&Seat<T>>) -> Result<T, TryRecvError> {
        let value = self.buffer.borrow_mut().pop_front();
        // Whoever waits longest to send takes the room, or meets us here.
        let sent = self
            .sending
            .pop_giver(seat)
            .and_then(|sender| sender.take());
        match (value, sent) {
            (Some(value), Some(next)) => {
                self.buffer.borrow_mut().push_back(next);
                Ok(value)
            }
            (Some(value), None) | (None, Some(value)) => Ok(value),
            (None, None) if self.senders.get() == 0 => Err(TryRecvError::Disconnected),
            (None, None) => Err(TryRecvError::Empty),
        }
    }
}

impl<T> Channel<T> {
    /// Whether a value would be taken now, but for others who wait to send. The
    /// call of `seat` cannot receive from itself.
    pub(super) fn has_room(&self, seat: &Seat<T>) -> bool {
        self.buffer.borrow().len() < self.capacity || self.receiving.is_live(seat)
    }

    /// Sends for a `select!` that was told that there is room, and has left its
    /// place in the queue: nobody was let past it.
    pub(super) fn send_chosen(&self, value: T) -> Result<(), TrySendError<T>> {
        if self.receivers.get() == 0 {
            return Err(TrySendError::Disconnected(value));
        }
        self.pass_on(value)
    }

    /// Whether there is nothing to receive: no value, and no end.
    #[inline(always)]
    pub(super) fn is_quiet(&self) -> bool {
        self.buffer.borrow().is_empty() && self.sending.is_empty() && self.senders.get() > 0
    }

    /// Takes the value of a sender behind those that have none yet.
    #[cold]
    fn take_behind(&self) -> Result<T, TryRecvError> {
        let value = self.sending.pop_holder().and_then(|sender| sender.take());
        value.ok_or(TryRecvError::Empty)
    }

    /// Whether a sender may pass those who wait before it: they wait to receive as
    /// well, and cannot send to themselves.
    #[cold]
    pub(super) fn may_pass(&self, seat: &Seat<T>) -> bool {
        self.sending.may_be_passed(seat, &self.receiving)
    }

    /// Whether all receivers are gone.
    pub(super) fn has_no_receivers(&self) -> bool {
        self.receivers.get() == 0
    }

    /// Somebody who kept others from sending has left: lets them.
    pub(super) fn settle(&self) {
        let nobody = Seat::<T>::new();
        while self.has_room(&nobody) {
            let next = self.sending.pop_giver(Some(&nobody));
            let Some(value) = next.and_then(|sender| sender.take()) else {
                return;
            };
            if self.pass_on(value).is_err() {
                unreachable!("there was room");
            }
        }
    }

    /// Waits for room with a value in hand.
    pub(super) fn wait_to_send(&self, value: T) -> Result<(), SendError<T>> {
        let Some(task) = park::current() else {
            return Err(SendError::WouldBlock(value));
        };
        match self
            .sending
            .wait(task, WaitReason::Send, Patience::Fails, Some(value))
        {
            Ok(None) | Err(Interrupted(None)) => Ok(()),
            Ok(Some(value)) => Err(SendError::Disconnected(value)),
            Err(Interrupted(Some(value))) => Err(SendError::Cancelled(value)),
        }
    }
}

impl<T> Sender<T> {
    /// Sends a value, waiting for room.
    ///
    /// # Errors
    ///
    /// If all receivers are gone, also while it waits. The value comes back.
    /// On a plain thread, where nothing could make room, if the channel is full.
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
        spend();
        let value = match self.channel.try_send(value) {
            Ok(()) => return Ok(()),
            Err(TrySendError::Disconnected(value)) => return Err(SendError::Disconnected(value)),
            Err(TrySendError::Full(value)) => value,
        };
        let Some(task) = park::current() else {
            return Err(SendError::WouldBlock(value));
        };
        match self
            .channel
            .sending
            .wait(task, WaitReason::Send, Patience::Fails, Some(value))
        {
            Ok(None) | Err(Interrupted(None)) => Ok(()),
            Ok(Some(value)) => Err(SendError::Disconnected(value)),
            Err(Interrupted(Some(value))) => Err(SendError::Cancelled(value)),
        }
    }

    /// Sends a value if there is room, or a receiver waits. Never waits.
    ///
    /// # Errors
    ///
    /// If there is no room, or all receivers are gone. The value comes back.
    #[inline]
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        self.channel.try_send(value)
    }

    /// How many values are on their way, those of waiting senders not counted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.channel.buffer.borrow().len()
    }

    /// Whether no value is on its way.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many values it may hold; `None` if any number.
    #[must_use]
    pub fn capacity(&self) -> Option<usize> {
        Some(self.channel.capacity).filter(|capacity| *capacity != usize::MAX)
    }

    /// Whether all receivers are gone.
    #[must_use]
    pub fn is_disconnected(&self) -> bool {
        self.channel.receivers.get() == 0
    }
}

impl<T> Receiver<T> {
    /// Takes the next value, waiting for one.
    ///
    /// # Errors
    ///
    /// If the channel is empty and all senders are gone. On a plain thread, where
    /// nothing could send, if the channel is empty.
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
        spend();
        match self.channel.try_recv() {
            Ok(value) => return Ok(value),
            Err(TryRecvError::Disconnected) => return Err(RecvError::Disconnected),
            Err(TryRecvError::Empty) => {}
        }
        let Some(task) = park::current() else {
            return Err(RecvError::WouldBlock);
        };
        match self
            .channel
            .receiving
            .wait(task, WaitReason::Receive, Patience::Fails, None)
        {
            Ok(Some(value)) => Ok(value),
            Ok(None) => Err(RecvError::Disconnected),
            Err(Interrupted(_)) => Err(RecvError::Cancelled),
        }
    }

    /// Takes the next value if there is one. Never waits.
    ///
    /// A [`select!`](crate::select) that waits to send has no value yet, and is passed
    /// over.
    ///
    /// # Errors
    ///
    /// If there is none, or there will be none because all senders are gone.
    #[inline]
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        match self.channel.try_recv() {
            Err(TryRecvError::Empty) if !self.channel.sending.is_empty() => {
                self.channel.take_behind()
            }
            result => result,
        }
    }

    /// Values as they come, waiting for each, until all senders are gone.
    ///
    /// It ends where [`recv`](Self::recv) gives an error: so also on a plain
    /// thread when the channel is empty, while the task unwinds, and, with
    /// [`Delivery::Error`](crate::Delivery::Error), when the task is cancelled. Where that
    /// matters ask [`is_cancelled`](crate::is_cancelled) after the loop.
    pub fn iter(&self) -> Iter<'_, T> {
        Iter { receiver: self }
    }

    /// The values that are there. Never waits.
    pub fn try_iter(&self) -> TryIter<'_, T> {
        TryIter { receiver: self }
    }

    /// How many values are on their way, those of waiting senders not counted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.channel.buffer.borrow().len()
    }

    /// Whether no value is on its way.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many values it may hold; `None` if any number.
    #[must_use]
    pub fn capacity(&self) -> Option<usize> {
        Some(self.channel.capacity).filter(|capacity| *capacity != usize::MAX)
    }

    /// Whether all senders are gone. Values may still be on their way.
    #[must_use]
    pub fn is_disconnected(&self) -> bool {
        self.channel.senders.get() == 0
    }
}

/// Uses up one unit of the task's budget of calls that need not wait. Before the
/// call does anything: a cancellation met here must find nothing taken.
#[inline(always)]
fn spend() {
    if let Some(task) = park::current() {
        park::spend(task);
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.channel.senders.set(self.channel.senders.get() + 1);
        Self {
            channel: Rc::clone(&self.channel),
        }
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        self.channel.receivers.set(self.channel.receivers.get() + 1);
        Self {
            channel: Rc::clone(&self.channel),
        }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let left = self.channel.senders.get() - 1;
        self.channel.senders.set(left);
        if left == 0 {
            self.channel.receiving.wake_all();
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let left = self.channel.receivers.get() - 1;
        self.channel.receivers.set(left);
        if left == 0 {
            self.channel.sending.wake_all();
            // Nobody will take these; their destructors may use the channel.
            let unread = self.channel.buffer.take();
            drop(unread);
        }
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

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .finish()
    }
}

/// Values as they come: see [`Receiver::iter`].
#[derive(Debug)]
pub struct Iter<'a, T> {
    receiver: &'a Receiver<T>,
}

/// The values that are there: see [`Receiver::try_iter`].
#[derive(Debug)]
pub struct TryIter<'a, T> {
    receiver: &'a Receiver<T>,
}

/// Values as they come, owning the receiver.
#[derive(Debug)]
pub struct IntoIter<T> {
    receiver: Receiver<T>,
}

impl<T> Iterator for Iter<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.receiver.recv().ok()
    }
}

impl<T> Iterator for TryIter<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.receiver.try_recv().ok()
    }
}

impl<T> Iterator for IntoIter<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.receiver.recv().ok()
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
        IntoIter { receiver: self }
    }
}
