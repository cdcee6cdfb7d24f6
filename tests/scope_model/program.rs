//! Random programs: trees of tasks in nested scopes; and what is noted of a run.
//!
//! A program is a value, without closures, so that two interpreters can run it:
//! the crate (`real.rs`), and the model (`model.rs`), which share this file only.

use greenroom::Delivery;

pub(crate) type Body = Vec<Step>;

/// One thing a task does. Numbered from the first to the last of a program.
#[derive(Clone)]
pub(crate) struct Step {
    pub(crate) id: usize,
    pub(crate) what: What,
}

impl std::fmt::Debug for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: ", self.id)?;
        self.what.fmt(f)
    }
}

#[derive(Debug, Clone)]
pub(crate) enum What {
    Emit,
    /// `is_cancelled`.
    Ask,
    Yield,
    Checkpoint,
    Sleep(u64),
    /// Panics with the step's number.
    Fail,
    /// Throws what a cancelled call throws.
    Throw,
    /// Returns from the whole body of the task, or from that of a main body, with an
    /// error, as `?` does. In a `try_scope` it ends there.
    Quit,
    Timeout(u64, Body),
    Shield(Body),
    /// `catch_unwind`, which swallows panics and cancellations.
    Catch(Body),
    CancelScope(Terms, Body),
    /// `with`, for a resource that waits when it is closed.
    With {
        close: u64,
        grace: u64,
        body: Body,
    },
    /// Has a value whose destructor sleeps, perhaps in a shield.
    Guard {
        units: u64,
        shielded: bool,
        body: Body,
    },
    Group {
        kind: Kind,
        /// How many children may live at once.
        limit: Option<usize>,
        children: Vec<Body>,
        body: Body,
    },
    /// Joins a child of the innermost group around, unless that was done before.
    Join(usize),
    /// The same, and cancels it.
    CancelChild(usize),
    CancelChildren,
    /// Cancels a cancel scope, by its place in [`Program::scopes`].
    Cancel(usize),
    /// Moves its deadline.
    Move(usize, Option<u64>),
}

/// What is said of a cancel scope when it is made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    /// By the clock, not from when it is run.
    pub(crate) deadline: Option<u64>,
    pub(crate) shield: bool,
    pub(crate) delivery: Option<Delivery>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Scope,
    Supervise,
    TryScope,
}

#[derive(Debug, Clone)]
pub(crate) struct Program {
    pub(crate) main: Body,
    /// The numbers of the steps that run a cancel scope, and its terms.
    pub(crate) scopes: Vec<(usize, Terms)>,
    pub(crate) delivery: Delivery,
    /// What the schedule chooses, step by step; round robin after that.
    pub(crate) choices: Vec<u32>,
    /// Whether no two moments are ever the same.
    distinct: bool,
}

impl Program {
    /// A program of steps that are not numbered yet.
    pub(crate) fn new(main: Body, delivery: Delivery, choices: Vec<u32>, distinct: bool) -> Self {
        let mut program = Self {
            main,
            scopes: Vec::new(),
            delivery,
            choices,
            distinct,
        };
        number(&mut program.main, &mut 0, &mut program.scopes);
        program
    }

    /// The nanoseconds that a step waits. Equal ones are frequent, or there are none.
    pub(crate) fn nanos(&self, id: usize, units: u64) -> u64 {
        const UNIT: u64 = 1_000_000_000;
        let mixed = u64::try_from(id + 1)
            .expect("few")
            .wrapping_mul(0x9E37_79B9_7F4A_7C15);
        units * UNIT + if self.distinct { mixed % UNIT } else { 0 }
    }

    /// The place of a cancel scope, by any number.
    pub(crate) fn scope(&self, number: usize) -> Option<usize> {
        number.checked_rem(self.scopes.len())
    }
}

/// Numbers the steps, and finds the cancel scopes.
fn number(body: &mut Body, next: &mut usize, scopes: &mut Vec<(usize, Terms)>) {
    for step in body {
        step.id = *next;
        *next += 1;
        match &mut step.what {
            What::CancelScope(terms, body) => {
                scopes.push((step.id, *terms));
                number(body, next, scopes);
            }
            What::Group { children, body, .. } => {
                for child in children {
                    number(child, next, scopes);
                }
                number(body, next, scopes);
            }
            What::Timeout(_, body)
            | What::Shield(body)
            | What::Catch(body)
            | What::Guard { body, .. }
            | What::With { body, .. } => number(body, next, scopes),
            _ => {}
        }
    }
}

/// Something that happened, noted with its moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    Emitted(usize),
    Asked(usize, bool),
    /// Whether it was well.
    Checked(usize, bool),
    /// The resource of a step was closed.
    Closed(usize),
    /// The destructor of a step did all it had to.
    Dropped(usize),
    /// A step with a body ended.
    Left(usize, How),
    /// A child, of this step and place, ended.
    Ended(usize, usize, How),
    Joined(usize, Ending),
    /// The hook for panics nobody can see was told of one.
    Told(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    Returned,
    /// It was unwound for its own sake: `Elapsed`, or `None`, or swallowed.
    Caught,
    Unwound,
    /// Its body was dropped before its first step.
    Unrun,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Returned,
    Panicked(usize),
    Cancelled,
}

/// What a cancel scope says of itself after the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ScopeState {
    pub(crate) called: bool,
    pub(crate) passed: bool,
    pub(crate) caught: bool,
    pub(crate) deadline: Option<u64>,
}

/// All that is compared.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// In the order in which it happened.
    pub(crate) events: Vec<(u64, Event)>,
    pub(crate) main: Ending,
    pub(crate) scopes: Vec<ScopeState>,
    /// When it ended.
    pub(crate) elapsed: u64,
}
