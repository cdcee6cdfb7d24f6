//! Random programs under random schedules, against the model.

use greenroom::Schedule;
use greenroom::sync::Queue;
use greenroom::testing::{Choices, Random, RoundRobin};
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop, prop_oneof, proptest};
use proptest::test_runner::TestCaseError;

use crate::model::{Kind, Op};
use crate::program::{Tasks, perform};

/// How many cases each property has; `PROPTEST_CASES` overrides it.
fn config(cases: u32) -> ProptestConfig {
    let given = std::env::var("PROPTEST_CASES").ok();
    ProptestConfig {
        cases: given.and_then(|n| n.parse().ok()).unwrap_or(cases),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

fn operations() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => (0u32..4).prop_map(Op::Push),
        3 => (0u32..4).prop_map(Op::TryPush),
        6 => Just(Op::Pop),
        2 => Just(Op::Select),
        3 => Just(Op::TryPop),
        4 => Just(Op::TaskDone),
        2 => Just(Op::Join),
        1 => Just(Op::Shutdown),
        1 => Just(Op::ShutdownNow),
        1 => (0usize..6).prop_map(Op::Cancel),
    ]
}

fn programs() -> impl Strategy<Value = (usize, Tasks)> {
    let capacity = prop_oneof![
        3 => Just(0usize), 3 => Just(1), 2 => Just(2), 1 => Just(5), 2 => Just(usize::MAX),
    ];
    let tasks = prop::collection::vec(prop::collection::vec(operations(), 0..14), 1..7);
    (capacity, tasks)
}

/// A producer of many and a consumer of many: deep heaps, and their ties.
fn deep() -> impl Strategy<Value = (usize, Tasks)> {
    let push = prop_oneof![3 => (0u32..5).prop_map(Op::Push), 1 => (0u32..1000).prop_map(Op::Push)];
    let op = prop_oneof![3 => push, 2 => Just(Op::TryPop)];
    let capacity = prop_oneof![Just(usize::MAX), 10usize..60];
    (capacity, prop::collection::vec(op, 0..300)).prop_map(|(capacity, mut ops)| {
        ops.retain(|op| capacity == usize::MAX || !matches!(op, Op::Push(rank) if *rank > 4));
        let ops = ops.into_iter().map(|op| match op {
            // Alone it would wait for ever.
            Op::Push(rank) => Op::TryPush(rank),
            op => op,
        });
        (capacity, vec![ops.collect()])
    })
}

/// Performs a program with each kind of queue, and holds it against the model.
fn check_all<S: Schedule + 'static>(
    capacity: usize,
    tasks: &Tasks,
    schedule: impl Fn() -> S,
) -> Result<(), String> {
    perform(Queue::fifo(capacity), tasks, schedule()).check(Kind::Fifo, capacity)?;
    perform(Queue::lifo(capacity), tasks, schedule()).check(Kind::Lifo, capacity)?;
    perform(Queue::priority(capacity), tasks, schedule()).check(Kind::Priority, capacity)
}

proptest! {
    #![proptest_config(config(400))]

    #[test]
    fn random_programs_do_as_the_model(
        (capacity, tasks) in programs(),
        choices in prop::collection::vec(0u32..6, 0..120),
    ) {
        check_all(capacity, &tasks, || Choices(choices.clone())).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn random_programs_under_wild_schedules((capacity, tasks) in programs(), seed in any::<u64>()) {
        check_all(capacity, &tasks, || Random(seed)).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn deep_queues_keep_their_order((capacity, tasks) in deep()) {
        check_all(capacity, &tasks, || RoundRobin).map_err(TestCaseError::fail)?;
    }
}
