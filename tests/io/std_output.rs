//! Standard output, and both in processes whose streams are files, terminals, or nothing.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::{Command, Stdio};

use greenroom::io::{pipe, stderr, stdin, stdout};
use greenroom::{run, spawn, timeout, yield_now};

use crate::again;
use crate::child::{SHORT, Witness, child, leave, tell, told};
use crate::support::{bounded, is_nonblocking, raw_pipe};

mod full {
    use super::*;

    const NAME: &str = "std_output::full::a_slow_reader_stops_the_writer_alone";
    const LENGTH: usize = 1 << 20;

    fn there() {
        run(|| {
            let writer = spawn(|| stdout().write_all(&vec![b'x'; LENGTH]));
            Witness::new().wait();
            assert!(!writer.is_finished());
            writer.cancel();
            assert!(writer.join().unwrap_err().is_cancelled());
            stdout().write_all(b"#").unwrap();
            let writers = [b'a', b'b']
                .map(|name| spawn(move || stdout().write_all(&vec![name; LENGTH]).unwrap()));
            writers.into_iter().for_each(|task| task.join().unwrap());
        });
        assert!(!is_nonblocking(&std::io::stdout()));
        tell("done");
    }

    fn here(output: Stdio, reader: impl Read) {
        let mut command = child(NAME, "x");
        command.stdout(output).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        drop(command);
        let mut answers = BufReader::new(child.stderr.take().unwrap()).lines();
        assert!(
            answers.any(|line| line.unwrap() == "> others run"),
            "the witness"
        );
        let mut counts = [0; 256];
        for byte in BufReader::new(reader).bytes() {
            counts[usize::from(byte.unwrap())] += 1;
        }
        assert!(answers.any(|line| line.unwrap() == "> done"));
        assert!(counts[usize::from(b'a')] >= LENGTH && counts[usize::from(b'b')] >= LENGTH);
        told(child);
    }

    #[test]
    fn a_slow_reader_stops_the_writer_alone() {
        if again::case().is_some() {
            return there();
        }
        bounded(|| {
            let (read, write) = raw_pipe();
            here(write.into(), read);
        });
    }

    #[test]
    fn lines_of_several_tasks_do_not_mix() {
        const NAME: &str = "std_output::full::lines_of_several_tasks_do_not_mix";
        const LINES: usize = 2_000;
        if again::case().is_some() {
            println!(); // the harness has begun a line of its own
            run(|| {
                let writers = ["one", "two", "three"].map(|name| {
                    spawn(move || {
                        for n in 0..LINES {
                            writeln!(stdout(), "{name} {n} {name} {n}").unwrap();
                        }
                    })
                });
                writers.into_iter().for_each(|task| task.join().unwrap());
            });
            leave();
        }
        bounded(|| {
            let (read, write) = raw_pipe();
            let mut command = child(NAME, "x");
            command.stdout(Stdio::from(write));
            let child = command.spawn().unwrap();
            drop(command);
            let lines = BufReader::new(read).lines().map(Result::unwrap);
            let written: Vec<String> = lines.filter(|line| !line.contains("test")).collect();
            let whole = |line: &&String| {
                let words: Vec<&str> = line.split(' ').collect();
                words.len() == 4 && words[..2] == words[2..]
            };
            assert_eq!(written.iter().filter(whole).count(), 3 * LINES);
            told(child);
        });
    }

    /// What cannot be told not to wait.
    #[test]
    #[cfg(target_os = "linux")]
    fn a_named_pipe() {
        let path = std::env::temp_dir().join(format!("greenroom-fifo-{}", std::process::id()));
        assert!(
            Command::new("mkfifo")
                .arg(&path)
                .status()
                .unwrap()
                .success()
        );
        bounded(move || {
            let file = File::options().read(true).write(true).open(&path).unwrap();
            let write = File::options().write(true).open(&path).unwrap();
            let read = File::open(&path).unwrap();
            drop(file);
            std::fs::remove_file(path).unwrap();
            here(write.into(), read);
        });
    }
}

mod others {
    use super::*;

    const NAME: &str = "std_output::others::files_and_nothing";

