//! A cancelled caller: what has not begun never does, what runs is let go, what has
//! ended is returned.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use greenroom::{
    CancelScope, Config, Delivery, Runtime, move_on_after, run, shield, spawn, timeout, unblock,
    yield_now,
};

use crate::support::{OnDrop, quiet_panic};
use crate::{PATIENCE, clean, clean_with, eventually, gated, pool_of};

/// Says on which thread it was dropped, and whether in a task.
fn tells(to: mpsc::Sender<(thread::ThreadId, bool)>) -> impl Send {
    struct Tells(mpsc::Sender<(thread::ThreadId, bool)>);
    impl Drop for Tells {
        fn drop(&mut self) {
            let place = (thread::current().id(), greenroom::in_task());
            self.0.send(place).unwrap();
        }
    }
    Tells(to)
}

#[test]
fn cancelled_while_queued_it_never_runs_and_the_task_drops_it() {
    let pool = pool_of(1);
    clean(|| {
        let (gate, call) = gated(|| ());
        let busy = spawn({
            let pool = pool.clone();
            move || pool.unblock(call)
        });
        let (to, dropped) = mpsc::channel();
        let queued = spawn({
            let (pool, captured) = (pool.clone(), tells(to));
            move || {
                pool.unblock(move || {
                    let _captured = captured;
                    unreachable!("it was cancelled")
                })
            }
        });
        yield_now();
        gate.wait_begun();
        assert_eq!(pool.counts().queued, 1);
        queued.cancel();
        assert!(queued.join().unwrap_err().is_cancelled());
        assert_eq!(pool.counts().queued, 0);
        assert_eq!(dropped.try_recv(), Ok((thread::current().id(), true)));
        gate.open();
        busy.join().unwrap();
    });
}

#[test]
fn cancelled_while_it_runs_it_runs_on_and_its_result_is_dropped_there() {
    let pool = pool_of(1);
    clean(|| {
        let (to, dropped) = mpsc::channel();
        let (name, named) = mpsc::channel();
        let (gate, call) = gated(move || {
            name.send(thread::current().id()).unwrap();
            tells(to)
        });
        let task = spawn({
            let pool = pool.clone();
            move || drop(pool.unblock(call))
        });
        yield_now();
        gate.wait_begun();
        task.cancel();
        assert!(task.join().unwrap_err().is_cancelled());
        assert!(named.try_recv().is_err());
        gate.open();
        let there = named.recv_timeout(PATIENCE).unwrap();
        assert_ne!(there, thread::current().id());
        assert_eq!(dropped.recv_timeout(PATIENCE), Ok((there, false)));
    });
}

#[test]
fn a_result_that_came_before_is_returned() {
    for delivery in [Delivery::Unwind, Delivery::Error] {
        let pool = pool_of(1);
        clean_with(delivery, || {
            let (gate, call) = gated(|| 5);
            let got = Rc::new(Cell::new(0));
            let task = spawn({
                let (pool, got) = (pool.clone(), Rc::clone(&got));
                move || got.set(pool.unblock(call))
            });
            yield_now();
            gate.wait_begun();
            gate.open();
            // Blocks this thread: the task has not learned of it yet.
            eventually(|| pool.counts().idle == 1);
            task.cancel();
            let ended = task.join();
            assert_eq!(got.get(), 5);
            ended.unwrap();
        });
    }
}

#[test]
fn cancelled_before_the_call_nothing_is_queued() {
    let pool = pool_of(1);
    clean(|| {
        let scope = CancelScope::new();
        scope.cancel("too late");
        let got = scope.run(|| pool.unblock(|| unreachable!()));
        assert_eq!(got, None::<()>);
    });
    assert_eq!(pool.counts().threads, 0);
}

#[test]
fn with_errors_it_really_waits_queued_or_running() {
    let pool = pool_of(1);
    clean_with(Delivery::Error, || {
        let (first_gate, first) = gated(|| 1);
        let (second_gate, second) = gated(|| 2);
        let got = Rc::new(Cell::new([0, 0]));
        let keep = |index: usize| {
            let got = Rc::clone(&got);
            move |value| {
                let mut both = got.get();
                both[index] = value;
                got.set(both);
            }
        };
        let (keep_first, keep_second) = (keep(0), keep(1));
        let running = spawn({
            let pool = pool.clone();
            move || keep_first(pool.unblock(first))
        });
        let queued = spawn({
            let pool = pool.clone();
            move || keep_second(pool.unblock(second))
        });
        yield_now();
        first_gate.wait_begun();
        running.cancel();
        queued.cancel();
        yield_now();
        assert!(!running.is_finished() && !queued.is_finished());
        assert_eq!(pool.counts().queued, 1);
        first_gate.open();
        second_gate.open();
        running.join().unwrap();
        queued.join().unwrap();
        assert_eq!(got.get(), [1, 2]);
    });
}

