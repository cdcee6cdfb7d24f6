//! A child process.

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::process::{self, ExitStatus, Output};

use super::{ChildStderr, ChildStdin, ChildStdout, both, orphans};
use crate::io::descriptor::Descriptor;
use crate::scheduler::io::Direction;
use crate::scheduler::outside::Caller;
use crate::scheduler::park;
use crate::sys::process as system;

/// A process that was started by a [`Command`](super::Command), as [`std::process::Child`], waiting
/// instead of blocking.
///
/// ```
/// use std::io::Write;
/// use greenroom::process::{Command, Stdio};
/// use greenroom::run;
///
/// run(|| {
///     let mut child = Command::new("cat")
///         .stdin(Stdio::piped())
///         .stdout(Stdio::piped())
///         .spawn()?;
///     if let Some(mut stdin) = child.stdin.take() {
///         stdin.write_all(b"meow")?;
///     } // closed here, so that the child ends
///     assert_eq!(child.wait_with_output()?.stdout, b"meow");
///     Ok::<(), std::io::Error>(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Dropping
///
/// A child that is dropped lives on, as in std, unless
/// [`kill_on_drop`](super::Command::kill_on_drop) was set. But it does not stay a zombie when it ends: whenever a
/// `Child` is made or dropped, some of those dropped before are looked at, and reaped if they have ended.
/// Whoever wants to wait for the process by its number converts the child into std's, which leaves
/// it alone.
pub struct Child {
    /// What it reads, if that was piped.
    pub stdin: Option<ChildStdin>,
    /// What it writes, if that was piped.
    pub stdout: Option<ChildStdout>,
    /// What it complains of, if that was piped.
    pub stderr: Option<ChildStderr>,
    std: Option<process::Child>,
    /// What tells of its end. Made by the first wait that has to, and kept for all that follow.
    end: Option<Descriptor<OwnedFd>>,
    kill_on_drop: bool,
}

impl Child {
    pub(super) fn new(mut std: process::Child, kill_on_drop: bool) -> Self {
        Self {
            stdin: std.stdin.take().map(ChildStdin::from),
            stdout: std.stdout.take().map(ChildStdout::from),
            stderr: std.stderr.take().map(ChildStderr::from),
            std: Some(std),
            end: None,
            kill_on_drop,
        }
    }

    fn std(&self) -> &process::Child {
        self.std.as_ref().expect("only a conversion takes it out")
    }

    fn std_mut(&mut self) -> &mut process::Child {
        self.std.as_mut().expect("only a conversion takes it out")
    }

    /// The number of the process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.std().id()
    }

    /// Sends `SIGKILL`. It still has to be waited for.
    ///
    /// # Errors
    ///
    /// As std's.
    pub fn kill(&mut self) -> io::Result<()> {
        self.std_mut().kill()
    }

    /// How the process ended, if it has. Never waits.
    ///
    /// # Errors
    ///
    /// As std's.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        self.std_mut().try_wait()
    }

    /// Waits for the end of the process. Closes its standard input first, if it is still in
    /// [`stdin`](Self::stdin), so that it need not wait for more. Called again it gives the same.
    ///
    /// The end is told by a descriptor where the system has such (Linux since 5.3, unless a filter forbids it), and
    /// else by a thread that is started for this child, however often it is waited for, and lives as long as it.
    ///
    /// # Errors
    ///
    /// As std's; that the process has no descriptor left, or no thread where one is needed, or the runtime cannot
    /// watch one descriptor more. The child can be waited for again.
    ///
    /// With [`Delivery::Error`](crate::Delivery::Error), that the task was cancelled.
    ///
    /// # Scheduling
    ///
    /// If the process has ended it goes on at once; one of every 128 calls lets the other tasks run first. Else the
    /// others run until it has. A virtual clock does not wait for it.
    ///
    /// # Cancellation
    ///
    /// Unwinds when the task was cancelled. The process lives on, and can be waited for again.
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        drop(self.stdin.take());
        let caller = Caller::here();
        if !caller.is_task() {
            return self.std_mut().wait();
        }
        let Some(std) = &mut self.std else {
            unreachable!("only a conversion takes it out")
        };
        if self.end.is_none() {
            // One that is reaped has a number that may be another's by now.
            if let Some(status) = std.try_wait()? {
                caller.spend();
                return Ok(status);
            }
        }
        let end = match &mut self.end {
            Some(end) => end,
            none => none.insert(Descriptor::new(system::end_of(std.id())?)),
        };
        end.transfer(
            Direction::Read,
            |_| false,
            |_| {
                let ended = std.try_wait()?;
                ended.ok_or_else(|| io::ErrorKind::WouldBlock.into())
            },
        )
    }

    /// Waits for the end of the process, and reads all that it writes to its piped streams meanwhile.
    ///
    /// Both streams are read at once, so it does not matter how much it writes to which.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait); what reading says.
    ///
    /// # Scheduling
    ///
    /// The other tasks run until the process has closed its streams and ended.
    ///
    /// # Cancellation
    ///
    /// Unwinds when the task was cancelled. The pipes are closed, what was read is lost, and the process is
    /// dropped: it lives on, unless [`kill_on_drop`](super::Command::kill_on_drop) was set.
    pub fn wait_with_output(mut self) -> io::Result<Output> {
        let Some(task) = park::current() else {
            return process::Child::from(self).wait_with_output();
        };
        drop(self.stdin.take());
        let (stdout, stderr) = both::read_to_end(task, self.stdout.take(), self.stderr.take())?;
        Ok(Output {
            status: self.wait()?,
            stdout,
            stderr,
        })
    }
}

/// The pipes that are still in it come along, the setting of `kill_on_drop` does not. It is no longer
/// looked after when it is dropped.
impl From<Child> for process::Child {
    fn from(mut child: Child) -> Self {
        let mut std = child.std.take().expect("it is taken out once");
        std.stdin = child.stdin.take().map(Into::into);
        std.stdout = child.stdout.take().map(Into::into);
        std.stderr = child.stderr.take().map(Into::into);
        std
    }
}

/// Lives on when it is dropped.
impl From<process::Child> for Child {
    fn from(child: process::Child) -> Self {
        Self::new(child, false)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if let Some(child) = self.std.take() {
            orphans::adopt(child, self.kill_on_drop);
        }
    }
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Child")
            .field("id", &self.std.as_ref().map(process::Child::id))
            .field("stdin", &self.stdin)
            .field("stdout", &self.stdout)
            .field("stderr", &self.stderr)
            .field("kill_on_drop", &self.kill_on_drop)
            .finish_non_exhaustive()
    }
}
