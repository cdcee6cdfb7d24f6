//! A task as the scheduler sees it: the head that lies at the top of its stack.
//!
//! The head, the switch and the first frames share one or two cache lines and
//! one page, so a million tasks need no second place each. It dies with the
//! stack, so nothing that may outlive the task points here: handles and wakers
//! go through the task table.

#![expect(
    unsafe_code,
    reason = "tasks are found by pointer; the room keeps those valid"
)]

use std::cell::{Cell, UnsafeCell};
use std::fmt;
use std::mem::MaybeUninit;
use std::ops::Deref;
use std::panic::Location;
use std::ptr::NonNull;
use std::rc::Rc;

use super::Core;
use super::cancel::CancelState;
use super::children::Siblings;
use super::holders::{Owner, Owners};
use super::locals::Binding;
use super::task_table::SlotRef;
use crate::coroutine::fiber::{Fiber, Suspender};
use crate::id::TaskId;
use crate::sys::slab;
use crate::sys::stack::StackHeader;
use crate::timer::Instant;

/// What a task waits for: in its head while parked, and in reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WaitReason {
    /// It does not wait: it runs, or is ready to.
    Nothing,
    /// `park`, until somebody unparks it.
    Unpark,
    /// A moment.
    Sleep(Instant),
    /// Another task's end: its place in the table, and its number.
    Join(u32, TaskId),
    /// A value in a channel.
    Receive,
    /// Room in a channel.
    Send,
    /// The last of so many children to end.
    Children(u32),
    /// A place in a scope that limits its children.
    Place,
    /// An event to be set.
    Event,
    /// The one value of a `oneshot`.
    Oneshot,
    /// The first of several things.
    Select,
    /// A mutex to be free.
    Lock(NonNull<Owner>),
    /// A lock that several may hold, to be free enough.
    SharedLock(NonNull<Owners>),
    /// A value that another task is making.
    Init(NonNull<Owner>),
    /// A condition variable to be notified.
    Notified,
    /// Permits of a semaphore.
    Permits(usize),
    /// The others at a barrier.
    Barrier,
    /// A value of a broadcast.
    Broadcast,
    /// A new value in a watch.
    Watch,
    /// An item in a queue.
    Item,
    /// Room in a queue.
    Room,
    /// The items of a queue to be done.
    ItemsDone,
    /// A value from another thread.
    RemoteReceive,
    /// Room in a channel to another thread.
    RemoteSend,
    /// The end of a task that was spawned from another thread.
    RemoteJoin,
    /// A call on the thread pool.
    Unblock,
    /// A descriptor to become readable.
    Readable(i32),
    /// A descriptor to become writable.
    Writable(i32),
}

/// Says what a task waits for, each time it parks. A closure writes it straight into the
/// task's head, where a value is first put together elsewhere, and then copied in wider
/// pieces than it was written in, for which the processor has to wait.
pub(crate) trait Reason {
    fn reason(&self) -> WaitReason;
}

impl Reason for WaitReason {
    #[inline(always)]
    fn reason(&self) -> WaitReason {
        *self
    }
}

impl<F: Fn() -> WaitReason> Reason for F {
    #[inline(always)]
    fn reason(&self) -> WaitReason {
        self()
    }
}

impl fmt::Display for WaitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing"),
            Self::Unpark => f.write_str("unpark"),
            Self::Sleep(Instant::NEVER) => f.write_str("a moment that never comes"),
            Self::Sleep(_) => f.write_str("a moment"),
            Self::Join(_, id) => write!(f, "the end of task {id}"),
            Self::Receive => f.write_str("a value in a channel"),
            Self::Send => f.write_str("room in a channel"),
            Self::Children(1) => f.write_str("its last child to end"),
            Self::Children(count) => write!(f, "its {count} children to end"),
            Self::Place => f.write_str("a place in a scope that is full"),
            Self::Event => f.write_str("an event"),
            Self::Oneshot => f.write_str("the value of a oneshot"),
            Self::Select => f.write_str("the first of several things"),
            Self::Lock(_) => f.write_str("a mutex"),
            Self::SharedLock(_) => f.write_str("a lock"),
            Self::Init(_) => f.write_str("a value that is being made"),
            Self::Notified => f.write_str("a condition variable to be notified"),
            Self::Permits(1) => f.write_str("a permit of a semaphore"),
            Self::Permits(count) => write!(f, "{count} permits of a semaphore"),
            Self::Barrier => f.write_str("the others at a barrier"),
            Self::Broadcast => f.write_str("a value of a broadcast"),
            Self::Watch => f.write_str("a new value in a watch"),
            Self::Item => f.write_str("an item in a queue"),
            Self::Room => f.write_str("room in a queue"),
            Self::ItemsDone => f.write_str("the items of a queue to be done"),
            Self::RemoteReceive => f.write_str("a value from another thread"),
            Self::RemoteSend => f.write_str("room in a channel to another thread"),
            Self::RemoteJoin => f.write_str("the end of a task that was spawned through a handle"),
            Self::Unblock => f.write_str("a call on the thread pool"),
            Self::Readable(fd) => write!(f, "descriptor {fd} to become readable"),
            Self::Writable(fd) => write!(f, "descriptor {fd} to become writable"),
        }
    }
}

