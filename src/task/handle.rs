//! The handle of a task: to wait for its end and take its result.

#![expect(
    unsafe_code,
    reason = "knows the type of the result that the table stores"
)]

use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;

use super::Task;
use super::select::{Handle, JoinArm, Key};
use crate::awaitable::Awaitable;
use crate::error::JoinError;
use crate::id::TaskId;
use crate::scheduler::select::Selectable;
use crate::scheduler::spawn::{TaskKey, TaskName};

/// The right to join a task, once. Dropping it lets the task run on by itself.
///
/// The result of a finished task is kept in the handle's reach, not on the
/// task's stack: a handle that is kept costs some 50 bytes, and the size of the
/// result if that is over 16.
///
/// Handles stay on their thread:
///
/// ```compile_fail,E0277
/// # greenroom::run(|| {
/// let task = greenroom::spawn(|| ());
/// std::thread::spawn(move || task.join());
/// # });
/// ```
pub struct JoinHandle<T> {
    task: TaskKey,
    result: PhantomData<T>,
}

impl<T> JoinHandle<T> {
    /// The task's result must be a `T`: `spawn` and its kin see to that.
    #[inline]
    pub(super) fn new(task: TaskKey) -> Self {
        Self {
            task,
            result: PhantomData,
        }
    }

    /// Waits until the task has ended, and returns what it returned.
    ///
    /// With a limit: `timeout(limit, || task.join())` lets the task run on when the
    /// time is over; with [`cancel_on_drop`](Self::cancel_on_drop) before `join` it is
    /// cancelled then; to keep the handle, wait with
    /// [`wait_any`](crate::wait_any) or [`select!`](crate::select).
    ///
    /// # Errors
    ///
    /// If the task panicked, or was cancelled.
    ///
    /// # Panics
    ///
    /// If a task joins itself, or if it is called where no runtime runs and the
    /// task has not ended.
    ///
    /// # Scheduling
    ///
    /// Returns at once if the task has ended. Else the others run; the caller is
    /// queued when the task ends.
    ///
    /// # Cancellation
    ///
    /// Unwinds when the caller was cancelled; the task runs on. While the caller
    /// unwinds, it really waits.
    #[inline(always)]
    #[track_caller]
    pub fn join(self) -> Result<T, JoinError> {
        // SAFETY: `spawn` made the task with this result type, and `join` takes
        // the only handle.
        let result = unsafe { self.task.join::<T>() }.into_result();
        self.let_go();
        result
    }

    /// What the task, which has ended, returned. Once.
    #[track_caller]
    pub(super) fn take_result(&mut self) -> Result<T, JoinError> {
        // SAFETY: as in `join`; a second time it panics.
        unsafe { self.task.join::<T>() }.into_result()
    }

    /// Drops the handle of a task whose ending was taken.
    #[inline]
    fn let_go(self) {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is not used again, and not dropped.
        unsafe { std::ptr::drop_in_place(&raw mut this.task) };
    }

    /// Cancels the task, unless it has ended: its waiting call unwinds, or its next
    /// one. If it has not begun, its body is dropped unrun. Never waits.
    ///
    /// ```
    /// use greenroom::{park, run, spawn};
    ///
    /// run(|| {
    ///     let task = spawn(park);
    ///     task.cancel();
    ///     assert!(task.join().unwrap_err().is_cancelled());
    /// });
    /// ```
    #[doc(alias = "abort")]
    pub fn cancel(&self) {
        self.task.cancel();
    }

    /// The same handle, but dropping it cancels the task.
    ///
    /// ```
    /// use greenroom::{park, run, spawn, yield_now};
    ///
    /// run(|| {
    ///     let task = spawn(park).cancel_on_drop();
    ///     yield_now();
    ///     drop(task);
    /// });
    /// ```
    pub fn cancel_on_drop(self) -> CancelOnDrop<T> {
        CancelOnDrop(Some(self))
    }

    /// Whether the task has ended. Never waits.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.task.is_finished()
    }

    /// The task, to unpark it or to ask its name; `None` if it has ended.
    ///
    /// ```
    /// use greenroom::{park, run, spawn, yield_now};
    ///
    /// run(|| {
    ///     let sleeper = spawn(park);
    ///     yield_now();
    ///     sleeper.task().unwrap().unpark();
    ///     sleeper.join().unwrap();
    /// });
    /// ```
    #[must_use]
    pub fn task(&self) -> Option<Task> {
        TaskName::of(&self.task).map(Task)
    }

    /// The task's number.
    #[must_use]
    pub fn id(&self) -> TaskId {
        self.task.id()
    }
}

impl<T> Drop for JoinHandle<T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: as in `join`.
        unsafe { self.task.discard_ending::<T>() };
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle")
            .field("id", &self.id())
            .field("is_finished", &self.is_finished())
            .finish()
    }
}

impl<T> Handle for JoinHandle<T> {
    fn key(&self) -> Key<'_> {
        Key(&self.task)
    }
}

impl<T> Awaitable for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    #[track_caller]
    fn wait(self) -> Self::Output {
        self.join()
    }
}

/// A handle that cancels its task when it is dropped: see
/// [`JoinHandle::cancel_on_drop`].
///
/// Dropping it does not wait for the task to end; a [`scope`](crate::scope) does.
#[derive(Debug)]
#[must_use = "dropping it cancels the task"]
pub struct CancelOnDrop<T>(Option<JoinHandle<T>>);

impl<T> CancelOnDrop<T> {
    fn handle(&self) -> &JoinHandle<T> {
        match &self.0 {
            Some(handle) => handle,
            None => unreachable!("it is taken only when self is"),
        }
    }

    /// Waits until the task has ended. If this call unwinds, the task is cancelled.
    ///
    /// # Errors
    ///
    /// As [`JoinHandle::join`].
    ///
    /// # Panics
    ///
    /// As [`JoinHandle::join`].
    #[track_caller]
    pub fn join(mut self) -> Result<T, JoinError> {
        match &mut self.0 {
            Some(handle) => handle.take_result(),
            None => unreachable!("it is taken only when self is"),
        }
    }

    /// The handle without the cancelling.
    pub fn detach(mut self) -> JoinHandle<T> {
        match self.0.take() {
            Some(handle) => handle,
            None => unreachable!("it is taken only when self is"),
        }
    }

    /// Cancels the task. See [`JoinHandle::cancel`].
    pub fn cancel(&self) {
        self.handle().cancel();
    }

    /// Whether the task has ended. Never waits.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.handle().is_finished()
    }

    /// The task's number.
    #[must_use]
    pub fn id(&self) -> TaskId {
        self.handle().id()
    }
}

impl<T> Handle for CancelOnDrop<T> {
    fn key(&self) -> Key<'_> {
        self.handle().key()
    }
}

impl<'a, T> Selectable for &'a mut CancelOnDrop<T> {
    type Output = Result<T, JoinError>;
    type Arm = JoinArm<'a, CancelOnDrop<T>>;

    fn into_arm(self) -> Self::Arm {
        JoinArm::new(self)
    }

    #[track_caller]
    fn finish(arm: &mut Self::Arm) -> Self::Output {
        match &mut arm.handle.0 {
            Some(handle) => handle.take_result(),
            None => unreachable!("it is taken only when self is"),
        }
    }
}

impl<T> Awaitable for CancelOnDrop<T> {
    type Output = Result<T, JoinError>;

    #[track_caller]
    fn wait(self) -> Self::Output {
        self.join()
    }
}

impl<T> Drop for CancelOnDrop<T> {
    fn drop(&mut self) {
        if let Some(handle) = &self.0 {
            handle.cancel();
        }
    }
}
