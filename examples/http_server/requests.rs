//! From bytes to answers, without waiting: the part of the server that knows HTTP.
//!
//! It is given what has arrived and says what to send, how much of it that
//! answers, and whether the connection is over. Lines and header fields are taken
//! apart by the crate `httparse`; what they mean is decided here.
//!
//! Must never: guess where a request ends. Two readings of one stream of bytes
//! are how a request is smuggled past whoever checks it, so what is doubtful is refused.

use httparse::{Error, Header, Request, Status};

/// The most a request's line and header fields may take together, in bytes.
pub(crate) const MOST_HEAD: usize = 8 * 1024;
/// The most its body may take. Bodies are skipped.
pub(crate) const MOST_BODY: usize = 8 * 1024;
const MOST_FIELDS: usize = 64;

/// What everybody is told.
pub(crate) const BODY: &str = "Hello, world!";

/// What became of the bytes that were given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// How many of them were answered. The rest is the beginning of a request.
    pub(crate) used: usize,
    /// Whether the answers are the last ones.
    pub(crate) close: bool,
}

/// One request, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Asked {
    /// With its body.
    length: usize,
    /// Whether the answer is to have its body, and why not.
    method: Method,
    keep_alive: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    Get,
    Head,
    Other,
}

/// Why there is no request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Missing {
    /// It has not arrived entirely.
    Unfinished,
    /// It will not be answered but by this.
    Refused(Refusal),
}

/// An answer after which the connection is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    BadRequest,
    TooSlow,
    BodyTooLarge,
    HeadTooLarge,
    NotImplemented,
}

/// Appends the answers to all requests that are there from beginning to end.
pub(crate) fn answer(bytes: &[u8], answers: &mut Vec<u8>) -> Outcome {
    let mut used = 0;
    loop {
        match parse(&bytes[used..]) {
            Ok(asked) => {
                used += asked.length;
                reply(&asked, answers);
                if !asked.keep_alive {
                    return Outcome { used, close: true };
                }
            }
            Err(Missing::Unfinished) => return Outcome { used, close: false },
            Err(Missing::Refused(refusal)) => {
                refuse(refusal, answers);
                return Outcome { used, close: true };
            }
        }
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

fn reply(asked: &Asked, answers: &mut Vec<u8>) {
    let status: &[u8] = match asked.method {
        Method::Other => {
            b"HTTP/1.1 405 Method Not Allowed\r\nAllow: GET, HEAD\r\nContent-Length: 0\r\n"
        }
        Method::Get | Method::Head => {
            b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n"
        }
    };
    answers.extend_from_slice(status);
    if !asked.keep_alive {
        answers.extend_from_slice(b"Connection: close\r\n");
    }
    answers.extend_from_slice(b"\r\n");
    if asked.method == Method::Get {
        answers.extend_from_slice(BODY.as_bytes());
    }
}

fn parse(bytes: &[u8]) -> Result<Asked, Missing> {
    if bytes.is_empty() {
        return Err(Missing::Unfinished);
    }
    let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
    let mut request = Request::new(&mut fields);
    let head = match request.parse(bytes) {
        Ok(Status::Complete(head)) if head <= MOST_HEAD => head,
        Ok(Status::Partial) if bytes.len() < MOST_HEAD => return Err(Missing::Unfinished),
        Ok(_) | Err(Error::TooManyHeaders) => return Err(Missing::Refused(Refusal::HeadTooLarge)),
        Err(_) => return Err(Missing::Refused(Refusal::BadRequest)),
    };
    let (fields, newer) = (&*request.headers, request.version == Some(1));
    if newer && of_name(fields, "host").count() != 1 {
        return Err(Missing::Refused(Refusal::BadRequest));
    }
    let length = head + body_length(fields).map_err(Missing::Refused)?;
    if bytes.len() < length {
        return Err(Missing::Unfinished);
    }
    let says = |word: &str| {
        of_name(fields, "connection")
            .flat_map(|value| value.split(|byte| *byte == b','))
            .any(|said| said.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
    };
    Ok(Asked {
        length,
        method: match request.method {
            Some("GET") => Method::Get,
            Some("HEAD") => Method::Head,
            _ => Method::Other,
        },
        keep_alive: !says("close") && (newer || says("keep-alive")),
    })
}

/// How long the body is. Only a plain length is understood.
fn body_length(fields: &[Header<'_>]) -> Result<usize, Refusal> {
    if of_name(fields, "transfer-encoding").next().is_some() {
        return Err(Refusal::NotImplemented);
    }
    let mut lengths = of_name(fields, "content-length");
    let Some(length) = lengths.next() else {
        return Ok(0);
    };
    let digits = !length.is_empty() && length.iter().all(u8::is_ascii_digit);
    if !digits || lengths.next().is_some() {
        return Err(Refusal::BadRequest);
    }
    // Digits are text. A number too large to count is too large anyway.
    let length = std::str::from_utf8(length)
        .ok()
        .and_then(|text| text.parse().ok());
    length
        .filter(|length| *length <= MOST_BODY)
        .ok_or(Refusal::BodyTooLarge)
}

fn of_name<'a>(fields: &'a [Header<'a>], name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    fields
        .iter()
        .filter(move |field| field.name.eq_ignore_ascii_case(name))
        .map(|field| field.value)
}
