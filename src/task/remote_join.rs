//! The handle of a task that was spawned from another thread.
//!
//! It waits in one of two ways: used up, or by reference, so that it is still there if the
//! wait ends for another reason. What a wait leaves in the packet it takes out again
//! (`Waiting`): nothing here may let a result be dropped that somebody can still ask for.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::packet::{Entered, Packet, Stage, Waiting};
use crate::awaitable::Awaitable;
use crate::error::JoinError;
use crate::scheduler::WaitReason;
use crate::scheduler::outside::{Caller, Wish};
use crate::scheduler::park::Patience;
use crate::scheduler::spawn::TaskName;

/// The right to join a task that was spawned through a [`Handle`](crate::Handle), once,
/// from any thread. Dropping it lets the task run on by itself.
///
/// To wait with a limit and keep it, there is [`join_timeout`](Self::join_timeout); what
/// waits for a `&mut RemoteJoinHandle` keeps it as well: its
/// [`wait`](Awaitable::wait), and `join(&mut handle)` in [`select!`](crate::select).
///
/// Like its handle it counts, while the task has not ended: it may still cancel the task,
/// so meanwhile no deadlock is reported. It does not count while it cannot: while it is
/// joined, or a plain thread waits for it without a limit. Nor does it while a task of
/// the same runtime waits for it, by reference or in a `select!`: whatever else could end
/// that wait counts by itself.
///
/// Nobody else has the result: it is dropped by whoever drops this handle, or, if that
/// went before the task ended, in the task. A panic that nobody joins is told to
/// [`Config::on_unobserved`](crate::Config::on_unobserved) of the task's runtime, in its
/// thread.
pub struct RemoteJoinHandle<T>(Arc<Packet<T>>);

impl<T> RemoteJoinHandle<T> {
    pub(super) fn new(packet: Arc<Packet<T>>) -> Self {
        Self(packet)
    }

    pub(super) fn packet(&self) -> &Packet<T> {
        &self.0
    }

    /// Waits until the task has ended, and returns what it returned. A plain thread is
    /// blocked; in a task, of the same runtime or another, the others run.
    ///
    /// ```
    /// use greenroom::{Handle, run};
    ///
    /// run(|| {
    ///     let task = Handle::current()?.spawn(|| 5);
    ///     assert_eq!(task.join().unwrap(), 5);
    ///     Ok::<(), std::io::Error>(())
    /// })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the task panicked, had no memory for its stack, or was cancelled; it counts as
    /// cancelled where its runtime was gone or dropped before the task began. With
    /// `panic = "abort"` one that has begun, and is left over when its runtime is dropped, never ends:
    /// nor does this.
    ///
    /// # Panics
    ///
    /// If a task joins itself, or the task was joined already. If the task has not ended,
    /// in the thread of its runtime while that does not run: it would wait for ever. If
    /// the process has no descriptor left for the caller's runtime to be woken by.
    ///
    /// # Scheduling
    ///
    /// Returns at once if the task has ended. Else the others run; the caller is queued
    /// when the task ends. A virtual clock does not wait for it.
    ///
    /// # Cancellation
    ///
    /// Unwinds when the caller was cancelled; the task runs on. While the caller
    /// unwinds, and with [`Delivery::Error`](crate::Delivery::Error), it really waits.
    #[track_caller]
    pub fn join(self) -> Result<T, JoinError> {
        // From now on nobody can cancel the task through this handle.
        self.wait_for_end(None, Packet::enter_last)
            .unwrap_or_else(endless)
    }

    /// [`join`](Self::join), but it waits no longer than `limit`, and the handle is still
    /// there then: also for plain threads, where there is no [`timeout`](crate::timeout).
    /// `None` says that the task had not ended in that time.
    ///
    /// ```
    /// use std::time::Duration;
    /// use greenroom::{Handle, park, run, unblock};
    ///
    /// run(|| {
    ///     let handle = Handle::current()?;
    ///     unblock(move || {
    ///         let mut task = handle.spawn(park);
    ///         assert!(task.join_timeout(Duration::from_millis(1)).is_none());
    ///         task.cancel();
    ///         assert!(task.join().unwrap_err().is_cancelled());
    ///     });
    ///     Ok::<(), std::io::Error>(())
    /// })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`join`](Self::join).
    ///
    /// # Panics
    ///
    /// As [`join`](Self::join), but where that would wait for ever this waits for `limit`.
    ///
    /// # Scheduling
    ///
    /// As [`join`](Self::join). In a task the time is that of its runtime's clock.
    ///
    /// # Cancellation
    ///
    /// As [`join`](Self::join), and the handle is still there. Where it really waits, then
    /// for no longer than `limit`.
    #[track_caller]
    pub fn join_timeout(&mut self, limit: Duration) -> Option<Result<T, JoinError>> {
        self.wait_for_end(Some(limit), |packet, caller| {
            packet.enter(caller, Some(limit))
        })
    }

