//! Telling of coroutines that were made and dropped without ever being resumed.
//!
//! Python's "was never awaited". The library prints nothing by itself: a hook
//! is told, and only in builds with debug assertions.

use std::panic::Location;
use std::sync::{Arc, RwLock};

/// A coroutine that was dropped unstarted.
#[derive(Debug, Clone, Copy)]
pub struct Unstarted<'a> {
    /// Its name, if it had one.
    pub name: Option<&'a str>,
    /// Where it was made.
    pub made_at: &'static Location<'static>,
}

type Hook = Arc<dyn Fn(&Unstarted<'_>) + Send + Sync>;

static HOOK: RwLock<Option<Hook>> = RwLock::new(None);

/// Sets what is called, in every thread, when a coroutine or generator is
/// dropped before its first resume.
///
/// Only builds with debug assertions call it; others do nothing.
///
/// ```
/// greenroom::set_unstarted_hook(|coroutine| {
///     eprintln!("a coroutine made at {} was never resumed", coroutine.made_at);
/// });
/// ```
pub fn set_unstarted_hook(hook: impl Fn(&Unstarted<'_>) + Send + Sync + 'static) {
    let mut place = HOOK
        .write()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let before = place.replace(Arc::new(hook));
    // Its destructor may come back here.
    drop(place);
    drop(before);
}

pub(super) fn report(name: Option<&str>, made_at: &'static Location<'static>) {
    if cfg!(debug_assertions) {
        let hook = HOOK
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone();
        // Called without the lock: it may set another hook, or wait.
        if let Some(hook) = hook {
            hook(&Unstarted { name, made_at });
        }
    }
}
