//! `std::net`, and the protocols that run over any stream.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;

use super::clients::silent_server;
use super::row;
use super::system::Folder;
use crate::trial::{Gate, Instead, Kind, Row, Tried};

pub(crate) fn rows() -> Vec<Row> {
    use Kind::{HeldBack, Outside};
    vec![
        row(
            "`std::net::TcpStream::connect`",
            HeldBack,
            connect,
            Instead::Own("`net::TcpStream::connect`", connect_own),
        ),
        row(
            "`std::net::TcpStream`: `read`, `peek`",
            HeldBack,
            read,
            Instead::Own("`net::TcpStream`", read_own),
        ),
        row(
            "`std::net::TcpStream`: `write`, to a peer that does not read",
            HeldBack,
            write,
            Instead::Own("`net::TcpStream`", write_own),
        ),
        row(
            "`std::net::TcpListener`: `accept`, `incoming`",
            HeldBack,
            accept,
            Instead::Own("`net::TcpListener`", accept_own),
        ),
        row(
            "`std::os::unix::net::UnixStream`: `read`, `write`",
            HeldBack,
            unix_read,
            Instead::Own("`net::UnixStream`", unix_read_own),
        ),
        row(
            "`std::os::unix::net::UnixListener`: `accept`, `incoming`",
            HeldBack,
            unix_accept,
            Instead::Own("`net::UnixListener`", unix_accept_own),
        ),
        row(
            "`std::net::UdpSocket::recv`",
            HeldBack,
            udp,
            Instead::Own("`net::UdpSocket`", udp_own),
        ),
        row(
            "`std::net::ToSocketAddrs` with a host name",
            Outside,
            lookup,
            Instead::Own("`net::ToSocketAddrs`", lookup_own),
        ),
        row(
            "`rustls` over `std::net::TcpStream`",
            HeldBack,
            rustls_std,
            Instead::Own("`rustls` over `net::TcpStream`", rustls_own),
        ),
        row(
            "`tungstenite` over `std::net::TcpStream`",
            HeldBack,
            tungstenite_std,
            Instead::Own("`tungstenite` over `net::TcpStream`", tungstenite_own),
        ),
    ]
}

/// An address nobody can connect to before the gate opens: its backlog is full.
fn full_backlog(gate: &Arc<Gate>) -> Result<std::net::SocketAddr, std::io::Error> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
    socket.listen(0)?;
    let listener = TcpListener::from(socket);
    let address = listener.local_addr()?;
    let mut waiting = Vec::new();
    while let Ok(stream) =
        TcpStream::connect_timeout(&address, std::time::Duration::from_millis(50))
    {
        waiting.push(stream);
    }
    gate.then(move || {
        for _ in 0..=waiting.len() {
            drop(listener.accept()?);
        }
        Ok(())
    });
    Ok(address)
}

fn connect(gate: &Arc<Gate>) -> Tried {
    let address = full_backlog(gate)?;
    drop(gate.during(|| TcpStream::connect(address))?);
    Ok(())
}

fn connect_own(gate: &Arc<Gate>) -> Tried {
    let address = full_backlog(gate)?;
    drop(gate.during(|| greenroom::net::TcpStream::connect(address))?);
    Ok(())
}

fn read(gate: &Arc<Gate>) -> Tried {
    let mut stream = TcpStream::connect(silent_server(gate)?)?;
    gate.during(|| stream.read(&mut [0; 10]))?;
    Ok(())
}

fn read_own(gate: &Arc<Gate>) -> Tried {
    let mut stream = greenroom::net::TcpStream::connect(silent_server(gate)?)?;
    gate.during(|| stream.read(&mut [0; 10]))?;
    Ok(())
}

/// The peer reads when the gate opens.
fn deaf_server(gate: &Arc<Gate>) -> Result<std::net::SocketAddr, std::io::Error> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    gate.then(move || {
        std::io::copy(&mut listener.accept()?.0, &mut std::io::sink())?;
        Ok(())
    });
    Ok(address)
}

fn write(gate: &Arc<Gate>) -> Tried {
    let mut stream = TcpStream::connect(deaf_server(gate)?)?;
    gate.during(|| stream.write_all(&vec![0; 16 << 20]))?;
    Ok(())
}

fn write_own(gate: &Arc<Gate>) -> Tried {
    let mut stream = greenroom::net::TcpStream::connect(deaf_server(gate)?)?;
    gate.during(|| stream.write_all(&vec![0; 16 << 20]))?;
    Ok(())
}

