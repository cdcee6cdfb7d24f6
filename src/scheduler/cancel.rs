//! The state of cancellation of one task, and its delivery.
//!
//! A cancelled task meets it at its next call that waits. With
//! [`Delivery::Unwind`] that call unwinds with a payload of ours (no panic message,
//! no hook), driven by an ordinary resume; with [`Delivery::Error`] it fails. It is
//! level-triggered: a task that swallows it meets it again. Nothing is thrown into
//! a task that is already unwinding.
//!
//! ```text
//!   waiting call -> pending?                    one flag, kept by frame.rs
//!                   no: wait
//!                   yes, Unwind: throw          up to the outermost scope that asked
//!                   yes, Error:  fail, or wait on where the call cannot fail
//!                   unwinding:   fail, or wait on; inside `shield` really wait
//! ```

use std::cell::Cell;
use std::error::Error;
use std::fmt;
use std::io;
use std::ptr;
use std::sync::Arc;

use super::current;
use super::frame::{self, Cause, Frame};
use super::header::TaskRef;
use super::park::Patience;
use crate::panic::fatal;
use crate::timer::{Instant, TimerKey};

/// How often a task may catch its cancellation and wait again before the
/// process gives up on it.
const MOST_DELIVERIES: u32 = 1000;

/// The sleep queue does not know the next deadline of the task's scopes.
const STALE: u32 = 1;
/// One open call of `no_switch`.
const FORBIDDEN: u32 = 2;

/// How a cancelled task learns of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Delivery {
    /// The waiting call unwinds: destructors run, no code after the call does.
    Unwind,
    /// The waiting call fails, if it returns a `Result`: I/O with
    /// [`TimedOut`](io::ErrorKind::TimedOut) for a deadline, else with [`Cancelled`]
    /// inside an error of kind `Other`; channels with their own `Cancelled`. Iterators
    /// over channels and listeners end, or give that error. `sleep` and `yield_now` return; `join` and its kin, which
    /// cannot fail, wait on. For code that must not be unwound.
    ///
    /// Children of scopes in such code are run even if they are cancelled before
    /// they begin, so that there is a result to join.
    Error,
}

impl Delivery {
    /// What holds where nobody says anything.
    pub(super) const DEFAULT: Self = if cfg!(panic = "abort") {
        Self::Error
    } else {
        Self::Unwind
    };
}

/// The task was cancelled.
///
/// It is what an unwinding cancelled task carries (`catch_unwind` sees it), and,
/// with [`Delivery::Error`], what is inside the errors of waiting calls.
///
/// ```
/// use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
/// use greenroom::{Cancelled, park, run, spawn, yield_now};
///
/// run(|| {
///     let task = spawn(|| {
///         let caught = catch_unwind(AssertUnwindSafe(park)).unwrap_err();
///         assert!(caught.is::<Cancelled>());
///         resume_unwind(caught) // pass it on
///     });
///     yield_now();
///     task.cancel();
///     assert!(task.join().unwrap_err().is_cancelled());
/// });
/// ```
#[derive(Debug, Clone, Default)]
pub struct Cancelled {
    reason: Option<Arc<str>>,
}

impl Cancelled {
    pub(crate) fn because(reason: Option<Arc<str>>) -> Self {
        Self { reason }
    }

    /// What whoever cancelled gave as the reason, if anything.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }
}

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reason {
            Some(reason) => write!(f, "cancelled: {reason}"),
            None => f.write_str("cancelled"),
        }
    }
}

impl Error for Cancelled {}

/// The part of a task's head that is about cancellation.
#[derive(Debug)]
pub(super) struct CancelState {
    /// Whether a waiting call made now would be cancelled. Kept by `frame.rs`.
    pub(super) pending: Cell<bool>,
    /// Whether the whole task was cancelled. It is for ever.
    pub(super) requested: Cell<bool>,
    /// Whether this task was thrown into, or parked while it unwound. Says
    /// nothing while no unwinding is going on in the thread.
    unwinding: Cell<bool>,
    /// What holds outside all scopes of the task.
    pub(super) delivery: Cell<Delivery>,
    deliveries: Cell<u32>,
    /// Open shields.
    pub(super) shields: Cell<u32>,
    /// What to look at before a switch: [`STALE`], and for each open call of
    /// `no_switch` one [`FORBIDDEN`].
    attention: Cell<u32>,
    /// The innermost open scope, or null.
    pub(super) innermost: Cell<*const Frame>,
    /// The one entry of all its scopes in the sleep queue.
    pub(super) timer: Cell<Option<TimerKey>>,
    /// The deadline of that entry.
    pub(super) registered: Cell<Instant>,
}

impl CancelState {
    #[inline(always)]
    pub(super) fn new(requested: bool, delivery: Delivery) -> Self {
        Self {
            pending: Cell::new(requested),
            requested: Cell::new(requested),
            unwinding: Cell::new(false),
            delivery: Cell::new(delivery),
            deliveries: Cell::new(0),
            shields: Cell::new(0),
            attention: Cell::new(0),
            innermost: Cell::new(ptr::null()),
            timer: Cell::new(None),
            registered: Cell::new(Instant::NEVER),
        }
    }

    /// Whether a waiting call made now would be cancelled.
    #[inline(always)]
    pub(super) fn pending(&self) -> bool {
        self.pending.get()
    }

    /// Whether [`before_switch`] has something to do.
    #[inline(always)]
    pub(super) fn needs_attention(&self) -> bool {
        self.attention.get() > 0
    }

