//! Who is ready: a ring of pointers, first in, first out.
//!
//! A ring because the order of a linked list is that of memory nobody walks
//! twice: at a million tasks it cost twice the ring's cache misses. It must not
//! know why anyone is ready.

#![expect(
    unsafe_code,
    reason = "the ring is written through a shared reference on the hottest path"
)]

use std::cell::{Cell, UnsafeCell};
use std::mem::MaybeUninit;

use super::header::TaskRef;

const FIRST_CAPACITY: usize = 64;

/// The ready tasks of one runtime.
///
/// `head` and `tail` count for ever and are masked on use, so that full and
/// empty differ.
pub(super) struct RunQueue {
    ring: UnsafeCell<Box<[MaybeUninit<TaskRef>]>>,
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
        let ring = UnsafeCell::new(Box::new_uninit_slice(FIRST_CAPACITY));
        Self {
            ring,
            head: Cell::new(0),
            tail: Cell::new(0),
        }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.tail.get().wrapping_sub(self.head.get())
    }

    #[inline]
    pub(super) fn push(&self, task: TaskRef) {
        // SAFETY: no reference into the ring outlives a method of this type,
        // and none of them calls foreign code.
        let ring = unsafe { &mut *self.ring.get() };
        let tail = self.tail.get();
        if tail.wrapping_sub(self.head.get()) == ring.len() {
            self.grow();
            return self.push(task);
        }
        let mask = ring.len() - 1;
        ring[tail & mask] = MaybeUninit::new(task);
        self.tail.set(tail.wrapping_add(1));
    }

    #[inline]
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
        // SAFETY: as in `push`.
        let ring = unsafe { &mut *self.ring.get() };
        let mask = ring.len() - 1;
        let head = self.head.get();
        for step in (0..index).rev() {
            ring[head.wrapping_add(step + 1) & mask] = ring[head.wrapping_add(step) & mask];
        }
        self.head.set(head.wrapping_add(1));
        Some(taken)
    }

    #[inline]
    fn at(&self, position: usize) -> TaskRef {
        // SAFETY: as in `push`.
        let ring = unsafe { &*self.ring.get() };
        let entry = ring[position & (ring.len() - 1)];
        // SAFETY: every position from head to tail was written by `push`.
        unsafe { entry.assume_init() }
    }

    #[cold]
    fn grow(&self) {
        let length = self.len();
        let mut larger = Box::new_uninit_slice(2 * length.max(FIRST_CAPACITY));
        for (index, place) in larger.iter_mut().enumerate().take(length) {
            *place = MaybeUninit::new(self.at(self.head.get().wrapping_add(index)));
        }
        // SAFETY: as in `push`.
        let ring = unsafe { &mut *self.ring.get() };
        *ring = larger;
        self.head.set(0);
        self.tail.set(length);
    }
}
