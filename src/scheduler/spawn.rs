//! How a task is made, and what becomes of its body's ending.
//!
//! The body is wrapped so that nothing unwinds out of it: what it returned or
//! panicked with goes into the task table, on the task's own stack, before the
//! last switch away from it.

#![expect(unsafe_code, reason = "lays a task's head out on its stack")]

use std::any::Any;
use std::cell::{Cell, UnsafeCell};
use std::io;
use std::mem::MaybeUninit;
use std::num::NonZeroU64;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::ptr::NonNull;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Waker;

use super::cancel::{CancelState, Cancelled};
use super::children::{Children, Siblings};
use super::config::Unobserved;
use super::frame;
use super::header::{Header, TaskRef, WaitReason};
use super::holders;
use super::inject::RemoteWaker;
use super::locals;
use super::park::{self, Patience, WaitQueue};
use super::task_table::SlotRef;
use super::{Core, Ending};
use crate::coroutine::fiber::{Fiber, FiberStack, Suspender};
use crate::id::TaskId;
use crate::panic::{Wall, defuse};
use crate::sys::stack::Use;
use crate::timer::Instant;

/// How a task is to be made.
#[derive(Debug, Default, Clone)]
pub(crate) struct Wish {
    pub(crate) name: Option<Rc<str>>,
    pub(crate) stack_size: Option<usize>,
    pub(crate) guard_size: Option<usize>,
    /// Whether it starts with the spawner's task-locals.
    pub(crate) inherit: bool,
}

/// How a kind of body is run. A type instead of one more closure: with results
/// of large alignment every frame between costs pages.
pub(crate) trait Kind<F> {
    /// The task's result.
    type Value;

    /// Runs the body whatever it does.
    fn run(task: TaskRef, body: F) -> Ending<Self::Value>;
}

/// Bodies that just return.
pub(crate) struct Plain;

impl<T, F: FnOnce() -> T> Kind<F> for Plain {
    type Value = T;

    #[inline(always)]
    fn run(task: TaskRef, body: F) -> Ending<T> {
        match catch_unwind(AssertUnwindSafe(body)) {
            Ok(value) => Ending::Returned(value),
            Err(payload) => unwound(task, payload),
        }
    }
}

/// Bodies that know better how they ended.
pub(crate) struct Telling;

impl<T, F: FnOnce() -> Ending<T>> Kind<F> for Telling {
    type Value = T;

    #[inline]
    fn run(task: TaskRef, body: F) -> Ending<T> {
        catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|payload| unwound(task, payload))
    }
}

/// The ending of a body that unwound.
fn unwound<T>(task: TaskRef, payload: Box<dyn Any + Send>) -> Ending<T> {
    if payload.is::<Cancelled>() {
        Ending::Cancelled
    } else {
        Ending::Panicked(payload, task.name.clone())
    }
}

/// Numbers of tasks are taken from the process in blocks of this many.
const BLOCK: u64 = 256;

/// A task by its place in the table of its runtime; it may have ended.
#[derive(Debug)]
pub(crate) struct TaskKey {
    core: Rc<Core>,
    slot: SlotRef,
}

impl Core {
    #[inline(always)]
    fn next_id(&self) -> TaskId {
        let (next, left) = self.ids.get();
        if left == 0 {
            return self.next_block();
        }
        self.ids.set((next.saturating_add(1), left - 1));
        TaskId::new(next)
    }

    #[cold]
    #[inline(never)]
    fn next_block(&self) -> TaskId {
        static BLOCKS: AtomicU64 = AtomicU64::new(0);
        let before = BLOCKS.fetch_add(1, Ordering::Relaxed) * BLOCK;
        let first = NonZeroU64::MIN.saturating_add(before);
        self.ids.set((first.saturating_add(1), BLOCK - 1));
        TaskId::new(first)
    }

