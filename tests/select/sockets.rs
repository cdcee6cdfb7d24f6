//! The arms that wait for sockets, over loopback, on the real clock.

use std::io::{self, Read, Write};
use std::net::{self, Shutdown};
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use greenroom::net::{TcpListener, TcpStream};
use greenroom::sync::bounded;
use greenroom::{
    CancelScope, Config, Delivery, Instant, Runtime, Selectable, no_switch, park, run, select,
    select_biased, sleep, spawn, timeout, yield_now,
};

use crate::support::panic_text;

/// Far more than anything takes here.
const LIMIT: Duration = Duration::from_secs(30);

/// What makes waiting calls give up soon.
const SHORT: Duration = Duration::from_millis(15);

/// Runs a test in a task of a thread of its own, and fails if it does not end.
#[track_caller]
fn in_a_task(test: impl FnOnce() + Send + 'static) {
    let (done, ended) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        run(test);
        let _told = done.send(());
    });
    match ended.recv_timeout(LIMIT) {
        Ok(()) => {}
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("it does not end"),
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            if let Err(payload) = thread.join() {
                std::panic::resume_unwind(payload);
            }
        }
    }
}

/// Two ends of a connection: ours, and one in std's hands.
fn pair() -> (TcpStream, net::TcpStream) {
    let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
    let far = net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (near, _) = listener.accept().unwrap();
    (TcpStream::from(near), far)
}

fn is_readable(stream: &TcpStream) -> bool {
    select! { readable(stream) -> r => { r.unwrap(); true }, default => false }
}

fn is_writable(stream: &TcpStream) -> bool {
    select! { writable(stream) -> r => { r.unwrap(); true }, default => false }
}

/// Writes until nothing more fits; how much it was.
fn fill(stream: &TcpStream) -> usize {
    let block = [7; 4096];
    let mut written = 0;
    while is_writable(stream) {
        match timeout(SHORT, || (&mut &*stream).write(&block)) {
            Ok(n) => written += n.unwrap(),
            Err(_) => break,
        }
    }
    written
}

/// It is a matter of what is there, not of what has come since the last look.
#[test]
fn readable_is_a_level() {
    in_a_task(|| {
        let (mut near, mut far) = pair();
        assert!(!is_readable(&near));
        far.write_all(b"abc").unwrap();
        for _ in 0..3 {
            select! { readable(near) -> r => r.unwrap(), after(LIMIT) => panic!("it is there") }
            assert!(is_readable(&near));
        }
        let mut byte = [0];
        for _ in 0..3 {
            select! { readable(near) -> r => r.unwrap() }
            assert_eq!(no_switch(|| near.read(&mut byte)).unwrap(), 1);
        }
        assert!(!is_readable(&near));
        // Waiting for it, and then again.
        for round in 0..5u8 {
            let mut far = far.try_clone().unwrap();
            spawn(move || {
                sleep(Duration::from_millis(1));
                far.write_all(&[round, round]).unwrap();
            });
            select! { readable(near) -> r => r.unwrap(), after(LIMIT) => panic!("it comes") }
            select! { readable(&near) -> r => r.unwrap(), after(LIMIT) => panic!("it is there") }
            let mut two = [0, 0];
            near.read_exact(&mut two).unwrap();
            assert_eq!(two, [round, round]);
        }
    });
}

#[test]
fn writable_is_a_level() {
    in_a_task(|| {
        let (near, mut far) = pair();
        assert!(is_writable(&near) && is_writable(&near));
        let written = fill(&near);
        let late = select! { writable(near) -> r => r.is_ok(), after(SHORT) => false };
        assert!(!late, "{written} bytes, and it takes more");
        let mut rest = vec![0; written];
        let reader = std::thread::spawn(move || {
            far.read_exact(&mut rest).unwrap();
            far
        });
        select! { writable(near) -> r => r.unwrap(), after(LIMIT) => panic!("there is room") }
        // Both directions of one socket, both sides of one selection.
        let (near, mut far) = (near, reader.join().unwrap());
        far.write_all(b"x").unwrap();
        let mut chosen = [0; 2];
        for _ in 0..100 {
            select! { readable(near) => chosen[0] += 1, writable(near) => chosen[1] += 1 }
        }
        assert!(chosen.iter().all(|n| *n > 10), "{chosen:?}");
    });
}

