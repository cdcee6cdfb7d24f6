//! One thread, and no runtime: what needs no waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use greenroom::sync::remote::{self, Sender, bounded, oneshot, unbounded};
use greenroom::sync::{
    RecvError, RecvTimeoutError, SendError, SendTimeoutError, TryRecvError, TrySendError,
};

fn crosses<T: Send>(_: &T) {}

fn is_shared<T: Send + Sync>(_: &T) {}

#[test]
fn both_ends_cross_threads() {
    // `Cell` is Send and not Sync: that is enough.
    let (send, receive) = bounded::<std::cell::Cell<u8>>(1);
    is_shared(&send);
    crosses(&receive);
    let (send, receive) = oneshot::<std::cell::Cell<u8>>();
    is_shared(&send);
    crosses(&receive);
}

#[test]
fn a_bounded_channel_holds_its_capacity_and_no_more() {
    for capacity in [0usize, 1, 2, 10] {
        let (send, receive) = bounded(capacity);
        assert_eq!(
            (send.capacity(), receive.capacity()),
            (Some(capacity), Some(capacity))
        );
        for n in 0..capacity {
            assert_eq!(send.try_send(n), Ok(()));
        }
        assert_eq!(send.try_send(99), Err(TrySendError::Full(99)));
        assert_eq!((send.len(), receive.len()), (capacity, capacity));
        assert!(receive.try_iter().eq(0..capacity));
        assert!(send.is_empty() && receive.is_empty());
    }
}

#[test]
fn huge_capacities_cost_nothing() {
    for (send, receive) in [bounded(usize::MAX), unbounded(), bounded(usize::MAX - 1)] {
        for n in 0..10_000 {
            send.send(n).unwrap();
        }
        drop(send);
        assert!(receive.into_iter().eq(0..10_000));
    }
    assert_eq!(bounded::<u8>(usize::MAX).0.capacity(), None);
    assert_eq!(unbounded::<u8>().1.capacity(), None);
    assert_eq!(
        bounded::<u8>(usize::MAX - 1).0.capacity(),
        Some(usize::MAX - 1)
    );
}

#[test]
fn every_error_gives_the_value_back() {
    let value = |n: u32| Box::new(n);
    let (send, receive) = bounded(1);
    assert_eq!(send.send(value(1)), Ok(()));
    assert_eq!(
        send.send_timeout(value(2), Duration::ZERO),
        Err(SendTimeoutError::Timeout(value(2)))
    );
    assert_eq!(*send.try_send(value(3)).unwrap_err().into_inner(), 3);
    drop(receive);
    let gone = send.send(value(4)).unwrap_err();
    assert_eq!(gone, SendError::Disconnected(value(4)));
    let gone = send.try_send(value(5)).unwrap_err();
    assert_eq!(gone, TrySendError::Disconnected(value(5)));
    let gone = send.send_timeout(value(6), Duration::MAX).unwrap_err();
    assert_eq!(gone, SendTimeoutError::Disconnected(value(6)));
    assert_eq!(*gone.into_inner(), 6);
    assert!(send.is_closed());
}

#[test]
fn what_is_on_its_way_outlives_its_senders() {
    let (send, receive) = unbounded();
    let second = send.clone();
    send.send(1).unwrap();
    second.send(2).unwrap();
    drop(send);
    assert!(!receive.is_closed());
    drop(second);
    assert!(receive.is_closed());
    assert_eq!(receive.recv_timeout(Duration::ZERO), Ok(1));
    assert_eq!(receive.try_recv(), Ok(2));
    assert_eq!(receive.try_recv(), Err(TryRecvError::Disconnected));
    assert_eq!(receive.recv(), Err(RecvError::Disconnected));
    let late = receive.recv_timeout(Duration::MAX);
    assert_eq!(late, Err(RecvTimeoutError::Disconnected));
}

#[test]
fn no_time_to_wait() {
    let (send, receive) = bounded::<u8>(0);
    let late = receive.recv_timeout(Duration::ZERO);
    assert_eq!(late, Err(RecvTimeoutError::Timeout));
    let late = receive.recv_timeout(Duration::from_nanos(1));
    assert_eq!(late, Err(RecvTimeoutError::Timeout));
    let late = send.send_timeout(1, Duration::from_nanos(1));
    assert_eq!(late, Err(SendTimeoutError::Timeout(1)));
    // They left no trace.
    assert_eq!(send.try_send(2), Err(TrySendError::Full(2)));
    assert_eq!(receive.try_recv(), Err(TryRecvError::Empty));
}

#[test]
fn closed_at_either_end() {
    for close_sender in [false, true] {
        let (send, receive) = bounded(3);
        send.send(1).unwrap();
        send.send(2).unwrap();
        if close_sender {
            send.close();
        } else {
            receive.close();
        }
        receive.close(); // it is closed already
        assert!(send.is_closed() && receive.is_closed());
        assert_eq!(send.clone().send(3), Err(SendError::Disconnected(3)));
        assert_eq!(send.try_send(3), Err(TrySendError::Disconnected(3)));
        assert_eq!(receive.len(), 2);
        assert_eq!(receive.iter().collect::<Vec<_>>(), [1, 2]);
        assert_eq!(receive.try_recv(), Err(TryRecvError::Disconnected));
    }
}

