//! Schedules to test with.

use crate::scheduler::{ReadyTask, Schedule};

/// The schedule of ordinary runs: whoever has been ready longest is next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RoundRobin;

impl Schedule for RoundRobin {
    fn next(&mut self, _ready: &[ReadyTask]) -> usize {
        0
    }
}

/// Any ready task with equal chance, from a seed: the same seed, the same
/// choices.
///
/// ```
/// use greenroom::testing::{self, Random};
/// use greenroom::{spawn, yield_now};
///
/// let program = || {
///     for _ in 0..4 {
///         spawn(yield_now);
///     }
///     yield_now();
/// };
/// let one = testing::run(Random(7), program);
/// let two = testing::run(Random::seeded(7), program);
/// assert_eq!(one.trace(), two.trace());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Random(
    /// The seed; it moves on with each choice.
    pub u64,
);

impl Random {
    /// From this seed.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number of the SplitMix64 sequence (Steele, Lea, Flood 2014).
    fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

impl Schedule for Random {
    fn next(&mut self, ready: &[ReadyTask]) -> usize {
        let count = u64::try_from(ready.len()).unwrap_or(u64::MAX);
        usize::try_from(self.number() % count).unwrap_or(0)
    }
}

/// A written list of choices: each is taken modulo the number of ready tasks.
/// Once it is used up, round robin goes on.
///
/// Lists shrink: a shorter one, or one with smaller numbers, is closer to round
/// robin. So a failing schedule found by a property test shrinks to the few
/// choices that matter. Draw the numbers from a small range: taken modulo the
/// number of ready tasks, large ones do not shrink.
///
/// ```
/// use greenroom::testing::{self, Choices};
/// use proptest::prelude::{prop, prop_assert_eq, proptest};
///
/// proptest!(|(choices in prop::collection::vec(0u32..8, 0..40))| {
///     let report = testing::run(Choices(choices), || greenroom::spawn(|| 5).join().unwrap());
///     prop_assert_eq!(report.value, 5);
/// });
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Choices(
    /// The choices, first to last.
    pub Vec<u32>,
);

impl Schedule for Choices {
    fn next(&mut self, ready: &[ReadyTask]) -> usize {
        if self.0.is_empty() {
            return 0;
        }
        let choice = usize::try_from(self.0.remove(0)).unwrap_or(usize::MAX);
        choice % ready.len()
    }
}
