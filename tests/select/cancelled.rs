//! What a cancellation does to a task that selects: what was decided wins, what was
//! not has done nothing.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use greenroom::sync::{Event, RecvError, SendError, TrySendError, bounded, oneshot};
use greenroom::{
    CancelScope, Config, Delivery, Instant, is_cancelled, no_switch, park, select, shield, sleep,
    spawn, timeout, yield_now,
};

use crate::support::{Log, OnDrop, panic_text, quiet_panic};
use crate::{SECOND, clean, clean_with};

/// Runs `body` in a scope that is cancelled, with this delivery.
fn in_cancelled<T>(delivery: Delivery, body: impl FnOnce() -> T) -> Option<T> {
    let scope = CancelScope::builder().delivery(delivery).build();
    scope.cancel("enough");
    scope.run(body)
}

#[test]
fn a_cancelled_selection_leaves_no_trace() {
    clean(|| {
        let (s, r) = bounded::<u32>(0);
        let (full, kept) = bounded::<u32>(1);
        full.send(1).unwrap();
        let event = Rc::new(Event::new());
        let made = Rc::new(Cell::new(0));
        for by_handle in [true, false] {
            let (r, to, happens, made) =
                (r.clone(), full.clone(), Rc::clone(&event), Rc::clone(&made));
            let task = spawn(move || {
                let body = || -> u32 {
                    let mut other = spawn(park);
                    let out = select! {
                        recv(r) => 1,
                        send(to, { made.set(made.get() + 1); 2 }) => 2,
                        wait(&*happens) => 3,
                        join(&mut other) => 4,
                        after(SECOND * 50) => 5,
                    };
                    unreachable!("{out} was not ready")
                };
                if by_handle {
                    body();
                    Ok(())
                } else {
                    timeout(SECOND, body).map(|_| ())
                }
            });
            yield_now();
            if by_handle {
                task.cancel();
                assert!(task.join().unwrap_err().is_cancelled());
            } else {
                assert!(task.join().unwrap().is_err());
            }
            // Nobody waits anywhere any more.
            assert_eq!(s.try_send(7), Err(TrySendError::Full(7)));
            assert_eq!(full.try_send(7), Err(TrySendError::Full(7)));
            assert_eq!(kept.recv(), Ok(1));
            assert!(kept.is_empty());
            full.try_send(1).unwrap();
            event.set();
            event.clear();
        }
        assert_eq!(made.get(), 0);
    });
}

/// A value that was handed over before the cancellation is returned.
#[test]
fn what_was_decided_wins() {
    let log = Log::new();
    clean(|| {
        let (s, r) = bounded::<u32>(0);
        let (_never, other) = bounded::<u32>(0);
        let l = log.clone();
        let task = spawn(move || {
            let got = select! { recv(other) -> v => v, recv(r) -> v => v, after(SECOND) => Ok(0) };
            l.add(got);
            l.add(Ok(u32::from(is_cancelled())));
            park();
            l.add(Ok(100));
        });
        yield_now();
        s.try_send(5).unwrap();
        task.cancel();
        assert!(task.join().unwrap_err().is_cancelled());
    });
    assert_eq!(log.take(), [Ok(5), Ok(1)]);
}

/// What became ready, even if it was not handed over, wins too: room, a timer.
#[test]
fn what_is_ready_wins() {
    clean(|| {
        let (s, r) = bounded::<u32>(1);
        s.send(0).unwrap();
        let sender = s.clone();
        let task =
            spawn(move || select! { send(sender, 5) -> sent => sent, after(SECOND) => Ok(()) });
        yield_now();
        assert_eq!(r.recv(), Ok(0));
        task.cancel();
        assert_eq!(task.join().unwrap(), Ok(()));
        assert_eq!(r.try_recv(), Ok(5));
        // At its first poll what is ready wins as well.
        s.send(1).unwrap();
        for delivery in [Delivery::Unwind, Delivery::Error] {
            let got = in_cancelled(delivery, || {
                let got = no_switch(|| select! { recv(r) -> v => v, after(SECOND) => Ok(0) });
                no_switch(|| select! { send(s, 2) -> sent => sent.unwrap(), default => () });
                got.map(|n| n * 10)
            });
            assert!(matches!(got, Some(Ok(10 | 20))), "{got:?}");
        }
    });
}

