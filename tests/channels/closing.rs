//! A channel that is closed takes nothing more and gives what it has. Whoever waited is
//! told, in whatever state the channel was.

use std::rc::Rc;
use std::time::Duration;

use greenroom::sync::{
    Receiver, RecvError, SendError, Sender, TryRecvError, TrySendError, bounded, oneshot, unbounded,
};
use greenroom::{select, sleep, spawn, timeout, yield_now};

use crate::support::{Log, on_virtual};

/// One end or the other.
fn close<T>(by_sender: bool, send: &Sender<T>, receive: &Receiver<T>) {
    if by_sender {
        send.close();
    } else {
        receive.close();
    }
}

/// What every closed channel does, once it is empty.
#[track_caller]
fn assert_over(send: &Sender<u32>, receive: &Receiver<u32>) {
    assert!(send.is_closed() && receive.is_closed());
    assert_eq!(send.send(91), Err(SendError::Disconnected(91)));
    assert_eq!(send.try_send(92), Err(TrySendError::Disconnected(92)));
    assert_eq!(receive.recv(), Err(RecvError::Disconnected));
    assert_eq!(receive.try_recv(), Err(TryRecvError::Disconnected));
    assert_eq!(receive.iter().next(), None);
}

#[test]
fn what_is_in_the_buffer_is_still_received() {
    let body = |by_sender: bool| {
        for (send, receive) in [bounded(3), bounded(7), unbounded()] {
            (0..3).for_each(|n| send.try_send(n).unwrap());
            assert!(!send.is_closed() && !receive.is_closed());
            close(by_sender, &send, &receive);
            assert_eq!(send.send(9), Err(SendError::Disconnected(9)));
            assert_eq!((send.len(), receive.len()), (3, 3));
            assert_eq!(receive.recv(), Ok(0));
            assert_eq!(receive.try_recv(), Ok(1));
            assert_eq!(receive.iter().collect::<Vec<_>>(), [2]);
            assert_over(&send, &receive);
            send.close();
            receive.close();
            assert_over(&send.clone(), &receive.clone());
        }
    };
    for by_sender in [true, false] {
        body(by_sender); // also on a plain thread
        on_virtual(|| body(by_sender));
    }
}

#[test]
fn waiting_senders_get_their_values_back() {
    for by_sender in [true, false] {
        for capacity in [0, 1, 3] {
            on_virtual(|| {
                let (send, receive) = bounded(capacity);
                (0..capacity).for_each(|n| send.try_send(n).unwrap());
                let log = Log::new();
                let senders: Vec<_> = (10..14)
                    .map(|n| {
                        let (send, log) = (send.clone(), log.clone());
                        spawn(move || log.add(send.send(n)))
                    })
                    .collect();
                yield_now();
                close(by_sender, &send, &receive);
                assert!(log.take().is_empty(), "it switched");
                // Room that comes now is not for them.
                assert_eq!(receive.try_recv().ok(), (capacity > 0).then_some(0));
                senders.into_iter().for_each(|task| task.join().unwrap());
                let back: Vec<_> = (10..14).map(|n| Err(SendError::Disconnected(n))).collect();
                assert_eq!(log.take(), back);
                assert!(receive.iter().eq(1..capacity));
            });
        }
    }
}

#[test]
fn waiting_receivers_are_told() {
    for by_sender in [true, false] {
        for capacity in [0, 1, usize::MAX] {
            on_virtual(|| {
                let (send, receive) = bounded::<u32>(capacity);
                let log = Log::new();
                for n in 0..3 {
                    let (receive, log) = (receive.clone(), log.clone());
                    spawn(move || log.add((n, receive.recv())));
                }
                yield_now();
                send.try_send(7).unwrap(); // handed over: not taken back
                close(by_sender, &send, &receive);
                yield_now();
                let gone = Err(RecvError::Disconnected);
                assert_eq!(log.take(), [(0, Ok(7)), (1, gone), (2, gone)]);
                assert_over(&send, &receive);
            });
        }
    }
}

/// A value in the hand of its receiver was sent, whatever happens before that one runs.
#[test]
fn a_value_handed_over_outlives_close_and_cancellation() {
    on_virtual(|| {
        let (send, receive) = bounded(0);
        let log = Log::new();
        let l = log.clone();
        let task = spawn(move || l.add(receive.recv()));
        yield_now();
        send.try_send(1).unwrap();
        send.close();
        task.cancel();
        task.join().unwrap();
        assert_eq!(log.take(), [Ok(1)]);
    });
}

#[test]
fn a_sender_cancelled_and_closed_upon_has_not_sent() {
    on_virtual(|| {
        let (send, receive) = bounded(0);
        let task = spawn({
            let send = send.clone();
            move || send.send(1)
        });
        yield_now();
        send.close();
        task.cancel(); // too late: the value is on its way back
        assert_eq!(task.join().unwrap(), Err(SendError::Disconnected(1)));
        assert_over(&send, &receive);
    });
}

