//! The promise: the web server of the examples speaks HTTP/1.1 to anybody, and lets nobody hold it up.
//!
//! Three ways in: its request reader is given bytes, its connection handler is given connections with short
//! time limits, and the compiled example is driven by `curl`, the client everybody has. Files, the end of the
//! server and those who are slow are in `http_server/`.

#![cfg(all(feature = "net", feature = "sync", target_family = "unix"))]
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]
#![allow(dead_code, reason = "the example's own `main` is not called here")]

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use greenroom::net::TcpListener;
use greenroom::{park, run, sleep};

#[path = "../examples/http_server.rs"]
mod http_server;

use http_server::answers::refuse;
#[path = "http_server/files.rs"]
mod files;
// Their moments are those of a virtual clock, which does not wait for bytes that are under way: on Linux none are.
#[cfg(target_os = "linux")]
#[path = "http_server/slow.rs"]
mod slow;
#[cfg(target_os = "linux")]
#[path = "http_server/stopping.rs"]
mod stopping;
mod support;

use http_server::connection::Limits;
use http_server::requests::{MOST_BODY, MOST_HEAD, Method, Outcome, answer};
use http_server::site::{Site, greet, not_allowed};

/// A process that is being started has all descriptors of this one for a moment, so a connection that is closed
/// meanwhile stays open: conversations on the virtual clock and starts of processes wait for their turn.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

const GET: &str = "GET / HTTP/1.1\r\nHost: here\r\n\r\n";
const ANSWER: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, world!";

/// What is answered to these bytes: the text, how many bytes are left over, and whether that was all.
fn answered(bytes: &[u8]) -> (String, usize, bool) {
    let mut answers = Vec::new();
    let answered = answer(bytes, |asked| {
        match asked {
            Ok(asked) if asked.method == Method::Other => not_allowed(asked, &mut answers),
            Ok(asked) => greet(asked, &mut answers),
            Err(refusal) => refuse(refusal, &mut answers),
        }
        Ok(())
    });
    let Outcome { used, close } = answered.unwrap();
    (
        String::from_utf8(answers).unwrap(),
        bytes.len() - used,
        close,
    )
}

/// The status of an answer that is the connection's last.
#[track_caller]
fn refused(request: &str) -> u16 {
    let (answer, _, close) = answered(request.as_bytes());
    assert!(close, "{answer}");
    assert!(answer.contains("\r\nConnection: close\r\n"), "{answer}");
    status(&answer)
}

#[track_caller]
fn status(answer: &str) -> u16 {
    let status = answer
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3));
    status
        .and_then(|status| status.parse().ok())
        .expect("an answer")
}

#[test]
fn a_request_may_come_in_any_pieces() {
    for cut in 0..GET.len() {
        let part = &GET.as_bytes()[..cut];
        assert_eq!(answered(part), (String::new(), cut, false), "{cut} bytes");
    }
    assert_eq!(answered(GET.as_bytes()), (ANSWER.to_owned(), 0, false));
    let lenient = GET.replace("\r\n", "\n");
    assert_eq!(answered(lenient.as_bytes()), (ANSWER.to_owned(), 0, false));
}

#[test]
fn requests_that_come_together_are_answered_together() {
    let batch = format!("{}GET /half", GET.repeat(20));
    assert_eq!(answered(batch.as_bytes()), (ANSWER.repeat(20), 9, false));
    let last = format!(
        "{GET}{}{GET}",
        GET.replace("Host", "Connection: close\r\nHost")
    );
    let (answers, left, close) = answered(last.as_bytes());
    assert_eq!((left, close), (GET.len(), true));
    assert!(answers.starts_with(ANSWER));
    assert!(answers[ANSWER.len()..].contains("Connection: close"));
}

#[test]
fn methods_versions_and_bodies() {
    let head = GET.replace("GET", "HEAD");
    let (answer, ..) = answered(head.as_bytes());
    assert_eq!(answer, ANSWER.strip_suffix("Hello, world!").unwrap());

    let post = "POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 5\r\n\r\nGET /";
    let (answer, left, close) = answered(post.as_bytes());
    assert_eq!((status(&answer), left, close), (405, 0, false));
    assert_eq!(answered(&post.as_bytes()[..post.len() - 1]).0, "");

    let old = "GET / HTTP/1.0\r\n\r\n";
    assert_eq!(refused(old), 200, "the old version closes");
    let kept = "GET / HTTP/1.0\r\nConnection: x, Keep-Alive\r\n\r\n";
    let (answer, _, close) = answered(kept.as_bytes());
    assert!(!close);
    assert!(
        answer.contains("\r\nConnection: keep-alive\r\n"),
        "{answer}"
    );
    assert!(
        !ANSWER.contains("Connection"),
        "the new version keeps unasked"
    );
}

