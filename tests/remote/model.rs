//! The channel against its definition in plain words, act by act: plain calls, and
//! tasks that wait, are cancelled, and run out of time at any moment.

use std::collections::VecDeque;
use std::time::Duration;

use greenroom::sync::remote::{self, Receiver, Sender};
use greenroom::sync::{RecvError, SendError, TryRecvError, TrySendError};
use greenroom::{JoinHandle, select, sleep, spawn};
use proptest::prelude::{ProptestConfig, Strategy, any, prop, prop_assert_eq, proptest};
use proptest::test_runner::TestCaseError;

use crate::support::{Log, on_virtual};

/// What is done to the channel, one after the other. Waits go to tasks of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    TrySend,
    TryRecv,
    Send,
    Recv,
    /// A `select!` with another arm that is never ready.
    Select,
    /// Cancels one of those that wait, if one does.
    Cancel(usize),
    Close,
    CloneSender,
    DropSender,
    CloneReceiver,
    DropReceiver,
}

/// What came of a wait, by who waited.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Sent(usize),
    Returned(usize, u32),
    Received(usize, u32),
    Ended(usize),
    Cancelled(usize),
}

/// The definition.
#[derive(Debug)]
struct Model {
    capacity: usize,
    buffer: VecDeque<u32>,
    sending: VecDeque<(usize, u32)>,
    /// Who, and whether it is a plain call.
    receiving: VecDeque<(usize, bool)>,
    senders: usize,
    receivers: usize,
    closed: bool,
    outcomes: Vec<Outcome>,
}

impl Model {
    fn refuses(&self) -> bool {
        self.closed || self.receivers == 0
    }

    fn try_send(&mut self, value: u32) -> Result<(), TrySendError<u32>> {
        if self.refuses() {
            return Err(TrySendError::Disconnected(value));
        }
        match self.receiving.front() {
            // It cannot take it at once, and there is no room to leave it in.
            Some((_, false)) if self.capacity == 0 => Err(TrySendError::Full(value)),
            Some(_) => {
                let (who, _) = self.receiving.pop_front().unwrap();
                self.outcomes.push(Outcome::Received(who, value));
                Ok(())
            }
            None if self.sending.is_empty() && self.buffer.len() < self.capacity => {
                self.buffer.push_back(value);
                Ok(())
            }
            None => Err(TrySendError::Full(value)),
        }
    }

    fn try_recv(&mut self) -> Result<u32, TryRecvError> {
        let next = self.sending.pop_front();
        if let Some((who, value)) = next {
            self.outcomes.push(Outcome::Sent(who));
            self.buffer.push_back(value);
        }
        match self.buffer.pop_front() {
            Some(value) => Ok(value),
            None if self.closed || self.senders == 0 => Err(TryRecvError::Disconnected),
            None => Err(TryRecvError::Empty),
        }
    }

    fn send(&mut self, who: usize, value: u32) {
        if let Some((taker, _)) = self.receiving.front().filter(|_| !self.refuses()) {
            let outcomes = [Outcome::Received(*taker, value), Outcome::Sent(who)];
            self.outcomes.extend(outcomes);
            self.receiving.pop_front();
            return;
        }
        match self.try_send(value) {
            Ok(()) => self.outcomes.push(Outcome::Sent(who)),
            Err(TrySendError::Full(value)) => self.sending.push_back((who, value)),
            Err(TrySendError::Disconnected(_)) => {
                self.outcomes.push(Outcome::Returned(who, value));
            }
        }
    }

    fn recv(&mut self, who: usize, is_call: bool) {
        match self.try_recv() {
            Ok(value) => self.outcomes.push(Outcome::Received(who, value)),
            Err(TryRecvError::Empty) => self.receiving.push_back((who, is_call)),
            Err(TryRecvError::Disconnected) => self.outcomes.push(Outcome::Ended(who)),
        }
    }

