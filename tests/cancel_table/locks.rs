//! The rows of locks, permits, barriers and cells.

use std::cell::Cell;
use std::rc::Rc;

use greenroom::sync::{
    AcquireError, Barrier, Condvar, LockError, Mutex, OnceCell, RwLock, Semaphore,
};
use greenroom::{spawn, yield_now};

use crate::rows::{Call, Rig, gate};

/// What somebody holds until the gate opens, who is not to be hurried.
fn held<L: 'static>(
    lock: L,
    hold: impl FnOnce(&L, &mut dyn FnMut()) + 'static,
    call: impl FnOnce(&L) -> String + 'static,
    is_free: impl Fn(&L) -> bool + 'static,
) -> Rig {
    let (open, slow) = gate();
    let (lock, open) = (Rc::new(lock), Rc::new(open));
    let (theirs, ours, again) = (Rc::clone(&lock), Rc::clone(&lock), Rc::clone(&open));
    let mut slow = Some(slow);
    let _runs_on = spawn(move || {
        hold(&theirs, &mut || {
            let _told = slow.take().map(|slow| slow());
        });
    });
    yield_now(); // it holds it
    let intact = move || {
        assert!(!is_free(&lock));
        again.try_send(5).unwrap();
        yield_now();
        assert!(is_free(&lock), "somebody is left in the line");
    };
    Rig::new(
        move || call(&ours),
        move || open.try_send(5).unwrap(),
        intact,
    )
}

fn returned<T>(_: T) -> String {
    "returned".to_owned()
}

/// A call that cannot fail.
const fn patient(rig: fn(bool) -> Rig) -> Call {
    Call {
        patient: true,
        ..Call::plain(rig)
    }
}

fn lock_said<T>(result: Result<T, LockError>) -> String {
    match result {
        Ok(_) => "returned".to_owned(),
        Err(LockError::Cancelled) => "Cancelled".to_owned(),
        Err(error) => format!("{error:?}"),
    }
}

fn mutex(call: fn(&Mutex<()>) -> String) -> Rig {
    held(
        Mutex::new(()),
        |mutex, wait| {
            let _held = mutex.lock();
            wait();
        },
        call,
        |mutex| mutex.try_lock().is_ok(),
    )
}

pub(crate) const LOCK: Call = patient(|_| mutex(|mutex| returned(mutex.lock())));

pub(crate) const CHECKED_LOCK: Call = Call::fails(
    |_| mutex(|mutex| lock_said(mutex.checked_lock())),
    "returned",
    "Cancelled",
);

fn written(call: fn(&RwLock<()>) -> String) -> Rig {
    held(
        RwLock::new(()),
        |lock, wait| {
            let _held = lock.write();
            wait();
        },
        call,
        |lock| lock.try_write().is_ok(),
    )
}

fn read(call: fn(&RwLock<()>) -> String) -> Rig {
    held(
        RwLock::new(()),
        |lock, wait| {
            let _held = lock.read();
            wait();
        },
        call,
        |lock| lock.try_write().is_ok(),
    )
}

pub(crate) const READ_LOCK: Call = patient(|_| written(|lock| returned(lock.read())));
pub(crate) const WRITE_LOCK: Call = patient(|_| read(|lock| returned(lock.write())));

pub(crate) const CHECKED_READ: Call = Call::fails(
    |_| written(|lock| lock_said(lock.checked_read())),
    "returned",
    "Cancelled",
);

pub(crate) const CHECKED_WRITE: Call = Call::fails(
    |_| read(|lock| lock_said(lock.checked_write())),
    "returned",
    "Cancelled",
);

fn permits(call: fn(&Rc<Semaphore>) -> String) -> Rig {
    held(
        Rc::new(Semaphore::new(2)),
        |semaphore, wait| {
            let _held = semaphore.acquire_many(2);
            wait();
        },
        call,
        |semaphore| semaphore.try_acquire_many(2).is_ok(),
    )
}

pub(crate) const ACQUIRE: Call = patient(|_| permits(|semaphore| returned(semaphore.acquire())));

pub(crate) const ACQUIRE_OWNED: Call =
    patient(|_| permits(|semaphore| returned(Rc::clone(semaphore).acquire_many_owned(2))));

pub(crate) const CHECKED_ACQUIRE: Call = Call::fails(
    |_| {
        permits(|semaphore| match semaphore.checked_acquire_many(2) {
            Ok(_) => "returned".to_owned(),
            Err(AcquireError::Cancelled) => "Cancelled".to_owned(),
            Err(error) => format!("{error:?}"),
        })
    },
    "returned",
    "Cancelled",
);

pub(crate) const CONDVAR: Call = patient(|_| {
    let pair = Rc::new((Mutex::new(()), Condvar::new()));
    let (ours, theirs) = (Rc::clone(&pair), Rc::clone(&pair));
    let done = Rc::new(Cell::new(false));
    let is_done = Rc::clone(&done);
    let call = move || {
        let said = returned(ours.1.wait(ours.0.lock()));
        done.set(true);
        said
    };
    // A notification is not kept: one who is about to wait is told when it does.
    let complete = move || {
        theirs.1.notify_one();
        drop(spawn(move || {
            while !is_done.get() {
                yield_now();
                theirs.1.notify_one();
            }
        }));
    };
    let intact = move || assert!(pair.0.try_lock().is_ok());
    Rig::new(call, complete, intact)
});

pub(crate) const BARRIER: Call = patient(|_| {
    let barrier = Rc::new(Barrier::new(2));
    let (ours, theirs) = (Rc::clone(&barrier), Rc::clone(&barrier));
    let complete = move || drop(spawn(move || theirs.wait()));
    let intact = move || assert_eq!(barrier.waiting(), 0);
    Rig::new(move || returned(ours.wait()), complete, intact)
});

pub(crate) const ONCE_CELL: Call = patient(|_| {
    held(
        OnceCell::new(),
        |cell, wait| {
            let _made = cell.get_or_init(|| {
                wait();
                5
            });
        },
        |cell| returned(cell.get_or_init(|| 6)),
        |cell| cell.get() == Some(&5) && !cell.is_initializing(),
    )
});
