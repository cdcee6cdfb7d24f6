//! Clients of servers that say nothing for a while, and databases that are locked.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use greenroom::net::TcpStream;

use super::row;
use super::system::Folder;
use crate::trial::{Gate, Instead, Kind, Row, Tried};

pub(crate) fn rows() -> Vec<Row> {
    use Kind::HeldBack;
    let (own_ureq, own_redis) = (
        "`ureq` with a `Connector` and a `Resolver` over `net::TcpStream`",
        "`redis::ConnectionLike` over `net::TcpStream`, with `redis::Parser`",
    );
    let pool =
        || Instead::UnblockAnd("`unblock`; a `ThreadPool` as large as the pool of connections");
    vec![
        row("`reqwest::blocking`", HeldBack, reqwest, Instead::Unblock),
        row("`ureq`", HeldBack, ureq, Instead::Own(own_ureq, ureq_own)),
        row(
            "`redis::Connection`",
            HeldBack,
            redis,
            Instead::Own(own_redis, redis_own),
        ),
        row("`postgres::Client`", HeldBack, postgres, pool()),
        row("`mysql::Conn`", HeldBack, mysql, pool()),
        row(
            "`rusqlite`, the database being locked",
            HeldBack,
            rusqlite,
            pool(),
        ),
        row(
            "`diesel` (SQLite), the database being locked",
            HeldBack,
            diesel,
            pool(),
        ),
        row(
            "`lettre::SmtpTransport`",
            HeldBack,
            lettre,
            Instead::Unblock,
        ),
    ]
}

/// It accepts one connection, says nothing, and hangs up when the gate opens.
pub(crate) fn silent_server(gate: &Arc<Gate>) -> Result<SocketAddr, std::io::Error> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let opens = Arc::clone(gate);
    gate.beside(move || {
        let (_stream, _) = listener.accept()?;
        opens.opens();
        Ok(())
    });
    Ok(address)
}

/// The call must fail: the server never answers. That it was asked at all was seen by the
/// server, which ends only then.
fn fails<T, E>(gate: &Gate, call: impl FnOnce() -> Result<T, E>) -> Tried {
    match gate.during(call) {
        Ok(_) => Err("nobody was there to answer".into()),
        Err(_) => Ok(()),
    }
}

fn reqwest(gate: &Arc<Gate>) -> Tried {
    let url = format!("http://{}/", silent_server(gate)?);
    fails(gate, || reqwest::blocking::get(url))
}

fn ureq(gate: &Arc<Gate>) -> Tried {
    let url = format!("http://{}/", silent_server(gate)?);
    fails(gate, || ureq::get(url).call())
}

fn ureq_own(gate: &Arc<Gate>) -> Tried {
    use ureq::unversioned::resolver::DefaultResolver;
    let url = format!("http://{}/", silent_server(gate)?);
    // An address needs no name server, so the usual resolver does.
    let agent = ureq::Agent::with_parts(
        ureq::config::Config::default(),
        over_tasks::Connector,
        DefaultResolver::default(),
    );
    fails(gate, || agent.get(url).call())
}

/// The least that makes `ureq` wait as a task does: no limits of time, no TLS.
mod over_tasks {
    use std::io::{Read, Write};

    use greenroom::net::TcpStream;
    use ureq::Error;
    use ureq::unversioned::transport::{
        Buffers, ConnectionDetails, Connector as Connects, LazyBuffers, NextTimeout,
        Transport as Transports,
    };

    #[derive(Debug)]
    pub(crate) struct Connector;

    #[derive(Debug)]
    pub(crate) struct Transport(TcpStream, LazyBuffers);

    impl Connects for Connector {
        type Out = Transport;

        fn connect(
            &self,
            to: &ConnectionDetails<'_>,
            _: Option<()>,
        ) -> Result<Option<Transport>, Error> {
            let stream = TcpStream::connect(&to.addrs[..])?;
            let sizes = (
                to.config.input_buffer_size(),
                to.config.output_buffer_size(),
            );
            Ok(Some(Transport(stream, LazyBuffers::new(sizes.0, sizes.1))))
        }
    }

    impl Transports for Transport {
        fn buffers(&mut self) -> &mut dyn Buffers {
            &mut self.1
        }

        fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), Error> {
            Ok(self.0.write_all(&self.1.output()[..amount])?)
        }

        fn await_input(&mut self, _: NextTimeout) -> Result<bool, Error> {
            let got = self.0.read(self.1.input_append_buf())?;
            self.1.input_appended(got);
            Ok(got > 0)
        }

        fn is_open(&mut self) -> bool {
            false // each request on a stream of its own
        }
    }
}

fn redis(gate: &Arc<Gate>) -> Tried {
    let client = redis::Client::open(format!("redis://{}/", silent_server(gate)?))?;
    fails(gate, || client.get_connection())
}

fn redis_own(gate: &Arc<Gate>) -> Tried {
    let mut stream = TcpStream::connect(silent_server(gate)?)?;
    stream.write_all(&redis::cmd("PING").get_packed_command())?;
    fails(gate, || {
        redis::Parser::new().parse_value(Read::by_ref(&mut stream))
    })
}

fn postgres(gate: &Arc<Gate>) -> Tried {
    let address = silent_server(gate)?;
    let mut config = postgres::Config::new();
    config.host("127.0.0.1").port(address.port()).user("nobody");
    fails(gate, || config.connect(postgres::NoTls))
}

fn mysql(gate: &Arc<Gate>) -> Tried {
    let url = format!("mysql://nobody@{}/", silent_server(gate)?);
    fails(gate, || mysql::Conn::new(&url[..]))
}

fn lettre(gate: &Arc<Gate>) -> Tried {
    let address = silent_server(gate)?;
    let transport = lettre::SmtpTransport::builder_dangerous("127.0.0.1")
        .port(address.port())
        .build();
    fails(gate, || transport.test_connection())
}

/// A database that a plain thread keeps locked until the gate opens.
fn locked_database(
    gate: &Arc<Gate>,
    folder: &Folder,
) -> Result<std::path::PathBuf, rusqlite::Error> {
    let path = folder.path().join("database");
    let other = rusqlite::Connection::open(&path)?;
    other.execute_batch("create table numbers (n); begin exclusive")?;
    gate.then(move || Ok(other.execute_batch("commit")?));
    Ok(path)
}

fn rusqlite(gate: &Arc<Gate>) -> Tried {
    let folder = Folder::new()?;
    let database = rusqlite::Connection::open(locked_database(gate, &folder)?)?;
    database.busy_timeout(Duration::from_secs(30))?;
    gate.during(|| database.execute("insert into numbers values (1)", []))?;
    Ok(())
}

fn diesel(gate: &Arc<Gate>) -> Tried {
    use diesel::connection::SimpleConnection;
    use diesel::{Connection, SqliteConnection};
    let folder = Folder::new()?;
    let path = locked_database(gate, &folder)?;
    let mut database = SqliteConnection::establish(path.to_str().ok_or("a strange path")?)?;
    database.batch_execute("pragma busy_timeout = 30000")?;
    gate.during(|| database.batch_execute("insert into numbers values (1)"))?;
    Ok(())
}
