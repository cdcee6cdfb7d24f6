//! Cancelling from any thread: before the task was made, while it waits, after its end.

use std::sync::mpsc;
use std::thread;

use greenroom::{
    Config, Delivery, Handle, RemoteJoinHandle, Runtime, Turn, park, run, shield, unblock,
    yield_now,
};

use crate::{Elsewhere, PATIENCE, Tells, from_outside};

#[test]
fn a_waiting_task_unwinds() {
    let (to, dropped) = mpsc::channel();
    let error = from_outside(move |handle| {
        let (begun, has_begun) = mpsc::channel();
        let task = handle.spawn(move || {
            let _tells = Tells(to);
            begun.send(()).unwrap();
            park();
            unreachable!("it was cancelled");
        });
        has_begun.recv_timeout(PATIENCE).unwrap();
        assert!(!task.is_finished());
        task.cancel();
        task.cancel();
        task.join().unwrap_err()
    });
    assert!(error.is_cancelled());
    assert_eq!(dropped.try_recv(), Ok((thread::current().id(), true)));
}

#[test]
fn before_it_has_begun_it_is_dropped_unrun_in_its_task() {
    let mut rt = Runtime::new();
    let handle = rt.handle().unwrap();
    let (to, dropped) = mpsc::channel();
    let tells = Tells(to);
    let task = handle.spawn(move || {
        let _tells = tells;
        unreachable!("it was cancelled")
    });
    task.cancel();
    assert!(!task.is_finished());
    assert!(dropped.try_recv().is_err());
    while rt.turn() == Turn::Ready {}
    assert_eq!(dropped.try_recv(), Ok((thread::current().id(), true)));
    assert!(task.join().unwrap_err().is_cancelled());
}

#[test]
fn between_its_making_and_its_first_step_it_is_dropped_unrun() {
    let config = Config::new().event_interval(1);
    Runtime::with(config).run(|| {
        let handle = Handle::current().unwrap();
        let (give, take) = mpsc::channel::<RemoteJoinHandle<()>>();
        let first = handle.spawn(move || {
            let second = take.recv().unwrap();
            second.cancel();
            second.join()
        });
        let second = handle.spawn(|| unreachable!("it was cancelled"));
        give.send(second).unwrap();
        let second = first.join().unwrap();
        assert!(second.unwrap_err().is_cancelled());
    });
}

#[test]
fn after_the_end_it_does_nothing() {
    run(|| {
        let task = Handle::current().unwrap().spawn(|| 5);
        while !task.is_finished() {
            yield_now();
        }
        task.cancel();
        yield_now();
        assert_eq!(task.join().unwrap(), 5);
    });
}

#[test]
fn a_shielded_task_ends_when_its_shield_does() {
    let elsewhere = Elsewhere::start();
    let (go, wait) = mpsc::channel::<()>();
    let (begun, has_begun) = mpsc::channel();
    let (done, is_done) = mpsc::channel();
    let task = elsewhere.handle().spawn(move || {
        shield(|| {
            begun.send(()).unwrap();
            unblock(move || wait.recv().unwrap());
        });
        done.send(()).unwrap();
        park();
    });
    has_begun.recv_timeout(PATIENCE).unwrap();
    task.cancel();
    assert!(!task.is_finished());
    go.send(()).unwrap();
    assert!(task.join().unwrap_err().is_cancelled());
    is_done.try_recv().unwrap();
}

#[test]
fn with_errors_a_task_may_return_a_result_all_the_same() {
    let mut rt = Runtime::with(Config::new().delivery(Delivery::Error));
    let handle = rt.handle().unwrap();
    let task = handle.spawn(|| {
        park();
        9
    });
    while rt.turn() == Turn::Ready {}
    task.cancel();
    while rt.turn() == Turn::Ready {}
    assert_eq!(task.join().unwrap(), 9);
}

#[test]
fn the_end_of_main_cancels_it() {
    let mut elsewhere = Elsewhere::start();
    let (begun, has_begun) = mpsc::channel();
    let task = elsewhere.handle().spawn(move || {
        begun.send(()).unwrap();
        park();
    });
    has_begun.recv_timeout(PATIENCE).unwrap();
    let joiner = thread::spawn(move || task.join());
    elsewhere.stop();
    assert!(joiner.join().unwrap().unwrap_err().is_cancelled());
}
