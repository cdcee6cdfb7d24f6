//! What the tests of sockets share: a time limit, and connected pairs.

use std::io;
use std::net;
use std::panic::resume_unwind;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use greenroom::net::{TcpListener, TcpStream};
use greenroom::run;

/// Far more than any test takes on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// A pause that makes waiting calls give up soon.
pub(crate) const SHORT: Duration = Duration::from_millis(20);

/// Runs a test on a thread of its own, and fails if it does not come to an end.
#[track_caller]
pub(crate) fn bounded<T: Send + 'static>(test: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, ended) = mpsc::channel();
    let thread = thread::spawn(move || done.send(test()));
    match ended.recv_timeout(LIMIT) {
        Ok(value) => value,
        Err(RecvTimeoutError::Timeout) => panic!("not done after {LIMIT:?}"),
        Err(RecvTimeoutError::Disconnected) => match thread.join() {
            Err(payload) => resume_unwind(payload),
            Ok(_) => unreachable!("it ends by sending or by a panic"),
        },
    }
}

/// The same in a task.
#[track_caller]
pub(crate) fn in_a_task<T: Send + 'static>(test: impl FnOnce() -> T + Send + 'static) -> T {
    bounded(|| run(test))
}

/// Two ends of a connection: ours, and one in std's hands.
pub(crate) fn pair() -> (TcpStream, net::TcpStream) {
    let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
    let far = net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (near, _) = listener.accept().unwrap();
    (TcpStream::from(near), far)
}

/// Two ends of a connection, both ours.
pub(crate) fn green_pair() -> (TcpStream, TcpStream) {
    let (near, far) = pair();
    (near, TcpStream::from(far))
}

/// A listener on a free port.
pub(crate) fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

/// What went wrong.
#[track_caller]
pub(crate) fn kind<T: std::fmt::Debug>(result: io::Result<T>) -> io::ErrorKind {
    result.unwrap_err().kind()
}
