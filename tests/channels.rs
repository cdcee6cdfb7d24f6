//! The promise: a channel keeps order, hands over to whoever waits longest, loses
//! nothing, and gives values back with every error.

#![cfg(unix)]

mod support;

#[path = "channels/model.rs"]
mod against_the_model;
#[path = "channels/closing.rs"]
mod closing;
#[path = "queues/every_schedule.rs"]
mod every_schedule;
#[path = "queues/model.rs"]
mod model;
#[path = "queues/program.rs"]
mod program;
#[path = "channels/random.rs"]
mod random;

use std::cell::Cell;
use std::rc::Rc;

use greenroom::sync::{
    RecvError, SendError, Sender, TryRecvError, TrySendError, bounded, unbounded,
};
use greenroom::{Config, Runtime, run, spawn, yield_now};
use support::{Log, OnDrop, on_virtual};

#[test]
fn a_rendezvous_waits_for_its_receiver() {
    let log = Log::new();
    run(|| {
        let (send, receive) = bounded(0);
        let l = log.clone();
        let sender = spawn(move || {
            for n in 0..3 {
                send.send(n).unwrap();
                l.add(format!("sent {n}"));
            }
        });
        for _ in 0..5 {
            yield_now();
        }
        assert!(log.take().is_empty());
        assert!(receive.is_empty());
        for n in 0..3 {
            assert_eq!(receive.recv(), Ok(n));
            log.add(format!("received {n}"));
            yield_now();
        }
        sender.join().unwrap();
        assert_eq!(receive.recv(), Err(RecvError::Disconnected));
    });
    let said = log.take();
    for n in 0..3 {
        let at = |line: String| said.iter().position(|l| *l == line).unwrap();
        assert!(
            at(format!("sent {n}")) > at(format!("received {n}")) || n == 0,
            "{said:?}"
        );
    }
    assert_eq!(said.len(), 6);
}

#[test]
fn a_bounded_channel_holds_its_capacity_and_no_more() {
    run(|| {
        for capacity in [1usize, 2, 10] {
            let (send, receive) = bounded(capacity);
            assert_eq!(
                (send.capacity(), receive.capacity()),
                (Some(capacity), Some(capacity))
            );
            for n in 0..capacity {
                send.try_send(n).unwrap();
            }
            assert_eq!(send.try_send(99), Err(TrySendError::Full(99)));
            assert_eq!((send.len(), receive.len()), (capacity, capacity));
            let s = send.clone();
            let waiting = spawn(move || s.send(capacity));
            yield_now();
            assert!(!waiting.is_finished());
            assert_eq!(receive.try_recv(), Ok(0));
            assert_eq!(
                send.try_send(99),
                Err(TrySendError::Full(99)),
                "nobody barges in"
            );
            drop(send);
            assert_eq!(
                receive.iter().collect::<Vec<_>>(),
                (1..=capacity).collect::<Vec<_>>()
            );
            waiting.join().unwrap().unwrap();
        }
    });
}

#[test]
fn huge_capacities_cost_nothing() {
    run(|| {
        for (send, receive) in [bounded(usize::MAX), unbounded(), bounded(usize::MAX - 1)] {
            for n in 0..10_000 {
                send.send(n).unwrap();
            }
            drop(send);
            assert!(receive.into_iter().eq(0..10_000));
        }
        assert_eq!(bounded::<u8>(usize::MAX).0.capacity(), None);
        assert_eq!(unbounded::<u8>().1.capacity(), None);
        assert_eq!(
            bounded::<u8>(usize::MAX - 1).0.capacity(),
            Some(usize::MAX - 1)
        );
    });
}

/// Receivers are served in the order in which they came to wait, senders too.
#[test]
fn whoever_waits_longest_is_served_first() {
    let log = Log::new();
    run(|| {
        let (send, receive) = bounded(0);
        for n in 0..5 {
            let (log, receive) = (log.clone(), receive.clone());
            spawn(move || log.add((n, receive.recv().unwrap())));
        }
        yield_now();
        for value in 10..15 {
            send.send(value).unwrap();
        }
        yield_now();
        assert_eq!(log.take(), [(0, 10), (1, 11), (2, 12), (3, 13), (4, 14)]);
        let senders: Vec<_> = (0..5)
            .map(|n| {
                let send = send.clone();
                spawn(move || send.send(n).unwrap())
            })
            .collect();
        yield_now();
        for n in 0..5 {
            assert_eq!(receive.recv(), Ok(n));
        }
        senders.into_iter().for_each(|task| task.join().unwrap());
    });
}

