//! Waiting for descriptors: which runtime watches one, and whose turn it is.
//!
//! A descriptor may be used by any thread, so it keeps a list of the runtimes
//! that watch it, nearly always one. It is registered with a runtime the first
//! time it makes a task of that runtime wait; before that it costs nothing.
//! Readers are served in order, and so are writers.
//!
//! The list does not keep a runtime's descriptors open: a stream may outlive a
//! thousand runtimes. With the runtime its registrations are gone, too.

use std::cell::{Cell, OnceCell};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::rc::Rc;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use super::header::{TaskRef, WaitReason};
use super::inject::{Inbox, Message};
use super::select::Entry;
use super::timers::Sleep;
use super::wait_queue::{Interrupted, Seat, WaitQueue};
use super::{Core, cancel, current};
use crate::panic::fatal;
use crate::reactor::{self, SlotKey};
use crate::sys::selector::Selector;
use crate::timer::Instant;

/// The reactor of a runtime: each slot has a queue for readers and one for writers.
pub(super) type Reactor = reactor::Reactor<WaitQueue>;
pub(crate) type Slot = reactor::Slot<WaitQueue>;

/// What a call waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Read,
    Write,
}

/// The runtimes that watch one descriptor.
#[derive(Debug, Default)]
pub(crate) struct Registrations {
    first: OnceLock<Home>,
    more: Mutex<Vec<Home>>,
}

/// One runtime that watches a descriptor.
#[derive(Debug)]
struct Home {
    runtime: u64,
    key: SlotKey,
    selector: Weak<Selector>,
    inbox: Weak<Inbox>,
}

impl Registrations {
    /// The key of the descriptor in a runtime.
    #[inline]
    fn key(&self, core: &Core) -> Option<SlotKey> {
        match self.first.get() {
            None => None,
            Some(home) if home.runtime == core.number => Some(home.key),
            Some(_) => {
                let more = self.more.lock().unwrap_or_else(PoisonError::into_inner);
                more.iter()
                    .find(|home| home.runtime == core.number)
                    .map(|home| home.key)
            }
        }
    }

    /// The descriptor's slot in the runtime of `task`, if that watches it.
    #[inline]
    pub(crate) fn slot(&self, task: TaskRef) -> Option<Rc<Slot>> {
        let core = task.core();
        let key = self.key(core)?;
        core.reactor.get()?.slot(key)
    }

    /// Makes the runtime of `task` watch the descriptor.
    fn register(&self, task: TaskRef, fd: BorrowedFd<'_>) -> io::Result<Rc<Slot>> {
        let core = task.core();
        let inbox = Arc::downgrade(core.inbox()?);
        let reactor = core.reactor()?;
        let key = reactor.register(fd)?;
        let home = Home {
            runtime: core.number,
            key,
            selector: Arc::downgrade(&reactor.selector()),
            inbox,
        };
        if let Err(home) = self.first.set(home) {
            let mut more = self.more.lock().unwrap_or_else(PoisonError::into_inner);
            more.retain(|home| home.selector.strong_count() > 0);
            more.push(home);
        }
        reactor
            .slot(key)
            .ok_or_else(|| io::Error::other("a slot just made is gone"))
    }

    /// Lets those who wait try again, in whatever runtime: something was done to the descriptor of which the
    /// system tells nobody.
    pub(crate) fn nudge(&self) {
        let more = self.more.lock().unwrap_or_else(PoisonError::into_inner);
        for home in self.first.get().into_iter().chain(more.iter()) {
            match current::core().filter(|core| core.number == home.runtime) {
                Some(core) => core.nudge_slot(home.key),
                None => {
                    if let Some(inbox) = home.inbox.upgrade() {
                        let _gone = inbox.send(Message::Nudge(home.key));
                    }
                }
            }
        }
    }

    /// Ends all registrations. To be called before the descriptor is closed.
    pub(crate) fn forget(&mut self, fd: BorrowedFd<'_>) {
        let more = self.more.get_mut().unwrap_or_else(PoisonError::into_inner);
        for home in self.first.take().into_iter().chain(more.drain(..)) {
            let Some(selector) = home.selector.upgrade() else {
                continue;
            };
            // A failure means that it is not registered, which is what we want.
            let _gone = selector.deregister(fd);
            match current::core().filter(|core| core.number == home.runtime) {
                Some(core) => core.release_slot(home.key),
                None => {
                    if let Some(inbox) = home.inbox.upgrade() {
                        let _gone = inbox.send(Message::Release(home.key));
                    }
                }
            }
        }
    }
}

/// Waits until `attempt` stops saying `WouldBlock`.
///
/// The descriptor is tried by the first who waits, whenever it may be worth it.
/// The attempt is shown the slot, to say in it that it took all there was.
///
/// # Errors
///
/// What `attempt` says; `TimedOut` at the deadline; what registering says; and an
/// error of kind `Other`, at once, if the task is unwinding.
pub(crate) fn wait<R>(
    task: TaskRef,
    registrations: &Registrations,
    fd: BorrowedFd<'_>,
    direction: Direction,
    deadline: Option<Instant>,
    mut attempt: impl FnMut(&Slot) -> io::Result<R>,
) -> io::Result<R> {
    let core = task.core();
    let slot = match registrations.slot(task) {
        Some(slot) => slot,
        None => registrations.register(task, fd)?,
    };
    let (queue, reason) = match direction {
        Direction::Read => (&slot.readers, WaitReason::Readable(fd.as_raw_fd())),
        Direction::Write => (&slot.writers, WaitReason::Writable(fd.as_raw_fd())),
    };
    let sleep = Sleep::new(task);
    let _timer = deadline.map(|deadline| sleep.register(core, deadline));
    let _counted = Counted::new(core);
    let quit = || sleep.is_over().then(|| Err(io::ErrorKind::TimedOut.into()));
    let once = || match attempt(&slot) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
        result => Some(result),
    };
    queue
        .wait_until(task, reason, quit, once)
        .unwrap_or_else(|Interrupted(_)| Err(cancel::error(task)))
}

