//! A channel as its lock guards it: values, and those who wait at both ends.
//!
//! ```text
//!   sending:    [v5] [v6]              each waits with a value in hand
//!   buffer:     v1 v2 v3 v4            at most `capacity`
//!   receiving:  [ ] [ ] (nudged)       calls wait with an empty hand; arms of a `select!`
//!                                      have none, and are nudged to come and take
//! ```
//!
//! What is there to take is the buffer and what senders have in hand. Each arm that
//! was nudged has one of these kept for it until it takes it or leaves. The rule, kept
//! by [`serve`](State::serve) after every change: **while there is more to take than is
//! kept, the receiver that waits longest is served.** So a newcomer may take what is
//! not kept, and passes nobody; and an arm that leaves without taking leaves its value
//! to the next.
//!
//! A channel with one receiver gives it all of the buffer at once, its *stash*: from that
//! it takes without the lock. What lies there counts as on its way: `room` is less by it.
//! The stash is filled only when nobody waits, and whoever would wait empties it first;
//! so where somebody waits to receive it is empty.
//!
//! Nothing here blocks, wakes anybody, or runs code of others: whom to wake is noted,
//! and values that nobody wants are handed out, to be dropped without the lock.

use std::collections::VecDeque;
use std::mem;

use super::line::Line;
use crate::scheduler::outside::Address;
use crate::sync::error::{TryRecvError, TrySendError};

/// Who is to be woken when the lock is free.
#[derive(Debug, Default)]
#[must_use]
pub(super) struct Wakes {
    /// Hardly ever more than one.
    first: Option<Address>,
    more: Vec<Address>,
}

impl Wakes {
    fn add(&mut self, address: Option<Address>) {
        if self.first.is_none() {
            self.first = address;
        } else {
            self.more.extend(address);
        }
    }

    /// Wakes them, in order.
    #[inline]
    pub(super) fn wake(self) {
        if let Some(first) = self.first {
            first.wake();
            self.more.into_iter().for_each(Address::wake);
        }
    }
}

/// A call that waits to send.
struct Giver<T> {
    /// Still there when it has been called: nobody will take it.
    hand: Option<T>,
    address: Option<Address>,
}

/// A call, or an arm, that waits to receive.
struct Taker<T> {
    /// What it was given. A call that was called with nothing has come to the end.
    hand: Option<T>,
    role: Role,
    address: Option<Address>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Call,
    /// An arm, not nudged.
    Arm,
    /// An arm for which a value is kept.
    Nudged,
}

/// See the file.
///
/// What a call looks at that need not wait comes first: with the lock before it, it
/// fills one cache line, and one is what goes back and forth between two threads.
#[repr(C)]
pub(super) struct State<T> {
    buffer: VecDeque<T>,
    /// Values the buffer may hold: the capacity, less what lies in the stash.
    room: usize,
    /// How many arms are nudged.
    kept: u32,
    /// How many senders in line have a value in hand: all, until they are turned away.
    offered: u32,
    /// How many stand in line to receive.
    waiting: u32,
    /// Whether a send fails.
    refuses: bool,
    /// Whether nothing more will come.
    ended: bool,
    /// Whether there is one receiver.
    is_sole: bool,
    /// `usize::MAX` is unbounded.
    capacity: usize,
    senders: usize,
    receivers: usize,
    sending: Line<Giver<T>>,
    receiving: Line<Taker<T>>,
}

/// A number of those who wait, who each take more than one byte of memory.
fn wide(count: u32) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

