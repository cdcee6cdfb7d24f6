//! Errors that more than one room gives.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::io;
use std::sync::{Mutex, PoisonError};

/// How a task ended that returned nothing.
///
/// ```
/// # greenroom::run(|| {
/// let error = greenroom::spawn(|| panic!("the oven is cold")).join().unwrap_err();
/// assert!(error.is_panic());
/// assert_eq!(error.to_string(), "the task panicked: the oven is cold");
/// # });
/// ```
pub struct JoinError(Kind);

enum Kind {
    /// The lock makes the error `Sync`, so that it goes through `?` anywhere.
    Panicked(Mutex<Box<dyn Any + Send>>),
    Cancelled,
}

impl JoinError {
    pub(crate) fn panicked(payload: Box<dyn Any + Send>) -> Self {
        Self(Kind::Panicked(Mutex::new(payload)))
    }

    pub(crate) fn cancelled() -> Self {
        Self(Kind::Cancelled)
    }

    /// Whether the task panicked.
    #[must_use]
    pub fn is_panic(&self) -> bool {
        matches!(self.0, Kind::Panicked(_))
    }

    /// Whether the task was cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        matches!(self.0, Kind::Cancelled)
    }

    /// What the task panicked with, to be raised again with
    /// [`resume_unwind`](std::panic::resume_unwind).
    ///
    /// # Panics
    ///
    /// If the task did not panic; see [`try_into_panic`](Self::try_into_panic).
    #[must_use]
    #[track_caller]
    pub fn into_panic(self) -> Box<dyn Any + Send> {
        match self.try_into_panic() {
            Ok(payload) => payload,
            Err(_) => panic!("into_panic: the task was cancelled, it did not panic"),
        }
    }

    /// What the task panicked with.
    ///
    /// # Errors
    ///
    /// Gives itself back if the task did not panic.
    pub fn try_into_panic(self) -> Result<Box<dyn Any + Send>, Self> {
        match self.0 {
            Kind::Panicked(payload) => {
                Ok(payload.into_inner().unwrap_or_else(PoisonError::into_inner))
            }
            Kind::Cancelled => Err(self),
        }
    }

    fn message(&self) -> Option<String> {
        let Kind::Panicked(payload) = &self.0 else {
            return None;
        };
        let payload = payload.lock().unwrap_or_else(PoisonError::into_inner);
        let text = payload
            .downcast_ref::<&'static str>()
            .map(ToString::to_string);
        text.or_else(|| payload.downcast_ref::<String>().cloned())
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.0, self.message()) {
            (Kind::Cancelled, _) => f.write_str("JoinError::Cancelled"),
            (Kind::Panicked(_), Some(message)) => write!(f, "JoinError::Panicked({message:?})"),
            (Kind::Panicked(_), None) => f.write_str("JoinError::Panicked(..)"),
        }
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.0, self.message()) {
            (Kind::Cancelled, _) => f.write_str("the task was cancelled"),
            (Kind::Panicked(_), Some(message)) => write!(f, "the task panicked: {message}"),
            (Kind::Panicked(_), None) => f.write_str("the task panicked"),
        }
    }
}

impl Error for JoinError {}

impl From<JoinError> for io::Error {
    /// An error of kind `Other`, so that `?` works where I/O is done.
    fn from(error: JoinError) -> Self {
        Self::other(error)
    }
}
