//! What `task_local!` holds: bindings of keys to values, the innermost first.
//!
//! A list that only grows at its head, shared by count: a child that inherits
//! takes the head, and neither sees what the other binds later. A plain thread
//! has a list of its own.

use std::any::Any;
use std::rc::Rc;

use super::current;
use super::frame;
use super::park;
use crate::coroutine::scope_mark::ScopeMark;
use crate::panic::{defuse, drop_caught};

/// One binding. A key is the address of its static.
pub(crate) struct Binding {
    key: usize,
    value: Rc<dyn Any>,
    outer: Option<Rc<Binding>>,
}

impl std::fmt::Debug for Binding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Binding").finish_non_exhaustive()
    }
}

impl Drop for Binding {
    fn drop(&mut self) {
        // In a loop: a list may be longer than a stack is deep.
        let mut outer = self.outer.take();
        while let Some(mut binding) = outer.and_then(Rc::into_inner) {
            outer = binding.outer.take();
        }
    }
}

/// The bindings of the caller.
pub(super) fn current() -> Option<Rc<Binding>> {
    let held = replace(None);
    let copy = held.clone();
    let _none = replace(held);
    copy
}

fn replace(bindings: Option<Rc<Binding>>) -> Option<Rc<Binding>> {
    match park::current() {
        Some(task) => task.locals.replace(bindings),
        None => current::replace_locals(bindings),
    }
}

/// What `key` is bound to.
pub(crate) fn get(key: usize) -> Option<Rc<dyn Any>> {
    let all = current();
    let mut cursor = all.as_ref();
    while let Some(binding) = cursor {
        if binding.key == key {
            return Some(Rc::clone(&binding.value));
        }
        cursor = binding.outer.as_ref();
    }
    None
}

/// Binds `key` for the time of `body`.
pub(crate) fn with<R>(key: usize, value: Rc<dyn Any>, body: impl FnOnce() -> R) -> R {
    /// Takes the bindings back to what they were.
    struct Restore(Option<Rc<Binding>>);
    impl Drop for Restore {
        fn drop(&mut self) {
            let gone = replace(self.0.take());
            drop(gone);
        }
    }
    let _mark = match park::current() {
        Some(task) => frame::mark(task),
        None => ScopeMark::open(),
    };
    let outer = current();
    let binding = Rc::new(Binding {
        key,
        value,
        outer: outer.clone(),
    });
    let _before = replace(Some(binding));
    let _restore = Restore(outer);
    body()
}

/// A task has ended: lets go of what it inherited.
#[cold]
pub(super) fn let_go(bindings: Rc<Binding>) {
    if let Some(payload) = drop_caught(bindings) {
        defuse(payload);
    }
}
