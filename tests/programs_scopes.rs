//! The promise: the programs about scopes and sockets say exactly their lines, each at
//! its moment, and leave nothing behind.
//!
//! As in `programs.rs` each is performed twice: here, on a virtual clock beside a
//! witness, and as the compiled example.
//!
//! The virtual clock jumps when every task waits, also for bytes that are on their way. On
//! Linux no bytes are, within one machine: what is sent to a loopback address has arrived,
//! and a connection is made or refused, when the call that did it returns. Elsewhere
//! these programs run as well, but their moments cannot be promised.

#![cfg(all(
    feature = "net",
    feature = "sync",
    feature = "time",
    target_os = "linux"
))]
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]
#![expect(
    clippy::duplicate_mod,
    reason = "each example brings the support file it is built with"
)]
#![allow(dead_code, reason = "the examples' own `main`s are not called here")]

use std::cell::RefCell;
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::Command;
use std::rc::Rc;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use greenroom::net::{TcpListener, TcpStream};
use greenroom::{Clock, Config, Runtime, scope, sleep, spawn, tasks, yield_now};

use database_program::Ending;
use database_program::server::Store;
use happy_eyeballs::Address;
use remote_rows::RemoteContainer;
use support::{Ended, finish, text_of};

mod support;

#[path = "../examples/database.rs"]
mod database_program;
#[path = "../examples/graceful_shutdown.rs"]
mod graceful_shutdown;
#[path = "../examples/happy_eyeballs.rs"]
mod happy_eyeballs;
#[path = "../examples/remote_rows.rs"]
mod remote_rows;

/// How each example's copy of the support file is told who listens.
type Listen = fn(Option<Rc<dyn Fn(&str)>>);

/// How often the witness comes by.
const ROUND: Duration = Duration::from_millis(250);

/// A process that is being started has all descriptors of this one for a moment. So a
/// connection that is closed meanwhile stays open: performances wait for their turn.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How many sockets this process has open.
fn sockets() -> usize {
    let descriptors = fs::read_dir("/proc/self/fd").unwrap();
    let links = descriptors.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    links
        .filter(|link| link.to_string_lossy().starts_with("socket:"))
        .count()
}

