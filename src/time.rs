//! Waiting for moments: sleep, timers, intervals.

use std::cell::Cell;
use std::time::Duration;

use crate::awaitable::Awaitable;
use crate::scheduler::park;
use crate::scheduler::select::sealed::Sealed;
use crate::scheduler::select::{Arm, Entry, Selectable};
use crate::timer::{Clock, Instant};

impl Instant {
    /// Now, by the clock of the runtime that runs the caller; by the system's
    /// monotonic clock on a plain thread.
    #[must_use]
    pub fn now() -> Self {
        crate::scheduler::current::now().unwrap_or_else(|| Clock::real().now())
    }

    /// Time since this moment.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        Self::now().duration_since(*self)
    }
}

/// Waits for so long. Never less.
///
/// A duration too long to count, such as [`Duration::MAX`], waits for ever; on the
/// virtual clock, where no moment would ever wake it, such a sleep counts towards a
/// deadlock. A zero duration gives the other tasks a turn.
///
/// ```
/// use std::time::Duration;
/// use greenroom::{run, sleep};
///
/// run(|| sleep(Duration::from_millis(2))); // other tasks run meanwhile
/// sleep(Duration::from_millis(2)); // on a plain thread: blocks it
/// ```
///
/// # Scheduling
///
/// The other tasks run. Sleepers are queued in the order of their deadlines, and
/// those of equal deadlines in the order in which they fell asleep.
///
/// # Cancellation
///
/// Unwinds when the task was cancelled. While the task unwinds, it returns at once.
pub fn sleep(duration: Duration) {
    sleep_until(Instant::now().saturating_add(duration));
}

/// Waits until `deadline`. A deadline in the past gives the other tasks a turn.
///
/// # Scheduling
///
/// As [`sleep`].
///
/// # Cancellation
///
/// As [`sleep`].
pub fn sleep_until(deadline: Instant) {
    match park::current() {
        Some(task) => park::sleep_until(task, deadline),
        None => block_until(deadline),
    }
}

/// Blocks the thread until `deadline`.
fn block_until(deadline: Instant) {
    let clock = Clock::real();
    loop {
        let left = deadline.as_nanos().saturating_sub(clock.now().as_nanos());
        if left == 0 {
            return;
        }
        crate::sys::clock::sleep_nanos(if deadline == Instant::NEVER {
            u64::MAX
        } else {
            left
        });
    }
}

/// A moment to wait for, more than once if one likes.
///
/// ```
/// use std::time::Duration;
/// use greenroom::{Timer, run};
///
/// run(|| {
///     let timer = Timer::after(Duration::from_millis(1));
///     timer.wait();
///     assert!(timer.is_over());
///     timer.wait(); // over: returns at once
/// });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timer {
    deadline: Instant,
}

impl Timer {
    /// A timer for the moment so long after now.
    #[must_use]
    pub fn after(duration: Duration) -> Self {
        Self {
            deadline: Instant::now().saturating_add(duration),
        }
    }

    /// A timer for this moment.
    #[must_use]
    pub fn at(deadline: Instant) -> Self {
        Self { deadline }
    }

    /// The moment.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Whether the moment has come.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.deadline <= Instant::now()
    }

    /// Waits for the moment.
    ///
    /// # Scheduling
    ///
    /// As [`sleep`].
    ///
    /// # Cancellation
    ///
    /// As [`sleep`].
    pub fn wait(&self) {
        sleep_until(self.deadline);
    }
}

/// A timer as an arm of `select!`.
#[doc(hidden)]
#[derive(Debug)]
pub struct TimerArm {
    deadline: Instant,
    /// Whether it is `default(..)`: never before an arm that is ready.
    is_default: bool,
    /// Whether the other arms were asked.
    asked: Cell<bool>,
}

impl Selectable for Timer {
    type Output = ();
    type Arm = TimerArm;

    fn into_arm(self) -> TimerArm {
        TimerArm {
            deadline: self.deadline,
            is_default: false,
            asked: Cell::new(true),
        }
    }

    fn finish(_arm: &mut TimerArm) {}
}

impl Selectable for &Timer {
    type Output = ();
    type Arm = TimerArm;

    fn into_arm(self) -> TimerArm {
        (*self).into_arm()
    }

    fn finish(_arm: &mut TimerArm) {}
}

/// The arm `default(limit)`: a timer that never comes before an arm that is ready.
#[doc(hidden)]
#[derive(Debug)]
pub struct Otherwise(Timer);

/// The arm `default(limit)`.
#[doc(hidden)]
#[must_use]
pub fn otherwise(limit: Duration) -> Otherwise {
    Otherwise(Timer::after(limit))
}

impl Selectable for Otherwise {
    type Output = ();
    type Arm = TimerArm;

    fn into_arm(self) -> TimerArm {
        TimerArm {
            deadline: self.0.deadline,
            is_default: true,
            asked: Cell::new(false),
        }
    }

    fn finish(_arm: &mut TimerArm) {}
}

/// The next tick as an arm of `select!`.
#[doc(hidden)]
#[derive(Debug)]
pub struct TickArm<'a> {
    interval: &'a mut Interval,
    timer: TimerArm,
}

