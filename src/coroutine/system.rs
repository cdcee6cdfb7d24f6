//! Stacks on systems whose memory this crate does not manage: corosensei's own.
//!
//! Each is mapped when it is wanted and unmapped when it is free. It reports no
//! overflow by name. The record that a yield looks at lies at its top all the
//! same. Only coroutines and generators exist on these systems.

#![expect(unsafe_code, reason = "vouches for stack memory")]

use std::cell::Cell;
use std::io;
use std::ptr::NonNull;

use corosensei::stack::{DefaultStack, Stack, StackPointer};

use super::object::{LEAST_STACK, too_large};
use crate::sys::stack::{Geometry, StackHeader, Use};

/// The unit sizes are rounded up to.
const PAGE: usize = 4096;

/// The guard that corosensei counts into a stack's limit is no larger than this.
const MOST_GUARD: usize = 4 * PAGE;

/// Where stacks come from: the system.
#[derive(Debug)]
pub(super) struct Pool;

impl Pool {
    /// The same for every thread.
    pub(super) fn of_thread() -> io::Result<Self> {
        Ok(Self)
    }
}

/// An owned stack. `base` is where frames start: below the record and whatever
/// was reserved.
pub(super) struct PooledStack {
    stack: DefaultStack,
    header: NonNull<StackHeader>,
    base: StackPointer,
}

impl PooledStack {
    /// Maps a stack.
    pub(super) fn acquire(_: &Pool, stack_size: usize, guard_size: usize) -> io::Result<Self> {
        let geometry = Geometry::new(stack_size, guard_size, PAGE)?;
        let stack = DefaultStack::new(geometry.usable)?;
        let base = stack.base();
        let limit = stack.limit().get();
        let mut this = Self {
            stack,
            header: NonNull::dangling(),
            base,
        };
        let header = this.reserve::<StackHeader>()?;
        let record = StackHeader {
            bottom: limit,
            limit,
            extent: header.addr().get() - limit,
            attention: Cell::new(0),
            class: 0,
            name: Cell::new((0, 0)),
            used_for: Cell::new(Use::Coroutine),
        };
        // SAFETY: `reserve` set this room aside.
        unsafe { header.write(record) };
        this.header = header;
        Ok(this)
    }

    /// The record at the top.
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
        let lowest = self.limit().get() + MOST_GUARD + LEAST_STACK;
        match StackPointer::new(base).filter(|base| base.get() >= lowest) {
            Some(base) => self.base = base,
            None => return Err(too_large::<T>()),
        }
        let pointer = std::ptr::with_exposed_provenance_mut(base);
        NonNull::new(pointer).ok_or_else(too_large::<T>)
    }
}

// SAFETY: the memory is that of a stack of corosensei's, less what was reserved
// at its top; `Geometry::new` asks for enough bytes.
unsafe impl Stack for PooledStack {
    fn base(&self) -> StackPointer {
        self.base
    }

    fn limit(&self) -> StackPointer {
        self.stack.limit()
    }

    #[cfg(windows)]
    fn teb_fields(&self) -> corosensei::stack::StackTebFields {
        self.stack.teb_fields()
    }

    #[cfg(windows)]
    fn update_teb_fields(&mut self, stack_limit: usize, guaranteed_stack_bytes: usize) {
        self.stack
            .update_teb_fields(stack_limit, guaranteed_stack_bytes);
    }
}
