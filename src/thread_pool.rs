//! A pool of OS threads: bounded, grown when needed, shrunk when idle.
//!
//! ```text
//!   submit      puts a job at the end of the queue; if more jobs lie there than
//!               threads are on their way to look: calls an idle thread (the one that
//!               sat down last), or starts one, or leaves the job to the busy ones
//!   a thread    looks: takes the first job and runs it, or sits down
//!               sat for too long without being called: leaves
//! ```
//!
//! Every decision is made under one lock, so a job never meets a thread that has
//! decided to leave. `coming` counts the threads that will look in any case: those that
//! were called, were started, or have just finished a job. So one job after the other
//! needs one thread.
//!
//! It knows no tasks. No foreign code runs under the lock, and nothing that foreign code
//! does ends a thread of the pool.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::panic::{defuse, drop_caught};
use crate::sys::threads::{self, AtomicBool, Lock, Ordering, Thread};

/// Threads of a pool at most, where nothing else is said.
const MAX_THREADS: usize = 512;

/// How long a thread without a job stays, where nothing else is said.
const IDLE_TIME: Duration = Duration::from_secs(10);

/// A job.
pub(crate) trait Work: Send + Sync {
    /// Does it, if it is still wanted. Whether somebody waits for what it gave.
    fn run(&self) -> bool;

    /// Tells whoever waits.
    fn tell(&self);
}

/// Where a job lies in the queue.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ticket(u64);

/// OS threads that run blocking calls for tasks: see [`unblock`](crate::unblock).
///
/// The value is a handle; clones are the same pool. Threads are started when a job comes
/// and none is idle, up to a limit; more jobs wait in line, first come, first served. A
/// thread that had nothing to do for a while leaves.
///
/// ```
/// use greenroom::{Config, Runtime, ThreadPool, unblock};
///
/// let pool = ThreadPool::builder().max_threads(2).build();
/// let mut rt = Runtime::with(Config::new().thread_pool(pool.clone()));
/// assert_eq!(rt.run(|| unblock(|| 6 * 7)), 42);
/// assert_eq!(pool.counts().threads, 1);
/// ```
///
/// When the last handle is dropped the idle threads leave, and the busy ones after their
/// job. Nothing waits for them: at the end of the process they just end with it.
#[derive(Clone)]
pub struct ThreadPool(Arc<Owner>);

/// What a [`ThreadPool`] does at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ThreadPoolCounts {
    /// Threads there are.
    pub threads: usize,
    /// Those of them that run no job.
    pub idle: usize,
    /// Jobs that no thread has taken yet.
    pub queued: usize,
}

/// The settings of a [`ThreadPool`] to be.
///
/// ```
/// use std::time::Duration;
/// use greenroom::{ThreadPool, run};
///
/// let pool = ThreadPool::builder()
///     .max_threads(1)
///     .idle_time(Duration::from_secs(1))
///     .thread_name("files")
///     .stack_size(512 * 1024)
///     .build();
/// let name = run(|| pool.unblock(|| std::thread::current().name().map(str::to_owned)));
/// assert_eq!(name.as_deref(), Some("files"));
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct ThreadPoolBuilder {
    max_threads: usize,
    idle_time: Duration,
    thread_name: String,
    stack_size: Option<usize>,
}

/// What all handles share: the last one to go ends the pool.
struct Owner(Arc<Shared>);

struct Shared {
    settings: ThreadPoolBuilder,
    state: Lock<State>,
    #[cfg(test)]
    fails: AtomicBool,
}

#[derive(Default)]
struct State {
    /// By number, so in order; and taken out of the middle when nobody wants them.
    jobs: BTreeMap<u64, Arc<dyn Work>>,
    next: u64,
    threads: usize,
    /// Threads that run a job.
    busy: usize,
    /// Threads that will look into the queue.
    coming: usize,
    /// Threads that wait to be called. The last one sat down last.
    idle: Vec<Arc<Chair>>,
    /// Whether all handles are gone.
    closed: bool,
}

/// Where a thread sits that has no job.
struct Chair {
    /// Changed under the lock only.
    called: AtomicBool,
    thread: Thread,
}

/// What a thread does that has looked into the queue.
enum Next {
    Perform(Arc<dyn Work>),
    /// Wait to be called.
    Sit,
    Leave,
}

impl ThreadPool {
    /// The settings of a new pool.
    pub fn builder() -> ThreadPoolBuilder {
        ThreadPoolBuilder {
            max_threads: MAX_THREADS,
            idle_time: IDLE_TIME,
            thread_name: "unblock".to_owned(),
            stack_size: None,
        }
    }

