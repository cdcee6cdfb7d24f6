//! What tasks of one thread pass to each other.
//!
//! No unsafe code here: queues of waiting tasks are the scheduler's.

mod awaitable;
mod barrier;
mod channel;
mod condvar;
mod error;
mod event;
mod mutex;
mod once_cell;
mod oneshot;
mod raw;
mod rwlock;
mod select;
mod semaphore;

pub use barrier::{Barrier, BarrierWaitResult};
pub use channel::{IntoIter, Iter, Receiver, Sender, TryIter, bounded, unbounded};
pub use condvar::Condvar;
pub use error::{
    AcquireError, LockError, RecvError, SendError, TryLockError, TryRecvError, TrySendError,
};
pub use event::Event;
pub use mutex::{Mutex, MutexGuard};
pub use once_cell::OnceCell;
pub use oneshot::{OneshotReceiver, OneshotSender, oneshot};

pub use rwlock::{RwLock, RwLockReadGuard, RwLockWriteGuard};
pub use semaphore::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

/// What `select!` makes of them.
pub(crate) mod arms {
    pub use super::event::EventArm;
    pub use super::oneshot::OneshotArm;
    pub use super::select::{Receives, RecvArm, SendArm, Sends, receiver, send};
}
