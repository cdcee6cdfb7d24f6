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
use crate::scheduler::outside::{Address, Caller, Stopped, Wish};
use crate::scheduler::park::Patience;
use crate::sync::error::TrySendError;
use crate::sys::threads::{AtomicBool, AtomicUsize, Lock, Ordering, fence};

/// At the beginning of a cache line: see [`State`].
#[repr(align(64))]
pub(super) struct Channel<T> {
    state: Lock<State<T>>,
    pub(super) shelf: Shelf,
    capacity: usize,
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
pub(super) enum Attempt<R> {
    Done(R),
    InLine(usize),
}

pub(super) fn wish(reason: WaitReason, limit: Option<Duration>) -> Wish {
    Wish {
        reason,
        patience: Patience::Fails,
        limit,
        stands_still: false,
    }
}

/// The place of a call in the line of senders. Whatever unwinds, it is given up.
struct Waiting<'a, T> {
    channel: &'a Channel<T>,
    place: Cell<Option<usize>>,
}

impl<T> Drop for Waiting<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            let unsent = self.channel.change(|state, _| state.give_up_sending(place));
            drop(unsent);
        }
    }
}

/// What the one receiver of a channel and its senders tell each other without the lock.
///
/// ```text
///   receiver:  took one from its stash:  count   fence   is it watched?  yes: makes room
///   sender:    found no room, in line:   watched fence   count           less: makes room
/// ```
///
/// Each says its own before it looks at the other's, so one of them sees that there is
/// room.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Shelf {
    count: AtomicUsize,
    watched: AtomicBool,
}

impl Shelf {
    /// How many values lie in the stash.
    pub(super) fn count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// For senders in line, under the lock.
    fn watch(&self) -> usize {
        self.watched.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        self.count()
    }

    /// For the receiver, under the lock.
    pub(super) fn note(&self, count: usize, watched: bool) {
        if self.count.load(Ordering::Relaxed) != count {
            self.count.store(count, Ordering::Release);
        }
        if self.watched.load(Ordering::Relaxed) != watched {
            self.watched.store(watched, Ordering::Relaxed);
        }
    }

    /// For the receiver, which has taken one of the stash without the lock. Whether it
    /// has to make room.
    #[inline(always)]
    pub(super) fn take_one(&self, left: usize, is_bounded: bool) -> bool {
        self.count.store(left, Ordering::Release);
        if !is_bounded {
            return false;
        }
        fence(Ordering::SeqCst);
        self.watched.load(Ordering::Relaxed)
    }
}

impl<T> Channel<T> {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            state: Lock::new(State::new(capacity)),
            shelf: Shelf {
                count: AtomicUsize::new(0),
                watched: AtomicBool::new(false),
            },
            capacity,
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

    /// How many values are on their way.
    pub(super) fn len(&self) -> usize {
        self.look(|state| state.len() + self.shelf.count())
    }

    pub(super) fn capacity(&self) -> Option<usize> {
        Some(self.capacity).filter(|_| self.is_bounded())
    }

    #[inline(always)]
    pub(super) fn is_bounded(&self) -> bool {
        self.capacity != usize::MAX
    }

    #[inline(always)]
    pub(super) fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        self.change(|state, wakes| self.offer(state, value, wakes))
    }

    #[inline(always)]
    fn offer(
        &self,
        state: &mut State<T>,
        value: T,
        wakes: &mut Wakes,
    ) -> Result<(), TrySendError<T>> {
        match state.offer(value, wakes) {
            Err(TrySendError::Full(value)) if state.is_narrowed() => {
                state.stash_holds(self.shelf.count(), wakes);
                state.offer(value, wakes)
            }
            done => done,
        }
    }

    /// After an [`offer`](Self::offer) that found no room.
    fn line_up(
        &self,
        state: &mut State<T>,
        value: T,
        address: Address,
        wakes: &mut Wakes,
    ) -> usize {
        let place = state.line_up_to_send(value, address, wakes);
        if state.is_narrowed() {
            let count = self.shelf.watch();
            state.stash_holds(count, wakes);
        }
        place
    }

    /// Sends, waiting for room.
    #[inline]
    pub(super) fn send(&self, value: T, limit: Option<Duration>) -> Result<(), (Refused, T)> {
        let caller = Caller::here();
        caller.spend();
        match self.change(|state, wakes| {
            let full = match self.offer(state, value, wakes) {
                Err(TrySendError::Full(value)) => value,
                done => return Attempt::Done(done),
            };
            match caller.address_at_once() {
                Some(address) => Attempt::InLine(self.line_up(state, full, address, wakes)),
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
        let attempt = self.change(|state, wakes| match self.offer(state, value, wakes) {
            Err(TrySendError::Full(value)) => {
                Attempt::InLine(self.line_up(state, value, address, wakes))
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
        let waiting = Waiting {
            channel: self,
            place: Cell::new(Some(place)),
        };
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
}