#[test]
fn arms_of_select_become_ready() {
    for by_sender in [true, false] {
        for capacity in [0, 1] {
            on_virtual(|| {
                let (send, receive) = bounded(capacity);
                let full = Rc::new(bounded(capacity));
                (0..capacity).for_each(|n| full.0.try_send(n).unwrap());
                let sending = spawn({
                    let full = Rc::clone(&full);
                    move || {
                        select! {
                            send(full.0, 5) -> sent => sent,
                            after(Duration::from_secs(60)) => panic!("it was not woken"),
                        }
                    }
                });
                let receiving = spawn({
                    let receive = receive.clone();
                    move || {
                        select! {
                            recv(receive) -> got => got,
                            after(Duration::from_secs(60)) => panic!("it was not woken"),
                        }
                    }
                });
                sleep(Duration::from_secs(1));
                close(by_sender, &full.0, &full.1);
                close(by_sender, &send, &receive);
                assert_eq!(sending.join().unwrap(), Err(SendError::Disconnected(5)));
                assert_eq!(receiving.join().unwrap(), Err(RecvError::Disconnected));
                // Those that come later are ready at once.
                let sent = select! {
                    send(full.0, 6) -> sent => sent,
                    default => panic!("a closed channel is ready"),
                };
                assert_eq!(sent, Err(SendError::Disconnected(6)));
                let got = select! {
                    recv(receive) -> got => got,
                    default => panic!("a closed channel is ready"),
                };
                assert_eq!(got, Err(RecvError::Disconnected));
                assert_over(&send, &receive);
                assert!(full.1.iter().eq(0..capacity));
            });
        }
    }
}

/// The arm was chosen, its value is being made, and meanwhile the channel is closed.
#[test]
fn closed_while_a_chosen_arm_makes_its_value() {
    on_virtual(|| {
        let (send, receive) = bounded(1);
        let task = spawn({
            let send = send.clone();
            move || {
                select! {
                    send(send, { yield_now(); 5 }) -> sent => sent,
                }
            }
        });
        yield_now();
        receive.close();
        assert_eq!(task.join().unwrap(), Err(SendError::Disconnected(5)));
        assert_over(&send, &receive);
    });
}

/// A selection that waits for both ends of one channel, and those behind it.
#[test]
fn a_task_that_waits_for_both_ends() {
    on_virtual(|| {
        let (send, receive) = bounded(0);
        let both = spawn({
            let (send, receive) = (send.clone(), receive.clone());
            move || {
                select! {
                    send(send, 5) -> sent => sent.is_err(),
                    recv(receive) -> got => got.is_err(),
                }
            }
        });
        yield_now();
        let behind = spawn({
            let send = send.clone();
            move || send.send(6)
        });
        // It takes what comes from another, or gives to another.
        assert!(!both.join().unwrap());
        assert_eq!(behind.join().unwrap(), Ok(()));
        let both = spawn({
            let (send, receive) = (send.clone(), receive.clone());
            move || {
                select! {
                    send(send, 5) -> sent => sent == Err(SendError::Disconnected(5)),
                    recv(receive) -> got => got == Err(RecvError::Disconnected),
                }
            }
        });
        yield_now();
        send.close();
        assert!(both.join().unwrap());
    });
}

#[test]
fn a_loop_over_a_closed_channel_ends() {
    on_virtual(|| {
        let (send, receive) = bounded(2);
        let consumer = spawn({
            let receive = receive.clone();
            move || receive.iter().collect::<Vec<_>>()
        });
        let producer = spawn(move || {
            (0..)
                .take_while(|n| {
                    sleep(Duration::from_secs(1));
                    send.send(*n).is_ok()
                })
                .count()
        });
        assert!(timeout(Duration::from_millis(3500), || sleep(Duration::MAX)).is_err());
        receive.close();
        assert_eq!(consumer.join().unwrap(), [0, 1, 2]);
        assert_eq!(producer.join().unwrap(), 3);
    });
}

#[test]
fn what_closed_means_on_each_end() {
    // The last of the other side gone.
    let (send, receive) = bounded::<u8>(1);
    let (another, second) = (send.clone(), receive.clone());
    drop(send);
    assert!(!receive.is_closed());
    drop(another);
    assert!(receive.is_closed() && second.is_closed());
    let (send, receive) = bounded(1);
    let second = receive.clone();
    drop(receive);
    assert_eq!(send.try_send(1), Ok(()));
    assert!(!send.is_closed());
    drop(second);
    assert!(send.is_closed());
    assert_eq!(send.len(), 0, "what nobody can receive is gone");
    // A receiver made of one that is closed is closed.
    let (send, receive) = bounded::<u8>(1);
    send.close();
    drop(send);
    assert!(receive.clone().is_closed());
    assert!(format!("{receive:?}").contains("is_closed: true"));
    // A oneshot's ends.
    let (send, receive) = oneshot::<u8>();
    assert!(!send.is_closed() && !receive.is_closed());
    drop(receive);
    assert!(send.is_closed());
    let (send, receive) = oneshot();
    send.send(1).unwrap();
    assert!(receive.is_closed());
    assert_eq!(receive.recv(), Ok(1));
}
