//! The rows of broadcasts and watches.

use std::cell::RefCell;
use std::fmt::Debug;
use std::rc::Rc;

use greenroom::select;
use greenroom::sync::{
    BroadcastReceiver, BroadcastRecvError, BroadcastTryRecvError, Event, RecvError, WatchReceiver,
    broadcast, watch,
};

use crate::rows::{Call, Rig};

fn said<T: Debug, E: Debug>(result: Result<T, E>) -> String {
    match result {
        Ok(value) => format!("{value:?}"),
        Err(error) => format!("{error:?}"),
    }
}

fn listening(call: impl FnOnce(&mut BroadcastReceiver<u32>) -> String + 'static) -> Rig {
    let (send, receive) = broadcast(4);
    let (ours, theirs) = (Rc::new(RefCell::new(receive)), send.clone());
    let left = Rc::clone(&ours);
    let complete = move || assert_eq!(theirs.send(5), Ok(1));
    let intact = move || {
        assert_eq!(send.send(6), Ok(1));
        let mut left = left.borrow_mut();
        assert_eq!(left.try_recv(), Ok(6));
        assert_eq!(left.try_recv(), Err(BroadcastTryRecvError::Empty));
    };
    Rig::new(move || call(&mut ours.borrow_mut()), complete, intact)
}

pub(crate) const BROADCAST: Call = Call::fails(
    |_| listening(|receive| said(receive.recv())),
    "5",
    "Cancelled",
);

pub(crate) const BROADCAST_ITER: Call = Call::fails(
    |_| listening(|receive| format!("{:?}", receive.iter().next())),
    "Some(Ok(5))",
    "None",
);

pub(crate) const BROADCAST_ARM: Call = Call::fails(
    |_| {
        listening(|receive| {
            let never = Event::new();
            said(select! {
                wait(&mut *receive) -> got => got,
                wait(&never) => Err(BroadcastRecvError::WouldBlock),
            })
        })
    },
    "5",
    "Cancelled",
);

fn watching(call: impl FnOnce(&mut WatchReceiver<u32>) -> String + 'static) -> Rig {
    let (send, receive) = watch(0);
    let (ours, theirs) = (Rc::new(RefCell::new(receive)), send.clone());
    let left = Rc::clone(&ours);
    let complete = move || assert_eq!(theirs.send(5), Ok(()));
    let intact = move || {
        let mut left = left.borrow_mut();
        assert!(!left.has_changed());
        assert_eq!(send.send(6), Ok(()));
        assert_eq!(left.changed(), Ok(Rc::new(6)));
        assert_eq!(send.receiver_count(), 1);
    };
    Rig::new(move || call(&mut ours.borrow_mut()), complete, intact)
}

pub(crate) const CHANGED: Call = Call::fails(
    |_| watching(|receive| said(receive.changed())),
    "5",
    "Cancelled",
);

pub(crate) const WAIT_FOR: Call = Call::fails(
    |_| watching(|receive| said(receive.wait_for(|value| *value == 5))),
    "5",
    "Cancelled",
);

pub(crate) const WATCH_ARM: Call = Call::fails(
    |_| {
        watching(|receive| {
            let never = Event::new();
            said(select! {
                wait(&mut *receive) -> got => got,
                wait(&never) => Err(RecvError::WouldBlock),
            })
        })
    },
    "5",
    "Cancelled",
);
