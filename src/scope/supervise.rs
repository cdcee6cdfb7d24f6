//! `supervise`: children that fail alone.

use std::io;
use std::marker::PhantomData;
use std::panic::Location;

use super::started::{self, StartError, Started};
use super::tasks::Ground;
use crate::scheduler::children::Outcome;
use crate::scheduler::spawn::{Plain, Wish};
use crate::scheduler::{Ending, frame};
use crate::task::Builder;

pub use handle::SupervisedJoinHandle;

/// Where the children of [`supervise`] are spawned.
#[derive(Debug)]
pub struct Supervisor<'scope, 'env: 'scope> {
    ground: Ground<'scope>,
    env: PhantomData<&'env mut &'env ()>,
}

/// Like [`scope`](crate::scope), but children fail alone: a panic is what `join`
/// of that child returns, and if nobody joins it, what
/// [`Config::on_unobserved`](crate::Config::on_unobserved) is told.
///
/// A panic of the body cancels the children, as in a scope. A body that returns, be it
/// an `Err`, cancels nobody: its children go on, and this waits for them; see
/// [`try_supervise`]. What children return is told to nobody. A supervisor that
/// serves for ever needs memory for its living children only.
///
/// ```
/// use greenroom::{run, supervise};
///
/// run(|| {
///     supervise(|s| {
///         let bad = s.spawn(|| -> u32 { panic!("only me") });
///         let good = s.spawn(|| 5);
///         assert!(bad.join().unwrap_err().is_panic());
///         assert_eq!(good.join().unwrap(), 5);
///     });
/// });
/// ```
///
/// # Panics
///
/// With a panic of the body; and on a plain thread.
///
/// # Cancellation
///
/// When the caller is cancelled, so are the children, at once. It waits for them,
/// then goes on unwinding.
#[inline]
#[track_caller]
pub fn supervise<'env, T>(
    body: impl for<'scope> FnOnce(&'scope Supervisor<'scope, 'env>) -> T,
) -> T {
    let scope = Supervisor {
        ground: Ground::new("supervise", false),
        env: PhantomData,
    };
    match scope.ground.run(|| body(&scope)) {
        Outcome::Returned(value) => value,
        Outcome::Failed => unreachable!("only panics are failures here"),
        Outcome::Unwinds(payload) => frame::go_on(payload),
    }
}

/// Like [`supervise`], for a body that returns a `Result`: its error cancels the
/// children, so that `?` leaves the whole, and is returned when they have ended.
///
/// What children return is theirs: an error of a child is what its `join` gives, and
/// told to nobody else.
///
/// ```
/// use greenroom::{park, run, try_supervise};
///
/// run(|| {
///     let ended: Result<(), &str> = try_supervise(|s| {
///         s.spawn(park); // is cancelled
///         Err("no more clients")?;
///         Ok(())
///     });
///     assert_eq!(ended, Err("no more clients"));
/// });
/// ```
///
/// # Errors
///
/// The body's.
///
/// # Panics
///
/// As [`supervise`].
///
/// # Cancellation
///
/// As [`supervise`].
#[track_caller]
pub fn try_supervise<'env, T, E>(
    body: impl for<'scope> FnOnce(&'scope Supervisor<'scope, 'env>) -> Result<T, E>,
) -> Result<T, E> {
    supervise(|s| {
        let result = body(s);
        if result.is_err() {
            s.ground.children().cancel();
        }
        result
    })
}

