//! Three pages fetched at once, by a session that keeps its connections.
//!
//! ```text
//! cargo run --example fetch_urls
//! cargo run --example fetch_urls -- --virtual
//! ```
//!
//! ```python
//! import aiohttp, asyncio
//!
//! async def fetch(session, url):
//!     async with session.get(url) as response:
//!         return await response.text()
//!
//! async def main():
//!     async with aiohttp.ClientSession() as session:
//!         pages = await asyncio.gather(*(fetch(session, url) for url in urls))
//!         for page in pages:
//!             print(page)
//! ```
//!
//! What to notice:
//!
//! - The pages take 3, 1 and 2 seconds, all of them 3. They are printed in the order of
//!   the URLs, whichever came first.
//! - `fetch_urls/session.rs` is what one would write for `std::net`: [`Session::get`] is a
//!   function that returns a page. Whoever wants three at once calls it in three tasks.
//! - The session is borrowed by all three. It has no lock: no other task runs between two
//!   lines that do not wait.
//! - The fourth page comes over one of the three connections that are there.

#[path = "fetch_urls/server.rs"]
pub(crate) mod server;
#[path = "fetch_urls/session.rs"]
pub(crate) mod session;
pub(crate) mod support;

use std::io;

use greenroom::net::TcpListener;
use greenroom::{scope, try_gather};

use server::Traffic;
use session::Session;
use support::say;

fn main() -> io::Result<()> {
    support::runtime().run(program)
}

/// A server and four pages of it: three seconds.
pub(crate) fn program() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let base = format!("http://{}", listener.local_addr()?);
    let traffic = Traffic::default();
    scope(|s| {
        let server = s.spawn(|| server::serve(&listener, &traffic));
        let session = Session::new(8);
        let urls = ["first/3", "second/1", "third/2"].map(|path| format!("{base}/{path}"));
        for page in try_gather(urls.each_ref().map(|url| || fetch(&session, url)))? {
            say(page);
        }
        say(fetch(&session, &format!("{base}/fourth/0"))?);
        say(format!(
            "{} requests over {} connections, {} at once",
            traffic.requests.get(),
            traffic.connections.get(),
            traffic.most_at_once.get()
        ));
        server.cancel();
        Ok(())
    })
}

/// The text of a page.
fn fetch(session: &Session, url: &str) -> io::Result<String> {
    let response = session.get(url)?;
    if response.status != 200 {
        return Err(io::Error::other(format!("{url}: {}", response.status)));
    }
    String::from_utf8(response.body).map_err(io::Error::other)
}
