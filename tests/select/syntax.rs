//! Every shape in which a `select!` may be written.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use greenroom as g;
use greenroom::sync::{Event, Receiver, RecvError, SendError, Sender, bounded, oneshot, unbounded};
use greenroom::{Instant, Timer, generator, run, select, select_biased, spawn, yield_now};

use crate::support::on_virtual;
use crate::{SECOND, clean};

/// A receiver with some values in it; its sender is gone.
fn filled<T>(values: impl IntoIterator<Item = T>) -> Receiver<T> {
    let (send, receive) = unbounded();
    for value in values {
        assert!(send.try_send(value).is_ok());
    }
    receive
}

/// A channel on which nothing ever happens.
fn quiet() -> (Sender<u32>, Receiver<u32>) {
    bounded(0)
}

#[test]
fn one_arm_and_every_way_to_end_it() {
    clean(|| {
        let r = filled_endless(1);
        assert_eq!(select! { recv(r) -> v => v.unwrap() }, 1);
        assert_eq!(select! { recv(r) -> v => v.unwrap(), }, 2);
        assert_eq!(select! { recv(r) -> v => { v.unwrap() } }, 3);
        assert_eq!(select! { recv(r) -> v => { v.unwrap() }, }, 4);
        assert_eq!(select! { recv(r,) -> v => v.unwrap() }, 5);
        select! { recv(r) => {} }
        select! { recv(r) => (), }
        assert_eq!(select_biased! { recv(r) -> v => v.unwrap() }, 8);
        assert_eq!(select!(recv(r) -> v => v.unwrap()), 9);
        assert_eq!(select![recv(r) -> v => v.unwrap()], 10);
        assert_eq!(select! { default => 7 }, 7);
        assert_eq!(select! { default => { 7 } }, 7);
        assert_eq!(select! { default(SECOND) => 7 }, 7);
        assert_eq!(select_biased! { default => 7, }, 7);
        select! { after(SECOND,) -> () => {} }
    });
}

fn filled_endless(from: u32) -> Receiver<u32> {
    filled(from..from + 50)
}

#[test]
fn blocks_need_no_comma_between_them() {
    clean(|| {
        let (r, (s, _r)) = (filled_endless(1), quiet());
        let got = select! {
            recv(r) -> v => {
                let v = v.unwrap();
                v * 10
            }
            send(s, 1) -> sent => { sent.unwrap(); 0 }
            after(SECOND) => { 1 }
            default => { 2 }
        };
        assert_eq!(got, 10);
        let got = select! {
            recv(_r) => 1,
            default => { 2 },
            recv(r) -> v => { v.unwrap() }
        };
        assert_eq!(got, 2, "a default may stand anywhere");
        let got = select! {
            default(SECOND) => 3,
            recv(_r) => { 4 }
        };
        assert_eq!(got, 3);
    });
}

/// Bodies are expressions of any kind.
#[test]
fn bodies_of_every_kind() {
    fn early(r: &Receiver<u32>) -> u32 {
        select! {
            recv(r) -> v => return v.unwrap(),
            default => {}
        }
        0
    }
    fn question(r: &Receiver<u32>) -> Result<u32, RecvError> {
        let n = select! {
            recv(r) -> v => v?,
            after(SECOND) => 0,
        };
        let m = select! { recv(r) -> v => { let v = v?; v + n } };
        Ok(m)
    }
    clean(|| {
        let r = filled([1, 2, 3]);
        assert_eq!(early(&r), 1);
        assert_eq!(question(&r), Ok(5));
        assert_eq!(question(&r), Err(RecvError::Disconnected));
        let r = filled(0..20);
        let mut seen = Vec::new();
        let end = 'outer: loop {
            for _ in 0..3 {
                select! {
                    recv(r) -> v => match v {
                        Ok(3) => continue 'outer,
                        Ok(7) => break,
                        Ok(v) if v > 15 => break 'outer v,
                        Ok(v) => seen.push(v),
                        Err(_) => unreachable!("it is left at 16"),
                    },
                }
            }
            seen.push(100);
        };
        assert_eq!(end, 16);
        assert_eq!(
            seen,
            [
                0, 1, 2, 100, 4, 5, 6, 100, 100, 8, 9, 10, 100, 11, 12, 13, 100, 14, 15
            ]
        );
        let never = || -> u32 {
            loop {
                select! {
                    recv(r) -> v => if v != Ok(17) { return 1 },
                    default => return 2,
                }
            }
        };
        assert_eq!(never(), 1);
        let f = select! { recv(r) -> v => move |n: u32| v.unwrap() + n, };
        assert_eq!(f(1), 20);
        let x = select! { recv(r) -> v => if v == Ok(19) { 1 } else { 2 }, };
        assert_eq!(x, 2, "nothing is left");
    });
}

