//! The state of cancellation of one task, and its delivery.
//!
//! A cancelled task meets it at its next call that waits: the call unwinds with
//! a payload of ours (no panic message, no hook), driven by an ordinary resume.
//! It is level-triggered: a task that catches the unwinding meets it again.
//! Nothing is thrown into a task that is already unwinding.

use std::cell::Cell;
use std::panic::resume_unwind;

use super::current;
use super::header::TaskRef;
use crate::panic::fatal;

/// How often a task may catch its cancellation and wait again before the
/// process gives up on it.
const MOST_DELIVERIES: u32 = 1000;

/// What unwinds a cancelled task.
pub(crate) struct Cancelled;

/// The part of a task's head that is about cancellation.
#[derive(Debug, Default)]
pub(super) struct CancelState {
    requested: Cell<bool>,
    deliveries: Cell<u32>,
    /// Whether this task was thrown into, or parked while it unwound. Says
    /// nothing while no unwinding is going on in the thread.
    unwinding: Cell<bool>,
}

impl CancelState {
    /// Whether the task was cancelled.
    #[inline]
    pub(super) fn requested(&self) -> bool {
        self.requested.get()
    }

    /// Asks for cancellation. It is for ever.
    pub(super) fn request(&self) {
        self.requested.set(true);
    }
}

/// Whether *this* task is unwinding.
///
/// `thread::panicking()` is true for every task of the thread while one is
/// parked in the middle of its unwinding. So: while none is, it tells; else the
/// task's own flag does, set when the task is thrown into and when it is parked while
/// unwinding. A task that caught what was thrown is taken for unwinding until
/// nobody in the thread unwinds: then its waits fail instead of waiting.
pub(super) fn is_unwinding(task: TaskRef) -> bool {
    if !std::thread::panicking() {
        task.cancel.unwinding.set(false);
        return false;
    }
    current::parked_unwinding() == 0 || task.cancel.unwinding.get()
}

/// Suspends a task while something in the thread unwinds: it, or another.
///
/// It is counted in either case. So while nobody is counted, whoever runs is the
/// one that unwinds.
#[cold]
pub(super) fn suspend_unwinding(task: TaskRef) {
    if is_unwinding(task) {
        task.cancel.unwinding.set(true);
    }
    current::while_counted(|| task.suspend());
}

/// Unwinds the running task, which was cancelled and is not unwinding.
#[cold]
pub(super) fn deliver(task: TaskRef) -> ! {
    let deliveries = task.cancel.deliveries.get() + 1;
    task.cancel.deliveries.set(deliveries);
    if deliveries > MOST_DELIVERIES {
        fatal(&format!(
            "{} was cancelled and will not end: it caught the cancellation {MOST_DELIVERIES} times",
            super::report::title(task)
        ));
    }
    task.cancel.unwinding.set(true);
    resume_unwind(Box::new(Cancelled))
}
