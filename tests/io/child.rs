//! Processes whose standard streams are a test's to choose: this test program again.

use std::cell::Cell;
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

use greenroom::io::stderr;
use greenroom::{sleep, spawn};

pub(crate) const SHORT: Duration = Duration::from_millis(5);

/// This test again, to do its case `case` in a process of its own. What it writes for us begins with `> `.
pub(crate) fn child(test: &str, case: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env("GREENROOM_TEST_CASE", case)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command
}

/// Writes down something for the test that started this process.
pub(crate) fn tell(what: impl std::fmt::Display) {
    // In one piece: others tell something, too.
    stderr()
        .write_all(format!("> {what}\n").as_bytes())
        .unwrap();
}

/// Ends this process, which has no output any more for the harness to write to.
#[expect(clippy::exit, reason = "it is a process of our own")]
pub(crate) fn leave() -> ! {
    std::process::exit(0)
}

/// What a process told, and that it ended well.
#[track_caller]
pub(crate) fn told(child: Child) -> Vec<String> {
    let ended = child.wait_with_output().unwrap();
    let all = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(ended.status.success(), "{all}");
    let ours = all.lines().filter_map(|line| line.strip_prefix("> "));
    ours.map(str::to_owned).collect()
}

/// A task that tells `others run` when it has had a few turns. Until then the process may not go on where it
/// would have to.
pub(crate) struct Witness(Rc<Cell<bool>>);

impl Witness {
    pub(crate) fn new() -> Self {
        let told = Rc::new(Cell::new(false));
        let ours = Rc::clone(&told);
        spawn(move || {
            (0..5).for_each(|_| sleep(Duration::from_micros(200)));
            tell("others run");
            ours.set(true);
        });
        Self(told)
    }

    pub(crate) fn wait(&self) {
        while !self.0.get() {
            sleep(Duration::from_micros(200));
        }
    }
}