/// The head of a task.
pub(crate) struct Header {
    /// The runtime it belongs to, for ever.
    pub(super) core: NonNull<Core>,
    /// How to run it until it waits or ends, if it is not a stack to be resumed.
    /// Nothing else exists today; a `Future` would be polled through it. A stack
    /// is resumed in line: a call more here is a return that the processor
    /// predicts wrongly each time a task ends.
    pub(super) step: Option<unsafe fn(TaskRef)>,
    /// Dangling until the first step.
    pub(super) suspender: Cell<NonNull<Suspender>>,
    pub(super) fiber: UnsafeCell<MaybeUninit<Fiber>>,
    pub(super) id: TaskId,
    /// Its place in the task table.
    pub(super) slot: SlotRef,
    /// Whether it is in the run queue.
    pub(super) queued: Cell<bool>,
    /// Whether it is there because it yielded. Only schedules ask.
    pub(super) yielded: Cell<bool>,
    /// Whether an `unpark` came before its `park`.
    pub(super) permit: Cell<bool>,
    pub(super) cancel: CancelState,
    pub(super) siblings: Siblings,
    /// What `task_local!` holds for it.
    pub(super) locals: Cell<Option<Rc<Binding>>>,
    /// Whether its end is more than that of a plain task: it belongs to a scope, has
    /// inherited task-locals, or somebody watches.
    pub(super) special: Cell<bool>,
    /// The record of its stack.
    pub(super) stack: NonNull<StackHeader>,
    pub(super) waiting: Cell<WaitReason>,
    /// Since when, as of the loop's last look at the clock.
    pub(super) since: Cell<Instant>,
    pub(super) name: Option<Rc<str>>,
    pub(super) place: &'static Location<'static>,
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("id", &self.id)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// A pointer to the head of a task that has not ended.
///
/// The scheduler's rooms keep that true: a task leaves the run queue before it
/// runs, leaves every wait queue before it goes on, and only a running task ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct TaskRef(NonNull<Header>);

impl TaskRef {
    pub(super) fn new(header: NonNull<Header>) -> Self {
        Self(header)
    }

    pub(super) fn as_ptr(self) -> *mut Header {
        self.0.as_ptr()
    }
}

impl fmt::Debug for TaskRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl Deref for TaskRef {
    type Target = Header;

    #[inline]
    fn deref(&self) -> &Header {
        // SAFETY: the task has not ended (see the type), so its stack is held.
        unsafe { self.0.as_ref() }
    }
}

impl TaskRef {
    /// The runtime of the task.
    #[inline]
    pub(super) fn core(&self) -> &Core {
        // SAFETY: a runtime's core outlives its tasks: `Runtime` does not let go
        // of it before the last has ended.
        unsafe { self.core.as_ref() }
    }

    /// Makes the task ready, if it is not already.
    #[inline(always)]
    pub(crate) fn wake(self) {
        if !self.queued.replace(true) {
            self.core().queue.push(self);
        }
    }

    /// Bytes of its stack in memory, and bytes of address space of it.
    pub(super) fn stack_use(self) -> (usize, usize) {
        // SAFETY: the record is readable as long as the task has not ended.
        let stack = unsafe { self.stack.as_ref() };
        (slab::in_memory(stack), stack.extent)
    }

    /// Runs the task until it waits or ends. For the loop alone: the task came out
    /// of the run queue, so it is not running.
    #[inline]
    pub(super) fn run_on(self) {
        match self.step {
            // SAFETY: a task in the run queue has not ended and is not running.
            None => unsafe { step_stack(self) },
            // SAFETY: as above.
            Some(step) => unsafe { step(self) },
        }
    }

    /// Leaves the task's stack for the scheduler, until the task is resumed.
    #[inline(always)]
    pub(super) fn suspend(self) {
        let suspender = self.suspender.get();
        // SAFETY: the task runs, so its first step has set the pointer; what it
        // points at lies in the root frame of the task's stack.
        unsafe { suspender.as_ref() }.suspend();
    }
}

/// Steps a task that has a stack.
///
/// # Safety
///
/// The task is not running, and its fiber was written and has not ended.
#[inline(always)]
unsafe fn step_stack(task: TaskRef) {
    let fiber = task.fiber.get().cast::<Fiber>();
    // SAFETY: the caller's duty; nobody else looks at the fiber.
    if unsafe { &mut *fiber }.resume() {
        let core = task.core;
        // SAFETY: the head is there until the stack is given back.
        let name = unsafe { &raw mut (*task.as_ptr()).name };
        // SAFETY: of the head's fields this one alone needs it, and none is used
        // again.
        unsafe { std::ptr::drop_in_place(name) };
        // SAFETY: a runtime's core outlives its tasks.
        let pool = &unsafe { core.as_ref() }.pool;
        // SAFETY: the body has ended, and the head is not used after this.
        unsafe { Fiber::retire(fiber, pool) };
    }
}
