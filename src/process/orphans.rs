//! Children nobody waits for any more. Each is reaped all the same, so that it does not stay in the
//! system's table for as long as this process lives.
//!
//! One that was killed ends soon: a thread of the pool waits for it. One that lives on is put into a list; some of that
//! list are looked at whenever a child is made or dropped.
//!
//! Must never: block the thread that drops a child.

use std::collections::VecDeque;
use std::process::Child;
use std::sync::{Arc, Mutex, PoisonError};

use crate::thread_pool::{ThreadPool, Work};

/// So many are looked at each time: more than are added.
const LOOKED_AT: usize = 16;

static ORPHANS: Mutex<VecDeque<Child>> = Mutex::new(VecDeque::new());

/// Reaps some of those that have ended.
pub(super) fn look() {
    let mut orphans = ORPHANS.lock().unwrap_or_else(PoisonError::into_inner);
    for _ in 0..LOOKED_AT.min(orphans.len()) {
        if let Some(mut child) = orphans.pop_front() {
            if lives(&mut child) {
                orphans.push_back(child);
            }
        }
    }
}

/// Takes over a child that was dropped.
pub(super) fn adopt(mut child: Child, kill: bool) {
    look();
    if !lives(&mut child) {
        return;
    }
    let doomed = kill && child.kill().is_ok();
    if doomed && !lives(&mut child) {
        return;
    }
    let burial = Arc::new(Burial(Mutex::new(Some(child))));
    let sent = doomed && {
        let work = Arc::clone(&burial) as Arc<dyn Work>;
        ThreadPool::global().submit(work).is_ok()
    };
    if !sent {
        if let Some(child) = burial.take() {
            let mut orphans = ORPHANS.lock().unwrap_or_else(PoisonError::into_inner);
            orphans.push_back(child);
        }
    }
}

/// Whether it is still to be reaped. Never waits.
fn lives(child: &mut Child) -> bool {
    matches!(child.try_wait(), Ok(None))
}

/// A killed child that is about to end.
struct Burial(Mutex<Option<Child>>);

impl Burial {
    fn take(&self) -> Option<Child> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Work for Burial {
    fn run(&self) -> bool {
        if let Some(mut child) = self.take() {
            let _status = child.wait();
        }
        false
    }

    fn tell(&self) {}
}
