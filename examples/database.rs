//! A database that is closed whatever happens, and whose closing waits.
//!
//! ```text
//! cargo run --example database                               # the work is done
//! cargo run --example database -- --ending panic             # it fails
//! cargo run --example database -- --ending cancel --virtual  # it takes too long
//! ```
//!
//! ```python
//! import asyncio, database
//!
//! async def main():
//!     async with asyncio.timeout(2.5):
//!         async with database.connect("proto://127.0.0.1:7070") as db:
//!             print(await db.set_key("cow", "Moo!"))
//!
//! asyncio.run(main())
//! ```
//!
//! What to notice:
//!
//! - [`with`] is `async with`. To connect, to set and to close all wait, for answers
//!   that take the server a second each.
//! - All three endings print the same lines. A destructor could not do that: it has
//!   nowhere to put an error, and should not wait. [`with`] catches what unwinds,
//!   closes in ordinary code that no cancellation reaches, then goes on unwinding.
//! - A body that was cancelled may have left an answer on its way. `database/client.rs`
//!   needs two lines to be ready for that, and reads like a blocking client else.

#[path = "database/client.rs"]
pub(crate) mod database;
#[path = "database/server.rs"]
pub(crate) mod server;
pub(crate) mod support;

use std::time::Duration;
use std::{env, io};

use greenroom::net::TcpListener;
use greenroom::{Clock, Config, Runtime, move_on_after, scope, with};
use server::Store;
use support::say;

/// How long the work may take, without the closing.
const PATIENCE: Duration = Duration::from_millis(2500);

/// How the work ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Return,
    Panic,
    Cancel,
}

fn main() -> io::Result<()> {
    let (mut clock, mut ending) = (Clock::real(), Ending::Return);
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--virtual" => clock = Clock::virtual_(),
            "--ending" => {
                ending = match arguments.next().as_deref() {
                    Some("return") => Ending::Return,
                    Some("panic") => Ending::Panic,
                    Some("cancel") => Ending::Cancel,
                    _ => panic!("an ending is one of return, panic and cancel"),
                }
            }
            _ => panic!("the arguments are --virtual and --ending"),
        }
    }
    Runtime::with(Config::new().clock(clock)).run(|| program(ending, &Store::default()))
}

/// A server and its client: three seconds, four if it is cancelled.
///
/// # Panics
///
/// With that ending, after the database was closed.
pub(crate) fn program(ending: Ending, store: &Store) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("proto://{}", listener.local_addr()?);
    scope(|s| {
        let server = s.spawn(|| server::serve(&listener, store));
        let work = move_on_after(PATIENCE, || {
            with(database::connect(&url)?, |db| {
                say(db.set_key("cow", "Moo!")?);
                match ending {
                    Ending::Return => Ok(()),
                    Ending::Panic => panic!("the cow ran away"),
                    // Takes until the time is over, and longer.
                    Ending::Cancel => db.set_key("sheep", "Baa!").map(drop),
                }
            })
        });
        server.cancel();
        work.unwrap_or(Ok(()))
    })
}
