//! The promise: of a broadcast every receiver gets every value sent since it is there, in
//! order; sending never waits; whoever is too slow is told exactly how much it missed;
//! values are gone as soon as everybody has seen them, and nothing that cloning or
//! dropping them does can harm anybody else.

#![cfg(all(unix, feature = "sync", feature = "time"))]
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod support;

#[path = "broadcast/foreign.rs"]
mod foreign;
#[path = "broadcast/model.rs"]
mod model;
#[path = "broadcast/program.rs"]
mod program;
#[path = "broadcast/waiting.rs"]
mod waiting;

use std::cell::Cell;
use std::rc::Rc;

use greenroom::sync::{BroadcastRecvError, BroadcastTryRecvError, Lagged, SendError, broadcast};
use greenroom::{no_switch, run, spawn, yield_now};
use support::{Log, panic_text};

/// What is alive of a kind of value, and how many clones were made.
#[derive(Debug, Clone, Default)]
struct Census {
    alive: Rc<Cell<usize>>,
    clones: Rc<Cell<usize>>,
}

/// A value that is counted.
#[derive(Debug)]
struct Counted {
    number: u64,
    census: Census,
}

impl Census {
    fn value(&self, number: u64) -> Counted {
        self.alive.set(self.alive.get() + 1);
        Counted {
            number,
            census: self.clone(),
        }
    }

    fn alive(&self) -> usize {
        self.alive.get()
    }

    fn clones(&self) -> usize {
        self.clones.get()
    }
}

impl Clone for Counted {
    fn clone(&self) -> Self {
        let census = &self.census;
        census.clones.set(census.clones.get() + 1);
        census.value(self.number)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.census.alive.set(self.census.alive.get() - 1);
    }
}

#[test]
fn everyone_gets_everything_in_order() {
    for capacity in [100, usize::MAX] {
        let (sender, mut receiver) = broadcast(capacity);
        let mut others = [receiver.clone(), receiver.resubscribe(), sender.subscribe()];
        for n in 0..100 {
            assert_eq!(sender.send(n), Ok(4));
        }
        drop(sender);
        for receiver in others.iter_mut().chain([&mut receiver]) {
            assert!(receiver.iter().eq((0..100).map(Ok)));
        }
    }
}

#[test]
fn what_was_sent_before_is_not_seen() {
    let (sender, receiver) = broadcast(8);
    sender.send(1).unwrap();
    let (mut late, mut again) = (sender.subscribe(), receiver.resubscribe());
    let mut beside = receiver.clone();
    assert_eq!(
        [receiver.len(), late.len(), again.len(), beside.len()],
        [1, 0, 0, 1]
    );
    sender.send(2).unwrap();
    assert_eq!(late.try_recv(), Ok(2));
    assert_eq!(again.try_recv(), Ok(2));
    assert_eq!((beside.try_recv(), beside.try_recv()), (Ok(1), Ok(2)));
    assert!(late.is_empty() && again.is_empty() && beside.is_empty());
    assert_eq!(late.try_recv(), Err(BroadcastTryRecvError::Empty));
    assert_eq!(receiver.len(), 2);
}

/// Told once, then it goes on with the oldest there is; and so again.
#[test]
fn a_slow_receiver_is_told_how_much_it_missed() {
    for capacity in 1..=5_u64 {
        let (sender, mut slow) = broadcast(usize::try_from(capacity).unwrap());
        let mut next = 0;
        let mut sent = 0;
        for more in 0..12 {
            (0..more).for_each(|n| assert_eq!(sender.send(sent + n), Ok(1)));
            sent += more;
            assert_eq!(slow.len() as u64, (sent - next).min(capacity));
            let missed = (sent - next).saturating_sub(capacity);
            if missed > 0 {
                assert_eq!(slow.try_recv(), Err(BroadcastTryRecvError::Lagged(missed)));
                next += missed;
            }
            // It takes all but one.
            while next + 1 < sent {
                assert_eq!(slow.try_recv(), Ok(next));
                next += 1;
            }
        }
    }
}