/// `wait(&mut ticks) -> due`: a tick that is not chosen is not lost.
impl<'a> Selectable for &'a mut Interval {
    type Output = Instant;
    type Arm = TickArm<'a>;

    fn into_arm(self) -> TickArm<'a> {
        let timer = Timer::at(self.next).into_arm();
        TickArm {
            interval: self,
            timer,
        }
    }

    fn finish(arm: &mut TickArm<'a>) -> Instant {
        let due = arm.interval.next;
        arm.interval.take(Instant::now());
        due
    }
}

impl Sealed for TickArm<'_> {}

impl Arm for TickArm<'_> {
    fn poll(&self) -> bool {
        self.timer.poll()
    }

    fn enter<'a>(&'a self, entry: Entry<'a>) -> bool {
        self.timer.enter(entry)
    }

    fn leave(&self) {
        self.timer.leave();
    }

    fn interrupt(&self) -> bool {
        self.timer.interrupt()
    }
}

impl Sealed for TimerArm {}

impl Arm for TimerArm {
    fn poll(&self) -> bool {
        self.asked.get() && self.deadline <= Instant::now()
    }

    fn enter<'a>(&'a self, entry: Entry<'a>) -> bool {
        entry.until(self.deadline);
        self.asked.set(true);
        true
    }

    fn leave(&self) {}

    fn is_last(&self) -> bool {
        self.is_default
    }

    fn interrupt(&self) -> bool {
        true
    }
}

/// What an [`Interval`] does about ticks that passed while nobody waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MissedTick {
    /// Gives them at once, one after the other, until it has caught up.
    #[default]
    Burst,
    /// Gives one at once, and counts the period from then.
    Delay,
    /// Gives one at once, and goes on with the next multiple of the period.
    Skip,
}

/// Ticks at a fixed period: see [`interval`].
#[derive(Debug)]
pub struct Interval {
    period: Duration,
    next: Instant,
    missed: MissedTick,
}

/// Ticks every `period`; the first tick comes at once.
///
/// ```
/// use std::time::Duration;
/// use greenroom::{Clock, Config, Instant, Runtime, interval};
///
/// Runtime::with(Config::new().clock(Clock::virtual_())).run(|| {
///     let start = Instant::now();
///     let mut ticks = interval(Duration::from_secs(10));
///     ticks.tick();
///     ticks.tick();
///     ticks.tick();
///     assert_eq!(start.elapsed(), Duration::from_secs(20));
/// });
/// ```
///
/// # Panics
///
/// If the period is zero.
#[must_use]
#[track_caller]
pub fn interval(period: Duration) -> Interval {
    assert!(
        !period.is_zero(),
        "an interval needs a period longer than zero"
    );
    Interval {
        period,
        next: Instant::now(),
        missed: MissedTick::default(),
    }
}

impl Interval {
    /// Sets what is done about missed ticks.
    #[must_use]
    pub fn missed_tick(mut self, missed: MissedTick) -> Self {
        self.missed = missed;
        self
    }

    /// The period.
    #[must_use]
    pub fn period(&self) -> Duration {
        self.period
    }

    /// Waits for the next tick, and returns the moment it was due.
    ///
    /// # Scheduling
    ///
    /// As [`sleep`]. A tick that is due already gives the other tasks a turn.
    ///
    /// # Cancellation
    ///
    /// As [`sleep`]; the tick is not lost: one that was cut short comes again.
    pub fn tick(&mut self) -> Instant {
        let due = self.next;
        sleep_until(due);
        self.take(Instant::now());
        due
    }

    /// Goes on to the next tick, if this one has come.
    fn take(&mut self, now: Instant) {
        let due = self.next;
        if now < due {
            return;
        }
        self.next = match self.missed {
            MissedTick::Burst => due.saturating_add(self.period),
            MissedTick::Delay => now.max(due).saturating_add(self.period),
            MissedTick::Skip => next_multiple(due, self.period, now),
        };
    }
}

/// The first of `due`, `due + period`, ... that lies after `now`, and after `due`.
fn next_multiple(due: Instant, period: Duration, now: Instant) -> Instant {
    let late = now.duration_since(due).as_nanos();
    let steps = late / period.as_nanos() + 1;
    let nanos = steps.saturating_mul(period.as_nanos());
    due.saturating_add(Duration::from_nanos(
        u64::try_from(nanos).unwrap_or(u64::MAX),
    ))
}

/// See [`Timer::wait`].
impl Awaitable for Timer {
    type Output = ();

    fn wait(self) {
        Timer::wait(&self);
    }
}

/// Waits for the next tick: see [`Interval::tick`].
///
/// ```
/// use std::time::Duration;
/// use greenroom::{Awaitable, Instant, interval, run};
///
/// run(|| {
///     let mut ticks = interval(Duration::from_millis(1));
///     let first: Instant = (&mut ticks).wait();
///     let second = ticks.tick();
///     assert_eq!(second.duration_since(first), Duration::from_millis(1));
/// });
/// ```
impl Awaitable for &mut Interval {
    type Output = Instant;

    fn wait(self) -> Instant {
        self.tick()
    }
}
