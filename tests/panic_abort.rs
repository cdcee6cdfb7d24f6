//! The promise: with `panic = "abort"` the crate works as long as nothing has to be
//! unwound; what would have to be is leaked, or, where leaking would be unsound or
//! hide a deadlock, the process aborts and says why.
//!
//! The cases are in the program in `abort/`, which is built here, once.

#![cfg(target_os = "linux")]

mod support;

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use support::{Ended, finish};

/// Builds the program, and tells where it lies.
fn program() -> &'static PathBuf {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("panic-abort");
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/abort/Cargo.toml");
        let mut cargo = Command::new(env!("CARGO"));
        cargo
            .args(["build", "--quiet", "--offline", "--manifest-path", manifest])
            .arg("--target-dir")
            .arg(&target);
        let built = cargo.output().expect("cargo can be started");
        assert!(
            built.status.success(),
            "{}",
            String::from_utf8_lossy(&built.stderr)
        );
        target.join("debug/greenroom-abort")
    })
}

fn perform(case: &str, environment: &[(&str, &str)]) -> Ended {
    let mut command = Command::new(program());
    command
        .arg(case)
        .env_remove("GREENROOM_GUARD")
        .envs(environment.iter().copied());
    command.env("RUST_BACKTRACE", "0");
    finish(command)
}

/// It ends well, and says these lines.
#[track_caller]
fn assert_says(case: &str, lines: &[&str]) {
    let ended = perform(case, &[]);
    ended.assert_success();
    assert_eq!(
        ended.stdout.lines().collect::<Vec<_>>(),
        lines,
        "{ended:#?}"
    );
    assert!(ended.said().is_empty(), "{ended:#?}");
}

/// It is aborted, and says this; `stdout` it had said before.
#[track_caller]
fn assert_aborts(case: &str, parts: &[&str]) {
    const SIGABRT: i32 = 6;
    let ended = perform(case, &[]);
    ended.assert_signal(SIGABRT);
    for part in parts {
        assert!(ended.stderr.contains(part), "{part}: {ended:#?}");
    }
    assert_eq!(ended.stdout, "");
}

#[test]
fn what_ends_by_itself_works() {
    assert_says("normal", &["sender dropped", "sum 12 after 3s", "the end"]);
}

#[test]
fn tasks_alive_at_the_end_of_a_run_are_left() {
    assert_says("alive", &["run returned 7", "the end"]);
}

#[test]
fn tasks_that_were_left_go_on_in_the_next_run() {
    let lines = [
        "task begins",
        "alive 1",
        "task goes on",
        "task dropped",
        "alive 0",
        "the end",
    ];
    assert_says("reuse", &lines);
}

#[test]
fn a_dropped_runtime_leaks_its_tasks() {
    assert_says("runtime dropped", &["went on", "the end"]);
}

#[test]
fn an_unstarted_body_is_dropped() {
    assert_says("unstarted", &["body dropped", "went on", "the end"]);
}

#[test]
fn a_suspended_coroutine_that_is_dropped_is_leaked() {
    assert_says("coroutine", &["Ok(Yielded(1))", "went on", "the end"]);
    assert_says("generator", &["Some(1)", "went on", "the end"]);
}

/// A body that borrows must not outlive what it borrows, so it cannot be leaked.
#[test]
fn a_suspended_generator_that_borrows_aborts_with_a_sentence() {
    assert_says("scope ended", &["sum 6", "the end"]);
    let sentence =
        "is suspended and borrows from its caller; with panic=abort it cannot be unwound";
    assert_aborts(
        "scope suspended",
        &["greenroom: the coroutine made at src/main.rs:", sentence],
    );
}

#[test]
fn a_deadlock_aborts_with_the_report() {
    let parts = [
        "greenroom: deadlock: every task waits, and nothing can wake one",
        "'stuck', spawned at src/main.rs:",
        "waits for unpark",
        "with panic=abort nothing can be unwound",
    ];
    assert_aborts("deadlock", &parts);
}

/// Cancellation comes as errors; every child has ended when its scope returns.
#[test]
fn scopes_work_without_unwinding() {
    let lines = [
        "Ok(Err(Cancelled))",
        "Ok(()) at 2s",
        "[2, 2]",
        "failing child dropped",
        "Err(\"the task was cancelled\")",
        "Err(\"failed\")",
        "Err(\"no\")",
        "Some(Err(Cancelled))",
        "closed dropped",
        "Ok(7)",
        "at 3s",
        "the end",
    ];
    assert_says("structure", &lines);
}

#[test]
fn a_cancellation_that_would_have_to_unwind_aborts_with_a_sentence() {
    let parts = [
        "greenroom: a cancelled call has no result and cannot be unwound with panic=abort",
        "spawned at src/main.rs:",
    ];
    assert_aborts("unwinding chosen", &parts);
}

#[test]
fn a_panic_aborts() {
    assert_aborts("panic", &["no way back"]);
}

/// Not about panics: this is the one test whose program uses its main thread.
#[test]
fn an_overflow_on_the_main_thread_says_its_line() {
    const SIGABRT: i32 = 6;
    for environment in [&[][..], &[("GREENROOM_GUARD", "mprotect")]] {
        let ended = perform("overflow", environment);
        ended.assert_signal(SIGABRT);
        let line = "greenroom: coroutine 'digger' has overflowed its stack of 65536 bytes; raise it with CoroutineBuilder::stack_size";
        assert_eq!(ended.said(), [line], "{ended:#?}");
    }
}
