//! What can be waited for.

/// Something to wait for, once: the await-style face of this crate.
///
/// | implemented for | one gets |
/// |---|---|
/// | [`JoinHandle`](crate::JoinHandle), [`CancelOnDrop`](crate::CancelOnDrop), [`ScopedJoinHandle`](crate::ScopedJoinHandle), [`SupervisedJoinHandle`](crate::SupervisedJoinHandle) | as their `join` |
/// | [`RemoteJoinHandle`](crate::RemoteJoinHandle), [`RemoteCancelOnDrop`](crate::RemoteCancelOnDrop), and `&mut` to one: it is still there if that is cancelled | as its `join` |
/// | [`Timer`](crate::Timer), `&mut` [`Interval`](crate::Interval) | `()`; as `tick` |
/// | `&`[`Event`](crate::sync::Event), `&`[`Barrier`](crate::sync::Barrier) | as their `wait` |
/// | `&`[`Receiver`](crate::sync::Receiver), `&`[`remote::Receiver`](crate::sync::remote::Receiver) | as `recv` |
/// | `&`[`Queue`](crate::sync::Queue) | as `pop` |
/// | `&mut` [`BroadcastReceiver`](crate::sync::BroadcastReceiver), `&mut` [`WatchReceiver`](crate::sync::WatchReceiver) | as `recv`; as `changed` |
/// | [`OneshotReceiver`](crate::sync::OneshotReceiver) and [`remote::OneshotReceiver`](crate::sync::remote::OneshotReceiver), and `&mut` to one: it is still there if that is cancelled | as `recv` |
/// | tuples of one to eight such, arrays and `Vec`s of such: waited for all at once, each by a task of its own | all of it |
///
/// `&mut` is wanted where waiting changes what one has: the place in a broadcast, the last
/// value seen, the result that is taken. Implement it for your types: `wait` is an ordinary
/// function that may call anything that waits.
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