    fn cancel(&mut self, who: usize) {
        self.outcomes.push(Outcome::Cancelled(who));
        self.sending.retain(|(other, _)| *other != who);
        self.receiving.retain(|(other, _)| *other != who);
    }

    /// After something has ended: those who wait in vain go.
    fn tidy(&mut self) {
        if self.refuses() {
            for (who, value) in self.sending.drain(..) {
                self.outcomes.push(Outcome::Returned(who, value));
            }
        }
        if self.receivers == 0 {
            self.buffer.clear();
        }
        if self.closed || self.senders == 0 {
            for (who, _) in self.receiving.drain(..) {
                self.outcomes.push(Outcome::Ended(who));
            }
        }
    }

    fn waiting(&self) -> Vec<usize> {
        let sending = self.sending.iter().map(|(who, _)| *who);
        let mut all: Vec<_> = sending
            .chain(self.receiving.iter().map(|(who, _)| *who))
            .collect();
        all.sort_unstable();
        all
    }
}

/// The real one, with the tasks that use it.
struct Real {
    senders: Vec<Sender<u32>>,
    receivers: Vec<Receiver<u32>>,
    tasks: Vec<Option<JoinHandle<()>>>,
    outcomes: Log<Outcome>,
}

impl Real {
    fn start(&mut self, who: usize, body: impl FnOnce() -> Outcome + 'static) {
        let outcomes = self.outcomes.clone();
        self.tasks
            .resize_with(self.tasks.len().max(who + 1), || None);
        self.tasks[who] = Some(spawn(move || outcomes.add(body())));
    }

    fn send(&mut self, who: usize, value: u32) {
        let sender = self.senders[0].clone();
        self.start(who, move || match sender.send(value) {
            Ok(()) => Outcome::Sent(who),
            Err(SendError::Disconnected(value)) => Outcome::Returned(who, value),
            Err(other) => panic!("{other:?}"),
        });
    }

    fn recv(&mut self, who: usize, is_call: bool) {
        let receiver = self.receivers[0].clone();
        self.start(who, move || {
            let result = if is_call {
                receiver.recv()
            } else {
                let (_keep, never) = remote::bounded::<u8>(0);
                select! {
                    recv(receiver) -> value => value,
                    recv(never) -> value => panic!("{value:?}"),
                }
            };
            match result {
                Ok(value) => Outcome::Received(who, value),
                Err(RecvError::Disconnected) => Outcome::Ended(who),
                Err(other) => panic!("{other:?}"),
            }
        });
    }
}

/// Until all others wait: on a virtual clock time passes only then.
fn settle() {
    sleep(Duration::from_nanos(1));
}

/// Performs the acts on both, and compares after each.
fn compare(capacity: usize, acts: &[Act]) -> Result<(), TestCaseError> {
    on_virtual(|| {
        let (sender, receiver) = remote::bounded(capacity);
        let mut real = Real {
            senders: vec![sender],
            receivers: vec![receiver],
            tasks: Vec::new(),
            outcomes: Log::new(),
        };
        let mut model = Model {
            capacity,
            buffer: VecDeque::new(),
            sending: VecDeque::new(),
            receiving: VecDeque::new(),
            senders: 1,
            receivers: 1,
            closed: false,
            outcomes: Vec::new(),
        };
        for (at, act) in acts.iter().enumerate() {
            step(&mut real, &mut model, at, *act)?;
            settle();
            model.tidy();
            let mut seen = real.outcomes.take();
            let mut expected = std::mem::take(&mut model.outcomes);
            seen.sort();
            expected.sort();
            prop_assert_eq!(seen, expected, "at {} of {:?}", at, acts);
            check(&real, &model)?;
        }
        Ok(())
    })
}

fn check(real: &Real, model: &Model) -> Result<(), TestCaseError> {
    let is_closed = model.closed || model.receivers == 0;
    let capacity = Some(model.capacity).filter(|c| *c != usize::MAX);
    if let Some(sender) = real.senders.first() {
        prop_assert_eq!(sender.len(), model.buffer.len());
        prop_assert_eq!(sender.is_closed(), is_closed);
        prop_assert_eq!(sender.capacity(), capacity);
    }
    if let Some(receiver) = real.receivers.first() {
        prop_assert_eq!(receiver.len(), model.buffer.len());
        prop_assert_eq!(receiver.is_closed(), model.closed || model.senders == 0);
    }
    Ok(())
}