#[test]
fn patterns_take_apart_and_bind() {
    clean(|| {
        let pairs = filled([(1, "one".to_owned()), (2, "two".to_owned())]);
        let Ok((n, word)) = select!(recv(pairs) -> got => got) else {
            panic!("it is there")
        };
        assert_eq!((n, &*word), (1, "one"));
        let n = select! { recv(pairs) -> mut got => { got = got.map(|(n, w)| (n + 1, w)); got.unwrap().0 } };
        assert_eq!(n, 3);
        let same = filled([5]);
        let n = select! {
            recv(same) -> (Ok(5 | 6) | Ok(_) | Err(_)) => 1,
        };
        assert_eq!(n, 1);
        select! { recv(same) -> ref gone => assert!(gone.is_err()) }
        select! { recv(same) -> _gone => {} }
        select! { recv(same) -> _ => {} }
        select! { after(Duration::ZERO) -> () => {} }
        let mut task = spawn(|| [1, 2, 3]);
        select! { join(&mut task) -> end => { let [a, .., c] = end.unwrap(); assert_eq!(a + c, 4); } }
    });
}

/// Expressions of arms are evaluated once, in order, before anything is waited for.
#[test]
fn expressions_are_evaluated_once_and_in_order() {
    clean(|| {
        let order = std::cell::RefCell::new(Vec::new());
        let note = |n: u32| order.borrow_mut().push(n);
        let from = |n, r| {
            note(n);
            r
        };
        let to = |n, s| {
            note(n);
            s
        };
        let (r, (s, quiet_r)) = (filled([9]), quiet());
        let timer = Timer::after(SECOND);
        for wanted in [Ok(9), Err(RecvError::Disconnected)] {
            let got = select! {
                recv(from(1, &quiet_r)) -> v => v,
                send(to(2, &s), { note(100); 1 }) -> _ => Ok(0),
                recv(from(3, &r)) -> v => v,
                wait({ note(4); timer }) => Ok(1),
                after({ note(5); SECOND }) => Ok(2),
                at({ note(6); timer.deadline() }) => Ok(3),
            };
            assert_eq!(got, wanted);
            assert_eq!(order.take(), [1, 2, 3, 4, 5, 6]);
        }
        // Also where it waits, and is woken many times.
        let (s, r) = quiet();
        spawn(move || {
            for _ in 0..5 {
                assert!(s.try_send(1).is_err() || s.try_send(1).is_err());
                g::sleep(SECOND);
            }
        });
        let calls = Cell::new(0);
        let inbox = |r| {
            calls.set(calls.get() + 1);
            r
        };
        let (_full, never) = quiet();
        for _ in 0..3 {
            select! { recv(inbox(&r)) => {}, recv(inbox(&never)) => {} }
        }
        assert_eq!(calls.get(), 6);
    });
}

/// `?`, `return` and `break` leave from within an arm's expression, too.
#[test]
fn expressions_of_arms_may_leave() {
    fn inbox(map: &HashMap<&str, Receiver<u32>>, name: &str) -> Option<u32> {
        select! {
            recv(map.get(name)?) -> v => v.ok(),
            after(if name.is_empty() { return None } else { SECOND }) => Some(0),
        }
    }
    clean(|| {
        let map = HashMap::from([("a", filled([1])), ("", filled([2]))]);
        assert_eq!(inbox(&map, "a"), Some(1));
        assert_eq!(inbox(&map, "b"), None);
        assert_eq!(inbox(&map, ""), None);
        assert_eq!(map[""].len(), 1, "it was not taken");
        let (s, r) = bounded::<u32>(1);
        let go = || false;
        let left = loop {
            select! {
                send(s, if go() { 1 } else { break "left" }) -> _ => {},
                recv(r) -> _ => {},
            }
        };
        assert_eq!((left, s.len()), ("left", 0));
    });
}

#[test]
fn within_bodies_values_and_closures() {
    clean(|| {
        let (a, b) = (filled(1..9), filled(10..19));
        let next = || select! { recv(a) -> v => v.unwrap() };
        let got = select! {
            recv(b) -> outer => select! {
                recv(b) -> inner => outer.unwrap() + inner.unwrap() + next(),
                after(SECOND) => 0,
            },
            after(SECOND) => 0,
        };
        assert_eq!(got, 22);
        let (s, r) = bounded(1);
        let sent = select! {
            send(s, select! { recv(a) -> v => v.unwrap() + 100, default => 0 }) -> sent => sent,
        };
        assert_eq!((sent, r.try_recv()), (Ok(()), Ok(102)));
        let got = select! {
            recv(select! { recv(b) => &a, default => &b }) -> v => v,
            after(select! { default => SECOND }) => Ok(0),
        };
        assert_eq!(got, Ok(3));
        let tuple = (next(), select! { recv(a) -> v => v.unwrap() }, next());
        assert_eq!(tuple, (4, 5, 6));
        let sum: u32 = (0..3)
            .map(|_| select! { recv(b) -> v => v.unwrap(), default => 0 })
            .sum();
        assert_eq!(sum, 13 + 14 + 15);
    });
}

