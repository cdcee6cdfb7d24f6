//! Whoever may still spawn or cancel keeps a runtime from being taken for stuck, and
//! nobody else.

use std::cell::Cell;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use greenroom::{
    Awaitable, Handle, RunError, Runtime, Task, Turn, current, park, run, sleep, spawn, timeout,
    try_run, yield_now,
};

use crate::support::OnDrop;

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

#[test]
fn a_handle_that_is_waited_for_in_its_own_runtime_does_not_count_meanwhile() {
    for way in 0..2 {
        let ended = try_run(|| {
            let mut task = Handle::current().unwrap().spawn(park);
            if way == 0 {
                let _never = (&mut task).wait();
            } else {
                greenroom::select! { join(&mut task) => () }
            }
        });
        assert_eq!(reasons(ended).len(), 2);
    }
}

#[test]
fn nor_does_one_that_a_plain_thread_waits_for_without_a_limit() {
    let (ended, joined) = {
        let mut rt = Runtime::new();
        let handle = rt.handle().unwrap();
        let mut task = handle.spawn(park);
        let joiner = thread::spawn(move || (&mut task).wait());
        drop(handle);
        (rt.try_run(park), joiner.join().unwrap())
    };
    assert_eq!(reasons(ended), ["unpark", "unpark"]);
    assert!(joined.unwrap_err().is_cancelled());
}

/// When the limit has come, whoever waited may still cancel the task.
#[test]
fn one_that_is_waited_for_with_a_limit_counts() {
    let mut rt = Runtime::new();
    let handle = rt.handle().unwrap();
    let mut task = handle.spawn(park);
    drop(handle);
    let joiner = thread::spawn(move || {
        assert!(task.join_timeout(Duration::from_millis(20)).is_none());
        task.cancel();
        task.join().unwrap_err().is_cancelled()
    });
    // Reported when the task has ended, and so not with it.
    let ended = rt.try_run(park);
    assert_eq!(reasons(ended), ["unpark"]);
    assert!(joiner.join().unwrap());
}

thread_local! {
    static MAIN: Cell<Option<Task>> = const { Cell::new(None) };
}

#[test]
fn after_a_cancelled_wait_it_counts_again() {
    for way in 0..2 {
        let helper = run(|| {
            MAIN.set(Some(current()));
            let mut task = Handle::current().unwrap().spawn(|| {
                let _woken = OnDrop(|| MAIN.take().unwrap().unpark());
                park();
            });
            let waited = timeout(Duration::from_millis(1), || {
                if way == 0 {
                    let _never = (&mut task).wait();
                } else {
                    greenroom::select! { join(&mut task) => () }
                }
            });
            assert!(waited.is_err());
            let helper = thread::spawn(move || {
                sleep(Duration::from_millis(5)); // the main task waits by then
                task.cancel();
                task.join().unwrap_err().is_cancelled()
            });
            park(); // who could end that is the helper, by the handle
            helper
        });
        assert!(helper.join().unwrap());
    }
}
