//! What is on its way to a client: gathered, and sent a portion at a time.
//!
//! Must never: hold more than a portion and an answer's head, or let a client take longer
//! for a portion than it may.

use std::io::{self, Write};
use std::time::Duration;

use greenroom::net::TcpStream;
use greenroom::timeout;

use super::requests::{Asked, Method, Refusal};

/// How much is gathered before it is sent.
pub(crate) const PORTION: usize = 32 * 1024;

/// The answers of one connection.
#[derive(Debug)]
pub(crate) struct Answers<'a> {
    stream: &'a TcpStream,
    limit: Duration,
    /// What was not sent yet.
    pub(crate) bytes: Vec<u8>,
}

impl<'a> Answers<'a> {
    /// For a client that may take so long for a portion.
    pub(crate) fn new(stream: &'a TcpStream, limit: Duration) -> Self {
        Self {
            stream,
            limit,
            bytes: Vec::new(),
        }
    }

    /// Sends what there is.
    pub(crate) fn send(&mut self) -> io::Result<()> {
        if self.bytes.is_empty() {
            return Ok(());
        }
        let mut stream = self.stream;
        // Nearly always the system takes all of it. Else there is one limit for the rest: who
        // takes a byte now and then does not hold a connection for ever.
        let sent = stream.write(&self.bytes)?;
        let rest = &self.bytes[sent..];
        if !rest.is_empty() {
            timeout(self.limit, || stream.write_all(rest))??;
        }
        self.bytes.clear();
        Ok(())
    }

    /// Sends what there is, if it is a portion.
    pub(crate) fn send_portion(&mut self) -> io::Result<()> {
        if self.bytes.len() < PORTION {
            return Ok(());
        }
        self.send()
    }
}

/// Appends the head of an answer: status, fields of this answer, and whether more may follow.
pub(crate) fn head(status: &str, fields: &str, asked: &Asked<'_>, answers: &mut Vec<u8>) {
    for part in ["HTTP/1.1 ", status, "\r\n", fields] {
        answers.extend_from_slice(part.as_bytes());
    }
    if !asked.keep_alive {
        answers.extend_from_slice(b"Connection: close\r\n");
    } else if !asked.newer {
        // It asked for that, and does not count on it before it is told.
        answers.extend_from_slice(b"Connection: keep-alive\r\n");
    }
    answers.extend_from_slice(b"\r\n");
}

/// Appends a whole answer whose body is a short text.
pub(crate) fn text(status: &str, body: &str, asked: &Asked<'_>, answers: &mut Vec<u8>) {
    let length = body.len();
    let fields = format!("Content-Type: text/plain\r\nContent-Length: {length}\r\n");
    head(status, &fields, asked, answers);
    if asked.method != Method::Head {
        answers.extend_from_slice(body.as_bytes());
    }
}

/// Appends the answer of a refusal.
pub(crate) fn refuse(refusal: Refusal, answers: &mut Vec<u8>) {
    let status = match refusal {
        Refusal::BadRequest => "400 Bad Request",
        Refusal::TooSlow => "408 Request Timeout",
        Refusal::BodyTooLarge => "413 Content Too Large",
        Refusal::HeadTooLarge => "431 Request Header Fields Too Large",
        Refusal::NotImplemented => "501 Not Implemented",
    };
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    answers.extend_from_slice(head.as_bytes());
}
