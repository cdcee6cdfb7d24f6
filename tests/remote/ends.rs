//! The other end is gone, or the channel is closed, at whatever time; and waits that
//! are cut short.

use std::fs::File;
use std::process::Command;
use std::thread;
use std::time::Duration;

use greenroom::sync::remote::{self, bounded};
use greenroom::sync::{
    RecvError, RecvTimeoutError, SendError, SendTimeoutError, TryRecvError, TrySendError,
};
use greenroom::{
    Awaitable, Clock, Config, Delivery, Instant, Runtime, move_on_after, run, sleep, spawn,
    timeout, yield_now,
};

use crate::support::{self, Log, OnDrop, on_virtual};

const SECOND: Duration = Duration::from_secs(1);

/// Until all others wait: on a virtual clock time passes only then.
fn settle() {
    sleep(Duration::from_nanos(1));
}

#[test]
fn the_last_sender_gone_wakes_every_receiver() {
    for close in [false, true] {
        let (send, receive) = bounded::<u8>(3);
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let receive = receive.clone();
                thread::spawn(move || receive.recv())
            })
            .collect();
        let second = send.clone();
        on_virtual(|| {
            let tasks: Vec<_> = (0..3)
                .map(|_| {
                    let receive = receive.clone();
                    spawn(move || receive.recv())
                })
                .collect();
            settle();
            drop(send);
            settle();
            assert!(tasks.iter().all(|task| !task.is_finished()));
            if close {
                second.close();
            } else {
                drop(second);
            }
            for task in tasks {
                assert_eq!(task.join().unwrap(), Err(RecvError::Disconnected));
            }
        });
        for thread in threads {
            assert_eq!(thread.join().unwrap(), Err(RecvError::Disconnected));
        }
    }
}

#[test]
fn the_last_receiver_gone_gives_every_sender_its_value_back() {
    for close in [false, true] {
        let (send, receive) = bounded(1);
        send.send(100).unwrap();
        let threads: Vec<_> = (0..3)
            .map(|n| {
                let send = send.clone();
                thread::spawn(move || send.send(n))
            })
            .collect();
        on_virtual(|| {
            let tasks: Vec<_> = (3..6)
                .map(|n| {
                    let send = send.clone();
                    spawn(move || send.send(n))
                })
                .collect();
            settle();
            if close {
                send.close();
                assert_eq!(receive.len(), 1);
                // Somebody's value may have gone in before.
                assert!(receive.iter().eq([100]));
            }
            drop(receive);
            for (n, task) in (3..6).zip(tasks) {
                assert_eq!(task.join().unwrap(), Err(SendError::Disconnected(n)));
            }
        });
        for (n, thread) in (0..3).zip(threads) {
            assert_eq!(thread.join().unwrap(), Err(SendError::Disconnected(n)));
        }
    }
}

#[test]
fn whoever_waits_longest_is_served_first() {
    let log = Log::new();
    on_virtual(|| {
        let (send, receive) = bounded(0);
        for n in 0..5 {
            let (log, receive) = (log.clone(), receive.clone());
            spawn(move || log.add((n, receive.recv().unwrap())));
            settle();
        }
        for value in 10..15 {
            send.send(value).unwrap();
        }
        settle();
        assert_eq!(log.take(), [(0, 10), (1, 11), (2, 12), (3, 13), (4, 14)]);
        let senders: Vec<_> = (0..5)
            .map(|n| {
                let send = send.clone();
                spawn(move || send.send(n).unwrap())
            })
            .collect();
        settle();
        for n in 0..5 {
            assert_eq!(receive.recv(), Ok(n));
        }
        senders.into_iter().for_each(|task| task.join().unwrap());
    });
}