/// Arms that borrow mutably are gone when a body runs.
#[test]
fn what_an_arm_borrows_is_free_in_the_body() {
    clean(|| {
        let mut task = spawn(g::park);
        let (send, mut answer) = oneshot::<u32>();
        let (s, r) = bounded::<u32>(1);
        let mut rounds = 0;
        loop {
            select! {
                join(&mut task) -> end => {
                    assert!(end.unwrap_err().is_cancelled());
                    let again = &mut task;
                    assert!(again.is_finished());
                    break;
                }
                wait(&mut answer) -> _ => answer = oneshot().1,
                recv(r) -> v => { s.send(v.unwrap()).unwrap(); assert!(r.recv().is_ok()); rounds += 1; }
                after(SECOND) => {
                    let again = &mut task;
                    again.cancel();
                    assert!(answer.try_recv().is_err());
                    rounds += 10;
                }
            }
        }
        assert_eq!(rounds, 10);
        drop(send);
    });
}

#[test]
fn many_arms() {
    clean(|| {
        let channels: Vec<_> = (0..20).map(|_| bounded::<usize>(1)).collect();
        let at = |n: usize| &channels[n].1;
        for (n, (s, _)) in channels.iter().enumerate() {
            let (s, at_once) = (s.clone(), s);
            let sender = spawn(move || {
                g::sleep(SECOND);
                s.send(n).unwrap();
            });
            for ready in [false, true] {
                if ready {
                    at_once.send(n).unwrap();
                }
                let got = select! {
                    recv(at(0)) -> v => (0, v), recv(at(1)) -> v => (1, v),
                    recv(at(2)) -> v => (2, v), recv(at(3)) -> v => (3, v),
                    recv(at(4)) -> v => (4, v), recv(at(5)) -> v => (5, v),
                    recv(at(6)) -> v => (6, v), recv(at(7)) -> v => (7, v),
                    recv(at(8)) -> v => (8, v), recv(at(9)) -> v => (9, v),
                    recv(at(10)) -> v => (10, v), recv(at(11)) -> v => (11, v),
                    recv(at(12)) -> v => (12, v), recv(at(13)) -> v => (13, v),
                    recv(at(14)) -> v => (14, v), recv(at(15)) -> v => (15, v),
                    recv(at(16)) -> v => (16, v), recv(at(17)) -> v => (17, v),
                    recv(at(18)) -> v => (18, v), recv(at(19)) -> v => (19, v),
                    after(SECOND * 5) => panic!("number {n} is ready"),
                };
                assert_eq!(got, (n, Ok(n)));
            }
            sender.join().unwrap();
        }
    });
}

/// A generator whose values are chosen among waits, in a task.
#[test]
fn in_the_body_of_a_generator() {
    clean(|| {
        let (s, r) = bounded::<u32>(0);
        let sender = spawn(move || {
            for n in 0..3 {
                g::sleep(SECOND);
                s.send(n).unwrap();
            }
            g::sleep(SECOND * 100);
        });
        let values: Vec<_> = generator(move |y| {
            loop {
                select! {
                    recv(r) -> v => y.yield_(v.unwrap()),
                    after(SECOND * 10) => return,
                }
            }
        })
        .collect();
        assert_eq!(values, [0, 1, 2]);
        drop(sender);
    });
    // One that is dropped while it is suspended between two of them.
    clean(|| {
        let r = filled(0..9);
        let mut numbers = generator(move |y| {
            loop {
                select! { recv(r) -> v => y.yield_(v.unwrap()), after(SECOND) => return }
            }
        });
        assert_eq!((numbers.next(), numbers.next()), (Some(0), Some(1)));
    });
}

