//! Coroutines whose bodies borrow from the caller.
//!
//! The owner stays in the frame of `scope`, which always unwinds it before it
//! returns; the user gets a handle that borrows from that frame. Forgetting,
//! swapping or replacing the handle changes nothing the owner relies on.

#![expect(
    unsafe_code,
    reason = "keeps the owner of a borrowing body in its own frame"
)]

use std::any::Any;
use std::fmt;
use std::io;
use std::panic::Location;

use super::builder::CoroutineBuilder;
use super::error::{CloseError, ResumeError, ThrowError};
use super::object::{Coroutine, CoroutineState, Inner, Status};
use super::yielder::{Yielder, thrown};

/// The outer end of a coroutine whose body borrows: see [`Coroutine::scope`].
pub struct ScopedCoroutine<'s, In, Out, Ret = ()> {
    inner: &'s mut Inner<In, Out, Ret>,
}

impl<In, Out, Ret> Coroutine<In, Out, Ret> {
    /// Runs `use_` with a coroutine whose body may borrow from here. When `use_`
    /// returns or panics, the body is closed, however the handle was treated.
    ///
    /// ```
    /// use greenroom::{Coroutine, CoroutineState::Yielded, Yielder};
    ///
    /// let words = vec!["to", "be"];
    /// let longest = Coroutine::scope(
    ///     |y: &Yielder<usize, usize>, first: usize| {
    ///         let mut index = first;
    ///         loop {
    ///             index = y.yield_(words[index].len());
    ///         }
    ///     },
    ///     |lengths: greenroom::ScopedCoroutine<'_, usize, usize>| lengths.resume(1),
    /// );
    /// assert_eq!(longest, Ok(Yielded(2)));
    /// ```
    ///
    /// The handle cannot leave:
    ///
    /// ```compile_fail
    /// use greenroom::{Coroutine, Yielder};
    ///
    /// let kept = Coroutine::scope(|y: &Yielder<(), ()>, ()| y.yield_(()), |handle| handle);
    /// ```
    ///
    /// # Panics
    ///
    /// If there is no memory for the stack. A panic of the body while it is
    /// closed goes on here.
    #[track_caller]
    pub fn scope<Z>(
        body: impl FnOnce(&Yielder<In, Out>, In) -> Ret,
        use_: impl for<'s> FnOnce(ScopedCoroutine<'s, In, Out, Ret>) -> Z,
    ) -> Z {
        match CoroutineBuilder::new().scope(body, use_) {
            Ok(result) => result,
            Err(error) => panic!("no stack for a coroutine: {error}"),
        }
    }
}

impl CoroutineBuilder {
    /// [`Coroutine::scope`] with a name and a stack size.
    ///
    /// # Errors
    ///
    /// As [`coroutine`](Self::coroutine).
    #[track_caller]
    pub fn scope<In, Out, Ret, Z>(
        self,
        body: impl FnOnce(&Yielder<In, Out>, In) -> Ret,
        use_: impl for<'s> FnOnce(ScopedCoroutine<'s, In, Out, Ret>) -> Z,
    ) -> io::Result<Z> {
        let mut owner = borrow(self, Location::caller(), body)?;
        Ok(use_(ScopedCoroutine { inner: &mut owner }))
    }
}

/// The owner of a borrowing body.
pub(crate) type ScopedInner<In, Out, Ret> = Inner<In, Out, Ret>;

/// Makes the owner. It must stay in the frame that calls this.
pub(crate) fn borrow<In, Out, Ret>(
    builder: CoroutineBuilder,
    place: &'static Location<'static>,
    body: impl FnOnce(&Yielder<In, Out>, In) -> Ret,
) -> io::Result<Inner<In, Out, Ret>> {
    // SAFETY: both callers keep the value in their own frame, hand out only
    // references to it, and so drop it before anything `body` borrows ends.
    unsafe { Inner::new(builder, place, true, body) }
}

impl<In, Out, Ret> ScopedCoroutine<'_, In, Out, Ret> {
    /// As [`Coroutine::resume`].
    ///
    /// # Errors
    ///
    /// As [`Coroutine::resume`].
    #[inline]
    pub fn resume(&self, value: In) -> Result<CoroutineState<Out, Ret>, ResumeError<In>> {
        self.inner.resume(value)
    }

    /// As [`Coroutine::throw`].
    ///
    /// # Errors
    ///
    /// As [`Coroutine::throw`].
    pub fn throw<E: Any + Send>(&self, value: E) -> Result<CoroutineState<Out, Ret>, ThrowError> {
        self.inner.throw(thrown(value))
    }

    /// As [`Coroutine::close`].
    ///
    /// # Errors
    ///
    /// As [`Coroutine::close`].
    pub fn close(&self) -> Result<Option<Ret>, CloseError<Out>> {
        self.inner.close()
    }

    /// As [`Coroutine::status`].
    #[must_use]
    pub fn status(&self) -> Status {
        self.inner.status()
    }
}

impl<In, Out, Ret> fmt::Debug for ScopedCoroutine<'_, In, Out, Ret> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.inner, f)
    }
}
