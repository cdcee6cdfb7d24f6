//! Waiting for another thread: in a task, or on a plain thread.
//!
//! ```text
//!   the call:      its turn now?  no: line up where the other thread looks, with an address
//!                  wait           a task parks; a plain thread is parked by std
//!   other thread:  gives it what it waits for, takes the address, wakes it
//!   the call:      `ready` finds what it was given
//! ```
//!
//! Where it lines up, under what lock, is its own affair; here is only how it sleeps
//! and how it is woken. It may be woken for nothing, so whoever waits looks.
//!
//! A call that is cancelled first leaves its line (`leave`), and then unwinds: what it
//! was given a moment before is returned instead, and so not lost.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::cancel;
use super::header::{TaskRef, WaitReason};
use super::inject::{Inbox, Message};
use super::io::Counted;
use super::park::{self, Patience};
use super::timers::Sleep;
use crate::id::TaskId;
use crate::sys::threads::{self, Thread};
use crate::thread_pool::ThreadPool;

/// How to wake a waiting call, from any thread, at any time.
#[derive(Debug, Clone)]
pub(crate) struct Address(Whose);

#[derive(Debug, Clone)]
enum Whose {
    Thread(Thread),
    Task(Arc<Inbox>, u32, TaskId),
}

impl Address {
    /// Wakes the call. Nothing happens if it is over.
    pub(crate) fn wake(self) {
        match self.0 {
            Whose::Thread(thread) => thread.unpark(),
            Whose::Task(inbox, slot, id) => {
                let _gone = inbox.send(Message::Wake(slot, id));
            }
        }
    }
}

/// Why a call did not wait to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// The task is cancelled or unwinding, and nothing may be thrown.
    Cancelled,
    /// Its time is over.
    Late,
}

/// Who calls: a task, or a plain thread.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caller(Option<TaskRef>);

impl Caller {
    /// The caller.
    #[inline]
    pub(crate) fn here() -> Self {
        Self(park::current())
    }

    /// Whether it is a task.
    pub(crate) fn is_task(self) -> bool {
        self.0.is_some()
    }

    /// The pool that was chosen for the runtime of the task.
    pub(crate) fn thread_pool(self) -> Option<ThreadPool> {
        self.0?.core().config.thread_pool.clone()
    }

    /// Uses up one unit of the budget, if it is a task.
    #[inline(always)]
    pub(crate) fn spend(self) {
        if let Some(task) = self.0 {
            park::spend(task);
        }
    }

    /// Asks whether it may wait, before it lines up: then nobody can have given it
    /// anything yet. Unwinds if the task was cancelled.
    ///
    /// # Errors
    ///
    /// For an impatient call of a task that is cancelled or unwinding.
    pub(crate) fn may_wait(self, patience: Patience) -> Result<(), Stopped> {
        let Some(task) = self.0 else {
            return Ok(());
        };
        cancel::may_switch(task);
        if park::may_wait(task) || patience == Patience::Waits {
            Ok(())
        } else {
            Err(Stopped::Cancelled)
        }
    }

    /// How to wake it.
    ///
    /// # Errors
    ///
    /// If the process has no descriptor left for the task's runtime to be woken by.
    pub(crate) fn address(self) -> io::Result<Address> {
        let Some(task) = self.0 else {
            return Ok(Address(Whose::Thread(threads::current())));
        };
        let inbox = Arc::clone(task.core().inbox()?);
        Ok(Address(Whose::Task(inbox, task.slot.index(), task.id)))
    }

    /// How to wake it, if it may wait for sure: then it may line up without asking
    /// before. Runs no code of anybody, so it may be called under a lock.
    pub(crate) fn address_at_once(self) -> Option<Address> {
        let Some(task) = self.0 else {
            return Some(Address(Whose::Thread(threads::current())));
        };
        let is_free =
            !std::thread::panicking() && !task.cancel.pending() && !task.cancel.must_not_switch();
        let inbox = is_free.then(|| task.core().inbox.get()).flatten()?;
        Some(Address(Whose::Task(
            Arc::clone(inbox),
            task.slot.index(),
            task.id,
        )))
    }

