//! The promise: a websocket over TLS can push what comes up and answer what it is asked, in one task.
//!
//! What to notice: rustls and tungstenite take more from the socket than they give out at once, so the socket may have
//! nothing while they have several messages. [`pushes_and_answers`] reads until they have nothing either, and only then
//! waits for the socket.

use std::io::ErrorKind;

use ecosystem::tls::{self, Identity, ServerStream};
use greenroom::net::{TcpListener, TcpStream};
use greenroom::sync::{Receiver, bounded};
use greenroom::{run, select, spawn};
use tungstenite::{Error, Message, Result, WebSocket};

type Socket = WebSocket<ServerStream<TcpStream>>;

/// What ends a wait.
enum Event {
    /// There is something to read.
    Read,
    /// Somebody has something to say.
    Push(Message),
    /// Nobody has any more.
    Silence,
}

/// Says back what is said, and says what comes out of `outbox`, until either side has had enough.
fn pushes_and_answers(socket: &mut Socket, outbox: &Receiver<Message>) -> Result<()> {
    loop {
        // Whatever lies in the buffers, and then in the socket. It does not wait.
        while let Some(message) = read_now(socket)? {
            if message.is_text() {
                socket.send(message)?;
            }
        }
        // Answers to pings, for instance. It waits if it has to.
        socket.flush()?;
        let event = select! {
            readable(&socket.get_ref().sock) -> ready => ready.map(|()| Event::Read)?,
            recv(outbox) -> message => message.map_or(Event::Silence, Event::Push),
        };
        match event {
            Event::Read => {}
            Event::Push(message) => socket.send(message)?,
            Event::Silence => return socket.close(None),
        }
    }
}

/// A message, if one is there in whole. A half of one stays in the buffers.
fn read_now(socket: &mut Socket) -> Result<Option<Message>> {
    socket.get_ref().sock.set_nonblocking(true)?;
    let read = socket.read();
    socket.get_ref().sock.set_nonblocking(false)?;
    match read {
        Ok(message) => Ok(Some(message)),
        Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

#[test]
fn one_task_pushes_and_answers() {
    run(|| {
        let identity = Identity::localhost().unwrap();
        let (server, client) = (identity.server().unwrap(), identity.client().unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (send, outbox) = bounded(1);
        let serving = spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            stream.set_nodelay(true).unwrap();
            let stream = tls::accept(stream, &server).unwrap();
            let mut socket = tungstenite::accept(stream).unwrap();
            pushes_and_answers(&mut socket, &outbox)
        });
        let stream = tls::connect(address, &client).unwrap();
        let (mut socket, _) = tungstenite::client("wss://localhost/", stream).unwrap();
        let text = |socket: &mut WebSocket<_>| match socket.read().unwrap() {
            Message::Text(text) => text.to_string(),
            other => panic!("{other:?}"),
        };
        for round in 0..100 {
            // Nobody asks, and it says something.
            send.send(Message::text(format!("news {round}"))).unwrap();
            assert_eq!(text(&mut socket), format!("news {round}"));
            // Three at once, in one record: the socket is empty after the first.
            for n in 0..3 {
                socket.write(Message::text(format!("{n}"))).unwrap();
            }
            socket.flush().unwrap();
            for n in 0..3 {
                assert_eq!(text(&mut socket), n.to_string());
            }
        }
        // Longer than the sockets hold, while it pushes, too.
        let long = "long".repeat(1 << 18);
        send.send(Message::text("last")).unwrap();
        socket.send(Message::text(long.clone())).unwrap();
        let mut both = [text(&mut socket), text(&mut socket)];
        both.sort_unstable();
        assert!(both == ["last".to_owned(), long]);
        drop(send);
        assert!(socket.read().unwrap().is_close());
        drop(socket);
        serving.join().unwrap().unwrap();
    });
}
