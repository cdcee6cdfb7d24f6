//! The promise: an event hands itself to everyone who waits, in order; a oneshot
//! brings one value, or says that none will come, and loses none; both can be
//! waited for in the await-style way, as receivers, timers and intervals can.

#![cfg(unix)]

mod support;

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use greenroom::sync::{
    Event, OneshotReceiver, OneshotSender, RecvError, SendError, TryRecvError, bounded, oneshot,
};
use greenroom::testing::{self, Random};
use greenroom::{
    Awaitable, CancelScope, Delivery, Instant, RunError, Timer, interval, move_on_after, no_switch,
    park, run, scope, shield, sleep, spawn, timeout, try_run, yield_now,
};
use support::{Log, OnDrop, on_virtual, panic_text, quiet_panic};

const MS: Duration = Duration::from_millis(1);

/// A value that counts its drops.
fn counted(drops: &Rc<Cell<u32>>) -> OnDrop<impl FnMut() + use<>> {
    let drops = Rc::clone(drops);
    OnDrop(move || drops.set(drops.get() + 1))
}

/// Spawns a task that waits for an event and then says its number.
fn waiter(event: &Rc<Event>, log: &Log<u32>, number: u32) -> greenroom::JoinHandle<()> {
    let (event, log) = (Rc::clone(event), log.clone());
    spawn(move || {
        event.wait();
        log.add(number);
    })
}

// Events: who waits, and who is woken.

#[test]
fn set_wakes_all_in_the_order_in_which_they_came() {
    let log = Log::new();
    run(|| {
        let event = Rc::new(Event::new());
        let tasks: Vec<_> = (0..100).map(|n| waiter(&event, &log, n)).collect();
        for _ in 0..3 {
            yield_now();
        }
        assert_eq!(log.len(), 0, "nobody goes on before it is set");
        no_switch(|| event.set());
        assert_eq!(log.len(), 0, "set lets nobody run");
        tasks.into_iter().for_each(|task| task.join().unwrap());
    });
    assert_eq!(log.take(), (0..100).collect::<Vec<_>>());
}

#[test]
fn what_has_happened_is_not_waited_for() {
    let event = Event::default();
    assert!(!event.is_set());
    event.set();
    event.set();
    assert!(event.is_set());
    run(|| no_switch(|| event.wait()));
    assert!(event.is_set(), "waiting does not take it");
    assert_eq!(format!("{event:?}"), "Event { is_set: true }");
}

/// A task that finds its event set again and again does not starve the others.
#[test]
fn an_event_that_is_set_uses_up_the_budget() {
    let turns = Rc::new(Cell::new(0));
    run(|| {
        let count = Rc::clone(&turns);
        spawn(move || {
            loop {
                count.set(count.get() + 1);
                yield_now();
            }
        });
        let event = Event::new();
        event.set();
        for _ in 0..128 * 10 {
            event.wait();
        }
    });
    assert!((9..=11).contains(&turns.get()), "{}", turns.get());
}

#[test]
fn a_waiter_that_was_woken_goes_on_though_the_event_is_cleared() {
    let log = Log::new();
    on_virtual(|| {
        let event = Rc::new(Event::new());
        let early = waiter(&event, &log, 1);
        yield_now();
        event.set();
        event.clear();
        assert!(!event.is_set());
        let late = waiter(&event, &log, 2);
        early.join().unwrap();
        sleep(MS);
        assert!(!late.is_finished(), "it came after the clear");
        event.set();
        late.join().unwrap();
    });
    assert_eq!(log.take(), [1, 2]);
}

/// One set, one step on, for each: a task that comes back to wait is not woken twice.
#[test]
fn each_set_lets_each_waiter_on_once() {
    let log = Log::new();
    on_virtual(|| {
        let gong = Rc::new(Event::new());
        for n in 0..3 {
            let (gong, log) = (Rc::clone(&gong), log.clone());
            spawn(move || {
                loop {
                    gong.wait();
                    log.add(n);
                }
            });
        }
        for _ in 0..4 {
            sleep(MS);
            gong.set();
            gong.clear();
        }
        sleep(MS);
    });
    assert_eq!(log.take(), [0, 1, 2].repeat(4));
}

