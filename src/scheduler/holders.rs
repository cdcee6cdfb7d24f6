//! Who holds a lock, and whether waiting for it would be for ever.
//!
//! ```text
//!   task 3 -- waits for --> lock -- held by --> task 4 -- waits for --> the end of task 3
//! ```
//!
//! A lock knows the tasks that hold it. Before a task waits for one, the waits that
//! lead on from there are walked: locks to their holders, joins to their task, the end
//! of a scope to its children. If they lead back, nobody in the circle ever goes on.
//! What anybody might end (a channel, a permit, a descriptor) leads nowhere.
//!
//! A join, or the end of a scope, may close a circle as well, but has no error to give. So
//! the tasks in it that wait for locks are woken, to look again, and one of them is told.
//!
//! A holder is kept by number, not by pointer: a guard may be forgotten, and its lock
//! outlive the task, and the runtime.

#![expect(unsafe_code, reason = "a parked task points at the lock it waits for")]

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::ptr::NonNull;

use super::header::{Reason, TaskRef, WaitReason};
use super::park::{self, Interrupted, Patience, WaitQueue};
use super::report::{self, WaitCycle};
use super::{Core, frame};
use crate::id::TaskId;

/// A task that held a lock, or still does.
#[derive(Debug, Clone, Copy)]
struct Holder {
    slot: u32,
    id: TaskId,
}

impl Holder {
    #[inline(always)]
    fn of(task: TaskRef) -> Self {
        Self {
            slot: task.slot.index(),
            id: task.id,
        }
    }

    fn task(self, core: &Core) -> Option<TaskRef> {
        core.table.find(self.slot, self.id)
    }
}

/// The one task that holds a lock. `None` is a plain thread; it says nothing while
/// the lock is free.
#[derive(Debug, Default)]
pub(crate) struct Owner(Cell<Option<Holder>>);

impl Owner {
    /// Nobody.
    pub(crate) const fn new() -> Self {
        Self(Cell::new(None))
    }

    /// The lock is theirs now.
    #[inline(always)]
    pub(crate) fn set(&self, task: Option<TaskRef>) {
        self.0.set(task.map(Holder::of));
    }

    /// The number of the task.
    pub(crate) fn id(&self) -> Option<TaskId> {
        self.0.get().map(|holder| holder.id)
    }
}

/// The tasks that hold a lock that several may hold, and those who wait for it.
#[derive(Debug, Default)]
pub(crate) struct Owners {
    places: RefCell<Vec<Option<Holder>>>,
    free: RefCell<Vec<usize>>,
    /// Whether it is held by one alone.
    pub(crate) alone: Cell<bool>,
    pub(crate) line: WaitQueue<Wants>,
}

/// What one in line waits for; and, once it has it, where it is noted as a holder.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wants {
    Read,
    Write,
    Has(usize),
}

impl Owners {
    /// Nobody.
    pub(crate) const fn new() -> Self {
        Self {
            places: RefCell::new(Vec::new()),
            free: RefCell::new(Vec::new()),
            alone: Cell::new(false),
            line: WaitQueue::new(),
        }
    }

    /// How many hold it.
    fn count(&self) -> usize {
        self.places.borrow().len() - self.free.borrow().len()
    }

    /// Who must go on before a task in line can. Several may hold it, but nobody passes
    /// the first in line: the others wait for that one.
    fn awaited_by(&self, task: TaskRef, most: usize) -> Vec<TaskRef> {
        if !self.alone.get() {
            if let Some(first) = self.line.first_task().filter(|first| *first != task) {
                return vec![first];
            }
        }
        let places = self.places.borrow();
        let holders = places.iter().flatten().take(most);
        let core = task.core();
        holders.filter_map(|holder| holder.task(core)).collect()
    }

    /// One more; where it is noted.
    #[inline]
    pub(crate) fn add(&self, task: Option<TaskRef>) -> usize {
        let holder = task.map(Holder::of);
        let mut places = self.places.borrow_mut();
        match self.free.borrow_mut().pop() {
            Some(place) => {
                places[place] = holder;
                place
            }
            None => {
                places.push(holder);
                places.len() - 1
            }
        }
    }

    /// One less.
    #[inline]
    pub(crate) fn remove(&self, place: usize) {
        self.places.borrow_mut()[place] = None;
        self.free.borrow_mut().push(place);
    }
}

impl WaitReason {
    /// A lock that one holds. The lock must stay where it is while the task is parked:
    /// it is borrowed by the call that waits.
    pub(crate) fn lock(owner: &Owner) -> Self {
        Self::Lock(NonNull::from(owner))
    }

    /// The value of a cell that somebody is making.
    pub(crate) fn init(owner: &Owner) -> Self {
        Self::Init(NonNull::from(owner))
    }

    /// A lock that several may hold.
    pub(crate) fn shared_lock(owners: &Owners) -> Self {
        Self::SharedLock(NonNull::from(owners))
    }
}

/// Those who must all go on before a task that waits for `reason` can, up to `most`.
fn awaited(task: TaskRef, reason: WaitReason, most: usize) -> Vec<TaskRef> {
    let core = task.core();
    match reason {
        WaitReason::Lock(owner) | WaitReason::Init(owner) => {
            // SAFETY: the parked call, or the caller, borrows the lock.
            let holder = unsafe { owner.as_ref() }.0.get();
            let holder = holder.and_then(|holder| holder.task(core));
            holder.into_iter().collect()
        }
        // SAFETY: as above.
        WaitReason::SharedLock(owners) => unsafe { owners.as_ref() }.awaited_by(task, most),
        WaitReason::Join(slot, id) => core.table.find(slot, id).into_iter().collect(),
        WaitReason::Children(_) => {
            let children = frame::joining(task);
            children.map_or_else(Vec::new, |children| children.some().take(most).collect())
        }
        _ => Vec::new(),
    }
}

