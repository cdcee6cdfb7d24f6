//! The end: who is being answered is answered, who only waits is sent home, nobody is let in, and there is an
//! end to patience.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::process::Command;
use std::time::Duration;

use greenroom::net::{SocketAddr, TcpListener, TcpStream};
use greenroom::sync::Event;
use greenroom::{Instant, scope, sleep};

use super::http_server::connection::Limits;
use super::http_server::site::Site;
use super::http_server::{self, GRACE, stream};
use super::support::on_virtual;
use super::{ANSWER, Example, GET, turn};

/// Runs `clients` beside a server that stops when the event is set. How long it went on after that.
fn stopped(clients: impl FnOnce(SocketAddr, &Event)) -> Duration {
    let _turn = turn();
    on_virtual(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let word = Event::new();
        let server = http_server::Server {
            site: Site::default(),
            limits: Limits::default(),
            at_once: 10,
        };
        scope(|s| {
            let word = &word;
            let server = s.spawn(move || {
                let ended = server.serve(listener, usize::MAX, || word.wait());
                (ended, Instant::now())
            });
            s.spawn(move || clients(address, word));
            word.wait();
            let start = Instant::now();
            let (ended, end) = server.join();
            ended.unwrap();
            end.duration_since(start)
        })
    })
}

fn rest(mut stream: &TcpStream) -> String {
    let mut all = String::new();
    stream.read_to_string(&mut all).unwrap();
    all
}

#[test]
fn who_is_being_answered_is_answered() {
    let whole = stream::PERIOD * stream::LINES;
    let before = stream::PERIOD * 3;
    let went_on = stopped(|address, word| {
        let mut streaming = TcpStream::connect(address).unwrap();
        let idle = TcpStream::connect(address).unwrap();
        (&idle).write_all(GET.as_bytes()).unwrap();
        let asks = GET.replace("/ ", "/stream ");
        streaming.write_all(asks.as_bytes()).unwrap();
        sleep(before);
        word.set();
        let start = Instant::now();
        assert_eq!(rest(&idle), ANSWER, "closed after its answer");
        assert_eq!(start.elapsed(), Duration::ZERO);
        let late = TcpStream::connect(address).unwrap_err();
        assert_eq!(late.kind(), ErrorKind::ConnectionRefused);
        let answer = rest(&streaming);
        assert!(answer.ends_with("0\r\n\r\n"), "{answer}");
    });
    assert_eq!(went_on, whole - before);
}

#[test]
fn there_is_an_end_to_patience() {
    let went_on = stopped(|address, word| {
        // It asks for more than its connection holds, and takes nothing.
        let deaf = TcpStream::connect(address).unwrap();
        let batch = GET.repeat(2000);
        deaf.set_write_timeout(Some(Duration::from_secs(1)))
            .unwrap();
        while (&deaf).write_all(batch.as_bytes()).is_ok() {}
        word.set();
        sleep(Duration::from_secs(60));
    });
    assert!(went_on <= GRACE, "{went_on:?}");
    assert!(went_on > GRACE / 2, "{went_on:?}");
}

/// By the compiled example, on two threads.
#[test]
fn a_signal_ends_it_on_all_cores() {
    let example = Example::with(&["--cores", "2"]);
    let open: Vec<_> = (0..20)
        .map(|_| {
            let mut stream = example.connect();
            stream.write_all(GET.as_bytes()).unwrap();
            stream.read_exact(&mut vec![0; ANSWER.len()]).unwrap();
            stream
        })
        .collect();
    let threads = std::fs::read_dir(format!("/proc/{}/task", example.child.id()));
    if let Ok(threads) = threads {
        assert_eq!(threads.count(), 2);
    }
    let mut streaming = BufReader::new(example.connect());
    let asks = GET.replace("/ ", "/stream ");
    streaming.get_mut().write_all(asks.as_bytes()).unwrap();
    let mut line = String::new();
    while !line.starts_with("line 1 ") {
        line.clear();
        streaming.read_line(&mut line).unwrap();
    }
    let pid = example.child.id().to_string();
    let starting = turn();
    let sent = Command::new("kill").args(["-INT", &pid]).status().unwrap();
    drop(starting);
    assert!(sent.success());
    for mut stream in open {
        assert_eq!(stream.read(&mut [0; 8]).unwrap(), 0);
    }
    let lines: io::Result<Vec<String>> = streaming.lines().collect();
    let last = lines.unwrap();
    assert!(
        last.contains(&format!("line {0} of {0}", stream::LINES)),
        "{last:?}"
    );
    assert_eq!(last[last.len() - 2..], ["0", ""]);
    // That it ended well is looked at when the example is dropped.
}