#[test]
fn children_of_a_scope_may_borrow_it() {
    run(|| {
        let (event, passed) = (Event::new(), Cell::new(0));
        scope(|s| {
            for _ in 0..3 {
                s.spawn(|| {
                    event.wait();
                    passed.set(passed.get() + 1);
                });
            }
            yield_now();
            event.set();
        });
        assert_eq!(passed.get(), 3);
    });
}

#[test]
fn under_any_schedule_everyone_is_let_on() {
    for seed in 0..200 {
        let program = || {
            let (event, log) = (Rc::new(Event::new()), Log::new());
            let tasks: Vec<_> = (0..8).map(|n| waiter(&event, &log, n)).collect();
            yield_now();
            event.set();
            event.clear();
            yield_now();
            event.set();
            tasks.into_iter().for_each(|task| task.join().unwrap());
            log.len()
        };
        assert_eq!(testing::run(Random::seeded(seed), program).value, 8);
    }
}

// Events: who stops waiting.

#[test]
fn a_cancelled_waiter_leaves_no_trace() {
    let log = Log::new();
    run(|| {
        let event = Rc::new(Event::new());
        let mut tasks: Vec<_> = (0..5).map(|n| waiter(&event, &log, n)).collect();
        yield_now();
        for gone in [4, 2, 0] {
            let task = tasks.remove(gone);
            task.cancel();
            assert!(task.join().unwrap_err().is_cancelled());
        }
        event.set();
        tasks.into_iter().for_each(|task| task.join().unwrap());
    });
    assert_eq!(log.take(), [1, 3]);
}

#[test]
fn an_event_that_was_set_wins_over_a_later_cancel() {
    let log = Log::new();
    run(|| {
        let event = Rc::new(Event::new());
        let (e, l) = (Rc::clone(&event), log.clone());
        let task = spawn(move || {
            e.wait();
            l.add("passed");
            park();
            l.add("never");
        });
        yield_now();
        event.set();
        task.cancel();
        assert!(task.join().unwrap_err().is_cancelled());
    });
    assert_eq!(log.take(), ["passed"]);
}

#[test]
fn a_limit_of_time_ends_the_wait_and_nothing_else() {
    on_virtual(|| {
        let (event, start) = (Event::new(), Instant::now());
        assert!(timeout(5 * MS, || event.wait()).is_err());
        assert_eq!(start.elapsed(), 5 * MS);
        scope(|s| {
            s.spawn(|| {
                sleep(3 * MS);
                event.set();
            });
            assert!(timeout(5 * MS, || event.wait()).is_ok());
        });
        assert_eq!(start.elapsed(), 8 * MS);
        assert!(
            timeout(Duration::ZERO, || event.wait()).is_ok(),
            "it need not wait"
        );
    });
}

#[test]
fn while_the_task_unwinds_it_really_waits() {
    let log = Log::new();
    on_virtual(|| {
        let event = Rc::new(Event::new());
        let (e, l) = (Rc::clone(&event), log.clone());
        let unwinding = spawn(move || {
            let _guard = OnDrop(|| {
                e.wait();
                l.add("waited");
            });
            quiet_panic("on purpose");
        });
        let (e, l) = (Rc::clone(&event), log.clone());
        let cancelled = spawn(move || {
            let _guard = OnDrop(|| {
                e.wait();
                l.add("waited, cancelled");
            });
            park();
        });
        yield_now();
        cancelled.cancel();
        sleep(MS);
        assert!(!unwinding.is_finished() && !cancelled.is_finished());
        log.add("set");
        event.set();
        assert!(unwinding.join().unwrap_err().is_panic());
        assert!(cancelled.join().unwrap_err().is_cancelled());
    });
    assert_eq!(log.take(), ["set", "waited", "waited, cancelled"]);
}

#[test]
fn with_delivery_by_errors_it_waits_on() {
    on_virtual(|| {
        let (event, start) = (Event::new(), Instant::now());
        scope(|s| {
            s.spawn(|| {
                sleep(7 * MS);
                event.set();
            });
            let stubborn = CancelScope::builder()
                .delivery(Delivery::Error)
                .deadline(start + 2 * MS)
                .build();
            let ended = stubborn.run(|| {
                event.wait(); // cancelled while it waits
                assert_eq!(start.elapsed(), 7 * MS);
                event.clear();
                "by itself"
            });
            assert_eq!(ended, Some("by itself"));
            assert!(stubborn.deadline_passed());
            s.spawn(|| {
                sleep(MS);
                event.set();
            });
            let late = CancelScope::builder().delivery(Delivery::Error).build();
            late.cancel("before it waits");
            assert_eq!(late.run(|| event.wait()), Some(()));
            assert_eq!(start.elapsed(), 8 * MS);
        });
    });
}

