//! The lock inside the locks: one holder, those who wait in line, nothing of what it
//! guards.
//!
//! It is handed to the one who waits longest; so nobody barges in, and letting go never
//! switches. A task that would wait for itself, through whatever circle, is told.

use std::cell::Cell;

use super::error::LockError;
use crate::scheduler::holders::{self, Owner};
use crate::scheduler::park::{self, Patience, WaitQueue};
use crate::scheduler::{TaskRef, WaitReason};

/// A lock.
#[derive(Debug, Default)]
pub(super) struct RawLock {
    locked: Cell<bool>,
    owner: Owner,
    waiting: WaitQueue,
}

impl RawLock {
    pub(super) const fn new() -> Self {
        Self {
            locked: Cell::new(false),
            owner: Owner::new(),
            waiting: WaitQueue::new(),
        }
    }

    /// Takes it if it is free. It is never free while somebody waits.
    #[inline(always)]
    pub(super) fn try_lock(&self, task: Option<TaskRef>) -> bool {
        let free = !self.locked.replace(true);
        if free {
            self.owner.set(task);
        }
        free
    }

    /// Takes it, waiting for it.
    ///
    /// # Errors
    ///
    /// If the wait would close a circle; on a plain thread; and, for the impatient, if
    /// the task is cancelled or unwinding.
    #[inline(always)]
    pub(super) fn lock(
        &self,
        patience: Patience,
        reason: fn(&Owner) -> WaitReason,
    ) -> Result<(), LockError> {
        let task = park::current();
        if let Some(task) = task {
            park::spend(task);
        }
        if self.try_lock(task) {
            Ok(())
        } else {
            self.wait(task, patience, reason)
        }
    }

    #[cold]
    #[inline(never)]
    fn wait(
        &self,
        task: Option<TaskRef>,
        patience: Patience,
        reason: fn(&Owner) -> WaitReason,
    ) -> Result<(), LockError> {
        let Some(task) = task else {
            return Err(LockError::WouldBlock);
        };
        let reason = reason(&self.owner);
        match holders::wait_for_lock(&self.waiting, task, reason, patience, None) {
            Ok(_) => Ok(()),
            Err(Some(circle)) => Err(LockError::Deadlock(circle)),
            Err(None) => Err(LockError::Cancelled),
        }
    }

    /// Hands it to the one who waits longest, if anybody does.
    #[inline(always)]
    pub(super) fn unlock(&self) {
        if self.waiting.is_empty() {
            self.locked.set(false);
        } else {
            self.hand_over();
        }
    }

    #[cold]
    #[inline(never)]
    fn hand_over(&self) {
        match self.waiting.pop() {
            Some(next) => self.owner.set(Some(next.task())),
            None => self.locked.set(false),
        }
    }

    pub(super) fn is_locked(&self) -> bool {
        self.locked.get()
    }

    /// Who holds it.
    pub(super) fn owner(&self) -> Option<crate::id::TaskId> {
        self.locked.get().then(|| self.owner.id()).flatten()
    }
}
