//! A small web server: a task for each connection, all on one thread.
//!
//! ```text
//! cargo run --release --example http_server                      # on 127.0.0.1:8080
//! cargo run --example http_server -- 127.0.0.1:9000 3            # ends after three connections
//! curl -i http://127.0.0.1:8080/
//! wrk -t1 -c64 -d3s http://127.0.0.1:8080/
//! ```
//!
//! What to notice:
//!
//! - `http_server/requests.rs` turns bytes into answers and never waits: it is tested
//!   with bytes. `http_server/connection.rs` waits, and reads like a program with
//!   one client.
//! - A request costs one `recv` and one `send`. Requests that came together are
//!   answered together, by one write.
//! - Whoever is slow costs a task, not a thread, and no longer than [`Limits`] says.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "programs talk to people"
)]

#[path = "http_server/connection.rs"]
pub(crate) mod connection;
#[path = "http_server/requests.rs"]
pub(crate) mod requests;

use std::env;
use std::io::{self, ErrorKind};

use connection::Limits;
use greenroom::net::TcpListener;
use greenroom::sync::unbounded;
use greenroom::{run, spawn};

fn main() -> io::Result<()> {
    let mut arguments = env::args().skip(1);
    let address = arguments.next().unwrap_or("127.0.0.1:8080".to_owned());
    let connections = match arguments.next() {
        Some(number) => number.parse().map_err(io::Error::other)?,
        None => usize::MAX,
    };
    run(|| {
        let listener = TcpListener::bind(address)?;
        println!("listening on http://{}/", listener.local_addr()?);
        serve(&listener, connections, Limits::default())
    })
}

/// Serves so many connections, all at once, and returns when the last has ended.
pub(crate) fn serve(listener: &TcpListener, connections: usize, limits: Limits) -> io::Result<()> {
    // Nothing is ever sent. Each connection's task holds a sender, and the
    // receiver notices when the last of them is gone.
    let (open, all_closed) = unbounded::<()>();
    for stream in listener.incoming().take(connections) {
        let (stream, open) = (stream?, open.clone());
        spawn(move || {
            let served = connection::serve(&stream, &limits);
            if let Some(error) = served.err().filter(is_news) {
                eprintln!("{stream:?}: {error}");
            }
            drop(open);
        });
    }
    drop(open);
    all_closed.iter().for_each(drop);
    Ok(())
}

/// A client that left without a word is none.
fn is_news(error: &io::Error) -> bool {
    !matches!(
        error.kind(),
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::NotConnected
    )
}
