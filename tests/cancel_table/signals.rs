//! The rows of calls that wait for a signal.
#![expect(unsafe_code, reason = "std sends no signals")]

use std::io;
use std::rc::Rc;
use std::sync::atomic::{AtomicI32, Ordering};

use greenroom::select;
use greenroom::signal::{SignalKind, Signals};
use greenroom::sync::Event;

use crate::rows::{Call, Rig, io_said};

/// Another one for each cell: they run beside each other in one process.
fn own_kind() -> SignalKind {
    static NEXT: AtomicI32 = AtomicI32::new(0);
    // The C library keeps the first of the real-time ones for itself.
    SignalKind::from_raw(36 + NEXT.fetch_add(1, Ordering::Relaxed).rem_euclid(28))
}

fn raise(kind: SignalKind) {
    // SAFETY: takes a number; the signal has a handler.
    assert_eq!(unsafe { libc::raise(kind.as_raw()) }, 0);
}

fn receiving(call: impl FnOnce(&Signals) -> io::Result<SignalKind> + 'static) -> Rig {
    let kind = own_kind();
    let signals = Rc::new(Signals::new([kind]).unwrap());
    let ours = Rc::clone(&signals);
    let call = move || io_said(call(&ours).map(|got| if got == kind { "5" } else { "another" }));
    let intact = move || {
        assert_eq!(signals.try_recv(), None);
        raise(kind);
        assert_eq!(signals.try_recv(), Some(kind));
    };
    Rig::new(call, move || raise(kind), intact)
}

pub(crate) const SIGNAL: Call = Call::io(|_| receiving(Signals::recv), "5");

pub(crate) const SIGNAL_ARM: Call = Call::io(
    |_| {
        receiving(|signals| {
            select! {
                recv(signals) -> got => got,
                wait(&Event::new()) => unreachable!(),
            }
        })
    },
    "5",
);
