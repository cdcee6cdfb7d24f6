//! `join(&mut handle)` in a `select!`: the arm is woken by another thread, leaves nothing
//! behind when another arm was chosen, and loses no result.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use greenroom::sync::{Event, bounded, remote};
use greenroom::{
    Awaitable, CancelScope, Clock, Config, Delivery, Handle, Instant, RemoteJoinHandle, Runtime,
    park, run, select, select_biased, sleep, spawn, timeout, yield_now,
};

use crate::support::{on_virtual, panic_text};
use crate::{Elsewhere, PATIENCE};

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

#[test]
fn the_end_of_a_task_of_another_runtime_wakes_it() {
    let elsewhere = Elsewhere::start();
    let (go, wait) = mpsc::channel::<()>();
    let mut task = elsewhere.handle().spawn(move || {
        while wait.try_recv().is_err() {
            yield_now();
        }
        5
    });
    run(|| {
        let sender = spawn(move || go.send(()).unwrap());
        let given = select! {
            join(&mut task) -> end => end.unwrap(),
            after(PATIENCE) => unreachable!("too slow"),
        };
        assert_eq!(given, 5);
        sender.join().unwrap();
    });
}

#[test]
fn the_end_of_a_task_of_the_same_runtime_wakes_it() {
    on_virtual(|| {
        let start = Instant::now();
        let mut task = Handle::current().unwrap().spawn(|| {
            sleep(3 * SECOND);
            5
        });
        let mut ticks = 0;
        let given = loop {
            select! {
                wait(&mut task) -> end => break end.unwrap(),
                after(SECOND * 4 / 5) => ticks += 1,
            }
        };
        assert_eq!((given, ticks, start.elapsed()), (5, 3, 3 * SECOND));
    });
}

#[test]
fn one_that_has_ended_is_ready_also_without_a_runtime() {
    let elsewhere = Elsewhere::start();
    let mut task = elsewhere.handle().spawn(|| 5);
    while !task.is_finished() {
        thread::yield_now();
    }
    let given = select_biased! {
        join(&mut task) -> end => end.unwrap(),
        default => 0,
    };
    assert_eq!(given, 5);
    let mut waits = elsewhere.handle().spawn(park);
    let given = select! {
        join(&mut waits) => 1,
        default => 0,
    };
    assert_eq!(given, 0);
    waits.cancel();
    assert!(waits.join().unwrap_err().is_cancelled());
}

#[test]
fn an_arm_that_lost_has_lost_nothing() {
    let elsewhere = Elsewhere::start();
    run(|| {
        let mut task = elsewhere.handle().spawn(|| 5);
        while !task.is_finished() {
            thread::yield_now();
        }
        let (sender, receiver) = bounded(1);
        sender.send(()).unwrap();
        select_biased! {
            recv(receiver) => (),
            join(&mut task) => unreachable!("the other comes first"),
        }
        // It ends while another arm is decided for.
        let event = Event::new();
        let mut slow = elsewhere.handle().spawn(|| {
            yield_now();
            6
        });
        spawn(|| ()).join().unwrap();
        let chosen = select! {
            wait(&event) => 0,
            join(&mut slow) -> end => end.unwrap(),
            after(Duration::ZERO) => 0,
        };
        if chosen == 0 {
            assert_eq!(slow.join_timeout(PATIENCE).unwrap().unwrap(), 6);
        }
        assert_eq!(task.join().unwrap(), 5);
    });
}

#[test]
fn several_tasks_of_several_runtimes_are_waited_for_at_once() {
    let (one, two) = (Elsewhere::start(), Elsewhere::start());
    let sums = run(|| {
        let here = Handle::current().unwrap();
        (0..100).map(|_| {
            let mut first = one.handle().spawn(|| 1);
            let mut second = two.handle().spawn(|| 10);
            let mut third = here.spawn(|| 100);
            let mut local = spawn(|| 1000);
            // What was not chosen may be used in the body, also up.
            select! {
                join(&mut first) -> end => end.unwrap() + sum([second, third]) + local.join().unwrap(),
                join(&mut second) -> end => end.unwrap() + sum([first, third]) + local.join().unwrap(),
                join(&mut third) -> end => end.unwrap() + sum([first, second]) + local.join().unwrap(),
                join(&mut local) -> end => end.unwrap() + sum([first, second, third]),
            }
        }).collect::<Vec<_>>()
    });
    assert_eq!(sums, [1111; 100]);
}

