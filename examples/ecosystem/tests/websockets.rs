//! The promise: websockets by tungstenite over rustls, both unchanged, say back what is said, and are told when the
//! server ends.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod support;

use ecosystem::http::{self, Request, Response};
use greenroom::run;
use support::served;
use support::websocket::{close, connect, say};
use tungstenite::http::StatusCode;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Error, Message};

fn no_pages(_: &Request) -> Response {
    http::text(StatusCode::NOT_FOUND, "")
}

#[test]
fn long_messages_and_short_ones() {
    run(|| {
        served(no_pages, |server, identity| {
            let mut socket = connect(server, &identity.client().unwrap());
            say(&mut socket, "");
            // Far more than the sockets hold: whoever writes has to wait for whoever reads.
            say(&mut socket, "long".repeat(1 << 20));
            close(&mut socket);
        });
    });
}

#[test]
fn whoever_is_connected_at_the_end_is_told() {
    run(|| {
        served(no_pages, |server, identity| {
            let config = identity.client().unwrap();
            let mut sockets: Vec<_> = (0..3).map(|_| connect(server, &config)).collect();
            for socket in &mut sockets {
                say(socket, "hello");
            }
            server.end();
            for socket in &mut sockets {
                let Message::Close(Some(farewell)) = socket.read().unwrap() else {
                    panic!("something else than a farewell");
                };
                assert_eq!(farewell.code, CloseCode::Away);
                assert!(matches!(socket.read(), Err(Error::ConnectionClosed)));
            }
        });
    });
}
