//! Names are looked up while the other tasks run, and addresses are not looked up at all.

use std::cell::{Cell, RefCell};
use std::io::{self, ErrorKind};
use std::net::{self, IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::rc::Rc;
use std::sync::mpsc;

use greenroom::net::{TcpListener, TcpStream, ToSocketAddrs};
use greenroom::{Config, Delivery, Runtime, ThreadPool, in_task, shield, spawn, yield_now};

use crate::support::{bounded, in_a_task, kind, listener};

/// What ours and std's say of an address must be the same.
#[track_caller]
fn same<A: ToSocketAddrs + net::ToSocketAddrs + ?Sized>(address: &A) -> io::Result<usize> {
    let ours = ToSocketAddrs::to_socket_addrs(address).map(Vec::from_iter);
    let stds = net::ToSocketAddrs::to_socket_addrs(address).map(Vec::from_iter);
    match (&ours, &stds) {
        (Ok(ours), Ok(stds)) => assert_eq!(ours, stds),
        (Err(ours), Err(stds)) => {
            assert_eq!(ours.kind(), stds.kind());
            assert_eq!(ours.to_string(), stds.to_string());
        }
        _ => panic!("ours: {ours:?}, std's: {stds:?}"),
    }
    ours.map(|addresses| addresses.len())
}

/// Runs a test in a task whose runtime has this pool.
#[track_caller]
fn on_pool(pool: &ThreadPool, delivery: Delivery, test: impl FnOnce() + Send + 'static) {
    let pool = pool.clone();
    bounded(move || {
        let config = Config::new().thread_pool(pool).delivery(delivery);
        Runtime::with(config).run(test);
    });
}

fn every_kind_of_address() {
    let v4: SocketAddrV4 = "127.0.0.1:80".parse().unwrap();
    let v6: SocketAddrV6 = "[::1]:80".parse().unwrap();
    let all = [SocketAddr::V4(v4), SocketAddr::V6(v6)];
    assert_eq!(same(&all[0]).unwrap(), 1);
    assert_eq!(same(&v4).unwrap(), 1);
    assert_eq!(same(&v6).unwrap(), 1);
    assert_eq!(same(&(IpAddr::V4(Ipv4Addr::LOCALHOST), 80)).unwrap(), 1);
    assert_eq!(same(&(Ipv4Addr::LOCALHOST, 80)).unwrap(), 1);
    assert_eq!(same(&(Ipv6Addr::LOCALHOST, 80)).unwrap(), 1);
    assert_eq!(same(&&all[..]).unwrap(), 2);
    assert_eq!(same(&&&v4).unwrap(), 1);
    for host in ["127.0.0.1", "::1"] {
        assert_eq!(same(&(host, 80)).unwrap(), 1);
        assert_eq!(same(&(host.to_owned(), 80)).unwrap(), 1);
    }
    for text in ["127.0.0.1:80", "[::1]:80"] {
        assert_eq!(same(text).unwrap(), 1);
        assert_eq!(same(&text.to_owned()).unwrap(), 1);
    }
    for wrong in [
        "",
        "nothing",
        "localhost:",
        "localhost:65536",
        "localhost:http",
    ] {
        assert_eq!(kind(same(wrong)), ErrorKind::InvalidInput, "{wrong:?}");
    }
}

#[test]
fn addresses_are_stds_and_never_go_to_another_thread() {
    let pool = ThreadPool::builder().max_threads(1).build();
    every_kind_of_address();
    on_pool(&pool, Delivery::Unwind, || {
        every_kind_of_address();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        TcpStream::connect(address).unwrap();
        TcpStream::connect(address.to_string()).unwrap();
        TcpStream::connect(("127.0.0.1", address.port())).unwrap();
    });
    assert_eq!(pool.counts().threads, 0);
}

#[test]
fn names_are_looked_up_by_the_pool() {
    let pool = ThreadPool::builder().max_threads(1).build();
    on_pool(&pool, Delivery::Unwind, || {
        assert!(same("localhost:80").unwrap() > 0);
        assert!(same(&"localhost:80".to_owned()).unwrap() > 0);
        assert!(same(&("localhost", 80)).unwrap() > 0);
        assert!(same(&("localhost".to_owned(), 80)).unwrap() > 0);
        assert_eq!(kind(same(&("a\0b", 80))), ErrorKind::InvalidInput);
    });
    assert_eq!(pool.counts().threads, 1);
    bounded(|| assert!(same("localhost:80").unwrap() > 0));
}

#[test]
fn other_tasks_run_meanwhile() {
    in_a_task(|| {
        let listener = TcpListener::bind("localhost:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (seen, done) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(false)));
        let (turns, ends) = (Rc::clone(&seen), Rc::clone(&done));
        let witness = spawn(move || {
            while !ends.get() {
                turns.set(turns.get() + 1);
                yield_now();
            }
        });
        let addresses = ("localhost", port).to_socket_addrs().unwrap();
        assert!(seen.get() > 0, "nobody ran");
        done.set(true);
        witness.join().unwrap();
        assert!(addresses.count() > 0);
        TcpStream::connect(format!("localhost:{port}")).unwrap();
    });
}

#[test]
fn a_name_that_does_not_exist_is_an_error() {
    in_a_task(|| {
        let looked_up = "no-such-host.invalid:80".to_socket_addrs();
        let error = looked_up.map(Vec::from_iter).unwrap_err();
        assert_ne!(error.kind(), ErrorKind::InvalidInput, "{error}");
        TcpStream::connect("no-such-host.invalid:80").unwrap_err();
        TcpListener::bind("no-such-host.invalid:80").unwrap_err();
        assert!(in_task());
    });
}

#[test]
fn without_a_thread_it_is_an_error() {
    let pool = ThreadPool::builder().stack_size(1 << 60).build();
    on_pool(&pool, Delivery::Unwind, || {
        let error = "localhost:80".to_socket_addrs().map(drop).unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("there is no thread to run on: "), "{text}");
    });
}

/// A pool whose only thread is busy until the sender is dropped.
fn busy_pool() -> (ThreadPool, mpsc::Sender<()>) {
    let pool = ThreadPool::builder().max_threads(1).build();
    let (free, freed) = mpsc::channel::<()>();
    let (begin, begun) = mpsc::channel();
    let ours = pool.clone();
    std::thread::spawn(move || {
        let job = move || {
            begin.send(()).unwrap();
            let _freed = freed.recv();
        };
        greenroom::run(move || ours.unblock(job));
    });
    begun.recv().unwrap();
    (pool, free)
}

#[test]
fn a_cancelled_look_up_unwinds_and_is_forgotten() {
    let (pool, _free) = busy_pool();
    let ours = pool.clone();
    on_pool(&pool, Delivery::Unwind, move || {
        let task = spawn(|| TcpStream::connect("localhost:80").map(drop));
        yield_now();
        assert_eq!(ours.counts().queued, 1);
        task.cancel();
        assert!(task.join().unwrap_err().is_cancelled());
        assert_eq!(ours.counts().queued, 0);
    });
}

#[test]
fn with_errors_a_cancelled_look_up_fails() {
    let (pool, _free) = busy_pool();
    let ours = pool.clone();
    on_pool(&pool, Delivery::Error, move || {
        let task = spawn(|| "localhost:80".to_socket_addrs().map(drop));
        yield_now();
        task.cancel();
        let error = task.join().unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Other);
        assert!(
            error
                .get_ref()
                .is_some_and(|inner| inner.is::<greenroom::Cancelled>())
        );
        assert_eq!(ours.counts().queued, 0);
    });
}

