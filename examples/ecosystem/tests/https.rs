//! The promise: the server speaks HTTP/1.1 over TLS to clients of any manners, and ends when it is told to, with what was
//! begun.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod support;

use std::io::{Read, Write};
use std::time::Duration;

use ecosystem::http::{self, Request, Response};
use ecosystem::server::Server;
use ecosystem::tls::{self, ClientStream, Identity};
use greenroom::net::TcpStream;
use greenroom::sync::{Event, bounded};
use greenroom::{run, sleep, spawn};
use support::served;
use tungstenite::http::StatusCode;

fn say_back(request: &Request) -> Response {
    let body = String::from_utf8_lossy(request.body());
    http::text(StatusCode::OK, format!("{} {body}", request.uri().path()))
}

fn connect(server: &Server, identity: &Identity) -> ClientStream<TcpStream> {
    tls::connect(server.local_addr().unwrap(), &identity.client().unwrap()).unwrap()
}

/// Sends these bytes, and returns what came until the server closed the connection.
fn converse(server: &Server, identity: &Identity, bytes: &str) -> String {
    let mut stream = connect(server, identity);
    stream.write_all(bytes.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn one_connection_many_requests() {
    run(|| {
        served(say_back, |server, identity| {
            // All at once; the answers come in order.
            let answers = converse(
                server,
                identity,
                "GET /one HTTP/1.1\r\n\r\n\
                 POST /two HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody\
                 GET /three HTTP/1.1\r\nConnection: Keep-Alive, Close\r\n\r\n\
                 GET /never HTTP/1.1\r\n\r\n",
            );
            let bodies: Vec<_> = answers.split("\r\n\r\n").skip(1).collect();
            assert_eq!(
                bodies,
                [
                    "/one HTTP/1.1 200 OK\r\ncontent-length: 9",
                    "/two bodyHTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 7",
                    "/three ",
                ],
                "{answers}"
            );
            assert_eq!(server.accepted(), 1);
        });
    });
}

#[test]
fn what_is_no_request_is_refused() {
    run(|| {
        served(say_back, |server, identity| {
            for bytes in [
                "hello\r\n\r\n",
                "GET / HTTP/1.1\r\nContent-Length: much\r\n\r\n",
                "POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n",
                "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
                "POST / HTTP/1.1\r\nContent-Length: +2\r\n\r\nok",
                "POST / HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
                "GET /one HTTP/1.1\nA: b\n\nGET /two HTTP/1.1\r\n\r\n",
                "\r\n\r\n",
                &format!("GET / HTTP/1.1\r\nLong: {}\r\n\r\n", "x".repeat(20_000)),
            ] {
                let answer = converse(server, identity, bytes);
                assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
            }
            // Half a request is none, and whoever sent it gets no answer.
            let mut stream = connect(server, identity);
            stream.write_all(b"GET / HT").unwrap();
            drop(stream);
            // Whoever speaks something else than TLS ends nobody else.
            let mut plain = TcpStream::connect(server.local_addr().unwrap()).unwrap();
            plain.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
            let answer = converse(server, identity, "GET /old HTTP/1.0\r\n\r\n");
            assert!(answer.ends_with("/old "), "{answer}");
        });
    });
}

/// A request that was begun is answered, with the news that it was the last; a connection that asks for nothing is closed.
#[test]
fn the_end() {
    let (begun, (go_on, gate)) = (Event::new(), bounded(1));
    let slow = |request: &Request| {
        begun.set();
        gate.recv().unwrap();
        say_back(request)
    };
    run(|| {
        let (idle, answer) = served(slow, |server, identity| {
            let idle = connect(server, identity);
            let mut busy = connect(server, identity);
            busy.write_all(b"GET /slow HTTP/1.1\r\n\r\n").unwrap();
            let answer = spawn(move || {
                let mut answer = String::new();
                busy.read_to_string(&mut answer).map(|_| answer)
            });
            begun.wait();
            server.end();
            // Whoever is told to go has gone after this.
            sleep(Duration::from_millis(10));
            go_on.send(()).unwrap();
            (idle, answer)
        });
        let answer = answer.join().unwrap().unwrap();
        assert!(answer.contains("connection: close"), "{answer}");
        assert!(answer.ends_with("/slow "), "{answer}");
        let mut idle = idle;
        assert_eq!(idle.read(&mut [0]).unwrap(), 0);
    });
}
