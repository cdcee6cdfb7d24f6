//! Order: those who select stand in the same queues as everybody else, and nobody
//! barges past them. When they leave, for whatever reason, the next one moves up.

use std::time::Duration;

use greenroom::sync::{Receiver, Sender, TryRecvError, TrySendError, bounded};
use greenroom::{Instant, JoinHandle, select, select_biased, sleep, spawn, timeout, yield_now};

use crate::support::Log;
use crate::{SECOND, clean};

/// How a task of these tests waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Plainly,
    Selecting,
}

const BOTH: [How; 2] = [How::Plainly, How::Selecting];

/// All rows of `length` hows.
fn rows(length: u32) -> impl Iterator<Item = Vec<How>> {
    (0..1usize << length).map(move |bits| (0..length).map(|n| BOTH[(bits >> n) & 1]).collect())
}

fn sender(how: How, send: &Sender<usize>, value: usize) -> JoinHandle<bool> {
    let send = send.clone();
    spawn(move || match how {
        How::Plainly => send.send(value).is_ok(),
        How::Selecting => {
            let (_never, other) = bounded::<()>(0);
            select! { recv(other) => false, send(send, value) -> sent => sent.is_ok() }
        }
    })
}

fn receiver(how: How, receive: &Receiver<usize>) -> JoinHandle<Option<usize>> {
    let receive = receive.clone();
    spawn(move || match how {
        How::Plainly => receive.recv().ok(),
        How::Selecting => {
            let (_never, other) = bounded::<()>(0);
            select! { recv(other) => None, recv(receive) -> v => v.ok(), after(SECOND * 900) => None }
        }
    })
}

/// Any row of plain and selecting senders is served in the order in which they came.
#[test]
fn senders_are_served_in_order() {
    clean(|| {
        for capacity in [0, 1, 3] {
            for row in rows(5) {
                let (send, receive) = bounded(capacity);
                for n in 0..capacity {
                    send.try_send(n).unwrap();
                }
                let tasks: Vec<_> = (capacity..)
                    .zip(&row)
                    .map(|(n, how)| sender(*how, &send, n))
                    .collect();
                yield_now();
                assert_eq!(send.try_send(99), Err(TrySendError::Full(99)), "{row:?}");
                for n in 0..capacity + row.len() {
                    assert_eq!(receive.recv(), Ok(n), "{row:?}");
                    if n + 1 < row.len() {
                        let barging = send.try_send(99);
                        assert_eq!(barging, Err(TrySendError::Full(99)), "{row:?} after {n}");
                        select! { send(send, 99) => panic!("{row:?} after {n}"), default => {} }
                    }
                }
                assert!(tasks.into_iter().all(|task| task.join().unwrap()));
                assert_eq!(receive.try_recv(), Err(TryRecvError::Empty));
            }
        }
    });
}

/// The same with a receiver for each, who all came before: nobody is passed over.
#[test]
fn receivers_are_served_in_order() {
    clean(|| {
        for capacity in [0, 1, 3] {
            for row in rows(5) {
                let (send, receive) = bounded(capacity);
                let tasks: Vec<_> = row.iter().map(|how| receiver(*how, &receive)).collect();
                yield_now();
                assert_eq!(receive.try_recv(), Err(TryRecvError::Empty));
                for n in 0..row.len() {
                    if n % 2 == 0 {
                        send.try_send(n).unwrap();
                        // Whoever comes now cannot take it.
                        assert_eq!(receive.try_recv(), Err(TryRecvError::Empty), "{row:?}");
                    } else {
                        let sent = select! { send(send, n) -> sent => sent, default => panic!("they wait") };
                        assert_eq!(sent, Ok(()));
                        assert_eq!(
                            select! { recv(receive) -> v => v.ok(), default => None },
                            None
                        );
                    }
                }
                let got: Vec<_> = tasks.into_iter().map(|task| task.join().unwrap()).collect();
                assert_eq!(got, (0..row.len()).map(Some).collect::<Vec<_>>(), "{row:?}");
            }
        }
    });
}

