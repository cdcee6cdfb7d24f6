//! A small Redis: keys and values over RESP, one thread, no locks.
//!
//! ```text
//! cargo run --release --example mini_redis                      # on 127.0.0.1:6380
//! cargo run --release --example mini_redis -- 127.0.0.1:9000
//! redis-cli -p 6380 set cow Moo! ex 60
//! redis-cli -p 6380                                             # and then: get cow, ttl cow
//! redis-benchmark -p 6380 -t ping,set,get,incr -c 50 -P 16 -n 100000
//! printf 'set n 41\r\nincr n\r\nquit\r\n' | nc 127.0.0.1 6380
//! ```
//!
//! What to notice:
//!
//! - All clients share one [`Store`] in a `RefCell`. It is borrowed while requests are
//!   answered, which never waits, and given back before anything is written. So there
//!   is no lock, and no request sees half of another.
//! - A client that sends many requests at once has them answered by one write:
//!   `mini_redis/connection.rs`.
//! - Requests are slices of what was read, answers are appended to what will be written:
//!   to get or set a key that is there allocates nothing.
//! - Keys that expire are found out when somebody asks for them, and by a task that
//!   comes by ten times a second. It is a loop with a `sleep`.
//! - Memory for a client is bounded: [`MOST_REQUEST`](request::MOST_REQUEST) for what it
//!   sends, an answer and [`PORTION`](connection::PORTION) for what it is sent. Who does
//!   not take its answers is not read from.

#![expect(clippy::print_stdout, reason = "programs talk to people")]

#[path = "mini_redis/answers.rs"]
pub(crate) mod answers;
#[path = "mini_redis/commands.rs"]
pub(crate) mod commands;
#[path = "mini_redis/connection.rs"]
pub(crate) mod connection;
#[path = "mini_redis/request.rs"]
pub(crate) mod request;
#[path = "mini_redis/store.rs"]
pub(crate) mod store;

use std::cell::RefCell;
use std::time::Duration;
use std::{env, io};

use greenroom::net::TcpListener;
use greenroom::{interval, run, supervise, yield_now};

use store::Store;

/// How many clients there may be. Others wait at the door.
const CLIENTS: usize = 10_000;
/// How often keys are looked for that have expired, and how many are removed at once.
const SWEEP: Duration = Duration::from_millis(100);
const SWEPT: usize = 1000;

fn main() -> io::Result<()> {
    let address = env::args().nth(1).unwrap_or("127.0.0.1:6380".to_owned());
    run(|| {
        let listener = TcpListener::bind(address)?;
        println!("listening on {}", listener.local_addr()?);
        serve(&listener, &RefCell::default())
    })
}

/// Serves everybody, until it is cancelled.
pub(crate) fn serve(listener: &TcpListener, store: &RefCell<Store>) -> io::Result<()> {
    supervise(|s| {
        s.set_limit(CLIENTS + 1);
        s.spawn(|| sweep(store));
        for stream in listener.incoming() {
            let stream = stream?;
            // How a connection came to its end is the client's affair.
            s.spawn(move || connection::serve(&stream, store).ok());
        }
        Ok(())
    })
}

/// Removes what has expired, also if nobody ever asks for it again.
fn sweep(store: &RefCell<Store>) {
    let mut ticks = interval(SWEEP);
    loop {
        ticks.tick();
        while store.borrow_mut().remove_expired(SWEPT) == SWEPT {
            yield_now();
        }
    }
}