#[test]
fn a_shield_holds_the_cancellation_off() {
    let log = Log::new();
    on_virtual(|| {
        let event = Rc::new(Event::new());
        let (e, l) = (Rc::clone(&event), log.clone());
        let task = spawn(move || {
            shield(|| e.wait());
            l.add("passed");
            yield_now();
            l.add("never");
        });
        yield_now();
        task.cancel();
        sleep(MS);
        event.set();
        assert!(task.join().unwrap_err().is_cancelled());
    });
    assert_eq!(log.take(), ["passed"]);
}

#[test]
fn on_a_plain_thread_nothing_could_set_it() {
    let event = Event::new();
    let text = panic_text(|| event.wait());
    assert!(text.contains("no runtime is running here"), "{text}");
    event.set();
    event.wait();
    event.clear();
    assert!(!event.is_set());
}

#[test]
fn an_event_that_nobody_sets_is_a_deadlock_with_a_name() {
    let event = Event::new();
    let Err(RunError::Deadlock(deadlock)) = try_run(|| event.wait()) else {
        panic!("nothing can set it");
    };
    assert_eq!(deadlock.tasks()[0].waits_for, "an event");
    // The wait was cancelled, and left no trace.
    event.set();
    run(|| event.wait());
}

#[test]
#[expect(clippy::mem_forget, reason = "that is what is tried")]
fn one_that_is_forgotten_does_no_harm() {
    run(|| {
        let event = Rc::new(Event::new());
        let log = Log::new();
        std::mem::forget(waiter(&event, &log, 1));
        std::mem::forget(Rc::clone(&event));
        yield_now();
        event.set();
        yield_now();
        assert_eq!(log.take(), [1]);
    });
}

// Oneshots: the value.

#[test]
fn the_value_comes_whoever_is_first() {
    run(|| {
        let (sender, receiver) = oneshot();
        sender.send("sent first").unwrap();
        assert_eq!(
            no_switch(|| receiver.recv()),
            Ok("sent first"),
            "it need not wait"
        );

        let (sender, receiver) = oneshot();
        let waiting = spawn(move || receiver.recv());
        yield_now();
        no_switch(|| sender.send("awaited").unwrap());
        assert!(!waiting.is_finished(), "sending lets nobody run");
        assert_eq!(waiting.join().unwrap(), Ok("awaited"));
    });
}

#[test]
fn a_value_for_nobody_comes_back() {
    let (sender, receiver) = oneshot();
    assert!(!sender.is_closed());
    drop(receiver);
    assert!(sender.is_closed());
    let error = sender.send("back").unwrap_err();
    assert_eq!(error, SendError::Disconnected("back"));
    assert_eq!(error.into_inner(), "back");
}

#[test]
fn a_sender_that_goes_without_sending_is_told() {
    run(|| {
        let (sender, receiver) = oneshot::<u32>();
        drop(sender);
        assert_eq!(receiver.recv(), Err(RecvError::Disconnected));

        let (sender, receiver) = oneshot::<u32>();
        let waiting = spawn(move || receiver.recv());
        yield_now();
        let panics = spawn(move || -> () {
            let _sender = sender;
            quiet_panic("before it sent")
        });
        assert_eq!(waiting.join().unwrap(), Err(RecvError::Disconnected));
        assert!(panics.join().unwrap_err().is_panic());
    });
}

#[test]
fn try_recv_tells_what_there_is() {
    let (sender, mut receiver) = oneshot();
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    sender.send(5).unwrap();
    assert_eq!(receiver.try_recv(), Ok(5));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
    assert_eq!(receiver.recv(), Err(RecvError::Disconnected));

    let (sender, mut receiver) = oneshot::<u32>();
    drop(sender);
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
}