#[test]
fn a_listener_is_readable_when_somebody_comes() {
    in_a_task(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let none = select! { readable(listener) => 1, default(SHORT) => 2 };
        assert_eq!(none, 2);
        for _ in 0..3 {
            let guest = std::thread::spawn(move || net::TcpStream::connect(address));
            select! { readable(listener) -> r => r.unwrap(), after(LIMIT) => panic!("it comes") }
            select! { readable(listener) -> r => r.unwrap(), default => panic!("it is still there") }
            let accepted = no_switch(|| listener.accept());
            assert!(accepted.is_ok());
            drop(guest.join().unwrap());
        }
        assert_eq!(select! { readable(listener) => 1, default => 2 }, 2);
    });
}

/// A peer that closes, shuts down, or resets: there is something to read, for ever.
#[test]
fn a_peer_that_goes_is_readable() {
    in_a_task(|| {
        for way in 0..3 {
            for waiting in [false, true] {
                let (mut near, far) = pair();
                if way == 2 {
                    // Unread bytes make the close a reset.
                    (&near).write_all(b"unread").unwrap();
                    sleep(Duration::from_millis(2));
                }
                let go = move || match way {
                    0 | 2 => {
                        drop(far);
                        None
                    }
                    _ => {
                        far.shutdown(Shutdown::Write).unwrap();
                        Some(far)
                    }
                };
                let kept = if waiting {
                    spawn(move || {
                        sleep(Duration::from_millis(2));
                        go()
                    })
                } else {
                    let kept = go();
                    spawn(move || kept)
                };
                for _ in 0..3 {
                    select! { readable(near) -> r => r.unwrap(), after(LIMIT) => panic!("it is gone") }
                }
                let read = no_switch(|| near.read(&mut [0; 8]));
                match way {
                    2 => assert_eq!(read.unwrap_err().kind(), io::ErrorKind::ConnectionReset),
                    _ => assert_eq!(read.unwrap(), 0),
                }
                assert!(is_readable(&near));
                drop(kept.join().unwrap());
            }
        }
    });
}

/// Two, and more, wait for one socket: each is told as long as there is something.
#[test]
fn several_wait_for_one_socket() {
    in_a_task(|| {
        let (near, mut far) = pair();
        let near = Rc::new(near);
        let tasks: Vec<_> = (0..4)
            .map(|_| {
                let near = Rc::clone(&near);
                spawn(move || {
                    select! { readable(near) -> r => r.unwrap(), after(LIMIT) => panic!("it is there") }
                })
            })
            .collect();
        yield_now();
        far.write_all(b"a").unwrap();
        // Nobody reads: it is readable for all.
        for task in tasks {
            task.join().unwrap();
        }
        // Each takes its byte; the rest wait on, and each byte is read once.
        assert_eq!((&*near).read(&mut [0; 4]).unwrap(), 1);
        let readers: Vec<_> = (0..6)
            .map(|n| {
                let near = Rc::clone(&near);
                spawn(move || {
                    let mut byte = [0];
                    loop {
                        if n % 3 != 0 {
                            select! {
                                readable(near) -> r => r.unwrap(),
                                after(LIMIT) => panic!("one of them was forgotten"),
                            }
                        }
                        // Another may have been faster: then it waits here, like others.
                        if (&*near).read(&mut byte).unwrap() == 1 {
                            return byte[0];
                        }
                    }
                })
            })
            .collect();
        let writer = std::thread::spawn(move || {
            for n in 0..6 {
                far.write_all(&[n]).unwrap();
                greenroom::sleep(Duration::from_millis(1));
            }
            far
        });
        let mut got: Vec<_> = readers
            .into_iter()
            .map(|task| task.join().unwrap())
            .collect();
        got.sort_unstable();
        assert_eq!(got, [0, 1, 2, 3, 4, 5]);
        drop(writer.join().unwrap());
    });
}

