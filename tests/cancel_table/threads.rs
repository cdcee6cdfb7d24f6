//! The rows of calls that wait for another thread.

use std::cell::Cell;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use greenroom::sync::{Event, RecvError, SendError, remote};
use greenroom::{Handle, Task, ThreadPool, current, park, shield, sleep, yield_now};

use crate::rows::{Call, Rig};

/// A call on a pool of one thread, which ends when it is told to.
pub(crate) const UNBLOCK: Call = Call {
    patient: true,
    still: true,
    ..Call::fails(
        |_| {
            let pool = ThreadPool::builder().max_threads(1).build();
            let (tell, told) = mpsc::channel();
            let (ours, theirs, again) = (pool.clone(), pool.clone(), tell.clone());
            let call = move || ours.unblock(move || told.recv().unwrap_or(0)).to_string();
            let complete = move || {
                tell.send(5).unwrap();
                // Until the call has begun, and ended: as far as the caller is concerned it has
                // completed then.
                while theirs.counts().queued > 0 || theirs.counts().idle == 0 {
                    if theirs.counts().threads == 0 {
                        yield_now(); // the caller has not got there yet
                    }
                    thread::yield_now();
                }
            };
            let intact = move || {
                // One that has begun runs on, and nobody waits for what it gives.
                let _never_begun = again.send(6);
                assert_eq!(pool.counts().queued, 0);
            };
            Rig::new(call, complete, intact)
        },
        "5",
        "5",
    )
};

thread_local! {
    static OPEN: Cell<bool> = const { Cell::new(false) };
    static WAITS: Cell<Option<Task>> = const { Cell::new(None) };
}

/// A task that was spawned through a handle.
pub(crate) const REMOTE_JOIN: Call = Call {
    patient: true,
    ..Call::fails(
        |_| {
            // Only what is `Send` goes through the handle: the gate is the thread's.
            OPEN.set(false);
            let task = Handle::current().unwrap().spawn(|| {
                WAITS.set(Some(current()));
                shield(|| {
                    while !OPEN.get() {
                        park();
                    }
                });
                5
            });
            sleep(Duration::from_nanos(1)); // what came from outside is looked at now
            let open = || {
                OPEN.set(true);
                if let Some(waits) = WAITS.take() {
                    waits.unpark();
                }
            };
            Rig::new(move || task.join().unwrap().to_string(), open, open)
        },
        "5",
        "5",
    )
};

fn sending(capacity: usize, send: fn(&remote::Sender<usize>) -> String) -> Rig {
    let (sender, receiver) = remote::bounded(capacity);
    for n in 0..capacity {
        sender.try_send(n).unwrap();
    }
    let (left, kept) = (receiver.clone(), sender.clone());
    let complete = move || {
        assert_eq!(receiver.try_recv(), Ok(if capacity == 0 { 9 } else { 0 }));
    };
    let intact = move || {
        // Nothing was sent, and nobody is left in line.
        let there: Vec<_> = left.try_iter().collect();
        assert_eq!(there, Vec::from_iter(0..capacity));
        assert_eq!(kept.try_send(7).is_ok(), capacity > 0);
        assert_eq!(left.try_recv().ok(), (capacity > 0).then_some(7));
    };
    Rig::new(move || send(&sender), complete, intact)
}

fn sent(result: Result<(), SendError<usize>>) -> String {
    match result {
        Ok(()) => "returned".to_owned(),
        Err(SendError::Cancelled(value)) => format!("Cancelled({value})"),
        Err(error) => format!("{error:?}"),
    }
}

pub(crate) const REMOTE_SEND: Call = Call::fails(
    |_| sending(1, |sender| sent(sender.send(9))),
    "returned",
    "Cancelled(9)",
);

pub(crate) const REMOTE_RENDEZVOUS: Call = Call::fails(
    |_| sending(0, |sender| sent(sender.send(9))),
    "returned",
    "Cancelled(9)",
);

fn receiving(call: fn(&remote::Receiver<u32>) -> String) -> Rig {
    let (sender, receiver) = remote::bounded(1);
    let (ours, theirs) = (receiver.clone(), sender.clone());
    let complete = move || theirs.try_send(5).unwrap();
    let intact = move || {
        sender.try_send(6).unwrap();
        assert_eq!(receiver.try_recv(), Ok(6), "somebody is still in line");
        assert!(receiver.try_recv().is_err());
    };
    Rig::new(move || call(&ours), complete, intact)
}

pub(crate) const REMOTE_RECV: Call = Call::fails(
    |_| {
        receiving(|receiver| match receiver.recv() {
            Ok(value) => value.to_string(),
            Err(RecvError::Cancelled) => "Cancelled".to_owned(),
            Err(error) => format!("{error:?}"),
        })
    },
    "5",
    "Cancelled",
);

pub(crate) const REMOTE_ITER: Call = Call::fails(
    |_| receiving(|receiver| format!("{:?}", receiver.iter().next())),
    "Some(5)",
    "None",
);

pub(crate) const REMOTE_SELECT: Call = Call::fails(
    |_| {
        receiving(|receiver| {
            greenroom::select! {
                recv(receiver) -> value => match value {
                    Ok(value) => value.to_string(),
                    Err(error) => format!("{error:?}"),
                },
                wait(&Event::new()) => "an event".to_owned(),
            }
        })
    },
    "5",
    "Cancelled",
);