impl<'scope> Supervisor<'scope, '_> {
    /// Starts a child; the caller goes on. As [`Scope::spawn`](crate::Scope::spawn).
    ///
    /// # Panics
    ///
    /// If there is no memory for its stack; see [`Builder::spawn_supervised`].
    #[inline(always)]
    #[track_caller]
    pub fn spawn<T: 'scope>(
        &'scope self,
        body: impl FnOnce() -> T + 'scope,
    ) -> SupervisedJoinHandle<'scope, T> {
        self.spawn_at(Location::caller(), body)
    }

    /// [`spawn`](Self::spawn), on behalf of the code at `place`.
    #[inline(always)]
    #[track_caller]
    pub(super) fn spawn_at<T: 'scope>(
        &'scope self,
        place: &'static Location<'static>,
        body: impl FnOnce() -> T + 'scope,
    ) -> SupervisedJoinHandle<'scope, T> {
        self.ground
            .spawn::<Plain, _>(&Wish::default(), place, body)
            .map(SupervisedJoinHandle)
            .unwrap_or_else(|error| panic!("no stack for a task: {error}"))
    }

    /// Starts a child, and waits until it says that it is ready. As
    /// [`Scope::spawn_started`](crate::Scope::spawn_started).
    ///
    /// # Errors
    ///
    /// If the child ends without having said so.
    ///
    /// # Panics
    ///
    /// As [`spawn`](Self::spawn).
    #[track_caller]
    pub fn spawn_started<V: 'scope, T: 'scope>(
        &'scope self,
        body: impl FnOnce(Started<V>) -> T + 'scope,
    ) -> Result<(V, SupervisedJoinHandle<'scope, T>), StartError<T>> {
        let (value, task) = started::spawn(&self.ground, Location::caller(), |ready| {
            Ending::Returned(body(ready))
        })?;
        Ok((value, SupervisedJoinHandle(task)))
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
    /// Starts a child of a supervisor; see [`Supervisor::spawn`].
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn): the body is dropped unrun.
    #[track_caller]
    pub fn spawn_supervised<'scope, T: 'scope>(
        self,
        scope: &'scope Supervisor<'scope, '_>,
        body: impl FnOnce() -> T + 'scope,
    ) -> io::Result<SupervisedJoinHandle<'scope, T>> {
        let wish = &self.checked()?;
        scope
            .ground
            .spawn::<Plain, _>(wish, Location::caller(), body)
            .map(SupervisedJoinHandle)
    }
}

/// The handle of a child that fails alone.
mod handle {
    use std::fmt;

    use super::super::tasks::ScopedTask;
    use crate::awaitable::Awaitable;
    use crate::error::JoinError;
    use crate::id::TaskId;
    use crate::scheduler::select::Selectable;
    use crate::task::select::{Handle, JoinArm, Key};

    /// The handle of a child of [`supervise`](crate::supervise). Dropping it lets the
    /// child run on; the supervisor waits for it.
    pub struct SupervisedJoinHandle<'scope, T>(pub(in super::super) ScopedTask<'scope, T>);

    impl<T> SupervisedJoinHandle<'_, T> {
        /// Waits until the child has ended, and returns what it returned.
        ///
        /// # Errors
        ///
        /// If it panicked, or was cancelled.
        ///
        /// # Cancellation
        ///
        /// Unwinds when the caller was cancelled. While the caller unwinds, it really
        /// waits.
        #[inline(always)]
        #[track_caller]
        pub fn join(self) -> Result<T, JoinError> {
            self.0.join().into_result()
        }

        /// Cancels the child.
        pub fn cancel(&self) {
            self.0.key().cancel();
        }

        /// Whether the child has ended. Never waits.
        #[must_use]
        pub fn is_finished(&self) -> bool {
            self.0.key().is_finished()
        }

        /// The child's number.
        #[must_use]
        pub fn id(&self) -> TaskId {
            self.0.key().id()
        }
    }

    impl<T> Handle for SupervisedJoinHandle<'_, T> {
        fn key(&self) -> Key<'_> {
            Key(self.0.key())
        }
    }

    impl<'a, 'scope, T> Selectable for &'a mut SupervisedJoinHandle<'scope, T> {
        type Output = Result<T, JoinError>;
        type Arm = JoinArm<'a, SupervisedJoinHandle<'scope, T>>;

        fn into_arm(self) -> Self::Arm {
            JoinArm::new(self)
        }

        #[track_caller]
        fn finish(arm: &mut Self::Arm) -> Self::Output {
            arm.handle.0.take().into_result()
        }
    }

    impl<T> Awaitable for SupervisedJoinHandle<'_, T> {
        type Output = Result<T, JoinError>;

        #[track_caller]
        fn wait(self) -> Self::Output {
            self.join()
        }
    }

    impl<T> fmt::Debug for SupervisedJoinHandle<'_, T> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.debug_struct("SupervisedJoinHandle")
                .field("id", &self.id())
                .field("is_finished", &self.is_finished())
                .finish()
        }
    }
}
