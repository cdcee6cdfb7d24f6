//! Receivers that wait, and stop waiting: cancellation, limits of time, `select!`, the
//! budget, reports.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use greenroom::sync::{Event, RecvError, bounded, watch};
use greenroom::{
    Awaitable, CancelScope, Config, Delivery, Instant, RunError, Runtime, move_on_after, no_switch,
    park, run, scope, select, select_biased, sleep, spawn, timeout, try_run, yield_now,
};

use crate::number;
use crate::support::{Log, OnDrop, on_virtual, quiet_panic};

const MS: Duration = Duration::from_millis(1);

#[test]
fn a_change_that_is_there_is_not_waited_for() {
    run(|| {
        let (sender, mut receiver) = watch(1);
        sender.send(2).unwrap();
        assert_eq!(number(no_switch(|| receiver.changed())), Ok(2));
        drop(sender);
        let end = no_switch(|| receiver.changed());
        assert_eq!(end, Err(RecvError::Disconnected));
    });
}

#[test]
fn the_last_sender_gone_wakes_everybody() {
    run(|| {
        let (sender, receiver) = watch(0);
        let second = sender.clone();
        let tasks: Vec<_> = (0..6)
            .map(|n| {
                let mut receiver = receiver.clone();
                spawn(move || {
                    if n % 2 == 0 {
                        number(receiver.changed())
                    } else {
                        number(receiver.wait_for(|value| *value > 5))
                    }
                })
            })
            .collect();
        drop(sender);
        yield_now();
        assert!(tasks.iter().all(|task| !task.is_finished()));
        drop(second);
        for task in tasks {
            assert_eq!(task.join().unwrap(), Err(RecvError::Disconnected));
        }
    });
}

/// A value sent just before the last sender goes is not lost.
#[test]
fn the_last_value_comes_before_the_end() {
    run(|| {
        let (sender, mut receiver) = watch(0);
        let waiter = spawn(move || (number(receiver.changed()), receiver.changed()));
        yield_now();
        sender.send(1).unwrap();
        sender.send(2).unwrap();
        drop(sender);
        let end = Err(RecvError::Disconnected);
        assert_eq!(waiter.join().unwrap(), (Ok(2), end));
    });
}

#[test]
fn a_receiver_that_always_has_a_change_starves_nobody() {
    let turns = Rc::new(Cell::new(0));
    run(|| {
        let count = Rc::clone(&turns);
        spawn(move || {
            loop {
                count.set(count.get() + 1);
                yield_now();
            }
        });
        let (sender, mut receiver) = watch(0);
        for n in 1..=640 {
            sender.send(n).unwrap();
            assert_eq!(number(receiver.changed()), Ok(n));
            assert_eq!(number(receiver.wait_for(|_| true)), Ok(n));
        }
    });
    assert!((9..=11).contains(&turns.get()), "{}", turns.get());
}

/// Switched away from before it looks, a call that is cancelled there has seen nothing.
#[test]
fn nothing_is_seen_when_a_receiver_out_of_budget_is_cancelled() {
    for budget in 0..4 {
        let mut runtime = Runtime::with(Config::new().budget(budget));
        runtime.run(|| {
            let (sender, mut receiver) = watch(0);
            let cut_short = CancelScope::new();
            let mut seen = 0;
            cut_short.run(|| {
                for n in 1..10 {
                    sender.send(n).unwrap();
                    if n == 5 {
                        cut_short.cancel("enough");
                    }
                    seen = number(receiver.changed()).unwrap();
                }
            });
            if receiver.has_changed() {
                seen = number(receiver.changed()).unwrap();
            }
            assert_eq!(seen, *sender.get());
        });
    }
}

#[test]
fn a_change_wins_over_a_later_cancel() {
    let log = Log::new();
    run(|| {
        let (sender, mut receiver) = watch(0);
        let l = log.clone();
        let task = spawn(move || {
            l.add(number(receiver.changed()));
            l.add(number(receiver.changed()));
        });
        yield_now();
        sender.send(1).unwrap();
        task.cancel();
        assert!(task.join().unwrap_err().is_cancelled());
        assert_eq!(sender.receiver_count(), 0);
    });
    assert_eq!(log.take(), [Ok(1)]);
}

#[test]
fn a_wait_that_was_cut_short_has_seen_nothing() {
    on_virtual(|| {
        let (sender, mut receiver) = watch(0);
        let start = Instant::now();
        spawn(move || {
            for n in 1..=3 {
                sleep(10 * MS);
                sender.send(n).unwrap();
            }
            park();
        });
        let mut got = Vec::new();
        while got.len() < 3 {
            got.extend(move_on_after(3 * MS, || *receiver.changed().unwrap()));
        }
        assert_eq!((got, start.elapsed()), (vec![1, 2, 3], 30 * MS));
        receiver.mark_changed();
        let waited = timeout(3 * MS, || receiver.wait_for(|value| *value > 3).is_ok());
        assert!(waited.is_err() && receiver.has_changed());
    });
}

#[test]
fn while_the_task_unwinds_it_fails_instead_of_waiting() {
    let log = Log::new();
    run(|| {
        let (sender, mut receiver) = watch(0);
        sender.send(1).unwrap();
        let l = log.clone();
        let task = spawn(move || {
            let _guard = OnDrop(move || {
                l.add(number(receiver.changed()));
                l.add(number(receiver.changed()));
                l.add(number(receiver.wait_for(|value| *value > 1)));
                let got = select! { wait(&mut receiver) -> got => got, wait(&Event::new()) => Ok(Rc::new(9)) };
                l.add(number(got));
            });
            quiet_panic("on purpose");
        });
        assert!(task.join().unwrap_err().is_panic());
    });
    let cancelled = Err(RecvError::Cancelled);
    assert_eq!(log.take(), [Ok(1), cancelled, cancelled, cancelled]);
}