#[test]
fn a_task_that_unwinds_looks_up_nothing() {
    struct LooksUp(Rc<RefCell<Option<io::Error>>>);
    impl Drop for LooksUp {
        fn drop(&mut self) {
            *self.0.borrow_mut() = "localhost:80".to_socket_addrs().map(drop).err();
            "127.0.0.1:80".to_socket_addrs().unwrap();
            let held = shield(|| "localhost:80".to_socket_addrs());
            held.unwrap();
        }
    }
    in_a_task(|| {
        let said = Rc::default();
        let looks_up = LooksUp(Rc::clone(&said));
        let task = spawn(move || {
            let _looks_up = looks_up;
            greenroom::park();
        });
        yield_now();
        task.cancel();
        assert!(task.join().unwrap_err().is_cancelled());
        assert_eq!(said.take().unwrap().kind(), ErrorKind::Other);
    });
}

#[test]
fn the_next_address_is_tried_where_one_refuses() {
    in_a_task(|| {
        let gone = listener().local_addr().unwrap();
        let open = listener();
        let addresses = [gone, gone, open.local_addr().unwrap()];
        let near = TcpStream::connect(&addresses[..]).unwrap();
        assert_eq!(near.peer_addr().unwrap(), addresses[2]);
        let error = TcpStream::connect(&addresses[..2]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        assert!(error.raw_os_error().is_some());

        // Of addresses to listen on the first that is free is taken.
        let taken = [addresses[2], gone];
        let listens = TcpListener::bind(&taken[..]).unwrap();
        assert_eq!(listens.local_addr().unwrap(), gone);
        let none: &[SocketAddr] = &[];
        assert_eq!(kind(TcpListener::bind(none)), ErrorKind::InvalidInput);
    });
}
