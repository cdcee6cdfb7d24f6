//! What a program must do: an interpreter of its own, slow and plain.
//!
//! Nothing is kept that can be worked out: whether a scope is cancelled is found by
//! walking up the tree of scopes and tasks each time somebody asks. A task is a
//! stack of what it is in the middle of. The promises it states:
//!
//! - ready tasks run first in, first out; sleepers wake in order (deadline, sequence);
//! - a task has one timer for all its scopes, set when it stops running, and anew when
//!   its first deadline has changed;
//! - whoever is cancelled is woken: a task, then its children from the innermost scope
//!   outwards, in each the eldest first, each with all its own;
//! - a child that is cancelled before its first step is not run, unless it would learn
//!   of it by errors;
//! - a wait that is over wins over a cancellation that comes before the task runs;
//! - a scope whose wait for its children was cut short does not return, if its task is
//!   cancelled where it stands then;
//! - only what cancelled catches, and of several the outermost.

mod bodies;
mod steps;

use greenroom::Delivery;

use super::program::{Body, Ending, Event, Kind, Outcome, Program, ScopeState, Step, Terms};

type Time = u64;
type TaskAt = usize;
type ScopeAt = usize;

/// Why a body ended before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Payload {
    Cancelled,
    Failure(usize),
    /// It unwinds nothing: an early return.
    Error(usize),
}

/// What a task does next.
enum Flow {
    On,
    Throw(Payload),
    Wait(Wait),
}

#[derive(Debug, Clone, Copy)]
enum Wait {
    /// It runs, or has ended.
    Not,
    FirstStep,
    Yield,
    /// That of a destructor into which nothing is thrown.
    YieldUnwinding,
    /// The yield of a checkpoint.
    Checkpoint(usize),
    /// Whether it is over.
    Sleep(bool),
    /// The step, the child, and whether that has ended.
    Join(usize, TaskAt, bool),
    Children,
    /// A place below the limit, and whether it was given.
    Place(bool),
}

/// What a task is in the middle of, the innermost last.
enum Item<'p> {
    Steps(&'p [Step]),
    Timed(usize),
    Shield(usize),
    Catch(usize),
    /// With the place of the cancel scope.
    CancelScope(usize, usize),
    With(usize, Time, Time),
    /// How the body ended.
    Closing(usize, Option<Payload>),
    /// With how long its destructor sleeps, and whether in a shield.
    Guard(usize, Time, bool),
    /// How the body ended.
    Dropping(usize, bool, Option<Payload>),
    Spawning(Spawning<'p>),
    /// The handles that are left, by place.
    Group(usize, Vec<Option<TaskAt>>),
    Joining(usize, Option<Payload>),
}

/// A group whose children are being spawned.
struct Spawning<'p> {
    id: usize,
    /// Those that are not yet.
    rest: &'p [Body],
    handles: Vec<Option<TaskAt>>,
    body: &'p Body,
}

struct Task<'p> {
    items: Vec<Item<'p>>,
    wait: Wait,
    begun: bool,
    /// Whether it waits since a moment at which anyone was in the middle of unwinding.
    counted: bool,
    queued: bool,
    /// Whether its handle cancelled it.
    cancelled: bool,
    delivery: Delivery,
    /// The scope it was spawned in, with the step and place.
    parent: Option<(ScopeAt, usize, usize)>,
    /// Its open scopes, the innermost last.
    scopes: Vec<ScopeAt>,
    /// What its one timer is set to.
    timer: Option<Time>,
    /// Whether somebody holds its handle.
    wanted: bool,
    ending: Option<Ending>,
}

/// A scope that was opened.
struct Scope {
    task: TaskAt,
    deadline: Option<Time>,
    shield: bool,
    delivery: Delivery,
    /// Asked, or (`true`) by its deadline.
    cause: Option<bool>,
    kind: Option<Kind>,
    /// Those that have not ended, the eldest first.
    children: Vec<TaskAt>,
    failure: Option<Payload>,
    joining: bool,
    /// Whether it was cancelled while its task waited for its children.
    cut_short: bool,
    /// Whether its task waits for a place, and places given and not taken yet.
    room: bool,
    promised: usize,
    limit: usize,
}

