//! The channel both ends share: its state under a lock, and the calls that wait.
//!
//! ```text
//!   the call:   under the lock:  its turn now?  no: lines up, if it may wait for sure
//!               else asks        unwinds here if it was cancelled: nothing is in line yet
//!               under the lock:  its turn now?  no: lines up
//!               sleeps           until somebody served it, or it gives up
//!   the other:  under the lock:  gives or takes, and takes the address out
//!               wakes            when the lock is free
//! ```
//!
//! However a wait ends, its place is given up, by [`Waiting`] at the latest; what lay
//! there by then goes back to the front of the channel. Values are dropped, and tasks
//! and threads woken, without the lock.

use std::cell::Cell;
use std::time::Duration;

use super::state::{State, Wakes};
use crate::scheduler::WaitReason;
use crate::scheduler::outside::{Caller, Stopped, Wish};
use crate::scheduler::park::Patience;
use crate::sync::error::{TryRecvError, TrySendError};
use crate::sys::threads::Lock;

/// At the beginning of a cache line: see [`State`].
#[repr(align(64))]
pub(super) struct Channel<T> {
    state: Lock<State<T>>,
}

/// Why a value was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    Disconnected,
    Cancelled,
    WouldBlock,
    Late,
}

impl From<Stopped> for Refused {
    fn from(stopped: Stopped) -> Self {
        match stopped {
            Stopped::Cancelled => Self::Cancelled,
            Stopped::Late => Self::Late,
        }
    }
}

/// What a call that may wait has come to.
enum Attempt<R> {
    Done(R),
    InLine(usize),
}

fn wish(reason: WaitReason, limit: Option<Duration>) -> Wish {
    Wish {
        reason,
        patience: Patience::Fails,
        limit,
        stands_still: false,
    }
}

/// At which end a call waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Sending,
    Receiving,
}

/// The place of a call in its line. Whatever unwinds, it is given up.
struct Waiting<'a, T> {
    channel: &'a Channel<T>,
    end: End,
    place: Cell<Option<usize>>,
}

impl<T> Drop for Waiting<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            self.channel.forsake(self.end, place);
        }
    }
}

impl<T> Channel<T> {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            state: Lock::new(State::new(capacity)),
        }
    }

    /// Looks at the state.
    pub(super) fn look<R>(&self, look: impl FnOnce(&State<T>) -> R) -> R {
        look(&self.state.lock())
    }

    /// Changes the state, and then wakes whom that served.
    #[inline(always)]
    pub(super) fn change<R>(&self, change: impl FnOnce(&mut State<T>, &mut Wakes) -> R) -> R {
        let mut wakes = Wakes::default();
        let result = change(&mut self.state.lock(), &mut wakes);
        wakes.wake();
        result
    }

    #[inline(always)]
    pub(super) fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        self.change(|state, wakes| state.offer(value, wakes))
    }

    #[inline(always)]
    pub(super) fn try_recv(&self) -> Result<T, TryRecvError> {
        self.change(State::take)
    }

    /// Sends, waiting for room.
    #[inline]
    pub(super) fn send(&self, value: T, limit: Option<Duration>) -> Result<(), (Refused, T)> {
        let caller = Caller::here();
        caller.spend();
        match self.change(|state, wakes| {
            let full = match state.offer(value, wakes) {
                Err(TrySendError::Full(value)) => value,
                done => return Attempt::Done(done),
            };
            match caller.address_at_once() {
                Some(address) => Attempt::InLine(state.line_up_to_send(full, address, wakes)),
                None => Attempt::Done(Err(TrySendError::Full(full))),
            }
        }) {
            Attempt::Done(Ok(())) => Ok(()),
            Attempt::Done(Err(TrySendError::Disconnected(value))) => {
                Err((Refused::Disconnected, value))
            }
            Attempt::Done(Err(TrySendError::Full(value))) => {
                self.line_up_to_send(caller, value, limit)
            }
            Attempt::InLine(place) => self.wait_to_send(caller, place, limit),
        }
    }

    /// Where it has to be asked first whether the call may wait.
    #[cold]
    #[inline(never)]
    fn line_up_to_send(
        &self,
        caller: Caller,
        value: T,
        limit: Option<Duration>,
    ) -> Result<(), (Refused, T)> {
        if let Err(stopped) = caller.may_wait(Patience::Fails) {
            return Err((stopped.into(), value));
        }
        let Ok(address) = caller.address() else {
            return Err((Refused::WouldBlock, value));
        };
        let attempt = self.change(|state, wakes| match state.offer(value, wakes) {
            Err(TrySendError::Full(value)) => {
                Attempt::InLine(state.line_up_to_send(value, address, wakes))
            }
            Err(TrySendError::Disconnected(value)) => Attempt::Done(Err(value)),
            Ok(()) => Attempt::Done(Ok(())),
        });
        match attempt {
            Attempt::InLine(place) => self.wait_to_send(caller, place, limit),
            Attempt::Done(done) => done.map_err(|value| (Refused::Disconnected, value)),
        }
    }

    #[cold]
    #[inline(never)]
    fn wait_to_send(
        &self,
        caller: Caller,
        place: usize,
        limit: Option<Duration>,
    ) -> Result<(), (Refused, T)> {
        let waiting = self.waiting(End::Sending, place);
        // Whoever serves it wakes it: there is no need to look before that.
        let just_here = Cell::new(true);
        let ready = || {
            if just_here.take() {
                return None;
            }
            let done = self.change(|state, _| state.sent(place));
            done.inspect(|_| waiting.place.set(None))
        };
        let returned = Cell::new(None);
        let leave = || {
            let done = self.change(|state, _| {
                let done = state.sent(place);
                if done.is_none() {
                    returned.set(state.give_up_sending(place));
                }
                done
            });
            waiting.place.set(None);
            done
        };
        match caller.wait(wish(WaitReason::RemoteSend, limit), ready, leave) {
            Ok(result) => result.map_err(|value| (Refused::Disconnected, value)),
            Err(stopped) => match returned.take() {
                Some(value) => Err((stopped.into(), value)),
                None => Ok(()),
            },
        }
    }

    /// Receives, waiting for a value.
    #[inline]
    pub(super) fn recv(&self, limit: Option<Duration>) -> Result<T, Refused> {
        let caller = Caller::here();
        caller.spend();
        match self.change(|state, wakes| match state.take(wakes) {
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
        let attempt = self.change(|state, wakes| match state.take(wakes) {
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
        let waiting = self.waiting(End::Receiving, place);
        // Whoever serves it wakes it: there is no need to look before that.
        let just_here = Cell::new(true);
        let ready = || {
            if just_here.take() {
                return None;
            }
            let done = self.change(|state, wakes| state.received(place, wakes));
            done.inspect(|_| waiting.place.set(None))
        };
        let leave = || {
            let done = self.change(|state, wakes| {
                let done = state.received(place, wakes);
                if done.is_none() {
                    state.give_up_receiving(place, wakes);
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

    fn waiting(&self, end: End, place: usize) -> Waiting<'_, T> {
        Waiting {
            channel: self,
            end,
            place: Cell::new(Some(place)),
        }
    }

    /// Gives up the place of a call that unwinds.
    #[cold]
    #[inline(never)]
    fn forsake(&self, end: End, place: usize) {
        let unsent = self.change(|state, wakes| match end {
            End::Sending => state.give_up_sending(place),
            End::Receiving => {
                state.give_up_receiving(place, wakes);
                None
            }
        });
        drop(unsent);
    }
}
