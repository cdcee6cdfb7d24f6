//! The rows of calls that wait for a socket.

use std::io::{self, Read, Write};
use std::rc::Rc;

use greenroom::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use crate::rows::{Call, Rig, io_said, nothing};

pub(crate) fn pair() -> (std::net::TcpStream, std::net::TcpStream) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let far = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (listener.accept().unwrap().0, far)
}

pub(crate) fn reading(call: impl FnOnce(&TcpStream) -> io::Result<u8> + 'static) -> Rig {
    let (near, far) = pair();
    let near = Rc::new(TcpStream::from(near));
    let far = Rc::new(far);
    let (ours, theirs) = (Rc::clone(&near), Rc::clone(&far));
    let complete = move || (&*theirs).write_all(&[5]).unwrap();
    let intact = move || {
        (&*far).write_all(&[6]).unwrap();
        let mut byte = [0];
        (&*near).read_exact(&mut byte).unwrap();
        assert_eq!(byte, [6]);
    };
    Rig::new(move || io_said(call(&ours)), complete, intact)
}

pub(crate) const READ: Call = Call::io(
    |_| {
        reading(|mut stream| {
            let mut byte = [0];
            stream.read(&mut byte).map(|_| byte[0])
        })
    },
    "5",
);

pub(crate) const PEEK: Call = Call::io(
    |_| {
        reading(|mut stream| {
            let mut byte = [0];
            stream.peek(&mut byte)?;
            // It is still there.
            let mut again = [0];
            stream.read_exact(&mut again)?;
            assert_eq!(byte, again);
            Ok(byte[0])
        })
    },
    "5",
);

fn writing(call: impl FnOnce(&TcpStream) -> io::Result<usize> + 'static) -> Rig {
    let (mut near, mut far) = pair();
    near.set_nonblocking(true).unwrap();
    let mut filled = 0;
    while let Ok(count) = near.write(&[0; 4_096]) {
        filled += count;
    }
    near.set_nonblocking(false).unwrap();
    let near = Rc::new(TcpStream::from(near));
    let (ours, mut reader) = (Rc::clone(&near), far.try_clone().unwrap());
    let complete = move || {
        let mut all = vec![0; filled];
        reader.read_exact(&mut all).unwrap();
    };
    let intact = move || {
        near.shutdown(std::net::Shutdown::Write).unwrap();
        let mut all = Vec::new();
        far.read_to_end(&mut all).unwrap();
        assert_eq!(all.len(), filled, "something was sent");
    };
    Rig::new(move || io_said(call(&ours)), complete, intact)
}

pub(crate) const WRITE: Call = Call::io(|_| writing(|mut stream| stream.write(&[1])), "1");

pub(crate) const SEND_FILE: Call = Call::io(
    |_| {
        writing(|stream| {
            let file = std::fs::File::open(std::env::current_exe()?)?;
            let sent = stream.send_file(&file, 0, 1)?;
            Ok(usize::try_from(sent).unwrap())
        })
    },
    "1",
);

pub(crate) const ACCEPT: Call = Call::io(
    |_| {
        let listener = Rc::new(TcpListener::bind("127.0.0.1:0").unwrap());
        let address = listener.local_addr().unwrap();
        let ours = Rc::clone(&listener);
        let complete = move || drop(std::net::TcpStream::connect(address).unwrap());
        let intact = move || {
            let client = std::net::TcpStream::connect(address).unwrap();
            let (_, peer) = listener.accept().unwrap();
            assert_eq!(peer, client.local_addr().unwrap());
        };
        let call = move || io_said(ours.accept().map(|_| "returned"));
        Rig::new(call, complete, intact)
    },
    "returned",
);

