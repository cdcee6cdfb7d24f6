//! Every kind of arm: alone and beside all the others, ready at once and after a
//! while.

use std::rc::Rc;
use std::time::Duration;

use greenroom::sync::{
    Event, OneshotReceiver, OneshotSender, Receiver, RecvError, SendError, Sender, bounded, oneshot,
};
use greenroom::{
    Instant, JoinHandle, Timer, no_switch, scope, select, select_biased, sleep, sleep_until, spawn,
    supervise, yield_now,
};

use crate::support::{panic_text, quiet_panic};
use crate::{SECOND, clean};

const LATER: Duration = Duration::from_secs(1000);

/// One of each thing that can be waited for, none of them ready.
struct Things {
    values: (Sender<u32>, Receiver<u32>),
    /// Full.
    room: (Sender<u32>, Receiver<u32>),
    /// Where two must meet.
    meeting: (Sender<u32>, Receiver<u32>),
    other: (Sender<u32>, Receiver<u32>),
    go: Rc<Event>,
    event: Rc<Event>,
    shot: (Option<OneshotSender<u32>>, OneshotReceiver<u32>),
    task: JoinHandle<u32>,
    second: JoinHandle<u32>,
}

/// How many kinds [`Things::choose`] has; the last two are timers.
const KINDS: usize = 12;

impl Things {
    fn new() -> Self {
        let room = bounded(1);
        assert_eq!(room.0.try_send(0), Ok(()));
        let go = Rc::new(Event::new());
        let waiting = Rc::clone(&go);
        Self {
            values: bounded(3),
            room,
            meeting: bounded(0),
            other: bounded(0),
            go,
            event: Rc::new(Event::new()),
            shot: {
                let (send, receive) = oneshot();
                (Some(send), receive)
            },
            task: spawn(move || {
                waiting.wait();
                5
            }),
            second: spawn(|| {
                sleep(LATER * 2);
                0
            }),
        }
    }

    /// What makes the arm of this kind ready, and nothing else.
    fn trigger(&mut self, kind: usize) -> Box<dyn FnOnce()> {
        let (values, meeting, other) = (
            self.values.0.clone(),
            self.meeting.0.clone(),
            self.other.1.clone(),
        );
        let (room, go, event) = (
            self.room.1.clone(),
            Rc::clone(&self.go),
            Rc::clone(&self.event),
        );
        match kind {
            0 => Box::new(move || values.send(5).unwrap()),
            1 => Box::new(move || assert_eq!(room.recv(), Ok(0))),
            2 => Box::new(move || meeting.send(5).unwrap()),
            3 => Box::new(move || assert_eq!(other.recv(), Ok(5))),
            4 => Box::new(move || event.set()),
            5 => {
                let shot = self.shot.0.take().unwrap();
                Box::new(move || shot.send(5).unwrap())
            }
            6 => Box::new(move || {
                go.set();
                yield_now();
            }),
            7 => {
                self.second.cancel();
                Box::new(yield_now)
            }
            8 => {
                // The receiver of no other sender: gone.
                let (gone, _) = bounded(0);
                self.other.0 = gone;
                Box::new(|| {})
            }
            _ => Box::new(|| {}),
        }
    }

    /// Waits for all of them, and tells which came.
    fn choose(&mut self, timer: Duration, moment: Instant) -> usize {
        select! {
            recv(self.values.1) -> got => { assert_eq!(got, Ok(5)); 0 }
            send(self.room.0, 5) -> sent => { assert_eq!(sent, Ok(())); 1 }
            wait(&self.meeting.1) -> got => { assert_eq!(got, Ok(5)); 2 }
            send(self.other.0, 5) -> sent => match sent {
                Ok(()) => 3,
                Err(error) => { assert_eq!(error, SendError::Disconnected(5)); 8 }
            },
            wait(&self.event) => 4,
            wait(&mut self.shot.1) -> got => { assert_eq!(got, Ok(5)); 5 }
            join(&mut self.task) -> end => { assert_eq!(end.unwrap(), 5); 6 }
            wait(&mut self.second) -> end => { assert!(end.unwrap_err().is_cancelled()); 7 }
            wait(Timer::after(timer)) => 9,
            wait(&Timer::at(moment)) => 10,
            after(LATER) => 11,
            at(Instant::now() + LATER) => 11,
        }
    }
}

