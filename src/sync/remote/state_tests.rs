//! The state by itself, in any order of changes: also those that no schedule of one
//! thread can show, as an arm that was nudged and has not come yet.

use std::collections::VecDeque;

use proptest::prelude::{Strategy, any, prop, prop_assert, prop_assert_eq, proptest};
use proptest::sample::Index;
use proptest::test_runner::TestCaseError;

use super::{Role, State, Wakes, wide};
use crate::scheduler::outside::{Address, Caller};
use crate::sync::error::{TryRecvError, TrySendError};

#[derive(Debug, Clone)]
enum Act {
    Offer,
    Take,
    PutBack,
    Close,
    LineUpToSend,
    GiveUpSending(Index),
    LineUpToReceive,
    GiveUpReceiving(Index),
    /// From now on there are two receivers, or one again.
    AddOrRemoveReceiver,
    Enter,
    TakeAs(Index),
    Leave(Index),
    /// Whoever was served comes and looks.
    Look(Index),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = (0..35u8, any::<Index>()).prop_map(|(kind, which)| match kind {
        0..=4 => Act::Offer,
        5..=7 => Act::Take,
        8 => Act::PutBack,
        9 => Act::Close,
        10..=13 => Act::LineUpToSend,
        14..=16 => Act::GiveUpSending(which),
        17..=19 => Act::LineUpToReceive,
        20..=21 => Act::GiveUpReceiving(which),
        22..=24 => Act::Enter,
        25..=27 => Act::TakeAs(which),
        28..=30 => Act::Leave(which),
        34 => Act::AddOrRemoveReceiver,
        _ => Act::Look(which),
    });
    prop::collection::vec(act, 0..80)
}

/// A state, who waits in it, and where every value is.
struct World {
    state: State<u32>,
    stash: VecDeque<u32>,
    sending: Vec<(usize, u32)>,
    calls: Vec<usize>,
    arms: Vec<usize>,
    next: u32,
    /// In the channel, or on its way out of it.
    inside: VecDeque<u32>,
    /// The last value that came out to somebody who keeps it.
    last: Option<u32>,
    woken: usize,
}

fn address() -> Address {
    Caller::here().address().expect("a thread has one")
}

fn pick<T>(list: &mut Vec<T>, which: Index) -> Option<T> {
    (!list.is_empty()).then(|| list.remove(which.index(list.len())))
}

impl World {
    fn new(capacity: usize) -> Self {
        Self {
            state: State::new(capacity),
            stash: VecDeque::new(),
            sending: Vec::new(),
            calls: Vec::new(),
            arms: Vec::new(),
            next: 0,
            inside: VecDeque::new(),
            last: None,
            woken: 0,
        }
    }

    fn change<R>(&mut self, change: impl FnOnce(&mut State<u32>, &mut Wakes) -> R) -> R {
        self.change_all(|state, _, wakes| change(state, wakes))
    }

    fn change_all<R>(
        &mut self,
        change: impl FnOnce(&mut State<u32>, &mut VecDeque<u32>, &mut Wakes) -> R,
    ) -> R {
        let mut wakes = Wakes::default();
        let result = change(&mut self.state, &mut self.stash, &mut wakes);
        self.woken += usize::from(wakes.first.is_some()) + wakes.more.len();
        result
    }

    fn take(&mut self) -> Result<u32, TryRecvError> {
        match self.stash.pop_front() {
            None => self.change_all(State::take),
            Some(value) => {
                self.change_all(|state, stash, wakes| state.stash_holds(stash.len(), wakes));
                Ok(value)
            }
        }
    }

    fn len(&self) -> usize {
        self.state.len() + self.stash.len()
    }

    fn came_out(&mut self, value: u32) -> Result<(), TestCaseError> {
        let at = self.inside.iter().position(|other| *other == value);
        prop_assert!(at.is_some(), "{} came out twice, or was never in", value);
        self.inside.retain(|other| *other != value);
        self.last = Some(value);
        Ok(())
    }

    /// How many calls wait to receive.
    fn waiting(&self) -> usize {
        self.calls.iter().filter(|c| !self.is_given(**c)).count()
    }

    fn is_given(&self, place: usize) -> bool {
        !self.state.receiving.stands(place)
    }

