//! Signals of the process: the handler, and what it does.
//!
//! The handlers of all receivers share one place per signal in the process, and one may run on any
//! thread at any moment, also while another thread unregisters it. That place, and the promise that
//! nothing is freed while a handler looks at it, come from `signal-hook-registry`; here is what
//! a handler does: it sets a flag and writes one byte.
//!
//! ```text
//!   handler    flag of the signal set already?  then it is on its way
//!              set it, write the signal's index into the socket
//!   receiver   read a byte; its flag not set?   a forked child of ours wrote it: forget it
//!              clear the flag: this signal came
//! ```
//!
//! So the socket never holds more bytes than there are signals, and gives them in the order in which they came.
//!
//! Must never: do in a handler what is not async-signal-safe (allocate, lock, panic).
#![expect(unsafe_code, reason = "installs signal handlers")]

use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook_registry::SigId;

use super::check::retry;
use super::handlers;

pub(crate) use libc::{
    SIGALRM, SIGCHLD, SIGHUP, SIGINT, SIGIO, SIGPIPE, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH,
};

/// What the handlers of one receiver ring.
#[derive(Debug)]
pub(crate) struct Bell {
    /// For each signal of the receiver, whether its byte is on its way.
    told: Box<[AtomicBool]>,
    end: UnixStream,
}

impl Bell {
    /// A bell for so many signals, and the end at which it is heard. Neither end ever blocks.
    ///
    /// # Errors
    ///
    /// If the process has no descriptor left.
    pub(crate) fn new(signals: usize) -> io::Result<(Self, UnixStream)> {
        let (end, ear) = UnixStream::pair()?;
        end.set_nonblocking(true)?;
        ear.set_nonblocking(true)?;
        let told = (0..signals).map(|_| AtomicBool::new(false)).collect();
        Ok((Self { told, end }, ear))
    }

    /// Tells of the signal with this index, unless that is still to be heard. Async-signal-safe.
    pub(crate) fn ring(&self, index: u8) {
        let Some(told) = self.told.get(usize::from(index)) else {
            return;
        };
        if told.swap(true, Ordering::AcqRel) {
            return;
        }
        let written = retry(|| {
            // SAFETY: one byte is passed, which lives for the call; the descriptor is ours, so it is open.
            unsafe { libc::write(self.end.as_raw_fd(), ptr::from_ref(&index).cast(), 1) }
        });
        if written.is_err() {
            told.store(false, Ordering::Release);
        }
    }

    /// The index of the next signal that came.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if there is none.
    pub(crate) fn hear(&self, mut ear: &UnixStream) -> io::Result<usize> {
        let mut byte = [0];
        loop {
            match ear.read(&mut byte) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            let index = usize::from(byte[0]);
            // Cleared before anybody acts on it: what comes from now on is told again.
            let told = self.told.get(index);
            if told.is_some_and(|told| told.swap(false, Ordering::AcqRel)) {
                return Ok(index);
            }
        }
    }
}

/// One signal that rings a bell. It no longer does when this is dropped.
#[derive(Debug)]
pub(crate) struct Registration(SigId);

impl Registration {
    /// Whether `signal` can be made to ring. Changes nothing.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for signals that cannot be handled in this way, or that do not exist; `ResourceBusy` if
    /// another handler has replaced ours.
    pub(crate) fn check(signal: i32) -> io::Result<()> {
        // A handler that returns from a fault of the program meets the same fault again.
        if signal_hook_registry::FORBIDDEN.contains(&signal) || signal == libc::SIGBUS {
            return Err(refused(signal));
        }
        handlers::check_for(signal).map_err(|error| told(signal, error))
    }

    /// Makes `signal` ring, which was checked before.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check), if the handler was replaced in between.
    pub(crate) fn new(signal: i32, bell: &Arc<Bell>, index: u8) -> io::Result<Self> {
        let bell = Arc::clone(bell);
        let registered = handlers::install(signal, || {
            // SAFETY: the action touches an atomic and writes to a descriptor that never blocks, and no more.
            unsafe { signal_hook_registry::register(signal, move || bell.ring(index)) }.map(Self)
        });
        registered.map_err(|error| told(signal, error))
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        signal_hook_registry::unregister(self.0);
    }
}

fn refused(signal: i32) -> io::Error {
    let text = format!("{} cannot be waited for", Name(signal));
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

/// What the system says of a signal that does not exist, with its name.
fn told(signal: i32, error: io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(libc::EINVAL) => refused(signal),
        _ => error,
    }
}

/// What a signal is called.
pub(crate) struct Name(pub(crate) i32);

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = match self.0 {
            SIGALRM => "SIGALRM",
            libc::SIGBUS => "SIGBUS",
            SIGCHLD => "SIGCHLD",
            libc::SIGFPE => "SIGFPE",
            SIGHUP => "SIGHUP",
            libc::SIGILL => "SIGILL",
            SIGINT => "SIGINT",
            SIGIO => "SIGIO",
            libc::SIGKILL => "SIGKILL",
            SIGPIPE => "SIGPIPE",
            SIGQUIT => "SIGQUIT",
            libc::SIGSEGV => "SIGSEGV",
            libc::SIGSTOP => "SIGSTOP",
            SIGTERM => "SIGTERM",
            SIGUSR1 => "SIGUSR1",
            SIGUSR2 => "SIGUSR2",
            SIGWINCH => "SIGWINCH",
            other => return write!(f, "signal {other}"),
        };
        f.write_str(name)
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::Bell;

    #[test]
    fn each_signal_is_told_once_until_it_is_heard_in_the_order_of_coming() {
        let (bell, ear) = Bell::new(3).unwrap();
        for index in [2, 0, 2, 2, 1, 0] {
            bell.ring(index);
        }
        assert_eq!(bell.hear(&ear).unwrap(), 2);
        bell.ring(2);
        let rest: Vec<usize> = std::iter::from_fn(|| bell.hear(&ear).ok()).collect();
        assert_eq!(rest, [0, 1, 2]);
        let nothing = bell.hear(&ear).unwrap_err();
        assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn a_byte_that_nobody_told_of_here_is_forgotten() {
        let (bell, ear) = Bell::new(2).unwrap();
        // A forked child has flags of its own, and this socket.
        std::io::Write::write_all(&mut &bell.end, &[1, 200]).unwrap();
        bell.ring(0);
        assert_eq!(bell.hear(&ear).unwrap(), 0);
        assert!(bell.hear(&ear).is_err());
        bell.ring(1);
        assert_eq!(bell.hear(&ear).unwrap(), 1);
    }
}
