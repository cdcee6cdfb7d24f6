//! Options that are set before a socket listens or connects.

use std::io::{ErrorKind, Read, Write};
use std::net::{self, SocketAddr};
use std::sync::mpsc;
use std::time::Duration;

use greenroom::net::{TcpListener, TcpSocket, TcpStream, UdpSocket, UnixStream};
use greenroom::{Cancelled, Config, Delivery, Runtime, run, spawn, timeout, yield_now};
use socket2::SockRef;

use crate::support::{SHORT, bounded, green_pair, in_a_task, kind, listener};

const ANY: &str = "127.0.0.1:0";

fn any() -> SocketAddr {
    ANY.parse().unwrap()
}

#[test]
fn all_are_set_and_asked_for() {
    let socket = TcpSocket::new_v4().unwrap();
    for on in [true, false] {
        socket.set_reuse_address(on).unwrap();
        assert_eq!(socket.reuse_address().unwrap(), on);
        socket.set_nodelay(on).unwrap();
        assert_eq!(socket.nodelay().unwrap(), on);
        socket.set_reuse_port(on).unwrap();
        assert_eq!(socket.reuse_port().unwrap(), on);
        socket
            .set_keepalive(on.then_some(Duration::from_secs(70)))
            .unwrap();
        assert_eq!(socket.keepalive().unwrap(), on);
    }
    socket.set_recv_buffer_size(20_000).unwrap();
    assert!(socket.recv_buffer_size().unwrap() >= 20_000);
    socket.set_send_buffer_size(30_000).unwrap();
    assert!(socket.send_buffer_size().unwrap() >= 30_000);
    assert!(format!("{socket:?}").starts_with("TcpSocket"));
    if let Ok(socket) = TcpSocket::new_v6() {
        for on in [true, false] {
            socket.set_only_v6(on).unwrap();
            assert_eq!(socket.only_v6().unwrap(), on);
        }
    }
}

