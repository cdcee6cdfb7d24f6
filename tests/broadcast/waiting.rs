//! Receivers that wait, and stop waiting: cancellation, limits of time, `select!`, the
//! budget, reports.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use greenroom::sync::{BroadcastReceiver, BroadcastRecvError, Event, bounded, broadcast};
use greenroom::{
    Awaitable, CancelScope, Config, Delivery, Instant, RunError, Runtime, move_on_after, no_switch,
    park, run, scope, select, select_biased, sleep, spawn, timeout, try_run, yield_now,
};

use crate::support::{Log, OnDrop, on_virtual, quiet_panic};

const MS: Duration = Duration::from_millis(1);

#[test]
fn a_value_that_is_there_is_not_waited_for() {
    run(|| {
        let (sender, mut receiver) = broadcast(4);
        sender.send(1).unwrap();
        assert_eq!(no_switch(|| receiver.recv()), Ok(1));
        drop(sender);
        let end = no_switch(|| receiver.recv());
        assert_eq!(end, Err(BroadcastRecvError::Disconnected));
    });
}

#[test]
fn the_last_sender_gone_wakes_everybody() {
    for closes in [None, Some(true), Some(false)] {
        run(|| {
            let (sender, receiver) = broadcast::<u32>(4);
            let second = sender.clone();
            let tasks: Vec<_> = (0..5)
                .map(|_| {
                    let mut receiver = receiver.clone();
                    spawn(move || receiver.recv())
                })
                .collect();
            drop(sender);
            yield_now();
            assert!(tasks.iter().all(|task| !task.is_finished()));
            match closes {
                None => drop(second),
                Some(true) => second.close(),
                Some(false) => receiver.close(),
            }
            for task in tasks {
                assert_eq!(task.join().unwrap(), Err(BroadcastRecvError::Disconnected));
            }
        });
    }
}

/// Its first value may be gone by the time a receiver runs.
#[test]
fn who_was_woken_may_have_missed_something() {
    run(|| {
        let (sender, mut receiver) = broadcast(2);
        let waiter = spawn(move || (receiver.recv(), receiver.recv()));
        yield_now();
        (0..5).for_each(|n| assert_eq!(sender.send(n), Ok(1)));
        let missed = Err(BroadcastRecvError::Lagged(3));
        assert_eq!(waiter.join().unwrap(), (missed, Ok(3)));
    });
}

#[test]
fn a_receiver_that_always_has_something_starves_nobody() {
    let turns = Rc::new(Cell::new(0));
    run(|| {
        let count = Rc::clone(&turns);
        spawn(move || {
            loop {
                count.set(count.get() + 1);
                yield_now();
            }
        });
        let (sender, mut receiver) = broadcast(1);
        for n in 0..1280 {
            sender.send(n).unwrap();
            assert_eq!(receiver.recv(), Ok(n));
        }
    });
    assert!((9..=11).contains(&turns.get()), "{}", turns.get());
}

/// What was not received is still unread, also where the receiver's task was cancelled
/// because its budget was used up.
#[test]
fn no_value_is_lost_when_a_receiver_out_of_budget_is_cancelled() {
    for budget in 0..6 {
        let log = Log::new();
        let mut runtime = Runtime::with(Config::new().budget(budget));
        let mut rest: BroadcastReceiver<u32> = runtime.run(|| {
            let (sender, mut receiver) = broadcast(usize::MAX);
            for n in 0..20 {
                sender.send(n).unwrap();
            }
            let l = log.clone();
            let mut lent = Some(());
            while lent.take().is_some() {
                let cut_short = CancelScope::new();
                cut_short.run(|| {
                    while let Ok(n) = receiver.recv() {
                        l.add(n);
                        if n == 7 {
                            cut_short.cancel("enough");
                        }
                    }
                });
            }
            receiver
        });
        let mut all = log.take();
        assert!(all.len() >= 8, "{all:?}");
        all.extend(rest.iter().flatten());
        assert!(all.iter().copied().eq(0..20), "{budget}: {all:?}");
    }
}

