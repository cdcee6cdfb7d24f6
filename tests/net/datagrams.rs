//! Datagrams: taken whole or not at all, empty ones as well, one or many at a time.

use std::cell::Cell;
use std::io::{self, ErrorKind};
use std::net;
use std::os::fd::{AsRawFd, OwnedFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

use greenroom::net::{Datagrams, Ipv4Addr, SocketAddr, UdpSocket};
use greenroom::{select, spawn, timeout, yield_now};
use socket2::SockRef;

use crate::support::{SHORT, bounded, in_a_task, kind};

fn udp() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").unwrap()
}

/// Two sockets, each connected to the other.
fn udp_pair() -> (UdpSocket, UdpSocket) {
    let (near, far) = (udp(), udp());
    near.connect(far.local_addr().unwrap()).unwrap();
    far.connect(near.local_addr().unwrap()).unwrap();
    (near, far)
}

#[test]
fn they_may_be_sent_and_shared_and_shown() {
    fn check<T: Send + Sync + std::fmt::Debug + 'static>() {}
    check::<UdpSocket>();
    check::<Datagrams>();
    assert!(format!("{:?}", udp()).starts_with("UdpSocket"));
}

#[test]
fn they_wait_for_each_other() {
    in_a_task(|| {
        let (near, far) = udp_pair();
        let echo = spawn(move || {
            let mut buffer = [0; 64];
            for _ in 0..100 {
                let (length, from) = far.recv_from(&mut buffer).unwrap();
                far.send_to(&buffer[..length], from).unwrap();
            }
        });
        for round in 0..100_u8 {
            near.send(&[round; 3]).unwrap();
            let mut buffer = [0; 64];
            assert_eq!(near.peek(&mut buffer).unwrap(), 3);
            let (length, from) = near.peek_from(&mut buffer).unwrap();
            assert_eq!((length, from), (3, near.peer_addr().unwrap()));
            assert_eq!(near.recv(&mut buffer).unwrap(), 3);
            assert_eq!(buffer[..3], [round; 3]);
        }
        echo.join().unwrap();
    });
}

#[test]
fn empty_datagrams_are_datagrams() {
    in_a_task(|| {
        let (near, far) = udp_pair();
        assert_eq!(far.send(b"").unwrap(), 0);
        assert_eq!(far.send(b"x").unwrap(), 1);
        assert_eq!(near.recv(&mut [0; 8]).unwrap(), 0);
        assert_eq!(near.recv(&mut [0; 8]).unwrap(), 1);
        // One with no room takes a datagram, and waits for it.
        let sends = spawn(move || {
            far.send(b"lost").unwrap();
            far.send(b"next").unwrap();
        });
        assert_eq!(near.recv(&mut []).unwrap(), 0);
        assert_eq!(near.peek(&mut []).unwrap(), 0);
        assert_eq!(near.recv_from(&mut [0; 8]).unwrap().0, 4);
        sends.join().unwrap();
    });
}

#[test]
fn what_does_not_fit_is_cut_as_stds_is() {
    in_a_task(|| {
        let (near, far) = udp_pair();
        far.send(b"hello").unwrap();
        let mut two = [0; 2];
        assert_eq!(near.recv(&mut two).unwrap(), 2);
        assert_eq!(&two, b"he");
        near.set_nonblocking(true).unwrap();
        assert_eq!(kind(near.recv(&mut two)), ErrorKind::WouldBlock);
        assert_eq!(kind(near.recv_from(&mut two)), ErrorKind::WouldBlock);
    });
}

