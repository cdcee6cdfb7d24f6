//! Copying one way and both ways.

use std::cell::Cell;
use std::io::{self, Cursor, ErrorKind, Read, Write};
use std::net;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use greenroom::io::{CloseWrite, copy, pipe};
use greenroom::net::{Shutdown, TcpStream};
use greenroom::{Config, Runtime, copy_bidirectional, sleep, spawn, timeout, yield_now};

use crate::support::{in_a_task, kind};

fn raw_pair() -> (net::TcpStream, net::TcpStream) {
    let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
    let near = net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (near, listener.accept().unwrap().0)
}

fn pair() -> (TcpStream, TcpStream) {
    let (near, far) = raw_pair();
    (near.into(), far.into())
}

/// Bytes in which a swap or a gap would be seen.
fn sample(length: usize) -> Vec<u8> {
    (0..length)
        .map(|n| u8::try_from(n % 251).unwrap())
        .collect()
}

#[test]
fn all_of_it_in_order() {
    const LENGTH: usize = 3 << 20;
    in_a_task(|| {
        let (mut reader, mut writer) = pipe().unwrap();
        let sender = spawn(move || copy(&mut Cursor::new(sample(LENGTH)), &mut writer));
        let mut all = Vec::new();
        let count = u64::try_from(LENGTH).unwrap();
        assert_eq!(copy(&mut reader, &mut all).unwrap(), count);
        assert_eq!(sender.join().unwrap().unwrap(), count);
        assert!(all == sample(LENGTH));
        assert_eq!(copy(&mut io::empty(), &mut all).unwrap(), 0);
    });
}

/// Reads in pieces, is interrupted, and fails in the end if it is told to.
struct Bumpy {
    left: usize,
    calls: usize,
    fails: bool,
}

impl Read for Bumpy {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.calls += 1;
        if self.calls % 2 == 1 {
            return Err(ErrorKind::Interrupted.into());
        }
        if self.left == 0 && self.fails {
            return Err(ErrorKind::ConnectionReset.into());
        }
        let length = self.left.min(7).min(buf.len());
        buf[..length].fill(1);
        self.left -= length;
        Ok(length)
    }
}

#[test]
fn interruptions_and_errors() {
    let bumpy = |fails| Bumpy {
        left: 100,
        calls: 0,
        fails,
    };
    let mut all = Vec::new();
    assert_eq!(copy(&mut bumpy(false), &mut all).unwrap(), 100);
    assert_eq!(
        kind(copy(&mut bumpy(true), &mut all)),
        ErrorKind::ConnectionReset
    );
    assert_eq!(all, [1; 200], "what came before the error is written");
    let mut small = &mut [0; 10][..];
    assert_eq!(
        kind(copy(&mut bumpy(false), &mut small)),
        ErrorKind::WriteZero
    );
}

#[test]
fn a_copy_that_never_waits_starves_nobody() {
    let mut runtime = Runtime::with(Config::new().budget(8));
    runtime.run(|| {
        let turns = Rc::new(Cell::new(0));
        let seen = Rc::clone(&turns);
        spawn(move || {
            loop {
                seen.set(seen.get() + 1);
                yield_now();
            }
        });
        let (reader, mut writer) = pipe().unwrap();
        for _ in 0..100 {
            copy(&mut &[0; 4096][..], &mut writer).unwrap();
            copy(&mut (&reader).take(4096), &mut io::sink()).unwrap();
        }
        assert!(turns.get() >= 200 / 10, "{}", turns.get());
    });
}

#[test]
fn both_ways_at_once_with_half_closes() {
    const LENGTH: usize = 4 << 20;
    in_a_task(|| {
        let ((client, outer), (inner, server)) = (pair(), pair());
        let relay = spawn(move || copy_bidirectional(&outer, &inner));
        let ends = [client, server].map(Arc::new);
        let writers: Vec<_> = [(0, LENGTH), (1, LENGTH / 2)]
            .into_iter()
            .map(|(n, length)| {
                let end = Arc::clone(&ends[n]);
                spawn(move || {
                    (&*end).write_all(&sample(length)).unwrap();
                    end.shutdown(Shutdown::Write).unwrap();
                })
            })
            .collect();
        let readers: Vec<_> = ends
            .iter()
            .map(|end| {
                let end = Arc::clone(end);
                spawn(move || {
                    let mut all = Vec::new();
                    (&*end).read_to_end(&mut all).map(|_| all)
                })
            })
            .collect();
        let mut all = readers
            .into_iter()
            .map(|task| task.join().unwrap().unwrap());
        assert!(all.next().unwrap() == sample(LENGTH / 2));
        assert!(all.next().unwrap() == sample(LENGTH));
        writers.into_iter().for_each(|task| task.join().unwrap());
        let counts = relay.join().unwrap().unwrap();
        let length = u64::try_from(LENGTH).unwrap();
        assert_eq!(counts, (length, length / 2));
    });
}

