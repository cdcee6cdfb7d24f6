//! Standard input and output, in processes whose streams are pipes, files, terminals, or nothing.

use std::cell::Cell;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use greenroom::io::{pipe, stderr, stdin, stdout};
use greenroom::{run, sleep, spawn, timeout, yield_now};

use crate::again;
use crate::support::{bounded, is_nonblocking, raw_pipe};

const SHORT: Duration = Duration::from_millis(5);

/// This test again, to do its case `case` in a process of its own. What it writes for us begins with `> `.
fn child(test: &str, case: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env("GREENROOM_TEST_CASE", case)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command
}

/// Writes down something for the test that started this process.
fn tell(what: impl std::fmt::Display) {
    // In one piece: others tell something, too.
    stderr()
        .write_all(format!("> {what}\n").as_bytes())
        .unwrap();
}

/// Ends this process, which has no output any more for the harness to write to.
#[expect(clippy::exit, reason = "it is a process of our own")]
fn leave() -> ! {
    std::process::exit(0)
}

/// What a process told, and that it ended well.
#[track_caller]
fn told(child: Child) -> Vec<String> {
    let ended = child.wait_with_output().unwrap();
    let all = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(ended.status.success(), "{all}");
    let ours = all.lines().filter_map(|line| line.strip_prefix("> "));
    ours.map(str::to_owned).collect()
}

/// Tells how often it ran.
struct Witness(Rc<Cell<u32>>);

impl Witness {
    fn new() -> Self {
        let turns = Rc::new(Cell::new(0));
        let seen = Rc::clone(&turns);
        spawn(move || {
            loop {
                seen.set(seen.get() + 1);
                sleep(Duration::from_micros(200));
            }
        });
        Self(turns)
    }
}

mod lines {
    use super::*;

    const NAME: &str = "std_streams::lines::come_whole_while_others_run";

    fn there() {
        run(|| {
            let witness = Witness::new();
            tell("ready");
            for line in stdin().lines() {
                let ran = witness.0.replace(0) > 2;
                tell(format!("{:?} {ran}", line.unwrap()));
            }
            assert!(stdin().lines().next().is_none());
        });
    }

    #[test]
    fn come_whole_while_others_run() {
        if again::case().is_some() {
            return there();
        }
        bounded(|| {
            let mut child = child(NAME, "lines").stderr(Stdio::piped()).spawn().unwrap();
            let mut input = child.stdin.take().unwrap();
            let mut answers = BufReader::new(child.stderr.take().unwrap());
            let mut next = || {
                let mut line = String::new();
                while !line.starts_with("> ") {
                    line.clear();
                    assert!(answers.read_line(&mut line).unwrap() > 0);
                }
                line[2..].trim_end().to_owned()
            };
            assert_eq!(next(), "ready");
            let long = "x".repeat(100_000);
            for (piece, then) in [("ha", ""), ("lf\r\nsecond\n\nth", "half"), ("ird\n", "")] {
                sleep(SHORT);
                input.write_all(piece.as_bytes()).unwrap();
                if then == "half" {
                    assert_eq!(next(), "\"half\" true");
                    assert!(next().starts_with("\"second\""));
                    assert!(next().starts_with("\"\""));
                }
            }
            assert!(next().starts_with("\"third\""));
            input.write_all(long.as_bytes()).unwrap();
            input.write_all(b"\nno end").unwrap();
            drop(input);
            assert!(next().starts_with(&format!("{long:?}")));
            assert!(next().starts_with("\"no end\""));
            assert!(told(child).is_empty());
        });
    }
}

mod cancelling {
    use super::*;

    const NAME: &str = "std_streams::cancelling::loses_nothing";

    fn there() {
        let flags = || {
            [0, 1, 2].map(|_| {
                (
                    is_nonblocking(&std::io::stdin()),
                    is_nonblocking(&std::io::stdout()),
                )
            })
        };
        let before = flags();
        run(|| {
            let mut input = stdin();
            assert!(timeout(SHORT, || input.read(&mut [0; 10])).is_err());
            tell("a");
            // "par", and then nothing for a while.
            while timeout(SHORT, || stdin().read_line(&mut String::new())).is_ok() {}
            let mut two = [0; 2];
            tell("b");
            input.read_exact(&mut two).unwrap();
            assert_eq!(&two, b"pa");
            assert!(timeout(SHORT, || stdin().read_line(&mut String::new())).is_err());
            // Three wait for a line each.
            let tasks: Vec<_> = (0..3)
                .map(|_| {
                    spawn(|| {
                        let mut line = String::new();
                        stdin().read_line(&mut line).map(|_| line)
                    })
                })
                .collect();
            (0..3).for_each(|_| yield_now());
            tasks[1].cancel();
            tell("c");
            let mut lines = tasks.into_iter().map(|task| task.join());
            assert_eq!(lines.next().unwrap().unwrap().unwrap(), "rt one\n");
            assert!(lines.next().unwrap().unwrap_err().is_cancelled());
            assert_eq!(lines.next().unwrap().unwrap().unwrap(), "two\n");
            let mut rest = String::new();
            input.read_to_string(&mut rest).unwrap();
            assert_eq!(rest, "three\n");
        });
        assert_eq!(flags(), before);
        assert!(!flags()[0].0);
    }