#[test]
fn every_value_is_dropped_once() {
    let drops = Rc::new(Cell::new(0));
    run(|| {
        let (sender, receiver) = oneshot();
        sender.send(counted(&drops)).ok().unwrap();
        assert_eq!(drops.get(), 0);
        drop(receiver); // sent, and never received
        assert_eq!(drops.replace(0), 1);

        let (sender, receiver) = oneshot();
        sender.send(counted(&drops)).ok().unwrap();
        let received = receiver.recv().ok().unwrap();
        assert_eq!(drops.get(), 0);
        drop(received);
        assert_eq!(drops.replace(0), 1);

        let (sender, receiver) = oneshot();
        drop(receiver);
        let back = sender.send(counted(&drops)).unwrap_err();
        assert_eq!(drops.get(), 0);
        drop(back);
        assert_eq!(drops.replace(0), 1);

        let (sender, receiver) = oneshot();
        let waiting = spawn(move || receiver.recv().is_ok());
        yield_now();
        sender.send(counted(&drops)).ok().unwrap();
        assert!(waiting.join().unwrap());
        assert_eq!(drops.replace(0), 1);
    });
}

/// The destructor of a value that nobody took may use what is left of its channel.
#[test]
fn an_unread_value_may_hold_the_end_of_another() {
    let (outer, outer_receiver) = oneshot();
    let (inner, mut inner_receiver) = oneshot::<u32>();
    outer.send(inner).unwrap();
    assert_eq!(inner_receiver.try_recv(), Err(TryRecvError::Empty));
    drop(outer_receiver);
    assert_eq!(inner_receiver.try_recv(), Err(TryRecvError::Disconnected));
}

// Oneshots: receivers that stop waiting.

#[test]
fn a_value_that_was_sent_wins_over_a_later_cancel() {
    let log = Log::new();
    run(|| {
        let (sender, receiver) = oneshot();
        let l = log.clone();
        let task = spawn(move || {
            l.add(receiver.recv().unwrap());
            park();
            l.add("never");
        });
        yield_now();
        sender.send("received").unwrap();
        task.cancel();
        assert!(task.join().unwrap_err().is_cancelled());
    });
    assert_eq!(log.take(), ["received"]);
}

#[test]
fn a_receiver_that_was_cancelled_is_gone() {
    run(|| {
        let (sender, receiver) = oneshot();
        let task = spawn(move || receiver.recv());
        yield_now();
        task.cancel();
        assert!(task.join().unwrap_err().is_cancelled());
        assert!(sender.is_closed());
        assert_eq!(sender.send(5), Err(SendError::Disconnected(5)));
    });
}

#[test]
fn a_receiver_that_was_lent_is_still_there_after_a_timeout() {
    on_virtual(|| {
        let (sender, mut receiver) = oneshot();
        spawn(move || {
            sleep(10 * MS);
            sender.send(5).unwrap();
        });
        for _ in 0..3 {
            assert_eq!(move_on_after(2 * MS, || (&mut receiver).wait()), None);
        }
        assert_eq!((&mut receiver).wait(), Ok(5));
        assert_eq!((&mut receiver).wait(), Err(RecvError::Disconnected));
    });
}

#[test]
fn while_the_task_unwinds_it_fails_instead_of_waiting() {
    let log = Log::new();
    run(|| {
        let (sent, full) = oneshot();
        sent.send(5).unwrap();
        let (_kept, empty) = oneshot::<u32>();
        let ends = Cell::new(Some((full, empty)));
        let l = log.clone();
        let task = spawn(move || {
            let _guard = OnDrop(move || {
                let (full, empty) = ends.take().unwrap();
                l.add(full.recv());
                l.add(empty.recv());
            });
            quiet_panic("on purpose");
        });
        assert!(task.join().unwrap_err().is_panic());
    });
    assert_eq!(log.take(), [Ok(5), Err(RecvError::Cancelled)]);
}

#[test]
fn with_delivery_by_errors_it_fails() {
    on_virtual(|| {
        let errors = || CancelScope::builder().delivery(Delivery::Error);
        let (_kept, mut receiver) = oneshot::<u32>();
        let limited = errors().deadline(Instant::now() + MS).build();
        let received = limited.run(|| (&mut receiver).wait());
        assert_eq!(received, Some(Err(RecvError::Cancelled)));
        let cancelled = errors().build();
        cancelled.cancel("enough");
        let received = cancelled.run(|| receiver.recv());
        assert_eq!(received, Some(Err(RecvError::Cancelled)));

        let (sender, receiver) = oneshot();
        sender.send(5).unwrap();
        let cancelled = errors().build();
        cancelled.cancel("enough");
        assert_eq!(cancelled.run(|| receiver.recv()), Some(Ok(5)));
    });
}

