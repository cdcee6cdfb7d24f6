//! Open scopes: what a scope keeps in the frame of the call that opened it.
//!
//! ```text
//!   task.cancel.innermost -> Frame(timeout) -> Frame(shield) -> Frame(scope) -> null
//!                              outer ->          outer ->         | children
//!                              <- inner          <- inner         v
//!                                                        task <-> task <-> task
//! ```
//!
//! A scope is cancelled by itself (asked, or its deadline), or because one
//! outside it is, unless it is a shield. That is worked out when something
//! changes, from the changed scope inwards, and on into the children of scopes
//! that have some. So a waiting call looks at one flag, and a task has one entry
//! in the sleep queue, however many scopes are open.
//!
//! Scopes open and close in the order of calls. A coroutine must not yield while
//! one is open in its body: `coroutine/scope_mark.rs` sees to it.

#![expect(unsafe_code, reason = "frames are linked by pointer")]

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::{self, NonNull};
use std::rc::Rc;
use std::sync::Arc;

use super::cancel::{self, Cancelled, Delivery};
use super::children::Children;
use super::header::TaskRef;
use super::timers::Sleeping;
use crate::coroutine::scope_mark::ScopeMark;
use crate::panic::fatal;
use crate::timer::Instant;

type Payload = Box<dyn Any + Send>;

/// Why a scope is cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Somebody asked for it.
    Asked,
    /// Its deadline has passed.
    Deadline,
}

/// Why, and what was given as the reason.
pub(super) type Told = (Cause, Option<Arc<str>>);

/// What is said of a scope when it is opened.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    pub(crate) deadline: Instant,
    /// The time now, where there is a deadline.
    pub(crate) now: Instant,
    pub(crate) shield: bool,
    /// Nothing: as outside.
    pub(crate) delivery: Option<Delivery>,
}

impl Terms {
    /// Nothing special.
    pub(crate) const PLAIN: Self = Self {
        deadline: Instant::NEVER,
        now: Instant::NEVER,
        shield: false,
        delivery: None,
    };
}

/// An open scope.
#[derive(Debug)]
pub(crate) struct Frame {
    task: TaskRef,
    outer: Cell<*const Frame>,
    inner: Cell<*const Frame>,
    /// Null in scopes without children.
    children: Cell<*const Children>,
    deadline: Cell<Instant>,
    /// The first deadline of this scope and all outside it that may still fire.
    earliest: Cell<Instant>,
    cause: Cell<Option<Cause>>,
    /// Whether it is cancelled, by itself or from outside.
    effective: Cell<bool>,
    shield: bool,
    delivery: Delivery,
    reason: RefCell<Option<Arc<str>>>,
}

/// How a scope ended.
#[derive(Debug)]
pub(crate) enum Exit<T> {
    Returned(T),
    /// The scope itself was cancelled, and what unwound ends here.
    Caught,
    /// It goes on unwinding: a panic, or a cancellation from further out.
    Unwinds(Payload),
}

/// Follows a pointer of the lists.
fn at<'a>(frame: *const Frame) -> Option<&'a Frame> {
    // SAFETY: linked frames lie in frames of calls that have not returned: each
    // is taken out before its call does.
    unsafe { frame.as_ref() }
}

/// Follows a pointer to the children of a scope.
pub(super) fn children_at<'a>(children: *const Children) -> Option<&'a Children> {
    // SAFETY: they lie beside their scope's frame, which is linked; and a task
    // knows its scope's children, which are there until it has left them.
    unsafe { children.as_ref() }
}

/// Marks the stack of the caller: its coroutine must not yield now.
#[inline(always)]
pub(super) fn mark(task: TaskRef) -> ScopeMark {
    ScopeMark::open_near(task.stack)
}

/// The scope whose children the task waits for, if it does.
pub(super) fn joining<'a>(task: TaskRef) -> Option<&'a Children> {
    // The scope that is being left is the innermost.
    at(task.cancel.innermost.get()).and_then(|frame| children_at(frame.children.get()))
}

