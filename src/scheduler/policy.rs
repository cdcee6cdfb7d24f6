//! Who is next: one point, behind one branch that round robin never takes.

use std::fmt;

use crate::id::TaskId;

/// A task that is ready, as a schedule sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadyTask {
    /// Its number.
    pub id: TaskId,
    /// Whether it is ready because it yielded, not because it was woken.
    pub yielded: bool,
}

/// Decides who is next.
///
/// Round robin is the schedule that always answers 0. See
/// the module `testing` for others.
pub trait Schedule {
    /// The index of the task to step next. `ready` is never empty, and in the
    /// order in which the tasks became ready. An index beyond its end is taken
    /// modulo its length.
    fn next(&mut self, ready: &[ReadyTask]) -> usize;
}

impl<S: Schedule + ?Sized> Schedule for Box<S> {
    fn next(&mut self, ready: &[ReadyTask]) -> usize {
        (**self).next(ready)
    }
}

/// A schedule in its box.
pub(super) struct Policy(pub(super) Box<dyn Schedule>);

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Policy")
    }
}
