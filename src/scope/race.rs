//! Waiting for the first of several jobs, and for tasks as they end.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::mem;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};

use super::cancel::task_for;
use super::job::Job;
use super::supervise::supervise;
use super::tasks::no_result;
use crate::scheduler::park::{Patience, Seat, WaitQueue};
use crate::scheduler::select::sealed::Sealed;
use crate::scheduler::select::{self, Arm, Entry};
use crate::scheduler::{Cancelled, WaitReason, frame, park, spawn};
use crate::task::select::{Handle, Key};

type Payload = Box<dyn Any + Send>;

/// What the jobs of a race have come to.
struct Finish<T> {
    /// The first output, or the first panic.
    winner: Cell<Option<Result<T, Payload>>>,
    /// How many may still end.
    left: Cell<usize>,
    waiting: WaitQueue,
}

/// Counts a job out when it ends, or is dropped unrun.
struct Runner<'a, T>(&'a Finish<T>);

impl<T> Drop for Runner<'_, T> {
    fn drop(&mut self) {
        let left = self.0.left.get() - 1;
        self.0.left.set(left);
        if left == 0 {
            self.0.waiting.wake_all();
        }
    }
}

impl<T> Runner<'_, T> {
    /// Runs a job, which wins if it gives a value, or panics, before any other.
    fn run(self, job: impl FnOnce() -> Option<T>) {
        match catch_unwind(AssertUnwindSafe(job)) {
            Ok(None) => {}
            Ok(Some(value)) => self.0.win(Ok(value)),
            Err(payload) if payload.is::<Cancelled>() || self.0.is_won() => resume_unwind(payload),
            Err(payload) => self.0.win(Err(payload)),
        }
    }
}

impl<T> Drop for Finish<T> {
    fn drop(&mut self) {
        // The caller was cancelled, and nobody has seen it.
        if let (Some(Err(payload)), Some(task)) = (self.winner.take(), park::current()) {
            spawn::tell_unobserved(task, payload);
        }
    }
}

impl<T> Finish<T> {
    fn new() -> Self {
        Self {
            winner: Cell::new(None),
            left: Cell::new(0),
            waiting: WaitQueue::new(),
        }
    }

    /// Enters one more job.
    fn enter(&self) -> Runner<'_, T> {
        self.left.set(self.left.get() + 1);
        Runner(self)
    }

    /// A job has won, unless another has already.
    fn win(&self, result: Result<T, Payload>) {
        match self.winner.take() {
            None => {
                self.winner.set(Some(result));
                self.waiting.wake_all();
            }
            earlier => {
                self.winner.set(earlier);
                drop(result);
            }
        }
    }

    fn is_won(&self) -> bool {
        let winner = self.winner.take();
        let is_won = winner.is_some();
        self.winner.set(winner);
        is_won
    }

    /// Waits until one has won, or nobody is left who could.
    fn wait(&self) {
        while !self.is_won() && self.left.get() > 0 {
            let _woken =
                self.waiting
                    .wait(task_for("race"), WaitReason::Select, Patience::Waits, None);
        }
    }

    /// What has won, if anything.
    fn take(&self) -> Option<T> {
        match self.winner.take()? {
            Ok(value) => Some(value),
            Err(payload) => frame::go_on(payload),
        }
    }
}