#[test]
fn the_peers_machine_says_that_nobody_listens() {
    in_a_task(|| {
        let near = udp();
        let gone = udp().local_addr().unwrap();
        near.connect(gone).unwrap();
        near.send(b"anybody?").unwrap();
        assert_eq!(kind(near.recv(&mut [0])), ErrorKind::ConnectionRefused);
        // It is told once. The next call waits.
        near.set_read_timeout(Some(SHORT)).unwrap();
        assert_eq!(kind(near.recv(&mut [0])), ErrorKind::TimedOut);
        // Told to one that waits already, and to one that takes many.
        let near = Rc::new(near);
        let theirs = Rc::clone(&near);
        near.set_read_timeout(None).unwrap();
        let waits = spawn(move || kind(theirs.recv(&mut [0])));
        yield_now();
        near.send(b"anybody?").unwrap();
        assert_eq!(waits.join().unwrap(), ErrorKind::ConnectionRefused);
        near.send(b"anybody?").unwrap();
        let many = near.recv_many(&mut Datagrams::new(4, 16));
        assert_eq!(kind(many), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn options_limits_and_conversions_are_stds() {
    in_a_task(|| {
        let near = udp();
        near.set_broadcast(true).unwrap();
        assert!(near.broadcast().unwrap());
        near.set_ttl(42).unwrap();
        assert_eq!(near.ttl().unwrap(), 42);
        near.set_multicast_ttl_v4(3).unwrap();
        assert_eq!(near.multicast_ttl_v4().unwrap(), 3);
        near.set_multicast_loop_v4(false).unwrap();
        assert!(!near.multicast_loop_v4().unwrap());
        assert!(near.take_error().unwrap().is_none());
        assert_eq!(kind(near.peer_addr()), ErrorKind::NotConnected);
        let none: &[SocketAddr] = &[];
        assert_eq!(kind(near.send_to(b"x", none)), ErrorKind::InvalidInput);
        assert_eq!(kind(near.connect(none)), ErrorKind::InvalidInput);
        let taken = near.local_addr().unwrap();
        assert_eq!(kind(UdpSocket::bind(taken)), ErrorKind::AddrInUse);

        near.set_read_timeout(Some(SHORT)).unwrap();
        let number = near.as_raw_fd();
        let near = UdpSocket::from(OwnedFd::from(near));
        assert_eq!(
            (near.as_raw_fd(), near.read_timeout().unwrap()),
            (number, Some(SHORT))
        );
        let begin = Instant::now();
        assert_eq!(kind(near.recv(&mut [0])), ErrorKind::TimedOut);
        assert_eq!(
            kind(near.try_clone().unwrap().recv(&mut [0])),
            ErrorKind::TimedOut
        );
        assert!(begin.elapsed() >= 2 * SHORT);
        let near = net::UdpSocket::from(near);
        let begin = Instant::now();
        near.recv(&mut [0]).unwrap_err();
        assert!(begin.elapsed() >= SHORT / 2, "it did not block");
    });
}

#[test]
fn a_group_is_joined_and_left() {
    in_a_task(|| {
        let group = Ipv4Addr::new(239, 255, 77, 1);
        let local = Ipv4Addr::LOCALHOST;
        let far = UdpSocket::bind("0.0.0.0:0").unwrap();
        match far.join_multicast_v4(&group, &local) {
            Ok(()) => far.leave_multicast_v4(&group, &local).unwrap(),
            // Machines without such a network have nothing to join.
            Err(error) => assert!(error.raw_os_error().is_some()),
        }
    });
}

#[test]
fn many_come_at_once() {
    in_a_task(|| {
        let (near, far) = (udp(), udp());
        let (from, to) = (far.local_addr().unwrap(), near.local_addr().unwrap());
        let waits = spawn(move || {
            let mut datagrams = Datagrams::new(40, 8);
            assert_eq!((datagrams.capacity(), datagrams.len()), (40, 0));
            let mut all = Vec::new();
            let mut calls = 0;
            while all.len() < 100 {
                let count = near.recv_many(&mut datagrams).unwrap();
                assert_eq!(count, datagrams.len());
                assert!(0 < count && count <= 40);
                calls += 1;
                for (data, sender) in &datagrams {
                    assert_eq!(sender, from);
                    all.push(data.to_vec());
                }
            }
            // Nothing of the last call is left.
            near.set_read_timeout(Some(SHORT)).unwrap();
            assert_eq!(kind(near.recv_many(&mut datagrams)), ErrorKind::TimedOut);
            assert!(datagrams.is_empty() && datagrams.get(0).is_none());
            (all, calls)
        });
        yield_now();
        let data: Vec<_> = (0..100_usize).map(|n| vec![7; n % 10]).collect();
        let addressed: Vec<_> = data.iter().map(|data| (data, to)).collect();
        let mut sent = 0;
        while sent < 100 {
            sent += far.send_many(&addressed[sent..]).unwrap();
        }
        assert_eq!(far.send_many::<&[u8]>(&[]).unwrap(), 0);
        let (all, calls) = waits.join().unwrap();
        let cut: Vec<_> = data
            .iter()
            .map(|data| data[..data.len().min(8)].to_vec())
            .collect();
        assert_eq!(all, cut);
        assert!(calls <= 10, "{calls} calls for what was there at once");
    });
}

#[test]
fn of_many_those_before_an_error_are_sent() {
    in_a_task(|| {
        let (near, far) = (udp(), udp());
        let to = near.local_addr().unwrap();
        let nowhere: SocketAddr = "[::1]:9".parse().unwrap();
        let long = vec![0; 70_000];
        let short = vec![1; 5];
        let some = [(&short, to), (&short, to), (&long, to), (&short, to)];
        assert_eq!(far.send_many(&some).unwrap(), 2);
        let error = far.send_many(&some[2..]).unwrap_err();
        assert!(error.raw_os_error().is_some());
        far.send_many(&[(&short, nowhere)]).unwrap_err();
        let mut datagrams = Datagrams::new(8, 16);
        assert_eq!(near.recv_many(&mut datagrams).unwrap(), 2);
        // However many one call of the system takes.
        for good in [15, 16, 17, 33] {
            let mut some = vec![(&short, to); good];
            assert_eq!(far.send_many(&some).unwrap(), good);
            some.extend([(&long, to), (&short, to)]);
            assert_eq!(far.send_many(&some).unwrap(), good);
        }
    });
}

#[test]
#[should_panic(expected = "at least one byte of one datagram")]
fn there_must_be_room_for_something() {
    let _none = Datagrams::new(0, 16);
}

#[test]
#[should_panic(expected = "no memory has room for so many datagrams")]
fn more_than_memory_has_is_a_panic() {
    let _none = Datagrams::new(1, usize::MAX / 4);
}

#[test]
fn one_that_always_has_datagrams_starves_nobody() {
    in_a_task(|| {
        let (near, far) = udp_pair();
        let turns = Rc::new(Cell::new(0));
        let seen = Rc::clone(&turns);
        spawn(move || {
            loop {
                seen.set(seen.get() + 1);
                yield_now();
            }
        });
        for _ in 0..1_000 {
            far.send(b"x").unwrap();
            near.recv(&mut [0]).unwrap();
        }
        assert!(turns.get() >= 2_000 / 129, "{} turns", turns.get());
    });
}

#[test]
fn a_cancelled_receiver_takes_nothing() {
    in_a_task(|| {
        let (near, far) = udp_pair();
        let near = Rc::new(near);
        timeout(SHORT, || near.recv(&mut [0])).unwrap_err();
        let theirs = Rc::clone(&near);
        let task = spawn(move || {
            let mut datagrams = Datagrams::new(4, 16);
            theirs.recv_many(&mut datagrams).map(|_| datagrams.len())
        });
        yield_now();
        task.cancel();
        assert!(task.join().unwrap_err().is_cancelled());
        far.send(b"a").unwrap();
        let ready = select! {
            readable(&near) -> ready => ready,
            after(Duration::from_secs(20)) => Err(io::ErrorKind::TimedOut.into()),
        };
        ready.unwrap();
        select! { writable(&near) -> ready => ready.unwrap() };
        assert_eq!(near.recv(&mut [0; 4]).unwrap(), 1);
    });
}

#[test]
fn on_a_plain_thread_the_same_calls_block() {
    bounded(|| {
        let (near, far) = udp_pair();
        let client = std::thread::spawn(move || {
            let mut datagrams = Datagrams::new(4, 16);
            let count = near.recv_many(&mut datagrams).unwrap();
            near.send(datagrams.get(count - 1).unwrap().0).unwrap();
            near.set_read_timeout(Some(SHORT)).unwrap();
            assert_eq!(kind(near.recv(&mut [0])), ErrorKind::TimedOut);
        });
        far.send(b"hello").unwrap();
        let mut buffer = [0; 16];
        assert_eq!(far.recv_from(&mut buffer).unwrap().0, 5);
        client.join().unwrap();
    });
}

#[test]
fn the_end_of_receiving_is_told_to_who_waits() {
    in_a_task(|| {
        let (near, far) = udp_pair();
        let near = Rc::new(near);
        let receivers: [fn(&UdpSocket) -> io::Result<usize>; 3] = [
            |socket| socket.recv(&mut [0; 8]),
            |socket| socket.peek(&mut [0; 8]),
            |socket| socket.recv_many(&mut Datagrams::new(4, 8)),
        ];
        let waits: Vec<_> = receivers
            .into_iter()
            .map(|receive| {
                let near = Rc::clone(&near);
                spawn(move || receive(&near))
            })
            .collect();
        yield_now();
        SockRef::from(&*near).shutdown(net::Shutdown::Read).unwrap();
        for wait in waits {
            assert_eq!(wait.join().unwrap().unwrap(), 0);
        }
        assert_eq!(kind(near.recv_from(&mut [0; 8])), ErrorKind::InvalidInput);
        drop(far);
    });
}
