//! A TCP proxy: whoever connects here talks to somebody else.
//!
//! ```text
//! cargo run --release --example http_server                            # on 127.0.0.1:8080
//! cargo run --release --example proxy -- 127.0.0.1:9000 127.0.0.1:8080
//! cargo run --release --example proxy -- 127.0.0.1:9000 127.0.0.1:8080 50   # 50 connections at most
//! curl http://127.0.0.1:9000/
//! ```
//!
//! What to notice:
//!
//! - [`copy_bidirectional`] is all of it: two loops that read and write, one for each
//!   direction, in a scope. Each holds one buffer of 16 KiB, and reads only when it has
//!   written: who sends faster than the other takes is held back by its own connection.
//!   So memory is bounded: for each connection two buffers and two stacks.
//! - The end of one direction is passed on, and the other goes on: half a close is how
//!   many protocols say "that was my question".
//! - An error in one direction cancels the other. No flag, no channel, no thread that
//!   would be left behind in a read.
//! - A connection that breaks is broken on the other side, too. Were it closed there
//!   instead, half a file would look like all of it.
//! - At the limit nobody is turned away: who comes then waits in the system's queue.
//!
//! One thing it does not see: a side that has said its last word and breaks off later is
//! noticed when there is something to write to it.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "programs talk to people"
)]

use std::env;
use std::io::{self, ErrorKind};
use std::time::Duration;

use greenroom::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use greenroom::{copy_bidirectional, run, supervise};
use socket2::SockRef;

/// How many connections there are at once, where nothing else is said.
const CONNECTIONS: usize = 1000;
/// How long the target may take to answer a connection.
const PATIENCE: Duration = Duration::from_secs(10);

fn main() -> io::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (listen, target, connections) = match arguments.as_slice() {
        [listen, target] => (listen, target, CONNECTIONS),
        [listen, target, most] => (listen, target, most.parse().map_err(io::Error::other)?),
        _ => return Err(io::Error::other("usage: proxy LISTEN TARGET [CONNECTIONS]")),
    };
    // A name is looked up here, where nobody waits.
    let target = target.to_socket_addrs()?.next();
    let target = target.ok_or(ErrorKind::AddrNotAvailable)?;
    run(|| {
        let listener = TcpListener::bind(listen)?;
        println!("listening on {}", listener.local_addr()?);
        serve(&listener, target, connections)
    })
}

/// Connects everybody to the target, so many at once, until it is cancelled.
pub(crate) fn serve(
    listener: &TcpListener,
    target: SocketAddr,
    connections: usize,
) -> io::Result<()> {
    supervise(|s| {
        s.set_limit(connections);
        for client in listener.incoming() {
            let client = client?;
            s.spawn(move || {
                if let Err(error) = forward(&client, target) {
                    eprintln!("{client:?}: {error}");
                }
            });
        }
        Ok(())
    })
}

fn forward(client: &TcpStream, target: SocketAddr) -> io::Result<()> {
    let server = match TcpStream::connect_timeout(&target, PATIENCE) {
        Ok(server) => server,
        Err(error) => {
            break_off(client)?;
            return Err(error);
        }
    };
    for stream in [client, &server] {
        stream.set_nodelay(true)?;
        // Somebody whose machine has gone is noticed, some time or other.
        SockRef::from(stream).set_keepalive(true)?;
    }
    let relayed = copy_bidirectional(client, &server);
    if relayed.is_err() {
        break_off(client)?;
        break_off(&server)?;
    }
    relayed.map(drop)
}

/// Has the connection reset when it is closed: what was under way is lost, and both sides know.
fn break_off(stream: &TcpStream) -> io::Result<()> {
    SockRef::from(stream).set_linger(Some(Duration::ZERO))
}
