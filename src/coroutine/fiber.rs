//! The bare switch, for the scheduler: a body on a stack of its own that is
//! resumed and suspends, with nothing passed either way.
//!
//! A [`Fiber`] is what a task's stack is resumed through. What a task and its
//! scheduler tell each other lies in memory both can see, so that a switch is
//! only the switch. This file must not know what a task is.

#![expect(
    unsafe_code,
    reason = "bodies and their data are vouched for by the caller"
)]

use std::io;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;

use corosensei::stack::{Stack, StackPointer};

use super::object::{LARGEST_ALIGNMENT, LARGEST_CAPTURE};
use super::pool::Pool;
use super::stack::PooledStack;
use crate::sys::stack::{StackHeader, Use};

/// A stack that a fiber will run on, with room set aside for a `T` at its top.
#[derive(Debug)]
pub(crate) struct FiberStack<T> {
    stack: PooledStack,
    room: NonNull<T>,
}

impl<T> FiberStack<T> {
    /// Takes a stack of the thread's pool.
    #[inline(always)]
    pub(crate) fn acquire(
        pool: &Pool,
        stack_size: usize,
        guard_size: usize,
        used_for: Use,
    ) -> io::Result<Self> {
        let mut stack = PooledStack::acquire(pool, stack_size, guard_size)?;
        // SAFETY: the record is readable as long as the stack is held.
        let header = unsafe { stack.header().as_ref() };
        header.used_for.set(used_for);
        header.name.set((0, 0));
        header.attention.set(0);
        let room = stack.reserve::<T>()?;
        Ok(Self { stack, room })
    }

    /// The room for the `T`: not initialised, valid as long as the stack is held.
    #[inline]
    pub(crate) fn room(&self) -> NonNull<T> {
        self.room
    }

    /// The record of the stack.
    #[inline]
    pub(crate) fn header(&self) -> NonNull<StackHeader> {
        self.stack.header()
    }
}

/// A stack lent to a coroutine that lies on it itself. It goes back to the pool
/// by hand, after the coroutine has been dropped; forgotten, it is leaked.
#[derive(Debug)]
struct LentStack {
    header: NonNull<StackHeader>,
    base: StackPointer,
}

impl PooledStack {
    /// Lends the stack.
    #[inline]
    fn lend(self) -> LentStack {
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
unsafe fn give_back(pool: &Pool, stack: NonNull<StackHeader>) {
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

/// A body on its own stack. The scheduler lets every body end, and then calls
/// [`retire`](Fiber::retire).
#[derive(Debug)]
pub(crate) struct Fiber {
    inner: Inner,
    header: NonNull<StackHeader>,
}

struct Inner(corosensei::Coroutine<(), (), (), LentStack>);

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Coroutine")
            .field("done", &self.0.done())
            .finish()
    }
}

impl Fiber {
    /// Gives the stack of a fiber back whose body has ended. The fiber may lie
    /// on that stack itself.
    ///
    /// # Safety
    ///
    /// `this` is a fiber that ended, on a stack of `pool`; neither it nor
    /// anything else on its stack is used again.
    #[inline(always)]
    pub(crate) unsafe fn retire(this: *mut Self, pool: &Pool) {
        // SAFETY: the caller's duty.
        let header = unsafe { (*this).header };
        // SAFETY: the caller's duty. Nothing of a coroutine that has ended is
        // left to be dropped but the sanitizer's marks.
        unsafe { std::ptr::drop_in_place(this) };
        // SAFETY: the stack was lent in `new`, and its coroutine is gone.
        unsafe { give_back(pool, header) };
    }
}

/// What a body suspends itself with. It lies on the body's own stack.
#[repr(transparent)]
pub(crate) struct Suspender(corosensei::Yielder<(), ()>);

impl std::fmt::Debug for Suspender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Suspender")
    }
}

impl Fiber {
    /// A fiber that will run `body`.
    ///
    /// # Safety
    ///
    /// What `body` borrows must live until it has ended or the fiber has been
    /// dropped, and for ever if the fiber is leaked. `body` must not unwind.
    #[inline]
    pub(crate) unsafe fn new<T, F>(stack: FiberStack<T>, body: F) -> Self
    where
        F: FnOnce(&Suspender),
    {
        let header = stack.header();
        let stack = stack.stack.lend();
        let inner = if size_of::<F>() > LARGEST_CAPTURE || align_of::<F>() > LARGEST_ALIGNMENT {
            let body = Box::new(body);
            // SAFETY: the caller's duty.
            unsafe {
                corosensei::Coroutine::with_stack_unchecked(stack, move |yielder, ()| {
                    body(Suspender::of(yielder));
                })
            }
        } else {
            // SAFETY: the caller's duty.
            unsafe {
                corosensei::Coroutine::with_stack_unchecked(stack, move |yielder, ()| {
                    body(Suspender::of(yielder));
                })
            }
        };
        Self {
            inner: Inner(inner),
            header,
        }
    }

    /// Runs the body until it suspends (`false`) or ends (`true`).
    #[inline]
    pub(crate) fn resume(&mut self) -> bool {
        matches!(
            self.inner.0.resume(()),
            corosensei::CoroutineResult::Return(())
        )
    }
}

impl Suspender {
    #[inline]
    fn of(yielder: &corosensei::Yielder<(), ()>) -> &Self {
        let pointer = std::ptr::from_ref(yielder).cast::<Self>();
        // SAFETY: `Suspender` is a transparent wrapper of the yielder.
        unsafe { &*pointer }
    }

    /// Switches to whoever resumed the fiber; returns when it is resumed again.
    ///
    /// It may be called on another stack than the fiber's own, if that stack was
    /// itself resumed from the fiber (a generator's body that waits): then the
    /// fiber continues there.
    #[inline(always)]
    pub(crate) fn suspend(&self) {
        self.0.suspend(());
    }
}