/// Readers of all kinds on one socket, cut off at random: every byte is read once.
#[test]
fn a_crowd_of_readers_loses_nothing() {
    in_a_task(|| {
        const BYTES: usize = 400;
        let (near, mut far) = pair();
        let near = Rc::new(near);
        let (got, all) = bounded::<u8>(usize::MAX);
        let readers: Vec<_> = (0..8u64)
            .map(|n| {
                let (near, got) = (Rc::clone(&near), got.clone());
                spawn(move || {
                    let mut byte = [0];
                    loop {
                        let read = match n % 4 {
                            0 => (&*near).read(&mut byte),
                            1 => match timeout(Duration::from_micros(300 + n * 50), || (&*near).read(&mut byte)) {
                                Ok(read) => read,
                                Err(_) => continue,
                            },
                            _ => {
                                let wait = Duration::from_micros(200 + n * 70);
                                let ready = select! { readable(near) -> r => r.is_ok(), after(wait) => false };
                                if !ready {
                                    continue;
                                }
                                (&*near).read(&mut byte)
                            }
                        };
                        match read.unwrap() {
                            0 => return,
                            _ => got.send(byte[0]).unwrap(),
                        }
                    }
                })
            })
            .collect();
        let writer = std::thread::spawn(move || {
            for n in 0..BYTES {
                far.write_all(&[u8::try_from(n % 251).unwrap()]).unwrap();
                if n % 7 == 0 {
                    greenroom::sleep(Duration::from_micros(200));
                }
            }
        });
        for task in readers {
            task.join().unwrap();
        }
        writer.join().unwrap();
        drop(got);
        let mut values: Vec<_> = all.try_iter().collect();
        values.sort_unstable();
        let mut wanted: Vec<_> = (0..BYTES).map(|n| u8::try_from(n % 251).unwrap()).collect();
        wanted.sort_unstable();
        assert_eq!(values, wanted);
    });
}

/// Arms that lose, time after time, leave a socket as usable as it was.
#[test]
fn arms_that_lose_leave_the_socket_usable() {
    in_a_task(|| {
        let (mut near, mut far) = pair();
        let (s, r) = bounded::<u32>(0);
        let pinger = spawn(move || {
            for n in 0..300 {
                s.send(n).unwrap();
            }
        });
        for n in 0..300 {
            let got = select! { readable(near) => panic!("nothing is there"), recv(r) -> v => v };
            assert_eq!(got, Ok(n));
        }
        pinger.join().unwrap();
        for _ in 0..5 {
            let late = select! { readable(near) => 1, after(Duration::from_millis(1)) => 2 };
            assert_eq!(late, 2);
            assert!(timeout(Duration::from_millis(1), || select! { readable(near) => 1 }).is_err());
        }
        // A plain read that waits is woken,
        let writer = std::thread::spawn(move || {
            greenroom::sleep(Duration::from_millis(3));
            far.write_all(b"ab").unwrap();
            far
        });
        let mut byte = [0];
        assert_eq!(near.read(&mut byte).unwrap(), 1);
        // and so is a selection after it.
        select! { readable(near) -> r => r.unwrap() }
        assert_eq!(near.read(&mut byte).unwrap(), 1);
        drop(writer.join().unwrap());
        select! { readable(near) -> r => r.unwrap() }
        assert_eq!(near.read(&mut byte).unwrap(), 0);
    });
}

