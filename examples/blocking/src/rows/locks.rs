//! Locks of threads, held by another thread.

use std::sync::{Arc, Barrier, Condvar, Mutex, OnceLock, PoisonError, RwLock};

use super::row;
use crate::trial::{Gate, Instead, Kind, Row, Tried};

pub(crate) fn rows() -> Vec<Row> {
    use Kind::HeldBack;
    let short =
        || Instead::UnblockAnd("fine if every holder is brief; else all of it in `unblock`");
    vec![
        row(
            "`std::sync::Mutex::lock`, held by another thread",
            HeldBack,
            mutex,
            short(),
        ),
        row("`std::sync::RwLock`", HeldBack, rwlock, short()),
        row(
            "`std::sync::Condvar::wait`",
            HeldBack,
            condvar,
            Instead::UnblockAnd("`unblock`; `sync::Condvar` between tasks"),
        ),
        row(
            "`std::sync::Barrier::wait`",
            HeldBack,
            barrier,
            Instead::UnblockAnd("`unblock`; `sync::Barrier` between tasks"),
        ),
        row(
            "`std::sync::OnceLock`, `LazyLock`: another thread initialises",
            HeldBack,
            once_lock,
            Instead::UnblockAnd("touch it before `run`, or in `unblock`"),
        ),
        row(
            "`once_cell::sync`",
            HeldBack,
            once_cell,
            Instead::UnblockAnd("as `OnceLock`"),
        ),
        row(
            "`lazy_static!`",
            HeldBack,
            lazy,
            Instead::UnblockAnd("as `LazyLock`"),
        ),
        row(
            "`parking_lot::Mutex`, held by another thread",
            HeldBack,
            parking_lot,
            short(),
        ),
        row(
            "`dashmap`: a shard held by another thread",
            HeldBack,
            dashmap,
            short(),
        ),
    ]
}

/// A plain thread takes what `take` returns, and keeps it until the gate opens.
fn held<G>(gate: &Arc<Gate>, take: impl FnOnce(&dyn Fn()) -> G + Send + 'static) {
    let (taken, wait) = std::sync::mpsc::channel();
    let opens = Arc::clone(gate);
    gate.beside(move || {
        drop(take(&|| {
            // The trial waits for this before it begins.
            let _gone = taken.send(());
            opens.opens();
        }));
        Ok(())
    });
    // Whoever sends always does.
    let _sent = wait.recv();
}

fn mutex(gate: &Arc<Gate>) -> Tried {
    let lock = Arc::new(Mutex::new(1));
    let theirs = Arc::clone(&lock);
    held(gate, move |keep| {
        let _guard = theirs.lock();
        keep();
    });
    drop(
        gate.during(|| lock.lock())
            .unwrap_or_else(PoisonError::into_inner),
    );
    Ok(())
}

fn rwlock(gate: &Arc<Gate>) -> Tried {
    let lock = Arc::new(RwLock::new(1));
    let theirs = Arc::clone(&lock);
    held(gate, move |keep| {
        let _guard = theirs.write();
        keep();
    });
    drop(
        gate.during(|| lock.read())
            .unwrap_or_else(PoisonError::into_inner),
    );
    Ok(())
}

fn parking_lot(gate: &Arc<Gate>) -> Tried {
    let lock = Arc::new(parking_lot::Mutex::new(1));
    let theirs = Arc::clone(&lock);
    held(gate, move |keep| {
        let _guard = theirs.lock();
        keep();
    });
    drop(gate.during(|| lock.lock()));
    Ok(())
}

fn dashmap(gate: &Arc<Gate>) -> Tried {
    let map: Arc<dashmap::DashMap<i32, i32>> = Arc::new([(1, 1)].into_iter().collect());
    let theirs = Arc::clone(&map);
    held(gate, move |keep| {
        let _entry = theirs.get_mut(&1);
        keep();
    });
    gate.during(|| map.get(&1).map(|entry| *entry));
    Ok(())
}

fn condvar(gate: &Arc<Gate>) -> Tried {
    let pair = Arc::new((Mutex::new(false), Condvar::new()));
    let theirs = Arc::clone(&pair);
    gate.then(move || {
        *theirs.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        theirs.1.notify_all();
        Ok(())
    });
    let guard = pair.0.lock().unwrap_or_else(PoisonError::into_inner);
    let woken = gate.during(|| pair.1.wait_while(guard, |ready| !*ready));
    drop(woken.unwrap_or_else(PoisonError::into_inner));
    Ok(())
}

fn barrier(gate: &Arc<Gate>) -> Tried {
    let barrier = Arc::new(Barrier::new(2));
    let theirs = Arc::clone(&barrier);
    gate.then(move || {
        theirs.wait();
        Ok(())
    });
    gate.during(|| barrier.wait());
    Ok(())
}

fn once_lock(gate: &Arc<Gate>) -> Tried {
    let cell = Arc::new(OnceLock::new());
    let theirs = Arc::clone(&cell);
    held(gate, move |keep| {
        theirs.get_or_init(|| {
            keep();
            1
        });
    });
    gate.during(|| *cell.get_or_init(|| 2));
    Ok(())
}

fn once_cell(gate: &Arc<Gate>) -> Tried {
    let cell = Arc::new(once_cell::sync::OnceCell::new());
    let theirs = Arc::clone(&cell);
    held(gate, move |keep| {
        theirs.get_or_init(|| {
            keep();
            1
        });
    });
    gate.during(|| *cell.get_or_init(|| 2));
    Ok(())
}

/// Statics are initialised once: two of them, for the call alone and for the one in `unblock`.
fn lazy(gate: &Arc<Gate>) -> Tried {
    type Keep = Box<dyn FnOnce() + Send>;
    static KEEP: Mutex<Option<Keep>> = Mutex::new(None);
    fn keep() -> u32 {
        let keep = KEEP.lock().unwrap_or_else(PoisonError::into_inner).take();
        keep.map_or(1, |keep| {
            keep();
            2
        })
    }
    lazy_static::lazy_static! {
        static ref FIRST: u32 = keep();
        static ref SECOND: u32 = keep();
    }
    static FIRST_DONE: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);
    let touch = if FIRST_DONE.swap(true, std::sync::atomic::Ordering::SeqCst) {
        || *SECOND
    } else {
        || *FIRST
    };
    let (taken, wait) = std::sync::mpsc::channel();
    let opens = Arc::clone(gate);
    *KEEP.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(move || {
        // The trial waits for this before it begins.
        let _gone = taken.send(());
        opens.opens();
    }));
    gate.beside(move || {
        touch();
        Ok(())
    });
    wait.recv()?;
    gate.during(touch);
    Ok(())
}
