//! What becomes of a scope that is cancelled: from outside, by its children, or at the end of main.

use std::cell::Cell;
use std::rc::Rc;

use greenroom::sync::bounded;
use greenroom::{
    Builder, Instant, is_cancelled, park, run, scope, shield, sleep, spawn, supervise, testing,
    timeout, try_run, try_scope, yield_now,
};

use crate::support::{Log, OnDrop, quiet_panic};
use crate::{SECOND, fails_after, failure, watched};

/// An error or a panic goes before a cancellation from further out.
#[test]
fn an_error_goes_before_an_outer_cancellation() {
    let (_, told) = watched(|| {
        let start = Instant::now();
        let limited = timeout(SECOND, || {
            try_scope(|s| {
                s.spawn(|| {
                    shield(|| sleep(2 * SECOND));
                    Err::<(), _>("error")
                });
                park();
                Ok(())
            })
        });
        assert_eq!(limited, Ok(Err("error")));
        assert_eq!(start.elapsed(), 2 * SECOND);
        let text = failure(|| {
            timeout(SECOND, || {
                scope(|s| {
                    s.spawn(|| fails_after(2, "panic"));
                    park();
                })
            })
        });
        assert_eq!(text, "panic");
    });
    assert!(told.is_empty());
}

/// The children are cancelled at once, whatever the body is doing.
#[test]
fn a_shield_in_the_body_does_not_cover_the_children() {
    let log = Log::new();
    watched(|| {
        let start = Instant::now();
        let l = &log;
        let _limited = timeout(SECOND, || {
            scope(|s| {
                s.spawn(move || {
                    let _guard = OnDrop(|| l.add(("child", start.elapsed())));
                    park();
                });
                shield(|| {
                    sleep(5 * SECOND);
                    assert!(!is_cancelled());
                    let late = s.spawn(move || l.add(("ran", start.elapsed())));
                    assert!(late.try_join().unwrap_err().is_cancelled());
                });
                l.add(("body", start.elapsed()));
                assert!(is_cancelled());
            });
        });
    });
    assert_eq!(log.take(), [("child", SECOND), ("body", 5 * SECOND)]);
}

/// Who is born into a cancelled scope never begins: what it captured is dropped.
#[test]
fn children_of_a_cancelled_scope_are_dropped_unrun() {
    let log = Log::new();
    watched(|| {
        let text = failure(|| {
            scope(|s| {
                let (l, ran) = (&log, &log);
                s.spawn(|| quiet_panic("child") as ());
                shield(yield_now);
                let guard = OnDrop(move || l.add("dropped"));
                drop(s.spawn(move || {
                    let _guard = guard;
                    ran.add("ran");
                }));
                assert!(log.take().is_empty(), "it is dropped in its turn");
                yield_now();
                ran.add("the body ran on");
            })
        });
        assert_eq!(text, "child");
    });
    assert_eq!(log.take(), ["dropped"]);
}

/// The code after a scope does not run when its caller is cancelled in its exit:
/// the children did not do what they were to do.
#[test]
fn a_scope_whose_caller_is_cancelled_in_its_exit_goes_on_unwinding() {
    let log = Log::new();
    watched(|| {
        let slow = || sleep(60 * SECOND);
        let limited = timeout(SECOND, || {
            scope(|s| drop(s.spawn(slow)));
            log.add("after scope");
        });
        assert!(limited.is_err());
        let limited = timeout(SECOND, || {
            supervise(|s| drop(s.spawn(slow)));
            log.add("after supervise");
        });
        assert!(limited.is_err());
        let limited = timeout(SECOND, || {
            let tried = try_scope(|s| {
                drop(s.spawn(|| {
                    slow();
                    Ok::<_, ()>(())
                }));
                Ok(())
            });
            log.add("after try_scope");
            tried
        });
        assert!(limited.is_err());
        let owner = spawn(move || scope(|s| drop(s.spawn(slow))));
        sleep(SECOND);
        owner.cancel();
        assert!(owner.join().unwrap_err().is_cancelled());
    });
    assert!(log.take().is_empty());
}

/// Also where the child was about to run, and so ends before its parent looks; under
/// any schedule.
#[test]
fn a_child_that_is_ready_is_cut_short_like_any() {
    for seed in 0..100 {
        let report = testing::run(testing::Random(seed), || {
            let (done, log) = (Rc::new(Cell::new(false)), Log::new());
            let after = log.clone();
            let owner = spawn(move || {
                scope(|s| {
                    s.spawn(|| {
                        (0..20).for_each(|_| yield_now());
                        done.set(true);
                    });
                });
                after.add(done.get());
            });
            (0..6).for_each(|_| yield_now());
            owner.cancel();
            let _ended = owner.join();
            log.take()
        });
        assert!(!report.value.contains(&false), "with seed {seed}");
    }
}

