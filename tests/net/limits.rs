//! Time limits, and what happens when descriptors run out.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use greenroom::{spawn, timeout, yield_now};

use crate::support::{SHORT, green_pair, in_a_task, kind, listener, pair};

#[test]
fn a_read_gives_up_at_its_limit() {
    in_a_task(|| {
        let (mut near, mut far) = green_pair();
        let zero = Some(Duration::ZERO);
        assert_eq!(kind(near.set_read_timeout(zero)), ErrorKind::InvalidInput);
        assert_eq!(kind(near.set_write_timeout(zero)), ErrorKind::InvalidInput);
        assert_eq!(near.read_timeout().unwrap(), None);
        near.set_read_timeout(Some(SHORT)).unwrap();
        assert_eq!(near.read_timeout().unwrap(), Some(SHORT));
        for _ in 0..2 {
            let begin = Instant::now();
            assert_eq!(kind(near.read(&mut [0])), ErrorKind::TimedOut);
            assert!(begin.elapsed() >= SHORT);
        }
        // Nothing is lost by it, and the limit can be lifted.
        far.write_all(b"x").unwrap();
        near.read_exact(&mut [0]).unwrap();
        near.set_read_timeout(None).unwrap();
        let writer = spawn(move || far.write_all(b"y"));
        near.read_exact(&mut [0]).unwrap();
        writer.join().unwrap().unwrap();
    });
}

#[test]
fn one_who_gives_up_leaves_the_others_in_the_queue() {
    in_a_task(|| {
        let (near, mut far) = green_pair();
        let mut patient = near.try_clone().unwrap();
        let near = std::sync::Arc::new(near);
        near.set_read_timeout(Some(SHORT)).unwrap();
        let tasks: Vec<_> = (0..2)
            .map(|_| {
                let near = std::sync::Arc::clone(&near);
                spawn(move || kind((&*near).read(&mut [0])))
            })
            .collect();
        for task in tasks {
            assert_eq!(task.join().unwrap(), ErrorKind::TimedOut);
        }
        // The duplicate has the limit, too: it is the socket's.
        assert_eq!(kind(patient.read(&mut [0])), ErrorKind::TimedOut);
        near.set_read_timeout(None).unwrap();
        assert_eq!(patient.read_timeout().unwrap(), None);
        let reader = spawn(move || patient.read_exact(&mut [0]));
        yield_now();
        far.write_all(b"x").unwrap();
        reader.join().unwrap().unwrap();
    });
}

