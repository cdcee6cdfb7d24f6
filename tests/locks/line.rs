//! The naive model: places, holders, and those who wait in line, in plain vectors. And
//! random programs against it, on the virtual clock.

use std::rc::Rc;
use std::time::Duration;

use greenroom::{Instant, sleep, spawn, timeout};
use proptest::prelude::{ProptestConfig, Strategy, prop, prop_assert_eq, proptest};

use crate::kinds::{KINDS, Kind};
use crate::support::{Log, virtual_runtime};

/// What a lock is, said as simply as possible.
#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    free: usize,
    /// (who, places), those who came first in front.
    line: Vec<(usize, usize)>,
    holders: Vec<(usize, usize)>,
}

impl Model {
    pub(crate) fn new(places: usize) -> Self {
        Self {
            free: places,
            ..Self::default()
        }
    }

    /// Somebody asks. Whether they have it.
    pub(crate) fn ask(&mut self, who: usize, places: usize) -> bool {
        self.line.push((who, places));
        // A wish for nothing need not wait for anybody.
        if places == 0 {
            self.line.pop();
            self.holders.push((who, 0));
            return true;
        }
        self.serve().contains(&who)
    }

    /// Somebody gives it back. Who has it now, in order.
    pub(crate) fn release(&mut self, who: usize) -> Vec<usize> {
        let at = self.holders.iter().position(|(holder, _)| *holder == who);
        let (_, places) = self.holders.remove(at.unwrap());
        self.free += places;
        self.serve()
    }

    /// Somebody leaves the line. Who has it now.
    pub(crate) fn leave(&mut self, who: usize) -> Vec<usize> {
        self.line.retain(|(waiter, _)| *waiter != who);
        self.serve()
    }

    pub(crate) fn holds(&self, who: usize) -> bool {
        self.holders.iter().any(|(holder, _)| *holder == who)
    }

    pub(crate) fn waits(&self, who: usize) -> bool {
        self.line.iter().any(|(waiter, _)| *waiter == who)
    }

    fn serve(&mut self) -> Vec<usize> {
        let mut served = Vec::new();
        while let Some((who, places)) = self.line.first().copied() {
            if places > self.free {
                break;
            }
            self.line.remove(0);
            self.free -= places;
            self.holders.push((who, places));
            served.push(who);
        }
        served
    }
}

/// One visit of a task to the lock.
#[derive(Debug, Clone, Copy)]
struct Visit {
    /// How long it does something else before.
    pause: u64,
    size: usize,
    /// How long it is ready to wait.
    patience: u64,
    /// How long it holds the lock.
    hold: u64,
}

type Program = Vec<Vec<Visit>>;

/// Makes all moments of a program different: each duration has a bit of its own, so
/// different sums are never equal.
fn distinct(mut program: Program) -> Program {
    let mut next = 0;
    let mut mark = |time: &mut u64| {
        *time = (*time << 40) | (1 << next);
        next += 1;
    };
    for visit in program.iter_mut().flatten() {
        mark(&mut visit.pause);
        mark(&mut visit.patience);
        mark(&mut visit.hold);
    }
    program
}

fn programs() -> impl Strategy<Value = Program> {
    let visit =
        (0..6u64, 0..5usize, 0..8u64, 0..5u64).prop_map(|(pause, size, patience, hold)| Visit {
            pause,
            size,
            patience,
            hold,
        });
    prop::collection::vec(prop::collection::vec(visit, 1..4), 1..5).prop_map(distinct)
}

/// What happened: when, to whom, what.
type Line = (u64, usize, &'static str);

fn perform(kind: Kind, program: &Program) -> Vec<Line> {
    let log = Log::new();
    let lock = Rc::new(kind.make());
    let (mut runtime, _clock) = virtual_runtime();
    let (told, asked) = (log.clone(), Rc::clone(&lock));
    let visits = program.clone();
    runtime.run(move || {
        let start = Instant::now();
        let tasks = visits.into_iter().enumerate().map(|(who, visits)| {
            let (log, lock) = (told.clone(), Rc::clone(&asked));
            spawn(move || {
                let say = |what| {
                    let now = u64::try_from(start.elapsed().as_nanos()).unwrap();
                    log.add((now, who, what));
                };
                for visit in visits {
                    sleep(Duration::from_nanos(visit.pause));
                    let limit = Duration::from_nanos(visit.patience);
                    match timeout(limit, || lock.hold(kind.wanted(visit.size))) {
                        Ok(guard) => {
                            say("has it");
                            sleep(Duration::from_nanos(visit.hold));
                            say("gives it back");
                            drop(guard);
                        }
                        Err(_) => say("gave up"),
                    }
                }
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.join().unwrap();
        }
    });
    lock.assert_free(kind);
    assert!(runtime.left_over().is_nothing());
    log.take()
}

/// The same by the model: events, one after the other.
fn predict(kind: Kind, program: &Program) -> Vec<Line> {
    /// What is to come for somebody at some moment.
    #[derive(Debug, Clone, Copy)]
    enum Next {
        Asks,
        GivesUp,
        Releases,
    }
    let mut model = Model::new(kind.places());
    let mut lines = Vec::new();
    let mut rounds = vec![0; program.len()];
    let mut to_come: Vec<(u64, usize, Next)> = program
        .iter()
        .enumerate()
        .map(|(who, visits)| (visits[0].pause, who, Next::Asks))
        .collect();
    while !to_come.is_empty() {
        to_come.sort_by_key(|(moment, ..)| *moment);
        let (now, who, next) = to_come.remove(0);
        let visit = program[who][rounds[who]];
        let mut served = match next {
            Next::Asks => {
                let places = kind.wanted(visit.size);
                if model.ask(who, places) {
                    vec![who]
                } else {
                    to_come.push((now + visit.patience, who, Next::GivesUp));
                    vec![]
                }
            }
            Next::GivesUp => {
                lines.push((now, who, "gave up"));
                model.leave(who)
            }
            Next::Releases => {
                lines.push((now, who, "gives it back"));
                model.release(who)
            }
        };
        if !matches!(next, Next::Asks) {
            rounds[who] += 1;
            if let Some(visit) = program[who].get(rounds[who]) {
                to_come.push((now + visit.pause, who, Next::Asks));
            }
        }
        for lucky in served.drain(..) {
            to_come.retain(|(_, other, _)| *other != lucky);
            lines.push((now, lucky, "has it"));
            let hold = program[lucky][rounds[lucky]].hold;
            to_come.push((now + hold, lucky, Next::Releases));
        }
    }
    lines
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1500,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_kind_does_what_the_model_does(program in programs()) {
        for kind in KINDS {
            prop_assert_eq!(perform(kind, &program), predict(kind, &program), "{:?}", kind);
        }
    }
}
