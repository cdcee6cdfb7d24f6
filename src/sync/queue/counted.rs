//! Items, and how many of all that ever came are not done yet.
//!
//! An item counts from the moment it is in the queue, or in the hand of the task that
//! takes it: never later, so that nobody can think all is done while it is on its way.

use std::cell::Cell;

use crate::sync::channel::Buffer;

/// A buffer that counts.
#[doc(hidden)]
#[derive(Debug, Default)]
#[expect(unnameable_types, reason = "only arms of `select!` show it")]
pub struct Counted<B> {
    items: B,
    unfinished: Cell<usize>,
}

impl<B> Counted<B> {
    /// How many came and are not done.
    pub(super) fn unfinished(&self) -> usize {
        self.unfinished.get()
    }

    /// One of them is done. How many are not.
    pub(super) fn finish(&self) -> usize {
        let left = self.unfinished.get() - 1;
        self.unfinished.set(left);
        left
    }

    fn count(&self) {
        self.unfinished.set(self.unfinished.get() + 1);
    }
}

impl<T, B: Buffer<T>> Buffer<T> for Counted<B> {
    #[inline(always)]
    fn len(&self) -> usize {
        self.items.len()
    }

    #[inline(always)]
    fn push(&self, value: T) {
        self.items.push(value);
        self.count();
    }

    #[inline(always)]
    fn pop(&self) -> Option<T> {
        self.items.pop()
    }

    #[inline(always)]
    fn passed_by(&self) {
        self.count();
    }
}
