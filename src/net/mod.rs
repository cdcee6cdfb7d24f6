//! Sockets in the image of [`std::net`] and [`std::os::unix::net`]: the same names, waiting instead of blocking.
//!
//! A call that has to wait lets the other tasks of its thread run; called on a plain thread, it blocks
//! that thread, as std's does. So blocking code that takes any `Read + Write` runs on these sockets unchanged.
//!
//! ```
//! use std::io::{Read, Write};
//! use greenroom::net::{TcpListener, TcpStream};
//! use greenroom::{run, spawn};
//!
//! let answer = run(|| {
//!     let listener = TcpListener::bind("127.0.0.1:0")?;
//!     let address = listener.local_addr()?;
//!     spawn(move || {
//!         let (mut stream, _) = listener.accept()?;
//!         let mut word = [0; 5];
//!         stream.read_exact(&mut word)?;
//!         word.make_ascii_uppercase();
//!         stream.write_all(&word)
//!     });
//!     let mut stream = TcpStream::connect(address)?;
//!     stream.write_all(b"hello")?;
//!     let mut answer = String::new();
//!     stream.read_to_string(&mut answer)?;
//!     Ok::<_, std::io::Error>(answer)
//! })?;
//! assert_eq!(answer, "HELLO");
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! | of std | here | and beside it |
//! |---|---|---|
//! | `TcpStream`, `TcpListener` | the same | [`TcpSocket`] for options set beforehand; [`split`](TcpStream::split), [`send_file`](TcpStream::send_file) |
//! | `UdpSocket` | the same | [`Datagrams`]: many by one call |
//! | `UnixStream`, `UnixListener`, `UnixDatagram` | the same | addresses are [`std::os::unix::net::SocketAddr`] |
//! | `ToSocketAddrs` | a trait of the same name | names are looked up while the other tasks run |
//!
//! All give out their descriptor, so what is not here can be asked of them by other crates:
//! `socket2::SockRef::from(&socket)` has every option of a socket there is.
//!
//! # What all sockets here have in common
//!
//! - A call first tries. Only where it would block does it wait, and only then is the descriptor
//!   watched, by the runtime of the thread that waits.
//! - Two calls wait for what the system does not tell, and try again after pauses: connecting to a Unix listener
//!   whose queue is full, and sending to a Unix datagram socket without being connected to it.
//! - They are `Send` and `Sync`. Any thread may use one at any time, within a runtime or without, and
//!   drop it. Tasks of one thread that wait for the same direction are served in order.
//! - A call never says `WouldBlock` or `Interrupted`, unless it was asked for with `set_nonblocking`.
//! - Conversions from and to std's types change nothing: neither `O_NONBLOCK` nor time limits.
//! - A call that need not wait uses up one unit of its task's budget (see
//!   [`Config::budget`](crate::Config::budget)); when there is none left, it lets the other tasks run before it
//!   tries. So a socket that always has data starves nobody.
//! - A name is looked up by a thread of the [pool](crate::ThreadPool) while the other tasks run: see
//!   [`ToSocketAddrs`], which is a trait of its own for that. A literal address such as `127.0.0.1:80` is
//!   never looked up.

mod accept;
mod connect;
mod convert;
mod datagram;
mod datagrams;
mod names;
mod pause;
mod send_file;
mod settings;
mod split;
mod stream;
mod tcp_listener;
mod tcp_socket;
mod tcp_stream;
mod udp_options;
mod udp_socket;
mod unix_address;
mod unix_datagram;
mod unix_listener;
mod unix_stream;

pub use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, SocketAddrV4, SocketAddrV6};

pub use accept::Incoming;
pub use datagrams::{Datagrams, DatagramsIter};
pub use names::ToSocketAddrs;
pub use split::{ReadHalf, ReuniteError, Split, WriteHalf};
pub use tcp_listener::TcpListener;
pub use tcp_socket::TcpSocket;
pub use tcp_stream::TcpStream;
pub use udp_socket::UdpSocket;
pub use unix_datagram::UnixDatagram;
pub use unix_listener::UnixListener;
pub use unix_stream::UnixStream;
