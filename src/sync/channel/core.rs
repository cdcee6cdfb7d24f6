//! How a value gets from those who send to those who receive, whoever they are.
//!
//! It knows nothing of ends: that the last one is gone it is told by
//! [`close`](Channel::close). Nothing is lent out and nothing of a user's runs while
//! something is half done.

use std::cell::Cell;

use super::buffer::{Buffer, Line};
use crate::scheduler::WaitReason;
use crate::scheduler::park::{self, Interrupted, Patience, Seat, WaitQueue};
use crate::sync::error::{RecvError, SendError, TryRecvError, TrySendError};

/// What lies between the ends of a channel, or is the heart of a queue.
#[derive(Debug)]
pub(in crate::sync) struct Channel<T, B = Line<T>> {
    buffer: B,
    /// Values the buffer may hold. `usize::MAX` is unbounded.
    capacity: usize,
    /// They wait with empty hands; only while the buffer is empty.
    pub(in crate::sync) receiving: WaitQueue<T>,
    /// They wait with a value in hand; only while the buffer is full. Those of a
    /// `select!` have none yet: they are woken when there is room, and keep their
    /// place until they send, or leave.
    pub(in crate::sync) sending: WaitQueue<T>,
    /// Nothing more goes in: somebody said so, or one side is gone. Then nobody
    /// waits, on either side.
    closed: Cell<bool>,
}

impl<T, B: Buffer<T>> Channel<T, B> {
    pub(in crate::sync) fn new(capacity: usize, buffer: B) -> Self {
        Self {
            buffer,
            capacity,
            receiving: WaitQueue::new(),
            sending: WaitQueue::new(),
            closed: Cell::new(false),
        }
    }

    /// What holds the values.
    pub(in crate::sync) fn buffer(&self) -> &B {
        &self.buffer
    }

    #[inline]
    pub(in crate::sync) fn len(&self) -> usize {
        self.buffer.len()
    }

    /// How many values it may hold; `None` if any number.
    pub(in crate::sync) fn capacity(&self) -> Option<usize> {
        Some(self.capacity).filter(|capacity| *capacity != usize::MAX)
    }

    pub(in crate::sync) fn is_full(&self) -> bool {
        self.len() >= self.capacity
    }

    #[inline(always)]
    pub(in crate::sync) fn is_closed(&self) -> bool {
        self.closed.get()
    }

    /// Nothing more goes in. Those who wait to send get their values back, those who
    /// wait to receive get nothing.
    pub(in crate::sync) fn close(&self) {
        if !self.closed.replace(true) {
            self.receiving.wake_all();
            self.sending.wake_all();
        }
    }
}

/// Without waiting.
impl<T, B: Buffer<T>> Channel<T, B> {
    /// Passes a value on without waiting.
    #[inline(always)]
    pub(in crate::sync) fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        if self.closed.get() {
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
            self.buffer.passed_by();
            receiver.give(value);
            return Ok(());
        }
        self.buffer
            .push_within(self.capacity, value)
            .map_err(TrySendError::Full)
    }

    /// Takes a value without waiting.
    pub(in crate::sync) fn try_recv(&self) -> Result<T, TryRecvError> {
        match self.try_recv_for(None) {
            Err(TryRecvError::Empty) if !self.sending.is_empty() => self.take_behind(),
            result => result,
        }
    }

    /// Takes a value for the call of `seat`, if it has one: such a call may wait to
    /// send as well. Calls without a value yet are asked for it, and are not passed over.
    #[inline(always)]
    pub(in crate::sync) fn try_recv_for(&self, seat: Option<&Seat<T>>) -> Result<T, TryRecvError> {
        let value = self.buffer.pop();
        // Whoever waits longest to send takes the room, or meets us here.
        let sent = self
            .sending
            .pop_giver(seat)
            .and_then(|sender| sender.take());
        match (value, sent) {
            (Some(value), Some(next)) => {
                self.buffer.push(next);
                Ok(value)
            }
            (Some(value), None) => Ok(value),
            (None, Some(value)) => {
                self.buffer.passed_by();
                Ok(value)
            }
            (None, None) if self.closed.get() => Err(TryRecvError::Disconnected),
            (None, None) => Err(TryRecvError::Empty),
        }
    }

    /// Takes the value of a sender behind those that have none yet.
    #[cold]
    fn take_behind(&self) -> Result<T, TryRecvError> {
        let value = self.sending.pop_holder().and_then(|sender| sender.take());
        if value.is_some() {
            self.buffer.passed_by();
        }
        value.ok_or(TryRecvError::Empty)
    }
}

