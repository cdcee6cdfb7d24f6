//! Blocking calls, on other threads, for tasks that wait for them.
//!
//! ```text
//!   Queued  ->  Running  ->  Done         the pool's thread
//!     |           |            |
//!   taken back  let go       taken        the caller: then nobody wants it any more
//! ```
//!
//! One allocation holds the job, its state and its result; whoever changes the state
//! owns what was in it. Nothing of the caller's or the job's own code runs under the lock.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::thread;

use crate::panic::{defuse, drop_caught};
use crate::scheduler::outside::{Address, Caller, Wish};
use crate::scheduler::park::{self, Patience};
use crate::scheduler::{WaitReason, cancel};
use crate::sys::threads::Lock;
use crate::thread_pool::{ThreadPool, Ticket, Work};

/// Runs a blocking or long call on another thread, while this task waits and the others
/// run. Returns what it returned.
///
/// It runs on the [pool](crate::Config::thread_pool) of the runtime, which is the
/// [process's own](ThreadPool::global) if nobody chose another. On a plain thread, also one
/// of the pool, it is simply called.
///
/// ```
/// use greenroom::{run, unblock};
///
/// let text = run(|| {
///     let path = std::env::current_exe()?;
///     let size = unblock(move || std::fs::metadata(path))?.len();
///     Ok::<_, std::io::Error>(format!("{size} bytes"))
/// })?;
/// assert!(text.ends_with("bytes"));
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// The call is no task: it has no task-locals, and what it spawns goes to a runtime of its
/// own, if it starts one. Something that blocks for as long as the program lives wants a
/// thread of its own: in the pool it would take one of a limited number. So would calls that
/// wait for each other: they need a thread each.
///
/// It may outlive the caller, and runs elsewhere, so it takes what it needs with it:
///
/// ```compile_fail,E0277
/// # greenroom::run(|| {
/// let shared = std::rc::Rc::new(5);
/// greenroom::unblock(move || *shared + 1);
/// # });
/// ```
///
/// ```compile_fail,E0597
/// # greenroom::run(|| {
/// let text = String::from("borrowed");
/// let borrowed = &text;
/// greenroom::unblock(move || borrowed.len());
/// # });
/// ```
///
/// # Panics
///
/// With the call's own panic. If the pool has no thread at all and none can be started, or
/// if the process has no descriptor left for the runtime to be woken by; the call is
/// dropped unrun then. Inside [`no_switch`](crate::no_switch).
///
/// # Scheduling
///
/// Always waits: the other tasks run, and this one is queued when the call has ended. A
/// virtual clock stands still until then.
///
/// # Cancellation
///
/// Unwinds when the task was cancelled. A call that has not begun is dropped unrun, by this
/// task; one that has begun runs on, and its result is dropped there, on its thread,
/// whatever it panics with being forgotten. A result that came before is returned. Nobody
/// waits for one that runs on, not even the end of the process: what must be done goes into
/// `shield(|| unblock(..))`, for which `run` waits.
/// It cannot fail: with [`Delivery::Error`](crate::Delivery::Error), and while the task
/// unwinds, it really waits.
///
#[doc = include_str!("../../docs/blocking.md")]
#[doc(alias = "spawn_blocking")]
#[doc(alias = "to_thread")]
#[track_caller]
pub fn unblock<T, F>(f: F) -> T
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let caller = Caller::here();
    if !caller.is_task() {
        return f();
    }
    match caller.thread_pool() {
        Some(pool) => wait_for(caller, &pool, f),
        None => wait_for(caller, ThreadPool::global(), f),
    }
}

impl ThreadPool {
    /// [`unblock`] on this pool, whatever the runtime's is.
    ///
    /// ```
    /// use greenroom::{ThreadPool, run};
    ///
    /// let one_at_a_time = ThreadPool::builder().max_threads(1).build();
    /// assert_eq!(run(|| one_at_a_time.unblock(|| 7)), 7);
    /// ```
    ///
    /// # Panics
    ///
    /// As [`unblock`].
    ///
    /// # Scheduling
    ///
    /// As [`unblock`].
    ///
    /// # Cancellation
    ///
    /// As [`unblock`].
    #[track_caller]
    pub fn unblock<T, F>(&self, f: F) -> T
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let caller = Caller::here();
        if caller.is_task() {
            wait_for(caller, self, f)
        } else {
            f()
        }
    }
}

