//! What can go wrong when a coroutine is driven: typed, and giving values back.

use std::any::Any;
use std::error::Error;
use std::fmt;

/// A value thrown into a coroutine with [`Coroutine::throw`](crate::Coroutine::throw).
///
/// [`Yielder::try_yield`](crate::Yielder::try_yield) catches it; where nobody does, it unwinds the body.
///
/// ```
/// use greenroom::{Coroutine, CoroutineState, Yielder};
///
/// let c = Coroutine::new(|y: &Yielder<u32, u32>, first| match y.try_yield(first) {
///     Ok(value) => value,
///     Err(thrown) => *thrown.downcast::<u32>().unwrap() + 100,
/// });
/// c.resume(1)?;
/// assert_eq!(c.throw(7u32)?, CoroutineState::Complete(107));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Thrown(Box<dyn Any + Send>);

impl Thrown {
    /// Wraps a value, to be thrown.
    pub(super) fn new(value: Box<dyn Any + Send>) -> Self {
        Self(value)
    }

    /// The value, if it is a `T`.
    ///
    /// # Errors
    ///
    /// Gives itself back unchanged if the value has another type.
    pub fn downcast<T: Any>(self) -> Result<Box<T>, Self> {
        self.0.downcast().map_err(Self)
    }

    /// A look at the value, if it is a `T`.
    #[must_use]
    pub fn downcast_ref<T: Any>(&self) -> Option<&T> {
        self.0.downcast_ref()
    }

    /// Whether the value is a `T`.
    #[must_use]
    pub fn is<T: Any>(&self) -> bool {
        self.0.is::<T>()
    }

    /// The value in its box.
    #[must_use]
    pub fn into_inner(self) -> Box<dyn Any + Send> {
        self.0
    }

    fn text(&self) -> Option<&str> {
        self.0
            .downcast_ref::<&'static str>()
            .copied()
            .or_else(|| self.0.downcast_ref::<String>().map(String::as_str))
    }
}

impl fmt::Debug for Thrown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.text() {
            Some(text) => f.debug_tuple("Thrown").field(&text).finish(),
            None => f.write_str("Thrown(..)"),
        }
    }
}

impl fmt::Display for Thrown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.text() {
            Some(text) => write!(f, "a value was thrown into the coroutine: {text}"),
            None => f.write_str("a value was thrown into the coroutine"),
        }
    }
}

impl Error for Thrown {}

/// Why [`Coroutine::resume`](crate::Coroutine::resume) could not run the body. The value sent comes back.
#[derive(PartialEq, Eq, Clone, Copy)]
pub enum ResumeError<In> {
    /// The body has returned, or was unwound.
    Finished(In),
    /// The body is running: it, or something it called, tried to resume it.
    Running(In),
}

impl<In> ResumeError<In> {
    /// The value that was to be sent.
    pub fn into_inner(self) -> In {
        match self {
            Self::Finished(value) | Self::Running(value) => value,
        }
    }
}

impl<In> fmt::Debug for ResumeError<In> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Finished(_) => "Finished(..)",
            Self::Running(_) => "Running(..)",
        })
    }
}

impl<In> fmt::Display for ResumeError<In> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Finished(_) => "the coroutine has finished and cannot be resumed",
            Self::Running(_) => "the coroutine is running and cannot be resumed from inside itself",
        })
    }
}

impl<In> Error for ResumeError<In> {}

/// Why [`Coroutine::throw`](crate::Coroutine::throw) gave nothing. The value thrown comes back.
#[derive(Debug)]
pub enum ThrowError {
    /// Nobody caught it: the body was unwound (or never begun) and is finished.
    Uncaught(Thrown),
    /// The body had finished before.
    Finished(Thrown),
    /// The body is running: it, or something it called, tried to throw into it.
    Running(Thrown),
    /// The body is suspended in a destructor while it unwinds. A second unwinding
    /// would abort the process, so nothing was done: resume it until it ends.
    Unwinding(Thrown),
}

impl ThrowError {
    /// The value that was thrown.
    #[must_use]
    pub fn into_inner(self) -> Thrown {
        match self {
            Self::Uncaught(value)
            | Self::Finished(value)
            | Self::Running(value)
            | Self::Unwinding(value) => value,
        }
    }
}

impl fmt::Display for ThrowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Uncaught(_) => "nothing in the coroutine caught the value thrown into it",
            Self::Finished(_) => "the coroutine has finished and cannot be thrown into",
            Self::Running(_) => "the coroutine is running and cannot be thrown into from inside itself",
            Self::Unwinding(_) => "the coroutine is suspended in a destructor while it unwinds and cannot be thrown into",
        })
    }
}

impl Error for ThrowError {}

/// Why [`Coroutine::close`](crate::Coroutine::close) did not end the body.
#[derive(PartialEq, Eq, Clone, Copy)]
pub enum CloseError<Out> {
    /// The body caught the unwinding and yielded this. It is suspended there,
    /// and may be closed again.
    Yielded(Out),
    /// The body is running: it, or something it called, tried to close it.
    Running,
    /// The body is suspended in a destructor while it unwinds. A second unwinding
    /// would abort the process, so nothing was done: resume it until it ends.
    Unwinding,
}

impl<Out> fmt::Debug for CloseError<Out> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Yielded(_) => "Yielded(..)",
            Self::Running => "Running",
            Self::Unwinding => "Unwinding",
        })
    }
}

impl<Out> fmt::Display for CloseError<Out> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Yielded(_) => "the coroutine yielded while it was being closed",
            Self::Running => "the coroutine is running and cannot be closed from inside itself",
            Self::Unwinding => {
                "the coroutine is suspended in a destructor while it unwinds and cannot be closed"
            }
        })
    }
}

impl<Out> Error for CloseError<Out> {}
