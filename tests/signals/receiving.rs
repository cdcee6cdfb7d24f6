//! What a receiver gets, and when.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use greenroom::signal::{SignalKind, Signals};
use greenroom::{Config, Delivery, Runtime, run, spawn, yield_now};

use crate::{own_kind, raise};

#[test]
fn a_waiting_task_is_woken_while_others_run() {
    let kind = own_kind(0);
    run(|| {
        let signals = Signals::new([kind]).unwrap();
        let waits = spawn(move || signals.recv().unwrap());
        (0..3).for_each(|_| yield_now());
        assert!(!waits.is_finished());
        raise(kind);
        assert_eq!(waits.join().unwrap(), kind);
    });
}

#[test]
fn what_comes_before_recv_is_kept_in_order_and_several_of_a_kind_are_one() {
    let (first, second, other) = (own_kind(1), own_kind(2), own_kind(3));
    let signals = Signals::new([first, second, first]).unwrap();
    let stranger = Signals::new([other]).unwrap();
    for kind in [second, first, second, second, first] {
        raise(kind);
    }
    let got: Vec<_> = std::iter::from_fn(|| signals.try_recv()).collect();
    assert_eq!(got, [second, first]);
    assert_eq!(stranger.try_recv(), None);
    raise(first);
    assert_eq!(signals.recv().unwrap(), first);
    assert_eq!(signals.try_recv(), None);
}

#[test]
fn every_receiver_gets_every_signal_in_runtimes_and_plain_threads() {
    let kind = own_kind(4);
    let here = Signals::new([kind]).unwrap();
    let ready = Arc::new(Barrier::new(4));
    let threads: Vec<_> = (0..3)
        .map(|number| {
            let ready = Arc::clone(&ready);
            thread::spawn(move || {
                let signals = Signals::new([kind]).unwrap();
                let receive = || signals.recv().unwrap();
                ready.wait();
                if number == 0 { receive() } else { run(receive) }
            })
        })
        .collect();
    ready.wait();
    raise(kind);
    for thread in threads {
        assert_eq!(thread.join().unwrap(), kind);
    }
    assert_eq!(here.try_recv(), Some(kind));
}

#[test]
fn tasks_that_share_a_receiver_are_served_in_order_one_signal_each() {
    let kind = own_kind(5);
    run(|| {
        let signals = Arc::new(Signals::new([kind]).unwrap());
        let tasks: Vec<_> = (0..3)
            .map(|_| {
                let signals = Arc::clone(&signals);
                spawn(move || signals.recv().unwrap())
            })
            .collect();
        yield_now();
        for (number, task) in tasks.into_iter().enumerate() {
            raise(kind);
            assert_eq!(task.join().unwrap(), kind, "{number}");
        }
        assert_eq!(signals.try_recv(), None);
    });
}

#[test]
fn the_last_of_a_storm_is_always_received() {
    let kind = own_kind(6);
    let signals = Signals::new([kind]).unwrap();
    let (sent, done) = (
        Arc::new(AtomicU32::new(0)),
        Arc::new(AtomicBool::new(false)),
    );
    let senders: Vec<_> = (0..4)
        .map(|_| {
            let sent = Arc::clone(&sent);
            thread::spawn(move || {
                for _ in 0..2_000 {
                    sent.fetch_add(1, Ordering::SeqCst);
                    raise(kind);
                }
            })
        })
        .collect();
    let ends = Arc::clone(&done);
    let seen = run(move || {
        let mut received = 0;
        loop {
            let _kind = signals.recv().unwrap();
            received += 1;
            // Whatever was sent before a signal is received is known then.
            let now = sent.load(Ordering::SeqCst);
            if now == 8_000 {
                ends.store(true, Ordering::SeqCst);
                return (received, now);
            }
        }
    });
    for sender in senders {
        sender.join().unwrap();
    }
    assert!(seen.0 > 0 && done.load(Ordering::SeqCst));
}

#[test]
fn signals_that_cannot_be_received_are_errors() {
    let forbidden = [
        "SIGKILL", "SIGSTOP", "SIGSEGV", "SIGFPE", "SIGILL", "SIGBUS",
    ];
    let numbers = [
        libc::SIGKILL,
        libc::SIGSTOP,
        libc::SIGSEGV,
        libc::SIGFPE,
        libc::SIGILL,
        libc::SIGBUS,
    ];
    for (name, number) in forbidden.into_iter().zip(numbers) {
        let error = Signals::new([own_kind(7), SignalKind::from_raw(number)]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert_eq!(error.to_string(), format!("{name} cannot be waited for"));
    }
    for number in [-1, 0, 1_000] {
        let error = Signals::new([SignalKind::from_raw(number)]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{number}");
    }
    // None at all is never ready.
    assert_eq!(Signals::new([]).unwrap().try_recv(), None);
}

#[test]
fn the_iterator_ends_when_the_task_is_cancelled() {
    let kind = own_kind(8);
    let mut rt = Runtime::with(Config::new().delivery(Delivery::Error));
    rt.run(|| {
        let signals = Signals::new([kind]).unwrap();
        raise(kind);
        let task = spawn(move || signals.into_iter_count());
        (0..3).for_each(|_| yield_now());
        task.cancel();
        assert_eq!(task.join().unwrap(), 1);
    });
}

trait Count {
    fn into_iter_count(self) -> usize;
}

impl Count for Signals {
    fn into_iter_count(self) -> usize {
        (&self).into_iter().count()
    }
}

#[test]
fn names_and_numbers() {
    let names = [
        (SignalKind::ALARM, "SIGALRM"),
        (SignalKind::CHILD, "SIGCHLD"),
        (SignalKind::HANGUP, "SIGHUP"),
        (SignalKind::INTERRUPT, "SIGINT"),
        (SignalKind::IO, "SIGIO"),
        (SignalKind::PIPE, "SIGPIPE"),
        (SignalKind::QUIT, "SIGQUIT"),
        (SignalKind::TERMINATE, "SIGTERM"),
        (SignalKind::USER_DEFINED1, "SIGUSR1"),
        (SignalKind::USER_DEFINED2, "SIGUSR2"),
        (SignalKind::WINDOW_CHANGE, "SIGWINCH"),
        (SignalKind::from_raw(50), "signal 50"),
    ];
    for (kind, name) in names {
        assert_eq!(
            (kind.to_string(), format!("{kind:?}")),
            (name.into(), name.into())
        );
        assert_eq!(SignalKind::from_raw(kind.as_raw()), kind);
    }
    let signals = Signals::new([SignalKind::IO]).unwrap();
    assert_eq!(format!("{signals:?}"), "Signals([SIGIO])");
}
