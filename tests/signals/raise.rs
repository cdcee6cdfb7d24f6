//! Sending signals to this process.
#![expect(
    unsafe_code,
    reason = "std neither sends signals nor asks for handlers"
)]

use std::sync::atomic::{AtomicU32, Ordering};

use greenroom::signal::SignalKind;

/// Sends a signal to this thread. Its handler has run when this returns.
pub(crate) fn raise(kind: SignalKind) {
    // SAFETY: takes a number. What the signal does is the test's business.
    assert_eq!(unsafe { libc::raise(kind.as_raw()) }, 0);
}

/// Lets a signal do what the system does by itself.
pub(crate) fn put_the_default_back(kind: SignalKind) {
    // SAFETY: the default is always a valid handler.
    let before = unsafe { libc::signal(kind.as_raw(), libc::SIG_DFL) };
    assert_ne!(before, libc::SIG_ERR);
}

static COUNTED: AtomicU32 = AtomicU32::new(0);

extern "C" fn count(_: libc::c_int) {
    COUNTED.fetch_add(1, Ordering::Relaxed);
}

/// Installs a handler that counts, and calls no other.
pub(crate) fn install_another(kind: SignalKind) {
    let handler = count as extern "C" fn(libc::c_int);
    // SAFETY: the handler adds to an atomic number, and no more.
    let before = unsafe { libc::signal(kind.as_raw(), handler as libc::sighandler_t) };
    assert_ne!(before, libc::SIG_ERR);
}

/// How often it was called.
pub(crate) fn counted() -> u32 {
    COUNTED.load(Ordering::Relaxed)
}

/// Whether the handler of a signal runs on the alternate stack.
pub(crate) fn runs_on_the_alternate_stack(kind: SignalKind) -> bool {
    // SAFETY: a sigaction of zeros is a valid value of the plain C struct.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: only reads the present handler, into a struct of ours.
    let asked = unsafe { libc::sigaction(kind.as_raw(), std::ptr::null(), &raw mut action) };
    assert_eq!(asked, 0);
    action.sa_flags & libc::SA_ONSTACK != 0
}