    /// The pool of the process, with the default settings. It is there for every runtime
    /// that chooses [no other](crate::Config::thread_pool).
    ///
    /// ```
    /// use greenroom::{ThreadPool, run, unblock};
    ///
    /// run(|| unblock(|| ()));
    /// assert!(ThreadPool::global().counts().threads > 0);
    /// ```
    #[must_use]
    pub fn global() -> &'static Self {
        static GLOBAL: OnceLock<ThreadPool> = OnceLock::new();
        GLOBAL.get_or_init(|| Self::builder().build())
    }

    /// What the pool does now: for tests, and to watch it.
    ///
    /// ```
    /// use greenroom::{ThreadPool, run};
    ///
    /// let pool = ThreadPool::builder().build();
    /// let inside = run(|| pool.unblock({ let pool = pool.clone(); move || pool.counts() }));
    /// assert_eq!((inside.threads, inside.idle, inside.queued), (1, 0, 0));
    /// assert_eq!(pool.counts().idle, 1);
    /// ```
    #[must_use]
    pub fn counts(&self) -> ThreadPoolCounts {
        let state = self.shared().state.lock();
        ThreadPoolCounts {
            threads: state.threads,
            idle: state.threads - state.busy,
            queued: state.jobs.len(),
        }
    }

    /// Puts a job at the end of the queue.
    ///
    /// # Errors
    ///
    /// If the pool has no thread at all, and none can be started. The job is not in the
    /// queue then.
    pub(crate) fn submit(&self, job: Arc<dyn Work>) -> io::Result<Ticket> {
        let shared = self.shared();
        let mut state = shared.state.lock();
        let number = state.next;
        state.next += 1;
        state.jobs.insert(number, job);
        if state.jobs.len() <= state.coming {
            return Ok(Ticket(number));
        }
        if let Some(chair) = state.call_one() {
            drop(state);
            chair.thread.unpark();
        } else if state.threads < shared.settings.max_threads {
            // Under the lock: whether the job can stay is known only afterwards.
            match start_thread(shared) {
                Ok(()) => {
                    state.threads += 1;
                    state.coming += 1;
                }
                Err(error) if state.threads == 0 => {
                    let job = state.jobs.remove(&number);
                    drop(state);
                    drop(job);
                    return Err(error);
                }
                // The others will come to it.
                Err(_) => {}
            }
        }
        Ok(Ticket(number))
    }

    /// Takes a job out of the queue, if no thread has taken it.
    pub(crate) fn withdraw(&self, ticket: Ticket) {
        let job = self.shared().state.lock().jobs.remove(&ticket.0);
        drop(job);
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.0.0
    }
}

impl fmt::Debug for ThreadPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadPool")
            .field("settings", &self.shared().settings)
            .field("counts", &self.counts())
            .finish()
    }
}

impl ThreadPoolBuilder {
    /// Threads at most. 512; 0 counts as 1.
    pub fn max_threads(mut self, threads: usize) -> Self {
        self.max_threads = threads.max(1);
        self
    }

    /// How long a thread without a job stays. Ten seconds.
    pub fn idle_time(mut self, time: Duration) -> Self {
        self.idle_time = time;
        self
    }

    /// The name of the threads. `unblock`.
    pub fn thread_name(mut self, name: impl Into<String>) -> Self {
        self.thread_name = name.into();
        self
    }

    /// Bytes of stack for each thread. What [`std::thread`] takes.
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = Some(bytes);
        self
    }

    /// The pool. It has no thread before there is a job.
    ///
    /// # Panics
    ///
    /// If the name contains a NUL character.
    #[must_use]
    #[track_caller]
    pub fn build(self) -> ThreadPool {
        assert!(
            !self.thread_name.contains('\0'),
            "the name {:?} contains a NUL character",
            self.thread_name
        );
        ThreadPool(Arc::new(Owner(Arc::new(Shared {
            settings: self,
            state: Lock::new(State::default()),
            #[cfg(test)]
            fails: AtomicBool::new(false),
        }))))
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.closed = true;
        while let Some(chair) = state.call_one() {
            chair.thread.unpark();
        }
    }
}

impl Shared {
    /// What a thread does. It begins, and goes on, as one of those that are coming.
    fn serve(&self) {
        let chair = Arc::new(Chair {
            called: AtomicBool::new(false),
            thread: threads::current(),
        });
        loop {
            match self.look(&chair) {
                Next::Perform(job) => self.perform(job),
                Next::Sit if self.sit(&chair) => {}
                Next::Sit | Next::Leave => return,
            }
        }
    }

    /// A thread has come: what it does next.
    fn look(&self, chair: &Arc<Chair>) -> Next {
        let mut state = self.state.lock();
        state.coming -= 1;
        if let Some((_, job)) = state.jobs.pop_first() {
            state.busy += 1;
            return Next::Perform(job);
        }
        if state.closed {
            state.threads -= 1;
            return Next::Leave;
        }
        chair.called.store(false, Ordering::Relaxed);
        state.idle.push(Arc::clone(chair));
        Next::Sit
    }

