//! One client: a task that reads, and one that writes.
//!
//! Must never: wait for another client, or hold more of this one than a line and its queue.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};

use greenroom::net::{Shutdown, TcpStream};
use greenroom::sync::{
    BroadcastReceiver, BroadcastSender, BroadcastTryRecvError, Lagged, broadcast,
};
use greenroom::{scope, timeout, yield_now};

use super::hall::{Hall, Line, hear};
use super::{LINE, LINES, PATIENCE};

/// How much is sent at once.
const PORTION: usize = 8 * 1024;

/// Talks to a client until one of the two has enough.
pub(crate) fn converse(stream: &TcpStream, hall: &Hall) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let (queue, lines) = broadcast(LINES);
    scope(|s| {
        let writer = s.spawn(|| {
            let told = tell(stream, lines);
            // Who does not listen has nothing to say either: the reader comes to its end.
            // That fails if the connection is over, which is as well.
            let _over = stream.shutdown(Shutdown::Both);
            told
        });
        // The queue goes with the reader. The writer writes what is in it, and ends.
        let heard = listen(stream, hall, queue);
        writer.join().and(heard)
    })
}

/// Reads what the client says. Its end, or `/quit`, is the end.
fn listen(stream: &TcpStream, hall: &Hall, queue: BroadcastSender<Line>) -> io::Result<()> {
    let mut from = BufReader::with_capacity(LINE, stream);
    hear(&queue, "your name?");
    let named = timeout(PATIENCE, || {
        while let Some(name) = next_line(&mut from, &queue)? {
            match hall.enter(&name, &queue) {
                Ok(seat) => return Ok(Some(seat)),
                Err(why) => hear(&queue, &why),
            }
        }
        Ok::<_, io::Error>(None)
    })?;
    let Some(mut seat) = named? else {
        return Ok(());
    };
    while let Some(line) = next_line(&mut from, &queue)? {
        match line.as_str() {
            "" => {}
            "/quit" => break,
            command if command.starts_with('/') => seat.command(command),
            text => seat.say(text),
        }
        // Many lines may have come in one read. A line a turn: so who says much does not
        // fill the queues of those who would take it.
        yield_now();
    }
    Ok(())
}

/// A line without its end and without what is no text or could move a terminal's cursor. It has
/// no more bytes than were sent.
fn next_line(from: &mut impl BufRead, queue: &BroadcastSender<Line>) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    let read = from.take(LINE as u64).read_until(b'\n', &mut bytes)?;
    if read == LINE && !bytes.ends_with(b"\n") {
        hear(queue, &format!("a line has at most {LINE} bytes"));
        return Err(ErrorKind::InvalidData.into());
    }
    let text: String = bytes.utf8_chunks().map(|chunk| chunk.valid()).collect();
    let plain = text.trim_end().chars().filter(|c| !moves_the_cursor(*c));
    Ok((read > 0).then(|| plain.collect()))
}

/// Also by another end of a line, or by turning the direction of what follows.
fn moves_the_cursor(c: char) -> bool {
    let turns = matches!(
        c,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2066}'..='\u{2069}'
    );
    c.is_control() || turns || matches!(c, '\u{2028}'..='\u{202e}')
}

/// Writes what is in the queue, until nothing more can come.
fn tell(mut stream: &TcpStream, mut lines: BroadcastReceiver<Line>) -> io::Result<()> {
    let mut portion = String::new();
    while let Some(first) = lines.iter().next() {
        append(&mut portion, first);
        while portion.len() < PORTION {
            match lines.try_recv() {
                Ok(line) => append(&mut portion, Ok(line)),
                Err(BroadcastTryRecvError::Lagged(count)) => {
                    append(&mut portion, Err(Lagged(count)));
                }
                Err(_) => break,
            }
        }
        stream.write_all(portion.as_bytes())?;
        portion.clear();
    }
    Ok(())
}

fn append(portion: &mut String, line: Result<Line, Lagged>) {
    match line {
        Ok(line) => portion.push_str(&line),
        Err(Lagged(count)) => portion.push_str(&format!("* you missed {count} lines\n")),
    }
}