/// Where calls wait for a thread.
pub(crate) trait Queue {
    /// Where in it a call lies.
    type Place: Copy;

    /// Puts a call at the end; one that was withdrawn a moment ago may have its place again.
    ///
    /// # Errors
    ///
    /// If there is no thread for it. A queue may also say so later, by [`Call::refuse`].
    fn submit<C: Call + 'static>(
        &self,
        call: Arc<C>,
        again: Option<Self::Place>,
    ) -> io::Result<Self::Place>;

    /// Takes out a call that nobody wants any more, if no thread has taken it.
    fn withdraw(&self, place: Self::Place);
}

/// A call that waits for a thread.
pub(crate) trait Call: Work {
    /// There is no thread for it: it will not be run. The caller is still to be told.
    fn refuse(&self, error: io::Error);
}

impl Queue for ThreadPool {
    type Place = Ticket;

    fn submit<C: Call + 'static>(&self, call: Arc<C>, _: Option<Ticket>) -> io::Result<Ticket> {
        Self::submit(self, call)
    }

    fn withdraw(&self, place: Ticket) {
        Self::withdraw(self, place);
    }
}

/// One call.
struct Job<F, T> {
    stage: Lock<Stage<F, T>>,
    caller: Address,
}

enum Stage<F, T> {
    Queued(F),
    Running,
    Done(thread::Result<T>),
    /// There was no thread for it.
    Refused(F, io::Error),
    /// The caller has taken what there was, or does not want it any more.
    Over,
}

/// What the caller gets.
enum Got<F, T> {
    Result(thread::Result<T>),
    /// The call itself, which has not begun.
    Back(F),
    /// The same, and it never will.
    Refused(F, io::Error),
}

/// [`unblock`] for calls that can fail: what it panics for is an error here, and so is a
/// cancellation that may not be thrown.
///
/// # Errors
///
/// If there is no thread to run on, or no descriptor to be woken by; of kind `Other` or
/// `TimedOut` if the task is cancelled or unwinding. The call is dropped then, or runs on.
#[track_caller]
pub(crate) fn try_unblock<T, F>(f: F) -> io::Result<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let caller = Caller::here();
    let Some(task) = park::current() else {
        return Ok(f());
    };
    let chosen = caller.thread_pool();
    let pool = chosen.as_ref().unwrap_or_else(|| ThreadPool::global());
    perform(caller, pool, Patience::Fails, f).map_err(|refused| match refused {
        Refused::Lacks(what, error) => lack(what, &error),
        Refused::Stopped => cancel::error(task),
    })
}

/// [`unblock`] for calls that can fail, and that wait all the same where a cancellation may not
/// be thrown: only what is missing is an error.
///
/// # Errors
///
/// Those of the call; and if there is no thread to run on, or no descriptor to be woken by. The
/// call is dropped then.
#[track_caller]
pub(crate) fn unblock_or_lack<T, F>(f: F) -> io::Result<T>
where
    F: FnOnce() -> io::Result<T> + Send + 'static,
    T: Send + 'static,
{
    let caller = Caller::here();
    if !caller.is_task() {
        return f();
    }
    match caller.thread_pool() {
        Some(pool) => unblock_by(caller, &pool, f),
        None => unblock_by(caller, ThreadPool::global(), f),
    }
}

/// The same for a task, by a queue.
///
/// # Errors
///
/// As [`unblock_or_lack`].
#[track_caller]
pub(crate) fn unblock_by<Q, T, F>(caller: Caller, queue: &Q, f: F) -> io::Result<T>
where
    Q: Queue,
    F: FnOnce() -> io::Result<T> + Send + 'static,
    T: Send + 'static,
{
    match perform(caller, queue, Patience::Waits, f) {
        Ok(result) => result,
        Err(Refused::Lacks(what, error)) => Err(lack(what, &error)),
        Err(Refused::Stopped) => unreachable!("what waits with patience is never sent away"),
    }
}

fn lack(what: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("there is no {what}: {error}"))
}

#[track_caller]
fn wait_for<T, F>(caller: Caller, pool: &ThreadPool, f: F) -> T
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    match perform(caller, pool, Patience::Waits, f) {
        Ok(value) => value,
        Err(Refused::Lacks(what, error)) => panic!("unblock has no {what}: {error}"),
        Err(Refused::Stopped) => unreachable!("what waits with patience is never sent away"),
    }
}