    /// Runs a job. Afterwards the thread is one of those that are coming, already when
    /// the caller of the job learns of it.
    fn perform(&self, job: Arc<dyn Work>) {
        let caught = catch_unwind(AssertUnwindSafe(|| job.run()));
        let mut state = self.state.lock();
        state.busy -= 1;
        state.coming += 1;
        drop(state);
        match caught {
            Ok(true) => job.tell(),
            Ok(false) => {}
            Err(payload) => defuse(payload),
        }
        if let Some(payload) = drop_caught(job) {
            defuse(payload);
        }
    }

    /// Waits to be called. `false` if the thread is to leave: it is not counted any more.
    fn sit(&self, chair: &Arc<Chair>) -> bool {
        let until = Instant::now().checked_add(self.settings.idle_time);
        loop {
            let in_time = park_until(until);
            let mut state = self.state.lock();
            if chair.called.load(Ordering::Relaxed) {
                return true;
            }
            if !in_time {
                state.idle.retain(|other| !Arc::ptr_eq(other, chair));
                state.threads -= 1;
                return false;
            }
        }
    }
}

/// Parks the thread, and says whether it is still in time. It may be woken for nothing.
fn park_until(until: Option<Instant>) -> bool {
    let Some(until) = until else {
        threads::park();
        return true;
    };
    let left = until.saturating_duration_since(Instant::now());
    if !left.is_zero() {
        threads::park_timeout(left);
    }
    Instant::now() < until
}

impl State {
    /// Takes the thread out that sat down last: it is coming, and is to be unparked.
    fn call_one(&mut self) -> Option<Arc<Chair>> {
        let chair = self.idle.pop()?;
        chair.called.store(true, Ordering::Relaxed);
        self.coming += 1;
        Some(chair)
    }
}

/// Starts a thread of the pool.
fn start_thread(shared: &Arc<Shared>) -> io::Result<()> {
    #[cfg(test)]
    if shared.fails.load(Ordering::Relaxed) {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    let settings = &shared.settings;
    let served = Arc::clone(shared);
    threads::spawn(
        settings.thread_name.clone(),
        settings.stack_size,
        move || served.serve(),
    )
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{ThreadPool, Work};
    use std::io;
    use std::sync::atomic::Ordering;
    use std::sync::{Arc, Mutex, mpsc};

    /// A job that takes as long as the test wants.
    struct Blocks {
        wait: Mutex<mpsc::Receiver<()>>,
        done: mpsc::Sender<u32>,
        number: u32,
    }

    impl Work for Blocks {
        fn run(&self) -> bool {
            let wait = self.wait.lock().expect("nobody panics");
            wait.recv().expect("the test lets it go");
            true
        }

        fn tell(&self) {
            self.done.send(self.number).expect("the test listens");
        }
    }

    fn job(done: &mpsc::Sender<u32>, number: u32) -> (mpsc::Sender<()>, Arc<dyn Work>) {
        let (go, wait) = mpsc::channel();
        let job = Blocks {
            wait: Mutex::new(wait),
            done: done.clone(),
            number,
        };
        (go, Arc::new(job))
    }

    #[test]
    fn where_no_thread_can_be_started_the_others_do_the_work() -> io::Result<()> {
        let pool = ThreadPool::builder().build();
        let fails = |fails| pool.shared().fails.store(fails, Ordering::Relaxed);
        let (done, ends) = mpsc::channel();
        let jobs = [1, 2, 3].map(|number| job(&done, number));
        for (number, (_, job)) in jobs.iter().enumerate() {
            fails(number > 0);
            let _ticket = pool.submit(Arc::clone(job))?;
        }
        assert_eq!(pool.counts().threads, 1);
        for (go, _) in &jobs {
            go.send(()).expect("the job waits");
        }
        let order: Vec<u32> = ends.iter().take(3).collect();
        assert_eq!(order, [1, 2, 3]);
        assert_eq!(pool.counts().threads, 1);
        Ok(())
    }

    #[test]
    fn where_there_is_none_the_job_comes_back() -> io::Result<()> {
        let pool = ThreadPool::builder().build();
        let (done, ends) = mpsc::channel();
        let (go, refused) = job(&done, 1);
        pool.shared().fails.store(true, Ordering::Relaxed);
        let error = pool.submit(Arc::clone(&refused));
        assert_eq!(
            error.map_err(|error| error.kind()).err(),
            Some(io::ErrorKind::WouldBlock)
        );
        assert_eq!(Arc::strong_count(&refused), 1);
        assert_eq!(pool.counts().queued, 0);
        // As soon as there can be one again, all is well.
        pool.shared().fails.store(false, Ordering::Relaxed);
        let _ticket = pool.submit(refused)?;
        go.send(()).expect("the job waits");
        assert_eq!(ends.recv(), Ok(1));
        Ok(())
    }
}