    /// Waits for no longer than `limit`, once `enter` has said who is to be woken.
    #[track_caller]
    fn wait_for_end(
        &self,
        limit: Option<Duration>,
        enter: impl FnOnce(&Packet<T>, Caller) -> Entered,
    ) -> Option<Result<T, JoinError>> {
        if let Some(result) = self.0.take() {
            return Some(result);
        }
        let caller = Caller::here();
        self.refuse_endless(caller, limit);
        let _patient = caller.may_wait(Patience::Waits);
        let _waiting = Waiting(&self.0, enter(&self.0, caller));
        let wish = Wish {
            reason: WaitReason::RemoteJoin,
            patience: Patience::Waits,
            limit,
            stands_still: false,
        };
        // Its runtime cannot run while this one waits for good.
        let own = self.0.runtime.belongs_to_this_thread();
        let waited = caller.wait_for(own, wish, || self.0.take(), || self.0.take());
        // What waits with patience is sent away only by its limit.
        waited.ok()
    }

    /// Cancels the task, unless it has ended: its waiting call unwinds, or its next one. If
    /// it has not begun, its body is dropped unrun, in the task. Never waits: it is done
    /// when the runtime next looks at its messages.
    ///
    /// ```
    /// use greenroom::{Handle, park, run};
    ///
    /// run(|| {
    ///     let task = Handle::current()?.spawn(park);
    ///     task.cancel();
    ///     assert!(task.join().unwrap_err().is_cancelled());
    ///     Ok::<(), std::io::Error>(())
    /// })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "abort")]
    pub fn cancel(&self) {
        let mut state = self.0.lock();
        match (&state.stage, state.task) {
            (Stage::Sent, _) => state.cancelled = true,
            (Stage::Alive, Some((slot, id))) => {
                drop(state);
                self.0.runtime.cancel(slot, id);
            }
            _ => {}
        }
    }

    /// Whether the task has ended, joined or not. Never waits, and where it has ended nor
    /// does [`join`](Self::join): so this tells whether that would.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.0.is_finished()
    }

    /// Panics where the end cannot come as long as the caller waits.
    #[track_caller]
    fn refuse_endless(&self, caller: Caller, limit: Option<Duration>) {
        if caller.is_task() {
            let own = TaskName::current().map(|task| task.id());
            let joined = self.0.lock().task.map(|(_, id)| id);
            assert!(own.is_none() || own != joined, "a task cannot join itself");
        } else {
            assert!(
                limit.is_some() || !self.0.runtime.belongs_to_this_thread(),
                "join would wait for ever: the task has not ended, and its runtime, which \
                 belongs to this thread, is not running"
            );
        }
    }
}

/// Without a limit, a patient wait is not sent away.
fn endless<T>() -> T {
    unreachable!("a join without a limit has ended without a result")
}

impl<T> Drop for RemoteJoinHandle<T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.wanted = false;
        let canceller = state.canceller.take();
        let task = state.task;
        let stage = match &state.stage {
            Stage::Ended(_) => std::mem::replace(&mut state.stage, Stage::Over),
            _ => Stage::Over,
        };
        drop(state);
        drop(canceller);
        if let (Stage::Ended(Err(error)), Some((_, id))) = (stage, task) {
            self.0.tell_unobserved(id, error);
        }
    }
}

impl<T> fmt::Debug for RemoteJoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteJoinHandle")
            .field("name", &self.0.name)
            .field("is_finished", &self.is_finished())
            .finish()
    }
}

/// See [`RemoteJoinHandle::join`].
impl<T> Awaitable for RemoteJoinHandle<T> {
    type Output = Result<T, JoinError>;

    #[track_caller]
    fn wait(self) -> Self::Output {
        self.join()
    }
}

/// Like [`RemoteJoinHandle::join`], but the handle is still there if that is cancelled. So a
/// limit of time does not use it up:
///
/// ```
/// use std::time::Duration;
/// use greenroom::{Awaitable, Handle, park, run, timeout};
///
/// run(|| {
///     let mut task = Handle::current()?.spawn(park);
///     assert!(timeout(Duration::from_millis(1), || (&mut task).wait()).is_err());
///     task.cancel();
///     assert!((&mut task).wait().unwrap_err().is_cancelled());
///     Ok::<(), std::io::Error>(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// Once it has given the result, there is none left: to wait again panics.
impl<T> Awaitable for &mut RemoteJoinHandle<T> {
    type Output = Result<T, JoinError>;

    #[track_caller]
    fn wait(self) -> Self::Output {
        self.wait_for_end(None, |packet, caller| packet.enter(caller, None))
            .unwrap_or_else(endless)
    }
}
