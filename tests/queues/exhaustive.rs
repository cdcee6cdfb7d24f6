//! Small programs under every schedule there is, against the model.

use greenroom::sync::Queue;

use crate::every_schedule::{all_pairs, explore};
use crate::model::{Kind, Op};
use crate::program::{Tasks, perform};

/// All schedules of a program, with each kind of queue. How many there were.
#[track_caller]
fn explore_all(capacity: usize, tasks: &Tasks) -> u32 {
    let fifo = explore(tasks, |tasks, walker| {
        perform(Queue::fifo(capacity), tasks, walker).check(Kind::Fifo, capacity)
    });
    let lifo = explore(tasks, |tasks, walker| {
        perform(Queue::lifo(capacity), tasks, walker).check(Kind::Lifo, capacity)
    });
    let priority = explore(tasks, |tasks, walker| {
        perform(Queue::priority(capacity), tasks, walker).check(Kind::Priority, capacity)
    });
    fifo + lifo + priority
}

#[test]
fn two_tasks_of_two_operations() {
    let ops = [
        Op::Push(1),
        Op::Pop,
        Op::Select,
        Op::TaskDone,
        Op::Join,
        Op::Shutdown,
        Op::Cancel(0),
    ];
    let mut schedules = 0;
    for capacity in [0, 1] {
        for tasks in all_pairs(&ops) {
            schedules += explore_all(capacity, &tasks);
        }
    }
    assert!(schedules > 100_000, "only {schedules} schedules");
}

#[test]
fn three_tasks() {
    let programs: [Tasks; 8] = [
        // Two who push with different ranks, one who pops.
        vec![
            vec![Op::Push(1), Op::Push(3)],
            vec![Op::Push(2)],
            vec![Op::Pop, Op::Pop],
        ],
        vec![vec![Op::Push(1)], vec![Op::Pop], vec![Op::Pop]],
        vec![
            vec![Op::Push(1)],
            vec![Op::Push(2)],
            vec![Op::Select, Op::TryPop],
        ],
        // Somebody is cancelled while he waits, or when he was served.
        vec![
            vec![Op::Push(1), Op::Push(2)],
            vec![Op::Pop, Op::Pop],
            vec![Op::Cancel(1)],
        ],
        vec![
            vec![Op::Push(1), Op::Push(2)],
            vec![Op::Pop],
            vec![Op::Cancel(0), Op::TryPop],
        ],
        // The end, at any moment.
        vec![
            vec![Op::Push(1), Op::Push(2)],
            vec![Op::Pop, Op::Pop],
            vec![Op::ShutdownNow],
        ],
        vec![
            vec![Op::Push(1), Op::Join],
            vec![Op::Pop, Op::TaskDone],
            vec![Op::ShutdownNow],
        ],
        vec![
            vec![Op::Push(1), Op::Join],
            vec![Op::Select, Op::TaskDone],
            vec![Op::TryPush(2), Op::Shutdown],
        ],
    ];
    let mut schedules = 0;
    for capacity in [0, 1, 2] {
        for tasks in &programs {
            schedules += explore_all(capacity, tasks);
        }
    }
    assert!(schedules > 10_000, "only {schedules} schedules");
}
