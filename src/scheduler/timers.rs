//! The scheduler's use of the sleep queue: what a deadline wakes.

#![expect(unsafe_code, reason = "the sleep queue points at sleeping frames")]

use std::cell::Cell;
use std::ptr::NonNull;

use super::Core;
use super::frame;
use super::header::TaskRef;
use crate::timer::{Instant, TimerKey};

/// One sleeping call; it lies in its frame.
pub(super) struct Sleep {
    task: TaskRef,
    over: Cell<bool>,
}

/// What a deadline of the sleep queue is about.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sleeping {
    /// A sleeping call. [`Registered`] takes the pointer out before the frame goes.
    Call(NonNull<Sleep>),
    /// The scopes of a task, which take it out when they close.
    Scope(TaskRef),
    /// The shutdown takes too long.
    Shutdown,
}

/// A sleep in the queue.
pub(super) struct Registered<'a> {
    core: &'a Core,
    key: TimerKey,
}

impl Sleep {
    pub(super) fn new(task: TaskRef) -> Self {
        Self {
            task,
            over: Cell::new(false),
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.get()
    }

    /// Puts the sleep into the queue for as long as the guard lives. The guard
    /// must be dropped before the sleep, which its lifetime sees to.
    pub(super) fn register<'a>(&'a self, core: &'a Core, deadline: Instant) -> Registered<'a> {
        let key = core
            .timers
            .borrow_mut()
            .insert(deadline, Sleeping::Call(NonNull::from(self)));
        Registered { core, key }
    }
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        let _expired = self.core.timers.borrow_mut().remove(self.key);
    }
}

impl Core {
    /// Makes everyone ready whose deadline has come, in order of (deadline, sequence).
    pub(super) fn expire_timers(&self) {
        if self.timers.borrow().next_deadline().is_none() {
            return;
        }
        let now = self.clock.now();
        loop {
            let expired = self.timers.borrow_mut().pop_expired(now);
            match expired {
                Some(Sleeping::Call(sleep)) => {
                    // SAFETY: the guard of `register` takes the pointer out of the
                    // queue before the frame of the sleep goes.
                    let sleep = unsafe { sleep.as_ref() };
                    sleep.over.set(true);
                    sleep.task.wake();
                }
                Some(Sleeping::Scope(task)) => {
                    task.cancel.timer.set(None);
                    task.cancel.registered.set(Instant::NEVER);
                    frame::expire(task, now);
                }
                Some(Sleeping::Shutdown) => self.shutdown_is_late(),
                None => return,
            }
        }
    }
}