#[test]
fn a_value_that_was_sent_wins_over_a_later_cancel() {
    let log = Log::new();
    run(|| {
        let (sender, mut receiver) = broadcast(4);
        let l = log.clone();
        let task = spawn(move || {
            l.add(receiver.recv().unwrap());
            l.add(receiver.recv().unwrap());
            l.add(receiver.recv().unwrap());
        });
        yield_now();
        sender.send(1).unwrap();
        sender.send(2).unwrap();
        task.cancel();
        assert!(task.join().unwrap_err().is_cancelled());
        assert_eq!(sender.receiver_count(), 0);
    });
    assert_eq!(log.take(), [1, 2]);
}

#[test]
fn a_wait_that_was_cut_short_has_taken_nothing() {
    on_virtual(|| {
        let (sender, mut receiver) = broadcast(4);
        let start = Instant::now();
        spawn(move || {
            for n in 0..3 {
                sleep(10 * MS);
                sender.send(n).unwrap();
            }
            park();
        });
        let mut got = Vec::new();
        while got.len() < 3 {
            got.extend(move_on_after(3 * MS, || receiver.recv().unwrap()));
        }
        assert_eq!(got, [0, 1, 2]);
        assert_eq!(start.elapsed(), 30 * MS);
    });
}

#[test]
fn while_the_task_unwinds_it_fails_instead_of_waiting() {
    let log = Log::new();
    run(|| {
        let (sender, mut receiver) = broadcast(1);
        (1..=2).for_each(|n| assert_eq!(sender.send(n), Ok(1)));
        let l = log.clone();
        let task = spawn(move || {
            let _guard = OnDrop(move || {
                for _ in 0..3 {
                    l.add(receiver.recv());
                }
                l.add(select! { wait(&mut receiver) -> got => got, wait(&Event::new()) => Ok(9) });
            });
            quiet_panic("on purpose");
        });
        assert!(task.join().unwrap_err().is_panic());
    });
    let cancelled = Err(BroadcastRecvError::Cancelled);
    let missed = Err(BroadcastRecvError::Lagged(1));
    assert_eq!(log.take(), [missed, Ok(2), cancelled, cancelled]);
}

#[test]
fn with_delivery_by_errors_it_fails() {
    on_virtual(|| {
        let errors = || CancelScope::builder().delivery(Delivery::Error);
        let (sender, mut receiver) = broadcast(4);
        let limited = errors().deadline(Instant::now() + MS).build();
        let received = limited.run(|| receiver.recv());
        assert_eq!(received, Some(Err(BroadcastRecvError::Cancelled)));
        let cancelled = errors().build();
        cancelled.cancel("enough");
        let received = cancelled.run(|| {
            assert!(receiver.iter().next().is_none(), "it ends");
            sender.send(5).unwrap();
            (receiver.recv(), receiver.recv())
        });
        let failed = Err(BroadcastRecvError::Cancelled);
        assert_eq!(received, Some((Ok(5), failed)));
    });
}

#[test]
fn on_a_plain_thread_it_never_waits() {
    let (sender, mut receiver) = broadcast(4);
    assert_eq!(receiver.recv(), Err(BroadcastRecvError::WouldBlock));
    assert_eq!(receiver.iter().next(), None);
    sender.send(1).unwrap();
    assert_eq!(receiver.recv(), Ok(1));
    drop(sender);
    assert_eq!(receiver.recv(), Err(BroadcastRecvError::Disconnected));
}

#[test]
#[expect(clippy::mem_forget, reason = "that is what is tried")]
fn a_sender_that_is_forgotten_is_a_deadlock_with_a_name() {
    let ended = try_run(|| {
        let (sender, mut receiver) = broadcast::<u32>(1);
        std::mem::forget(sender);
        receiver.recv()
    });
    let Err(RunError::Deadlock(deadlock)) = ended else {
        panic!("nobody can send: {ended:?}");
    };
    assert_eq!(deadlock.tasks()[0].waits_for, "a value of a broadcast");
}

/// It keeps its place; values come and go by room alone.
#[test]
#[expect(clippy::mem_forget, reason = "that is what is tried")]
fn a_receiver_that_is_forgotten_is_only_slow() {
    let (sender, mut receiver) = broadcast(3);
    std::mem::forget(receiver.clone());
    for n in 0..10 {
        assert_eq!(sender.send(n), Ok(2));
        assert_eq!(receiver.recv(), Ok(n));
    }
    assert_eq!(sender.len(), 3);
}

// `select!` and the await-style face.

