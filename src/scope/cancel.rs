//! Limits of time, shields, and scopes that can be cancelled from elsewhere.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::scheduler::cancel;
use crate::scheduler::frame::{self, Cause, Exit, Remote, Terms};
use crate::scheduler::{Cancelled, Delivery, TaskRef, park};
use crate::timer::Instant;

/// The time of a [`timeout`] was over before its body was done.
///
/// It turns into an [`io::Error`] of kind `TimedOut`, so that one `??` serves both
/// layers of `timeout(limit, || stream.read(..))??`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Elapsed;

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the time is over")
    }
}

impl Error for Elapsed {}

impl From<Elapsed> for io::Error {
    fn from(elapsed: Elapsed) -> Self {
        Self::new(io::ErrorKind::TimedOut, elapsed)
    }
}

/// The running task.
#[track_caller]
pub(super) fn task_for(what: &str) -> TaskRef {
    match park::current() {
        Some(task) => task,
        None => panic!("{what} needs a task: call it inside greenroom::run"),
    }
}

/// Runs `body`, and cancels it when it is not done after `limit`.
///
/// ```
/// use std::time::Duration;
/// use greenroom::{Elapsed, run, sleep, timeout};
///
/// run(|| {
///     assert_eq!(timeout(Duration::from_secs(5), || 42), Ok(42));
///     let late = timeout(Duration::from_millis(1), || sleep(Duration::from_secs(60)));
///     assert_eq!(late, Err(Elapsed));
/// });
/// ```
///
/// The limit is met where the body waits: a computation is not interrupted. A
/// body that is done in spite of it gives its value. With a limit of zero the body
/// runs until it first has to wait.
///
/// # Errors
///
/// [`Elapsed`], if the body was cancelled by this limit: it has been unwound. With
/// [`Delivery::Error`] its waiting calls fail with `TimedOut` instead, and its own
/// result is returned.
///
/// # Panics
///
/// With the body's own panic; and on a plain thread, where nothing could keep the
/// limit.
///
/// # Cancellation
///
/// A cancellation from further out goes through. Equal limits: the outer one wins.
#[doc(alias = "wait_for")]
#[doc(alias = "recv_timeout")]
#[doc(alias = "fail_after")]
#[inline]
#[track_caller]
pub fn timeout<T>(limit: Duration, body: impl FnOnce() -> T) -> Result<T, Elapsed> {
    let task = task_for("timeout");
    let now = frame::now(task);
    until(task, now.saturating_add(limit), now, body)
}

/// Like [`timeout`], with the moment at which the time is over.
///
/// # Errors
///
/// As [`timeout`].
///
/// # Panics
///
/// As [`timeout`].
#[track_caller]
pub fn timeout_at<T>(deadline: Instant, body: impl FnOnce() -> T) -> Result<T, Elapsed> {
    let task = task_for("timeout_at");
    until(task, deadline, frame::now(task), body)
}

#[inline(always)]
fn until<T>(
    task: TaskRef,
    deadline: Instant,
    now: Instant,
    body: impl FnOnce() -> T,
) -> Result<T, Elapsed> {
    let terms = Terms {
        deadline,
        now,
        ..Terms::PLAIN
    };
    match frame::within(task, terms, |_| body()) {
        Exit::Returned(value) => Ok(value),
        Exit::Caught => Err(Elapsed),
        Exit::Unwinds(payload) => frame::go_on(payload),
    }
}

/// Runs `body`, and gives up on it when it is not done after `limit`: [`timeout`]
/// for those to whom that is no error.
///
/// ```
/// use std::time::Duration;
/// use greenroom::{move_on_after, run, sleep};
///
/// run(|| {
///     let page = move_on_after(Duration::from_millis(1), || sleep(Duration::from_secs(60)));
///     assert!(page.is_none());
/// });
/// ```
///
/// # Panics
///
/// As [`timeout`].
#[inline]
#[track_caller]
pub fn move_on_after<T>(limit: Duration, body: impl FnOnce() -> T) -> Option<T> {
    timeout(limit, body).ok()
}

