//! A ticker that sends prices to whoever listens, and waits for nobody.
//!
//! ```text
//! cargo run --example ticker
//! cargo run --example ticker -- --virtual
//! cargo run --example ticker -- serve                          # on 127.0.0.1:7008, a line a second
//! cargo run --example ticker -- serve 127.0.0.1:9000 100 250   # a hundred lines, one each 250 ms
//! nc 127.0.0.1 7008
//! ```
//!
//! ```python
//! import asyncio
//!
//! subscribers = set()  # a queue each: it grows for the slow, or the ticker waits for them
//!
//! async def tick(prices):
//!     for price in prices:
//!         for queue in subscribers:
//!             queue.put_nowait(price)
//!         await asyncio.sleep(1)
//!
//! async def follow(name):
//!     subscribers.add(queue := asyncio.Queue())
//!     while (price := await queue.get()) is not None:
//!         print(f"{name}: {price}")
//! ```
//!
//! What to notice:
//!
//! - [`broadcast`] is one queue for all. Sending is no place where the ticker could wait, so
//!   no subscriber is in the way of another.
//! - Whoever is too slow for the room there is is told how much it has missed, and goes on.
//!   So memory is bounded by the room, not by the slowest.
//! - A subscriber comes by [`subscribe`](BroadcastSender::subscribe) and goes by dropping its
//!   receiver. Nobody keeps a list.
//! - [`serve`] gives each client a task that only writes. A client that does not read fills
//!   its connection, its task waits, and misses lines: nobody else notices.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "programs talk to people"
)]

pub(crate) mod support;

use std::env;
use std::io::{self, Write};
use std::rc::Rc;
use std::time::Duration;

use greenroom::net::{TcpListener, TcpStream};
use greenroom::sync::{BroadcastReceiver, BroadcastSender, Lagged, broadcast};
use greenroom::{interval, run, scope, sleep, supervise};
use support::say;

const SECOND: Duration = Duration::from_secs(1);

/// How many prices wait for slow subscribers.
const ROOM: usize = 2;

/// How many lines wait for slow clients.
const LINES: usize = 16;

/// How long a client may take no byte of what it is sent.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

fn main() -> io::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.split_first() {
        Some((word, rest)) if word == "serve" => serve_at(rest),
        _ => {
            support::runtime().run(program);
            Ok(())
        }
    }
}

/// A ticker and its subscribers: twelve seconds, of which the ticker takes seven.
pub(crate) fn program() {
    let (prices, receiver) = broadcast(ROOM);
    scope(|s| {
        let (quick, slow) = (receiver.clone(), receiver.clone());
        s.spawn(|| follow("quick", quick, Duration::ZERO));
        s.spawn(|| follow("slow", slow, SECOND * 12 / 5));
        s.spawn(|| leave("brief", receiver));
        let later = prices.clone();
        s.spawn(|| join_late("late", later));
        tick(prices);
    });
}

/// Sends a price every second, the first at once.
fn tick(prices: BroadcastSender<u32>) {
    let mut seconds = interval(SECOND);
    for price in [100, 103, 101, 98, 99, 104, 107, 105] {
        seconds.tick();
        if prices.send(price).is_err() {
            break; // nobody listens any more
        }
    }
    say("ticker: done");
}

/// Says every price, and thinks about each for a while.
fn follow(name: &str, prices: BroadcastReceiver<u32>, pause: Duration) {
    for price in prices {
        match price {
            Ok(price) => {
                say(format!("{name}: {price}"));
                if !pause.is_zero() {
                    sleep(pause);
                }
            }
            Err(Lagged(count)) => say(format!("{name}: missed {count}")),
        }
    }
    say(format!("{name}: closed"));
}

/// Has seen enough after three prices.
fn leave(name: &str, mut prices: BroadcastReceiver<u32>) {
    for price in prices.iter().flatten().take(3) {
        say(format!("{name}: {price}"));
    }
    say(format!("{name}: leaves"));
}

/// Comes when some prices have been sent; these it never sees.
fn join_late(name: &str, prices: BroadcastSender<u32>) {
    sleep(SECOND * 7 / 2);
    let receiver = prices.subscribe();
    drop(prices); // the market closes with its last sender
    say(format!("{name}: joins"));
    follow(name, receiver, Duration::ZERO);
}

/// `serve [address [lines [milliseconds]]]`.
fn serve_at(arguments: &[String]) -> io::Result<()> {
    let number = |at: usize, default: usize| match arguments.get(at) {
        Some(text) => text.parse().map_err(io::Error::other),
        None => Ok(default),
    };
    let address = arguments.first().map_or("127.0.0.1:7008", String::as_str);
    let (count, period) = (number(1, usize::MAX)?, number(2, 1000)?);
    let period = Duration::from_millis(period.max(1).try_into().map_err(io::Error::other)?);
    run(|| {
        let listener = TcpListener::bind(address)?;
        println!("listening on {}", listener.local_addr()?);
        // A price that wanders up and down.
        let lines = (1..=count).map(|n| format!("{n}: {}", 100 + n * 37 % 23));
        serve(&listener, period, lines)
    })
}

/// Sends these lines to every client there is, one each `period`, and returns when the
/// last client has all it is to have.
pub(crate) fn serve(
    listener: &TcpListener,
    period: Duration,
    lines: impl Iterator<Item = String>,
) -> io::Result<()> {
    let (ticks, _) = broadcast(LINES);
    supervise(|s| {
        let door = s.spawn(|| {
            for client in listener.incoming() {
                let (client, lines) = (client?, ticks.subscribe());
                s.spawn(move || {
                    if let Err(error) = tell(&client, lines) {
                        eprintln!("{client:?}: {error}");
                    }
                });
            }
            Ok::<(), io::Error>(())
        });
        let mut ticker = interval(period);
        ticker.tick(); // comes at once
        for line in lines {
            ticker.tick();
            if door.is_finished() {
                break;
            }
            // One line for all: what is cloned is the pointer. That nobody listens is no
            // reason to stop.
            let _clients = ticks.send(Rc::<str>::from(line + "\n"));
        }
        ticks.close();
        door.cancel();
        // Cancelled is well; returned is why it could not go on.
        door.join().unwrap_or(Ok(()))
    })
}

/// Writes to one client, until there is nothing more to come.
fn tell(mut client: &TcpStream, lines: BroadcastReceiver<Rc<str>>) -> io::Result<()> {
    client.set_nodelay(true)?;
    client.set_write_timeout(Some(PATIENCE))?;
    for line in lines {
        match line {
            Ok(line) => client.write_all(line.as_bytes())?,
            Err(Lagged(count)) => client.write_all(format!("missed {count}\n").as_bytes())?,
        }
    }
    client.write_all(b"closed\n")
}
