//! Random programs: what tasks do with channels, and what is done to the tasks.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use greenroom::sync::{Receiver, RecvError, SendError, Sender, TrySendError, bounded};
use greenroom::{
    CancelScope, Delivery, Instant, JoinHandle, select, select_biased, sleep, sleep_until, spawn,
    timeout, yield_now,
};
use proptest::prelude::{Just, Strategy, any, prop, prop_oneof};

use super::ledger::{Ledger, Token, Wish};
use crate::support::OnDrop;

/// Later than everything that happens by itself.
const END: Duration = Duration::from_secs(1000);

/// What programs may look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shapes {
    /// The arms of a selection are on different channels.
    Apart,
    /// They may be on the same.
    Any,
    /// Rendezvous only, and nothing that does not wait.
    Meetings,
}

/// How a selection ends without an arm of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    Nothing,
    After(u64),
    Default,
    DefaultAfter(u64),
}

#[derive(Debug, Clone)]
struct Choice {
    sends: Vec<usize>,
    receives: Vec<usize>,
    last: Last,
    biased: bool,
    /// How often the making of its value lets others run.
    slow: u32,
}

#[derive(Debug, Clone)]
enum Op {
    Send(usize),
    TrySend(usize),
    Receive(usize),
    TryReceive(usize),
    Select(Choice),
    /// From the sending end, or from the other.
    Close(usize, bool),
    Yield,
    Sleep(u64),
}

/// Whether an operation is cut off, after so many milliseconds.
#[derive(Debug, Clone, Copy)]
enum Limit {
    None,
    Unwind(u64),
    Error(u64),
}

#[derive(Debug, Clone)]
struct Plan {
    ops: Vec<(Limit, Op)>,
    cancelled_at: Option<u64>,
    /// Which of the channels it has no end of.
    without: (u32, u32),
}

#[derive(Debug, Clone)]
pub(crate) struct Program {
    capacities: Vec<usize>,
    plans: Vec<Plan>,
    /// Whether ends are kept to the last, so that no channel is cut.
    kept: bool,
}

fn choices(shapes: Shapes, channels: usize) -> impl Strategy<Value = Choice> {
    let ends = move || prop::collection::vec(0..channels, 0..3);
    let last = match shapes {
        Shapes::Meetings => {
            prop_oneof![4 => Just(Last::Nothing), 1 => (0u64..9).prop_map(Last::After)].boxed()
        }
        _ => prop_oneof![
            4 => Just(Last::Nothing),
            2 => (0u64..9).prop_map(Last::After),
            1 => Just(Last::Default),
            1 => (0u64..9).prop_map(Last::DefaultAfter),
        ]
        .boxed(),
    };
    let slow = prop_oneof![4 => Just(0u32), 1 => 1u32..4];
    (ends(), ends(), last, any::<bool>(), slow).prop_map(
        move |(mut sends, mut receives, last, biased, slow)| {
            if shapes == Shapes::Apart {
                sends.dedup();
                receives.dedup();
                receives.retain(|channel| !sends.contains(channel));
            }
            Choice {
                sends,
                receives,
                last,
                biased,
                slow: if shapes == Shapes::Meetings { 0 } else { slow },
            }
        },
    )
}

fn operations(shapes: Shapes, channels: usize) -> impl Strategy<Value = (Limit, Op)> {
    let select = choices(shapes, channels).prop_map(Op::Select);
    let op = match shapes {
        Shapes::Meetings => prop_oneof![
            8 => select,
            2 => (0..channels).prop_map(Op::Send),
            2 => (0..channels).prop_map(Op::Receive),
            1 => Just(Op::Yield),
        ]
        .boxed(),
        _ => prop_oneof![
            8 => select,
            3 => (0..channels).prop_map(Op::Send),
            3 => (0..channels).prop_map(Op::Receive),
            1 => (0..channels).prop_map(Op::TrySend),
            1 => (0..channels).prop_map(Op::TryReceive),
            1 => (0..channels, any::<bool>()).prop_map(|(channel, sends)| Op::Close(channel, sends)),
            1 => Just(Op::Yield),
            1 => (0u64..9).prop_map(Op::Sleep),
        ]
        .boxed(),
    };
    let limit = prop_oneof![
        6 => Just(Limit::None),
        2 => (0u64..9).prop_map(Limit::Unwind),
        1 => (0u64..9).prop_map(Limit::Error),
    ];
    (limit, op)
}

