//! The client's side: a connection that is closed by agreement.
//!
//! One request is on its way at a time, and each is answered by one line.
//!
//! Must never: send a part of a request. What comes after it would be taken for the
//! rest.

use std::io::{self, BufRead, BufReader, ErrorKind, Write};

use greenroom::net::TcpStream;
use greenroom::{Close, shield};

use super::support::say;

/// A connection to the database.
#[derive(Debug)]
pub(crate) struct Database(BufReader<TcpStream>);

/// Connects, and waits until the server is ready.
pub(crate) fn connect(url: &str) -> io::Result<Database> {
    let Some(address) = url.strip_prefix("proto://") else {
        return Err(io::Error::new(
            ErrorKind::InvalidInput,
            "the address of a database begins with proto://",
        ));
    };
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let mut db = Database(BufReader::new(stream));
    db.ask("connect")?;
    say("connected");
    Ok(db)
}

impl Database {
    /// Sets a key, and waits until that is stored. What the key is now.
    pub(crate) fn set_key(&mut self, key: &str, value: &str) -> io::Result<String> {
        self.ask(&format!("set {key} {value}"))
    }

    fn ask(&mut self, request: &str) -> io::Result<String> {
        self.send(request)?;
        self.answer()
    }

    /// Sends a request whole, or not at all. There is room for it: no more than two
    /// short ones are ever on their way.
    fn send(&mut self, request: &str) -> io::Result<()> {
        let line = format!("{request}\n");
        shield(|| self.0.get_mut().write_all(line.as_bytes()))
    }

    fn answer(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.0.read_line(&mut line)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }
}

impl Close for Database {
    type Error = io::Error;

    /// Waits until the server knows. The answer to a request that was cut short may
    /// come first.
    fn close(mut self) -> io::Result<()> {
        self.send("close")?;
        while self.answer()? != "closed" {}
        say("closed");
        Ok(())
    }
}
