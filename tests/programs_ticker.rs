//! The promise: the ticker of the examples says exactly its lines, each at its moment, and
//! serves clients over TCP: everyone gets a line each period from when it came, a slow one is
//! told how much it missed, and nobody is in the way of anybody else.
//!
//! As in `programs_scopes.rs` it is performed here, on a virtual clock beside a witness, and as
//! the compiled example; and, as there, on Linux only, where bytes within one machine are
//! never late.

#![cfg(all(
    feature = "net",
    feature = "sync",
    feature = "time",
    target_os = "linux"
))]
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]
#![allow(dead_code, reason = "the example's own `main` is not called here")]

use std::cell::RefCell;
use std::io::{self, BufRead, BufReader, Read};
use std::net::TcpStream as StdStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

use greenroom::net::{TcpListener, TcpStream};
use greenroom::{Clock, Config, Instant, Runtime, scope, sleep, spawn, tasks, yield_now};

use support::finish;

mod support;

#[path = "../examples/ticker.rs"]
mod ticker;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// How often the witness comes by.
const ROUND: Duration = Duration::from_millis(250);

/// Runs `program` on a virtual clock, beside a witness who must come by at every quarter
/// of a second. Returns what it gave, what it said and when, and when it ended. It must
/// leave no task behind.
fn performed<T>(program: impl FnOnce() -> T) -> (T, Vec<(u128, String)>, Duration) {
    let clock = Clock::virtual_();
    let lines: Rc<RefCell<Vec<(u128, String)>>> = Rc::default();
    let visits: Rc<RefCell<Vec<Duration>>> = Rc::default();
    let (time, heard) = (clock.clone(), Rc::clone(&lines));
    ticker::support::listen(Some(Rc::new(move |line| {
        let at = time.elapsed().as_millis();
        heard.borrow_mut().push((at, line.to_owned()));
    })));
    let mut runtime = Runtime::with(Config::new().clock(clock.clone()));
    let (time, book) = (clock.clone(), Rc::clone(&visits));
    let (result, left) = runtime.run(|| {
        spawn(move || {
            loop {
                sleep(ROUND);
                book.borrow_mut().push(time.elapsed());
            }
        });
        let result = program();
        let left = tasks().len();
        // The witness of the last moment is ready too.
        yield_now();
        (result, left)
    });
    ticker::support::listen(None);
    let rounds = (1..).map(|round| ROUND * round);
    let rounds = rounds.take_while(|at| *at <= clock.elapsed());
    assert_eq!(visits.take(), rounds.collect::<Vec<_>>(), "the witness");
    assert_eq!(left, 2, "the main task and the witness");
    assert_eq!(runtime.tasks_alive(), 0);
    (result, lines.take(), clock.elapsed())
}

/// The compiled example.
fn example() -> Command {
    let this = std::env::current_exe().unwrap();
    let profile = this.parent().and_then(|deps| deps.parent()).unwrap();
    let path: PathBuf = profile.join("examples").join("ticker");
    assert!(
        path.exists(),
        "{} is missing: a plain `cargo test` builds the examples; with `--test programs_ticker` run `cargo build --examples` before",
        path.display()
    );
    let mut command = Command::new(path);
    command.env("RUST_BACKTRACE", "0");
    command
}

