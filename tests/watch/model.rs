//! Every short sequence of operations, against a model so simple that it is plainly right:
//! the value there is, and for each receiver whether it has seen it.

use std::cell::Cell;
use std::rc::Rc;

use greenroom::sync::{RecvError, WatchReceiver, WatchSender, watch};

use crate::{Counted, counted};

/// What is expected.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    pub(crate) value: u64,
    /// Whether each receiver has yet to see the value.
    pub(crate) unseen: Vec<Option<bool>>,
    pub(crate) senders: usize,
}

impl Model {
    pub(crate) fn receivers(&self) -> usize {
        self.unseen.iter().flatten().count()
    }

    pub(crate) fn set(&mut self, value: u64) {
        self.value = value;
        self.unseen
            .iter_mut()
            .flatten()
            .for_each(|unseen| *unseen = true);
    }

    /// A value is sent if there are receivers.
    pub(crate) fn send(&mut self, value: u64) -> bool {
        let sent = self.receivers() > 0;
        if sent {
            self.set(value);
        }
        sent
    }

    fn end(&self) -> RecvError {
        if self.senders == 0 {
            RecvError::Disconnected
        } else {
            RecvError::WouldBlock
        }
    }

    pub(crate) fn changed(&mut self, receiver: usize) -> Result<u64, RecvError> {
        let unseen = self.unseen[receiver].as_mut().expect("it is there");
        if std::mem::take(unseen) {
            Ok(self.value)
        } else {
            Err(self.end())
        }
    }

