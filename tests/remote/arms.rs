//! `recv(receiver)` in a `select!`, with receivers of channels between threads.

use std::rc::Rc;
use std::thread;
use std::time::Duration;

use greenroom::sync::remote::{self, Receiver, bounded};
use greenroom::sync::{RecvError, TryRecvError, TrySendError, bounded as local};
use greenroom::{
    Clock, Config, Delivery, Instant, Runtime, run, select, select_biased, sleep, spawn, timeout,
    yield_now,
};

use crate::support::on_virtual;

const SECOND: Duration = Duration::from_secs(1);

fn settle() {
    sleep(Duration::from_nanos(1));
}

fn first<T>(receive: &Receiver<T>) -> Result<T, RecvError> {
    let (_keep, never) = local::<u8>(0);
    select! {
        recv(receive) -> value => value,
        recv(never) -> value => panic!("{value:?}"),
    }
}

#[test]
fn a_value_from_a_thread() {
    for capacity in [0, 1, usize::MAX] {
        let (send, receive) = bounded(capacity);
        let (one_more, other) = bounded(capacity);
        let threads = [
            thread::spawn(move || (0..100).for_each(|n| send.send(n).unwrap())),
            thread::spawn(move || (100..200).for_each(|n| one_more.send(n).unwrap())),
        ];
        let mut all = run(|| {
            let mut all: Vec<i32> = Vec::new();
            let (mut left, mut right) = (true, true);
            while left || right {
                select! {
                    recv(receive) -> value => match value {
                        Ok(value) => all.push(value),
                        Err(_) => {
                            left = false;
                            all.extend(other.iter());
                            right = false;
                        }
                    },
                    recv(&other) -> value => match value {
                        Ok(value) => all.push(value),
                        Err(_) => {
                            right = false;
                            all.extend(receive.iter());
                            left = false;
                        }
                    },
                }
            }
            all
        });
        threads.into_iter().for_each(|t| t.join().unwrap());
        assert!(all.iter().filter(|n| **n < 100).is_sorted());
        assert!(all.iter().filter(|n| **n >= 100).is_sorted());
        all.sort_unstable();
        assert!(all.into_iter().eq(0..200));
    }
}

#[test]
fn through_pointers() {
    let (send, receive) = bounded(8);
    (0..8).for_each(|n| send.send(n).unwrap());
    let receive = Rc::new(receive);
    let boxed = Box::new(Rc::clone(&receive));
    let mut got = Vec::new();
    for _ in 0..2 {
        select! { recv(receive) -> value => got.push(value.unwrap()), default => panic!() }
        select! { recv(&*receive) -> value => got.push(value.unwrap()), default => panic!() }
        select! { recv(boxed) -> value => got.push(value.unwrap()), default => panic!() }
        select! { wait(&*receive) -> value => got.push(value.unwrap()), default => panic!() }
    }
    assert!(got.into_iter().eq(0..8));
    select! { recv(receive) -> _ => panic!(), default => {} }
}

#[test]
fn a_losing_arm_loses_nothing() {
    on_virtual(|| {
        for capacity in [0, 1, 3] {
            let (send, receive) = bounded(capacity);
            let (win, winner) = local(1);
            let r = receive.clone();
            let selecting = spawn(move || {
                select_biased! {
                    recv(winner) -> value => value,
                    recv(r) -> value => value,
                }
            });
            settle();
            let s = send.clone();
            let sender = spawn(move || s.send("other"));
            yield_now();
            // Both come at once; the first in written order, or decided first, wins.
            win.send("this").unwrap();
            assert_eq!(selecting.join().unwrap(), Ok("this"));
            assert_eq!(receive.recv(), Ok("other"));
            sender.join().unwrap().unwrap();
        }
    });
}

/// An arm that was nudged and then chose something else leaves its value to the next.
#[test]
fn the_next_in_line_is_served() {
    on_virtual(|| {
        let (send, receive) = bounded(4);
        let (win, winner) = local(1);
        let r = receive.clone();
        let selecting = spawn(move || {
            select! {
                recv(winner) -> value => value,
                recv(r) -> value => value,
            }
        });
        settle();
        let r = receive.clone();
        let call = spawn(move || r.recv());
        settle();
        let r = receive.clone();
        let arm = spawn(move || first(&r));
        settle();
        // Decided before the message of the other channel is looked at.
        win.send(0).unwrap();
        send.send(1).unwrap();
        assert_eq!(receive.try_recv(), Err(TryRecvError::Empty), "it is kept");
        assert_eq!(selecting.join().unwrap(), Ok(0));
        assert_eq!(call.join().unwrap(), Ok(1));
        send.send(2).unwrap();
        assert_eq!(arm.join().unwrap(), Ok(2));
        assert_eq!(
            (send.len(), receive.try_recv()),
            (0, Err(TryRecvError::Empty))
        );
    });
}

