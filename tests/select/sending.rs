//! The value of a `send` arm: evaluated when it is chosen, and only then.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use greenroom::sync::{RecvError, SendError, Sender, TrySendError, bounded, unbounded};
use greenroom::{generator, park, select, select_biased, sleep, spawn, timeout, yield_now};

use crate::support::{OnDrop, panic_text, quiet_panic};
use crate::{SECOND, clean};

/// A value that is never made.
fn refuse<T>(why: &'static str) -> T {
    quiet_panic(why)
}

#[test]
fn the_value_is_evaluated_when_it_is_chosen() {
    clean(|| {
        let made = Cell::new(0);
        let make = || {
            made.set(made.get() + 1);
            made.get()
        };
        let (s, r) = bounded(1);
        let (full, _kept) = bounded(0);
        for round in 1..=20 {
            select! {
                send(full, make()) => panic!("nobody receives there"),
                send(s, make()) -> sent => sent.unwrap(),
            }
            assert_eq!(made.get(), round);
            select! {
                send(s, make()) => panic!("it is full"),
                send(full, make()) => panic!("nobody receives there"),
                default => {}
            }
            select! {
                send(s, make()) => panic!("it is full"),
                after(SECOND) => {}
            }
            assert_eq!(made.get(), round);
            assert_eq!(r.recv(), Ok(round));
        }
        // Also when it has to wait for its turn.
        let taker = r.clone();
        s.send(0).unwrap();
        spawn(move || {
            sleep(SECOND);
            while taker.recv().is_ok() {}
        });
        select! { send(s, make()) -> sent => sent.unwrap(), after(SECOND * 5) => panic!("there is room") }
        assert_eq!(made.get(), 21);
        // A channel without receivers is ready: the value is made, and comes back.
        let (s, r) = bounded(5);
        drop(r);
        let sent = select! { send(s, make()) -> sent => sent, after(SECOND) => Ok(()) };
        assert_eq!(sent, Err(SendError::Disconnected(22)));
    });
}

/// A value that cannot be copied, in a loop: it is gone only when it was sent.
#[test]
fn a_value_is_moved_only_when_it_is_chosen() {
    clean(|| {
        let (s, r) = bounded::<String>(0);
        let mut word = Some("word".to_owned());
        let receiver = spawn(move || {
            sleep(SECOND * 3);
            r.recv()
        });
        let mut ticks = 0;
        while word.is_some() {
            select! {
                send(s, word.take().unwrap()) -> sent => sent.unwrap(),
                after(SECOND) => ticks += 1,
            }
        }
        assert!((2..=3).contains(&ticks));
        assert_eq!(receiver.join().unwrap(), Ok("word".to_owned()));
        let moved = "moved".to_owned();
        let (s, r) = unbounded();
        select! { send(s, moved) -> sent => sent.unwrap() }
        assert_eq!(r.recv().unwrap(), "moved");
    });
}

/// A value may stand in several arms, and in bodies: it is moved only where it is sent.
#[test]
fn a_value_that_several_arms_want() {
    fn give(s: &Sender<String>, job: String) -> Result<(), String> {
        select! {
            send(s, job) -> sent => sent.map_err(SendError::into_inner),
            after(SECOND) => Err(job),
        }
    }
    fn whoever(a: &Sender<String>, b: &Sender<String>, job: String) -> Result<u32, String> {
        select! {
            send(a, job) -> sent => sent.map(|()| 1).map_err(SendError::into_inner),
            send(b, job) -> sent => sent.map(|()| 2).map_err(SendError::into_inner),
            default => Err(job + "!"),
        }
    }
    clean(|| {
        let (s, r) = bounded(1);
        assert_eq!(give(&s, "a".to_owned()), Ok(()));
        assert_eq!(give(&s, "b".to_owned()), Err("b".to_owned()));
        let (s2, r2) = bounded(0);
        assert_eq!(whoever(&s, &s2, "c".to_owned()), Err("c!".to_owned()));
        let receiver = spawn(move || r2.recv());
        yield_now();
        assert_eq!(whoever(&s, &s2, "d".to_owned()), Ok(2));
        assert_eq!(receiver.join().unwrap(), Ok("d".to_owned()));
        assert_eq!(r.recv().unwrap(), "a");
        assert!(whoever(&s, &s, "e".to_owned()).is_ok());
    });
}

