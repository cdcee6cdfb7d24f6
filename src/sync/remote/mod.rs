//! Channels between threads: tasks and plain threads at both ends.
//!
//! They are used as the channels of one thread are, and give the same errors. A call
//! made in a task lets the other tasks run while it waits; one made on a plain thread
//! blocks that thread. So a pool of threads can serve the tasks of a runtime, or two
//! runtimes on two threads each other.
//!
//! ```
//! use greenroom::sync::remote;
//!
//! let (questions, asked) = remote::bounded::<u64>(4);
//! let (answers, answered) = remote::bounded::<u64>(4);
//! // A plain thread computes ...
//! let worker = std::thread::spawn(move || {
//!     for n in asked {
//!         answers.send((1..=n).product()).unwrap();
//!     }
//! });
//! // ... and tasks wait for it, and may do other things meanwhile.
//! greenroom::run(|| {
//!     let asking = greenroom::spawn(move || {
//!         for n in 1..=5 {
//!             questions.send(n).unwrap();
//!         }
//!     });
//!     assert_eq!(answered.iter().collect::<Vec<_>>(), [1, 2, 6, 24, 120]);
//!     asking.join().unwrap();
//! });
//! worker.join().unwrap();
//! ```
//!
//! Within one thread the channels of [`sync`](crate::sync) are several times as fast,
//! and find deadlocks: a task that waits here may be woken by another thread, so it
//! is never taken for stuck. A virtual clock does not wait for other threads: its time goes on
//! while a task waits here.
//!
//! To look at a runtime that seems to be stuck, ask it from outside:
//!
//! ```
//! use greenroom::{Handle, run, tasks};
//!
//! run(|| {
//!     let handle = Handle::current().unwrap();
//!     let watcher = std::thread::spawn(move || {
//!         let lines = handle.spawn(|| tasks().iter().map(ToString::to_string).collect::<Vec<_>>());
//!         lines.join().unwrap().join("\n")
//!     });
//!     greenroom::unblock(move || {
//!         let report = watcher.join().unwrap();
//!         assert!(report.contains("waits for a call on the thread pool"), "{report}");
//!     });
//! });
//! ```
//!
//! On a plain thread there is no `select!`: there are [`Receiver::recv_timeout`], and
//! [`run`](crate::run).
//!
//! In a `select!` a receiver is waited for with `recv(receiver)`, as those of one
//! thread. There is no arm that sends into such a channel: give a task of its own to
//! a send that has to wait beside other things.

mod channel;
mod inlet;
mod iter;
mod line;
#[cfg(all(loom, test))]
mod loom_tests;
mod oneshot;
mod receiver;
mod select;
mod sender;
mod state;

pub use iter::{IntoIter, Iter, TryIter};
pub use oneshot::{OneshotReceiver, OneshotSender, oneshot};
pub use receiver::Receiver;
#[doc(hidden)]
pub use select::RemoteArm;
pub use sender::Sender;

use channel::Channel;
use std::sync::Arc;

/// A channel between threads that holds up to `capacity` values. With a capacity of 0
/// every send waits for its receiver. Memory is used as values come, up to that.
///
/// ```
/// use greenroom::sync::remote;
///
/// let (sender, receiver) = remote::bounded(2);
/// let thread = std::thread::spawn(move || {
///     for n in 1..=4 {
///         sender.send(n).unwrap(); // blocks while two are on their way
///     }
/// });
/// greenroom::run(|| assert_eq!(receiver.iter().sum::<i32>(), 10));
/// thread.join().unwrap();
/// ```
#[must_use]
pub fn bounded<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let channel = Arc::new(Channel::new(capacity));
    (Sender::new(Arc::clone(&channel)), Receiver::new(channel))
}

/// A channel between threads that holds any number of values; sending never waits.
///
/// ```
/// use greenroom::sync::remote;
///
/// let (sender, receiver) = remote::unbounded();
/// for n in 0..100 {
///     sender.send(n).unwrap();
/// }
/// let sum = std::thread::spawn(move || receiver.try_iter().sum::<i32>());
/// assert_eq!(sum.join().unwrap(), 4950);
/// ```
#[must_use]
pub fn unbounded<T>() -> (Sender<T>, Receiver<T>) {
    bounded(usize::MAX)
}
