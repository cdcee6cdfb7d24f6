//! The promise: the examples that talk to others over sockets (`fetch_urls`, `chat`, `proxy`, `mini_redis`) say
//! what they promise to, to anybody, and are held up by nobody. One file for each in `programs_servers/`.
//!
//! Conversations are held on the virtual clock where moments matter, on Linux, where bytes within one machine
//! are never late; else by plain threads, which are what the clients of a server are.

#![cfg(all(
    feature = "net",
    feature = "sync",
    feature = "time",
    target_os = "linux"
))]
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]
#![allow(dead_code, reason = "the examples' own `main`s are not called here")]

use std::cell::RefCell;
use std::io::{self, BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use greenroom::{Clock, Config, Runtime, sleep, spawn, tasks, yield_now};

mod support;

#[path = "programs_servers/chat.rs"]
mod chat;
#[path = "programs_servers/fetch_urls.rs"]
mod fetch_urls;
#[path = "programs_servers/mini_redis.rs"]
mod mini_redis;
#[path = "programs_servers/proxy.rs"]
mod proxy;

/// How each example's copy of the support file is told who listens.
type Listen = fn(Option<Rc<dyn Fn(&str)>>);

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// How often the witness comes by.
const ROUND: Duration = Duration::from_millis(250);

/// A process that is being started has all descriptors of this one for a moment, so a connection that is closed
/// meanwhile stays open: performances on the virtual clock and starts of processes wait for their turn.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts a process.
fn start(command: &mut Command) -> io::Result<Child> {
    let _turn = turn();
    command.spawn()
}

/// What was performed.
struct Performed<T> {
    result: T,
    /// What was said, and at which millisecond.
    lines: Vec<(u128, String)>,
    end: Duration,
}

/// Runs `program` on a virtual clock, beside a witness who must come by at every quarter of a second. It must
/// leave no task behind.
#[track_caller]
fn performed<T>(listen: Option<Listen>, program: impl FnOnce() -> T) -> Performed<T> {
    let _turn = turn();
    let clock = Clock::virtual_();
    let lines: Rc<RefCell<Vec<(u128, String)>>> = Rc::default();
    let visits: Rc<RefCell<Vec<Duration>>> = Rc::default();
    let (time, heard) = (clock.clone(), Rc::clone(&lines));
    if let Some(listen) = listen {
        listen(Some(Rc::new(move |line| {
            let at = time.elapsed().as_millis();
            heard.borrow_mut().push((at, line.to_owned()));
        })));
    }
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
    if let Some(listen) = listen {
        listen(None);
    }
    let rounds = (1..).map(|round| ROUND * round);
    let rounds = rounds.take_while(|at| *at <= clock.elapsed());
    assert_eq!(visits.take(), rounds.collect::<Vec<_>>(), "the witness");
    assert_eq!(left, 2, "the main task and the witness");
    assert_eq!(runtime.tasks_alive(), 0);
    Performed {
        result,
        lines: lines.take(),
        end: clock.elapsed(),
    }
}

/// A compiled example.
fn example(name: &str) -> Command {
    let this = std::env::current_exe().unwrap();
    let profile = this.parent().and_then(|deps| deps.parent()).unwrap();
    let path: PathBuf = profile.join("examples").join(name);
    assert!(
        path.exists(),
        "{} is missing: a plain `cargo test` builds the examples; with `--test programs_servers` run `cargo build --examples` before",
        path.display()
    );
    let mut command = Command::new(path);
    command.env("RUST_BACKTRACE", "0");
    command
}

/// A compiled example that serves until it is ended, which it is when this is dropped.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    /// Starts it. Its first line must be `listening on` and the address.
    fn start(name: &str, arguments: &[&str]) -> Self {
        let mut command = example(name);
        command.args(arguments).stdout(Stdio::piped());
        let mut child = start(&mut command).unwrap();
        let mut line = String::new();
        let out = child.stdout.take().unwrap();
        BufReader::new(out).read_line(&mut line).unwrap();
        let address = line.trim_end().strip_prefix("listening on ").unwrap();
        Self {
            address: address.to_owned(),
            child,
        }
    }

    /// The most memory it has had so far, in kilobytes.
    fn most_memory(&self) -> io::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find(|line| line.starts_with("VmHWM:"));
        let number = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
        number.ok_or(io::ErrorKind::InvalidData.into())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let alive = self.child.try_wait().is_ok_and(|ended| ended.is_none());
        drop(self.child.kill());
        drop(self.child.wait());
        assert!(thread::panicking() || alive, "it ended by itself");
    }
}
