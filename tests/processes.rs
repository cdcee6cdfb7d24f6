//! The promise: other programs are run as with std, while the other tasks go on: their ends are waited for,
//! their pipes never fill up unread, none of them stays a zombie, and none inherits what belongs to a runtime.

#![cfg(unix)]
#![cfg_attr(
    target_os = "linux",
    expect(clippy::unwrap_used, reason = "a test fails by panicking")
)]

mod support;

#[path = "processes/cancelled.rs"]
mod cancelled;
#[path = "processes/image.rs"]
mod image;
#[cfg(target_os = "linux")]
#[path = "processes/limits.rs"]
mod limits;
#[path = "processes/many.rs"]
mod many;
#[path = "processes/pipes.rs"]
mod pipes;
#[path = "processes/waiting.rs"]
mod waiting;

use std::io;
use std::time::{Duration, Instant};

use greenroom::process::{Child, Command, Stdio};

/// Far more than any test takes on a busy machine.
const LONG: Duration = Duration::from_secs(60);

fn sh(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

/// A process that lives until its input ends, and then exits with 7.
fn lingering() -> io::Result<Child> {
    sh("read line; exit 7").stdin(Stdio::piped()).spawn()
}

/// The processes this one has started that are not reaped yet, with the letter of their state.
#[cfg(target_os = "linux")]
fn children() -> Vec<(u32, char)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap() {
        let name = entry.unwrap().file_name();
        let Ok(pid) = name.to_string_lossy().parse::<u32>() else {
            continue;
        };
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // The name in parentheses may hold anything.
        let Some((_, rest)) = stat.rsplit_once(") ") else {
            continue;
        };
        let mut words = rest.split(' ');
        let state = words.next().and_then(|word| word.chars().next());
        let parent = words.next().and_then(|word| word.parse::<u32>().ok());
        if parent == Some(std::process::id()) {
            found.extend(state.map(|state| (pid, state)));
        }
    }
    found
}

/// Blocks until something that other processes do is true.
#[track_caller]
fn eventually(what: impl Fn() -> bool) {
    let start = Instant::now();
    while !what() {
        assert!(start.elapsed() < LONG, "it did not happen");
        std::thread::yield_now();
    }
}