#[test]
fn while_the_task_unwinds_it_really_waits() {
    for cancelled in [true, false] {
        clean(|| {
            let done = Arc::new(AtomicBool::new(false));
            let seen = Arc::clone(&done);
            let (gate, call) = gated(move || done.store(true, Ordering::Release));
            let task = spawn(move || {
                let mut call = Some(call);
                let _clean_up = OnDrop(|| {
                    if let Some(call) = call.take() {
                        unblock(call);
                    }
                });
                if !cancelled {
                    quiet_panic("on purpose");
                }
                greenroom::park();
            });
            yield_now();
            if cancelled {
                task.cancel();
                yield_now();
            }
            gate.wait_begun();
            yield_now();
            assert!(!task.is_finished());
            gate.open();
            assert_eq!(task.join().unwrap_err().is_cancelled(), cancelled);
            assert!(seen.load(Ordering::Acquire));
        });
    }
}

#[test]
fn inside_shield_it_really_waits() {
    clean(|| {
        let (gate, call) = gated(|| 3);
        let got = Rc::new(Cell::new(0));
        let kept = Rc::clone(&got);
        let task = spawn(move || {
            kept.set(shield(|| unblock(call)));
            unblock(|| unreachable!("it was cancelled"))
        });
        yield_now();
        gate.wait_begun();
        task.cancel();
        yield_now();
        assert!(!task.is_finished());
        gate.open();
        assert!(task.join().unwrap_err().is_cancelled());
        assert_eq!(got.get(), 3);
    });
}

#[test]
fn a_limit_of_real_time_ends_the_wait_and_not_the_call() {
    let pool = pool_of(1);
    let (gate, call) = gated(|| ());
    run(|| {
        let limit = Duration::from_millis(5);
        let task = spawn({
            let pool = pool.clone();
            move || timeout(limit, || pool.unblock(call)).is_err()
        });
        yield_now();
        gate.wait_begun();
        assert!(task.join().unwrap());
        assert_eq!(pool.counts().idle, 0);
        // What waits in line is given up, too.
        assert_eq!(move_on_after(limit, || pool.unblock(|| 1)), None);
    });
    assert_eq!(pool.counts().queued, 0);
    gate.open();
    eventually(|| pool.counts().idle == 1);
}

#[test]
fn the_end_of_main_does_not_wait_for_calls() {
    let pool = pool_of(1);
    let (gate, call) = gated(|| ());
    let queued = pool.clone();
    let mut rt = Runtime::with(Config::new().thread_pool(pool.clone()));
    rt.run(|| {
        spawn(move || unblock(call));
        spawn(move || queued.unblock(|| unreachable!("main has ended")));
        yield_now();
        gate.wait_begun();
    });
    assert!(rt.left_over().is_nothing());
    assert_eq!(pool.counts().queued, 0);
    gate.open();
    eventually(|| pool.counts().idle == 1);
}

#[test]
fn of_several_in_line_the_cancelled_ones_leave_no_gap() {
    let pool = pool_of(1);
    clean(|| {
        let (gate, call) = gated(|| ());
        let busy = spawn({
            let pool = pool.clone();
            move || pool.unblock(call)
        });
        yield_now();
        gate.wait_begun();
        let (ran, order) = mpsc::channel();
        let tasks: Vec<_> = (0..10)
            .map(|n| {
                let (pool, ran) = (pool.clone(), ran.clone());
                spawn(move || pool.unblock(move || ran.send(n).unwrap()))
            })
            .collect();
        yield_now();
        for task in tasks.iter().step_by(3) {
            task.cancel();
        }
        yield_now();
        assert_eq!(pool.counts().queued, 6);
        gate.open();
        busy.join().unwrap();
        for (n, task) in tasks.into_iter().enumerate() {
            assert_eq!(task.join().is_ok(), n % 3 != 0);
        }
        assert_eq!(order.try_iter().collect::<Vec<_>>(), [1, 2, 4, 5, 7, 8]);
    });
}
