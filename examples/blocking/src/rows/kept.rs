//! Locks of threads, kept by a task that waits: the next task that wants one blocks the
//! thread, and with it the task that keeps it.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use greenroom::{spawn, yield_now};

use super::row;
use crate::trial::{Gate, Instead, Kind, Row, Tried};

pub(crate) fn rows() -> Vec<Row> {
    use Kind::OwnThread;
    let own = "`sync::Mutex`, or drop the guard first";
    vec![
        row(
            "`std::sync::Mutex::lock`, held by a task that waits",
            OwnThread,
            mutex_over_wait,
            Instead::Own(own, own_over_wait),
        ),
        row(
            "`std::sync::OnceLock`, `LazyLock`: initialised by a task that waits",
            OwnThread,
            once_over_wait,
            Instead::Own("`sync::OnceCell`", once_own),
        ),
        row(
            "`parking_lot::Mutex`, held by a task that waits",
            OwnThread,
            parking_lot_over_wait,
            Instead::Own(own, own_over_wait),
        ),
        row(
            "`dashmap`: an entry held by a task that waits",
            OwnThread,
            dashmap_over_wait,
            Instead::Advice("clone the value, or drop the entry first"),
        ),
    ]
}

/// Another task of the same thread takes something, and yields with it in its hands.
fn held_by_task(take: impl FnOnce(&dyn Fn()) + 'static) {
    let holder = spawn(move || {
        let kept = Cell::new(false);
        take(&|| {
            kept.set(true);
            (0..50).for_each(|_| yield_now());
        });
        assert!(kept.get());
    });
    drop(holder);
    yield_now();
}

fn mutex_over_wait(gate: &Arc<Gate>) -> Tried {
    let lock = Arc::new(Mutex::new(1));
    let theirs = Arc::clone(&lock);
    held_by_task(move |keep| {
        let _guard = theirs.lock();
        keep();
    });
    drop(
        gate.during(|| lock.lock())
            .unwrap_or_else(PoisonError::into_inner),
    );
    Ok(())
}

fn parking_lot_over_wait(gate: &Arc<Gate>) -> Tried {
    let lock = Arc::new(parking_lot::Mutex::new(1));
    let theirs = Arc::clone(&lock);
    held_by_task(move |keep| {
        let _guard = theirs.lock();
        keep();
    });
    drop(gate.during(|| lock.lock()));
    Ok(())
}

fn own_over_wait(gate: &Arc<Gate>) -> Tried {
    let lock = Rc::new(greenroom::sync::Mutex::new(1));
    let theirs = Rc::clone(&lock);
    held_by_task(move |keep| {
        let _guard = theirs.lock();
        keep();
    });
    drop(gate.during(|| lock.lock()));
    Ok(())
}

fn dashmap_over_wait(gate: &Arc<Gate>) -> Tried {
    let map: Arc<dashmap::DashMap<i32, i32>> = Arc::new([(1, 1)].into_iter().collect());
    let theirs = Arc::clone(&map);
    held_by_task(move |keep| {
        let _entry = theirs.get_mut(&1);
        keep();
    });
    gate.during(|| map.get(&1).map(|entry| *entry));
    Ok(())
}

fn once_over_wait(gate: &Arc<Gate>) -> Tried {
    type Init = Box<dyn FnOnce() -> u32 + Send>;
    let lazy: Arc<LazyLock<u32, Init>> = Arc::new(LazyLock::new(Box::new(|| {
        (0..50).for_each(|_| yield_now());
        1
    })));
    let theirs = Arc::clone(&lazy);
    drop(spawn(move || **theirs));
    yield_now();
    gate.during(|| **lazy);
    Ok(())
}

fn once_own(gate: &Arc<Gate>) -> Tried {
    let cell = Rc::new(greenroom::sync::OnceCell::new());
    let theirs = Rc::clone(&cell);
    held_by_task(move |keep| {
        theirs.get_or_init(|| {
            keep();
            1
        });
    });
    gate.during(|| *cell.get_or_init(|| 2));
    Ok(())
}
