//! Where values lie between a sender and a receiver, and which of them is next.
//!
//! A buffer is changed through a shared reference, and lends nothing out: what it holds
//! may have an order, or a destructor, that uses the channel. Putting a value in runs no
//! code of the value's type; so what was taken from a waiting sender cannot be lost there.

use std::cell::RefCell;
use std::collections::VecDeque;

/// What a channel keeps its values in.
#[doc(hidden)]
#[expect(
    unnameable_types,
    reason = "nobody outside makes channels of another kind"
)]
pub trait Buffer<T> {
    /// How many values there are.
    fn len(&self) -> usize;

    /// Puts a value in, whatever the capacity is.
    fn push(&self, value: T);

    /// Puts a value in, if there are fewer than `capacity`.
    #[inline(always)]
    fn push_within(&self, capacity: usize, value: T) -> Result<(), T> {
        if self.len() < capacity {
            self.push(value);
            Ok(())
        } else {
            Err(value)
        }
    }

    /// Takes the next one out. If that unwinds nothing was taken.
    fn pop(&self) -> Option<T>;

    /// A value went from hand to hand, and was never in here.
    #[inline(always)]
    fn passed_by(&self) {}
}

/// First in, first out.
#[doc(hidden)]
#[derive(Debug)]
#[expect(unnameable_types, reason = "as its trait")]
pub struct Line<T>(RefCell<VecDeque<T>>);

impl<T> Default for Line<T> {
    fn default() -> Self {
        Self(RefCell::new(VecDeque::new()))
    }
}

impl<T> Buffer<T> for Line<T> {
    #[inline(always)]
    fn len(&self) -> usize {
        self.0.borrow().len()
    }

    #[inline(always)]
    fn push(&self, value: T) {
        self.0.borrow_mut().push_back(value);
    }

    #[inline(always)]
    fn push_within(&self, capacity: usize, value: T) -> Result<(), T> {
        let mut line = self.0.borrow_mut();
        if line.len() < capacity {
            line.push_back(value);
            Ok(())
        } else {
            Err(value)
        }
    }

    #[inline(always)]
    fn pop(&self) -> Option<T> {
        self.0.borrow_mut().pop_front()
    }
}

impl<T> Line<T> {
    /// All there are; it is empty then.
    pub(super) fn take(&self) -> VecDeque<T> {
        self.0.take()
    }
}
