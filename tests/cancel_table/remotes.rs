//! The rows of the table that are about channels between threads.

use std::rc::Rc;

use greenroom::select;
use greenroom::sync::remote::{self, Receiver};
use greenroom::sync::{RecvError, SendError, bounded};

use crate::rows::{Call, Rig};

fn sending(capacity: usize) -> Rig {
    let (send, receive) = remote::bounded(capacity);
    (0..capacity).for_each(|n| send.try_send(n).unwrap());
    let receive = Rc::new(receive);
    let (left, kept) = (Rc::clone(&receive), send.clone());
    let call = move || match send.send(9) {
        Ok(()) => "returned".to_owned(),
        Err(SendError::Cancelled(value)) => format!("Cancelled({value})"),
        Err(error) => format!("{error:?}"),
    };
    let complete = move || {
        assert_eq!(receive.try_recv(), Ok(if capacity == 0 { 9 } else { 0 }));
    };
    let intact = move || {
        // Nothing was sent, and nobody is left in line.
        assert!(left.try_iter().eq(0..capacity));
        assert_eq!(kept.try_send(7).is_ok(), capacity > 0);
        assert_eq!(left.try_recv().ok(), (capacity > 0).then_some(7));
    };
    Rig::new(call, complete, intact)
}

pub(crate) const REMOTE_SEND: Call = Call::fails(|_| sending(1), "returned", "Cancelled(9)");
pub(crate) const REMOTE_RENDEZVOUS: Call = Call::fails(|_| sending(0), "returned", "Cancelled(9)");

fn receiving(call: impl FnOnce(&Receiver<u32>) -> Result<u32, RecvError> + 'static) -> Rig {
    let (send, receive) = remote::bounded(1);
    let receive = Rc::new(receive);
    let (ours, left) = (Rc::clone(&receive), receive);
    let theirs = send.clone();
    let complete = move || theirs.try_send(5).unwrap();
    let intact = move || {
        send.try_send(6).unwrap();
        assert_eq!(left.try_recv(), Ok(6), "somebody is still in line");
        assert!(left.try_recv().is_err());
    };
    let call = move || match call(&ours) {
        Ok(value) => value.to_string(),
        Err(RecvError::Cancelled) => "Cancelled".to_owned(),
        Err(error) => format!("{error:?}"),
    };
    Rig::new(call, complete, intact)
}

pub(crate) const REMOTE_RECV: Call = Call::fails(|_| receiving(Receiver::recv), "5", "Cancelled");

pub(crate) const REMOTE_ARM: Call = Call::fails(
    |_| {
        receiving(|receive| {
            let (_keep, never) = bounded::<u32>(0);
            select! {
                recv(receive) -> value => value,
                recv(never) -> value => value,
            }
        })
    },
    "5",
    "Cancelled",
);

/// The end of an iteration says that there is nothing, whatever the reason.
pub(crate) const REMOTE_ITER: Call = Call::fails(
    |_| receiving(|receive| receive.iter().next().ok_or(RecvError::Cancelled)),
    "5",
    "Cancelled",
);