/// Nudged, and then the sender gives up: the arm waits on, where it stood.
#[test]
fn a_sender_that_gives_up() {
    on_virtual(|| {
        let (send, receive) = bounded(0);
        let r = receive.clone();
        let arm = spawn(move || first(&r));
        settle();
        let r = receive.clone();
        let behind = spawn(move || r.recv());
        settle();
        let s = send.clone();
        let sender = spawn(move || s.send(1));
        yield_now();
        sender.cancel();
        settle();
        assert!(!arm.is_finished() && !behind.is_finished());
        send.send(2).unwrap();
        settle();
        assert_eq!(arm.join().unwrap(), Ok(2));
        send.send(3).unwrap();
        assert_eq!(behind.join().unwrap(), Ok(3));
    });
}

#[test]
fn at_a_rendezvous_a_try_passes_arms_over() {
    on_virtual(|| {
        let (send, receive) = bounded(0);
        let arm = spawn(move || first(&receive));
        settle();
        assert_eq!(send.try_send(1), Err(TrySendError::Full(1)));
        assert_eq!(send.send(2), Ok(()));
        assert_eq!(arm.join().unwrap(), Ok(2));
    });
}

#[test]
fn the_end_and_the_limit() {
    on_virtual(|| {
        let (send, receive) = bounded::<u8>(1);
        let r = receive.clone();
        let waiting = spawn(move || first(&r));
        settle();
        let start = Instant::now();
        select! {
            recv(receive) -> value => panic!("{value:?}"),
            after(3 * SECOND) => {}
        }
        assert_eq!(start.elapsed(), 3 * SECOND);
        assert!(timeout(SECOND, || first(&receive)).is_err());
        assert!(!waiting.is_finished());
        send.close();
        assert_eq!(waiting.join().unwrap(), Err(RecvError::Disconnected));
        assert_eq!(first(&receive), Err(RecvError::Disconnected));
    });
}

/// Closed with a value kept for an arm that then chooses something else.
#[test]
fn the_end_comes_after_the_last_value() {
    on_virtual(|| {
        let (send, receive) = bounded(4);
        let (win, winner) = local(1);
        let r = receive.clone();
        let selecting = spawn(move || {
            select! {
                recv(winner) -> value => value,
                recv(r) -> value => value,
            }
        });
        settle();
        let r = receive.clone();
        let behind = spawn(move || (r.recv(), r.recv()));
        settle();
        win.send(0).unwrap();
        send.send(1).unwrap();
        send.close();
        assert_eq!(selecting.join().unwrap(), Ok(0));
        let gone = Err(RecvError::Disconnected);
        assert_eq!(behind.join().unwrap(), (Ok(1), gone));
    });
}

#[test]
fn cancelled_with_errors() {
    let config = Config::new()
        .clock(Clock::virtual_())
        .delivery(Delivery::Error);
    Runtime::with(config).run(|| {
        let (send, receive) = bounded(1);
        let r = receive.clone();
        let arm = spawn(move || first(&r));
        settle();
        arm.cancel();
        assert_eq!(arm.join().unwrap(), Err(RecvError::Cancelled));
        send.send(1).unwrap();
        assert_eq!(receive.recv(), Ok(1));
    });
}

#[test]
fn a_oneshot_beside_other_things() {
    let (send, mut receive) = remote::oneshot();
    let (later, mut late) = remote::oneshot::<u8>();
    run(|| {
        thread::spawn(move || send.send(5));
        select! {
            wait(&mut receive) -> value => assert_eq!(value, Ok(5)),
            after(600 * SECOND) => panic!("too late"),
        }
        select! {
            wait(&mut late) -> value => panic!("{value:?}"),
            default => {}
        }
        thread::spawn(move || drop(later));
        select! {
            wait(&mut late) -> value => assert_eq!(value, Err(RecvError::Disconnected)),
        }
    });
}

/// Many selections on one channel from another thread: each value to one of them.
#[test]
fn many_selections_at_once() {
    for capacity in [0, 2, usize::MAX] {
        let (send, receive) = bounded(capacity);
        let sender = thread::spawn(move || (0..500).for_each(|n| send.send(n).unwrap()));
        let mut all: Vec<i32> = run(|| {
            let tasks: Vec<_> = (0..20)
                .map(|n| {
                    let receive = receive.clone();
                    spawn(move || {
                        let mut mine = Vec::new();
                        loop {
                            let value = if n % 3 == 0 {
                                receive.recv()
                            } else {
                                first(&receive)
                            };
                            match value {
                                Ok(value) => mine.push(value),
                                Err(_) => return mine,
                            }
                        }
                    })
                })
                .collect();
            tasks.into_iter().flat_map(|t| t.join().unwrap()).collect()
        });
        sender.join().unwrap();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..500));
    }
}
