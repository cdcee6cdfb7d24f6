//! Structured concurrency: tasks that end before the call that started them
//! does, limits of time, and waiting for many.
//!
//! Nothing here decides who runs or who is cancelled: `scheduler/frame.rs` and
//! `scheduler/children.rs` do. This room gives that its types and lifetimes.

mod cancel;
mod close;
mod gather;
mod job;
mod race;
mod started;
mod supervise;
mod tasks;
mod try_scope;

pub use cancel::{
    CancelScope, CancelScopeBuilder, Elapsed, checkpoint, is_cancelled, move_on_after, move_on_at,
    no_switch, shield, timeout, timeout_at,
};
pub use close::{Close, with};
pub use gather::{Gather, TryGather, gather, gather_limited, gather_settled, try_gather};
pub use job::Job;
pub use race::{AsCompleted, as_completed, first_ok, race, wait_all, wait_any};
pub use started::{StartError, Started};
pub use supervise::{SupervisedJoinHandle, Supervisor, supervise, try_supervise};
pub use tasks::{Scope, ScopedJoinHandle, scope};
pub use try_scope::{TryScope, try_scope};