/// Among all kinds at once, the one that is ready is chosen: at once if it is ready
/// before, and at its moment if that is later. The others are as they were, so the
/// next selection finds them.
#[test]
fn each_kind_among_all_the_others() {
    for kind in 0..KINDS {
        for later in [false, true] {
            clean(|| {
                for _round in 0..3 {
                    each_kind(kind, later);
                }
            });
        }
    }
}

fn each_kind(kind: usize, later: bool) {
    let mut things = Things::new();
    let start = Instant::now();
    let delay = if later { SECOND } else { Duration::ZERO };
    let trigger = things.trigger(kind);
    let other = if later {
        spawn(move || {
            sleep(SECOND);
            trigger();
        })
    } else {
        let task = spawn(trigger);
        for _ in 0..4 {
            yield_now();
        }
        task
    };
    let timer = if kind == 9 { delay } else { LATER * 2 };
    let moment = start + if kind == 10 { delay } else { LATER * 2 };
    let chosen = match (kind, later) {
        (11, _) => things.choose(timer, moment),
        (_, false) => no_switch(|| things.choose(timer, moment)),
        (_, true) => things.choose(timer, moment),
    };
    assert_eq!(chosen, kind, "later: {later}");
    let waited = match kind {
        11 => LATER,
        7 | 8 => Duration::ZERO,
        _ => delay,
    };
    assert_eq!(start.elapsed(), waited, "kind {kind}");
    if kind < 4 {
        other.join().unwrap();
    }
    // Nothing else was touched.
    assert_eq!(things.values.1.len(), 0);
    assert_eq!(things.room.1.len(), 1);
    things.second.cancel();
    things.go.set();
}

/// Each kind as the only arm, ready and not.
#[test]
fn each_kind_alone() {
    clean(|| {
        for later in [false, true] {
            let start = Instant::now();
            let moment = start + if later { SECOND } else { Duration::ZERO };
            let when = move |f: Box<dyn FnOnce()>| {
                let task = spawn(move || {
                    sleep_until(moment);
                    f();
                });
                if !later {
                    yield_now();
                    yield_now();
                }
                drop(task);
            };
            let (s, r) = bounded(1);
            let sender = s.clone();
            when(Box::new(move || sender.send(1).unwrap()));
            assert_eq!(select! { recv(r) -> v => v }, Ok(1));
            let moved = Instant::now();
            s.send(1).unwrap();
            let receiver = r.clone();
            when(Box::new(move || assert_eq!(receiver.recv(), Ok(1))));
            assert_eq!(select! { send(s, 2) -> sent => sent }, Ok(()));
            let event = Rc::new(Event::new());
            let setter = Rc::clone(&event);
            when(Box::new(move || setter.set()));
            select! { wait(event.as_ref()) => {} }
            select! { wait(&*event) => {} }
            let (answer, mut shot) = oneshot();
            when(Box::new(move || answer.send(7).unwrap()));
            assert_eq!(select! { wait(&mut shot) -> v => v }, Ok(7));
            assert_eq!(
                select! { wait(&mut shot) -> v => v },
                Err(RecvError::Disconnected)
            );
            let mut task = spawn(move || sleep_until(moment));
            select! { join(&mut task) -> end => end.unwrap() }
            select! { at(moment) => {} }
            assert_eq!(moved, moment);
            assert_eq!(Instant::now(), moment);
            // All that is over stays ready.
            select! { wait(&Timer::at(moment)) => {} }
            select! { after(Duration::ZERO) => {} }
        }
    });
}

/// The ends of a channel that are gone wake those who wait, and are ready for ever.
#[test]
fn ends_that_go_are_ready() {
    clean(|| {
        let (s, r) = bounded::<u32>(0);
        let last = s.clone();
        spawn(move || {
            sleep(SECOND);
            drop(last);
        });
        drop(s);
        for _ in 0..3 {
            let got = select! { recv(r) -> v => v, after(LATER) => Ok(0) };
            assert_eq!(got, Err(RecvError::Disconnected));
        }
        let (s, r) = bounded::<u32>(0);
        spawn(move || {
            sleep(SECOND);
            drop(r);
        });
        for n in 0..3 {
            let sent = select! { send(s, n) -> sent => sent, after(LATER) => Ok(()) };
            assert_eq!(sent, Err(SendError::Disconnected(n)));
        }
        let (answer, mut shot) = oneshot::<u32>();
        spawn(move || {
            sleep(SECOND);
            drop(answer);
        });
        for _ in 0..3 {
            let got = select! { wait(&mut shot) -> v => v, after(LATER) => Ok(0) };
            assert_eq!(got, Err(RecvError::Disconnected));
        }
    });
}

