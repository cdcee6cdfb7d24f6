//! The runtime as a value: made, used as often as one likes, dropped.

#![expect(unsafe_code, reason = "runs a main body that borrows from the caller")]

use std::fmt;
use std::io;
use std::mem::ManuallyDrop;
use std::panic::{Location, resume_unwind};
use std::rc::Rc;
use std::sync::Arc;

use super::spawn::{self, Plain, TaskKey, Wish};
use super::{Config, Core, Deadlock, Ending, Outsider, RunError, current};
use crate::panic::{Wall, defuse, fatal};
use crate::sys::stack::Use;
use crate::timer::Instant;

/// What a [`Runtime::turn`] left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// A task is ready: take the next turn at once.
    Ready,
    /// All tasks wait. Take the next turn when the runtime's descriptor is
    /// readable, or at this moment, if there is one; or after this thread itself has
    /// woken a task: sent, set, unparked, cancelled, spawned.
    Waiting(Option<Instant>),
    /// There are no tasks.
    Done,
}

/// What a runtime still has: see [`Runtime::left_over`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeftOver {
    /// Tasks that have not ended.
    pub tasks: usize,
    /// Deadlines in the sleep queue.
    pub timers: usize,
    /// Descriptors that are watched. A stream that is kept stays so.
    pub descriptors: usize,
    /// Living [wakers](crate::Task::waker); and [`Handle`](crate::Handle)s, with the
    /// [`RemoteJoinHandle`](crate::RemoteJoinHandle)s of tasks that have not ended.
    pub wakers: usize,
}

impl LeftOver {
    /// Whether nothing is left.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.tasks + self.timers + self.descriptors + self.wakers == 0
    }
}

impl fmt::Display for LeftOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} tasks, {} timers, {} descriptors, {} wakers and handles",
            self.tasks, self.timers, self.descriptors, self.wakers
        )
    }
}

/// The value behind [`run`](crate::run): tasks, timers and descriptors of one
/// thread, and the loop over them.
///
/// ```
/// use greenroom::{Clock, Config, Runtime, spawn};
///
/// let mut rt = Runtime::with(Config::new().clock(Clock::virtual_()));
/// let answer = rt.run(|| spawn(|| 40).join().unwrap() + 2);
/// assert_eq!(answer, 42);
/// assert_eq!(rt.run(|| 7), 7); // and again
/// ```
///
/// # Dropping
///
/// Tasks that are still alive, which there can be only after
/// [`spawn`](Self::spawn) and [`turn`](Self::turn), are cancelled and joined. That
/// needs the thread: dropping a runtime with living tasks inside another runtime
/// aborts the process.
/// With `panic = "abort"` nothing can be unwound: tasks still alive when `run`
/// ends stay as they are, go on in the next `run`, and are leaked in the end.
#[derive(Debug)]
pub struct Runtime {
    core: Rc<Core>,
}

impl Default for Runtime {
    fn default() -> Self {
        Self::new()
    }
}

impl Runtime {
    /// A runtime with the default settings. It takes no descriptor and no
    /// memory to speak of before it needs them.
    #[must_use]
    pub fn new() -> Self {
        Self::with(Config::new())
    }

    /// A runtime with these settings.
    #[must_use]
    pub fn with(config: Config) -> Self {
        Self {
            core: Rc::new(Core::new(config)),
        }
    }

    /// Runs `main` as a task, and everything it spawns; returns what it returned.
    ///
    /// When `main` has returned, the tasks still alive are cancelled: their
    /// waiting calls unwind, and all have ended before this returns.
    ///
    /// # Panics
    ///
    /// With `main`'s own panic; if all tasks wait and nothing can wake one (the
    /// message lists them; see [`try_run`](Self::try_run)); inside a runtime; and
    /// if there is no memory for the main task's stack.
    #[track_caller]
    pub fn run<T>(&mut self, main: impl FnOnce() -> T) -> T {
        match self.try_run(main) {
            Ok(value) => value,
            Err(error) => panic!("{error}"),
        }
    }