/// A cancel scope of the program.
struct Remote {
    open: Option<ScopeAt>,
    used: bool,
    cause: Option<bool>,
    caught: bool,
    deadline: Option<Time>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Timer {
    Sleep(TaskAt),
    Scopes(TaskAt),
}

struct Model<'p> {
    program: &'p Program,
    now: Time,
    tasks: Vec<Task<'p>>,
    scopes: Vec<Scope>,
    remotes: Vec<Remote>,
    ready: Vec<TaskAt>,
    current: Option<TaskAt>,
    /// With deadline and sequence, in no order.
    timers: Vec<(Time, u64, Timer)>,
    sequence: u64,
    choices: std::vec::IntoIter<u32>,
    events: Vec<(Time, Event)>,
}

pub(crate) fn run(program: &Program) -> Outcome {
    let remote = |&(id, terms): &(usize, Terms)| Remote {
        open: None,
        used: false,
        cause: None,
        caught: false,
        deadline: terms.deadline.map(|units| program.nanos(id, units)),
    };
    let mut model = Model {
        program,
        now: 0,
        tasks: Vec::new(),
        scopes: Vec::new(),
        remotes: program.scopes.iter().map(remote).collect(),
        ready: Vec::new(),
        current: None,
        timers: Vec::new(),
        sequence: 0,
        choices: program.choices.clone().into_iter(),
        events: Vec::new(),
    };
    model.spawn(&program.main, program.delivery, None);
    model.drive();
    let state = |remote: &Remote| ScopeState {
        called: remote.cause.is_some(),
        passed: remote.cause == Some(true),
        caught: remote.caught,
        deadline: remote.deadline,
    };
    Outcome {
        main: model.tasks[0].ending.expect("it has ended"),
        scopes: model.remotes.iter().map(state).collect(),
        events: model.events,
        elapsed: model.now,
    }
}

/// The clock and the queue.
impl<'p> Model<'p> {
    fn drive(&mut self) {
        loop {
            while !self.ready.is_empty() {
                let choice = self.choices.next().unwrap_or(0);
                let choice = usize::try_from(choice).expect("small") % self.ready.len();
                let task = self.ready.remove(choice);
                self.tasks[task].queued = false;
                self.current = Some(task);
                self.step(task);
                self.current = None;
                self.set_scope_timer(task);
            }
            if !self.is_anyone_unwinding() {
                self.tasks.iter_mut().for_each(|task| task.counted = false);
            }
            let Some(next) = self.timers.iter().map(|timer| timer.0).min() else {
                break;
            };
            self.now = self.now.max(next);
            self.fire();
        }
        assert!(
            self.tasks.iter().all(|task| task.ending.is_some()),
            "a deadlock"
        );
    }

    /// Whether a destructor waits while its task unwinds.
    fn is_anyone_unwinding(&self) -> bool {
        let unwinds = Some(Payload::Cancelled);
        let mut items = self.tasks.iter().flat_map(|task| &task.items);
        items.any(|item| matches!(item, Item::Dropping(_, _, thrown) if *thrown == unwinds))
    }

    /// Everything whose time has come, in order (deadline, sequence).
    fn fire(&mut self) {
        loop {
            let due = self.timers.iter().filter(|timer| timer.0 <= self.now);
            let Some(&first) = due.min_by_key(|timer| (timer.0, timer.1)) else {
                return;
            };
            self.timers.retain(|timer| timer.1 != first.1);
            match first.2 {
                Timer::Sleep(task) => {
                    self.tasks[task].wait = Wait::Sleep(true);
                    self.wake(task);
                }
                Timer::Scopes(task) => {
                    self.tasks[task].timer = None;
                    self.expire(task);
                }
            }
        }
    }

    fn set_timer(&mut self, at: Time, timer: Timer) {
        self.sequence += 1;
        self.timers.push((at, self.sequence, timer));
    }

    fn wake(&mut self, task: TaskAt) {
        if !self.tasks[task].queued {
            self.tasks[task].queued = true;
            self.ready.push(task);
        }
    }

    fn note(&mut self, event: Event) {
        self.events.push((self.now, event));
    }

    fn spawn(
        &mut self,
        body: &'p Body,
        delivery: Delivery,
        parent: Option<(ScopeAt, usize, usize)>,
    ) -> TaskAt {
        self.tasks.push(Task {
            items: vec![Item::Steps(body)],
            wait: Wait::FirstStep,
            begun: false,
            counted: false,
            queued: false,
            cancelled: false,
            delivery,
            parent,
            scopes: Vec::new(),
            timer: None,
            wanted: true,
            ending: None,
        });
        let task = self.tasks.len() - 1;
        if let Some((scope, ..)) = parent {
            self.scopes[scope].children.push(task);
        }
        self.wake(task);
        task
    }
}

