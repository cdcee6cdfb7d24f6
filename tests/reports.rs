//! The promise: who asks what tasks do is told the truth: what they wait for, for how
//! long, where they come from, and what is left in the end.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use greenroom::testing::{self, RoundRobin};
use greenroom::{
    Builder, Elapsed, JoinHandle, TaskInfo, gather, park, race, scope, sleep, spawn, supervise,
    tasks, timeout, try_supervise, wait_any, yield_now,
};
use support::on_virtual;

const SECOND: Duration = Duration::from_secs(1);

/// What the task with this name waits for.
fn waits_for(name: &str) -> String {
    let all = tasks();
    let found = all.iter().find(|task| task.name.as_deref() == Some(name));
    found.unwrap().waits_for.clone().unwrap()
}

fn named(name: &str, body: impl FnOnce() + 'static) -> JoinHandle<()> {
    Builder::new().name(name).spawn(body).unwrap()
}

#[test]
fn a_sleeper_waits_for_a_moment_that_comes() {
    on_virtual(|| {
        let sleepers = [
            named("short", || sleep(5 * SECOND)),
            named("for ever", || sleep(Duration::MAX)),
        ];
        sleep(SECOND);
        assert_eq!(waits_for("short"), "a moment in 4s");
        assert_eq!(waits_for("for ever"), "a moment that never comes");
        sleepers.iter().for_each(JoinHandle::cancel);
    });
}

#[test]
fn the_children_that_are_left_are_counted() {
    on_virtual(|| {
        let owner = named("owner", || {
            scope(|s| {
                for seconds in 1..=6 {
                    s.spawn(move || sleep(seconds * SECOND));
                }
            });
        });
        yield_now();
        yield_now();
        let six = waits_for("owner");
        assert!(six.starts_with("its 6 children to end: task "), "{six}");
        assert!(six.ends_with(" and 2 more"), "{six}");
        sleep(5 * SECOND + SECOND / 2);
        let one = waits_for("owner");
        assert!(one.starts_with("its last child to end: task "), "{one}");
        owner.join().unwrap();
    });
}

/// Jobs come from the call that runs them, not from inside the library.
#[test]
fn jobs_are_spawned_where_they_are_gathered() {
    on_virtual(|| {
        let of_ours = |task: &TaskInfo| task.spawned_at.file().contains("src");
        let foreign = || tasks().iter().any(of_ours);
        assert_eq!(gather([foreign, foreign]), [false, false]);
        assert_eq!(gather((foreign, foreign)), (false, false));
        assert!(!race([foreign]));
    });
}

#[test]
fn an_error_of_the_body_ends_a_supervisor() {
    on_virtual(|| {
        let start = greenroom::Instant::now();
        let ended: Result<(), &str> = try_supervise(|s| {
            s.spawn(park);
            s.spawn(|| sleep(9 * SECOND));
            sleep(SECOND);
            Err("no more clients")
        });
        assert_eq!(ended, Err("no more clients"));
        assert_eq!(start.elapsed(), SECOND);
        let waited = supervise(|s| {
            s.spawn(|| sleep(SECOND));
            Err::<(), _>("nobody is cancelled")
        });
        assert!(waited.is_err());
        assert_eq!(start.elapsed(), 2 * SECOND);
        let fine: Result<u8, &str> = try_supervise(|s| {
            assert!(
                s.spawn(|| panic!("alone") as ())
                    .join()
                    .unwrap_err()
                    .is_panic()
            );
            Ok(5)
        });
        assert_eq!(fine, Ok(5));
    });
}

/// What a limit does to the task that is waited for.
#[test]
fn a_limited_join_lets_run_on_or_cancels() {
    on_virtual(|| {
        let kept = spawn(|| sleep(3 * SECOND));
        assert_eq!(timeout(SECOND, || wait_any([&kept])), Err(Elapsed));
        assert!(kept.join().is_ok());
        let done = std::rc::Rc::new(std::cell::Cell::new(false));
        let (seen, sees) = (done.clone(), done.clone());
        let runs_on = spawn(move || {
            sleep(3 * SECOND);
            seen.set(true);
        });
        assert!(timeout(SECOND, || runs_on.join()).is_err());
        sleep(3 * SECOND);
        assert!(done.replace(false));
        let cut = spawn(move || {
            sleep(3 * SECOND);
            sees.set(true);
        });
        assert!(timeout(SECOND, || cut.cancel_on_drop().join()).is_err());
        sleep(3 * SECOND);
        assert!(!done.get());
    });
}

#[test]
fn a_report_tells_what_is_left() {
    let report = testing::run(RoundRobin, || {
        let _detached = spawn(|| sleep(SECOND));
        timeout(SECOND, || sleep(2 * SECOND)).is_err()
    });
    assert!(report.value);
    assert!(report.left_over().is_nothing(), "{}", report.left_over());
}