    /// Like [`run`](Self::run), but returns an error where that panics by itself.
    ///
    /// # Errors
    ///
    /// [`RunError::Deadlock`], after every task was cancelled and has ended;
    /// [`RunError::Io`] if the main task could not be made.
    ///
    /// # Panics
    ///
    /// With `main`'s own panic, and inside a runtime.
    #[track_caller]
    pub fn try_run<T>(&mut self, main: impl FnOnce() -> T) -> Result<T, RunError> {
        let place = Location::caller();
        let _entered = self.enter();
        let core = &self.core;
        let body = move || {
            let _stop = StopWhenDone(core);
            main()
        };
        core.stopping.set(false);
        // SAFETY: what `main` borrows outlives this call, and `finish` does not
        // return before the task has ended.
        let slot =
            unsafe { core.spawn::<Plain, _>(&Wish::default(), Use::Main, place, true, None, body) }
                .map_err(RunError::Io)?;
        let main = core.key(slot);
        let driven = finish(core);
        core.end_grace();
        core.stopping.set(false);
        core.leave_inbox();
        // SAFETY: the task returns a `T`, and this is the first to ask.
        let ending = unsafe { main.take_ending::<T>() };
        if let Some(payload) = core.policy_panic.take() {
            resume_unwind(payload);
        }
        match ending {
            Some(Ending::Returned(value)) => driven.map(|()| value).map_err(RunError::Deadlock),
            Some(Ending::Panicked(payload, _)) => resume_unwind(payload),
            Some(Ending::Cancelled) | None => match driven {
                Err(deadlock) => Err(RunError::Deadlock(deadlock)),
                Ok(()) => panic!("the main task was cancelled"),
            },
        }
    }

    /// Spawns a task from outside; it runs in the next [`turn`](Self::turn) or
    /// [`run`](Self::run).
    ///
    /// # Errors
    ///
    /// If there is no memory for its stack.
    #[track_caller]
    pub(crate) fn spawn_task<T: 'static>(
        &mut self,
        body: impl FnOnce() -> T + 'static,
    ) -> io::Result<TaskKey> {
        spawn::spawn_in(
            Rc::clone(&self.core),
            &Wish::default(),
            Location::caller(),
            body,
        )
    }

    /// Looks at timers and descriptors without waiting, then steps the tasks that
    /// are ready, once each. For embedding in another loop.
    ///
    /// ```
    /// use greenroom::{Runtime, Turn, yield_now};
    ///
    /// let mut rt = Runtime::new();
    /// let task = rt.spawn(|| { yield_now(); 5 });
    /// assert_eq!(rt.turn(), Turn::Ready);
    /// assert_eq!(rt.turn(), Turn::Done);
    /// assert_eq!(task.join().unwrap(), 5);
    /// ```
    ///
    /// # Panics
    ///
    /// Inside a runtime. A panic of the schedule cancels all tasks, and goes on
    /// here in the turn in which the last of them ends.
    #[track_caller]
    pub fn turn(&mut self) -> Turn {
        let _entered = self.enter();
        Wall::standing("the scheduler itself panicked", || self.core.turn());
        if self.core.table.live() == 0 {
            if let Some(payload) = self.core.policy_panic.take() {
                self.core.end_grace();
                self.core.stopping.set(false);
                resume_unwind(payload);
            }
        }
        self.state()
    }

    fn state(&self) -> Turn {
        // In any case: with no task alive one may be sent.
        let may_be_left = self.core.may_be_left();
        if self.core.queue.len() > 0 || !may_be_left {
            Turn::Ready
        } else if self.core.table.live() == 0 {
            Turn::Done
        } else {
            Turn::Waiting(self.next_deadline())
        }
    }

    /// The moment of the next timer, if any task waits for one.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.core
            .timers
            .borrow()
            .next_deadline()
            .filter(|deadline| *deadline != Instant::NEVER)
    }

    /// How many tasks have not ended.
    #[must_use]
    pub fn tasks_alive(&self) -> usize {
        self.core.table.live()
    }

    /// What there is of a runtime's that could be forgotten: for tests that nothing
    /// is left.
    ///
    /// ```
    /// use greenroom::{Runtime, spawn, timeout};
    ///
    /// let mut rt = Runtime::new();
    /// rt.run(|| {
    ///     let limit = std::time::Duration::from_secs(1);
    ///     timeout(limit, || spawn(|| ()).join()).unwrap().unwrap();
    /// });
    /// let left = rt.left_over();
    /// assert!(left.is_nothing(), "{left}");
    /// ```
    #[must_use]
    pub fn left_over(&self) -> LeftOver {
        let core = &self.core;
        LeftOver {
            tasks: core.table.live(),
            timers: core.timers.borrow().len(),
            descriptors: core.registered(),
            wakers: core.inbox.get().map_or(0, |inbox| inbox.outsiders()),
        }
    }

    #[track_caller]
    fn enter(&self) -> current::Entered {
        match current::enter(&self.core) {
            Some(entered) => entered,
            None => panic!(
                "a runtime is running in this thread already: call spawn, or use another thread"
            ),
        }
    }
}