/// Runs several jobs at once and returns the output of the first that ends. The
/// others are cancelled and have ended when this returns.
///
/// ```
/// use std::time::Duration;
/// use greenroom::{race, run, sleep};
///
/// run(|| {
///     let mirror = |name, ms| move || { sleep(Duration::from_millis(ms)); name };
///     assert_eq!(race([mirror("far", 60_000), mirror("near", 1)]), "near");
/// });
/// ```
///
/// Jobs may borrow. Of several that end in the same turn the first to end wins; the
/// outputs of the others are dropped. A panic counts as an end: if it is the first, it
/// goes on when the others have ended; later ones are told to
/// [`Config::on_unobserved`](crate::Config::on_unobserved).
///
/// # Panics
///
/// Without jobs; with the panic of one, if it comes before an output; on a plain
/// thread.
///
/// # Cancellation
///
/// When the caller is cancelled, so are the jobs; it unwinds when all have ended.
#[track_caller]
pub fn race<J: Job>(jobs: impl IntoIterator<Item = J>) -> J::Output {
    let finish = Finish::new();
    let place = Location::caller();
    let entered = supervise(|s| {
        let mut entered = 0;
        for job in jobs {
            let runner = finish.enter();
            entered += 1;
            s.spawn_at(place, move || runner.run(|| Some(job.run())));
        }
        finish.wait();
        s.cancel_children();
        entered
    });
    assert!(entered > 0, "a race needs at least one job");
    finish.take().unwrap_or_else(no_result)
}

/// Runs several jobs at once and returns the first value; an error only if all fail.
/// The others are cancelled and have ended when this returns.
///
/// ```
/// use greenroom::{first_ok, park, run};
///
/// run(|| {
///     let fails = || -> Result<u8, &str> { Err("refused") };
///     let hangs = || { park(); Ok(1) };
///     let works = || Ok(2);
///     let jobs: [&dyn Fn() -> Result<u8, &'static str>; 3] = [&fails, &hangs, &works];
///     assert_eq!(first_ok(jobs), Ok(2));
///     assert_eq!(first_ok([fails, fails]), Err(vec!["refused", "refused"]));
/// });
/// ```
///
/// # Errors
///
/// All errors, in the order in which the jobs failed. Empty without jobs.
///
/// # Panics
///
/// With the panic of a job, if it comes before a value; on a plain thread.
///
/// # Cancellation
///
/// As [`race`].
#[track_caller]
pub fn first_ok<J, T, E>(jobs: impl IntoIterator<Item = J>) -> Result<T, Vec<E>>
where
    J: Job<Output = Result<T, E>>,
{
    let finish = Finish::new();
    let errors = RefCell::new(Vec::new());
    let place = Location::caller();
    supervise(|s| {
        for job in jobs {
            let runner = finish.enter();
            let errors = &errors;
            s.spawn_at(place, move || {
                runner.run(|| {
                    job.run()
                        .map_err(|error| errors.borrow_mut().push(error))
                        .ok()
                });
            });
        }
        finish.wait();
        s.cancel_children();
    });
    finish.take().ok_or_else(|| errors.into_inner())
}

/// A seat with the handle of a task.
struct Watcher<'a, H> {
    handle: &'a H,
    seat: Seat<()>,
}

impl<'a, H: Handle> Watcher<'a, H> {
    fn all(handles: impl IntoIterator<Item = &'a H>) -> Vec<Self> {
        let watcher = |handle| Self {
            handle,
            seat: Seat::new(),
        };
        handles.into_iter().map(watcher).collect()
    }
}

impl<H: Handle> Sealed for Watcher<'_, H> {}

impl<H: Handle> Arm for Watcher<'_, H> {
    fn poll(&self) -> bool {
        self.handle.key().0.is_finished()
    }

    fn enter<'a>(&'a self, entry: Entry<'a>) -> bool {
        let Key(key) = self.handle.key();
        entry.sit(key.joiners(), &self.seat)
    }

    fn leave(&self) {
        self.seat.leave();
    }
}

/// Waits until one of some tasks has ended; returns which of the handles it is: of
/// several, that of the task that ended first. Joins none.
///
/// ```
/// use greenroom::{park, run, spawn, wait_any};
///
/// run(|| {
///     let tasks = [spawn(park), spawn(|| ())];
///     assert_eq!(wait_any(&tasks), 1);
///     tasks[0].cancel();
/// });
/// ```
///
/// # Panics
///
/// Without handles; on a plain thread, if it would have to wait.
///
/// # Cancellation
///
/// Unwinds when the caller is cancelled. The tasks run on. While the caller unwinds,
/// and with [`Delivery::Error`](crate::Delivery::Error), it really waits.
#[track_caller]
pub fn wait_any<'a, H: Handle + 'a>(handles: impl IntoIterator<Item = &'a H>) -> usize {
    let watchers = Watcher::all(handles);
    assert!(!watchers.is_empty(), "wait_any needs at least one task");
    if let Some(first) = first_finished(&watchers) {
        return first;
    }
    let arms: Vec<&dyn Arm> = watchers.iter().map(|watcher| watcher as &dyn Arm).collect();
    let woken_by = select::wait(task_for("wait_any"), 0, &arms);
    first_finished(&watchers).unwrap_or(woken_by)
}

