//! The promise: a task can be spawned, joined and cancelled from any thread; it runs in
//! the runtime's thread, in the order sent, and whatever becomes of the runtime, its body
//! is run or dropped once and its joiner learns of the end.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

#[path = "handles/by_reference.rs"]
mod by_reference;
#[path = "handles/cancelling.rs"]
mod cancelling;
#[path = "handles/deadlocks.rs"]
mod deadlocks;
#[path = "handles/joining.rs"]
mod joining;
#[path = "handles/model.rs"]
mod model;
#[path = "handles/runtimes.rs"]
mod runtimes;
#[path = "handles/selecting.rs"]
mod selecting;
#[path = "handles/spawning.rs"]
mod spawning;

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use greenroom::{Handle, run, unblock};

/// How long a test waits for another thread before it fails. Long: the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs `elsewhere` on another thread with a handle of a runtime that is running.
fn from_outside<T: Send + 'static>(elsewhere: impl FnOnce(Handle) -> T + Send + 'static) -> T {
    run(|| {
        let handle = Handle::current().unwrap();
        unblock(move || elsewhere(handle))
    })
}

/// A runtime that runs in a thread of its own until told to stop.
struct Elsewhere {
    handle: Option<Handle>,
    stop: Option<mpsc::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Elsewhere {
    fn start() -> Self {
        let (give, take) = mpsc::channel();
        let (stop, stopped) = mpsc::channel::<()>();
        let thread = thread::spawn(move || {
            run(|| {
                give.send(Handle::current().unwrap()).unwrap();
                unblock(move || {
                    let _closed = stopped.recv();
                });
            });
        });
        Self {
            handle: take.recv_timeout(PATIENCE).ok(),
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    fn handle(&self) -> &Handle {
        self.handle.as_ref().unwrap()
    }

    /// Ends its main task, and waits until the runtime is gone.
    fn stop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Says on which thread it was dropped, and whether in a task.
struct Tells(mpsc::Sender<(thread::ThreadId, bool)>);

impl Drop for Tells {
    fn drop(&mut self) {
        let place = (thread::current().id(), greenroom::in_task());
        let _gone = self.0.send(place);
    }
}
