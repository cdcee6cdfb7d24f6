//! std's names do what std's do: addresses, options, connecting, conversions.

use std::io::{ErrorKind, Read, Write};
use std::net;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::time::{Duration, Instant};

use greenroom::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use greenroom::spawn;

use crate::support::{SHORT, bounded, green_pair, in_a_task, kind, listener, pair};

#[test]
fn they_may_be_sent_and_shared_and_shown() {
    fn check<T: Send + Sync + std::fmt::Debug + 'static>() {}
    check::<TcpStream>();
    check::<TcpListener>();
    let (near, _far) = pair();
    let shown = format!("{near:?}");
    let address = near.local_addr().unwrap();
    assert!(shown.starts_with("TcpStream"), "{shown}");
    assert!(shown.contains(&address.to_string()), "{shown}");
    assert!(format!("{:?}", listener()).starts_with("TcpListener"));
}

#[test]
fn addresses_and_options() {
    in_a_task(|| {
        let listener = listener();
        let address = listener.local_addr().unwrap();
        let near = TcpStream::connect(address).unwrap();
        let (far, from) = listener.accept().unwrap();
        assert_eq!(from, near.local_addr().unwrap());
        assert_eq!(far.peer_addr().unwrap(), from);
        assert_eq!(near.peer_addr().unwrap(), address);
        assert_eq!(far.local_addr().unwrap(), address);

        assert!(!near.nodelay().unwrap());
        near.set_nodelay(true).unwrap();
        assert!(near.nodelay().unwrap());
        near.set_ttl(42).unwrap();
        assert_eq!(near.ttl().unwrap(), 42);
        listener.set_ttl(43).unwrap();
        assert_eq!(listener.ttl().unwrap(), 43);
        assert!(near.take_error().unwrap().is_none());
        assert!(listener.take_error().unwrap().is_none());
    });
}

#[test]
fn connect_tries_every_address() {
    in_a_task(|| {
        let refused = free_address();
        assert_eq!(
            kind(TcpStream::connect(refused)),
            ErrorKind::ConnectionRefused
        );
        let listener = listener();
        let both = [refused, listener.local_addr().unwrap()];
        let near = TcpStream::connect(&both[..]).unwrap();
        assert_eq!(near.peer_addr().unwrap(), both[1]);
        let none: &[SocketAddr] = &[];
        assert_eq!(kind(TcpStream::connect(none)), ErrorKind::InvalidInput);
        let by_name = ("localhost", both[1].port());
        TcpStream::connect(by_name).unwrap();
    });
}

/// A port that was just free, with nobody behind it.
fn free_address() -> SocketAddr {
    let gone = net::TcpListener::bind("127.0.0.1:0").unwrap();
    gone.local_addr().unwrap()
}

#[test]
fn connecting_leaves_a_stream_that_blocks_in_the_hands_of_std() {
    in_a_task(|| {
        let listener = listener();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let near = net::TcpStream::from(near);
        near.set_read_timeout(Some(SHORT)).unwrap();
        let begin = Instant::now();
        (&near).read(&mut [0]).unwrap_err();
        assert!(begin.elapsed() >= SHORT / 2, "it did not block");
    });
}

