//! Waiting for a handle that is still there afterwards: with a limit, or by reference.
//! Whatever ends such a wait, the next one works, and no result is lost.

use std::fs::File;
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use greenroom::{
    Awaitable, CancelScope, Config, Delivery, Handle, Instant, RemoteJoinHandle, Runtime, Turn,
    current, no_switch, park, run, shield, sleep, spawn, timeout, unblock, yield_now,
};

use crate::support::{self, OnDrop, on_virtual, panic_text, quiet_panic};
use crate::{Elsewhere, PATIENCE, from_outside};

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// A task that ends with 5 when it is told to.
fn told_to_end(handle: &Handle) -> (mpsc::Sender<()>, RemoteJoinHandle<u32>) {
    let (go, wait) = mpsc::channel::<()>();
    let task = handle.spawn(move || {
        while wait.try_recv().is_err() {
            yield_now();
        }
        5
    });
    (go, task)
}

#[test]
fn on_a_plain_thread_the_limit_comes_and_the_next_join_gives_the_result() {
    from_outside(|handle| {
        let (go, mut task) = told_to_end(&handle);
        let start = std::time::Instant::now();
        assert!(task.join_timeout(MILLISECOND).is_none());
        assert!(start.elapsed() >= MILLISECOND);
        assert!(task.join_timeout(Duration::ZERO).is_none());
        assert!(!task.is_finished());
        go.send(()).unwrap();
        assert_eq!(task.join_timeout(PATIENCE).unwrap().unwrap(), 5);
        assert!(task.is_finished(), "also when it was joined");
    });
}

#[test]
fn in_a_task_of_the_same_runtime_the_limit_is_of_its_clock() {
    on_virtual(|| {
        let handle = Handle::current().unwrap();
        let mut task = handle.spawn(|| {
            sleep(3 * SECOND);
            5
        });
        let start = Instant::now();
        assert!(task.join_timeout(SECOND).is_none());
        assert_eq!(start.elapsed(), SECOND);
        assert_eq!(task.join_timeout(9 * SECOND).unwrap().unwrap(), 5);
        assert_eq!(start.elapsed(), 3 * SECOND);
    });
}

#[test]
fn in_a_task_of_another_runtime_others_run_meanwhile() {
    let elsewhere = Elsewhere::start();
    run(|| {
        let (go, mut task) = told_to_end(elsewhere.handle());
        assert!(task.join_timeout(MILLISECOND).is_none());
        let sender = spawn(move || go.send(()).unwrap());
        assert_eq!(task.join_timeout(PATIENCE).unwrap().unwrap(), 5);
        sender.join().unwrap();
    });
}

#[test]
fn a_limit_too_long_for_any_clock_is_none() {
    from_outside(|handle| {
        let mut task = handle.spawn(|| 5);
        assert_eq!(task.join_timeout(Duration::MAX).unwrap().unwrap(), 5);
    });
    run(|| {
        let mut task = Handle::current().unwrap().spawn(|| 5);
        assert_eq!(task.join_timeout(Duration::MAX).unwrap().unwrap(), 5);
    });
}

#[test]
fn an_end_that_came_with_the_limit_wins() {
    on_virtual(|| {
        let mut task = Handle::current().unwrap().spawn(|| {
            sleep(SECOND);
            5
        });
        let moment = Duration::from_nanos(1);
        sleep(moment); // what came from outside is looked at now
        let seen = task.join_timeout(SECOND - moment).map(Result::unwrap);
        assert_eq!(seen, Some(5));
    });
}

#[test]
fn where_join_would_wait_for_ever_a_limit_ends() {
    let mut rt = Runtime::new();
    let handle = rt.handle().unwrap();
    let mut task = handle.spawn(|| 5);
    assert!(task.join_timeout(MILLISECOND).is_none());
    let text = panic_text(|| (&mut task).wait());
    assert!(text.starts_with("join would wait for ever: "), "{text}");
    while rt.turn() == Turn::Ready {}
    assert_eq!((&mut task).wait().unwrap(), 5);
}

