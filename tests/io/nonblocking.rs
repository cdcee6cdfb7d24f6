//! Views for code that is driven by events.

use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Duration;

use greenroom::io::{Async, NonBlocking, nonblocking};
use greenroom::net::{TcpListener, TcpStream};
use greenroom::{spawn, timeout, yield_now};

use crate::support::{bounded, in_a_task, is_nonblocking, kind, raw_pipe, set_nonblocking};

fn pair() -> (TcpStream, TcpStream) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let near = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (near.into(), listener.accept().unwrap().0.into())
}

#[test]
fn it_says_would_block_and_the_stream_still_waits() {
    in_a_task(|| {
        let (near, far) = pair();
        let mut view = near.nonblocking().unwrap();
        assert_eq!(kind(view.read(&mut [0])), ErrorKind::WouldBlock);
        let mut bytes = [0; 2];
        let mut pieces = [IoSliceMut::new(&mut bytes)];
        assert_eq!(kind(view.read_vectored(&mut pieces)), ErrorKind::WouldBlock);
        let writer = spawn(move || {
            (&far).write_all(b"abcd").unwrap();
            far
        });
        (&near).read_exact(&mut bytes).unwrap();
        assert_eq!(
            view.read_vectored(&mut [IoSliceMut::new(&mut bytes)])
                .unwrap(),
            2
        );
        let far = writer.join().unwrap();
        let mut sent = 0;
        let error = loop {
            match view.write_vectored(&[IoSlice::new(&[1; 4096]), IoSlice::new(&[2; 4096])]) {
                Ok(count) => sent += count,
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        assert_eq!(kind(view.write(&[0])), ErrorKind::WouldBlock);
        view.flush().unwrap();
        spawn(move || (&far).read_exact(&mut vec![0; sent]).map(|()| far));
        view.writable().unwrap();
        assert!(view.write(&[0]).is_ok());
    });
}

#[test]
fn the_flag_lives_as_long_as_the_last_view() {
    let (near, _far) = pair();
    let duplicate = near.try_clone().unwrap();
    assert!(!is_nonblocking(&near));
    let first = near.nonblocking().unwrap();
    let second = nonblocking(&duplicate).unwrap();
    assert!(is_nonblocking(&near) && is_nonblocking(&second));
    drop(first);
    assert!(is_nonblocking(&near));
    drop(second);
    assert!(!is_nonblocking(&near));
    // Set by the user: it stays.
    near.set_nonblocking(true).unwrap();
    drop(near.nonblocking().unwrap());
    assert!(is_nonblocking(&near));
    near.set_nonblocking(false).unwrap();
    let view = near.nonblocking().unwrap();
    near.set_nonblocking(true).unwrap();
    drop(view);
    assert!(is_nonblocking(&near));
    // A conversion of one handle leaves the view of another alone.
    near.set_nonblocking(false).unwrap();
    let view = near.nonblocking().unwrap();
    let plain = std::net::TcpStream::from(duplicate);
    assert!(is_nonblocking(&plain));
    drop(view);
    assert!(!is_nonblocking(&plain));
}

#[test]
fn a_flag_cleared_by_others_makes_no_call_block() {
    bounded(|| {
        let (near, _far) = pair();
        let mut view = near.nonblocking().unwrap();
        set_nonblocking(&near, false);
        assert_eq!(kind(view.read(&mut [0])), ErrorKind::WouldBlock);
        near.set_nonblocking(false).unwrap();
        assert_eq!(kind(view.read(&mut [0])), ErrorKind::WouldBlock);
        drop(view);
        assert!(!is_nonblocking(&near));
    });
}

#[test]
fn a_listener_that_accepts_keeps_its_flag() {
    in_a_task(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let view = listener.nonblocking().unwrap();
        assert!(timeout(Duration::from_millis(1), || view.readable()).is_err());
        let client = std::net::TcpStream::connect(address).unwrap();
        view.readable().unwrap();
        listener.readable().unwrap();
        let (_stream, peer) = listener.accept().unwrap();
        assert_eq!(peer, client.local_addr().unwrap());
        drop(view);
        // A task has accepted, so it is needed on.
        assert!(is_nonblocking(&listener));
        assert!(timeout(Duration::from_millis(1), || listener.accept()).is_err());
        assert!(!is_nonblocking(&std::net::TcpListener::from(listener)));
    });
}

#[test]
fn a_view_of_an_async_and_of_references() {
    in_a_task(|| {
        let (read, mut write) = raw_pipe();
        let read = Async::new(read).unwrap();
        let mut view = read.nonblocking().unwrap();
        assert_eq!(kind(view.read(&mut [0])), ErrorKind::WouldBlock);
        assert_eq!(view.as_raw_fd(), read.as_raw_fd());
        assert!(format!("{view:?}").starts_with("NonBlocking(Async("));
        assert_eq!(view.get_ref().as_raw_fd(), read.as_raw_fd());
        write.write_all(b"x").unwrap();
        view.readable().unwrap();
        assert_eq!(view.read(&mut [0]).unwrap(), 1);
        drop(view);
        // Its own calls need it.
        assert!(is_nonblocking(&read));
    });
}

#[test]
fn streams_are_waited_for_whatever_was_set() {
    in_a_task(|| {
        let (near, far) = pair();
        near.set_nonblocking(true).unwrap();
        near.set_read_timeout(Some(Duration::from_millis(1)))
            .unwrap();
        near.writable().unwrap();
        let waits = spawn(move || near.readable().map(|()| near));
        (0..3).for_each(|_| yield_now());
        assert!(!waits.is_finished());
        drop(far);
        waits.join().unwrap().unwrap();
    });
}

/// As a C library would: it knows a descriptor, and asks to be called again.
struct Machine<'a> {
    fd: BorrowedFd<'a>,
    sent: usize,
    received: usize,
}

#[derive(Debug, PartialEq, Eq)]
enum Wants {
    Read,
    Write,
    Nothing,
}

impl Machine<'_> {
    const LENGTH: usize = 1 << 24;

    /// Sends so much, then receives as much, as far as it goes without waiting.
    fn step(&mut self) -> io::Result<Wants> {
        // A descriptor of its own, of the same open file.
        let mut stream = std::net::TcpStream::from(self.fd.try_clone_to_owned()?);
        let block = [7; 1 << 14];
        while self.sent < Self::LENGTH {
            match stream.write(&block[..block.len().min(Self::LENGTH - self.sent)]) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Wants::Write),
                Err(error) => return Err(error),
            }
        }
        while self.received < Self::LENGTH {
            match stream.read(&mut [0; 1 << 14]) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => self.received += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Wants::Read),
                Err(error) => return Err(error),
            }
        }
        Ok(Wants::Nothing)
    }
}

#[test]
fn a_machine_driven_by_events() {
    in_a_task(|| {
        let (near, far) = pair();
        let peer = spawn(move || {
            let mut all = vec![0; Machine::LENGTH];
            (&far).read_exact(&mut all).unwrap();
            (&far).write_all(&all).unwrap();
        });
        let view: NonBlocking<'_, TcpStream> = near.nonblocking().unwrap();
        let mut machine = Machine {
            fd: view.as_fd(),
            sent: 0,
            received: 0,
        };
        let mut waits = 0;
        loop {
            waits += 1;
            match machine.step().unwrap() {
                Wants::Read => view.readable().unwrap(),
                Wants::Write => view.writable().unwrap(),
                Wants::Nothing => break,
            }
        }
        assert!(waits > 2, "it waited {} times", waits - 1);
        peer.join().unwrap();
    });
}
