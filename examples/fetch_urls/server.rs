//! A server whose pages take as many seconds as their path says, and that counts.
//!
//! Must never: be taken for a web server. `http_server` is one.

use std::cell::Cell;
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::time::Duration;

use greenroom::net::{TcpListener, TcpStream};
use greenroom::{sleep, supervise};

/// What has come in so far.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    pub(crate) connections: Cell<usize>,
    pub(crate) requests: Cell<usize>,
    pub(crate) at_once: Cell<usize>,
    pub(crate) most_at_once: Cell<usize>,
}

/// Serves everybody, until it is cancelled.
pub(crate) fn serve(listener: &TcpListener, traffic: &Traffic) -> io::Result<()> {
    supervise(|s| {
        for stream in listener.incoming() {
            let stream = stream?;
            traffic.connections.set(traffic.connections.get() + 1);
            s.spawn(move || answer(&stream, traffic));
        }
        Ok(())
    })
}

/// Answers `GET /name/seconds`, as often as it is asked.
fn answer(stream: &TcpStream, traffic: &Traffic) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut lines = BufReader::new(stream).lines();
    while let Some(first) = lines.next() {
        let first = first?;
        // The fields say nothing that matters here. They end with an empty line.
        for field in lines.by_ref() {
            if field?.is_empty() {
                break;
            }
        }
        let path = first.split(' ').nth(1).and_then(|it| it.strip_prefix('/'));
        let asked = path.and_then(|path| path.split_once('/'));
        let (name, seconds) = asked.ok_or(ErrorKind::InvalidData)?;
        traffic.requests.set(traffic.requests.get() + 1);
        traffic.at_once.set(traffic.at_once.get() + 1);
        let most = traffic.most_at_once.get().max(traffic.at_once.get());
        traffic.most_at_once.set(most);
        sleep(Duration::from_secs(
            seconds.parse().map_err(io::Error::other)?,
        ));
        traffic.at_once.set(traffic.at_once.get() - 1);
        let page = format!("{name}, after {seconds} s");
        let length = page.len();
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{page}");
        (&*stream).write_all(answer.as_bytes())?;
    }
    Ok(())
}
