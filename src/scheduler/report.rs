//! What is said when nothing can go on, or must not.

use std::error::Error;
use std::fmt;
use std::io;
use std::panic::Location;

use super::header::{TaskRef, WaitReason};
use super::{Core, current, frame, holders};
use crate::id::TaskId;
use crate::timer::Instant;

/// All tasks wait, and nothing is left that could wake one.
///
/// Displayed, it lists every task with its name, the place it was spawned at,
/// and what it waits for.
#[derive(Debug, Clone)]
pub struct Deadlock {
    tasks: Vec<StuckTask>,
}

/// A task of a [`Deadlock`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StuckTask {
    /// Its number.
    pub id: TaskId,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// Where it was spawned.
    pub spawned_at: &'static Location<'static>,
    /// What it waits for.
    pub waits_for: String,
}

/// All tasks of a runtime that have not ended, in the order they were spawned.
pub(super) fn stuck(core: &Core) -> Vec<StuckTask> {
    let mut tasks = Vec::new();
    core.table
        .for_each_live(|task| tasks.push(stuck_for(task, task.waiting.get())));
    tasks.sort_by_key(|task| task.id);
    tasks
}

/// A task that waits for `reason`, or is about to.
pub(super) fn stuck_for(task: TaskRef, reason: WaitReason) -> StuckTask {
    StuckTask {
        id: task.id,
        name: task.name.as_deref().map(str::to_owned),
        spawned_at: task.place,
        waits_for: waits_for(task, reason),
    }
}

/// What a task waits for, and who could end that wait, as far as it is known.
fn waits_for(task: TaskRef, reason: WaitReason) -> String {
    let mut text = reason.to_string();
    match reason {
        WaitReason::Sleep(deadline) if deadline != Instant::NEVER => {
            let left = deadline.duration_since(task.core().clock.now());
            text = format!("a moment in {left:?}");
        }
        WaitReason::Join(slot, id) => {
            if let Some(other) = task.core().table.find(slot, id) {
                if let Some(name) = &other.name {
                    text = format!("{text} '{name}'");
                }
            }
        }
        WaitReason::Lock(_) | WaitReason::SharedLock(_) | WaitReason::Init(_) => {
            let by = if matches!(reason, WaitReason::Init(_)) {
                "by"
            } else {
                "held by"
            };
            let (some, count) = holders::some_awaited(task, reason, NAMED);
            text = format!("{text} {by} {}", named(task, &some, count));
        }
        WaitReason::Children(_) => {
            if let Some(children) = frame::joining(task) {
                let left = u32::try_from(children.living()).unwrap_or(u32::MAX);
                text = WaitReason::Children(left).to_string();
                let (some, count) = holders::some_awaited(task, reason, NAMED);
                text = format!("{text}: {}", named(task, &some, count));
            }
        }
        _ => {}
    }
    text
}

/// How many tasks a report names in one line.
const NAMED: usize = 4;

/// The first few of `count` tasks, for whom `who` waits.
fn named(who: TaskRef, some: &[TaskRef], count: usize) -> String {
    if some.is_empty() {
        return "no task that is alive".to_owned();
    }
    let name = |task: &TaskRef| {
        if *task == who {
            "itself".to_owned()
        } else {
            short(*task)
        }
    };
    let names: Vec<String> = some.iter().map(name).collect();
    let names = names.join(", ");
    match count.saturating_sub(some.len()) {
        0 => names,
        more => format!("{names} and {more} more"),
    }
}

fn short(task: TaskRef) -> String {
    match &task.name {
        Some(name) => format!("task {} '{name}'", task.id),
        None => format!("task {}", task.id),
    }
}

/// A task that has not ended, as [`tasks`](crate::tasks) shows it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TaskInfo {
    /// Its number.
    pub id: TaskId,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// Where it was spawned.
    pub spawned_at: &'static Location<'static>,
    /// What it waits for; `None` if it runs or is ready to.
    pub waits_for: Option<String>,
    /// Since when it waits, as of the loop's last look at the clock: up to
    /// [`event_interval`](crate::Config::event_interval) steps too early.
    pub since: Option<Instant>,
    /// Whether it was cancelled, by itself or with a scope around it.
    pub is_cancelled: bool,
    /// The task whose scope it was spawned in, if it was.
    pub parent: Option<TaskId>,
    /// Bytes of its stack that are in memory: as deep as it ever was, in pages.
    pub stack_in_use: usize,
    /// Bytes of address space of its stack.
    pub stack_size: usize,
}