    pub(crate) fn wait_for_even(&mut self, receiver: usize) -> Result<u64, RecvError> {
        if self.value % 2 == 0 {
            self.unseen[receiver] = Some(false);
            Ok(self.value)
        } else {
            Err(self.end())
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Op {
    Send,
    Replace,
    Modify,
    ModifyIf(bool),
    Changed(usize),
    WaitForEven(usize),
    MarkChanged(usize),
    MarkUnchanged(usize),
    Drop(usize),
    Subscribe(usize),
    Clone(usize),
    DropSender,
}

const OPS: [Op; 13] = [
    Op::Send,
    Op::Replace,
    Op::Changed(0),
    Op::Changed(1),
    Op::WaitForEven(0),
    Op::MarkChanged(0),
    Op::MarkUnchanged(1),
    Op::Drop(0),
    Op::Subscribe(1),
    Op::Clone(1),
    Op::Clone(0),
    Op::DropSender,
    Op::ModifyIf(false),
];

/// Performs the operations on both, and compares after each.
fn compare(ops: &[Op]) {
    let alive = Rc::new(Cell::new(0));
    let (sender, first) = watch(counted(0, &alive));
    let mut sender: Option<WatchSender<Counted>> = Some(sender);
    let mut receivers: [Option<WatchReceiver<Counted>>; 2] = [Some(first), None];
    let mut model = Model {
        value: 0,
        unseen: vec![Some(false), None],
        senders: 1,
    };
    for (op, number) in ops.iter().zip(1..) {
        perform(*op, number, &mut sender, &mut receivers, &mut model, &alive);
        if let Some(sender) = &sender {
            assert_eq!(sender.get().number, model.value, "{ops:?}");
            assert_eq!(sender.receiver_count(), model.receivers());
        }
        for (receiver, unseen) in receivers.iter().zip(&model.unseen) {
            assert_eq!(
                receiver.as_ref().map(WatchReceiver::has_changed),
                *unseen,
                "{ops:?}"
            );
            if let Some(receiver) = receiver {
                assert_eq!(receiver.get().number, model.value, "{ops:?}");
                assert_eq!(receiver.is_closed(), model.senders == 0);
            }
        }
        let held = usize::from(model.senders + model.receivers() > 0);
        assert_eq!(alive.get(), held, "{ops:?}");
    }
    drop((sender, receivers));
    assert_eq!(alive.get(), 0);
}

fn perform(
    op: Op,
    number: u64,
    sender: &mut Option<WatchSender<Counted>>,
    receivers: &mut [Option<WatchReceiver<Counted>>; 2],
    model: &mut Model,
    alive: &Rc<Cell<usize>>,
) {
    match (op, sender.as_ref()) {
        (Op::Send, Some(sender)) => {
            let sent = sender.send(counted(number, alive)).is_ok();
            assert_eq!(sent, model.send(number));
        }
        (Op::Replace, Some(sender)) => {
            assert_eq!(sender.replace(counted(number, alive)).number, model.value);
            model.set(number);
        }
        (Op::Modify, Some(sender)) => {
            sender.send_modify(|value| value.number += 1);
            model.set(model.value + 1);
        }
        (Op::ModifyIf(really), Some(sender)) => {
            let modified = sender.send_if_modified(|value| {
                value.number += 1;
                really
            });
            assert_eq!(modified, really);
            if really {
                model.set(model.value + 1);
            }
        }
        (Op::Subscribe(n), Some(sender)) => {
            receivers[n] = Some(sender.subscribe());
            model.unseen[n] = Some(false);
        }
        (Op::DropSender, Some(_)) => {
            *sender = None;
            model.senders = 0;
        }
        (Op::Drop(n), _) => {
            receivers[n] = None;
            model.unseen[n] = None;
        }
        (Op::Clone(n), _) => {
            receivers[n] = receivers[1 - n].clone();
            model.unseen[n] = model.unseen[1 - n];
        }
        (op, _) => receive(op, receivers, model),
    }
}

fn receive(op: Op, receivers: &mut [Option<WatchReceiver<Counted>>; 2], model: &mut Model) {
    let (Op::Changed(n) | Op::WaitForEven(n) | Op::MarkChanged(n) | Op::MarkUnchanged(n)) = op
    else {
        return; // there is no sender
    };
    let Some(receiver) = &mut receivers[n] else {
        return;
    };
    match op {
        Op::Changed(_) => {
            let got = receiver.changed().map(|value| value.number);
            assert_eq!(got, model.changed(n));
        }
        Op::WaitForEven(_) => {
            let got = receiver.wait_for(|value| value.number % 2 == 0);
            assert_eq!(got.map(|value| value.number), model.wait_for_even(n));
        }
        Op::MarkChanged(_) => {
            receiver.mark_changed();
            model.unseen[n] = Some(true);
        }
        _ => {
            receiver.mark_unchanged();
            model.unseen[n] = Some(false);
        }
    }
}

#[test]
fn every_sequence_of_five_operations() {
    let mut digits = [0; 5];
    loop {
        compare(&digits.map(|digit: usize| OPS[digit]));
        let Some(at) = digits.iter().position(|digit| *digit + 1 < OPS.len()) else {
            break;
        };
        digits[..at].fill(0);
        digits[at] += 1;
    }
}

#[test]
fn long_sequences_of_all_kinds() {
    let mut state = 1_u64;
    let mut random = |below: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        usize::try_from((state >> 33) % below).expect("it is a small number")
    };
    for _ in 0..300 {
        let ops: Vec<Op> = (0..200)
            .map(|_| match random(24) {
                0..3 => Op::Send,
                3 => Op::Replace,
                4..6 => Op::Modify,
                6 => Op::ModifyIf(random(2) == 0),
                7..12 => Op::Changed(random(2)),
                12..16 => Op::WaitForEven(random(2)),
                16 => Op::MarkChanged(random(2)),
                17 => Op::MarkUnchanged(random(2)),
                18 => Op::Drop(random(2)),
                19 => Op::Subscribe(random(2)),
                20..22 => Op::Clone(random(2)),
                22 if random(20) == 0 => Op::DropSender,
                _ => Op::Changed(0),
            })
            .collect();
        compare(&ops);
    }
}
