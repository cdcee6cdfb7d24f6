//! How to start a process.
#![expect(unsafe_code, reason = "`pre_exec` is unsafe, as in std")]

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{self, CommandArgs, CommandEnvs, ExitStatus, Output, Stdio};

use super::{Child, orphans};

/// How to start a process, as [`std::process::Command`]; what it starts is waited for instead of blocked on.
///
/// ```
/// use greenroom::process::Command;
/// use greenroom::run;
///
/// let output = run(|| Command::new("echo").arg("a word").output())?;
/// assert!(output.status.success());
/// assert_eq!(output.stdout, b"a word\n");
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// Starting itself blocks the thread, with all its tasks, until the new process has begun to run its
/// program, or could not: well under a millisecond, more where this process is very large and something asks for a
/// real fork (`pre_exec`, `uid`, `gid`). Where that is too long, `unblock(move || command.spawn())`.
///
/// The new process inherits no descriptor of a runtime's.
pub struct Command {
    std: process::Command,
    kill_on_drop: bool,
    /// Which of the three streams were said.
    said: [bool; 3],
}

impl Command {
    /// Will start `program`, which is looked for in `PATH`, without arguments, in this process's environment
    /// and directory.
    pub fn new<S: AsRef<OsStr>>(program: S) -> Self {
        process::Command::new(program).into()
    }

    /// Adds an argument.
    pub fn arg<S: AsRef<OsStr>>(&mut self, arg: S) -> &mut Self {
        self.std.arg(arg);
        self
    }

