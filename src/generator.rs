//! Generators: coroutines that only give values, as ordinary iterators.
//!
//! A generator is a coroutine that is sent nothing. It needs no scheduler, and
//! must know none: where its body waits inside a task, the whole task waits.

use std::fmt;
use std::iter::FusedIterator;
use std::panic::Location;

use crate::coroutine::scoped::{ScopedInner, borrow};
use crate::coroutine::{CloseError, Coroutine, CoroutineBuilder, CoroutineState, Status, Yielder};

/// An iterator whose `next` runs a body to its next yield.
///
/// It is fused: after the body has ended it gives `None` for ever. What the body
/// returned is kept for [`result`](Self::result).
///
/// ```
/// use greenroom::generator;
///
/// let fib = generator(|y| {
///     let (mut a, mut b) = (0u64, 1);
///     loop {
///         y.yield_(a);
///         (a, b) = (b, a + b);
///     }
/// });
/// assert_eq!(fib.take(7).collect::<Vec<_>>(), [0, 1, 1, 2, 3, 5, 8]);
/// ```
///
/// The body owns what it uses. One that borrows goes into
/// [`Generator::scope`].
///
/// # Waiting
///
/// Inside a task the body may sleep, read and receive. The task that called
/// `next` then waits, as if `next` were any other function.
///
/// # Dropping
///
/// A body that has not ended is unwound: its destructors run. See
/// [`Coroutine`](crate::Coroutine#dropping).
#[must_use = "a generator runs only as far as its values are taken"]
pub struct Generator<T, R = ()> {
    coroutine: Coroutine<(), T, R>,
    result: Option<R>,
}

/// A generator with a stack of the default size.
///
/// # Panics
///
/// If there is no memory for the stack; [`CoroutineBuilder::generator`] returns
/// an error instead.
#[track_caller]
pub fn generator<T: 'static, R: 'static>(
    body: impl FnOnce(&Yielder<(), T>) -> R + 'static,
) -> Generator<T, R> {
    Generator::new(body)
}

impl<T: 'static, R: 'static> Generator<T, R> {
    /// A generator with a stack of the default size.
    ///
    /// # Panics
    ///
    /// If there is no memory for the stack.
    #[track_caller]
    pub fn new(body: impl FnOnce(&Yielder<(), T>) -> R + 'static) -> Self {
        match CoroutineBuilder::new().generator(body) {
            Ok(generator) => generator,
            Err(error) => panic!("no stack for a generator: {error}"),
        }
    }
}

impl<T, R> Generator<T, R> {
    /// What the body returned, once; `None` before its end, and after it was
    /// closed.
    pub fn result(&mut self) -> Option<R> {
        self.result.take()
    }

    /// Where the generator stands.
    #[must_use]
    pub fn status(&self) -> Status {
        self.coroutine.status()
    }

    /// Ends the body: see [`Coroutine::close`].
    ///
    /// # Errors
    ///
    /// If the body caught the unwinding and yielded.
    pub fn close(&mut self) -> Result<(), CloseError<T>> {
        self.result = self.coroutine.close()?.or(self.result.take());
        Ok(())
    }
}

