//! A hundred thousand connections, one after the other.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr};

use greenroom::net::{TcpListener, TcpStream};
use greenroom::{Runtime, spawn, tasks};

use crate::support::{case, rerun};
use crate::{descriptors, mappings, resident};

const CYCLES: u32 = 100_000;
/// After these everything has its size.
const FIRST: u32 = 10_000;
/// What the rest may add to resident memory, in KiB: 7 bytes a connection.
const GROWTH: usize = 640;

#[test]
fn a_hundred_thousand_connections_leave_nothing() {
    if case().is_none() {
        return rerun(
            "cycles::a_hundred_thousand_connections_leave_nothing",
            "child",
            &[],
        )
        .assert_success();
    }
    let mut runtime = Runtime::new();
    // What a reactor and a pool of stacks take by themselves.
    runtime.run(|| cycles(0..1));
    let before = (descriptors(), runtime.run(|| tasks().len()));
    runtime.run(|| cycles(1..FIRST));
    let (memory, maps) = (resident(), mappings());
    runtime.run(|| cycles(FIRST..CYCLES));
    assert_eq!((descriptors(), runtime.run(|| tasks().len())), before);
    assert!(
        mappings() <= maps,
        "{maps} mappings before, {} after",
        mappings()
    );
    assert!(
        resident() <= memory + GROWTH,
        "{memory} KiB before, {} KiB after",
        resident()
    );
}

/// Connects, says a word, hears it, hangs up; each connection has a task on the other side.
fn cycles(numbers: std::ops::Range<u32>) {
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let count = numbers.len();
    let server = spawn(move || {
        for stream in listener.incoming().take(count) {
            let mut stream = stream.unwrap();
            spawn(move || {
                let mut word = [0; 4];
                stream.read_exact(&mut word).unwrap();
                stream.write_all(&word).unwrap();
            });
        }
    });
    for number in numbers {
        // A closed connection keeps its four numbers for a minute, so there must be other ones.
        let [_, _, high, low] = (number / 1_000).to_be_bytes();
        let address = SocketAddr::from((Ipv4Addr::new(127, 1, high, low.max(1)), port));
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(b"word").unwrap();
        let mut back = Vec::new();
        stream.read_to_end(&mut back).unwrap();
        assert_eq!(back, b"word");
    }
    server.join().unwrap();
}