/// `default` is for when nothing is ready at once; it does not wait.
#[test]
fn default_does_not_wait() {
    clean(|| {
        let (s, r) = bounded(1);
        let mut hung = spawn(|| sleep(LATER));
        let (_answer, mut shot) = oneshot::<u32>();
        let event = Event::new();
        no_switch(|| {
            for _ in 0..15 {
                let nothing = select! {
                    recv(r) -> _ => 1,
                    join(&mut hung) => 2,
                    wait(&mut shot) => 3,
                    wait(&event) => 4,
                    after(SECOND) => 5,
                    default => 6,
                };
                assert_eq!(nothing, 6);
                s.send(8).unwrap();
                assert_eq!(select! { recv(r) -> v => v, default => Ok(0) }, Ok(8));
                assert_eq!(select! { default => 1, send(s, 1) => 2 }, 2);
                assert_eq!(select_biased! { default => 1, send(s, 1) => 2 }, 1);
                assert_eq!(r.try_recv(), Ok(1));
            }
        });
        hung.cancel();
    });
}

/// `default(limit)` is for when nothing is ready for so long.
#[test]
fn default_after_a_while() {
    clean(|| {
        let (s, r) = bounded(1);
        let start = Instant::now();
        let got = select! { recv(r) -> v => v, default(SECOND) => Ok(0) };
        assert_eq!((got, start.elapsed()), (Ok(0), SECOND));
        let sender = s.clone();
        spawn(move || {
            sleep(SECOND / 2);
            sender.send(5).unwrap();
        });
        let got = select! { default(SECOND) => Ok(0), recv(r) -> v => v };
        assert_eq!((got, start.elapsed()), (Ok(5), SECOND * 3 / 2));
        // Zero: what is ready comes before it, in any order.
        for _ in 0..50 {
            s.send(6).unwrap();
            let got = select! { default(Duration::ZERO) => Ok(0), recv(r) -> v => v };
            assert_eq!(got, Ok(6));
            s.send(7).unwrap();
            let got = select_biased! { default(Duration::ZERO) => Ok(0), recv(r) -> v => v };
            assert_eq!(got, Ok(7));
            let got = select! { default(Duration::ZERO) => Ok(0), recv(r) -> v => v };
            assert_eq!(got, Ok(0));
            let got = select_biased! { default(Duration::ZERO) => 0, after(Duration::ZERO) => 1 };
            assert_eq!(got, 1);
        }
        assert_eq!(
            select! { default(SECOND) => 3, default(Duration::ZERO) => 4 },
            4
        );
        assert_eq!(start.elapsed(), SECOND * 3 / 2);
    });
}

/// Room that comes in the moment in which the time is over comes first.
#[test]
fn default_comes_after_what_is_ready_in_the_same_moment() {
    clean(|| {
        for turn in 0..8 {
            let (s, r) = bounded(1);
            s.send(0).unwrap();
            let moment = Instant::now() + SECOND;
            let receiver = spawn(move || {
                sleep_until(moment);
                assert_eq!(r.recv(), Ok(0));
                r
            });
            yield_now();
            for _ in 0..turn {
                select! { default => {}, after(SECOND) => {}, after(SECOND) => {} }
            }
            let chosen = match turn % 2 {
                0 => select! { default(SECOND) => "default", send(s, 1) => "send" },
                _ => select_biased! { default(SECOND) => "default", send(s, 1) => "send" },
            };
            assert_eq!(chosen, "send");
            drop(receiver.join());
        }
    });
}