    /// Whether the task may not switch now.
    #[inline(always)]
    pub(super) fn must_not_switch(&self) -> bool {
        self.attention.get() >= FORBIDDEN
    }

    /// Notes the next deadline of the running task. The sleep queue need not know
    /// before the task stops running.
    #[inline(always)]
    pub(super) fn note_deadline(&self, deadline: Instant) {
        let others = self.attention.get() & !STALE;
        let stale = u32::from(deadline != self.registered.get()) * STALE;
        self.attention.set(others | stale);
    }

    /// The sleep queue knows the next deadline.
    pub(super) fn deadline_is_known(&self) {
        self.attention.set(self.attention.get() & !STALE);
    }

    /// Forgets how often it was thrown: a scope caught it, as it should.
    pub(super) fn caught(&self) {
        self.deliveries.set(0);
    }

    /// Sets whether the task is unwinding, where that is known for sure.
    pub(super) fn set_unwinding(&self, unwinding: bool) {
        self.unwinding.set(unwinding);
    }
}

/// Whether *this* task is unwinding.
///
/// `thread::panicking()` is true for every task of the thread while one is
/// parked in the middle of its unwinding. So: while none is, it tells; else the
/// task's own flag does, set when the task is thrown into and when it is parked while
/// unwinding. A task that caught what was thrown is taken for unwinding until
/// nobody in the thread unwinds: then its waits fail instead of waiting. A scope
/// that catches knows better, and says so.
pub(super) fn is_unwinding(task: TaskRef) -> bool {
    if !std::thread::panicking() {
        task.cancel.unwinding.set(false);
        return false;
    }
    current::parked_unwinding() == 0 || task.cancel.unwinding.get()
}

/// Suspends a task while something in the thread unwinds: it, or another.
///
/// It is counted in either case. So while nobody is counted, whoever runs is the
/// one that unwinds.
#[cold]
pub(super) fn suspend_unwinding(task: TaskRef) {
    if is_unwinding(task) {
        task.cancel.unwinding.set(true);
    }
    current::while_counted(|| task.suspend());
}

/// Whether a call may wait while something in the thread unwinds: it, or another.
#[cold]
#[inline(never)]
pub(super) fn may_wait_unwinding(task: TaskRef) -> bool {
    if is_unwinding(task) {
        return task.cancel.shields.get() > 0 && !task.cancel.pending();
    }
    !task.cancel.pending() || meet(task)
}

/// Makes a task that is not unwinding meet its cancellation: throws, or returns
/// `false` for "do not wait".
#[cold]
#[inline(never)]
pub(super) fn meet(task: TaskRef) -> bool {
    match frame::delivery(task) {
        Delivery::Unwind => deliver(task),
        Delivery::Error => false,
    }
}

/// Unwinds the running task, which was cancelled and is not unwinding.
fn deliver(task: TaskRef) -> ! {
    let deliveries = task.cancel.deliveries.get() + 1;
    task.cancel.deliveries.set(deliveries);
    if deliveries > MOST_DELIVERIES {
        fatal(&format!(
            "{} was cancelled and will not end: it caught the cancellation {MOST_DELIVERIES} times",
            super::report::title(task)
        ));
    }
    task.cancel.unwinding.set(true);
    let (_, reason) = frame::cause(task);
    frame::unwind(Box::new(Cancelled { reason }))
}

/// The error of a call that did not wait, because its task is cancelled or
/// unwinding.
#[cold]
pub(crate) fn error(task: TaskRef) -> io::Error {
    if !task.cancel.pending() {
        return io::Error::other("the task is unwinding and may not wait");
    }
    match frame::cause(task) {
        (Cause::Deadline, _) => io::Error::new(
            io::ErrorKind::TimedOut,
            "the deadline of the scope has passed",
        ),
        (Cause::Asked, reason) => io::Error::other(Cancelled { reason }),
    }
}

/// Runs `body` with switching forbidden.
#[inline]
pub(crate) fn without_switching<T>(task: TaskRef, body: impl FnOnce() -> T) -> T {
    struct Forbidden(TaskRef);
    impl Drop for Forbidden {
        fn drop(&mut self) {
            let attention = &self.0.cancel.attention;
            attention.set(attention.get() - FORBIDDEN);
        }
    }
    let attention = &task.cancel.attention;
    attention.set(attention.get() + FORBIDDEN);
    let _forbidden = Forbidden(task);
    let _mark = frame::mark(task);
    body()
}

/// Whether a wait of the running task is to be given up now: the task was cancelled,
/// and either it can be thrown into, or the call can fail.
pub(super) fn ends_wait(task: TaskRef, patience: Patience) -> bool {
    if !task.cancel.pending() {
        return false;
    }
    let thrown = !is_unwinding(task) && frame::delivery(task) == Delivery::Unwind;
    thrown || patience == Patience::Fails
}

/// Panics if the running task must not switch: for calls that do something else first.
#[inline]
#[track_caller]
pub(super) fn may_switch(task: TaskRef) {
    if task.cancel.must_not_switch() {
        refuse_switch(task);
    }
}

/// A task is about to switch, and there is something to do first.
#[cold]
#[inline(never)]
#[track_caller]
pub(super) fn before_switch(task: TaskRef) {
    if task.cancel.must_not_switch() {
        refuse_switch(task);
    }
    frame::tell_deadline(task);
}

/// A task is about to switch inside `no_switch`. While it unwinds a panic would
/// abort, so then it may.
#[cold]
#[inline(never)]
#[track_caller]
pub(super) fn refuse_switch(task: TaskRef) {
    if !is_unwinding(task) {
        panic!("a call inside no_switch would let other tasks run");
    }
}