#[test]
fn errors_are_as_those_of_join() {
    from_outside(|handle| {
        let mut panics = handle.spawn(|| -> () { quiet_panic("mine") });
        let error = panics.join_timeout(PATIENCE).unwrap().unwrap_err();
        assert!(error.is_panic());
        let mut waits = handle.spawn(park);
        assert!(waits.join_timeout(MILLISECOND).is_none());
        waits.cancel();
        let error = waits.join_timeout(PATIENCE).unwrap().unwrap_err();
        assert!(error.is_cancelled());
        waits.cancel(); // nothing happens
    });
    let mut elsewhere = Elsewhere::start();
    let mut task = elsewhere.handle().spawn(park);
    assert!(task.join_timeout(MILLISECOND).is_none());
    elsewhere.stop();
    assert!((&mut task).wait().unwrap_err().is_cancelled());
}

#[test]
fn joined_twice_it_panics_whichever_way() {
    const TEXT: &str = "the task was joined already: its result is gone";
    fn joined(handle: &Handle) -> RemoteJoinHandle<u32> {
        let mut task = handle.spawn(|| 5);
        assert_eq!((&mut task).wait().unwrap(), 5);
        assert!(task.is_finished());
        task.cancel();
        task
    }
    fn each_way(handle: &Handle) {
        let mut task = joined(handle);
        assert_eq!(panic_text(|| (&mut task).wait()), TEXT);
        assert_eq!(panic_text(|| task.join_timeout(SECOND)), TEXT);
        assert_eq!(panic_text(|| task.join_timeout(Duration::ZERO)), TEXT);
        assert_eq!(panic_text(|| task.join()), TEXT);
    }
    from_outside(|handle| each_way(&handle));
    run(|| {
        let handle = Handle::current().unwrap();
        each_way(&handle);
        // The same sentence as for a task of one's own.
        let mut local = spawn(|| 5);
        greenroom::select! { join(&mut local) -> end => assert_eq!(end.unwrap(), 5) }
        assert_eq!(panic_text(|| local.join()), TEXT);
        let mut task = joined(&handle);
        let again = || greenroom::select! { join(&mut task) => () };
        assert_eq!(panic_text(again), TEXT);
    });
}

#[test]
fn a_task_cannot_wait_for_itself() {
    let texts = from_outside(|handle| {
        let (give, take) = mpsc::channel::<RemoteJoinHandle<()>>();
        let (tell, told) = mpsc::channel();
        let task = handle.spawn(move || {
            let mut own = take.recv().unwrap();
            let first = panic_text(|| (&mut own).wait());
            let second = panic_text(|| own.join_timeout(SECOND));
            tell.send([first, second]).unwrap();
        });
        give.send(task).unwrap();
        told.recv_timeout(PATIENCE).unwrap()
    });
    assert_eq!(texts, ["a task cannot join itself"; 2]);
}

/// A runtime that may be told otherwise than by unwinding.
fn with(delivery: Delivery, main: impl FnOnce()) {
    let config = Config::new().clock(greenroom::Clock::virtual_());
    Runtime::with(config.delivery(delivery)).run(main);
}

#[test]
fn a_limit_of_time_does_not_use_the_handle_up() {
    with(Delivery::Unwind, || {
        let handle = Handle::current().unwrap();
        let mut task = handle.spawn(|| {
            sleep(5 * SECOND);
            5
        });
        let start = Instant::now();
        for _ in 0..3 {
            assert!(timeout(SECOND, || (&mut task).wait()).is_err());
        }
        assert!(timeout(SECOND, || task.join_timeout(9 * SECOND)).is_err());
        assert_eq!(start.elapsed(), 4 * SECOND);
        assert_eq!(task.join().unwrap(), 5);
        assert_eq!(start.elapsed(), 5 * SECOND);
    });
}

#[test]
fn with_errors_it_waits_on_and_a_limit_of_its_own_holds() {
    with(Delivery::Error, || {
        let handle = Handle::current().unwrap();
        let mut task = handle.spawn(|| {
            sleep(5 * SECOND);
            5
        });
        let start = Instant::now();
        let waited = timeout(SECOND, || task.join_timeout(2 * SECOND).is_none());
        assert_eq!(waited, Ok(true));
        assert_eq!(start.elapsed(), 2 * SECOND);
        let waited = timeout(SECOND, || (&mut task).wait().unwrap());
        assert_eq!(waited, Ok(5));
        assert_eq!(start.elapsed(), 5 * SECOND);
    });
}

