//! What the program was asked for, and the sockets that takes.
//!
//! Must never: be needed by the server itself.

use std::io::{self, ErrorKind};
use std::path::PathBuf;

use greenroom::net::{SocketAddr, TcpListener, TcpSocket, ToSocketAddrs};

/// `[ADDRESS [CONNECTIONS]] [--root DIR] [--cores N]`
#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) address: SocketAddr,
    pub(crate) connections: usize,
    pub(crate) root: Option<PathBuf>,
    pub(crate) cores: usize,
}

impl Arguments {
    pub(crate) fn read(mut arguments: impl Iterator<Item = String>) -> io::Result<Self> {
        let (mut root, mut cores, mut places) = (None, 1, Vec::new());
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(ErrorKind::InvalidInput);
            match argument.as_str() {
                // Links are followed here, so that none leads out of it later.
                "--root" => root = Some(PathBuf::from(value()?).canonicalize()?),
                "--cores" => cores = value()?.parse().map_err(io::Error::other)?,
                other if other.starts_with("--") => return Err(ErrorKind::InvalidInput.into()),
                _ => places.push(argument),
            }
        }
        let mut places = places.iter();
        let address = places.next().map_or("127.0.0.1:8080", String::as_str);
        let connections = match places.next() {
            Some(number) => number.parse().map_err(io::Error::other)?,
            None => usize::MAX,
        };
        let address = address.to_socket_addrs()?.next();
        Ok(Self {
            address: address.ok_or(ErrorKind::AddrNotAvailable)?,
            connections,
            root,
            cores,
        })
    }
}

/// A listener at that address, which others may have as well if they share it.
pub(crate) fn bind(address: SocketAddr, shared: bool) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuse_address(true)?;
    if shared {
        socket.set_reuse_port(true)?;
    }
    socket.bind(address)?;
    socket.listen(1024)
}
