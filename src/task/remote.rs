//! Tasks spawned from other threads.
//!
//! What crosses threads, and when, is in `packet.rs`; here is what a user sees of it.

use std::fmt;
use std::io;
use std::panic::Location;
use std::sync::Arc;

use super::Builder;
use super::packet::{Errand, Packet, Stage};
use crate::awaitable::Awaitable;
use crate::error::JoinError;
use crate::scheduler::outside::{Caller, Wish};
use crate::scheduler::park::Patience;
use crate::scheduler::spawn::TaskName;
use crate::scheduler::{Outsider, Runtime, WaitReason};

/// A runtime, for other threads: to spawn tasks into it.
///
/// ```
/// use greenroom::{Handle, run};
///
/// let answer = run(|| {
///     let handle = Handle::current()?;
///     let helper = std::thread::spawn(move || {
///         let task = handle.spawn(|| 6 * 7); // runs in the runtime's thread
///         task.join().unwrap() // blocks this one
///     });
///     Ok::<_, std::io::Error>(greenroom::unblock(|| helper.join().unwrap()))
/// })?;
/// assert_eq!(answer, 42);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// While one lives, a runtime whose tasks all wait does not report a deadlock: another
/// thread may still spawn. It does not keep `run` from returning, nor the runtime from
/// being dropped.
#[derive(Clone)]
pub struct Handle(Outsider);

impl Handle {
    /// The runtime of the task that calls.
    ///
    /// # Errors
    ///
    /// If the process has no descriptor left for the runtime to be woken by.
    ///
    /// # Panics
    ///
    /// Outside a runtime.
    #[track_caller]
    pub fn current() -> io::Result<Self> {
        Outsider::of_current().map(Self)
    }

    /// Starts a task in the thread of the runtime. Never waits; any thread may call it,
    /// also that of the runtime.
    ///
    /// The task is put at the end of the runtime's queue when that next looks at its
    /// messages: when nothing is ready there, and at least every
    /// [`event_interval`](crate::Config::event_interval) steps. Tasks start in the order in
    /// which they were sent. [`Builder::spawn_on`] gives it a name, or another stack. There
    /// is no limit to what may be sent.
    ///
    /// Where the runtime does not run at the moment, the task begins in its next
    /// [`run`](Runtime::run) or [`turn`](Runtime::turn). Its body is dropped unrun, and
    /// [`join`](RemoteJoinHandle::join) says that it was cancelled:
    ///
    /// - by the task, if the runtime reads of it after the main task has ended;
    /// - by the thread of the runtime, if that is dropped before it read of it;
    /// - by the caller, now, if the runtime is gone.
    ///
    /// ```
    /// use greenroom::Runtime;
    ///
    /// let mut rt = Runtime::new();
    /// let task = rt.handle()?.spawn(|| "spawned");
    /// rt.turn();
    /// assert_eq!(task.join().unwrap(), "spawned");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn spawn<T, F>(&self, body: F) -> RemoteJoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.send(None, None, None, Location::caller(), body)
    }

    fn send<T, F>(
        &self,
        name: Option<Box<str>>,
        stack_size: Option<usize>,
        guard_size: Option<usize>,
        place: &'static Location<'static>,
        body: F,
    ) -> RemoteJoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let packet = Arc::new(Packet::new(name, self.0.clone()));
        let errand = Errand::new(body, Arc::clone(&packet));
        packet
            .runtime
            .run(move || errand.begin(stack_size, guard_size, place));
        RemoteJoinHandle(packet)
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}

impl Runtime {
    /// A handle for other threads, to spawn tasks into this runtime.
    ///
    /// # Errors
    ///
    /// If the process has no descriptor left for the runtime to be woken by.
    pub fn handle(&self) -> io::Result<Handle> {
        self.outsider().map(Handle)
    }
}

