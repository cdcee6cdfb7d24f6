//! Sets of tasks, joined in the order in which they end.
//!
//! ```text
//!   spawn -> tasks: ticket -> handle
//!   a body ends, or is dropped unrun -> ended: [ticket, ticket, ..] -> join_next
//! ```
//!
//! What says that a task has ended travels with its body and is dropped last of it,
//! on the task's own stack. So nobody looks through the handles, and the order is
//! exact, whoever runs when. Nothing here may switch between that and the push.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::io;
use std::panic::resume_unwind;
use std::rc::Rc;

use super::select::Handle;
use super::{Builder, JoinHandle};
use crate::error::JoinError;
use crate::id::TaskId;
use crate::scheduler::WaitReason;
use crate::scheduler::park::{self, Patience, WaitQueue};

/// Tells the tasks of one set apart. Never used twice.
type Ticket = u64;

/// Tasks, to be joined in the order in which they end.
///
/// ```
/// use std::time::Duration;
/// use greenroom::{JoinSet, run, sleep};
///
/// run(|| {
///     let mut set = JoinSet::new();
///     for millis in [3, 1, 2] {
///         set.spawn(move || {
///             sleep(Duration::from_millis(millis * 5));
///             millis
///         });
///     }
///     let mut order = Vec::new();
///     while let Some(result) = set.join_next() {
///         order.push(result.unwrap());
///     }
///     assert_eq!(order, [1, 2, 3]);
/// });
/// ```
///
/// Dropping the set cancels the tasks that are left, and does not wait for them.
/// Where they must have ended, use [`shutdown`](Self::shutdown), or a
/// [`scope`](crate::scope), whose tasks may borrow.
///
/// An ended task that is not joined keeps its result in the set, not its stack.
pub struct JoinSet<T> {
    /// All that were not joined.
    tasks: HashMap<Ticket, JoinHandle<T>>,
    next: Ticket,
    ended: Rc<Ended>,
}

/// What the tasks tell the set.
#[derive(Default)]
struct Ended {
    /// Of those that are no longer in the set, too.
    tickets: RefCell<VecDeque<Ticket>>,
    /// Whoever joins the next one.
    waiting: WaitQueue,
}

/// Tells the set of the end of a task when it is dropped.
struct AtEnd {
    ended: Rc<Ended>,
    ticket: Ticket,
}

impl Drop for AtEnd {
    fn drop(&mut self) {
        self.ended.tickets.borrow_mut().push_back(self.ticket);
        self.ended.waiting.wake_all();
    }
}

/// The body of a task of a set.
struct Member<F> {
    // Dropped in this order: a destructor in the body still belongs to the task.
    body: F,
    at_end: AtEnd,
}

impl<F> Member<F> {
    #[inline]
    fn run<T>(self) -> T
    where
        F: FnOnce() -> T,
    {
        let Self { body, at_end } = self;
        let _at_end = at_end;
        body()
    }
}

impl<T> Default for JoinSet<T> {
    fn default() -> Self {
        Self {
            tasks: HashMap::new(),
            next: 0,
            ended: Rc::default(),
        }
    }
}