/// Somebody who leaves the row by a timeout lets the next one up at once.
#[test]
fn whoever_leaves_lets_the_next_one_up() {
    clean(|| {
        for capacity in [1usize, 2] {
            for row in rows(4) {
                let (send, receive) = bounded(capacity);
                for n in 0..capacity {
                    send.try_send(n).unwrap();
                }
                // It is the first in the row, and is woken for room, but does not take it.
                let (stop, stopped) = bounded::<()>(1);
                let first = {
                    let send = send.clone();
                    spawn(
                        move || select! { send(send, 50) => panic!("it was stopped"), recv(stopped) => 1 },
                    )
                };
                yield_now();
                let tasks: Vec<_> = (60..)
                    .zip(&row)
                    .map(|(n, how)| sender(*how, &send, n))
                    .collect();
                yield_now();
                stop.send(()).unwrap();
                for n in 0..capacity {
                    assert_eq!(receive.recv(), Ok(n));
                }
                assert_eq!(first.join().unwrap(), 1);
                sleep(SECOND);
                let done = tasks.iter().filter(|task| task.is_finished()).count();
                assert_eq!(
                    (done, send.len()),
                    (capacity, capacity),
                    "{row:?}: the room is used"
                );
                let rest: Vec<_> = (0..row.len()).map(|_| receive.recv().unwrap()).collect();
                assert_eq!(rest, (60..60 + row.len()).collect::<Vec<_>>(), "{row:?}");
                assert!(tasks.into_iter().all(|task| task.join().unwrap()));
            }
        }
    });
}

/// Whoever waits behind an arm that lost moves up before the value of the arm that won
/// is made; behind the one that won, when it is made, or fails to be.
#[test]
fn who_waits_behind_an_arm_while_a_value_is_made() {
    clean(|| {
        for lost in [true, false] {
            let (send, receive) = bounded(1);
            let (other, taken) = bounded(0);
            send.try_send(0).unwrap();
            let (own, other) = (send.clone(), other);
            let slow = move || {
                sleep(SECOND * 10);
                5
            };
            let task = spawn(move || {
                if lost {
                    select_biased! { send(other, slow()) -> s => s.is_ok(), send(own, 1) => false }
                } else {
                    select_biased! { send(own, slow()) -> s => s.is_ok(), send(other, 1) => false }
                }
            });
            yield_now();
            let behind = sender(How::Plainly, &send, 7);
            yield_now();
            let start = Instant::now();
            let other_taker = lost.then(|| receiver(How::Plainly, &taken));
            yield_now();
            assert_eq!(receive.recv(), Ok(0));
            if lost {
                assert_eq!(receive.recv(), Ok(7));
                assert_eq!(start.elapsed(), Duration::ZERO);
            } else {
                assert_eq!((receive.recv(), receive.recv()), (Ok(5), Ok(7)));
                assert_eq!(start.elapsed(), SECOND * 10);
            }
            assert!(task.join().unwrap() && behind.join().unwrap());
            assert_eq!(
                other_taker.map(|task| task.join().unwrap()),
                lost.then_some(Some(5))
            );
        }
    });
}

/// Every sender of a row is cut off in turn; those who are left are served in order.
#[test]
fn one_of_a_row_gives_up() {
    clean(|| {
        for capacity in [0, 1] {
            for row in rows(4) {
                for gone in 0..row.len() {
                    let (send, receive) = bounded(capacity);
                    for _ in 0..capacity {
                        send.try_send(100).unwrap();
                    }
                    let tasks: Vec<_> = (0..)
                        .zip(&row)
                        .map(|(n, how)| sender(*how, &send, n))
                        .collect();
                    yield_now();
                    tasks[gone].cancel();
                    yield_now();
                    let r = receive.clone();
                    let all = spawn(move || {
                        (0..3 + capacity)
                            .map(|_| r.recv().unwrap())
                            .collect::<Vec<_>>()
                    });
                    let mut got = all.join().unwrap();
                    got.retain(|n| *n != 100);
                    let wanted: Vec<_> = (0..row.len()).filter(|n| *n != gone).collect();
                    assert_eq!(got, wanted, "{row:?} without {gone}");
                    assert!(timeout(SECOND, || receive.recv()).is_err());
                }
            }
        }
    });
}