impl Builder {
    /// Starts the task in the runtime of a handle; see [`Handle::spawn`].
    /// [`inherit_locals`](Self::inherit_locals) has no effect there.
    ///
    /// ```
    /// use greenroom::{Builder, Handle, current, run};
    ///
    /// run(|| {
    ///     let handle = Handle::current()?;
    ///     let task = Builder::new().name("remote").spawn_on(&handle, || {
    ///         current().name().map(str::to_owned)
    ///     })?;
    ///     assert_eq!(task.join().unwrap().as_deref(), Some("remote"));
    ///     Ok::<(), std::io::Error>(())
    /// })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a name with a NUL in it; the body is dropped unrun. What is wrong
    /// with a size is found in the other thread: `join` says it, as a panic of the task.
    #[track_caller]
    pub fn spawn_on<T, F>(self, handle: &Handle, body: F) -> io::Result<RemoteJoinHandle<T>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let wish = self.checked()?;
        let name = wish.name.as_deref().map(Box::from);
        let place = Location::caller();
        Ok(handle.send(name, wish.stack_size, wish.guard_size, place, body))
    }
}

/// The right to join a task that was spawned through a [`Handle`], once, from any thread.
/// Dropping it lets the task run on by itself.
///
/// Like its handle it counts, while the task has not ended: it may still cancel the task,
/// so meanwhile no deadlock is reported. One that is being joined does not.
///
/// Nobody else has the result: it is dropped by whoever drops this handle, or, if that
/// went before the task ended, in the task. A panic that nobody joins is told to
/// [`Config::on_unobserved`](crate::Config::on_unobserved) of the task's runtime, in its
/// thread.
pub struct RemoteJoinHandle<T>(Arc<Packet<T>>);

impl<T> RemoteJoinHandle<T> {
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
    /// cancelled where its runtime was gone or dropped before the task began.
    ///
    /// # Panics
    ///
    /// If a task joins itself. If the task has not ended, in the thread of its runtime
    /// while that does not run: it would wait for ever. If the process has no descriptor
    /// left for the caller's runtime to be woken by.
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
        if let Some(result) = self.0.take() {
            return result;
        }
        let caller = Caller::here();
        self.refuse_endless(caller);
        let _patient = caller.may_wait(Patience::Waits);
        let address = match caller.address() {
            Ok(address) => address,
            Err(error) => panic!("join has no descriptor to be woken by: {error}"),
        };
        // From now on nobody can cancel the task through this handle.
        let canceller = {
            let mut state = self.0.lock();
            state.joiner = Some(address);
            state.canceller.take()
        };
        drop(canceller);
        let wish = Wish {
            reason: WaitReason::RemoteJoin,
            patience: Patience::Waits,
            limit: None,
            stands_still: false,
        };
        // Its runtime cannot run while this one waits for good.
        let own = self.0.runtime.belongs_to_this_thread();
        match caller.wait_for(own, wish, || self.0.take(), || self.0.take()) {
            Ok(result) => result,
            Err(_) => unreachable!("what waits with patience is never sent away"),
        }
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

    /// Whether the task has ended. Never waits.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        matches!(self.0.lock().stage, Stage::Ended(_))
    }

    /// Panics where the end cannot come as long as the caller waits.
    #[track_caller]
    fn refuse_endless(&self, caller: Caller) {
        if caller.is_task() {
            let own = TaskName::current().map(|task| task.id());
            let joined = self.0.lock().task.map(|(_, id)| id);
            assert!(own.is_none() || own != joined, "a task cannot join itself");
        } else {
            assert!(
                !self.0.runtime.belongs_to_this_thread(),
                "join would wait for ever: the task has not ended, and its runtime, which \
                 belongs to this thread, is not running"
            );
        }
    }
}

impl<T> Drop for RemoteJoinHandle<T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.wanted = false;
        let canceller = state.canceller.take();
        let joiner = state.joiner.take();
        let task = state.task;
        let stage = match &state.stage {
            Stage::Ended(_) => std::mem::replace(&mut state.stage, Stage::Over),
            _ => Stage::Over,
        };
        drop(state);
        drop((canceller, joiner));
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

impl<T> Awaitable for RemoteJoinHandle<T> {
    type Output = Result<T, JoinError>;

    #[track_caller]
    fn wait(self) -> Self::Output {
        self.join()
    }
}
