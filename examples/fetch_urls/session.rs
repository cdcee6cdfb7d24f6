//! The client's side: a session, which keeps connections for the next request.
//!
//! A connection is either in the hands of one `get` or in the pool. A `get` that fails or
//! is cancelled drops its connection on the way, so none is ever in the pool with half an
//! answer in it.
//!
//! Must never: take more memory for an answer than the limits below, guess where an answer
//! ends, or send anything but `GET` a second time.

use std::cell::RefCell;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::time::Duration;

use greenroom::io::NonBlocking;
use greenroom::net::TcpStream;
use greenroom::sync::Semaphore;
use greenroom::{Instant, timeout};
use httparse::{Header, Response as Head, Status};

/// The most the lines before a body may take, in bytes.
const MOST_HEAD: u64 = 16 * 1024;
/// The most a body may take.
pub(crate) const MOST_BODY: u64 = 16 * 1024 * 1024;
const MOST_FIELDS: usize = 64;
/// How long an answer may take altogether.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// How long a connection is kept that nobody uses.
pub(crate) const KEPT: Duration = Duration::from_secs(15);

/// What was answered.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

/// Fetches pages, over as few connections as it can.
#[derive(Debug)]
pub(crate) struct Session {
    /// The connections nobody uses now, the last used at the end.
    idle: RefCell<Vec<Idle>>,
    /// So many requests at once. Those that come later wait their turn.
    permits: Semaphore,
}

#[derive(Debug)]
struct Idle {
    host: String,
    since: Instant,
    connection: BufReader<TcpStream>,
}

/// How long a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Length {
    Of(u64),
    /// In pieces, each with its length.
    Chunked,
    /// Until the server closes.
    ToTheEnd,
}

impl Session {
    /// A session of at most so many connections.
    pub(crate) fn new(connections: usize) -> Self {
        Self {
            idle: RefCell::default(),
            permits: Semaphore::new(connections),
        }
    }

    /// Fetches `http://host:port/path`. Its answer may have any status.
    pub(crate) fn get(&self, url: &str) -> io::Result<Response> {
        let (host, path) = parts(url)?;
        let _permit = self.permits.acquire();
        timeout(PATIENCE, || {
            while let Some(kept) = self.take(host) {
                match self.exchange(kept, host, path) {
                    // The server had closed it while nobody looked.
                    Err(error) if is_gone(&error) => {}
                    answered => return answered,
                }
            }
            self.make_room();
            let fresh = TcpStream::connect(host)?;
            fresh.set_nodelay(true)?;
            self.exchange(BufReader::new(fresh), host, path)
        })?
    }

    /// One request and its answer. The connection is kept if it can be used again.
    fn exchange(
        &self,
        mut connection: BufReader<TcpStream>,
        host: &str,
        path: &str,
    ) -> io::Result<Response> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        connection.get_mut().write_all(request.as_bytes())?;
        let (status, length, keep) = loop {
            // Those of the hundreds say only that there will be another.
            let head = read_head(&mut connection)?;
            if !matches!(head.0, 100 | 102..=199) {
                break head;
            }
        };
        let body = read_body(&mut connection, length)?;
        if keep {
            self.idle.borrow_mut().push(Idle {
                host: host.to_owned(),
                since: Instant::now(),
                connection,
            });
        }
        Ok(Response { status, body })
    }

    /// The connection to that host that was used last, and so is the likeliest to live.
    fn take(&self, host: &str) -> Option<BufReader<TcpStream>> {
        let mut idle = self.idle.borrow_mut();
        idle.retain(|one| one.since.elapsed() < KEPT && is_quiet(&one.connection));
        let at = idle.iter().rposition(|one| one.host == host)?;
        Some(idle.remove(at).connection)
    }

    /// Closes those used longest ago, so that with one more there are not too many: each request
    /// that is under way has one, or will.
    fn make_room(&self) {
        let mut idle = self.idle.borrow_mut();
        let surplus = idle.len().saturating_sub(self.permits.available_permits());
        idle.drain(..surplus);
    }
}

/// Whether nothing has come, the end neither. What came unasked belongs to no request: taken for
/// the next answer, it would be somebody else's.
fn is_quiet(connection: &BufReader<TcpStream>) -> bool {
    let read = |mut view: NonBlocking<'_, TcpStream>| view.read(&mut [0]);
    let came = connection.get_ref().nonblocking().and_then(read);
    connection.buffer().is_empty() && came.is_err_and(|it| it.kind() == ErrorKind::WouldBlock)
}

