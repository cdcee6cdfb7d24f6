//! The promise: the programs about channels and queues say exactly their lines, each at
//! its moment.
//!
//! As in `programs.rs` each is performed twice: here, on a virtual clock beside a witness,
//! and as the compiled example.

#![cfg(unix)]
#![allow(dead_code, reason = "the examples' own `main`s are not called here")]

use std::cell::RefCell;
use std::path::PathBuf;
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;

use greenroom::{sleep, spawn, tasks, yield_now};

use support::{finish, virtual_runtime};

mod support;

#[path = "../examples/pipeline.rs"]
mod pipeline;

/// How each example's copy of the support file is told who listens.
type Listen = fn(Option<Rc<dyn Fn(&str)>>);

/// How often the witness comes by.
const ROUND: Duration = Duration::from_millis(250);

/// Runs `program` on a virtual clock, beside a witness who must come by at every quarter
/// of a second. It must say these lines at these milliseconds, end when `end` have
/// passed, and leave no task behind.
#[track_caller]
fn performs(listen: Listen, program: impl FnOnce(), expected: &[(u64, &str)], end: u64) {
    let (mut runtime, clock) = virtual_runtime();
    let lines: Rc<RefCell<Vec<(Duration, String)>>> = Rc::default();
    let visits: Rc<RefCell<Vec<Duration>>> = Rc::default();
    let (time, heard) = (clock.clone(), Rc::clone(&lines));
    listen(Some(Rc::new(move |line| {
        heard.borrow_mut().push((time.elapsed(), line.to_owned()));
    })));
    let (time, book) = (clock.clone(), Rc::clone(&visits));
    let left = runtime.run(|| {
        spawn(move || {
            loop {
                sleep(ROUND);
                book.borrow_mut().push(time.elapsed());
            }
        });
        program();
        let left = tasks().len();
        // The witness of the last moment is ready too.
        yield_now();
        left
    });
    listen(None);
    let expected: Vec<(Duration, String)> = expected
        .iter()
        .map(|(at, line)| (Duration::from_millis(*at), (*line).to_owned()))
        .collect();
    assert_eq!(lines.take(), expected);
    assert_eq!(clock.elapsed(), Duration::from_millis(end), "the end");
    let rounds = (1..).map(|round| ROUND * round);
    let rounds = rounds.take_while(|at| *at <= clock.elapsed());
    assert_eq!(visits.take(), rounds.collect::<Vec<_>>(), "the witness");
    assert_eq!(left, 2, "the main task and the witness");
}

/// The compiled example prints exactly these lines.
#[track_caller]
fn prints(name: &str, expected: &[(u64, &str)]) {
    let this = std::env::current_exe().expect("a test knows its own path");
    let profile = this.parent().and_then(|deps| deps.parent());
    let path: PathBuf = profile
        .expect("a test lies in target/PROFILE/deps")
        .join("examples")
        .join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(
        path.exists(),
        "{} is missing: run `cargo build --examples` with the same profile and target",
        path.display()
    );
    let mut command = Command::new(path);
    command.arg("--virtual");
    let ended = finish(command);
    ended.assert_success();
    let lines: Vec<&str> = expected.iter().map(|(_, line)| *line).collect();
    assert_eq!(ended.stdout.lines().collect::<Vec<_>>(), lines);
    assert_eq!(ended.stderr, "");
}

#[test]
fn pipeline() {
    let lines = [
        (0, "order 1 taken (to cut: 1, to sew: 0)"),
        (0, "order 2 taken (to cut: 2, to sew: 0)"),
        (0, "order 3 taken (to cut: 2, to sew: 0)"),
        (1000, "order 1 cut (to cut: 2, to sew: 0)"),
        (1000, "order 4 taken (to cut: 2, to sew: 0)"),
        (2000, "order 2 cut (to cut: 2, to sew: 0)"),
        (2000, "order 5 taken (to cut: 2, to sew: 0)"),
        (3000, "order 3 cut (to cut: 2, to sew: 0)"),
        (3000, "order 6 taken (to cut: 2, to sew: 0)"),
        (4000, "order 4 cut (to cut: 2, to sew: 1)"),
        (4000, "order 7 taken (to cut: 2, to sew: 1)"),
        (4400, "coat 1 is ready, made by Ada (to cut: 2, to sew: 0)"),
        (5000, "order 5 cut (to cut: 2, to sew: 1)"),
        (5000, "order 8 taken (to cut: 2, to sew: 1)"),
        (6000, "order 6 cut (to cut: 2, to sew: 2)"),
        (6000, "order 9 taken (to cut: 2, to sew: 2)"),
        (6800, "coat 2 is ready, made by Ben (to cut: 2, to sew: 1)"),
        (7000, "order 7 cut (to cut: 2, to sew: 2)"),
        (7800, "coat 4 is ready, made by Ada (to cut: 1, to sew: 1)"),
        (8000, "order 8 cut (to cut: 1, to sew: 2)"),
        (9100, "coat 3 is ready, made by Eve (to cut: 0, to sew: 2)"),
        (9100, "order 9 cut (to cut: 0, to sew: 2)"),
        (
            11_200,
            "coat 6 is ready, made by Ada (to cut: 0, to sew: 1)",
        ),
        (
            11_600,
            "coat 5 is ready, made by Ben (to cut: 0, to sew: 0)",
        ),
        (
            14_600,
            "coat 8 is ready, made by Ada (to cut: 0, to sew: 0)",
        ),
        (
            15_200,
            "coat 7 is ready, made by Eve (to cut: 0, to sew: 0)",
        ),
        (
            16_400,
            "coat 9 is ready, made by Ben (to cut: 0, to sew: 0)",
        ),
        (16_400, "closed"),
    ];
    performs(pipeline::support::listen, pipeline::program, &lines, 16_400);
    prints("pipeline", &lines);
}
