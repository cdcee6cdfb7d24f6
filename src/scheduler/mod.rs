//! Who runs next. This file is the loop, as an outline.
//!
//! ```text
//!   while a task is ready           strict first in, first out (run_queue.rs)
//!       step it                     until it waits or ends  (header.rs)
//!       every `event_interval`      look outside, without waiting
//!   nothing is ready:
//!       all tasks have ended        done
//!       nothing can wake one        deadlock (report.rs)
//!       else                        look outside, and wait
//!
//!   look outside =  expired timers, in order (timers.rs),
//!                   then ready descriptors (io.rs),
//!                   then what other threads sent (inject.rs)
//! ```
//!
//! Tasks come in by [`spawn`](mod@spawn); every wait goes through [`park`]. One
//! thread drives a runtime; whatever crosses threads goes through the inbox.
//! Nothing here may hold a borrow while a task runs.

pub(crate) mod cancel;
pub(crate) mod children;
mod config;
pub(crate) mod current;
pub(crate) mod frame;
mod header;
pub(crate) mod holders;
mod hooks;
mod inject;
#[cfg(any(reactor = "epoll", reactor = "kqueue"))]
pub(crate) mod io;
pub(crate) mod locals;
pub(crate) mod outside;
pub(crate) mod park;
mod policy;
mod report;
mod run_queue;
mod runtime;
pub(crate) mod select;
pub(crate) mod spawn;
mod task_table;
mod timers;
mod wait_queue;

use std::any::Any;
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::VecDeque;
use std::num::NonZeroU64;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub use cancel::{Cancelled, Delivery};
pub use config::{Config, DEFAULT_MAIN_STACK_SIZE, Unobserved};
pub(crate) use header::{TaskRef, WaitReason};
pub use hooks::Switch;
pub(crate) use inject::{Inbox, Outsider};
pub use policy::{ReadyTask, Schedule};
pub(crate) use report::tasks;
pub use report::{Deadlock, RunError, StuckTask, TaskInfo, WaitCycle};
pub use runtime::{LeftOver, Runtime, Turn};
pub(crate) use task_table::Ending;

use crate::coroutine::pool::Pool;
use crate::panic::{defuse, drop_caught};
use crate::timer::{Clock, Instant, TimerKey, Timers};
use hooks::SwitchHook;
use inject::Message;
use policy::Policy;
use run_queue::RunQueue;
use task_table::TaskTable;
use timers::Sleeping;

/// Everything of one runtime. Shared by count, so that handles can outlive the
/// `Runtime`; driven by one thread, one call at a time.
#[derive(Debug)]
pub(crate) struct Core {
    number: u64,
    queue: RunQueue,
    current: Cell<Option<TaskRef>>,
    /// Steps until the next look outside.
    countdown: Cell<u32>,
    /// Calls the running task may still make without waiting.
    budget: Cell<u32>,
    /// Moves on with each `select!`.
    selections: Cell<u64>,
    table: TaskTable,
    timers: RefCell<Timers<Sleeping>>,
    clock: Clock,
    /// The time when the loop last looked outside.
    seen: Cell<Instant>,
    /// When tasks that resist their cancellation are to be told of.
    shutdown: Cell<Option<TimerKey>>,
    #[cfg(any(reactor = "epoll", reactor = "kqueue"))]
    reactor: OnceCell<io::Reactor>,
    inbox: OnceCell<Arc<Inbox>>,
    /// Tasks that wait for a descriptor, or for another thread.
    waiting_outside: Cell<usize>,
    /// Tasks that wait for a lock.
    waiting_for_locks: Cell<usize>,
    /// Calls that run on other threads, and for which a virtual clock waits.
    elsewhere: Cell<usize>,
    /// What the inbox is emptied into.
    arrived: RefCell<VecDeque<Message>>,
    /// Whether tasks are being ended: a task spawned now is cancelled at birth.
    stopping: Cell<bool>,
    /// Whether there is a schedule, or a hook: anything but the plain queue.
    is_watched: bool,
    hook: Option<SwitchHook>,
    policy: RefCell<Option<Policy>>,
    /// What the schedule panicked with.
    policy_panic: RefCell<Option<Box<dyn Any + Send>>>,
    config: Config,
    /// The next task's number, and how many more of its block are left.
    ids: Cell<(NonZeroU64, u64)>,
    pool: Pool,
}