#[test]
fn a_oneshot_is_used_once() {
    let (send, mut receive) = oneshot();
    assert_eq!(receive.try_recv(), Err(TryRecvError::Empty));
    assert!(!send.is_closed());
    send.send(5).unwrap();
    assert_eq!(receive.try_recv(), Ok(5));
    assert_eq!(receive.try_recv(), Err(TryRecvError::Disconnected));
    let (send, receive) = oneshot::<u8>();
    drop(send);
    assert_eq!(receive.recv(), Err(RecvError::Disconnected));
    let (send, receive) = oneshot();
    drop(receive);
    assert!(send.is_closed());
    assert_eq!(send.send(5), Err(SendError::Disconnected(5)));
}

/// Values nobody took are dropped with the last receiver, once; what they do to
/// the channel then is an error and no harm.
#[test]
fn values_whose_destructors_use_the_channel() {
    struct Loud {
        send: Sender<Loud>,
        dropped: Arc<AtomicU32>,
        again: bool,
    }
    impl Drop for Loud {
        fn drop(&mut self) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            assert!(self.send.is_closed() && self.send.is_empty());
            if self.again {
                let another = Loud {
                    send: self.send.clone(),
                    dropped: Arc::clone(&self.dropped),
                    again: false,
                };
                assert!(self.send.send(another).is_err());
            }
        }
    }
    let dropped = Arc::new(AtomicU32::new(0));
    let body = |close: bool| {
        let (send, receive) = remote::unbounded();
        for _ in 0..10 {
            let value = Loud {
                send: send.clone(),
                dropped: Arc::clone(&dropped),
                again: true,
            };
            assert!(send.try_send(value).is_ok());
        }
        if close {
            send.close();
        }
        drop(receive);
    };
    body(false);
    assert_eq!(dropped.swap(0, Ordering::Relaxed), 20);
    greenroom::run(|| body(true));
    assert_eq!(dropped.swap(0, Ordering::Relaxed), 20);
    assert_eq!(Arc::strong_count(&dropped), 1, "nothing was leaked");
}

#[test]
fn debug_says_how_full_it_is() {
    let (send, receive) = bounded(3);
    send.send(1).unwrap();
    let text = "{ len: 1, capacity: Some(3) }";
    assert_eq!(format!("{send:?}"), format!("Sender {text}"));
    assert_eq!(format!("{receive:?}"), format!("Receiver {text}"));
}

/// The one receiver takes what is there at once; nobody can tell.
#[test]
fn what_a_receiver_has_set_aside_counts() {
    let (send, receive) = bounded(4);
    (0..4).for_each(|n| send.try_send(n).unwrap());
    assert_eq!(receive.recv(), Ok(0));
    for n in 4..50 {
        assert_eq!((send.len(), receive.len()), (3, 3));
        assert_eq!(send.try_send(n), Ok(()), "there is room");
        assert_eq!(send.try_send(99), Err(TrySendError::Full(99)));
        assert_eq!((send.len(), receive.len()), (4, 4));
        assert_eq!(receive.try_recv(), Ok(n - 3));
    }
    // A clone has its part of it, in order.
    let second = receive.clone();
    assert_eq!((send.len(), second.len()), (3, 3));
    assert_eq!(second.try_recv(), Ok(47));
    assert_eq!(receive.try_recv(), Ok(48));
    drop(receive);
    send.close();
    assert_eq!(second.len(), 1);
    assert_eq!(second.into_iter().collect::<Vec<_>>(), [49]);
}

#[test]
fn what_a_receiver_has_set_aside_goes_with_it() {
    let counted = Arc::new(());
    for capacity in [8, usize::MAX] {
        let (send, receive) = bounded(capacity);
        for _ in 0..8 {
            send.try_send(Arc::clone(&counted)).unwrap();
        }
        receive.recv().unwrap();
        send.try_send(Arc::clone(&counted)).unwrap();
        assert_eq!(Arc::strong_count(&counted), 9);
        drop(receive);
        assert_eq!((send.len(), Arc::strong_count(&counted)), (0, 1));
    }
}

/// A sender that waits for room gets it with the first value that is taken.
#[test]
fn room_is_made_one_by_one() {
    let (send, receive) = bounded(3);
    (0..3).for_each(|n| send.try_send(n).unwrap());
    assert_eq!(receive.recv(), Ok(0));
    let (ready, is_ready) = std::sync::mpsc::channel();
    let sender = std::thread::spawn(move || {
        for n in 3..100 {
            send.send(n).unwrap();
            ready.send(()).unwrap();
        }
    });
    for n in 1..100 {
        // It has sent up to here: for `receive` holds two more at most.
        if n < 97 {
            is_ready.recv().unwrap();
        }
        assert_eq!(receive.recv(), Ok(n));
    }
    sender.join().unwrap();
}