/// A reader in front of the row that is cut off lets the one who selects up, and the
/// other way round.
#[test]
fn whoever_is_first_in_the_row_may_go() {
    in_a_task(|| {
        for selecting_first in [false, true] {
            let (near, mut far) = pair();
            let near = Rc::new(near);
            let plain = |near: Rc<TcpStream>| move || (&*near).read(&mut [0; 1]).unwrap();
            let selecting = |near: Rc<TcpStream>| move || select! { readable(near) -> r => { r.unwrap(); 1 }, after(LIMIT) => 0 };
            let (a, b) = (Rc::clone(&near), Rc::clone(&near));
            let (first, second) = if selecting_first {
                (spawn(selecting(a)), {
                    yield_now();
                    spawn(plain(b))
                })
            } else {
                (spawn(plain(a)), {
                    yield_now();
                    spawn(selecting(b))
                })
            };
            yield_now();
            // The edge comes, and the one it wakes is cancelled in the same turn.
            far.write_all(b"xy").unwrap();
            first.cancel();
            let ended = timeout(LIMIT, || second.join().unwrap());
            assert!(matches!(ended, Ok(1)), "{ended:?}");
            drop(first.join());
        }
    });
}

/// By errors, and while its task unwinds, it fails with what an I/O call fails with.
#[test]
fn a_cancelled_wait_for_a_socket() {
    in_a_task(|| {
        let (near, _far) = pair();
        let scope = CancelScope::builder().delivery(Delivery::Error).build();
        scope.cancel("enough");
        let end = scope.run(|| select! { readable(near) -> r => r, after(LIMIT) => Ok(()) });
        assert_eq!(end.unwrap().unwrap_err().kind(), io::ErrorKind::Other);
        let until = Instant::now() + SHORT;
        let scope = CancelScope::builder()
            .delivery(Delivery::Error)
            .deadline(until)
            .build();
        let end = scope.run(|| select! { readable(near) -> r => r, after(LIMIT) => Ok(()) });
        assert_eq!(end.unwrap().unwrap_err().kind(), io::ErrorKind::TimedOut);
        let end = timeout(
            SHORT,
            || select! { readable(near) -> r => r, after(LIMIT) => Ok(()) },
        );
        assert!(end.is_err());
        assert!(is_writable(&near));
    });
}

/// A socket that is dropped after its arm lost; another one gets its number.
#[test]
fn a_socket_that_is_gone_wakes_nobody() {
    in_a_task(|| {
        let mut number = None;
        for _ in 0..5 {
            let (near, mut far) = pair();
            let own = near.as_raw_fd();
            let reused = number.replace(own) == Some(own);
            let late = select! { readable(near) => 1, after(Duration::from_millis(1)) => 2 };
            assert_eq!(late, 2, "reused: {reused}");
            far.write_all(b"x").unwrap();
            select! { readable(near) -> r => r.unwrap(), after(LIMIT) => panic!("it is there") }
            drop(near);
            drop(far);
        }
        // Dropped, with its arm, by a cancellation.
        let (near, mut far) = pair();
        let task = spawn(move || select! { readable(near) => 1, after(LIMIT) => 2 });
        yield_now();
        task.cancel();
        assert!(task.join().unwrap_err().is_cancelled());
        drop(far.write(b"x"));
        assert_eq!(select! { after(SHORT) => 3 }, 3);
    });
}

/// Converted into std's and back, in the middle.
#[test]
fn a_socket_that_was_converted() {
    in_a_task(|| {
        let (near, mut far) = pair();
        assert_eq!(
            select! { readable(near) => 1, after(Duration::from_millis(1)) => 2 },
            2
        );
        let back = TcpStream::from(net::TcpStream::from(near));
        let twin = back.try_clone().unwrap();
        assert_eq!(
            select! { readable(back) => 1, readable(twin) => 3, after(Duration::from_millis(1)) => 2 },
            2
        );
        far.write_all(b"x").unwrap();
        select! { readable(back) -> r => r.unwrap() }
        drop(back);
        select! { readable(twin) -> r => r.unwrap() }
        (&mut &twin).read_exact(&mut [0]).unwrap();
        assert_eq!(
            select! { readable(twin) => 1, after(Duration::from_millis(1)) => 2 },
            2
        );
    });
}

