//! A stack of the pool, in the shape corosensei asks for.
//!
//! Dropping it returns it: corosensei drops it only after the body returned or
//! unwound, so a stack is never reused under a live frame. A leaked coroutine
//! leaks its stack.

#![expect(unsafe_code, reason = "vouches for stack memory")]

use std::io;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;

use corosensei::stack::{Stack, StackPointer};

use super::pool::{self, Pool};
use crate::sys::stack::StackHeader;

/// An owned stack. `base` is where frames start: below the record and whatever
/// was reserved.
#[derive(Debug)]
pub(super) struct PooledStack {
    header: NonNull<StackHeader>,
    base: StackPointer,
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
    /// The room is not initialised, and lives as long as the stack is held.
    #[inline]
    pub(super) fn reserve<T>(&mut self) -> NonNull<T> {
        let align = align_of::<T>().max(corosensei::stack::STACK_ALIGNMENT);
        let address = (self.base.get() - size_of::<T>()) & !(align - 1);
        self.base = StackPointer::new(address).expect("a stack does not reach address zero");
        self.header.cast::<T>().with_addr(self.base)
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

/// A stack lent to a coroutine that lies on it itself. It goes back to the pool
/// by hand, after the coroutine has been dropped; forgotten, it is leaked.
#[derive(Debug)]
pub(super) struct LentStack {
    header: NonNull<StackHeader>,
    base: StackPointer,
}

impl PooledStack {
    /// Lends the stack.
    #[inline]
    pub(super) fn lend(self) -> LentStack {
        let this = ManuallyDrop::new(self);
        LentStack {
            header: this.header,
            base: this.base,
        }
    }
}

/// Gives a lent stack back.
///
/// # Safety
///
/// It is a lent stack of this pool, and nothing on it is used again.
#[inline(always)]
pub(super) unsafe fn give_back(pool: &Pool, stack: NonNull<StackHeader>) {
    // SAFETY: the caller's duty.
    unsafe { pool.release(stack) };
}

// SAFETY: as for the stack it was made of.
unsafe impl Stack for LentStack {
    #[inline]
    fn base(&self) -> StackPointer {
        self.base
    }

    #[inline]
    fn limit(&self) -> StackPointer {
        // SAFETY: the record is readable as long as the stack is not given back.
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
