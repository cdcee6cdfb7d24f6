//! How much stack do these crates take?
//!
//! ```text
//! cargo run --bin stack_use
//! cargo run --bin stack_use --release
//! ```
//!
//! Each line is the least `stack_size`, in KiB, with which a task gets through; the other end has a task with more than
//! enough. It is found by trying: the program runs itself with ever smaller stacks, and a child that ran into
//! its guard is aborted. The guard is large here, so that no frame of C code, which does not look where it
//! steps, can step over it.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "programs talk to people"
)]

use std::env;
use std::io::{self, BufReader, ErrorKind, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;

use ::redis::Commands;
use ecosystem::http::Response;
use ecosystem::server::{Server, echo};
use ecosystem::tls::{self, Identity};
use ecosystem::{fetch, redis};
use greenroom::net::{SocketAddr, TcpListener, TcpStream};
use greenroom::{Builder, Config, Runtime, run, scope};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, PKCS_ECDSA_P384_SHA384};
use rustls::crypto::ring;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tungstenite::Message;

const KIB: usize = 1024;
const GUARD: usize = 256 * KIB;
const PLENTY: usize = 1024 * KIB;

/// Does something on a stack of this size.
type Case = fn(usize) -> io::Result<()>;

/// What is measured, by name.
const CASES: [(&str, Case); 9] = [
    ("nothing", |size| on_stack(size, || Ok(()))),
    ("rustls: client's handshake", |size| {
        let identity = Identity::localhost()?;
        handshake(identity.server()?, identity.client()?, PLENTY, size)
    }),
    ("rustls: client's, chain of three, P-384", |size| {
        let (server, client) = chain_of_three()?;
        handshake(server, client, PLENTY, size)
    }),
    ("rustls: server's handshake", |size| {
        let identity = Identity::localhost()?;
        handshake(identity.server()?, identity.client()?, size, PLENTY)
    }),
    ("tungstenite over rustls: client", |size| {
        websocket(PLENTY, size)
    }),
    ("tungstenite over rustls: server", |size| {
        websocket(size, PLENTY)
    }),
    ("ureq over HTTPS", fetch_page),
    ("the server of this package", serve_page),
    ("redis: a typed command", redis_command),
];

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let done = match &arguments[..] {
        [case, size] => attempt(case, size),
        _ => measure_all(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn measure_all() -> io::Result<()> {
    println!("least stack_size, KiB");
    for (i, (name, _)) in CASES.iter().enumerate() {
        // Between what is too little and what is enough, in pages of 4 KiB.
        let (mut short, mut enough) = (3, PLENTY / KIB / 4);
        while short + 1 < enough {
            let middle = short.midpoint(enough);
            if is_enough(i, middle * 4 * KIB)? {
                enough = middle;
            } else {
                short = middle;
            }
        }
        println!("{:>6}  {name}", enough * 4);
    }
    Ok(())
}

/// Tries it in a process of its own.
fn is_enough(case: usize, size: usize) -> io::Result<bool> {
    let child = Command::new(env::current_exe()?)
        .args([case.to_string(), size.to_string()])
        .stdin(Stdio::null())
        .output()?;
    if child.status.signal().is_some() {
        return Ok(false);
    }
    if child.status.success() {
        return Ok(true);
    }
    let said = String::from_utf8_lossy(&child.stderr).into_owned();
    Err(io::Error::other(format!("{}: {said}", CASES[case].0)))
}

fn attempt(case: &str, size: &str) -> io::Result<()> {
    let case: usize = case.parse().map_err(io::Error::other)?;
    let size = size.parse().map_err(io::Error::other)?;
    let (_, body) = CASES.get(case).ok_or(ErrorKind::InvalidInput)?;
    body(size)
}

/// Runs the body as a task on such a stack.
fn on_stack(size: usize, body: impl FnOnce() -> io::Result<()> + 'static) -> io::Result<()> {
    run(|| {
        let task = Builder::new().stack_size(size).guard_size(GUARD);
        task.spawn(body)?.join().map_err(io::Error::other)?
    })
}

/// Runs both ends of a connection, each on its own stack.
fn both_ends(
    (server_size, server): (usize, impl FnOnce(TcpStream) -> io::Result<()> + 'static),
    (client_size, client): (usize, impl FnOnce(SocketAddr) -> io::Result<()> + 'static),
) -> io::Result<()> {
    run(|| {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let task = |size| Builder::new().stack_size(size).guard_size(GUARD);
        let server = task(server_size).spawn(move || server(listener.accept()?.0))?;
        let client = task(client_size).spawn(move || client(address))?;
        client.join().map_err(io::Error::other)??;
        server.join().map_err(io::Error::other)?
    })
}

fn handshake(
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
    server_size: usize,
    client_size: usize,
) -> io::Result<()> {
    let server = move |stream| {
        let mut stream = tls::accept(stream, &server)?;
        stream.write_all(b"!")
    };
    let client = move |address| {
        let mut stream = tls::connect(address, &client)?;
        stream.read_exact(&mut [0])
    };
    both_ends((server_size, server), (client_size, client))
}

fn websocket(server_size: usize, client_size: usize) -> io::Result<()> {
    let identity = Identity::localhost()?;
    let (server, client) = (identity.server()?, identity.client()?);
    let server = move |stream| {
        let stream = tls::accept(stream, &server)?;
        let mut socket = tungstenite::accept(stream).map_err(|error| other(&error))?;
        echo(&mut socket).map_err(io::Error::other)
    };
    let client = move |address| {
        let stream = tls::connect(address, &client)?;
        let (mut socket, _) =
            tungstenite::client("wss://localhost/", stream).map_err(|error| other(&error))?;
        let mut talk = || {
            socket.send(Message::text("hello"))?;
            socket.read()?;
            socket.close(None)?;
            socket.flush()
        };
        talk().map_err(io::Error::other)
    };
    both_ends((server_size, server), (client_size, client))
}

fn fetch_page(size: usize) -> io::Result<()> {
    serve_while(PLENTY, |identity, address| {
        let agent = fetch::agent(identity.certificate());
        let fetch = move || {
            let mut response = agent.get(format!("https://{address}/")).call()?;
            response.body_mut().read_to_string()
        };
        let task = Builder::new().stack_size(size).guard_size(GUARD);
        let page = task.spawn(fetch)?.join().map_err(io::Error::other)?;
        page.map(drop).map_err(io::Error::other)
    })
}

fn serve_page(size: usize) -> io::Result<()> {
    // The client is the main task, whose stack is large.
    serve_while(size, |identity, address| {
        let mut stream = tls::connect(address, &identity.client()?)?;
        write!(stream, "GET / HTTP/1.1\r\nconnection: close\r\n\r\n")?;
        stream.read_to_string(&mut String::new()).map(drop)
    })
}

/// Serves on stacks of this size for as long as the client runs.
fn serve_while(
    size: usize,
    client: impl FnOnce(&Identity, SocketAddr) -> io::Result<()>,
) -> io::Result<()> {
    let identity = Identity::localhost()?;
    let server = Server::bind("127.0.0.1:0", &identity)?;
    let config = Config::new().stack_size(size).guard_size(GUARD);
    Runtime::with(config).run(|| {
        scope(|s| {
            let serving = s.spawn(|| server.serve(|_| Response::new(b"hello".to_vec())));
            let end = client(&identity, server.local_addr()?);
            server.end();
            serving.join().and(end)
        })
    })
}

/// Against a server that has one answer.
fn redis_command(size: usize) -> io::Result<()> {
    let server = |stream: TcpStream| {
        let mut reader = BufReader::new(&stream);
        let mut question = [0; 22];
        reader.read_exact(&mut question)?;
        (&stream).write_all(b"$4\r\nMoo!\r\n")
    };
    let client = |address| {
        let mut db = redis::Connection::new(TcpStream::connect(address)?);
        db.get::<_, String>("cow")
            .map(drop)
            .map_err(io::Error::other)
    };
    both_ends((PLENTY, server), (size, client))
}

/// As servers in the wild have it: a root that is trusted, an authority, and the server's own.
fn chain_of_three() -> io::Result<(Arc<ServerConfig>, Arc<ClientConfig>)> {
    let key = || KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).map_err(io::Error::other);
    let authority = |name: &str| -> io::Result<_> {
        let mut params = CertificateParams::new([]).map_err(io::Error::other)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        Ok(params)
    };
    let (root_key, middle_key, leaf_key) = (key()?, key()?, key()?);
    let (root, middle) = (authority("root")?, authority("middle")?);
    let leaf = CertificateParams::new(["localhost".to_owned()]).map_err(io::Error::other)?;
    let root_cert = root.self_signed(&root_key).map_err(io::Error::other)?;
    let root = Issuer::new(root, root_key);
    let middle_cert = middle
        .signed_by(&middle_key, &root)
        .map_err(io::Error::other)?;
    let middle = Issuer::new(middle, middle_key);
    let leaf_cert = leaf
        .signed_by(&leaf_key, &middle)
        .map_err(io::Error::other)?;

    let mut trusted = RootCertStore::empty();
    trusted.add(root_cert.into()).map_err(io::Error::other)?;
    let provider = Arc::new(ring::default_provider());
    let client = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(trusted)
        .with_no_client_auth();
    let chain = vec![leaf_cert.into(), middle_cert.into()];
    let key = PrivatePkcs8KeyDer::from(leaf_key.serialize_der());
    let server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|config| {
            config
                .with_no_client_auth()
                .with_single_cert(chain, key.into())
        })
        .map_err(io::Error::other)?;
    Ok((Arc::new(server), Arc::new(client)))
}

fn other(error: &impl ToString) -> io::Error {
    io::Error::other(error.to_string())
}
