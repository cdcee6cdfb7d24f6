//! What several test files share: a test that runs itself again as a process of
//! its own, for everything that ends or changes a whole process.
//!
//! Nothing here may outlive its test: a child that does not end is killed.

#![allow(dead_code, reason = "each test file uses a part of this")]

use std::cell::RefCell;
use std::fmt::Debug;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, ExitStatus, Stdio};
use std::rc::Rc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use greenroom::{Clock, Config, Runtime};

/// Names the case a child is to perform.
const CASE: &str = "GREENROOM_TEST_CASE";

/// How long a child may take before it is killed. Long: the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// What became of a child.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// Whether it had to be killed.
    pub(crate) hung: bool,
}

impl Ended {
    /// It must have ended well.
    #[track_caller]
    pub(crate) fn assert_success(&self) {
        assert!(self.status.success() && !self.hung, "{self:#?}");
    }

    /// It must have ended by this signal.
    #[track_caller]
    pub(crate) fn assert_signal(&self, signal: i32) {
        assert!(!self.hung, "it did not end: {self:#?}");
        assert_eq!(self.status.signal(), Some(signal), "{self:#?}");
    }

    /// Its lines on stderr that begin with the crate's name.
    pub(crate) fn said(&self) -> Vec<&str> {
        let ours = |line: &&str| line.starts_with("greenroom: ");
        self.stderr.lines().filter(ours).collect()
    }
}

/// The case this process is to perform, if it is a child.
pub(crate) fn case() -> Option<String> {
    std::env::var(CASE).ok()
}

/// Runs this test program again, for this one test, which finds `case` by [`case`].
pub(crate) fn rerun(test: &str, case: &str, environment: &[(&str, &str)]) -> Ended {
    let program = std::env::current_exe().expect("the test program knows its own path");
    let mut command = Command::new(program);
    command
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(CASE, case)
        .env_remove("GREENROOM_GUARD")
        .env("RUST_BACKTRACE", "0")
        .envs(environment.iter().copied());
    finish(command)
}

/// Runs a program to its end, or to the end of our patience.
pub(crate) fn finish(mut command: Command) -> Ended {
    command.stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program can be started");
    let read = |mut from: Box<dyn Read + Send>| {
        let (done, text) = mpsc::channel();
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let _all = from.read_to_end(&mut bytes);
            let _gone = done.send(String::from_utf8_lossy(&bytes).into_owned());
        });
        text
    };
    let out = read(Box::new(child.stdout.take().expect("it was piped")));
    let err = read(Box::new(child.stderr.take().expect("it was piped")));
    let start = Instant::now();
    let mut hung = false;
    // Its end closes both pipes.
    let stdout = out.recv_timeout(PATIENCE).unwrap_or_else(|_| {
        hung = true;
        child.kill().expect("our own child can be killed");
        out.recv().unwrap_or_default()
    });
    let stderr = err
        .recv_timeout(PATIENCE.saturating_sub(start.elapsed()))
        .unwrap_or_default();
    let status = child.wait().expect("our own child can be waited for");
    Ended {
        status,
        stdout,
        stderr,
        hung,
    }
}

/// A runtime on a virtual clock.
pub(crate) fn virtual_runtime() -> (Runtime, Clock) {
    let clock = Clock::virtual_();
    (Runtime::with(Config::new().clock(clock.clone())), clock)
}

/// Runs `main` on a virtual clock.
pub(crate) fn on_virtual<T>(main: impl FnOnce() -> T) -> T {
    virtual_runtime().0.run(main)
}

/// Lines written down by several tasks, in the order in which they did.
#[derive(Debug)]
pub(crate) struct Log<T>(Rc<RefCell<Vec<T>>>);

impl<T> Clone for Log<T> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<T> Default for Log<T> {
    fn default() -> Self {
        Self(Rc::default())
    }
}

impl<T> Log<T> {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn add(&self, line: T) {
        self.0.borrow_mut().push(line);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.borrow().len()
    }

    /// All lines so far; the log is empty then.
    pub(crate) fn take(&self) -> Vec<T> {
        self.0.take()
    }
}

/// Does something when it is dropped.
pub(crate) struct OnDrop<F: FnMut()>(pub(crate) F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Panics without the message that would be printed.
pub(crate) fn quiet_panic(what: &'static str) -> ! {
    std::panic::resume_unwind(Box::new(what))
}

/// The text `f` panicked with.
#[track_caller]
pub(crate) fn panic_text<T: Debug>(f: impl FnOnce() -> T) -> String {
    let payload = catch_unwind(AssertUnwindSafe(f)).expect_err("it should have panicked");
    text_of(&*payload)
}

/// The text in what somebody panicked with.
pub(crate) fn text_of(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<&'static str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("(no text)")
        .to_owned()
}
