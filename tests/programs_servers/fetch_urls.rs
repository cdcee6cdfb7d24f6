//! `fetch_urls`: three at once, in order; connections that are kept, and not for too long.
//!
//! Must never: look at wall time.

use std::cell::Cell;
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::time::Duration;

use greenroom::net::{TcpListener, TcpStream};
use greenroom::{scope, sleep, supervise, timeout};

use super::support::finish;
use super::{MS, SECOND, example, performed, turn};

#[path = "../../examples/fetch_urls.rs"]
mod program;

use program::server::{Traffic, serve};
use program::session::{KEPT, MOST_BODY, PATIENCE, Response, Session};

#[test]
fn fetch_urls() {
    let expected = [
        "first, after 3 s",
        "second, after 1 s",
        "third, after 2 s",
        "fourth, after 0 s",
        "4 requests over 3 connections, 3 at once",
    ];
    let played = performed(Some(program::support::listen), program::program);
    played.result.unwrap();
    // All when the slowest has come: not after six seconds.
    assert_eq!(played.end, 3 * SECOND);
    let expected_lines = expected.map(|line| (3000, line.to_owned()));
    assert_eq!(played.lines, expected_lines);

    let mut command = example("fetch_urls");
    command.arg("--virtual");
    let _turn = turn();
    let ended = finish(command);
    ended.assert_success();
    assert_eq!(ended.stderr, "");
    assert!(ended.stdout.lines().eq(expected));
}

/// Runs `client` beside the program's server. What the server has counted, and how long it took.
fn beside_server<T>(client: impl FnOnce(&str) -> T) -> (T, Traffic, Duration) {
    let traffic = Traffic::default();
    let played = performed(None, || {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        scope(|s| {
            let server = s.spawn(|| serve(&listener, &traffic));
            let result = client(&base);
            server.cancel();
            result
        })
    });
    (played.result, traffic, played.end)
}

fn text(response: io::Result<Response>) -> String {
    let response = response.unwrap();
    assert_eq!(response.status, 200);
    String::from_utf8(response.body).unwrap()
}

#[test]
fn a_session_of_one_connection_fetches_one_after_the_other() {
    let ((), traffic, took) = beside_server(|base| {
        let session = Session::new(1);
        scope(|s| {
            for seconds in [3, 1, 2] {
                let (session, base) = (&session, &base);
                s.spawn(move || session.get(&format!("{base}/it/{seconds}")).unwrap());
            }
        });
    });
    assert_eq!(took, 6 * SECOND);
    assert_eq!(traffic.most_at_once.get(), 1);
    assert_eq!(traffic.connections.get(), 1);
}

