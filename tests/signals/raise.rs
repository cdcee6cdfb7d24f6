//! Sending signals to this process.
#![expect(
    unsafe_code,
    reason = "std neither sends signals nor asks for handlers"
)]

use greenroom::signal::SignalKind;

/// Sends a signal to this thread. Its handler has run when this returns.
pub(crate) fn raise(kind: SignalKind) {
    // SAFETY: takes a number. What the signal does is the test's business.
    assert_eq!(unsafe { libc::raise(kind.as_raw()) }, 0);
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
