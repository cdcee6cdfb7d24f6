//! What a task that was spawned from another thread shares with its handle.
//!
//! ```text
//!   handle's thread                       the runtime's thread, between two steps
//!   spawn: a Packet, and an Errand  --->  makes the task, notes in the packet which it is
//!                                         the task runs the body
//!   join:  waits for the packet     <---  the task puts its ending in, and wakes
//! ```
//!
//! The body travels with a [`Promise`] that, dropped unkept, says that the task was
//! cancelled: so wherever a body is dropped unrun, its joiner learns of it, afterwards.
//! Nothing of the user's runs, and nothing is dropped, under the packet's lock.

use std::cell::Cell;
use std::io;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::error::JoinError;
use crate::id::TaskId;
use crate::panic::{Payload, defuse, drop_caught};
use crate::scheduler::outside::{Address, Caller};
use crate::scheduler::spawn;
use crate::scheduler::{Cancelled, Inbox, Outsider};

/// What a task and the handle of it share.
pub(super) struct Packet<T> {
    pub(super) name: Option<Box<str>>,
    pub(super) runtime: Arc<Inbox>,
    state: Mutex<State<T>>,
}

pub(super) struct State<T> {
    pub(super) stage: Stage<T>,
    /// Its place in the table of its runtime, and its number, since it was made.
    pub(super) task: Option<(u32, TaskId)>,
    /// Whether it was cancelled before that.
    pub(super) cancelled: bool,
    /// Whether there is a handle.
    pub(super) wanted: bool,
    pub(super) joiner: Option<Address>,
    /// Counts for the handle, which may cancel the task.
    pub(super) canceller: Option<Outsider>,
}

pub(super) enum Stage<T> {
    /// The message is on its way.
    Sent,
    Alive,
    Ended(Result<T, JoinError>),
    /// Nobody wants the ending, or it was taken.
    Over,
}

/// What a call of the handle that waits has changed in the packet. It has to
/// [`leave`](Packet::leave).
#[derive(Clone, Copy)]
pub(super) struct Entered {
    /// Whether the handle, which meanwhile does not count, is to count again.
    counts_again: bool,
}

/// Leaves when it is dropped.
pub(super) struct Waiting<'a, T>(pub(super) &'a Packet<T>, pub(super) Entered);

impl<T> Drop for Waiting<'_, T> {
    fn drop(&mut self) {
        self.0.leave(self.1);
    }
}

impl<T> Packet<T> {
    /// Of a task that is to be made. `canceller` counts for its handle.
    pub(super) fn new(name: Option<Box<str>>, canceller: Outsider) -> Self {
        Self {
            name,
            runtime: Arc::clone(canceller.inbox()),
            state: Mutex::new(State {
                stage: Stage::Sent,
                task: None,
                cancelled: false,
                wanted: true,
                joiner: None,
                canceller: Some(canceller),
            }),
        }
    }

    /// What the task gave, if it has ended. For its handle.
    ///
    /// # Panics
    ///
    /// If it was taken before.
    #[track_caller]
    pub(super) fn take(&self) -> Option<Result<T, JoinError>> {
        let mut state = self.lock();
        match std::mem::replace(&mut state.stage, Stage::Over) {
            Stage::Ended(result) => Some(result),
            Stage::Over => {
                drop(state);
                panic!("the task was joined already: its result is gone")
            }
            other => {
                state.stage = other;
                None
            }
        }
    }

    /// Whether the task has ended, joined or not. For its handle.
    pub(super) fn is_finished(&self) -> bool {
        matches!(self.lock().stage, Stage::Ended(_) | Stage::Over)
    }

    /// The caller is woken when the task ends. The handle is used up by it: from now on
    /// it cancels nothing, and so does not count.
    #[track_caller]
    pub(super) fn enter_last(&self, caller: Caller) -> Entered {
        self.begin(caller, false, false)
    }

    /// The caller is woken when the task ends, and the handle is still there afterwards.
    ///
    /// It counts on, except where it can do nothing before its task has ended or somebody
    /// else that counts has done something. A plain thread without a limit waits for the
    /// end and nothing else. A task of the same runtime is woken by the others of that,
    /// by its timers, or from outside, and all these count by themselves.
    #[track_caller]
    pub(super) fn enter(&self, caller: Caller, limit: Option<Duration>) -> Entered {
        let same = self.counter_of_running().is_some();
        let alone = !caller.is_task() && limit.is_none();
        self.begin(caller, !same && !alone, same)
    }

    #[track_caller]
    fn begin(&self, caller: Caller, counts: bool, counts_again: bool) -> Entered {
        let address = match caller.address() {
            Ok(address) => address,
            Err(error) => panic!("join has no descriptor to be woken by: {error}"),
        };
        let mut state = self.lock();
        state.joiner = Some(address);
        let canceller = if counts { None } else { state.canceller.take() };
        drop(state);
        drop(canceller);
        Entered { counts_again }
    }

