//! What is said when nothing can go on, or must not.

use std::error::Error;
use std::fmt;
use std::io;
use std::panic::Location;

use super::Core;
use super::header::TaskRef;
use crate::id::TaskId;

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

impl Deadlock {
    pub(super) fn of(core: &Core) -> Self {
        let mut tasks = Vec::new();
        core.table.for_each_live(|task| {
            tasks.push(StuckTask {
                id: task.id,
                name: task.name.as_deref().map(str::to_owned),
                spawned_at: task.place,
                waits_for: task.waiting.get().to_string(),
            });
        });
        tasks.sort_by_key(|task| task.id);
        Self { tasks }
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