#[test]
fn ticker() {
    let expected = [
        (0, "quick: 100"),
        (0, "slow: 100"),
        (0, "brief: 100"),
        (1000, "quick: 103"),
        (1000, "brief: 103"),
        (2000, "quick: 101"),
        (2000, "brief: 101"),
        (2000, "brief: leaves"),
        (2400, "slow: 103"),
        (3000, "quick: 98"),
        (3500, "late: joins"),
        (4000, "quick: 99"),
        (4000, "late: 99"),
        // Of 101, 98 and 99 there was room for two.
        (4800, "slow: missed 1"),
        (4800, "slow: 98"),
        (5000, "quick: 104"),
        (5000, "late: 104"),
        (6000, "quick: 107"),
        (6000, "late: 107"),
        (7000, "ticker: done"),
        (7000, "quick: 105"),
        (7000, "quick: closed"),
        (7000, "late: 105"),
        (7000, "late: closed"),
        (7200, "slow: missed 2"),
        (7200, "slow: 107"),
        (9600, "slow: 105"),
        (12000, "slow: closed"),
    ];
    let expected = expected.map(|(at, line)| (at, line.to_owned()));
    let ((), said, end) = performed(ticker::program);
    assert_eq!(said, expected);
    assert_eq!(end, 12 * SECOND);

    let mut command = example();
    command.arg("--virtual");
    let ended = finish(command);
    ended.assert_success();
    assert_eq!(ended.stderr, "");
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert!(
        lines
            .iter()
            .copied()
            .eq(expected.iter().map(|(_, line)| line.as_str()))
    );
}

/// What a client hears, and when.
fn transcript(stream: &TcpStream, start: Instant) -> io::Result<Vec<(u128, String)>> {
    let lines = BufReader::new(stream).lines();
    lines
        .map(|line| Ok((start.elapsed().as_millis(), line?)))
        .collect()
}

/// Each hears every line from when it came; whoever goes is missed by nobody.
#[test]
fn clients_hear_a_line_each_period() {
    let (early, late) = performed(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let start = Instant::now();
        scope(|s| {
            let early = s.spawn(move || transcript(&TcpStream::connect(address)?, start));
            let late = s.spawn(move || {
                sleep(SECOND * 7 / 2);
                transcript(&TcpStream::connect(address)?, start)
            });
            s.spawn(move || {
                let mut line = [0; 6];
                let mut brief = TcpStream::connect(address).unwrap();
                brief.read_exact(&mut line).unwrap();
                assert_eq!(&line, b"line 1");
            });
            let lines = (1..=6).map(|n| format!("line {n}"));
            ticker::serve(&listener, SECOND, lines).unwrap();
            assert_eq!(start.elapsed(), 6 * SECOND, "nobody is waited for");
            (early.join().unwrap(), late.join().unwrap())
        })
    })
    .0;
    let line = |n: u128| (n * 1000, format!("line {n}"));
    let end = (6000, "closed".to_owned());
    assert_eq!(
        early,
        (1..=6).map(line).chain([end.clone()]).collect::<Vec<_>>()
    );
    assert_eq!(late, (4..=6).map(line).chain([end]).collect::<Vec<_>>());
}

/// Long lines, so that a client that does not read soon fills its connection.
const LONG: usize = 100_000;

/// The number a line begins with, or how many were missed.
fn counted(line: &str) -> (bool, u64) {
    match line.strip_prefix("missed ") {
        Some(count) => (true, count.parse().unwrap()),
        None => (false, line.split(' ').next().unwrap().parse().unwrap()),
    }
}

#[test]
fn a_slow_client_is_told_how_much_it_missed() {
    const TICKS: u64 = 300;
    let (quick, slow) = performed(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let start = Instant::now();
        scope(|s| {
            let quick = s.spawn(move || transcript(&TcpStream::connect(address)?, start));
            let slow = s.spawn(move || {
                let stream = TcpStream::connect(address)?;
                // Reads nothing, then a little, then all.
                sleep(MS * 2005);
                let mut some = vec![0; 12 * LONG];
                (&stream).read_exact(&mut some)?;
                sleep(MS * 500);
                let mut rest = String::new();
                (&stream).read_to_string(&mut rest)?;
                let all = String::from_utf8(some).unwrap() + &rest;
                Ok::<_, io::Error>(all.lines().map(str::to_owned).collect::<Vec<_>>())
            });
            let lines = (1..=TICKS).map(|n| format!("{n} {}", "x".repeat(LONG)));
            ticker::serve(&listener, MS * 10, lines).unwrap();
            (quick.join().unwrap(), slow.join().unwrap())
        })
    })
    .0;
    let quick: Vec<String> = quick.into_iter().map(|(_, line)| line).collect();
    let missed = complete_but_for_missed(&slow, TICKS);
    assert!(missed > 50, "its connection holds no more: {missed}");
    // The kernel may make it wait a moment for room, but not for the slow one.
    assert!(complete_but_for_missed(&quick, TICKS) < missed / 2);
}

