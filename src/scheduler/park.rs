//! The door of the scheduler: the only functions that switch away from a task.
//!
//! Rooms above wait through here and nowhere else, and every wait says why. A
//! function that returned has waited, or had no need to; one that did not
//! return has unwound its task, because it was cancelled.

use std::time::Duration;

use super::WaitReason;
use super::cancel;
use super::header::{Reason, TaskRef};
use crate::timer::Instant;

pub(crate) use super::current::task as current;
pub(crate) use super::wait_queue::{Interrupted, Patience, Seat, WaitQueue};

/// Gives the other ready tasks one step each.
///
/// A task that is unwinding goes on at once: nothing may be thrown into it.
#[inline(always)]
pub(crate) fn yield_now(task: TaskRef) {
    if std::thread::panicking() {
        return yield_unwinding(task);
    }
    if task.cancel.needs_attention() {
        cancel::before_switch(task);
    }
    task.yielded.set(true);
    task.wake();
    task.suspend();
    if task.cancel.pending() {
        may_wait(task);
    }
}

/// [`yield_now`] while something in the thread unwinds.
#[cold]
#[inline(never)]
fn yield_unwinding(task: TaskRef) {
    // While others are parked in the middle of unwinding they must get their turn;
    // else a task that unwinds goes on at once.
    let alone = super::current::parked_unwinding() == 0;
    if alone && cancel::is_unwinding(task) && !cancel::may_wait_unwinding(task) {
        return;
    }
    if task.cancel.needs_attention() {
        cancel::before_switch(task);
    }
    task.yielded.set(true);
    task.wake();
    cancel::suspend_unwinding(task);
    if task.cancel.pending() {
        may_wait(task);
    }
}

/// Uses up one unit of the running task's budget of calls that could wait and
/// need not; yields when there is none left.
#[inline(always)]
pub(crate) fn spend(task: TaskRef) {
    let budget = &task.core().budget;
    match budget.get().checked_sub(1) {
        Some(left) => budget.set(left),
        None => out_of_budget(task),
    }
}

#[cold]
#[inline(never)]
fn out_of_budget(task: TaskRef) {
    yield_now(task);
}

/// Waits until [`unpark`] is called, or returns at once if it was.
pub(crate) fn park(task: TaskRef) {
    loop {
        if task.permit.replace(false) {
            return;
        }
        if !may_wait(task) {
            // A loop of such calls must not starve the others.
            return yield_now(task);
        }
        switch(task, WaitReason::Unpark);
    }
}

/// Wakes a task from [`park`], or spares it its next one.
pub(crate) fn unpark(task: TaskRef) {
    task.permit.set(true);
    if task.waiting.get() == WaitReason::Unpark {
        task.wake();
    }
}

/// Waits until `deadline`.
#[cfg(feature = "time")]
pub(crate) fn sleep_until(task: TaskRef, deadline: Instant) {
    if !may_wait(task) {
        // A loop of sleeps that fail must not starve the others.
        return yield_now(task);
    }
    let core = task.core();
    if deadline <= core.clock.now() {
        return yield_now(task);
    }
    let sleep = super::timers::Sleep::new(task);
    let _registered = sleep.register(core, deadline);
    while !sleep.is_over() {
        switch(task, WaitReason::Sleep(deadline));
        if !sleep.is_over() && !may_wait(task) {
            return;
        }
    }
}

/// Now, by the clock of a task.
pub(crate) fn now(task: TaskRef) -> Instant {
    task.core().clock.now()
}

/// [`WaitQueue::wait`] for no longer than `limit`. Whether the time was over first.
pub(crate) fn wait_at_most<T>(
    queue: &WaitQueue<T>,
    task: TaskRef,
    reason: WaitReason,
    patience: Patience,
    limit: Duration,
) -> (Result<Option<T>, Interrupted<T>>, bool) {
    let core = task.core();
    let sleep = super::timers::Sleep::new(task);
    let deadline = core.clock.now().saturating_add(limit);
    let _registered = sleep.register(core, deadline);
    let waited = queue.wait_unless(task, reason, patience, None, || sleep.is_over());
    let late = waited.is_err() && sleep.is_over();
    (waited, late)
}

/// Whether the task may park now. Unwinds it if it was cancelled; `false` if it
/// is unwinding already, or is to learn of its cancellation by errors.
#[inline(always)]
pub(crate) fn may_wait(task: TaskRef) -> bool {
    if std::thread::panicking() {
        return cancel::may_wait_unwinding(task);
    }
    !task.cancel.pending() || cancel::meet(task)
}

/// Whether a panic thrown now would for sure not meet another one: nobody in the thread
/// unwinds.
#[inline]
pub(crate) fn may_throw() -> bool {
    !std::thread::panicking()
}

/// Leaves the task until somebody wakes it. It may be woken for nothing.
#[inline(always)]
pub(super) fn switch(task: TaskRef, reason: impl Reason) {
    if std::thread::panicking() {
        return switch_unwinding(task, reason.reason());
    }
    if task.cancel.needs_attention() {
        cancel::before_switch(task);
    }
    task.waiting.set(reason.reason());
    task.since.set(task.core().seen.get());
    task.suspend();
    task.waiting.set(WaitReason::Nothing);
}

/// [`switch`] while something in the thread unwinds.
#[cold]
#[inline(never)]
fn switch_unwinding(task: TaskRef, reason: WaitReason) {
    if task.cancel.needs_attention() {
        cancel::before_switch(task);
    }
    task.waiting.set(reason);
    task.since.set(task.core().seen.get());
    cancel::suspend_unwinding(task);
    task.waiting.set(WaitReason::Nothing);
}