/// For reports: up to `most` of those whom a task waits for, and how many there are.
pub(super) fn some_awaited(
    task: TaskRef,
    reason: WaitReason,
    most: usize,
) -> (Vec<TaskRef>, usize) {
    let some = awaited(task, reason, most);
    let count = match reason {
        // SAFETY: as in `awaited`.
        WaitReason::SharedLock(owners) if some.len() > 1 => unsafe { owners.as_ref() }.count(),
        WaitReason::Children(_) => {
            frame::joining(task).map_or(0, super::children::Children::living)
        }
        _ => some.len(),
    };
    (some, count)
}

/// Whether a lock is held by one task, which waits for no other: nearly always so.
fn holder_goes_on(task: TaskRef, reason: WaitReason) -> bool {
    let (WaitReason::Lock(owner) | WaitReason::Init(owner)) = reason else {
        return false;
    };
    // SAFETY: as in `awaited`.
    let holder = unsafe { owner.as_ref() }.0.get();
    let holder = holder.and_then(|holder| holder.task(task.core()));
    holder.is_none_or(|holder| holder != task && !leads_on(holder.waiting.get()))
}

/// Whether who waits for this waits for certain tasks.
fn leads_on(reason: WaitReason) -> bool {
    is_lock(reason) || matches!(reason, WaitReason::Join(..) | WaitReason::Children(_))
}

fn is_lock(reason: WaitReason) -> bool {
    matches!(
        reason,
        WaitReason::Lock(_) | WaitReason::SharedLock(_) | WaitReason::Init(_)
    )
}

/// How many tasks a search for a circle looks at. Beyond that it gives up: only a deadlock
/// of the whole runtime is told then. Else ten thousand tasks in ten thousand waits
/// could make each other search for minutes.
const MOST: usize = 1000;

/// The circle that `task` would close if it waited for `reason` now.
#[cold]
fn cycle(task: TaskRef, reason: WaitReason) -> Option<WaitCycle> {
    if holder_goes_on(task, reason) {
        return None;
    }
    let mut seen = HashSet::new();
    let mut most = MOST;
    // Depth first: the path so far, and for each task on it those not yet looked at.
    let mut path = vec![(task, reason, awaited(task, reason, most))];
    while let Some((_, _, left)) = path.last_mut() {
        let Some(next) = left.pop() else {
            path.pop();
            continue;
        };
        if next == task {
            let circle = path
                .iter()
                .map(|(task, reason, _)| report::stuck_for(*task, *reason));
            return Some(WaitCycle::of(circle.collect()));
        }
        let reason = next.waiting.get();
        if !is_stuck(next, reason) || !seen.insert(next.id) {
            continue;
        }
        most = most.checked_sub(1)?;
        let leads_to = awaited(next, reason, most);
        most = most.saturating_sub(leads_to.len());
        path.push((next, reason, leads_to));
    }
    None
}

/// Whether a task waits, and for certain tasks. One that is in the queue was given what it
/// waits for, or was cancelled, or will look itself before it waits on.
fn is_stuck(task: TaskRef, reason: WaitReason) -> bool {
    leads_on(reason) && !task.queued.get()
}

/// Waits for a lock in line, with `hand` in hand.
///
/// # Errors
///
/// The circle that this wait closes, or that closed around it; `None` if it was
/// interrupted as any other wait.
#[cold]
#[inline(never)]
pub(crate) fn wait_for_lock<T>(
    line: &WaitQueue<T>,
    task: TaskRef,
    reason: WaitReason,
    patience: Patience,
    hand: Option<T>,
) -> Result<Option<T>, Option<WaitCycle>> {
    let look = || {
        let can_tell = patience == Patience::Fails || park::may_throw();
        can_tell.then(|| cycle(task, reason)).flatten()
    };
    let mut circle = None;
    // A cancellation comes first.
    if park::may_wait(task) || patience == Patience::Waits {
        circle = look();
    }
    if circle.is_some() {
        return Err(circle);
    }
    if !park::may_throw() {
        // Perhaps nobody was told here: others are to look. Once, or they would wake
        // each other for ever.
        may_close_circle(task, reason);
    }
    let _counted = Waiting::new(task);
    let waited = line.wait_unless(task, reason, patience, hand, || {
        circle = look();
        circle.is_some()
    });
    waited.map_err(|Interrupted(_)| circle)
}

/// One more task that waits for a lock.
struct Waiting(TaskRef);

impl Waiting {
    fn new(task: TaskRef) -> Self {
        let count = &task.core().waiting_for_locks;
        count.set(count.get() + 1);
        Self(task)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let count = &self.0.core().waiting_for_locks;
        count.set(count.get() - 1);
    }
}

/// The running task is about to wait for `reason`, and has no error to give: makes those
/// look again who wait for locks, and whom it waits for.
#[inline(always)]
pub(super) fn may_close_circle(task: TaskRef, reason: impl Reason) {
    if task.core().waiting_for_locks.get() > 0 {
        make_look(task, reason.reason());
    }
}

#[cold]
#[inline(never)]
fn make_look(task: TaskRef, reason: WaitReason) {
    let mut seen = HashSet::new();
    let mut most = MOST;
    let mut left = awaited(task, reason, most);
    while let Some(next) = left.pop() {
        let reason = next.waiting.get();
        if next == task || !is_stuck(next, reason) || !seen.insert(next.id) {
            continue;
        }
        let Some(fewer) = most.checked_sub(1) else {
            return;
        };
        let leads_to = awaited(next, reason, fewer);
        most = fewer.saturating_sub(leads_to.len());
        left.extend(leads_to);
        if is_lock(reason) {
            next.wake();
        }
    }
}