/// How the running task learns of a cancellation here.
pub(super) fn delivery(task: TaskRef) -> Delivery {
    at(task.cancel.innermost.get())
        .map_or_else(|| task.cancel.delivery.get(), |frame| frame.delivery)
}

/// Whether a task that is cancelled before its first step runs all the same: a child
/// of a scope that learns by errors. Its scope wants a result, and must not unwind.
#[cold]
pub(super) fn begins_cancelled(task: TaskRef) -> bool {
    !task.siblings.parent().is_null() && task.cancel.delivery.get() == Delivery::Error
}

/// The moment at which the first of the task's scopes will be over.
pub(super) fn next_deadline(task: TaskRef) -> Instant {
    at(task.cancel.innermost.get()).map_or(Instant::NEVER, |frame| frame.earliest.get())
}

/// Why the task is cancelled where it stands: what the outermost scope says that
/// can be seen from there.
pub(super) fn cause(task: TaskRef) -> Told {
    cause_from(task, task.cancel.innermost.get())
}

/// [`cause`], seen from one of the task's scopes.
fn cause_from(task: TaskRef, from: *const Frame) -> Told {
    let mut found = (Cause::Asked, None);
    let (mut task, mut cursor) = (task, from);
    loop {
        while let Some(frame) = at(cursor) {
            if let Some(cause) = frame.cause.get() {
                found = (cause, frame.reason.borrow().clone());
            }
            if frame.shield {
                return found;
            }
            cursor = frame.outer.get();
        }
        if !task.cancel.requested.get() {
            return found;
        }
        // The scope it was spawned in lies further out.
        let parent = children_at(task.siblings.parent());
        match parent.filter(|parent| parent.is_cancelled()) {
            Some(parent) => {
                if let Some(told) = parent.told() {
                    return told;
                }
                cursor = parent.frame();
                task = parent.frame().task;
            }
            // It was cancelled by its handle, or because all are.
            None => return (Cause::Asked, None),
        }
    }
}

impl Frame {
    /// A scope of the running task, not yet open.
    #[inline(always)]
    pub(super) fn new(task: TaskRef, terms: Terms) -> Self {
        let outer = at(task.cancel.innermost.get());
        let around = outer.map_or_else(|| task.cancel.delivery.get(), |outer| outer.delivery);
        Self {
            task,
            outer: Cell::new(ptr::null()),
            inner: Cell::new(ptr::null()),
            children: Cell::new(ptr::null()),
            deadline: Cell::new(terms.deadline),
            earliest: Cell::new(Instant::NEVER),
            cause: Cell::new(None),
            effective: Cell::new(false),
            shield: terms.shield,
            delivery: terms.delivery.unwrap_or(around),
            reason: RefCell::new(None),
        }
    }

    /// The task that opened it.
    pub(super) fn task(&self) -> TaskRef {
        self.task
    }

    /// Says whose scope it is, before it is opened.
    pub(super) fn set_children(&self, children: &Children) {
        self.children.set(children);
    }

    /// How the code in it learns of cancellations.
    pub(super) fn delivery(&self) -> Delivery {
        self.delivery
    }

    /// Whether it is cancelled, by itself or from outside.
    pub(super) fn is_effective(&self) -> bool {
        self.effective.get()
    }

    /// Why it is cancelled, if it is so by itself.
    pub(crate) fn cause(&self) -> Option<Cause> {
        self.cause.get()
    }

    /// Makes it the innermost scope of its task.
    #[inline(always)]
    fn open(&self) {
        let state = &self.task.cancel;
        let outer = state.innermost.replace(self);
        self.outer.set(outer);
        let mut earliest = Instant::NEVER;
        if let Some(outer) = at(outer) {
            outer.inner.set(self);
            earliest = outer.earliest.get();
        }
        if self.cause.get().is_some() {
            // It was cancelled before it was opened: a deadline is nothing more to it.
            self.effective.set(true);
            self.deadline.set(Instant::NEVER);
        } else {
            self.effective.set(!self.shield && state.pending.get());
        }
        state.pending.set(self.effective.get());
        if self.shield {
            state.shields.set(state.shields.get() + 1);
        }
        let deadline = self.deadline.get().min(earliest);
        self.earliest.set(deadline);
        state.note_deadline(deadline);
    }