/// Waiting.
impl<T, B: Buffer<T>> Channel<T, B> {
    /// Sends a value, waiting for room.
    #[inline(always)]
    pub(in crate::sync) fn send(&self, value: T, reason: WaitReason) -> Result<(), SendError<T>> {
        spend();
        let value = match self.try_send(value) {
            Ok(()) => return Ok(()),
            Err(TrySendError::Disconnected(value)) => return Err(SendError::Disconnected(value)),
            Err(TrySendError::Full(value)) => value,
        };
        self.wait_in_line(value, reason)
    }

    /// Waits for room with a value in hand.
    #[inline(always)]
    fn wait_in_line(&self, value: T, reason: WaitReason) -> Result<(), SendError<T>> {
        let Some(task) = park::current() else {
            return Err(SendError::WouldBlock(value));
        };
        match self
            .sending
            .wait(task, reason, Patience::Fails, Some(value))
        {
            Ok(None) | Err(Interrupted(None)) => Ok(()),
            Ok(Some(value)) => Err(SendError::Disconnected(value)),
            Err(Interrupted(Some(value))) => Err(SendError::Cancelled(value)),
        }
    }

    /// Takes the next value, waiting for one.
    #[inline(always)]
    pub(in crate::sync) fn recv(&self, reason: WaitReason) -> Result<T, RecvError> {
        spend();
        match self.try_recv_for(None) {
            Ok(value) => return Ok(value),
            Err(TryRecvError::Disconnected) => return Err(RecvError::Disconnected),
            Err(TryRecvError::Empty) => {}
        }
        let Some(task) = park::current() else {
            return Err(RecvError::WouldBlock);
        };
        match self.receiving.wait(task, reason, Patience::Fails, None) {
            Ok(Some(value)) => Ok(value),
            Ok(None) => Err(RecvError::Disconnected),
            Err(Interrupted(_)) => Err(RecvError::Cancelled),
        }
    }
}

/// For the arms of a `select!`.
impl<T, B: Buffer<T>> Channel<T, B> {
    /// Whether a value would be taken now, but for others who wait to send. The
    /// call of `seat` cannot receive from itself.
    pub(in crate::sync) fn has_room(&self, seat: &Seat<T>) -> bool {
        self.len() < self.capacity || self.receiving.is_live(seat)
    }

    /// Sends for a `select!` that was told that there is room, and has left its
    /// place in the queue: nobody was let past it.
    pub(in crate::sync) fn send_chosen(&self, value: T) -> Result<(), TrySendError<T>> {
        if self.closed.get() {
            return Err(TrySendError::Disconnected(value));
        }
        self.pass_on(value)
    }

    /// Whether there is nothing to receive: no value, and no end.
    #[inline(always)]
    pub(in crate::sync) fn is_quiet(&self) -> bool {
        self.len() == 0 && self.sending.is_empty() && !self.closed.get()
    }

    /// Whether a sender may pass those who wait before it: they wait to receive as
    /// well, and cannot send to themselves.
    #[cold]
    pub(in crate::sync) fn may_pass(&self, seat: &Seat<T>) -> bool {
        self.sending.may_be_passed(seat, &self.receiving)
    }

    /// Somebody who kept others from sending has left: lets them.
    pub(in crate::sync) fn settle(&self) {
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
    pub(in crate::sync) fn wait_to_send(&self, value: T) -> Result<(), SendError<T>> {
        self.wait_in_line(value, WaitReason::Send)
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
