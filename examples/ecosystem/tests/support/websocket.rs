//! The client's end of a websocket.

use std::sync::Arc;

use ecosystem::http::frugal;
use ecosystem::server::Server;
use ecosystem::tls::{self, ClientStream};
use greenroom::net::TcpStream;
use rustls::ClientConfig;
use tungstenite::client::client_with_config;
use tungstenite::{Error, Message, WebSocket};

pub(crate) type Client = WebSocket<ClientStream<TcpStream>>;

/// Shakes hands twice: for TLS, then for the websocket.
pub(crate) fn connect(server: &Server, config: &Arc<ClientConfig>) -> Client {
    let stream = tls::connect(server.local_addr().unwrap(), config).unwrap();
    let (socket, _) = client_with_config("wss://localhost/", stream, Some(frugal()))
        .map_err(|error| error.to_string())
        .unwrap();
    socket
}

/// Says something, and hears it again.
pub(crate) fn say(socket: &mut Client, word: impl Into<String>) {
    let word = Message::text(word.into());
    socket.send(word.clone()).unwrap();
    assert!(socket.read().unwrap() == word, "something else came back");
}

/// Until both sides have agreed on it.
pub(crate) fn close(socket: &mut Client) {
    socket.close(None).unwrap();
    loop {
        match socket.read() {
            Ok(_) => {}
            Err(Error::ConnectionClosed) => return,
            Err(error) => panic!("{error}"),
        }
    }
}