    /// Takes it out again. It is the innermost.
    #[inline(always)]
    fn close(&self) {
        let state = &self.task.cancel;
        debug_assert!(ptr::eq(state.innermost.get(), self), "scopes nest");
        let outer = self.outer.get();
        state.innermost.set(outer);
        let (earliest, pending) = match at(outer) {
            Some(outer) => {
                outer.inner.set(ptr::null());
                (outer.earliest.get(), outer.effective.get())
            }
            None => (Instant::NEVER, state.requested.get()),
        };
        state.pending.set(pending);
        if self.cause.get().is_some() && !pending {
            // What was cancelled has ended, whoever caught it.
            state.caught();
        }
        if self.shield {
            state.shields.set(state.shields.get() - 1);
        }
        state.note_deadline(earliest);
        if outer.is_null() && state.needs_attention() {
            // It may be the last: nothing is left behind.
            tell_deadline(self.task);
        }
    }

    /// Cancels the scope. Once cancelled, it stays so, for the first cause.
    pub(super) fn cancel(&self, reason: Option<Arc<str>>) {
        if self.cause.get().is_none() {
            self.cause.set(Some(Cause::Asked));
            self.reason.replace(reason);
            refresh(self.task, self);
        }
    }

    /// Moves its deadline. A scope that is cancelled stays so.
    fn set_deadline(&self, deadline: Instant) {
        self.deadline.set(deadline);
        refresh(self.task, self);
        if deadline != Instant::NEVER && deadline <= self.task.core().clock.now() {
            expire(self.task, deadline);
        }
    }

    /// Whether what unwinds out of it was meant for it. Asked after it closed.
    pub(super) fn catches(&self, payload: &Payload) -> bool {
        payload.is::<Cancelled>()
            && self.cause.get().is_some()
            && (self.shield || !self.task.cancel.pending())
    }
}

/// Tells the sleep queue the next deadline of the task's scopes: the one entry they
/// have there.
pub(super) fn tell_deadline(task: TaskRef) {
    let state = &task.cancel;
    let deadline = next_deadline(task);
    if state.registered.replace(deadline) != deadline {
        let mut timers = task.core().timers.borrow_mut();
        if let Some(key) = state.timer.take() {
            let _removed = timers.remove(key);
        }
        if deadline != Instant::NEVER {
            let key = timers.insert(deadline, Sleeping::Scope(task));
            state.timer.set(Some(key));
        }
    }
    state.deadline_is_known();
}

/// Works out what is cancelled from `first` inwards, and in the children of what
/// newly is; then whether the task itself is, and its next deadline.
fn refresh(task: TaskRef, first: *const Frame) {
    let mut work = Vec::new();
    refresh_one(task, first, &mut work);
    while let Some(child) = work.pop() {
        request_one(child, &mut work);
    }
}

fn refresh_one(task: TaskRef, first: *const Frame, work: &mut Vec<TaskRef>) {
    let state = &task.cancel;
    let (mut outside, mut earliest) = match at(first).and_then(|frame| at(frame.outer.get())) {
        Some(outer) => (outer.effective.get(), outer.earliest.get()),
        None => (state.requested.get(), Instant::NEVER),
    };
    let mut why = outside.then(|| {
        let outer = at(first).map_or(ptr::null(), |frame| frame.outer.get());
        cause_from(task, outer)
    });
    let mut cursor = first;
    while let Some(frame) = at(cursor) {
        let own = frame.cause.get();
        if frame.shield {
            why = None;
        }
        if let (Some(cause), None) = (own, &why) {
            why = Some((cause, frame.reason.borrow().clone()));
        }
        outside = own.is_some() || (!frame.shield && outside);
        if outside && !frame.effective.replace(true) {
            if let Some(children) = children_at(frame.children.get()) {
                children.note_cancelled(why.clone().unwrap_or((Cause::Asked, None)));
                children.for_each(|child| work.push(child));
            }
        }
        if own.is_none() {
            earliest = earliest.min(frame.deadline.get());
        }
        frame.earliest.set(earliest);
        cursor = frame.inner.get();
    }
    state.pending.set(outside);
    if task.core().current.get() == Some(task) {
        state.note_deadline(earliest);
        return;
    }
    tell_deadline(task);
    if outside {
        task.wake();
    }
}

