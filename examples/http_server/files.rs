//! The files of a directory.
//!
//! Opening and reading a file blocks a thread, and no system call tells when it would not:
//! so [`unblock`] does it elsewhere, a portion at a time. The buffer goes there and comes
//! back; a file of any size takes no more memory than one.
//!
//! Must never: give out what lies outside of the directory, even if links in it are changed at
//! that moment, or say a length and send less without breaking off. What lies outside cannot
//! be told where there is no `/proc`: other systems than Linux trust whoever may change the
//! directory, and a Linux without it gives out nothing.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::ops::Range;
#[cfg(target_os = "linux")]
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path, PathBuf};

use greenroom::unblock;

use super::answers::{Answers, PORTION, head, text};
use super::requests::{Asked, Method};

/// Sends the file a target names, or the part of it that was asked for.
pub(crate) fn reply(root: &Path, asked: &Asked<'_>, answers: &mut Answers<'_>) -> io::Result<()> {
    let found = match (path(asked.target), root.to_owned()) {
        (Some(path), root) => unblock(move || open(&root, &path)),
        (None, _) => Err(ErrorKind::NotFound.into()),
    };
    let Found {
        file, length, kind, ..
    } = match found {
        Ok(found) if found.is_index && !names_a_directory(asked.target) => {
            moved(asked, answers);
            return Ok(());
        }
        Ok(found) => found,
        Err(error) => {
            let status = if is_no_file(&error) {
                "404 Not Found"
            } else {
                "500 Internal Server Error"
            };
            text(status, &format!("{status}\n"), asked, &mut answers.bytes);
            return Ok(());
        }
    };
    let mut fields = format!("Content-Type: {kind}\r\nAccept-Ranges: bytes\r\n");
    // Only `GET` knows parts.
    let range = asked.range.filter(|_| asked.method == Method::Get);
    let (status, part) = match range.and_then(|range| part(range, length)) {
        None => ("200 OK", 0..length),
        Some(part) if part.is_empty() => {
            fields += &format!("Content-Range: bytes */{length}\r\n");
            ("416 Range Not Satisfiable", 0..0)
        }
        Some(part) => {
            let (first, last) = (part.start, part.end - 1);
            fields += &format!("Content-Range: bytes {first}-{last}/{length}\r\n");
            ("206 Partial Content", part)
        }
    };
    fields += &format!("Content-Length: {}\r\n", part.end - part.start);
    head(status, &fields, asked, &mut answers.bytes);
    if asked.method == Method::Head {
        return Ok(());
    }
    send(file, part, answers)
}

/// Whether there is nothing of that name to be had: the client's error, not the server's.
fn is_no_file(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::PermissionDenied
    ) || matches!(error.raw_os_error(), Some(libc::ENAMETOOLONG | libc::ELOOP))
}

fn names_a_directory(target: &str) -> bool {
    let path = target.split(['?', '#']).next();
    path.is_some_and(|path| path.ends_with('/'))
}

/// Says that a directory's name ends with a slash: the links in its index are relative to it.
fn moved(asked: &Asked<'_>, answers: &mut Answers<'_>) {
    let end = asked.target.find(['?', '#']).unwrap_or(asked.target.len());
    let (path, rest) = asked.target.split_at(end);
    let fields = format!("Location: {path}/{rest}\r\nContent-Length: 0\r\n");
    head("301 Moved Permanently", &fields, asked, &mut answers.bytes);
}

/// Sends a part of a file.
fn send(mut file: File, part: Range<u64>, answers: &mut Answers<'_>) -> io::Result<()> {
    let mut at = part.start;
    while at < part.end {
        answers.send_portion()?;
        let mut buffer = std::mem::take(&mut answers.bytes);
        let room = PORTION.saturating_sub(buffer.len()) as u64;
        let wanted = room.min(part.end - at);
        let (read, again, filled) = unblock(move || {
            let read = file.seek(SeekFrom::Start(at)).and_then(|_| {
                let mut limited = (&file).take(wanted);
                limited.read_to_end(&mut buffer)
            });
            (read, file, buffer)
        });
        (file, answers.bytes) = (again, filled);
        match read? {
            // It has become shorter than was said: the client must not take it for whole.
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            read => at += read as u64,
        }
    }
    Ok(())
}

