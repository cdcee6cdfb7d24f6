//! The promise: from the moment a receiver is made, every signal it asked for is received, by each
//! receiver, wherever it waits; several of one kind as one, kinds in their order. Nothing else of the
//! process is changed.

#![cfg(unix)]

mod support;

#[path = "signals/arms.rs"]
mod arms;
#[path = "signals/handlers.rs"]
mod handlers;
#[path = "signals/process.rs"]
mod process;
#[path = "signals/raise.rs"]
mod raise;
#[path = "signals/receiving.rs"]
mod receiving;

use greenroom::signal::SignalKind;
use raise::raise;

/// A signal for one test alone: tests run beside each other in one process.
fn own_kind(number: i32) -> SignalKind {
    if cfg!(target_os = "linux") {
        // The C library keeps the first of the real-time ones for itself.
        return SignalKind::from_raw(40 + number);
    }
    [SignalKind::USER_DEFINED1, SignalKind::USER_DEFINED2][usize::from(number % 2 == 0)]
}
