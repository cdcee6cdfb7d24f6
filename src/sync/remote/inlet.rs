//! The calls that receive, and the stash they take from.
//!
//! The one receiver of a channel takes all there is at once, under the lock, and then
//! one by one, without it. A clone puts the rest back first: then the two share the
//! channel as any number do.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::channel::{Attempt, Channel, Refused, wish};
use super::state::{State, Wakes};
use crate::scheduler::WaitReason;
use crate::scheduler::outside::Caller;
use crate::scheduler::park::Patience;
use crate::sync::error::TryRecvError;

/// What a receiver holds.
pub(super) struct Inlet<T> {
    channel: Arc<Channel<T>>,
    /// Taken by this one, and given to nobody yet. Borrowed for moments, in which no
    /// code of others runs.
    stash: RefCell<VecDeque<T>>,
}

impl<T> fmt::Debug for Inlet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inlet").finish_non_exhaustive()
    }
}

/// The place of a call in the line of receivers. Whatever unwinds, it is given up.
struct Waiting<'a, T> {
    inlet: &'a Inlet<T>,
    place: Cell<Option<usize>>,
}

impl<T> Drop for Waiting<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            self.inlet
                .change(|state, stash, wakes| state.give_up_receiving(place, stash, wakes));
        }
    }
}

impl<T> Inlet<T> {
    pub(super) fn new(channel: Arc<Channel<T>>) -> Self {
        Self {
            channel,
            stash: RefCell::new(VecDeque::new()),
        }
    }

    pub(super) fn channel(&self) -> &Channel<T> {
        &self.channel
    }

    /// Changes the state and the stash, and then wakes whom that served.
    #[inline]
    pub(super) fn change<R>(
        &self,
        change: impl FnOnce(&mut State<T>, &mut VecDeque<T>, &mut Wakes) -> R,
    ) -> R {
        self.channel.change(|state, wakes| {
            let mut stash = self.stash.borrow_mut();
            let result = change(state, &mut stash, wakes);
            let watched = !stash.is_empty() && state.has_senders_waiting();
            self.channel.shelf.note(stash.len(), watched);
            result
        })
    }

    /// The next of the stash.
    #[inline(always)]
    pub(super) fn take_from_stash(&self) -> Option<T> {
        let mut stash = self.stash.borrow_mut();
        let value = stash.pop_front()?;
        let left = stash.len();
        drop(stash);
        let is_bounded = self.channel.is_bounded();
        if self.channel.shelf.take_one(left, is_bounded) {
            self.make_room();
        }
        Some(value)
    }

    /// A sender waits for what was taken from the stash.
    #[cold]
    #[inline(never)]
    fn make_room(&self) {
        self.change(|state, stash, wakes| state.stash_holds(stash.len(), wakes));
    }

    #[inline(always)]
    pub(super) fn try_recv(&self) -> Result<T, TryRecvError> {
        match self.take_from_stash() {
            Some(value) => Ok(value),
            None => self.change(State::take),
        }
    }

    /// Puts a value back to where it was taken.
    pub(super) fn put_back(&self, value: T) {
        self.change(|state, stash, wakes| state.put_back(value, stash, wakes));
    }

    /// Receives, waiting for a value.
    #[inline]
    pub(super) fn recv(&self, limit: Option<Duration>) -> Result<T, Refused> {
        let caller = Caller::here();
        caller.spend();
        if let Some(value) = self.take_from_stash() {
            return Ok(value);
        }
        match self.change(|state, stash, wakes| match state.take(stash, wakes) {
            Err(TryRecvError::Empty) => match caller.address_at_once() {
                Some(address) => Attempt::InLine(state.line_up_to_receive(address)),
                None => Attempt::Done(Err(TryRecvError::Empty)),
            },
            done => Attempt::Done(done),
        }) {
            Attempt::Done(Ok(value)) => Ok(value),
            Attempt::Done(Err(TryRecvError::Disconnected)) => Err(Refused::Disconnected),
            Attempt::Done(Err(TryRecvError::Empty)) => self.line_up_to_receive(caller, limit),
            Attempt::InLine(place) => self.wait_to_receive(caller, place, limit),
        }
    }

    /// Where it has to be asked first whether the call may wait.
    #[cold]
    #[inline(never)]
    fn line_up_to_receive(&self, caller: Caller, limit: Option<Duration>) -> Result<T, Refused> {
        caller.may_wait(Patience::Fails)?;
        let address = caller.address().map_err(|_| Refused::WouldBlock)?;
        let attempt = self.change(|state, stash, wakes| match state.take(stash, wakes) {
            Err(TryRecvError::Empty) => Attempt::InLine(state.line_up_to_receive(address)),
            Err(TryRecvError::Disconnected) => Attempt::Done(Err(Refused::Disconnected)),
            Ok(value) => Attempt::Done(Ok(value)),
        });
        match attempt {
            Attempt::InLine(place) => self.wait_to_receive(caller, place, limit),
            Attempt::Done(done) => done,
        }
    }

    #[cold]
    #[inline(never)]
    fn wait_to_receive(
        &self,
        caller: Caller,
        place: usize,
        limit: Option<Duration>,
    ) -> Result<T, Refused> {
        let waiting = Waiting {
            inlet: self,
            place: Cell::new(Some(place)),
        };
        // Whoever serves it wakes it: there is no need to look before that.
        let just_here = Cell::new(true);
        let ready = || {
            if just_here.take() {
                return None;
            }
            let done = self.change(|state, _, wakes| state.received(place, wakes));
            done.inspect(|_| waiting.place.set(None))
        };
        let leave = || {
            let done = self.change(|state, stash, wakes| {
                let done = state.received(place, wakes);
                if done.is_none() {
                    state.give_up_receiving(place, stash, wakes);
                }
                done
            });
            waiting.place.set(None);
            done
        };
        caller
            .wait(wish(WaitReason::RemoteReceive, limit), ready, leave)?
            .ok_or(Refused::Disconnected)
    }
}

impl<T> Clone for Inlet<T> {
    fn clone(&self) -> Self {
        self.change(State::add_receiver);
        Self::new(Arc::clone(&self.channel))
    }
}

impl<T> Drop for Inlet<T> {
    fn drop(&mut self) {
        // Nobody will take these; their destructors may use the channel.
        let unread = self.change(|state, stash, wakes| {
            let stash = std::mem::take(stash);
            (stash, state.remove_receiver(wakes))
        });
        drop(unread);
    }
}
