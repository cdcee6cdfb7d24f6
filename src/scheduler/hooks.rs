//! Who is told of every switch: what keeps thread-ambient state can follow tasks.

use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::Core;
use super::header::TaskRef;
use crate::id::TaskId;
use crate::panic::defuse;

/// A switch, as [`Config::on_switch`](crate::Config::on_switch) is told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Switch {
    /// The task is about to run: restore what belongs to it.
    In(TaskId),
    /// The task has stopped running, to wait or to let others run: save what
    /// belongs to it.
    Out(TaskId),
    /// The task has ended: forget it. No `Out` comes before.
    End(TaskId),
}

/// The hook, and whom it was told of last.
pub(super) struct SwitchHook {
    hook: Box<dyn Fn(Switch)>,
    running: Cell<Option<TaskId>>,
    ended: Cell<bool>,
}

impl fmt::Debug for SwitchHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SwitchHook")
    }
}

impl SwitchHook {
    pub(super) fn new(hook: impl Fn(Switch) + 'static) -> Self {
        Self {
            hook: Box::new(hook),
            running: Cell::new(None),
            ended: Cell::new(false),
        }
    }

    /// The loop cannot be unwound: a hook's own panic is dropped.
    fn tell(&self, switch: Switch) {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| (self.hook)(switch))) {
            defuse(payload);
        }
    }
}

impl Core {
    #[cold]
    pub(super) fn tell_in(&self, task: TaskRef) {
        if let Some(hook) = &self.hook {
            hook.running.set(Some(task.id));
            hook.ended.set(false);
            hook.tell(Switch::In(task.id));
        }
    }

    #[cold]
    pub(super) fn tell_out(&self) {
        let Some(hook) = &self.hook else {
            return;
        };
        if let Some(id) = hook.running.take() {
            hook.tell(if hook.ended.take() {
                Switch::End(id)
            } else {
                Switch::Out(id)
            });
        }
    }

    /// The running task is about to end.
    #[inline]
    pub(super) fn note_end(&self) {
        if let Some(hook) = &self.hook {
            hook.ended.set(true);
        }
    }
}
