//! Cancelling from any thread: before the task was made, while it waits, after its end.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use greenroom::{
    Awaitable, Config, Delivery, Handle, RemoteJoinHandle, Runtime, Turn, park, run, shield,
    timeout, unblock, yield_now,
};

use crate::support::quiet_panic;
use crate::{Elsewhere, PATIENCE, Tells, from_outside};

const MOMENT: Duration = Duration::from_millis(1);

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

/// A task that waits, and tells when it is over.
fn waiting(
    handle: &Handle,
) -> (
    RemoteJoinHandle<u32>,
    mpsc::Receiver<(thread::ThreadId, bool)>,
) {
    let (begun, has_begun) = mpsc::channel();
    let (to, dropped) = mpsc::channel();
    let task = handle.spawn(move || {
        let _tells = Tells(to);
        begun.send(()).unwrap();
        park();
        5
    });
    has_begun.recv_timeout(PATIENCE).unwrap();
    (task, dropped)
}

#[test]
fn dropped_it_cancels_if_it_is_told_to() {
    let elsewhere = Elsewhere::start();
    let (task, dropped) = waiting(elsewhere.handle());
    let task = task.cancel_on_drop();
    assert!(!task.is_finished());
    drop(task);
    assert!(dropped.recv_timeout(PATIENCE).is_ok());
    // By whoever panics.
    let (task, dropped) = waiting(elsewhere.handle());
    let thread = thread::spawn(move || {
        let _task = task.cancel_on_drop();
        quiet_panic("mine");
    });
    assert!(thread.join().is_err());
    assert!(dropped.recv_timeout(PATIENCE).is_ok());
    // Without, it runs on.
    let (task, dropped) = waiting(elsewhere.handle());
    let mut task = task.cancel_on_drop().detach();
    assert!(task.join_timeout(MOMENT).is_none());
    assert!(dropped.try_recv().is_err());
    task.cancel();
    assert!(task.join().unwrap_err().is_cancelled());
}

#[test]
fn a_wait_that_uses_the_handle_up_cancels_when_it_is_cancelled() {
    let elsewhere = Elsewhere::start();
    let here = elsewhere.handle().clone();
    run(|| {
        for handle in [here, Handle::current().unwrap()] {
            let (task, dropped) = unblock(move || waiting(&handle));
            let mut task = task.cancel_on_drop();
            // By reference it does not.
            assert!(timeout(MOMENT, || (&mut task).wait()).is_err());
            assert!(timeout(MOMENT, || task.join_timeout(PATIENCE)).is_err());
            let selected = timeout(MOMENT, || greenroom::select! { join(&mut task) => () });
            assert!(selected.is_err());
            assert!(task.join_timeout(MOMENT).is_none());
            assert!(dropped.try_recv().is_err());
            assert!(timeout(MOMENT, || task.join()).is_err());
            assert!(unblock(move || dropped.recv_timeout(PATIENCE)).is_ok());
        }
    });
}

#[test]
fn a_handle_that_cancels_when_dropped_gives_the_result_all_the_same() {
    run(|| {
        let handle = Handle::current().unwrap();
        let spawn = || handle.spawn(|| 5).cancel_on_drop();
        assert_eq!(spawn().join().unwrap(), 5);
        assert_eq!(spawn().wait().unwrap(), 5);
        let (mut one, mut two) = (spawn(), spawn());
        let three = handle.spawn(park).cancel_on_drop();
        assert_eq!((&mut one).wait().unwrap(), 5);
        greenroom::select! { join(&mut two) -> end => assert_eq!(end.unwrap(), 5) }
        three.cancel();
        assert!(three.join().unwrap_err().is_cancelled());
    });
}