#[test]
fn who_gives_up_leaves_no_half_answer_to_the_next() {
    let ((), traffic, _) = beside_server(|base| {
        let session = Session::new(1);
        timeout(SECOND, || session.get(&format!("{base}/late/2"))).unwrap_err();
        assert_eq!(
            text(session.get(&format!("{base}/next/0"))),
            "next, after 0 s"
        );
        let error = session.get(&format!("{base}/never/3600")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
    });
    assert_eq!(
        traffic.connections.get(),
        2,
        "the one given up was not kept"
    );
    assert!(PATIENCE < 3600 * SECOND);
}

#[test]
fn a_connection_is_not_kept_for_ever() {
    let ((), traffic, _) = beside_server(|base| {
        let session = Session::new(1);
        for pause in [KEPT - SECOND, KEPT, Duration::ZERO] {
            session.get(&format!("{base}/it/0")).unwrap();
            sleep(pause);
        }
    });
    assert_eq!(traffic.connections.get(), 2);
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Answers everybody, and counts the connections that are open now.
fn count_open(listener: &TcpListener, open: &Cell<usize>) {
    supervise(|s| {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            open.set(open.get() + 1);
            s.spawn(move || {
                let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
                while lines.any(|line| line.is_empty()) {
                    (&stream).write_all(OK.as_bytes()).unwrap();
                }
                open.set(open.get() - 1);
            });
        }
    });
}

#[test]
fn a_session_has_no_more_connections_than_was_said() {
    let open = Cell::new(0);
    let played = performed(None, || {
        let hosts = [(); 5].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        scope(|s| {
            for host in &hosts {
                let open = &open;
                s.spawn(move || count_open(host, open));
            }
            let session = Session::new(2);
            let counts = hosts.iter().chain(&hosts).map(|host| {
                let url = format!("http://{}", host.local_addr().unwrap());
                assert_eq!(text(session.get(&url)), "ok");
                sleep(MS);
                open.get()
            });
            let counts: Vec<usize> = counts.collect();
            s.cancel_children();
            counts
        })
    });
    assert_eq!(played.result, [1, 2, 2, 2, 2, 2, 2, 2, 2, 2]);
}

#[test]
fn what_came_unasked_is_no_answer() {
    let played = performed(None, || {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        scope(|s| {
            s.spawn(|| {
                let (early, _) = listener.accept().unwrap();
                asked(&early);
                (&early).write_all(OK.as_bytes()).unwrap();
                sleep(SECOND);
                (&early)
                    .write_all(OK.replace("ok", "no").as_bytes())
                    .unwrap();
                let (late, _) = listener.accept().unwrap();
                asked(&late);
                (&late).write_all(OK.as_bytes()).unwrap();
            });
            let session = Session::new(1);
            let first = text(session.get(&url));
            sleep(2 * SECOND);
            [first, text(session.get(&url))]
        })
    });
    assert_eq!(played.result, ["ok", "ok"]);
}

/// What the session makes of these answers, each on the first connection that asks; then the server hangs up.
fn answered(answers: &[&str]) -> Vec<io::Result<Response>> {
    let played = performed(None, || {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        scope(|s| {
            let server = s.spawn(|| {
                for answer in answers {
                    let (stream, _) = listener.accept().unwrap();
                    asked(&stream);
                    (&stream).write_all(answer.as_bytes()).unwrap();
                }
            });
            let session = Session::new(1);
            let responses = answers.iter().map(|_| session.get(&url)).collect();
            server.join();
            responses
        })
    });
    played.result
}

/// Waits for a request's head.
fn asked(stream: &TcpStream) {
    let mut lines = BufReader::new(stream).lines();
    assert!(lines.any(|line| line.unwrap().is_empty()));
}

#[test]
fn answers_of_every_shape() {
    let responses = answered(&[
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n5;x=y\r\n, two\r\n0\r\nX: y\r\n\r\n",
        // It said nothing of closing, but did: the next request finds that out, and tries anew.
        "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nend",
        "HTTP/1.0 200 OK\r\n\r\nuntil the end",
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nby",
        "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    ]);
    let texts: Vec<String> = responses.into_iter().map(text).collect();
    assert_eq!(
        texts,
        ["one, two", "end", "until the end", "by", "late", ""]
    );
    let missing = answered(&["HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"]);
    assert_eq!(missing.into_iter().next().unwrap().unwrap().status, 404);
}

/// Two readings of one answer are how somebody else's is smuggled in.
#[test]
fn answers_with_a_doubtful_length() {
    for fields in [
        "Content-Length: +2",
        "Content-Length: 2\r\nContent-Length: 40",
        "Content-Length: 2\r\nContent-Length: 2",
        "Transfer-Encoding: chunked\r\nContent-Length: 2",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip",
        "Transfer-Encoding: gzip, chunked",
        // The head would end here for who takes `\n` for an end of a line.
        "Content-Length: 2\n\nX: y",
    ] {
        let answer = format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n2\r\nok\r\n0\r\n\r\n");
        let error = answered(&[&answer]).remove(0).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData, "{fields}: {error}");
    }
    let junk = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nokJUNK\r\n0\r\n\r\n";
    let error = answered(&[junk]).remove(0).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData, "{error}");
}

/// However it is said that this was the last answer.
#[test]
fn connections_that_will_be_closed_are_not_kept() {
    let closing = OK.replace("Content", "Connection: x, Close\r\nContent");
    let played = performed(None, || {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        scope(|s| {
            s.spawn(|| {
                let (first, _) = listener.accept().unwrap();
                asked(&first);
                (&first).write_all(closing.as_bytes()).unwrap();
                // It is still open when the next one comes.
                let (second, _) = listener.accept().unwrap();
                asked(&second);
                (&second).write_all(OK.as_bytes()).unwrap();
            });
            let session = Session::new(1);
            [session.get(&url), session.get(&url)].map(text)
        })
    });
    assert_eq!(played.result, ["ok", "ok"]);
}

#[test]
fn answers_that_are_none() {
    let too_long = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
        MOST_BODY + 1
    );
    let endless = format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(20_000));
    for (answer, kind) in [
        ("nonsense\r\n\r\n", ErrorKind::InvalidData),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            ErrorKind::InvalidData,
        ),
        (&too_long, ErrorKind::InvalidData),
        (&endless, ErrorKind::InvalidData),
        ("HTTP/1.1 200 OK\r\nContent-", ErrorKind::UnexpectedEof),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
            ErrorKind::UnexpectedEof,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf",
            ErrorKind::UnexpectedEof,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfour\r\n",
            ErrorKind::InvalidData,
        ),
    ] {
        let error = answered(&[answer]).remove(0).unwrap_err();
        assert_eq!(error.kind(), kind, "{answer}: {error}");
    }
    for url in ["https://127.0.0.1", "http://a b/"] {
        let session = Session::new(1);
        let error = greenroom::run(|| session.get(url)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
    }
}
