//! The redis crate on greenroom: its typed commands, pipelines, transactions and subscriptions.
//!
//! What to notice: the crate's own connection knows std's sockets and no others, but everything above it asks for
//! [`ConnectionLike`] only. Below it there are two things to do: send bytes that it has packed, and let its
//! parser read an answer.

use std::io::{self, Read, Write};

use redis::{Cmd, ConnectionLike, ErrorKind, Msg, Parser, RedisError, RedisResult, Value, cmd};

/// A connection over any stream.
pub struct Connection<S> {
    stream: S,
    parser: Parser,
    /// Failed, or given up while answers were on their way: the next command would get one of those.
    broken: bool,
}

impl<S: Read + Write> Connection<S> {
    /// Speaks Redis's protocol over this stream.
    pub fn new(stream: S) -> Self {
        Self {
            stream,
            parser: Parser::new(),
            broken: false,
        }
    }

    /// Listens to these channels. From now on the connection hears messages and nothing else.
    ///
    /// # Errors
    /// What the stream says, and what Redis says of it.
    pub fn subscribe(mut self, channels: &[&str]) -> RedisResult<Subscription<S>> {
        let mut confirmed = self.req_command(cmd("SUBSCRIBE").arg(channels))?;
        for _ in channels.iter().skip(1) {
            confirmed.extract_error()?;
            confirmed = self.receive()?;
        }
        confirmed.extract_error()?;
        Ok(Subscription(self))
    }

    /// Sends commands, and reads so many answers. Whoever is cancelled in between leaves the connection broken.
    fn exchange(&mut self, packed: &[u8], answers: usize) -> RedisResult<Vec<Value>> {
        if self.broken {
            return Err(io::Error::from(io::ErrorKind::BrokenPipe).into());
        }
        self.broken = true;
        self.stream.write_all(packed)?;
        let answers = (0..answers).map(|_| self.parser.parse_value(&mut self.stream));
        let answers = answers.collect::<RedisResult<_>>()?;
        self.broken = false;
        Ok(answers)
    }

    fn receive(&mut self) -> RedisResult<Value> {
        let value = self.parser.parse_value(&mut self.stream);
        self.broken |= value.is_err();
        value
    }
}

impl<S: Read + Write> ConnectionLike for Connection<S> {
    fn req_packed_command(&mut self, packed: &[u8]) -> RedisResult<Value> {
        let mut answers = self.exchange(packed, 1)?;
        Ok(answers.remove(0))
    }

    /// `offset` answers come before those that are wanted: in a transaction, that the commands were queued.
    fn req_packed_commands(
        &mut self,
        packed: &[u8],
        offset: usize,
        count: usize,
    ) -> RedisResult<Vec<Value>> {
        // All answers are read, also behind a refusal: the next command is to find its own.
        let mut answers = self.exchange(packed, offset + count)?;
        let wanted = answers.split_off(offset);
        Value::Array(answers).extract_error()?;
        Ok(wanted)
    }

    fn get_db(&self) -> i64 {
        0
    }

    fn check_connection(&mut self) -> bool {
        Cmd::new().arg("PING").query::<String>(self).is_ok()
    }

    fn is_open(&self) -> bool {
        !self.broken
    }
}

/// The messages of the channels that were subscribed to: an iterator that waits.
pub struct Subscription<S>(Connection<S>);

impl<S: Read + Write> Iterator for Subscription<S> {
    type Item = RedisResult<Msg>;

    fn next(&mut self) -> Option<Self::Item> {
        if !self.0.is_open() {
            return None;
        }
        Some(self.0.receive().and_then(|value| {
            Msg::from_owned_value(value).ok_or_else(|| {
                RedisError::from((ErrorKind::UnexpectedReturnType, "this is no message"))
            })
        }))
    }
}
