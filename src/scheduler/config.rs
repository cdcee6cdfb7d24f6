//! The settings of a runtime.

use std::any::Any;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use super::cancel::Delivery;
use super::hooks::{Switch, SwitchHook};
use super::policy::{Policy, Schedule};
use super::report::StuckTask;
use crate::coroutine::{DEFAULT_GUARD_SIZE, DEFAULT_STACK_SIZE};
use crate::id::TaskId;
use crate::thread_pool::ThreadPool;
use crate::timer::Clock;

/// The main task's stack where nothing else is said, in bytes of address space.
pub const DEFAULT_MAIN_STACK_SIZE: usize = 8 * 1024 * 1024;

/// The settings of a [`Runtime`](crate::Runtime).
///
/// ```
/// use greenroom::{Clock, Config, Runtime};
///
/// let mut rt = Runtime::with(Config::new().clock(Clock::virtual_()).stack_size(64 * 1024));
/// assert_eq!(rt.run(|| 6 * 7), 42);
/// ```
#[derive(Debug)]
#[must_use]
pub struct Config {
    pub(super) stack_size: usize,
    pub(super) main_stack_size: usize,
    pub(super) guard_size: usize,
    pub(super) clock: Clock,
    pub(super) event_interval: u32,
    pub(super) budget: u32,
    pub(super) on_unobserved: Option<Hook>,
    pub(super) schedule: Option<Policy>,
    pub(super) delivery: Delivery,
    pub(super) shutdown_grace: Option<(Duration, ShutdownHook)>,
    pub(super) on_switch: Option<SwitchHook>,
    pub(super) thread_pool: Option<ThreadPool>,
}

/// A failure that nobody can see. It is one of these:
///
/// - a panic of a task whose handle was dropped;
/// - a failure of a scope, or of a race, after the first: a panic, or, as a `String` of
///   its `Debug`, an error of `try_scope` and `try_gather`;
/// - an error of [`Close::close`](crate::Close::close) that could not be returned, as a
///   `String` of its `Debug`.
#[non_exhaustive]
pub struct Unobserved<'a> {
    /// The task's number.
    pub id: TaskId,
    /// The task's name, if it has one.
    pub name: Option<&'a str>,
    /// What it panicked with, or its error as text.
    pub payload: Box<dyn Any + Send>,
}

impl Unobserved<'_> {
    /// The text of the panic or error, if it has one.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        let text = self.payload.downcast_ref::<&'static str>().copied();
        text.or_else(|| self.payload.downcast_ref::<String>().map(String::as_str))
    }
}

impl fmt::Debug for Unobserved<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unobserved")
            .field("id", &self.id)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

#[derive(Clone)]
pub(super) struct Hook(pub(super) Rc<dyn Fn(Unobserved<'_>)>);

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hook")
    }
}

#[derive(Clone)]
pub(super) struct ShutdownHook(pub(super) Rc<OnLate>);

/// What is told of tasks that resist.
type OnLate = dyn Fn(&[StuckTask]);

impl fmt::Debug for ShutdownHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ShutdownHook")
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}

impl Config {
    /// The defaults.
    pub fn new() -> Self {
        Self {
            stack_size: DEFAULT_STACK_SIZE,
            main_stack_size: DEFAULT_MAIN_STACK_SIZE,
            guard_size: DEFAULT_GUARD_SIZE,
            clock: Clock::real(),
            event_interval: 256,
            budget: 128,
            on_unobserved: None,
            schedule: None,
            delivery: Delivery::DEFAULT,
            shutdown_grace: None,
            on_switch: None,
            thread_pool: None,
        }
    }

