//! What the server has to say: a greeting, a stream, and the files of a directory.
//!
//! Must never: send a body to who asked for a head.

use std::io;
use std::path::PathBuf;

use super::answers::{Answers, head};
use super::requests::{Asked, Method};
use super::{files, stream};

/// What everybody is told where there are no files.
pub(crate) const BODY: &str = "Hello, world!";

/// What can be asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Site {
    /// Where the files are: a path without links and dots.
    pub(crate) root: Option<PathBuf>,
}

impl Site {
    /// Answers a request. What is short is only appended, to be sent with what follows.
    pub(crate) fn reply(&self, asked: &Asked<'_>, answers: &mut Answers<'_>) -> io::Result<()> {
        match (asked.method, asked.target, &self.root) {
            (Method::Other, ..) => {
                not_allowed(asked, &mut answers.bytes);
                Ok(())
            }
            (_, "/stream", _) => stream::reply(asked, answers),
            (_, _, Some(root)) => files::reply(root, asked, answers),
            (_, _, None) => {
                greet(asked, &mut answers.bytes);
                Ok(())
            }
        }?;
        answers.send_portion()
    }
}

/// Appends the greeting.
pub(crate) fn greet(asked: &Asked<'_>, answers: &mut Vec<u8>) {
    let fields = "Content-Type: text/plain\r\nContent-Length: 13\r\n";
    head("200 OK", fields, asked, answers);
    if asked.method == Method::Get {
        answers.extend_from_slice(BODY.as_bytes());
    }
}

/// Appends what is said to methods that are not understood.
pub(crate) fn not_allowed(asked: &Asked<'_>, answers: &mut Vec<u8>) {
    let fields = "Allow: GET, HEAD\r\nContent-Length: 0\r\n";
    head("405 Method Not Allowed", fields, asked, answers);
}
