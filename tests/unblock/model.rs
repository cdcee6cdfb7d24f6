//! Any order of calls, ends and cancellations: each call runs at most once, in its turn,
//! no more than the limit at a time, and each is accounted for.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use greenroom::{Delivery, JoinHandle, spawn, yield_now};
use proptest::prelude::{Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};
use proptest::test_runner::TestCaseError;

use crate::{Gate, clean_with, eventually, gated, pool_of};

#[derive(Debug, Clone, Copy)]
enum Step {
    /// A task calls.
    Call,
    /// A call that runs ends.
    End(usize),
    /// A task is cancelled whose call waits in line.
    CancelQueued(usize),
    /// A task is cancelled whose call runs.
    CancelRunning(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => any::<()>().prop_map(|()| Step::Call),
        2 => any::<usize>().prop_map(Step::End),
        1 => any::<usize>().prop_map(Step::CancelQueued),
        1 => any::<usize>().prop_map(Step::CancelRunning),
    ];
    prop::collection::vec(step, 1..60)
}

/// One call of the program.
struct Call {
    number: usize,
    gate: Gate,
    task: Option<JoinHandle<usize>>,
    ran: Arc<AtomicUsize>,
}

struct World {
    pool: greenroom::ThreadPool,
    limit: usize,
    delivery: Delivery,
    queued: VecDeque<Call>,
    running: Vec<Call>,
    /// Tasks that were cancelled and really wait.
    begun: usize,
    made: usize,
}

impl World {
    fn step(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Call => self.call(),
            Step::End(index) if !self.running.is_empty() => {
                let call = self.running.remove(index % self.running.len());
                self.end(call)?;
            }
            Step::CancelQueued(index) if !self.queued.is_empty() => {
                self.cancel_queued(index % self.queued.len())?;
            }
            Step::CancelRunning(index) if !self.running.is_empty() => {
                let at = index % self.running.len();
                self.cancel_running(at)?;
            }
            _ => {}
        }
        self.check()
    }

    fn call(&mut self) {
        let number = self.made;
        self.made += 1;
        let ran = Arc::new(AtomicUsize::new(0));
        let counts = Arc::clone(&ran);
        let (gate, call) = gated(move || {
            counts.fetch_add(1, Ordering::AcqRel);
            number
        });
        let pool = self.pool.clone();
        let task = Some(spawn(move || pool.unblock(call)));
        yield_now();
        self.queued.push_back(Call {
            number,
            gate,
            task,
            ran,
        });
    }

    /// A call that runs ends; its caller, if it waits still, gets what it gave.
    fn end(&mut self, call: Call) -> Result<(), TestCaseError> {
        // Those that are next in line can only begin from now on.
        call.gate.open();
        if let Some(task) = call.task {
            let got = task.join();
            prop_assert_eq!(got.ok(), Some(call.number));
        }
        eventually(|| call.ran.load(Ordering::Acquire) == 1);
        Ok(())
    }

    fn cancel_queued(&mut self, at: usize) -> Result<(), TestCaseError> {
        let task = self.queued[at].task.as_ref();
        task.unwrap().cancel();
        yield_now();
        if self.delivery == Delivery::Error {
            prop_assert!(!task.unwrap().is_finished());
            return Ok(());
        }
        let call = self.queued.remove(at).unwrap();
        prop_assert!(call.task.unwrap().join().unwrap_err().is_cancelled());
        prop_assert!(!call.gate.has_begun());
        prop_assert_eq!(call.ran.load(Ordering::Acquire), 0);
        Ok(())
    }

    fn cancel_running(&mut self, at: usize) -> Result<(), TestCaseError> {
        let call = &mut self.running[at];
        let Some(task) = call.task.take() else {
            return Ok(());
        };
        task.cancel();
        yield_now();
        if self.delivery == Delivery::Error {
            prop_assert!(!task.is_finished());
            call.task = Some(task);
        } else {
            prop_assert!(task.join().unwrap_err().is_cancelled());
        }
        Ok(())
    }

    /// The first in line have begun, as many as there is room for, and no other.
    fn check(&mut self) -> Result<(), TestCaseError> {
        while self.running.len() < self.limit {
            let Some(next) = self.queued.pop_front() else {
                break;
            };
            next.gate.wait_begun();
            self.begun += 1;
            self.running.push(next);
        }
        prop_assert!(!self.queued.iter().any(|call| call.gate.has_begun()));
        let (running, queued) = (self.running.len(), self.queued.len());
        // The thread of a call that was let go may not have come back yet.
        eventually(|| {
            let counts = self.pool.counts();
            counts.threads - counts.idle == running && counts.queued == queued
        });
        prop_assert!(self.pool.counts().threads <= self.limit);
        Ok(())
    }
}

fn perform(limit: usize, errors: bool, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let delivery = if errors {
        Delivery::Error
    } else {
        Delivery::Unwind
    };
    clean_with(delivery, || {
        let mut world = World {
            pool: pool_of(limit),
            limit,
            delivery,
            queued: VecDeque::new(),
            running: Vec::new(),
            begun: 0,
            made: 0,
        };
        let result = steps.into_iter().try_for_each(|step| world.step(step));
        // Let all end, also after a failure: `run` waits for those that really wait.
        for call in world.running.iter().chain(&world.queued) {
            call.gate.open();
        }
        result
    })
}

proptest! {
    #![proptest_config(proptest::test_runner::Config { cases: 64, failure_persistence: None, ..Default::default() })]

    #[test]
    fn each_call_runs_at_most_once_and_in_its_turn(
        limit in 1_usize..4,
        errors in any::<bool>(),
        steps in steps(),
    ) {
        perform(limit, errors, steps)?;
    }
}
