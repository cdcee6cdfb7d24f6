//! The channel with threads in every order: no wake-up is lost, no value is lost or
//! given twice, and a wait may be given up at any moment.
//!
//! A thread that sleeps for ever is what loom reports as a deadlock.

use loom::thread;

use super::{Receiver, Sender, bounded};
use crate::scheduler::outside::Caller;
use crate::sync::error::{TryRecvError, TrySendError};

fn sending(send: Sender<u32>, values: std::ops::Range<u32>) -> thread::JoinHandle<u32> {
    thread::spawn(move || {
        let mut sent = 0;
        for value in values {
            if send.send(value).is_err() {
                break;
            }
            sent += 1;
        }
        sent
    })
}

fn receiving(receive: Receiver<u32>) -> thread::JoinHandle<Vec<u32>> {
    thread::spawn(move || receive.iter().collect())
}

#[test]
fn one_sends_and_one_receives() {
    for capacity in [0, 1, usize::MAX] {
        loom::model(move || {
            let (send, receive) = bounded(capacity);
            let sender = sending(send, 0..2);
            assert_eq!(receive.iter().collect::<Vec<_>>(), [0, 1]);
            assert_eq!(sender.join().unwrap(), 2);
        });
    }
}

/// The receiver takes from its stash without the lock, and does nothing more: a sender
/// that comes to wait for the room that makes, just then, does not wait for ever.
#[test]
fn room_in_the_stash() {
    loom::model(|| {
        let (send, receive) = bounded(2);
        send.try_send(0).unwrap();
        send.try_send(1).unwrap();
        assert_eq!(receive.recv(), Ok(0));
        send.try_send(2).unwrap();
        let sender = sending(send, 3..4);
        assert_eq!(receive.recv(), Ok(1));
        assert_eq!(sender.join().unwrap(), 1);
        assert_eq!(receive.iter().collect::<Vec<_>>(), [2, 3]);
    });
}

/// Nobody but this sender sends: where there is room, `try_send` finds it.
#[test]
fn room_that_was_made_is_found() {
    loom::model(|| {
        let (send, receive) = bounded(2);
        send.try_send(0).unwrap();
        send.try_send(1).unwrap();
        let receiver = thread::spawn(move || {
            let both = (receive.recv(), receive.recv());
            (both, receive)
        });
        let before = send.len();
        let sent = send.try_send(2);
        assert!(sent.is_ok() || before == 2, "{before} of 2");
        let (both, receive) = receiver.join().unwrap();
        assert_eq!(both, (Ok(0), Ok(1)));
        assert_eq!(send.len(), usize::from(sent.is_ok()));
        assert_eq!(receive.try_recv().is_ok(), sent.is_ok());
        assert_eq!(send.try_send(3), Ok(()));
    });
}

#[test]
fn two_send_and_one_receives() {
    for capacity in [0, 1] {
        loom::model(move || {
            let (send, receive) = bounded(capacity);
            let senders = [sending(send.clone(), 0..1), sending(send, 1..2)];
            let mut all: Vec<_> = receive.iter().collect();
            all.sort_unstable();
            assert_eq!(all, [0, 1]);
            for sender in senders {
                assert_eq!(sender.join().unwrap(), 1);
            }
        });
    }
}

#[test]
fn one_sends_and_two_receive() {
    for capacity in [0, 1] {
        loom::model(move || {
            let (send, receive) = bounded(capacity);
            let receivers = [receiving(receive.clone()), receiving(receive)];
            assert_eq!(send.send(0), Ok(()));
            assert_eq!(send.send(1), Ok(()));
            drop(send);
            let mut all = receivers.map(|r| r.join().unwrap()).concat();
            all.sort_unstable();
            assert_eq!(all, [0, 1]);
        });
    }
}

/// The receiver goes while the sender waits, or before, or after.
#[test]
fn the_receiver_goes_at_any_moment() {
    for close in [false, true] {
        loom::model(move || {
            let (send, receive) = bounded(1);
            let sender = sending(send, 0..3);
            let first = receive.recv();
            assert_eq!(first, Ok(0));
            let mut left = 0;
            if close {
                receive.close();
                left = u32::try_from(receive.iter().count()).unwrap();
            }
            drop(receive);
            let sent = sender.join().unwrap();
            if close {
                assert_eq!(sent, 1 + left);
            } else {
                assert!((1..=3).contains(&sent), "{sent}");
            }
        });
    }
}

/// Lines up to receive, and leaves at some moment: what it was given by then it has,
/// and what it was not given the next one gets.
#[test]
fn a_receiver_leaves_at_any_moment() {
    for capacity in [0, 1] {
        loom::model(move || {
            let (send, receive) = bounded(capacity);
            let sender = sending(send, 0..1);
            let mut got = Vec::new();
            let inlet = &receive.inlet;
            let joined = inlet.change(|state, stash, wakes| match state.take(stash, wakes) {
                Ok(value) => Err(Some(value)),
                Err(TryRecvError::Disconnected) => Err(None),
                Err(TryRecvError::Empty) => {
                    Ok(state.line_up_to_receive(Caller::here().address().unwrap()))
                }
            });
            match joined {
                Err(value) => got.extend(value),
                Ok(place) => {
                    thread::yield_now();
                    let given = inlet.change(|state, stash, wakes| {
                        let given = state.received(place, wakes);
                        if given.is_none() {
                            state.give_up_receiving(place, stash, wakes);
                        }
                        given
                    });
                    got.extend(given.flatten());
                }
            }
            got.extend(receive.iter());
            assert_eq!(got, [0]);
            assert_eq!(sender.join().unwrap(), 1);
        });
    }
}

/// As an arm of a selection: nudged, not nudged, taking, or leaving without; another
/// receiver waits behind it.
#[test]
fn an_arm_leaves_at_any_moment() {
    for takes in [false, true] {
        for capacity in [0, 1] {
            loom::model(move || {
                let (send, receive) = bounded(capacity);
                let behind = receive.clone();
                let inlet = &receive.inlet;
                let (place, _) =
                    inlet.change(|state, _, _| state.enter(Caller::here().address().unwrap()));
                let behind = receiving(behind);
                let sender = sending(send, 0..1);
                thread::yield_now();
                let mut got = Vec::new();
                if takes {
                    got.extend(inlet.change(|state, _, wakes| state.take_as(place, wakes)));
                }
                inlet.change(|state, _, wakes| state.leave(place, wakes));
                assert_eq!(sender.join().unwrap(), 1);
                got.extend(behind.join().unwrap());
                assert_eq!(got, [0]);
            });
        }
    }
}

/// Lines up to send, and leaves: the value is either sent or back.
#[test]
fn a_sender_leaves_at_any_moment() {
    loom::model(|| {
        let (send, receive) = bounded(0);
        let receiver = receiving(receive);
        let channel = &send.channel;
        let joined = channel.change(|state, wakes| match state.offer(7, wakes) {
            Err(TrySendError::Full(value)) => {
                let address = Caller::here().address().unwrap();
                Some(state.line_up_to_send(value, address, wakes))
            }
            result => {
                assert!(result.is_ok());
                None
            }
        });
        let mut expected = vec![7];
        if let Some(place) = joined {
            thread::yield_now();
            let back = channel.change(|state, _| match state.sent(place) {
                Some(_) => None,
                None => state.give_up_sending(place),
            });
            if back.is_some() {
                expected.clear();
            }
        }
        drop(send);
        assert_eq!(receiver.join().unwrap(), expected);
    });
}