/// Connects, and says nothing.
fn hang_up(address: std::net::SocketAddr) -> Tried {
    TcpStream::connect(address)?;
    Ok(())
}

fn accept(gate: &Arc<Gate>) -> Tried {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    gate.then(move || hang_up(address));
    drop(gate.during(|| listener.accept())?);
    Ok(())
}

fn accept_own(gate: &Arc<Gate>) -> Tried {
    let listener = greenroom::net::TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    gate.then(move || hang_up(address));
    drop(gate.during(|| listener.accept())?);
    Ok(())
}

fn unix_read(gate: &Arc<Gate>) -> Tried {
    let (mut ours, theirs) = UnixStream::pair()?;
    gate.then(move || {
        drop(theirs);
        Ok(())
    });
    gate.during(|| ours.read(&mut [0; 10]))?;
    Ok(())
}

fn unix_read_own(gate: &Arc<Gate>) -> Tried {
    let (ours, theirs) = UnixStream::pair()?;
    let mut ours = greenroom::net::UnixStream::from(ours);
    gate.then(move || {
        drop(theirs);
        Ok(())
    });
    gate.during(|| ours.read(&mut [0; 10]))?;
    Ok(())
}

fn unix_accept(gate: &Arc<Gate>) -> Tried {
    let folder = Folder::new()?;
    let path = folder.path().join("socket");
    let listener = UnixListener::bind(&path)?;
    gate.then(move || {
        UnixStream::connect(path)?;
        Ok(())
    });
    gate.during(|| listener.accept())?;
    Ok(())
}

fn unix_accept_own(gate: &Arc<Gate>) -> Tried {
    let folder = Folder::new()?;
    let path = folder.path().join("socket");
    let listener = greenroom::net::UnixListener::bind(&path)?;
    gate.then(move || {
        UnixStream::connect(path)?;
        Ok(())
    });
    gate.during(|| listener.accept())?;
    Ok(())
}

fn udp(gate: &Arc<Gate>) -> Tried {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let address = socket.local_addr()?;
    gate.then(move || {
        UdpSocket::bind("127.0.0.1:0")?.send_to(b"text", address)?;
        Ok(())
    });
    gate.during(|| socket.recv(&mut [0; 10]))?;
    Ok(())
}

fn udp_own(gate: &Arc<Gate>) -> Tried {
    let socket = greenroom::net::UdpSocket::bind("127.0.0.1:0")?;
    let address = socket.local_addr()?;
    gate.then(move || {
        UdpSocket::bind("127.0.0.1:0")?.send_to(b"text", address)?;
        Ok(())
    });
    gate.during(|| socket.recv(&mut [0; 10]))?;
    Ok(())
}

fn lookup_own(gate: &Arc<Gate>) -> Tried {
    let look_up = || greenroom::net::ToSocketAddrs::to_socket_addrs("localhost:80");
    drop(gate.during(look_up)?);
    Ok(())
}

fn lookup(gate: &Arc<Gate>) -> Tried {
    drop(gate.during(|| "localhost:80".to_socket_addrs())?);
    Ok(())
}

/// The handshake waits for a server that says nothing, and fails when that one hangs up.
fn handshake(gate: &Gate, mut stream: impl Read + Write) -> Tried {
    use rustls::{ClientConfig, ClientConnection, RootCertStore};
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let mut connection = ClientConnection::new(Arc::new(config), "localhost".try_into()?)?;
    match gate.during(|| connection.complete_io(&mut stream)) {
        Ok(_) => Err("nobody was there to shake hands with".into()),
        Err(_) => Ok(()),
    }
}

fn rustls_std(gate: &Arc<Gate>) -> Tried {
    handshake(gate, TcpStream::connect(silent_server(gate)?)?)
}

fn rustls_own(gate: &Arc<Gate>) -> Tried {
    handshake(
        gate,
        greenroom::net::TcpStream::connect(silent_server(gate)?)?,
    )
}

fn upgrade(gate: &Gate, stream: impl Read + Write) -> Tried {
    if gate.during(|| tungstenite::client("ws://localhost/", stream).is_ok()) {
        return Err("nobody was there to shake hands with".into());
    }
    Ok(())
}

fn tungstenite_std(gate: &Arc<Gate>) -> Tried {
    upgrade(gate, TcpStream::connect(silent_server(gate)?)?)
}

fn tungstenite_own(gate: &Arc<Gate>) -> Tried {
    upgrade(
        gate,
        greenroom::net::TcpStream::connect(silent_server(gate)?)?,
    )
}