impl<T: 'static> JoinSet<T> {
    /// Starts a task in the set; see [`spawn`](crate::spawn). Returns its number.
    ///
    /// ```
    /// use greenroom::{JoinSet, run};
    ///
    /// run(|| {
    ///     let mut set = JoinSet::new();
    ///     let id = set.spawn(|| "done");
    ///     let (ended, result) = set.join_next_with_id().unwrap();
    ///     assert_eq!((ended, result.unwrap()), (id, "done"));
    /// });
    /// ```
    ///
    /// # Panics
    ///
    /// Outside a runtime, and if there is no memory for the task's stack; see
    /// [`spawn_with`](Self::spawn_with).
    ///
    /// # Scheduling
    ///
    /// The task is put at the end of the queue; the caller goes on.
    #[track_caller]
    pub fn spawn(&mut self, body: impl FnOnce() -> T + 'static) -> TaskId {
        match self.spawn_with(Builder::new(), body) {
            Ok(id) => id,
            Err(error) => panic!("no stack for a task: {error}"),
        }
    }

    /// Starts a task with a name or a stack of its own in the set. Returns its
    /// number.
    ///
    /// ```
    /// use greenroom::{Builder, JoinSet, current, run};
    ///
    /// run(|| {
    ///     let mut set = JoinSet::new();
    ///     let name = || current().name().map(str::to_owned);
    ///     set.spawn_with(Builder::new().name("baker"), name)?;
    ///     assert_eq!(set.join_all(), [Some("baker".to_owned())]);
    ///     Ok::<(), std::io::Error>(())
    /// })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Builder::spawn`]. The body is dropped unrun, and the set is as before.
    ///
    /// # Panics
    ///
    /// Outside a runtime.
    ///
    /// # Scheduling
    ///
    /// As [`spawn`](Self::spawn).
    #[track_caller]
    pub fn spawn_with(
        &mut self,
        builder: Builder,
        body: impl FnOnce() -> T + 'static,
    ) -> io::Result<TaskId> {
        let ticket = self.next;
        self.next += 1;
        let member = Member {
            body,
            at_end: AtEnd {
                ended: Rc::clone(&self.ended),
                ticket,
            },
        };
        // If this fails the ticket is pushed too, and is of no task: passed over.
        let task = builder.spawn(move || member.run())?;
        let id = task.id();
        self.tasks.insert(ticket, task);
        Ok(id)
    }
}

impl<T> JoinSet<T> {
    /// A set without tasks.
    ///
    /// ```
    /// use greenroom::JoinSet;
    ///
    /// assert!(JoinSet::<()>::new().is_empty());
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many tasks have not been joined, ended or not.
    ///
    /// ```
    /// use greenroom::{JoinSet, run, yield_now};
    ///
    /// run(|| {
    ///     let mut set = JoinSet::new();
    ///     set.spawn(|| ());
    ///     yield_now(); // it ends
    ///     assert_eq!(set.len(), 1);
    ///     set.join_next();
    ///     assert_eq!(set.len(), 0);
    /// });
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Whether all tasks have been joined.
    ///
    /// ```
    /// use greenroom::{JoinSet, run};
    ///
    /// run(|| {
    ///     let mut set = JoinSet::new();
    ///     set.spawn(|| ());
    ///     assert!(!set.is_empty());
    ///     set.join_next();
    ///     assert!(set.is_empty());
    /// });
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Waits until a task of the set has ended, and returns what it returned. `None`
    /// if the set is empty.
    ///
    /// ```
    /// use greenroom::{JoinSet, park, run};
    ///
    /// run(|| {
    ///     let mut set = JoinSet::new();
    ///     set.spawn(|| 4 * 4);
    ///     set.spawn(|| {
    ///         park();
    ///         0
    ///     });
    ///     assert_eq!(set.join_next().unwrap().unwrap(), 16);
    ///     set.cancel_all();
    ///     assert!(set.join_next().unwrap().unwrap_err().is_cancelled());
    ///     assert!(set.join_next().is_none());
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// If the task panicked, or was cancelled. The others run on.
    ///
    /// # Panics
    ///
    /// If it is called where no runtime runs, and no task of the set has ended.
    ///
    /// # Scheduling
    ///
    /// Returns at once if a task has ended. Else the others run; the caller is queued
    /// when one of the set ends.
    ///
    /// # Cancellation
    ///
    /// If it waits, it unwinds when the caller was cancelled, unless a task had ended
    /// before that. No result is lost: it is there for the next call. It cannot
    /// fail: with [`Delivery::Error`](crate::Delivery::Error), and while the caller
    /// unwinds, it really waits.
    #[track_caller]
    pub fn join_next(&mut self) -> Option<Result<T, JoinError>> {
        self.next_ended().map(JoinHandle::join)
    }