/// More is missed between being told and going on: told again.
#[test]
fn who_is_told_and_still_waits_is_told_again() {
    let (sender, mut slow) = broadcast(2);
    let mut beside = slow.clone();
    (0..5).for_each(|n| assert!(sender.send(n).is_ok()));
    let mut lagging = slow.clone();
    assert_eq!(slow.recv(), Err(BroadcastRecvError::Lagged(3)));
    (5..9).for_each(|n| assert!(sender.send(n).is_ok()));
    assert_eq!(slow.recv(), Err(BroadcastRecvError::Lagged(4)));
    assert_eq!((slow.recv(), slow.recv()), (Ok(7), Ok(8)));
    // A clone of one that has missed something has missed it, too.
    assert_eq!(lagging.recv(), Err(BroadcastRecvError::Lagged(7)));
    assert_eq!(beside.recv(), Err(BroadcastRecvError::Lagged(7)));
    assert_eq!(beside.recv(), Ok(7));
}

#[test]
fn sending_never_waits() {
    run(|| {
        let (sender, mut receiver) = broadcast(1);
        no_switch(|| (0..1000).for_each(|n| assert_eq!(sender.send(n), Ok(1))));
        assert_eq!(receiver.recv(), Err(BroadcastRecvError::Lagged(999)));
        assert_eq!(receiver.recv(), Ok(999));
    });
}

#[test]
fn without_receivers_the_value_comes_back() {
    let (sender, receiver) = broadcast(3);
    sender.send(Box::new(1)).unwrap();
    assert_eq!((sender.receiver_count(), sender.len()), (1, 1));
    drop(receiver);
    assert_eq!((sender.receiver_count(), sender.len()), (0, 0));
    assert_eq!(
        sender.send(Box::new(2)),
        Err(SendError::Disconnected(Box::new(2)))
    );
    assert!(!sender.is_closed(), "somebody may subscribe");
    let mut receiver = sender.subscribe();
    assert_eq!(sender.send(Box::new(3)), Ok(1));
    assert_eq!(receiver.try_recv(), Ok(Box::new(3)));
}

#[test]
fn the_last_receiver_gets_the_value_itself() {
    let census = Census::default();
    let (sender, mut only) = broadcast(4);
    for number in 0..3 {
        sender.send(census.value(number)).unwrap();
        assert_eq!(only.recv().unwrap().number, number);
    }
    assert_eq!(census.clones(), 0, "nobody else wanted them");
    let mut others = [only.clone(), only.clone(), only.clone()];
    sender.send(census.value(3)).unwrap();
    for receiver in &mut others {
        assert_eq!(receiver.recv().unwrap().number, 3);
    }
    assert_eq!(census.clones(), 3);
    assert_eq!(census.alive(), 1);
    assert_eq!(only.recv().unwrap().number, 3);
    assert_eq!((census.clones(), census.alive()), (3, 0));
}

#[test]
fn a_value_is_gone_when_everybody_has_seen_it() {
    let census = Census::default();
    let (sender, mut first) = broadcast(10);
    let mut second = first.clone();
    let third = first.clone();
    (0..6).for_each(|n| assert!(sender.send(census.value(n)).is_ok()));
    for _ in 0..4 {
        drop(first.recv().unwrap());
    }
    for _ in 0..2 {
        drop(second.recv().unwrap());
    }
    assert_eq!(
        (census.alive(), sender.len()),
        (6, 6),
        "the third has seen none"
    );
    drop(third);
    assert_eq!(
        (census.alive(), sender.len()),
        (4, 4),
        "the second has seen two"
    );
    drop(second);
    assert_eq!((census.alive(), sender.len()), (2, 2));
    drop(first);
    assert_eq!((census.alive(), sender.len()), (0, 0));
}

/// One that was overwritten is gone at once, however many have missed it.
#[test]
fn a_value_without_room_is_gone_at_once() {
    let census = Census::default();
    let (sender, receiver) = broadcast(2);
    let others = [receiver.clone(), receiver.clone()];
    for n in 0..10 {
        sender.send(census.value(n)).unwrap();
        assert_eq!(census.alive(), usize::try_from(n + 1).unwrap().min(2));
    }
    drop((receiver, others));
    assert_eq!((census.alive(), census.clones()), (0, 0));
}

#[test]
fn a_capacity_of_nothing_is_refused() {
    let text = panic_text(|| broadcast::<u32>(0));
    assert_eq!(text, "a broadcast needs room for at least one value");
}

#[test]
fn huge_capacities_cost_nothing() {
    for capacity in [usize::MAX, usize::MAX - 1] {
        let (sender, mut receiver) = broadcast(capacity);
        assert_eq!(sender.capacity(), capacity);
        (0..10_000).for_each(|n| assert_eq!(sender.send(n), Ok(1)));
        drop(sender);
        assert!(receiver.iter().eq((0..10_000).map(Ok)));
    }
}

