//! A server for HTTPS and for websockets, on one port and on one OS thread.
//!
//! What to notice:
//!
//! - `converse` is the life of one connection, told from beginning to end: shake hands, then read and answer,
//!   until one side has had enough. Blocking calls, four crates deep, and no callback.
//! - The end is asked for in one place, [`Server::end`], and felt wherever the server waits for something new:
//!   for a connection, for a request, for a message. What was begun is finished, in `finish`.
//! - The scope tells of the end by an error instead of unwinding (`Delivery::Error`): the websocket that was
//!   waiting for a message is as it was, and can still say goodbye.

use std::cell::Cell;
use std::io::{self, BufRead, ErrorKind, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use greenroom::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use greenroom::{CancelScope, Delivery, Instant, is_cancelled, supervise, timeout};
use rustls::ServerConfig;
use tungstenite::http::StatusCode;
use tungstenite::http::header::{CONNECTION, HeaderValue};
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{CloseFrame, WebSocket};

use crate::http::{self, Request, Response};
use crate::tls::{self, Identity, ServerStream};

/// How long a client may keep the server waiting.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a websocket's client has to agree to the end.
const FAREWELL: Duration = Duration::from_secs(5);

/// A server that can be told to end.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    ending: CancelScope,
    open: Cell<usize>,
    accepted: Cell<usize>,
}

impl Server {
    /// A server at this address. Clients can connect from now on, and are served from [`serve`](Self::serve) on.
    ///
    /// # Errors
    /// What the socket says, and what rustls says of the key.
    pub fn bind(address: impl ToSocketAddrs, identity: &Identity) -> io::Result<Self> {
        Ok(Self {
            listener: TcpListener::bind(address)?,
            tls: identity.server()?,
            ending: CancelScope::builder().delivery(Delivery::Error).build(),
            open: Cell::new(0),
            accepted: Cell::new(0),
        })
    }

    /// Where it is.
    ///
    /// # Errors
    /// What the socket says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// How many clients have shaken hands and have not gone.
    pub fn open(&self) -> usize {
        self.open.get()
    }

    /// How many clients have come.
    pub fn accepted(&self) -> usize {
        self.accepted.get()
    }

    /// Asks for the end. [`serve`](Self::serve) returns when what was begun is done.
    pub fn end(&self) {
        self.ending.cancel("the server ends");
    }

    /// Serves until the end is asked for: HTTP requests by `app`, websockets by echoing.
    ///
    /// # Errors
    /// What the listener says.
    pub fn serve(&self, app: impl Fn(&Request) -> Response) -> io::Result<()> {
        let served = self.ending.run(|| {
            supervise(|s| {
                loop {
                    let (stream, _) = match self.listener.accept() {
                        Err(_) if is_cancelled() => return Ok(()),
                        accepted => accepted?,
                    };
                    self.accepted.set(self.accepted.get() + 1);
                    let app = &app;
                    // A connection that breaks ends itself and nothing else.
                    s.spawn(move || drop(self.converse(stream, app)));
                }
            })
        });
        served.unwrap_or(Ok(()))
    }

    /// One connection, from the handshake to the end.
    fn converse(
        &self,
        stream: TcpStream,
        app: &impl Fn(&Request) -> Response,
    ) -> tungstenite::Result<()> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let shake_hands = || tls::accept(stream, &self.tls);
        let mut stream = timeout(PATIENCE, shake_hands).map_err(io::Error::from)??;
        let _open = Counted::new(&self.open);
        while is_asked(&mut stream)? {
            let request = match finish(PATIENCE, || http::read_request(&mut stream)) {
                Err(error) if error.kind() == ErrorKind::InvalidData => {
                    let complaint = http::text(StatusCode::BAD_REQUEST, error.to_string());
                    http::write_response_to(&mut stream, &complaint)?;
                    break;
                }
                request => request?,
            };
            if http::wants_websocket(&request) {
                // It may be quiet for as long as it likes.
                stream.sock.set_read_timeout(None)?;
                say_back(&mut http::upgrade(&mut stream, request)?)?;
                break;
            }
            let mut response = finish(PATIENCE, || Ok(app(&request)))?;
            let last = is_cancelled() || !http::keeps_alive(&request);
            if last {
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(CONNECTION, close);
            }
            finish(PATIENCE, || http::write_response_to(&mut stream, &response))?;
            if last {
                break;
            }
        }
        Ok(finish(FAREWELL, || tls::close(&mut stream))?)
    }
}

/// Waits for the next request to begin. `false` if there will be none, or if the server ends.
fn is_asked(stream: &mut ServerStream<TcpStream>) -> io::Result<bool> {
    match stream.fill_buf() {
        Ok(bytes) => Ok(!bytes.is_empty()),
        Err(_) if is_cancelled() => Ok(false),
        // It closed without saying so.
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// A websocket's life: whatever is said, it says back. If the server ends, it says so, and waits for the client
/// to agree.
fn say_back<S: Read + Write>(socket: &mut WebSocket<S>) -> tungstenite::Result<()> {
    let end = echo(socket);
    if !is_cancelled() {
        return end;
    }
    finish(FAREWELL, || {
        let farewell = CloseFrame {
            code: CloseCode::Away,
            reason: "the server ends".into(),
        };
        let _told = socket.close(Some(farewell)).and_then(|()| echo(socket));
        Ok(())
    })?;
    Ok(())
}

/// Says back what is said, until the client has had enough.
///
/// # Errors
/// What the stream says, and what tungstenite says of the client.
pub fn echo<S: Read + Write>(socket: &mut WebSocket<S>) -> tungstenite::Result<()> {
    loop {
        match socket.read() {
            Ok(message) if message.is_text() || message.is_binary() => socket.send(message)?,
            Ok(_) => {}
            Err(tungstenite::Error::ConnectionClosed) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// Does what was begun, even if the server ends meanwhile, but not for ever.
fn finish<T>(limit: Duration, body: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    CancelScope::builder()
        .shield()
        .deadline(Instant::now() + limit)
        .build()
        .run(body)
        .unwrap_or_else(|| Err(ErrorKind::TimedOut.into()))
}

/// One more, until it is dropped.
struct Counted<'a>(&'a Cell<usize>);

impl<'a> Counted<'a> {
    fn new(count: &'a Cell<usize>) -> Self {
        count.set(count.get() + 1);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}
