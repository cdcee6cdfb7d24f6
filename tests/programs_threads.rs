//! The promise: the program with two runtimes on two threads says exactly its lines, however
//! the threads take turns, and leaves nothing behind.
//!
//! As in `programs.rs` it is performed twice: here, where somebody listens, and as the
//! compiled example. It waits for threads, not for moments, so there is no virtual clock.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]
#![allow(dead_code, reason = "the example's own `main` is not called here")]

use std::cell::RefCell;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::rc::Rc;

use support::finish;

mod support;

#[path = "../examples/threads.rs"]
mod threads;

const LINES: [&str; 8] = [
    "all is read and sent",
    "ebb: 9 words",
    "flood: 9 words",
    "neap: entity not found",
    "slack: 10 words",
    "in all: 28 words",
    "the chore was cancelled: true",
    "the second runtime has stopped: it was told to",
];

/// What programs of this process have left in the temporary folder.
fn left_behind(process: u32) -> usize {
    let prefix = format!("greenroom-threads-{process}-");
    let entries = fs::read_dir(std::env::temp_dir()).unwrap();
    entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.starts_with(&prefix))
        .count()
}

#[test]
fn it_says_its_lines_however_the_threads_take_turns() {
    let lines: Rc<RefCell<Vec<String>>> = Rc::default();
    let heard = Rc::clone(&lines);
    threads::support::listen(Some(Rc::new(move |line| {
        heard.borrow_mut().push(line.to_owned());
    })));
    for _ in 0..50 {
        threads::program().unwrap();
        assert_eq!(lines.take(), LINES);
    }
    threads::support::listen(None);
    assert_eq!(left_behind(std::process::id()), 0);
}

#[test]
fn the_compiled_example_prints_them() {
    let mut path: PathBuf = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    let program = path.join("examples").join("threads");
    assert!(
        program.exists(),
        "{} is missing: `cargo build --examples`",
        program.display()
    );
    for _ in 0..5 {
        let ended = finish(Command::new(&program));
        ended.assert_success();
        assert_eq!(ended.stdout.lines().collect::<Vec<_>>(), LINES);
        assert_eq!(ended.stderr, "");
    }
}
