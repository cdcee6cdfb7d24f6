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
#[doc(alias = "channel")]
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
#[doc(alias = "channel")]
pub fn unbounded<T>() -> (Sender<T>, Receiver<T>) {
    bounded(usize::MAX)
}

/// A channel from which nothing ever comes, and that never ends.
///
/// It takes the place of one that has ended in the loop around a
/// [`select!`](crate::select): an arm that is closed is always ready, and would be chosen
/// again and again.
///
/// ```
/// use greenroom::sync::{bounded, never};
/// use greenroom::{run, select};
///
/// run(|| {
///     let (numbers, mut number) = bounded(3);
///     let (letters, mut letter) = bounded(3);
///     numbers.send(1).unwrap();
///     letters.send('a').unwrap();
///     drop((numbers, letters));
///     let (mut seen, mut open) = (0, 2);
///     while open > 0 {
///         select! {
///             recv(number) -> n => match n {
///                 Ok(_) => seen += 1,
///                 Err(_) => { number = never(); open -= 1 }
///             },
///             recv(letter) -> l => match l {
///                 Ok(_) => seen += 1,
///                 Err(_) => { letter = never(); open -= 1 }
///             },
///         }
///     }
///     assert_eq!(seen, 2);
/// });
/// ```
///
/// A task that waits for it alone waits for ever: that is a deadlock, as with any other
/// channel whose senders do nothing.
#[must_use]
pub fn never<T>() -> Receiver<T> {
    Receiver::first(Rc::new(Shared {
        channel: Channel::new(0, Line::default()),
        // One that nobody has.
        senders: Cell::new(1),
        receivers: Cell::new(1),
    }))
}