    fn there(case: &str) {
        let work = move || {
            let mut all = String::new();
            (&stdin()).read_to_string(&mut all).unwrap();
            assert_eq!(stdin().read_line(&mut all).unwrap(), 0);
            let mut out = stdout();
            out.write_all(b"> first\n").unwrap();
            out.write_all(&vec![b'.'; 200_000]).unwrap();
            out.flush().unwrap();
            tell(format!(
                "{} {}",
                all.len(),
                stdin().is_terminal() || out.is_terminal()
            ));
            assert_eq!(
                (stdin().as_raw_fd(), out.as_raw_fd(), stderr().as_raw_fd()),
                (0, 1, 2)
            );
        };
        run(work);
        if case == "closed" {
            // What std says of closed streams.
            drop(close(0));
            drop(close(1));
            for green in [true, false] {
                let work = || {
                    assert_eq!(stdin().read(&mut [0; 4]).unwrap(), 0);
                    assert_eq!(stdin().read_line(&mut String::new()).unwrap(), 0);
                    assert_eq!(stdout().write(b"xyz").unwrap(), 3);
                };
                if green { run(work) } else { work() }
            }
            leave();
        }
    }

    #[expect(unsafe_code, reason = "std never closes them")]
    fn close(number: i32) -> OwnedFd {
        use std::os::fd::FromRawFd;
        // SAFETY: this process does nothing else with it.
        unsafe { OwnedFd::from_raw_fd(number) }
    }

    #[test]
    fn files_and_nothing() {
        if let Some(case) = again::case() {
            return there(&case);
        }
        bounded(|| {
            let null = || {
                Stdio::from(
                    File::options()
                        .read(true)
                        .write(true)
                        .open("/dev/null")
                        .unwrap(),
                )
            };
            let told_by = |case: &str, input: Stdio, output: Stdio| {
                let mut command = child(NAME, case);
                command.stdin(input).stdout(output).stderr(Stdio::piped());
                told(command.spawn().unwrap())
            };
            assert_eq!(told_by("null", null(), null()), ["0 false"]);
            assert_eq!(told_by("closed", null(), null()), ["0 false"]);
            let path = std::env::temp_dir().join(format!("greenroom-std-{}", std::process::id()));
            std::fs::write(&path, vec![b'a'; 300_000]).unwrap();
            let input = File::open(&path).unwrap();
            let output = path.with_extension("out");
            let written = File::create(&output).unwrap();
            assert_eq!(
                told_by("file", input.into(), written.into()),
                ["300000 false"]
            );
            let text = std::fs::read_to_string(&output).unwrap();
            let (_, ours) = text.split_once("> first\n").unwrap();
            assert!(ours.starts_with(&".".repeat(200_000)));
            std::fs::remove_file(path).unwrap();
            std::fs::remove_file(output).unwrap();
        });
    }
}

#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "std makes no terminals")]
mod terminals {
    use std::os::fd::FromRawFd;

    use super::*;

    const NAME: &str = "std_output::terminals::are_waited_for";

    fn there() {
        run(|| {
            let _witness = Witness::new();
            assert!(stdin().is_terminal());
            let mut out = stdout();
            assert!(out.is_terminal());
            out.write_all(b"> ready\n").unwrap();
            let mut line = String::new();
            while stdin().read_line(&mut line).unwrap() > 0 {
                out.write_all(format!("> {}\n", line.trim_end()).as_bytes())
                    .unwrap();
                line.clear();
            }
            out.write_all(&vec![b'.'; 50_000]).unwrap();
            out.write_all(b"\n> done\n").unwrap();
        });
        assert!(!is_nonblocking(&std::io::stdin()));
    }