/// Each line came, in order, or its absence was told. How many did not.
#[track_caller]
fn complete_but_for_missed(heard: &[String], ticks: u64) -> u64 {
    let (end, lines) = heard.split_last().unwrap();
    assert_eq!(end, "closed");
    let (mut next, mut missed) = (1, 0);
    for line in lines {
        match counted(line) {
            (true, count) => {
                next += count;
                missed += count;
            }
            (false, number) => {
                assert_eq!(number, next);
                next += 1;
            }
        }
    }
    assert_eq!(next, ticks + 1);
    missed
}

/// One that takes nothing at all is given up after a while.
#[test]
fn a_client_that_never_reads_holds_nobody_up_for_ever() {
    let (_kept, _, end) = performed(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let silent = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let lines = (1..=300).map(|n| format!("{n} {}", "x".repeat(LONG)));
        ticker::serve(&listener, MS * 10, lines).unwrap();
        silent
    });
    let patience = ticker::PATIENCE..ticker::PATIENCE + MS * 3000;
    assert!(patience.contains(&end), "{end:?}");
}

/// By the compiled example, on the real clock; with `nc` where there is one.
#[test]
fn the_server_ends_after_so_many_lines() {
    let mut command = example();
    command.args(["serve", "127.0.0.1:0", "20", "100"]);
    let mut server = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    let mut out = BufReader::new(server.stdout.take().unwrap());
    out.read_line(&mut first).unwrap();
    let address = first.trim_end().strip_prefix("listening on ").unwrap();
    let (host, port) = address.split_once(':').unwrap();
    let nc = Command::new("nc")
        .args([host, port])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let stream = StdStream::connect(address).unwrap();
    stream.set_read_timeout(Some(60 * SECOND)).unwrap();
    let heard: Vec<String> = BufReader::new(stream).lines().map(Result::unwrap).collect();
    complete(&heard);
    match nc {
        Ok(mut nc) => {
            let hears = nc.stdout.take().unwrap();
            let lines = BufReader::new(hears).lines().map(Result::unwrap);
            complete(
                &lines
                    .take_while(|line| line != "closed")
                    .chain(["closed".to_owned()])
                    .collect::<Vec<_>>(),
            );
            // What it does when the server has gone differs from one nc to the next.
            nc.kill().unwrap();
            nc.wait().unwrap();
        }
        Err(_) => println!("skipped: no nc on this machine"),
    }
    assert!(server.wait().unwrap().success());
    let mut more = String::new();
    out.read_to_string(&mut more).unwrap();
    assert_eq!(more, "");
}

/// A transcript of the server: from some line on all that follow, and the end.
#[track_caller]
fn complete(heard: &[String]) {
    let (end, lines) = heard.split_last().unwrap();
    assert_eq!(end, "closed");
    let first: usize = lines[0].split_once(':').unwrap().0.parse().unwrap();
    let wanted = (first..=20).map(|n| format!("{n}: {}", 100 + n * 37 % 23));
    assert!(lines.iter().cloned().eq(wanted), "{heard:?}");
}

#[test]
fn an_unknown_argument_is_refused() {
    let mut command = example();
    command.arg("--virtaul");
    let ended = finish(command);
    assert!(!ended.status.success());
    assert!(ended.stderr.contains("the only argument is --virtual"));
    let mut command = example();
    command.args(["serve", "127.0.0.1:0", "many"]);
    assert!(!finish(command).status.success());
}
