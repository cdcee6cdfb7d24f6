//! Sockets of this machine: std's names do what std's do, and what is different there from TCP.

use std::io::{ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use greenroom::net::{Shutdown, UnixListener, UnixStream};
use greenroom::{run, select, spawn, timeout, yield_now};

use crate::support::{SHORT, bounded, in_a_task, kind};

/// A path for an address, removed in the end.
pub(crate) struct Place(PathBuf);

impl Place {
    pub(crate) fn new(name: &str) -> Self {
        let file = format!("greenroom-{}-{name}", std::process::id());
        Self(std::env::temp_dir().join(file))
    }
}

impl AsRef<std::path::Path> for Place {
    fn as_ref(&self) -> &std::path::Path {
        &self.0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _removed = std::fs::remove_file(&self.0);
    }
}

#[test]
fn they_may_be_sent_and_shared_and_shown() {
    fn check<T: Send + Sync + std::fmt::Debug + 'static>() {}
    check::<UnixStream>();
    check::<UnixListener>();
    let (near, _far) = UnixStream::pair().unwrap();
    assert!(format!("{near:?}").starts_with("UnixStream"));
}

#[test]
fn a_server_with_a_path() {
    let place = Place::new("server");
    in_a_task(move || {
        assert_eq!(kind(UnixStream::connect(&place)), ErrorKind::NotFound);
        let listener = UnixListener::bind(&place).unwrap();
        assert_eq!(kind(UnixListener::bind(&place)), ErrorKind::AddrInUse);
        let own = listener.local_addr().unwrap();
        assert_eq!(own.as_pathname(), Some(place.as_ref()));
        let near = UnixStream::connect(&place).unwrap();
        let (mut far, from) = listener.accept().unwrap();
        assert!(from.is_unnamed());
        assert_eq!(near.peer_addr().unwrap().as_pathname(), own.as_pathname());
        assert_eq!(far.local_addr().unwrap().as_pathname(), own.as_pathname());
        assert!(near.take_error().unwrap().is_none());

        let reader = spawn(move || {
            let mut all = String::new();
            (&near).read_to_string(&mut all).unwrap();
            all
        });
        yield_now();
        far.write_all(b"hello").unwrap();
        far.shutdown(Shutdown::Both).unwrap();
        assert_eq!(reader.join().unwrap(), "hello");

        drop(listener);
        assert_eq!(
            kind(UnixStream::connect(&place)),
            ErrorKind::ConnectionRefused
        );
        let long = "x".repeat(200);
        assert_eq!(kind(UnixStream::connect(&long)), ErrorKind::InvalidInput);
        assert_eq!(kind(UnixStream::connect("a\0b")), ErrorKind::InvalidInput);
    });
}

/// The system tells nobody of that.
#[test]
fn whoever_waits_to_write_learns_of_a_shutdown() {
    in_a_task(|| {
        let (near, _far) = UnixStream::pair().unwrap();
        let near = Arc::new(near);
        let write = |stream: &UnixStream| {
            let mut writer = stream;
            loop {
                if let Err(error) = writer.write(&[7; 4096]) {
                    break error.kind();
                }
            }
        };
        let here = Arc::clone(&near);
        let here = spawn(move || write(&here));
        // In a runtime of another thread, too.
        let (waits, soon) = mpsc::channel();
        let there = Arc::clone(&near);
        let there = thread::spawn(move || {
            run(|| {
                let writer = spawn(move || write(&there));
                yield_now();
                waits.send(()).unwrap();
                writer.join().unwrap()
            })
        });
        while soon.try_recv().is_err() {
            yield_now();
        }
        assert!(!here.is_finished());
        near.shutdown(Shutdown::Write).unwrap();
        assert_eq!(here.join().unwrap(), ErrorKind::BrokenPipe);
        assert_eq!(there.join().unwrap(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn an_acceptor_is_told_the_path_of_its_peer() {
    let (place, peer) = (Place::new("listens"), Place::new("comes"));
    in_a_task(move || {
        let listener = UnixListener::bind(&place).unwrap();
        let near = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None);
        let near = near.unwrap();
        near.bind(&socket2::SockAddr::unix(&peer).unwrap()).unwrap();
        near.connect(&socket2::SockAddr::unix(&place).unwrap())
            .unwrap();
        let (_far, from) = listener.accept().unwrap();
        assert_eq!(from.as_pathname(), Some(peer.as_ref()));
    });
}

#[test]
#[cfg(target_os = "linux")]
fn abstract_names() {
    use std::os::linux::net::SocketAddrExt;
    in_a_task(|| {
        let name = format!("greenroom\0{}", std::process::id());
        let address = net::SocketAddr::from_abstract_name(&name).unwrap();
        let listener = UnixListener::bind_addr(&address).unwrap();
        let client = {
            let address = address.clone();
            spawn(move || UnixStream::connect_addr(&address).unwrap())
        };
        let (_far, from) = listener.accept().unwrap();
        assert!(from.is_unnamed());
        let own = listener.local_addr().unwrap();
        assert_eq!(own.as_abstract_name(), Some(name.as_bytes()));
        let to = client.join().unwrap().peer_addr().unwrap();
        assert_eq!(to.as_abstract_name(), Some(name.as_bytes()));

        // One who has a name himself.
        let new = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
        let peer = format!("\0greenroom peer {}", std::process::id());
        new.bind(&socket2::SockAddr::unix(&peer).unwrap()).unwrap();
        let whole = format!("\0{name}");
        new.connect(&socket2::SockAddr::unix(whole).unwrap())
            .unwrap();
        let (_far, from) = listener.accept().unwrap();
        assert_eq!(from.as_abstract_name(), Some(&peer.as_bytes()[1..]));

        let gone = net::SocketAddr::from_abstract_name(format!("{name} nobody")).unwrap();
        let refused = UnixStream::connect_addr(&gone);
        assert_eq!(kind(refused), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn several_buffers_at_once_and_time_limits() {
    in_a_task(|| {
        let (mut near, mut far) = UnixStream::pair().unwrap();
        let parts = [IoSlice::new(b"ab"), IoSlice::new(b"cde")];
        assert_eq!(far.write_vectored(&parts).unwrap(), 5);
        let (mut first, mut second) = ([0; 3], [0; 8]);
        let mut room = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)];
        assert_eq!(near.read_vectored(&mut room).unwrap(), 5);
        assert_eq!((&first, &second[..2]), (b"abc", &b"de"[..]));

        near.set_read_timeout(Some(SHORT)).unwrap();
        let near = UnixStream::from(net::UnixStream::from(near));
        assert_eq!(near.read_timeout().unwrap(), Some(SHORT));
        let begin = Instant::now();
        assert_eq!(kind((&near).read(&mut [0])), ErrorKind::TimedOut);
        assert!(begin.elapsed() >= SHORT);
        far.set_write_timeout(Some(SHORT)).unwrap();
        let late = loop {
            if let Err(error) = far.write(&[0; 4_096]) {
                break error;
            }
        };
        assert_eq!(late.kind(), ErrorKind::TimedOut);
        // As in std a duplicate shares what is set.
        let mut duplicate = far.try_clone().unwrap();
        far.set_nonblocking(true).unwrap();
        assert_eq!(kind(duplicate.write(&[0])), ErrorKind::WouldBlock);
    });
}

#[test]
fn conversions_change_nothing() {
    in_a_task(|| {
        let (near, mut far) = UnixStream::pair().unwrap();
        let number = near.as_raw_fd();
        let near = UnixStream::from(OwnedFd::from(near));
        assert_eq!(near.as_fd().as_raw_fd(), number);
        let mut near = net::UnixStream::from(near);
        near.set_read_timeout(Some(SHORT)).unwrap();
        let begin = Instant::now();
        near.read(&mut [0]).unwrap_err();
        assert!(begin.elapsed() >= SHORT / 2, "it did not block");
        far.write_all(b"x").unwrap();
        near.read_exact(&mut [0]).unwrap();

        let place = Place::new("connected");
        let listener = UnixListener::bind(&place).unwrap();
        let near = net::UnixStream::from(UnixStream::connect(&place).unwrap());
        near.set_read_timeout(Some(SHORT)).unwrap();
        let begin = Instant::now();
        (&near).read(&mut [0]).unwrap_err();
        assert!(begin.elapsed() >= SHORT / 2, "it did not block");
        listener.set_nonblocking(true).unwrap();
        let mut incoming = listener.into_iter();
        incoming.next().unwrap().unwrap();
        assert_eq!(kind(incoming.next().unwrap()), ErrorKind::WouldBlock);
    });
}

#[test]
fn on_a_plain_thread_the_same_calls_block() {
    let place = Place::new("plain");
    bounded(move || {
        let listener = UnixListener::bind(&place).unwrap();
        let client = std::thread::spawn(move || {
            let mut all = String::new();
            let mut near = UnixStream::connect(&place).unwrap();
            near.read_to_string(&mut all).unwrap();
            all
        });
        let (mut far, _) = listener.accept().unwrap();
        far.write_all(b"hello").unwrap();
        drop(far);
        assert_eq!(client.join().unwrap(), "hello");
    });
}

/// A listener whose queue takes nobody any more, and who is in it.
#[cfg(target_os = "linux")]
fn full_listener(place: &Place) -> (UnixListener, Vec<net::UnixStream>) {
    let new = || socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
    let address = socket2::SockAddr::unix(place).unwrap();
    let listener = new();
    listener.bind(&address).unwrap();
    listener.listen(0).unwrap();
    let mut inside = Vec::new();
    loop {
        let client = new();
        client.set_nonblocking(true).unwrap();
        match client.connect(&address) {
            Ok(()) => inside.push(OwnedFd::from(client).into()),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                break;
            }
        }
        assert!(inside.len() < 10, "the queue takes everybody");
    }
    (OwnedFd::from(listener).into(), inside)
}

#[test]
#[cfg(target_os = "linux")]
fn a_connect_waits_for_room_in_the_queue_while_others_run() {
    let place = Place::new("full");
    in_a_task(move || {
        let (listener, _inside) = full_listener(&place);
        let late = timeout(5 * SHORT, || UnixStream::connect(&place));
        late.expect_err("it found room");
        let place = Rc::new(place);
        let theirs = Rc::clone(&place);
        let waits = spawn(move || UnixStream::connect(&*theirs).unwrap());
        let cancelled = spawn(move || UnixStream::connect(&*place));
        for _ in 0..10 {
            yield_now();
        }
        assert!(!waits.is_finished());
        cancelled.cancel();
        assert!(cancelled.join().unwrap_err().is_cancelled());
        listener.accept().unwrap();
        let near = waits.join().unwrap();
        // The one that gave up has left nothing in the queue.
        listener.set_nonblocking(true).unwrap();
        assert_eq!(listener.incoming().take_while(Result::is_ok).count(), 1);
        drop(near);
    });
}

#[test]
#[cfg(target_os = "linux")]
fn a_plain_thread_waits_for_room_too() {
    let place = Place::new("full-plain");
    bounded(move || {
        let (listener, _inside) = full_listener(&place);
        let client = std::thread::spawn(move || UnixStream::connect(&place).unwrap());
        greenroom::run(|| listener.accept().unwrap());
        // It must be there until the client is in.
        client.join().unwrap();
        drop(listener);
    });
}

/// A read stops behind descriptors that came with the data, so it comes short with more behind it.
#[test]
#[cfg(target_os = "linux")]
fn what_follows_descriptors_is_noticed() {
    in_a_task(|| {
        let (near, far) = UnixStream::pair().unwrap();
        let reader = spawn(move || {
            let mut all = Vec::new();
            let mut buffer = [0; 64];
            while all.len() < 6 {
                let count = (&near).read(&mut buffer).unwrap();
                all.extend_from_slice(&buffer[..count]);
            }
            all
        });
        yield_now();
        // A header of 16 bytes, one descriptor, and padding.
        let mut control = Vec::new();
        control.extend_from_slice(&20_usize.to_ne_bytes());
        control.extend_from_slice(&1_i32.to_ne_bytes()); // SOL_SOCKET
        control.extend_from_slice(&1_i32.to_ne_bytes()); // SCM_RIGHTS
        control.extend_from_slice(&far.as_raw_fd().to_ne_bytes());
        control.extend_from_slice(&[0; 4]);
        let data = [IoSlice::new(b"abc")];
        let message = socket2::MsgHdr::new()
            .with_buffers(&data)
            .with_control(&control);
        let sent = socket2::SockRef::from(&far).sendmsg(&message, 0).unwrap();
        assert_eq!(sent, 3);
        (&far).write_all(b"def").unwrap();
        assert_eq!(reader.join().unwrap(), b"abcdef");
        drop(far);
    });
}

/// As std's does, and as a listener for TCP.
#[test]
#[cfg(target_os = "linux")]
fn a_listener_that_is_shut_down_takes_nobody_any_more() {
    in_a_task(|| {
        let place = Place::new("shut-down");
        let listener = Rc::new(UnixListener::bind(&place).unwrap());
        let waits = spawn({
            let listener = Rc::clone(&listener);
            move || kind(listener.accept())
        });
        yield_now();
        socket2::SockRef::from(&*listener)
            .shutdown(Shutdown::Both)
            .unwrap();
        assert_eq!(waits.join().unwrap(), ErrorKind::InvalidInput);
        assert_eq!(kind(listener.accept()), ErrorKind::InvalidInput);
        // Who asked not to wait is told what the system says.
        listener.set_nonblocking(true).unwrap();
        assert_eq!(kind(listener.accept()), ErrorKind::WouldBlock);
    });
}

#[test]
fn arms_of_a_selection() {
    in_a_task(|| {
        let (near, far) = UnixStream::pair().unwrap();
        let near = Arc::new(near);
        let ready = select! {
            readable(&near) -> ready => { ready.unwrap(); "readable" },
            after(SHORT) => "late",
        };
        assert_eq!(ready, "late");
        (&far).write_all(b"x").unwrap();
        let ready = select! {
            readable(&near) -> ready => { ready.unwrap(); "readable" },
            after(Duration::from_secs(20)) => "late",
        };
        assert_eq!(ready, "readable");
        let ready = select! {
            writable(&far) -> ready => { ready.unwrap(); "writable" },
            after(Duration::from_secs(20)) => "late",
        };
        assert_eq!(ready, "writable");
    });
}
