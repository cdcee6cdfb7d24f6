//! A task that waits for both ends of one channel, or twice for the same.

use greenroom::net::TcpListener;
use greenroom::sync::{bounded, unbounded};
use greenroom::testing::{Random, RoundRobin};
use greenroom::{
    Clock, Config, Instant, Runtime, select, select_biased, sleep, spawn, timeout, yield_now,
};

use crate::{SECOND, Within, clean};

/// In so many steps all of these are done; more are spinning.
const STEPS: u32 = 3000;

fn within<T>(main: impl FnOnce() -> T) -> T {
    let schedule = Within {
        schedule: RoundRobin,
        steps: STEPS,
    };
    crate::clean_with(Config::new().schedule(schedule), main)
}

/// It is no partner for itself: alone it waits, without spinning, and ends well.
#[test]
fn nobody_meets_himself() {
    for round in 0..4 {
        within(|| {
            for _ in 0..round {
                select! { default => {}, after(SECOND) => {}, after(SECOND) => {} }
            }
            let (s, r) = bounded::<u32>(0);
            let start = Instant::now();
            let task = spawn({
                let (s, r) = (s.clone(), r.clone());
                move || {
                    select! {
                        send(s, 1) => panic!("to nobody"),
                        recv(r) => panic!("from nobody"),
                        after(SECOND) => {}
                    }
                }
            });
            task.join().unwrap();
            let task = spawn({
                let (s, r) = (s.clone(), r.clone());
                move || select! { recv(r) => 1, send(s, 1) => 2, default(SECOND) => 3 }
            });
            assert_eq!(task.join().unwrap(), 3);
            let task = spawn({
                let (s, r) = (s.clone(), r.clone());
                move || {
                    timeout(
                        SECOND,
                        || select! { recv(r) => 1, send(s, 1) => 2, recv(r) => 3 },
                    )
                }
            });
            assert!(task.join().unwrap().is_err());
            assert_eq!(start.elapsed(), SECOND * 3);
            let task = spawn(move || select! { recv(r) => 1, send(s, 1) => 2 });
            yield_now();
            task.cancel();
            assert!(task.join().unwrap_err().is_cancelled());
            // The stacks they had are used again.
            assert_eq!(
                spawn(|| {
                    yield_now();
                    5
                })
                .join()
                .unwrap(),
                5
            );
        });
    }
}

/// With room in the channel it sends to itself, and then receives.
#[test]
fn with_room_it_sends_and_then_receives() {
    within(|| {
        for (s, r) in [bounded(1), bounded(2), unbounded()] {
            let (mut sent, mut received) = (0, 0);
            for _ in 0..100 {
                select! {
                    send(s, sent) -> end => { end.unwrap(); sent += 1; }
                    recv(r) -> v => { assert_eq!(v, Ok(received)); received += 1; }
                }
                assert_eq!(r.len(), sent - received);
            }
            assert!(sent >= 50 && received >= 40, "{sent} {received}");
        }
    });
}

/// Two that wait for both ends of one channel meet: one sends, the other receives.
#[test]
fn two_of_them_meet() {
    for capacity in [0, 1] {
        for seed in 0..50 {
            let schedule = Within {
                schedule: Random(seed),
                steps: STEPS,
            };
            let mut runtime =
                Runtime::with(Config::new().clock(Clock::virtual_()).schedule(schedule));
            runtime.run(|| {
                let (s, r) = bounded(capacity);
                let tasks: Vec<_> = (0..6)
                    .map(|n| {
                        let (s, r) = (s.clone(), r.clone());
                        spawn(move || {
                            let mut sum = 0i64;
                            for _ in 0..10 {
                                sum += select! {
                                    send(s, n) -> sent => { sent.unwrap(); -n }
                                    recv(r) -> v => v.unwrap(),
                                    after(SECOND) => return sum, // the last one is alone
                                }
                            }
                            sum
                        })
                    })
                    .collect();
                let sum: i64 = tasks.into_iter().map(|task| task.join().unwrap()).sum();
                let left: i64 = r.try_iter().sum();
                assert_eq!(sum + left, 0, "each value was received once");
            });
            assert_eq!(runtime.tasks_alive(), 0);
        }
    }
}

