//! The promise: the echo server of the examples gives back what it is told, to many clients at once, and
//! ends when it was told to.

#![cfg(all(feature = "net", feature = "sync", target_family = "unix"))]
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]
#![allow(dead_code, reason = "the example's own `main` is not called here")]

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use greenroom::net::TcpListener;
use greenroom::run;

#[path = "../examples/echo.rs"]
mod echo;

/// Runs the server for so many clients while `clients` talk to it.
fn served(count: usize, clients: impl FnOnce(&str)) {
    let (tell, told) = mpsc::channel();
    let server = thread::spawn(move || {
        run(|| {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            tell.send(listener.local_addr()?.to_string())
                .map_err(io::Error::other)?;
            echo::serve(&listener, count)
        })
    });
    clients(&told.recv().unwrap());
    server.join().unwrap().unwrap();
}

#[test]
fn clients_are_served_at_the_same_time() {
    served(100, |address| {
        let mut clients: Vec<_> = (0..100)
            .map(|_| {
                let stream = TcpStream::connect(address).unwrap();
                stream
                    .set_read_timeout(Some(Duration::from_secs(60)))
                    .unwrap();
                stream
            })
            .collect();
        for round in 0..10 {
            for (i, client) in clients.iter_mut().enumerate().rev() {
                let line = format!("client {i}, round {round}\n");
                client.write_all(line.as_bytes()).unwrap();
                let mut back = vec![0; line.len()];
                client.read_exact(&mut back).unwrap();
                assert_eq!(back, line.as_bytes());
            }
        }
    });
}

#[test]
fn a_client_that_breaks_off_ends_nobody_else() {
    served(2, |address| {
        let mut rude = TcpStream::connect(address).unwrap();
        let mut polite = TcpStream::connect(address).unwrap();
        // Closing with the echo unread resets the connection.
        rude.write_all(&vec![7; 100_000]).unwrap();
        drop(rude);
        polite.write_all(b"hello").unwrap();
        polite.shutdown(Shutdown::Write).unwrap();
        let mut all = String::new();
        polite.read_to_string(&mut all).unwrap();
        assert_eq!(all, "hello");
    });
}

/// A client's transcript, by the client people try it with.
#[test]
fn nc_hears_what_it_said() {
    served(1, |address| {
        let (host, port) = address.split_once(':').unwrap();
        let nc = Command::new("nc")
            .args([host, port])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let Ok(mut nc) = nc else {
            println!("skipped: no nc on this machine");
            drop(TcpStream::connect(address));
            return;
        };
        let mut says = nc.stdin.take().unwrap();
        let mut hears = nc.stdout.take().unwrap();
        for line in [b"one\n", b"two\n"] {
            says.write_all(line).unwrap();
            let mut back = [0; 4];
            hears.read_exact(&mut back).unwrap();
            assert_eq!(&back, line);
        }
        // What it does when it has nothing more to say differs from one nc to the next.
        nc.kill().unwrap();
        nc.wait().unwrap();
    });
}
