//! A loop over rows that come from far away, one at a time.
//!
//! ```python
//! import asyncio
//!
//! class RemoteContainer:
//!     def __aiter__(self):
//!         return self
//!
//!     async def __anext__(self):
//!         self.writer.write(b"next\n")
//!         row = await self.reader.readline()
//!         if not row:
//!             raise StopAsyncIteration
//!         return row.decode().strip()
//!
//! async def main():
//!     ticker = asyncio.create_task(tick())
//!     async for row in remote_container:
//!         print(row)
//!     ticker.cancel()
//! ```
//!
//! What to notice:
//!
//! - `for`, not `async for`: a regular `__next__` cannot wait in Python, so there is a
//!   second kind of iterator, and a second kind of loop. Here `next` waits as any
//!   function may, and the container is an [`Iterator`].
//! - So it has all that iterators have: `take`, `zip`, `sum`, `collect`. The rows that
//!   nobody takes are never asked for.
//! - While `next` waits the ticker ticks, on the same thread.

pub(crate) mod support;

use std::io::{self, BufRead, BufReader, Write};
use std::time::Duration;

use greenroom::net::{SocketAddr, TcpListener, TcpStream};
use greenroom::{sleep, try_scope};
use support::say;

/// How long the server looks for each row.
const SEARCH: Duration = Duration::from_secs(2);

fn main() -> io::Result<()> {
    support::runtime().run(program)
}

/// Three rows, and the ticks between them: eight seconds, for the server also looks
/// for the row after the last.
pub(crate) fn program() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let remote_container = RemoteContainer::connect(listener.local_addr()?)?;
    try_scope(|s| {
        let server = s.spawn(|| serve(&listener, &["one", "two", "three"]));
        let ticker = s.spawn(tick);
        for row in remote_container {
            say(format!("row: {}", row?));
        }
        ticker.cancel();
        server.join();
        Ok(())
    })
}

/// Between the rows, for ever.
fn tick() -> io::Result<()> {
    sleep(SEARCH / 2);
    loop {
        say("tick");
        sleep(SEARCH);
    }
}

/// Rows of a table that lies elsewhere. Each is fetched when it is asked for.
pub(crate) struct RemoteContainer(BufReader<TcpStream>);

impl RemoteContainer {
    pub(crate) fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Asks for a row, and waits for it. `None` if there is none left.
    fn fetch(&mut self) -> io::Result<Option<String>> {
        self.0.get_mut().write_all(b"next\n")?;
        let mut row = String::new();
        self.0.read_line(&mut row)?;
        Ok(row.strip_suffix('\n').map(str::to_owned))
    }
}

impl Iterator for RemoteContainer {
    type Item = io::Result<String>;

    fn next(&mut self) -> Option<Self::Item> {
        self.fetch().transpose()
    }
}

/// Serves one client. The end of the rows is the end of the connection.
pub(crate) fn serve(listener: &TcpListener, rows: &[&str]) -> io::Result<()> {
    let (stream, _) = listener.accept()?;
    stream.set_nodelay(true)?;
    let mut writer = &stream;
    let mut rows = rows.iter();
    for _next in BufReader::new(&stream).lines() {
        sleep(SEARCH);
        match rows.next() {
            Some(row) => writer.write_all(format!("{row}\n").as_bytes())?,
            None => break,
        }
    }
    Ok(())
}