    /// Like [`join_next`](Self::join_next), and says which task it was.
    ///
    /// ```
    /// use greenroom::{JoinSet, run};
    ///
    /// run(|| {
    ///     let mut set = JoinSet::new();
    ///     let ids = [set.spawn(|| 'a'), set.spawn(|| 'b')];
    ///     let (id, result) = set.join_next_with_id().unwrap();
    ///     assert_eq!((id, result.unwrap()), (ids[0], 'a'));
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// As [`join_next`](Self::join_next).
    ///
    /// # Panics
    ///
    /// As [`join_next`](Self::join_next).
    ///
    /// # Scheduling
    ///
    /// As [`join_next`](Self::join_next).
    ///
    /// # Cancellation
    ///
    /// As [`join_next`](Self::join_next).
    #[track_caller]
    pub fn join_next_with_id(&mut self) -> Option<(TaskId, Result<T, JoinError>)> {
        let task = self.next_ended()?;
        Some((task.id(), task.join()))
    }

    /// Returns what the next task returned, if one has ended that was not joined.
    /// Never waits.
    ///
    /// ```
    /// use greenroom::{JoinSet, run, yield_now};
    ///
    /// run(|| {
    ///     let mut set = JoinSet::new();
    ///     set.spawn(|| 5);
    ///     assert!(set.try_join_next().is_none());
    ///     yield_now();
    ///     assert_eq!(set.try_join_next().unwrap().unwrap(), 5);
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// If the task panicked, or was cancelled.
    pub fn try_join_next(&mut self) -> Option<Result<T, JoinError>> {
        let ended = self.first_ended();
        self.take_finished(ended).map(JoinHandle::join)
    }

    /// Cancels all tasks, in the order in which they were spawned. They stay in the
    /// set, to be joined. Never waits.
    ///
    /// ```
    /// use greenroom::{JoinSet, park, run};
    ///
    /// run(|| {
    ///     let mut set = JoinSet::new();
    ///     set.spawn(park);
    ///     set.cancel_all();
    ///     assert!(set.join_next().unwrap().unwrap_err().is_cancelled());
    /// });
    /// ```
    pub fn cancel_all(&self) {
        let mut tasks: Vec<_> = self.tasks.iter().collect();
        tasks.sort_unstable_by_key(|(ticket, _)| **ticket);
        for (_, task) in tasks {
            task.cancel();
        }
    }

    /// Cancels all tasks, and waits until they have ended. What they returned is
    /// dropped; panics are told to
    /// [`Config::on_unobserved`](crate::Config::on_unobserved). The set is empty
    /// then, and may be used again.
    ///
    /// ```
    /// use greenroom::{JoinSet, park, run};
    ///
    /// run(|| {
    ///     let mut set = JoinSet::new();
    ///     set.spawn(park);
    ///     set.shutdown();
    ///     assert!(set.is_empty());
    /// });
    /// ```
    ///
    /// # Panics
    ///
    /// If it is called where no runtime runs, and not all tasks have ended.
    ///
    /// # Scheduling
    ///
    /// The others run, if any task has not ended.
    ///
    /// # Cancellation
    ///
    /// As [`join_next`](Self::join_next). The tasks are cancelled all the same.
    #[track_caller]
    pub fn shutdown(&mut self) {
        self.cancel_all();
        while let Some(task) = self.next_ended() {
            drop(task);
        }
    }