/// The path a target names, if it names one below the directory: no `..`, no drive, no name that
/// begins with a dot.
fn path(target: &str) -> Option<PathBuf> {
    let encoded = target.split(['?', '#']).next()?.strip_prefix('/')?;
    let mut bytes = Vec::new();
    let mut rest = encoded.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        bytes.push(match first {
            b'%' => {
                let (digits, after) = rest.split_at_checked(2)?;
                rest = after;
                // Digits only: `from_str_radix` would take a sign, too.
                let both = digits.iter().all(u8::is_ascii_hexdigit);
                let digits = std::str::from_utf8(digits).ok().filter(|_| both)?;
                u8::from_str_radix(digits, 16).ok()?
            }
            other => *other,
        });
    }
    let text = String::from_utf8(bytes).ok()?;
    let path = PathBuf::from(&text);
    let is_name = |part| match part {
        Component::Normal(name) => !name.as_encoded_bytes().starts_with(b"."),
        _ => false,
    };
    let names_only = path.components().all(is_name) && !text.contains(['\0', '\\']);
    names_only.then_some(path)
}

#[derive(Debug)]
struct Found {
    file: File,
    length: u64,
    kind: &'static str,
    /// Whether it stands for its directory.
    is_index: bool,
}

/// Opens a file, or a directory's `index.html`. It blocks.
fn open(root: &Path, path: &Path) -> io::Result<Found> {
    let mut path = root.join(path).canonicalize()?;
    let is_index = path.is_dir();
    if is_index {
        path = path.join("index.html").canonicalize()?;
    }
    let file = open_below(root, &path)?;
    let length = file.metadata()?.len();
    let kind = match path.extension().and_then(|it| it.to_str()).unwrap_or("") {
        "html" | "htm" => "text/html; charset=utf-8",
        "txt" | "md" | "rs" => "text/plain; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "json" => "application/json",
        "wasm" => "application/wasm",
        "pdf" => "application/pdf",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "svg" => "image/svg+xml",
        "ico" => "image/x-icon",
        _ => "application/octet-stream",
    };
    Ok(Found {
        file,
        length,
        kind,
        is_index,
    })
}

/// Opens a file that lies below the directory. A link may lead elsewhere, and opening a pipe would
/// block until somebody writes. What is there may be another thing the next moment, so what was
/// opened is asked as well.
pub(crate) fn open_below(root: &Path, path: &Path) -> io::Result<File> {
    if !path.starts_with(root) || !path.metadata()?.is_file() {
        return Err(ErrorKind::NotFound.into());
    }
    let file = File::options()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)?;
    // Where the opened file lies, whatever its name leads to by now.
    #[cfg(target_os = "linux")]
    let place = std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
    #[cfg(not(target_os = "linux"))]
    let place = path.canonicalize()?;
    if !place.starts_with(root) || !file.metadata()?.is_file() {
        return Err(ErrorKind::NotFound.into());
    }
    Ok(file)
}

/// The part a `Range` asks for: empty if there is none such, `None` if it is not understood and
/// all is to be sent.
fn part(range: &[u8], length: u64) -> Option<Range<u64>> {
    let range = std::str::from_utf8(range).ok()?.strip_prefix("bytes=")?;
    let (first, last) = range.split_once('-')?;
    let number = |text: &str| match text {
        "" => Some(None),
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok().map(Some),
        _ => None,
    };
    match (number(first)?, number(last)?) {
        (Some(first), Some(last)) if first > last => None,
        (Some(first), last) => {
            let end = last.map_or(length, |last: u64| last.saturating_add(1).min(length));
            Some(first.min(end)..end)
        }
        (None, Some(count)) => Some(length.saturating_sub(count)..length),
        (None, None) => None,
    }
}
