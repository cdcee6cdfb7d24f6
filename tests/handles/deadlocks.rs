//! Whoever may still spawn or cancel keeps a runtime from being taken for stuck, and
//! nobody else.

use std::sync::mpsc;
use std::thread;

use greenroom::{Handle, RunError, Runtime, Turn, current, park, run, spawn, try_run, yield_now};

/// What the tasks of a deadlock waited for.
fn reasons<T: std::fmt::Debug>(result: Result<T, RunError>) -> Vec<String> {
    match result {
        Err(RunError::Deadlock(deadlock)) => {
            let tasks = deadlock.tasks().iter();
            tasks.map(|task| task.waits_for.clone()).collect()
        }
        other => panic!("it should be a deadlock: {other:?}"),
    }
}

#[test]
fn while_a_handle_lives_there_is_none() {
    let spawned = run(|| {
        let main = current().waker().unwrap();
        let handle = Handle::current().unwrap();
        let helper = thread::spawn(move || {
            // The main task waits by now, or soon will.
            thread::yield_now();
            handle.spawn(move || main.wake());
        });
        park();
        helper
    });
    spawned.join().unwrap();
}

#[test]
fn the_last_handle_gone_it_is_reported() {
    let ended = try_run(|| {
        let handle = Handle::current().unwrap();
        let helper = thread::spawn(move || drop(handle));
        park();
        drop(helper);
    });
    assert_eq!(reasons(ended), ["unpark"]);
}

#[test]
fn the_handle_of_a_task_counts_while_that_may_be_cancelled() {
    run(|| {
        let task = Handle::current().unwrap().spawn(park);
        let (woken, wakes) = (current(), spawn(park));
        let helper = thread::spawn(move || {
            thread::yield_now();
            task.cancel();
            task.join().unwrap_err().is_cancelled()
        });
        // Both wait for something that only the cancelled task could do.
        spawn(move || drop(woken));
        yield_now();
        wakes.cancel();
        let cancelled = greenroom::unblock(move || helper.join().unwrap());
        assert!(cancelled);
    });
}

#[test]
fn the_handle_of_a_task_that_is_being_joined_does_not_count() {
    let (ended, joined) = {
        let mut rt = Runtime::new();
        let handle = rt.handle().unwrap();
        let task = handle.spawn(park);
        let joiner = thread::spawn(move || task.join());
        drop(handle);
        (rt.try_run(park), joiner.join().unwrap())
    };
    let mut reasons = reasons(ended);
    reasons.sort();
    assert_eq!(reasons, ["unpark", "unpark"]);
    assert!(joined.unwrap_err().is_cancelled());
}

#[test]
fn the_handle_of_a_task_that_has_ended_does_not_count() {
    let mut rt = Runtime::new();
    let handle = rt.handle().unwrap();
    let task = handle.spawn(|| 5);
    while rt.turn() == Turn::Ready {}
    assert_eq!(rt.left_over().wakers, 1);
    drop(handle);
    assert_eq!(reasons(rt.try_run(park)), ["unpark"]);
    assert_eq!(task.join().unwrap(), 5);
}

#[test]
fn a_task_that_joins_one_of_its_own_runtime_may_be_in_a_deadlock() {
    let ended = try_run(|| {
        let task = Handle::current().unwrap().spawn(park);
        let _never = task.join();
    });
    assert_eq!(
        reasons(ended),
        [
            "the end of a task that was spawned through a handle",
            "unpark"
        ]
    );
}

#[test]
fn a_task_that_joins_one_of_another_runtime_is_in_none() {
    let elsewhere = crate::Elsewhere::start();
    let (go, wait) = mpsc::channel();
    let task = elsewhere.handle().spawn(move || {
        while wait.try_recv().is_err() {
            yield_now();
        }
    });
    let helper = thread::spawn(move || {
        thread::yield_now();
        go.send(()).unwrap();
    });
    run(|| task.join().unwrap());
    helper.join().unwrap();
}