#[test]
fn an_arm_gives_what_recv_would() {
    on_virtual(|| {
        let (sender, mut receiver) = broadcast(2);
        let (_never, other) = bounded::<u32>(0);
        let mut choose = || {
            select! {
                wait(&mut receiver) -> got => got.map_err(Some),
                recv(other) -> _ => unreachable!(),
                after(MS) => Err(None),
            }
        };
        assert_eq!(choose(), Err(None));
        (0..3).for_each(|n| assert_eq!(sender.send(n), Ok(1)));
        assert_eq!(
            no_switch(&mut choose),
            Err(Some(BroadcastRecvError::Lagged(1)))
        );
        assert_eq!(no_switch(&mut choose), Ok(1));
        assert_eq!(no_switch(&mut choose), Ok(2));
        let later = spawn(move || {
            yield_now();
            sender.send(3).unwrap();
            sender
        });
        assert_eq!(choose(), Ok(3));
        let sender = later.join().unwrap();
        spawn(move || drop(sender));
        let end = Err(Some(BroadcastRecvError::Disconnected));
        assert_eq!(choose(), end);
        assert_eq!(no_switch(&mut choose), end, "it is known already");
    });
}

#[test]
fn an_arm_that_was_not_chosen_has_taken_nothing() {
    run(|| {
        let (sender, mut receiver) = broadcast(4);
        let mut second = receiver.clone();
        let event = Event::new();
        event.set();
        sender.send(5).unwrap();
        select_biased! {
            wait(&event) => {}
            wait(&mut receiver) -> _ => unreachable!(),
        }
        assert_eq!((receiver.len(), sender.len()), (1, 1));
        // Two arms of one broadcast.
        let first = select_biased! {
            wait(&mut receiver) -> got => (1, got),
            wait(&mut second) -> got => (2, got),
        };
        assert_eq!(first, (1, Ok(5)));
        let then = select! {
            wait(&mut receiver) -> got => (1, got),
            wait(&mut second) -> got => (2, got),
        };
        assert_eq!(then, (2, Ok(5)));
        let waiter = spawn(move || {
            let first = select! {
                wait(&mut receiver) -> got => (1, got),
                wait(&mut second) -> got => (2, got),
            };
            (first, receiver.len() + second.len())
        });
        yield_now();
        sender.send(6).unwrap();
        let ((_, got), left) = waiter.join().unwrap();
        assert_eq!((got, left), (Ok(6), 1), "the other is still to be seen");
    });
}

/// Both a value and an end of time at the same moment: each arm has its turns.
#[test]
fn an_arm_among_others_that_are_ready_has_its_share() {
    run(|| {
        let (sender, mut receiver) = broadcast(usize::MAX);
        let (values, other) = bounded(usize::MAX);
        (0..1000).for_each(|n| assert!(sender.send(n).is_ok() && values.send(n).is_ok()));
        let mut counts = [0, 0];
        for _ in 0..1000 {
            select! {
                wait(&mut receiver) -> got => {
                    assert_eq!(got, Ok(counts[0]));
                    counts[0] += 1;
                }
                recv(other) -> _ => counts[1] += 1,
            }
        }
        assert_eq!(counts[0] + counts[1], 1000);
    });
}

#[test]
fn a_selection_that_was_decided_wins_over_a_later_cancel() {
    let log = Log::new();
    run(|| {
        let (sender, mut receiver) = broadcast(4);
        let l = log.clone();
        let task = spawn(move || {
            l.add(select! {
                wait(&mut receiver) -> got => got.unwrap(),
                wait(&Event::new()) => unreachable!(),
            });
            park();
            l.add(99);
        });
        yield_now();
        sender.send(5).unwrap();
        task.cancel();
        assert!(task.join().unwrap_err().is_cancelled());
    });
    assert_eq!(log.take(), [5]);
}

#[test]
fn it_can_be_waited_for_in_the_await_style() {
    fn wait_for<A: Awaitable>(what: A) -> A::Output {
        what.wait()
    }
    on_virtual(|| {
        let (sender, mut receiver) = broadcast(4);
        assert!(timeout(MS, || wait_for(&mut receiver)).is_err());
        scope(|s| {
            s.spawn(|| {
                sleep(MS);
                sender.send(5).unwrap();
            });
            assert_eq!(wait_for(&mut receiver), Ok(5));
        });
    });
}
