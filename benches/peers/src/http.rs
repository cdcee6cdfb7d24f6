//! The server of `http`, but for waiting: how requests are counted and what is answered, the same for every runtime.
//!
//! Not a parser of HTTP: it answers once for each blank line, which is what a GET of a load generator ends with.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

/// The most that one read takes.
pub(crate) const BUFFER: usize = 8 * 1024;

const REPLY: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, world!";
const BLOCK: usize = 64;
/// Many replies after one another: a pipelined batch is answered by one write.
static REPLIES: [u8; REPLY.len() * BLOCK] = {
    let mut all = [0; REPLY.len() * BLOCK];
    let mut i = 0;
    while i < all.len() {
        all[i] = REPLY[i % REPLY.len()];
        i += 1;
    }
    all
};

/// Where in a line the bytes read so far have ended.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    line_is_empty: bool,
}

impl Requests {
    /// How many blank lines end within `bytes`, which follow what was given before.
    ///
    /// Without branches and never inlined: the same machine code, and no luck of prediction, for every runtime.
    #[inline(never)]
    pub(crate) fn count(&mut self, bytes: &[u8]) -> usize {
        let mut count = 0;
        let mut empty = self.line_is_empty;
        for &byte in bytes {
            let ends = byte == b'\n';
            count += usize::from(ends & empty);
            // After a blank line a request begins, so its first line is still to come.
            empty = (ends & !empty) | ((byte == b'\r') & empty);
        }
        self.line_is_empty = empty;
        count
    }
}

/// The bytes of `count` answers, in as few pieces as may be.
pub(crate) fn replies(mut count: usize) -> impl Iterator<Item = &'static [u8]> {
    std::iter::from_fn(move || {
        let now = count.min(BLOCK);
        count -= now;
        (now > 0).then(|| &REPLIES[..now * REPLY.len()])
    })
}

/// Serves one connection until the other side closes it, in the words of every runtime where reading is a function.
pub(crate) fn serve(mut stream: impl Read + Write) -> io::Result<()> {
    let mut buffer = [0; BUFFER];
    let mut requests = Requests::default();
    loop {
        let len = stream.read(&mut buffer)?;
        if len == 0 {
            return Ok(());
        }
        for piece in replies(requests.count(&buffer[..len])) {
            stream.write_all(piece)?;
        }
    }
}

/// The loopback address to listen on.
pub(crate) fn address(port: usize) -> io::Result<SocketAddr> {
    let port = u16::try_from(port).map_err(|_| io::Error::other("a port is below 65536"))?;
    Ok(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port).into())
}

/// Says that connections are taken, and on which port: a script waits for this line.
pub(crate) fn ready(runtime: &str, address: SocketAddr) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{runtime} http {} 0 ready", address.port())?;
    out.flush()
}