    /// The wait is over: nobody is woken, and the handle counts as before.
    pub(super) fn leave(&self, entered: Entered) {
        let again = entered.counts_again.then(|| self.counter_of_running());
        let mut again = again.flatten();
        let mut state = self.lock();
        let joiner = state.joiner.take();
        if matches!(state.stage, Stage::Sent | Stage::Alive) && again.is_some() {
            std::mem::swap(&mut state.canceller, &mut again);
        }
        drop(state);
        drop((joiner, again));
    }

    /// What counts for its handle, where that is asked for by a task of the same runtime.
    fn counter_of_running(&self) -> Option<Outsider> {
        if !self.runtime.belongs_to_this_thread() || !Caller::here().is_task() {
            return None;
        }
        let running = Outsider::of_current().ok()?;
        Arc::ptr_eq(running.inbox(), &self.runtime).then_some(running)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The task has ended so. If nobody wants to know, it comes back.
    fn end(&self, result: Result<T, JoinError>) -> Option<Result<T, JoinError>> {
        let mut state = self.lock();
        let canceller = state.canceller.take();
        let joiner = state.joiner.take();
        let unwanted = if state.wanted {
            state.stage = Stage::Ended(result);
            None
        } else {
            state.stage = Stage::Over;
            Some(result)
        };
        drop(state);
        if let Some(joiner) = joiner {
            joiner.wake();
        }
        drop(canceller);
        unwanted
    }

    /// Tells the hook of the runtime of a panic that nobody joined.
    pub(super) fn tell_unobserved(&self, id: TaskId, error: JoinError) {
        if let Ok(payload) = error.try_into_panic() {
            let (name, mut untold) = (self.name.clone(), Untold(Some(payload)));
            self.runtime.run(move || {
                if let Some(payload) = untold.0.take() {
                    spawn::tell_unobserved_of(id, name.as_deref(), payload);
                }
            });
        }
    }
}

/// A panic that the hook is to be told of. Where the runtime is gone it is dropped,
/// whatever its destructor does.
struct Untold(Option<Payload>);

impl Drop for Untold {
    fn drop(&mut self) {
        if let Some(payload) = self.0.take() {
            defuse(payload);
        }
    }
}

/// The duty to say how the task ended. Dropped without, it says: cancelled.
pub(super) struct Promise<T>(Arc<Packet<T>>);

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        let kept = !matches!(self.0.lock().stage, Stage::Sent | Stage::Alive);
        if !kept {
            let _cancelled = self.0.end(Err(JoinError::cancelled()));
        }
    }
}

/// What is sent: the body is dropped before the promise.
pub(super) struct Errand<F, T> {
    body: F,
    promise: Promise<T>,
}

impl<F, T> Errand<F, T>
where
    F: FnOnce() -> T + 'static,
    T: 'static,
{
    pub(super) fn new(body: F, packet: Arc<Packet<T>>) -> Self {
        Self {
            body,
            promise: Promise(packet),
        }
    }

    /// Makes the task. In the thread of the runtime.
    pub(super) fn begin(
        self,
        stack_size: Option<usize>,
        guard_size: Option<usize>,
        place: &'static Location<'static>,
    ) {
        let packet = Arc::clone(&self.promise.0);
        let wish = spawn::Wish {
            name: packet.name.as_deref().map(Rc::from),
            stack_size,
            guard_size,
            inherit: false,
        };
        // Where the task cannot be made it is wanted back.
        let here = Rc::new(Cell::new(Some(self)));
        let there = Rc::clone(&here);
        let body = move || {
            if let Some(errand) = there.take() {
                errand.run();
            }
        };
        match spawn::spawn(&wish, place, body) {
            Ok(task) => {
                let cancelled = {
                    let mut state = packet.lock();
                    state.stage = Stage::Alive;
                    state.task = Some(task.place());
                    state.cancelled
                };
                if cancelled {
                    task.cancel();
                }
            }
            Err(error) => {
                if let Some(errand) = here.take() {
                    errand.refuse(&error);
                }
            }
        }
    }

    /// There is no stack for the task.
    fn refuse(self, error: &io::Error) {
        let Self { body, promise } = self;
        if let Some(payload) = drop_caught(body) {
            defuse(payload);
        }
        let payload = Box::new(format!("no stack for a task: {error}"));
        // Whoever is told of it wants a number.
        let id = spawn::unused_id();
        let packet = &promise.0;
        packet.lock().task = Some((u32::MAX, id));
        if let Some(Err(untold)) = packet.end(Err(JoinError::panicked(payload))) {
            packet.tell_unobserved(id, untold);
        }
    }

    /// The body of the task.
    fn run(self) {
        let Self { body, promise } = self;
        let result = match catch_unwind(AssertUnwindSafe(body)) {
            Ok(value) => Ok(value),
            Err(payload) if payload.is::<Cancelled>() => Err(JoinError::cancelled()),
            Err(payload) => Err(JoinError::panicked(payload)),
        };
        // What nobody wants ends as that of a task whose handle was dropped.
        match promise.0.end(result) {
            Some(Ok(value)) => drop(value),
            Some(Err(error)) => {
                if let Ok(payload) = error.try_into_panic() {
                    resume_unwind(payload);
                }
            }
            None => {}
        }
    }
}
