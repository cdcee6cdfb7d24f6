//! Task-locals: values that belong to a task for the time of a call.

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::ptr;
use std::rc::Rc;

use crate::scheduler::locals;

/// A key to a value of the running task, declared by
/// [`task_local!`](crate::task_local).
///
/// ```
/// use greenroom::{Builder, run, spawn, task_local, yield_now};
///
/// task_local! {
///     static REQUEST: u32;
/// }
///
/// fn handle() -> u32 {
///     yield_now(); // others have their own
///     REQUEST.get()
/// }
///
/// run(|| {
///     let (a, b) = (spawn(|| REQUEST.scope(1, handle)), spawn(|| REQUEST.scope(2, handle)));
///     assert_eq!((a.join().unwrap(), b.join().unwrap()), (1, 2));
///     REQUEST.scope(3, || {
///         let child = Builder::new().inherit_locals(true).spawn(handle).unwrap();
///         assert_eq!(child.join().unwrap(), 3);
///         assert!(spawn(|| REQUEST.try_with(|_| ()).is_none()).join().unwrap());
///     });
/// });
/// ```
///
/// Tasks spawned inside do not see it, be they children of a scope or jobs of `gather`,
/// unless [`Builder::inherit_locals`](crate::Builder::inherit_locals) says so: bind it
/// anew in the child, or pass the value.
///
/// A value lives as long as the call of [`scope`](Self::scope), and the tasks that
/// inherited it. On a plain thread the bindings are the thread's.
///
/// A generator must not yield while a `scope` opened in its body is open: whoever
/// resumes it would see the value. The yield panics.
pub struct LocalKey<T: 'static> {
    /// Makes statics differ in their addresses.
    _address: u8,
    value: PhantomData<fn() -> T>,
}

impl<T: 'static> fmt::Debug for LocalKey<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalKey").finish_non_exhaustive()
    }
}

impl<T: 'static> LocalKey<T> {
    /// For [`task_local!`](crate::task_local).
    #[doc(hidden)]
    #[must_use]
    pub const fn new() -> Self {
        Self {
            _address: 0,
            value: PhantomData,
        }
    }

    fn key(&'static self) -> usize {
        ptr::from_ref(self).addr()
    }

    /// Binds the key to `value` for the time of `body`. Within it the key may be
    /// bound anew.
    pub fn scope<R>(&'static self, value: T, body: impl FnOnce() -> R) -> R {
        locals::with(self.key(), Rc::new(value), body)
    }

    /// Looks at the value. `None` if the key is not bound here.
    pub fn try_with<R>(&'static self, look: impl FnOnce(&T) -> R) -> Option<R> {
        let value: Rc<dyn Any> = locals::get(self.key())?;
        value.downcast_ref::<T>().map(look)
    }

    /// Looks at the value.
    ///
    /// # Panics
    ///
    /// If the key is not bound here.
    #[track_caller]
    pub fn with<R>(&'static self, look: impl FnOnce(&T) -> R) -> R {
        match self.try_with(look) {
            Some(result) => result,
            None => panic!(
                "a task-local is not bound here: call it inside its `scope` (tasks spawned in there do not inherit it by themselves)"
            ),
        }
    }

    /// A copy of the value.
    ///
    /// # Panics
    ///
    /// If the key is not bound here.
    #[must_use]
    #[track_caller]
    pub fn get(&'static self) -> T
    where
        T: Clone,
    {
        self.with(T::clone)
    }
}

/// Declares keys to values of tasks: see [`LocalKey`](crate::LocalKey).
///
/// ```
/// greenroom::task_local! {
///     /// Who is served.
///     pub static USER: String;
///     static DEPTH: u32;
/// }
/// let name = USER.scope("ada".to_owned(), || USER.with(|user| user.to_uppercase()));
/// assert_eq!(name, "ADA");
/// ```
#[macro_export]
macro_rules! task_local {
    () => {};
    ($(#[$attribute:meta])* $visible:vis static $name:ident: $type:ty $(; $($rest:tt)*)?) => {
        $(#[$attribute])*
        $visible static $name: $crate::LocalKey<$type> = $crate::LocalKey::new();
        $($crate::task_local! { $($rest)* })?
    };
}
