//! The rows of the table that are about queues.

use std::cmp::Reverse;
use std::rc::Rc;

use greenroom::sync::{Queue, RecvError, SendError};

use crate::rows::{Call, Rig};

fn pushing(capacity: usize) -> Rig {
    let queue = Rc::new(Queue::fifo(capacity));
    (0..capacity).for_each(|n| queue.try_push(n).unwrap());
    let (theirs, left) = (Rc::clone(&queue), Rc::clone(&queue));
    let call = move || match queue.push(9) {
        Ok(()) => "returned".to_owned(),
        Err(SendError::Cancelled(value)) => format!("Cancelled({value})"),
        Err(error) => format!("{error:?}"),
    };
    let complete = move || {
        assert_eq!(theirs.try_pop(), Ok(if capacity == 0 { 9 } else { 0 }));
    };
    let intact = move || {
        // Nothing was pushed, nothing is counted, and nobody is left waiting.
        assert_eq!((left.len(), left.unfinished()), (capacity, capacity));
        assert!((0..capacity).all(|n| left.try_pop() == Ok(n)));
        assert_eq!(left.try_push(7).is_ok(), capacity > 0);
        assert_eq!(left.try_pop().ok(), (capacity > 0).then_some(7));
    };
    Rig::new(call, complete, intact)
}

pub(crate) const PUSH: Call = Call::fails(|_| pushing(1), "returned", "Cancelled(9)");
pub(crate) const PUSH_RENDEZVOUS: Call = Call::fails(|_| pushing(0), "returned", "Cancelled(9)");

pub(crate) const POP: Call = Call::fails(
    |_| {
        let queue = Rc::new(Queue::priority(1));
        let (theirs, left) = (Rc::clone(&queue), Rc::clone(&queue));
        let call = move || match queue.pop() {
            Ok(Reverse(value)) => format!("{value}"),
            Err(RecvError::Cancelled) => "Cancelled".to_owned(),
            Err(error) => format!("{error:?}"),
        };
        let complete = move || theirs.try_push(Reverse(5)).unwrap();
        let intact = move || {
            left.try_push(Reverse(6)).unwrap();
            assert_eq!(left.try_pop(), Ok(Reverse(6)), "somebody still waits");
            assert_eq!(left.unfinished(), 1);
        };
        Rig::new(call, complete, intact)
    },
    "5",
    "Cancelled",
);

pub(crate) const ALL_DONE: Call = Call {
    patient: true,
    ..Call::plain(|_| {
        let queue = Rc::new(Queue::lifo(1));
        queue.try_push(5).unwrap();
        assert_eq!(queue.try_pop(), Ok(5));
        let (theirs, left) = (Rc::clone(&queue), Rc::clone(&queue));
        let call = move || {
            queue.join();
            "returned".to_owned()
        };
        let intact = move || assert_eq!(left.unfinished(), 1);
        Rig::new(call, move || theirs.task_done(), intact)
    })
};
