//! Who runs here: the runtime of this thread, and the task it is running.
//!
//! The crate's second `thread_local!`. It holds pointers only, set for the time
//! of a run; the runtime itself is a value of its user.

#![expect(
    unsafe_code,
    reason = "turns the thread's pointer into a reference for the time of a call"
)]

use std::cell::Cell;
use std::ptr::{self, NonNull};
use std::rc::Rc;

use super::Core;
use super::header::TaskRef;
use super::locals::Binding;

struct Here {
    core: Cell<*const Core>,
    /// Tasks of this thread that are parked in the middle of unwinding, and
    /// drivers that run in the middle of it.
    parked_unwinding: Cell<u32>,
    /// How often that count was found to be stale, and set to zero.
    unwinding_epoch: Cell<u64>,
}

thread_local! {
    static HERE: Here = const { Here { core: Cell::new(ptr::null()), parked_unwinding: Cell::new(0),
            unwinding_epoch: Cell::new(0) } };

    /// What `task_local!` holds outside tasks. Apart, because it has a destructor,
    /// and what has one is slower to reach.
    static LOCALS: Cell<Option<Rc<Binding>>> = const { Cell::new(None) };
}

/// The running task of this thread.
#[inline]
pub(crate) fn task() -> Option<TaskRef> {
    let core = HERE.with(|here| here.core.get());
    // SAFETY: `enter` sets the pointer for as long as the core is driven.
    let core = unsafe { core.as_ref() }?;
    core.current.get()
}

/// Replaces the task-locals of the thread itself. They are gone once the thread
/// ends.
pub(super) fn replace_locals(bindings: Option<Rc<Binding>>) -> Option<Rc<Binding>> {
    LOCALS
        .try_with(|locals| locals.replace(bindings))
        .unwrap_or(None)
}

/// Looks at the runtime driven by this thread. For the loop alone, which runs
/// only between [`enter`] and its end.
#[inline(always)]
pub(super) fn driven<R>(look: impl FnOnce(&Core) -> R) -> R {
    let core = HERE.with(|here| here.core.get());
    // SAFETY: `enter` set the pointer, and its caller holds the core.
    look(unsafe { &*core })
}

/// The runtime driven by this thread.
pub(crate) fn core() -> Option<Rc<Core>> {
    let core = NonNull::new(HERE.with(|here| here.core.get()).cast_mut())?;
    // SAFETY: the pointer came from an `Rc` that `enter`'s caller holds.
    unsafe { Rc::increment_strong_count(core.as_ptr()) };
    // SAFETY: the count taken above is the one given to this value.
    Some(unsafe { Rc::from_raw(core.as_ptr()) })
}

/// Makes `core` the runtime of this thread until the guard drops.
///
/// `None` if another is running here.
pub(super) fn enter(core: &Rc<Core>) -> Option<Entered> {
    HERE.with(|here| {
        if !here.core.get().is_null() {
            return None;
        }
        here.core.set(Rc::as_ptr(core));
        // A driver that unwinds is like a task parked in the middle of it: what
        // `thread::panicking()` says is about the driver, not about its tasks.
        let unwinding = std::thread::panicking();
        if unwinding {
            add_parked_unwinding(1);
        }
        Some(Entered { unwinding })
    })
}

/// See [`enter`].
pub(super) struct Entered {
    unwinding: bool,
}

impl Drop for Entered {
    fn drop(&mut self) {
        if self.unwinding {
            add_parked_unwinding(-1);
        }
        HERE.with(|here| here.core.set(ptr::null()));
    }
}

pub(super) fn parked_unwinding() -> u32 {
    HERE.with(|here| here.parked_unwinding.get())
}

pub(super) fn add_parked_unwinding(change: i32) {
    HERE.with(|here| {
        let now = here.parked_unwinding.get();
        here.parked_unwinding.set(now.saturating_add_signed(change));
    });
}

/// Now, by the clock of the runtime driven by this thread.
#[cfg(feature = "time")]
pub(crate) fn now() -> Option<crate::timer::Instant> {
    let core = HERE.with(|here| here.core.get());
    // SAFETY: `enter` sets the pointer for as long as the core is driven.
    unsafe { core.as_ref() }.map(|core| core.clock().now())
}

/// Forgets who was thought to be in the middle of unwinding, once nobody in the
/// thread is. A healthy task that parked while somebody unwound was counted too.
pub(super) fn refresh_unwinding() {
    HERE.with(|here| {
        if here.parked_unwinding.get() > 0 && !std::thread::panicking() {
            here.parked_unwinding.set(0);
            here.unwinding_epoch.set(here.unwinding_epoch.get() + 1);
        }
    });
}

/// Suspends while counted as being in the middle of unwinding.
pub(super) fn while_counted(suspend: impl FnOnce()) {
    let epoch = HERE.with(|here| {
        here.parked_unwinding.set(here.parked_unwinding.get() + 1);
        here.unwinding_epoch.get()
    });
    suspend();
    HERE.with(|here| {
        if here.unwinding_epoch.get() == epoch {
            here.parked_unwinding.set(here.parked_unwinding.get() - 1);
        }
    });
}
