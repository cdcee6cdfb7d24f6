//! What tasks of one thread pass to each other.
//!
//! No unsafe code here: queues of waiting tasks are the scheduler's.

mod awaitable;
mod channel;
mod error;
mod event;
mod mutex;
mod oneshot;
mod raw;
mod select;

pub use channel::{IntoIter, Iter, Receiver, Sender, TryIter, bounded, unbounded};
pub use error::{LockError, RecvError, SendError, TryLockError, TryRecvError, TrySendError};
pub use event::Event;
pub use mutex::{Mutex, MutexGuard};
pub use oneshot::{OneshotReceiver, OneshotSender, oneshot};

/// What `select!` makes of them.
pub(crate) mod arms {
    pub use super::event::EventArm;
    pub use super::oneshot::OneshotArm;
    pub use super::select::{Receives, RecvArm, SendArm, Sends, receiver, send};
}
