//! Cancelled callers, dropped children.

use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use greenroom::process::{Child, Stdio};
use greenroom::{run, spawn, timeout, yield_now};

use crate::support::{case, rerun};
use crate::{lingering, sh};

#[test]
fn a_cancelled_wait_leaves_the_child_as_it_was() {
    run(|| {
        let mut child = lingering().unwrap();
        let stdin = child.stdin.take();
        let (sends, receives) = std::sync::mpsc::channel::<Child>();
        struct GivesBack(std::sync::mpsc::Sender<Child>, Option<Child>);
        impl Drop for GivesBack {
            fn drop(&mut self) {
                self.0.send(self.1.take().unwrap()).unwrap();
            }
        }
        let waits = spawn(move || {
            let mut held = GivesBack(sends, Some(child));
            held.1.as_mut().unwrap().wait().unwrap();
        });
        yield_now();
        waits.cancel();
        assert!(waits.join().unwrap_err().is_cancelled());
        let mut child = receives.recv().unwrap();
        assert_eq!(child.try_wait().unwrap(), None);
        drop(stdin);
        assert_eq!(child.wait().unwrap().code(), Some(7));
    });
}

#[test]
fn kill_on_drop_says_whether_a_late_child_lives_on() {
    for kill in [true, false] {
        for reads in [true, false] {
            // Its end tells that the child has gone.
            let (mut line, theirs) = UnixStream::pair().unwrap();
            let mut command = sh("exec sleep 2");
            command.kill_on_drop(kill).stdin(OwnedFd::from(theirs));
            run(|| {
                let late = timeout(Duration::from_millis(20), || {
                    if reads {
                        command.output().map(drop)
                    } else {
                        command.status().map(drop)
                    }
                });
                assert!(late.is_err());
            });
            drop(command);
            let patience = Duration::from_millis(if kill { 60_000 } else { 50 });
            line.set_read_timeout(Some(patience)).unwrap();
            let gone = line.read(&mut [0]).is_ok_and(|count| count == 0);
            assert_eq!(gone, kill);
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn nobody_stays_a_zombie() {
    use crate::{children, eventually};

    if case().is_none() {
        return rerun("cancelled::nobody_stays_a_zombie", "zombies", &[]).assert_success();
    }
    run(|| {
        // Killed: reaped without further ado.
        let mut sleeps = sh("exec sleep 30");
        drop(sleeps.kill_on_drop(true).spawn().unwrap());
        eventually(|| children().is_empty());

        // Dropped after it ended: at once.
        let child = sh("exit 1").spawn().unwrap();
        eventually(|| children() == [(child.id(), 'Z')]);
        drop(child);
        assert_eq!(children(), []);

        // Dropped before: when the next ones are made or dropped.
        let mut lines = Vec::new();
        for _ in 0..40 {
            let mut child = lingering().unwrap();
            lines.push(child.stdin.take());
        }
        assert_eq!(children().len(), 40);
        drop(lines);
        eventually(|| children().iter().all(|(_, state)| *state == 'Z'));
        for _ in 0..3 {
            assert!(sh("exit 0").status().unwrap().success());
        }
        assert_eq!(children(), []);

        // Or dropped alone.
        let mut dropped = lingering().unwrap();
        let (line, id) = (dropped.stdin.take(), dropped.id());
        drop((dropped, line));
        eventually(|| children() == [(id, 'Z')]);
        let ended = std::process::Command::new("true").spawn().unwrap();
        drop(Child::from(ended));
        assert!(children().iter().all(|(other, _)| *other != id));
        eventually(|| {
            drop(sh("exit 0").spawn());
            children().len() <= 1
        });

        // What std gets is left alone.
        let mut std = std::process::Child::from(sh("exit 3").spawn().unwrap());
        eventually(|| children().contains(&(std.id(), 'Z')));
        for _ in 0..3 {
            drop(sh("exit 0").stdout(Stdio::null()).status());
        }
        assert_eq!(std.wait().unwrap().code(), Some(3));
    });
}