/// The living tasks of the runtime that runs the caller, in the order they were
/// spawned.
pub(crate) fn tasks() -> Vec<TaskInfo> {
    let Some(core) = current::core() else {
        return Vec::new();
    };
    let mut tasks = Vec::new();
    core.table.for_each_live(|task| {
        let waits = task.waiting.get() != WaitReason::Nothing;
        let (stack_in_use, stack_size) = task.stack_use();
        tasks.push(TaskInfo {
            id: task.id,
            name: task.name.as_deref().map(str::to_owned),
            spawned_at: task.place,
            waits_for: waits.then(|| waits_for(task, task.waiting.get())),
            since: waits.then(|| task.since.get()),
            is_cancelled: task.cancel.pending() || task.cancel.requested.get(),
            parent: frame::children_at(task.siblings.parent())
                .map(|children| children.frame().task().id),
            stack_in_use,
            stack_size,
        });
    });
    tasks.sort_by_key(|task| task.id);
    tasks
}

/// Tasks that wait for each other in a circle: none of them will ever go on by itself.
///
/// Each waits for the next, and the last for the first: for a lock that the other holds,
/// for its end, or for the children of its scope, of which the other is one.
#[derive(Debug, Clone)]
pub struct WaitCycle {
    tasks: Vec<StuckTask>,
}

impl WaitCycle {
    pub(super) fn of(tasks: Vec<StuckTask>) -> Self {
        Self { tasks }
    }

    /// The tasks. The first is the one that would have closed the circle.
    #[must_use]
    pub fn tasks(&self) -> &[StuckTask] {
        &self.tasks
    }
}

impl fmt::Display for WaitCycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "deadlock: waiting here would close a circle of tasks")?;
        for task in &self.tasks {
            write!(f, "\n  {task}")?;
        }
        Ok(())
    }
}

impl Error for WaitCycle {}

impl Deadlock {
    pub(super) fn of(core: &Core) -> Self {
        Self { tasks: stuck(core) }
    }

    /// The tasks, in the order they were spawned.
    #[must_use]
    pub fn tasks(&self) -> &[StuckTask] {
        &self.tasks
    }
}

impl fmt::Display for Deadlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "deadlock: every task waits, and nothing can wake one")?;
        for task in &self.tasks {
            write!(f, "\n  {task}")?;
        }
        Ok(())
    }
}

impl fmt::Display for StuckTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task {}", self.id)?;
        if let Some(name) = &self.name {
            write!(f, " '{name}'")?;
        }
        write!(
            f,
            ", spawned at {}, waits for {}",
            self.spawned_at, self.waits_for
        )
    }
}

impl fmt::Display for TaskInfo {
    /// One line, as in the report of a [`Deadlock`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task {}", self.id)?;
        if let Some(name) = &self.name {
            write!(f, " '{name}'")?;
        }
        write!(f, ", spawned at {}, ", self.spawned_at)?;
        if self.is_cancelled {
            write!(f, "cancelled, ")?;
        }
        match &self.waits_for {
            Some(what) => write!(f, "waits for {what}"),
            None => write!(f, "ready"),
        }
    }
}

impl Error for Deadlock {}

/// Why [`try_run`](crate::try_run) has no value to give.
#[derive(Debug)]
#[non_exhaustive]
pub enum RunError {
    /// All tasks waited, and nothing was left that could wake one. Every task
    /// has been cancelled and has ended.
    Deadlock(Deadlock),
    /// The main task could not be made: there is no memory for its stack.
    Io(io::Error),
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deadlock(deadlock) => deadlock.fmt(f),
            Self::Io(error) => write!(f, "the main task could not be made: {error}"),
        }
    }
}

impl Error for RunError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Deadlock(deadlock) => Some(deadlock),
            Self::Io(error) => Some(error),
        }
    }
}

/// What to call a task in a message.
pub(super) fn title(task: TaskRef) -> String {
    match &task.name {
        Some(name) => format!("task {} '{name}', spawned at {},", task.id, task.place),
        None => format!("task {}, spawned at {},", task.id, task.place),
    }
}
