//! Anything with a descriptor, waiting instead of blocking: pipes, terminals, timers of the kernel, other
//! libraries' sockets, standard input and output.
//!
//! | you have | take |
//! |---|---|
//! | something with a descriptor: a pipe, a terminal, an inotify, another library's socket | [`Async`] |
//! | two ends to connect with another process | [`pipe`] |
//! | the input and output of the program itself | [`stdin`], [`stdout`], [`stderr`] |
//! | code that is driven by events, or a C library, that wants a descriptor that does not wait | [`NonBlocking`] |
//! | a reader and a writer | [`copy`] |
//! | two streams to connect with each other | [`copy_bidirectional`](crate::copy_bidirectional) |
//! | a disk file, or a device that is always ready | [`unblock`](crate::unblock) |
//!
//! Reading and writing are std's traits, [`Read`](std::io::Read) and [`Write`](std::io::Write), so whatever takes
//! a reader or a writer takes these. A call that has to wait lets the other tasks of its thread run; called
//! on a plain thread, it blocks that thread.
//!
//! ```
//! use std::io::{BufRead, BufReader, Write};
//! use greenroom::io::pipe;
//! use greenroom::{run, spawn};
//!
//! let lines = run(|| {
//!     let (reader, mut writer) = pipe()?;
//!     spawn(move || {
//!         for n in 1..=3 {
//!             writeln!(writer, "line {n}")?; // waits while the pipe is full
//!         }
//!         Ok::<(), std::io::Error>(())
//!     });
//!     BufReader::new(reader).lines().collect::<Result<Vec<_>, _>>()
//! })?;
//! assert_eq!(lines, ["line 1", "line 2", "line 3"]);
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! [`copy_bidirectional`](crate::copy_bidirectional) is at the root of the crate, and not here, since it is made of two
//! tasks: `use greenroom::copy_bidirectional`.
//!
//! # Limits of time
//!
//! None of these calls has one of its own: put [`timeout`](crate::timeout) around it. A read or write that gives up has
//! taken nothing.
//!
//! # The flag `O_NONBLOCK`
//!
//! It belongs to the open file, which other descriptors and other processes may share. So each type says when it
//! sets the flag, and gives the descriptor back as it came; standard input and output do without it.

// Must never: know what a descriptor is good for. Sockets, processes and signals are rooms above.

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
