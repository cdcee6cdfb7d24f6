//! A server on bare epoll: what `http` costs with no runtime at all, and the unit of every server's figure.
//!
//! Level-triggered, so for each request one read and one write, and one wait for as many as are ready. It never reads
//! twice to learn that nothing is left. The sockets are std's; only the three calls of epoll are `unsafe`.
#![expect(unsafe_code, reason = "epoll is called directly")]

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use crate::{Answer, http};

/// Events taken by one wait.
const EVENTS: usize = 1024;
/// The listener's token; connections have their place in the table, from 0.
const LISTENER: u64 = u64::MAX;

pub(crate) fn measure(name: &str, n: usize) -> Answer {
    match name {
        "http" => serve(n).map(|()| None),
        _ => Ok(None),
    }
}

struct Connection {
    stream: TcpStream,
    requests: http::Requests,
}

fn serve(port: usize) -> io::Result<()> {
    let listener = TcpListener::bind(http::address(port)?)?;
    listener.set_nonblocking(true)?;
    let epoll = create()?;
    watch(&epoll, listener.as_fd(), LISTENER)?;
    http::ready("epoll", listener.local_addr()?)?;
    let mut connections: Vec<Option<Connection>> = Vec::new();
    let mut free = Vec::new();
    let mut buffer = [0; http::BUFFER];
    let mut events = [libc::epoll_event { events: 0, u64: 0 }; EVENTS];
    loop {
        let ready = wait(&epoll, &mut events)?;
        for event in &events[..ready] {
            if event.u64 == LISTENER {
                accept(&epoll, &listener, &mut connections, &mut free)?;
                continue;
            }
            let place = usize::try_from(event.u64).map_err(io::Error::other)?;
            let Some(connection) = &mut connections[place] else {
                continue;
            };
            if !matches!(connection.answer(&mut buffer), Ok(true)) {
                connections[place] = None; // closing takes it out of epoll
                free.push(place);
            }
        }
    }
}

fn accept(
    epoll: &OwnedFd,
    listener: &TcpListener,
    connections: &mut Vec<Option<Connection>>,
    free: &mut Vec<usize>,
) -> io::Result<()> {
    loop {
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        let place = free.pop().unwrap_or_else(|| {
            connections.push(None);
            connections.len() - 1
        });
        watch(epoll, stream.as_fd(), place as u64)?;
        connections[place] = Some(Connection {
            stream,
            requests: http::Requests::default(),
        });
    }
}

impl Connection {
    /// One read and its answers. `false` when the other side has closed.
    fn answer(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        let len = match self.stream.read(buffer) {
            Ok(0) => return Ok(false),
            Ok(len) => len,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
            Err(error) => return Err(error),
        };
        for piece in http::replies(self.requests.count(&buffer[..len])) {
            // A client that reads its answers never fills the socket; one that does not is closed.
            self.stream.write_all(piece)?;
        }
        Ok(true)
    }
}

fn create() -> io::Result<OwnedFd> {
    // SAFETY: the call takes no pointer.
    let fd = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
    check(fd)?;
    // SAFETY: the kernel just gave us this descriptor, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn watch(epoll: &OwnedFd, fd: BorrowedFd<'_>, token: u64) -> io::Result<()> {
    let mut event = libc::epoll_event {
        events: libc::EPOLLIN.cast_unsigned(),
        u64: token,
    };
    // SAFETY: both descriptors are open, since they are borrowed; the event lives through the call.
    check(unsafe {
        libc::epoll_ctl(
            epoll.as_raw_fd(),
            libc::EPOLL_CTL_ADD,
            fd.as_raw_fd(),
            &raw mut event,
        )
    })?;
    Ok(())
}

fn wait(epoll: &OwnedFd, events: &mut [libc::epoll_event; EVENTS]) -> io::Result<usize> {
    let room = i32::try_from(EVENTS).map_err(io::Error::other)?;
    // SAFETY: the array has room for as many events as we say.
    let ready =
        check(unsafe { libc::epoll_wait(epoll.as_raw_fd(), events.as_mut_ptr(), room, -1) });
    match ready {
        Ok(ready) => usize::try_from(ready).map_err(io::Error::other),
        Err(error) if error.kind() == ErrorKind::Interrupted => Ok(0),
        Err(error) => Err(error),
    }
}

/// The kernel's -1 as an error.
fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}