#[test]
fn with_delivery_by_errors_it_fails() {
    on_virtual(|| {
        let errors = || CancelScope::builder().delivery(Delivery::Error);
        let (sender, mut receiver) = watch(0);
        let limited = errors().deadline(Instant::now() + MS).build();
        let got = limited.run(|| number(receiver.changed()));
        assert_eq!(got, Some(Err(RecvError::Cancelled)));
        let cancelled = errors().build();
        cancelled.cancel("enough");
        let got = cancelled.run(|| {
            sender.send(5).unwrap();
            let first = number(receiver.changed());
            let second = number(receiver.wait_for(|value| *value == 5));
            (first, second, number(receiver.changed()))
        });
        let failed = Err(RecvError::Cancelled);
        assert_eq!(got, Some((Ok(5), Ok(5), failed)));
    });
}

#[test]
fn on_a_plain_thread_it_never_waits() {
    let (sender, mut receiver) = watch(0);
    assert_eq!(receiver.changed(), Err(RecvError::WouldBlock));
    assert_eq!(
        receiver.wait_for(|value| *value > 0),
        Err(RecvError::WouldBlock)
    );
    sender.send(1).unwrap();
    assert_eq!(number(receiver.wait_for(|value| *value > 0)), Ok(1));
    sender.send(2).unwrap();
    assert_eq!(number(receiver.changed()), Ok(2));
    drop(sender);
    assert_eq!(receiver.changed(), Err(RecvError::Disconnected));
}

#[test]
#[expect(clippy::mem_forget, reason = "that is what is tried")]
fn a_sender_that_is_forgotten_is_a_deadlock_with_a_name() {
    let ended = try_run(|| {
        let (sender, mut receiver) = watch(0);
        std::mem::forget(sender);
        number(receiver.changed())
    });
    let Err(RunError::Deadlock(deadlock)) = ended else {
        panic!("nobody can send: {ended:?}");
    };
    assert_eq!(deadlock.tasks()[0].waits_for, "a new value in a watch");
    let (sender, receiver) = watch(0);
    std::mem::forget(receiver);
    sender.send(1).unwrap(); // as if somebody were there
}

// `select!` and the await-style face.

#[test]
fn an_arm_gives_what_changed_would() {
    on_virtual(|| {
        let (sender, mut receiver) = watch(0);
        let (_never, other) = bounded::<u32>(0);
        let mut choose = || {
            select! {
                wait(&mut receiver) -> got => number(got).map_err(Some),
                recv(other) -> _ => unreachable!(),
                after(MS) => Err(None),
            }
        };
        assert_eq!(choose(), Err(None));
        (1..4).for_each(|n| assert_eq!(sender.send(n), Ok(())));
        assert_eq!(no_switch(&mut choose), Ok(3));
        assert_eq!(choose(), Err(None));
        let later = spawn(move || {
            yield_now();
            sender.send(4).unwrap();
            sender.send(5).unwrap();
            sender
        });
        assert_eq!(choose(), Ok(5));
        let sender = later.join().unwrap();
        spawn(move || drop(sender));
        let end = Err(Some(RecvError::Disconnected));
        assert_eq!(choose(), end);
        assert_eq!(no_switch(&mut choose), end, "it is known already");
    });
}

#[test]
fn an_arm_that_was_not_chosen_has_seen_nothing() {
    run(|| {
        let (sender, mut receiver) = watch(0);
        let mut second = receiver.clone();
        let event = Event::new();
        event.set();
        sender.send(5).unwrap();
        select_biased! {
            wait(&event) => {}
            wait(&mut receiver) -> _ => unreachable!(),
        }
        assert!(receiver.has_changed());
        let first = select_biased! {
            wait(&mut receiver) -> got => (1, number(got)),
            wait(&mut second) -> got => (2, number(got)),
        };
        assert_eq!(first, (1, Ok(5)));
        let waiter = spawn(move || {
            second.mark_unchanged();
            let (which, got) = select! {
                wait(&mut receiver) -> got => (1, number(got)),
                wait(&mut second) -> got => (2, number(got)),
            };
            let unseen = [receiver.has_changed(), second.has_changed()];
            (got, unseen[which % 2], unseen[which - 1])
        });
        yield_now();
        sender.send(6).unwrap();
        assert_eq!(waiter.join().unwrap(), (Ok(6), true, false));
    });
}

#[test]
fn a_selection_that_was_decided_wins_over_a_later_cancel() {
    let log = Log::new();
    run(|| {
        let (sender, mut receiver) = watch(0);
        let l = log.clone();
        let task = spawn(move || {
            l.add(select! {
                wait(&mut receiver) -> got => number(got),
                wait(&Event::new()) => unreachable!(),
            });
            park();
            l.add(Ok(99));
        });
        yield_now();
        sender.send(5).unwrap();
        task.cancel();
        assert!(task.join().unwrap_err().is_cancelled());
    });
    assert_eq!(log.take(), [Ok(5)]);
}

#[test]
fn it_can_be_waited_for_in_the_await_style() {
    fn wait_for<A: Awaitable>(what: A) -> A::Output {
        what.wait()
    }
    on_virtual(|| {
        let (sender, mut receiver) = watch(0);
        assert!(timeout(MS, || number(wait_for(&mut receiver))).is_err());
        scope(|s| {
            s.spawn(|| {
                sleep(MS);
                sender.send(5).unwrap();
            });
            assert_eq!(number(wait_for(&mut receiver)), Ok(5));
        });
    });
}