/// Runs `program` on a virtual clock, beside a witness who must come by at every quarter
/// of a second. It must say these lines at these milliseconds, end when `end` have
/// passed, and leave no task and no socket behind.
#[track_caller]
fn performs<T>(
    listen: Listen,
    program: impl FnOnce() -> T,
    expected: &[(u64, &str)],
    end: u64,
) -> thread::Result<T> {
    let _turn = turn();
    let before = sockets();
    let clock = Clock::virtual_();
    let lines: Rc<RefCell<Vec<(Duration, String)>>> = Rc::default();
    let visits: Rc<RefCell<Vec<Duration>>> = Rc::default();
    let (time, heard) = (clock.clone(), Rc::clone(&lines));
    listen(Some(Rc::new(move |line| {
        heard.borrow_mut().push((time.elapsed(), line.to_owned()));
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
        let result = catch_unwind(AssertUnwindSafe(program));
        let left = tasks().len();
        // The witness of the last moment is ready too.
        yield_now();
        (result, left)
    });
    listen(None);
    let expected: Vec<(Duration, String)> = expected
        .iter()
        .map(|(at, line)| (Duration::from_millis(*at), (*line).to_owned()))
        .collect();
    assert_eq!(lines.take(), expected);
    assert_eq!(clock.elapsed(), Duration::from_millis(end), "the end");
    let rounds = (1..).map(|round| ROUND * round);
    let rounds = rounds.take_while(|at| *at <= clock.elapsed());
    assert_eq!(visits.take(), rounds.collect::<Vec<_>>(), "the witness");
    assert_eq!(left, 2, "the main task and the witness");
    assert_eq!(runtime.tasks_alive(), 0);
    assert_eq!(sockets(), before);
    result
}

/// Performs a program that must succeed, here and as the compiled example.
#[track_caller]
fn check(
    name: &str,
    listen: Listen,
    program: impl FnOnce() -> io::Result<()>,
    expected: &[(u64, &str)],
    end: u64,
) {
    performs(listen, program, expected, end).unwrap().unwrap();
    let ended = start(name, &["--virtual"]);
    ended.assert_success();
    assert_eq!(ended.stderr, "");
    said(&ended, expected);
}

/// It must have printed these lines, and nothing else.
#[track_caller]
fn said(ended: &Ended, expected: &[(u64, &str)]) {
    let lines: Vec<&str> = ended.stdout.lines().collect();
    let expected: Vec<&str> = expected.iter().map(|(_, line)| *line).collect();
    assert_eq!(lines, expected);
}

/// Runs a compiled example to its end.
fn start(name: &str, arguments: &[&str]) -> Ended {
    let _turn = turn();
    let this = std::env::current_exe().unwrap();
    let profile = this.parent().and_then(|deps| deps.parent()).unwrap();
    let path: PathBuf = profile.join("examples").join(name);
    assert!(
        path.exists(),
        "{} is missing: a plain `cargo test` builds the examples; with `--test programs_scopes` run `cargo build --examples` before",
        path.display()
    );
    let mut command = Command::new(path);
    command.args(arguments).env("RUST_BACKTRACE", "0");
    finish(command)
}

#[test]
fn remote_rows() {
    check(
        "remote_rows",
        remote_rows::support::listen,
        remote_rows::program,
        &[
            (1000, "tick"),
            (2000, "row: one"),
            (3000, "tick"),
            (4000, "row: two"),
            (5000, "tick"),
            (6000, "row: three"),
            (7000, "tick"),
        ],
        8000,
    );
}

/// It is an iterator like any other: what is not taken is not asked for.
#[test]
fn rows_nobody_takes_are_not_fetched() {
    let program = || {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let rows = RemoteContainer::connect(listener.local_addr()?)?;
        scope(|s| {
            s.spawn(|| remote_rows::serve(&listener, &["1", "2", "3", "4"]).unwrap());
            let numbers = rows.zip(["a", "b"]).map(|(row, name)| Ok((name, row?)));
            numbers.collect::<io::Result<Vec<_>>>()
        })
    };
    // `zip` asks its first iterator before it knows that the second is at its end.
    let rows = performs(remote_rows::support::listen, program, &[], 6000);
    let rows = rows.unwrap().unwrap();
    assert_eq!(rows, [("a", "1".to_owned()), ("b", "2".to_owned())]);
}

/// In each ending the same lines, and the server has heard of the closing.
#[test]
fn database() {
    let endings = [
        (Ending::Return, "return", 3000),
        (Ending::Panic, "panic", 3000),
        // The answer to what was cut short comes first, and is passed over.
        (Ending::Cancel, "cancel", 4000),
    ];
    for (ending, name, end) in endings {
        let lines = [(1000, "connected"), (2000, "Moo!"), (end, "closed")];
        let store = Store::default();
        let listen = database_program::support::listen;
        let result = performs(
            listen,
            || database_program::program(ending, &store),
            &lines,
            end,
        );
        match result {
            Ok(result) => {
                assert_ne!(ending, Ending::Panic);
                result.unwrap();
            }
            Err(payload) => {
                assert_eq!(ending, Ending::Panic);
                assert_eq!(text_of(&*payload), "the cow ran away");
            }
        }
        assert_eq!(store.keys.borrow()["cow"], "Moo!");
        assert_eq!(store.closed.get(), 1, "acknowledged");

        let ended = start("database", &["--virtual", "--ending", name]);
        said(&ended, &lines);
        assert_eq!(ended.status.success(), ending != Ending::Panic);
        let complains = ended.stderr.contains("the cow ran away");
        assert_eq!(complains, ending == Ending::Panic);
    }
    let ended = start("database", &["--virtual"]);
    ended.assert_success();
    said(
        &ended,
        &[(1000, "connected"), (2000, "Moo!"), (3000, "closed")],
    );
}

/// A server that is gone is an error of the closing, which is seen.
#[test]
fn a_database_that_cannot_be_closed_says_so() {
    let program = || {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("proto://{}", listener.local_addr()?);
        let store = Store::default();
        scope(|s| {
            let server = s.spawn(|| database_program::server::serve(&listener, &store));
            greenroom::with(database_program::database::connect(&url)?, |_| {
                server.cancel();
                Ok(())
            })
        })
    };
    let lines = [(1000, "connected")];
    let result = performs(database_program::support::listen, program, &lines, 1000);
    let error: io::Error = result.unwrap().unwrap_err();
    // By the end of the stream, or because the request met nobody.
    assert!(
        matches!(
            error.kind(),
            ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe
        ),
        "{error}"
    );
}

#[test]
fn graceful_shutdown() {
    check(
        "graceful_shutdown",
        graceful_shutdown::support::listen,
        graceful_shutdown::program,
        &[
            (1000, "quick: done"),
            (2000, "stopping: 2 requests are running"),
            (2000, "late: refused"),
            (3000, "steady: done"),
            (4000, "2 of 3 requests were answered"),
            (4000, "endless: no answer"),
            (4000, "the server has ended"),
        ],
        4000,
    );
}

/// With nothing running the grace is not waited for; and other words end nobody.
#[test]
fn an_idle_server_ends_at_once() {
    let program = || {
        let door = TcpListener::bind("127.0.0.1:0")?;
        let control = TcpListener::bind("127.0.0.1:0")?;
        let (address, operators) = (door.local_addr()?, control.local_addr()?);
        scope(|s| {
            let server = s.spawn(|| graceful_shutdown::serve(door, &control));
            TcpStream::connect(operators)?.write_all(b"shut the door\n\xff\n")?;
            sleep(Duration::from_secs(1));
            assert!(!server.is_finished());
            graceful_shutdown::shut_down(operators)?;
            server.join()
        })?;
        let refused = TcpStream::connect(address).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        Ok::<(), io::Error>(())
    };
    let lines = [
        (1000, "stopping: 0 requests are running"),
        (1000, "0 of 0 requests were answered"),
    ];
    let listen = graceful_shutdown::support::listen;
    performs(listen, program, &lines, 1000).unwrap().unwrap();
}

#[test]
fn happy_eyeballs() {
    check(
        "happy_eyeballs",
        happy_eyeballs::support::listen,
        happy_eyeballs::program,
        &[
            (0, "silent: trying"),
            (250, "silent too: trying"),
            (500, "closed: trying"),
            (500, "closed: connection refused"),
            (500, "open: trying"),
            (500, "open: connected"),
            (500, "silent: given up"),
            (500, "silent too: given up"),
            (500, "hello"),
        ],
        500,
    );
}

/// The race returns when the others have ended, their sockets closed.
#[test]
fn nothing_is_left_of_the_addresses_that_lost() {
    let program = || {
        let network = happy_eyeballs::network::Network::new()?;
        let addresses = network.addresses()?;
        let (open, alive) = (sockets(), tasks().len());
        let stream = happy_eyeballs::connect(&addresses).unwrap();
        assert_eq!(stream.peer_addr()?, addresses[3].address);
        assert_eq!(sockets(), open + 1, "the winner's");
        assert_eq!(tasks().len(), alive);
        Ok::<(), io::Error>(())
    };
    let lines = [
        (0, "silent: trying"),
        (250, "silent too: trying"),
        (500, "closed: trying"),
        (500, "closed: connection refused"),
        (500, "open: trying"),
        (500, "open: connected"),
        (500, "silent: given up"),
        (500, "silent too: given up"),
    ];
    let listen = happy_eyeballs::support::listen;
    performs(listen, program, &lines, 500).unwrap().unwrap();
}

/// Each failure begins the next try, and all are told.
#[test]
fn where_no_address_answers_all_errors_are_told() {
    let program = || {
        let network = happy_eyeballs::network::Network::new()?;
        let closed = network.addresses()?[2];
        let twice = ["one", "two"].map(|name| Address { name, ..closed });
        let errors = happy_eyeballs::connect(&twice).unwrap_err();
        let kinds: Vec<ErrorKind> = errors.iter().map(io::Error::kind).collect();
        assert_eq!(kinds, [ErrorKind::ConnectionRefused; 2]);
        assert!(happy_eyeballs::connect(&[]).unwrap_err().is_empty());
        Ok::<(), io::Error>(())
    };
    let lines = [
        (0, "one: trying"),
        (0, "one: connection refused"),
        (0, "two: trying"),
        (0, "two: connection refused"),
    ];
    let listen = happy_eyeballs::support::listen;
    performs(listen, program, &lines, 0).unwrap().unwrap();
}
