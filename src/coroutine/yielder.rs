//! The inner end of a coroutine: what its body yields with.
//!
//! A yield is: two compares of the stack pointer, one look at the stack's
//! `attention` word, the switch, one look at that word again. Everything rare
//! hangs off that word and is out of line.

#![expect(
    unsafe_code,
    reason = "reads what the resumer left on the coroutine's stack"
)]

use std::any::Any;
use std::cell::Cell;
use std::panic::resume_unwind;
use std::ptr::NonNull;

use super::error::{CloseError, ThrowError, Thrown};
use super::object::{Coroutine, CoroutineState};
use crate::sys::stack::StackHeader;

/// The lowest bits of `attention`: what the resumer wants of the body.
pub(super) const SIGNAL: u32 = 0b11;
/// Deliver the thrown value.
pub(super) const THROW: u32 = 0b01;
/// Unwind.
pub(super) const CLOSE: u32 = 0b10;
/// The body is suspended in a destructor while it unwinds from a throw or close:
/// it must not be unwound again. The next yield looks again.
pub(super) const UNWINDING: u32 = 0b100;
/// Each scope that is open on this stack adds this much to `attention`.
pub(super) const SCOPE: u32 = 0b1000;

/// What passes inwards besides the value sent. It lies on the coroutine's own
/// stack, and the room for that value beside it.
pub(super) struct Packet {
    /// Set before a throw.
    pub(super) thrown: Cell<Option<Thrown>>,
    /// Whether the resumer was unwinding when it last threw or closed.
    pub(super) resumer_panicking: Cell<bool>,
    /// What a body that was dropped unrun panicked with.
    pub(super) drop_panic: Cell<Option<Box<dyn Any + Send>>>,
}

/// Unwinds a body that is being closed: the address of its packet tells whose.
/// Never seen by users but through `catch_unwind`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Closing(pub(super) usize);

/// The inner end of a [`Coroutine`]: its body yields with it.
///
/// Only its own body, on its own stack, may yield with it. Other stacks can get
/// at the reference in safe code, so every yield checks and panics otherwise.
pub struct Yielder<In, Out> {
    pub(super) header: NonNull<StackHeader>,
    pub(super) packet: NonNull<Packet>,
    /// Written by every resume, read once by the yield it wakes.
    pub(super) input: NonNull<In>,
    pub(super) raw: NonNull<corosensei::Yielder<(), Out>>,
}

impl<In, Out> std::fmt::Debug for Yielder<In, Out> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Yielder")
    }
}

/// What a resume brings.
pub(super) enum Resumed<In> {
    Value(In),
    Thrown(Thrown),
    Close,
}

impl<In, Out> Yielder<In, Out> {
    /// Gives `value` to whoever resumed the coroutine, and waits to be resumed.
    /// Returns the value sent by the next [`resume`](Coroutine::resume).
    ///
    /// ```
    /// use greenroom::{Coroutine, CoroutineState::Yielded, Yielder};
    ///
    /// let echo = Coroutine::new(|y: &Yielder<u32, u32>, first| {
    ///     let mut sent = first;
    ///     loop {
    ///         sent = y.yield_(sent * 10);
    ///     }
    /// });
    /// assert_eq!(echo.resume(1)?, Yielded(10));
    /// assert_eq!(echo.resume(2)?, Yielded(20));
    /// # echo.close()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Panics
    ///
    /// If called on another stack than the coroutine's own: from the body of
    /// another coroutine, or from a task of a runtime that the body runs.
    ///
    /// It unwinds when the coroutine is closed or dropped, and with what was
    /// thrown when something is thrown.
    #[inline]
    pub fn yield_(&self, value: Out) -> In {
        match self.exchange(value) {
            Resumed::Value(value) => value,
            Resumed::Thrown(thrown) => resume_unwind(Box::new(thrown)),
            Resumed::Close => self.unwind(),
        }
    }

    /// Like [`yield_`](Self::yield_), but catches what is thrown.
    ///
    /// # Errors
    ///
    /// The value passed to [`Coroutine::throw`]. The body may go on, and yield
    /// again.
    ///
    /// # Panics
    ///
    /// As [`yield_`](Self::yield_) does.
    #[inline]
    pub fn try_yield(&self, value: Out) -> Result<In, Thrown> {
        match self.exchange(value) {
            Resumed::Value(value) => Ok(value),
            Resumed::Thrown(thrown) => {
                // It is caught, so nothing unwinds for it. Who unwinds meanwhile is
                // somebody else.
                // SAFETY: a yielder lives on the stack of its coroutine, below the record.
                let attention = &unsafe { self.header.as_ref() }.attention;
                attention.set(attention.get() & !SIGNAL);
                Err(thrown)
            }
            Resumed::Close => self.unwind(),
        }
    }