    /// Makes a task and puts it at the end of the queue.
    ///
    /// The wish is borrowed: moved, it would be copied through memory, in wider pieces
    /// than it was written in, for which the processor has to wait.
    ///
    /// # Safety
    ///
    /// What `body` and its result borrow must live until the task has ended; if it is
    /// leaked, for ever.
    #[inline(always)]
    pub(super) unsafe fn spawn<K: Kind<F>, F>(
        &self,
        wish: &Wish,
        used_for: Use,
        place: &'static Location<'static>,
        wanted: bool,
        parent: Option<&Children>,
        body: F,
    ) -> io::Result<SlotRef> {
        let default = if used_for == Use::Main {
            self.config.main_stack_size
        } else {
            self.config.stack_size
        };
        let stack_size = wish.stack_size.unwrap_or(default);
        let guard_size = wish.guard_size.unwrap_or(self.config.guard_size);
        let stack = FiberStack::<Header>::acquire(&self.pool, stack_size, guard_size, used_for)?;
        if let Some(name) = &wish.name {
            // SAFETY: the record is readable as long as the stack is held.
            let record = unsafe { stack.header().as_ref() };
            record
                .name
                .set((name.as_ptr().expose_provenance(), name.len()));
        }
        let slot = self.table.claim(wanted);
        let id = self.next_id();
        let room = stack.room();
        let delivery = self.config.delivery;
        let header = Header {
            core: NonNull::from(self),
            step: None,
            suspender: Cell::new(NonNull::dangling()),
            fiber: UnsafeCell::new(MaybeUninit::uninit()),
            id,
            slot,
            queued: Cell::new(false),
            yielded: Cell::new(false),
            permit: Cell::new(false),
            cancel: CancelState::new(parent.is_none() && self.stopping.get(), delivery),
            siblings: Siblings::none(),
            locals: Cell::new(None),
            special: Cell::new(self.is_watched),
            stack: stack.header(),
            waiting: Cell::new(WaitReason::Nothing),
            since: Cell::new(Instant::NEVER),
            name: wish.name.clone(),
            place,
        };
        // SAFETY: the room was set aside for a header on the stack just taken.
        unsafe { room.write(header) };
        let task = TaskRef::new(room);
        let root = move |suspender: &Suspender| {
            task.suspender.set(NonNull::from(suspender));
            Wall::standing("a task's end unwound", || {
                conclude(task, run_body::<K, F>(task, body))
            });
        };
        // SAFETY: the caller's duty for what the body borrows; `run_body` and
        // `conclude` let nothing unwind.
        let fiber = unsafe { Fiber::new(stack, root) };
        let place = task.fiber.get();
        // SAFETY: the task is not running, so nobody looks at its fiber.
        unsafe { (*place).write(fiber) };
        self.table.occupy(slot, task, id);
        if let Some(parent) = parent {
            parent.adopt(task);
        }
        if wish.inherit {
            task.locals.set(locals::current());
            task.special.set(true);
        }
        task.wake();
        Ok(slot)
    }

    /// A handle's hold on a task.
    pub(super) fn key(self: &Rc<Self>, slot: SlotRef) -> TaskKey {
        TaskKey {
            core: Rc::clone(self),
            slot,
        }
    }
}

/// Runs the body of a task, unless it was cancelled before its first step.
#[inline]
fn run_body<K: Kind<F>, F>(task: TaskRef, body: F) -> Ending<K::Value> {
    if !task.cancel.pending() || frame::begins_cancelled(task) {
        return K::run(task, body);
    }
    match catch_unwind(AssertUnwindSafe(|| drop(body))) {
        Ok(()) => Ending::Cancelled,
        Err(payload) => unwound(task, payload),
    }
}

/// What a task does last.
#[inline(always)]
fn conclude<T>(task: TaskRef, ending: Ending<T>) {
    if task.special.get() {
        conclude_special(task, ending);
    } else {
        store(task, ending);
    }
    if task.queued.get() {
        // It must not be found there when it is gone.
        task.core().queue.remove(task);
    }
}

/// [`conclude`] for a task that belongs to a scope, has task-locals, or is watched.
#[inline(never)]
fn conclude_special<T>(task: TaskRef, mut ending: Ending<T>) {
    let parent = frame::children_at(task.siblings.parent());
    if let Some(bindings) = task.locals.take() {
        locals::let_go(bindings);
    }
    if let Some(parent) = parent {
        if parent.fails_together() && matches!(ending, Ending::Panicked(..)) {
            hand_in(task, parent, &mut ending);
        }
    }
    store(task, ending);
    if let Some(parent) = parent {
        parent.leave(task);
    }
    task.core().note_end();
}

