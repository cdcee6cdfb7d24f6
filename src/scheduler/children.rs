//! The tasks of a scope: who belongs to it, who failed first, when all have ended.
//!
//! Living children only: one that has ended has left. They are linked through
//! their heads, so a scope that serves for ever needs no memory of its own.

#![expect(unsafe_code, reason = "children are linked by pointer")]

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::io;
use std::mem::ManuallyDrop;
use std::panic::Location;
use std::ptr;

use super::frame::{self, Frame, Terms, Told};
use super::header::{TaskRef, WaitReason};
use super::holders;
use super::park::{self, Patience};
use super::spawn::{self, Kind, TaskKey, Wish};
use super::wait_queue::WaitQueue;
use super::{Cancelled, cancel, current};
use crate::panic::Wall;
use crate::sys::stack::Use;
use crate::timer::Instant;

type Payload = Box<dyn Any + Send>;

/// A scope with children.
#[derive(Debug)]
pub(crate) struct Children {
    frame: Frame,
    first: Cell<Option<TaskRef>>,
    living: Cell<usize>,
    /// How many may live at once.
    limit: Cell<usize>,
    /// They wait for a place below the limit.
    room: WaitQueue,
    /// Places given to those who waited, and not taken yet.
    promised: Cell<usize>,
    /// Whether the owner waits for the last to end.
    joining: Cell<bool>,
    /// Why the scope is cancelled, for its children: else each would look outwards
    /// through all scopes and tasks around it.
    told: RefCell<Option<Told>>,
    /// Whether the scope was cancelled while the owner waited so.
    cut_short: Cell<bool>,
    /// Whether a panic of one cancels the others.
    fails_together: bool,
    /// Whether anyone has failed.
    failed: Cell<bool>,
    /// With what, if it was a panic.
    failure: RefCell<Option<Payload>>,
}

/// A task's place among the children of a scope. Part of its head.
#[derive(Debug)]
pub(super) struct Siblings {
    parent: Cell<*const Children>,
    next: Cell<Option<TaskRef>>,
    previous: Cell<Option<TaskRef>>,
}

impl Siblings {
    #[inline(always)]
    pub(super) fn none() -> Self {
        Self {
            parent: Cell::new(ptr::null()),
            next: Cell::new(None),
            previous: Cell::new(None),
        }
    }

    /// The scope the task belongs to, or null.
    #[inline(always)]
    pub(super) fn parent(&self) -> *const Children {
        self.parent.get()
    }
}

impl Children {
    /// The scope itself.
    #[inline]
    pub(super) fn frame(&self) -> &Frame {
        &self.frame
    }

    /// Whether the scope is cancelled, by itself or from outside.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.frame.is_effective()
    }

    /// Why it is cancelled, if that was noted.
    pub(super) fn told(&self) -> Option<Told> {
        self.told.borrow().clone()
    }

    /// How many have not ended.
    #[inline]
    pub(crate) fn living(&self) -> usize {
        self.living.get()
    }

    pub(super) fn fails_together(&self) -> bool {
        self.fails_together
    }

    /// Calls `f` for each that has not ended, the youngest first.
    pub(super) fn for_each(&self, mut f: impl FnMut(TaskRef)) {
        let mut cursor = self.first.get();
        while let Some(child) = cursor {
            f(child);
            cursor = child.siblings.next.get();
        }
    }

    /// Takes a new task in.
    #[inline(always)]
    pub(super) fn adopt(&self, child: TaskRef) {
        child.siblings.parent.set(self);
        child.special.set(true);
        child.cancel.delivery.set(self.frame.delivery());
        if self.frame.is_effective() {
            child.cancel.requested.set(true);
            child.cancel.pending.set(true);
        }
        let first = self.first.replace(Some(child));
        child.siblings.next.set(first);
        if let Some(first) = first {
            first.siblings.previous.set(Some(child));
        }
        self.living.set(self.living.get() + 1);
    }

    /// A child has ended: nothing of it can touch the scope any more.
    #[inline(always)]
    pub(super) fn leave(&self, child: TaskRef) {
        let (next, previous) = (child.siblings.next.get(), child.siblings.previous.get());
        match previous {
            Some(previous) => previous.siblings.next.set(next),
            None => self.first.set(next),
        }
        if let Some(next) = next {
            next.siblings.previous.set(previous);
        }
        let living = self.living.get() - 1;
        self.living.set(living);
        if living == 0 && self.joining.get() {
            self.frame.task().wake();
        }
        self.give_places();
    }

    /// Gives free places to those who wait for one, in order.
    #[inline(always)]
    fn give_places(&self) {
        while !self.room.is_empty() && self.taken() < self.limit.get() {
            drop(self.room.pop());
            self.promised.set(self.promised.get() + 1);
        }
    }

    /// Places that are not free.
    #[inline]
    fn taken(&self) -> usize {
        self.living.get() + self.promised.get()
    }

    /// Cancels the scope: the body, and all children, also those to come.
    pub(crate) fn cancel(&self) {
        self.frame.cancel(None);
    }

    /// Cancels the children there are, and nobody else.
    pub(crate) fn cancel_children(&self) {
        let mut children = Vec::with_capacity(self.living.get());
        self.for_each(|child| children.push(child));
        // The eldest first, as they were spawned.
        for child in children.into_iter().rev() {
            frame::request(child);
        }
    }

    /// How many may live at once. At least one.
    pub(crate) fn set_limit(&self, limit: usize) {
        self.limit.set(limit.max(1));
        self.give_places();
    }

    /// Waits until there is a place below the limit.
    #[inline(always)]
    fn wait_for_place(&self, task: TaskRef) {
        if self.taken() >= self.limit.get() {
            let _given = self
                .room
                .wait(task, WaitReason::Place, Patience::Waits, None);
            self.promised.set(self.promised.get() - 1);
        }
    }

    /// Spawns a child.
    ///
    /// # Safety
    ///
    /// What `body` and its result borrow must live until the scope is closed.
    #[inline(always)]
    pub(crate) unsafe fn spawn<K: Kind<F>, F>(
        &self,
        wish: &Wish,
        place: &'static Location<'static>,
        body: F,
    ) -> io::Result<TaskKey> {
        let (Some(core), Some(task)) = (current::core(), park::current()) else {
            unreachable!("a scope lives in a task");
        };
        self.wait_for_place(task);
        let place_taken = PlaceTaken(self);
        // SAFETY: the caller's duty: the scope is closed when all have ended.
        match unsafe { core.spawn::<K, F>(wish, Use::Task, place, true, Some(self), body) } {
            Ok(slot) => {
                let _for_good = ManuallyDrop::new(place_taken);
                Ok(core.key(slot))
            }
            Err(error) => Err(error),
        }
    }

    /// Waits for all to end, in ordinary code. Nothing is thrown.
    fn join_all(&self) {
        if self.living.get() == 0 {
            return;
        }
        let task = self.frame.task();
        self.joining.set(true);
        self.cut_short.set(self.frame.is_effective());
        while self.living.get() > 0 {
            holders::may_close_circle(task, || WaitReason::Children(0));
            let left = u32::try_from(self.living.get()).unwrap_or(u32::MAX);
            park::switch(task, WaitReason::Children(left));
        }
        self.joining.set(false);
    }

    /// The scope is cancelled. If its owner waits for the children, that wait is:
    /// they have not done all, even if they end before the owner runs.
    pub(super) fn note_cancelled(&self, why: Told) {
        self.told.replace(Some(why));
        if self.joining.get() && self.living.get() > 0 {
            self.cut_short.set(true);
        }
    }

    /// A child or two, for a report.
    pub(super) fn some(&self) -> impl Iterator<Item = TaskRef> {
        let mut cursor = self.first.get();
        std::iter::from_fn(move || {
            let child = cursor?;
            cursor = child.siblings.next.get();
            Some(child)
        })
    }
}