fn step(real: &mut Real, model: &mut Model, at: usize, act: Act) -> Result<(), TestCaseError> {
    let value = u32::try_from(at).unwrap();
    // Those who wait have handles of their own.
    let (sending, receiving) = (model.sending.len(), model.receiving.len());
    match act {
        Act::TrySend if !real.senders.is_empty() => {
            prop_assert_eq!(real.senders[0].try_send(value), model.try_send(value));
        }
        Act::TryRecv if !real.receivers.is_empty() => {
            prop_assert_eq!(real.receivers[0].try_recv(), model.try_recv());
        }
        Act::Send if !real.senders.is_empty() => {
            real.send(at, value);
            model.send(at, value);
        }
        Act::Recv | Act::Select if !real.receivers.is_empty() => {
            real.recv(at, act == Act::Recv);
            model.recv(at, act == Act::Recv);
        }
        Act::Cancel(which) => {
            let waiting = model.waiting();
            if !waiting.is_empty() {
                let who = waiting[which % waiting.len()];
                let task = real.tasks[who].take().unwrap();
                task.cancel();
                if task.join().is_err_and(|end| end.is_cancelled()) {
                    real.outcomes.add(Outcome::Cancelled(who));
                }
                model.cancel(who);
            }
        }
        Act::Close if !real.senders.is_empty() => {
            real.senders[0].close();
            model.closed = true;
        }
        Act::Close if !real.receivers.is_empty() => {
            real.receivers[0].close();
            model.closed = true;
        }
        Act::CloneSender if !real.senders.is_empty() => {
            let another = real.senders[0].clone();
            real.senders.push(another);
        }
        Act::CloneReceiver if !real.receivers.is_empty() => {
            let another = real.receivers[0].clone();
            real.receivers.push(another);
        }
        // Where a task holds the last handle, it is not the last.
        Act::DropSender if sending == 0 || real.senders.len() > 1 => {
            real.senders.pop();
        }
        Act::DropReceiver if receiving == 0 || real.receivers.len() > 1 => {
            real.receivers.pop();
        }
        _ => {}
    }
    model.senders = real.senders.len();
    model.receivers = real.receivers.len();
    Ok(())
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = (0..26u8, any::<usize>()).prop_map(|(kind, which)| match kind {
        0..=2 => Act::TrySend,
        3..=5 => Act::TryRecv,
        6..=9 => Act::Send,
        10..=12 => Act::Recv,
        13..=15 => Act::Select,
        16..=20 => Act::Cancel(which),
        21 => Act::Close,
        22 => Act::CloneSender,
        23 => Act::CloneReceiver,
        24 => Act::DropSender,
        _ => Act::DropReceiver,
    });
    prop::collection::vec(act, 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_is_as_defined(
        capacity in prop::sample::select(vec![0, 1, 2, 5, usize::MAX]),
        acts in acts(),
    ) {
        compare(capacity, &acts)?;
    }
}

/// All sequences of four acts that matter, in the smallest channels.
#[test]
fn every_short_sequence() {
    let kinds = [
        Act::TrySend,
        Act::TryRecv,
        Act::Send,
        Act::Recv,
        Act::Select,
        Act::Cancel(0),
        Act::Close,
        Act::DropReceiver,
    ];
    let count = kinds.len();
    for capacity in [0, 1, 2] {
        for number in 0..count.pow(4) {
            let acts: Vec<_> = (0..4)
                .map(|digit| kinds[number / count.pow(digit) % count])
                .collect();
            compare(capacity, &acts).unwrap_or_else(|e| panic!("{capacity}, {acts:?}: {e}"));
        }
    }
}
