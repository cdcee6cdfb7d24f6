//! Which item of a queue is next: three orders, and what keeps items in them.

use std::cell::RefCell;

use super::heap::Heap;
use crate::sync::channel::{Buffer, Line};

pub(crate) mod sealed {
    #[expect(
        unnameable_types,
        reason = "that nobody outside can name it is its use"
    )]
    pub trait Sealed {}
}

/// Which item of a [`Queue`](super::Queue) is next: [`Fifo`], [`Lifo`] or [`Priority`].
/// Sealed.
pub trait Order<T>: sealed::Sealed {
    #[doc(hidden)]
    type Items: Buffer<T> + Default;
}

/// The item that came first is next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fifo {}

/// The item that came last is next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifo {}

/// The greatest item is next; of equal ones the one that came first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Priority {}

impl sealed::Sealed for Fifo {}
impl sealed::Sealed for Lifo {}
impl sealed::Sealed for Priority {}

impl<T> Order<T> for Fifo {
    type Items = Line<T>;
}

impl<T> Order<T> for Lifo {
    type Items = Pile<T>;
}

impl<T: Ord> Order<T> for Priority {
    type Items = Heap<T>;
}

/// Last in, first out.
#[doc(hidden)]
#[derive(Debug)]
#[expect(unnameable_types, reason = "it is what `Lifo` stands for")]
pub struct Pile<T>(RefCell<Vec<T>>);

impl<T> Default for Pile<T> {
    fn default() -> Self {
        Self(RefCell::new(Vec::new()))
    }
}

impl<T> Buffer<T> for Pile<T> {
    fn len(&self) -> usize {
        self.0.borrow().len()
    }

    fn push(&self, value: T) {
        self.0.borrow_mut().push(value);
    }

    fn pop(&self) -> Option<T> {
        self.0.borrow_mut().pop()
    }
}
