//! Every task by number, and what became of it.
//!
//! A slot outlives its task as long as somebody holds a handle: the result waits
//! here, not on the task's stack, so a finished task keeps no stack. Results of
//! up to 16 bytes lie in the slot itself; larger ones are boxed. Slots are found
//! by index, in chunks that never move.

#![expect(unsafe_code, reason = "stores results of any type in one kind of slot")]

use std::any::Any;
use std::cell::{Cell, RefCell, UnsafeCell};
use std::mem::MaybeUninit;
use std::ops::Deref;
use std::ptr::NonNull;
use std::rc::Rc;

use super::header::TaskRef;
use super::wait_queue::WaitQueue;
use crate::error::JoinError;
use crate::id::TaskId;

const CHUNK: u32 = 256;

type Panic = Box<dyn Any + Send>;

/// What a panicked task leaves: rare, so boxed once more, with its name.
type Last = Box<(Panic, Option<Rc<str>>)>;

/// How a task ended.
pub(crate) enum Ending<T> {
    Returned(T),
    /// With what, and the task's name.
    Panicked(Panic, Option<Rc<str>>),
    Cancelled,
}

impl<T> Ending<T> {
    /// What a handle's `join` gives.
    #[inline(always)]
    pub(crate) fn into_result(self) -> Result<T, JoinError> {
        match self {
            Self::Returned(value) => Ok(value),
            Self::Panicked(payload, _) => Err(JoinError::panicked(payload)),
            Self::Cancelled => Err(JoinError::cancelled()),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The task has not ended.
    Running,
    /// The slot holds a `T`, or a box of one: `is_small` tells.
    Returned,
    /// The slot holds a `Panic`.
    Panicked,
    Cancelled,
    /// It was joined, or there is nobody to join it.
    Taken,
}

type Room = [MaybeUninit<usize>; 2];

/// One task's place.
pub(crate) struct Slot {
    task: Cell<Option<TaskRef>>,
    id: Cell<Option<TaskId>>,
    kind: Cell<Kind>,
    /// Whether a handle exists.
    wanted: Cell<bool>,
    next_free: Cell<Option<SlotRef>>,
    /// The order of ends.
    order: Cell<u64>,
    /// Its place in the table, for messages from other threads.
    index: u32,
    room: UnsafeCell<Room>,
    /// Who waits for the end.
    pub(super) joiners: WaitQueue<()>,
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slot")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// A pointer to a slot. Slots never move, and live as long as the table.
///
/// Whoever holds one holds the runtime's core, or belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SlotRef(NonNull<Slot>);

impl Deref for SlotRef {
    type Target = Slot;

    #[inline(always)]
    fn deref(&self) -> &Slot {
        // SAFETY: see the type: the table is there, and so is the slot.
        unsafe { self.0.as_ref() }
    }
}

/// The table.
#[derive(Debug)]
pub(super) struct TaskTable {
    chunks: RefCell<Vec<Box<[Slot]>>>,
    free: Cell<Option<SlotRef>>,
    live: Cell<usize>,
    /// How many have ended that somebody held a handle of.
    ended: Cell<u64>,
}

/// Whether a result lies in the slot itself.
const fn is_small<T>() -> bool {
    size_of::<T>() <= size_of::<Room>() && align_of::<T>() <= align_of::<Room>()
}

impl Slot {
    fn empty(index: u32) -> Self {
        Self {
            task: Cell::new(None),
            id: Cell::new(None),
            kind: Cell::new(Kind::Taken),
            wanted: Cell::new(false),
            next_free: Cell::new(None),
            order: Cell::new(0),
            index,
            room: UnsafeCell::new([MaybeUninit::uninit(); 2]),
            joiners: WaitQueue::new(),
        }
    }

    /// The task, while it has not ended.
    pub(super) fn task(&self) -> Option<TaskRef> {
        self.task.get()
    }

    /// The number of the task that has this slot.
    pub(super) fn id(&self) -> Option<TaskId> {
        self.id.get()
    }

    /// Its place in the table.
    pub(super) fn index(&self) -> u32 {
        self.index
    }

    /// Whether the task has ended.
    #[inline]
    pub(super) fn is_finished(&self) -> bool {
        self.kind.get() != Kind::Running
    }

    /// How many tasks had ended before it, if it has.
    pub(super) fn finish_order(&self) -> Option<u64> {
        self.is_finished().then(|| self.order.get())
    }

    /// Whether a handle exists.
    #[inline]
    pub(super) fn is_wanted(&self) -> bool {
        self.wanted.get()
    }

    /// Whether the task has ended, and nobody took its ending yet.
    pub(super) fn has_ending(&self) -> bool {
        !matches!(self.kind.get(), Kind::Running | Kind::Taken)
    }

    /// Stores the ending.
    #[inline(always)]
    fn put<T>(&self, ending: Ending<T>) {
        match ending {
            Ending::Returned(value) if is_small::<T>() => {
                let place = self.room.get().cast::<T>();
                // SAFETY: the room is large and aligned enough, and empty.
                unsafe { place.write(value) };
                self.kind.set(Kind::Returned);
            }
            Ending::Returned(value) => {
                let place = self.room.get().cast::<*mut T>();
                // SAFETY: a pointer fits, and the room is empty.
                unsafe { place.write(Box::into_raw(Box::new(value))) };
                self.kind.set(Kind::Returned);
            }
            Ending::Panicked(payload, name) => {
                let place = self.room.get().cast::<Last>();
                // SAFETY: a pointer fits, and the room is empty.
                unsafe { place.write(Box::new((payload, name))) };
                self.kind.set(Kind::Panicked);
            }
            Ending::Cancelled => self.kind.set(Kind::Cancelled),
        }
    }

    /// Takes the ending of a finished task out.
    ///
    /// # Safety
    ///
    /// The task's result is a `T`, and nobody took it before.
    #[inline]
    pub(super) unsafe fn take<T>(&self) -> Ending<T> {
        let kind = self.kind.replace(Kind::Taken);
        if kind != Kind::Returned {
            return self.take_failure(kind);
        }
        if is_small::<T>() {
            let place = self.room.get().cast::<T>();
            // SAFETY: `put` wrote a `T` here, and `kind` says it is there.
            Ending::Returned(unsafe { place.read() })
        } else {
            let place = self.room.get().cast::<*mut T>();
            // SAFETY: `put` wrote this pointer here, and `kind` says it is there.
            let boxed = unsafe { place.read() };
            // SAFETY: it came from a box that nobody else has.
            Ending::Returned(*unsafe { Box::from_raw(boxed) })
        }
    }

    #[cold]
    fn take_failure<T>(&self, kind: Kind) -> Ending<T> {
        match kind {
            Kind::Panicked => {
                let place = self.room.get().cast::<Last>();
                // SAFETY: `put` wrote the box here, and `kind` says it is there.
                let last = unsafe { place.read() };
                let (payload, name) = *last;
                Ending::Panicked(payload, name)
            }
            Kind::Cancelled => Ending::Cancelled,
            Kind::Running | Kind::Returned | Kind::Taken => {
                unreachable!("the ending is taken once, after the end")
            }
        }
    }
}

impl TaskTable {
    pub(super) fn new() -> Self {
        Self {
            chunks: RefCell::new(Vec::new()),
            free: Cell::new(None),
            live: Cell::new(0),
            ended: Cell::new(0),
        }
    }

    /// Tasks that have not ended.
    pub(super) fn live(&self) -> usize {
        self.live.get()
    }

    /// A slot for a new task. `wanted` says that a handle will exist.
    #[inline]
    pub(super) fn claim(&self, wanted: bool) -> SlotRef {
        let slot = match self.free.get() {
            Some(slot) => slot,
            None => self.grow(),
        };
        self.free.set(slot.next_free.get());
        slot.kind.set(Kind::Running);
        slot.wanted.set(wanted);
        self.live.set(self.live.get() + 1);
        slot
    }

    /// Ties a slot to its task.
    #[inline]
    pub(super) fn occupy(&self, slot: SlotRef, task: TaskRef, id: TaskId) {
        slot.task.set(Some(task));
        slot.id.set(Some(id));
    }

    /// The task of a slot has ended so, and somebody holds its handle. Wakes its
    /// joiners.
    #[inline(always)]
    pub(super) fn finish<T>(&self, slot: SlotRef, ending: Ending<T>) {
        self.live.set(self.live.get() - 1);
        slot.task.set(None);
        let order = self.ended.get();
        self.ended.set(order + 1);
        slot.order.set(order);
        slot.put(ending);
        slot.joiners.wake_all();
    }

    /// The task of a slot has ended, and nobody holds its handle.
    #[inline]
    pub(super) fn finish_unwanted(&self, slot: SlotRef) {
        self.live.set(self.live.get() - 1);
        slot.task.set(None);
        slot.kind.set(Kind::Taken);
        self.release(slot);
    }

    /// The handle of a slot is gone. The ending must have been taken, or the
    /// task not be finished.
    #[inline]
    pub(super) fn let_go(&self, slot: SlotRef) {
        slot.wanted.set(false);
        if slot.is_finished() {
            self.release(slot);
        }
    }

    #[inline]
    fn release(&self, slot: SlotRef) {
        slot.id.set(None);
        slot.next_free.set(self.free.replace(Some(slot)));
    }

    /// The task with this place and number, if it has not ended.
    pub(super) fn find(&self, index: u32, id: TaskId) -> Option<TaskRef> {
        let chunks = self.chunks.borrow();
        // Of another runtime's task the index may say anything; the number does not.
        let slot = chunks
            .get((index / CHUNK) as usize)?
            .get((index % CHUNK) as usize)?;
        slot.task().filter(|_| slot.id() == Some(id))
    }

    /// Every task that has not ended, in the order of slots.
    pub(super) fn for_each_live(&self, mut f: impl FnMut(TaskRef)) {
        for slot in self.chunks.borrow().iter().flatten() {
            if let Some(task) = slot.task.get() {
                f(task);
            }
        }
    }

    #[cold]
    fn grow(&self) -> SlotRef {
        let mut chunks = self.chunks.borrow_mut();
        let number = u32::try_from(chunks.len())
            .ok()
            .and_then(|number| number.checked_mul(CHUNK));
        let first = number.expect("fewer than four billion tasks");
        let chunk: Box<[Slot]> = (first..first + CHUNK).map(Slot::empty).collect();
        chunks.push(chunk);
        let mut next = None;
        for slot in chunks.last().into_iter().flatten().rev() {
            slot.next_free.set(next);
            next = Some(SlotRef(NonNull::from(slot)));
        }
        next.expect("a chunk is not empty")
    }
}