/// A value handed to a waiting receiver is its own: one that comes meanwhile
/// cannot take it.
#[test]
fn nobody_barges_past_a_waiting_receiver() {
    run(|| {
        for capacity in [0, 1, 5] {
            let (send, receive) = bounded(capacity);
            let r = receive.clone();
            let waiting = spawn(move || r.recv());
            yield_now();
            send.try_send("first").unwrap();
            assert_eq!(receive.try_recv(), Err(TryRecvError::Empty));
            assert_eq!(waiting.join().unwrap(), Ok("first"));
        }
    });
}

#[test]
fn every_error_gives_the_value_back() {
    let (send, receive) = bounded(1);
    let value = |n: u32| Box::new(n);
    assert_eq!(send.send(value(1)), Ok(()));
    // On a plain thread nobody could make room.
    assert_eq!(send.send(value(2)), Err(SendError::WouldBlock(value(2))));
    assert_eq!(*send.try_send(value(3)).unwrap_err().into_inner(), 3);
    drop(receive);
    assert_eq!(send.send(value(4)), Err(SendError::Disconnected(value(4))));
    assert_eq!(
        send.try_send(value(5)),
        Err(TrySendError::Disconnected(value(5)))
    );
    assert!(send.is_closed());
    run(|| {
        let (send, receive) = bounded(0);
        let waiting = spawn(move || send.send(value(6)));
        yield_now();
        drop(receive);
        assert_eq!(waiting.join().unwrap().unwrap_err().into_inner(), value(6));
    });
}

