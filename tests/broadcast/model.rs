//! Every short sequence of operations, against a model so simple that it is plainly right:
//! the list of all that was ever sent, and how far along it each receiver is.

use greenroom::sync::{BroadcastReceiver, BroadcastTryRecvError, broadcast};

use crate::Census;

/// What is expected.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    pub(crate) capacity: u64,
    /// How many values were sent. The first is 0.
    pub(crate) sent: u64,
    /// What each receiver sees next.
    pub(crate) next: Vec<Option<u64>>,
    pub(crate) closed: bool,
    /// Clones that had to be made.
    pub(crate) clones: usize,
}

impl Model {
    pub(crate) fn new(capacity: usize, receivers: usize) -> Self {
        Self {
            capacity: capacity as u64,
            sent: 0,
            next: vec![None; receivers],
            closed: false,
            clones: 0,
        }
    }

    /// The oldest value there is room for.
    fn oldest(&self) -> u64 {
        self.sent.saturating_sub(self.capacity)
    }

    pub(crate) fn receivers(&self) -> usize {
        self.next.iter().flatten().count()
    }

    /// Whether a value can be sent; it is.
    pub(crate) fn send(&mut self) -> Option<usize> {
        let sent = !self.closed && self.receivers() > 0;
        self.sent += u64::from(sent);
        sent.then(|| self.receivers())
    }

    pub(crate) fn recv(&mut self, receiver: usize) -> Result<u64, BroadcastTryRecvError> {
        let next = self.next[receiver].expect("it is there");
        let missed = self.oldest().saturating_sub(next);
        if missed > 0 {
            self.next[receiver] = Some(next + missed);
            return Err(BroadcastTryRecvError::Lagged(missed));
        }
        if next == self.sent {
            return Err(if self.closed {
                BroadcastTryRecvError::Disconnected
            } else {
                BroadcastTryRecvError::Empty
            });
        }
        self.next[receiver] = Some(next + 1);
        let wanted = self.next.iter().flatten().any(|other| *other <= next);
        self.clones += usize::from(wanted);
        Ok(next)
    }

    pub(crate) fn unread(&self, receiver: usize) -> u64 {
        let next = self.next[receiver].expect("it is there");
        self.sent - next.max(self.oldest())
    }

    /// How many values somebody has yet to see.
    pub(crate) fn alive(&self) -> u64 {
        let first = self.next.iter().flatten().min();
        first.map_or(0, |first| self.sent - (*first).max(self.oldest()))
    }
}

#[derive(Debug, Clone, Copy)]
enum Op {
    Send,
    Recv(usize),
    Drop(usize),
    /// Subscribes, or starts anew.
    Enter(usize),
    /// As far along as the other.
    Clone(usize),
    Close,
}

const OPS: [Op; 10] = [
    Op::Send,
    Op::Recv(0),
    Op::Recv(1),
    Op::Drop(0),
    Op::Drop(1),
    Op::Enter(0),
    Op::Enter(1),
    Op::Clone(0),
    Op::Clone(1),
    Op::Close,
];

/// Performs the operations on both, and compares after each.
fn compare(capacity: usize, ops: &[Op]) {
    let census = Census::default();
    let (sender, first) = broadcast(capacity);
    let mut receivers: [Option<BroadcastReceiver<_>>; 2] = [Some(first), None];
    let mut model = Model::new(capacity, 2);
    model.next[0] = Some(0);
    for op in ops {
        match *op {
            Op::Send => {
                let sent = sender.send(census.value(model.sent));
                assert_eq!(sent.ok(), model.send(), "{capacity} {ops:?}");
            }
            Op::Recv(n) => {
                if let Some(receiver) = &mut receivers[n] {
                    let got = receiver.try_recv().map(|value| value.number);
                    assert_eq!(got, model.recv(n), "{capacity} {ops:?}");
                }
            }
            Op::Drop(n) => {
                receivers[n] = None;
                model.next[n] = None;
            }
            Op::Enter(n) => {
                receivers[n] = Some(sender.subscribe());
                model.next[n] = Some(model.sent);
            }
            Op::Clone(n) => {
                receivers[n] = receivers[1 - n].clone();
                model.next[n] = model.next[1 - n];
            }
            Op::Close => {
                sender.close();
                model.closed = true;
            }
        }
        let there = usize::try_from(model.alive()).expect("it is a small number");
        assert_eq!(sender.len(), there, "{capacity} {ops:?}");
        assert_eq!(census.alive(), there, "{capacity} {ops:?}");
        assert_eq!(census.clones(), model.clones, "{capacity} {ops:?}");
        assert_eq!(sender.receiver_count(), model.receivers());
        for (n, receiver) in receivers.iter().enumerate() {
            if let Some(receiver) = receiver {
                assert_eq!(receiver.len() as u64, model.unread(n), "{capacity} {ops:?}");
                assert_eq!(receiver.is_closed(), model.closed);
            }
        }
    }
    drop(receivers);
    assert_eq!((sender.len(), census.alive()), (0, 0));
}

/// Sequences of up to so many operations, for each of these capacities.
fn all(length: usize, prefix: &[Op]) {
    for capacity in 1..=3 {
        let mut digits = vec![0; length];
        loop {
            let mut ops = prefix.to_vec();
            ops.extend(digits.iter().map(|digit| OPS[*digit]));
            compare(capacity, &ops);
            let Some(at) = digits.iter().position(|digit| *digit + 1 < OPS.len()) else {
                break;
            };
            digits[..at].fill(0);
            digits[at] += 1;
        }
    }
}

/// Each step is compared, so the longest sequences hold the shorter ones.
#[test]
fn every_sequence_of_five_operations() {
    all(5, &[]);
}

/// From where both are behind, one more than the other.
#[test]
fn every_sequence_of_four_operations_after_some_were_sent() {
    let before = [Op::Clone(1), Op::Send, Op::Recv(0), Op::Send, Op::Send];
    all(4, &before);
    all(
        4,
        &[Op::Clone(1), Op::Send, Op::Send, Op::Recv(1), Op::Recv(1)],
    );
}

/// Long sequences, of receivers that come and go.
#[test]
fn long_sequences_of_all_kinds() {
    let mut state = 1_u64;
    let mut random = |below: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        usize::try_from((state >> 33) % below).expect("it is a small number")
    };
    for round in 0..300 {
        let capacity = [1, 2, 3, 7, 30, usize::MAX][round % 6];
        let ops: Vec<Op> = (0..200)
            .map(|_| match random(12) {
                0..4 => Op::Send,
                4..10 => Op::Recv(random(2)),
                10 => OPS[3 + random(6)],
                _ => OPS[5 + random(4)],
            })
            .collect();
        compare(capacity, &ops);
    }
}
