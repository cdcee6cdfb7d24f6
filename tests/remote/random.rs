//! Tasks and threads that give up at any moment: nothing is lost, and nothing given
//! twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use greenroom::sync::remote::{self, Receiver, Sender};
use greenroom::sync::{RecvTimeoutError, SendTimeoutError};
use greenroom::testing::Random;
use greenroom::{Clock, Config, Runtime, select, sleep, spawn, timeout, yield_now};

/// A small generator: what is done next. Its own, so that threads can have one each.
struct Dice(u64);

impl Dice {
    fn below(&mut self, count: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % count
    }
}

/// How many runs each test has: `GREENROOM_SOAK_SEEDS` overrides it.
fn seeds(usual: u64) -> std::ops::RangeInclusive<u64> {
    let given = std::env::var("GREENROOM_SOAK_SEEDS").ok();
    1..=given.and_then(|n| n.parse().ok()).unwrap_or(usual)
}

fn capacity(seed: u64) -> usize {
    [0, 1, 2, 7, usize::MAX][usize::try_from(seed % 5).unwrap()]
}

/// Sends its numbers in turn, each as often as it takes. How many came back because
/// of the end.
fn send_all(send: &Sender<u64>, numbers: std::ops::Range<u64>, dice: &mut Dice, in_task: bool) {
    for number in numbers {
        let mut value = number;
        loop {
            let result = match dice.below(3) {
                0 => send.send(value).map_err(|e| e.into_inner()),
                1 => send.try_send(value).map_err(|e| e.into_inner()),
                _ => send
                    .send_timeout(value, Duration::from_nanos(dice.below(30_000)))
                    .map_err(SendTimeoutError::into_inner),
            };
            match result {
                Ok(()) => break,
                Err(back) => {
                    assert_eq!(back, value, "its own value comes back");
                    assert!(!send.is_closed());
                    value = back;
                }
            }
            if in_task {
                yield_now();
            } else {
                thread::yield_now();
            }
        }
    }
}

/// Receives by all kinds of calls, until the end.
fn recv_all(receive: &Receiver<u64>, dice: &mut Dice, in_task: bool) -> Vec<u64> {
    let mut got = Vec::new();
    loop {
        let limit = Duration::from_nanos(dice.below(30_000));
        match dice.below(if in_task { 6 } else { 3 }) {
            0 => match receive.recv() {
                Ok(value) => got.push(value),
                Err(_) => return got,
            },
            1 => match receive.recv_timeout(limit) {
                Ok(value) => got.push(value),
                Err(RecvTimeoutError::Timeout) => {}
                Err(_) => return got,
            },
            2 => got.extend(receive.try_recv()),
            3 => {
                // What is received is kept outside, so that a limit met later is no loss.
                let _late = timeout(limit, || got.extend(receive.recv()));
            }
            4 => {
                let (_keep, never) = remote::bounded::<u8>(1);
                select! {
                    recv(receive) -> value => match value {
                        Ok(value) => got.push(value),
                        Err(_) => return got,
                    },
                    recv(never) -> value => panic!("{value:?}"),
                    after(limit) => {}
                }
            }
            _ => {
                let receive = receive.clone();
                let task = spawn(move || receive.recv());
                yield_now();
                task.cancel();
                got.extend(task.join().ok().and_then(Result::ok));
            }
        }
        if in_task {
            yield_now();
        }
    }
}

/// In one runtime, under random schedules.
#[test]
fn tasks_that_give_up_lose_nothing() {
    for seed in seeds(60) {
        let config = Config::new()
            .clock(Clock::virtual_())
            .schedule(Random(seed));
        let mut runtime = Runtime::with(config);
        let mut all = runtime.run(|| {
            let (send, receive) = remote::bounded(capacity(seed));
            for who in 0..3 {
                let send = send.clone();
                let mut dice = Dice(seed * 31 + who + 1);
                spawn(move || send_all(&send, who * 20..who * 20 + 20, &mut dice, true));
            }
            drop(send);
            let receivers: Vec<_> = (0..3)
                .map(|who| {
                    let receive = receive.clone();
                    let mut dice = Dice(seed * 37 + who + 1);
                    spawn(move || recv_all(&receive, &mut dice, true))
                })
                .collect();
            drop(receive);
            let all: Vec<_> = receivers
                .into_iter()
                .flat_map(|task| task.join().unwrap())
                .collect();
            all
        });
        assert_eq!(runtime.tasks_alive(), 0);
        all.sort_unstable();
        assert!(all.into_iter().eq(0..60), "seed {seed}");
    }
}

/// Two runtimes and two plain threads, with both ends in each.
#[test]
fn threads_and_tasks_that_give_up_lose_nothing() {
    for seed in seeds(20) {
        let (send, receive) = remote::bounded(capacity(seed));
        let parties = (0..4u64).map(|who| {
            let (send, receive) = (send.clone(), receive.clone());
            let mine = who * 100..who * 100 + 100;
            let mut dice = Dice(seed * 41 + who + 1);
            thread::spawn(move || {
                if who < 2 {
                    return both_in_tasks(send, receive, mine, dice);
                }
                let other = thread::spawn({
                    let mut dice = Dice(dice.below(u64::MAX - 1) + 1);
                    move || send_all(&send, mine, &mut dice, false)
                });
                let got = recv_all(&receive, &mut dice, false);
                other.join().unwrap();
                got
            })
        });
        let parties: Vec<_> = parties.collect();
        drop((send, receive));
        let mut all: Vec<_> = parties
            .into_iter()
            .flat_map(|party| party.join().unwrap())
            .collect();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..400), "seed {seed}");
    }
}

fn both_in_tasks(
    send: Sender<u64>,
    receive: Receiver<u64>,
    mine: std::ops::Range<u64>,
    mut dice: Dice,
) -> Vec<u64> {
    greenroom::run(move || {
        let mut other = Dice(dice.below(u64::MAX - 1) + 1);
        let sending = spawn(move || send_all(&send, mine, &mut other, true));
        let got = recv_all(&receive, &mut dice, true);
        sending.join().unwrap();
        got
    })
}

/// A sender that is cancelled over and over, in every state of its wait: what it sent
/// arrives, what it did not is dropped, once.
#[test]
fn every_value_is_received_or_dropped() {
    struct Value(Arc<AtomicUsize>);
    impl Drop for Value {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    for seed in seeds(20) {
        let dropped = Arc::new(AtomicUsize::new(0));
        let (send, receive) = remote::bounded(capacity(seed));
        let receiver = thread::spawn(move || receive.iter().count());
        let mut dice = Dice(seed);
        let sent = greenroom::run(|| {
            let mut sent = 0;
            for _ in 0..200 {
                let (send, value) = (send.clone(), Value(Arc::clone(&dropped)));
                let task = spawn(move || send.send(value).is_ok());
                for _ in 0..dice.below(4) {
                    yield_now();
                }
                if dice.below(3) == 0 {
                    sleep(Duration::from_nanos(dice.below(3000)));
                }
                task.cancel();
                sent += usize::from(task.join().unwrap_or(false));
            }
            sent
        });
        drop(send);
        assert_eq!(receiver.join().unwrap(), sent, "seed {seed}");
        assert_eq!(dropped.load(Ordering::Relaxed), 200, "seed {seed}");
    }
}