#[test]
fn on_a_plain_thread_it_never_waits() {
    let (sender, mut receiver) = oneshot();
    assert_eq!((&mut receiver).wait(), Err(RecvError::WouldBlock));
    sender.send(5).unwrap();
    assert_eq!(receiver.recv(), Ok(5));
}

#[test]
#[expect(clippy::mem_forget, reason = "that is what is tried")]
fn a_sender_that_is_forgotten_is_a_deadlock_with_a_name() {
    let ended = try_run(|| {
        let (sender, receiver) = oneshot::<u32>();
        std::mem::forget(sender);
        receiver.recv()
    });
    let Err(RunError::Deadlock(deadlock)) = ended else {
        panic!("nobody can send: {ended:?}");
    };
    assert_eq!(deadlock.tasks()[0].waits_for, "the value of a oneshot");
    let (sender, receiver) = oneshot();
    std::mem::forget(receiver);
    sender.send(Box::new(5)).unwrap(); // leaks, and no more
}

#[test]
fn under_any_schedule_every_answer_comes() {
    for seed in 0..200 {
        let program = || {
            let (questions, asked) = bounded::<(u32, OneshotSender<u32>)>(2);
            spawn(move || {
                for (n, answer) in asked {
                    answer.send(n * n).unwrap();
                }
            });
            let askers: Vec<_> = (0..6)
                .map(|n| {
                    let questions = questions.clone();
                    spawn(move || {
                        let (answer, receiver): (_, OneshotReceiver<u32>) = oneshot();
                        questions.send((n, answer)).unwrap();
                        receiver.recv()
                    })
                })
                .collect();
            let answers: Result<Vec<_>, _> = askers
                .into_iter()
                .map(|task| task.join().unwrap())
                .collect();
            answers.unwrap()
        };
        let answers = testing::run(Random::seeded(seed), program).value;
        assert_eq!(answers, [0, 1, 4, 9, 16, 25]);
    }
}

// The await-style face.

fn wait_for<A: Awaitable>(what: A) -> A::Output {
    what.wait()
}

#[test]
fn all_of_them_can_be_waited_for() {
    on_virtual(|| {
        let start = Instant::now();
        let event = Event::new();
        event.set();
        wait_for(&event);

        let (sender, receiver) = bounded(1);
        sender.send(1).unwrap();
        assert_eq!(wait_for(&receiver), Ok(1));
        drop(sender);
        assert_eq!(wait_for(&receiver), Err(RecvError::Disconnected));

        let (sender, mut receiver) = oneshot();
        sender.send(2).unwrap();
        assert_eq!(wait_for(&mut receiver), Ok(2));
        assert_eq!(wait_for(receiver), Err(RecvError::Disconnected));

        wait_for(Timer::after(3 * MS));
        assert_eq!(start.elapsed(), 3 * MS);

        let mut ticks = interval(2 * MS);
        assert_eq!(wait_for(&mut ticks), start + 3 * MS);
        assert_eq!(wait_for(&mut ticks), start + 5 * MS);
        assert_eq!(start.elapsed(), 5 * MS);
    });
}

#[test]
fn a_wait_of_the_await_style_kind_is_cancelled_like_any_other() {
    on_virtual(|| {
        let (event, mut ticks) = (Event::new(), interval(5 * MS));
        let (_sender, receiver) = bounded::<u32>(0);
        wait_for(&mut ticks); // the first comes at once
        assert!(timeout(MS, || wait_for(&event)).is_err());
        assert!(timeout(MS, || wait_for(&receiver)).is_err());
        assert!(timeout(MS, || wait_for(Timer::after(2 * MS))).is_err());
        assert!(timeout(MS, || wait_for(&mut ticks)).is_err());
        let start = Instant::now();
        wait_for(&mut ticks);
        assert_eq!(start.elapsed(), MS, "the tick was not lost");
    });
}