/// Who is cancelled.
impl Model<'_> {
    /// Whether a scope is cancelled, by itself or from outside.
    fn is_cancelled(&self, scope: ScopeAt) -> bool {
        let this = &self.scopes[scope];
        let open = &self.tasks[this.task].scopes;
        let place = open.iter().position(|at| *at == scope).expect("it is open");
        this.cause.is_some()
            || !this.shield
                && match place {
                    0 => self.is_requested(this.task),
                    place => self.is_cancelled(open[place - 1]),
                }
    }

    /// Whether a whole task is.
    fn is_requested(&self, task: TaskAt) -> bool {
        let task = &self.tasks[task];
        task.cancelled
            || task
                .parent
                .is_some_and(|(scope, ..)| self.is_cancelled(scope))
    }

    /// Whether it is where it stands.
    fn is_pending(&self, task: TaskAt) -> bool {
        match self.tasks[task].scopes.last() {
            Some(scope) => self.is_cancelled(*scope),
            None => self.is_requested(task),
        }
    }

    /// Whether a waiting call would throw.
    fn throws(&self, task: TaskAt) -> bool {
        self.is_pending(task) && self.delivery(task) == Delivery::Unwind
    }

    fn delivery(&self, task: TaskAt) -> Delivery {
        let innermost = self.tasks[task].scopes.last();
        innermost.map_or(self.tasks[task].delivery, |scope| {
            self.scopes[*scope].delivery
        })
    }

    /// Changes something about a task, and wakes those who are cancelled by it.
    fn change(&mut self, task: TaskAt, change: impl FnOnce(&mut Self)) {
        let is_open = |scope: ScopeAt| self.tasks[self.scopes[scope].task].scopes.contains(&scope);
        let before: Vec<bool> = (0..self.scopes.len())
            .map(|scope| is_open(scope) && self.is_cancelled(scope))
            .collect();
        let requested: Vec<bool> = (0..self.tasks.len()).map(|at| self.is_asked(at)).collect();
        change(self);
        self.tell(task, &before, &requested);
        self.set_scope_timer(task);
    }

    /// [`is_requested`](Self::is_requested) of a task that may have ended.
    fn is_asked(&self, task: TaskAt) -> bool {
        self.tasks[task].ending.is_none() && self.is_requested(task)
    }

    fn tell(&mut self, task: TaskAt, before: &[bool], requested: &[bool]) {
        if self.is_pending(task) && self.current != Some(task) {
            self.wake(task);
        }
        for scope in self.tasks[task].scopes.clone().into_iter().rev() {
            if self.is_cancelled(scope) && !before[scope] {
                let group = &mut self.scopes[scope];
                group.cut_short |= group.joining && !group.children.is_empty();
                for child in self.scopes[scope].children.clone() {
                    if !requested[child] {
                        self.tell(child, before, requested);
                    }
                }
            }
        }
    }

    /// Cancels a task by its handle.
    fn request(&mut self, task: TaskAt) {
        if self.tasks[task].ending.is_none() && !self.is_requested(task) {
            self.change(task, |model| model.tasks[task].cancelled = true);
        }
    }

    fn cancel(&mut self, scope: ScopeAt, by_deadline: bool) {
        if self.scopes[scope].cause.is_none() {
            let task = self.scopes[scope].task;
            self.change(task, |model| model.scopes[scope].cause = Some(by_deadline));
        }
    }

    /// Cancels those of a task's scopes whose time is over.
    fn expire(&mut self, task: TaskAt) {
        let over = |scope: &ScopeAt| {
            let scope = &self.scopes[*scope];
            scope.cause.is_none() && scope.deadline.is_some_and(|at| at <= self.now)
        };
        let over: Vec<_> = self.tasks[task]
            .scopes
            .iter()
            .copied()
            .filter(over)
            .collect();
        if !over.is_empty() {
            self.change(task, |model| {
                for scope in over {
                    model.scopes[scope].cause = Some(true);
                }
            });
        }
    }

    /// Sets the timer of a task to the first deadline of its scopes.
    fn set_scope_timer(&mut self, task: TaskAt) {
        if self.current == Some(task) && !self.tasks[task].scopes.is_empty() {
            return; // there is time until it stops running
        }
        let open = self.tasks[task].scopes.iter().map(|at| &self.scopes[*at]);
        let alive = open.filter(|scope| scope.cause.is_none());
        let first = alive.filter_map(|scope| scope.deadline).min();
        if first != self.tasks[task].timer {
            self.timers.retain(|timer| timer.2 != Timer::Scopes(task));
            self.tasks[task].timer = first;
            if let Some(at) = first {
                self.set_timer(at, Timer::Scopes(task));
            }
        }
    }
}
