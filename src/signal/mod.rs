//! Signals of the process, such as Ctrl-C, waited for by tasks.
//!
//! A receiver says which signals it wants; from then on they no longer do what they did by themselves,
//! such as ending the process, but are there to be received.
//!
//! ```no_run
//! use greenroom::signal::{SignalKind, Signals};
//! use greenroom::{run, spawn};
//!
//! run(|| {
//!     let signals = Signals::new([SignalKind::INTERRUPT, SignalKind::TERMINATE])?;
//!     let server = spawn(|| { /* accept, and so on */ });
//!     let kind = signals.recv()?;
//!     println!("{kind}: closing");
//!     server.cancel();
//!     Ok::<(), std::io::Error>(())
//! })?;
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # What to know
//!
//! - Every receiver gets every signal it asked for, in whatever runtime or thread it is. A signal that comes
//!   when nobody waits is kept until somebody does. Several of one kind are kept as one, as the
//!   system does itself; different kinds come out in the order in which they came.
//! - The first receiver of a kind replaces what the system does by itself, for the rest of
//!   the process: when all receivers are dropped, the signal is ignored. A handler somebody else had installed
//!   is still called, before.
//! - Who puts the system's own behaviour back by other means takes the signal from all receivers, until the next
//!   one of that kind is made. Who installs another handler takes it for good, unless that handler calls the one
//!   before it.
//! - The handler runs on whatever thread the system picks. It sets a flag and wakes the receiver, no
//!   more; it runs on the thread's alternate signal stack, so no task needs room for it.
//! - Signals that say that the program is broken (`SIGSEGV`, `SIGBUS`, `SIGILL`, `SIGFPE`), and those
//!   that cannot be caught (`SIGKILL`, `SIGSTOP`), cannot be received.
//! - System calls of this crate that a signal interrupts are made again.
//! - Programs started by this one have the system's own behaviour again, except for what is ignored.
//! - A virtual clock does not wait for signals: if nothing else is ready, it goes on to the next moment.

mod arm;
mod kind;

use std::fmt;
use std::io;
use std::iter::FusedIterator;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use crate::io::descriptor::Descriptor;
use crate::scheduler::io::Direction;
use crate::sys::signals::{Bell, Registration};

pub use kind::SignalKind;

/// What `select!` makes of receivers.
pub(crate) mod arms {
    pub use super::arm::SignalArm;
}

/// Waits for Ctrl-C (`SIGINT`).
///
/// Only one that comes during the call counts; [`Signals`] keeps them between calls. Afterwards, as
/// after dropping `Signals`, Ctrl-C no longer ends the process by itself: wait for a second one
/// where ending takes long.
///
/// ```no_run
/// use greenroom::{signal, run};
///
/// run(|| {
///     signal::ctrl_c()?;
///     println!("good bye");
///     Ok::<(), std::io::Error>(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
///
/// As [`Signals::new`] and [`Signals::recv`].
///
/// # Scheduling
///
/// As [`Signals::recv`].
///
/// # Cancellation
///
/// As [`Signals::recv`].
pub fn ctrl_c() -> io::Result<()> {
    Signals::new([SignalKind::INTERRUPT])?.recv().map(drop)
}

/// A receiver of signals of the process. See the [module](self).
///
/// It may be used by several threads and tasks at once, by reference; each signal it gets goes to one of
/// them.
///
/// ```
/// use std::time::Duration;
/// use greenroom::signal::{SignalKind, Signals};
/// use greenroom::{run, select};
///
/// run(|| {
///     let signals = Signals::new([SignalKind::WINDOW_CHANGE])?;
///     let got = select! {
///         recv(signals) -> kind => Some(kind?),
///         after(Duration::from_millis(1)) => None,
///     };
///     assert_eq!(got, None);
///     assert_eq!(signals.try_recv(), None);
///     Ok::<(), std::io::Error>(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Signals {
    // Dropped first: then no handler rings any more.
    registrations: Vec<Registration>,
    bell: Arc<Bell>,
    ear: Descriptor<UnixStream>,
    kinds: Vec<SignalKind>,
}

