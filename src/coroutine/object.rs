//! The outer end of a coroutine: resume, throw, close, status.
//!
//! Everything is `&self`: a body may reach its own coroutine (through an `Rc`,
//! say), and then gets an error instead of undefined behaviour. A stack goes
//! back to the pool the moment its body has ended.

#![expect(unsafe_code, reason = "resumes a body on another stack")]

use std::any::Any;
use std::cell::{Cell, UnsafeCell};
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::ptr::NonNull;

use super::builder::CoroutineBuilder;
use super::error::{CloseError, ResumeError, ThrowError, Thrown};
use super::yielder::{CLOSE, Closing, Packet, SIGNAL, THROW, UNWINDING, Yielder, thrown};
use super::{Pool, PooledStack, unstarted};
use crate::panic::{defuse, drop_caught, fatal};
use crate::sys::stack::{StackHeader, Use};

/// Captures above this many bytes (corosensei copies up to 1,024 to the new
/// stack), or aligned above this, are boxed.
pub(super) const LARGEST_CAPTURE: usize = 1024;
pub(super) const LARGEST_ALIGNMENT: usize = 16;

/// Bytes that must be left for frames and captures when everything else has
/// found its place.
pub(super) const LEAST_STACK: usize = 4096 + LARGEST_CAPTURE;

/// The error for a value that does not fit on the stack it is sent to.
#[cold]
pub(super) fn too_large<T>() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        format!(
            "a value of {} bytes, aligned to {}, leaves no room on the stack it is sent to",
            size_of::<T>(),
            align_of::<T>()
        ),
    )
}

/// How often a dropped coroutine is unwound again after it yielded instead of ending.
const MOST_REFUSALS: u32 = 64;

/// What a resume gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CoroutineState<Out, Ret> {
    /// The body yielded this, and waits to be resumed.
    Yielded(Out),
    /// The body returned this, and is finished.
    Complete(Ret),
}

/// Where a coroutine stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// Made, and never resumed: nothing of the body has run.
    Created,
    /// Waiting in a yield.
    Suspended,
    /// Resumed, and not yet back: the body, or something it called, is looking.
    Running,
    /// The body has returned or was unwound.
    Done,
}

/// How a body ended.
pub(super) enum Outcome<Ret> {
    Returned(Ret),
    Closed,
    Thrown(Thrown),
    Panicked(Box<dyn Any + Send>),
}

/// A function that can stop in the middle, give a value, and go on later with
/// the value it is sent: a stackful coroutine.
///
/// The body runs on a stack of its own, so it may yield from any depth of
/// ordinary function calls. Creating it runs nothing; each
/// [`resume`](Self::resume) runs it to its next yield.
///
/// ```
/// use greenroom::{Coroutine, CoroutineState, Yielder};
///
/// let average = Coroutine::new(|y: &Yielder<f64, f64>, first| {
///     let (mut sum, mut n) = (first, 1.0);
///     loop {
///         sum += y.yield_(sum / n);
///         n += 1.0;
///     }
/// });
/// assert_eq!(average.resume(10.0)?, CoroutineState::Yielded(10.0));
/// assert_eq!(average.resume(30.0)?, CoroutineState::Yielded(20.0));
/// average.close()?; // unwinds the body: its destructors run
/// assert!(average.resume(1.0).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Threads
///
/// A coroutine never leaves its thread:
///
/// ```compile_fail,E0277
/// let c = greenroom::Coroutine::new(|y: &greenroom::Yielder<(), ()>, ()| y.yield_(()));
/// std::thread::spawn(move || drop(c));
/// ```
///
/// # Dropping
///
/// A body that has not begun is dropped unrun. A suspended one is closed. One
/// that keeps yielding instead of ending is closed again, 64 times; then the
/// process aborts and names it. With `panic = "abort"` nothing can be unwound: a
/// suspended coroutine that is dropped is leaked, with its stack.
#[must_use = "a coroutine does nothing until it is resumed"]
pub struct Coroutine<In, Out, Ret = ()> {
    inner: Inner<In, Out, Ret>,
}