/// Cancels a whole task, for ever.
pub(super) fn request(task: TaskRef) {
    let mut work = vec![task];
    while let Some(task) = work.pop() {
        request_one(task, &mut work);
    }
}

fn request_one(task: TaskRef, work: &mut Vec<TaskRef>) {
    if task.cancel.requested.replace(true) {
        return;
    }
    let mut outermost = task.cancel.innermost.get();
    while let Some(outer) = at(outermost).map(|frame| frame.outer.get()) {
        if outer.is_null() {
            break;
        }
        outermost = outer;
    }
    refresh_one(task, outermost, work);
}

/// Cancels those of a task's scopes whose deadlines have passed.
pub(super) fn expire(task: TaskRef, now: Instant) {
    let mut outermost = ptr::null();
    let mut cursor = task.cancel.innermost.get();
    while let Some(frame) = at(cursor) {
        if frame.cause.get().is_none() && frame.deadline.get() <= now {
            frame.cause.set(Some(Cause::Deadline));
            outermost = cursor;
        }
        cursor = frame.outer.get();
    }
    if !outermost.is_null() {
        refresh(task, outermost);
    } else if task.core().current.get() != Some(task) {
        tell_deadline(task);
    }
}

/// Looks whether a deadline of the running task has passed that the loop has not
/// seen yet.
pub(crate) fn look_at_clock(task: TaskRef) {
    let deadline = next_deadline(task);
    if deadline != Instant::NEVER {
        let now = task.core().clock.now();
        if deadline <= now {
            expire(task, now);
        }
    }
}

/// Runs `body` in a scope of the running task.
#[inline(always)]
pub(crate) fn within<T>(task: TaskRef, terms: Terms, body: impl FnOnce(&Frame) -> T) -> Exit<T> {
    let frame = Frame::new(task, terms);
    let result = run_in(&frame, terms.now, || body(&frame), |_| {});
    conclude(&frame, result)
}

/// Opens a frame, runs `body` whatever it does, then `finally`, and closes it.
/// `finally` is shown the result. It runs in ordinary code with the
/// scope still open, and must not unwind.
#[inline(always)]
pub(super) fn run_in<T>(
    frame: &Frame,
    now: Instant,
    body: impl FnOnce() -> T,
    finally: impl FnOnce(&mut Result<T, Payload>),
) -> Result<T, Payload> {
    let task = frame.task;
    let unwinding = std::thread::panicking() && cancel::is_unwinding(task);
    let _mark = mark(task);
    frame.open();
    let deadline = frame.deadline.get();
    if deadline <= now && deadline != Instant::NEVER {
        expire(task, now);
    }
    let mut result = catch_unwind(AssertUnwindSafe(body));
    // Whatever happened inside is over.
    task.cancel.set_unwinding(unwinding);
    finally(&mut result);
    frame.close();
    result
}

/// What becomes of a scope's result, once it is closed.
#[inline(always)]
fn conclude<T>(frame: &Frame, result: Result<T, Payload>) -> Exit<T> {
    match result {
        Ok(value) => Exit::Returned(value),
        Err(payload) if frame.catches(&payload) => Exit::Caught,
        Err(payload) => Exit::Unwinds(payload),
    }
}

/// Goes on with what unwound out of a scope.
pub(crate) fn go_on(payload: Payload) -> ! {
    if let Some(task) = super::park::current() {
        if payload.is::<Cancelled>() {
            // As when it was first thrown. A panic is more often caught by its user,
            // whose task would then be taken for unwinding.
            task.cancel.set_unwinding(true);
        }
    }
    unwind(payload)
}

/// Unwinds with `payload`.
pub(super) fn unwind(payload: Payload) -> ! {
    if cfg!(panic = "abort") {
        // It would abort without a word.
        fatal(&format!(
            "a cancelled call has no result and cannot be unwound with panic=abort{}",
            super::park::current().map_or(String::new(), |task| format!(
                ": {}",
                super::report::title(task).trim_end_matches(',')
            ))
        ));
    }
    resume_unwind(payload)
}

