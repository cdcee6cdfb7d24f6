//! What other threads want of a runtime: wake a task, start or cancel one, free a slot.
//!
//! Any thread may send at any time, also long after the task or the whole
//! runtime is gone; then nothing happens. A burst costs one wake-up: the sender
//! rouses the loop only if it is asleep, and only the first one does.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Wake;
use std::thread::{self, ThreadId};

use super::{Core, park};
use crate::id::TaskId;
use crate::panic::{defuse, drop_caught};
use crate::reactor::SlotKey;
use crate::sys::selector;
use crate::sys::threads::{AtomicBool, AtomicUsize, Lock, Ordering};

/// How many messages are obeyed between two steps of tasks: each may start one.
const MESSAGES_IN_A_GO: usize = 256;

/// One wish.
pub(super) enum Message {
    /// Unpark a waker's task.
    Unpark(Arc<RemoteWaker>),
    /// Wake a task in a call that waits for another thread: see `outside.rs`.
    Wake(u32, TaskId),
    /// Cancel a task, unless it has ended.
    Cancel(u32, TaskId),
    /// Do this in the thread of the runtime, between two steps.
    Run(Box<dyn FnOnce() + Send>),
    /// Free the reactor's slot of a descriptor that was dropped elsewhere.
    Release(SlotKey),
    /// Let those who wait for a descriptor try again.
    Nudge(SlotKey),
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unpark(_) => "Unpark(..)",
            Self::Wake(..) => "Wake(..)",
            Self::Cancel(..) => "Cancel(..)",
            Self::Run(_) => "Run(..)",
            Self::Release(_) => "Release(..)",
            Self::Nudge(_) => "Nudge(..)",
        })
    }
}

/// What ends the sleep of a loop.
pub(crate) trait Rouse {
    /// Ends its present sleep, or else the next one.
    fn rouse(&self);
}

impl Rouse for selector::Waker {
    fn rouse(&self) {
        // It fails only if the runtime's descriptors are gone; then nobody sleeps.
        let _gone = self.wake();
    }
}

/// The inbox of one runtime.
#[derive(Debug)]
pub(crate) struct Inbox<R = selector::Waker> {
    state: Lock<State>,
    /// Whether there may be something inside: a look without the lock.
    filled: AtomicBool,
    /// [`Outsider`]s that exist: while there are any, somebody may still wake a task.
    outsiders: AtomicUsize,
    rouse: Arc<R>,
    /// The thread of the runtime.
    thread: ThreadId,
}

#[derive(Debug, Default)]
struct State {
    messages: VecDeque<Message>,
    /// Whether the loop is in a wait that only `rouse` ends.
    asleep: bool,
    /// Whether something has changed since the loop last looked, or was told not to
    /// sleep: also where there is no message, as when the last outsider has gone.
    changed: bool,
    /// Whether the runtime is gone.
    closed: bool,
}

impl<R: Rouse> Inbox<R> {
    pub(super) fn new(rouse: Arc<R>) -> Self {
        Self {
            // Nobody looks before the first turn.
            state: Lock::new(State {
                asleep: true,
                ..State::default()
            }),
            filled: AtomicBool::new(false),
            outsiders: AtomicUsize::new(0),
            rouse,
            thread: thread::current().id(),
        }
    }

    /// Leaves a message, and rouses the loop if it sleeps. A runtime that is gone
    /// needs none: then the message comes back.
    pub(super) fn send(&self, message: Message) -> Option<Message> {
        self.change(|state| {
            if state.closed {
                return Some(message);
            }
            state.messages.push_back(message);
            None
        })
    }

    /// The runtime is gone: from now on messages are dropped.
    pub(super) fn close(&self) {
        let messages = {
            let mut state = self.state.lock();
            state.closed = true;
            std::mem::take(&mut state.messages)
        };
        drop_messages(messages);
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.lock();
        let result = change(&mut state);
        state.changed = true;
        let asleep = std::mem::take(&mut state.asleep);
        drop(state);
        // Also where nothing was left: the rousing itself is to be looked at.
        self.filled.store(true, Ordering::Release);
        if asleep {
            self.rouse.rouse();
        }
        result
    }

