//! Five addresses of this machine, each of which behaves in its own way.
//!
//! Must never: leave the machine, or depend on how fast it is.

use std::io::{self, Write};
use std::net;

use greenroom::net::{Ipv4Addr, SocketAddr, TcpListener};
use socket2::{Domain, Socket, Type};

use super::Address;

/// What is behind the addresses.
#[derive(Debug)]
pub(crate) struct Network {
    /// Nobody takes its connections, and its queue is full: the system drops what asks for
    /// one more, without a word.
    silent: net::TcpListener,
    /// What fills that queue.
    _guest: net::TcpStream,
    /// A port that is taken, and on which nobody listens: this one never does.
    closed: net::TcpListener,
    open: TcpListener,
    spare: TcpListener,
}

impl Network {
    pub(crate) fn new() -> io::Result<Self> {
        // On Linux a queue has one place more than it was asked for.
        let silent = bound()?;
        silent.listen(0)?;
        let silent = net::TcpListener::from(silent);
        Ok(Self {
            _guest: net::TcpStream::connect(silent.local_addr()?)?,
            silent,
            closed: bound()?.into(),
            open: TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?,
            spare: TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?,
        })
    }

    /// The addresses, in the order in which they should be tried.
    pub(crate) fn addresses(&self) -> io::Result<[Address; 5]> {
        let silent = self.silent.local_addr()?;
        Ok([
            named("silent", silent),
            named("silent too", silent),
            named("closed", self.closed.local_addr()?),
            named("open", self.open.local_addr()?),
            named("spare", self.spare.local_addr()?),
        ])
    }

    /// Says hello to whoever comes first.
    pub(crate) fn greet_one(&self) -> io::Result<()> {
        let (mut stream, _) = self.open.accept()?;
        stream.write_all(b"hello")
    }
}

fn named(name: &'static str, address: SocketAddr) -> Address {
    Address { name, address }
}

/// A socket with a port of its own, which does not listen yet.
fn bound() -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    Ok(socket)
}