#[test]
fn both_ends_are_made_of_one() {
    in_a_task(|| {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_nodelay(true).unwrap();
        socket.set_keepalive(Some(Duration::from_secs(70))).unwrap();
        socket.bind(any()).unwrap();
        let address = socket.local_addr().unwrap();
        let listener = socket.listen(4).unwrap();
        assert_eq!(listener.local_addr().unwrap(), address);

        // From an address of its own choice.
        let own = TcpSocket::new_v4().unwrap();
        own.bind(any()).unwrap();
        let from = own.local_addr().unwrap();
        let mut near = own.connect(address).unwrap();
        let (mut far, peer) = listener.accept().unwrap();
        assert_eq!((peer, near.local_addr().unwrap()), (from, from));
        if cfg!(target_os = "linux") {
            assert!(far.nodelay().unwrap());
            assert!(SockRef::from(&far).keepalive().unwrap());
        }
        // It waits as any other does.
        let reader = spawn(move || far.read_exact(&mut [0]).unwrap());
        yield_now();
        near.write_all(b"x").unwrap();
        reader.join().unwrap();

        let again = TcpSocket::new_v4().unwrap();
        assert_eq!(kind(again.bind(address)), ErrorKind::AddrInUse);
        let zero = again.connect_timeout(address, Duration::ZERO);
        assert_eq!(kind(zero), ErrorKind::InvalidInput);
        let limited = TcpSocket::new_v4().unwrap();
        limited
            .connect_timeout(address, Duration::from_secs(20))
            .unwrap();
        drop(listener);
        let refused = TcpSocket::new_v4().unwrap().connect(address);
        assert_eq!(kind(refused), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn on_a_plain_thread_it_connects_too() {
    bounded(|| {
        let listener = listener();
        let address = listener.local_addr().unwrap();
        let near = TcpSocket::new_v4().unwrap().connect(address).unwrap();
        let near = net::TcpStream::from(near);
        near.set_read_timeout(Some(SHORT)).unwrap();
        assert_eq!(kind((&near).read(&mut [0])), ErrorKind::WouldBlock);
        let limited = TcpSocket::new_v4().unwrap();
        limited
            .connect_timeout(address, Duration::from_secs(20))
            .unwrap();
    });
}

#[test]
#[cfg(target_os = "linux")]
fn a_short_queue_is_soon_full() {
    in_a_task(|| {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(any()).unwrap();
        let listener = socket.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let mut inside = Vec::new();
        let late = loop {
            let new = TcpSocket::new_v4().unwrap();
            match new.connect_timeout(address, 5 * SHORT) {
                Ok(stream) => inside.push(stream),
                Err(error) => break error,
            }
            assert!(inside.len() < 10, "the queue takes everybody");
        };
        assert_eq!(late.kind(), ErrorKind::TimedOut);
        // One that is cancelled midway leaves nothing behind.
        let task = spawn(move || TcpStream::connect(address));
        yield_now();
        task.cancel();
        assert!(task.join().unwrap_err().is_cancelled());
    });
}

/// What its owner has set stays, and does not keep the connection from being made.
#[test]
fn a_socket_that_does_not_block_connects_all_the_same() {
    let connect = || {
        let listener = net::TcpListener::bind(ANY).unwrap();
        let socket = TcpSocket::new_v4().unwrap();
        SockRef::from(&socket).set_nonblocking(true).unwrap();
        let stream = socket.connect(listener.local_addr().unwrap()).unwrap();
        assert!(SockRef::from(&stream).nonblocking().unwrap());
    };
    bounded(connect);
    in_a_task(connect);
}

/// One who is told of the cancellation by errors tries no other address.
#[test]
#[cfg(target_os = "linux")]
fn a_cancelled_connect_stops_at_its_address() {
    bounded(|| {
        let told = Config::new().delivery(Delivery::Error);
        Runtime::with(told).run(|| {
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind(any()).unwrap();
            let full = socket.listen(0).unwrap();
            let free = listener();
            let addresses = [full.local_addr().unwrap(), free.local_addr().unwrap()];
            let mut inside = Vec::new();
            while let Ok(stream) = TcpStream::connect_timeout(&addresses[0], 5 * SHORT) {
                inside.push(stream);
                assert!(inside.len() < 10, "the queue takes everybody");
            }
            let task = spawn(move || TcpStream::connect(&addresses[..]));
            yield_now();
            task.cancel();
            let error = task.join().unwrap().unwrap_err();
            let cause = error.get_ref().expect("no system says it");
            assert!(cause.is::<Cancelled>(), "{error:?}");
            let nobody = timeout(SHORT, || free.accept());
            assert_eq!(kind(nobody.unwrap()), ErrorKind::TimedOut);
        });
    });
}

/// One listener for each thread, all on one port: Linux spreads connections over them.
#[test]
#[cfg(target_os = "linux")]
fn two_threads_listen_on_one_port() {
    fn shared(address: SocketAddr) -> TcpListener {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuse_port(true).unwrap();
        socket.bind(address).unwrap();
        socket.listen(128).unwrap()
    }
    bounded(|| {
        let first = shared(any());
        let address = first.local_addr().unwrap();
        let listeners = [first, shared(address)];
        let (tell, told) = mpsc::channel();
        for (name, listener) in listeners.into_iter().enumerate() {
            let tell = tell.clone();
            std::thread::spawn(move || {
                run(move || {
                    for stream in listener.incoming() {
                        let mut stream = stream.unwrap();
                        let mut byte = [0];
                        stream.read_exact(&mut byte).unwrap();
                        if byte == *b"q" {
                            return;
                        }
                        tell.send(name).unwrap();
                    }
                });
            });
        }
        let mut taken = [0; 2];
        while taken.contains(&0) {
            let mut near = net::TcpStream::connect(address).unwrap();
            near.write_all(b"x").unwrap();
            taken[told.recv().unwrap()] += 1;
            assert!(taken.iter().sum::<u32>() < 1_000, "{taken:?}");
        }
        // They end one by one. A quitter's queue is reset, so these may fail.
        drop(tell);
        while told.try_recv() != Err(mpsc::TryRecvError::Disconnected) {
            if let Ok(mut near) = net::TcpStream::connect(address) {
                let _sent = near.write_all(b"q");
            }
        }
    });
}

#[test]
fn options_this_crate_does_not_know_are_set_through_the_descriptor() {
    in_a_task(|| {
        let (near, _far) = green_pair();
        SockRef::from(&near).set_linger(Some(SHORT)).unwrap();
        assert_eq!(
            SockRef::from(&near).linger().unwrap().map(|l| l.as_secs()),
            Some(0)
        );
        SockRef::from(&listener()).set_reuse_address(true).unwrap();
        let udp = UdpSocket::bind(ANY).unwrap();
        SockRef::from(&udp).set_recv_buffer_size(20_000).unwrap();
        assert!(SockRef::from(&udp).recv_buffer_size().unwrap() >= 20_000);
        let (near, _far) = UnixStream::pair().unwrap();
        SockRef::from(&near).set_send_buffer_size(20_000).unwrap();
    });
}