/// One that waits for both ends is a receiver for every kind of sender.
#[test]
fn it_receives_from_every_kind_of_sender() {
    for kind in 0..5 {
        within(|| {
            let (s, r) = bounded::<u32>(0);
            let both = spawn({
                let (s, r) = (s.clone(), r.clone());
                move || match kind % 2 {
                    0 => {
                        select! { send(s, 1) => Err(()), recv(r) -> v => Ok(v), after(SECOND) => Err(()) }
                    }
                    _ => select! { send(s, 1) => Err(()), recv(r) -> v => Ok(v) },
                }
            });
            yield_now();
            match kind {
                0 => assert_eq!(s.try_send(7), Ok(())),
                1 | 2 => assert_eq!(s.send(7), Ok(())),
                3 => assert_eq!(
                    select! { send(s, 7) -> sent => sent, after(SECOND) => panic!("a receiver waits") },
                    Ok(())
                ),
                _ => assert_eq!(
                    select_biased! { send(s, 7) -> sent => sent, default => panic!("a receiver waits") },
                    Ok(())
                ),
            }
            assert_eq!(both.join().unwrap(), Ok(Ok(7)));
        });
    }
}

/// ... and a sender for every kind of receiver that waits.
#[test]
fn it_sends_to_every_kind_of_receiver() {
    for kind in 0..2 {
        within(|| {
            let (s, r) = bounded::<u32>(0);
            let both = spawn({
                let (s, r) = (s.clone(), r.clone());
                move || select! { send(s, 1) -> sent => sent.is_ok(), recv(r) => false }
            });
            yield_now();
            let got = match kind {
                0 => r.recv(),
                _ => select! { recv(r) -> v => v, after(SECOND) => Ok(100) },
            };
            assert_eq!(got, Ok(1));
            assert!(both.join().unwrap());
        });
    }
}

/// Plain senders that queued up behind it are served, and in order.
#[test]
fn those_who_wait_behind_it_are_served() {
    within(|| {
        let (s, r) = bounded::<u32>(0);
        let mut tasks = Vec::new();
        for n in 0..3 {
            let (sender, receiver) = (s.clone(), r.clone());
            tasks.push(spawn(move || {
                select! { send(sender, 100 + n) -> sent => sent.is_ok(), recv(receiver) -> v => v.is_ok() }
            }));
        }
        yield_now();
        let plain: Vec<_> = (0..4)
            .map(|n| {
                let sender = s.clone();
                spawn(move || sender.send(n).is_ok())
            })
            .collect();
        sleep(SECOND);
        let ended = tasks.iter().filter(|task| task.is_finished()).count();
        let sent = plain.iter().filter(|task| task.is_finished()).count();
        // Of the three the first two meet; the third receives from a plain sender.
        assert_eq!((ended, sent), (3, 1));
        for _ in 0..3 {
            assert!(r.recv().is_ok());
        }
        assert!(plain.into_iter().all(|task| task.join().unwrap()));
    });
}

/// The same arm several times: once is enough.
#[test]
fn the_same_end_on_several_arms() {
    within(|| {
        let (s, r) = bounded::<u32>(0);
        let receiver = {
            let r = r.clone();
            spawn(move || select! { recv(r) -> v => v, recv(r) -> v => v, recv(r) -> v => v })
        };
        yield_now();
        s.send(5).unwrap();
        assert_eq!(receiver.join().unwrap(), Ok(5));
        assert_eq!(
            s.try_send(6).unwrap_err().into_inner(),
            6,
            "nobody else waits"
        );
        let sender = {
            let s = s.clone();
            spawn(
                move || select! { send(s, 1) -> sent => sent, send(s, 2) -> sent => sent, after(SECOND) => Ok(()) },
            )
        };
        yield_now();
        let got = r.recv().unwrap();
        assert!(got == 1 || got == 2);
        assert_eq!(sender.join().unwrap(), Ok(()));
        assert!(timeout(SECOND, || r.recv()).is_err(), "it was sent once");
    });
}

/// One socket on several arms.
#[test]
fn one_socket_on_several_arms() {
    clean(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        for _ in 0..3 {
            let own = listener.try_clone().unwrap();
            let task = spawn(move || {
                select! {
                    readable(own) => panic!("nobody connects"),
                    readable(own) => panic!("nobody connects"),
                    after(SECOND) => {}
                }
            });
            task.join().unwrap();
            assert_eq!(
                spawn(|| {
                    yield_now();
                    5
                })
                .join()
                .unwrap(),
                5
            );
        }
    });
}
