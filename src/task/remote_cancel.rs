//! A handle of a task of another thread that cancels it when it is dropped.
//!
//! It must never give up the means to cancel while it waits: if that unwinds, it cancels.

use std::time::Duration;

use super::remote_join::RemoteJoinHandle;
use super::remote_select::RemoteJoinArm;
use crate::awaitable::Awaitable;
use crate::error::JoinError;
use crate::scheduler::select::Selectable;

impl<T> RemoteJoinHandle<T> {
    /// The same handle, but dropping it cancels the task.
    ///
    /// ```
    /// use greenroom::{Handle, park, run, unblock};
    ///
    /// run(|| {
    ///     let handle = Handle::current()?;
    ///     unblock(move || {
    ///         let task = handle.spawn(park).cancel_on_drop();
    ///         drop(task); // here, or where this thread panics
    ///     });
    ///     Ok::<(), std::io::Error>(())
    /// })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn cancel_on_drop(self) -> RemoteCancelOnDrop<T> {
        RemoteCancelOnDrop(Some(self))
    }
}

/// A handle that cancels its task, which was spawned through a [`Handle`](crate::Handle),
/// when it is dropped: see [`RemoteJoinHandle::cancel_on_drop`].
///
/// Dropping it does not wait for the task to end.
#[derive(Debug)]
#[must_use = "dropping it cancels the task"]
pub struct RemoteCancelOnDrop<T>(Option<RemoteJoinHandle<T>>);

impl<T> RemoteCancelOnDrop<T> {
    fn handle(&self) -> &RemoteJoinHandle<T> {
        match &self.0 {
            Some(handle) => handle,
            None => unreachable!("it is taken only when self is"),
        }
    }

    fn handle_mut(&mut self) -> &mut RemoteJoinHandle<T> {
        match &mut self.0 {
            Some(handle) => handle,
            None => unreachable!("it is taken only when self is"),
        }
    }

    /// Waits until the task has ended. If this call unwinds, the task is cancelled.
    ///
    /// # Errors
    ///
    /// As [`RemoteJoinHandle::join`].
    ///
    /// # Panics
    ///
    /// As [`RemoteJoinHandle::join`].
    #[track_caller]
    pub fn join(mut self) -> Result<T, JoinError> {
        self.handle_mut().wait()
    }

    /// Waits no longer than `limit`. If this call unwinds the task is not cancelled yet: the
    /// handle is still there. See [`RemoteJoinHandle::join_timeout`].
    ///
    /// # Errors
    ///
    /// As [`RemoteJoinHandle::join`].
    ///
    /// # Panics
    ///
    /// As [`RemoteJoinHandle::join_timeout`].
    #[track_caller]
    pub fn join_timeout(&mut self, limit: Duration) -> Option<Result<T, JoinError>> {
        self.handle_mut().join_timeout(limit)
    }

    /// The handle without the cancelling.
    pub fn detach(mut self) -> RemoteJoinHandle<T> {
        match self.0.take() {
            Some(handle) => handle,
            None => unreachable!("it is taken only when self is"),
        }
    }

    /// Cancels the task. See [`RemoteJoinHandle::cancel`].
    #[doc(alias = "abort")]
    pub fn cancel(&self) {
        self.handle().cancel();
    }

    /// Whether the task has ended. Never waits.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.handle().is_finished()
    }
}

impl<T> Drop for RemoteCancelOnDrop<T> {
    fn drop(&mut self) {
        if let Some(handle) = &self.0 {
            handle.cancel();
        }
    }
}

/// See [`RemoteCancelOnDrop::join`].
impl<T> Awaitable for RemoteCancelOnDrop<T> {
    type Output = Result<T, JoinError>;

    #[track_caller]
    fn wait(self) -> Self::Output {
        self.join()
    }
}

/// The handle is still there if that is cancelled, and the task runs on.
impl<T> Awaitable for &mut RemoteCancelOnDrop<T> {
    type Output = Result<T, JoinError>;

    #[track_caller]
    fn wait(self) -> Self::Output {
        self.handle_mut().wait()
    }
}

impl<'a, T> Selectable for &'a mut RemoteCancelOnDrop<T> {
    type Output = Result<T, JoinError>;
    type Arm = RemoteJoinArm<'a, T>;

    fn into_arm(self) -> RemoteJoinArm<'a, T> {
        self.handle_mut().into_arm()
    }

    #[track_caller]
    fn finish(arm: &mut RemoteJoinArm<'a, T>) -> Self::Output {
        <&'a mut RemoteJoinHandle<T> as Selectable>::finish(arm)
    }
}
