//! The contract of a backend, written once for all of them, and the choice of the one compiled.
//!
//! A backend is a file beside this one (`epoll.rs`, `kqueue.rs`) with these items. `build.rs`
//! decides which system uses which, as `cfg(reactor = "...")`.
//!
//! # `Selector`: one queue of readiness in the kernel
//! | item | what it promises |
//! |---|---|
//! | `Selector::new() -> io::Result<Selector>` | an empty queue; its descriptor is closed on `exec` |
//! | `impl AsFd for Selector` | that descriptor turns readable when `wait` would report something, so another loop can watch this one |
//! | `register(&self, BorrowedFd, token: u64) -> io::Result<()>` | watches both directions of a descriptor, edge-triggered, until it is deregistered |
//! | `deregister(&self, BorrowedFd) -> io::Result<()>` | ends that; a descriptor that is not registered is `Ok` |
//! | `wait(&self, &mut Events, Option<Duration>) -> io::Result<()>` | refills the buffer with what happened since |
//!
//! *Register.* What the descriptor is ready for already is reported by the next `wait`, so nothing
//! is lost between trying a call and registering. After that an edge is reported when something
//! *changes*: new data, new room, the end. Whoever gets an edge has to try until the call would
//! block, or remember that it did not. A descriptor is registered at most once at a time (epoll
//! answers `AlreadyExists`; kqueue cannot tell, and would give the events to the later token).
//! A descriptor that has only one direction, such as the end of a pipe, is watched in that one.
//!
//! *Deregister* comes before `close`, always: where a duplicate of the descriptor lives on, epoll
//! keeps the registration, and the closed number can no longer name it.
//!
//! *Wait.* `None` waits for ever, `Some(Duration::ZERO)` only looks. It never returns before the
//! time is over unless something happened or a signal came; then it is `Ok` with no events. Limits
//! longer than the system can take are cut short, which looks the same. Deadlines are kept to the
//! nanosecond where the system can, and rounded up where it cannot. Nothing is allocated.
//!
//! # `Events`: the buffer `wait` fills
//! `Events::with_capacity(n)` is allocated once and used again for every wait; `iter()` gives what
//! the last wait found as [`Event`]s. What does not fit comes with the next wait.
//!
//! # `Waker`: an end to a wait, from any thread
//! | item | what it promises |
//! |---|---|
//! | `Waker::new(&Selector, token) -> io::Result<Waker>` | `Send + Sync`; one for each selector |
//! | `wake(&self) -> io::Result<()>` | the selector's present or next `wait` reports `token` |
//! | `reset(&self) -> io::Result<()>` | for the loop, each time it saw the token |
//!
//! A wake is reported once. Whoever wakes has noted before what for, where the loop looks after it
//! was reported, and before it waits again.
//!
//! Any number of `wake`s before the loop looks may be reported as one. The loop calls `reset`
//! *first* and looks for what it was woken for *after*: then a wake that comes in between either
//! has its reason found now, or is reported by the next wait. In the other order it could be lost.
//!
//! Must never: know of tasks, or of what a token means.

#[cfg(reactor = "epoll")]
pub(crate) use super::epoll::{Events, Selector, Waker};

#[cfg(reactor = "kqueue")]
pub(crate) use super::kqueue::{Events, Selector, Waker};

/// Something happened to the descriptor registered under `token`.
///
/// It says "try again now", never "this call will succeed": another reader may have been faster.
/// One descriptor may come in two events of one wait, one for each direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// The number the descriptor was registered under.
    pub(crate) token: u64,
    /// A read is worth trying: there is data, the end of it, or an error to fetch.
    pub(crate) readable: bool,
    /// A write is worth trying: there is room, or an error to fetch.
    pub(crate) writable: bool,
    /// One direction at least is finished, by the other side's doing, ours, or an error.
    ///
    /// It may be the last edge this descriptor ever makes, so whoever gets it has to remember it.
    pub(crate) closed: bool,
}

#[cfg(test)]
#[path = "selector_tests.rs"]
mod tests;