#[cfg(any(reactor = "epoll", reactor = "kqueue"))]
impl Runtime {
    /// The descriptor of the runtime, to wait on in another loop: it is readable
    /// when a [`turn`](Self::turn) would find something. Timers do not make it
    /// so: see [`next_deadline`](Self::next_deadline). Nor does what the same thread does
    /// between turns: after it has woken a task, take a turn.
    ///
    /// # Errors
    ///
    /// If the process has no descriptor left for it.
    pub fn descriptor(&self) -> io::Result<std::os::fd::BorrowedFd<'_>> {
        use std::os::fd::AsFd;
        Ok(self.core.reactor()?.as_fd())
    }
}

/// Cancels what is left when the main body has ended, however it did.
struct StopWhenDone<'a>(&'a Core);

impl Drop for StopWhenDone<'_> {
    fn drop(&mut self) {
        self.0.cancel_all();
    }
}

/// Drives until every task has ended. After a deadlock that is a clean-up, and
/// a second deadlock is the end.
fn finish(core: &Core) -> Result<(), Deadlock> {
    // Main may borrow from the caller of `run`.
    Wall::standing("the scheduler itself panicked", || clean_up(core))
}

fn clean_up(core: &Core) -> Result<(), Deadlock> {
    let Err(first) = core.drive() else {
        return Ok(());
    };
    if cfg!(panic = "abort") {
        fatal(&format!(
            "{first}\n  with panic=abort nothing can be unwound"
        ));
    }
    core.cancel_all();
    if let Err(second) = core.drive() {
        fatal(&format!(
            "{first}\nwhile cleaning up after it, a second {second}"
        ));
    }
    Err(first)
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.end_tasks();
        // A handle may keep the core; what other threads send is dropped from now on.
        self.core.close_inbox();
    }
}

impl Runtime {
    /// Somebody outside it.
    pub(crate) fn outsider(&self) -> io::Result<Outsider> {
        Ok(Outsider::new(Arc::clone(self.core.inbox()?)))
    }

    fn end_tasks(&mut self) {
        if self.core.table.live() == 0 {
            return;
        }
        if cfg!(panic = "abort") {
            // Leaked tasks point at the core for ever.
            let _leaked = ManuallyDrop::new(Rc::clone(&self.core));
            return;
        }
        let Some(_entered) = current::enter(&self.core) else {
            fatal("a runtime with living tasks was dropped inside another runtime");
        };
        self.core.cancel_all();
        let driven = Wall::standing("the scheduler itself panicked", || self.core.drive());
        if let Err(deadlock) = driven {
            fatal(&format!("while a runtime was dropped, a {deadlock}"));
        }
        self.core.end_grace();
        self.core.stopping.set(false);
        if let Some(payload) = self.core.policy_panic.take() {
            defuse(payload);
        }
    }
}
