//! `scope`: children that borrow, and fail together.

#![expect(
    unsafe_code,
    reason = "children borrow; the scope joins them before what they borrow goes"
)]

use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::panic::Location;
use std::ptr;

use super::cancel::task_for;
use super::started::{self, StartError, Started};
use crate::awaitable::Awaitable;
use crate::error::JoinError;
use crate::id::TaskId;
use crate::scheduler::children::{Children, Outcome};
use crate::scheduler::select::Selectable;
use crate::scheduler::spawn::{Kind, Plain, TaskKey, Wish};
use crate::scheduler::{Ending, frame, park};
use crate::task::Builder;
use crate::task::select::{Handle, JoinArm, Key};

/// Where the children of a [`scope`] are spawned.
#[derive(Debug)]
pub struct Scope<'scope, 'env: 'scope> {
    ground: Ground<'scope>,
    env: PhantomData<&'env mut &'env ()>,
}

/// What every kind of scope is made of: its children, and the lifetime of what
/// they may borrow. Invariant, so that nobody can shorten it.
#[derive(Debug)]
pub(super) struct Ground<'scope> {
    children: Children,
    scope: PhantomData<&'scope mut &'scope ()>,
}

/// Runs `body`, which may spawn children that borrow from the caller, and waits
/// until all have ended.
///
/// ```
/// use greenroom::{run, scope};
///
/// run(|| {
///     let words = ["green", "room"];
///     let lengths: Vec<usize> = scope(|s| {
///         let children: Vec<_> = words.iter().map(|w| s.spawn(move || w.len())).collect();
///         children.into_iter().map(|child| child.join()).collect()
///     });
///     assert_eq!(lengths, [5, 4]);
/// });
/// ```
///
/// A child that panics, and a body that does, cancel all others. When they have
/// ended, the first panic goes on to the caller; later ones are told to
/// [`Config::on_unobserved`](crate::Config::on_unobserved). A body that returns, be it
/// an `Err`, cancels nobody: the scope waits for its children. Where `?` is to end them,
/// see [`try_scope`](crate::try_scope). Children may spawn siblings.
///
/// Nothing outlives it, so this does not compile:
///
/// ```compile_fail,E0521
/// # use greenroom::{run, scope};
/// run(|| {
///     let mut kept = None;
///     scope(|s| kept = Some(s.spawn(|| 5)));
/// });
/// ```
///
/// # Panics
///
/// With the first panic among the body and the children; and on a plain thread.
///
/// # Scheduling
///
/// Children start in the order they were spawned. Waits at its end, if any is
/// left.
///
/// # Cancellation
///
/// When the caller is cancelled, so are the children, at once. The scope waits for
/// them, then goes on unwinding; a panic of one of them goes first.
#[doc(alias = "nursery")]
#[doc(alias = "TaskGroup")]
#[inline]
#[track_caller]
pub fn scope<'env, T>(body: impl for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> T) -> T {
    let scope = Scope {
        ground: Ground::new("scope", true),
        env: PhantomData,
    };
    match scope.ground.run(|| body(&scope)) {
        Outcome::Returned(value) => value,
        Outcome::Failed => unreachable!("only panics are failures here"),
        Outcome::Unwinds(payload) => frame::go_on(payload),
    }
}

impl<'scope> Ground<'scope> {
    /// A scope of the running task.
    ///
    /// # Panics
    ///
    /// On a plain thread.
    #[inline(always)]
    #[track_caller]
    pub(super) fn new(what: &str, fails_together: bool) -> Self {
        Self {
            children: Children::new(task_for(what), fails_together),
            scope: PhantomData,
        }
    }

    /// Runs the body of the scope. All children have ended when this returns.
    #[inline(always)]
    pub(super) fn run<T>(&self, body: impl FnOnce() -> T) -> Outcome<T> {
        self.children.run(body)
    }

    pub(super) fn children(&self) -> &Children {
        &self.children
    }

    /// Spawns a child whose ending is told by `body` itself.
    #[inline(always)]
    pub(super) fn spawn<K: Kind<F, Value: 'scope>, F: 'scope>(
        &'scope self,
        wish: &Wish,
        place: &'static Location<'static>,
        body: F,
    ) -> io::Result<ScopedTask<'scope, K::Value>> {
        // SAFETY: body and result outlive 'scope, which lasts until the borrow of
        // this value ends. Whoever has one is inside `run`, which does not return
        // before all children have ended.
        let key = unsafe { self.children.spawn::<K, F>(wish, place, body) }?;
        Ok(ScopedTask {
            key,
            scope: &self.children,
            result: PhantomData,
        })
    }
}

