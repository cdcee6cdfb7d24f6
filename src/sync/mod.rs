//! What tasks of one thread pass to each other, and how they keep out of each other's way;
//! and [`remote`], for other threads.
//!
//! | you want | take |
//! |---|---|
//! | a stream of values, each to one receiver | [`bounded`], [`unbounded`] |
//! | the same, but the greatest or the last first, or to wait until all is done | [`Queue`] |
//! | one value, an answer for example | [`oneshot()`] |
//! | a stream of values, each to every receiver | [`broadcast()`] |
//! | the latest value, and to be told when it changes | [`watch()`] |
//! | that something has happened | [`Event`] |
//! | that one uses a value at a time, also across calls that wait | [`Mutex`], [`RwLock`] |
//! | to wait for what a mutex guards to change | [`Condvar`] |
//! | so many at a time | [`Semaphore`] |
//! | to meet | [`Barrier`] |
//! | a value that the first to come makes | [`OnceCell`] |
//! | a channel or a oneshot from or to another thread | [`remote`] |
//!
//! Those of one thread have no atomics, and are not `Send`. All serve those who wait in
//! the order in which they came. What is handed over is not lost when its receiver is
//! cancelled before it runs. Sending, releasing and notifying never switch, but `send`
//! where it has to wait.
//!
//! No unsafe code here: queues of waiting tasks are the scheduler's.

mod awaitable;
mod barrier;
mod broadcast;
mod channel;
mod condvar;
mod error;
mod event;
mod mutex;
mod once_cell;
mod oneshot;
mod queue;
mod raw;
pub mod remote;
mod ring;
mod rwlock;
mod select;
mod semaphore;
mod watch;

pub use barrier::{Barrier, BarrierWaitResult};
pub use broadcast::{
    BroadcastIntoIter, BroadcastIter, BroadcastReceiver, BroadcastSender, broadcast,
};
pub use channel::{IntoIter, Iter, Receiver, Sender, TryIter, bounded, never, unbounded};
pub use condvar::{Condvar, WaitTimeoutResult};
pub use error::{
    AcquireError, BroadcastRecvError, BroadcastTryRecvError, Lagged, LockError, RecvError,
    RecvTimeoutError, SendError, SendTimeoutError, TryLockError, TryRecvError, TrySendError,
};
pub use event::Event;
pub use mutex::{Mutex, MutexGuard};
pub use once_cell::OnceCell;
pub use oneshot::{OneshotReceiver, OneshotSender, oneshot};
pub use queue::{Fifo, Lifo, Order, Priority, Queue, QueueIter};
pub use rwlock::{RwLock, RwLockReadGuard, RwLockWriteGuard};
pub use semaphore::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};
pub use watch::{WatchReceiver, WatchSender, watch};

/// What `select!` makes of them.
pub(crate) mod arms {
    pub use super::broadcast::BroadcastArm;
    pub use super::event::EventArm;
    pub use super::oneshot::OneshotArm;
    pub use super::remote::RemoteArm;
    pub use super::select::{Receives, RecvArm, SendArm, Sends, receiver, send};
    pub use super::watch::WatchArm;
}