/// By unwinding: destructors run, no body does.
#[test]
fn it_unwinds() {
    clean(|| {
        let (_s, r) = bounded::<u32>(0);
        let dropped = Rc::new(Cell::new(0));
        let d = Rc::clone(&dropped);
        let out = in_cancelled(Delivery::Unwind, || {
            let _guard = OnDrop(|| d.set(1));
            select! { recv(r) => 1, after(SECOND) => 2 }
        });
        assert_eq!((out, dropped.get()), (None, 1));
        // Swallowed, it is met again at the next.
        let out = in_cancelled(Delivery::Unwind, || {
            for _ in 0..3 {
                let one = catch_unwind(AssertUnwindSafe(
                    || select! { recv(r) => 1, after(SECOND) => 2 },
                ));
                assert!(one.is_err());
            }
            7
        });
        assert_eq!(out, Some(7));
        assert_eq!(select! { recv(r) => 1, default => 2 }, 2);
    });
}

/// By errors: the first arm in written order that can fail does; a timer's arm is
/// over early; the others really wait.
#[test]
fn it_fails() {
    clean(|| {
        let (s, r) = bounded::<u32>(0);
        let (_answer, mut shot) = oneshot::<u32>();
        let event = Rc::new(Event::new());
        let start = Instant::now();
        let fails = |out: Option<u32>| out.unwrap();
        for _ in 0..4 {
            let out = in_cancelled(Delivery::Error, || {
                select! {
                    wait(&*event) => 0,
                    recv(r) -> v => { assert_eq!(v, Err(RecvError::Cancelled)); 1 }
                    send(s, 5) => 2,
                    after(SECOND) => 3,
                }
            });
            assert_eq!(fails(out), 1);
            let out = in_cancelled(Delivery::Error, || {
                select! {
                    send(s, 5) -> sent => { assert_eq!(sent, Err(SendError::Cancelled(5))); 2 }
                    recv(r) => 1,
                    after(SECOND) => 3,
                }
            });
            assert_eq!(fails(out), 2);
            let out = in_cancelled(Delivery::Error, || {
                select! { after(SECOND) => 3, recv(r) => 1, send(s, 5) => 2 }
            });
            assert_eq!(fails(out), 3);
            let out = in_cancelled(Delivery::Error, || {
                select! {
                    wait(&mut shot) -> v => { assert_eq!(v, Err(RecvError::Cancelled)); 4 }
                    recv(r) => 1,
                }
            });
            assert_eq!(fails(out), 4);
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
        // Joins and events wait on.
        let setter = Rc::clone(&event);
        spawn(move || {
            sleep(SECOND * 3);
            setter.set();
        });
        let mut slow = spawn(|| sleep(SECOND * 2));
        let out = in_cancelled(Delivery::Error, || {
            select! { wait(&*event) => 0, join(&mut slow) -> end => { end.unwrap(); 5 } }
        });
        assert_eq!((fails(out), start.elapsed()), (5, SECOND * 2));
    });
}

/// The same when the cancellation comes while it waits.
#[test]
fn it_fails_while_it_waits() {
    let config = Config::new().delivery(Delivery::Error);
    clean_with(config, || {
        let (s, r) = bounded::<u32>(0);
        let (_, mut shot) = oneshot::<u32>();
        assert_eq!(
            select! { wait(&mut shot) -> v => v },
            Err(RecvError::Disconnected)
        );
        let task = {
            let (s, r) = (s.clone(), r.clone());
            spawn(move || {
                let event = Event::new();
                let first =
                    select! { wait(&event) => Ok(0), recv(r) -> v => v, after(SECOND) => Ok(1) };
                let second = select! { send(s, 5) -> sent => sent, recv(r) => Ok(()) };
                (first, second)
            })
        };
        yield_now();
        task.cancel();
        let (first, second) = task.join().unwrap();
        assert_eq!(first, Err(RecvError::Cancelled));
        assert_eq!(second, Err(SendError::Cancelled(5)));
        // By the deadline of a scope around it.
        let start = Instant::now();
        let in_time = timeout(
            SECOND,
            || select! { recv(r) -> v => v, after(SECOND * 5) => Ok(1) },
        );
        assert_eq!(in_time, Ok(Err(RecvError::Cancelled)));
        let in_time = timeout(SECOND, || select! { after(SECOND * 5) => 1, recv(r) => 2 });
        assert_eq!((in_time, start.elapsed()), (Ok(1), SECOND * 2));
        // What can only wait does, through many wake-ups.
        let event = Rc::new(Event::new());
        let waiting = {
            let event = Rc::clone(&event);
            spawn(move || {
                let mut end = spawn(|| sleep(SECOND * 30));
                select! { wait(&*event) => Instant::now(), join(&mut end) => panic!("later") }
            })
        };
        yield_now();
        waiting.cancel();
        for _ in 0..5 {
            sleep(SECOND);
            waiting.cancel();
        }
        event.set();
        assert_eq!(waiting.join().unwrap(), start + SECOND * 7);
    });
}

/// While its task unwinds nothing is thrown into it: it fails like with errors.
#[test]
fn in_a_destructor_while_the_task_unwinds() {
    let log = Log::new();
    clean(|| {
        let (s, r) = bounded::<u32>(0);
        let (full, _kept) = bounded::<u32>(1);
        full.send(1).unwrap();
        let start = Instant::now();
        let l = log.clone();
        let in_drop = move || {
            let got =
                select! { recv(r) -> v => v.map_err(|e| e.to_string()), after(SECOND) => Ok(1) };
            l.add(format!("{}", got.is_err()));
            let sent = select! { send(full, 5) -> sent => sent, recv(r) => Ok(()) };
            l.add(format!("{sent:?}"));
            select! { after(SECOND) => l.add("early".into()), recv(r) => {} }
            select! { default(SECOND) => l.add("early".into()), recv(r) => {} }
            select! { recv(r) => {}, default => l.add("default".into()) }
            // Inside a shield it really waits.
            shield(|| select! { recv(r) => {}, after(SECOND) => l.add("waited".into()) });
            let mut task = spawn(|| sleep(SECOND));
            select! { join(&mut task) -> end => end.unwrap() }
            l.add(format!("{:?}", start.elapsed()));
        };
        let text = panic_text(move || {
            let _guard = OnDrop(in_drop);
            quiet_panic("the body")
        });
        assert_eq!(text, "the body");
        drop(s);
    });
    assert_eq!(
        log.take(),
        [
            "true",
            "Err(Cancelled(..))",
            "early",
            "early",
            "default",
            "waited",
            "2s"
        ]
    );
}

/// One that was woken for room and is cancelled before it runs passes the room on.
#[test]
fn room_that_a_cancelled_sender_was_woken_for_goes_to_the_next() {
    for delivery in [Delivery::Unwind, Delivery::Error] {
        clean_with(Config::new().delivery(delivery), || {
            for capacity in [0usize, 1, 2] {
                let (s, r) = bounded::<usize>(capacity);
                for n in 0..capacity {
                    s.send(n).unwrap();
                }
                let (other_s, other_r) = bounded::<()>(0);
                let sender = s.clone();
                let chosen = spawn(move || {
                    select! { send(sender, 50) -> sent => sent.is_ok(), recv(other_r) -> v => v.is_err() }
                });
                yield_now();
                let sender = s.clone();
                let behind = spawn(move || sender.send(60));
                yield_now();
                // Decided for its other arm first; then there is room.
                other_s.send(()).unwrap();
                let receiver = r.clone();
                let all =
                    spawn(move || (0..=capacity).map(|_| receiver.recv()).collect::<Vec<_>>());
                assert!(!chosen.join().unwrap());
                assert_eq!(behind.join().unwrap(), Ok(()));
                assert_eq!(all.join().unwrap().last(), Some(&Ok(60)));
            }
        });
    }
}

/// `no_switch` refuses a selection that would wait, and it can be made again.
#[test]
fn where_switching_is_forbidden() {
    clean(|| {
        let (s, r) = bounded::<u32>(1);
        let text = panic_text(|| no_switch(|| select! { recv(r) => {}, after(SECOND) => {} }));
        assert!(text.contains("no_switch"), "{text}");
        s.try_send(1).unwrap();
        assert_eq!(
            no_switch(|| select! { recv(r) -> v => v, after(SECOND) => Ok(0) }),
            Ok(1)
        );
        assert_eq!(select! { recv(r) -> v => v, after(SECOND) => Ok(9) }, Ok(9));
    });
}
