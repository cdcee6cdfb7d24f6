//! Channels against the model of a queue: who waits, who is served, what comes back, at
//! every moment at which one may be closed or a task cancelled.

use greenroom::sync::bounded;
use greenroom::testing::Choices;
use proptest::prelude::{Just, ProptestConfig, Strategy, prop, prop_oneof, proptest};
use proptest::test_runner::TestCaseError;

use crate::every_schedule::{all_pairs, explore};
use crate::model::{Kind, Op};
use crate::program::{Tasks, perform};

fn programs() -> impl Strategy<Value = (usize, Tasks)> {
    let op = prop_oneof![
        6 => Just(Op::Push(0)),
        2 => Just(Op::TryPush(0)),
        5 => Just(Op::Pop),
        2 => Just(Op::Select),
        2 => Just(Op::TryPop),
        1 => Just(Op::Shutdown),
        2 => (0usize..6).prop_map(Op::Cancel),
    ];
    let capacity = prop_oneof![Just(0usize), Just(1), Just(2), Just(5), Just(usize::MAX)];
    let tasks = prop::collection::vec(prop::collection::vec(op, 0..12), 1..7);
    (capacity, tasks)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_programs_do_as_the_model(
        (capacity, tasks) in programs(),
        choices in prop::collection::vec(0u32..6, 0..120),
    ) {
        let seen = perform(bounded(capacity), &tasks, Choices(choices));
        seen.check(Kind::Fifo, capacity).map_err(TestCaseError::fail)?;
    }
}

#[test]
fn small_programs_under_every_schedule() {
    let ops = [
        Op::Push(0),
        Op::TryPush(0),
        Op::Pop,
        Op::Select,
        Op::TryPop,
        Op::Shutdown,
        Op::Cancel(0),
    ];
    let mut schedules = 0;
    for capacity in [0, 1] {
        let check = |tasks: &Tasks, walker| {
            perform(bounded(capacity), tasks, walker).check(Kind::Fifo, capacity)
        };
        for tasks in all_pairs(&ops) {
            schedules += explore(&tasks, check);
        }
        for last in [Op::Shutdown, Op::Cancel(0), Op::Cancel(1)] {
            let both = vec![Op::Push(0), Op::Push(0)];
            let tasks = vec![both, vec![Op::Pop, Op::Select], vec![last]];
            schedules += explore(&tasks, check);
        }
    }
    assert!(schedules > 40_000, "only {schedules} schedules");
}