/// A child that the limit cut short, joined in a shield: no panic, the limit ends it.
#[test]
fn a_shielded_join_of_a_child_that_is_cancelled() {
    watched(|| {
        let limited = timeout(SECOND, || {
            scope(|s| {
                let slow = s.spawn(|| sleep(60 * SECOND));
                shield(|| slow.join());
            });
        });
        assert!(limited.is_err());
    });
}

/// A thousand scopes in scopes are cancelled in one go.
#[test]
fn a_deep_tree_is_cancelled_at_once() {
    fn deep(depth: u32, ended: &Cell<u32>) {
        let _guard = OnDrop(|| ended.set(ended.get() + 1));
        scope(|s| {
            if depth > 0 {
                s.spawn(|| deep(depth - 1, ended));
            }
            park();
        });
    }
    watched(|| {
        let ended = Cell::new(0);
        let start = Instant::now();
        assert!(timeout(SECOND, || deep(1000, &ended)).is_err());
        assert_eq!((ended.get(), start.elapsed()), (1001, SECOND));
    });
}

#[test]
fn cancelling_the_children_leaves_the_scope_alone() {
    let log = Log::new();
    watched(|| {
        scope(|s| {
            let l = &log;
            for n in 0..3 {
                s.spawn(move || {
                    let _guard = OnDrop(|| l.add(n));
                    park();
                });
            }
            yield_now();
            s.cancel_children();
            assert_eq!(s.living(), 3);
            yield_now();
            assert_eq!((s.living(), l.take()), (0, vec![0, 1, 2]));
            assert_eq!(s.spawn(|| 5).join(), 5);
            // One of them may do it, too, and is meant itself.
            let own = s.spawn(|| {
                s.cancel_children();
                yield_now();
            });
            assert!(own.try_join().unwrap_err().is_cancelled());
        });
        supervise(|s| {
            let child = s.spawn(park);
            s.cancel_children();
            assert!(child.join().unwrap_err().is_cancelled());
        });
    });
}

#[test]
fn a_child_cancelled_alone_is_no_failure() {
    let (_, told) = watched(|| {
        let value = scope(|s| {
            let child = s.spawn(park);
            yield_now();
            child.cancel();
            assert!(child.try_join().unwrap_err().is_cancelled());
            // Joined without asking, it is a failure of whoever joins.
            5
        });
        assert_eq!(value, 5);
        let text = failure(|| {
            scope(|s| {
                let child = s.spawn(park);
                child.cancel();
                child.join();
            })
        });
        assert!(text.starts_with("the child was cancelled"), "{text}");
    });
    assert!(told.is_empty());
}

/// Scopes of tasks that are left: owners and children are unwound, and all have
/// ended when `run` returns.
#[test]
fn scopes_end_with_main() {
    let log = Log::new();
    watched(|| {
        let l = log.clone();
        spawn(move || {
            let text = String::from("borrowed");
            let _guard = OnDrop(|| l.add("owner".to_owned()));
            scope(|s| {
                s.spawn(|| {
                    let _guard = OnDrop(|| l.add(text.clone()));
                    shield(|| sleep(SECOND));
                    park();
                });
                park();
            });
        });
        yield_now();
        yield_now();
    });
    assert_eq!(log.take(), ["borrowed", "owner"]);
}

/// Children of a scope that a shield covers are covered by it, also then.
#[test]
fn a_shield_covers_a_scope_inside_it_at_the_end_of_main() {
    let log = Log::new();
    watched(|| {
        let l = log.clone();
        spawn(move || {
            shield(|| {
                let slow = || {
                    sleep(SECOND);
                    5
                };
                l.add(scope(|s| s.spawn(slow).try_join()).ok()); // there already
                l.add(scope(|s| s.spawn(slow).try_join()).ok()); // begun since
            });
        });
        yield_now();
        yield_now();
    });
    assert_eq!(log.take(), [Some(5), Some(5)]);
}

/// A deadlock in a scope names who waits for whom, and ends them all.
#[test]
fn a_deadlock_in_a_scope() {
    let drops = Rc::new(Cell::new(0));
    let d = Rc::clone(&drops);
    let error = try_run(move || {
        scope(|s| {
            let (send, receive) = bounded::<()>(1);
            for name in ["ada", "ben"] {
                let (d, receive) = (&d, receive.clone());
                let child = Builder::new().name(name).spawn_scoped(s, move || {
                    let _guard = OnDrop(|| d.set(d.get() + 1));
                    let _never = receive.recv();
                });
                drop(child.unwrap());
            }
            park();
            drop(send);
        });
    });
    let text = error.unwrap_err().to_string();
    assert!(
        text.contains("'ada'") && text.contains("a value in a channel"),
        "{text}"
    );
    assert_eq!(drops.get(), 2);
    let error = run(|| {
        let waiting = std::thread::spawn(|| {
            let error = try_run(|| scope(|s| (0..6).for_each(|_| drop(s.spawn(park)))));
            error.unwrap_err().to_string()
        });
        waiting.join().unwrap()
    });
    assert!(
        error.contains("waits for its 6 children to end: task "),
        "{error}"
    );
    assert!(error.contains(" and 2 more"), "{error}");
}
