//! Random programs of tasks that send, receive and select, plainly and beside each
//! other, on channels of all kinds, cut off at random moments, under random
//! schedules. A ledger follows every value.

#[path = "ledger.rs"]
mod ledger;
#[path = "program.rs"]
mod program;

use greenroom::testing::{Choices, Random};
use greenroom::{Clock, Config, Delivery, Runtime, Schedule, testing};
use proptest::prelude::{ProptestConfig, any, prop, prop_assert_eq, proptest};
use proptest::test_runner::TestCaseError;

use crate::Within;
use program::{Program, Shapes, programs};

/// How many cases each property has; `PROPTEST_CASES` overrides it.
fn config(cases: u32) -> ProptestConfig {
    let given = std::env::var("PROPTEST_CASES").ok();
    ProptestConfig {
        cases: given.and_then(|n| n.parse().ok()).unwrap_or(cases),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// Performs a program, and looks that nothing is left of it. What it noted.
fn perform(
    program: &Program,
    schedule: impl Schedule + 'static,
    delivery: Delivery,
    budget: u32,
) -> Result<Vec<String>, TestCaseError> {
    let before = testing::stacks_in_use();
    let schedule = Within {
        schedule,
        steps: 20_000,
    };
    let config = Config::new()
        .clock(Clock::virtual_())
        .schedule(schedule)
        .delivery(delivery)
        .budget(budget)
        .stack_size(256 * 1024);
    let mut runtime = Runtime::with(config);
    let ledger = runtime.run(|| program.perform());
    prop_assert_eq!(runtime.tasks_alive(), 0);
    prop_assert_eq!(runtime.next_deadline(), None);
    prop_assert_eq!(testing::stacks_in_use(), before);
    ledger.settle().map_err(TestCaseError::fail)
}

fn delivery(by_error: bool) -> Delivery {
    if by_error {
        Delivery::Error
    } else {
        Delivery::Unwind
    }
}

proptest! {
    #![proptest_config(config(3000))]

    /// Each selection uses a channel once.
    #[test]
    fn nothing_is_lost(
        program in programs(Shapes::Apart),
        choices in prop::collection::vec(0u32..6, 0..80),
        by_error in any::<bool>(),
        budget in 0u32..12,
    ) {
        let first = perform(&program, Choices(choices.clone()), delivery(by_error), budget)?;
        let second = perform(&program, Choices(choices), delivery(by_error), budget)?;
        prop_assert_eq!(first, second, "two runs of one schedule differ");
    }

    /// Selections may use one channel several times, also both its ends.
    #[test]
    fn nothing_is_lost_where_a_task_waits_for_both_ends(
        program in programs(Shapes::Any),
        choices in prop::collection::vec(0u32..6, 0..80),
        by_error in any::<bool>(),
        budget in 0u32..12,
    ) {
        perform(&program, Choices(choices), delivery(by_error), budget)?;
    }

    /// Everybody meets: rendezvous only, selections only.
    #[test]
    fn nothing_is_lost_where_all_must_meet(
        program in programs(Shapes::Meetings),
        seed in any::<u64>(),
        by_error in any::<bool>(),
    ) {
        perform(&program, Random(seed), delivery(by_error), 128)?;
    }
}
