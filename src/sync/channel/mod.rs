//! Channels between the tasks of one thread: bounded, rendezvous, unbounded.
//!
//! A value goes straight into the hand of the receiver that waits longest, if
//! one waits; else into the buffer, if there is room; else its sender waits with
//! it in hand. So order is kept, nobody barges past a waiter, and a value that
//! was handed over is not lost when its receiver is cancelled.
//!
//! | file | what is there |
//! |---|---|
//! | `core.rs` | how a value is passed on, and who waits |
//! | `buffer.rs` | what holds the values meanwhile |
//! | `sender.rs`, `receiver.rs` | the two ends, and when the last of a side is gone |
//! | `iter.rs` | values as they come |

mod buffer;
mod core;
mod iter;
mod receiver;
mod sender;

use std::cell::Cell;
use std::rc::Rc;

pub(super) use self::core::Channel;
pub(super) use buffer::{Buffer, Line};
pub use iter::{IntoIter, Iter, TryIter};
pub use receiver::Receiver;
pub use sender::Sender;

/// A channel, and how many ends of each kind it has.
struct Shared<T> {
    channel: Channel<T>,
    senders: Cell<usize>,
    receivers: Cell<usize>,
}

/// A channel that holds up to `capacity` values. With a capacity of 0 every send
/// waits for its receiver. Memory is used as values come, up to that.
///
/// ```
/// use greenroom::{run, spawn, sync::bounded};
///
/// run(|| {
///     let (numbers, all) = bounded(2);
///     spawn(move || {
///         for n in 1..=4 {
///             numbers.send(n).unwrap(); // waits while two are on their way
///         }
///     });
///     assert_eq!(all.iter().sum::<i32>(), 10);
/// });
/// ```
#[must_use]
pub fn bounded<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let shared = Rc::new(Shared {
        channel: Channel::new(capacity, Line::default()),
        senders: Cell::new(1),
        receivers: Cell::new(1),
    });
    (Sender::first(Rc::clone(&shared)), Receiver::first(shared))
}

/// A channel that holds any number of values; sending never waits.
///
/// ```
/// use greenroom::sync::unbounded;
///
/// let (sender, receiver) = unbounded();
/// for n in 0..1000 {
///     sender.send(n).unwrap();
/// }
/// assert_eq!((receiver.len(), receiver.capacity()), (1000, None));
/// ```
#[must_use]
pub fn unbounded<T>() -> (Sender<T>, Receiver<T>) {
    bounded(usize::MAX)
}