    /// Whether a look is worth the lock.
    pub(super) fn is_filled(&self) -> bool {
        self.filled.load(Ordering::Acquire)
    }

    /// Takes all messages into `arrived`, which is empty.
    fn take(&self, arrived: &mut VecDeque<Message>) {
        self.filled.store(false, Ordering::Release);
        let mut state = self.state.lock();
        state.asleep = false;
        state.changed = false;
        std::mem::swap(&mut state.messages, arrived);
    }

    /// Announces that the loop is about to sleep. `false` if there is a message, or the
    /// last outsider may have gone since the loop looked: then it must not.
    pub(super) fn fall_asleep(&self) -> bool {
        let mut state = self.state.lock();
        let changed = std::mem::take(&mut state.changed);
        state.asleep = !changed && state.messages.is_empty();
        state.asleep
    }

    /// How many outsiders exist.
    pub(super) fn outsiders(&self) -> usize {
        self.outsiders.load(Ordering::Acquire)
    }

    /// Whether somebody exists who might still wake a task.
    pub(super) fn has_outsiders(&self) -> bool {
        self.outsiders() > 0
    }
}

/// With what is in jobs that were not done.
fn drop_messages(messages: VecDeque<Message>) {
    for message in messages {
        if let Some(payload) = drop_caught(message) {
            defuse(payload);
        }
    }
}

/// Somebody outside who may still wake, start or cancel a task: as long as one exists, a
/// runtime whose tasks all wait is not at its end.
#[derive(Debug)]
pub(crate) struct Outsider(Arc<Inbox>);

impl Outsider {
    pub(super) fn new(inbox: Arc<Inbox>) -> Self {
        inbox.outsiders.fetch_add(1, Ordering::AcqRel);
        Self(inbox)
    }

    /// The runtime that is running in this thread.
    ///
    /// # Errors
    ///
    /// If the process has no descriptor left for it to be woken by.
    ///
    /// # Panics
    ///
    /// If there is none.
    #[track_caller]
    pub(crate) fn of_current() -> io::Result<Self> {
        let Some(core) = super::current::core() else {
            panic!("a handle of the running runtime needs one: call it inside greenroom::run");
        };
        Ok(Self::new(Arc::clone(core.inbox()?)))
    }

    /// The same runtime, for somebody who is not counted.
    pub(crate) fn inbox(&self) -> &Arc<Inbox> {
        &self.0
    }
}

impl Clone for Outsider {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.0))
    }
}

impl Drop for Outsider {
    fn drop(&mut self) {
        // The last one gone, a loop that waited for it may have to report a deadlock.
        if self.0.outsiders.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.change(|_| {});
        }
    }
}

impl Inbox {
    /// Whether its runtime, which never leaves its thread, is one of this thread.
    pub(crate) fn belongs_to_this_thread(&self) -> bool {
        self.thread == thread::current().id()
    }

    /// Has `job` done in the thread of the runtime, between two steps. If the runtime is
    /// gone it is dropped here.
    pub(crate) fn run(&self, job: impl FnOnce() + Send + 'static) {
        drop(self.send(Message::Run(Box::new(job))));
    }

    /// Cancels a task, unless it has ended.
    pub(crate) fn cancel(&self, slot: u32, id: TaskId) {
        let _gone = self.send(Message::Cancel(slot, id));
    }
}

/// What a `std::task::Waker` of a task is made of.
#[derive(Debug)]
pub(super) struct RemoteWaker {
    outsider: Outsider,
    slot: u32,
    id: TaskId,
    /// Whether its message lies in the inbox: one is enough.
    sent: AtomicBool,
}

