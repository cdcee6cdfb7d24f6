//! Those who are slow: each kind has its limit, nobody else notices, and memory is bounded by what is stated.

use std::io::{ErrorKind, Read, Write};
use std::time::Duration;

use greenroom::net::{TcpListener, TcpStream};
use greenroom::{Instant, park, run, scope, sleep};
use socket2::SockRef;

use super::http_server::answers::Answers;
use super::http_server::connection::Limits;
use super::http_server::site::{BODY, Site};
use super::http_server::{self, CONNECTIONS, stream};
use super::support::on_virtual;
use super::{ANSWER, Example, GET, status, turn};

const SECOND: Duration = Duration::from_secs(1);

/// Runs `clients` beside a server with its own limits, on a virtual clock.
fn beside_server<T>(at_once: usize, clients: impl FnOnce(&dyn Fn() -> TcpStream) -> T) -> T {
    let _turn = turn();
    on_virtual(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        scope(|s| {
            let server = http_server::Server {
                site: Site::default(),
                limits: Limits::default(),
                at_once,
            };
            let server = s.spawn(move || server.serve(listener, usize::MAX, park));
            let result = clients(&|| TcpStream::connect(address).unwrap());
            server.cancel();
            result
        })
    })
}

/// All that is still said, and how long that takes.
fn rest(mut stream: &TcpStream) -> (String, Duration) {
    let (mut all, start) = (Vec::new(), Instant::now());
    match stream.read_to_end(&mut all) {
        Ok(_) => {}
        // It was closed with something unread.
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
    (String::from_utf8(all).unwrap(), start.elapsed())
}

/// Says `text` a byte a second, as long as that goes. When it was cut off, and what it was told.
fn drip(stream: &TcpStream, begin: &str, text: &str) -> (Duration, String) {
    let (start, mut says) = (Instant::now(), stream);
    says.write_all(begin.as_bytes()).unwrap();
    scope(|s| {
        let dripping = s.spawn(|| {
            for byte in text.bytes().cycle() {
                sleep(SECOND);
                let mut says = stream;
                if says.write_all(&[byte]).is_err() {
                    break;
                }
            }
        });
        let (told, _) = rest(stream);
        dripping.cancel();
        (start.elapsed(), told)
    })
}

#[test]
fn a_request_has_a_limit_as_a_whole() {
    const EACH: usize = 100;
    let limits = Limits::default();
    beside_server(1000, |connect| {
        scope(|s| {
            let heads = "GET / HTTP/1.1\r\nHost: here\r\n";
            let bodies = "POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 8000\r\n\r\n";
            let slow: Vec<_> = [heads, bodies]
                .into_iter()
                .flat_map(|begin| [begin; EACH])
                .map(|begin| s.spawn(move || drip(&connect(), begin, "X: x\r\n")))
                .collect();
            // Meanwhile everybody else is served, at once.
            let mut quick = connect();
            for _ in 0..20 {
                sleep(SECOND);
                let start = Instant::now();
                quick.write_all(GET.as_bytes()).unwrap();
                let mut answer = vec![0; ANSWER.len()];
                quick.read_exact(&mut answer).unwrap();
                assert_eq!(answer, ANSWER.as_bytes());
                assert_eq!(start.elapsed(), Duration::ZERO);
            }
            for slow in slow {
                let (took, told) = slow.join();
                assert_eq!(status(&told), 408);
                assert!(took >= limits.request, "{took:?}");
                assert!(took <= limits.request + limits.parting, "{took:?}");
            }
        });
    });
}

#[test]
fn who_says_nothing_is_let_go() {
    beside_server(10, |connect| {
        let limits = Limits::default();
        let silent = connect();
        assert_eq!(rest(&silent), (String::new(), limits.idle));
        let mut done = connect();
        done.write_all(GET.as_bytes()).unwrap();
        let (all, took) = rest(&done);
        assert_eq!((all.as_str(), took), (ANSWER, limits.idle));
    });
}

/// More than are let in: they wait for the slow ones to be let go, and no longer.
#[test]
fn at_the_limit_one_waits_for_the_slowest() {
    let limits = Limits::default();
    beside_server(20, |connect| {
        let slow: Vec<_> = (0..30).map(|_| connect()).collect();
        for mut stream in &slow {
            stream.write_all(b"GET /").unwrap();
        }
        let mut last = connect();
        last.write_all(GET.as_bytes()).unwrap();
        let start = Instant::now();
        let mut answer = vec![0; ANSWER.len()];
        last.read_exact(&mut answer).unwrap();
        assert!(answer.ends_with(BODY.as_bytes()));
        let took = start.elapsed();
        assert!(took >= limits.request, "{took:?}");
        assert!(took <= 2 * (limits.request + limits.parting), "{took:?}");
    });
}

/// However it takes it: a little now and then is not enough. On the real clock, for the system has timers of its
/// own where its buffers are small.
#[test]
fn a_portion_of_an_answer_has_a_limit_as_a_whole() {
    let limit = Duration::from_millis(400);
    run(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        SockRef::from(&server)
            .set_send_buffer_size(16 * 1024)
            .unwrap();
        server.set_write_timeout(Some(limit)).unwrap();
        scope(|s| {
            let reader = s.spawn(|| {
                let mut taken = vec![0; 10_000];
                loop {
                    sleep(Duration::from_millis(20));
                    (&client).read_exact(&mut taken).unwrap();
                }
            });
            // At that pace it takes six seconds.
            let mut answers = Answers::new(&server, limit);
            answers.bytes = vec![0; 3_000_000];
            let error = answers.send().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TimedOut);
            reader.cancel();
        });
    });
}

