//! Anything with a descriptor, waiting instead of blocking: [`Async`] for pipes, terminals, timers and other
//! libraries' sockets, and [`NonBlocking`] views for code that is driven by events.
//!
//! A call that has to wait lets the other tasks of its thread run; called on a plain thread, it blocks
//! that thread. Traits are std's: [`Read`](std::io::Read) and [`Write`](std::io::Write).

mod async_fd;
mod by_reference;
mod copy;
pub(crate) mod descriptor;
mod nonblocking;
mod pipe;
mod select;
mod settings;
mod standard;

pub use async_fd::Async;
pub use copy::{CloseWrite, copy};
pub use nonblocking::{NonBlocking, nonblocking};
pub use pipe::{PipeReader, PipeWriter, pipe};
pub use standard::{Lines, Stderr, Stdin, Stdout, stderr, stdin, stdout};

/// What `select!` makes of descriptors.
pub(crate) mod arms {
    pub use super::by_reference::{ReadByReference, WriteByReference};
    pub use super::nonblocking::Lend;
    pub use super::select::{Readable, ReadyArm, Watch, Watched, Writable};
}

pub(crate) use select::{Watch, Watched};

// Must never: know of what a descriptor is good for. Sockets, processes and signals are rooms above.