/// If making the value panics nothing is sent, and whoever waits behind gets the room.
#[test]
fn a_value_that_panics() {
    clean(|| {
        for capacity in [0, 1, 2] {
            let (s, r) = bounded::<u32>(capacity);
            for n in 0..capacity {
                s.send(u32::try_from(n).unwrap()).unwrap();
            }
            let sender = s.clone();
            let first = spawn(move || {
                panic_text(|| select! { send(sender, refuse("no value")) -> sent => sent })
            });
            let sender = s.clone();
            yield_now();
            let second = spawn(move || sender.send(77));
            yield_now();
            let got: Vec<_> = (0..=capacity).map(|_| r.recv()).collect();
            assert_eq!(got.last(), Some(&Ok(77)));
            assert_eq!(first.join().unwrap(), "no value");
            assert_eq!(second.join().unwrap(), Ok(()));
            assert_eq!(s.try_send(5).is_ok(), capacity > 0);
            let text = panic_text(
                || select! { send(s, refuse("again")) -> _ => {}, after(SECOND) => quiet_panic("after") },
            );
            assert_eq!(text, if capacity > 1 { "again" } else { "after" });
        }
    });
}

/// A value whose making lets others run: if they take the room it waits again, and
/// is sent all the same.
#[test]
fn a_value_that_lets_others_run() {
    clean(|| {
        for capacity in [0usize, 1, 3] {
            let (s, r) = bounded::<u32>(capacity);
            let other = s.clone();
            let receiver = spawn(move || r.iter().collect::<Vec<_>>());
            yield_now();
            let rival = spawn(move || {
                for n in 0..10 {
                    other.send(n).unwrap();
                }
            });
            select! {
                send(s, { for _ in 0..4 { yield_now(); } 100 }) -> sent => sent.unwrap(),
            }
            select! { send(s, { sleep(SECOND); 101 }) -> sent => sent.unwrap() }
            rival.join().unwrap();
            drop(s);
            let all = receiver.join().unwrap();
            let ours: Vec<_> = all.iter().copied().filter(|n| *n >= 100).collect();
            assert_eq!(ours, [100, 101]);
            assert!(all.iter().filter(|n| **n < 100).copied().eq(0..10));
        }
    });
}

/// ... unless everybody who could receive goes meanwhile, or the task is cancelled.
#[test]
fn a_value_whose_making_takes_too_long() {
    clean(|| {
        let (s, r) = bounded::<u32>(0);
        let receiver = spawn(move || {
            assert!(timeout(SECOND, || r.recv()).is_err());
        });
        yield_now();
        let sent = select! { send(s, { sleep(SECOND * 2); 1 }) -> sent => sent };
        assert_eq!(sent, Err(SendError::Disconnected(1)));
        receiver.join().unwrap();
        let (s, r) = bounded::<u32>(0);
        let taken = r.clone();
        let receiver = spawn(move || assert!(timeout(SECOND, || taken.recv()).is_err()));
        yield_now();
        // The value is dropped in the making or in the second wait, not sent.
        for pause in [SECOND * 2, SECOND * 10] {
            let cut = timeout(SECOND * 5, || {
                select! { send(s, { sleep(pause); 1 }) -> sent => sent }
            });
            if receiver.is_finished() {
                assert!(cut.is_err());
            }
        }
        assert!(r.try_recv().is_err());
    });
}

/// The value of one send may come from another send, on the same channel.
#[test]
fn a_value_that_itself_sends() {
    clean(|| {
        let (s, r) = bounded(1);
        let taker = r.clone();
        let receiver = spawn(move || (taker.recv(), taker.recv(), taker.recv()));
        let sent = select! {
            send(s, {
                s.send(1).unwrap();
                select! { send(s, 2) -> sent => sent.unwrap() }
                3
            }) -> sent => sent,
            after(SECOND) => panic!("there was room"),
        };
        assert_eq!(sent, Ok(()));
        assert_eq!(receiver.join().unwrap(), (Ok(1), Ok(2), Ok(3)));
        // It takes its own room by try_send, and then waits for room like others.
        spawn(move || {
            sleep(SECOND);
            assert_eq!((r.recv(), r.recv()), (Ok(1), Ok(2)));
        });
        let sent = select! {
            send(s, { s.try_send(1).unwrap(); assert_eq!(s.try_send(9), Err(TrySendError::Full(9))); 2 }) -> sent => sent,
        };
        assert_eq!(sent, Ok(()));
    });
}

