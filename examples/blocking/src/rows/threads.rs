//! `std::thread`, and `rayon`'s threads.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::row;
use crate::trial::{Gate, Instead, Kind, Row, Tried};

pub(crate) fn rows() -> Vec<Row> {
    use Kind::HeldBack;
    vec![
        row(
            "`std::thread::sleep`",
            HeldBack,
            sleep,
            Instead::Own("`sleep`", sleep_own),
        ),
        row(
            "`std::thread::park`",
            HeldBack,
            park,
            Instead::Own("`park`, and `Task::waker` for the other thread", park_own),
        ),
        row(
            "`std::thread::JoinHandle::join`, `std::thread::scope`",
            HeldBack,
            join,
            Instead::UnblockAnd("`unblock`; or run the thread's work in `unblock`"),
        ),
        row(
            "`rayon::join`, `par_iter`",
            HeldBack,
            rayon_join,
            Instead::Unblock,
        ),
    ]
}

#[expect(clippy::disallowed_methods, reason = "it is what is tried")]
fn sleep(gate: &Arc<Gate>) -> Tried {
    gate.during(|| thread::sleep(Duration::from_millis(20)));
    Ok(())
}

fn sleep_own(gate: &Arc<Gate>) -> Tried {
    gate.during(|| greenroom::sleep(Duration::from_millis(20)));
    Ok(())
}

fn park(gate: &Arc<Gate>) -> Tried {
    let parked = thread::current();
    gate.then(move || {
        parked.unpark();
        Ok(())
    });
    gate.during(thread::park);
    Ok(())
}

fn park_own(gate: &Arc<Gate>) -> Tried {
    let waker = greenroom::current().waker()?;
    gate.then(move || {
        waker.wake();
        Ok(())
    });
    gate.during(greenroom::park);
    Ok(())
}

fn join(gate: &Arc<Gate>) -> Tried {
    let opens = Arc::clone(gate);
    let child = thread::spawn(move || opens.opens());
    gate.during(|| child.join())
        .map_err(|_| "it panicked".into())
}

/// Both halves go to rayon's pool, where the one waits for the gate.
fn rayon_join(gate: &Arc<Gate>) -> Tried {
    let opens = Arc::clone(gate);
    gate.during(|| rayon::join(|| opens.opens(), || ()));
    Ok(())
}