#[test]
fn what_is_malformed_or_doubtful_is_refused() {
    assert_eq!(refused("\0\0\0\0"), 400);
    assert_eq!(refused("GET / HTTP/1.1\r\nno colon\r\n\r\n"), 400);
    assert_eq!(refused("GET / HTTP/2.7\r\nHost: here\r\n\r\n"), 400);
    assert_eq!(refused("GET / HTTP/1.1\r\n\r\n"), 400, "no host");
    assert_eq!(refused(&GET.replace("Host", "Host: there\r\nHost")), 400);
    let with = |field: &str| GET.replace("Host", &format!("{field}\r\nHost"));
    assert_eq!(refused(&with("Transfer-Encoding: chunked")), 501);
    assert_eq!(refused(&with("Content-Length: +1")), 400);
    assert_eq!(refused(&with("Content-Length:")), 400);
    assert_eq!(
        refused(&with("Content-Length: 1\r\nContent-Length: 1")),
        400
    );
    assert_eq!(
        refused(&with(&format!("Content-Length: {}", MOST_BODY + 1))),
        413
    );
    assert_eq!(
        refused(&with(&format!("Content-Length: {}", "9".repeat(30)))),
        413
    );
    assert_eq!(
        refused(&with(&format!("X: {}", "x".repeat(MOST_HEAD)))),
        431
    );
    assert_eq!(refused(&with("X: x\r\n".repeat(100).trim_end())), 431);
    // Answered before it is refused.
    let (answers, ..) = answered(format!("{GET}nonsense\r\n\r\n").as_bytes());
    assert_eq!(status(answers.strip_prefix(ANSWER).unwrap()), 400);
}

/// The example's server on a thread, for so many connections. It is joined in the end.
struct Server {
    address: String,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Server {
    fn start(connections: usize, limits: Limits) -> Self {
        Self::with(Site::default(), connections, limits)
    }

    fn with(site: Site, connections: usize, limits: Limits) -> Self {
        let (tell, told) = mpsc::channel();
        let thread = thread::spawn(move || {
            run(|| {
                let listener = TcpListener::bind("127.0.0.1:0")?;
                tell.send(listener.local_addr()?.to_string())
                    .map_err(io::Error::other)?;
                let server = http_server::Server {
                    site,
                    limits,
                    at_once: http_server::CONNECTIONS,
                };
                server.serve(listener, connections, park)
            })
        });
        Self {
            address: told.recv().unwrap(),
            thread: Some(thread),
        }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        // Far more than any test takes, so that nothing hangs.
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        stream
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A test that failed has not used all its connections, so the server would wait for ever.
        if !thread::panicking() {
            let ended = self.thread.take().map(JoinHandle::join);
            ended.unwrap().unwrap().unwrap();
        }
    }
}

/// Limits that a test can wait for.
fn short() -> Limits {
    Limits {
        idle: Duration::from_millis(200),
        request: Duration::from_millis(100),
        answer: Duration::from_millis(100),
        parting: Duration::from_millis(100),
    }
}

fn expect(stream: &mut TcpStream, text: &str) {
    let mut got = vec![0; text.len()];
    stream.read_exact(&mut got).unwrap();
    assert_eq!(String::from_utf8(got).unwrap(), text);
}

fn rest(stream: &mut TcpStream) -> String {
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    rest
}

#[test]
fn a_connection_is_kept_and_batches_come_back_whole() {
    let server = Server::start(2, Limits::default());
    let mut one = server.connect();
    let mut two = server.connect();
    for _ in 0..3 {
        one.write_all(GET.as_bytes()).unwrap();
        two.write_all(GET.repeat(100).as_bytes()).unwrap();
        expect(&mut one, ANSWER);
        expect(&mut two, &ANSWER.repeat(100));
    }
    // A batch with the beginning of the next request, which ends in pieces.
    let (begin, end) = GET.split_at(7);
    two.write_all(format!("{GET}{begin}").as_bytes()).unwrap();
    expect(&mut two, ANSWER);
    for byte in end.bytes() {
        two.write_all(&[byte]).unwrap();
    }
    expect(&mut two, ANSWER);
}

#[test]
fn who_is_refused_gets_to_know_and_is_closed() {
    let server = Server::start(3, Limits::default());
    for (request, expected) in [
        ("nonsense\r\n\r\n".to_owned(), 400),
        (format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(60_000)), 431),
        ("GET / HTTP/1.0\r\n\r\n".to_owned(), 200),
    ] {
        let mut stream = server.connect();
        // It may be refused, and the connection closed, before all of it is sent.
        let sent = stream.write_all(request.as_bytes());
        assert_eq!(status(&rest(&mut stream)), expected, "{sent:?}");
    }
}