impl<T> State<T> {
    /// With one handle at each end.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            buffer: VecDeque::new(),
            room: capacity,
            kept: 0,
            offered: 0,
            waiting: 0,
            refuses: false,
            ended: false,
            is_sole: true,
            capacity,
            senders: 1,
            receivers: 1,
            sending: Line::new(),
            receiving: Line::new(),
        }
    }

    /// How many values the buffer holds.
    pub(super) fn len(&self) -> usize {
        self.buffer.len()
    }

    /// Whether the stash, as far as is known here, takes room.
    #[inline]
    pub(super) fn is_narrowed(&self) -> bool {
        self.room < self.capacity
    }

    /// Whether senders wait for room.
    pub(super) fn has_senders_waiting(&self) -> bool {
        self.offered > 0
    }

    /// Whether no value can be sent any more.
    pub(super) fn is_closed(&self) -> bool {
        self.ended
    }

    /// How many values could be taken.
    #[inline]
    fn there(&self) -> usize {
        self.buffer.len() + wide(self.offered)
    }

    /// Whether there is more to take than is kept for arms.
    #[inline]
    fn has_more(&self) -> bool {
        self.there() > wide(self.kept)
    }

    /// Whether nothing is there, and nothing will come.
    fn is_over(&self) -> bool {
        self.ended && self.there() == 0
    }

    /// Sends without waiting.
    #[inline]
    pub(super) fn offer(&mut self, value: T, wakes: &mut Wakes) -> Result<(), TrySendError<T>> {
        if self.refuses {
            return Err(TrySendError::Disconnected(value));
        }
        if self.waiting > 0 {
            return self.offer_to_those_who_wait(value, wakes);
        }
        // Nobody barges past those who wait to send.
        if self.offered > 0 || self.buffer.len() >= self.room {
            return Err(TrySendError::Full(value));
        }
        self.buffer.push_back(value);
        Ok(())
    }

    fn offer_to_those_who_wait(
        &mut self,
        value: T,
        wakes: &mut Wakes,
    ) -> Result<(), TrySendError<T>> {
        if self.offered > 0 {
            return Err(TrySendError::Full(value));
        }
        let goes_on = self.there() >= wide(self.kept)
            && self
                .receiving
                .first()
                .is_some_and(|taker| taker.role == Role::Call);
        if goes_on && self.buffer.is_empty() {
            if let Some(taker) = self.call_receiver() {
                taker.hand = Some(value);
                wakes.add(taker.address.take());
            }
            return Ok(());
        }
        // Where one goes on the buffer is as full as before.
        if goes_on || self.buffer.len() < self.room {
            self.buffer.push_back(value);
            self.serve(wakes);
            return Ok(());
        }
        Err(TrySendError::Full(value))
    }

    fn call_receiver(&mut self) -> Option<&mut Taker<T>> {
        let taker = self.receiving.call();
        self.waiting -= u32::from(taker.is_some());
        taker
    }

    fn line_up(&mut self, role: Role, address: Address) -> usize {
        self.waiting += 1;
        self.receiving.join(Taker {
            hand: None,
            role,
            address: Some(address),
        })
    }

    fn stand_again(&mut self, place: usize) {
        self.waiting += 1;
        self.receiving.rejoin(place);
    }

    fn leave_line(&mut self, place: usize) -> Option<Taker<T>> {
        self.waiting -= u32::from(self.receiving.stands(place));
        self.receiving.leave(place)
    }

    /// The stash holds so many: senders get the room that makes.
    #[inline]
    pub(super) fn stash_holds(&mut self, count: usize, wakes: &mut Wakes) {
        if self.room == usize::MAX {
            return;
        }
        self.room = self.capacity.saturating_sub(count);
        while self.offered > 0 && self.buffer.len() < self.room {
            let moved = self.next_in_hand(wakes);
            self.buffer.extend(moved);
        }
    }

    /// Takes what nobody else is to have. The stash is empty, and may be filled.
    #[inline]
    pub(super) fn take(
        &mut self,
        stash: &mut VecDeque<T>,
        wakes: &mut Wakes,
    ) -> Result<T, TryRecvError> {
        debug_assert!(stash.is_empty(), "what is there comes first");
        self.stash_holds(0, wakes);
        if self.buffer.len() > 1 && self.is_sole && self.waiting == 0 && self.kept == 0 {
            mem::swap(&mut self.buffer, stash);
            let value = stash.pop_front();
            self.stash_holds(stash.len(), wakes);
            return value.ok_or(TryRecvError::Empty);
        }
        if self.has_more() {
            if let Some(value) = self.next(wakes) {
                return Ok(value);
            }
        }
        if self.is_over() {
            Err(TryRecvError::Disconnected)
        } else {
            Err(TryRecvError::Empty)
        }
    }

    /// The next value, whoever it is for.
    #[inline]
    fn next(&mut self, wakes: &mut Wakes) -> Option<T> {
        match self.buffer.pop_front() {
            None => self.next_in_hand(wakes),
            Some(value) => {
                // Whoever waits longest to send has the room.
                if self.offered > 0 && self.buffer.len() < self.room {
                    let moved = self.next_in_hand(wakes);
                    self.buffer.extend(moved);
                }
                Some(value)
            }
        }
    }

    fn next_in_hand(&mut self, wakes: &mut Wakes) -> Option<T> {
        if self.offered == 0 {
            return None;
        }
        let giver = self.sending.call()?;
        self.offered -= 1;
        wakes.add(giver.address.take());
        giver.hand.take()
    }

    /// Keeps the rule of this file.
    #[inline]
    fn serve(&mut self, wakes: &mut Wakes) {
        if self.waiting > 0 {
            self.serve_those_who_wait(wakes);
        }
    }

    fn serve_those_who_wait(&mut self, wakes: &mut Wakes) {
        while self.has_more() {
            match self.receiving.first().map(|taker| taker.role) {
                None => return,
                Some(Role::Call) => {
                    let value = self.next(wakes);
                    if let Some(taker) = self.call_receiver() {
                        taker.hand = value;
                        wakes.add(taker.address.take());
                    }
                }
                Some(Role::Arm | Role::Nudged) => {
                    self.kept += 1;
                    if let Some(taker) = self.call_receiver() {
                        taker.role = Role::Nudged;
                        wakes.add(taker.address.clone());
                    }
                }
            }
        }
        if self.is_over() {
            while let Some(taker) = self.call_receiver() {
                // They may have to wait on: a value may be put back.
                wakes.add(taker.address.clone());
            }
        }
    }

    /// Lines up to send, after an [`offer`](Self::offer) that found no room.
    pub(super) fn line_up_to_send(
        &mut self,
        value: T,
        address: Address,
        wakes: &mut Wakes,
    ) -> usize {
        let place = self.sending.join(Giver {
            hand: Some(value),
            address: Some(address),
        });
        self.offered += 1;
        // An arm may have waited for it.
        self.serve(wakes);
        place
    }

    /// What has become of a call that waits to send, if anything: the value comes back
    /// if nobody will take it. The place is given up then.
    pub(super) fn sent(&mut self, place: usize) -> Option<Result<(), T>> {
        if self.sending.stands(place) {
            return None;
        }
        let giver = self.sending.leave(place)?;
        Some(giver.hand.map_or(Ok(()), Err))
    }

    /// Ends a wait to send. The value, if it was not taken.
    pub(super) fn give_up_sending(&mut self, place: usize) -> Option<T> {
        if self.sending.stands(place) {
            self.offered -= 1;
        }
        self.sending.leave(place)?.hand
    }

    /// Lines up to receive, after a [`take`](Self::take) that found nothing: a call.
    pub(super) fn line_up_to_receive(&mut self, address: Address) -> usize {
        self.line_up(Role::Call, address)
    }

    /// What has become of a call that waits to receive, if anything; `None` inside is
    /// the end. The place is given up then.
    #[expect(clippy::option_option, reason = "whether it is over, and with what")]
    pub(super) fn received(&mut self, place: usize, wakes: &mut Wakes) -> Option<Option<T>> {
        if self.receiving.stands(place) {
            return None;
        }
        if self.receiving.get(place)?.hand.is_none() && !self.is_over() {
            // It was called because of the end, and then a value was put back.
            self.stand_again(place);
            self.serve(wakes);
            if self.receiving.stands(place) {
                return None;
            }
        }
        Some(self.leave_line(place)?.hand)
    }

    /// Ends a wait to receive. What it was given nobody has seen: the others get it.
    pub(super) fn give_up_receiving(
        &mut self,
        place: usize,
        stash: &mut VecDeque<T>,
        wakes: &mut Wakes,
    ) {
        let given = self.leave_line(place).and_then(|taker| taker.hand);
        if let Some(value) = given {
            self.put_back(value, stash, wakes);
        }
    }

    /// Puts a value back to where it was taken.
    pub(super) fn put_back(&mut self, value: T, stash: &mut VecDeque<T>, wakes: &mut Wakes) {
        if stash.is_empty() {
            self.buffer.push_front(value);
            self.serve(wakes);
        } else {
            stash.push_front(value);
            self.stash_holds(stash.len(), wakes);
        }
    }

    /// Lines up as an arm of a `select!`. Whether it is to try at once.
    pub(super) fn enter(&mut self, address: Address) -> (usize, bool) {
        let place = self.line_up(Role::Arm, address);
        // Nobody else can be the one who is served, and this one is awake.
        let mut itself = Wakes::default();
        self.serve(&mut itself);
        (place, !self.receiving.stands(place))
    }

    /// Takes a value for an arm that has lined up.
    pub(super) fn take_as(&mut self, place: usize, wakes: &mut Wakes) -> Result<T, TryRecvError> {
        if self.is_over() {
            return Err(TryRecvError::Disconnected);
        }
        if self.stop_keeping(place) {
            if let Some(value) = self.next(wakes) {
                self.serve(wakes);
                return Ok(value);
            }
        }
        if !self.receiving.stands(place) {
            // The sender it was nudged for is gone; or it was called because of the end,
            // and then a value was put back. It stands where it stood.
            self.stand_again(place);
            self.serve(wakes);
        }
        Err(TryRecvError::Empty)
    }

    /// An arm gives up its place.
    pub(super) fn leave(&mut self, place: usize, wakes: &mut Wakes) {
        let _was_nudged = self.stop_keeping(place);
        let _nothing = self.leave_line(place);
        self.serve(wakes);
    }

    /// No value is kept for this arm any more. Whether one was.
    fn stop_keeping(&mut self, place: usize) -> bool {
        let taker = self.receiving.get(place);
        let nudged =
            taker.is_some_and(|taker| mem::replace(&mut taker.role, Role::Arm) == Role::Nudged);
        self.kept -= u32::from(nudged);
        nudged
    }

    pub(super) fn add_sender(&mut self) {
        self.senders += 1;
    }

    /// One more receiver: what lies in the stash is for all now.
    pub(super) fn add_receiver(&mut self, stash: &mut VecDeque<T>, wakes: &mut Wakes) {
        self.receivers += 1;
        self.is_sole = false;
        if !stash.is_empty() {
            stash.append(&mut self.buffer);
            mem::swap(stash, &mut self.buffer);
        }
        self.stash_holds(0, wakes);
    }

    pub(super) fn remove_sender(&mut self, wakes: &mut Wakes) {
        self.senders -= 1;
        if self.senders == 0 {
            self.ended = true;
            self.serve(wakes);
        }
    }

    /// What nobody can receive any more comes out.
    #[must_use]
    pub(super) fn remove_receiver(&mut self, wakes: &mut Wakes) -> VecDeque<T> {
        self.receivers -= 1;
        self.is_sole = self.receivers == 1;
        if self.receivers > 0 {
            return VecDeque::new();
        }
        self.turn_senders_away(wakes);
        mem::take(&mut self.buffer)
    }

    /// No more values go in.
    pub(super) fn close(&mut self, wakes: &mut Wakes) {
        self.turn_senders_away(wakes);
        self.serve(wakes);
    }

    /// Senders in line go, with what they have in hand.
    fn turn_senders_away(&mut self, wakes: &mut Wakes) {
        self.refuses = true;
        self.ended = true;
        self.offered = 0;
        while let Some(giver) = self.sending.call() {
            wakes.add(giver.address.take());
        }
    }
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
