//! A runtime that is not running, is dropped, or is long gone: every body is run or
//! dropped once, and every joiner learns of it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

use greenroom::{Handle, Runtime, Turn, run, yield_now};

use crate::support::{OnDrop, quiet_panic};
use crate::{Elsewhere, Tells};

#[test]
fn what_is_sent_between_two_runs_begins_in_the_next() {
    let mut rt = Runtime::new();
    let handle = rt.handle().unwrap();
    rt.run(|| ());
    let sender = handle.clone();
    let task = thread::spawn(move || sender.spawn(|| 5)).join().unwrap();
    assert!(!task.is_finished());
    rt.run(|| assert_eq!(task.join().unwrap(), 5));
}

#[test]
fn what_nobody_begins_is_dropped_unrun() {
    let mut rt = Runtime::new();
    let (to, dropped) = mpsc::channel();
    let task = rt.run(|| {
        let handle = Handle::current().unwrap();
        let tells = Tells(to);
        handle.spawn(move || {
            let _tells = tells;
            unreachable!("main has ended")
        })
    });
    // If nobody has read the message, it lies there until now.
    drop(rt);
    assert!(task.join().unwrap_err().is_cancelled());
    assert_eq!(dropped.try_iter().count(), 1);
}

#[test]
fn a_runtime_that_is_dropped_drops_what_was_sent() {
    let rt = Runtime::new();
    let handle = rt.handle().unwrap();
    let (to, dropped) = mpsc::channel();
    let tasks: Vec<_> = (0..100)
        .map(|_| {
            let tells = Tells(to.clone());
            handle.spawn(move || drop(tells))
        })
        .collect();
    let joiner = thread::spawn(move || {
        tasks
            .into_iter()
            .all(|task| task.join().unwrap_err().is_cancelled())
    });
    drop(rt);
    assert!(joiner.join().unwrap());
    let places: Vec<_> = dropped.try_iter().collect();
    assert_eq!(places, vec![(thread::current().id(), false); 100]);
}

#[test]
fn a_handle_of_a_task_does_not_keep_a_dropped_runtime_open() {
    let mut rt = Runtime::new();
    let handle = rt.handle().unwrap();
    let kept = rt.spawn(|| ());
    rt.turn();
    let sent = handle.spawn(|| unreachable!("nobody drives it"));
    drop(rt);
    assert!(sent.join().unwrap_err().is_cancelled());
    let late: greenroom::RemoteJoinHandle<()> = handle.spawn(|| unreachable!("it is gone"));
    assert!(late.join().unwrap_err().is_cancelled());
    kept.join().unwrap();
}

#[test]
fn what_is_sent_to_a_runtime_that_is_gone_is_dropped_by_the_sender() {
    let mut elsewhere = Elsewhere::start();
    let handle = elsewhere.handle().clone();
    elsewhere.stop();
    let (to, dropped) = mpsc::channel();
    let tells = Tells(to);
    let task = handle.spawn(move || drop(tells));
    assert_eq!(dropped.try_recv(), Ok((thread::current().id(), false)));
    assert!(task.is_finished());
    task.cancel();
    assert!(task.join().unwrap_err().is_cancelled());
    // The same in a task.
    run(|| {
        let task = handle.spawn(|| ());
        assert!(task.join().unwrap_err().is_cancelled());
    });
}

#[test]
fn destructors_of_what_was_sent_may_panic_and_may_spawn_again() {
    let rt = Runtime::new();
    let handle = rt.handle().unwrap();
    let drops = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..10)
        .map(|n| {
            let (again, counted) = (handle.clone(), Arc::clone(&drops));
            let captured = OnDrop(move || {
                counted.fetch_add(1, Ordering::AcqRel);
                if n % 2 == 0 {
                    quiet_panic("dropped");
                }
                let counted = Arc::clone(&counted);
                let inner = OnDrop(move || {
                    counted.fetch_add(1, Ordering::AcqRel);
                });
                let task = again.spawn(move || drop(inner));
                assert!(task.join().unwrap_err().is_cancelled());
            });
            handle.spawn(move || drop(captured))
        })
        .collect();
    drop(rt);
    assert_eq!(drops.load(Ordering::Acquire), 15);
    for task in tasks {
        assert!(task.join().unwrap_err().is_cancelled());
    }
}

#[test]
fn destructors_of_what_could_not_be_made_may_panic() {
    let mut rt = Runtime::new();
    let handle = rt.handle().unwrap();
    let captured = OnDrop(|| quiet_panic("dropped"));
    let huge = greenroom::Builder::new().stack_size(1 << 60);
    let task = huge.spawn_on(&handle, move || drop(captured)).unwrap();
    assert_eq!(rt.turn(), Turn::Done);
    assert!(task.join().unwrap_err().is_panic());
    assert_eq!(rt.run(|| 1), 1);
}

#[test]
fn a_panic_that_nobody_joins_may_outlive_its_runtime() {
    struct Explodes;
    impl Drop for Explodes {
        fn drop(&mut self) {
            quiet_panic("payload");
        }
    }
    let mut rt = Runtime::new();
    let handle = rt.handle().unwrap();
    let task = handle.spawn(|| -> () { std::panic::resume_unwind(Box::new(Explodes)) });
    while rt.turn() == Turn::Ready {}
    assert!(task.is_finished());
    drop(rt);
    drop(task);
}

#[test]
fn two_runtimes_spawn_into_each_other() {
    let (one, two) = (Elsewhere::start(), Elsewhere::start());
    let (to_one, to_two) = (one.handle().clone(), two.handle().clone());
    let sum = one.handle().spawn(move || {
        let tasks: Vec<_> = (0..100)
            .map(|n| {
                let back = to_one.clone();
                to_two.spawn(move || {
                    let inner = back.spawn(move || {
                        yield_now();
                        n
                    });
                    (inner.join().unwrap(), thread::current().id())
                })
            })
            .collect();
        let here = thread::current().id();
        let results = tasks.into_iter().map(|task| task.join().unwrap());
        results
            .inspect(|(_, there)| assert_ne!(*there, here))
            .map(|(n, _)| n)
            .sum::<u32>()
    });
    assert_eq!(sum.join().unwrap(), 4950);
}

#[test]
fn nothing_is_left() {
    let mut rt = Runtime::new();
    let kept = rt.run(|| {
        let handle = Handle::current().unwrap();
        let tasks = [1, 2, 3].map(|n| handle.spawn(move || n));
        assert_eq!(tasks.map(|task| task.join().unwrap()), [1, 2, 3]);
        handle
    });
    assert_eq!(rt.left_over().wakers, 1);
    let clone = kept.clone();
    assert_eq!(rt.left_over().wakers, 2);
    drop((kept, clone));
    assert!(rt.left_over().is_nothing());
}