/// Like [`move_on_after`], with the moment at which the time is over.
///
/// # Panics
///
/// As [`timeout`].
#[track_caller]
pub fn move_on_at<T>(deadline: Instant, body: impl FnOnce() -> T) -> Option<T> {
    timeout_at(deadline, body).ok()
}

/// Runs `body`, and holds off cancellations from outside until it is done. Calls
/// in it really wait, also while the task unwinds.
///
/// Scopes opened inside it are not held off: give it a limit of its own.
///
/// ```
/// use std::time::Duration;
/// use greenroom::{run, shield, sleep, timeout};
///
/// run(|| {
///     let limited = timeout(Duration::from_millis(1), || {
///         shield(|| sleep(Duration::from_millis(5))); // is done
///         sleep(Duration::from_secs(60)); // is cut short
///     });
///     assert!(limited.is_err());
/// });
/// ```
///
/// On a plain thread it runs the body.
///
/// # Panics
///
/// With the body's own panic.
pub fn shield<T>(body: impl FnOnce() -> T) -> T {
    let Some(task) = park::current() else {
        return body();
    };
    let terms = Terms {
        shield: true,
        ..Terms::PLAIN
    };
    match frame::within(task, terms, |_| body()) {
        Exit::Returned(value) => value,
        Exit::Caught => unreachable!("nobody can cancel a bare shield"),
        Exit::Unwinds(payload) => frame::go_on(payload),
    }
}

/// Whether the task is cancelled here: its next call that waits would unwind, or
/// fail. It looks at the clock, so a computation that asks is told in time.
///
/// `false` on a plain thread.
#[must_use]
pub fn is_cancelled() -> bool {
    park::current().is_some_and(frame::is_pending)
}

/// A place where a computation lets others run, and meets its cancellation in
/// time: [`yield_now`](crate::yield_now) with a look at the clock first.
///
/// ```
/// use std::time::Duration;
/// use greenroom::{checkpoint, run, timeout};
///
/// run(|| {
///     let endless = timeout(Duration::from_millis(2), || loop {
///         checkpoint().unwrap();
///     });
///     assert!(endless.is_err());
/// });
/// ```
///
/// # Errors
///
/// With [`Delivery::Error`], if the task is cancelled; and while it unwinds, if it
/// is. With the default delivery it never fails outside destructors: `let _ =` is fine.
///
/// # Scheduling
///
/// The caller goes to the end of the queue. On a plain thread it is
/// [`std::thread::yield_now`].
///
/// # Cancellation
///
/// Unwinds when the task is cancelled.
pub fn checkpoint() -> Result<(), Cancelled> {
    let Some(task) = park::current() else {
        std::thread::yield_now();
        return Ok(());
    };
    frame::look_at_clock(task);
    if park::may_wait(task) {
        park::yield_now(task);
    }
    if frame::is_pending(task) && !park::may_wait(task) {
        return Err(frame::pending_error(task));
    }
    Ok(())
}

/// Runs `body`, in which no call may let other tasks run: one that would panics
/// instead. For code whose correctness rests on not being interrupted.
///
/// ```should_panic
/// # greenroom::run(|| {
/// greenroom::no_switch(|| greenroom::yield_now());
/// # });
/// ```
///
/// While the task unwinds calls switch all the same: a panic then would abort. On
/// a plain thread it runs the body.
pub fn no_switch<T>(body: impl FnOnce() -> T) -> T {
    match park::current() {
        Some(task) => cancel::without_switching(task, body),
        None => body(),
    }
}

/// A scope that can be cancelled from elsewhere, and whose deadline can be moved.
///
/// Clones name the same scope: keep one, and run the other. It may be cancelled
/// before it is run; a body run then is cancelled at its first waiting call.
///
/// ```
/// use greenroom::{CancelScope, park, run, spawn};
///
/// run(|| {
///     let scope = CancelScope::new();
///     let stop = scope.clone();
///     spawn(move || stop.cancel("the user left"));
///     assert_eq!(scope.run(park), None);
///     assert!(scope.cancelled_caught());
///     assert_eq!(scope.cancel_reason().as_deref(), Some("the user left"));
/// });
/// ```
#[derive(Clone)]
pub struct CancelScope(Remote);

