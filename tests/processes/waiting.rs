//! Waiting for the end.

use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::rc::Rc;
use std::time::{Duration, Instant};

use greenroom::process::Stdio;
use greenroom::{run, sleep, spawn, timeout, yield_now};

use crate::{LONG, lingering, sh};

#[test]
fn others_run_while_a_task_waits() {
    run(|| {
        let mut child = lingering().unwrap();
        let stdin = child.stdin.take();
        let waits = spawn(move || child.wait().unwrap().code());
        (0..5).for_each(|_| yield_now());
        assert!(!waits.is_finished());
        drop(stdin);
        assert_eq!(waits.join().unwrap(), Some(7));
    });
}

#[test]
fn the_input_is_closed_first_and_the_answer_is_kept() {
    let test = || {
        let mut child = lingering().unwrap();
        assert_eq!(child.try_wait().unwrap(), None);
        for _ in 0..3 {
            assert_eq!(child.wait().unwrap().code(), Some(7));
            assert_eq!(child.try_wait().unwrap().unwrap().code(), Some(7));
        }
        assert!(child.stdin.is_none());
        child.kill().unwrap(); // as in std, it is too late and that is fine
    };
    run(test);
    test();
}

#[test]
fn a_wait_that_was_begun_in_a_task_is_ended_anywhere() {
    let mut child = run(|| {
        let mut child = lingering().unwrap();
        let stdin = child.stdin.take();
        assert!(timeout(Duration::from_millis(5), || child.wait()).is_err());
        child.stdin = stdin;
        child
    });
    let mut child = std::thread::spawn(move || {
        run(|| {
            let stdin = child.stdin.take();
            assert!(timeout(Duration::from_millis(5), || child.wait()).is_err());
            child.stdin = stdin;
        });
        child
    })
    .join()
    .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(7));
}

#[test]
fn killed_from_another_task() {
    run(|| {
        let mut child = sh("exec sleep 30").spawn().unwrap();
        let start = Instant::now();
        assert!(timeout(Duration::from_millis(10), || child.wait()).is_err());
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(9));
        assert!(start.elapsed() < LONG);
    });
}

#[test]
fn real_time_goes_on_meanwhile() {
    run(|| {
        let ticks = Rc::new(std::cell::Cell::new(0));
        let ours = Rc::clone(&ticks);
        let counts = spawn(move || {
            loop {
                sleep(Duration::from_millis(1));
                ours.set(ours.get() + 1);
            }
        });
        assert!(sh("sleep 0.1").status().unwrap().success());
        assert!(ticks.get() > 5, "{}", ticks.get());
        counts.cancel();
    });
}

#[test]
fn an_output_of_both_streams_larger_than_any_pipe() {
    let script = "for i in 1 2 3 4 5 6 7 8; do
        head -c 300000 /dev/zero >&2; head -c 300000 /dev/zero; done; exit 4";
    let test = || {
        let output = sh(script).output().unwrap();
        assert_eq!(output.status.code(), Some(4));
        assert_eq!(
            (output.stdout.len(), output.stderr.len()),
            (2_400_000, 2_400_000)
        );
    };
    run(test);
    test();
    // One ends long before the other, and one alone.
    run(|| {
        let output = sh("exec 2>&-; head -c 500000 /dev/zero").output().unwrap();
        assert_eq!((output.stdout.len(), output.stderr.len()), (500_000, 0));
        let output = sh("exec 1>&-; head -c 500000 /dev/zero >&2")
            .output()
            .unwrap();
        assert_eq!((output.stdout.len(), output.stderr.len()), (0, 500_000));
        let mut alone = sh("head -c 500000 /dev/zero >&2");
        alone.stdout(Stdio::null());
        assert_eq!(alone.output().unwrap().stderr.len(), 500_000);
    });
}

#[test]
fn two_tasks_keep_a_conversation_with_a_child() {
    run(|| {
        let mut cat = sh("exec cat");
        let mut child = cat
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let text: Vec<u8> = (0..1_000_000_u32).flat_map(u32::to_le_bytes).collect();
        let sent = text.clone();
        let writes = spawn(move || stdin.write_all(&sent));
        let output = child.wait_with_output().unwrap();
        writes.join().unwrap().unwrap();
        assert!(output.stdout == text);
    });
}
