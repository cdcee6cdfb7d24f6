//! TLS by rustls, over any `Read + Write`.
//!
//! What to notice: nothing here knows greenroom but for the name of the socket. A handshake is a function that
//! is called and returns; while it waits for the other side, other tasks run.

use std::io::{self, Read, Write};
use std::sync::Arc;

use greenroom::net::{TcpStream, ToSocketAddrs};
use rcgen::generate_simple_self_signed;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
};

/// A client's end of a connection.
pub type ClientStream<S> = StreamOwned<ClientConnection, S>;
/// A server's end of a connection.
pub type ServerStream<S> = StreamOwned<ServerConnection, S>;

/// A server that calls itself `localhost`, made up on the spot: nobody trusts it who was not told.
#[derive(Debug)]
pub struct Identity {
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

impl Identity {
    /// A new key, and a certificate that it has signed itself.
    ///
    /// # Errors
    /// What ring says where there is no randomness.
    pub fn localhost() -> io::Result<Self> {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let made = generate_simple_self_signed(names).map_err(io::Error::other)?;
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        Ok(Self {
            certificate: made.cert.into(),
            key: key.into(),
        })
    }

    /// What clients are to trust.
    #[must_use]
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The server's side.
    ///
    /// # Errors
    /// What rustls says of the key.
    pub fn server(&self) -> io::Result<Arc<ServerConfig>> {
        ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|config| {
                config
                    .with_no_client_auth()
                    .with_single_cert(vec![self.certificate.clone()], self.key.clone_key())
            })
            .map(Arc::new)
            .map_err(io::Error::other)
    }

    /// The side of a client who trusts this server and no other.
    ///
    /// # Errors
    /// What rustls says of the certificate.
    pub fn client(&self) -> io::Result<Arc<ClientConfig>> {
        let mut trusted = RootCertStore::empty();
        trusted
            .add(self.certificate.clone())
            .map_err(io::Error::other)?;
        ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map(|config| config.with_root_certificates(trusted))
            .map(|config| Arc::new(config.with_no_client_auth()))
            .map_err(io::Error::other)
    }
}

/// Shakes hands with a client.
///
/// # Errors
/// What the stream says, and what rustls says of the client.
pub fn accept<S: Read + Write>(
    mut stream: S,
    config: &Arc<ServerConfig>,
) -> io::Result<ServerStream<S>> {
    let mut tls = ServerConnection::new(config.clone()).map_err(io::Error::other)?;
    while tls.is_handshaking() {
        tls.complete_io(&mut stream)?;
    }
    Ok(StreamOwned::new(tls, stream))
}

/// Connects to a server that is to call itself `localhost`, and shakes hands.
///
/// # Errors
/// What the socket says, and what rustls says of the server.
pub fn connect(
    address: impl ToSocketAddrs,
    config: &Arc<ClientConfig>,
) -> io::Result<ClientStream<TcpStream>> {
    let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
    let mut tls = ClientConnection::new(config.clone(), name).map_err(io::Error::other)?;
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    while tls.is_handshaking() {
        tls.complete_io(&mut stream)?;
    }
    Ok(StreamOwned::new(tls, stream))
}

/// Says goodbye, so that the client knows that nothing was cut off.
///
/// # Errors
/// What the stream says.
pub fn close<S: Read + Write>(stream: &mut ServerStream<S>) -> io::Result<()> {
    stream.conn.send_close_notify();
    stream.flush()
}
