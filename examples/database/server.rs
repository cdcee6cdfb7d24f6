//! The server's side: keys and values, and a slow disk.
//!
//! A client that breaks off, or talks nonsense, is let go, and nobody else notices.
//!
//! Must never: answer before what was asked for is done.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::time::Duration;

use greenroom::net::{TcpListener, TcpStream};
use greenroom::{sleep, supervise};

/// How long the disk takes, each time.
const DISK: Duration = Duration::from_secs(1);

/// What is stored.
#[derive(Debug, Default)]
pub(crate) struct Store {
    pub(crate) keys: RefCell<HashMap<String, String>>,
    /// How many connections were closed by agreement.
    pub(crate) closed: Cell<usize>,
}

/// Serves everybody, until it is cancelled.
pub(crate) fn serve(listener: &TcpListener, store: &Store) -> io::Result<()> {
    supervise(|s| {
        for stream in listener.incoming() {
            let stream = stream?;
            s.spawn(move || converse(&stream, store));
        }
        Ok(())
    })
}

fn converse(stream: &TcpStream, store: &Store) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut writer = stream;
    for line in BufReader::new(stream).lines() {
        let line = line?;
        sleep(DISK);
        let words: Vec<&str> = line.splitn(3, ' ').collect();
        let answer = match words[..] {
            ["connect"] => "connected",
            ["set", key, value] => {
                let mut keys = store.keys.borrow_mut();
                keys.insert(key.to_owned(), value.to_owned());
                value
            }
            ["close"] => {
                store.closed.set(store.closed.get() + 1);
                "closed"
            }
            _ => return Err(ErrorKind::InvalidData.into()),
        };
        writer.write_all(format!("{answer}\n").as_bytes())?;
    }
    Ok(())
}
