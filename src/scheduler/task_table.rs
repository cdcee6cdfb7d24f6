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
use std::rc::Rc;

use super::header::TaskRef;
use super::wait_queue::WaitQueue;
use crate::id::TaskId;

const CHUNK: u32 = 256;

type Panic = Box<dyn Any + Send>;

/// How a task ended.
pub(crate) enum Ending<T> {
    Returned(T),
    Panicked(Panic),
    Cancelled,
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
    next_free: Cell<u32>,
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

type Chunk = Rc<[Slot]>;

/// The table.
#[derive(Debug)]
pub(super) struct TaskTable {
    chunks: RefCell<Vec<Chunk>>,
    free: Cell<u32>,
    live: Cell<usize>,
}

const NONE: u32 = u32::MAX;

/// Whether a result lies in the slot itself.
const fn is_small<T>() -> bool {
    size_of::<T>() <= size_of::<Room>() && align_of::<T>() <= align_of::<Room>()
}

impl Slot {
    fn empty() -> Self {
        Self {
            task: Cell::new(None),
            id: Cell::new(None),
            kind: Cell::new(Kind::Taken),
            wanted: Cell::new(false),
            next_free: Cell::new(NONE),
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

    /// Whether the task has ended.
    pub(super) fn is_finished(&self) -> bool {
        self.kind.get() != Kind::Running
    }

    /// Whether the task has ended, and nobody took its ending yet.
    pub(super) fn has_ending(&self) -> bool {
        !matches!(self.kind.get(), Kind::Running | Kind::Taken)
    }

    /// Stores the ending.
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
            Ending::Panicked(payload) => {
                let place = self.room.get().cast::<Panic>();
                // SAFETY: a wide pointer fits, and the room is empty.
                unsafe { place.write(payload) };
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
    pub(super) unsafe fn take<T>(&self) -> Ending<T> {
        match self.kind.replace(Kind::Taken) {
            Kind::Returned if is_small::<T>() => {
                let place = self.room.get().cast::<T>();
                // SAFETY: `put` wrote a `T` here, and `kind` says it is there.
                Ending::Returned(unsafe { place.read() })
            }
            Kind::Returned => {
                let place = self.room.get().cast::<*mut T>();
                // SAFETY: `put` wrote this pointer here, and `kind` says it is there.
                let boxed = unsafe { place.read() };
                // SAFETY: it came from a box that nobody else has.
                Ending::Returned(*unsafe { Box::from_raw(boxed) })
            }
            Kind::Panicked => {
                let place = self.room.get().cast::<Panic>();
                // SAFETY: `put` wrote the payload here, and `kind` says it is there.
                Ending::Panicked(unsafe { place.read() })
            }
            Kind::Cancelled => Ending::Cancelled,
            Kind::Running | Kind::Taken => unreachable!("the ending is taken once, after the end"),
        }
    }
}

impl TaskTable {
    pub(super) fn new() -> Self {
        Self {
            chunks: RefCell::new(Vec::new()),
            free: Cell::new(NONE),
            live: Cell::new(0),
        }
    }

    /// Tasks that have not ended.
    pub(super) fn live(&self) -> usize {
        self.live.get()
    }

    /// A slot for a new task. `wanted` says that a handle will exist.
    #[inline]
    pub(super) fn claim(&self, wanted: bool) -> u32 {
        if self.free.get() == NONE {
            self.grow();
        }
        let index = self.free.get();
        self.with(index, |slot| {
            self.free.set(slot.next_free.get());
            slot.kind.set(Kind::Running);
            slot.wanted.set(wanted);
        });
        self.live.set(self.live.get() + 1);
        index
    }

    /// Ties a slot to its task.
    #[inline]
    pub(super) fn occupy(&self, index: u32, task: TaskRef, id: TaskId) {
        self.with(index, |slot| {
            slot.task.set(Some(task));
            slot.id.set(Some(id));
        });
    }

    /// The task of a slot has ended so. Wakes its joiners, or gives the ending
    /// back if nobody holds a handle.
    #[inline]
    pub(super) fn finish<T>(&self, index: u32, ending: Ending<T>) -> Option<Ending<T>> {
        self.live.set(self.live.get() - 1);
        self.with(index, |slot| {
            slot.task.set(None);
            if slot.wanted.get() {
                slot.put(ending);
                slot.joiners.wake_all();
                None
            } else {
                slot.kind.set(Kind::Taken);
                self.release(index, slot);
                Some(ending)
            }
        })
    }

    /// Gives back the slot of a task that was never made.
    pub(super) fn unclaim(&self, index: u32) {
        self.live.set(self.live.get() - 1);
        self.with(index, |slot| {
            slot.kind.set(Kind::Taken);
            self.release(index, slot);
        });
    }

    /// The handle of a slot is gone. The ending must have been taken, or the
    /// task not be finished.
    #[inline]
    pub(super) fn let_go(&self, index: u32) {
        self.with(index, |slot| {
            slot.wanted.set(false);
            if slot.is_finished() {
                self.release(index, slot);
            }
        });
    }

    fn release(&self, index: u32, slot: &Slot) {
        slot.id.set(None);
        slot.next_free.set(self.free.replace(index));
    }

    /// Looks at a slot. `look` may switch: chunks never move.
    #[inline]
    pub(super) fn with<R>(&self, index: u32, look: impl FnOnce(&Slot) -> R) -> R {
        let chunks = self.chunks.borrow();
        let chunk: *const [Slot] = &raw const *chunks[(index / CHUNK) as usize];
        drop(chunks);
        // SAFETY: chunks are never dropped before the table, and whoever looks
        // holds the table.
        let chunk = unsafe { &*chunk };
        look(&chunk[(index % CHUNK) as usize])
    }

    /// Every task that has not ended, in the order of slots.
    pub(super) fn for_each_live(&self, mut f: impl FnMut(TaskRef)) {
        let mut at = 0;
        loop {
            let chunk = match self.chunks.borrow().get(at) {
                Some(chunk) => Rc::clone(chunk),
                None => return,
            };
            for slot in chunk.iter() {
                if let Some(task) = slot.task.get() {
                    f(task);
                }
            }
            at += 1;
        }
    }

    #[cold]
    fn grow(&self) {
        let mut chunks = self.chunks.borrow_mut();
        let number = u32::try_from(chunks.len())
            .ok()
            .and_then(|number| number.checked_mul(CHUNK));
        let first = number.expect("fewer than four billion tasks");
        let chunk: Chunk = (0..CHUNK).map(|_| Slot::empty()).collect();
        let indices = first..first + CHUNK;
        for (index, slot) in indices.zip(chunk.iter()).rev() {
            slot.next_free.set(self.free.replace(index));
        }
        chunks.push(chunk);
    }
}
