//! Connecting to a name with many addresses, some of which do not answer.
//!
//! ```text
//! cargo run --example happy_eyeballs
//! cargo run --example happy_eyeballs -- --virtual
//! ```
//!
//! Waiting for one address after the other may take minutes; trying all at once is rude.
//! RFC 8305, "happy eyeballs", begins with the first, goes on to the next when 250 ms have
//! passed or the one before has failed, and takes whichever answers first.
//!
//! ```text
//! ms           0         250       500
//! silent       ====================x      given up
//! silent too             ==========x      given up
//! closed                           !      refused, so the next one begins at once
//! open                             >      connected
//! spare                                   never tried
//! ```
//!
//! What to notice:
//!
//! - [`first_ok`] is the race: each address has a task, the first that connects wins. The
//!   others are cancelled, their sockets closed, and they have ended when it returns.
//! - So the tasks may borrow the list of addresses.
//! - A task that is cut short says so by a destructor, like any value that is dropped.

#[path = "happy_eyeballs/network.rs"]
pub(crate) mod network;
pub(crate) mod support;

use std::io::{self, Read};
use std::time::Duration;

use greenroom::net::{SocketAddr, TcpStream};
use greenroom::sync::{Receiver, bounded};
use greenroom::{first_ok, move_on_after, try_scope};
use network::Network;
use support::say;

/// How long an address is alone before the next one is tried.
const DELAY: Duration = Duration::from_millis(250);

/// One of the addresses of a name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Address {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
}

fn main() -> io::Result<()> {
    support::runtime().run(program)
}

/// Connects to the fourth of five addresses: half a second.
pub(crate) fn program() -> io::Result<()> {
    let network = Network::new()?;
    let addresses = network.addresses()?;
    try_scope(|s| {
        s.spawn(|| network.greet_one());
        let mut stream = connect(&addresses)
            .map_err(|errors| io::Error::other(format!("no address answered: {errors:?}")))?;
        let mut greeting = String::new();
        stream.read_to_string(&mut greeting)?;
        say(greeting);
        Ok(())
    })
}

/// Connects to the first address that answers, or says why none did.
pub(crate) fn connect(addresses: &[Address]) -> Result<TcpStream, Vec<io::Error>> {
    // What each tells the next one, and room for all of it: that it has begun, that
    // it has failed.
    let news: Vec<_> = addresses.iter().map(|_| bounded(2)).collect();
    let news = &news;
    first_ok(addresses.iter().enumerate().map(|(i, address)| {
        move || {
            if let Some((_, previous)) = i.checked_sub(1).map(|i| &news[i]) {
                wait_for_turn(previous);
            }
            let (next, _) = &news[i];
            let _begun = next.send(());
            let stream = attempt(address);
            if stream.is_err() {
                let _failed = next.send(());
            }
            stream
        }
    }))
}

/// Until the one before has begun; then until it has failed, or was alone for long enough.
fn wait_for_turn(previous: &Receiver<()>) {
    let _begun = previous.recv();
    let _failed = move_on_after(DELAY, || previous.recv());
}

fn attempt(address: &Address) -> io::Result<TcpStream> {
    let name = address.name;
    say(format!("{name}: trying"));
    let mut attempt = Attempt {
        name,
        is_settled: false,
    };
    let stream = TcpStream::connect(address.address);
    attempt.is_settled = true;
    say(match &stream {
        Ok(_) => format!("{name}: connected"),
        Err(error) => format!("{name}: {}", error.kind()),
    });
    stream
}

/// A connection that is being made.
struct Attempt {
    name: &'static str,
    is_settled: bool,
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if !self.is_settled {
            say(format!("{}: given up", self.name));
        }
    }
}
