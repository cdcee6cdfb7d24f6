//! What other threads want of a runtime: wake a task, free a slot.
//!
//! Any thread may send at any time, also long after the task or the whole
//! runtime is gone; then nothing happens. A burst costs one wake-up: the sender
//! rouses the loop only if it is asleep, and only the first one does.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Wake;

use crate::id::TaskId;
use crate::reactor::SlotKey;
use crate::sys::selector;

/// One wish.
#[derive(Debug)]
pub(super) enum Message {
    /// Unpark a waker's task.
    Unpark(Arc<RemoteWaker>),
    /// Free the reactor's slot of a descriptor that was dropped elsewhere.
    Release(SlotKey),
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

    /// Leaves a message, and rouses the loop if it sleeps.
    pub(super) fn send(&self, message: Message) {
        self.change(|state| {
            if !state.closed {
                state.messages.push(message);
            }
        });
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

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        let asleep = std::mem::take(&mut state.asleep);
        drop(state);
        // Also where nothing was left: the rousing itself is to be looked at.
        self.filled.store(true, Ordering::Release);
        if asleep {
            // It fails only if the runtime's descriptors are gone; then nobody sleeps.
            let _gone = self.rouse.wake();
        }
    }

    /// Whether a look is worth the lock.
    pub(super) fn is_filled(&self) -> bool {
        self.filled.load(Ordering::Acquire)
    }

    /// Takes all messages.
    pub(super) fn take(&self) -> Vec<Message> {
        self.filled.store(false, Ordering::Release);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.asleep = false;
        std::mem::take(&mut state.messages)
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
            self.inbox.send(Message::Unpark(Arc::clone(self)));
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
