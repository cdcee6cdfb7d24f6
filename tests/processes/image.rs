//! The same as with std.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};

use greenroom::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use greenroom::run;

use crate::support::{case, rerun};
use crate::{lingering, sh};

/// In a task and on a plain thread.
fn both(test: impl Fn()) {
    run(&test);
    test();
}

#[test]
fn arguments_environment_and_directory() {
    both(|| {
        let mut command = sh("echo $0 $1 $A $B ${HOME-none} $(pwd)");
        command
            .arg("first")
            .args(["second", "third"])
            .env("A", "a")
            .envs([("B", "b"), ("C", "c")])
            .env_remove("HOME")
            .current_dir("/");
        let output = command.output().unwrap();
        assert_eq!(output.stdout, b"first second a b none /\n");
        assert_eq!(command.get_program(), "sh");
        assert_eq!(command.get_args().count(), 5);
        let envs: HashMap<_, _> = command.get_envs().collect();
        assert_eq!((envs.len(), envs[std::ffi::OsStr::new("HOME")]), (4, None));
        assert_eq!(command.get_current_dir().unwrap().to_str(), Some("/"));
        let text = format!("{command:?}");
        assert_eq!(text, format!("{:?}", command.as_std()));
        command.env_clear();
        assert_eq!(command.get_envs().count(), 0);
    });
}

#[test]
fn what_only_unix_has() {
    both(|| {
        let mut command = sh("ps -o pgid= -p $$ >&2; echo $0 $$");
        let child = command
            .process_group(0)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let id = child.id().to_string();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.stdout, format!("sh {id}\n").as_bytes());
        let mut named = Command::new("sh");
        named.arg0("other").args(["-c", "echo $0"]);
        assert_eq!(named.output().unwrap().stdout, b"other\n");
        let (uid, gid) = own_ids();
        let mut same = sh("id -u; id -g");
        same.uid(uid).gid(gid);
        let said = String::from_utf8(same.output().unwrap().stdout).unwrap();
        assert_eq!(said, format!("{uid}\n{gid}\n"));
    });
}

fn own_ids() -> (u32, u32) {
    use std::os::unix::fs::MetadataExt;
    let path = std::env::temp_dir().join(format!("ids-{}", std::process::id()));
    drop(std::fs::File::create(&path).unwrap());
    let of = std::fs::metadata(&path).unwrap();
    let _gone = std::fs::remove_file(&path);
    (of.uid(), of.gid())
}

#[test]
fn status_and_errors() {
    both(|| {
        assert!(sh("exit 0").status().unwrap().success());
        assert_eq!(sh("exit 3").status().unwrap().code(), Some(3));
        assert_eq!(sh("kill -9 $$").status().unwrap().signal(), Some(9));
        let missing = Command::new("/there is no such program").spawn();
        assert_eq!(missing.unwrap_err().kind(), io::ErrorKind::NotFound);
        let folder = Command::new("/").status();
        assert_eq!(folder.unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    });
}

#[test]
fn output_pipes_what_was_not_said_and_gives_it_back() {
    both(|| {
        let mut command = sh("cat; echo out; echo err >&2");
        for _ in 0..2 {
            let output = command.output().unwrap();
            assert_eq!(
                (&output.stdout[..], &output.stderr[..]),
                (&b"out\n"[..], &b"err\n"[..])
            );
        }
        command.stderr(Stdio::null());
        let output = command.output().unwrap();
        assert_eq!(
            (&output.stdout[..], &output.stderr[..]),
            (&b"out\n"[..], &b""[..])
        );
        let child = command.stdin(Stdio::null()).spawn().unwrap();
        assert!(child.stdout.is_none());
        drop(child);
        command.stdout(Stdio::null());
        assert!(command.output().unwrap().stdout.is_empty());
        let child = sh("exit 0").spawn().unwrap();
        assert!(child.stdin.is_none() && child.stdout.is_none() && child.stderr.is_none());
    });
}

#[test]
fn a_pipe_can_be_the_stream_of_another_child() {
    both(|| {
        let mut first = sh("printf 'b\\na\\n'")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let between = first.stdout.take().unwrap();
        let last = Command::new("sort").stdin(between).output().unwrap();
        assert_eq!(last.stdout, b"a\nb\n");
        assert!(first.wait().unwrap().success());
    });
}

#[test]
fn conversions_change_nothing() {
    both(|| {
        let mut child = Child::from(
            std::process::Command::new("cat")
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap(),
        );
        let mut out = child.stdout.take().unwrap();
        let number = out.as_raw_fd();
        child.stdin.as_mut().unwrap().write_all(b"ab").unwrap();
        out.read_exact(&mut [0]).unwrap();
        // A task had to set `O_NONBLOCK`: std's type finds it as it was.
        let mut std = std::process::ChildStdout::from(out);
        std.read_exact(&mut [0]).unwrap();
        assert!(!is_nonblocking(&std));
        let fd = OwnedFd::from(ChildStdout::from(OwnedFd::from(std)));
        assert_eq!(fd.as_raw_fd(), number);
        child.stdout = Some(ChildStdout::from(fd));
        let std_child = std::process::Child::from(child);
        assert!(std_child.stdin.is_some() && std_child.stdout.is_some());
        assert_eq!(std_child.wait_with_output().unwrap().stdout, b"");
        let command = Command::from(std::process::Command::new("true"));
        assert!(
            std::process::Command::from(command)
                .status()
                .unwrap()
                .success()
        );
    });
}

fn is_nonblocking(fd: &impl AsFd) -> bool {
    let path = format!("/proc/self/fdinfo/{}", fd.as_fd().as_raw_fd());
    let Ok(info) = std::fs::read_to_string(path) else {
        return false; // not on Linux
    };
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = u32::from_str_radix(flags.unwrap().trim(), 8).unwrap();
    flags & 0o4000 != 0
}

#[test]
fn as_std_mut_gives_the_rest() {
    // `exec` changes what this process does with signals, even where it fails.
    if case().is_none() {
        let ended = rerun("image::as_std_mut_gives_the_rest", "exec", &[]);
        assert_eq!((ended.status.code(), ended.hung), (Some(3), false));
        return;
    }
    run(|| sh("exit 3").as_std_mut().exec());
}

#[test]
fn all_may_be_sent_to_other_threads() {
    fn anywhere<T: Send + Sync>() {}
    anywhere::<(Command, Child, ChildStdin, ChildStdout)>();
    let child = run(|| lingering().unwrap());
    std::thread::spawn(move || run(|| drop(child)))
        .join()
        .unwrap();
}
