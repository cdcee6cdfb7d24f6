//! A cell that is written once, by a function that may wait.
//!
//! One task makes the value, the others wait for it. If it fails (an error, a panic, a
//! cancellation), the one who waits longest tries with its own function.

use std::cell;
use std::fmt;

use super::mutex::refuse;
use super::raw::RawLock;
use crate::scheduler::WaitReason;
use crate::scheduler::park::Patience;

/// A cell that is written once, by a function that may wait.
///
/// ```
/// use greenroom::{gather, run, sync::OnceCell, yield_now};
///
/// run(|| {
///     let config = OnceCell::new();
///     let load = || config.get_or_init(|| {
///         yield_now(); // reads a file, asks a server...
///         "loaded once"
///     });
///     assert_eq!(gather((load, load)), (&"loaded once", &"loaded once"));
/// });
/// ```
///
/// A function that needs the value it is to make would wait for itself: as with a
/// [`Mutex`](super::Mutex) a circle of waits is an error at once.
pub struct OnceCell<T> {
    value: cell::OnceCell<T>,
    /// Held by whoever makes the value.
    making: RawLock,
}

/// Lets the next one try, or see the value.
struct Making<'a>(&'a RawLock);

impl Drop for Making<'_> {
    fn drop(&mut self) {
        self.0.unlock();
    }
}

impl<T> OnceCell<T> {
    /// An empty cell.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            value: cell::OnceCell::new(),
            making: RawLock::new(),
        }
    }

    /// The value, if there is one. Never waits.
    ///
    /// ```
    /// use greenroom::sync::OnceCell;
    ///
    /// let cell = OnceCell::new();
    /// assert_eq!(cell.get(), None);
    /// cell.set(5).unwrap();
    /// assert_eq!(cell.get(), Some(&5));
    /// ```
    #[must_use]
    #[inline]
    pub fn get(&self) -> Option<&T> {
        self.value.get()
    }

    /// The value, if there is one.
    pub fn get_mut(&mut self) -> Option<&mut T> {
        self.value.get_mut()
    }

    /// Writes the value. Never waits.
    ///
    /// ```
    /// use greenroom::sync::OnceCell;
    ///
    /// let cell = OnceCell::new();
    /// assert_eq!(cell.set(5), Ok(()));
    /// assert_eq!(cell.set(6), Err(6));
    /// ```
    ///
    /// # Errors
    ///
    /// If there is a value, or somebody is making one. The value comes back.
    pub fn set(&self, value: T) -> Result<(), T> {
        if self.making.is_locked() {
            return Err(value);
        }
        self.value.set(value)
    }

    /// The value, made by `init` if there is none. While another task makes it, this one
    /// waits.
    ///
    /// # Panics
    ///
    /// If `init` does: the cell stays empty, and the next one tries. If the wait would
    /// close a circle of tasks; the message names them. On a plain thread, if somebody is
    /// making the value.
    ///
    /// # Scheduling
    ///
    /// If there is a value, it goes on at once. Else the others run while `init`, or this
    /// call, waits.
    ///
    /// # Cancellation
    ///
    /// If it waits, it unwinds when the task was cancelled. If that happens in `init` the
    /// cell stays empty, and the next one tries. It cannot fail: with
    /// [`Delivery::Error`](crate::Delivery::Error), and while the task unwinds, it really
    /// waits.
    #[inline]
    #[track_caller]
    pub fn get_or_init(&self, init: impl FnOnce() -> T) -> &T {
        match self.get_or_try_init(|| Ok::<T, Never>(init())) {
            Ok(value) => value,
            Err(never) => match never {},
        }
    }

    /// Like [`get_or_init`](Self::get_or_init), for functions that may fail.
    ///
    /// ```
    /// use greenroom::sync::OnceCell;
    ///
    /// let cell = OnceCell::new();
    /// assert_eq!(cell.get_or_try_init(|| "x".parse::<u8>().map_err(drop)), Err(()));
    /// assert_eq!(cell.get_or_try_init(|| "5".parse::<u8>().map_err(drop)), Ok(&5));
    /// ```
    ///
    /// # Errors
    ///
    /// What `init` says. The cell stays empty, and the next one tries.
    ///
    /// # Panics
    ///
    /// As [`get_or_init`](Self::get_or_init).
    ///
    /// # Scheduling
    ///
    /// As [`get_or_init`](Self::get_or_init).
    ///
    /// # Cancellation
    ///
    /// As [`get_or_init`](Self::get_or_init).
    #[inline]
    #[track_caller]
    pub fn get_or_try_init<E>(&self, init: impl FnOnce() -> Result<T, E>) -> Result<&T, E> {
        match self.value.get() {
            Some(value) => Ok(value),
            None => self.make(init),
        }
    }

    #[cold]
    #[track_caller]
    fn make<E>(&self, init: impl FnOnce() -> Result<T, E>) -> Result<&T, E> {
        if let Err(error) = self.making.lock(Patience::Waits, WaitReason::init) {
            refuse(&error);
        }
        let _making = Making(&self.making);
        if let Some(value) = self.value.get() {
            return Ok(value);
        }
        let value = init()?;
        // Nobody else can have set it: `set` looks at the lock.
        Ok(self.value.get_or_init(|| value))
    }

    /// The value, out of the cell.
    pub fn into_inner(self) -> Option<T> {
        self.value.into_inner()
    }

    /// Takes the value out; the cell is empty then.
    pub fn take(&mut self) -> Option<T> {
        self.value.take()
    }

    /// Whether a task is making the value now.
    #[must_use]
    pub fn is_initializing(&self) -> bool {
        self.making.is_locked() && self.value.get().is_none()
    }
}

enum Never {}

impl<T> Default for OnceCell<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> From<T> for OnceCell<T> {
    fn from(value: T) -> Self {
        Self {
            value: cell::OnceCell::from(value),
            making: RawLock::new(),
        }
    }
}

impl<T: Clone> Clone for OnceCell<T> {
    fn clone(&self) -> Self {
        Self {
            value: self.value.clone(),
            making: RawLock::new(),
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for OnceCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_tuple("OnceCell");
        match self.get() {
            Some(value) => debug.field(value),
            None => debug.field(&format_args!("<empty>")),
        };
        debug.finish()
    }
}
