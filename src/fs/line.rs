//! The line of a file's calls: each is made in its turn, in the order in which they were begun.
//!
//! ```text
//!   a task           puts its call at the end, and waits for it as `unblock` does
//!   a plain thread   puts itself at the end, and waits for its turn
//!   waiting  ->  admitted  ->  taken  ->  finished
//!                |                        lets the next ones in
//!                a job of the caller's pool, or the plain thread's turn
//! ```
//!
//! A call goes to the pool when it is its turn, not before: so none occupies a thread only to wait for another, and
//! the order in which threads get on does not matter. One that was cancelled keeps its place if it was taken,
//! and leaves the line if not. A plain thread that waits makes the admitted calls before it itself if no thread has
//! taken them: it may be the only thread of the pool they wait for.
//!
//! Calls that change nothing, and do not depend on the position, are admitted together; all others alone.
//!
//! Must never: run a call, start a thread or wait under the lock.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::thread_pool::{ThreadPool, Ticket, Work};
use crate::unblock::{Call, Queue};

/// The calls of a file.
#[derive(Default)]
pub(super) struct Line {
    state: Mutex<State>,
    /// Somebody was admitted.
    admits: Condvar,
}

#[derive(Default)]
struct State {
    next: u64,
    /// Those whose turn it is.
    admitted: Vec<Admitted>,
    /// Whether that is one that must be alone.
    alone: bool,
    /// The others, by number.
    waiting: VecDeque<Waiting>,
    /// Plain threads that wait to be admitted.
    sleepers: usize,
}

struct Waiting {
    number: u64,
    alone: bool,
    /// `None` for a plain thread.
    call: Option<(Arc<dyn Call>, ThreadPool)>,
}

struct Admitted {
    number: u64,
    /// Until somebody takes it. A plain thread has none.
    call: Option<Arc<dyn Call>>,
    /// Who makes it, in the pool.
    job: Option<Arc<CallsTurn>>,
}

/// What was admitted and is to be given to its pool, when the lock is released.
type Begins = Vec<(Arc<CallsTurn>, ThreadPool)>;

impl State {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn line_up(&mut self, waiting: Waiting) {
        let at = self
            .waiting
            .partition_point(|other| other.number < waiting.number);
        self.waiting.insert(at, waiting);
    }

    /// Admits whose turn it is.
    fn advance(&mut self, line: &Arc<Line>, begins: &mut Begins) {
        while let Some(first) = self.waiting.front() {
            let shares = !first.alone && !self.alone;
            if !shares && !self.admitted.is_empty() {
                return;
            }
            let Some(first) = self.waiting.pop_front() else {
                return;
            };
            self.alone = first.alone;
            let (call, pool) = first.call.unzip();
            let job = pool.map(|pool| (CallsTurn::new(line, first.number), pool));
            self.admitted.push(Admitted {
                number: first.number,
                call,
                job: job.as_ref().map(|(job, _)| Arc::clone(job)),
            });
            begins.extend(job);
        }
    }

    fn place(&self, number: u64) -> Option<usize> {
        self.admitted.iter().position(|it| it.number == number)
    }

    fn admitted(&mut self, number: u64) -> Option<&mut Admitted> {
        self.admitted.iter_mut().find(|it| it.number == number)
    }

    /// Takes somebody out whose turn is over.
    fn leave(&mut self, line: &Arc<Line>, number: u64, begins: &mut Begins) -> Option<Admitted> {
        let place = self.place(number)?;
        let left = self.admitted.swap_remove(place);
        self.alone = self.alone && !self.admitted.is_empty();
        self.advance(line, begins);
        Some(left)
    }
}

impl Line {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The line for calls of a task that are to be made on this pool.
    pub(super) fn on<'a>(self: &'a Arc<Self>, pool: &'a ThreadPool, alone: bool) -> Spot<'a> {
        Spot {
            line: self,
            pool,
            alone,
        }
    }

    /// Gives calls that were admitted to their pools. The lock has been released.
    fn begin(self: &Arc<Self>, state: MutexGuard<'_, State>, mut begins: Begins) {
        let sleepers = state.sleepers;
        drop(state);
        if sleepers > 0 {
            self.admits.notify_all();
        }
        while let Some((turn, pool)) = begins.pop() {
            match pool.submit(Arc::clone(&turn) as Arc<dyn Work>) {
                // Not under the lock: a thread may be at it already, and wants that.
                Ok(ticket) => drop(turn.lies.set((pool, ticket))),
                Err(error) => {
                    let Some(call) = self.take(turn.number) else {
                        continue;
                    };
                    call.refuse(error);
                    self.finish(turn.number);
                    call.tell();
                }
            }
        }
    }

    /// Takes an admitted call, to make it.
    fn take(&self, number: u64) -> Option<Arc<dyn Call>> {
        self.lock().admitted(number)?.call.take()
    }

