//! Who is served first, who else runs meanwhile, and what a cancelled call leaves behind.

use std::cell::{Cell, RefCell};
use std::io::{Read, Write};
use std::rc::Rc;
use std::sync::Arc;

use greenroom::net::{TcpListener, TcpStream, UnixStream};
use greenroom::{Config, Runtime, spawn, yield_now};

use crate::support::{bounded, green_pair, in_a_task, listener, pair};

#[test]
fn readers_are_served_in_order_and_nobody_overtakes() {
    in_a_task(|| {
        let (near, mut far) = pair();
        let near = Arc::new(near);
        let read = |near: &Arc<TcpStream>| {
            let mut byte = [0];
            (&**near).read_exact(&mut byte).unwrap();
            byte[0]
        };
        let tasks: Vec<_> = (0..3)
            .map(|_| {
                let near = Arc::clone(&near);
                spawn(move || read(&near))
            })
            .collect();
        yield_now();
        // All of it is there before anybody was told, and the main task comes last.
        far.write_all(b"abcd").unwrap();
        let last = read(&near);
        let first: Vec<u8> = tasks.into_iter().map(|task| task.join().unwrap()).collect();
        assert_eq!((&first[..], last), (&b"abc"[..], b'd'));
    });
}

#[test]
fn writers_are_served_in_order() {
    const LENGTH: usize = 2 << 20;
    in_a_task(|| {
        let (near, mut far) = green_pair();
        let near = Arc::new(near);
        let order = Rc::new(RefCell::new(Vec::new()));
        for name in [b'a', b'b', b'c'] {
            let (near, order) = (Arc::clone(&near), Rc::clone(&order));
            spawn(move || {
                (&*near).write_all(&vec![name; LENGTH]).unwrap();
                order.borrow_mut().push(name);
            });
        }
        yield_now();
        // The first filled the socket, so all wait. They take turns from now on.
        let mut received = 0;
        let mut buffer = vec![0; 1 << 16];
        let mut seen = Vec::new();
        while received < 3 * LENGTH {
            let count = far.read(&mut buffer).unwrap();
            for byte in &buffer[..count] {
                if !seen.contains(byte) {
                    seen.push(*byte);
                }
            }
            received += count;
        }
        assert_eq!(seen, b"abc");
        yield_now();
        assert_eq!(order.borrow().len(), 3);
    });
}

#[test]
fn whoever_asks_for_readiness_overtakes_nobody() {
    in_a_task(|| {
        let (near, far) = UnixStream::pair().unwrap();
        let (near, order) = (Arc::new(near), Rc::new(RefCell::new(Vec::new())));
        let line_up = |name, call: fn(&UnixStream)| {
            let (near, order) = (Arc::clone(&near), Rc::clone(&order));
            let task = spawn(move || {
                call(&near);
                order.borrow_mut().push(name);
            });
            yield_now();
            task
        };
        let reader = line_up("read", |near| {
            let mut near = near;
            near.read_exact(&mut [0]).unwrap();
        });
        // It is there before anybody was told, and there is more than the first one takes.
        (&far).write_all(b"ab").unwrap();
        near.readable().unwrap();
        order.borrow_mut().push("readable");
        reader.join().unwrap();

        near.set_nonblocking(true).unwrap();
        let mut sent = 0;
        while let Ok(count) = (&*near).write(&[7; 1 << 12]) {
            sent += count;
        }
        near.set_nonblocking(false).unwrap();
        let writer = line_up("write", |near| {
            let mut near = near;
            near.write_all(b"c").unwrap();
        });
        assert_eq!((&*near).write(b"").unwrap(), 0, "it waits for nobody");
        (&far).read_exact(&mut vec![0; sent]).unwrap();
        near.writable().unwrap();
        order.borrow_mut().push("writable");
        writer.join().unwrap();
        assert_eq!(*order.borrow(), ["read", "readable", "write", "writable"]);
    });
}

#[test]
fn acceptors_are_served_in_order() {
    in_a_task(|| {
        let listener = Arc::new(listener());
        let address = listener.local_addr().unwrap();
        let tasks: Vec<_> = (0..3)
            .map(|_| {
                let listener = Arc::clone(&listener);
                spawn(move || listener.accept().unwrap().1)
            })
            .collect();
        yield_now();
        for task in tasks {
            let near = TcpStream::connect(address).unwrap();
            assert_eq!(task.join().unwrap(), near.local_addr().unwrap());
        }
    });
}