#[test]
fn on_a_plain_thread_nothing_waits() {
    let (send, receive) = bounded(2);
    send.send(1).unwrap();
    send.send(2).unwrap();
    assert_eq!((receive.recv(), receive.try_recv()), (Ok(1), Ok(2)));
    assert_eq!(receive.recv(), Err(RecvError::WouldBlock));
    assert_eq!(receive.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(receive.iter().next(), None);
    drop(send);
    assert_eq!(receive.recv(), Err(RecvError::Disconnected));
    let (send, _receive) = bounded::<u8>(0);
    assert_eq!(send.send(1), Err(SendError::WouldBlock(1)));
    let text = RecvError::WouldBlock.to_string();
    assert!(text.contains("no runtime is running here"), "{text}");
}

#[test]
fn the_last_sender_gone_wakes_every_receiver() {
    run(|| {
        let (send, receive) = bounded::<u8>(3);
        let receivers: Vec<_> = (0..5)
            .map(|_| {
                let receive = receive.clone();
                spawn(move || receive.recv())
            })
            .collect();
        let second = send.clone();
        yield_now();
        drop(send);
        yield_now();
        assert!(receivers.iter().all(|task| !task.is_finished()));
        second.send(1).unwrap();
        drop(second);
        let got: Vec<_> = receivers
            .into_iter()
            .map(|task| task.join().unwrap())
            .collect();
        let gone = Err(RecvError::Disconnected);
        assert_eq!(got, [Ok(1), gone, gone, gone, gone]);
    });
}

#[test]
fn the_last_receiver_gone_wakes_every_sender() {
    run(|| {
        let (send, receive) = bounded(1);
        let senders: Vec<_> = (0..5)
            .map(|n| {
                let send = send.clone();
                spawn(move || send.send(n))
            })
            .collect();
        yield_now();
        drop(receive);
        let got: Vec<_> = senders
            .into_iter()
            .map(|task| task.join().unwrap())
            .collect();
        assert_eq!(got[0], Ok(()));
        for (n, result) in got.into_iter().enumerate().skip(1) {
            assert_eq!(result, Err(SendError::Disconnected(n)));
        }
    });
}

/// Values nobody took are dropped with the last receiver, once; what they do to
/// the channel then is an error and no harm.
#[test]
fn values_whose_destructors_use_the_channel() {
    struct Loud {
        send: Sender<Loud>,
        dropped: Rc<Cell<u32>>,
        again: bool,
    }
    impl Drop for Loud {
        fn drop(&mut self) {
            self.dropped.set(self.dropped.get() + 1);
            assert!(self.send.is_closed() && self.send.is_empty());
            if self.again {
                let another = Loud {
                    send: self.send.clone(),
                    dropped: Rc::clone(&self.dropped),
                    again: false,
                };
                assert!(self.send.try_send(another).is_err());
            }
        }
    }
    let dropped = Rc::new(Cell::new(0));
    let body = || {
        let (send, receive) = unbounded();
        for _ in 0..10 {
            let value = Loud {
                send: send.clone(),
                dropped: Rc::clone(&dropped),
                again: true,
            };
            assert!(send.try_send(value).is_ok());
        }
        drop(receive);
    };
    body();
    assert_eq!(dropped.take(), 20);
    run(body);
    assert_eq!(dropped.take(), 20);
    assert_eq!(Rc::strong_count(&dropped), 1, "nothing was leaked");
}

#[test]
fn iterators() {
    run(|| {
        let (send, receive) = bounded(2);
        let sender = spawn(move || (0..10).for_each(|n| send.send(n).unwrap()));
        assert_eq!(receive.try_iter().count(), 0);
        yield_now();
        assert_eq!(receive.try_iter().take(2).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(receive.iter().take(3).collect::<Vec<_>>(), [2, 3, 4]);
        assert_eq!((&receive).into_iter().take(2).collect::<Vec<_>>(), [5, 6]);
        assert_eq!(receive.into_iter().collect::<Vec<_>>(), [7, 8, 9]);
        sender.join().unwrap();
    });
}

#[test]
fn many_senders_and_many_receivers() {
    for capacity in [0, 1, 7, usize::MAX] {
        let all = run(move || {
            let (send, receive) = bounded(capacity);
            for sender in 0..20 {
                let send = send.clone();
                spawn(move || {
                    for n in 0..50 {
                        send.send((sender, n)).unwrap();
                    }
                });
            }
            drop(send);
            let receivers: Vec<_> = (0..7)
                .map(|_| {
                    let receive = receive.clone();
                    spawn(move || receive.iter().collect::<Vec<(i32, i32)>>())
                })
                .collect();
            drop(receive);
            let parts = receivers.into_iter().map(|task| task.join().unwrap());
            let parts: Vec<_> = parts.collect();
            for part in &parts {
                for sender in 0..20 {
                    let of_one = part.iter().filter(|(s, _)| *s == sender).map(|(_, n)| n);
                    assert!(of_one.is_sorted());
                }
            }
            let mut all = parts.concat();
            all.sort_unstable();
            all
        });
        let wanted: Vec<_> = (0..20).flat_map(|s| (0..50).map(move |n| (s, n))).collect();
        assert_eq!(all, wanted);
    }
}

// Cancelled at the end of main.

/// A receiver that was handed a value before it was cancelled returns it; what it
/// does with the value then is done.
#[test]
fn a_value_handed_over_is_not_lost_when_the_receiver_is_cancelled() {
    let log = Log::new();
    run(|| {
        let (send, receive) = bounded(0);
        let l = log.clone();
        spawn(move || {
            while let Ok(n) = receive.recv() {
                l.add(n);
            }
        });
        yield_now();
        send.try_send(7).unwrap(); // in the hand of a receiver that never ran on
    });
    assert_eq!(log.take(), [7]);
}

/// Whatever was sent was received or is still in the channel, also where a
/// receiver was switched away from because its budget was used up.
#[test]
fn no_value_is_lost_when_a_receiver_out_of_budget_is_cancelled() {
    for budget in 0..6 {
        let log = Log::new();
        let mut rt = Runtime::with(Config::new().budget(budget));
        let rest = rt.run(|| {
            let (send, receive) = unbounded();
            for n in 0..20 {
                send.try_send(n).unwrap();
            }
            let (l, r) = (log.clone(), receive.clone());
            drop(spawn(move || {
                while let Ok(n) = r.recv() {
                    l.add(n);
                }
            }));
            yield_now();
            receive
        });
        let mut all = log.take();
        all.extend(rest.try_iter());
        assert_eq!(
            all,
            (0..20).collect::<Vec<_>>(),
            "with a budget of {budget}"
        );
    }
}

/// A sender that was cancelled while it waited did not send.
#[test]
fn a_sender_cancelled_while_it_waits_did_not_send() {
    let dropped = Rc::new(Cell::new(0));
    let rest = run(|| {
        let (send, receive) = bounded(1);
        for _ in 0..3 {
            let (send, dropped) = (send.clone(), Rc::clone(&dropped));
            spawn(move || {
                let value = OnDrop(move || dropped.set(dropped.get() + 1));
                let _never = send.send(value).is_ok();
            });
        }
        yield_now();
        receive
    });
    assert_eq!(dropped.get(), 2);
    assert_eq!(rest.len(), 1);
    assert_eq!(rest.try_iter().count(), 1);
    assert_eq!(dropped.get(), 3);
}

/// A pipeline of many stages keeps the order from end to end.
#[test]
fn a_long_pipeline_keeps_order() {
    on_virtual(|| {
        let (first, mut last) = bounded(1);
        for stage in 0..50 {
            let (send, receive) = bounded(stage % 3);
            let before = std::mem::replace(&mut last, receive);
            spawn(move || {
                for n in before {
                    send.send(n + 1).unwrap();
                }
            });
        }
        spawn(move || (0..100).for_each(|n| first.send(n).unwrap()));
        assert_eq!(
            last.iter().collect::<Vec<_>>(),
            (50..150).collect::<Vec<_>>()
        );
    });
}
