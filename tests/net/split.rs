//! The halves of a connection: each has a direction, and ends no other.

use std::io::{ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::{AsFd, AsRawFd};

use greenroom::net::{ReadHalf, TcpStream, UnixStream, WriteHalf};
use greenroom::{run, select, spawn, yield_now};

use crate::support::{SHORT, bounded, green_pair, in_a_task, kind};

#[test]
fn they_may_be_sent_and_shared_and_shown() {
    fn check<T: Send + Sync + std::fmt::Debug + 'static>() {}
    check::<ReadHalf<TcpStream>>();
    check::<WriteHalf<UnixStream>>();
}

#[test]
fn both_directions_at_once() {
    in_a_task(|| {
        let (near, far) = green_pair();
        let (mut reads, mut writes) = near.split();
        let reader = spawn(move || {
            let mut all = Vec::new();
            reads.read_to_end(&mut all).unwrap();
            all
        });
        yield_now();
        let echo = spawn(move || std::io::copy(&mut &far, &mut &far).unwrap());
        writes.write_all(b"hello, ").unwrap();
        let parts = [IoSlice::new(b"wor"), IoSlice::new(b"ld")];
        assert_eq!((&writes).write_vectored(&parts).unwrap(), 5);
        writes.flush().unwrap();
        // The end of this direction is the end of the echo's, and so of the other.
        drop(writes);
        assert_eq!(echo.join().unwrap(), 12);
        assert_eq!(reader.join().unwrap(), b"hello, world");
    });
}

#[test]
fn a_half_that_reads_ends_nothing() {
    in_a_task(|| {
        let (near, mut far) = UnixStream::pair().unwrap();
        let (reads, mut writes) = near.split();
        drop(reads);
        writes.write_all(b"x").unwrap();
        far.read_exact(&mut [0]).unwrap();
        far.write_all(b"nobody reads that").unwrap();
        drop(writes);
        // Both are gone: closed.
        assert_eq!(kind(far.write_all(b"x")), ErrorKind::BrokenPipe);
    });
}

#[test]
fn a_forgotten_half_ends_nothing() {
    in_a_task(|| {
        let (near, mut far) = UnixStream::pair().unwrap();
        let (mut reads, writes) = near.split();
        writes.forget();
        far.set_read_timeout(Some(SHORT)).unwrap();
        assert_eq!(kind(far.read(&mut [0])), ErrorKind::TimedOut);
        far.write_all(b"ab").unwrap();
        let (mut first, mut second) = ([0], [0]);
        let mut room = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)];
        assert_eq!(reads.read_vectored(&mut room).unwrap(), 2);
        drop(reads);
        assert_eq!(far.read(&mut [0]).unwrap(), 0);
    });
}

#[test]
fn halves_are_put_together_again() {
    in_a_task(|| {
        let (near, mut far) = green_pair();
        let (other, _) = green_pair();
        let number = near.as_raw_fd();
        let (reads, writes) = near.split();
        assert_eq!(reads.as_fd().as_raw_fd(), number);
        assert_eq!(writes.as_fd().as_raw_fd(), number);
        let address = far.local_addr().unwrap();
        assert_eq!(writes.as_ref().peer_addr().unwrap(), address);
        assert_eq!(reads.as_ref().peer_addr().unwrap(), address);

        let (other_reads, other_writes) = other.split();
        let error = other_reads.reunite(writes).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the halves are not of the same connection"
        );
        let (other_reads, writes) = (error.0, error.1);
        other_writes.reunite(other_reads).unwrap();
        let near = writes.reunite(reads).unwrap();
        assert_eq!(near.as_raw_fd(), number);
        (&near).write_all(b"x").unwrap();
        far.read_exact(&mut [0]).unwrap();
        far.set_read_timeout(Some(SHORT)).unwrap();
        assert_eq!(kind(far.read(&mut [0])), ErrorKind::TimedOut);
    });
}

#[test]
fn halves_in_two_threads_and_in_selections() {
    bounded(|| {
        let (near, far) = green_pair();
        let (mut reads, mut writes) = near.split();
        let other = std::thread::spawn(move || {
            run(|| {
                select! { writable(&writes) -> ready => ready.unwrap() };
                writes.write_all(b"hello").unwrap();
            });
        });
        let echo = std::thread::spawn(move || std::io::copy(&mut &far, &mut &far).unwrap());
        run(move || {
            select! { readable(&reads) -> ready => ready.unwrap() };
            let mut all = String::new();
            reads.read_to_string(&mut all).unwrap();
            assert_eq!(all, "hello");
        });
        other.join().unwrap();
        echo.join().unwrap();
    });
}
