//! HTTP/1.1 over any `BufRead + Write`, and the way from there to a websocket.
//!
//! What to notice: this is blocking code. It does not know that it runs in a task, and the only socket it was
//! ever tested with is a piece of memory. The head is read by httparse, the websocket belongs to tungstenite.

use std::io::{self, BufRead, Read, Write};

use tungstenite::handshake::server::{create_response, write_response};
use tungstenite::http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING, UPGRADE};
use tungstenite::http::{HeaderMap, HeaderName, Method, StatusCode, Version, request};
use tungstenite::protocol::{Role, WebSocket, WebSocketConfig};

/// A request and its body.
pub type Request = tungstenite::http::Request<Vec<u8>>;
/// A response and its body.
pub type Response = tungstenite::http::Response<Vec<u8>>;

/// The longest head, in bytes, and the most headers.
const LONGEST_HEAD: usize = 16 * 1024;
const MOST_HEADERS: usize = 64;
/// The longest body, in bytes.
const LONGEST_BODY: usize = 1024 * 1024;

/// Reads the next request.
///
/// # Errors
/// What the stream says; `InvalidData` for what is no request or too long, `UnexpectedEof` for half of one.
pub fn read_request(stream: &mut impl BufRead) -> io::Result<Request> {
    let head = read_head(stream)?;
    let request = parse_head(&head)?;
    if request.headers().contains_key(TRANSFER_ENCODING) {
        return Err(invalid("bodies in chunks are not understood here"));
    }
    // What could be read in two ways is refused: a request could hide in the difference.
    let mut lengths = request.headers().get_all(CONTENT_LENGTH).iter();
    let length = match (lengths.next(), lengths.next()) {
        (None, _) => 0,
        (Some(length), None) => length
            .to_str()
            .ok()
            .filter(|length| length.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|length| length.parse().ok())
            .filter(|length| *length <= LONGEST_BODY)
            .ok_or_else(|| invalid("a body's length makes no sense, or is too much"))?,
        _ => return Err(invalid("a body has one length")),
    };
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok(request.map(|()| body))
}

/// Up to the empty line, and nothing of what follows.
fn read_head(stream: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let room = u64::try_from(LONGEST_HEAD - head.len()).unwrap_or(0);
        if room == 0 {
            return Err(invalid("a request's head is too long"));
        }
        if stream.by_ref().take(room).read_until(b'\n', &mut head)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(head)
}

fn parse_head(head: &[u8]) -> io::Result<tungstenite::http::Request<()>> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    // httparse takes a `\n` alone for the end of a line, and so might end before `read_head` did.
    if parsed.parse(head).map_err(invalid)? != httparse::Status::Complete(head.len()) {
        return Err(invalid("an empty line in the head, or nothing else"));
    }
    let mut request = request::Builder::new()
        .method(parsed.method.unwrap_or_default())
        .uri(parsed.path.unwrap_or_default())
        .version(if parsed.version == Some(0) {
            Version::HTTP_10
        } else {
            Version::HTTP_11
        });
    for header in parsed.headers {
        request = request.header(header.name, header.value);
    }
    request.body(()).map_err(invalid)
}

/// Sends a response, in one write.
///
/// # Errors
/// What the stream says.
pub fn write_response_to(stream: &mut impl Write, response: &Response) -> io::Result<()> {
    let mut bytes = Vec::new();
    write!(bytes, "HTTP/1.1 {}\r\n", response.status())?;
    for (name, value) in response.headers() {
        write!(bytes, "{name}: ")?;
        bytes.extend_from_slice(value.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    write!(bytes, "content-length: {}\r\n\r\n", response.body().len())?;
    bytes.extend_from_slice(response.body());
    stream.write_all(&bytes)?;
    stream.flush()
}

/// Whether the client means to ask again on this connection.
#[must_use]
pub fn keeps_alive(request: &Request) -> bool {
    request.version() == Version::HTTP_11 && !names(request.headers(), &CONNECTION, "close")
}

/// Whether the client would rather have a websocket.
#[must_use]
pub fn wants_websocket(request: &Request) -> bool {
    request.method() == Method::GET && names(request.headers(), &UPGRADE, "websocket")
}

/// Agrees to a websocket, and makes the stream one.
///
/// # Errors
/// What the stream says, and what tungstenite says of the request.
pub fn upgrade<S: Read + Write>(
    mut stream: S,
    request: Request,
) -> tungstenite::Result<WebSocket<S>> {
    let response = create_response(&request.map(drop))?;
    write_response(&mut stream, &response)?;
    stream.flush()?;
    Ok(WebSocket::from_raw_socket(
        stream,
        Role::Server,
        Some(frugal()),
    ))
}

/// Tungstenite reads 128 KiB at once where nothing else is said, and keeps the room for as long as the connection
/// lives. Where there are thousands, that is more than all their stacks.
#[must_use]
pub fn frugal() -> WebSocketConfig {
    WebSocketConfig::default().read_buffer_size(4096)
}

/// A response of this status with a short text.
#[must_use]
pub fn text(status: StatusCode, body: impl Into<String>) -> Response {
    let mut response = Response::new(body.into().into_bytes());
    *response.status_mut() = status;
    response
}

/// Whether a list of words in a header holds this one.
fn names(headers: &HeaderMap, header: &HeaderName, word: &str) -> bool {
    headers
        .get_all(header)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|value| value.trim().eq_ignore_ascii_case(word))
}

fn invalid(reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}