/// The same without the `'static` bounds, for the scoped form.
pub(crate) struct Inner<In, Out, Ret> {
    raw: UnsafeCell<ManuallyDrop<Raw<Out, Ret>>>,
    header: NonNull<StackHeader>,
    packet: NonNull<Packet>,
    input: NonNull<In>,
    status: Cell<Status>,
    /// Whether the body borrows: then it must not be leaked instead of unwound.
    borrows: bool,
    name: Option<Box<str>>,
    place: &'static Location<'static>,
    marker: PhantomData<fn(In) -> In>,
}

type Raw<Out, Ret> = corosensei::Coroutine<(), Out, Outcome<Ret>, PooledStack>;

impl<In: 'static, Out: 'static, Ret: 'static> Coroutine<In, Out, Ret> {
    /// A coroutine that will run `body` on a stack of the default size.
    ///
    /// The body's second argument is the value of the first resume. See
    /// [`builder`](Self::builder) for names and stack sizes.
    ///
    /// # Panics
    ///
    /// If there is no memory for its stack. The builder returns an error instead.
    #[track_caller]
    pub fn new(body: impl FnOnce(&Yielder<In, Out>, In) -> Ret + 'static) -> Self {
        match CoroutineBuilder::new().coroutine(body) {
            Ok(coroutine) => coroutine,
            Err(error) => panic!("no stack for a coroutine: {error}"),
        }
    }

    /// A builder: name, stack size, guard size. The same as
    /// [`CoroutineBuilder::new`], which needs no types to be named.
    pub fn builder() -> CoroutineBuilder {
        CoroutineBuilder::new()
    }
}

impl<In, Out, Ret> Coroutine<In, Out, Ret> {
    pub(super) fn from_inner(inner: Inner<In, Out, Ret>) -> Self {
        Self { inner }
    }

    /// Sends `value` in, and runs the body until it yields or returns.
    ///
    /// # Errors
    ///
    /// If the body has finished or is running; the value comes back.
    ///
    /// # Panics
    ///
    /// A panic of the body goes on here. The coroutine is finished then.
    #[inline]
    pub fn resume(&self, value: In) -> Result<CoroutineState<Out, Ret>, ResumeError<In>> {
        self.inner.resume(value)
    }

    /// Throws `value` at the yield the body is suspended in, and runs it on.
    ///
    /// [`Yielder::try_yield`] catches it there; [`Yielder::yield_`] unwinds with it.
    ///
    /// # Errors
    ///
    /// [`ThrowError::Uncaught`] if nothing in the body caught it (a body that has
    /// not begun is dropped unrun); [`ThrowError::Finished`] and
    /// [`ThrowError::Running`] if there was nowhere to throw it. The value comes
    /// back in each.
    ///
    /// # Panics
    ///
    /// A panic of the body goes on here.
    pub fn throw<E: Any + Send>(&self, value: E) -> Result<CoroutineState<Out, Ret>, ThrowError> {
        self.inner.throw(thrown(value))
    }

    pub(super) fn throw_boxed(
        &self,
        value: Thrown,
    ) -> Result<CoroutineState<Out, Ret>, ThrowError> {
        self.inner.throw(value)
    }

    /// Ends the body: it unwinds from its yield, and its destructors run. A body
    /// that has not begun is dropped unrun. Closing a finished one does nothing.
    ///
    /// Returns what the body returned, if it caught the unwinding and returned.
    ///
    /// # Errors
    ///
    /// [`CloseError::Yielded`] if the body caught the unwinding and yielded. It
    /// is suspended there and may be closed again.
    ///
    /// # Panics
    ///
    /// A panic of the body goes on here.
    ///
    /// # Aborts
    ///
    /// A body that is suspended in a destructor while it unwinds from a panic of
    /// its own cannot be unwound again. Closing it, throwing into it or dropping
    /// it is a panic in a destructor during a panic: Rust aborts the process.
    pub fn close(&self) -> Result<Option<Ret>, CloseError<Out>> {
        self.inner.close()
    }

    /// Where the coroutine stands.
    #[inline]
    #[must_use]
    pub fn status(&self) -> Status {
        self.inner.status.get()
    }

    /// The name given to the builder.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.inner.name.as_deref()
    }
}

impl<In, Out, Ret> Inner<In, Out, Ret> {
    pub(super) fn status(&self) -> Status {
        self.status.get()
    }