    /// Bytes of address space for the stack of each task, unless its
    /// [`Builder`](crate::Builder) says otherwise; rounded up to whole pages, at
    /// least 16 KiB. Memory is used page by page.
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = bytes;
        self
    }

    /// Bytes of address space for the stack of the main task.
    pub fn main_stack_size(mut self, bytes: usize) -> Self {
        self.main_stack_size = bytes;
        self
    }

    /// Bytes of guard below each stack, rounded up to whole pages, at least one.
    pub fn guard_size(mut self, bytes: usize) -> Self {
        self.guard_size = bytes;
        self
    }

    /// Where the time comes from: real, or virtual.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// After how many steps of tasks timers and descriptors are looked at, when
    /// there is always a task ready. 256; 0 counts as 1.
    pub fn event_interval(mut self, steps: u32) -> Self {
        self.event_interval = steps.max(1);
        self
    }

    /// How many calls that could wait, but need not, a task may make before it
    /// yields. 128.
    pub fn budget(mut self, calls: u32) -> Self {
        self.budget = calls;
        self
    }

    /// What is told of failures that nobody can see; [`Unobserved`] lists them. Without
    /// it they are dropped.
    ///
    /// It is called on the stack of the task that ended, or of whoever drops the
    /// handle of one that has. It should not wait, and a panic of its own is
    /// dropped.
    pub fn on_unobserved(mut self, hook: impl Fn(Unobserved<'_>) + 'static) -> Self {
        self.on_unobserved = Some(Hook(Rc::new(hook)));
        self
    }

    /// How cancelled tasks learn of it, where no
    /// [`CancelScope`](crate::CancelScope) says otherwise. [`Delivery::Unwind`]; with
    /// `panic = "abort"`, [`Delivery::Error`].
    pub fn delivery(mut self, delivery: Delivery) -> Self {
        self.delivery = delivery;
        self
    }

    /// How long cancelled tasks may take to end before `hook` is told of those
    /// that are left. `run` goes on waiting for them all the same: they may be
    /// using what lies on their stacks.
    ///
    /// It counts from the end of the main task, or from a deadlock. The hook runs
    /// between the steps of tasks, once; a panic of its own is dropped.
    ///
    /// ```
    /// use std::time::Duration;
    /// use std::{cell::RefCell, rc::Rc};
    /// use greenroom::{Builder, Clock, Config, Runtime, shield, sleep, yield_now};
    ///
    /// let told = Rc::new(RefCell::new(Vec::new()));
    /// let names = Rc::clone(&told);
    /// let config = Config::new().clock(Clock::virtual_()).shutdown_grace(
    ///     Duration::from_secs(2),
    ///     move |left| names.borrow_mut().extend(left.iter().filter_map(|task| task.name.clone())),
    /// );
    /// Runtime::with(config).run(|| {
    ///     let slow = || shield(|| sleep(Duration::from_secs(5)));
    ///     drop(Builder::new().name("slow").spawn(slow).unwrap());
    ///     yield_now();
    /// });
    /// assert_eq!(*told.borrow(), ["slow"]);
    /// ```
    pub fn shutdown_grace(
        mut self,
        grace: Duration,
        hook: impl Fn(&[StuckTask]) + 'static,
    ) -> Self {
        self.shutdown_grace = Some((grace, ShutdownHook(Rc::new(hook))));
        self
    }

    /// Is told before a task runs, and when it has stopped, at every switch: so
    /// that what keeps state for the thread (a tracing library's current span) can
    /// keep it for the task.
    ///
    /// The hook runs on the thread's own stack, outside all tasks. It cannot
    /// wait, and a panic of its own is dropped.
    ///
    /// ```
    /// use std::{cell::Cell, collections::HashMap, cell::RefCell, rc::Rc};
    /// use greenroom::{Config, Runtime, Switch, spawn, yield_now};
    ///
    /// thread_local!(static DEPTH: Cell<u32> = const { Cell::new(0) });
    ///
    /// let saved = RefCell::new(HashMap::new());
    /// let config = Config::new().on_switch(move |switch| match switch {
    ///     Switch::In(task) => DEPTH.set(saved.borrow().get(&task).copied().unwrap_or(0)),
    ///     Switch::Out(task) => drop(saved.borrow_mut().insert(task, DEPTH.take())),
    ///     Switch::End(task) => {
    ///         DEPTH.set(0); // the thread's own again
    ///         saved.borrow_mut().remove(&task);
    ///     }
    ///     _ => {}
    /// });
    /// Runtime::with(config).run(|| {
    ///     DEPTH.set(1);
    ///     spawn(|| assert_eq!(DEPTH.replace(7), 0)); // its own
    ///     yield_now();
    ///     assert_eq!(DEPTH.get(), 1);
    /// });
    /// ```
    pub fn on_switch(mut self, hook: impl Fn(Switch) + 'static) -> Self {
        self.on_switch = Some(SwitchHook::new(hook));
        self
    }

    /// The pool that [`unblock`](crate::unblock) uses in this runtime. Where nothing is
    /// said, it is that of the process: [`ThreadPool::global`].
    ///
    /// ```
    /// use greenroom::{Config, Runtime, ThreadPool, unblock};
    ///
    /// let pool = ThreadPool::builder().thread_name("mine").build();
    /// let mut rt = Runtime::with(Config::new().thread_pool(pool));
    /// let name = rt.run(|| unblock(|| std::thread::current().name().map(str::to_owned)));
    /// assert_eq!(name.as_deref(), Some("mine"));
    /// ```
    pub fn thread_pool(mut self, pool: ThreadPool) -> Self {
        self.thread_pool = Some(pool);
        self
    }

    /// Another schedule than round robin. For tests.
    pub fn schedule(mut self, schedule: impl Schedule + 'static) -> Self {
        self.schedule = Some(Policy(Box::new(schedule)));
        self
    }
}
