//! The names of tasks.

use std::fmt;
use std::num::NonZeroU64;

/// The number of a task. No two tasks of a process have the same.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskId(NonZeroU64);

impl TaskId {
    pub(crate) fn new(number: NonZeroU64) -> Self {
        Self(number)
    }

    /// The number itself.
    #[must_use]
    pub fn as_u64(self) -> NonZeroU64 {
        self.0
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskId({})", self.0)
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
