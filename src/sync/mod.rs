//! What tasks of one thread pass to each other.
//!
//! No unsafe code here: queues of waiting tasks are the scheduler's.

mod channel;
mod error;

pub use channel::{IntoIter, Iter, Receiver, Sender, TryIter, bounded, unbounded};
pub use error::{RecvError, SendError, TryRecvError, TrySendError};
