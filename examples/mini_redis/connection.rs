//! One client: read what there is, answer all of it, write once.
//!
//! Must never: wait while the store is borrowed, or read on while answers are not taken.

use std::cell::RefCell;
use std::io::{self, Read, Write};

use greenroom::net::TcpStream;

use super::answers;
use super::commands::{self, Then};
use super::request::{self, MOST_REQUEST};
use super::store::Store;

/// How much is read at first, and how long answers may get before they are written.
pub(crate) const PORTION: usize = 16 * 1024;

/// Answers requests until the client has no more, says `QUIT`, or nonsense.
pub(crate) fn serve(mut stream: &TcpStream, store: &RefCell<Store>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut bytes = vec![0; PORTION];
    let mut filled = 0;
    let mut answers = Vec::with_capacity(PORTION);
    loop {
        let read = stream.read(&mut bytes[filled..])?;
        if read == 0 {
            return Ok(());
        }
        filled += read;
        let mut used = 0;
        loop {
            let done = answer(&bytes[used..filled], &mut store.borrow_mut(), &mut answers);
            if !answers.is_empty() {
                stream.write_all(&answers)?;
                answers.clear();
                answers.shrink_to(PORTION);
            }
            used += done.used;
            match done.then {
                Next::Read => break,
                Next::GoOn => {}
                Next::Close => return Ok(()),
            }
        }
        bytes.copy_within(used..filled, 0);
        filled -= used;
        if filled == bytes.len() {
            // A longer request is on its way. It is refused before it fills all there may be.
            bytes.resize((2 * filled).min(MOST_REQUEST), 0);
        } else if filled == 0 && bytes.len() > PORTION {
            bytes = vec![0; PORTION];
        }
    }
}

struct Done {
    /// How many bytes were answered.
    used: usize,
    then: Next,
}

enum Next {
    /// What is left is the beginning of a request.
    Read,
    /// There may be more, but the answers are long enough to be written.
    GoOn,
    Close,
}

/// Appends the answers to all requests that are there from beginning to end.
fn answer(bytes: &[u8], store: &mut Store, out: &mut Vec<u8>) -> Done {
    let mut used = 0;
    let mut words = Vec::with_capacity(8);
    let then = loop {
        if out.len() >= PORTION {
            break Next::GoOn;
        }
        match request::parse(&bytes[used..], &mut words) {
            Ok(Some(length)) => used += length,
            Ok(None) => break Next::Read,
            Err(why) => {
                answers::error(&format!("Protocol error: {why}"), out);
                break Next::Close;
            }
        }
        if commands::perform(&words, store, out) == Then::Close {
            break Next::Close;
        }
    };
    Done { used, then }
}
