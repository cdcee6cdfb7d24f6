//! What can be waited for.

/// Something to wait for, once: the await-style face of this crate.
///
/// It is implemented for [`JoinHandle`](crate::JoinHandle) and
/// [`ScopedJoinHandle`](crate::ScopedJoinHandle),
/// [`RemoteJoinHandle`](crate::RemoteJoinHandle), [`Timer`](crate::Timer),
/// `&Event`, `&Receiver`, `&Queue`, and for tuples, arrays and `Vec`s of such, which are
/// waited for all at once, each by a task of its own. Implement it for your types:
/// `wait` is an ordinary function that may call anything that waits.
///
/// ```
/// use greenroom::{Awaitable, run, spawn, yield_now};
///
/// struct OneTurn;
///
/// impl Awaitable for OneTurn {
///     type Output = &'static str;
///     fn wait(self) -> &'static str {
///         yield_now();
///         "done"
///     }
/// }
///
/// run(|| {
///     assert_eq!(OneTurn.wait(), "done");
///     let (turn, task) = (OneTurn, spawn(|| 5)).wait();
///     assert_eq!((turn, task.unwrap()), ("done", 5));
/// });
/// ```
pub trait Awaitable {
    /// What one gets for waiting.
    type Output;

    /// Waits.
    fn wait(self) -> Self::Output;
}