#[test]
fn chunks_come_when_they_are_there() {
    let lines = |first, count| -> String {
        let numbers = first..first + count;
        let line = |n| format!("line {n} of {}\n", stream::LINES);
        numbers.map(line).collect()
    };
    beside_server(10, |connect| {
        let start = Instant::now();
        let mut client = connect();
        let two = format!("{GET}{}{GET}", GET.replace("/ ", "/stream "));
        client.write_all(two.as_bytes()).unwrap();
        let mut head = vec![0; ANSWER.len()];
        client.read_exact(&mut head).unwrap();
        assert_eq!(head, ANSWER.as_bytes(), "it does not wait for the lines");
        let mut expected =
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
                .to_owned();
        for number in 0..=stream::LINES {
            let mut got = vec![0; expected.len()];
            client.read_exact(&mut got).unwrap();
            assert_eq!(String::from_utf8(got).unwrap(), expected);
            assert_eq!(start.elapsed(), stream::PERIOD * number);
            let line = lines(number + 1, 1);
            expected = format!("{:x}\r\n{line}\r\n", line.len());
        }
        let end = format!("0\r\n\r\n{ANSWER}");
        let mut got = vec![0; end.len()];
        client.read_exact(&mut got).unwrap();
        assert_eq!(String::from_utf8(got).unwrap(), end);
        // Who knows no chunks gets them all in the end; who asks for the head gets it at once.
        let mut old = connect();
        old.write_all(b"GET /stream HTTP/1.0\r\n\r\n").unwrap();
        let (answer, took) = rest(&old);
        assert!(answer.ends_with(&lines(1, stream::LINES)), "{answer}");
        assert_eq!(took, stream::PERIOD * stream::LINES);
        let mut curious = connect();
        curious
            .write_all(b"HEAD /stream HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
            .unwrap();
        let (answer, took) = rest(&curious);
        assert!(
            answer.ends_with("chunked\r\nConnection: close\r\n\r\n"),
            "{answer}"
        );
        assert_eq!(took, Duration::ZERO);
    });
}

/// What is stated in the example, by the compiled example.
#[test]
fn memory_stays_within_what_is_stated() {
    const MANY: usize = 400;
    let example = Example::with(&[&(MANY + 1).to_string()]);
    let mut quick = example.connect();
    let mut answer = vec![0; ANSWER.len()];
    quick.write_all(GET.as_bytes()).unwrap();
    quick.read_exact(&mut answer).unwrap();
    let before = example.most_memory();
    // As much as fits of a head, and of a body, and nothing more.
    let head = format!("GET / HTTP/1.1\r\nHost: here\r\nX: {}", "x".repeat(8000));
    let body = format!(
        "POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 8000\r\n\r\n{}",
        "x".repeat(7999)
    );
    let slow: Vec<_> = (0..MANY)
        .map(|number| {
            let mut stream = example.connect();
            let begin = if number % 2 == 0 { &head } else { &body };
            stream.write_all(begin.as_bytes()).unwrap();
            stream
        })
        .collect();
    quick.write_all(GET.as_bytes()).unwrap();
    quick.read_exact(&mut answer).unwrap();
    let grown = example.most_memory() - before;
    let stated = 80 * 1024 / CONNECTIONS as u64;
    assert!(grown < MANY as u64 * stated, "{grown} KiB");
    drop(slow);
}
