//! How a task is made: its name, and the size of its stack.

use std::io;
use std::panic::Location;
use std::rc::Rc;

use super::JoinHandle;
use crate::scheduler::Runtime;
use crate::scheduler::spawn::{self, Wish};

/// Name, stack size and guard size of a task to be spawned.
///
/// ```
/// use greenroom::{Builder, current, run};
///
/// run(|| {
///     let task = Builder::new().name("baker").stack_size(128 * 1024).spawn(|| {
///         current().name().map(str::to_owned)
///     })?;
///     assert_eq!(task.join().unwrap().as_deref(), Some("baker"));
///     Ok::<(), std::io::Error>(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct Builder {
    wish: Wish,
}

impl Builder {
    /// No name, and the sizes of the runtime's [`Config`](crate::Config).
    #[inline(always)]
    pub fn new() -> Self {
        Self::default()
    }

    /// A name, shown in reports and in the line about a stack overflow.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.wish.name = Some(Rc::from(name.into()));
        self
    }

    /// Bytes of address space for the stack, rounded up to whole pages, at least
    /// 16 KiB. Memory is used page by page as the stack grows. Up to 2.5 KiB at its
    /// top are taken by the task's record and by the spacing of stack tops.
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.wish.stack_size = Some(bytes);
        self
    }

    /// Bytes of guard below the stack, rounded up to whole pages, at least one.
    pub fn guard_size(mut self, bytes: usize) -> Self {
        self.wish.guard_size = Some(bytes);
        self
    }

    /// Whether the task starts with what its spawner has bound with
    /// [`task_local!`](crate::task_local). It does not unless this says so.
    pub fn inherit_locals(mut self, inherit: bool) -> Self {
        self.wish.inherit = inherit;
        self
    }

    /// Starts the task in the runtime of this thread; see [`spawn`](crate::spawn).
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a size that cannot work or a name with a NUL in it;
    /// `OutOfMemory` when there is no memory, address space or mapping left for
    /// the stack, naming the limit. The body is dropped unrun.
    ///
    /// # Panics
    ///
    /// Outside a runtime.
    #[inline(always)]
    #[track_caller]
    pub fn spawn<T: 'static>(
        self,
        body: impl FnOnce() -> T + 'static,
    ) -> io::Result<JoinHandle<T>> {
        self.check()?;
        spawn::spawn(&self.wish, Location::caller(), body).map(JoinHandle::new)
    }

    /// What was wished for, if it can be.
    pub(crate) fn checked(self) -> io::Result<Wish> {
        self.check()?;
        Ok(self.wish)
    }

    #[inline(always)]
    fn check(&self) -> io::Result<()> {
        match &self.wish.name {
            Some(name) => check_name(name),
            None => Ok(()),
        }
    }
}

fn check_name(name: &str) -> io::Result<()> {
    if name.contains('\0') {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("the name {name:?} contains a NUL character"),
        ));
    }
    Ok(())
}

impl Runtime {
    /// Spawns a task from outside; it runs in the next [`turn`](Self::turn) or
    /// [`run`](Self::run).
    ///
    /// # Panics
    ///
    /// If there is no memory for its stack.
    #[track_caller]
    pub fn spawn<T: 'static>(&mut self, body: impl FnOnce() -> T + 'static) -> JoinHandle<T> {
        match self.spawn_task(body) {
            Ok(key) => JoinHandle::new(key),
            Err(error) => panic!("no stack for a task: {error}"),
        }
    }
}
