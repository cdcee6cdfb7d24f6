//! The settings of a runtime.

use std::any::Any;
use std::fmt;
use std::rc::Rc;

use super::policy::{Policy, Schedule};
use crate::coroutine::{DEFAULT_GUARD_SIZE, DEFAULT_STACK_SIZE};
use crate::id::TaskId;
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
}

/// A task that panicked, and whose handle nobody kept.
#[non_exhaustive]
pub struct Unobserved<'a> {
    /// The task's number.
    pub id: TaskId,
    /// The task's name, if it has one.
    pub name: Option<&'a str>,
    /// What it panicked with.
    pub payload: Box<dyn Any + Send>,
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

    /// What is told of panics that nobody can see: those of tasks whose handles
    /// were dropped. Without it they are dropped.
    ///
    /// It is called on the stack of the task that ended, or of whoever drops the
    /// handle of one that has. It should not wait, and a panic of its own is
    /// dropped.
    pub fn on_unobserved(mut self, hook: impl Fn(Unobserved<'_>) + 'static) -> Self {
        self.on_unobserved = Some(Hook(Rc::new(hook)));
        self
    }

    /// Another schedule than round robin. For tests.
    pub fn schedule(mut self, schedule: impl Schedule + 'static) -> Self {
        self.schedule = Some(Policy(Box::new(schedule)));
        self
    }
}
