//! The operating system: every `libc::` call of the crate, and nothing else.
//!
//! What the rooms above need is offered here in plain terms: stack memory,
//! the line printed when a stack overflows, a selector of descriptors, socket
//! calls, a clock, what threads share. Nothing here knows of tasks or coroutines.

#[cfg(stacks = "slab")]
mod check;
#[cfg(all(feature = "runtime", stacks = "slab"))]
pub(crate) mod clock;
#[cfg(all(feature = "net", any(reactor = "epoll", reactor = "kqueue")))]
pub(crate) mod datagram;
#[cfg(all(feature = "io", any(reactor = "epoll", reactor = "kqueue")))]
pub(crate) mod descriptor;
#[cfg(all(feature = "runtime", reactor = "epoll"))]
mod epoll;
#[cfg(stacks = "slab")]
pub(crate) mod fault;
#[cfg(all(feature = "signal", any(reactor = "epoll", reactor = "kqueue")))]
mod handlers;
#[cfg(all(feature = "runtime", reactor = "kqueue"))]
mod kqueue;
#[cfg(all(feature = "io", any(reactor = "epoll", reactor = "kqueue")))]
pub(crate) mod nowait;
#[cfg(all(feature = "io", any(reactor = "epoll", reactor = "kqueue")))]
pub(crate) mod pipe;
#[cfg(all(feature = "process", any(reactor = "epoll", reactor = "kqueue")))]
pub(crate) mod process;
#[cfg(all(feature = "runtime", race_detector))]
mod pthread;
#[cfg(all(feature = "runtime", any(reactor = "epoll", reactor = "kqueue")))]
pub(crate) mod selector;
#[cfg(all(feature = "net", any(reactor = "epoll", reactor = "kqueue")))]
pub(crate) mod send_file;
#[cfg(all(feature = "signal", any(reactor = "epoll", reactor = "kqueue")))]
pub(crate) mod signals;
#[cfg(stacks = "slab")]
pub(crate) mod slab;
#[cfg(all(feature = "net", any(reactor = "epoll", reactor = "kqueue")))]
pub(crate) mod socket;
pub(crate) mod stack;
#[cfg(feature = "runtime")]
pub(crate) mod threads;

#[cfg(stacks = "slab")]
pub(crate) use check::check;
