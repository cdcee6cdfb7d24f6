//! `with`: a resource whose closing waits, closed whatever happens.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use crate::scheduler::frame::{self, Exit, Terms};
use crate::scheduler::{Delivery, TaskRef, park, spawn};

/// How long closing may take where nobody says.
const DEFAULT_GRACE: Duration = Duration::from_secs(10);

/// A resource that is closed in ordinary code: where it may wait, and where an
/// error is seen. A destructor can do neither well.
pub trait Close: Sized {
    /// Why closing failed.
    type Error: fmt::Debug;

    /// Closes it. May wait.
    ///
    /// # Errors
    ///
    /// If what was done with it may not have come to effect.
    fn close(self) -> Result<(), Self::Error>;

    /// How long closing may take, asked before the body runs. 10 s.
    fn grace(&self) -> Duration {
        DEFAULT_GRACE
    }
}

/// Runs `body` with a resource, then closes that: when `body` returned, panicked, or
/// was cancelled.
///
/// ```
/// use std::io;
/// use greenroom::{Close, run, with};
///
/// struct Log(Vec<&'static str>);
///
/// impl Close for Log {
///     type Error = io::Error;
///     fn close(self) -> io::Result<()> {
///         Ok(greenroom::yield_now()) // could flush, say goodbye, await an answer
///     }
/// }
///
/// run(|| {
///     let lines = with(Log(Vec::new()), |log| {
///         log.0.push("hello");
///         Ok::<_, io::Error>(log.0.len())
///     });
///     assert_eq!(lines.unwrap(), 1);
/// });
/// ```
///
/// # Errors
///
/// The body's error; if it has none, that of closing. Where closing fails as well,
/// or after a panic or a cancellation, the hook
/// [`Config::on_unobserved`](crate::Config::on_unobserved) is told of it, as a
/// `String` of its `Debug`.
///
/// # Panics
///
/// With the body's panic, after closing; or with that of closing.
///
/// # Cancellation
///
/// The body unwinds. Closing does not: it is shielded, and waits in ordinary code,
/// for at most [`Close::grace`]. When that is over its waiting calls fail with
/// `TimedOut`, as with [`Delivery::Error`], and so it can say what it left undone.
/// On a plain thread there is no limit.
pub fn with<C: Close, T, E: From<C::Error>>(
    resource: C,
    body: impl FnOnce(&mut C) -> Result<T, E>,
) -> Result<T, E> {
    let mut resource = resource;
    let mut grace = DEFAULT_GRACE;
    let Some(task) = park::current() else {
        let result = catch_unwind(AssertUnwindSafe(|| body(&mut resource)));
        let closed = catch_unwind(AssertUnwindSafe(|| resource.close()));
        // The first panic goes on.
        let result = result.unwrap_or_else(|payload| resume_unwind(payload));
        let closed = closed.unwrap_or_else(|payload| resume_unwind(payload));
        return finish(result, closed, |_| {});
    };
    let result = match frame::within(task, Terms::PLAIN, |_| {
        grace = resource.grace();
        body(&mut resource)
    }) {
        Exit::Returned(result) => Ok(result),
        Exit::Unwinds(payload) => Err(payload),
        Exit::Caught => unreachable!("nobody can cancel this scope alone"),
    };
    let now = frame::now(task);
    let terms = Terms {
        deadline: now.saturating_add(grace),
        now,
        shield: true,
        delivery: Some(Delivery::Error),
    };
    let closed = frame::within(task, terms, |_| resource.close());
    let tell = |error: C::Error| spawn::tell_unobserved(task, Box::new(format!("{error:?}")));
    match (result, closed) {
        (Ok(result), Exit::Returned(closed)) => finish(result, closed, tell),
        (Ok(result), Exit::Caught) => {
            tell_late(task);
            result
        }
        (Ok(_), Exit::Unwinds(payload)) => frame::go_on(payload),
        (Err(payload), Exit::Returned(closed)) => {
            if let Err(error) = closed {
                tell(error);
            }
            frame::go_on(payload)
        }
        (Err(payload), Exit::Caught) => {
            tell_late(task);
            frame::go_on(payload)
        }
        (Err(payload), Exit::Unwinds(second)) => {
            spawn::tell_unobserved(task, second);
            frame::go_on(payload)
        }
    }
}

/// Closing had to be unwound when its time was over: a child without a result cannot
/// be an error of its own.
fn tell_late(task: TaskRef) {
    let late = String::from("closing was cut short: its time was over");
    spawn::tell_unobserved(task, Box::new(late));
}

/// What a body that returned and a closing that did come to.
fn finish<T, E: From<X>, X>(
    result: Result<T, E>,
    closed: Result<(), X>,
    tell: impl FnOnce(X),
) -> Result<T, E> {
    match (result, closed) {
        (Ok(value), Ok(())) => Ok(value),
        (Ok(_), Err(error)) => Err(error.into()),
        (Err(error), Ok(())) => Err(error),
        (Err(error), Err(second)) => {
            tell(second);
            Err(error)
        }
    }
}
