//! What other threads want of a runtime: wake a task, start one, free a slot.
//!
//! Any thread may send at any time, also long after the task or the whole
//! runtime is gone; then nothing happens. A burst costs one wake-up: the sender
//! rouses the loop only if it is asleep, and only the first one does.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Wake;

use super::{Core, park};
use crate::id::TaskId;
use crate::panic::defuse;
use crate::reactor::SlotKey;
use crate::sys::selector;

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
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unpark(_) => "Unpark(..)",
            Self::Wake(..) => "Wake(..)",
            Self::Cancel(..) => "Cancel(..)",
            Self::Run(_) => "Run(..)",
            Self::Release(_) => "Release(..)",
        })
    }
}

/// The inbox of one runtime.
#[derive(Debug)]
pub(crate) struct Inbox {
    state: Mutex<State>,
    /// Whether there may be something inside: a look without the lock.
    filled: AtomicBool,
    /// Wakers that exist: while there are any, somebody may still wake a task.
    wakers: AtomicUsize,
    rouse: Arc<selector::Waker>,
}

#[derive(Debug, Default)]
struct State {
    messages: Vec<Message>,
    /// Whether the loop is in a wait that only `rouse` ends.
    asleep: bool,
    /// Whether the runtime is gone.
    closed: bool,
}

impl Inbox {
    pub(super) fn new(rouse: Arc<selector::Waker>) -> Self {
        Self {
            state: Mutex::new(State::default()),
            filled: AtomicBool::new(false),
            wakers: AtomicUsize::new(0),
            rouse,
        }
    }

    /// Leaves a message, and rouses the loop if it sleeps. A runtime that is gone
    /// needs none: then the message comes back.
    pub(super) fn send(&self, message: Message) -> Option<Message> {
        self.change(|state| {
            if state.closed {
                return Some(message);
            }
            state.messages.push(message);
            None
        })
    }

    /// The runtime is gone: from now on messages are dropped.
    pub(super) fn close(&self) {
        let messages = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.closed = true;
            std::mem::take(&mut state.messages)
        };
        drop(messages);
    }

    fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let result = change(&mut state);
        let asleep = std::mem::take(&mut state.asleep);
        drop(state);
        // Also where nothing was left: the rousing itself is to be looked at.
        self.filled.store(true, Ordering::Release);
        if asleep {
            // It fails only if the runtime's descriptors are gone; then nobody sleeps.
            let _gone = self.rouse.wake();
        }
        result
    }

    /// Whether a look is worth the lock.
    pub(super) fn is_filled(&self) -> bool {
        self.filled.load(Ordering::Acquire)
    }

    /// Takes all messages into `arrived`, which is empty.
    fn take(&self, arrived: &mut Vec<Message>) {
        self.filled.store(false, Ordering::Release);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.asleep = false;
        std::mem::swap(&mut state.messages, arrived);
    }

    /// Announces that the loop is about to sleep. `false` if there is a message:
    /// then it must not.
    pub(super) fn fall_asleep(&self) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.asleep = state.messages.is_empty();
        state.asleep
    }

    /// How many wakers exist.
    pub(super) fn wakers(&self) -> usize {
        self.wakers.load(Ordering::Acquire)
    }

    /// Whether a waker exists that might still wake a task.
    pub(super) fn has_wakers(&self) -> bool {
        self.wakers() > 0
    }
}

/// What a `std::task::Waker` of a task is made of.
#[derive(Debug)]
pub(super) struct RemoteWaker {
    inbox: Arc<Inbox>,
    slot: u32,
    id: TaskId,
    /// Whether its message lies in the inbox: one is enough.
    sent: AtomicBool,
}

impl RemoteWaker {
    pub(super) fn new(inbox: Arc<Inbox>, slot: u32, id: TaskId) -> Self {
        inbox.wakers.fetch_add(1, Ordering::AcqRel);
        Self {
            inbox,
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
            let _gone = self.inbox.send(Message::Unpark(Arc::clone(self)));
        }
    }
}

impl Drop for RemoteWaker {
    fn drop(&mut self) {
        // The last one gone, a loop that waited for it may have to report a deadlock.
        if self.inbox.wakers.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.inbox.change(|_| {});
        }
    }
}

impl Core {
    /// Whether other threads left messages, as far as a look without a lock tells.
    pub(super) fn has_messages(&self) -> bool {
        self.inbox.get().is_some_and(|inbox| inbox.is_filled())
    }

    /// Makes other threads rouse whoever waits for the descriptor of the runtime.
    /// `false` if there are messages already.
    pub(super) fn may_be_left(&self) -> bool {
        self.inbox.get().is_none_or(|inbox| inbox.fall_asleep())
    }

    /// Does what other threads asked for.
    pub(super) fn take_messages(&self) {
        let Some(inbox) = self.inbox.get().filter(|inbox| inbox.is_filled()) else {
            return;
        };
        // Two buffers in turn, so that a stream of messages allocates nothing.
        let mut arrived = self.arrived.take();
        inbox.take(&mut arrived);
        for message in arrived.drain(..) {
            self.obey(message);
        }
        self.arrived.replace(arrived);
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
            #[cfg(not(any(reactor = "epoll", reactor = "kqueue")))]
            Message::Release(_) => {}
        }
    }
}