/// A child's handle, whatever its kind.
pub(super) struct ScopedTask<'scope, T> {
    key: TaskKey,
    scope: &'scope Children,
    result: PhantomData<(T, &'scope mut &'scope ())>,
}

impl<T> ScopedTask<'_, T> {
    /// Waits for the end, and takes the ending out.
    #[inline(always)]
    #[track_caller]
    pub(super) fn join(self) -> Ending<T> {
        // SAFETY: `Ground::spawn` made the task with this result type, and `join`
        // takes the only handle.
        let ending = unsafe { self.key.join::<T>() };
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is not used again, and not dropped.
        unsafe { ptr::drop_in_place(&raw mut this.key) };
        ending
    }

    /// The ending of a child that has one. Once.
    #[track_caller]
    pub(super) fn take(&mut self) -> Ending<T> {
        // SAFETY: as in `join`; a second time it panics.
        unsafe { self.key.join::<T>() }
    }

    pub(super) fn key(&self) -> &TaskKey {
        &self.key
    }
}

impl<T> Drop for ScopedTask<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: as in `join`.
        unsafe { self.key.discard_ending::<T>() };
    }
}

impl<'scope> Scope<'scope, '_> {
    /// Starts a child; the caller goes on.
    ///
    /// In a scope that is cancelled the child's body is dropped unrun.
    ///
    /// # Panics
    ///
    /// If there is no memory for its stack; see [`Builder::spawn_scoped`].
    ///
    /// # Scheduling
    ///
    /// Goes on at once, unless the scope has a [limit](Self::set_limit) and is full:
    /// then it waits for a child to end. Children start in order.
    #[inline(always)]
    #[track_caller]
    pub fn spawn<T: 'scope>(
        &'scope self,
        body: impl FnOnce() -> T + 'scope,
    ) -> ScopedJoinHandle<'scope, T> {
        self.spawn_at(Location::caller(), body)
    }

    /// [`spawn`](Self::spawn), on behalf of the code at `place`.
    #[inline(always)]
    #[track_caller]
    pub(super) fn spawn_at<T: 'scope>(
        &'scope self,
        place: &'static Location<'static>,
        body: impl FnOnce() -> T + 'scope,
    ) -> ScopedJoinHandle<'scope, T> {
        self.spawn_wish(&Wish::default(), place, body)
            .unwrap_or_else(|error| panic!("no stack for a task: {error}"))
    }

    #[inline(always)]
    fn spawn_wish<T: 'scope>(
        &'scope self,
        wish: &Wish,
        place: &'static Location<'static>,
        body: impl FnOnce() -> T + 'scope,
    ) -> io::Result<ScopedJoinHandle<'scope, T>> {
        self.ground
            .spawn::<Plain, _>(wish, place, body)
            .map(ScopedJoinHandle)
    }

    /// Starts a child, and waits until it says that it is ready: until it gives a
    /// value to what it is passed. See [`Started`].
    ///
    /// ```
    /// use greenroom::{StartError, park, run, scope};
    ///
    /// run(|| {
    ///     scope(|s| {
    ///         let (port, server) = s.spawn_started(|ready| {
    ///             ready.set(8080); // now the caller goes on
    ///             park();
    ///         }).unwrap();
    ///         assert_eq!(port, 8080);
    ///         server.cancel();
    ///         let failed = s.spawn_started::<(), _>(|_ready| "no such port");
    ///         assert!(matches!(failed, Err(StartError::Returned("no such port"))));
    ///     });
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// If the child ends without having said so: what it returned or panicked
    /// with. That is no failure of the scope.
    ///
    /// # Panics
    ///
    /// As [`spawn`](Self::spawn).
    ///
    /// # Cancellation
    ///
    /// When the caller is cancelled while it waits, so is the child.
    #[track_caller]
    pub fn spawn_started<V: 'scope, T: 'scope>(
        &'scope self,
        body: impl FnOnce(Started<V>) -> T + 'scope,
    ) -> Result<(V, ScopedJoinHandle<'scope, T>), StartError<T>> {
        let (value, task) = started::spawn(&self.ground, Location::caller(), |ready| {
            Ending::Returned(body(ready))
        })?;
        Ok((value, ScopedJoinHandle(task)))
    }

    /// Lets at most `children` of the scope's tasks live at once, at least one: from
    /// now on `spawn` waits while there are as many.
    pub fn set_limit(&self, children: usize) {
        self.ground.children.set_limit(children);
    }

    /// How many children have not ended.
    #[must_use]
    pub fn living(&self) -> usize {
        self.ground.children.living()
    }

    /// Cancels the children there are. The body goes on, and so does the scope.
    pub fn cancel_children(&self) {
        self.ground.children.cancel_children();
    }
}