impl Core {
    fn new(mut config: Config) -> Self {
        static NUMBERS: AtomicU64 = AtomicU64::new(1);
        let policy = config.schedule.take();
        let hook = config.on_switch.take();
        Self {
            number: NUMBERS.fetch_add(1, Ordering::Relaxed),
            queue: RunQueue::new(),
            current: Cell::new(None),
            countdown: Cell::new(config.event_interval),
            budget: Cell::new(config.budget),
            selections: Cell::new(0),
            table: TaskTable::new(),
            timers: RefCell::new(Timers::new()),
            clock: config.clock.clone(),
            seen: Cell::new(config.clock.now()),
            shutdown: Cell::new(None),
            #[cfg(any(reactor = "epoll", reactor = "kqueue"))]
            reactor: OnceCell::new(),
            inbox: OnceCell::new(),
            waiting_outside: Cell::new(0),
            waiting_for_locks: Cell::new(0),
            elsewhere: Cell::new(0),
            arrived: RefCell::new(VecDeque::new()),
            stopping: Cell::new(false),
            is_watched: policy.is_some() || hook.is_some(),
            hook,
            policy: RefCell::new(policy),
            policy_panic: RefCell::new(None),
            config,
            ids: Cell::new((NonZeroU64::MIN, 0)),
            pool: Pool::of_thread().unwrap_or_else(|error| panic!("{error}")),
        }
    }

    /// The clock of this runtime.
    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Runs tasks until all have ended, or none ever could.
    fn drive(&self) -> Result<(), Deadlock> {
        loop {
            while let Some(task) = current::driven(Core::next_ready) {
                step(task);
                if self.is_left() {
                    return Ok(());
                }
            }
            if self.table.live() == 0 || self.is_left() {
                return Ok(());
            }
            if !self.wait_outside() {
                return Err(Deadlock::of(self));
            }
        }
    }

    /// Looks outside, then steps the tasks that are ready now, once each.
    fn turn(&self) {
        // Also where only the rousing itself is to be fetched: whoever waits for the
        // descriptor would find it readable for ever.
        self.look(self.reactor.get().is_some());
        for _ in 0..self.queue.len() {
            if self.hook.is_some() {
                self.step_watched();
            } else if let Some(task) = self.next_ready() {
                step(task);
            }
        }
    }

    #[inline(always)]
    fn next_ready(&self) -> Option<TaskRef> {
        if self.is_watched {
            self.next_watched()
        } else {
            self.queue.pop()
        }
    }

    /// After a step: counts it, and looks outside when it is time.
    #[inline(always)]
    fn count_step(&self) {
        self.current.set(None);
        match self.countdown.get() {
            0 | 1 => {
                self.countdown.set(self.config.event_interval);
                self.look_outside();
            }
            steps => self.countdown.set(steps - 1),
        }
    }

    /// [`next_ready`](Self::next_ready) where somebody watches or decides.
    #[cold]
    fn next_watched(&self) -> Option<TaskRef> {
        if self.hook.is_none() {
            return self.choose_next();
        }
        // The steps are taken here, all of them: so that the loop itself has nothing
        // to ask of a hook that is hardly ever there.
        while self.step_watched() {
            if self.is_left() {
                break;
            }
        }
        None
    }

    /// Who is next by the schedule, or by the queue.
    fn choose_next(&self) -> Option<TaskRef> {
        if self.policy.borrow().is_some() {
            self.ask_policy()
        } else {
            self.queue.pop()
        }
    }

    /// Steps the next task with the hook told of it, if one is ready.
    fn step_watched(&self) -> bool {
        let Some(task) = self.choose_next() else {
            return false;
        };
        // While it still counts as queued, and is not yet current: the hook may wake
        // it, and must not wait in its name.
        self.tell_in(task);
        step(task);
        self.tell_out();
        true
    }

    /// Whether what is left stays as it is: nothing can be unwound.
    #[inline(always)]
    fn is_left(&self) -> bool {
        cfg!(panic = "abort") && self.stopping.get()
    }

    fn ask_policy(&self) -> Option<TaskRef> {
        let mut ready = Vec::with_capacity(self.queue.len());
        while let Some(task) = self.queue.get(ready.len()) {
            ready.push(ReadyTask {
                id: task.id,
                yielded: task.yielded.get(),
            });
        }
        if ready.is_empty() {
            return None;
        }
        let choice = self.choose(&ready);
        let task = self.queue.take(choice % ready.len())?;
        task.yielded.set(false);
        Some(task)
    }

    /// Asks the schedule. One that panics is not asked again: every task is
    /// cancelled, and the panic goes on when all have ended.
    fn choose(&self, ready: &[ReadyTask]) -> usize {
        let Some(mut policy) = self.policy.take() else {
            return 0;
        };
        match catch_unwind(AssertUnwindSafe(|| policy.0.next(ready))) {
            Ok(choice) => {
                self.policy.replace(Some(policy));
                choice
            }
            Err(payload) => {
                self.policy_panic.replace(Some(payload));
                if let Some(second) = drop_caught(policy) {
                    defuse(second);
                }
                self.cancel_all();
                0
            }
        }
    }

