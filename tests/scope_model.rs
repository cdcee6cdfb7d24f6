//! The promise: scopes, limits of time, shields and cancellation do what a plain
//! model says, event by event. Random trees of tasks are run by the crate and by
//! an interpreter that shares nothing with it, and everything that can be seen is
//! compared: what happened, when and in which order, how each scope and task
//! ended, what the cancel scopes say afterwards; and that nothing is left.

#![cfg(unix)]

#[path = "scope_model/model.rs"]
mod model;
#[path = "scope_model/program.rs"]
mod program;
#[path = "scope_model/random.rs"]
mod random;
#[path = "scope_model/real.rs"]
mod real;
mod support;

use std::collections::{BTreeMap, BTreeSet};

use program::Program;
use proptest::prelude::{ProptestConfig, Strategy, prop_assert_eq, proptest};
use proptest::strategy::ValueTree;
use proptest::test_runner::{TestCaseError, TestRunner};
use random::{Style, programs};

fn agree(program: &Program) -> Result<(), TestCaseError> {
    prop_assert_eq!(real::run(program), model::run(program));
    Ok(())
}

/// 2,000 programs, unless `PROPTEST_CASES` says otherwise.
fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok());
    ProptestConfig {
        cases: cases.unwrap_or(2000),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    /// No two moments are the same: who is cancelled by what, and when.
    #[test]
    fn the_crate_does_what_the_model_says(program in programs(Style::Distinct)) {
        agree(&program)?;
    }

    /// Many moments are the same: in which order, too.
    #[test]
    fn the_crate_does_what_the_model_says_at_equal_moments(program in programs(Style::Ties)) {
        agree(&program)?;
    }

    /// With destructors that wait while their tasks unwind.
    #[test]
    fn the_crate_does_what_the_model_says_of_destructors(program in programs(Style::Destructors)) {
        agree(&program)?;
    }

    /// And under any schedule.
    #[test]
    fn the_crate_does_what_the_model_says_under_any_schedule(program in programs(Style::AnySchedule)) {
        agree(&program)?;
    }
}

/// The programs must be worth it: all that can happen happens often.
#[test]
fn everything_happens_in_the_programs() {
    let mut runner = TestRunner::deterministic();
    let mut seen = BTreeMap::new();
    for style in [Style::Distinct, Style::Destructors] {
        for _ in 0..1000 {
            let tree = programs(style).new_tree(&mut runner).unwrap();
            let events = model::run(&tree.current()).events.into_iter();
            let kind = |(_, event)| format!("{event:?}").replace(|c: char| c.is_ascii_digit(), "");
            for kind in events.map(kind).collect::<BTreeSet<_>>() {
                *seen.entry(kind).or_insert(0) += 1;
            }
        }
    }
    assert_eq!(seen.len(), 17, "{seen:#?}");
    for (kind, programs) in seen {
        assert!(programs >= 5, "{kind} happens in {programs} of 2,000");
    }
}