/// A receiver that gives up, or takes something else, loses nothing for the others.
#[test]
fn one_of_a_row_of_receivers_gives_up() {
    clean(|| {
        for row in rows(4) {
            for gone in 0..row.len() {
                let (send, receive) = bounded(0);
                let tasks: Vec<_> = row.iter().map(|how| receiver(*how, &receive)).collect();
                yield_now();
                tasks[gone].cancel();
                yield_now();
                for n in 0..3 {
                    send.send(n).unwrap();
                }
                let got: Vec<_> = tasks
                    .into_iter()
                    .filter_map(|task| task.join().ok())
                    .collect();
                assert_eq!(got, [Some(0), Some(1), Some(2)], "{row:?} without {gone}");
                assert!(timeout(SECOND, || send.send(7)).is_err());
            }
        }
    });
}

/// A task that selects again and again goes to the end of the queue each time.
#[test]
fn turns_are_taken() {
    let log = Log::new();
    clean(|| {
        let (send, receive) = bounded(0);
        for name in ["a", "b", "c"] {
            let (log, receive) = (log.clone(), receive.clone());
            spawn(move || {
                loop {
                    let got = select! { recv(receive) -> v => v, after(SECOND) => return };
                    if got.is_err() {
                        return;
                    }
                    log.add(name);
                }
            });
        }
        yield_now();
        for n in 0..9 {
            send.send(n).unwrap();
            yield_now();
        }
        sleep(SECOND * 5);
    });
    assert_eq!(log.take(), ["a", "b", "c"].repeat(3));
}

/// Select against select, on a channel where both must meet: whoever comes second
/// finds the first, in every order of arms and ends.
#[test]
fn selections_meet() {
    clean(|| {
        for both_ways in [false, true] {
            for sender_first in [false, true] {
                let (send, receive) = bounded(0);
                let (send_back, receive_back) = bounded::<usize>(0);
                let (quiet_s, quiet_r) = (send_back.clone(), receive_back.clone());
                let one = move || {
                    if both_ways {
                        select! { send(send, 5) -> sent => sent.is_ok(), recv(receive_back) -> v => v == Ok(6) }
                    } else {
                        select! { recv(receive_back) => false, send(send, 5) -> sent => sent.is_ok() }
                    }
                };
                let two = move || {
                    if both_ways {
                        select! { send(send_back, 6) -> sent => sent.is_ok(), recv(receive) -> v => v == Ok(5) }
                    } else {
                        let _kept = send_back;
                        select! { recv(receive) -> v => v == Ok(5) }
                    }
                };
                let tasks = if sender_first {
                    let first = spawn(one);
                    yield_now();
                    [first, spawn(two)]
                } else {
                    let first = spawn(two);
                    yield_now();
                    [first, spawn(one)]
                };
                let ended = tasks.map(|task| timeout(SECOND, || task.join().unwrap()));
                assert_eq!(ended, [Ok(true), Ok(true)]);
                drop((quiet_s, quiet_r));
            }
        }
    });
}

/// A ring of tasks, each selecting between its two neighbours: every meeting is
/// between two, and none is lost.
#[test]
fn a_ring_of_selections() {
    clean(|| {
        for size in 2..8usize {
            let channels: Vec<_> = (0..size).map(|_| bounded::<usize>(0)).collect();
            let tasks: Vec<_> = (0..size)
                .map(|n| {
                    let send = channels[n].0.clone();
                    let receive = channels[(n + size - 1) % size].1.clone();
                    spawn(move || {
                        let (mut sent, mut received) = (0, 0);
                        while sent < 20 || received < 20 {
                            let quiet = bounded::<usize>(0);
                            let to = if sent < 20 { &send } else { &quiet.0 };
                            let from = if received < 20 { &receive } else { &quiet.1 };
                            // Both at an end of `quiet` is where the loop ends.
                            select! {
                                send(to, sent) -> end => { end.unwrap(); sent += 1; }
                                recv(from) -> v => { assert_eq!(v, Ok(received)); received += 1; }
                            }
                        }
                    })
                })
                .collect();
            for task in tasks {
                assert_eq!(timeout(SECOND, || task.join().unwrap()), Ok(()), "{size}");
            }
        }
    });
}