/// Stores the ending of a task. Where nobody wants it, it is dropped here: still
/// in the task, which may wait in a destructor.
#[inline(always)]
fn store<T>(task: TaskRef, ending: Ending<T>) {
    let table = &task.core().table;
    if task.slot.is_wanted() {
        table.finish(task.slot, ending);
    } else {
        discard(task, ending);
        table.finish_unwanted(task.slot);
    }
}

/// Makes the panic of a child that of its scope. The first cancels the others;
/// later ones are told to the hook.
#[cold]
fn hand_in<T>(task: TaskRef, parent: &Children, ending: &mut Ending<T>) {
    if let Ending::Panicked(payload, name) = std::mem::replace(ending, Ending::Cancelled) {
        if let Some(later) = parent.fail(payload) {
            unobserved(task.core(), task.id, name.as_deref(), later);
        }
    }
}

#[inline(never)]
fn discard<T>(task: TaskRef, ending: Ending<T>) {
    let told = match ending {
        Ending::Cancelled => return,
        Ending::Panicked(payload, _) => payload,
        Ending::Returned(value) => match catch_unwind(AssertUnwindSafe(|| drop(value))) {
            Ok(()) => return,
            Err(payload) if payload.is::<Cancelled>() => return,
            Err(payload) => payload,
        },
    };
    unobserved(task.core(), task.id, task.name.as_deref(), told);
}

/// Tells the hook of a failure that nobody can see.
#[cold]
fn unobserved(core: &Core, id: TaskId, name: Option<&str>, payload: Box<dyn Any + Send>) {
    let Some(hook) = core.config.on_unobserved.clone() else {
        return defuse(payload);
    };
    let told = Unobserved { id, name, payload };
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| (hook.0)(told))) {
        defuse(second);
    }
}

/// Spawns into the runtime of this thread.
///
/// # Panics
///
/// Outside a runtime.
#[inline(always)]
#[track_caller]
pub(crate) fn spawn<T: 'static, F: FnOnce() -> T + 'static>(
    wish: &Wish,
    place: &'static Location<'static>,
    body: F,
) -> io::Result<TaskKey> {
    let Some(core) = super::current::core() else {
        panic!("spawn needs a runtime: call it inside greenroom::run");
    };
    spawn_in(core, wish, place, body)
}

/// Spawns into `core`.
#[inline(always)]
pub(super) fn spawn_in<T: 'static, F: FnOnce() -> T + 'static>(
    core: Rc<Core>,
    wish: &Wish,
    place: &'static Location<'static>,
    body: F,
) -> io::Result<TaskKey> {
    // SAFETY: body and result are 'static.
    let slot = unsafe { core.spawn::<Plain, F>(wish, Use::Task, place, true, None, body) }?;
    Ok(TaskKey { core, slot })
}

impl TaskKey {
    /// Whether the task has ended.
    pub(crate) fn is_finished(&self) -> bool {
        self.slot.is_finished()
    }

    /// Cancels the task, unless it has ended.
    pub(crate) fn cancel(&self) {
        if let Some(task) = self.slot.task() {
            frame::request(task);
        }
    }

    /// The task's number.
    pub(crate) fn id(&self) -> TaskId {
        self.slot
            .id()
            .expect("a slot with a handle keeps its number")
    }

    /// Its place in the table, and its number: to find it by from other threads.
    pub(crate) fn place(&self) -> (u32, TaskId) {
        (self.slot.index(), self.id())
    }

    /// Waits for the end, and takes the ending out.
    ///
    /// # Safety
    ///
    /// The task's result is a `T`.
    ///
    /// # Panics
    ///
    /// If the end cannot come: outside a runtime, or from the task itself; and if the
    /// ending was taken before.
    #[inline(always)]
    #[track_caller]
    pub(crate) unsafe fn join<T>(&self) -> Ending<T> {
        while !self.slot.is_finished() {
            let task = self.joiner();
            let reason = || self.wait_reason();
            holders::may_close_circle(task, reason);
            let line = &self.slot.joiners;
            // Woken for nothing, by a cancellation that it outlasts, it looks again.
            let _woken = line.wait_unless(task, reason, Patience::Waits, None, || {
                holders::may_close_circle(task, reason);
                false
            });
        }
        assert!(
            self.slot.has_ending(),
            "the task was joined already: its result is gone"
        );
        // SAFETY: the caller's duty for the type; the ending is there.
        unsafe { self.slot.take::<T>() }
    }