/// Of several timers the earliest comes; one that is over comes at once.
#[test]
fn the_earliest_timer_comes() {
    clean(|| {
        let start = Instant::now();
        let first = select! {
            after(SECOND * 3) => 3,
            at(start + SECOND) => 1,
            wait(Timer::after(SECOND * 2)) => 2,
            after(Duration::MAX) => 0,
        };
        assert_eq!((first, start.elapsed()), (1, SECOND));
        let timer = Timer::at(start + SECOND * 4);
        let mut ticks = 0;
        loop {
            select! {
                wait(timer) => break,
                after(SECOND) => ticks += 1,
            }
        }
        // At the last moment both are over; which comes first is a matter of turns.
        assert!((2..=3).contains(&ticks), "{ticks}");
        assert_eq!(start.elapsed(), SECOND * 4);
        assert_eq!(
            select_biased! { wait(&timer) => 1, after(Duration::ZERO) => 2 },
            1
        );
    });
}

/// A handle gives its ending once; a second time is a mistake, and says so.
#[test]
fn a_handle_is_used_up() {
    clean(|| {
        let mut task = spawn(|| 5);
        let got = select! { join(&mut task) -> end => end.unwrap(), after(SECOND) => 0 };
        assert_eq!(got, 5);
        assert!(task.is_finished());
        for _ in 0..3 {
            let text = panic_text(|| select! { join(&mut task) -> end => end.is_ok() });
            assert!(text.contains("join"), "{text}");
        }
        let text = panic_text(|| task.join().is_ok());
        assert!(text.contains("join"), "{text}");
        let mut bad = spawn(|| -> u32 { quiet_panic("the oven is cold") });
        let end = select! { wait(&mut bad) -> end => end };
        assert!(end.unwrap_err().is_panic());
        // Beside it others can be waited for, as long as it is not chosen.
        let mut dropped = spawn(|| Rc::new(7));
        drop(select! { join(&mut dropped) -> end => end.unwrap() });
        drop(dropped);
    });
}

/// The endings of a task go to one who selects, whoever else looks.
#[test]
fn tasks_of_every_kind_of_scope() {
    clean(|| {
        let word = String::from("room");
        scope(|s| {
            let mut slow = s.spawn(|| {
                sleep(SECOND);
                word.len()
            });
            let mut slower = s.spawn(|| {
                sleep(SECOND * 2);
                &*word
            });
            let got = select! {
                join(&mut slow) -> n => n,
                join(&mut slower) -> w => w.len() + 100,
            };
            assert_eq!(got, 4);
            assert_eq!(select! { wait(&mut slower) -> w => w }, "room");
        });
        supervise(|s| {
            let mut bad = s.spawn(|| -> u32 { quiet_panic("no") });
            let mut cut = s.spawn(|| sleep(LATER));
            assert!(
                select! { join(&mut bad) -> end => end }
                    .unwrap_err()
                    .is_panic()
            );
            cut.cancel();
            assert!(
                select! { join(&mut cut) -> end => end }
                    .unwrap_err()
                    .is_cancelled()
            );
        });
        // A child that fails cancels the body, which waits in a selection.
        let text = panic_text(|| {
            scope(|s| {
                let mut child = s.spawn(|| -> u32 { quiet_panic("the oven is cold") });
                select! { join(&mut child) -> n => n, after(LATER) => 1 }
            })
        });
        assert_eq!(text, "the oven is cold");
    });
}

/// Many tasks may select on the same event, task or channel end.
#[test]
fn many_select_on_the_same() {
    clean(|| {
        let event = Rc::new(Event::new());
        let waiters: Vec<_> = (0..10)
            .map(|n| {
                let event = Rc::clone(&event);
                spawn(move || select! { wait(&*event) => n, after(SECOND) => 100 })
            })
            .collect();
        yield_now();
        event.set();
        event.clear();
        for (n, task) in waiters.into_iter().enumerate() {
            assert_eq!(task.join().unwrap(), n, "it was handed to each");
        }
        let again = select! { wait(&*event) => 1, default => 2 };
        assert_eq!(again, 2);
        // The same event on several arms of one selection.
        let setter = Rc::clone(&event);
        spawn(move || setter.set());
        let chosen = select! { wait(&*event) => 1, wait(&*event) => 2, wait(&*event) => 3 };
        assert_eq!(chosen, 1, "whoever sat down first");
    });
}