/// What cannot be watched is an error of its arm, not a wait for ever.
#[cfg(target_os = "linux")]
#[test]
fn a_descriptor_that_cannot_be_registered() {
    let mut runtime = Runtime::with(Config::new());
    // A runtime cannot watch the descriptor of its own sleep queue.
    let own = runtime.descriptor().unwrap().try_clone_to_owned().unwrap();
    let strange = TcpStream::from(net::TcpStream::from(own));
    runtime.run(move || {
        for _ in 0..3 {
            let (s, r) = bounded::<u32>(1);
            let end =
                select! { recv(r) => Ok(()), readable(strange) -> r => r, after(LIMIT) => Ok(()) };
            assert!(end.is_err(), "it was told");
            // The others are as they were.
            assert_eq!(s.try_send(1), Ok(()));
            assert_eq!(r.try_recv(), Ok(1));
        }
        let (near, mut far) = pair();
        far.write_all(b"x").unwrap();
        let end = select_biased! { readable(near) -> r => r, readable(strange) -> r => r };
        assert!(end.is_ok());
    });
    assert_eq!(runtime.tasks_alive(), 0);
}

/// On a plain thread what is ready is ready, and the rest is refused.
#[test]
fn on_a_plain_thread() {
    let (near, mut far) = pair();
    assert!(!is_readable(&near));
    assert!(select! { writable(near) -> r => r.is_ok() });
    let text = panic_text(|| select! { readable(near) -> r => r.is_ok() });
    assert!(text.contains("no runtime"), "{text}");
    far.write_all(b"x").unwrap();
    while !is_readable(&near) {
        std::thread::yield_now();
    }
    select! { readable(near) -> r => r.unwrap(), after(LIMIT) => panic!("it is there") }
}

/// A runtime that waits for a socket beside a timer and a channel sleeps meanwhile.
#[test]
fn it_waits_without_spinning() {
    let config = Config::new();
    let steps = Rc::new(std::cell::Cell::new(0));
    let counted = Rc::clone(&steps);
    let config = config.on_switch(move |switch| {
        if matches!(switch, greenroom::Switch::In(_)) {
            counted.set(counted.get() + 1);
        }
    });
    Runtime::with(config).run(|| {
        let (near, _far) = pair();
        let (_s, r) = bounded::<u32>(0);
        let task = spawn(move || {
            select! {
                readable(near) => panic!("nothing comes"),
                recv(r) => panic!("nothing comes"),
                after(SHORT) => {}
            }
        });
        task.join().unwrap();
        drop(spawn(park));
    });
    assert!(steps.get() < 20, "{} steps", steps.get());
}

/// Sockets that are shared, by reference or counted.
#[test]
fn sockets_that_are_shared() {
    in_a_task(|| {
        let (near, mut far) = pair();
        let near = Arc::new(near);
        let reader = Arc::clone(&near);
        let task = spawn(move || {
            select! { readable(reader) -> r => r.unwrap(), after(LIMIT) => panic!("it comes") }
        });
        select! { writable(near) -> r => r.unwrap() }
        select! { writable(&near) -> r => r.unwrap() }
        select! { writable(Rc::new(Arc::clone(&near))) -> r => r.unwrap() }
        far.write_all(b"x").unwrap();
        task.join().unwrap();
        select! { readable(near.try_clone().unwrap()) -> r => r.unwrap() }
    });
}

/// The type of an arm's output can be named.
#[test]
fn outputs_can_be_named() {
    fn output_of<S: Selectable<Output = ()>>(_: &S) {}
    output_of(&greenroom::Timer::after(SHORT));
}
