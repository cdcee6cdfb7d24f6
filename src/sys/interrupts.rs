//! For tests: a rain of signals on one thread, so that its system calls end with `EINTR`.
//!
//! Must never: leave the thread's signals on their way when it returns, or be used outside tests.
#![expect(
    unsafe_code,
    reason = "tests that need a signal handler and send signals"
)]

use std::os::unix::thread::JoinHandleExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::super::clock::sleep_nanos;

static CAUGHT: AtomicUsize = AtomicUsize::new(0);

extern "C" fn count_signal(_: libc::c_int) {
    CAUGHT.fetch_add(1, Ordering::Relaxed);
}

/// Runs `body` on a thread of its own that is sent a signal each millisecond until it is done.
///
/// Returns its result and how many signals were caught meanwhile.
pub(in crate::sys) fn interrupting<T, F>(body: F) -> (T, usize)
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    // SAFETY: a structure of integers and a set of bits; all of them may be zero.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    // Without `SA_RESTART`, so that calls are interrupted and not continued.
    action.sa_sigaction = count_signal as extern "C" fn(libc::c_int) as libc::sighandler_t;
    // SAFETY: the action is valid, and its handler only touches an atomic.
    let set = unsafe { libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut()) };
    assert_eq!(set, 0);

    let before = CAUGHT.load(Ordering::Relaxed);
    let done = Arc::new(AtomicUsize::new(0));
    let thread = thread::spawn({
        let done = Arc::clone(&done);
        move || {
            let result = body();
            done.store(1, Ordering::Release);
            result
        }
    });
    while done.load(Ordering::Acquire) == 0 {
        // SAFETY: the thread is not joined yet, so its id is valid even if it has ended.
        unsafe { libc::pthread_kill(thread.as_pthread_t(), libc::SIGUSR1) };
        sleep_nanos(1_000_000);
    }
    let result = thread.join().expect("the body of the test panicked");
    (result, CAUGHT.load(Ordering::Relaxed) - before)
}