    /// Waits until all tasks have ended, and returns what they returned, in the
    /// order in which they ended.
    ///
    /// ```
    /// use greenroom::{JoinSet, run, yield_now};
    ///
    /// run(|| {
    ///     let mut set = JoinSet::new();
    ///     set.spawn(|| {
    ///         yield_now();
    ///         "slow"
    ///     });
    ///     set.spawn(|| "quick");
    ///     assert_eq!(set.join_all(), ["quick", "slow"]);
    /// });
    /// ```
    ///
    /// # Panics
    ///
    /// With the first panic of a task, and if one was cancelled; the others are
    /// cancelled then. If it is called where no runtime runs, and not all tasks have
    /// ended.
    ///
    /// # Scheduling
    ///
    /// The others run, if any task has not ended.
    ///
    /// # Cancellation
    ///
    /// If it waits, it unwinds when the caller was cancelled; the tasks that are left
    /// are cancelled, as the set is dropped.
    #[track_caller]
    pub fn join_all(mut self) -> Vec<T> {
        let mut results = Vec::with_capacity(self.len());
        while let Some(result) = self.join_next() {
            match result.map_err(JoinError::try_into_panic) {
                Ok(value) => results.push(value),
                Err(Ok(payload)) => resume_unwind(payload),
                Err(Err(_)) => panic!("a task of the set was cancelled and has no result"),
            }
        }
        results
    }

    /// Takes all tasks out of the set and lets them run on by themselves, as
    /// dropping a [`JoinHandle`] does.
    ///
    /// ```
    /// use greenroom::{JoinSet, run, yield_now};
    ///
    /// run(|| {
    ///     let mut set = JoinSet::new();
    ///     set.spawn(|| println!("still here"));
    ///     set.detach_all();
    ///     assert!(set.is_empty());
    ///     yield_now();
    /// });
    /// ```
    pub fn detach_all(&mut self) {
        // The tasks that run on tell nobody that is left.
        self.ended = Rc::default();
        drop(self.take_all());
    }

    /// Waits until a task has ended, and takes it out.
    #[track_caller]
    fn next_ended(&mut self) -> Option<JoinHandle<T>> {
        while !self.is_empty() {
            let ended = self.first_ended();
            if let Some(task) = self.take_finished(ended) {
                return Some(task);
            }
            let (queue, reason) = match ended.and_then(|ticket| self.tasks.get(&ticket)) {
                // It has dropped its body, and drops what it inherited: that may wait.
                Some(task) => (task.key().0.joiners(), task.key().0.wait_reason()),
                None => (&self.ended.waiting, WaitReason::Select),
            };
            let Some(joiner) = park::current() else {
                panic!(
                    "join would wait for ever: no task of the set has ended, and no runtime is running here"
                );
            };
            let _woken = queue.wait(joiner, reason, Patience::Waits, None);
        }
        None
    }

    /// Who ended first among those that were not joined.
    fn first_ended(&self) -> Option<Ticket> {
        let mut tickets = self.ended.tickets.borrow_mut();
        while let Some(ticket) = tickets.front() {
            if self.tasks.contains_key(ticket) {
                return Some(*ticket);
            }
            tickets.pop_front();
        }
        None
    }

    /// Takes out the task that ended first, if nothing of it is left to be done.
    fn take_finished(&mut self, ended: Option<Ticket>) -> Option<JoinHandle<T>> {
        let ticket = ended.filter(|ticket| {
            let task = self.tasks.get(ticket);
            task.is_some_and(JoinHandle::is_finished)
        })?;
        self.ended.tickets.borrow_mut().pop_front();
        self.tasks.remove(&ticket)
    }

    /// Takes all tasks out, in the order in which they were spawned.
    fn take_all(&mut self) -> Vec<JoinHandle<T>> {
        let mut tasks: Vec<_> = self.tasks.drain().collect();
        tasks.sort_unstable_by_key(|(ticket, _)| *ticket);
        tasks.into_iter().map(|(_, task)| task).collect()
    }
}

impl<T> Drop for JoinSet<T> {
    fn drop(&mut self) {
        let tasks = self.take_all();
        for task in &tasks {
            task.cancel();
        }
        // Now the results of those that have ended go.
        drop(tasks);
    }
}

impl<T> fmt::Debug for JoinSet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinSet")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}