pub(crate) fn programs(shapes: Shapes) -> impl Strategy<Value = Program> {
    let capacity = match shapes {
        Shapes::Meetings => Just(0usize).boxed(),
        _ => prop_oneof![3 => Just(0usize), 2 => Just(1), 1 => Just(2), 1 => Just(3), 1 => Just(usize::MAX)].boxed(),
    };
    prop::collection::vec(capacity, 1..4).prop_flat_map(move |capacities| {
        let plan = (
            prop::collection::vec(operations(shapes, capacities.len()), 0..7),
            prop_oneof![3 => Just(None), 1 => (0u64..20).prop_map(Some)],
            prop_oneof![3 => Just((0u32, 0u32)), 1 => (0u32..8, 0u32..8)],
        )
            .prop_map(|(ops, cancelled_at, without)| Plan {
                ops,
                cancelled_at,
                without,
            });
        (prop::collection::vec(plan, 1..7), any::<bool>()).prop_map(move |(plans, kept)| Program {
            capacities: capacities.clone(),
            plans,
            kept,
        })
    })
}

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// The receivers of a channel, counted, so that the ledger knows when the last goes.
struct Counted {
    receiver: Receiver<Token>,
    channel: usize,
    count: Rc<Cell<usize>>,
    ledger: Rc<Ledger>,
}