/// A place below the limit. Dropped, it is free again: the spawn has failed.
struct PlaceTaken<'a>(&'a Children);

impl Drop for PlaceTaken<'_> {
    fn drop(&mut self) {
        self.0.give_places();
    }
}

/// How a scope with children ended.
#[derive(Debug)]
pub(crate) enum Outcome<T> {
    Returned(T),
    /// It failed with something kept elsewhere.
    Failed,
    /// It goes on unwinding: a panic of the body or a child, or a cancellation from further out.
    Unwinds(Payload),
}

impl Children {
    /// A scope of the running task, to be [`run`](Self::run).
    #[inline(always)]
    #[track_caller]
    pub(crate) fn new(task: TaskRef, fails_together: bool) -> Self {
        if task.cancel.must_not_switch() {
            cancel::refuse_switch(task);
        }
        Self {
            frame: Frame::new(task, Terms::PLAIN),
            first: Cell::new(None),
            living: Cell::new(0),
            limit: Cell::new(usize::MAX),
            room: WaitQueue::new(),
            promised: Cell::new(0),
            joining: Cell::new(false),
            told: RefCell::new(None),
            cut_short: Cell::new(false),
            fails_together,
            failed: Cell::new(false),
            failure: RefCell::new(None),
        }
    }

    /// Runs `body` in the scope. All children have ended when this returns,
    /// however the body ended: what they borrow from around it is left alone.
    #[inline(always)]
    pub(crate) fn run<T>(&self, body: impl FnOnce() -> T) -> Outcome<T> {
        self.frame.set_children(self);
        let finally = |result: &mut Result<T, Payload>| {
            if let Err(payload) = result {
                self.take_failure(payload);
            }
            // What the children borrow may go when this returns.
            Wall::standing("a scope could not wait for its tasks", || self.join_all());
        };
        let result = frame::run_in(&self.frame, Instant::NEVER, body, finally);
        if let Some(payload) = self.failure.take() {
            return Outcome::Unwinds(payload);
        }
        match result {
            _ if self.failed.get() => Outcome::Failed,
            Ok(value) => {
                if self.cut_short.get() && self.frame.task().cancel.pending() {
                    // The wait at the end was cancelled, like any other.
                    let _learns_by_errors = park::may_wait(self.frame.task());
                }
                Outcome::Returned(value)
            }
            Err(payload) => Outcome::Unwinds(payload),
        }
    }

    /// The body unwound: with a panic, which is a failure like that of a child, or
    /// because it was cancelled. In either case nobody goes on.
    #[cold]
    fn take_failure(&self, payload: &mut Payload) {
        if !payload.is::<Cancelled>() {
            let panic = std::mem::replace(payload, Box::new(Cancelled::default()));
            if let Some(later) = self.fail(panic) {
                spawn::tell_unobserved(self.frame.task(), later);
            }
        }
        self.cancel();
    }

    /// The scope has failed with this. `None` if it is the first failure, which
    /// cancels everyone; else the payload comes back.
    pub(crate) fn fail(&self, payload: Payload) -> Option<Payload> {
        if !self.fail_elsewhere() {
            return Some(payload);
        }
        self.failure.replace(Some(payload));
        None
    }

    /// The scope has failed with something kept elsewhere. Whether it is the first
    /// failure, which cancels everyone.
    pub(crate) fn fail_elsewhere(&self) -> bool {
        if self.failed.replace(true) {
            return false;
        }
        self.cancel();
        true
    }
}
