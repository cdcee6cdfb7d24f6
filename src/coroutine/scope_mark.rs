//! Marks a stack while a scope is open on it: its coroutine must not yield then.
//!
//! A scope of tasks keeps a record in its frame, and the task knows that record.
//! A yield would leave the record in a suspended stack. The stack is found by
//! address, since whoever opens a scope knows nothing of coroutines.

#![expect(unsafe_code, reason = "reads the record of the stack it runs on")]

use std::marker::PhantomData;
use std::ptr::NonNull;

use super::yielder::{SCOPE, stack_pointer};
use crate::sys::slab;
use crate::sys::stack::StackHeader;

/// An open scope. It stays in the frame that opened it.
#[derive(Debug)]
pub(crate) struct ScopeMark {
    header: Option<NonNull<StackHeader>>,
    stays: PhantomData<*mut ()>,
}

impl ScopeMark {
    /// Marks the stack of the caller, which is most likely `guess`.
    ///
    /// The record must be that of a stack in use.
    #[inline(always)]
    pub(crate) fn open_near(guess: NonNull<StackHeader>) -> Self {
        // SAFETY: a record is readable as long as its stack is in use.
        let record = unsafe { guess.as_ref() };
        if record.contains(stack_pointer()) {
            record.attention.set(record.attention.get() + SCOPE);
            Self {
                header: Some(guess),
                stays: PhantomData,
            }
        } else {
            Self::open()
        }
    }

    /// Marks the stack of the caller; on a thread's own stack it does nothing.
    #[cold]
    pub(crate) fn open() -> Self {
        let found = slab::find(stack_pointer());
        let header = found.and_then(|found| NonNull::new(found.header.cast_mut()));
        if let Some(header) = header {
            // SAFETY: the caller runs on this stack, so its record is there.
            let attention = &unsafe { header.as_ref() }.attention;
            attention.set(attention.get() + SCOPE);
        }
        Self {
            header,
            stays: PhantomData,
        }
    }
}

impl Drop for ScopeMark {
    fn drop(&mut self) {
        if let Some(header) = self.header {
            // SAFETY: the frame that holds the mark is on this stack.
            let attention = &unsafe { header.as_ref() }.attention;
            attention.set(attention.get() - SCOPE);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::super::CoroutineState::{Complete, Yielded};
    use super::super::{Coroutine, Yielder};
    use super::ScopeMark;

    #[test]
    fn a_yield_with_a_scope_open_panics() {
        let c = Coroutine::new(|y: &Yielder<(), u32>, ()| {
            let outer = ScopeMark::open();
            let inner = ScopeMark::open();
            let refused = |()| catch_unwind(AssertUnwindSafe(|| y.yield_(1))).is_err();
            let both = refused(());
            drop(inner);
            let one = refused(());
            drop(outer);
            y.yield_(2);
            (both, one)
        });
        assert_eq!(c.resume(()), Ok(Yielded(2)));
        assert_eq!(c.resume(()), Ok(Complete((true, true))));
    }

    #[test]
    fn a_scope_of_the_consumer_does_not_matter() {
        let c = Coroutine::new(|y: &Yielder<(), u32>, ()| y.yield_(1));
        let _on_the_threads_stack = ScopeMark::open();
        assert_eq!(c.resume(()), Ok(Yielded(1)));
        assert!(c.close().is_ok());
    }
}