/// A scope from afar: known before it is opened, and after it is closed.
#[derive(Debug, Clone)]
pub(crate) struct Remote(Rc<RemoteState>);

#[derive(Debug)]
struct RemoteState {
    /// While it is open.
    frame: Cell<Option<NonNull<Frame>>>,
    /// Whether it was ever opened.
    used: Cell<bool>,
    deadline: Cell<Instant>,
    shield: bool,
    delivery: Option<Delivery>,
    cause: Cell<Option<Cause>>,
    reason: RefCell<Option<Arc<str>>>,
    caught: Cell<bool>,
}

impl Remote {
    pub(crate) fn new(terms: Terms) -> Self {
        Self(Rc::new(RemoteState {
            frame: Cell::new(None),
            used: Cell::new(false),
            deadline: Cell::new(terms.deadline),
            shield: terms.shield,
            delivery: terms.delivery,
            cause: Cell::new(None),
            reason: RefCell::new(None),
            caught: Cell::new(false),
        }))
    }

    fn frame(&self) -> Option<&Frame> {
        // SAFETY: `run` takes the pointer back before the frame goes.
        self.0.frame.get().map(|frame| unsafe { frame.as_ref() })
    }

    /// Runs `body` in the scope. `None` if it was run before.
    pub(crate) fn run<T>(&self, task: TaskRef, body: impl FnOnce() -> T) -> Option<Exit<T>> {
        if self.0.used.replace(true) {
            return None;
        }
        let terms = Terms {
            deadline: self.0.deadline.get(),
            now: task.core().clock.now(),
            shield: self.0.shield,
            delivery: self.0.delivery,
        };
        let frame = Frame::new(task, terms);
        // It may have been cancelled before.
        frame.cause.set(self.0.cause.get());
        frame.reason.replace(self.0.reason.borrow().clone());
        let enter = || {
            self.0.frame.set(Some(NonNull::from(&frame)));
            body()
        };
        let leave = |_: &mut _| {
            self.0.cause.set(frame.cause());
            self.0.frame.set(None);
        };
        let result = run_in(&frame, terms.now, enter, leave);
        let exit = conclude(&frame, result);
        self.0.caught.set(matches!(exit, Exit::Caught));
        Some(exit)
    }

    /// Cancels it, open or not.
    pub(crate) fn cancel(&self, reason: Option<Arc<str>>) {
        let is_over = self.0.used.get() && self.frame().is_none();
        if is_over || self.cause().is_some() {
            return;
        }
        self.0.reason.replace(reason.clone());
        match self.frame() {
            Some(frame) => frame.cancel(reason),
            None => self.0.cause.set(Some(Cause::Asked)),
        }
    }

    /// Why it is, or was, cancelled.
    pub(crate) fn cause(&self) -> Option<Cause> {
        match self.frame() {
            Some(frame) => frame.cause(),
            None => self.0.cause.get(),
        }
    }

    /// What was given as the reason.
    pub(crate) fn reason(&self) -> Option<Arc<str>> {
        self.0.reason.borrow().clone()
    }

    pub(crate) fn was_caught(&self) -> bool {
        self.0.caught.get()
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.0.deadline.get()
    }

    pub(crate) fn set_deadline(&self, deadline: Instant) {
        self.0.deadline.set(deadline);
        if let Some(frame) = self.frame() {
            frame.set_deadline(deadline);
        }
    }
}

/// Now, by the clock of the task's runtime.
#[inline]
pub(crate) fn now(task: TaskRef) -> Instant {
    task.core().clock.now()
}

/// Whether a waiting call made now would be cancelled. Looks at the clock.
pub(crate) fn is_pending(task: TaskRef) -> bool {
    look_at_clock(task);
    task.cancel.pending()
}

/// What a waiting call made now would fail with.
pub(crate) fn pending_error(task: TaskRef) -> Cancelled {
    Cancelled::because(cause(task).1)
}