impl RemoteWaker {
    pub(super) fn new(inbox: Arc<Inbox>, slot: u32, id: TaskId) -> Self {
        Self {
            outsider: Outsider::new(inbox),
            slot,
            id,
            sent: AtomicBool::new(false),
        }
    }

    /// The task it is for. Its message was taken: the next wake sends another.
    pub(super) fn taken(&self) -> (u32, TaskId) {
        self.sent.store(false, Ordering::Release);
        (self.slot, self.id)
    }
}

impl Wake for RemoteWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.sent.swap(true, Ordering::AcqRel) {
            let inbox = self.outsider.inbox();
            let _gone = inbox.send(Message::Unpark(Arc::clone(self)));
        }
    }
}

impl Core {
    /// Whether other threads left messages, as far as a look without a lock tells.
    pub(super) fn has_messages(&self) -> bool {
        self.inbox.get().is_some_and(|inbox| inbox.is_filled()) || self.has_arrived()
    }

    /// Whether some messages were taken, and are still to be obeyed.
    fn has_arrived(&self) -> bool {
        !self.arrived.borrow().is_empty()
    }

    /// Makes other threads rouse whoever waits for the descriptor of the runtime.
    /// `false` if there are messages already.
    pub(super) fn may_be_left(&self) -> bool {
        let sleeps = self.inbox.get().is_none_or(|inbox| inbox.fall_asleep());
        sleeps && !self.has_arrived()
    }

    /// The thread does something else from now on: whoever waits for the descriptor is
    /// roused by messages, also by those that are there.
    pub(super) fn leave_inbox(&self) {
        if !self.may_be_left() {
            if let Some(inbox) = self.inbox.get() {
                inbox.rouse.rouse();
            }
        }
    }

    /// Does what other threads asked for: as much of it as may be done in one go.
    pub(super) fn take_messages(&self) {
        // Two buffers in turn, so that a stream of messages allocates nothing.
        let mut arrived = self.arrived.take();
        if arrived.is_empty() {
            if let Some(inbox) = self.inbox.get().filter(|inbox| inbox.is_filled()) {
                inbox.take(&mut arrived);
            }
        }
        for message in arrived.drain(..arrived.len().min(MESSAGES_IN_A_GO)) {
            self.obey(message);
        }
        self.arrived.replace(arrived);
    }

    /// Does all that other threads asked for, and what comes of it.
    pub(super) fn take_all_messages(&self) {
        while self.has_messages() {
            self.take_messages();
        }
    }

    /// Drops what was not obeyed, and what comes from now on.
    pub(super) fn close_inbox(&self) {
        let Some(inbox) = self.inbox.get() else {
            return;
        };
        inbox.close();
        drop_messages(self.arrived.take());
    }

    fn obey(&self, message: Message) {
        match message {
            Message::Unpark(waker) => {
                let (slot, id) = waker.taken();
                if let Some(task) = self.table.find(slot, id) {
                    park::unpark(task);
                }
            }
            Message::Wake(slot, id) => {
                if let Some(task) = self.table.find(slot, id) {
                    task.wake();
                }
            }
            Message::Cancel(slot, id) => {
                if let Some(task) = self.table.find(slot, id) {
                    super::frame::request(task);
                }
            }
            Message::Run(job) => {
                if let Err(payload) = catch_unwind(AssertUnwindSafe(job)) {
                    defuse(payload);
                }
            }
            #[cfg(any(reactor = "epoll", reactor = "kqueue"))]
            Message::Release(key) => self.release_slot(key),
            #[cfg(any(reactor = "epoll", reactor = "kqueue"))]
            Message::Nudge(key) => self.nudge_slot(key),
            #[cfg(not(any(reactor = "epoll", reactor = "kqueue")))]
            Message::Release(_) | Message::Nudge(_) => {}
        }
    }
}

#[cfg(test)]
#[path = "inject_tests.rs"]
mod tests;