    fn step(&mut self, act: &Act) -> Result<(), TestCaseError> {
        match *act {
            Act::Offer => self.offer()?,
            Act::LineUpToSend => self.line_up_to_send()?,
            Act::Take => {
                let before = self.len();
                if let Ok(value) = self.take() {
                    self.came_out(value)?;
                    let len = self.len();
                    prop_assert!(len < before || len <= self.state.capacity, "too full");
                }
            }
            Act::PutBack => {
                if let Some(value) = self.last.take() {
                    self.inside.push_front(value);
                    self.change_all(|state, stash, wakes| state.put_back(value, stash, wakes));
                }
            }
            Act::AddOrRemoveReceiver if self.state.is_sole => {
                self.change_all(State::add_receiver);
            }
            Act::AddOrRemoveReceiver => drop(self.change(State::remove_receiver)),
            Act::Close => self.change(State::close),
            Act::GiveUpSending(which) => self.give_up_sending(which)?,
            Act::LineUpToReceive => match self.take() {
                Ok(value) => self.came_out(value)?,
                Err(TryRecvError::Empty) => {
                    let place = self.state.line_up_to_receive(address());
                    self.calls.push(place);
                }
                Err(TryRecvError::Disconnected) => prop_assert!(self.state.is_over()),
            },
            Act::GiveUpReceiving(which) => {
                if let Some(place) = pick(&mut self.calls, which) {
                    self.change_all(|state, stash, wakes| {
                        state.give_up_receiving(place, stash, wakes);
                    });
                }
            }
            // It looks first, as `select!` does.
            Act::Enter if !self.stash.is_empty() => return self.step(&Act::Take),
            Act::Enter => {
                let (place, _) = self.change(|state, _| state.enter(address()));
                self.arms.push(place);
            }
            Act::TakeAs(which) => self.take_as(which)?,
            Act::Leave(which) => {
                if let Some(place) = pick(&mut self.arms, which) {
                    self.change(|state, wakes| state.leave(place, wakes));
                }
            }
            Act::Look(which) => self.look(which)?,
        }
        self.check()
    }

    fn offer(&mut self) -> Result<(), TestCaseError> {
        let value = self.next;
        self.next += 1;
        let (owed, waiting) = (self.state.there() < wide(self.state.kept), self.waiting());
        match self.change(|state, wakes| state.offer(value, wakes)) {
            Ok(()) => self.inside.push_back(value),
            Err(back) => prop_assert_eq!(back.into_inner(), value),
        }
        prop_assert!(
            !owed || self.waiting() == waiting,
            "it was kept for another"
        );
        Ok(())
    }

    fn give_up_sending(&mut self, which: Index) -> Result<(), TestCaseError> {
        if let Some((place, value)) = pick(&mut self.sending, which) {
            match self.change(|state, _| state.give_up_sending(place)) {
                None => {}
                Some(back) => {
                    prop_assert_eq!(back, value);
                    self.inside.retain(|other| *other != value);
                }
            }
        }
        Ok(())
    }

    fn line_up_to_send(&mut self) -> Result<(), TestCaseError> {
        let value = self.next;
        self.next += 1;
        match self.change(|state, wakes| state.offer(value, wakes)) {
            Ok(()) => self.inside.push_back(value),
            Err(TrySendError::Full(value)) => {
                let place =
                    self.change(|state, wakes| state.line_up_to_send(value, address(), wakes));
                self.sending.push((place, value));
                self.inside.push_back(value);
            }
            Err(TrySendError::Disconnected(_)) => prop_assert!(self.state.refuses),
        }
        Ok(())
    }

    fn take_as(&mut self, which: Index) -> Result<(), TestCaseError> {
        if self.arms.is_empty() {
            return Ok(());
        }
        let place = self.arms[which.index(self.arms.len())];
        match self.change(|state, wakes| state.take_as(place, wakes)) {
            Ok(value) => {
                self.came_out(value)?;
                // It has what it came for.
                self.arms.retain(|other| *other != place);
                self.change(|state, wakes| state.leave(place, wakes));
            }
            Err(TryRecvError::Disconnected) => prop_assert!(self.state.is_over()),
            Err(TryRecvError::Empty) => {
                let taker = self.state.receiving.get(place);
                let nudged = taker.is_some_and(|taker| taker.role == Role::Nudged);
                prop_assert!(nudged || !self.is_given(place), "it waits for nothing");
            }
        }
        Ok(())
    }

