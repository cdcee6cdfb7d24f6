//! A stack of the pool, in the shape corosensei asks for.
//!
//! Dropping it returns it: corosensei drops it only after the body returned or
//! unwound, so a stack is never reused under a live frame. A leaked coroutine
//! leaks its stack.

#![expect(unsafe_code, reason = "vouches for stack memory")]

use std::io;
use std::ptr::NonNull;

use corosensei::stack::{Stack, StackPointer};

use super::object::{LEAST_STACK, too_large};
use super::pool::{self, Pool};
use crate::sys::stack::StackHeader;

/// An owned stack. `base` is where frames start: below the record and whatever
/// was reserved.
#[derive(Debug)]
pub(super) struct PooledStack {
    pub(super) header: NonNull<StackHeader>,
    pub(super) base: StackPointer,
}

impl PooledStack {
    /// Takes a stack from the thread's pool.
    #[inline(always)]
    pub(super) fn acquire(pool: &Pool, stack_size: usize, guard_size: usize) -> io::Result<Self> {
        let header = pool.acquire(stack_size, guard_size)?;
        Ok(Self {
            header,
            base: header.addr(),
        })
    }

    /// The record at the top.
    #[inline]
    pub(super) fn header(&self) -> NonNull<StackHeader> {
        self.header
    }

    /// Sets room for a `T` aside, between the record and the first frame.
    ///
    /// The room is not initialised, and lives as long as the stack is held. The
    /// error is of kind `InvalidInput`: the `T` leaves no stack to run on.
    #[inline]
    pub(super) fn reserve<T>(&mut self) -> io::Result<NonNull<T>> {
        let align = align_of::<T>().max(corosensei::stack::STACK_ALIGNMENT);
        let base = self.base.get().checked_sub(size_of::<T>());
        let base = base.map_or(0, |address| address & !(align - 1));
        // SAFETY: the record is readable as long as the stack is held.
        let lowest = unsafe { self.header.as_ref() }.limit + LEAST_STACK;
        match StackPointer::new(base).filter(|base| base.get() >= lowest) {
            Some(base) => self.base = base,
            None => return Err(too_large::<T>()),
        }
        Ok(self.header.cast::<T>().with_addr(self.base))
    }
}

// SAFETY: the memory from `limit` to `base` is a stack of the pool with a guard
// below it, held by this value alone; `Geometry::new` asks for enough bytes.
unsafe impl Stack for PooledStack {
    #[inline]
    fn base(&self) -> StackPointer {
        self.base
    }

    #[inline]
    fn limit(&self) -> StackPointer {
        // SAFETY: the record is readable as long as the stack is held.
        let bottom = unsafe { self.header.as_ref() }.bottom;
        StackPointer::new(bottom).expect("a stack does not reach address zero")
    }
}

impl Drop for PooledStack {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: it came from `acquire`, stacks never change threads (their
        // coroutines are not Send), and its owner is done with it.
        unsafe { pool::release(self.header) };
    }
}
