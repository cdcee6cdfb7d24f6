//! Where the system gives less than usual: no descriptor any more, or none that stand for processes.
#![expect(unsafe_code, reason = "std does not set limits")]

use std::fs::File;
use std::io;
use std::time::Duration;

use greenroom::{Clock, Config, Delivery, Runtime, run, timeout, unblock};

use crate::support::{case, rerun};
use crate::{lingering, sh};

/// Lets this process have at most 128 descriptors.
fn few_descriptors() {
    let limit = libc::rlimit {
        rlim_cur: 128,
        rlim_max: 128,
    };
    // SAFETY: the limits are ours to read for the call.
    let set = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
    assert_eq!(set, 0);
}

/// From now on this thread, and those it starts, are told that there is no call `pidfd_open`. Where the system
/// has no such filters it says `false`.
fn forbid_descriptors_of_processes() -> bool {
    const LOAD_WORD: u16 = 0x20;
    const JUMP_IF_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    const FAIL: u32 = 0x0005_0000;
    const ALLOW: u32 = 0x7fff_0000;
    const PIDFD_OPEN: u32 = 434;
    const ENOSYS: u32 = 38;
    let step = |code, jf, k| libc::sock_filter { code, jt: 0, jf, k };
    let mut steps = [
        step(LOAD_WORD, 0, 0),
        step(JUMP_IF_EQUAL, 1, PIDFD_OPEN),
        step(RETURN, 0, FAIL | ENOSYS),
        step(RETURN, 0, ALLOW),
    ];
    let program = libc::sock_fprog {
        len: 4,
        filter: steps.as_mut_ptr(),
    };
    // SAFETY: takes numbers, and only takes rights away.
    let first = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    // SAFETY: the program and its steps are ours to read for the call.
    let second = unsafe {
        libc::prctl(
            libc::PR_SET_SECCOMP,
            libc::SECCOMP_MODE_FILTER,
            &raw const program,
        )
    };
    (first, second) == (0, 0)
}

#[test]
fn without_a_descriptor_a_wait_fails_and_the_next_one_does_not() {
    let test = "limits::without_a_descriptor_a_wait_fails_and_the_next_one_does_not";
    if case().is_none() {
        return rerun(test, "full", &[]).assert_success();
    }
    few_descriptors();
    for forbidden in [false, true] {
        if forbidden && !forbid_descriptors_of_processes() {
            return;
        }
        run(|| {
            let mut child = lingering().unwrap();
            let stdin = child.stdin.take();
            let mut all = Vec::new();
            let full = loop {
                match File::open("/dev/null") {
                    Ok(file) => all.push(file),
                    Err(error) => break error,
                }
            };
            for _ in 0..2 {
                let error = child.wait().unwrap_err();
                assert_eq!(error.raw_os_error(), full.raw_os_error(), "{error}");
            }
            drop(all);
            drop(stdin);
            assert_eq!(child.wait().unwrap().code(), Some(7));
        });
    }
}

#[test]
fn without_descriptors_of_processes_one_thread_waits_however_many_do() {
    let test = "limits::without_descriptors_of_processes_one_thread_waits_however_many_do";
    if case().is_none() {
        return rerun(test, "threads", &[]).assert_success();
    }
    if !forbid_descriptors_of_processes() {
        return;
    }
    let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
    run(|| {
        let mut child = lingering().unwrap();
        let stdin = child.stdin.take();
        let before = threads();
        for _ in 0..50 {
            assert!(timeout(Duration::from_millis(1), || child.wait()).is_err());
        }
        assert_eq!(threads(), before + 1);
        assert_eq!(unblock(|| 7), 7);
        drop(stdin);
        for _ in 0..2 {
            assert_eq!(child.wait().unwrap().code(), Some(7));
        }
        // An end nobody has to wait for takes none.
        let output = sh("echo one; exit 2").output().unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 4));
    });
}

#[test]
fn without_descriptors_of_processes_limits_of_time_hold() {
    let test = "limits::without_descriptors_of_processes_limits_of_time_hold";
    if case().is_none() {
        return rerun(test, "time", &[]).assert_success();
    }
    if !forbid_descriptors_of_processes() {
        return;
    }
    let late = || {
        let mut command = sh("exec sleep 5");
        command.kill_on_drop(true);
        timeout(Duration::from_millis(100), || command.status())
    };
    let told = Config::new().delivery(Delivery::Error);
    let answer = Runtime::with(told).run(|| late().map(|status| status.map_err(|e| e.kind())));
    assert!(
        matches!(answer, Err(_) | Ok(Err(io::ErrorKind::TimedOut))),
        "{answer:?}"
    );
    // A virtual clock holds for nothing that another process does.
    let virtually = Config::new().clock(Clock::virtual_());
    assert!(Runtime::with(virtually).run(late).is_err());
}
