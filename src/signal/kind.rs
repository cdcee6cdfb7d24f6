//! Which signal.

use std::fmt;

use crate::sys::signals;

/// A signal: a number of the system's, with a name. It may stand in a `match`.
///
/// ```
/// use greenroom::signal::SignalKind;
///
/// assert_eq!(SignalKind::TERMINATE.to_string(), "SIGTERM");
/// assert_eq!(SignalKind::from_raw(15), SignalKind::TERMINATE);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SignalKind(i32);

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $number:ident;)*) => {$(
        $(#[$doc])*
        pub const $name: Self = Self(signals::$number);
    )*};
}

impl SignalKind {
    kinds! {
        /// `SIGALRM`: a timer of the system's has ended.
        ALARM = SIGALRM;
        /// `SIGCHLD`: a child process has ended, or stopped.
        CHILD = SIGCHLD;
        /// `SIGHUP`: the terminal is gone. Daemons read their configuration again.
        HANGUP = SIGHUP;
        /// `SIGINT`: Ctrl-C.
        INTERRUPT = SIGINT;
        /// `SIGIO`: a descriptor is ready.
        IO = SIGIO;
        /// `SIGPIPE`: a write nobody can read. Rust programs ignore it from the start.
        PIPE = SIGPIPE;
        /// `SIGQUIT`: Ctrl-\\, which asks for a core dump.
        QUIT = SIGQUIT;
        /// `SIGTERM`: a polite request to end.
        TERMINATE = SIGTERM;
        /// `SIGUSR1`: means what the program says.
        USER_DEFINED1 = SIGUSR1;
        /// `SIGUSR2`: means what the program says.
        USER_DEFINED2 = SIGUSR2;
        /// `SIGWINCH`: the terminal has another size.
        WINDOW_CHANGE = SIGWINCH;
    }

    /// The signal with this number, such as a real-time one. Whether there is one, and whether it can be
    /// waited for, [`Signals::new`](super::Signals::new) says.
    #[must_use]
    pub const fn from_raw(number: i32) -> Self {
        Self(number)
    }

    /// Its number.
    #[must_use]
    pub const fn as_raw(self) -> i32 {
        self.0
    }
}

impl fmt::Display for SignalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&signals::Name(self.0), f)
    }
}

impl fmt::Debug for SignalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&signals::Name(self.0), f)
    }
}