#[test]
fn nobody_barges_past_those_who_wait() {
    on_virtual(|| {
        for capacity in [0, 1, 5] {
            let (send, receive) = bounded(capacity);
            let r = receive.clone();
            let waiting = spawn(move || r.recv());
            settle();
            send.try_send("first").unwrap();
            assert_eq!(receive.try_recv(), Err(TryRecvError::Empty));
            assert_eq!(waiting.join().unwrap(), Ok("first"));

            for _ in 0..capacity {
                send.try_send("full").unwrap();
            }
            let s = send.clone();
            let waiting = spawn(move || s.send("last"));
            settle();
            // Its value takes the room at once.
            receive.try_recv().unwrap();
            let full = if capacity == 0 { 0 } else { capacity };
            assert_eq!(send.len(), full);
            assert_eq!(send.try_send("late"), Err(TrySendError::Full("late")));
            waiting.join().unwrap().unwrap();
        }
    });
}

/// What a receiver was handed before it was cancelled is its own.
#[test]
fn a_completed_wait_wins_over_a_later_cancellation() {
    on_virtual(|| {
        let (send, receive) = bounded(0);
        let r = receive.clone();
        let receiver = spawn(move || r.recv());
        settle();
        send.try_send(1).unwrap();
        receiver.cancel();
        assert_eq!(receiver.join().unwrap(), Ok(1));

        let s = send.clone();
        let sender = spawn(move || s.send(2));
        settle();
        assert_eq!(receive.try_recv(), Ok(2));
        sender.cancel();
        assert_eq!(sender.join().unwrap(), Ok(()));
    });
}

#[test]
fn a_cancelled_wait_leaves_no_trace() {
    on_virtual(|| {
        let (send, receive) = bounded(1);
        let tasks: Vec<_> = (0..5)
            .map(|_| {
                let receive = receive.clone();
                spawn(move || receive.recv())
            })
            .collect();
        settle();
        tasks[0].cancel();
        tasks[2].cancel();
        tasks[4].cancel();
        settle();
        for n in 0..3 {
            send.try_send(n).unwrap();
        }
        let got: Vec<_> = tasks.into_iter().map(|task| task.join().ok()).collect();
        assert_eq!(got, [None, Some(Ok(0)), None, Some(Ok(1)), None]);
        assert_eq!(receive.try_recv(), Ok(2));

        // Of the values of senders who gave up nothing is seen, and they are dropped.
        let dropped = Log::new();
        let value = |n: u32| {
            let dropped = dropped.clone();
            OnDrop(move || dropped.add(n))
        };
        // `Log` stays in its thread, and so does everything here.
        let (send, receive) = bounded::<u32>(1);
        send.send(0).unwrap();
        let tasks: Vec<_> = (1..4)
            .map(|n| {
                let (send, held) = (send.clone(), value(n));
                spawn(move || {
                    let _held = held;
                    send.send(n)
                })
            })
            .collect();
        settle();
        tasks[1].cancel();
        settle();
        assert_eq!(dropped.take(), [2]);
        assert!(receive.iter().take(3).eq([0, 1, 3]));
    });
}

#[test]
fn by_error_the_value_comes_back() {
    let config = Config::new()
        .clock(Clock::virtual_())
        .delivery(Delivery::Error);
    Runtime::with(config).run(|| {
        let (send, receive) = bounded(1);
        send.send(1).unwrap();
        let s = send.clone();
        let sender = spawn(move || (s.send(2), s.send_timeout(3, SECOND)));
        let (_keep, empty) = bounded::<u8>(1);
        let receiver = spawn(move || (empty.recv(), empty.recv_timeout(SECOND)));
        settle();
        sender.cancel();
        receiver.cancel();
        assert_eq!(
            sender.join().unwrap(),
            (
                Err(SendError::Cancelled(2)),
                Err(SendTimeoutError::Cancelled(3))
            )
        );
        assert_eq!(
            receiver.join().unwrap(),
            (Err(RecvError::Cancelled), Err(RecvTimeoutError::Cancelled))
        );
        assert!(receive.try_iter().eq([1]));
        assert_eq!(send.try_send(4), Ok(()), "nobody is in line");
    });
}

