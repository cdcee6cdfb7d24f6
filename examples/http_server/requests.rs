//! From bytes to answers, without waiting: the part of the server that knows HTTP.
//!
//! It is given what has arrived and says what to send, how much of it that
//! answers, and whether the connection is over. Lines and header fields are taken
//! apart by the crate `httparse`; what they mean is decided here.
//!
//! Must never: guess where a request ends. Two readings of one stream of bytes
//! are how a request is smuggled past whoever checks it, so what is doubtful is refused.

use std::io;

use httparse::{Error, Header, Request, Status};

/// The most a request's line and header fields may take together, in bytes.
pub(crate) const MOST_HEAD: usize = 8 * 1024;
/// The most its body may take. Bodies are skipped.
pub(crate) const MOST_BODY: usize = 8 * 1024;
const MOST_FIELDS: usize = 64;

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
pub(crate) struct Asked<'a> {
    /// With its body.
    length: usize,
    pub(crate) method: Method,
    /// As it was sent: not decoded, with whatever follows a `?`. Of a whole URL, its path.
    pub(crate) target: &'a str,
    /// The field `Range`.
    pub(crate) range: Option<&'a [u8]>,
    /// Whether the client knows HTTP/1.1.
    pub(crate) newer: bool,
    pub(crate) keep_alive: bool,
}

/// Whether the answer is to have its body, and why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
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

/// Has all requests answered that are there from beginning to end. What `reply` does, and
/// whether it waits meanwhile, is its affair; its error ends the connection.
pub(crate) fn answer(
    bytes: &[u8],
    mut reply: impl FnMut(Result<&Asked<'_>, Refusal>) -> io::Result<()>,
) -> io::Result<Outcome> {
    let mut used = 0;
    loop {
        match parse(&bytes[used..]) {
            Ok(asked) => {
                used += asked.length;
                reply(Ok(&asked))?;
                if !asked.keep_alive {
                    return Ok(Outcome { used, close: true });
                }
            }
            Err(Missing::Unfinished) => return Ok(Outcome { used, close: false }),
            Err(Missing::Refused(refusal)) => {
                reply(Err(refusal))?;
                return Ok(Outcome { used, close: true });
            }
        }
    }
}

fn parse(bytes: &[u8]) -> Result<Asked<'_>, Missing> {
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
        target: path(request.path.unwrap_or("/")),
        range: of_name(fields, "range").next(),
        newer,
        keep_alive: !says("close") && (newer || says("keep-alive")),
    })
}

/// Where `http://host/path` is asked for, as it is of a proxy, that is a path as well. All hosts
/// are the same here.
fn path(target: &str) -> &str {
    match target.split_at_checked(7) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http://") => {
            let path = rest.trim_start_matches(|c| !matches!(c, '/' | '?'));
            if path.starts_with('/') { path } else { "/" }
        }
        _ => target,
    }
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

fn of_name<'a>(fields: &[Header<'a>], name: &str) -> impl Iterator<Item = &'a [u8]> {
    fields
        .iter()
        .filter(move |field| field.name.eq_ignore_ascii_case(name))
        .map(|field| field.value)
}
