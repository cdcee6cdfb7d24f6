//! Many at once, and what they inherit.
#![cfg_attr(
    target_os = "linux",
    expect(unsafe_code, reason = "`pre_exec` is unsafe, as in std")
)]

#[cfg(target_os = "linux")]
mod on_linux {
    use std::io::{self, Read, Write};

    use greenroom::net::{TcpListener, TcpStream};
    use greenroom::process::{Command, Stdio};
    use greenroom::{Handle, run, sleep, spawn, unblock, yield_now};

    use crate::support::{case, rerun};
    use crate::{children, sh};

    fn open() -> Vec<String> {
        let folder = std::fs::read_dir("/proc/self/fd").unwrap();
        let mut all: Vec<_> = folder
            .filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok())
            .map(|path| path.to_string_lossy().into_owned())
            .collect();
        all.sort();
        all
    }

    #[test]
    fn a_hundred_at_once_from_a_hundred_tasks() {
        if case().is_none() {
            let test = "many::on_linux::a_hundred_at_once_from_a_hundred_tasks";
            return rerun(test, "many", &[]).assert_success();
        }
        let round = || {
            let tasks: Vec<_> = (0..100_usize)
                .map(|number| {
                    spawn(move || {
                        let mut child = sh(&format!("cat; echo {number} >&2; exit {number}"))
                            .stdin(Stdio::piped())
                            .stdout(Stdio::piped())
                            .stderr(Stdio::piped())
                            .spawn()?;
                        yield_now();
                        let text = vec![b'a'; number * 1_000];
                        if let Some(mut stdin) = child.stdin.take() {
                            let text = text.clone();
                            spawn(move || stdin.write_all(&text));
                        }
                        let output = child.wait_with_output()?;
                        assert_eq!(output.stdout.len(), text.len());
                        assert_eq!(output.stderr, format!("{number}\n").as_bytes());
                        Ok::<_, io::Error>(output.status.code())
                    })
                })
                .collect();
            for (number, task) in tasks.into_iter().enumerate() {
                let code = task.join().unwrap().unwrap();
                assert_eq!(
                    code.and_then(|code| usize::try_from(code).ok()),
                    Some(number)
                );
            }
        };
        let before = run(|| {
            round();
            open()
        });
        run(|| {
            round();
            assert_eq!(open().len(), before.len());
        });
        assert_eq!(children(), []);
    }

    #[test]
    fn a_child_inherits_nothing_of_a_runtime() {
        if case().is_none() {
            let test = "many::on_linux::a_child_inherits_nothing_of_a_runtime";
            return rerun(test, "inherit", &[]).assert_success();
        }
        let list = || {
            let mut list = Command::new("ls");
            list.arg("/proc/self/fd").stdin(Stdio::null());
            list
        };
        let alone = std::process::Command::from(list()).output().unwrap();
        let amid = run(|| {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let accepts = spawn(move || listener.accept().map(|(far, _)| (far, listener)));
            let mut near = TcpStream::connect(address).unwrap();
            let kept = accepts.join().unwrap().unwrap();
            // The reactor, its waker, the pool, a waiting child and its descriptors.
            let _handle = Handle::current();
            unblock(|| ());
            let waits = spawn(move || near.read(&mut [0]));
            let cat = sh("exec cat")
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn();
            let mut cat = cat.unwrap();
            let line = cat.stdin.take();
            let ends = spawn(move || cat.wait());
            yield_now();
            let output = list().output().unwrap();
            drop(kept);
            drop(line);
            assert!(ends.join().unwrap().unwrap().success());
            waits.join().unwrap().unwrap();
            output
        });
        assert_eq!(
            String::from_utf8(amid.stdout).unwrap(),
            String::from_utf8(alone.stdout).unwrap()
        );
    }

    /// The copy of the runtime's descriptors goes away before `exec` already.
    fn close_all() -> io::Result<()> {
        for number in 3..64 {
            // SAFETY: takes a number. In the copy nobody uses these descriptors any more.
            unsafe { libc::close(number) };
        }
        Ok(())
    }

    #[test]
    fn what_runs_before_exec_does_not_disturb_the_runtime() {
        run(|| {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let echoes = spawn(move || {
                let (mut far, _) = listener.accept()?;
                let mut byte = [0];
                let mut count = 0;
                while far.read(&mut byte)? > 0 {
                    far.write_all(&byte)?;
                    count += 1;
                }
                Ok::<_, io::Error>(count)
            });
            let talks = spawn(move || {
                let mut near = TcpStream::connect(address)?;
                for number in 0..100 {
                    near.write_all(&[number])?;
                    let mut back = [0];
                    near.read_exact(&mut back)?;
                    assert_eq!(back, [number]);
                    sleep(std::time::Duration::from_micros(200));
                }
                Ok::<_, io::Error>(())
            });
            for _ in 0..20 {
                let mut command = sh("exit 5");
                // SAFETY: `close_all` is async-signal-safe.
                unsafe { command.pre_exec(close_all) };
                // The pipe by which std learns of errors is closed, too: that is no error.
                assert_eq!(command.status().unwrap().code(), Some(5));
            }
            let mut fails = sh("exit 0");
            // SAFETY: only makes an error of a number.
            unsafe { fails.pre_exec(|| Err(io::Error::from_raw_os_error(libc::EPERM))) };
            let error = fails.spawn().unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
            talks.join().unwrap().unwrap();
            assert_eq!(echoes.join().unwrap().unwrap(), 100);
        });
    }
}