    /// Adds arguments.
    pub fn args<I, S>(&mut self, args: I) -> &mut Self
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        self.std.args(args);
        self
    }

    /// Sets a variable of the environment.
    pub fn env<K, V>(&mut self, key: K, val: V) -> &mut Self
    where
        K: AsRef<OsStr>,
        V: AsRef<OsStr>,
    {
        self.std.env(key, val);
        self
    }

    /// Sets variables of the environment.
    pub fn envs<I, K, V>(&mut self, vars: I) -> &mut Self
    where
        I: IntoIterator<Item = (K, V)>,
        K: AsRef<OsStr>,
        V: AsRef<OsStr>,
    {
        self.std.envs(vars);
        self
    }

    /// Leaves a variable out of the environment.
    pub fn env_remove<K: AsRef<OsStr>>(&mut self, key: K) -> &mut Self {
        self.std.env_remove(key);
        self
    }

    /// Inherits no variable.
    pub fn env_clear(&mut self) -> &mut Self {
        self.std.env_clear();
        self
    }

    /// The directory it begins in.
    pub fn current_dir<P: AsRef<Path>>(&mut self, dir: P) -> &mut Self {
        self.std.current_dir(dir);
        self
    }

    /// Its standard input. Inherited where nothing is said, and empty for [`output`](Self::output).
    pub fn stdin<T: Into<Stdio>>(&mut self, cfg: T) -> &mut Self {
        self.said[0] = true;
        self.std.stdin(cfg);
        self
    }

    /// Its standard output. Inherited where nothing is said, and piped for [`output`](Self::output).
    pub fn stdout<T: Into<Stdio>>(&mut self, cfg: T) -> &mut Self {
        self.said[1] = true;
        self.std.stdout(cfg);
        self
    }

    /// Its standard error. Inherited where nothing is said, and piped for [`output`](Self::output).
    pub fn stderr<T: Into<Stdio>>(&mut self, cfg: T) -> &mut Self {
        self.said[2] = true;
        self.std.stderr(cfg);
        self
    }

    /// Whether a [`Child`] that is dropped before its end is known is killed. Off.
    ///
    /// It is reaped then by a thread of the [process's pool](crate::ThreadPool::global), soon afterwards:
    /// dropping it does not wait.
    pub fn kill_on_drop(&mut self, kill: bool) -> &mut Self {
        self.kill_on_drop = kill;
        self
    }

    /// The user it runs as.
    pub fn uid(&mut self, id: u32) -> &mut Self {
        self.std.uid(id);
        self
    }

    /// The group it runs as.
    pub fn gid(&mut self, id: u32) -> &mut Self {
        self.std.gid(id);
        self
    }

    /// The name it sees as its own.
    pub fn arg0<S: AsRef<OsStr>>(&mut self, arg: S) -> &mut Self {
        self.std.arg0(arg);
        self
    }

    /// The process group it is in; 0 is one of its own, which Ctrl-C does not reach.
    pub fn process_group(&mut self, pgroup: i32) -> &mut Self {
        self.std.process_group(pgroup);
        self
    }

    /// Runs `f` in the new process, before its program. An error it returns is that of
    /// [`spawn`](Self::spawn).
    ///
    /// # Safety
    ///
    /// As [`CommandExt::pre_exec`]: it runs in a copy of this process in which all other threads are gone,
    /// perhaps with locks held, so it may only do what is async-signal-safe. It must not make
    /// a call of this crate that may wait: the copy has the descriptors of the runtime, which are those of
    /// this process.
    pub unsafe fn pre_exec<F>(&mut self, f: F) -> &mut Self
    where
        F: FnMut() -> io::Result<()> + Send + Sync + 'static,
    {
        // SAFETY: the caller's duty is the same.
        unsafe { self.std.pre_exec(f) };
        self
    }

    /// Starts the process.
    ///
    /// # Errors
    ///
    /// As std's: the program is not found, may not be run, the system has no process or descriptor left.
    pub fn spawn(&mut self) -> io::Result<Child> {
        orphans::look();
        Ok(Child::new(self.std.spawn()?, self.kill_on_drop))
    }

    /// Starts the process, and waits for its end.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn) and [`Child::wait`].
    ///
    /// # Scheduling
    ///
    /// As [`Child::wait`].
    ///
    /// # Cancellation
    ///
    /// Unwinds when the task was cancelled. The process lives on, unless [`kill_on_drop`](Self::kill_on_drop)
    /// was set.
    pub fn status(&mut self) -> io::Result<ExitStatus> {
        self.spawn()?.wait()
    }

    /// Starts the process, waits for its end, and reads all it writes.
    ///
    /// Streams that were not said are piped, and the input is empty. Of a command that was made from
    /// std's, or changed through [`as_std_mut`](Self::as_std_mut), only what was said here counts as said.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn) and [`Child::wait_with_output`].
    ///
    /// # Scheduling
    ///
    /// As [`Child::wait_with_output`].
    ///
    /// # Cancellation
    ///
    /// As [`Child::wait_with_output`].
    pub fn output(&mut self) -> io::Result<Output> {
        let [stdin, stdout, stderr] = self.said;
        if !stdin {
            self.std.stdin(Stdio::null());
        }
        if !stdout {
            self.std.stdout(Stdio::piped());
        }
        if !stderr {
            self.std.stderr(Stdio::piped());
        }
        let child = self.spawn();
        // What was not said is inherited the next time.
        if !stdin {
            self.std.stdin(Stdio::inherit());
        }
        if !stdout {
            self.std.stdout(Stdio::inherit());
        }
        if !stderr {
            self.std.stderr(Stdio::inherit());
        }
        child?.wait_with_output()
    }

    /// The program.
    #[must_use]
    pub fn get_program(&self) -> &OsStr {
        self.std.get_program()
    }

    /// The arguments.
    pub fn get_args(&self) -> CommandArgs<'_> {
        self.std.get_args()
    }

    /// The variables that were set or removed.
    pub fn get_envs(&self) -> CommandEnvs<'_> {
        self.std.get_envs()
    }

    /// The directory, if one was said.
    #[must_use]
    pub fn get_current_dir(&self) -> Option<&Path> {
        self.std.get_current_dir()
    }

    /// std's command, to look at.
    #[must_use]
    pub fn as_std(&self) -> &process::Command {
        &self.std
    }

    /// std's command, for what is not here, such as `exec`.
    pub fn as_std_mut(&mut self) -> &mut process::Command {
        &mut self.std
    }
}

impl From<process::Command> for Command {
    fn from(std: process::Command) -> Self {
        Self {
            std,
            kill_on_drop: false,
            said: [false; 3],
        }
    }
}

impl From<Command> for process::Command {
    fn from(command: Command) -> Self {
        command.std
    }
}

/// As std's.
impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.std.fmt(f)
    }
}
