//! A chat server: names, rooms, and nobody waits for anybody.
//!
//! ```text
//! cargo run --example chat                        # on 127.0.0.1:7009, until it is ended
//! cargo run --example chat -- 127.0.0.1:9000
//! nc 127.0.0.1 7009                               # in two windows or more
//! ```
//!
//! ```text
//! * your name?
//! ann
//! * welcome to lobby, ann. Here: nobody else
//! * bob is here
//! bob: hello
//! /join tea                          /name anna   /who   /quit
//! ```
//!
//! What to notice:
//!
//! - Each client has two tasks, one that reads and one that writes, and between them a
//!   queue of [`LINES`] lines. Whoever says something puts it into the queues of the others,
//!   which is no place to wait: who does not read is in nobody's way.
//! - Who is too slow for its queue loses the oldest lines and is told how many: `* you
//!   missed 12 lines`. Who takes nothing for [`PATIENCE`] is let go.
//! - A [`Seat`](hall::Seat) is left when it is dropped: by `/quit`, at the end of the
//!   connection, when it breaks, when the server is cancelled. So everybody who came is
//!   seen to go.
//! - Memory is bounded: [`CLIENTS`] clients, each with so many lines of [`LINE`] bytes and
//!   the name of who says them. A list of names is no longer than a line, either.

#![expect(clippy::print_stdout, reason = "programs talk to people")]

#[path = "chat/client.rs"]
pub(crate) mod client;
#[path = "chat/hall.rs"]
pub(crate) mod hall;

use std::time::Duration;
use std::{env, io};

use greenroom::net::TcpListener;
use greenroom::{run, supervise};

use hall::Hall;

/// How many clients there may be. Others wait at the door.
pub(crate) const CLIENTS: usize = 1000;
/// How many lines wait for a client that is slow.
pub(crate) const LINES: usize = 64;
/// How long a line may be that a client sends, in bytes.
pub(crate) const LINE: usize = 1024;
/// How long a client may take nothing of what it is sent.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

fn main() -> io::Result<()> {
    let address = env::args().nth(1).unwrap_or("127.0.0.1:7009".to_owned());
    run(|| {
        let listener = TcpListener::bind(address)?;
        println!("listening on {}", listener.local_addr()?);
        serve(&listener)
    })
}

/// Lets everybody talk, until it is cancelled.
pub(crate) fn serve(listener: &TcpListener) -> io::Result<()> {
    let hall = Hall::default();
    supervise(|s| {
        s.set_limit(CLIENTS);
        for stream in listener.incoming() {
            let (stream, hall) = (stream?, &hall);
            // How a connection came to its end is news only to those who hear `left`.
            s.spawn(move || client::converse(&stream, hall).ok());
        }
        Ok(())
    })
}