    /// Finds what became ready, without waiting. No system call where nothing is
    /// registered.
    #[cold]
    fn look_outside(&self) {
        self.look(self.has_descriptors() || self.has_messages());
    }

    fn look(&self, at_descriptors: bool) {
        current::refresh_unwinding();
        self.seen.set(self.clock.now());
        self.expire_timers();
        if at_descriptors {
            self.collect_events(Some(Duration::ZERO));
        }
        self.take_messages();
    }

    /// Waits until something may have become ready. `false` if nothing ever will.
    #[cold]
    fn wait_outside(&self) -> bool {
        let deadline = self.timers.borrow().next_deadline();
        let hopes = self.waiting_outside.get() > 0
            || self.inbox.get().is_some_and(|inbox| inbox.has_outsiders());
        if self.clock.is_virtual() {
            self.look_outside();
            if self.queue.len() == 0 {
                // Time does not pass while something is still to be heard.
                self.take_all_messages();
            }
            if self.queue.len() > 0 {
                return true;
            }
            if self.elsewhere.get() > 0 {
                // Virtual time stands still while a call runs on another thread.
                self.sleep(None);
                self.take_messages();
                return true;
            }
            if let Some(deadline) = deadline.filter(|deadline| *deadline != Instant::NEVER) {
                self.clock.advance_to(deadline);
                self.seen.set(self.clock.now());
                self.expire_timers();
                return true;
            }
        }
        if !hopes && (deadline.is_none() || self.clock.is_virtual()) {
            // A waker may have been used, and dropped, a moment ago.
            self.take_all_messages();
            return self.queue.len() > 0;
        }
        self.pool.trim();
        self.sleep(deadline);
        self.seen.set(self.clock.now());
        self.expire_timers();
        self.take_messages();
        true
    }

    /// Blocks the thread until a deadline, a descriptor, or another thread.
    fn sleep(&self, deadline: Option<Instant>) {
        let timeout = deadline
            .filter(|deadline| *deadline != Instant::NEVER)
            .map(|deadline| deadline.duration_since(self.clock.now()));
        // With a message waiting this is only a look, but it is one: a storm of
        // messages must not starve the descriptors.
        let timeout = if self.may_be_left() {
            timeout
        } else {
            Some(Duration::ZERO)
        };
        #[cfg(any(reactor = "epoll", reactor = "kqueue"))]
        if self.reactor.get().is_some() {
            return self.collect_events(timeout);
        }
        let nanos = timeout.map_or(u64::MAX, |timeout| {
            u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX)
        });
        crate::sys::clock::sleep_nanos(nanos);
    }

    /// How many descriptors are watched.
    fn registered(&self) -> usize {
        #[cfg(any(reactor = "epoll", reactor = "kqueue"))]
        let count = self.reactor.get().map_or(0, io::Reactor::len);
        #[cfg(not(any(reactor = "epoll", reactor = "kqueue")))]
        let count = 0;
        count
    }

    /// Cancels every task there is, and from now on every new one.
    fn cancel_all(&self) {
        self.stopping.set(true);
        if cfg!(panic = "abort") {
            return;
        }
        // The children of a scope are cancelled through it, or shielded with it.
        self.table.for_each_live(|task| {
            if task.siblings.parent().is_null() {
                frame::request(task);
            }
        });
        if let Some((grace, _)) = &self.config.shutdown_grace {
            let deadline = self.clock.now().saturating_add(*grace);
            let key = self
                .timers
                .borrow_mut()
                .insert(deadline, Sleeping::Shutdown);
            self.end_grace();
            self.shutdown.set(Some(key));
        }
    }

    /// All have ended, or are to be cancelled anew.
    fn end_grace(&self) {
        if let Some(key) = self.shutdown.take() {
            let _removed = self.timers.borrow_mut().remove(key);
        }
    }

    /// Tells of those that resist their cancellation.
    #[cold]
    fn shutdown_is_late(&self) {
        self.shutdown.set(None);
        let Some((_, hook)) = &self.config.shutdown_grace else {
            return;
        };
        let stuck = report::stuck(self);
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| (hook.0)(&stuck))) {
            defuse(payload);
        }
    }
}

/// Steps a task, and counts the step.
///
/// The core is looked up anew on both sides of the switch. What is kept across
/// it goes through memory, and everything the loop does next would have to wait
/// for that: with two tasks in turn this alone halved the speed.
#[inline(always)]
fn step(task: TaskRef) {
    current::driven(|core| {
        task.queued.set(false);
        core.current.set(Some(task));
        core.budget.set(core.config.budget);
    });
    task.run_on();
    current::driven(Core::count_step);
}

impl Drop for Core {
    fn drop(&mut self) {
        self.close_inbox();
    }
}