#[test]
fn who_is_slow_is_let_go() {
    let server = Server::start(4, short());
    // Somebody who never says anything is closed without a word.
    let mut silent = server.connect();
    assert_eq!(rest(&mut silent), "");

    // Somebody who says a little now and then is told that it took too long: the limit holds for the
    // whole request.
    let mut slow = server.connect();
    let mut speaks = slow.try_clone().unwrap();
    let begin = Instant::now();
    let speaker = thread::spawn(move || {
        speaks.write_all(b"GET / HTTP/1.1\r\n").unwrap();
        let mut said = 0;
        while speaks.write_all(b"X: x\r\n").is_ok() {
            said += 1;
            assert!(said < 6_000);
            sleep(Duration::from_millis(10));
        }
    });
    assert_eq!(status(&rest(&mut slow)), 408);
    let took = begin.elapsed();
    assert!(took >= short().request, "{took:?}");
    drop(slow);
    speaker.join().unwrap();

    // Somebody who takes no answers is dropped, and so is their task.
    let mut deaf = server.connect();
    deaf.set_write_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let batch = GET.repeat(2_000);
    while deaf.write_all(batch.as_bytes()).is_ok() {}

    // Meanwhile the others are served as ever, longer than a request may take.
    let mut quick = server.connect();
    for _ in 0..20 {
        quick.write_all(GET.as_bytes()).unwrap();
        expect(&mut quick, ANSWER);
    }
}

/// The compiled example.
struct Example {
    child: Child,
    url: String,
}

impl Example {
    fn start(connections: &str) -> Self {
        Self::with(&[connections])
    }

    fn with(arguments: &[&str]) -> Self {
        let this = std::env::current_exe().unwrap();
        let profile = this.parent().and_then(|deps| deps.parent());
        let path: PathBuf = profile.unwrap().join("examples/http_server");
        assert!(
            path.exists(),
            "{} is missing: a plain `cargo test` builds the examples; with `--test http_server` run `cargo build --examples` before",
            path.display()
        );
        let starting = turn();
        let mut child = Command::new(path)
            .arg("127.0.0.1:0")
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        drop(starting);
        let mut line = String::new();
        let out = child.stdout.take().unwrap();
        BufReader::new(out).read_line(&mut line).unwrap();
        let url = line.trim_end().strip_prefix("listening on ").unwrap();
        Self {
            url: url.to_owned(),
            child,
        }
    }
}

impl Example {
    fn connect(&self) -> TcpStream {
        let address = self.url.strip_prefix("http://").unwrap();
        let stream = TcpStream::connect(address.trim_end_matches('/')).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        stream
    }

    /// The most memory it has had so far, in KiB; 0 where that cannot be asked.
    fn most_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with("VmHWM:"));
        let number = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
        number.unwrap_or(0)
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        if thread::panicking() {
            // It may have ended already, which is as well.
            drop(self.child.kill());
        }
        let ended = self.child.wait();
        assert!(thread::panicking() || ended.unwrap().success());
    }
}

#[test]
fn curl_is_served() {
    let curl = |arguments: &[&str]| {
        let starting = turn();
        let curl = Command::new("curl")
            .args(["--silent", "--show-error", "--max-time", "60"])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        drop(starting);
        let output = curl.wait_with_output()?;
        assert!(output.status.success(), "{output:?}");
        io::Result::Ok(String::from_utf8(output.stdout).unwrap())
    };
    if let Err(error) = curl(&["--version"]) {
        println!("skipped: no curl on this machine: {error}");
        return;
    }
    let example = Example::start("5");
    let url = example.url.as_str();
    assert_eq!(curl(&[url]).unwrap(), "Hello, world!");
    let answer = curl(&["--include", url]).unwrap();
    assert_eq!(answer, ANSWER);
    // Two requests on one connection.
    let tells = ["--write-out", " %{http_code} %{num_connects}\n", url, url];
    assert_eq!(
        curl(&tells).unwrap(),
        "Hello, world! 200 1\nHello, world! 200 0\n"
    );
    let post = ["--data", "a=b", "--write-out", "%{http_code}", url];
    assert_eq!(curl(&post).unwrap(), "405");
    let stream = format!("{url}stream");
    let lines = curl(&["--no-buffer", &stream]).unwrap();
    assert!(lines.ends_with("line 10 of 10\n"), "{lines}");
    assert_eq!(lines.lines().count(), 10);
}
