//! Ten thousand connections that say nothing, and a thousand that talk meanwhile.

use std::cell::Cell;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::rc::Rc;

use greenroom::net::{TcpListener, TcpStream};
use greenroom::sync::Barrier;
use greenroom::{run, scope, supervise};

use crate::resident;

/// As many as the hard limit of descriptors allows, which is enough nearly everywhere.
const IDLE: usize = 10_000;
const ACTIVE: usize = 1_000;
const MESSAGES: u8 = 20;
/// Connections at a time that are being made: the listener's queue is short, and who finds it full waits for seconds.
const CONNECTING: usize = 100;
/// Resident memory of a server with all of them, in a build without optimisation. KiB.
const BOUND: usize = 200 * 1024;

/// Set in the two processes: the clients are told where to connect.
const ADDRESS: &str = "GREENROOM_TEST_ADDRESS";

/// Descriptors beside those of the connections.
const OTHERS: usize = 100;

/// How many connections are to say nothing.
fn idle() -> usize {
    let limits = fs::read_to_string("/proc/self/limits").unwrap();
    let files = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))
        .unwrap();
    let hard = files.split_whitespace().nth(1).unwrap();
    let hard = hard.parse().unwrap_or(usize::MAX);
    IDLE.min(hard - ACTIVE - OTHERS)
}

/// This test program again, with descriptors enough for one test.
fn again(test: &str, address: &str) -> Command {
    let mut command = Command::new("sh");
    let wanted = idle() + ACTIVE + OTHERS;
    command
        .arg("-c")
        .arg(format!("ulimit -Sn {wanted} && exec \"$0\" \"$@\""))
        .arg(std::env::current_exe().unwrap())
        .args([test, "--exact", "--ignored", "--nocapture"])
        .env(ADDRESS, address)
        .stdout(Stdio::piped());
    command
}

#[test]
fn ten_thousand_wait_while_a_thousand_talk() {
    let mut server = again("crowd::the_server", "any").spawn().unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let address = lines
        .find_map(|line| Some(line.unwrap().split_once("listens on ")?.1.to_owned()))
        .expect("the server says where it listens");
    let clients = again("crowd::the_clients", &address).output().unwrap();
    let said = String::from_utf8_lossy(&clients.stdout);
    assert!(said.contains("1 passed"), "the clients: {said}");
    let said: Vec<String> = lines.map(Result::unwrap).collect();
    assert!(server.wait().unwrap().success(), "the server: {said:?}");
}

#[test]
#[ignore = "run by the test above, in a process with many descriptors"]
fn the_server() {
    if std::env::var_os(ADDRESS).is_none() {
        return;
    }
    run(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        println!("listens on {}", listener.local_addr().unwrap());
        let (open, most) = (Cell::new(0), Cell::new(0));
        let served = supervise(|s| {
            let (open, most) = (&open, &most);
            for stream in listener.incoming().take(idle() + ACTIVE) {
                let mut stream = stream.unwrap();
                open.set(open.get() + 1);
                most.set(most.get().max(open.get()));
                s.spawn(move || {
                    let mut buffer = [0; 64];
                    loop {
                        match stream.read(&mut buffer).unwrap() {
                            0 => break open.set(open.get() - 1),
                            count => stream.write_all(&buffer[..count]).unwrap(),
                        }
                    }
                });
            }
            idle() + ACTIVE
        });
        assert_eq!(most.get(), served);
        assert!(resident() < BOUND, "{} KiB", resident());
    });
}

/// Says one byte and hears it.
fn exchange(stream: &mut TcpStream, byte: u8) {
    stream.write_all(&[byte]).unwrap();
    let mut back = [0];
    stream.read_exact(&mut back).unwrap();
    assert_eq!(back, [byte]);
}

#[test]
#[ignore = "run by the test above, in a process with many descriptors"]
fn the_clients() {
    let Some(address) = std::env::var(ADDRESS)
        .ok()
        .and_then(|text| text.parse().ok())
    else {
        return;
    };
    run(|| {
        let address: SocketAddr = address;
        let idle = connect_all(address, idle());
        let everybody = Rc::new(Barrier::new(ACTIVE));
        scope(|s| {
            for mut stream in connect_all(address, ACTIVE) {
                let everybody = Rc::clone(&everybody);
                s.spawn(move || {
                    for byte in 0..MESSAGES {
                        exchange(&mut stream, byte);
                        everybody.wait();
                    }
                });
            }
        });
        // Those who were silent all the time are still served.
        for mut stream in idle {
            exchange(&mut stream, 7);
        }
    });
}

fn connect_all(address: SocketAddr, count: usize) -> Vec<TcpStream> {
    let mut made = Vec::new();
    while made.len() < count {
        made.extend(scope(|s| {
            let connecting: Vec<_> = (0..CONNECTING.min(count - made.len()))
                .map(|_| {
                    s.spawn(|| {
                        let mut stream = TcpStream::connect(address).unwrap();
                        exchange(&mut stream, 1); // it has been accepted
                        stream
                    })
                })
                .collect();
            connecting
                .into_iter()
                .map(|task| task.join())
                .collect::<Vec<_>>()
        }));
    }
    made
}