/// Of the tasks that have ended, the one that did first.
fn first_finished<H: Handle>(watchers: &[Watcher<'_, H>]) -> Option<usize> {
    let ended = watchers
        .iter()
        .enumerate()
        .filter_map(|(number, watcher)| Some((watcher.handle.key().0.finish_order()?, number)));
    ended.min().map(|(_, number)| number)
}

/// Waits until all of some tasks have ended. Joins none.
///
/// # Panics
///
/// On a plain thread, if it would have to wait.
///
/// # Cancellation
///
/// As [`wait_any`].
#[track_caller]
pub fn wait_all<'a, H: Handle + 'a>(handles: impl IntoIterator<Item = &'a H>) {
    for handle in handles {
        if !handle.key().0.is_finished() {
            wait_any([handle]);
        }
    }
}

/// What tasks return, as they end: see [`as_completed`].
pub struct AsCompleted<H> {
    /// Those that have not been seen to end.
    running: Vec<H>,
    /// Those that have, the last to end first.
    ended: Vec<H>,
}

impl<H> fmt::Debug for AsCompleted<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsCompleted")
            .field("left", &(self.running.len() + self.ended.len()))
            .finish()
    }
}

/// What some tasks return, in the order in which they end.
///
/// ```
/// use std::time::Duration;
/// use greenroom::{as_completed, run, scope, sleep};
///
/// run(|| {
///     scope(|s| {
///         let job = |ms| s.spawn(move || { sleep(Duration::from_millis(ms)); ms });
///         let order: Vec<u64> = as_completed([job(9), job(1), job(5)]).collect();
///         assert_eq!(order, [1, 5, 9]);
///     });
/// });
/// ```
///
/// It takes handles of any kind, and joins each. Dropped early, it drops the handles
/// that are left: their tasks run on. Each wait looks at all that are left, so with
/// thousands of handles, or to start jobs as others end, see [`JoinSet`](crate::JoinSet).
///
/// # Cancellation
///
/// Its `next` unwinds when the caller is cancelled. While the caller unwinds, and with
/// [`Delivery::Error`](crate::Delivery::Error), it really waits.
#[must_use = "nothing is waited for until it is iterated"]
pub fn as_completed<H: Handle + Job>(handles: impl IntoIterator<Item = H>) -> AsCompleted<H> {
    AsCompleted {
        running: handles.into_iter().collect(),
        ended: Vec::new(),
    }
}

impl<H: Handle + Job> AsCompleted<H> {
    /// Moves those that have ended to where they are taken from.
    fn collect_ended(&mut self) {
        let order = |handle: &H| handle.key().0.finish_order();
        let all = mem::take(&mut self.running);
        let (ended, running) = all.into_iter().partition(|handle| order(handle).is_some());
        self.ended = ended;
        self.ended
            .sort_by_key(|handle| std::cmp::Reverse(order(handle)));
        self.running = running;
    }
}

impl<H: Handle + Job> Iterator for AsCompleted<H> {
    type Item = H::Output;

    #[track_caller]
    fn next(&mut self) -> Option<H::Output> {
        if self.ended.is_empty() && !self.running.is_empty() {
            wait_any(&self.running);
            self.collect_ended();
        }
        self.ended.pop().map(Job::run)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.running.len() + self.ended.len();
        (left, Some(left))
    }
}

impl<H: Handle + Job> ExactSizeIterator for AsCompleted<H> {}
