//! The promise: a blocking call runs on another thread, once, in its turn, while the
//! task waits and the others run; what it gives or panics with comes back, and a
//! cancelled caller is never kept waiting for it.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

#[path = "unblock/calls.rs"]
mod calls;
#[path = "unblock/cancelled.rs"]
mod cancelled;
#[path = "unblock/destructors.rs"]
mod destructors;
#[path = "unblock/model.rs"]
mod model;
#[path = "unblock/threads.rs"]
mod threads;

use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use greenroom::{Clock, Config, Delivery, Runtime, ThreadPool, run};

/// How long a test waits for another thread before it fails. Long: the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// A call in the hand of the test: it says that it has begun, and ends when told to.
struct Gate {
    begun: mpsc::Receiver<()>,
    end: mpsc::Sender<()>,
}

impl Gate {
    /// Blocks until the call runs.
    fn wait_begun(&self) {
        self.begun.recv_timeout(PATIENCE).unwrap();
    }

    fn has_begun(&self) -> bool {
        self.begun.try_recv().is_ok()
    }

    fn open(&self) {
        self.end.send(()).unwrap();
    }
}

/// A call that ends when told to, and then gives what `then` gives.
fn gated<T>(then: impl FnOnce() -> T + Send) -> (Gate, impl FnOnce() -> T + Send) {
    let (begins, begun) = mpsc::channel();
    let (end, ended) = mpsc::channel::<()>();
    let call = move || {
        // The test may have gone on without it.
        let _gone = begins.send(());
        let _gone = ended.recv();
        then()
    };
    (Gate { begun, end }, call)
}

/// Makes a thread of the pool busy, for another runtime.
fn occupied(pool: &ThreadPool) -> (Gate, JoinHandle<()>) {
    let (gate, call) = gated(|| ());
    let pool = pool.clone();
    let caller = std::thread::spawn(move || run(|| pool.unblock(call)));
    gate.wait_begun();
    (gate, caller)
}

fn pool_of(threads: usize) -> ThreadPool {
    ThreadPool::builder().max_threads(threads).build()
}

/// Blocks until something that other threads do is true.
#[track_caller]
fn eventually(what: impl Fn() -> bool) {
    let start = Instant::now();
    while !what() {
        assert!(start.elapsed() < PATIENCE, "it did not happen");
        std::thread::yield_now();
    }
}

/// Runs on a virtual clock, and looks that nothing is left.
#[track_caller]
fn clean_with<T>(delivery: Delivery, main: impl FnOnce() -> T) -> T {
    let config = Config::new().clock(Clock::virtual_()).delivery(delivery);
    let mut rt = Runtime::with(config);
    let value = rt.run(main);
    let left = rt.left_over();
    assert!(left.is_nothing(), "{left}");
    value
}

#[track_caller]
fn clean<T>(main: impl FnOnce() -> T) -> T {
    clean_with(Delivery::Unwind, main)
}
