//! The rows of calls that wait for another thread.

use std::cell::Cell;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use greenroom::sync::Event;
use greenroom::{
    Awaitable, Handle, RemoteJoinHandle, Task, ThreadPool, current, park, shield, sleep, yield_now,
};

use crate::rows::{Call, LONG, Rig};

/// A call on a pool of one thread, which ends when it is told to.
pub(crate) const UNBLOCK: Call = Call {
    patient: true,
    still: true,
    ..Call::fails(
        |_| {
            let pool = ThreadPool::builder().max_threads(1).build();
            let (tell, told) = mpsc::channel();
            let (ours, theirs, again) = (pool.clone(), pool.clone(), tell.clone());
            let call = move || ours.unblock(move || told.recv().unwrap_or(0)).to_string();
            let complete = move || {
                tell.send(5).unwrap();
                // Until the call has begun, and ended: as far as the caller is concerned it has
                // completed then.
                while theirs.counts().queued > 0 || theirs.counts().idle == 0 {
                    if theirs.counts().threads == 0 {
                        yield_now(); // the caller has not got there yet
                    }
                    thread::yield_now();
                }
            };
            let intact = move || {
                // One that has begun runs on, and nobody waits for what it gives.
                let _never_begun = again.send(6);
                assert_eq!(pool.counts().queued, 0);
            };
            Rig::new(call, complete, intact)
        },
        "5",
        "5",
    )
};

thread_local! {
    static OPEN: Cell<bool> = const { Cell::new(false) };
    static WAITS: Cell<Option<Task>> = const { Cell::new(None) };
}

/// Waits somehow for a task that was spawned through a handle.
fn joining(wait: fn(RemoteJoinHandle<u32>) -> String) -> Rig {
    // Only what is `Send` goes through the handle: the gate is the thread's.
    OPEN.set(false);
    let task = Handle::current().unwrap().spawn(|| {
        WAITS.set(Some(current()));
        shield(|| {
            while !OPEN.get() {
                park();
            }
        });
        5
    });
    sleep(Duration::from_nanos(1)); // what came from outside is looked at now
    let open = || {
        OPEN.set(true);
        if let Some(waits) = WAITS.take() {
            waits.unpark();
        }
    };
    Rig::new(move || wait(task), open, open)
}

pub(crate) const REMOTE_JOIN: Call = Call {
    patient: true,
    ..Call::fails(
        |_| joining(|task| task.join().unwrap().to_string()),
        "5",
        "5",
    )
};

pub(crate) const REMOTE_JOIN_BY_REFERENCE: Call = Call {
    patient: true,
    ..Call::fails(
        |_| joining(|mut task| (&mut task).wait().unwrap().to_string()),
        "5",
        "5",
    )
};

pub(crate) const REMOTE_JOIN_TIMEOUT: Call = Call {
    patient: true,
    ..Call::fails(
        |_| {
            joining(|mut task| match task.join_timeout(10 * LONG) {
                Some(end) => end.unwrap().to_string(),
                None => "late".to_owned(),
            })
        },
        "5",
        "5",
    )
};

pub(crate) const REMOTE_JOIN_ARM: Call = Call {
    patient: true,
    ..Call::fails(
        |_| {
            joining(|mut task| {
                greenroom::select! {
                    join(&mut task) -> end => end.unwrap().to_string(),
                    wait(&Event::new()) => "an event".to_owned(),
                }
            })
        },
        "5",
        "5",
    )
};