#[test]
fn one_end_is_passed_on_while_the_other_direction_lives() {
    in_a_task(|| {
        let ((mut client, outer), (inner, mut server)) = (pair(), pair());
        let relay = spawn(move || copy_bidirectional(&outer, &inner));
        client.write_all(b"question").unwrap();
        client.close_write().unwrap();
        let mut question = String::new();
        server.read_to_string(&mut question).unwrap();
        assert_eq!(question, "question");
        // Long after that, word by word.
        for word in [b"one", b"two"] {
            sleep(Duration::from_millis(2));
            server.write_all(word).unwrap();
            let mut got = [0; 3];
            client.read_exact(&mut got).unwrap();
            assert_eq!(&got, word);
        }
        assert!(!relay.is_finished());
        drop(server);
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
        assert_eq!(relay.join().unwrap().unwrap(), (8, 6));
    });
}

#[test]
fn an_error_ends_both_directions() {
    in_a_task(|| {
        let ((client, outer), (inner, mut server)) = (pair(), raw_pair());
        let relay = spawn(move || copy_bidirectional(&outer, &TcpStream::from(inner)));
        (&client).write_all(b"x").unwrap();
        yield_now();
        (&client).write_all(b"y").unwrap();
        // With something unread it is closed by a reset.
        let mut first = [0];
        sleep(Duration::from_millis(2));
        server.read_exact(&mut first).unwrap();
        drop(server);
        let error = relay.join().unwrap().unwrap_err();
        let kinds = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
        assert!(kinds.contains(&error.kind()), "{error:?}");
        // Its streams are dropped, so this side comes to an end, too.
        let _reset = (&client).read_to_end(&mut Vec::new());
    });
}

#[test]
fn a_slow_side_holds_the_other_one_back_and_nothing_is_heaped_up() {
    in_a_task(|| {
        let ((client, outer), (inner, server)) = (pair(), pair());
        let relay = spawn(move || copy_bidirectional(&outer, &inner));
        let client = Arc::new(client);
        let ours = Arc::clone(&client);
        let sent = Rc::new(Cell::new(0_usize));
        let count = Rc::clone(&sent);
        let writer = spawn(move || {
            loop {
                count.set(count.get() + (&*ours).write(&[0; 1 << 14]).unwrap());
            }
        });
        // Nobody reads at the far side, while the way back is open.
        let mut before = usize::MAX;
        while before != sent.get() {
            before = sent.get();
            for _ in 0..5 {
                (&server).write_all(b"x").unwrap();
                (&*client).read_exact(&mut [0]).unwrap();
                sleep(Duration::from_millis(2));
            }
        }
        writer.cancel();
        assert!(writer.join().unwrap_err().is_cancelled());
        // A write that was done is counted, also where it was done at the last moment.
        let before = sent.get();
        client.shutdown(Shutdown::Write).unwrap();
        let mut all = Vec::new();
        (&server).read_to_end(&mut all).unwrap();
        assert_eq!(all.len(), before, "none was lost");
        drop(server);
        assert_eq!(
            relay.join().unwrap().unwrap().0,
            u64::try_from(before).unwrap()
        );
    });
}

#[test]
fn a_cancelled_copy_ends_both_directions() {
    in_a_task(|| {
        let ((client, outer), (inner, server)) = (pair(), pair());
        let late = timeout(Duration::from_millis(5), || {
            copy_bidirectional(&outer, &inner)
        });
        assert!(late.is_err());
        // The streams are the caller's, and whole.
        (&client).write_all(b"x").unwrap();
        (&outer).read_exact(&mut [0]).unwrap();
        (&server).write_all(b"y").unwrap();
        (&inner).read_exact(&mut [0]).unwrap();
    });
}

#[test]
fn on_a_plain_thread_it_says_by_its_own_name_what_it_needs() {
    let (one, other) = pair();
    let panicked = std::panic::catch_unwind(|| copy_bidirectional(&one, &other).map(drop));
    let payload = panicked.unwrap_err();
    let said = payload.downcast_ref::<&str>().unwrap();
    assert!(
        said.starts_with("copy_bidirectional needs a task"),
        "{said}"
    );
}
