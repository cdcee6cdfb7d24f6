//! The rows of calls that wait for a datagram, or for room for one.

use std::io;
use std::rc::Rc;

use greenroom::net::{Datagrams, UdpSocket, UnixDatagram};

use crate::rows::{Call, Rig, io_said};

fn receiving(call: impl FnOnce(&UdpSocket) -> io::Result<u8> + 'static) -> Rig {
    let near = Rc::new(UdpSocket::bind("127.0.0.1:0").unwrap());
    let far = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    far.connect(near.local_addr().unwrap()).unwrap();
    let far = Rc::new(far);
    let (ours, theirs) = (Rc::clone(&near), Rc::clone(&far));
    let complete = move || assert_eq!(theirs.send(&[5]).unwrap(), 1);
    let intact = move || {
        far.send(&[6]).unwrap();
        let mut byte = [0];
        assert_eq!(near.recv(&mut byte).unwrap(), 1);
        assert_eq!(byte, [6]);
    };
    Rig::new(move || io_said(call(&ours)), complete, intact)
}

pub(crate) const RECEIVE: Call = Call::io(
    |_| {
        receiving(|socket| {
            let mut byte = [0];
            socket.recv(&mut byte).map(|_| byte[0])
        })
    },
    "5",
);

pub(crate) const RECEIVE_FROM: Call = Call::io(
    |_| {
        receiving(|socket| {
            let mut byte = [0];
            socket.recv_from(&mut byte).map(|_| byte[0])
        })
    },
    "5",
);

pub(crate) const PEEK_FROM: Call = Call::io(
    |_| {
        receiving(|socket| {
            let mut byte = [0];
            socket.peek_from(&mut byte)?;
            // It is still there.
            socket.recv(&mut byte).map(|_| byte[0])
        })
    },
    "5",
);

pub(crate) const RECEIVE_MANY: Call = Call::io(
    |_| {
        receiving(|socket| {
            let mut datagrams = Datagrams::new(4, 8);
            socket.recv_many(&mut datagrams)?;
            Ok(datagrams.get(0).map_or(0, |(data, _)| data[0]))
        })
    },
    "5",
);

pub(crate) const UNIX_RECEIVE: Call = Call::io(
    |_| {
        let (near, far) = UnixDatagram::pair().unwrap();
        let (near, far) = (Rc::new(near), Rc::new(far));
        let (ours, theirs) = (Rc::clone(&near), Rc::clone(&far));
        let call = move || {
            let mut byte = [0];
            io_said(ours.recv(&mut byte).map(|_| byte[0]))
        };
        let complete = move || assert_eq!(theirs.send(&[5]).unwrap(), 1);
        let intact = move || {
            far.send(&[6]).unwrap();
            let mut byte = [0];
            assert_eq!(near.recv(&mut byte).unwrap(), 1);
            assert_eq!(byte, [6]);
        };
        Rig::new(call, complete, intact)
    },
    "5",
);

/// A pair whose first end finds no room, and how many datagrams fill it.
#[cfg(target_os = "linux")]
fn full_pair() -> (UnixDatagram, UnixDatagram, usize) {
    let (near, far) = UnixDatagram::pair().unwrap();
    near.set_nonblocking(true).unwrap();
    let mut filled = 0;
    while near.send(&[0]).is_ok() {
        filled += 1;
    }
    near.set_nonblocking(false).unwrap();
    (near, far, filled)
}

#[cfg(target_os = "linux")]
pub(crate) const UNIX_SEND: Call = Call::io(
    |_| {
        let (near, far, filled) = full_pair();
        let far = Rc::new(far);
        let theirs = Rc::clone(&far);
        let call = move || io_said(near.send(&[1]));
        let complete = move || {
            for _ in 0..filled {
                theirs.recv(&mut [0]).unwrap();
            }
        };
        let intact = move || {
            far.set_nonblocking(true).unwrap();
            let mut there = 0;
            while far.recv(&mut [0]).is_ok() {
                there += 1;
            }
            assert_eq!(there, filled, "something was sent");
        };
        Rig::new(call, complete, intact)
    },
    "1",
);

#[cfg(target_os = "linux")]
pub(crate) const UNIX_SEND_TO: Call = Call::io(
    |_| {
        let address = crate::sockets::own_name();
        let far = Rc::new(UnixDatagram::bind_addr(&address).unwrap());
        let near = UnixDatagram::unbound().unwrap();
        near.set_nonblocking(true).unwrap();
        let mut filled = 0;
        while near.send_to_addr(&[0], &address).is_ok() {
            filled += 1;
        }
        near.set_nonblocking(false).unwrap();
        let theirs = Rc::clone(&far);
        let call = move || io_said(near.send_to_addr(&[1], &address));
        let complete = move || {
            for _ in 0..filled {
                theirs.recv(&mut [0]).unwrap();
            }
        };
        let intact = move || {
            far.set_nonblocking(true).unwrap();
            let mut there = 0;
            while far.recv(&mut [0]).is_ok() {
                there += 1;
            }
            assert_eq!(there, filled, "something was sent");
        };
        Rig::new(call, complete, intact)
    },
    "1",
);