/// A task that waits for another, and is cancelled in each state. The handle comes back.
#[test]
fn in_each_state_a_cancelled_wait_leaves_the_handle_whole() {
    for delivery in [Delivery::Unwind, Delivery::Error] {
        for limit in [None, Some(9 * SECOND)] {
            with(delivery, || cancelled_waits(limit, delivery));
        }
    }
}

fn cancelled_waits(limit: Option<Duration>, delivery: Delivery) {
    let handle = Handle::current().unwrap();
    let unwinds = delivery == Delivery::Unwind;
    let waits = move |task: &mut RemoteJoinHandle<u32>| match limit {
        None => Some(task.wait().unwrap()),
        Some(limit) => task.join_timeout(limit).map(Result::unwrap),
    };
    // Before the wait, while it waits, and when the task has ended but the waiter not run.
    for state in 0..3 {
        let (go, mut task) = told_to_end(&handle);
        let waiter = spawn(move || {
            let scope = CancelScope::new();
            let canceller = scope.clone();
            let helper = spawn(move || {
                if state > 0 {
                    yield_now();
                    yield_now();
                }
                if state == 2 {
                    go.send(()).unwrap();
                    sleep(Duration::from_nanos(1));
                }
                canceller.cancel("enough");
                go
            });
            if state == 0 {
                while !helper.is_finished() {
                    yield_now();
                }
                let go = helper.join().unwrap();
                if !unwinds {
                    go.send(()).unwrap();
                }
                let waited = scope.run(|| waits(&mut task));
                assert_eq!(waited, (!unwinds).then_some(Some(5)));
                return (Some(go), task, waited);
            }
            if unwinds || state == 2 {
                let waited = scope.run(|| waits(&mut task));
                assert_eq!(waited, (state == 2).then_some(Some(5)));
                return (helper.join().ok(), task, waited);
            }
            let ender = spawn(move || {
                let go = helper.join().unwrap();
                (0..3).for_each(|_| yield_now());
                go.send(()).unwrap();
            });
            let waited = scope.run(|| waits(&mut task));
            assert_eq!(waited, Some(Some(5)));
            ender.join().unwrap();
            (None, task, waited)
        });
        let (go, mut task, waited) = waiter.join().unwrap();
        assert_eq!(task.is_finished(), waited.is_some());
        if waited.is_none() {
            assert!(task.join_timeout(Duration::ZERO).is_none());
            go.unwrap().send(()).unwrap();
            assert_eq!(waits(&mut task), Some(5));
        }
    }
}

#[test]
fn a_wait_for_another_runtime_may_be_cancelled_and_made_again_elsewhere() {
    let elsewhere = Elsewhere::start();
    let (go, mut task) = told_to_end(elsewhere.handle());
    let mut task = run(|| {
        let waiter = spawn(move || {
            let scope = CancelScope::new();
            let canceller = scope.clone();
            let helper = spawn(move || canceller.cancel("enough"));
            assert!(scope.run(|| (&mut task).wait()).is_none());
            helper.join().unwrap();
            task
        });
        waiter.join().unwrap()
    });
    // On a plain thread, and in a runtime that is not the first.
    assert!(task.join_timeout(MILLISECOND).is_none());
    go.send(()).unwrap();
    assert_eq!(run(|| (&mut task).wait().unwrap()), 5);
}

#[test]
fn in_a_destructor_it_waits_no_longer_than_its_limit() {
    with(Delivery::Unwind, || {
        let handle = Handle::current().unwrap();
        let start = Instant::now();
        let waiter = spawn(move || {
            let mut task = handle.spawn(|| shield(|| sleep(5 * SECOND)));
            let _guard = OnDrop(move || {
                assert!(task.join_timeout(SECOND).is_none());
                assert!((&mut task).wait().is_ok());
            });
            park();
        });
        yield_now();
        waiter.cancel();
        assert!(waiter.join().unwrap_err().is_cancelled());
        assert_eq!(start.elapsed(), 5 * SECOND);
    });
}

#[test]
fn one_that_has_ended_does_not_wait() {
    run(|| {
        let mut task = Handle::current().unwrap().spawn(|| 5);
        while !task.is_finished() {
            yield_now();
        }
        let scope = CancelScope::new();
        scope.cancel("late");
        let joined = scope.run(|| no_switch(|| task.join_timeout(SECOND).unwrap().unwrap()));
        assert_eq!(joined, Some(5));
    });
}