/// In a destructor, while the task unwinds, it fails instead of waiting.
#[test]
fn an_unwinding_task_does_not_wait() {
    let log = Log::new();
    on_virtual(|| {
        let (send, receive) = bounded(1);
        let log = log.clone();
        let task = spawn(move || {
            let _at_last = OnDrop(|| {
                log.add(receive.recv().map_err(|e| e.to_string()));
                log.add(receive.recv().map_err(|e| e.to_string()));
            });
            send.send(1).unwrap();
            sleep(SECOND);
        });
        settle();
        task.cancel();
        assert!(task.join().is_err());
    });
    let said = log.take();
    assert_eq!(said[0], Ok(1));
    assert!(
        said[1].as_ref().unwrap_err().contains("unwinding"),
        "{said:?}"
    );
}

/// Limits and scopes on the virtual clock: it goes on while a task waits here.
#[test]
fn limits_on_the_virtual_clock() {
    on_virtual(|| {
        let (send, receive) = bounded(0);
        let start = Instant::now();
        let late = receive.recv_timeout(3 * SECOND);
        assert_eq!(late, Err(RecvTimeoutError::Timeout));
        assert_eq!(start.elapsed(), 3 * SECOND);
        let late = send.send_timeout(1, 3 * SECOND);
        assert_eq!(late, Err(SendTimeoutError::Timeout(1)));
        assert_eq!(start.elapsed(), 6 * SECOND);
        assert!(timeout(SECOND, || receive.recv()).is_err());
        assert_eq!(start.elapsed(), 7 * SECOND);
        let none = receive.recv_timeout(Duration::ZERO);
        assert_eq!(none, Err(RecvTimeoutError::Timeout));
        let s = send.clone();
        let sender = spawn(move || {
            sleep(SECOND);
            s.send(2)
        });
        assert_eq!(receive.recv_timeout(Duration::MAX), Ok(2));
        sender.join().unwrap().unwrap();
        assert_eq!(start.elapsed(), 8 * SECOND);
        // In time and too late at the same moment: the value is not lost.
        let s = send.clone();
        let sender = spawn(move || s.send_timeout(3, SECOND));
        sleep(SECOND);
        let got = receive.recv_timeout(Duration::ZERO);
        let sent = sender.join().unwrap();
        assert_eq!(got.is_ok(), sent.is_ok());
    });
}

#[test]
fn huge_limits_are_no_limits() {
    let (send, receive) = bounded(0);
    let thread = thread::spawn(move || receive.recv_timeout(Duration::MAX));
    send.send_timeout(5, Duration::MAX).unwrap();
    assert_eq!(thread.join().unwrap(), Ok(5));
}

/// The runtime goes, and with it its ends: threads that wait for them are told.
#[test]
fn a_runtime_dropped_while_threads_wait() {
    let (send, receive) = bounded::<u32>(0);
    let (answer, answered) = bounded::<u32>(0);
    let (ready, is_ready) = std::sync::mpsc::channel();
    let sender = thread::spawn({
        let ready = ready.clone();
        move || {
            ready.send(()).unwrap();
            send.send(1)
        }
    });
    let receiver = thread::spawn(move || {
        ready.send(()).unwrap();
        answered.recv()
    });
    is_ready.recv().unwrap();
    is_ready.recv().unwrap();
    let mut runtime = Runtime::new();
    runtime.spawn(move || {
        let _ends = (receive, answer);
        greenroom::park();
    });
    let _turn = runtime.turn();
    drop(runtime);
    assert_eq!(sender.join().unwrap(), Err(SendError::Disconnected(1)));
    assert_eq!(receiver.join().unwrap(), Err(RecvError::Disconnected));
}

/// Tasks that wait here when their runtime ends are cancelled as any other, and
/// threads may send to them long after.
#[test]
fn a_runtime_that_ends_while_its_tasks_wait() {
    let (send, receive) = remote::unbounded();
    let kept = receive.clone();
    run(|| {
        spawn(move || receive.recv());
        yield_now();
    });
    send.send(1).unwrap();
    assert_eq!(kept.recv(), Ok(1));
}

