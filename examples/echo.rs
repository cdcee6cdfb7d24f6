//! A cooperative server: whatever a client says, it hears again.
//!
//! ```text
//! cargo run --example echo                        # on 127.0.0.1:7007, until it is ended
//! cargo run --example echo -- 127.0.0.1:9000 3    # ends when three clients have come and gone
//! nc 127.0.0.1 7007
//! ```
//!
//! ```python
//! import asyncio
//!
//! async def echo(reader, writer):
//!     while data := await reader.read(4096):
//!         writer.write(data)
//!         await writer.drain()
//!     writer.close()
//!
//! async def main():
//!     server = await asyncio.start_server(echo, "127.0.0.1", 7007)
//!     await server.serve_forever()
//!
//! asyncio.run(main())
//! ```
//!
//! What to notice:
//!
//! - [`echo`] is a function one could write for `std::net`, and would then give a
//!   thread for each client. Here each has a task, and all share one thread.
//! - `io::copy` is std's. It knows nothing of tasks, and waits all the same.
//! - Nothing is kept of clients that have gone: a server may run for years.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "programs talk to people"
)]

use std::{env, io};

use greenroom::net::{TcpListener, TcpStream};
use greenroom::sync::unbounded;
use greenroom::{run, spawn};

fn main() -> io::Result<()> {
    let mut arguments = env::args().skip(1);
    let address = arguments.next().unwrap_or("127.0.0.1:7007".to_owned());
    let clients = match arguments.next() {
        Some(number) => number.parse().map_err(io::Error::other)?,
        None => usize::MAX,
    };
    run(|| {
        let listener = TcpListener::bind(address)?;
        println!("listening on {}", listener.local_addr()?);
        serve(&listener, clients)
    })
}

/// Serves so many clients, all at once, and returns when the last has gone.
pub(crate) fn serve(listener: &TcpListener, clients: usize) -> io::Result<()> {
    // Nothing is ever sent. Each client's task holds a sender, and the receiver
    // notices when the last of them is gone.
    let (here, all_gone) = unbounded::<()>();
    for stream in listener.incoming().take(clients) {
        let (stream, here) = (stream?, here.clone());
        spawn(move || {
            if let Err(error) = echo(&stream) {
                eprintln!("{stream:?}: {error}");
            }
            drop(here);
        });
    }
    drop(here);
    all_gone.iter().for_each(drop);
    Ok(())
}

/// Sends everything back, until the client has said all it had to say.
pub(crate) fn echo(stream: &TcpStream) -> io::Result<u64> {
    let (mut from, mut to) = (stream, stream);
    io::copy(&mut from, &mut to)
}