#[test]
fn a_permit_to_unpark_is_not_taken() {
    run(|| {
        let mut task = Handle::current().unwrap().spawn(|| ());
        current().unpark();
        assert!(task.join_timeout(PATIENCE).unwrap().is_ok());
        park(); // returns at once
    });
    // Nor that of a plain thread by one who waits in vain: it may return early, no more.
    from_outside(|handle| {
        let mut task = handle.spawn(park);
        thread::current().unpark();
        assert!(task.join_timeout(MILLISECOND).is_none());
        task.cancel();
    });
}

#[test]
fn handles_in_a_tuple_are_waited_for_by_reference() {
    run(|| {
        let handle = Handle::current().unwrap();
        let (mut a, mut b) = (handle.spawn(|| 1), handle.spawn(|| 2));
        let (one, two) = (&mut a, &mut b).wait();
        assert_eq!(one.unwrap() + two.unwrap(), 3);
    });
}

#[test]
fn a_result_is_dropped_once_however_it_was_waited_for() {
    let (to, dropped) = mpsc::channel();
    let elsewhere = Elsewhere::start();
    let mut tasks: Vec<_> = (0..2)
        .map(|_| {
            let tells = crate::Tells(to.clone());
            elsewhere.handle().spawn(move || tells)
        })
        .collect();
    let kept = tasks[0].join_timeout(PATIENCE).unwrap().unwrap();
    while !tasks[1].is_finished() {
        thread::yield_now();
    }
    drop(tasks);
    assert_eq!(dropped.try_iter().count(), 1);
    drop(kept);
    assert_eq!(dropped.try_iter().count(), 1);
}

/// Limits and ends that race, many times: each result comes exactly once.
#[test]
fn limits_and_ends_that_race_lose_nothing() {
    let elsewhere = Elsewhere::start();
    let handle = elsewhere.handle().clone();
    let work = move || {
        let mut late = 0;
        for n in 0..2000_u32 {
            let mut task = handle.spawn(move || {
                (0..n % 7).for_each(|_| yield_now());
                n
            });
            let limit = Duration::from_micros(u64::from(n % 30));
            let given = loop {
                match task.join_timeout(limit) {
                    Some(given) => break given,
                    None => late += 1,
                }
            };
            assert_eq!(given.unwrap(), n);
        }
        late
    };
    let (ours, theirs) = (work.clone(), work);
    let helper = thread::spawn(theirs);
    run(|| {
        let task = spawn(ours);
        let _late: u32 = task.join().unwrap();
        unblock(move || helper.join().unwrap())
    });
}

/// Out of descriptors a runtime cannot be woken by others: a call that would have to wait
/// panics, and leaves the handle whole. Performed by a process of its own.
#[test]
fn without_a_descriptor_it_does_not_wait() {
    let name = "by_reference::without_a_descriptor_it_does_not_wait";
    if support::case().is_none() {
        let mut child = Command::new("sh");
        child
            .args(["-c", "ulimit -n 32 && exec \"$0\" \"$@\""])
            .arg(std::env::current_exe().unwrap())
            .args([name, "--exact", "--nocapture", "--test-threads=1"])
            .env("GREENROOM_TEST_CASE", "few");
        return support::finish(child).assert_success();
    }
    let elsewhere = Elsewhere::start();
    let (go, mut task) = told_to_end(elsewhere.handle());
    run(|| {
        let mut all = Vec::new();
        while let Ok(file) = File::open("/dev/null") {
            all.push(file);
        }
        let (_keep, never) = greenroom::sync::bounded::<u8>(1);
        let texts = [
            panic_text(|| (&mut task).wait()),
            panic_text(|| task.join_timeout(PATIENCE)),
            panic_text(|| {
                greenroom::select! {
                    recv(never) -> _ => (),
                    join(&mut task) => (),
                }
            }),
        ];
        for text in texts {
            let start = "join has no descriptor to be woken by: ";
            assert!(text.starts_with(start), "{text}");
        }
        drop(all);
        assert!(task.join_timeout(MILLISECOND).is_none());
        go.send(()).unwrap();
        assert_eq!(task.join_timeout(PATIENCE).unwrap().unwrap(), 5);
    });
}