    /// Which of the runtime's tasks that have ended it is, by the order of ends. `None`
    /// if it has not.
    pub(crate) fn finish_order(&self) -> Option<u64> {
        self.slot.finish_order()
    }

    /// What a task waits for that joins it.
    #[inline(always)]
    pub(crate) fn wait_reason(&self) -> WaitReason {
        WaitReason::Join(self.slot.index(), self.id())
    }

    /// Those who wait for the end.
    pub(crate) fn joiners(&self) -> &WaitQueue<()> {
        &self.slot.joiners
    }

    /// Who joins.
    #[inline]
    #[track_caller]
    fn joiner(&self) -> TaskRef {
        match park::current() {
            Some(task) if self.slot.task() != Some(task) => task,
            Some(_) => panic!("a task cannot join itself"),
            None => panic!(
                "join would wait for ever: the task has not ended, and no runtime is running here"
            ),
        }
    }

    /// Takes the ending out, if there is one that nobody took.
    ///
    /// # Safety
    ///
    /// The task's result is a `T`.
    #[inline]
    pub(super) unsafe fn take_ending<T>(&self) -> Option<Ending<T>> {
        // SAFETY: the caller's duty; the slot knows whether it was taken.
        self.slot
            .has_ending()
            .then(|| unsafe { self.slot.take::<T>() })
    }

    /// Drops the ending of a task that was not joined, if there is one. A panic
    /// among them is told to the hook for those.
    ///
    /// # Safety
    ///
    /// The task's result is a `T`.
    #[inline]
    pub(crate) unsafe fn discard_ending<T>(&self) {
        // SAFETY: the caller's duty.
        if let Some(Ending::Panicked(payload, name)) = unsafe { self.take_ending::<T>() } {
            unobserved(&self.core, self.id(), name.as_deref(), payload);
        }
    }
}

impl Drop for TaskKey {
    #[inline]
    fn drop(&mut self) {
        self.core.table.let_go(self.slot);
    }
}

/// A running or parked task, for others of its thread.
#[derive(Debug, Clone)]
pub(crate) struct TaskName {
    core: Rc<Core>,
    slot: SlotRef,
    id: TaskId,
    name: Option<Rc<str>>,
}

impl TaskName {
    /// The running task.
    pub(crate) fn current() -> Option<Self> {
        let task = park::current()?;
        let core = super::current::core()?;
        Some(Self {
            core,
            slot: task.slot,
            id: task.id,
            name: task.name.clone(),
        })
    }

    /// The task of a key, unless it has ended.
    pub(crate) fn of(key: &TaskKey) -> Option<Self> {
        let task = key.slot.task()?;
        Some(Self {
            core: Rc::clone(&key.core),
            slot: key.slot,
            id: task.id,
            name: task.name.clone(),
        })
    }

    pub(crate) fn id(&self) -> TaskId {
        self.id
    }

    pub(crate) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Unparks the task, if it has not ended.
    pub(crate) fn unpark(&self) {
        let slot = self.slot;
        if let Some(task) = slot.task().filter(|_| slot.id() == Some(self.id)) {
            park::unpark(task);
        }
    }

    /// A waker that unparks the task from any thread.
    #[cfg(any(reactor = "epoll", reactor = "kqueue"))]
    pub(crate) fn waker(&self) -> io::Result<Waker> {
        let inbox = Arc::clone(self.core.inbox()?);
        Ok(Waker::from(Arc::new(RemoteWaker::new(
            inbox,
            self.slot.index(),
            self.id,
        ))))
    }
}

/// A number for a task of the running runtime that could not be made.
pub(crate) fn unused_id() -> TaskId {
    match super::current::core() {
        Some(core) => core.next_id(),
        None => unreachable!("tasks are made in the thread of a running runtime"),
    }
}

/// Tells the hook of a failure that the running task met and nobody can see.
pub(crate) fn tell_unobserved(task: TaskRef, payload: Box<dyn Any + Send>) {
    unobserved(task.core(), task.id, task.name.as_deref(), payload);
}

/// Tells the hook of the runtime of this thread of a panic of a task that has ended.
pub(crate) fn tell_unobserved_of(id: TaskId, name: Option<&str>, payload: Box<dyn Any + Send>) {
    match super::current::core() {
        Some(core) => unobserved(&core, id, name, payload),
        None => defuse(payload),
    }
}