    /// Lays out a stack and puts the body on it.
    ///
    /// # Safety
    ///
    /// Whatever `body`, `In`, `Out` and `Ret` borrow must outlive the value
    /// returned, and that must be dropped, never leaked, unless they borrow
    /// nothing (`borrows` is false then).
    pub(super) unsafe fn new<F>(
        builder: CoroutineBuilder,
        place: &'static Location<'static>,
        borrows: bool,
        body: F,
    ) -> io::Result<Self>
    where
        F: FnOnce(&Yielder<In, Out>, In) -> Ret,
    {
        let name = builder.checked_name()?;
        let mut stack =
            PooledStack::acquire(&Pool::of_thread()?, builder.stack_size, builder.guard_size)?;
        let header = stack.header();
        // SAFETY: the record is readable as long as the stack is held.
        let record = unsafe { header.as_ref() };
        record.used_for.set(Use::Coroutine);
        record.attention.set(0);
        let text = name.as_deref().unwrap_or_default();
        record
            .name
            .set((text.as_ptr().expose_provenance(), text.len()));
        let packet = stack.reserve::<Packet>()?;
        let input = stack.reserve::<In>()?;
        let empty = Packet {
            thrown: Cell::new(None),
            resumer_panicking: Cell::new(false),
            drop_panic: Cell::new(None),
        };
        // SAFETY: `reserve` set this room aside for us.
        unsafe { packet.write(empty) };

        let body = Unrun {
            body: ManuallyDrop::new(body),
            packet,
        };
        let root = root_fn(move |raw: &corosensei::Yielder<(), Out>, (): ()| {
            let yielder = Yielder {
                header,
                packet,
                input,
                raw: NonNull::from(raw),
            };
            // SAFETY: the first resume wrote the value just before it came here.
            let first = unsafe { input.read() };
            let body = body.take();
            let ended = catch_unwind(AssertUnwindSafe(|| body(&yielder, first)));
            classify(ended, packet.addr().get())
        });
        let raw = if size_of_val(&root) > LARGEST_CAPTURE || align_of_val(&root) > LARGEST_ALIGNMENT
        {
            let root = Box::new(root);
            // SAFETY: the caller's duty.
            unsafe { Raw::with_stack_unchecked(stack, move |raw: &_, ()| (*root)(raw, ())) }
        } else {
            // SAFETY: the caller's duty.
            unsafe { Raw::with_stack_unchecked(stack, root) }
        };
        Ok(Self {
            raw: UnsafeCell::new(ManuallyDrop::new(raw)),
            header,
            packet,
            input,
            status: Cell::new(Status::Created),
            borrows,
            name,
            place,
            marker: PhantomData,
        })
    }

    #[inline]
    pub(crate) fn resume(&self, value: In) -> Result<CoroutineState<Out, Ret>, ResumeError<In>> {
        let status = self.status.get();
        if !matches!(status, Status::Created | Status::Suspended) {
            return Err(refuse(status, value));
        }
        // SAFETY: the body has not ended, so its stack is there, and nobody reads
        // the input while it is suspended.
        unsafe { self.input.write(value) };
        match self.switch() {
            corosensei::CoroutineResult::Yield(out) => {
                self.status.set(Status::Suspended);
                Ok(CoroutineState::Yielded(out))
            }
            corosensei::CoroutineResult::Return(outcome) => self.returned(outcome),
        }
    }

    /// The switch itself.
    #[inline]
    fn switch(&self) -> corosensei::CoroutineResult<Out, Outcome<Ret>> {
        self.status.set(Status::Running);
        let raw = self.raw.get();
        // SAFETY: the status says that the body is suspended or new, so nobody
        // else holds this reference: everyone who would is refused as above.
        let raw = unsafe { &mut *raw };
        raw.resume(())
    }

    #[cold]
    fn returned(&self, outcome: Outcome<Ret>) -> Result<CoroutineState<Out, Ret>, ResumeError<In>> {
        self.retire();
        match outcome {
            Outcome::Returned(value) => Ok(CoroutineState::Complete(value)),
            Outcome::Panicked(payload) => resume_unwind(payload),
            // The body yielded in a destructor while it was thrown into or closed, and
            // this resume let it unwind to its end.
            Outcome::Thrown(value) => resume_unwind(Box::new(value)),
            Outcome::Closed => {
                panic!("the coroutine was resumed while it was being closed, and has ended")
            }
        }
    }

