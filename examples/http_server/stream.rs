//! A body that is sent as it comes to be, in chunks.
//!
//! Must never: make a client wait for what is there already.

use std::io::{self, Write};
use std::time::Duration;

use greenroom::{Generator, generator, sleep};

use super::answers::{Answers, head, text};
use super::requests::{Asked, Method};

/// How many lines there are, and how far apart.
pub(crate) const LINES: u32 = 10;
pub(crate) const PERIOD: Duration = Duration::from_millis(200);

/// A generator that takes its time: while it sleeps, so does the task that asks for the next
/// line, and the others run.
fn lines() -> Generator<String> {
    generator(|y| {
        for number in 1..=LINES {
            sleep(PERIOD);
            y.yield_(format!("line {number} of {LINES}\n"));
        }
    })
}

/// Sends the lines, each when it is there.
pub(crate) fn reply(asked: &Asked<'_>, answers: &mut Answers<'_>) -> io::Result<()> {
    if !asked.newer {
        // It does not know chunks, so it gets them all in the end.
        let body: String = lines().collect();
        text("200 OK", &body, asked, &mut answers.bytes);
        return Ok(());
    }
    let fields = "Content-Type: text/plain\r\nTransfer-Encoding: chunked\r\n";
    head("200 OK", fields, asked, &mut answers.bytes);
    if asked.method == Method::Head {
        return Ok(());
    }
    // What was asked for before, and the head, need not wait for the first line.
    answers.send()?;
    for line in lines() {
        write!(answers.bytes, "{:x}\r\n{line}\r\n", line.len())?;
        answers.send()?;
    }
    answers.bytes.extend_from_slice(b"0\r\n\r\n");
    Ok(())
}
