//! Standard input, in processes whose input is a pipe: lines, cancellations, several readers.

use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::process::{Child, ChildStderr, ChildStdin, Stdio};
use std::thread;
use std::time::Duration;

use greenroom::io::stdin;
use greenroom::{run, sleep, spawn, timeout, yield_now};

use crate::again;
use crate::child::{SHORT, Witness, child, tell, told};
use crate::support::{bounded, is_nonblocking};

/// A process that does a test's case, its standard input, and the lines it tells.
fn talking(test: &str) -> (Child, ChildStdin, Lines<BufReader<ChildStderr>>) {
    let mut child = child(test, "x").stderr(Stdio::piped()).spawn().unwrap();
    let input = child.stdin.take().unwrap();
    let answers = BufReader::new(child.stderr.take().unwrap()).lines();
    (child, input, answers)
}

fn line() -> String {
    let mut line = String::new();
    stdin().read_line(&mut line).unwrap();
    line
}

mod lines {
    use super::*;

    const NAME: &str = "std_input::lines::come_whole_while_others_run";

    fn there() {
        run(|| {
            let _witness = Witness::new();
            tell("ready");
            for line in stdin().lines() {
                tell(format!("{:?}", line.unwrap()));
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
            assert_eq!(next(), "others run");
            let long = "x".repeat(100_000);
            for (piece, then) in [("ha", ""), ("lf\r\nsecond\n\nth", "half"), ("ird\n", "")] {
                sleep(SHORT);
                input.write_all(piece.as_bytes()).unwrap();
                if then == "half" {
                    assert_eq!(next(), "\"half\"");
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

    const NAME: &str = "std_input::cancelling::loses_nothing";

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
            let (child, mut input, mut answers) = talking(NAME);
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

    const NAME: &str = "std_input::threads::share_one_buffer";
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

/// A thread and a task that wait at once: what the one has taken from the kernel is not lost to the other.
mod two {
    use super::*;

    const NAME: &str = "std_input::two::of_two_who_wait_each_gets_a_line";
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
            let (child, mut input, mut answers) = talking(NAME);
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

/// One who waits on another thread, and looks only after all has been taken from the kernel that ever was there.
mod late {
    use std::sync::mpsc;

    use super::*;

    const NAME: &str = "std_input::late::who_looks_late_finds_its_line";

    fn there() {
        let (waits, waiting) = mpsc::channel();
        let (go, gate) = mpsc::channel();
        let other = thread::spawn(move || {
            run(|| {
                let task = spawn(line);
                (0..3).for_each(|_| yield_now());
                waits.send(()).unwrap();
                gate.recv().unwrap(); // nothing of this thread runs meanwhile
                task.join().unwrap()
            })
        });
        waiting.recv().unwrap();
        tell("ready");
        assert_eq!(run(line), "one\n");
        go.send(()).unwrap();
        assert_eq!(other.join().unwrap(), "two\n");
        tell("done");
        // Now nobody else waits, and what lies in the buffer is everybody's.
        assert_eq!(run(line), "three\n");
        assert_eq!(thread::spawn(line).join().unwrap(), "four\n");
        assert_eq!(line(), "");
    }

    #[test]
    fn who_looks_late_finds_its_line() {
        if again::case().is_some() {
            return there();
        }
        bounded(|| {
            let (child, mut input, mut answers) = talking(NAME);
            assert!(answers.any(|line| line.unwrap() == "> ready"));
            input.write_all(b"one\ntwo\nthree\nfour\n").unwrap();
            // It is not to be woken by the end.
            assert!(answers.any(|line| line.unwrap() == "> done"));
            drop(input);
            told(child);
        });
    }
}

/// One who waits on another thread, and what another call has taken from the kernel and left.
mod left {
    use std::sync::mpsc;

    use super::*;

    const NAME: &str = "std_input::left::who_waits_elsewhere_is_told";
    const ROUNDS: usize = 100;

    fn read() -> String {
        let mut buf = [0; 16];
        let length = stdin().read(&mut buf).unwrap();
        String::from_utf8_lossy(&buf[..length]).into_owned()
    }

    /// Whoever waits here sees nothing of the kernel's until the other has looked.
    fn in_a_task() {
        let (waits, waiting) = mpsc::channel();
        let (go, gate) = mpsc::channel();
        let other = thread::spawn(move || {
            run(|| {
                let task = spawn(read);
                (0..3).for_each(|_| yield_now());
                waits.send(()).unwrap();
                gate.recv().unwrap(); // nothing of this thread runs meanwhile
                task.join().unwrap()
            })
        });
        waiting.recv().unwrap();
        tell("part");
        run(|| assert!(timeout(SHORT * 20, || stdin().read_line(&mut String::new())).is_err()));
        go.send(()).unwrap();
        // It may be that nothing had come yet: then the kernel tells it.
        assert_eq!(other.join().unwrap(), "ab");
    }

    /// A plain thread and a task that want a line each: whoever is faster takes both from the kernel.
    fn in_a_thread() {
        let line = || {
            let mut line = String::new();
            stdin().read_line(&mut line).unwrap();
            line
        };
        tell("lines");
        for round in 0..ROUNDS {
            let other = thread::spawn(line);
            let mut lines = [run(line), other.join().unwrap()];
            lines.sort_unstable();
            assert_eq!(lines, ["cd\n", "ef\n"]);
            tell(round);
        }
    }

    #[test]
    fn who_waits_elsewhere_is_told() {
        if again::case().is_some() {
            in_a_task();
            in_a_thread();
            return;
        }
        bounded(|| {
            let (child, mut input, mut answers) = talking(NAME);
            assert!(answers.any(|line| line.unwrap() == "> part"));
            input.write_all(b"ab").unwrap();
            assert!(answers.any(|line| line.unwrap() == "> lines"));
            for round in 0..ROUNDS {
                sleep(Duration::from_micros(100));
                input.write_all(b"c").unwrap();
                input.write_all(b"d\nef\n").unwrap();
                assert!(answers.any(|line| line.unwrap() == format!("> {round}")));
            }
            // It is not to be woken by the end.
            told(child);
            drop(input);
        });
    }
}

/// Two runtimes of one thread are as two threads.
mod two_runtimes {
    use std::cell::RefCell;
    use std::rc::Rc;

    use greenroom::Runtime;

    use super::*;

    const NAME: &str = "std_input::two_runtimes::each_gets_its_line";

    fn there() {
        let mut driven = Runtime::new();
        let got = Rc::new(RefCell::new(String::new()));
        let theirs = Rc::clone(&got);
        let _task = driven.spawn(move || *theirs.borrow_mut() = line());
        driven.turn();
        tell("ready");
        assert_eq!(run(line), "one\n");
        while got.borrow().is_empty() {
            driven.turn();
            thread::yield_now();
        }
        assert_eq!(*got.borrow(), "two\n");
    }

    #[test]
    fn each_gets_its_line() {
        if again::case().is_some() {
            return there();
        }
        bounded(|| {
            let (child, mut input, mut answers) = talking(NAME);
            assert!(answers.any(|line| line.unwrap() == "> ready"));
            input.write_all(b"one\ntwo\n").unwrap();
            // It is not to be woken by the end.
            told(child);
            drop(input);
        });
    }
}