impl fmt::Debug for CancelScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelScope")
            .field("cancel_called", &self.cancel_called())
            .field("cancel_reason", &self.cancel_reason())
            .field("deadline", &self.deadline())
            .finish()
    }
}

/// What a [`CancelScope`] is made of.
#[derive(Debug, Clone)]
#[must_use]
pub struct CancelScopeBuilder(Terms);

impl Default for CancelScope {
    fn default() -> Self {
        Self::new()
    }
}

impl CancelScope {
    /// A scope without a deadline.
    #[must_use]
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// A scope with a deadline, a shield, or a delivery of its own.
    pub fn builder() -> CancelScopeBuilder {
        CancelScopeBuilder(Terms::PLAIN)
    }

    /// Runs `body` in the scope. `None` if the scope was cancelled, and the body
    /// unwound for it. A scope can be run once.
    ///
    /// # Panics
    ///
    /// With the body's own panic; if the scope was run before; on a plain thread.
    ///
    /// # Cancellation
    ///
    /// A cancellation from further out goes through, unless the scope is a shield.
    #[track_caller]
    pub fn run<T>(&self, body: impl FnOnce() -> T) -> Option<T> {
        match self.0.run(task_for("a cancel scope"), body) {
            None => panic!("a cancel scope can be run once"),
            Some(Exit::Returned(value)) => Some(value),
            Some(Exit::Caught) => None,
            Some(Exit::Unwinds(payload)) => frame::go_on(payload),
        }
    }

    /// Cancels what runs in the scope: its body, and the children of scopes opened
    /// in it. For ever; the first reason counts. Never waits.
    pub fn cancel(&self, reason: impl Into<String>) {
        let reason = reason.into();
        self.0
            .cancel((!reason.is_empty()).then(|| Arc::from(reason)));
    }

    /// Whether it was cancelled by itself: by [`cancel`](Self::cancel), or because
    /// its deadline passed. The body may have been done in spite of it.
    #[must_use]
    pub fn cancel_called(&self) -> bool {
        self.0.cause().is_some()
    }

    /// Whether its deadline has passed while it ran.
    #[must_use]
    pub fn deadline_passed(&self) -> bool {
        self.0.cause() == Some(Cause::Deadline)
    }

    /// Whether its body was unwound for it.
    #[must_use]
    pub fn cancelled_caught(&self) -> bool {
        self.0.was_caught()
    }

    /// The reason given to [`cancel`](Self::cancel).
    #[must_use]
    #[doc(alias = "reason")]
    pub fn cancel_reason(&self) -> Option<String> {
        self.0.reason().map(|reason| reason.to_string())
    }

    /// When its time is over, if ever.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        Some(self.0.deadline()).filter(|deadline| *deadline != Instant::NEVER)
    }

    /// Moves the deadline; `None` takes it away. A scope that is cancelled stays
    /// so. A deadline in the past cancels at once.
    pub fn set_deadline(&self, deadline: Option<Instant>) {
        self.0.set_deadline(deadline.unwrap_or(Instant::NEVER));
    }
}

impl CancelScopeBuilder {
    /// When its time is over.
    pub fn deadline(mut self, deadline: Instant) -> Self {
        self.0.deadline = deadline;
        self
    }

    /// Holds off cancellations from further out, as [`shield`] does.
    pub fn shield(mut self) -> Self {
        self.0.shield = true;
        self
    }

    /// How code in the scope learns of a cancellation, wherever it comes from.
    ///
    /// ```
    /// use greenroom::{CancelScope, Delivery, run, sync::{RecvError, bounded}};
    ///
    /// run(|| {
    ///     let (_sender, receiver) = bounded::<()>(0);
    ///     let scope = CancelScope::builder().delivery(Delivery::Error).build();
    ///     scope.cancel("enough");
    ///     let received = scope.run(|| receiver.recv());
    ///     assert_eq!(received, Some(Err(RecvError::Cancelled)));
    /// });
    /// ```
    pub fn delivery(mut self, delivery: Delivery) -> Self {
        self.0.delivery = Some(delivery);
        self
    }

    /// The scope.
    #[must_use]
    pub fn build(self) -> CancelScope {
        CancelScope(Remote::new(self.0))
    }
}