    /// One of those who wait looks what has become of it.
    fn look(&mut self, which: Index) -> Result<(), TestCaseError> {
        if let Some((place, value)) = pick(&mut self.sending, which) {
            match self.change(|state, _| state.sent(place)) {
                None => self.sending.push((place, value)),
                Some(Ok(())) => {}
                Some(Err(back)) => {
                    prop_assert!(back == value && self.state.refuses);
                    self.inside.retain(|other| *other != value);
                }
            }
        }
        if let Some(place) = pick(&mut self.calls, which) {
            match self.change(|state, wakes| state.received(place, wakes)) {
                None => self.calls.push(place),
                Some(Some(value)) => self.came_out(value)?,
                Some(None) => prop_assert!(self.state.is_over()),
            }
        }
        Ok(())
    }

    fn check(&mut self) -> Result<(), TestCaseError> {
        let state = &mut self.state;
        let nudged = |state: &mut State<u32>, place| {
            state.receiving.get(place).map(|taker| taker.role) == Some(Role::Nudged)
        };
        let kept = self.arms.iter().filter(|a| nudged(state, **a)).count();
        prop_assert_eq!(wide(state.kept), kept);
        let standing = |place: &usize| state.sending.stands(*place);
        let offered = self.sending.iter().filter(|(p, _)| standing(p)).count();
        prop_assert_eq!(wide(state.offered), offered);
        // Nobody waits for what is there, or for room that is there, or for the end.
        prop_assert!(state.receiving.is_empty() || !state.has_more());
        prop_assert!(state.offered == 0 || state.buffer.len() >= state.room);
        prop_assert!(state.receiving.is_empty() || !state.is_over());
        prop_assert!(state.offered == 0 || !state.refuses);
        prop_assert!(self.stash.is_empty() || (state.waiting == 0 && state.kept == 0));
        let narrowed = state.capacity.saturating_sub(self.stash.len());
        prop_assert!(state.capacity == usize::MAX || state.room == narrowed);
        Ok(())
    }

    /// All who wait give up: then every value is somewhere.
    fn end(mut self) -> Result<(), TestCaseError> {
        let waiting = self.sending.len() + self.calls.len();
        let served = self.calls.iter().filter(|c| self.is_given(**c)).count();
        prop_assert!(self.woken >= served || waiting == 0);
        while let Some(place) = self.arms.pop() {
            self.change(|state, wakes| state.leave(place, wakes));
            self.check()?;
        }
        while let Some(place) = self.calls.pop() {
            self.change_all(|state, stash, wakes| {
                state.give_up_receiving(place, stash, wakes);
            });
            self.check()?;
        }
        while let Some((place, value)) = self.sending.pop() {
            let back = self.change(|state, _| state.give_up_sending(place));
            if back.is_some() {
                self.inside.retain(|other| *other != value);
            }
            self.check()?;
        }
        let mut rest: Vec<_> = std::iter::from_fn(|| self.take().ok()).collect();
        let mut inside = Vec::from(self.inside);
        rest.sort_unstable();
        inside.sort_unstable();
        prop_assert_eq!(rest, inside);
        Ok(())
    }
}

proptest! {
    #[test]
    fn in_any_order_nothing_is_lost_and_nobody_waits_in_vain(
        capacity in prop::sample::select(vec![0, 1, 2, usize::MAX]),
        acts in acts(),
    ) {
        let mut world = World::new(capacity);
        for act in &acts {
            world.step(act)?;
        }
        world.end()?;
    }
}

/// Whoever is served is woken, and nobody else is.
#[test]
fn as_many_are_woken_as_are_served() {
    let mut world = World::new(4);
    let places: Vec<_> = (0..3)
        .map(|_| world.state.line_up_to_receive(address()))
        .collect();
    for value in 0..5 {
        let sent = world.change(|state, wakes| state.offer(value, wakes));
        assert_eq!(sent, Ok(()));
    }
    assert_eq!(world.woken, 3);
    for (value, place) in (0..).zip(places) {
        let got = world.change(|state, wakes| state.received(place, wakes));
        assert_eq!(got, Some(Some(value)));
    }
    assert_eq!(world.woken, 3);
    world.change(State::close);
    assert_eq!(world.woken, 3);
}

/// With the lock before it: see [`State`].
#[test]
fn what_is_looked_at_first_fills_one_cache_line() {
    let last = std::mem::offset_of!(State<u64>, is_sole);
    assert!(last < 64 - size_of::<usize>(), "{last}");
}