    /// A turn is over.
    fn finish(self: &Arc<Self>, number: u64) {
        let mut begins = Begins::new();
        let mut state = self.lock();
        let left = state.leave(self, number, &mut begins);
        self.begin(state, begins);
        drop(left);
    }

    /// A turn of one's own, at once or not at all.
    pub(super) fn try_turn(self: &Arc<Self>) -> Option<Turn> {
        let mut state = self.lock();
        if !state.admitted.is_empty() || !state.waiting.is_empty() {
            return None;
        }
        let number = state.number();
        state.alone = true;
        state.admitted.push(Admitted {
            number,
            call: None,
            job: None,
        });
        Some(Turn {
            line: Arc::clone(self),
            number,
        })
    }

    /// Waits for a turn, blocking the thread. Not for tasks.
    pub(super) fn turn(self: &Arc<Self>, alone: bool) -> Turn {
        let mut state = self.lock();
        let number = state.number();
        state.line_up(Waiting {
            number,
            alone,
            call: None,
        });
        let mut begins = Begins::new();
        state.advance(self, &mut begins);
        self.begin(state, begins);
        state = self.lock();
        while state.place(number).is_none() {
            let found = state.admitted.iter_mut().find(|it| it.call.is_some());
            if let Some(before) = found {
                let (number, job, call) = (before.number, before.job.take(), before.call.take());
                drop(state);
                if let Some(job) = job {
                    job.withdraw();
                }
                if let Some(call) = call {
                    let wanted = call.run();
                    self.finish(number);
                    if wanted {
                        call.tell();
                    }
                }
                state = self.lock();
            } else {
                state.sleepers += 1;
                let woken = self.admits.wait(state);
                state = woken.unwrap_or_else(PoisonError::into_inner);
                state.sleepers -= 1;
            }
        }
        drop(state);
        Turn {
            line: Arc::clone(self),
            number,
        }
    }
}

/// The turn of whoever holds it.
pub(super) struct Turn {
    line: Arc<Line>,
    number: u64,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.line.finish(self.number);
    }
}

/// Where a task's call lines up.
pub(super) struct Spot<'a> {
    line: &'a Arc<Line>,
    pool: &'a ThreadPool,
    alone: bool,
}

impl Queue for Spot<'_> {
    type Place = u64;

    fn submit<C: Call + 'static>(&self, call: Arc<C>, again: Option<u64>) -> io::Result<u64> {
        let mut begins = Begins::new();
        let mut state = self.line.lock();
        let number = again.unwrap_or_else(|| state.number());
        state.line_up(Waiting {
            number,
            alone: self.alone,
            call: Some((call, self.pool.clone())),
        });
        state.advance(self.line, &mut begins);
        self.line.begin(state, begins);
        Ok(number)
    }

    fn withdraw(&self, number: u64) {
        let mut begins = Begins::new();
        let mut state = self.line.lock();
        let place = state.waiting.iter().position(|it| it.number == number);
        let waited = place.and_then(|at| state.waiting.remove(at));
        // A thread that has taken it a moment ago finds nothing to do, and goes on with the line.
        let taken = state.admitted(number).is_none_or(|it| it.call.is_none());
        let mut left = None;
        if waited.is_some() {
            state.advance(self.line, &mut begins);
        } else if !taken {
            left = state.leave(self.line, number, &mut begins);
        }
        self.line.begin(state, begins);
        drop(waited);
        if let Some(job) = left.and_then(|left| left.job) {
            job.withdraw();
        }
    }
}

/// The job of a pool that makes a call whose turn it is.
struct CallsTurn {
    line: Arc<Line>,
    number: u64,
    /// The call, and whether its caller is to be told.
    made: Mutex<Option<(Arc<dyn Call>, bool)>>,
    /// Where it lies in its pool, when that is known.
    lies: OnceLock<(ThreadPool, Ticket)>,
}

impl CallsTurn {
    fn new(line: &Arc<Line>, number: u64) -> Arc<Self> {
        Arc::new(Self {
            line: Arc::clone(line),
            number,
            made: Mutex::new(None),
            lies: OnceLock::new(),
        })
    }

    /// Takes it out of its pool, where that is known; else a thread will find that there is nothing to do.
    fn withdraw(&self) {
        if let Some((pool, ticket)) = self.lies.get() {
            pool.withdraw(*ticket);
        }
    }
}

impl Work for CallsTurn {
    fn run(&self) -> bool {
        let Some(call) = self.line.take(self.number) else {
            return false;
        };
        let wanted = call.run();
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        *made = Some((call, wanted));
        true
    }

    /// Lets the next ones in first: then the caller finds the line as it should be.
    fn tell(&self) {
        self.line.finish(self.number);
        let made = self
            .made
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some((call, true)) = made {
            call.tell();
        }
    }
}
