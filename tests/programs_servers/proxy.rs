//! `proxy`: each direction ends by itself, whatever breaks is broken on both sides, and nothing is kept of what
//! cannot be passed on.
//!
//! All of it by the compiled example, on the real clock: what is tested is what the system's sockets do.

use std::hash::{DefaultHasher, Hasher};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use socket2::{SockRef, Socket};

use super::{MS, SECOND, Server};

/// A target, and a proxy that leads to it.
struct Way {
    target: TcpListener,
    proxy: Server,
}

impl Way {
    fn new(connections: &str) -> Self {
        let target = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = target.local_addr().unwrap().to_string();
        let proxy = Server::start("proxy", &["127.0.0.1:0", &address, connections]);
        Self { target, proxy }
    }

    fn near(&self) -> TcpStream {
        patient(TcpStream::connect(&self.proxy.address).unwrap())
    }

    /// Both ends of a connection through the proxy.
    fn open(&self) -> (TcpStream, TcpStream) {
        let near = self.near();
        (near, patient(self.target.accept().unwrap().0))
    }
}

/// Far more than any test takes, so that nothing hangs.
fn patient(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(60 * SECOND)).unwrap();
    stream.set_write_timeout(Some(60 * SECOND)).unwrap();
    stream
}

fn rest(mut stream: &TcpStream) -> String {
    let mut all = String::new();
    stream.read_to_string(&mut all).unwrap();
    all
}

fn break_off(stream: TcpStream) {
    let linger = SockRef::from(&stream);
    linger.set_linger(Some(Duration::ZERO)).unwrap();
}

/// Its next read must say that the connection was broken.
#[track_caller]
fn broken(mut stream: &TcpStream) {
    let error = stream.read(&mut [0; 8]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[test]
fn each_direction_ends_by_itself() {
    let way = Way::new("10");
    for swapped in [false, true] {
        let (near, far) = way.open();
        let (mut first, mut second) = if swapped { (far, near) } else { (near, far) };
        first.write_all(b"a question").unwrap();
        first.shutdown(Shutdown::Write).unwrap();
        assert_eq!(rest(&second), "a question");
        // The other direction is still there, long after.
        for part in ["a ", "long ", "answer"] {
            thread::park_timeout(20 * MS);
            second.write_all(part.as_bytes()).unwrap();
        }
        let mut some = [0; 2];
        first.read_exact(&mut some).unwrap();
        assert_eq!(&some, b"a ");
        second.shutdown(Shutdown::Write).unwrap();
        assert_eq!(rest(&first), "long answer");
    }
}

/// Sends pseudo-random bytes, and returns what they hash to.
fn send(mut to: &TcpStream, seed: u64, bytes: usize) -> u64 {
    let (mut hash, mut state) = (DefaultHasher::new(), seed);
    let mut portion = vec![0; 100_000];
    for _ in 0..bytes / portion.len() {
        for word in portion.chunks_mut(8) {
            state = state.wrapping_mul(6_364_136_223_846_793_005) + 1;
            word.copy_from_slice(&state.to_le_bytes());
        }
        hash.write(&portion);
        to.write_all(&portion).unwrap();
    }
    to.shutdown(Shutdown::Write).unwrap();
    hash.finish()
}

/// Receives to the end: how many bytes, and what they hash to, taken in the portions they were sent in.
fn receive(mut from: &TcpStream) -> (usize, u64) {
    let (mut hash, mut portion, mut all) = (DefaultHasher::new(), vec![0; 100_000], 0);
    loop {
        let mut filled = 0;
        while filled < portion.len() {
            match from.read(&mut portion[filled..]).unwrap() {
                0 if filled == 0 => return (all, hash.finish()),
                0 => panic!("half a portion"),
                read => filled += read,
            }
        }
        hash.write(&portion);
        all += filled;
    }
}

#[test]
fn much_goes_both_ways_at_once() {
    const BYTES: usize = 20_000_000;
    let way = Way::new("10");
    let pairs: Vec<_> = (0..3).map(|_| way.open()).collect();
    thread::scope(|s| {
        for (number, (near, far)) in (0..).zip(&pairs) {
            let there = s.spawn(move || send(near, 2 * number, BYTES));
            let back = s.spawn(move || send(far, 2 * number + 1, BYTES));
            let arrived = s.spawn(move || receive(far));
            let returned = receive(near);
            assert_eq!(arrived.join().unwrap(), (BYTES, there.join().unwrap()));
            assert_eq!(returned, (BYTES, back.join().unwrap()));
        }
    });
}

#[test]
fn what_breaks_on_one_side_is_broken_on_the_other() {
    let way = Way::new("10");
    let (near, far) = way.open();
    break_off(near);
    broken(&far);
    let (near, far) = way.open();
    break_off(far);
    broken(&near);
    // Also while one of the sides takes nothing, and the proxy waits to write.
    let (near, far) = way.open();
    let writer = thread::spawn(move || while (&far).write_all(&[0; 10_000]).is_ok() {});
    thread::park_timeout(200 * MS);
    break_off(near);
    writer.join().unwrap();
}

#[test]
fn a_target_that_refuses() {
    let way = Way::new("10");
    let Way { target, proxy } = way;
    // Nobody listens there any more, and nobody else can: the port is still taken.
    let address = target.local_addr().unwrap();
    drop(target);
    let taken = Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    taken.set_reuse_address(true).unwrap();
    taken.bind(&address.into()).unwrap();
    for _ in 0..3 {
        broken(&patient(TcpStream::connect(&proxy.address).unwrap()));
    }
    // It is tried anew each time.
    taken.listen(8).unwrap();
    let near = patient(TcpStream::connect(&proxy.address).unwrap());
    let far = patient(TcpStream::from(taken.accept().unwrap().0));
    drop(near);
    assert_eq!(rest(&far), "");
}

#[test]
fn at_the_limit_one_waits_until_another_has_gone() {
    let way = Way::new("2");
    let (first, _first) = way.open();
    let (_second, _end) = way.open();
    let third = way.near();
    (&third).write_all(b"let me in").unwrap();
    third.shutdown(Shutdown::Write).unwrap();
    way.target.set_nonblocking(true).unwrap();
    thread::park_timeout(200 * MS);
    let early = way.target.accept().unwrap_err();
    assert_eq!(early.kind(), ErrorKind::WouldBlock);
    way.target.set_nonblocking(false).unwrap();
    break_off(first);
    let far = patient(way.target.accept().unwrap().0);
    assert_eq!(rest(&far), "let me in");
}

#[test]
fn who_does_not_read_is_not_read_for() {
    let way = Way::new("30");
    let pairs: Vec<_> = (0..20).map(|_| way.open()).collect();
    let before = way.proxy.most_memory().unwrap();
    let mut sent = 0;
    for (_near, far) in &pairs {
        far.set_write_timeout(Some(50 * MS)).unwrap();
        while let Ok(bytes) = (&*far).write(&[0; 10_000]) {
            sent += bytes;
        }
    }
    let grown = way.proxy.most_memory().unwrap() - before;
    // What was sent is in the system's buffers; here are two buffers for each.
    assert!(sent > 20_000_000, "{sent} bytes sent");
    assert!(grown < 20 * 2 * (16 + 16) + 2048, "{grown} KiB");
}

#[test]
fn its_arguments_are_looked_at() {
    for arguments in [
        &["127.0.0.1:0"][..],
        &["127.0.0.1:0", "127.0.0.1:1", "many"],
    ] {
        let mut command = super::example("proxy");
        command.args(arguments);
        let _turn = super::turn();
        assert!(!super::support::finish(command).status.success());
    }
}