    /// The body has ended, or never begun: its stack goes back to the pool.
    fn retire(&self) {
        self.status.set(Status::Done);
        let raw = self.raw.get();
        // SAFETY: the body is not running, so nobody is inside `switch`.
        let raw = unsafe { &mut *raw };
        // A body that has not begun is dropped here.
        raw.force_unwind();
        // SAFETY: the stack is still held.
        let panic = unsafe { self.packet.as_ref() }.drop_panic.take();
        // SAFETY: done once: `Done` is never left, and comes before no other call.
        unsafe { ManuallyDrop::drop(raw) };
        match panic {
            Some(payload) if !std::thread::panicking() => resume_unwind(payload),
            Some(payload) => defuse(payload),
            None => {}
        }
    }

    pub(super) fn throw(&self, value: Thrown) -> Result<CoroutineState<Out, Ret>, ThrowError> {
        match self.status.get() {
            Status::Done => return Err(ThrowError::Finished(value)),
            Status::Running => return Err(ThrowError::Running(value)),
            Status::Created => {
                self.retire();
                return Err(ThrowError::Uncaught(value));
            }
            Status::Suspended => {}
        }
        // SAFETY: the body is suspended, so its stack and packet are there.
        let packet = unsafe { self.packet.as_ref() };
        if self.is_unwinding() {
            return Err(ThrowError::Unwinding(value));
        }
        packet.thrown.set(Some(value));
        match self.signal(THROW) {
            corosensei::CoroutineResult::Yield(out) => Ok(CoroutineState::Yielded(out)),
            corosensei::CoroutineResult::Return(Outcome::Returned(value)) => {
                Ok(CoroutineState::Complete(value))
            }
            corosensei::CoroutineResult::Return(Outcome::Thrown(value)) => {
                Err(ThrowError::Uncaught(value))
            }
            corosensei::CoroutineResult::Return(Outcome::Panicked(payload)) => {
                resume_unwind(payload)
            }
            corosensei::CoroutineResult::Return(Outcome::Closed) => {
                panic!("the coroutine was thrown into while it was being closed, and has ended")
            }
        }
    }

    pub(super) fn close(&self) -> Result<Option<Ret>, CloseError<Out>> {
        match self.status.get() {
            Status::Done => return Ok(None),
            Status::Running => return Err(CloseError::Running),
            Status::Created => {
                self.retire();
                return Ok(None);
            }
            Status::Suspended => {}
        }
        if self.is_unwinding() {
            return Err(CloseError::Unwinding);
        }
        match self.signal(CLOSE) {
            corosensei::CoroutineResult::Yield(out) => Err(CloseError::Yielded(out)),
            corosensei::CoroutineResult::Return(Outcome::Returned(value)) => Ok(Some(value)),
            corosensei::CoroutineResult::Return(Outcome::Closed) => Ok(None),
            corosensei::CoroutineResult::Return(Outcome::Panicked(payload)) => {
                resume_unwind(payload)
            }
            corosensei::CoroutineResult::Return(Outcome::Thrown(value)) => {
                resume_unwind(Box::new(value))
            }
        }
    }

    /// Whether a suspended body is known to be unwinding: it yielded in a
    /// destructor while it was thrown into or closed.
    fn is_unwinding(&self) -> bool {
        // SAFETY: the body is suspended, so its stack and record are there.
        let record = unsafe { self.header.as_ref() };
        record.attention.get() & UNWINDING != 0
    }

    /// Resumes the body with a signal instead of a value.
    fn signal(&self, signal: u32) -> corosensei::CoroutineResult<Out, Outcome<Ret>> {
        // SAFETY: the body is suspended, so its stack and record are there.
        let record = unsafe { self.header.as_ref() };
        // SAFETY: as above.
        let packet = unsafe { self.packet.as_ref() };
        packet.resumer_panicking.set(std::thread::panicking());
        record
            .attention
            .set((record.attention.get() & !SIGNAL) | signal);
        let result = self.switch();
        match result {
            corosensei::CoroutineResult::Yield(_) => {
                record.attention.set(record.attention.get() & !SIGNAL);
                self.status.set(Status::Suspended);
            }
            corosensei::CoroutineResult::Return(_) => self.retire(),
        }
        result
    }