#[test]
fn a_write_to_a_peer_that_never_reads_gives_up() {
    in_a_task(|| {
        let (mut near, mut far) = pair();
        near.set_write_timeout(Some(SHORT)).unwrap();
        let block = vec![7; 1 << 20];
        let mut sent = 0;
        let error = loop {
            match near.write(&block) {
                Ok(count) => sent += count,
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(sent > 0);
        // What was sent is there, and the connection goes on.
        let reader = std::thread::spawn(move || {
            let mut all = Vec::new();
            far.read_to_end(&mut all).unwrap();
            all.len()
        });
        near.set_write_timeout(None).unwrap();
        near.write_all(&block).unwrap();
        drop(near);
        assert_eq!(reader.join().unwrap(), sent + block.len());
    });
}

#[test]
fn a_listeners_flag_that_somebody_cleared_is_set_again() {
    in_a_task(|| {
        let listener = listener();
        for _ in 0..2 {
            assert!(timeout(SHORT, || listener.accept()).is_err());
            // By a duplicate, as another process may do it: the next call must not block the thread.
            let duplicate = listener.as_fd().try_clone_to_owned().unwrap();
            std::net::TcpListener::from(duplicate)
                .set_nonblocking(false)
                .unwrap();
        }
    });
}

/// A server and its clients in processes of their own, for the sake of their limits.
#[cfg(target_os = "linux")]
mod descriptors {
    use std::cell::Cell;
    use std::fs::File;
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::SocketAddr;
    use std::process::{Command, Stdio};
    use std::rc::Rc;

    use greenroom::net::TcpStream;
    use greenroom::sync::unbounded;
    use greenroom::{Cancelled, Config, Delivery, Runtime, current, park, sleep, spawn, yield_now};

    use crate::support::{SHORT, in_a_task, listener};

    const CONNECTIONS: usize = 2_000;
    const SERVER: &str = "limits::descriptors::the_server";
    const CLIENTS: &str = "limits::descriptors::the_clients";
    const CANCELLED: &str = "limits::descriptors::one_who_is_cancelled";
    /// Set in these processes: the clients are told where to connect.
    const ADDRESS: &str = "GREENROOM_TEST_ADDRESS";

    /// This test program again, with one test and so many descriptors.
    fn again(test: &str, descriptors: usize, address: &str) -> Command {
        let mut command = Command::new("sh");
        command
            .arg("-c")
            .arg(format!("ulimit -n {descriptors} && exec \"$0\" \"$@\""))
            .arg(std::env::current_exe().unwrap())
            .args([test, "--exact", "--ignored", "--nocapture"])
            .env(ADDRESS, address)
            .stdout(Stdio::piped());
        command
    }

    #[test]
    fn a_server_serves_more_clients_than_it_has_descriptors() {
        let mut server = again(SERVER, 1_000, "any").spawn().unwrap();
        let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
        let address = lines
            .find_map(|line| Some(line.unwrap().split_once("listens on ")?.1.to_owned()))
            .expect("the server says where it listens");
        let clients = again(CLIENTS, CONNECTIONS + 100, &address)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&clients.stdout);
        assert!(said.contains("1 passed"), "the clients: {said}");
        let said: Vec<String> = lines.map(Result::unwrap).collect();
        assert!(server.wait().unwrap().success(), "the server: {said:?}");
    }

    #[test]
    fn a_server_without_descriptors_can_be_cancelled() {
        let ended = again(CANCELLED, 40, "any").output().unwrap();
        let said = String::from_utf8_lossy(&ended.stdout);
        assert!(said.contains("1 passed"), "{said}");
    }

    #[test]
    #[ignore = "run by the test above, in a process with few descriptors"]
    fn one_who_is_cancelled() {
        if std::env::var_os(ADDRESS).is_none() {
            return;
        }
        let told = Config::new().delivery(Delivery::Error);
        Runtime::with(told).run(|| {
            let listener = listener();
            let address = listener.local_addr().unwrap();
            let client = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
            let client = client.unwrap();
            let task = spawn(move || listener.incoming().next().unwrap().unwrap_err());
            yield_now();
            let all: Vec<_> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
            client.connect(&address.into()).unwrap();
            sleep(SHORT); // it has tried, and waits for a descriptor
            task.cancel();
            let error = task.join().unwrap();
            drop(all);
            let cause = error.get_ref().expect("no system says it");
            assert!(cause.is::<Cancelled>(), "{error:?}");
        });
    }

    #[test]
    #[ignore = "run by the test above, in a process with few descriptors"]
    fn the_server() {
        if std::env::var_os(ADDRESS).is_none() {
            return;
        }
        in_a_task(|| {
            let listener = listener();
            println!("listens on {}", listener.local_addr().unwrap());
            // Nobody is answered before the last descriptor is taken: this is dropped then.
            let (closed, gate) = unbounded::<()>();
            let mut closed = Some(closed);
            let served = Rc::new(Cell::new(0));
            let main = current();
            for stream in listener.incoming().take(CONNECTIONS) {
                let mut stream = stream.expect("a plain loop goes on");
                if File::open("/dev/null").is_err() {
                    closed = None;
                }
                let (gate, main, served) = (gate.clone(), main.clone(), Rc::clone(&served));
                spawn(move || {
                    gate.iter().for_each(drop);
                    let mut word = [0; 4];
                    stream.read_exact(&mut word).unwrap();
                    stream.write_all(&word).unwrap();
                    // Held until the client has gone.
                    assert_eq!(stream.read(&mut word).unwrap(), 0);
                    served.set(served.get() + 1);
                    main.unpark();
                });
            }
            assert!(closed.is_none(), "there were descriptors enough");
            while served.get() < CONNECTIONS {
                park();
            }
        });
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
        in_a_task(move || {
            let address: SocketAddr = address;
            let clients: Vec<_> = (0..CONNECTIONS)
                .map(|_| {
                    spawn(move || {
                        let mut stream = TcpStream::connect(address).unwrap();
                        stream.write_all(b"ping").unwrap();
                        let mut word = [0; 4];
                        stream.read_exact(&mut word).unwrap();
                        assert_eq!(&word, b"ping");
                    })
                })
                .collect();
            for client in clients {
                client.join().unwrap();
            }
        });
    }
}
