//! How a coroutine is made: its name, and the size of its stack.

#![expect(
    unsafe_code,
    reason = "hands 'static bodies to the unchecked constructor"
)]

use std::io;
use std::panic::Location;

use super::object::{Coroutine, Inner};
use super::yielder::Yielder;

/// The stack size of coroutines and tasks where nothing else is said, in bytes.
pub const DEFAULT_STACK_SIZE: usize = 512 * 1024;

/// The size of the guard below a stack where nothing else is said, in bytes.
pub const DEFAULT_GUARD_SIZE: usize = 4096;

/// Name, stack size and guard size of a [`Coroutine`] or
/// [`Generator`](crate::Generator) to be made.
///
/// ```
/// use greenroom::{CoroutineBuilder, Yielder};
///
/// let c = CoroutineBuilder::new()
///     .name("counter")
///     .stack_size(64 * 1024)
///     .coroutine(|y: &Yielder<(), u32>, ()| y.yield_(1))?;
/// assert_eq!(c.name(), Some("counter"));
/// # c.close().unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct CoroutineBuilder {
    pub(super) name: Option<String>,
    pub(super) stack_size: usize,
    pub(super) guard_size: usize,
}

impl Default for CoroutineBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl CoroutineBuilder {
    /// The defaults: no name, [`DEFAULT_STACK_SIZE`], [`DEFAULT_GUARD_SIZE`].
    pub fn new() -> Self {
        Self {
            name: None,
            stack_size: DEFAULT_STACK_SIZE,
            guard_size: DEFAULT_GUARD_SIZE,
        }
    }

    /// A name, shown by `Debug` and in the line about a stack overflow.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Bytes of address space for the stack, rounded up to whole pages. At least
    /// 16 KiB. Memory is used page by page as the stack grows. Up to 2.3 KiB at
    /// its top are taken by its record and by the spacing of stack tops.
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = bytes;
        self
    }

    /// Bytes of guard below the stack, rounded up to whole pages. At least one
    /// page. Code built by other compilers without stack probes may want more.
    pub fn guard_size(mut self, bytes: usize) -> Self {
        self.guard_size = bytes;
        self
    }

    /// Makes the coroutine.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a size that cannot work or a name with a NUL in it;
    /// `OutOfMemory` when there is no memory, address space or mapping left for
    /// the stack, naming the limit.
    #[track_caller]
    pub fn coroutine<In: 'static, Out: 'static, Ret: 'static>(
        self,
        body: impl FnOnce(&Yielder<In, Out>, In) -> Ret + 'static,
    ) -> io::Result<Coroutine<In, Out, Ret>> {
        // SAFETY: everything is 'static, by the bounds of `body` and `Coroutine`.
        let inner = unsafe { Inner::new(self, Location::caller(), false, body) }?;
        Ok(Coroutine::from_inner(inner))
    }

    /// The name, if it is fit to be one.
    pub(super) fn checked_name(&self) -> io::Result<Option<Box<str>>> {
        match &self.name {
            Some(name) if name.contains('\0') => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("the name {name:?} contains a NUL character"),
            )),
            other => Ok(other.as_deref().map(Into::into)),
        }
    }
}