    /// Lets `inner` yield, be resumed, thrown into and closed in this body's
    /// place, until it ends. Returns what `inner` returned.
    ///
    /// `first` is the value of the first resume of `inner`.
    ///
    /// ```
    /// use greenroom::{Coroutine, CoroutineState::{Complete, Yielded}, Yielder};
    ///
    /// let outer = Coroutine::new(|y: &Yielder<u32, u32>, first| {
    ///     let inner = Coroutine::new(|y: &Yielder<u32, u32>, a| a + y.yield_(a));
    ///     y.yield_from(&inner, first) * 100
    /// });
    /// assert_eq!(outer.resume(1)?, Yielded(1));
    /// assert_eq!(outer.resume(2)?, Complete(300));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Panics
    ///
    /// If `inner` has finished or is running, and as [`yield_`](Self::yield_)
    /// does. A panic of `inner` goes on here.
    pub fn yield_from<Ret>(&self, inner: &Coroutine<In, Out, Ret>, first: In) -> Ret {
        let mut state = match inner.resume(first) {
            Ok(state) => state,
            Err(error) => panic!("yield_from: {error}"),
        };
        loop {
            let out = match state {
                CoroutineState::Complete(value) => return value,
                CoroutineState::Yielded(out) => out,
            };
            state = match self.exchange(out) {
                Resumed::Value(value) => match inner.resume(value) {
                    Ok(state) => state,
                    Err(error) => panic!("yield_from: {error}"),
                },
                Resumed::Thrown(thrown) => match inner.throw_boxed(thrown) {
                    Ok(state) => state,
                    Err(ThrowError::Uncaught(thrown) | ThrowError::Finished(thrown)) => {
                        resume_unwind(Box::new(thrown))
                    }
                    Err(error) => panic!("yield_from: {error}"),
                },
                Resumed::Close => match inner.close() {
                    Ok(_) => self.unwind(),
                    Err(CloseError::Yielded(out)) => CoroutineState::Yielded(out),
                    Err(error) => panic!("yield_from: {error}"),
                },
            };
        }
    }

    /// One yield: checks, switches, and says what the resume brought.
    #[inline]
    fn exchange(&self, value: Out) -> Resumed<In> {
        // SAFETY: a yielder lives on the stack of its coroutine, below the record.
        let header = unsafe { self.header.as_ref() };
        if !on_stack(header) || header.attention.get() != 0 {
            self.look_closer(header);
        }
        // SAFETY: corosensei's yielder lies in the root frame of the body that
        // called us.
        let raw = unsafe { self.raw.as_ref() };
        raw.suspend(value);
        if header.attention.get() & SIGNAL != 0 {
            return self.signalled(header);
        }
        // SAFETY: `resume` wrote the value just before it switched here, and
        // nothing else reads it.
        Resumed::Value(unsafe { self.input.read() })
    }

    /// Unwinds the body, which is being closed.
    #[cold]
    fn unwind(&self) -> ! {
        resume_unwind(Box::new(Closing(self.packet.addr().get())))
    }

    /// A yield is refused, or happens while something unwinds or the body is
    /// thrown into or closed.
    #[cold]
    fn look_closer(&self, header: &StackHeader) {
        assert!(
            on_stack(header),
            "yield_ was called on another stack than its coroutine's own"
        );
        let attention = header.attention.get();
        assert!(
            attention < SCOPE,
            "yield_ was called while a scope opened in the coroutine's body is still open"
        );
        // SAFETY: the packet was set up before the body began, on its stack.
        let packet = unsafe { self.packet.as_ref() };
        // A resumer that unwinds itself makes `panicking` tell nothing about us.
        let theirs = attention & SIGNAL != 0 && packet.resumer_panicking.get();
        let ours = if std::thread::panicking() && !theirs {
            UNWINDING
        } else {
            0
        };
        header.attention.set((attention & !UNWINDING) | ours);
    }

    #[cold]
    fn signalled(&self, header: &StackHeader) -> Resumed<In> {
        // SAFETY: the packet was set up before the body began, on its stack.
        let packet = unsafe { self.packet.as_ref() };
        match packet.thrown.take() {
            Some(thrown) if header.attention.get() & SIGNAL == THROW => Resumed::Thrown(thrown),
            _ => Resumed::Close,
        }
    }
}

/// Whether the caller runs on the stack of this record.
#[inline(always)]
fn on_stack(header: &StackHeader) -> bool {
    header.contains(stack_pointer())
}

/// Where the caller's frame ends. Not a local's address: AddressSanitizer may
/// keep locals elsewhere.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(super) fn stack_pointer() -> usize {
    let pointer: usize;
    // SAFETY: copies a register, and touches nothing else.
    unsafe {
        std::arch::asm!("mov {}, rsp", out(reg) pointer, options(nomem, nostack, preserves_flags));
    }
    pointer
}

/// Where the caller's frame ends. Not a local's address: AddressSanitizer may
/// keep locals elsewhere.
#[cfg(target_arch = "aarch64")]
#[inline(always)]
pub(super) fn stack_pointer() -> usize {
    let pointer: usize;
    // SAFETY: copies a register, and touches nothing else.
    unsafe {
        std::arch::asm!("mov {}, sp", out(reg) pointer, options(nomem, nostack, preserves_flags));
    }
    pointer
}

/// A place in the caller's frame.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
#[inline(always)]
pub(super) fn stack_pointer() -> usize {
    let here = 0u8;
    (&raw const here).addr()
}

/// Boxes a value to be thrown.
pub(super) fn thrown<T: Any + Send>(value: T) -> Thrown {
    Thrown::new(Box::new(value))
}
