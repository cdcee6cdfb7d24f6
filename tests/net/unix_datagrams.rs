//! Datagrams between programs of this machine: none is lost, so senders wait.

use std::io::ErrorKind;
use std::net::Shutdown;
use std::os::unix::net;
use std::rc::Rc;
use std::time::Instant;

use greenroom::net::UnixDatagram;
use greenroom::{select, spawn, timeout, yield_now};

use crate::support::{SHORT, bounded, in_a_task, kind};
use crate::unix::Place;

#[test]
fn addresses_are_stds() {
    fn check<T: Send + Sync + std::fmt::Debug + 'static>() {}
    check::<UnixDatagram>();
    let (place, other) = (Place::new("datagrams"), Place::new("datagrams-other"));
    in_a_task(move || {
        let near = UnixDatagram::bind(&place).unwrap();
        assert_eq!(kind(UnixDatagram::bind(&place)), ErrorKind::AddrInUse);
        let address = near.local_addr().unwrap();
        assert_eq!(address.as_pathname(), Some(place.as_ref()));
        let far = UnixDatagram::unbound().unwrap();
        far.send_to(b"one", &place).unwrap();
        far.send_to_addr(b"two", &address).unwrap();
        let mut buffer = [0; 8];
        assert_eq!(near.peek_from(&mut buffer).unwrap().0, 3);
        let (length, from) = near.recv_from(&mut buffer).unwrap();
        assert!(length == 3 && from.is_unnamed());
        assert_eq!(near.peek(&mut buffer).unwrap(), 3);
        assert_eq!(near.recv(&mut buffer).unwrap(), 3);
        assert_eq!(&buffer[..3], b"two");

        let named = UnixDatagram::bind(&other).unwrap();
        assert_eq!(kind(named.peer_addr()), ErrorKind::NotConnected);
        named.connect(&place).unwrap();
        named.connect_addr(&address).unwrap();
        named.send(b"").unwrap();
        let (length, from) = near.recv_from(&mut buffer).unwrap();
        assert_eq!((length, from.as_pathname()), (0, Some(other.as_ref())));

        drop(near);
        assert_eq!(
            kind(far.send_to(b"x", &place)),
            ErrorKind::ConnectionRefused
        );
        assert_eq!(kind(far.send_to(b"x", "/no such")), ErrorKind::NotFound);
        assert_eq!(kind(far.connect("/no such")), ErrorKind::NotFound);
    });
}

#[test]
#[cfg(target_os = "linux")]
fn abstract_names() {
    use std::os::linux::net::SocketAddrExt;
    in_a_task(|| {
        let name = format!("greenroom datagrams {}", std::process::id());
        let address = net::SocketAddr::from_abstract_name(&name).unwrap();
        let near = UnixDatagram::bind_addr(&address).unwrap();
        let (far, _other) = UnixDatagram::pair().unwrap();
        far.send_to_addr(b"x", &address).unwrap();
        assert_eq!(near.recv(&mut [0; 4]).unwrap(), 1);
        near.send_to_addr(b"self", &address).unwrap();
        let (_, from) = near.recv_from(&mut [0; 4]).unwrap();
        assert_eq!(from.as_abstract_name(), Some(name.as_bytes()));
    });
}

/// Sends until nobody takes more. Returns how many were sent.
fn fill(send: impl Fn(&[u8]) -> std::io::Result<usize>) -> usize {
    let mut sent = 0;
    while send(b"x").is_ok() {
        sent += 1;
    }
    sent
}

#[test]
fn a_connected_sender_waits_for_room() {
    let place = Place::new("datagrams-connected");
    in_a_task(move || {
        let near = UnixDatagram::bind(&place).unwrap();
        let far = UnixDatagram::unbound().unwrap();
        far.connect(&place).unwrap();
        far.set_write_timeout(Some(SHORT)).unwrap();
        let begin = Instant::now();
        let sent = fill(|data| far.send(data));
        assert!(begin.elapsed() >= SHORT);
        far.set_write_timeout(None).unwrap();
        let sender = spawn(move || {
            for _ in 0..1_000 {
                far.send(b"x").unwrap();
            }
        });
        for _ in 0..1_000 + sent {
            near.recv(&mut [0]).unwrap();
        }
        sender.join().unwrap();
    });
}

#[test]
#[cfg(target_os = "linux")]
fn a_sender_that_is_not_connected_waits_for_room() {
    let place = Place::new("datagrams-free");
    in_a_task(move || {
        let near = UnixDatagram::bind(&place).unwrap();
        let filler = UnixDatagram::unbound().unwrap();
        filler.set_write_timeout(Some(SHORT)).unwrap();
        let begin = Instant::now();
        let sent = fill(|data| filler.send_to(data, &place));
        assert!(begin.elapsed() >= SHORT);

        // The queue is full of what another has sent, so nobody tells this one when there is room.
        let place = Rc::new(place);
        let theirs = Rc::clone(&place);
        let far = Rc::new(UnixDatagram::unbound().unwrap());
        let patient = Rc::clone(&far);
        let sender = spawn(move || {
            for _ in 0..1_000 {
                patient.send_to(b"y", &*theirs).unwrap();
            }
        });
        let late = timeout(SHORT, || far.send_to(b"z", &*place));
        late.expect_err("it found room");
        assert!(!sender.is_finished());
        for _ in 0..1_000 + sent {
            near.recv(&mut [0]).unwrap();
        }
        sender.join().unwrap();
        near.set_nonblocking(true).unwrap();
        assert_eq!(kind(near.recv(&mut [0])), ErrorKind::WouldBlock);
    });
}

#[test]
#[cfg(target_os = "linux")]
fn on_a_plain_thread_it_waits_too() {
    let place = Place::new("datagrams-plain");
    bounded(move || {
        let near = UnixDatagram::bind(&place).unwrap();
        let far = UnixDatagram::unbound().unwrap();
        far.set_write_timeout(Some(SHORT)).unwrap();
        let begin = Instant::now();
        let sent = fill(|data| far.send_to(data, &place));
        assert!(begin.elapsed() >= SHORT);
        far.set_nonblocking(true).unwrap();
        assert_eq!(kind(far.send_to(b"x", &place)), ErrorKind::WouldBlock);
        far.set_nonblocking(false).unwrap();
        far.set_write_timeout(None).unwrap();
        let sender = std::thread::spawn(move || {
            for _ in 0..50 {
                far.send_to(b"x", &place).unwrap();
            }
        });
        for _ in 0..50 + sent {
            near.recv(&mut [0]).unwrap();
        }
        sender.join().unwrap();
    });
}

#[test]
fn limits_conversions_and_selections() {
    in_a_task(|| {
        let (near, far) = UnixDatagram::pair().unwrap();
        near.set_read_timeout(Some(SHORT)).unwrap();
        let near = UnixDatagram::from(net::UnixDatagram::from(near));
        assert_eq!(kind(near.recv(&mut [0])), ErrorKind::TimedOut);
        let duplicate = near.try_clone().unwrap();
        assert_eq!(duplicate.read_timeout().unwrap(), Some(SHORT));
        let readable =
            || select! { readable(&near) -> r => { r.unwrap(); true }, default => false };
        assert!(!readable());
        far.send(b"x").unwrap();
        assert!(readable());
        near.recv(&mut []).unwrap();
        assert!(!readable());
        let waits = spawn(move || duplicate.recv(&mut [0; 8]));
        yield_now();
        near.shutdown(Shutdown::Both).unwrap();
        assert_eq!(waits.join().unwrap().unwrap(), 0);
    });
}
