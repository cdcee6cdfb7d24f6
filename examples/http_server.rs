//! A small web server: a task for each connection, and as many threads as one likes.
//!
//! ```text
//! cargo run --release --example http_server                      # on 127.0.0.1:8080
//! cargo run --release --example http_server -- --root target/doc
//! cargo run --release --example http_server -- --cores 2
//! cargo run --example http_server -- 127.0.0.1:9000 3            # ends after three connections
//! curl -i http://127.0.0.1:8080/
//! curl -N http://127.0.0.1:8080/stream                           # a line now and then
//! curl -r 0-99 http://127.0.0.1:8080/greenroom/index.html        # with --root
//! wrk -t1 -c64 -d3s http://127.0.0.1:8080/
//! ```
//!
//! Ctrl-C ends it: nobody is let in any more, requests that are being answered have
//! [`GRACE`] to end, and what is left then is cancelled.
//!
//! What to notice:
//!
//! - `http_server/requests.rs` turns bytes into requests and never waits: it is tested with
//!   bytes. What it calls back for each of them may wait, and need not say so.
//!   `http_server/connection.rs` waits, and reads like a program with one client.
//! - A request costs one `recv` and one `send`. Requests that came together are
//!   answered together, by one write.
//! - Whoever is slow costs a task, not a thread, and no longer than [`Limits`] says: a
//!   request or a portion of an answer has a limit as a whole, however it drips.
//! - Memory is bounded. A connection has 16 KiB for requests, a portion of 32 KiB and a head
//!   for answers, and the part of its stack that it has used, of some pages:
//!   [`CONNECTIONS`] of them stay below 80 MiB for a core. Those that come then wait in
//!   the system's queue, no longer than the slowest may take.
//! - With `--cores` each thread has a runtime and a listener of its own at the same address.
//!   The system deals out the connections, and the threads share nothing.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "programs talk to people"
)]

#[path = "http_server/answers.rs"]
pub(crate) mod answers;
#[path = "http_server/arguments.rs"]
pub(crate) mod arguments;
#[path = "http_server/connection.rs"]
pub(crate) mod connection;
#[path = "http_server/files.rs"]
pub(crate) mod files;
#[path = "http_server/guests.rs"]
pub(crate) mod guests;
#[path = "http_server/requests.rs"]
pub(crate) mod requests;
#[path = "http_server/site.rs"]
pub(crate) mod site;
#[path = "http_server/stream.rs"]
pub(crate) mod stream;

use std::io::{self, ErrorKind};
use std::thread;
use std::time::Duration;

use arguments::{Arguments, bind};
use connection::Limits;
use greenroom::net::TcpListener;
use greenroom::signal::{SignalKind, Signals};
use greenroom::{CancelScope, Instant, race, run, try_supervise};
use guests::{Guest, Guests};
use site::Site;

/// How many connections there are at once, at most, for each core.
pub(crate) const CONNECTIONS: usize = 1024;
/// How long requests may go on after the word to stop.
pub(crate) const GRACE: Duration = Duration::from_secs(5);

fn main() -> io::Result<()> {
    let arguments = Arguments::read(std::env::args().skip(1))?;
    let first = bind(arguments.address, arguments.cores > 1)?;
    let address = first.local_addr()?;
    let mut listeners = vec![first];
    for _ in 1..arguments.cores {
        listeners.push(bind(address, true)?);
    }
    println!("listening on http://{address}/");
    let server = &Server {
        site: Site {
            root: arguments.root,
        },
        limits: Limits::default(),
        at_once: CONNECTIONS,
    };
    let serve_on = |listener: TcpListener| {
        run(|| {
            let signals = Signals::new([SignalKind::INTERRUPT, SignalKind::TERMINATE])?;
            // Every runtime hears every signal.
            let stop = || drop(signals.recv());
            server.serve(listener, arguments.connections, stop)
        })
    };
    thread::scope(|threads| {
        let others: Vec<_> = listeners
            .drain(1..)
            .map(|listener| threads.spawn(move || serve_on(listener)))
            .collect();
        let mine = listeners.drain(..).try_for_each(serve_on);
        let results = others.into_iter().map(|thread| {
            let ended = thread.join();
            ended.unwrap_or_else(|_| Err(io::Error::other("a thread panicked")))
        });
        results.fold(mine, Result::and)
    })
}

/// What is served, and how.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(crate) site: Site,
    pub(crate) limits: Limits,
    /// How many connections there are at once, at most.
    pub(crate) at_once: usize,
}

/// Why the door was closed.
enum Closed {
    Stopped,
    Enough(io::Result<()>),
}

impl Server {
    /// Serves so many connections, until `stop` returns, and returns when all have ended.
    pub(crate) fn serve(
        &self,
        listener: TcpListener,
        connections: usize,
        stop: impl FnOnce(),
    ) -> io::Result<()> {
        let guests = Guests::default();
        let all = CancelScope::new();
        let ended = all.run(|| {
            try_supervise(|s| {
                s.set_limit(self.at_once);
                let guests = &guests;
                // The listener goes with this closure: once it is over nobody can come in.
                let open = move || {
                    for stream in listener.incoming().take(connections) {
                        let guest = guests.welcome(stream?);
                        s.spawn(move || self.entertain(&guest));
                    }
                    Ok(())
                };
                let ways: [Box<dyn FnOnce() -> Closed + '_>; 2] = [
                    Box::new(|| Closed::Enough(open())),
                    Box::new(|| {
                        stop();
                        Closed::Stopped
                    }),
                ];
                match race(ways) {
                    Closed::Enough(result) => result,
                    Closed::Stopped => {
                        guests.see_off();
                        all.set_deadline(Some(Instant::now() + GRACE));
                        Ok(())
                    }
                }
            })
        });
        // The deadline cut some of them short, and that is no error.
        ended.unwrap_or(Ok(()))
    }

    fn entertain(&self, guest: &Guest<'_>) {
        let served = connection::serve(guest.stream(), &self.site, &self.limits);
        if let Some(error) = served.err().filter(is_news) {
            eprintln!("{:?}: {error}", guest.stream());
        }
    }
}

/// A client that left without a word is none.
fn is_news(error: &io::Error) -> bool {
    !matches!(
        error.kind(),
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::NotConnected
    )
}
