//! The monotonic clock and a plain sleep, both in nanoseconds.
//!
//! The scheduler counts time in these numbers, so that a virtual clock can take their place. The clock is
//! the one that waits of the selector are measured by, and the one behind `std::time::Instant`.
//!
//! Must never: go backwards, or know of tasks: `sleep_nanos` blocks the whole OS thread.
#![expect(
    unsafe_code,
    reason = "the system calls for the clock and for sleeping"
)]

use super::check::check;

/// On Apple's systems `CLOCK_MONOTONIC` counts microseconds only, and goes on while the machine sleeps,
/// when no time limit of a wait does.
#[cfg(target_vendor = "apple")]
const CLOCK: libc::clockid_t = libc::CLOCK_UPTIME_RAW;
#[cfg(not(target_vendor = "apple"))]
const CLOCK: libc::clockid_t = libc::CLOCK_MONOTONIC;

/// The longest sleep no system refuses, in seconds: three years.
const LONGEST_SECONDS: u64 = 100_000_000;

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// Nanoseconds since some moment before the program began. Never goes backwards.
///
/// # Panics
/// If the system has no such clock, which no supported system lacks.
pub(crate) fn monotonic_nanos() -> u64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the structure is ours to write for the length of the call.
    let read = check(unsafe { libc::clock_gettime(CLOCK, &raw mut now) });
    read.expect("every supported system has a monotonic clock");
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(now.tv_nsec).unwrap_or(0);
    seconds
        .saturating_mul(NANOS_PER_SECOND)
        .saturating_add(nanos)
}

/// Blocks the OS thread for so many nanoseconds; `u64::MAX` is very long.
///
/// Returns early if a signal comes, so whoever must not wake early looks at the clock again.
pub(crate) fn sleep_nanos(nanos: u64) {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let seconds = (nanos / NANOS_PER_SECOND).min(LONGEST_SECONDS);
    time.tv_sec = libc::time_t::try_from(seconds).unwrap_or(libc::time_t::MAX);
    time.tv_nsec = libc::c_long::try_from(nanos % NANOS_PER_SECOND).unwrap_or(0);
    if seconds == LONGEST_SECONDS {
        time.tv_nsec = 0;
    }
    // The only failures are a signal, which the contract allows, and times we do not pass.
    // SAFETY: the time outlives the call; a null pointer says that the rest is of no interest.
    unsafe { libc::nanosleep(&raw const time, std::ptr::null_mut()) };
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{monotonic_nanos, sleep_nanos};

    #[test]
    fn the_clock_never_goes_backwards() {
        let mut last = monotonic_nanos();
        for _ in 0..10_000 {
            let now = monotonic_nanos();
            assert!(now >= last);
            last = now;
        }
    }

    #[test]
    fn a_sleep_is_not_too_short_and_agrees_with_the_clock_of_std() {
        let (ours, of_std) = (monotonic_nanos(), Instant::now());
        while of_std.elapsed() < Duration::from_millis(2) {
            sleep_nanos(2_000_000);
        }
        assert!(monotonic_nanos() - ours >= 2_000_000);
    }

    #[test]
    fn no_time_at_all_is_no_wait_for_ever() {
        sleep_nanos(0);
    }
}
