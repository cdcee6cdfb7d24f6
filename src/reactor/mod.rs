//! The reactor: which waiter waits on which descriptor.
//!
//! It owns the kernel's queue of readiness and a table of slots, one for each registered descriptor,
//! and turns what the kernel reports into "this slot is worth a try". What to do about that is for the
//! scheduler, a room above: it keeps its queues of tasks in the slots (`W`), is handed each slot that
//! is ready, and wakes who waits there.
//!
//! The facts that shaped it:
//! - Registrations are edge-triggered, one for a descriptor and both directions, made once and kept
//!   while the descriptor lives. Waiting again costs no system call, but an edge is told only once:
//!   whoever is handed a slot has to try, or leave a note in the slot that nobody did.
//! - A descriptor number is given to the next one opened as soon as it is closed. Events that were on their
//!   way then must not wake the wrong task, so slots are named by index *and* generation.
//! - A FIN that arrives together with data makes no edge of its own, so "closed" is remembered.
//! - A closed descriptor with a duplicate that lives on keeps its registration and can no longer be removed.
//!   So deregistering comes first and `close` second.
//!
//! All methods take `&self`: a reactor is used by one thread, from many stacks, and no borrow is held
//! while the caller's code runs.
//!
//! Must never: call the scheduler, wake anybody, or read and write descriptors.

mod slots;

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::sys::selector::{Events, Selector, Waker};

pub(crate) use slots::{Slot, SlotKey};
use slots::{Slots, WAKER_TOKEN};

/// How many events one wait fetches. The rest comes with the next, in the order of the kernel.
const EVENTS_PER_WAIT: usize = 512;

/// A slot the kernel reported, and what a try may bring.
#[derive(Debug)]
pub(crate) struct Ready<'a, W> {
    /// Where those who wait are to be found.
    pub(crate) slot: &'a Slot<W>,
    /// Those who wait in `slot.readers` should try.
    pub(crate) readable: bool,
    /// Those who wait in `slot.writers` should try.
    pub(crate) writable: bool,
}

/// One thread's registered descriptors, with a place of type `W` to wait for each direction.
#[derive(Debug)]
pub(crate) struct Reactor<W> {
    selector: Arc<Selector>,
    waker: Arc<Waker>,
    slots: RefCell<Slots<W>>,
    events: RefCell<Events>,
}

impl<W: Default> Reactor<W> {
    /// A reactor with nothing registered but its waker.
    ///
    /// # Errors
    /// When the process is out of descriptors: a reactor takes two on Linux.
    pub(crate) fn new() -> io::Result<Self> {
        let selector = Arc::new(Selector::new()?);
        let waker = Arc::new(Waker::new(&selector, WAKER_TOKEN)?);
        Ok(Self {
            selector,
            waker,
            slots: RefCell::new(Slots::new()),
            events: RefCell::new(Events::with_capacity(EVENTS_PER_WAIT)),
        })
    }

    /// Watches both directions of a descriptor. What it is ready for already comes with the next wait.
    ///
    /// The registration ends in two steps: while the descriptor is still open, the [`selector`](Self::selector)
    /// is told to forget it, in any thread; then [`release`](Self::release) frees the slot, in this one.
    /// Until then it must not be registered a second time.
    ///
    /// # Errors
    /// What the kernel says: `PermissionDenied` for files that cannot be waited for, `AlreadyExists`
    /// for a second registration, where the system can tell.
    pub(crate) fn register(&self, fd: BorrowedFd<'_>) -> io::Result<SlotKey> {
        let key = self.slots.borrow_mut().insert();
        let Some(key) = key else {
            return Err(io::Error::other(
                "four billion descriptors are registered already",
            ));
        };
        if let Err(error) = self.selector.register(fd, key.to_token()) {
            self.release(key);
            return Err(error);
        }
        Ok(key)
    }

    /// The kernel's queue, for deregistering: a descriptor may be dropped in another thread, and must
    /// be deregistered there, before it is closed.
    pub(crate) fn selector(&self) -> Arc<Selector> {
        Arc::clone(&self.selector)
    }

    /// Frees the slot of a descriptor that is deregistered. Events of it that are on their way are dropped.
    ///
    /// With the key of a slot that was freed before it does nothing. Whoever waits in the slot is not woken:
    /// that is the caller's to do.
    pub(crate) fn release(&self, key: SlotKey) {
        let removed = self.slots.borrow_mut().remove(key);
        // Dropped out here, where the table is not borrowed: what it holds is the caller's.
        drop(removed);
    }

    /// The slot of a key, or `None` if that registration has ended.
    pub(crate) fn slot(&self, key: SlotKey) -> Option<Rc<Slot<W>>> {
        self.slots.borrow().get(key).map(Rc::clone)
    }

    /// How many slots are in use, the waker not among them.
    pub(crate) fn len(&self) -> usize {
        self.slots.borrow().len()
    }

    /// Waits until something is ready, the time is over, or the waker is used; calls `f` for each
    /// slot that is ready, in the order of the kernel. `None` waits for ever, zero only looks.
    ///
    /// `Ok(true)` says that the waker was used. It is reset already, so whatever the caller finds afterwards
    /// that it may have been woken for is all there is, and nothing is lost.
    ///
    /// It may return early with nothing, after a signal for instance. `f` may register and release:
    /// a slot that was released meanwhile is passed over.
    ///
    /// # Errors
    /// What the kernel says.
    ///
    /// # Panics
    /// When called again by `f`.
    pub(crate) fn wait(
        &self,
        timeout: Option<Duration>,
        mut f: impl FnMut(Ready<'_, W>),
    ) -> io::Result<bool> {
        let mut events = self.events.borrow_mut();
        self.selector.wait(&mut events, timeout)?;
        let mut woken = false;
        for event in events.iter() {
            if event.token == WAKER_TOKEN {
                woken = true;
                continue;
            }
            // Held by count, not by borrow, so that `f` may change the table.
            let Some(slot) = self.slot(SlotKey::from_token(event.token)) else {
                continue;
            };
            slot.note(event.readable, event.closed);
            f(Ready {
                slot: &slot,
                readable: event.readable,
                writable: event.writable,
            });
        }
        if woken {
            self.waker.reset()?;
        }
        Ok(woken)
    }

    /// Ends a wait from any thread, now or the next one.
    pub(crate) fn waker(&self) -> Arc<Waker> {
        Arc::clone(&self.waker)
    }
}

/// Readable when [`Reactor::wait`] would find something: for loops around this one.
impl<W> AsFd for Reactor<W> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.selector.as_fd()
    }
}

#[cfg(test)]
mod tests;