/// The value may come from a coroutine that is suspended in its making: it goes on in
/// another task, or never.
#[test]
fn a_value_that_is_suspended_in_its_making() {
    clean(|| {
        for dropped in [false, true] {
            let (s, r) = bounded(1);
            s.send(0).unwrap();
            let sender = s.clone();
            let mut values = generator(move |y| {
                select! {
                    send(sender, { y.yield_("makes"); 5 }) -> sent => sent.unwrap(),
                    after(SECOND * 9) => panic!("there was room"),
                }
                y.yield_("sent");
            });
            let taker = r.clone();
            spawn(move || {
                sleep(SECOND);
                assert_eq!(taker.recv(), Ok(0));
            });
            let behind = spawn(move || {
                sleep(SECOND / 2);
                s.send(6)
            });
            assert_eq!(values.next(), Some("makes"));
            let end = spawn(move || if dropped { None } else { values.next() });
            assert_eq!(end.join().unwrap(), (!dropped).then_some("sent"));
            if !dropped {
                assert_eq!(r.recv(), Ok(5));
            }
            assert_eq!(r.recv(), Ok(6));
            assert_eq!(behind.join().unwrap(), Ok(()));
        }
    });
}

/// The value may receive from the channel into which it is sent.
#[test]
fn a_value_that_receives_from_the_same_channel() {
    clean(|| {
        let (s, r) = bounded(2);
        s.send(5).unwrap();
        let sent = select_biased! { send(s, r.recv().unwrap() + 1) -> sent => sent };
        assert_eq!((sent, r.recv()), (Ok(()), Ok(6)));
        assert_eq!(
            select! { recv(r) -> v => v, default => Err(RecvError::Disconnected) },
            Err(RecvError::Disconnected)
        );
    });
}

/// Values are dropped once, wherever they end.
#[test]
fn values_are_dropped_once() {
    let drops = Rc::new(Cell::new(0));
    let made = Rc::new(Cell::new(0));
    clean(|| {
        let value = || {
            made.set(made.get() + 1);
            let drops = Rc::clone(&drops);
            OnDrop(move || drops.set(drops.get() + 1))
        };
        let (s, r) = bounded(1);
        for _ in 0..10 {
            select! { send(s, value()) -> sent => assert!(sent.is_ok()) }
            select! { send(s, value()) => panic!("full"), default => {} }
            select! { recv(r) -> _ => {} }
        }
        assert_eq!((made.get(), drops.get()), (10, 10));
        // Handed to a receiver that is cancelled, sent by one that is, left in the channel.
        let (s0, r0) = bounded(0);
        let receiver = {
            let r0 = r0.clone();
            spawn(move || {
                let got = select! { recv(r0) -> got => got.is_ok(), after(SECOND) => false };
                assert!(got, "what was decided wins");
                park();
            })
        };
        yield_now();
        select! { send(s0, value()) -> sent => assert!(sent.is_ok()) }
        receiver.cancel();
        assert!(receiver.join().unwrap_err().is_cancelled());
        assert_eq!((made.get(), drops.get()), (11, 11));
        select! { send(s, value()) -> sent => assert!(sent.is_ok()) }
        drop(r);
        assert_eq!((made.get(), drops.get()), (12, 12));
        let back = select! { send(s, value()) -> sent => sent.map_err(SendError::into_inner) };
        assert_eq!((made.get(), drops.get()), (13, 12));
        drop(back);
        let unwound = catch_unwind(AssertUnwindSafe(|| {
            select! { send(s, { let _made = value(); refuse("no") }) => {} }
        }));
        assert!(unwound.is_err());
    });
    assert_eq!((made.get(), drops.get()), (14, 14));
}