impl Counted {
    fn another(&self) -> Self {
        self.count.set(self.count.get() + 1);
        Self {
            receiver: self.receiver.clone(),
            channel: self.channel,
            count: Rc::clone(&self.count),
            ledger: Rc::clone(&self.ledger),
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.count.set(self.count.get() - 1);
        if self.count.get() == 0 {
            self.ledger.receivers_are_gone(self.channel);
        }
    }
}

/// What a task has in hands.
struct Worker {
    number: usize,
    senders: Vec<Option<Sender<Token>>>,
    receivers: Vec<Option<Counted>>,
    /// Channels on which nothing ever happens.
    idle_send: (Sender<Token>, Receiver<Token>),
    idle_receive: (Sender<Token>, Receiver<Token>),
    ledger: Rc<Ledger>,
}

impl Program {
    /// Runs it to its end; cuts off what would never end.
    pub(crate) fn perform(&self) -> Rc<Ledger> {
        let ledger = Ledger::new(self.capacities.len());
        let channels: Vec<_> = self
            .capacities
            .iter()
            .map(|n| bounded::<Token>(*n))
            .collect();
        let (senders, receivers): (Vec<_>, Vec<_>) = channels.into_iter().unzip();
        let mut counted = Vec::new();
        for (channel, receiver) in receivers.into_iter().enumerate() {
            counted.push(Counted {
                receiver,
                channel,
                count: Rc::new(Cell::new(1)),
                ledger: Rc::clone(&ledger),
            });
        }
        let tasks: Rc<RefCell<Vec<JoinHandle<()>>>> = Rc::default();
        let start = Instant::now();
        for (number, plan) in self.plans.iter().enumerate() {
            let worker = Worker {
                number,
                senders: ends(&senders, plan.without.0, Clone::clone),
                receivers: ends(&counted, plan.without.1, Counted::another),
                idle_send: bounded(0),
                idle_receive: bounded(0),
                ledger: Rc::clone(&ledger),
            };
            let ops = plan.ops.clone();
            tasks.borrow_mut().push(spawn(move || worker.perform(ops)));
        }
        for (number, plan) in self.plans.iter().enumerate() {
            if let Some(at) = plan.cancelled_at {
                let tasks = Rc::clone(&tasks);
                spawn(move || {
                    sleep_until(start + millis(at));
                    tasks.borrow()[number].cancel();
                });
            }
        }
        let kept = self.kept.then_some((senders, counted));
        // On the virtual clock nothing can move any more after this.
        sleep(END);
        if let Some((senders, _)) = &kept {
            let length =
                |sender: &Sender<Token>| (sender.len(), sender.capacity().unwrap_or(usize::MAX));
            let lengths: Vec<_> = senders.iter().map(length).collect();
            ledger.look_for_progress(&lengths);
        } else {
            ledger.look_for_progress(&vec![(0, 0); self.capacities.len()]);
        }
        let tasks = tasks.take();
        for task in &tasks {
            task.cancel();
        }
        for task in tasks {
            if task.join().is_err_and(|error| error.is_panic()) {
                ledger.complain("a task panicked".to_owned());
            }
        }
        for counted in kept.iter().flat_map(|(_, receivers)| receivers) {
            while let Ok(token) = counted.receiver.try_recv() {
                ledger.left(token);
            }
        }
        ledger
    }
}

fn ends<T, U>(all: &[T], without: u32, another: impl Fn(&T) -> U) -> Vec<Option<U>> {
    let has = |channel: usize| (without >> channel) & 1 == 0;
    let end = |(channel, end)| has(channel).then(|| another(end));
    all.iter().enumerate().map(end).collect()
}

impl Worker {
    fn perform(self, ops: Vec<(Limit, Op)>) {
        let number = self.number;
        let ledger = Rc::clone(&self.ledger);
        let _ended = OnDrop(move || {
            ledger.unwound(number);
            ledger.waits(number, None);
        });
        for (limit, op) in ops {
            match limit {
                Limit::None => self.one(&op),
                Limit::Unwind(ms) => {
                    if timeout(millis(ms), || self.one(&op)).is_err() {
                        self.ledger.unwound(number);
                    }
                }
                Limit::Error(ms) => {
                    let scope = CancelScope::builder()
                        .delivery(Delivery::Error)
                        .deadline(Instant::now() + millis(ms))
                        .build();
                    if scope.run(|| self.one(&op)).is_none() {
                        self.ledger.unwound(number);
                    }
                }
            }
            self.ledger.waits(number, None);
        }
    }

    fn token(&self, channel: usize) -> Token {
        self.ledger.make(self.number, channel)
    }

    fn one(&self, op: &Op) {
        match op {
            Op::Send(channel) => {
                if let Some(sender) = &self.senders[*channel] {
                    self.wait_for(vec![*channel], vec![]);
                    let end = sender.send(self.token(*channel));
                    self.sent(end);
                }
            }
            Op::TrySend(channel) => {
                if let Some(sender) = &self.senders[*channel] {
                    match sender.try_send(self.token(*channel)) {
                        Ok(()) => self.ledger.sent(self.number),
                        Err(TrySendError::Full(token) | TrySendError::Disconnected(token)) => {
                            self.ledger.returned(self.number, token);
                        }
                    }
                }
            }
            Op::Receive(channel) => {
                if let Some(end) = &self.receivers[*channel] {
                    self.wait_for(vec![], vec![*channel]);
                    let got = end.receiver.recv();
                    self.received(*channel, got);
                }
            }
            Op::TryReceive(channel) => {
                if let Some(end) = &self.receivers[*channel] {
                    if let Ok(token) = end.receiver.try_recv() {
                        self.received(*channel, Ok(token));
                    }
                }
            }
            Op::Select(choice) => self.select(choice),
            Op::Close(channel, sends) => self.close(*channel, *sends),
            Op::Yield => yield_now(),
            Op::Sleep(ms) => sleep(millis(*ms)),
        }
    }

