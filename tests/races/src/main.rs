//! Channels between plain threads, in all their states, and nothing else: no task and
//! no test harness, whose own locks the detector could not see. Small: it runs some
//! fifty times slower there.

use std::thread;
use std::time::Duration;

use greenroom::sync::remote::{self, Receiver, Sender};

/// A value with memory of its own, so that its contents are watched, too.
type Value = Box<usize>;

const EACH: usize = 40;

fn send_some(send: &Sender<Value>) {
    for n in 0..EACH {
        let mut value = Box::new(n);
        if n % 4 == 3 {
            // Each way to send; this one as often as it takes.
            while let Err(error) = send.send_timeout(value, Duration::from_nanos(1)) {
                if send.is_closed() {
                    return;
                }
                value = error.into_inner();
            }
        } else if send.send(value).is_err() {
            return;
        }
    }
}

fn receive_some(receive: &Receiver<Value>) -> usize {
    let mut sum = 0;
    loop {
        sum += receive
            .try_iter()
            .take(2)
            .map(|value| *value)
            .sum::<usize>();
        match receive.recv() {
            Ok(value) => sum += *value,
            Err(_) => return sum,
        }
    }
}

/// Every value arrives, whoever sends and receives.
fn all_arrive(capacity: usize, senders: usize, receivers: usize) {
    let (send, receive) = remote::bounded(capacity);
    let sending: Vec<_> = (0..senders)
        .map(|_| {
            let send = send.clone();
            thread::spawn(move || {
                send_some(&send);
                send
            })
        })
        .collect();
    let receiving: Vec<_> = (1..receivers)
        .map(|_| {
            let receive = receive.clone();
            thread::spawn(move || (receive_some(&receive), receive))
        })
        .collect();
    // That all ends are dropped here, after the threads: else the last of them would be
    // ordered by the count in std's `Arc`, which the detector does not see.
    let closing = thread::spawn({
        let send = send.clone();
        move || {
            let ends: Vec<_> = sending.into_iter().map(|t| t.join().unwrap()).collect();
            send.close();
            (send, ends)
        }
    });
    let mut sum = receive_some(&receive);
    let kept = closing.join().unwrap();
    let others: Vec<_> = receiving.into_iter().map(|t| t.join().unwrap()).collect();
    sum += others.iter().map(|(sum, _)| sum).sum::<usize>();
    assert_eq!(sum, senders * EACH * (EACH - 1) / 2);
    drop((kept, others, send, receive));
}

/// The receiver goes while senders wait.
fn one_end_goes(close: bool) {
    let (send, receive) = remote::bounded::<Value>(1);
    let sending: Vec<_> = (0..2)
        .map(|_| {
            let send = send.clone();
            thread::spawn(move || {
                send_some(&send);
                send
            })
        })
        .collect();
    for _ in 0..5 {
        receive.recv().unwrap();
    }
    if close {
        receive.close();
        receive.iter().for_each(drop);
    }
    drop(receive);
    let ends: Vec<_> = sending.into_iter().map(|t| t.join().unwrap()).collect();
    drop((ends, send));
}

fn one_value() {
    let (send, receive) = remote::oneshot();
    let thread = thread::spawn(move || (receive.recv(), ()));
    send.send(Box::new(5)).unwrap();
    assert_eq!(thread.join().unwrap().0, Ok(Box::new(5)));
}

fn main() {
    for capacity in [0, 1, 4, usize::MAX] {
        all_arrive(capacity, 1, 1);
        all_arrive(capacity, 3, 1);
        all_arrive(capacity, 2, 2);
    }
    one_end_goes(false);
    one_end_goes(true);
    one_value();
    println!("done");
}