    #[test]
    fn are_waited_for() {
        if again::case().is_some() {
            return there();
        }
        bounded(|| {
            // SAFETY: no pointer is passed.
            let master = unsafe { libc::posix_openpt(libc::O_RDWR | libc::O_NOCTTY) };
            assert!(master >= 0);
            // SAFETY: it was just made, for nobody else.
            let master = unsafe { OwnedFd::from_raw_fd(master) };
            // SAFETY: no pointer is passed.
            assert_eq!(unsafe { libc::grantpt(master.as_raw_fd()) }, 0);
            // SAFETY: no pointer is passed.
            assert_eq!(unsafe { libc::unlockpt(master.as_raw_fd()) }, 0);
            let flags = libc::O_RDWR | libc::O_NOCTTY;
            // SAFETY: the request takes a number.
            let end = unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCGPTPEER, flags) };
            assert!(end >= 0);
            // SAFETY: it was just made, for nobody else.
            let end = unsafe { OwnedFd::from_raw_fd(end) };
            let kept = end.try_clone().unwrap();
            let mut command = child(NAME, "x");
            command.stdin(end.try_clone().unwrap()).stdout(end);
            command.stderr(Stdio::piped());
            let mut child = command.spawn().unwrap();
            drop(command);
            let mut near = File::from(master);
            let mut screen = BufReader::new(near.try_clone().unwrap());
            let mut until = |wanted: &str| {
                let mut line = String::new();
                while !line.trim_end().ends_with(wanted) {
                    line.clear();
                    assert!(screen.read_line(&mut line).unwrap() > 0);
                }
            };
            until("> ready");
            let mut answers = BufReader::new(child.stderr.take().unwrap()).lines();
            assert!(answers.any(|line| line.unwrap() == "> others run"));
            near.write_all(b"one\n").unwrap();
            until("> one");
            near.write_all(b"two\n\x04").unwrap(); // and the end of the input
            until("> done");
            assert!(child.wait().unwrap().success());
            assert!(!is_nonblocking(&kept));
        });
    }
}

/// A program that turns its output elsewhere while it runs, as one that goes into the background does.
mod redirected {
    use super::*;

    const NAME: &str = "std_output::redirected::nothing_is_kept_open";

    const LENGTH: usize = 1 << 20;

    #[expect(unsafe_code, reason = "std never closes them")]
    fn there() {
        run(|| {
            let first = spawn(|| stdout().write_all(&vec![b'x'; LENGTH]));
            (0..3).for_each(|_| yield_now());
            let (read, write) = pipe().unwrap();
            // SAFETY: both numbers are open, and nobody relies on what was behind the second.
            assert_eq!(unsafe { libc::dup2(write.as_raw_fd(), 1) }, 1);
            drop(write);
            // One who comes later waits for the new one, whoever waits for the old one.
            let second = spawn(|| stdout().write_all(&vec![b'y'; LENGTH]));
            (0..3).for_each(|_| yield_now());
            let reader = spawn(move || {
                let mut counts = [0; 256];
                for byte in BufReader::new(&read).bytes() {
                    counts[usize::from(byte.unwrap())] += 1;
                    if counts[usize::from(b'y')] == LENGTH {
                        break;
                    }
                }
                (counts[usize::from(b'x')], read)
            });
            second.join().unwrap().unwrap();
            let (strangers, _read) = reader.join().unwrap();
            assert_eq!(strangers, 0);
            assert!(!first.is_finished());
            // Full again: the first one finds no room in the new one when it is told of room in the old.
            assert!(timeout(SHORT, || stdout().write_all(&vec![b'z'; LENGTH])).is_err());
            tell("turned");
            stdin().read_line(&mut String::new()).unwrap();
            first.cancel();
            assert!(first.join().unwrap_err().is_cancelled());
            // Until the other side has seen the end.
            stdin().read_line(&mut String::new()).unwrap();
        });
        leave();
    }

    #[test]
    fn nothing_is_kept_open() {
        if again::case().is_some() {
            return there();
        }
        bounded(|| {
            let mut child = child(NAME, "x").stderr(Stdio::piped()).spawn().unwrap();
            let mut answers = BufReader::new(child.stderr.take().unwrap()).lines();
            assert!(answers.any(|line| line.unwrap() == "> turned"));
            // The old one comes to its end though the program lives, and somebody waited for it.
            let mut all = Vec::new();
            let mut output = child.stdout.take().unwrap();
            output.read_to_end(&mut all).unwrap();
            assert!(all.len() < LENGTH);
            let mut input = child.stdin.take().unwrap();
            input.write_all(b"cancel\n").unwrap();
            drop(input);
            assert!(child.wait().unwrap().success());
        });
    }
}