/// A listener that answers nobody any more.
pub(crate) fn busy_listener() -> (socket2::Socket, Vec<socket2::Socket>) {
    let new = || socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let listener = new();
    let any: std::net::SocketAddr = "127.0.0.1:0".parse().unwrap();
    listener.bind(&any.into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let waiting = (0..4).map(|n| {
        let client = new();
        client.set_nonblocking(n > 0).unwrap();
        let _in_progress = client.connect(&address);
        client
    });
    let waiting = waiting.collect();
    (listener, waiting)
}

pub(crate) const CONNECT: Call = Call::io(
    |completes| {
        let (busy, open) = (busy_listener(), TcpListener::bind("127.0.0.1:0").unwrap());
        let address = if completes {
            open.local_addr().unwrap()
        } else {
            busy.0.local_addr().unwrap().as_socket().unwrap()
        };
        let call = move || {
            let _held = (busy, open);
            io_said(TcpStream::connect(address).map(|_| "returned"))
        };
        Rig::new(call, nothing, nothing)
    },
    "returned",
);

pub(crate) const UNIX_READ: Call = Call::io(
    |_| {
        let (near, far) = UnixStream::pair().unwrap();
        let (near, far) = (Rc::new(near), Rc::new(far));
        let (ours, theirs) = (Rc::clone(&near), Rc::clone(&far));
        let call = move || {
            let mut byte = [0];
            io_said((&*ours).read(&mut byte).map(|_| byte[0]))
        };
        let complete = move || (&*theirs).write_all(&[5]).unwrap();
        let intact = move || {
            (&*far).write_all(&[6]).unwrap();
            let mut byte = [0];
            (&*near).read_exact(&mut byte).unwrap();
            assert_eq!(byte, [6]);
        };
        Rig::new(call, complete, intact)
    },
    "5",
);

/// An address of its own for each rig, without a file.
#[cfg(target_os = "linux")]
pub(crate) fn own_name() -> std::os::unix::net::SocketAddr {
    use std::os::linux::net::SocketAddrExt;
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("greenroom cancel table {} {number}", std::process::id());
    std::os::unix::net::SocketAddr::from_abstract_name(name).unwrap()
}

#[cfg(target_os = "linux")]
pub(crate) const UNIX_ACCEPT: Call = Call::io(
    |_| {
        let address = own_name();
        let listener = Rc::new(UnixListener::bind_addr(&address).unwrap());
        let ours = Rc::clone(&listener);
        let theirs = address.clone();
        let connect = std::os::unix::net::UnixStream::connect_addr;
        let complete = move || drop(connect(&theirs).unwrap());
        let intact = move || {
            let _client = connect(&address).unwrap();
            listener.accept().unwrap();
        };
        let call = move || io_said(ours.accept().map(|_| "returned"));
        Rig::new(call, complete, intact)
    },
    "returned",
);

#[cfg(target_os = "linux")]
pub(crate) const UNIX_CONNECT: Call = Call::io(
    |completes| {
        let address = own_name();
        let listener = UnixListener::bind_addr(&address).unwrap();
        let mut inside = Vec::new();
        if !completes {
            let socket = socket2::SockRef::from(&listener);
            socket.listen(0).unwrap();
            let address = socket.local_addr().unwrap();
            loop {
                let domain = socket2::Domain::UNIX;
                let client = socket2::Socket::new(domain, socket2::Type::STREAM, None).unwrap();
                client.set_nonblocking(true).unwrap();
                if client.connect(&address).is_err() {
                    break;
                }
                inside.push(client);
            }
        }
        let (listener, inside) = (Rc::new(listener), Rc::new(inside));
        let (ours, held) = (Rc::clone(&listener), Rc::clone(&inside));
        let call = move || {
            let _held = (ours, held);
            io_said(UnixStream::connect_addr(&address).map(|_| "returned"))
        };
        let intact = move || {
            for _ in inside.iter() {
                listener.accept().unwrap();
            }
            listener.set_nonblocking(true).unwrap();
            let more = listener.accept().unwrap_err();
            assert_eq!(more.kind(), io::ErrorKind::WouldBlock);
        };
        Rig::new(call, nothing, intact)
    },
    "returned",
);