#[test]
fn awaited() {
    run(|| {
        let (send, receive) = bounded(1);
        let (answer, mut answered) = remote::oneshot();
        thread::spawn(move || {
            send.send(5).unwrap();
            answer.send(6).unwrap();
        });
        assert_eq!((&receive).wait(), Ok(5));
        assert_eq!((&mut answered).wait(), Ok(6));
        assert_eq!(answered.wait(), Err(RecvError::Disconnected));
        let none = move_on_after(SECOND, || receive.recv());
        assert_eq!(none, Some(Err(RecvError::Disconnected)));
    });
}

/// Where several tasks use one receiver, nobody is passed over.
#[test]
fn one_receiver_shared_by_tasks() {
    on_virtual(|| {
        let (send, receive) = remote::unbounded();
        let receive = std::rc::Rc::new(receive);
        let waiting: Vec<_> = (0..3)
            .map(|_| {
                let receive = std::rc::Rc::clone(&receive);
                spawn(move || receive.recv())
            })
            .collect();
        settle();
        (0..10).for_each(|n| send.send(n).unwrap());
        let got: Vec<_> = receive.iter().take(5).collect();
        assert_eq!(got, [3, 4, 5, 6, 7]);
        for (n, task) in waiting.into_iter().enumerate() {
            assert_eq!(task.join().unwrap(), Ok(n));
        }
        let arm = spawn({
            let receive = std::rc::Rc::clone(&receive);
            move || {
                greenroom::select! {
                    recv(receive) -> value => value,
                    after(SECOND) => panic!("late"),
                }
            }
        });
        assert_eq!(arm.join().unwrap(), Ok(8));
        assert_eq!(receive.try_recv(), Ok(9));
    });
}

/// Each value that is taken lets one go on, also where the receiver holds several.
#[test]
fn as_many_go_on_as_there_is_room_for() {
    on_virtual(|| {
        let (send, receive) = bounded(3);
        (0..3).for_each(|n| send.send(n).unwrap());
        let senders: Vec<_> = (3..6)
            .map(|n| {
                let send = send.clone();
                let task = spawn(move || send.send(n));
                settle();
                task
            })
            .collect();
        for n in 0..3 {
            let waiting = senders.iter().filter(|task| !task.is_finished());
            assert_eq!(waiting.count(), 3 - n);
            assert_eq!(receive.recv(), Ok(n));
            settle();
        }
        assert!(senders.iter().all(greenroom::JoinHandle::is_finished));
        assert!(receive.try_iter().eq(3..6));
    });
}

/// Out of descriptors a runtime cannot be woken by others: a call that would have to
/// wait says so. Performed by a process of its own.
#[test]
fn without_a_descriptor_it_does_not_wait() {
    let name = "ends::without_a_descriptor_it_does_not_wait";
    if support::case().is_none() {
        let mut child = Command::new("sh");
        child
            .args(["-c", "ulimit -n 32 && exec \"$0\" \"$@\""])
            .arg(std::env::current_exe().unwrap())
            .args([name, "--exact", "--nocapture", "--test-threads=1"])
            .env("GREENROOM_TEST_CASE", "few");
        return support::finish(child).assert_success();
    }
    let (send, receive) = bounded(1);
    run(|| {
        let mut all = Vec::new();
        while let Ok(file) = File::open("/dev/null") {
            all.push(file);
        }
        assert_eq!(receive.recv(), Err(RecvError::WouldBlock));
        let late = receive.recv_timeout(SECOND);
        assert_eq!(late, Err(RecvTimeoutError::WouldBlock));
        let (_keep, never) = greenroom::sync::bounded::<u8>(1);
        greenroom::select! {
            recv(receive) -> value => assert_eq!(value, Err(RecvError::WouldBlock)),
            recv(never) -> value => panic!("{value:?}"),
        }
        assert_eq!(send.send(1), Ok(()), "it need not wait");
        assert_eq!(send.send(2), Err(SendError::WouldBlock(2)));
        let late = send.send_timeout(3, SECOND);
        assert_eq!(late, Err(SendTimeoutError::WouldBlock(3)));
        drop(all);
        assert_eq!(receive.recv(), Ok(1));
        let waiting = spawn(move || receive.recv());
        yield_now();
        send.send(4).unwrap();
        assert_eq!(waiting.join().unwrap(), Ok(4));
    });
}