/// References of any depth, fields and elements.
#[test]
fn what_arms_are_made_of() {
    struct Desk {
        jobs: Receiver<u32>,
        out: Vec<Sender<u32>>,
        stop: Event,
    }
    clean(|| {
        let (s, results) = bounded(8);
        let mut desk = Desk {
            jobs: filled([1, 2, 3, 4]),
            out: vec![s],
            stop: Event::new(),
        };
        let (twice, mutable) = (&&desk.jobs, 0);
        assert_eq!(select! { recv(twice) -> v => v }, Ok(1));
        assert_eq!(select! { recv(&twice) -> v => v }, Ok(2));
        let m = &mut desk;
        assert_eq!(select! { recv(&mut m.jobs) -> v => v }, Ok(3));
        select! { send(m.out[mutable], 9) -> sent => sent.unwrap() }
        select! { send(&m.out[0], 10) -> sent => sent.unwrap() }
        select! { send(&mut m.out[0], 11) -> sent => sent.unwrap() }
        let boxed = Box::new(m.out[0].clone());
        select! { send(boxed, 12) -> sent => sent.unwrap() }
        assert_eq!(results.try_iter().collect::<Vec<_>>(), [9, 10, 11, 12]);
        // Temporaries, and expressions that give references.
        let make = |n: u32| filled([n]);
        assert_eq!(select! { recv(make(5)) -> v => v }, Ok(5));
        assert_eq!(
            select! { recv(make(6).clone()) -> v => v, after(SECOND) => Ok(0) },
            Ok(6)
        );
        let shared = RefCell::new(vec![make(7)]);
        assert_eq!(select! { recv(shared.borrow()[0]) -> v => v }, Ok(7));
        select! { send(bounded(1).0, 8) -> sent => assert_eq!(sent, Ok(())) }
        let (urgent, other) = (make(9), filled([]));
        for wanted in [Ok(9), Err(RecvError::Disconnected)] {
            let is_urgent = !urgent.is_empty();
            let got = select! { recv(if is_urgent { &urgent } else { &other }) -> v => v };
            assert_eq!(got, wanted);
        }
        let (rc, event) = (Rc::new(make(10)), Rc::new(Event::new()));
        assert_eq!(
            select! { recv(rc) -> v => v, wait(&event) => Ok(0) },
            Ok(10)
        );
        assert_eq!(
            select! { recv(Rc::clone(&rc)) -> v => v, wait(&event) => Ok(0) },
            Err(RecvError::Disconnected)
        );
        let mut guarded = spawn(|| 11).cancel_on_drop();
        assert_eq!(select! { join(&mut guarded) -> end => end.unwrap() }, 11);
        let mut held = Box::new(spawn(|| 12));
        assert_eq!(select! { join(&mut *held) -> end => end.unwrap() }, 12);
        desk.stop.set();
        select! { wait(&desk.stop) => {} }
        select! { wait(&desk.jobs) -> v => assert_eq!(v, Ok(4)) }
    });
}

/// What has no arm to be ready, and no runtime to wait in, says so.
#[test]
fn on_a_plain_thread() {
    let (s, r) = bounded::<u32>(1);
    assert_eq!(select! { recv(r) -> v => v, default => Ok(7) }, Ok(7));
    assert_eq!(
        select! { send(s, 1) -> sent => sent, default => panic!() },
        Ok(())
    );
    let full = select! { send(s, 2) -> sent => sent, default => Err(SendError::WouldBlock(0)) };
    assert_eq!(full, Err(SendError::WouldBlock(0)));
    assert_eq!(select! { recv(r) -> v => v }, Ok(1));
    select! { after(Duration::ZERO) => {}, recv(r) => panic!() }
    select! { at(Instant::now()) => {} }
    let text = crate::support::panic_text(|| select! { recv(r) -> v => v });
    assert_eq!(
        text,
        "select! would have to wait, and no runtime is running here"
    );
    let text = crate::support::panic_text(|| select! { recv(r) -> v => v, after(SECOND) => Ok(1) });
    assert_eq!(
        text,
        "select! would have to wait, and no runtime is running here"
    );
    s.send(5).unwrap();
    assert_eq!(r.recv(), Ok(5));
}

/// A loop of selections that are always ready uses up the budget like other calls.
#[test]
fn a_selection_uses_up_the_budget() {
    run(|| {
        let count = std::rc::Rc::new(Cell::new(0));
        let c = std::rc::Rc::clone(&count);
        let task = spawn(move || {
            let r = filled(0..2000);
            for _ in 0..1000 {
                select! { recv(r) => {}, default => {} }
                c.set(c.get() + 1);
            }
        });
        let mut turns = 0;
        while !task.is_finished() {
            yield_now();
            turns += 1;
            assert!(count.get() <= 129 * turns, "{} in {turns}", count.get());
        }
        assert!(turns >= 7);
    });
    on_virtual(|| {
        let endless = spawn(|| {
            loop {
                select! { default => {} }
                select! { default => {}, after(SECOND) => {} }
            }
        });
        yield_now();
        yield_now();
        endless.cancel();
        assert!(endless.join().unwrap_err().is_cancelled());
    });
}
