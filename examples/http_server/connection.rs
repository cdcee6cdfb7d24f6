//! One connection of the web server, from its first byte to its last.
//!
//! Blocking code, of the kind one writes for a single client. Time limits hold
//! for a whole request, not for each read: a client that sends a byte now and
//! then does not hold a connection for ever.
//!
//! Must never: take more memory than the limits in `requests.rs` and `answers.rs` allow, or
//! make more than two system calls for a request that came in one piece.

use std::io::{self, ErrorKind, Read, Write};
use std::time::Duration;

use greenroom::Instant;
use greenroom::net::{Shutdown, TcpStream};

use super::answers::{Answers, refuse};
use super::requests::{self, MOST_BODY, MOST_HEAD, Refusal};
use super::site::Site;

/// How long a client may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Between requests.
    pub(crate) idle: Duration,
    /// From the first byte of a request to its last, its body's included.
    pub(crate) request: Duration,
    /// To take a portion of an answer.
    pub(crate) answer: Duration,
    /// To stop talking when it was refused.
    pub(crate) parting: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(30),
            request: Duration::from_secs(10),
            answer: Duration::from_secs(10),
            parting: Duration::from_secs(1),
        }
    }
}

/// Answers requests until the client has no more, or is refused.
pub(crate) fn serve(mut stream: &TcpStream, site: &Site, limits: &Limits) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(limits.idle))?;
    stream.set_write_timeout(Some(limits.answer))?;
    let mut bytes = vec![0; MOST_HEAD + MOST_BODY];
    let mut answers = Answers::new(stream, limits.answer);
    let mut filled = 0;
    // While a request is unfinished: when it has to be there.
    let mut due: Option<Instant> = None;
    loop {
        let read = match stream.read(&mut bytes[filled..]) {
            Err(error) if error.kind() == ErrorKind::TimedOut => None,
            read => Some(read?),
        };
        let Some(read) = read else {
            return if filled > 0 {
                too_slow(stream, limits)
            } else {
                Ok(())
            };
        };
        if read == 0 {
            return Ok(());
        }
        filled += read;
        let outcome = requests::answer(&bytes[..filled], |asked| match asked {
            Ok(asked) => site.reply(asked, &mut answers),
            Err(refusal) => {
                refuse(refusal, &mut answers.bytes);
                Ok(())
            }
        })?;
        answers.send()?;
        if outcome.close {
            return part(stream, limits);
        }
        bytes.copy_within(outcome.used..filled, 0);
        filled -= outcome.used;
        if filled == 0 {
            // Nothing to say to the system where nothing changes.
            if due.take().is_some() {
                stream.set_read_timeout(Some(limits.idle))?;
            }
            continue;
        }
        if outcome.used > 0 || due.is_none() {
            due = Some(Instant::now() + limits.request);
        }
        let left = due.map(|due| due.duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return too_slow(stream, limits);
        }
        stream.set_read_timeout(left)?;
    }
}

fn too_slow(mut stream: &TcpStream, limits: &Limits) -> io::Result<()> {
    let mut answer = Vec::new();
    refuse(Refusal::TooSlow, &mut answer);
    stream.write_all(&answer)?;
    part(stream, limits)
}

/// Closes so that the client gets the last answer: closing with bytes unread
/// would reset the connection, and the answer might be lost with it.
fn part(mut stream: &TcpStream, limits: &Limits) -> io::Result<()> {
    stream.shutdown(Shutdown::Write)?;
    let due = Instant::now() + limits.parting;
    let mut unheard = [0; 1024];
    loop {
        let left = due.duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut unheard) {
            Ok(1..) => {}
            // It has gone, one way or another, or its time is over.
            Ok(0) | Err(_) => return Ok(()),
        }
    }
}
