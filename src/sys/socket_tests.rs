//! The socket calls, on real sockets.

use std::io::{ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use super::super::descriptor::{is_nonblocking, poll_one, set_nonblocking};
use super::{
    SEND_NEEDS_NONBLOCKING, accept, peek, recv, recv_vectored, send, send_vectored, take_error,
};

/// A pair as the rooms above use it: blocking by its flag, where that is enough.
fn pair() -> (UnixStream, UnixStream) {
    let (near, far) = UnixStream::pair().unwrap();
    near.set_nonblocking(SEND_NEEDS_NONBLOCKING).unwrap();
    far.set_nonblocking(SEND_NEEDS_NONBLOCKING).unwrap();
    (near, far)
}

#[test]
fn bytes_go_through_and_nothing_there_would_block() {
    let (near, far) = pair();
    let mut buffer = [0; 16];
    assert_eq!(
        recv(near.as_fd(), &mut buffer).unwrap_err().kind(),
        ErrorKind::WouldBlock
    );
    assert_eq!(send(far.as_fd(), b"hello").unwrap(), 5);
    assert_eq!(peek(near.as_fd(), &mut buffer).unwrap(), 5);
    assert_eq!(recv(near.as_fd(), &mut buffer[..2]).unwrap(), 2);
    assert_eq!(recv(near.as_fd(), &mut buffer[2..]).unwrap(), 3);
    assert_eq!(&buffer[..5], b"hello");
    drop(far);
    assert_eq!(recv(near.as_fd(), &mut buffer).unwrap(), 0);
    assert_eq!(
        is_nonblocking(near.as_fd()).unwrap(),
        SEND_NEEDS_NONBLOCKING
    );
}

#[test]
fn a_full_buffer_would_block_and_a_part_is_sent() {
    let (near, far) = pair();
    let block = vec![7; 1 << 20];
    let mut sent = 0;
    loop {
        match send(near.as_fd(), &block) {
            Ok(count) => sent += count,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                break;
            }
        }
    }
    assert!(sent > 0);
    let mut received = 0;
    let mut buffer = vec![0; 1 << 16];
    while let Ok(count) = recv(far.as_fd(), &mut buffer) {
        received += count;
    }
    assert_eq!(received, sent);
}

#[test]
fn several_buffers_are_one_call() {
    let (near, far) = pair();
    let data = [IoSlice::new(b"ab"), IoSlice::new(b""), IoSlice::new(b"cde")];
    assert_eq!(send_vectored(near.as_fd(), &data).unwrap(), 5);
    let (mut first, mut second) = ([0; 3], [0; 9]);
    let mut buffers = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)];
    assert_eq!(recv_vectored(far.as_fd(), &mut buffers).unwrap(), 5);
    assert_eq!((&first, &second[..2]), (b"abc", &b"de"[..]));
    let would_block = recv_vectored(far.as_fd(), &mut [IoSliceMut::new(&mut first)]);
    assert_eq!(would_block.unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn more_pieces_than_the_kernel_takes_are_sent_in_part() {
    let (near, _far) = pair();
    let data = vec![IoSlice::new(b"x"); 5_000];
    assert_eq!(send_vectored(near.as_fd(), &data).unwrap(), 1024);
}

#[test]
fn sending_to_nobody_is_an_error_and_no_signal() {
    let (near, far) = pair();
    drop(far);
    assert_eq!(
        send(near.as_fd(), b"x").unwrap_err().kind(),
        ErrorKind::BrokenPipe
    );
    let data = [IoSlice::new(b"x")];
    assert_eq!(
        send_vectored(near.as_fd(), &data).unwrap_err().kind(),
        ErrorKind::BrokenPipe
    );
}

#[test]
fn an_accepted_socket_blocks_whatever_its_listener_does() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    set_nonblocking(listener.as_fd(), true).unwrap();
    assert!(is_nonblocking(listener.as_fd()).unwrap());
    assert_eq!(
        accept(listener.as_fd()).unwrap_err().kind(),
        ErrorKind::WouldBlock
    );
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    assert!(poll_one(listener.as_fd(), true, false, None).unwrap());
    let (accepted, address): (OwnedFd, _) = accept(listener.as_fd()).unwrap();
    assert_eq!(address.as_socket(), Some(client.local_addr().unwrap()));
    assert!(!is_nonblocking(accepted.as_fd()).unwrap());
    let mut accepted = TcpStream::from(accepted);
    client.write_all(b"x").unwrap();
    accepted.read_exact(&mut [0]).unwrap();
}

#[test]
fn a_refused_connect_is_told_once() {
    let (near, _far) = pair();
    assert!(take_error(near.as_fd()).unwrap().is_none());
    // A port that was just free, with nobody behind it.
    let gone = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = gone.local_addr().unwrap();
    let client = TcpStream::connect(address).unwrap();
    drop(gone);
    // The listener went with the connection in its queue, so the kernel resets it.
    assert!(poll_one(client.as_fd(), true, false, None).unwrap());
    let error = take_error(client.as_fd()).unwrap().expect("a reset");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert!(take_error(client.as_fd()).unwrap().is_none());
}
