//! `try_scope`: children that return a `Result`, and whose first error is the
//! scope's.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::panic::Location;

use super::tasks::{Ground, ScopedJoinHandle};
use crate::scheduler::children::Outcome;
use crate::scheduler::spawn::{self, Telling, Wish};
use crate::scheduler::{Ending, frame, park};
use crate::task::Builder;

/// Where the children of a [`try_scope`] are spawned.
pub struct TryScope<'scope, 'env: 'scope, E> {
    ground: Ground<'scope>,
    /// The first error, unless a panic came before it.
    error: RefCell<Option<E>>,
    env: PhantomData<&'env mut &'env ()>,
}

impl<E> fmt::Debug for TryScope<'_, '_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TryScope").finish_non_exhaustive()
    }
}

/// Like [`scope`](crate::scope), with children that return a `Result`: the first
/// error cancels all others, and is returned when they have ended.
///
/// ```
/// use std::io;
/// use greenroom::{park, run, try_scope};
///
/// run(|| {
///     let read = |fails: bool| if fails { Err(io::ErrorKind::NotFound.into()) } else { Ok(5) };
///     let sum = try_scope::<io::Error, _>(|s| {
///         let (a, b) = (s.spawn(|| read(false)), s.spawn(|| read(false)));
///         Ok(a.join() + b.join()) // each is the value itself
///     });
///     assert_eq!(sum.unwrap(), 10);
///     let failed = try_scope::<io::Error, _>(|s| {
///         s.spawn(|| read(true));
///         Ok(park()) // cancelled
///     });
///     assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::NotFound);
/// });
/// ```
///
/// Later errors are told to
/// [`Config::on_unobserved`](crate::Config::on_unobserved), as a `String` of their
/// `Debug`. A panic counts as a failure like an error, and goes on to the caller if
/// it is the first.
///
/// # Errors
///
/// The first error among those of the body and the children.
///
/// # Panics
///
/// With the first panic, if no error came before it; and on a plain thread.
///
/// # Cancellation
///
/// As [`scope`](crate::scope).
#[track_caller]
pub fn try_scope<'env, E, T>(
    body: impl for<'scope> FnOnce(&'scope TryScope<'scope, 'env, E>) -> Result<T, E>,
) -> Result<T, E>
where
    E: fmt::Debug,
{
    let scope = TryScope {
        ground: Ground::new("try_scope", true),
        error: RefCell::new(None),
        env: PhantomData,
    };
    let outcome = scope
        .ground
        .run(|| body(&scope).map_err(|error| scope.fail(error)));
    if let Some(error) = scope.error.take() {
        return Err(error);
    }
    match outcome {
        Outcome::Returned(Ok(value)) => Ok(value),
        Outcome::Unwinds(payload) => frame::go_on(payload),
        Outcome::Returned(Err(())) | Outcome::Failed => {
            unreachable!("a scope that failed has an error")
        }
    }
}

impl<'scope, E: fmt::Debug + 'scope> TryScope<'scope, '_, E> {
    /// Keeps the first error; tells the hook of later ones.
    fn fail(&self, error: E) {
        if self.ground.children().fail_elsewhere() {
            self.error.replace(Some(error));
        } else if let Some(task) = park::current() {
            spawn::tell_unobserved(task, Box::new(format!("{error:?}")));
        }
    }

    /// Starts a child; the caller goes on. As [`Scope::spawn`](crate::Scope::spawn);
    /// an error that the child returns is the scope's.
    ///
    /// # Panics
    ///
    /// If there is no memory for its stack; see [`Builder::try_spawn_scoped`].
    #[track_caller]
    pub fn spawn<T: 'scope>(
        &'scope self,
        body: impl FnOnce() -> Result<T, E> + 'scope,
    ) -> ScopedJoinHandle<'scope, T> {
        self.spawn_at(Location::caller(), body)
    }

    /// [`spawn`](Self::spawn), on behalf of the code at `place`.
    #[track_caller]
    pub(super) fn spawn_at<T: 'scope>(
        &'scope self,
        place: &'static Location<'static>,
        body: impl FnOnce() -> Result<T, E> + 'scope,
    ) -> ScopedJoinHandle<'scope, T> {
        self.spawn_wish(&Wish::default(), place, body)
            .unwrap_or_else(|error| panic!("no stack for a task: {error}"))
    }

    fn spawn_wish<T: 'scope>(
        &'scope self,
        wish: &Wish,
        place: &'static Location<'static>,
        body: impl FnOnce() -> Result<T, E> + 'scope,
    ) -> io::Result<ScopedJoinHandle<'scope, T>> {
        let body = move || match body() {
            Ok(value) => Ending::Returned(value),
            Err(error) => {
                self.fail(error);
                Ending::Cancelled
            }
        };
        self.ground
            .spawn::<Telling, _>(wish, place, body)
            .map(ScopedJoinHandle)
    }

    /// Lets at most `children` live at once; see
    /// [`Scope::set_limit`](crate::Scope::set_limit).
    pub fn set_limit(&self, children: usize) {
        self.ground.children().set_limit(children);
    }

    /// How many children have not ended.
    #[must_use]
    pub fn living(&self) -> usize {
        self.ground.children().living()
    }

    /// Cancels the children there are. The body goes on, and so does the scope.
    pub fn cancel_children(&self) {
        self.ground.children().cancel_children();
    }
}

impl Builder {
    /// Starts a child of a [`try_scope`].
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn): the body is dropped unrun. What the child returns
    /// is another matter: see [`TryScope::spawn`].
    #[track_caller]
    pub fn try_spawn_scoped<'scope, T: 'scope, E: fmt::Debug + 'scope>(
        self,
        scope: &'scope TryScope<'scope, '_, E>,
        body: impl FnOnce() -> Result<T, E> + 'scope,
    ) -> io::Result<ScopedJoinHandle<'scope, T>> {
        let wish = &self.checked()?;
        scope.spawn_wish(wish, Location::caller(), body)
    }
}
