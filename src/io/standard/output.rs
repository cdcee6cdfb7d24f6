//! Standard output and standard error.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use super::{Stream, where_closed};
use crate::scheduler::io::Direction;
use crate::sys::nowait;

static STDOUT: Stream = Stream::new();
static STDERR: Stream = Stream::new();

/// The standard output of this process: see [`Stdout`].
#[must_use]
pub fn stdout() -> Stdout {
    Stdout(io::stdout())
}

/// The standard error of this process: see [`Stderr`].
#[must_use]
pub fn stderr() -> Stderr {
    Stderr(io::stderr())
}

fn write(stream: &'static Stream, fd: BorrowedFd<'_>, buf: &[u8]) -> io::Result<usize> {
    let attempt = || nowait::write(fd, buf, &stream.refused);
    where_closed(stream.transfer(fd, Direction::Write, attempt), buf.len())
}

fn whole(text: fmt::Arguments<'_>) -> io::Result<String> {
    let mut whole = String::new();
    match fmt::Write::write_fmt(&mut whole, text) {
        Ok(()) => Ok(whole),
        Err(fmt::Error) => Err(io::Error::other("a formatting trait implementation failed")),
    }
}

macro_rules! output {
    ($(#[$doc:meta])* $name:ident, $stream:ident) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name(io::$name);

        impl $name {
            /// Whether it is a terminal. [`IsTerminal`] cannot be implemented outside of std.
            #[must_use]
            pub fn is_terminal(&self) -> bool {
                self.0.is_terminal()
            }
        }

        impl Write for $name {
            fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
                write(&$stream, self.0.as_fd(), buf)
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }

            /// In one piece, and not bit by bit.
            fn write_fmt(&mut self, text: fmt::Arguments<'_>) -> io::Result<()> {
                self.write_all(whole(text)?.as_bytes())
            }
        }

        impl Write for &$name {
            fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
                write(&$stream, self.0.as_fd(), buf)
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }

            /// In one piece, and not bit by bit.
            fn write_fmt(&mut self, text: fmt::Arguments<'_>) -> io::Result<()> {
                self.write_all(whole(text)?.as_bytes())
            }
        }

        impl AsFd for $name {
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.0.as_fd()
            }
        }

        impl AsRawFd for $name {
            fn as_raw_fd(&self) -> RawFd {
                self.0.as_raw_fd()
            }
        }
    };
}

output! {
    /// The standard output of this process, waiting while nobody takes what is written.
    ///
    /// ```
    /// use std::io::{BufWriter, Write};
    ///
    /// greenroom::run(|| {
    ///     let mut out = BufWriter::new(greenroom::io::stdout());
    ///     for n in 1..=3 {
    ///         writeln!(out, "{n}")?;
    ///     }
    ///     out.flush()
    /// })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// What `write!` and `writeln!` are given goes out as one piece, so lines of several tasks do not mix: into a pipe up to
    /// 4 KiB on Linux (`PIPE_BUF`), into a file at any length.
    ///
    /// It has no buffer: each write is a system call, so wrap it in a [`BufWriter`](std::io::BufWriter) or a
    /// [`LineWriter`](std::io::LineWriter) where there are many. `print!` writes into a buffer of std's: what
    /// was printed before comes before only if [`std::io::stdout`] was flushed. `print!` itself
    /// blocks the thread while a pipe is full, and so do `eprint!` and the message of a panic.
    ///
    /// # The descriptor
    ///
    /// Nothing of it is changed: it belongs to other processes, too. Where the system cannot write to it
    /// without waiting (terminals and named pipes; on systems other than Linux, and Linux before 6.4, pipes
    /// as well), it is asked whether there is room, and then a small piece is written. If another
    /// process fills the room in between, or a terminal has less of it than that, the thread blocks until there
    /// is more.
    ///
    /// # Errors
    ///
    /// What the system says; never `WouldBlock` or `Interrupted`. If the descriptor is closed, all is thrown away,
    /// as with std.
    ///
    /// # Scheduling
    ///
    /// Where there is room a write goes on at once; one of every 128 lets the other tasks run first. Else the
    /// others run until there is. Tasks that wait are served in order.
    ///
    /// # Cancellation
    ///
    /// A write that is cancelled unwinds, and has written nothing. `write_all` and `write!` may have got some way.
    /// While the task unwinds, a write that would have to wait returns an error of kind `Other`.
    Stdout, STDOUT
}

output! {
    /// The standard error of this process, waiting while nobody takes what is written. As [`Stdout`] in all.
    ///
    /// ```
    /// use std::io::Write;
    ///
    /// greenroom::run(|| writeln!(greenroom::io::stderr(), "something is odd"))?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    Stderr, STDERR
}