#[test]
fn a_socket_that_always_has_data_starves_nobody() {
    in_a_task(|| {
        let (mut near, mut far) = pair();
        far.write_all(&[7; 10_000]).unwrap();
        let turns = Rc::new(Cell::new(0));
        let seen = Rc::clone(&turns);
        spawn(move || {
            loop {
                seen.set(seen.get() + 1);
                yield_now();
            }
        });
        for _ in 0..10_000 {
            near.read_exact(&mut [0]).unwrap();
        }
        // Once for each 128 calls.
        assert!(turns.get() >= 10_000 / 129, "{} turns", turns.get());
    });
}

#[test]
fn a_listener_that_always_has_connections_starves_nobody() {
    let mut runtime = Runtime::with(Config::new().budget(4));
    runtime.run(|| {
        let listener = listener();
        let address = listener.local_addr().unwrap();
        let near: Vec<_> = (0..40)
            .map(|_| std::net::TcpStream::connect(address).unwrap())
            .collect();
        let turns = Rc::new(Cell::new(0));
        let seen = Rc::clone(&turns);
        spawn(move || {
            loop {
                seen.set(seen.get() + 1);
                yield_now();
            }
        });
        for stream in listener.incoming().take(near.len()) {
            stream.unwrap();
        }
        assert!(turns.get() >= 40 / 5, "{} turns", turns.get());
    });
}

/// Counts itself out when its task unwinds.
struct Leaves(Rc<Cell<u32>>);

impl Drop for Leaves {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

#[test]
fn a_cancelled_call_unwinds_and_closes_what_it_used() {
    bounded(|| {
        let (near, mut far) = pair();
        let left = Rc::new(Cell::new(0));
        greenroom::run(|| {
            let mut near = near;
            let (full, mut nobody) = (near.try_clone().unwrap(), TcpListener::bind("127.0.0.1:0"));
            let witness = Leaves(Rc::clone(&left));
            spawn(move || {
                let _witness = witness;
                near.read_exact(&mut [0]).unwrap();
                unreachable!("nobody writes");
            });
            let witness = Leaves(Rc::clone(&left));
            spawn(move || {
                let _witness = witness;
                loop {
                    (&full).write_all(&[0; 1 << 12]).unwrap();
                }
            });
            let witness = Leaves(Rc::clone(&left));
            spawn(move || {
                let _witness = witness;
                nobody.as_mut().unwrap().accept().unwrap();
                unreachable!("nobody connects");
            });
            yield_now();
            yield_now();
        });
        assert_eq!(left.get(), 3);
        // Both handles are closed, so the far side meets the end.
        let mut rest = Vec::new();
        far.read_to_end(&mut rest).unwrap();
    });
}

/// With no budget every call lets the others run before it tries, and that is where it is cancelled here.
#[test]
fn a_cancelled_read_has_taken_nothing() {
    bounded(|| {
        let (near, mut far) = pair();
        let near = Arc::new(near);
        far.write_all(b"x").unwrap();
        let mut runtime = Runtime::with(Config::new().budget(0));
        runtime.run(|| {
            let near = Arc::clone(&near);
            spawn(move || {
                (&*near).read_exact(&mut [0]).unwrap();
                unreachable!("it is cancelled before it tries");
            });
            yield_now();
        });
        let mut byte = [0];
        (&*near).read_exact(&mut byte).unwrap();
        assert_eq!(&byte, b"x");
    });
}

#[test]
fn a_destructor_does_not_wait_while_its_task_unwinds() {
    struct Polite(TcpStream, Rc<RefCell<Vec<String>>>);
    impl Drop for Polite {
        fn drop(&mut self) {
            // What need not wait is done.
            self.0.write_all(b"QUIT").unwrap();
            let waits = self.0.read(&mut [0; 64]).unwrap_err();
            let connects = TcpStream::connect(self.0.peer_addr().unwrap()).unwrap_err();
            self.1.borrow_mut().push(waits.to_string());
            self.1.borrow_mut().push(connects.kind().to_string());
        }
    }
    bounded(|| {
        let (near, mut far) = pair();
        let said = Rc::new(RefCell::new(Vec::new()));
        greenroom::run(|| {
            let polite = Polite(near, Rc::clone(&said));
            spawn(move || {
                let mut near = &polite.0;
                near.read_exact(&mut [0]).unwrap();
                unreachable!("nobody writes");
            });
            yield_now();
        });
        assert_eq!(said.borrow().len(), 2, "{said:?}");
        let mut all = String::new();
        far.read_to_string(&mut all).unwrap();
        assert_eq!(all, "QUIT");
    });
}
