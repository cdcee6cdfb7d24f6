//! Threads and tasks at both ends, in all pairings; and two runtimes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use greenroom::sync::remote::{self, Receiver, Sender};
use greenroom::{Clock, Config, Runtime, run, spawn, yield_now};

/// Where a party of a test lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Home {
    /// A plain thread each.
    Threads,
    /// Tasks of one runtime, on a thread of its own.
    Runtime,
    /// A runtime each, on threads of their own.
    Runtimes,
    /// Tasks of one runtime with a virtual clock.
    Virtual,
}

const HOMES: [Home; 4] = [Home::Threads, Home::Runtime, Home::Runtimes, Home::Virtual];

/// Does each job in that kind of place. The results in order.
fn at_home<T, F>(home: Home, jobs: Vec<F>) -> thread::JoinHandle<Vec<T>>
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    let together = |jobs: Vec<F>| {
        let tasks: Vec<_> = jobs.into_iter().map(spawn).collect();
        tasks.into_iter().map(|task| task.join().unwrap()).collect()
    };
    thread::spawn(move || match home {
        Home::Threads | Home::Runtimes => {
            let begin = |job: F| {
                thread::spawn(move || match home {
                    Home::Threads => job(),
                    _ => run(job),
                })
            };
            let threads: Vec<_> = jobs.into_iter().map(begin).collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        }
        Home::Runtime => run(|| together(jobs)),
        Home::Virtual => {
            let config = Config::new().clock(Clock::virtual_());
            Runtime::with(config).run(|| together(jobs))
        }
    })
}

fn every_pairing(mut body: impl FnMut(Home, Home, usize)) {
    for from in HOMES {
        for to in HOMES {
            for capacity in [0, 1, 3, usize::MAX] {
                body(from, to, capacity);
            }
        }
    }
}

/// Each value arrives once, and those of one sender in order.
#[test]
fn every_value_exactly_once_and_in_order() {
    const SENDERS: usize = 3;
    const EACH: usize = 40;
    every_pairing(|from, to, capacity| {
        let (send, receive) = remote::bounded(capacity);
        let sending: Vec<_> = (0..SENDERS)
            .map(|who| {
                let send: Sender<(usize, usize)> = send.clone();
                move || (0..EACH).for_each(|n| send.send((who, n)).unwrap())
            })
            .collect();
        drop(send);
        let receiving: Vec<_> = (0..2)
            .map(|_| {
                let receive: Receiver<(usize, usize)> = receive.clone();
                move || receive.into_iter().collect::<Vec<_>>()
            })
            .collect();
        drop(receive);
        let senders = at_home(from, sending);
        let received = at_home(to, receiving).join().unwrap();
        senders.join().unwrap();
        let mut all = Vec::new();
        for mine in received {
            for who in 0..SENDERS {
                let of_one: Vec<_> = mine.iter().filter(|(w, _)| *w == who).collect();
                assert!(
                    of_one.is_sorted(),
                    "{from:?} to {to:?}, {capacity}: {of_one:?}"
                );
            }
            all.extend(mine);
        }
        all.sort_unstable();
        let sent = (0..SENDERS).flat_map(|who| (0..EACH).map(move |n| (who, n)));
        assert!(all.into_iter().eq(sent), "{from:?} to {to:?}, {capacity}");
    });
}

/// One asks, the other answers: every wait ends.
#[test]
fn ping_pong() {
    every_pairing(|from, to, capacity| {
        let (send, asked) = remote::bounded(capacity);
        let (answer, answered) = remote::bounded(capacity);
        let asking = move || {
            for n in 0..50 {
                send.send(n).unwrap();
                assert_eq!(answered.recv(), Ok(n + 1));
            }
        };
        let answering = move || {
            for n in asked {
                answer.send(n + 1).unwrap();
            }
        };
        let one = at_home(from, vec![asking]);
        at_home(to, vec![answering]).join().unwrap();
        one.join().unwrap();
    });
}

#[test]
fn oneshots_cross_over() {
    for home in HOMES {
        let (questions, asked) = remote::unbounded::<(u32, remote::OneshotSender<u32>)>();
        let answering = at_home(
            home,
            vec![move || {
                for (n, answer) in asked {
                    answer.send(n * n).unwrap();
                }
            }],
        );
        run(move || {
            let tasks: Vec<_> = (0..20)
                .map(|n| {
                    let questions = questions.clone();
                    spawn(move || {
                        let (answer, receiver) = remote::oneshot();
                        questions.send((n, answer)).unwrap();
                        assert_eq!(receiver.recv(), Ok(n * n));
                    })
                })
                .collect();
            tasks.into_iter().for_each(|task| task.join().unwrap());
        });
        answering.join().unwrap();
    }
}

/// While a task waits for another thread, the others run; and none of that is taken
/// for a deadlock.
#[test]
fn the_others_run_meanwhile() {
    let (send, receive) = remote::bounded(0);
    let steps = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&steps);
    let (begin, begun) = std::sync::mpsc::channel();
    let sender = thread::spawn(move || {
        begun.recv().unwrap();
        while seen.load(Ordering::Relaxed) < 1000 {
            thread::yield_now();
        }
        send.send("now").unwrap();
    });
    run(move || {
        let waiting = spawn(move || receive.recv());
        begin.send(()).unwrap();
        while !waiting.is_finished() {
            steps.fetch_add(1, Ordering::Relaxed);
            yield_now();
        }
        assert_eq!(waiting.join().unwrap(), Ok("now"));
    });
    sender.join().unwrap();
}

/// A runtime that does nothing else is woken, each time.
#[test]
fn a_sleeping_runtime_is_woken_every_time() {
    let (send, receive) = remote::bounded(0);
    let (done, next) = std::sync::mpsc::channel();
    let sender = thread::spawn(move || {
        for n in 0..1000 {
            send.send(n).unwrap();
            next.recv().unwrap();
        }
    });
    run(|| {
        for n in 0..1000 {
            assert_eq!(receive.recv(), Ok(n));
            done.send(()).unwrap();
        }
    });
    sender.join().unwrap();
}

/// Handles go along inside values.
#[test]
fn ends_are_sent_through_channels() {
    let (send, receive) = remote::unbounded::<Receiver<u32>>();
    let thread = thread::spawn(move || {
        run(|| {
            receive
                .iter()
                .map(|inner| inner.recv().unwrap())
                .sum::<u32>()
        })
    });
    for n in 0..10 {
        let (number, inner) = remote::bounded(1);
        send.send(inner).unwrap();
        number.send(n).unwrap();
    }
    drop(send);
    assert_eq!(thread.join().unwrap(), 45);
}
