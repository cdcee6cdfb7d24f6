//! The schedule is a value: runs are repeatable, round robin is fair, and a
//! schedule that is not is found out.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use greenroom::testing::{self, Choices, Random, ReadyTask, RoundRobin, Schedule};
use greenroom::{sleep, spawn, yield_now};
use proptest::prelude::{
    Just, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest,
};
use proptest::test_runner::{Config, TestError, TestRunner};

/// One thing a task of a random program does.
#[derive(Debug, Clone)]
enum Op {
    Yield,
    Sleep(u64),
    Spawn(Vec<Op>),
}

fn program() -> impl Strategy<Value = Vec<Op>> {
    let leaf = prop_oneof![3 => Just(Op::Yield), 1 => (0u64..4).prop_map(Op::Sleep)];
    let tree = leaf.prop_recursive(3, 40, 6, |inner| {
        prop::collection::vec(inner, 0..6).prop_map(Op::Spawn)
    });
    prop::collection::vec(tree, 1..12)
}

/// Runs the operations as a task, and joins its children at its end.
fn perform(ops: Vec<Op>) -> u64 {
    let mut children = Vec::new();
    let mut sum = 1;
    for op in ops {
        match op {
            Op::Yield => yield_now(),
            Op::Sleep(millis) => sleep(Duration::from_millis(millis)),
            Op::Spawn(ops) => children.push(spawn(move || perform(ops))),
        }
    }
    for child in children {
        sum += child.join().expect("no child panics");
    }
    sum
}

/// The scheduler's known fault: who yields goes to the front.
struct YieldersFirst;

impl Schedule for YieldersFirst {
    fn next(&mut self, ready: &[ReadyTask]) -> usize {
        ready.iter().rposition(|task| task.yielded).unwrap_or(0)
    }
}

/// The promise: a task that yields while n others are ready waits for n steps of
/// others, one of each, before its next.
fn yields_are_fair(schedule: impl Schedule + 'static, ops: Vec<Op>) -> bool {
    let queue = Rc::new(RefCell::new(Watch {
        schedule,
        waiting: VecDeque::new(),
        fair: true,
    }));
    testing::run(Watcher(Rc::clone(&queue)), || perform(ops));
    queue.borrow().fair
}

/// A model of the queue: tasks in the order in which they became ready.
struct Watch<S> {
    schedule: S,
    waiting: VecDeque<greenroom::TaskId>,
    fair: bool,
}

struct Watcher<S>(Rc<RefCell<Watch<S>>>);

impl<S: Schedule> Schedule for Watcher<S> {
    fn next(&mut self, ready: &[ReadyTask]) -> usize {
        let mut watch = self.0.borrow_mut();
        let choice = watch.schedule.next(ready) % ready.len();
        for task in ready {
            if !watch.waiting.contains(&task.id) {
                watch.waiting.push_back(task.id);
            }
        }
        if watch.waiting.front() != Some(&ready[choice].id) {
            watch.fair = false;
        }
        watch.waiting.retain(|id| *id != ready[choice].id);
        choice
    }
}

proptest! {
    #[test]
    fn round_robin_overtakes_nobody(ops in program()) {
        let report = testing::run(RoundRobin, || perform(ops.clone()));
        prop_assert_eq!(report.overtakes(), 0);
        prop_assert!(yields_are_fair(RoundRobin, ops));
    }

    #[test]
    fn the_result_is_the_same_under_any_schedule(ops in program(), choices in prop::collection::vec(any::<u32>(), 0..60)) {
        let expected = testing::run(RoundRobin, || perform(ops.clone())).value;
        prop_assert_eq!(testing::run(Choices(choices), || perform(ops)).value, expected);
    }

    #[test]
    fn two_runs_of_one_schedule_are_the_same(ops in program(), seed in any::<u64>()) {
        let one = testing::run(Random(seed), || perform(ops.clone()));
        let two = testing::run(Random(seed), || perform(ops));
        prop_assert_eq!(one, two);
    }
}

/// The property above must be able to fail: it finds the known fault, and
/// shrinks it to a program of few steps.
#[test]
fn a_yielder_that_goes_to_the_front_is_found_out() {
    let mut runner = TestRunner::new(Config {
        failure_persistence: None,
        ..Config::default()
    });
    let found = runner.run(&program(), |ops| {
        prop_assert!(yields_are_fair(YieldersFirst, ops));
        Ok(())
    });
    match found {
        Err(TestError::Fail(_, ops)) => {
            assert!(ops.len() <= 2, "shrunk to {ops:?}");
        }
        other => panic!("the fault was not found: {other:?}"),
    }
}

/// A failing schedule shrinks to the choices that matter.
#[test]
fn a_failing_schedule_shrinks() {
    let mut runner = TestRunner::new(Config {
        failure_persistence: None,
        cases: 1000,
        ..Config::default()
    });
    // The second task relies on the first having begun: round robin sees to that.
    let program = || {
        let opened = Rc::new(Cell::new(false));
        let seen = Rc::clone(&opened);
        spawn(move || opened.set(true));
        spawn(move || seen.get()).join().unwrap()
    };
    let schedules = prop::collection::vec(0u32..8, 0..40);
    let found = runner.run(&schedules, |choices| {
        prop_assert!(testing::run(Choices(choices), program).value);
        Ok(())
    });
    // Main has the first step; then the second task overtakes the first.
    match found {
        Err(TestError::Fail(_, choices)) => {
            assert!(
                choices.len() == 2 && choices[1] % 2 == 1,
                "shrunk to {choices:?}"
            );
        }
        other => panic!("the fault was not found: {other:?}"),
    }
}

#[test]
fn the_report_tells_steps_and_time() {
    let report = testing::run(RoundRobin, || {
        let child = spawn(|| sleep(Duration::from_secs(3600)));
        child.join().unwrap();
    });
    assert_eq!(report.elapsed(), Duration::from_secs(3600));
    // Main spawns and joins; the child falls asleep; wakes; main goes on.
    assert_eq!(report.trace(), [0, 1, 1, 0]);
    assert_eq!(report.steps(), 4);
}