/// Host with port, and path.
fn parts(url: &str) -> io::Result<(&str, &str)> {
    let rest = url.strip_prefix("http://").filter(|rest| {
        let mut bytes = rest.bytes();
        bytes.all(|byte| byte.is_ascii_graphic())
    });
    let rest = rest.ok_or_else(|| invalid("not a URL this session knows"))?;
    Ok(match rest.find('/') {
        Some(slash) => rest.split_at(slash),
        None => (rest, "/"),
    })
}

fn read_head(connection: &mut impl BufRead) -> io::Result<(u16, Length, bool)> {
    let mut bytes = Vec::new();
    let mut limited = connection.take(MOST_HEAD);
    while !bytes.ends_with(b"\r\n\r\n") {
        if limited.read_until(b'\n', &mut bytes)? == 0 {
            return Err(match bytes.len() {
                0 => ErrorKind::ConnectionAborted.into(),
                _ if limited.limit() == 0 => invalid("the answer's head is too long"),
                _ => ErrorKind::UnexpectedEof.into(),
            });
        }
    }
    let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
    let mut head = Head::new(&mut fields);
    let parsed = head.parse(&bytes).map_err(invalid)?;
    let (Status::Complete(used), Some(status)) = (parsed, head.code) else {
        return Err(invalid("half a head"));
    };
    if used < bytes.len() {
        return Err(invalid("an empty line in the head"));
    }
    let length = body_length(status, head.headers)?;
    let closes = of_name(head.headers, "connection")
        .flat_map(|value| value.split(|byte| *byte == b','))
        .any(|word| word.trim_ascii().eq_ignore_ascii_case(b"close"));
    let keep = head.version == Some(1) && length != Length::ToTheEnd && !closes;
    Ok((status, length, keep))
}

/// What could be read in two ways is refused: two lengths, two codings, or one of each.
fn body_length(status: u16, fields: &[Header<'_>]) -> io::Result<Length> {
    let lengths: Vec<_> = of_name(fields, "content-length").collect();
    let codings: Vec<_> = of_name(fields, "transfer-encoding").collect();
    match (lengths.as_slice(), codings.as_slice()) {
        _ if matches!(status, ..200 | 204 | 304) => Ok(Length::Of(0)),
        ([], []) => Ok(Length::ToTheEnd),
        ([], [coding]) if coding.eq_ignore_ascii_case(b"chunked") => Ok(Length::Chunked),
        ([digits], []) if digits.iter().all(u8::is_ascii_digit) => {
            let digits = std::str::from_utf8(digits).map_err(invalid)?;
            digits.parse().map(Length::Of).map_err(invalid)
        }
        _ => Err(invalid("a length that is doubtful")),
    }
}

fn of_name<'a>(fields: &[Header<'a>], name: &str) -> impl Iterator<Item = &'a [u8]> {
    fields
        .iter()
        .filter(move |field| field.name.eq_ignore_ascii_case(name))
        .map(|field| field.value)
}

fn read_body(connection: &mut impl BufRead, length: Length) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    match length {
        Length::Of(length) => append(connection, length, &mut body)?,
        Length::ToTheEnd => {
            connection.take(MOST_BODY + 1).read_to_end(&mut body)?;
            append(connection, 0, &mut body)?;
        }
        Length::Chunked => loop {
            let line = read_line(connection)?;
            let Ok(Status::Complete((_, size))) = httparse::parse_chunk_size(&line) else {
                return Err(invalid("a piece without a length"));
            };
            if size == 0 {
                // Fields may follow the last piece, and then an empty line.
                while read_line(connection)? != b"\r\n" {}
                break;
            }
            append(connection, size, &mut body)?;
            if read_line(connection)? != b"\r\n" {
                return Err(invalid("a piece longer than was said"));
            }
        },
    }
    Ok(body)
}

/// Reads so many bytes more.
fn append(connection: &mut impl BufRead, length: u64, body: &mut Vec<u8>) -> io::Result<()> {
    let whole = length.saturating_add(body.len() as u64);
    if whole > MOST_BODY {
        return Err(invalid("the answer is too long"));
    }
    connection.take(length).read_to_end(body)?;
    if (body.len() as u64) < whole {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    Ok(())
}

fn read_line(connection: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    connection.take(MOST_HEAD).read_until(b'\n', &mut line)?;
    if line.ends_with(b"\n") {
        Ok(line)
    } else {
        Err(ErrorKind::UnexpectedEof.into())
    }
}

/// Whether the other side has left before it said a word.
fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe
    )
}

fn invalid(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, why)
}