/// The handle of a child of a [`scope`]. Dropping it lets the child run on; the
/// scope waits for it.
pub struct ScopedJoinHandle<'scope, T>(pub(super) ScopedTask<'scope, T>);

impl<T> ScopedJoinHandle<'_, T> {
    /// Waits until the child has ended, and returns what it returned.
    ///
    /// If it failed there is nothing to return: the scope is cancelled then, and so
    /// this call unwinds.
    ///
    /// # Panics
    ///
    /// If the child was cancelled by its own handle; see
    /// [`try_join`](Self::try_join). In a destructor that runs while the task
    /// unwinds, a child without a result aborts the process.
    ///
    /// # Scheduling
    ///
    /// Returns at once if the child has ended. Else the others run.
    ///
    /// # Cancellation
    ///
    /// Unwinds when the caller was cancelled. With
    /// [`Delivery::Error`](crate::Delivery::Error) it waits on, and unwinds only if
    /// the child has no result.
    #[inline(always)]
    #[track_caller]
    pub fn join(self) -> T {
        let scope = self.0.scope;
        returned(scope, self.0.join())
    }

    /// Waits until the child has ended. Like [`join`](Self::join), but a child without
    /// a result is an error.
    ///
    /// # Errors
    ///
    /// If the child failed, or was cancelled. With what it failed, the scope's caller
    /// is told.
    ///
    /// # Cancellation
    ///
    /// Unwinds when the caller was cancelled, which the failure of a child does.
    #[track_caller]
    pub fn try_join(self) -> Result<T, JoinError> {
        self.0.join().into_result()
    }

    /// Cancels the child. That is no failure of the scope.
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

/// What a child returned.
#[inline(always)]
#[track_caller]
fn returned<T>(scope: &Children, ending: Ending<T>) -> T {
    match ending {
        Ending::Returned(value) => value,
        Ending::Panicked(payload, _) => frame::go_on(payload),
        Ending::Cancelled if scope.is_cancelled() => cancelled(),
        Ending::Cancelled => no_result(),
    }
}

/// A child has no result because its scope was cancelled: whoever joins is in that
/// scope, or in one further in, be it a shield.
#[cold]
fn cancelled() -> ! {
    let reason = park::current().map(frame::pending_error);
    frame::go_on(Box::new(reason.unwrap_or_default()))
}

/// What was to be joined has no result.
#[cold]
#[track_caller]
pub(super) fn no_result<T>() -> T {
    match park::current() {
        Some(task) if frame::is_pending(task) => cancelled(),
        _ => panic!("the child was cancelled and has no result: try_join tells"),
    }
}

impl<T> Handle for ScopedJoinHandle<'_, T> {
    fn key(&self) -> Key<'_> {
        Key(self.0.key())
    }
}

impl<'a, 'scope, T> Selectable for &'a mut ScopedJoinHandle<'scope, T> {
    type Output = T;
    type Arm = JoinArm<'a, ScopedJoinHandle<'scope, T>>;

    fn into_arm(self) -> Self::Arm {
        JoinArm::new(self)
    }

    #[track_caller]
    fn finish(arm: &mut Self::Arm) -> T {
        returned(arm.handle.0.scope, arm.handle.0.take())
    }
}

impl<T> Awaitable for ScopedJoinHandle<'_, T> {
    type Output = T;

    #[track_caller]
    fn wait(self) -> T {
        self.join()
    }
}

impl<T> fmt::Debug for ScopedJoinHandle<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopedJoinHandle")
            .field("id", &self.id())
            .field("is_finished", &self.is_finished())
            .finish()
    }
}

impl Builder {
    /// Starts a child of `scope`; see [`Scope::spawn`].
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn): the body is dropped unrun.
    #[track_caller]
    pub fn spawn_scoped<'scope, T: 'scope>(
        self,
        scope: &'scope Scope<'scope, '_>,
        body: impl FnOnce() -> T + 'scope,
    ) -> io::Result<ScopedJoinHandle<'scope, T>> {
        let wish = &self.checked()?;
        scope.spawn_wish(wish, Location::caller(), body)
    }
}
