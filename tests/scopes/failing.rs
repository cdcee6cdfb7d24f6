//! Whose failure is the scope's, and what becomes of the others'.

use std::panic::catch_unwind;

use greenroom::{
    Instant, is_cancelled, park, scope, shield, sleep, supervise, try_scope, yield_now,
};

use crate::support::{Log, OnDrop, quiet_panic, text_of};
use crate::{SECOND, fails_after, failure, watched};

/// In the order in which they end, not in which they were spawned.
#[test]
fn the_first_failure_wins() {
    let log = Log::new();
    let ((), told) = watched(|| {
        let text = failure(|| {
            scope(|s| {
                s.spawn(|| fails_after(3, "third"));
                s.spawn(|| fails_after(1, "first"));
                s.spawn(|| fails_after(2, "second"));
                let l = &log;
                s.spawn(move || {
                    let _guard = OnDrop(|| l.add(format!("{:?}", Instant::now().elapsed())));
                    sleep(60 * SECOND);
                    l.add("ran on".to_owned());
                });
                sleep(60 * SECOND);
                log.add("the body ran on".to_owned());
            })
        });
        assert_eq!(text, "first");
    });
    assert_eq!(told, ["second", "third"]);
    assert_eq!(log.len(), 1);
}

#[test]
fn a_body_fails_like_a_child() {
    let (_, told) = watched(|| {
        let start = Instant::now();
        let text = failure(|| {
            scope(|s| {
                s.spawn(|| fails_after(2, "child"));
                s.spawn(park);
                yield_now();
                quiet_panic("body");
            })
        });
        assert_eq!((text.as_str(), start.elapsed()), ("body", 2 * SECOND));
        let text = failure(|| {
            scope(|s| {
                s.spawn(|| fails_after(1, "child again"));
                fails_after(2, "body again");
            })
        });
        assert_eq!(text, "child again");
    });
    assert_eq!(told, ["child", "body again"]);
}

/// A body that catches its cancellation and returns does not undo the failure.
#[test]
fn a_failure_cannot_be_swallowed_by_the_body() {
    watched(|| {
        let text = failure(|| {
            scope(|s| {
                s.spawn(|| quiet_panic("child") as ());
                assert!(catch_unwind(park).is_err());
                5
            })
        });
        assert_eq!(text, "child");
        let failed = try_scope(|s| {
            s.spawn(|| Err::<(), _>("child"));
            assert!(catch_unwind(park).is_err());
            Ok(5)
        });
        assert_eq!(failed, Err("child"));
    });
}

/// Waiting for a child that fails unwinds with the scope.
#[test]
fn joining_a_child_that_fails_unwinds() {
    let log = Log::new();
    watched(|| {
        let text = failure(|| {
            scope(|s| {
                let bad = s.spawn(|| fails_after(1, "child"));
                let _guard = OnDrop(|| log.add("unwound"));
                bad.join();
                log.add("ran on");
            })
        });
        assert_eq!(text, "child");
        // In a shield one learns that there is no result.
        let text = failure(|| {
            scope(|s| {
                let bad = s.spawn(|| fails_after(1, "child"));
                let ended = shield(|| bad.try_join());
                assert!(ended.unwrap_err().is_cancelled());
                log.add("told");
            })
        });
        assert_eq!(text, "child");
    });
    assert_eq!(log.take(), ["unwound", "told"]);
}

#[test]
fn errors_and_panics_mix() {
    let (_, told) = watched(|| {
        let slow_error = |seconds, what| {
            move || {
                shield(|| sleep(seconds * SECOND));
                Err::<(), &str>(what)
            }
        };
        let slow_panic = |seconds, what| {
            move || {
                fails_after(seconds, what);
                Ok(())
            }
        };
        let failed = try_scope(|s| {
            s.spawn(slow_panic(2, "late panic"));
            s.spawn(slow_error(1, "early error"));
            s.spawn(slow_error(3, "late error"));
            park();
            Ok(())
        });
        assert_eq!(failed, Err("early error"));
        let text = failure(|| {
            try_scope(|s| {
                s.spawn(slow_panic(1, "early panic"));
                s.spawn(slow_error(2, "later error"));
                shield(|| sleep(3 * SECOND));
                Err::<(), _>("the body's error")
            })
        });
        assert_eq!(text, "early panic");
        let failed = try_scope(|s| {
            s.spawn(slow_error(1, "the child's"));
            yield_now();
            Err::<(), _>("the body's, at once")
        });
        assert_eq!(failed, Err("the body's, at once"));
        let failed = try_scope(|s| {
            s.spawn(slow_error(1, "first"));
            fails_after(2, "the body panics");
            Ok(())
        });
        assert_eq!(failed, Err("first"));
    });
    let wanted = [
        "late panic",
        "\"late error\"",
        "\"later error\"",
        "\"the body's error\"",
        "\"the child's\"",
        "the body panics",
    ];
    assert_eq!(told, wanted);
}

#[test]
fn supervised_children_fail_alone() {
    let (_, told) = watched(|| {
        supervise(|s| {
            drop(s.spawn(|| fails_after(1, "dropped before")));
            let seen = s.spawn(|| fails_after(1, "joined"));
            let unseen = s.spawn(|| fails_after(1, "dropped after"));
            assert_eq!(text_of(&*seen.join().unwrap_err().into_panic()), "joined");
            sleep(SECOND);
            drop(unseen);
            assert!(!is_cancelled());
        });
        let log = Log::new();
        let text = failure(|| {
            supervise(|s| {
                let l = &log;
                s.spawn(move || {
                    let _guard = OnDrop(|| l.add("unwound"));
                    park();
                });
                yield_now();
                quiet_panic("body");
            })
        });
        assert_eq!((text.as_str(), log.take()), ("body", vec!["unwound"]));
    });
    assert_eq!(told, ["dropped before", "dropped after"]);
}
