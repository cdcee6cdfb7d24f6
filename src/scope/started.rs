//! The handshake of a child that says when it is ready.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::rc::Rc;

use super::cancel::task_for;
use super::tasks::{Ground, ScopedTask};
use crate::error::JoinError;
use crate::scheduler::park::{Patience, WaitQueue};
use crate::scheduler::spawn::{Telling, Wish};
use crate::scheduler::{Cancelled, Ending};

/// What a child started by [`Scope::spawn_started`](crate::Scope::spawn_started)
/// uses to say that it is ready.
pub struct Started<V>(Rc<Start<V>>);

/// What became of a start.
struct Start<V> {
    value: Cell<Option<V>>,
    is_over: Cell<bool>,
    waiting: WaitQueue,
}

impl<V> fmt::Debug for Started<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Started")
    }
}

impl<V> Started<V> {
    /// The child is ready: whoever started it goes on with `value`, and from now on
    /// the child is one like all others. Once the child has ended it is too late, and
    /// the value is dropped.
    pub fn set(self, value: V) {
        if !self.0.is_over.get() {
            self.0.value.set(Some(value));
            self.0.finish();
        }
    }
}

impl<V> Start<V> {
    fn finish(&self) {
        self.is_over.set(true);
        self.waiting.wake_all();
    }
}

/// Why a child did not start: how it ended instead.
pub enum StartError<T> {
    /// It returned.
    Returned(T),
    /// It panicked, or was cancelled.
    Failed(JoinError),
}

impl<T> fmt::Debug for StartError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Returned(_) => f.write_str("Returned(..)"),
            Self::Failed(error) => f.debug_tuple("Failed").field(error).finish(),
        }
    }
}

impl<T> fmt::Display for StartError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Returned(_) => f.write_str("the task returned before it was ready"),
            Self::Failed(error) => write!(f, "the task was not ready yet: {error}"),
        }
    }
}

impl<T> std::error::Error for StartError<T> {}

/// Ends the start with the child, if nothing did before.
struct AtEnd<V>(Rc<Start<V>>);

impl<V> Drop for AtEnd<V> {
    fn drop(&mut self) {
        self.0.finish();
    }
}

/// Spawns a child, and waits until it is ready or has ended.
#[track_caller]
pub(super) fn spawn<'scope, V: 'scope, T: 'scope>(
    ground: &'scope Ground<'scope>,
    place: &'static Location<'static>,
    body: impl FnOnce(Started<V>) -> Ending<T> + 'scope,
) -> Result<(V, ScopedTask<'scope, T>), StartError<T>> {
    let start = Rc::new(Start {
        value: Cell::new(None),
        is_over: Cell::new(false),
        waiting: WaitQueue::new(),
    });
    // How the child ended, if it did so before it was ready.
    let early: Rc<RefCell<Option<Ending<T>>>> = Rc::default();
    let child = ground.spawn::<Telling, _>(&Wish::default(), place, {
        let (start, early) = (Rc::clone(&start), Rc::clone(&early));
        let at_end = AtEnd(Rc::clone(&start));
        move || {
            let _at_end = at_end;
            let ready = Started(Rc::clone(&start));
            let ended = catch_unwind(AssertUnwindSafe(|| body(ready)));
            let ending = match ended {
                Ok(ending) => ending,
                Err(payload) if start.is_over.get() => resume_unwind(payload),
                Err(payload) if payload.is::<Cancelled>() => Ending::Cancelled,
                Err(payload) => Ending::Panicked(payload, None),
            };
            if start.is_over.get() {
                return ending;
            }
            early.replace(Some(ending));
            Ending::Cancelled
        }
    });
    let child = child.unwrap_or_else(|error| panic!("no stack for a task: {error}"));
    let guard = CancelUnlessReady(&child);
    let mut taken = start.value.take();
    while taken.is_none() && !start.is_over.get() {
        let _over = start.waiting.wait(
            task_for("spawn_started"),
            child.key().wait_reason(),
            Patience::Waits,
            None,
        );
        taken = start.value.take();
    }
    let _went_well = ManuallyDrop::new(guard);
    match (taken, early.take()) {
        (Some(value), _) => Ok((value, child)),
        (None, Some(Ending::Returned(value))) => Err(StartError::Returned(value)),
        (None, Some(Ending::Panicked(payload, _))) => {
            Err(StartError::Failed(JoinError::panicked(payload)))
        }
        (None, Some(Ending::Cancelled) | None) => Err(StartError::Failed(JoinError::cancelled())),
    }
}

/// A caller that stops waiting takes the child with it.
struct CancelUnlessReady<'a, 'scope, T>(&'a ScopedTask<'scope, T>);

impl<T> Drop for CancelUnlessReady<'_, '_, T> {
    fn drop(&mut self) {
        self.0.key().cancel();
    }
}