/// Why there is no result. The call is dropped before this is told: its destructor may panic.
enum Refused {
    /// Something is missing that it takes.
    Lacks(&'static str, io::Error),
    /// An impatient caller is cancelled or unwinding.
    Stopped,
}

const THREAD: &str = "thread to run on";

#[track_caller]
fn perform<Q, T, F>(caller: Caller, queue: &Q, patience: Patience, mut f: F) -> Result<T, Refused>
where
    Q: Queue,
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let wish = Wish {
        reason: WaitReason::Unblock,
        patience,
        limit: None,
        stands_still: true,
    };
    let mut again = None;
    loop {
        if caller.may_wait(patience).is_err() {
            return Err(Refused::Stopped);
        }
        let job = match caller.address() {
            Ok(address) => Arc::new(Job::new(f, address)),
            Err(error) => return Err(Refused::Lacks("descriptor to be woken by", error)),
        };
        let place = match queue.submit(Arc::clone(&job), again) {
            Ok(place) => place,
            Err(error) => return Err(Refused::Lacks(THREAD, error)),
        };
        // The first time it is asked it gives nothing: so the call waits in any case, and
        // what runs next does not depend on how fast a thread is.
        let mut asked = false;
        let result = || {
            if asked {
                job.result()
            } else {
                asked = true;
                None
            }
        };
        match caller.wait(wish, result, || job.let_go()) {
            Ok(Got::Result(Ok(value))) => return Ok(value),
            Ok(Got::Result(Err(payload))) => resume_unwind(payload),
            Ok(Got::Back(unrun)) => {
                queue.withdraw(place);
                // It is dropped before the task unwinds: then its destructor may panic.
                match catch_unwind(AssertUnwindSafe(|| caller.may_wait(patience))) {
                    Err(cancelled) => {
                        drop(unrun);
                        resume_unwind(cancelled);
                    }
                    Ok(_) => (f, again) = (unrun, Some(place)),
                }
            }
            Ok(Got::Refused(unrun, error)) => {
                drop(unrun);
                return Err(Refused::Lacks(THREAD, error));
            }
            Err(_) => return Err(Refused::Stopped),
        }
    }
}

impl<F, T> Job<F, T> {
    fn new(f: F, caller: Address) -> Self {
        Self {
            stage: Lock::new(Stage::Queued(f)),
            caller,
        }
    }

    /// What the call gave, if it has ended. For the caller.
    fn result(&self) -> Option<Got<F, T>> {
        let mut stage = self.stage.lock();
        match std::mem::replace(&mut *stage, Stage::Over) {
            Stage::Done(result) => Some(Got::Result(result)),
            Stage::Refused(f, error) => Some(Got::Refused(f, error)),
            other => {
                *stage = other;
                None
            }
        }
    }

    /// The caller is cancelled: what it gets all the same.
    fn let_go(&self) -> Option<Got<F, T>> {
        match std::mem::replace(&mut *self.stage.lock(), Stage::Over) {
            Stage::Queued(f) => Some(Got::Back(f)),
            Stage::Done(result) => Some(Got::Result(result)),
            Stage::Refused(f, error) => Some(Got::Refused(f, error)),
            Stage::Running | Stage::Over => None,
        }
    }
}

impl<F, T> Work for Job<F, T>
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    fn run(&self) -> bool {
        let f = {
            let mut stage = self.stage.lock();
            match std::mem::replace(&mut *stage, Stage::Running) {
                Stage::Queued(f) => f,
                other => {
                    *stage = other;
                    return false;
                }
            }
        };
        let result = catch_unwind(AssertUnwindSafe(f));
        let mut stage = self.stage.lock();
        if matches!(*stage, Stage::Running) {
            *stage = Stage::Done(result);
            return true;
        }
        drop(stage);
        // Nobody waits for it.
        match result {
            Ok(value) => drop_caught(value).map_or((), defuse),
            Err(payload) => defuse(payload),
        }
        false
    }

    fn tell(&self) {
        self.caller.clone().wake();
    }
}

impl<F, T> Call for Job<F, T>
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    fn refuse(&self, error: io::Error) {
        let mut stage = self.stage.lock();
        match std::mem::replace(&mut *stage, Stage::Over) {
            Stage::Queued(f) => *stage = Stage::Refused(f, error),
            other => *stage = other,
        }
    }
}

#[cfg(all(test, loom))]
mod loom_tests;
