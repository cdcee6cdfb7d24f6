//! Who is ready: a ring of pointers, first in, first out.
//!
//! A ring because the order of a linked list is that of memory nobody walks
//! twice: at a million tasks it cost twice the ring's cache misses. It must not
//! know why anyone is ready.

#![expect(
    unsafe_code,
    reason = "the ring is written through a shared reference on the hottest path"
)]

use std::cell::Cell;
use std::mem::MaybeUninit;
use std::ptr::NonNull;

use super::header::TaskRef;

const FIRST_CAPACITY: usize = 64;

type Place = MaybeUninit<TaskRef>;

/// The ready tasks of one runtime.
///
/// `head` and `tail` count for ever and are masked on use, so that full and
/// empty differ. Every place from `head` to `tail` holds a task.
pub(super) struct RunQueue {
    /// A boxed slice of `mask + 1` places, a power of two.
    ring: Cell<NonNull<Place>>,
    mask: Cell<usize>,
    head: Cell<usize>,
    tail: Cell<usize>,
}

impl std::fmt::Debug for RunQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RunQueue")
            .field("len", &self.len())
            .finish()
    }
}

impl RunQueue {
    pub(super) fn new() -> Self {
        Self {
            ring: Cell::new(allocate(FIRST_CAPACITY)),
            mask: Cell::new(FIRST_CAPACITY - 1),
            head: Cell::new(0),
            tail: Cell::new(0),
        }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.tail.get().wrapping_sub(self.head.get())
    }

    #[inline(always)]
    pub(super) fn push(&self, task: TaskRef) {
        if self.len() > self.mask.get() {
            self.grow();
        }
        let tail = self.tail.get();
        let place = self.place(tail);
        // SAFETY: the ring is not full, so this place is free and ours alone.
        unsafe { place.write(MaybeUninit::new(task)) };
        self.tail.set(tail.wrapping_add(1));
    }

    #[inline(always)]
    pub(super) fn pop(&self) -> Option<TaskRef> {
        let head = self.head.get();
        if head == self.tail.get() {
            return None;
        }
        self.head.set(head.wrapping_add(1));
        Some(self.at(head))
    }

    /// The task at `index` from the front.
    pub(super) fn get(&self, index: usize) -> Option<TaskRef> {
        (index < self.len()).then(|| self.at(self.head.get().wrapping_add(index)))
    }

    /// Takes the task at `index` from the front; the others keep their order.
    pub(super) fn take(&self, index: usize) -> Option<TaskRef> {
        let taken = self.get(index)?;
        let head = self.head.get();
        for step in (0..index).rev() {
            let moved = MaybeUninit::new(self.at(head.wrapping_add(step)));
            let place = self.place(head.wrapping_add(step + 1));
            // SAFETY: a place of the ring, and no reference to it exists.
            unsafe { place.write(moved) };
        }
        self.head.set(head.wrapping_add(1));
        Some(taken)
    }

    /// Takes a task out, wherever it stands.
    #[cold]
    pub(super) fn remove(&self, task: TaskRef) {
        let found = (0..self.len()).find(|index| self.get(*index) == Some(task));
        if let Some(index) = found {
            let _removed = self.take(index);
        }
    }

    /// The place of a position.
    #[inline(always)]
    fn place(&self, position: usize) -> NonNull<Place> {
        // SAFETY: masked, it lies within the ring.
        unsafe { self.ring.get().add(position & self.mask.get()) }
    }

    #[inline(always)]
    fn at(&self, position: usize) -> TaskRef {
        // SAFETY: a place of the ring.
        let entry = unsafe { self.place(position).read() };
        // SAFETY: callers ask for positions from head to tail, which hold tasks.
        unsafe { entry.assume_init() }
    }

    #[cold]
    #[inline(never)]
    fn grow(&self) {
        let length = self.len();
        let capacity = (self.mask.get() + 1) * 2;
        let larger = allocate(capacity);
        for index in 0..length {
            let task = self.at(self.head.get().wrapping_add(index));
            // SAFETY: the new ring is longer than `length`.
            let place = unsafe { larger.add(index) };
            // SAFETY: a place of the new ring, which nobody else knows.
            unsafe { place.write(MaybeUninit::new(task)) };
        }
        let old = (self.ring.replace(larger), self.mask.replace(capacity - 1));
        self.head.set(0);
        self.tail.set(length);
        free(old.0, old.1 + 1);
    }
}

fn allocate(capacity: usize) -> NonNull<Place> {
    NonNull::from(Box::leak(Box::<[TaskRef]>::new_uninit_slice(capacity))).cast()
}

/// Frees a ring that [`allocate`] made with this capacity.
fn free(ring: NonNull<Place>, capacity: usize) {
    let slice = NonNull::slice_from_raw_parts(ring, capacity);
    // SAFETY: `allocate` leaked this box, and the queue has let go of it.
    drop(unsafe { Box::from_raw(slice.as_ptr()) });
}

impl Drop for RunQueue {
    fn drop(&mut self) {
        free(self.ring.get(), self.mask.get() + 1);
    }
}