impl Signals {
    /// Begins to receive these signals. None that comes from now on is lost.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a signal that does not exist or [cannot be received](self#what-to-know); `ResourceBusy`
    /// for one whose handler somebody else has replaced since it was received here first; what the system says, if
    /// the process has no descriptor left. Nothing is received then, and all signals do what they did before.
    pub fn new(kinds: impl IntoIterator<Item = SignalKind>) -> io::Result<Self> {
        let mut different: Vec<SignalKind> = Vec::new();
        for kind in kinds {
            if !different.contains(&kind) {
                different.push(kind);
            }
        }
        // Before anything is changed: what cannot be had must not cost the others.
        for kind in &different {
            Registration::check(kind.as_raw())?;
        }
        let (bell, ear) = Bell::new(different.len())?;
        let mut signals = Self {
            registrations: Vec::with_capacity(different.len()),
            bell: Arc::new(bell),
            ear: Descriptor::new(ear),
            kinds: different,
        };
        for (index, kind) in (0..).zip(&signals.kinds) {
            let registration = Registration::new(kind.as_raw(), &signals.bell, index)?;
            signals.registrations.push(registration);
        }
        Ok(signals)
    }

    /// Waits for the next signal.
    ///
    /// # Errors
    ///
    /// If the runtime cannot watch one descriptor more; with [`Delivery::Error`](crate::Delivery::Error) or
    /// while the task unwinds, when it is cancelled.
    ///
    /// # Scheduling
    ///
    /// If a signal has come it is returned at once; one of every 128 calls lets the other tasks run
    /// first. Else the others run until one comes. Tasks of one runtime that wait are served in order.
    ///
    /// # Cancellation
    ///
    /// Unwinds when the task was cancelled, and has taken no signal then.
    pub fn recv(&self) -> io::Result<SignalKind> {
        self.ear
            .transfer(Direction::Read, |_| false, |_| self.take())
    }

    /// The next signal, if one has come. Never waits.
    #[must_use = "a signal that is taken and not looked at is lost"]
    pub fn try_recv(&self) -> Option<SignalKind> {
        self.take().ok()
    }

    /// The signals, one after the other, each waited for. It ends when [`recv`](Self::recv) fails.
    ///
    /// ```no_run
    /// use greenroom::signal::{SignalKind, Signals};
    ///
    /// for kind in &Signals::new([SignalKind::HANGUP])? {
    ///     println!("{kind}: reading the configuration again");
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn iter(&self) -> Iter<'_> {
        Iter(Some(self))
    }

    /// Takes a signal, or fails with `WouldBlock`.
    fn take(&self) -> io::Result<SignalKind> {
        loop {
            let index = self.bell.hear(self.ear.std())?;
            if let Some(kind) = self.kinds.get(index) {
                return Ok(*kind);
            }
        }
    }

    /// It was taken, and nobody got it.
    fn put_back(&self, kind: SignalKind) {
        for (index, other) in (0..).zip(&self.kinds) {
            if *other == kind {
                self.bell.ring(index);
            }
        }
    }
}

impl fmt::Debug for Signals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Signals").field(&self.kinds).finish()
    }
}

/// Signals, one after the other: [`Signals::iter`].
#[derive(Debug)]
pub struct Iter<'a>(Option<&'a Signals>);

impl Iterator for Iter<'_> {
    type Item = SignalKind;

    fn next(&mut self) -> Option<SignalKind> {
        let next = self.0?.recv().ok();
        if next.is_none() {
            self.0 = None;
        }
        next
    }
}

impl FusedIterator for Iter<'_> {}

impl<'a> IntoIterator for &'a Signals {
    type Item = SignalKind;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}