/// One more task that a descriptor, or another thread, may wake.
pub(super) struct Counted<'a>(&'a Core);

impl<'a> Counted<'a> {
    pub(super) fn new(core: &'a Core) -> Self {
        core.waiting_outside.set(core.waiting_outside.get() + 1);
        Self(core)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.waiting_outside.set(self.0.waiting_outside.get() - 1);
    }
}

/// A wait for a descriptor beside other waits: an arm of a selection.
#[derive(Debug, Default)]
pub(crate) struct Watching {
    slot: OnceCell<Rc<Slot>>,
    seat: Seat<()>,
    direction: Cell<Option<Direction>>,
    task: Cell<Option<TaskRef>>,
}

impl Watching {
    /// Registers the descriptor, and takes a seat among those who wait for it.
    ///
    /// # Errors
    ///
    /// What registering says.
    pub(crate) fn enter<'a>(
        &'a self,
        entry: Entry<'a>,
        registrations: &Registrations,
        fd: BorrowedFd<'_>,
        direction: Direction,
    ) -> io::Result<()> {
        let task = entry.task();
        let slot = match registrations.slot(task) {
            Some(slot) => slot,
            None => registrations.register(task, fd)?,
        };
        let slot = self.slot.get_or_init(|| slot);
        let _not_yet = entry.sit(queue_of(slot, direction), &self.seat);
        self.direction.set(Some(direction));
        self.task.set(Some(task));
        let core = task.core();
        core.waiting_outside.set(core.waiting_outside.get() + 1);
        Ok(())
    }

    /// Gives the seat up, and lets the next one try.
    pub(crate) fn leave(&self) {
        let (Some(direction), Some(task)) = (self.direction.take(), self.task.take()) else {
            return;
        };
        self.seat.leave();
        let core = task.core();
        core.waiting_outside.set(core.waiting_outside.get() - 1);
        if let Some(slot) = self.slot.get() {
            queue_of(slot, direction).nudge();
        }
    }
}

fn queue_of(slot: &Slot, direction: Direction) -> &WaitQueue {
    match direction {
        Direction::Read => &slot.readers,
        Direction::Write => &slot.writers,
    }
}

/// Deadlines by the clock of a task's runtime.
pub(crate) fn deadline_in(task: TaskRef, timeout: Duration) -> Instant {
    task.core().clock.now().saturating_add(timeout)
}

/// Waits for a while, in a call that has to wait for something no descriptor
/// tells. Reports say that it waits for `fd` to become readable.
///
/// # Errors
///
/// Of kind `Other`, at once, if the task is unwinding.
pub(crate) fn pause(task: TaskRef, fd: BorrowedFd<'_>, length: Duration) -> io::Result<()> {
    let core = task.core();
    let sleep = Sleep::new(task);
    let _timer = sleep.register(core, deadline_in(task, length));
    let over = || sleep.is_over().then_some(());
    WaitQueue::<()>::new()
        .wait_until(task, WaitReason::Readable(fd.as_raw_fd()), over, || None)
        .map_err(|Interrupted(_)| cancel::error(task))
}

impl Core {
    /// The reactor, made when first needed.
    pub(super) fn reactor(&self) -> io::Result<&Reactor> {
        if let Some(reactor) = self.reactor.get() {
            return Ok(reactor);
        }
        let made = Reactor::new()?;
        Ok(self.reactor.get_or_init(|| made))
    }

    /// The inbox, made when first needed.
    pub(super) fn inbox(&self) -> io::Result<&Arc<Inbox>> {
        if let Some(inbox) = self.inbox.get() {
            return Ok(inbox);
        }
        let made = Arc::new(Inbox::new(self.reactor()?.waker()));
        Ok(self.inbox.get_or_init(|| made))
    }

    /// Whether a look at descriptors can find anything.
    pub(super) fn has_descriptors(&self) -> bool {
        self.reactor.get().is_some_and(|reactor| reactor.len() > 0)
    }

    pub(super) fn release_slot(&self, key: SlotKey) {
        if let Some(reactor) = self.reactor.get() {
            reactor.release(key);
        }
    }

    pub(super) fn nudge_slot(&self, key: SlotKey) {
        if let Some(slot) = self.reactor.get().and_then(|reactor| reactor.slot(key)) {
            slot.readers.nudge();
            slot.writers.nudge();
        }
    }

    /// Makes those ready whose descriptors are, after those whose time has come.
    pub(super) fn collect_events(&self, timeout: Option<Duration>) {
        let Some(reactor) = self.reactor.get() else {
            return;
        };
        let mut first = true;
        let collected = reactor.wait(timeout, |ready| {
            if std::mem::take(&mut first) {
                self.expire_timers();
            }
            if ready.readable {
                ready.slot.readers.nudge();
            }
            if ready.writable {
                ready.slot.writers.nudge();
            }
        });
        if let Err(error) = collected {
            fatal(&format!("the system cannot wait for descriptors: {error}"));
        }
    }
}