#[test]
fn a_connect_that_takes_too_long_is_given_up() {
    in_a_task(|| {
        let address = "127.0.0.1:1".parse().unwrap();
        assert_eq!(
            kind(TcpStream::connect_timeout(&address, Duration::ZERO)),
            ErrorKind::InvalidInput
        );
        let listener = listener();
        let address = listener.local_addr().unwrap();
        TcpStream::connect_timeout(&address, Duration::from_secs(20)).unwrap();
    });
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_queue_answers_nobody() {
    in_a_task(|| {
        // The shortest queue there is.
        let full =
            socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        full.bind(&any.into()).unwrap();
        full.listen(0).unwrap();
        let address = full.local_addr().unwrap().as_socket().unwrap();
        let mut inside = Vec::new();
        let late = loop {
            match TcpStream::connect_timeout(&address, 5 * SHORT) {
                Ok(stream) => inside.push(stream),
                Err(error) => break error,
            }
            assert!(inside.len() < 10, "the queue takes everybody");
        };
        assert_eq!(late.kind(), ErrorKind::TimedOut);
        let waits = spawn(move || kind(TcpStream::connect(address)));
        // It is still at it when main ends, and is dropped with its socket.
        greenroom::yield_now();
        assert!(!waits.is_finished());
    });
}

#[test]
fn a_port_in_use_is_refused() {
    let first = listener();
    let address = first.local_addr().unwrap();
    assert_eq!(kind(TcpListener::bind(address)), ErrorKind::AddrInUse);
    drop(first);
    TcpListener::bind(address).unwrap();
}

#[test]
fn a_port_is_free_again_at_once() {
    in_a_task(|| {
        let first = listener();
        let address = first.local_addr().unwrap();
        let near = TcpStream::connect(address).unwrap();
        let (far, _) = first.accept().unwrap();
        // Whoever closes first keeps the address in TIME_WAIT.
        drop((far, first));
        drop(near);
        TcpListener::bind(address).unwrap();
    });
}

#[test]
fn conversions_change_nothing() {
    in_a_task(|| {
        let (near, mut far) = pair();
        let near = net::TcpStream::from(near);
        near.set_nonblocking(true).unwrap();
        near.set_read_timeout(Some(SHORT)).unwrap();
        let number = near.as_raw_fd();

        // Ours waits all the same, as long as the limit set in std's hands says.
        let mut near = TcpStream::from(near);
        assert_eq!(near.read_timeout().unwrap(), Some(SHORT));
        assert_eq!(near.write_timeout().unwrap(), None);
        assert_eq!(kind(near.read(&mut [0])), ErrorKind::TimedOut);
        near.set_write_timeout(Some(SHORT)).unwrap();
        far.write_all(b"x").unwrap();
        near.read_exact(&mut [0]).unwrap();

        let mut near = net::TcpStream::from(near);
        assert_eq!(near.as_raw_fd(), number);
        assert_eq!(kind(near.read(&mut [0])), ErrorKind::WouldBlock);
        assert_eq!(near.write_timeout().unwrap(), Some(SHORT));

        // Through descriptors, owned and raw.
        let near = OwnedFd::from(TcpStream::from(near));
        let raw = TcpStream::from(near).into_raw_fd();
        assert_eq!(raw, number);
        #[expect(unsafe_code, reason = "the conversion is what is tested")]
        // SAFETY: the descriptor was given up a line ago.
        let near = unsafe { TcpStream::from_raw_fd(raw) };
        assert_eq!(near.as_fd().as_raw_fd(), number);
        drop(near);
        assert_eq!(far.read(&mut [0]).unwrap(), 0);
    });
}

#[test]
fn a_listener_blocks_again_in_the_hands_of_std() {
    in_a_task(|| {
        let listener = listener();
        let address = listener.local_addr().unwrap();
        let duplicate = listener.try_clone().unwrap();
        let _near = TcpStream::connect(address).unwrap();
        duplicate.accept().unwrap();
        // The flag was set by the duplicate, and is common to both.
        assert!(!blocks(&listener));
        drop(duplicate);
        let listener = net::TcpListener::from(listener);
        assert!(blocks(&listener));

        // It was not ours, so it stays.
        listener.set_nonblocking(true).unwrap();
        let listener = TcpListener::from(listener);
        let _near = TcpStream::connect(address).unwrap();
        listener.accept().unwrap();
        let listener = net::TcpListener::from(listener);
        assert!(!blocks(&listener));
    });
}

/// Whether accepting from nobody blocks. It looks at the clock, since the flag cannot be asked for without
/// system calls.
fn blocks(listener: &impl AsFd) -> bool {
    let socket = socket2::SockRef::from(listener);
    socket.set_read_timeout(Some(SHORT)).unwrap();
    let begin = Instant::now();
    assert_eq!(kind(socket.accept()), ErrorKind::WouldBlock);
    begin.elapsed() >= SHORT / 2
}

#[test]
fn whoever_asks_for_would_block_gets_it() {
    in_a_task(|| {
        let (mut near, mut far) = green_pair();
        near.set_nonblocking(true).unwrap();
        assert_eq!(kind(near.read(&mut [0])), ErrorKind::WouldBlock);
        let mut duplicate = near.try_clone().unwrap();
        assert_eq!(kind(duplicate.peek(&mut [0])), ErrorKind::WouldBlock);
        far.write_all(b"x").unwrap();
        duplicate.read_exact(&mut [0]).unwrap();
        near.set_nonblocking(false).unwrap();
        spawn(move || far.write_all(b"y"));
        near.read_exact(&mut [0]).unwrap();

        let listener = listener();
        listener.set_nonblocking(true).unwrap();
        assert_eq!(kind(listener.accept()), ErrorKind::WouldBlock);
        assert_eq!(
            kind(listener.incoming().next().unwrap()),
            ErrorKind::WouldBlock
        );
        listener.set_nonblocking(false).unwrap();
        let address = listener.local_addr().unwrap();
        spawn(move || TcpStream::connect(address));
        listener.accept().unwrap();
    });
}

#[test]
fn on_a_plain_thread_the_same_calls_block() {
    bounded(|| {
        let listener = listener();
        let address = listener.local_addr().unwrap();
        let client = std::thread::spawn(move || {
            let mut near = TcpStream::connect(address).unwrap();
            near.write_all(b"hello").unwrap();
            near.shutdown(Shutdown::Write).unwrap();
            let mut all = Vec::new();
            near.read_to_end(&mut all).unwrap();
            all
        });
        let (mut far, _) = listener.accept().unwrap();
        let mut word = [0; 5];
        assert_eq!(far.peek(&mut word).unwrap(), far.read(&mut word).unwrap());
        far.set_read_timeout(Some(SHORT)).unwrap();
        let mut all = Vec::new();
        far.read_to_end(&mut all).unwrap();
        far.write_all(&word).unwrap();
        drop(far);
        assert_eq!(client.join().unwrap(), b"hello");

        let (mut near, _far) = green_pair();
        near.set_read_timeout(Some(SHORT)).unwrap();
        let begin = Instant::now();
        assert_eq!(kind(near.read(&mut [0])), ErrorKind::TimedOut);
        assert!(begin.elapsed() >= SHORT);
        assert_eq!(
            kind(TcpStream::connect(free_address())),
            ErrorKind::ConnectionRefused
        );
    });
}