fn sum<const N: usize>(tasks: [RemoteJoinHandle<u32>; N]) -> u32 {
    tasks.map(|task| task.join().unwrap()).iter().sum()
}

/// Cancelled before it waits, while it waits, and when the task had ended.
#[test]
fn a_cancelled_selection_leaves_the_handle_whole() {
    for delivery in [Delivery::Unwind, Delivery::Error] {
        let config = Config::new().clock(Clock::virtual_()).delivery(delivery);
        Runtime::with(config).run(|| cancelled(delivery));
    }
}

fn cancelled(delivery: Delivery) {
    let unwinds = delivery == Delivery::Unwind;
    let mut task = Handle::current().unwrap().spawn(|| {
        sleep(5 * SECOND);
        5
    });
    let start = Instant::now();
    // Before, with an arm that can end by it beside.
    let scope = CancelScope::new();
    scope.cancel("early");
    let (_sender, receiver) = bounded::<()>(1);
    let chosen = scope.run(|| {
        select! {
            join(&mut task) => "the end",
            recv(receiver) => "an error",
        }
    });
    assert_eq!(chosen, (!unwinds).then_some("an error"));
    assert_eq!(start.elapsed(), Duration::ZERO);
    // While it waits.
    let chosen = timeout(SECOND, || {
        select! {
            join(&mut task) => "the end",
            recv(receiver) => "an error",
        }
    });
    assert_eq!(chosen.ok(), (!unwinds).then_some("an error"));
    assert_eq!(start.elapsed(), SECOND);
    // Alone it waits on where nothing may be thrown.
    let chosen = timeout(
        SECOND,
        || select! { join(&mut task) -> end => end.unwrap() },
    );
    if unwinds {
        assert!(chosen.is_err());
        assert_eq!(start.elapsed(), 2 * SECOND);
        while !task.is_finished() {
            sleep(SECOND);
        }
        // It had ended: that wins.
        let scope = CancelScope::new();
        scope.cancel("late");
        let chosen = scope.run(|| select! { join(&mut task) -> end => end.unwrap() });
        assert_eq!(chosen, Some(5));
    } else {
        assert_eq!(chosen, Ok(5));
    }
    assert_eq!(start.elapsed(), 5 * SECOND);
    assert!(task.is_finished());
}

#[test]
fn on_a_plain_thread_it_cannot_wait() {
    let elsewhere = Elsewhere::start();
    let mut task = elsewhere.handle().spawn(park);
    let text = panic_text(|| select! { join(&mut task) => () });
    assert!(text.contains("no runtime is running here"), "{text}");
    assert!(task.join_timeout(MILLISECOND).is_none());
    task.cancel();
    assert!(task.join().unwrap_err().is_cancelled());
}

/// Another arm and the end of the task, at about the same time, many times.
#[test]
fn arms_that_race_lose_nothing() {
    let elsewhere = Elsewhere::start();
    run(|| {
        let (mut ends, mut others) = (0, 0);
        for n in 0..2000_u32 {
            let (sender, receiver) = remote::bounded(1);
            let mut task = elsewhere.handle().spawn(move || {
                sender.send(n).unwrap();
                n
            });
            select! {
                join(&mut task) -> end => {
                    assert_eq!(end.unwrap(), n);
                    assert_eq!(receiver.try_recv(), Ok(n));
                    ends += 1;
                }
                recv(receiver) -> value => {
                    assert_eq!(value, Ok(n));
                    assert_eq!((&mut task).wait().unwrap(), n);
                    others += 1;
                }
            }
        }
        assert_eq!(ends + others, 2000);
    });
}