impl<T> Generator<T> {
    /// Runs `use_` with an iterator whose body may borrow from here. When `use_`
    /// returns or panics, the body is closed.
    ///
    /// ```
    /// use greenroom::{Generator, Yielder};
    ///
    /// struct Tree { left: Option<Box<Tree>>, value: u32, right: Option<Box<Tree>> }
    ///
    /// fn walk(tree: &Tree, y: &Yielder<(), u32>) {
    ///     if let Some(left) = &tree.left { walk(left, y) }
    ///     y.yield_(tree.value);
    ///     if let Some(right) = &tree.right { walk(right, y) }
    /// }
    ///
    /// let leaf = |value| Some(Box::new(Tree { left: None, value, right: None }));
    /// let tree = Tree { left: leaf(1), value: 2, right: leaf(3) };
    /// let sum: u32 = Generator::scope(|y| walk(&tree, y), |values| values.sum());
    /// assert_eq!(sum, 6);
    ///
    /// let words = vec!["to".to_owned(), "be".to_owned()];
    /// let long: Vec<&str> = Generator::scope(
    ///     |y| words.iter().for_each(|word| y.yield_(word.as_str())),
    ///     |values| values.collect(), // what is yielded may borrow too
    /// );
    /// assert_eq!(long, ["to", "be"]);
    /// ```
    ///
    /// The iterator cannot leave:
    ///
    /// ```compile_fail
    /// use greenroom::Generator;
    ///
    /// let kept = Generator::scope(|y| y.yield_(1), |values| values);
    /// ```
    ///
    /// What the body returns is found in [`Values::result`]: an error, say.
    ///
    /// ```
    /// use greenroom::{Generator, Yielder};
    ///
    /// fn numbers(text: &str, y: &Yielder<(), u32>) -> Result<(), std::num::ParseIntError> {
    ///     text.split(' ').try_for_each(|word| word.parse().map(|n| y.yield_(n)))
    /// }
    ///
    /// let (found, ended) = Generator::scope(
    ///     |y| numbers("1 2 x", y),
    ///     |mut values| (values.by_ref().collect::<Vec<_>>(), values.result()),
    /// );
    /// assert_eq!(found, [1, 2]);
    /// assert!(matches!(ended, Some(Err(_))));
    /// ```
    ///
    /// The body may consume other generators, and yield what they give. It must
    /// yield on its own stack: not from inside the body of another generator.
    ///
    /// # Panics
    ///
    /// If there is no memory for the stack; for deep recursion see
    /// [`CoroutineBuilder::generator_scope`]. A panic of the body goes on in `next`.
    #[track_caller]
    pub fn scope<R, Z>(
        body: impl FnOnce(&Yielder<(), T>) -> R,
        use_: impl for<'s> FnOnce(Values<'s, T, R>) -> Z,
    ) -> Z {
        match CoroutineBuilder::new().generator_scope(body, use_) {
            Ok(result) => result,
            Err(error) => panic!("no stack for a generator: {error}"),
        }
    }
}

impl CoroutineBuilder {
    /// Makes a generator.
    ///
    /// # Errors
    ///
    /// As [`coroutine`](Self::coroutine).
    #[track_caller]
    pub fn generator<T: 'static, R: 'static>(
        self,
        body: impl FnOnce(&Yielder<(), T>) -> R + 'static,
    ) -> std::io::Result<Generator<T, R>> {
        let coroutine = self.coroutine(move |y: &Yielder<(), T>, (): ()| body(y))?;
        Ok(Generator {
            coroutine,
            result: None,
        })
    }

    /// [`Generator::scope`] with a name and a stack size.
    ///
    /// # Errors
    ///
    /// As [`coroutine`](Self::coroutine).
    #[track_caller]
    pub fn generator_scope<T, R, Z>(
        self,
        body: impl FnOnce(&Yielder<(), T>) -> R,
        use_: impl for<'s> FnOnce(Values<'s, T, R>) -> Z,
    ) -> std::io::Result<Z> {
        let root = |y: &Yielder<(), T>, (): ()| body(y);
        let mut owner = borrow(self, Location::caller(), root)?;
        Ok(use_(Values {
            inner: &mut owner,
            result: None,
        }))
    }
}

impl<T, R> Iterator for Generator<T, R> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        match self.coroutine.resume(()) {
            Ok(CoroutineState::Yielded(value)) => Some(value),
            Ok(CoroutineState::Complete(result)) => {
                self.result = Some(result);
                None
            }
            Err(_) => None,
        }
    }
}

impl<T, R> FusedIterator for Generator<T, R> {}

impl<T, R> fmt::Debug for Generator<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Generator").field(&self.coroutine).finish()
    }
}

/// The values of a generator whose body borrows: see [`Generator::scope`].
#[must_use = "a generator runs only as far as its values are taken"]
pub struct Values<'s, T, R = ()> {
    inner: &'s mut ScopedInner<(), T, R>,
    result: Option<R>,
}

impl<T, R> Values<'_, T, R> {
    /// What the body returned, once; `None` before its end.
    pub fn result(&mut self) -> Option<R> {
        self.result.take()
    }
}

impl<T, R> Iterator for Values<'_, T, R> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        match self.inner.resume(()) {
            Ok(CoroutineState::Yielded(value)) => Some(value),
            Ok(CoroutineState::Complete(result)) => {
                self.result = Some(result);
                None
            }
            Err(_) => None,
        }
    }
}

impl<T, R> FusedIterator for Values<'_, T, R> {}

impl<T, R> fmt::Debug for Values<'_, T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Values").field(&self.inner).finish()
    }
}