    fn close(&self, channel: usize, sends: bool) {
        let (sender, end) = (&self.senders[channel], &self.receivers[channel]);
        match (sender, end) {
            (Some(sender), _) if sends => sender.close(),
            (_, Some(end)) if !sends => end.receiver.close(),
            _ => return,
        }
        self.ledger.closes(channel);
    }

    fn wait_for(&self, sends: Vec<usize>, receives: Vec<usize>) {
        let wish = Wish {
            sends,
            receives,
            task: self.number,
        };
        self.ledger.waits(self.number, Some(wish));
    }

    fn sent(&self, end: Result<(), SendError<Token>>) {
        match end {
            Ok(()) => self.ledger.sent(self.number),
            Err(error) => self.ledger.returned(self.number, error.into_inner()),
        }
    }

    fn received(&self, channel: usize, got: Result<Token, RecvError>) {
        if let Ok(token) = got {
            self.ledger.received(self.number, channel, token);
        }
    }

    fn select(&self, choice: &Choice) {
        let sender = |n: usize| {
            let channel = *choice.sends.get(n)?;
            Some((channel, self.senders[channel].as_ref()?))
        };
        let receiver = |n: usize| {
            let channel = *choice.receives.get(n)?;
            Some((channel, &self.receivers[channel].as_ref()?.receiver))
        };
        let (a, b, c, d) = (sender(0), sender(1), receiver(0), receiver(1));
        if a.is_none() && b.is_none() && c.is_none() && d.is_none() && choice.last == Last::Nothing
        {
            return;
        }
        let channels =
            |end: Option<usize>, other: Option<usize>| end.into_iter().chain(other).collect();
        self.wait_for(
            channels(a.map(|a| a.0), b.map(|b| b.0)),
            channels(c.map(|c| c.0), d.map(|d| d.0)),
        );
        let idle_sender = (usize::MAX, &self.idle_send.0);
        let idle_receiver = (usize::MAX, &self.idle_receive.1);
        let (a, b) = (a.unwrap_or(idle_sender), b.unwrap_or(idle_sender));
        let (c, d) = (c.unwrap_or(idle_receiver), d.unwrap_or(idle_receiver));
        let made = self.ledger.made_by(self.number);
        let value = |channel: usize| {
            self.wait_for(vec![channel], vec![]);
            for _ in 0..choice.slow {
                yield_now();
            }
            self.token(channel)
        };
        macro_rules! four {
            ($which:ident $($last:tt)*) => {
                $which! {
                    send(a.1, value(a.0)) -> end => self.sent(end),
                    recv(c.1) -> got => self.chosen(c.0, got, made),
                    send(b.1, value(b.0)) -> end => self.sent(end),
                    recv(d.1) -> got => self.chosen(d.0, got, made),
                    $($last)*
                }
            };
        }
        match (choice.biased, choice.last) {
            (false, Last::Nothing) => four!(select),
            (false, Last::After(ms)) => four!(select after(millis(ms)) => {}),
            (false, Last::Default) => four!(select default => {}),
            (false, Last::DefaultAfter(ms)) => four!(select default(millis(ms)) => {}),
            (true, Last::Nothing) => four!(select_biased),
            (true, Last::After(ms)) => four!(select_biased after(millis(ms)) => {}),
            (true, Last::Default) => four!(select_biased default => {}),
            (true, Last::DefaultAfter(ms)) => four!(select_biased default(millis(ms)) => {}),
        }
    }

    /// The arm of a receiver was chosen, so no value was made to be sent.
    fn chosen(&self, channel: usize, got: Result<Token, RecvError>, made: usize) {
        if self.ledger.made_by(self.number) != made {
            self.ledger
                .complain("a value was made for an arm that lost".to_owned());
        }
        self.received(channel, got);
    }
}
