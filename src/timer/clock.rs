//! The real clock and the virtual one, and the moments they tell.
//!
//! Moments are nanoseconds in a `u64`: 584 years. A deadline too far to count is
//! [`Instant::NEVER`], which no clock reaches.

use std::cell::Cell;
use std::fmt;
use std::ops::{Add, AddAssign, Sub, SubAssign};
use std::rc::Rc;
use std::time::Duration;

use crate::sys::clock::monotonic_nanos;

/// A moment of the clock in force: the runtime's inside a task, the system's
/// monotonic clock elsewhere.
///
/// It is `std::time::Instant` that follows the virtual clock. Moments of two
/// different clocks should not be compared.
///
/// ```
/// use std::time::Duration;
/// use greenroom::{Clock, Config, Instant, Runtime, sleep};
///
/// let mut rt = Runtime::with(Config::new().clock(Clock::virtual_()));
/// rt.run(|| {
///     let start = Instant::now();
///     sleep(Duration::from_secs(3600));
///     assert_eq!(start.elapsed(), Duration::from_secs(3600));
/// });
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// A moment that never comes.
    pub(crate) const NEVER: Self = Self(u64::MAX);

    #[cfg(test)]
    pub(crate) fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    pub(crate) fn as_nanos(self) -> u64 {
        self.0
    }

    /// Time from `earlier` to this moment; zero if `earlier` is the later one.
    #[must_use]
    pub fn duration_since(&self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// Time from `earlier` to this moment; `None` if `earlier` is the later one.
    #[must_use]
    pub fn checked_duration_since(&self, earlier: Self) -> Option<Duration> {
        self.0.checked_sub(earlier.0).map(Duration::from_nanos)
    }

    /// The moment so much later, if it can be told.
    #[must_use]
    pub fn checked_add(&self, duration: Duration) -> Option<Self> {
        let nanos = u64::try_from(duration.as_nanos()).ok()?;
        self.0.checked_add(nanos).map(Self)
    }

    /// The moment so much earlier, if it can be told.
    #[must_use]
    pub fn checked_sub(&self, duration: Duration) -> Option<Self> {
        let nanos = u64::try_from(duration.as_nanos()).ok()?;
        self.0.checked_sub(nanos).map(Self)
    }

    /// The moment so much later, or [`NEVER`](Self::NEVER).
    pub(crate) fn saturating_add(self, duration: Duration) -> Self {
        self.checked_add(duration).unwrap_or(Self::NEVER)
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    /// # Panics
    ///
    /// If the moment is too late to be told; see [`checked_add`](Self::checked_add).
    #[track_caller]
    fn add(self, duration: Duration) -> Self {
        self.checked_add(duration)
            .expect("overflow when adding a duration to an instant")
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;

    /// # Panics
    ///
    /// If the moment is too early to be told.
    #[track_caller]
    fn sub(self, duration: Duration) -> Self {
        self.checked_sub(duration)
            .expect("overflow when subtracting a duration from an instant")
    }
}

impl SubAssign<Duration> for Instant {
    fn sub_assign(&mut self, duration: Duration) {
        *self = *self - duration;
    }
}

impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.duration_since(earlier)
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::NEVER {
            f.write_str("Instant(never)")
        } else {
            write!(f, "Instant({:?})", Duration::from_nanos(self.0))
        }
    }
}

/// Where a runtime takes the time from.
///
/// Clones of a virtual clock are the same clock, so one can be kept to read it
/// after the run.
///
/// ```
/// use std::time::Duration;
/// use greenroom::{Clock, Config, Runtime, sleep};
///
/// let clock = Clock::virtual_();
/// Runtime::with(Config::new().clock(clock.clone())).run(|| sleep(Duration::from_secs(7)));
/// assert_eq!(clock.elapsed(), Duration::from_secs(7));
/// ```
#[derive(Clone)]
pub struct Clock(Kind);

#[derive(Clone)]
enum Kind {
    Real { start: u64 },
    Virtual(Rc<Cell<u64>>),
}

impl Clock {
    /// The system's monotonic clock.
    #[must_use]
    pub fn real() -> Self {
        Self(Kind::Real {
            start: monotonic_nanos(),
        })
    }

    /// A clock that stands still while any task can run, and jumps to the next
    /// deadline when all wait: an hour of sleeps takes no time. It starts at zero.
    ///
    /// A task that waits for a descriptor counts as waiting. So programs on real
    /// sockets are not exact on this clock: it may jump while bytes are on their way.
    #[must_use]
    pub fn virtual_() -> Self {
        Self(Kind::Virtual(Rc::new(Cell::new(0))))
    }

    /// Time since the clock was made; on the virtual clock, the time slept.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        match &self.0 {
            Kind::Real { start } => Duration::from_nanos(monotonic_nanos().saturating_sub(*start)),
            Kind::Virtual(now) => Duration::from_nanos(now.get()),
        }
    }

    /// Whether this is a virtual clock.
    #[must_use]
    pub fn is_virtual(&self) -> bool {
        matches!(self.0, Kind::Virtual(_))
    }

    #[inline]
    pub(crate) fn now(&self) -> Instant {
        match &self.0 {
            Kind::Real { .. } => Instant(monotonic_nanos()),
            Kind::Virtual(now) => Instant(now.get()),
        }
    }

    /// Moves a virtual clock on to `moment`, never back.
    pub(crate) fn advance_to(&self, moment: Instant) {
        if let Kind::Virtual(now) = &self.0 {
            now.set(now.get().max(moment.0));
        }
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::real()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.is_virtual() {
            "Clock::virtual"
        } else {
            "Clock::real"
        };
        write!(f, "{kind}({:?})", self.elapsed())
    }
}