    #[test]
    fn loses_nothing() {
        if again::case().is_some() {
            return there();
        }
        bounded(|| {
            let mut child = child(NAME, "x").stderr(Stdio::piped()).spawn().unwrap();
            let mut input = child.stdin.take().unwrap();
            let mut answers = BufReader::new(child.stderr.take().unwrap()).lines();
            let mut until = |what: &str| {
                let what = format!("> {what}");
                let mut seen = Vec::new();
                loop {
                    let line = answers
                        .next()
                        .unwrap_or_else(|| panic!("{seen:?}"))
                        .unwrap();
                    if line == what {
                        return;
                    }
                    seen.push(line);
                }
            };
            until("a");
            input.write_all(b"par").unwrap();
            until("b");
            until("c");
            input.write_all(b"t one\ntwo\nthree\n").unwrap();
            drop(input);
            told(child);
        });
    }
}

mod threads {
    use super::*;

    const NAME: &str = "std_streams::threads::share_one_buffer";
    const LINES: usize = 3_000;

    fn there() {
        let reader = |green: bool| {
            move || {
                let read = || stdin().lines().map(Result::unwrap).collect::<Vec<_>>();
                if green { run(read) } else { read() }
            }
        };
        let threads = [true, true, false, false].map(|green| thread::spawn(reader(green)));
        let mut all = Vec::new();
        for thread in threads {
            let lines = thread.join().unwrap();
            let numbers: Vec<usize> = lines.iter().map(|line| line.parse().unwrap()).collect();
            assert!(numbers.is_sorted(), "in the order in which they came");
            all.extend(numbers);
        }
        all.sort_unstable();
        assert!(all.into_iter().eq(0..LINES));
    }

    #[test]
    fn share_one_buffer() {
        if again::case().is_some() {
            return there();
        }
        bounded(|| {
            let mut child = child(NAME, "x").stderr(Stdio::piped()).spawn().unwrap();
            let mut input = child.stdin.take().unwrap();
            let mut held = String::new();
            for n in 0..LINES {
                held.push_str(&format!("{n}\n"));
                // Pieces of all sizes, with pauses now and then.
                if n % 7 == 0 || n % 64 > 40 {
                    input.write_all(held.as_bytes()).unwrap();
                    held.clear();
                }
                if n % 300 == 0 {
                    sleep(Duration::from_millis(2));
                }
            }
            input.write_all(held.as_bytes()).unwrap();
            drop(input);
            told(child);
        });
    }
}

mod full {
    use super::*;

    const NAME: &str = "std_streams::full::a_slow_reader_stops_the_writer_alone";
    const LENGTH: usize = 1 << 20;

    fn there() {
        run(|| {
            let witness = Witness::new();
            assert!(timeout(SHORT, || stdout().write_all(&vec![b'x'; LENGTH])).is_err());
            tell(format!("ran {}", witness.0.replace(0) > 2));
            stdout().write_all(b"#").unwrap();
            let writers = [b'a', b'b']
                .map(|name| spawn(move || stdout().write_all(&vec![name; LENGTH]).unwrap()));
            writers.into_iter().for_each(|task| task.join().unwrap());
            assert!(witness.0.get() > 0);
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
            answers.any(|line| line.unwrap() == "> ran true"),
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

    const NAME: &str = "std_streams::others::files_and_nothing";

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

    const NAME: &str = "std_streams::terminals::are_waited_for";

    fn there() {
        run(|| {
            let witness = Witness::new();
            assert!(stdin().is_terminal());
            let mut out = stdout();
            assert!(out.is_terminal());
            out.write_all(b"> ready\n").unwrap();
            let mut line = String::new();
            while stdin().read_line(&mut line).unwrap() > 0 {
                let ran = witness.0.replace(0) > 2;
                out.write_all(format!("> {} {ran}\n", line.trim_end()).as_bytes())
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
            sleep(SHORT);
            near.write_all(b"one\n").unwrap();
            until("> one true");
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

    const NAME: &str = "std_streams::redirected::nothing_is_kept_open";

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

/// A thread and a task that wait at once: what the one has taken from the kernel is not lost to the other.
mod two {
    use super::*;

    const NAME: &str = "std_streams::two::of_two_who_wait_each_gets_a_line";
    const ROUNDS: usize = 300;

    fn there() {
        let reader = || {
            for _ in 0..ROUNDS {
                let mut line = String::new();
                stdin().read_line(&mut line).unwrap();
                tell(line.trim_end());
            }
        };
        let thread = thread::spawn(reader);
        run(reader);
        thread.join().unwrap();
    }

    #[test]
    fn of_two_who_wait_each_gets_a_line() {
        if again::case().is_some() {
            return there();
        }
        bounded(|| {
            let mut child = child(NAME, "x").stderr(Stdio::piped()).spawn().unwrap();
            let mut input = child.stdin.take().unwrap();
            let mut answers = BufReader::new(child.stderr.take().unwrap()).lines();
            for _ in 0..ROUNDS {
                input.write_all(b"one\ntwo\n").unwrap();
                let mut got = Vec::new();
                while got.len() < 2 {
                    let line = answers.next().unwrap().unwrap();
                    got.extend(line.strip_prefix("> ").map(str::to_owned));
                }
                got.sort_unstable();
                assert_eq!(got, ["one", "two"]);
            }
            drop(input);
            told(child);
        });
    }
}
