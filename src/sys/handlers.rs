//! The handlers of signals in the system's own table, which all libraries of the process share.
//!
//! ```text
//!   this signal was never asked for here   the registry replaces what is there, and calls it from then on
//!   it was, and our handler is there       nothing to do
//!   it was, and the default is there       somebody has put it back: ours comes back, too
//!   it was, and another handler is there   an error: it may call ours or not, and is not ours to remove
//! ```
//!
//! The handler is the registry's, the same for all signals. Its address is learned from the first signal for which
//! registering puts it there.
//!
//! Must never: leave a handler replaced that somebody else has set meanwhile.
#![expect(unsafe_code, reason = "looks at and sets signal handlers")]

use std::io;
use std::ptr;
use std::sync::{Mutex, PoisonError};

use super::check::check;
use super::signals::Name;

/// What is known of the table.
struct Known {
    /// The registry's handler, as it was first seen.
    ours: Option<libc::sigaction>,
    /// The signals for which it was put there.
    signals: Vec<i32>,
}

static KNOWN: Mutex<Known> = Mutex::new(Known {
    ours: None,
    signals: Vec::new(),
});

/// Whether the signal exists, and its handler could be ours. Changes nothing.
///
/// # Errors
///
/// `InvalidInput` if there is no such signal; `ResourceBusy` if another handler has replaced ours.
pub(super) fn check_for(signal: i32) -> io::Result<()> {
    let present = present(signal)?;
    let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    match known.ours {
        Some(ours)
            if known.signals.contains(&signal)
                && !is_default(&present)
                && !are_same(&present, &ours) =>
        {
            Err(busy(signal))
        }
        _ => Ok(()),
    }
}

/// Makes sure that our handler is there, after `register` has told the registry what it is to do.
///
/// # Errors
///
/// What `register` says; `ResourceBusy` if another handler has replaced ours.
pub(super) fn install<R>(signal: i32, register: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let before = present(signal)?;
    let registered = register()?;
    let now = present(signal)?;
    if !are_same(&now, &before) && !is_default(&now) {
        known.ours.get_or_insert(now);
    }
    settle(signal, now, known.ours)?;
    if !known.signals.contains(&signal) {
        known.signals.push(signal);
    }
    Ok(registered)
}

/// Puts our handler back where the default is, and lets it run on the thread's alternate signal stack, if that has
/// one: the stack of a task may be too small for it.
fn settle(signal: i32, now: libc::sigaction, ours: Option<libc::sigaction>) -> io::Result<()> {
    let mut wanted = match ours {
        Some(ours) if is_default(&now) || are_same(&now, &ours) => ours,
        // It was there before we came: the registry has another user, or it would have been replaced.
        None if !is_default(&now) => now,
        _ => return Err(busy(signal)),
    };
    wanted.sa_flags |= libc::SA_ONSTACK;
    if are_same(&now, &wanted) && now.sa_flags & libc::SA_ONSTACK != 0 {
        return Ok(());
    }
    let replaced = replace(signal, &wanted)?;
    if are_same(&replaced, &now) {
        return Ok(());
    }
    // Somebody else was faster.
    replace(signal, &replaced)?;
    Err(busy(signal))
}

fn is_default(action: &libc::sigaction) -> bool {
    matches!(action.sa_sigaction, libc::SIG_DFL | libc::SIG_IGN)
}

fn are_same(one: &libc::sigaction, other: &libc::sigaction) -> bool {
    one.sa_sigaction == other.sa_sigaction
}

fn busy(signal: i32) -> io::Error {
    let text = format!(
        "another handler of {} has replaced this crate's",
        Name(signal)
    );
    io::Error::new(io::ErrorKind::ResourceBusy, text)
}

fn present(signal: i32) -> io::Result<libc::sigaction> {
    exchange(signal, ptr::null())
}

fn replace(signal: i32, action: &libc::sigaction) -> io::Result<libc::sigaction> {
    exchange(signal, action)
}

/// Gives the present handler, and sets another if one is passed: none, or one the system has told of.
fn exchange(signal: i32, new: *const libc::sigaction) -> io::Result<libc::sigaction> {
    // SAFETY: a sigaction of zeros is a valid value of the plain C struct.
    let mut old: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: `new` is null or borrowed by the caller, and was a valid handler of this process; `old` is ours.
    check(unsafe { libc::sigaction(signal, new, &raw mut old) })?;
    Ok(old)
}