#[test]
fn when_the_last_sender_goes_what_is_there_comes_first() {
    let (sender, mut receiver) = broadcast(4);
    let second = sender.clone();
    sender.send(1).unwrap();
    drop(sender);
    assert!(!receiver.is_closed());
    second.send(2).unwrap();
    drop(second);
    assert!(receiver.is_closed());
    assert_eq!((receiver.recv(), receiver.recv()), (Ok(1), Ok(2)));
    assert_eq!(receiver.recv(), Err(BroadcastRecvError::Disconnected));
    assert_eq!(
        receiver.try_recv(),
        Err(BroadcastTryRecvError::Disconnected)
    );
    assert_eq!(
        receiver.resubscribe().recv(),
        Err(BroadcastRecvError::Disconnected)
    );
}

#[test]
fn what_is_closed_takes_nothing_more() {
    let (sender, mut receiver) = broadcast(4);
    let second = sender.clone();
    sender.send(1).unwrap();
    assert!(!sender.is_closed() && !receiver.is_closed());
    second.close();
    receiver.close(); // it is closed
    assert!(sender.is_closed() && second.is_closed() && receiver.is_closed());
    assert_eq!(sender.send(2), Err(SendError::Disconnected(2)));
    assert_eq!(second.send(3).unwrap_err().into_inner(), 3);
    assert_eq!(receiver.recv(), Ok(1));
    assert_eq!(receiver.recv(), Err(BroadcastRecvError::Disconnected));
    assert_eq!(
        sender.subscribe().recv(),
        Err(BroadcastRecvError::Disconnected)
    );
}

#[test]
fn iterators_say_what_was_missed() {
    run(|| {
        let (sender, mut receiver) = broadcast(3);
        let mut owned = receiver.clone();
        let sending = spawn(move || {
            for n in 0..20 {
                sender.send(n).unwrap();
                if n % 10 == 9 {
                    yield_now();
                }
            }
        });
        let items: Vec<_> = receiver.iter().take(4).collect();
        assert_eq!(items, [Err(Lagged(7)), Ok(7), Ok(8), Ok(9)]);
        let items: Vec<_> = (&mut receiver).into_iter().collect();
        assert_eq!(items, [Err(Lagged(7)), Ok(17), Ok(18), Ok(19)]);
        assert_eq!(owned.recv(), Err(BroadcastRecvError::Lagged(17)));
        assert!(owned.into_iter().flatten().eq(17..20));
        sending.join().unwrap();
    });
}

#[test]
fn errors_speak() {
    assert_eq!(
        BroadcastRecvError::Lagged(1).to_string(),
        "the receiver was too slow, and has missed a value"
    );
    assert_eq!(
        Lagged(12).to_string(),
        "the receiver was too slow, and has missed 12 values"
    );
    let (sender, mut receiver) = broadcast::<u32>(2);
    let error = receiver.recv().unwrap_err();
    assert_eq!(error, BroadcastRecvError::WouldBlock);
    let text = error.to_string();
    assert!(text.contains("no runtime is running here"), "{text}");
    sender.send(1).unwrap();
    assert_eq!(
        format!("{sender:?} {receiver:?}"),
        "BroadcastSender { len: 1, capacity: 2, receivers: 1 } \
         BroadcastReceiver { len: 1, is_closed: false }"
    );
}

/// Woken in the order in which they came, and each before its second value.
#[test]
fn who_waits_is_woken_in_order() {
    let log = Log::new();
    run(|| {
        let (sender, receiver) = broadcast(4);
        let tasks: Vec<_> = (0..50)
            .map(|n| {
                let (mut receiver, log) = (receiver.clone(), log.clone());
                spawn(move || {
                    while let Ok(value) = receiver.recv() {
                        log.add((value, n));
                    }
                })
            })
            .collect();
        drop(receiver);
        yield_now();
        for value in 0..3 {
            no_switch(|| assert_eq!(sender.send(value), Ok(50)));
            assert_eq!(log.len(), value * 50, "sending lets nobody run");
            yield_now();
        }
        drop(sender);
        tasks.into_iter().for_each(|task| task.join().unwrap());
    });
    let wanted = (0..3).flat_map(|value| (0..50).map(move |n| (value, n)));
    assert_eq!(log.take(), wanted.collect::<Vec<_>>());
}
