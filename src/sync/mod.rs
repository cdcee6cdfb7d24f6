//! What tasks of one thread pass to each other.
//!
//! No unsafe code here: queues of waiting tasks are the scheduler's.

mod awaitable;
mod channel;
mod error;
mod event;
mod oneshot;
mod select;

pub use channel::{IntoIter, Iter, Receiver, Sender, TryIter, bounded, unbounded};
pub use error::{RecvError, SendError, TryRecvError, TrySendError};
pub use event::Event;
pub use oneshot::{OneshotReceiver, OneshotSender, oneshot};

/// What `select!` makes of them.
pub(crate) mod arms {
    pub use super::event::EventArm;
    pub use super::oneshot::OneshotArm;
    pub use super::select::{Receives, RecvArm, SendArm, Sends, receiver, send};
}