    /// What to call this coroutine in a message.
    fn title(&self) -> String {
        match &self.name {
            Some(name) => format!("coroutine '{name}' made at {}", self.place),
            None => format!("the coroutine made at {}", self.place),
        }
    }

    /// Unwinds a suspended body whatever it takes.
    fn unwind(&self) {
        if cfg!(panic = "abort") {
            if self.borrows {
                fatal(&format!(
                    "{} is suspended and borrows from its caller; with panic=abort it cannot be unwound",
                    self.title()
                ));
            }
            return;
        }
        // A value yielded meanwhile may panic when it is dropped, and so may the
        // body. Neither may keep us from unwinding it to its end.
        let mut first = None;
        for _ in 0..MOST_REFUSALS {
            let panic = match catch_unwind(AssertUnwindSafe(|| self.close())) {
                Ok(Ok(result)) => drop_caught(result),
                Ok(Err(CloseError::Yielded(out))) => drop_caught(out),
                Ok(Err(CloseError::Running | CloseError::Unwinding)) => break,
                Err(payload) => Some(payload),
            };
            match (panic, &first) {
                (Some(payload), None) => first = Some(payload),
                (Some(payload), Some(_)) => defuse(payload),
                (None, _) => {}
            }
            if self.status.get() == Status::Done {
                match first {
                    Some(payload) if !std::thread::panicking() => resume_unwind(payload),
                    Some(payload) => defuse(payload),
                    None => {}
                }
                return;
            }
        }
        fatal(&format!(
            "{} was dropped, and will not end: it keeps yielding while it unwinds",
            self.title()
        ));
    }
}

#[cold]
fn refuse<In>(status: Status, value: In) -> ResumeError<In> {
    match status {
        Status::Running => ResumeError::Running(value),
        _ => ResumeError::Finished(value),
    }
}

/// Tells the compiler what kind of closure a root is.
fn root_fn<Out, Ret, F>(root: F) -> F
where
    F: FnOnce(&corosensei::Yielder<(), Out>, ()) -> Outcome<Ret>,
{
    root
}

/// A body that may be dropped unrun. Its destructor must not unwind out of
/// corosensei's drop, so a panic is left in the packet.
struct Unrun<F> {
    body: ManuallyDrop<F>,
    packet: NonNull<Packet>,
}

impl<F> Unrun<F> {
    fn take(self) -> F {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is not dropped, so the body is taken once.
        unsafe { ManuallyDrop::take(&mut this.body) }
    }
}

impl<F> Drop for Unrun<F> {
    fn drop(&mut self) {
        // SAFETY: `take` forgets self, so the body is still here.
        let dropped = catch_unwind(AssertUnwindSafe(|| unsafe {
            ManuallyDrop::drop(&mut self.body)
        }));
        // SAFETY: the packet lies on the stack that holds us.
        let packet = unsafe { self.packet.as_ref() };
        packet.drop_panic.set(dropped.err());
    }
}

/// Sorts the ways a body ends.
///
/// A body that lets another coroutine's closing pass through it has panicked.
fn classify<Ret>(ended: std::thread::Result<Ret>, closing: usize) -> Outcome<Ret> {
    match ended {
        Ok(value) => Outcome::Returned(value),
        Err(payload) if payload.downcast_ref() == Some(&Closing(closing)) => Outcome::Closed,
        Err(payload) => match payload.downcast::<Thrown>() {
            Ok(value) => Outcome::Thrown(*value),
            Err(payload) => Outcome::Panicked(payload),
        },
    }
}

impl<In, Out, Ret> Drop for Inner<In, Out, Ret> {
    fn drop(&mut self) {
        match self.status.get() {
            Status::Done => {}
            Status::Created => {
                self.retire();
                unstarted::report(self.name.as_deref(), self.place);
            }
            Status::Suspended | Status::Running => self.unwind(),
        }
    }
}

impl<In, Out, Ret> fmt::Debug for Inner<In, Out, Ret> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("Coroutine");
        if let Some(name) = &self.name {
            text.field("name", name);
        }
        text.field("status", &self.status.get())
            .field("made_at", &format_args!("{}", self.place))
            .finish()
    }
}

impl<In, Out, Ret> fmt::Debug for Coroutine<In, Out, Ret> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
