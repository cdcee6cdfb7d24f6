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
use super::config::Unobserved;
use super::header::{Header, TaskRef, WaitReason};
use super::inject::RemoteWaker;
use super::park::{self, Patience};
use super::task_table::SlotRef;
use super::{Core, Ending};
use crate::coroutine::fiber::{Fiber, FiberStack, Suspender};
use crate::id::TaskId;
use crate::panic::{Wall, defuse};
use crate::sys::stack::Use;

/// How a task is to be made.
#[derive(Debug, Default, Clone)]
pub(crate) struct Wish {
    pub(crate) name: Option<Rc<str>>,
    pub(crate) stack_size: Option<usize>,
    pub(crate) guard_size: Option<usize>,
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
    /// # Safety
    ///
    /// What `body` and `T` borrow must live until the task has ended; if it is
    /// leaked, for ever.
    #[inline(always)]
    pub(super) unsafe fn spawn<T, F: FnOnce() -> T>(
        &self,
        wish: Wish,
        used_for: Use,
        place: &'static Location<'static>,
        wanted: bool,
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
            cancel: CancelState::default(),
            waiting: Cell::new(WaitReason::Nothing),
            name: wish.name,
            place,
        };
        // SAFETY: the room was set aside for a header on the stack just taken.
        unsafe { room.write(header) };
        let task = TaskRef::new(room);
        let root = move |suspender: &Suspender| {
            task.suspender.set(NonNull::from(suspender));
            Wall::standing("a task's end unwound", || {
                conclude(task, run_body(task, body))
            });
        };
        // SAFETY: the caller's duty for what the body borrows; `run_body` and
        // `conclude` let nothing unwind.
        let fiber = unsafe { Fiber::new(stack, root) };
        let place = task.fiber.get();
        // SAFETY: the task is not running, so nobody looks at its fiber.
        unsafe { (*place).write(fiber) };
        self.table.occupy(slot, task, id);
        if self.stopping.get() {
            task.cancel.request();
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
fn run_body<T>(task: TaskRef, body: impl FnOnce() -> T) -> Ending<T> {
    if task.cancel.requested() {
        return match catch_unwind(AssertUnwindSafe(|| drop(body))) {
            Ok(()) => Ending::Cancelled,
            Err(payload) => Ending::Panicked(payload, task.name.clone()),
        };
    }
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(value) => Ending::Returned(value),
        Err(payload) if payload.is::<Cancelled>() => Ending::Cancelled,
        Err(payload) => Ending::Panicked(payload, task.name.clone()),
    }
}

/// Stores the ending of a task. Where nobody wants it, it is dropped here: still
/// in the task, which may wait in a destructor.
#[inline(always)]
fn conclude<T>(task: TaskRef, ending: Ending<T>) {
    let table = &task.core().table;
    if task.slot.is_wanted() {
        table.finish(task.slot, ending);
    } else {
        discard(task, ending);
        table.finish_unwanted(task.slot);
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

/// Tells the hook of a panic that nobody can see.
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
    wish: Wish,
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
    wish: Wish,
    place: &'static Location<'static>,
    body: F,
) -> io::Result<TaskKey> {
    // SAFETY: body and result are 'static.
    let slot = unsafe { core.spawn(wish, Use::Task, place, true, body) }?;
    Ok(TaskKey { core, slot })
}

impl TaskKey {
    /// Whether the task has ended.
    pub(crate) fn is_finished(&self) -> bool {
        self.slot.is_finished()
    }

    /// The task's number.
    pub(crate) fn id(&self) -> TaskId {
        self.slot
            .id()
            .expect("a slot with a handle keeps its number")
    }

    /// Waits for the end, and takes the ending out.
    ///
    /// # Safety
    ///
    /// The task's result is a `T`, and nobody took it before.
    ///
    /// # Panics
    ///
    /// If the end cannot come: outside a runtime, or from the task itself.
    #[inline(always)]
    #[track_caller]
    pub(crate) unsafe fn join<T>(&self) -> Ending<T> {
        while !self.slot.is_finished() {
            let task = self.joiner();
            let reason = WaitReason::Join(self.id());
            let _woken = self.slot.joiners.wait(task, reason, Patience::Waits, None);
        }
        // SAFETY: the caller's duty.
        unsafe { self.slot.take::<T>() }
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