    /// Waits until `ready` gives something. It is asked whenever the address was
    /// woken, and before that once.
    ///
    /// `leave` is asked before the wait is given up: it leaves the line for good, or
    /// gives what came at the last moment.
    ///
    /// A task of a virtual clock passes no time for it; with `stands_still` the clock
    /// waits for this call.
    ///
    /// # Errors
    ///
    /// [`Stopped`], after `leave` gave nothing.
    pub(crate) fn wait<R>(
        self,
        wish: Wish,
        ready: impl FnMut() -> Option<R>,
        leave: impl FnMut() -> Option<R>,
    ) -> Result<R, Stopped> {
        self.wait_for(false, wish, ready, leave)
    }

    /// [`wait`](Self::wait), where what is waited for may be up to this thread's `own`
    /// tasks: then it is no reason not to report a deadlock.
    ///
    /// # Errors
    ///
    /// [`Stopped`], after `leave` gave nothing.
    pub(crate) fn wait_for<R>(
        self,
        own: bool,
        wish: Wish,
        ready: impl FnMut() -> Option<R>,
        leave: impl FnMut() -> Option<R>,
    ) -> Result<R, Stopped> {
        match self.0 {
            Some(task) => wait_in_task(task, own, wish, ready, leave),
            None => wait_in_thread(wish.limit, ready, leave),
        }
    }
}

/// How to wait.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wish {
    /// What reports say.
    pub(crate) reason: WaitReason,
    pub(crate) patience: Patience,
    /// For how long at most.
    pub(crate) limit: Option<Duration>,
    /// Whether a virtual clock waits for this: it ends by itself.
    pub(crate) stands_still: bool,
}

/// For as long as an arm of a selection waits for another thread.
#[derive(Debug)]
pub(crate) struct Beside(TaskRef);

impl Beside {
    /// One of the things `task` waits for: so it may be woken from outside.
    pub(crate) fn new(task: TaskRef) -> Self {
        let waiting = &task.core().waiting_outside;
        waiting.set(waiting.get() + 1);
        Self(task)
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        let waiting = &self.0.core().waiting_outside;
        waiting.set(waiting.get() - 1);
    }
}

/// For as long as a virtual clock has to wait for a call.
struct StandsStill(TaskRef);

impl StandsStill {
    fn new(task: TaskRef) -> Self {
        let elsewhere = &task.core().elsewhere;
        elsewhere.set(elsewhere.get() + 1);
        Self(task)
    }
}

impl Drop for StandsStill {
    fn drop(&mut self) {
        let elsewhere = &self.0.core().elsewhere;
        elsewhere.set(elsewhere.get() - 1);
    }
}

fn wait_in_task<R>(
    task: TaskRef,
    own: bool,
    wish: Wish,
    mut ready: impl FnMut() -> Option<R>,
    mut leave: impl FnMut() -> Option<R>,
) -> Result<R, Stopped> {
    let core = task.core();
    let sleep = Sleep::new(task);
    let _timer = wish
        .limit
        .map(|limit| sleep.register(core, core.clock.now().saturating_add(limit)));
    let _counted = (!own).then(|| Counted::new(core));
    let _still = wish.stands_still.then(|| StandsStill::new(task));
    loop {
        if let Some(result) = ready() {
            return Ok(result);
        }
        if sleep.is_over() {
            return leave().ok_or(Stopped::Late);
        }
        if cancel::ends_wait(task, wish.patience) {
            if let Some(result) = leave() {
                return Ok(result);
            }
            if !park::may_wait(task) {
                return Err(Stopped::Cancelled);
            }
        }
        park::switch(task, wish.reason);
    }
}

fn wait_in_thread<R>(
    limit: Option<Duration>,
    mut ready: impl FnMut() -> Option<R>,
    mut leave: impl FnMut() -> Option<R>,
) -> Result<R, Stopped> {
    let start = limit.map(|_| Instant::now());
    loop {
        if let Some(result) = ready() {
            return Ok(result);
        }
        let left = match (limit, start) {
            (Some(limit), Some(start)) => limit.checked_sub(start.elapsed()),
            _ => {
                threads::park();
                continue;
            }
        };
        match left {
            Some(left) => threads::park_timeout(left),
            None => return leave().ok_or(Stopped::Late),
        }
    }
}
