//! ureq on greenroom: one agent, its pool of connections, any number of requests at once.
//!
//! What to notice:
//!
//! - ureq is made of parts. Two of them are replaced here: [`Sockets`] makes connections, [`Names`] looks up names.
//!   TLS is ureq's own part, over our socket; so are the pool, redirects and time limits.
//! - ureq's own resolver starts a thread for each name where there is a time limit, and blocks until it answers.
//!   [`Names`] asks by greenroom's `ToSocketAddrs`: a thread of its pool asks, and only the task waits. An address
//!   needs no asking.
//! - The pool asks [`is_open`](Transport::is_open) and drops connections while it holds a `std::sync::Mutex`. A task
//!   that waited there would hold up whichever task came next, and so the thread, for ever. Neither waits here.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;

use greenroom::net::{TcpStream, ToSocketAddrs};
use greenroom::{in_task, timeout};
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::tls::{Certificate, TlsConfig};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, RustlsConnector, Transport,
};
use ureq::{Agent, Error};

/// An agent on greenroom's sockets. It trusts this server and no other.
#[must_use]
pub fn agent(trusted: &CertificateDer<'_>) -> Agent {
    let trusted = Certificate::from_der(trusted).to_owned();
    let tls = TlsConfig::builder()
        .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
        .root_certs([trusted].into_iter().collect::<Vec<_>>().into())
        .build();
    let config = Agent::config_builder().tls_config(tls);
    let config = config.max_idle_connections_per_host(100).build();
    let connector = Sockets.chain(RustlsConnector::default());
    Agent::with_parts(config, connector, Names)
}

/// Connects to the first address that answers.
#[derive(Debug)]
pub struct Sockets;

impl Connector for Sockets {
    type Out = Socket;

    fn connect(&self, to: &ConnectionDetails<'_>, _: Option<()>) -> Result<Option<Socket>, Error> {
        let stream = match to.timeout.not_zero() {
            None => TcpStream::connect(&to.addrs[..])?,
            Some(limit) => {
                let mut tried = to.addrs.iter();
                let mut stream = Err(ErrorKind::AddrNotAvailable.into());
                while let (Err(_), Some(address)) = (&stream, tried.next()) {
                    stream = TcpStream::connect_timeout(address, *limit);
                }
                stream.map_err(|error| late(error, to.timeout))?
            }
        };
        stream.set_nodelay(to.config.no_delay())?;
        let (input, output) = (
            to.config.input_buffer_size(),
            to.config.output_buffer_size(),
        );
        let buffers = LazyBuffers::new(input, output);
        Ok(Some(Socket { stream, buffers }))
    }
}

/// A connection as ureq sees it.
pub struct Socket {
    stream: TcpStream,
    buffers: LazyBuffers,
}

impl Transport for Socket {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, limit: NextTimeout) -> Result<(), Error> {
        let limit = limit.for_write();
        self.stream
            .set_write_timeout(limit.not_zero().map(|t| *t))?;
        let sent = self.stream.write_all(&self.buffers.output()[..amount]);
        sent.map_err(|error| late(error, limit))
    }

    fn await_input(&mut self, limit: NextTimeout) -> Result<bool, Error> {
        let limit = limit.for_read();
        self.stream.set_read_timeout(limit.not_zero().map(|t| *t))?;
        let got = self.stream.read(self.buffers.input_append_buf());
        let got = got.map_err(|error| late(error, limit))?;
        self.buffers.input_appended(got);
        Ok(got > 0)
    }

    /// Whether it is quiet. Never waits: there is a lock to be held up.
    fn is_open(&mut self) -> bool {
        let quiet = self
            .stream
            .set_nonblocking(true)
            .and_then(|()| self.stream.peek(&mut [0]));
        matches!(quiet, Err(error) if error.kind() == ErrorKind::WouldBlock)
            && self.stream.set_nonblocking(false).is_ok()
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.stream.fmt(f)
    }
}

/// Looks up names without holding up the thread.
#[derive(Debug)]
pub struct Names;

impl Resolver for Names {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        limit: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let host = uri
            .scheme()
            .zip(uri.authority())
            .and_then(|(scheme, authority)| DefaultResolver::host_and_port(scheme, authority))
            .ok_or(Error::HostNotFound)?;
        let look_up = || host.to_socket_addrs();
        let found = match limit.not_zero() {
            Some(after) if in_task() => {
                timeout(*after, look_up).map_err(|_| Error::Timeout(limit.reason))?
            }
            _ => look_up(),
        }?;
        let mut addresses = self.empty();
        for address in config.ip_family().keep_wanted(found).take(16) {
            addresses.push(address);
        }
        if addresses.is_empty() {
            return Err(Error::HostNotFound);
        }
        Ok(addresses)
    }
}

/// A time limit of a socket is one of ureq's, and it wants to know which.
fn late(error: io::Error, limit: NextTimeout) -> Error {
    match error.kind() {
        ErrorKind::TimedOut => Error::Timeout(limit.reason),
        _ => error.into(),
    }
}
