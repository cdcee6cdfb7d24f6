//! Tasks spawned from other threads.
//!
//! What crosses threads, and when, is in `packet.rs`, and what one has of such a task in
//! `remote_join.rs`; here is how it is sent. Nothing here may wait.

use std::fmt;
use std::io;
use std::panic::Location;
use std::sync::Arc;

use super::Builder;
use super::packet::{Errand, Packet};
use super::remote_join::RemoteJoinHandle;
use crate::scheduler::{Outsider, Runtime};

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
    /// Where there is no memory for its stack, the body is dropped by the thread of the
    /// runtime, between two steps of tasks, and `join` says that it panicked. A destructor that
    /// waits would block that thread.
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
        RemoteJoinHandle::new(packet)
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
