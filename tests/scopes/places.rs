//! Scopes in unusual places: in a generator's body, in a destructor.

use std::cell::{Cell, RefCell};

use greenroom::{Instant, generator, park, scope, sleep, spawn, timeout, try_scope, yield_now};

use crate::support::{Log, OnDrop, case, quiet_panic, rerun, text_of};
use crate::{SECOND, failure, watched};

/// A scope in a generator's body is as good as one in the task's.
#[test]
fn a_scope_in_a_generators_body() {
    let log = Log::new();
    watched(|| {
        let l = log.clone();
        let mut sums = generator(move |y| {
            for n in 1..=3 {
                let words = RefCell::new(Vec::new());
                scope(|s| {
                    for m in 0..n {
                        let words = &words;
                        s.spawn(move || {
                            sleep(SECOND);
                            words.borrow_mut().push(m);
                        });
                    }
                });
                y.yield_(words.take());
            }
            let _guard = OnDrop(|| l.add("closed"));
            scope(|s| drop(s.spawn(|| sleep(60 * SECOND))));
            l.add("ran on");
        });
        assert_eq!(
            sums.by_ref().take(3).collect::<Vec<_>>(),
            [vec![0], vec![0, 1], vec![0, 1, 2]]
        );
        assert!(
            timeout(SECOND, || sums.next().is_none() && {
                yield_now();
                true
            })
            .is_err()
        );
        assert_eq!(sums.next(), None);
    });
    assert_eq!(log.take().last(), Some(&"closed"));
}

/// A destructor that runs while a panic unwinds may open a scope and wait for it.
#[test]
fn a_scope_in_a_destructor_while_a_panic_unwinds() {
    let log = Log::new();
    watched(|| {
        let l = log.clone();
        let task = spawn(move || {
            let sum = Cell::new(0);
            let _guard = OnDrop(|| {
                scope(|s| {
                    for n in 0..3 {
                        let sum = &sum;
                        s.spawn(move || {
                            sleep(SECOND);
                            sum.set(sum.get() + n);
                        });
                    }
                });
                let failed = try_scope(|s| {
                    s.spawn(|| Err::<(), _>("error"));
                    Ok(())
                });
                l.add((sum.get(), failed));
            });
            quiet_panic("mine") as ()
        });
        let start = Instant::now();
        assert_eq!(text_of(&*task.join().unwrap_err().into_panic()), "mine");
        assert_eq!(start.elapsed(), SECOND);
    });
    assert_eq!(log.take(), [(3, Err("error"))]);
}

/// So may one that runs because a suspended generator is dropped.
#[test]
fn a_scope_in_a_destructor_of_a_dropped_generator() {
    let log = Log::new();
    watched(|| {
        let l = log.clone();
        let mut numbers = generator(move |y| {
            let _guard = OnDrop(|| {
                scope(|s| {
                    s.spawn(|| {
                        sleep(SECOND);
                        l.add("child");
                    });
                });
                l.add("scope");
            });
            y.yield_(1);
        });
        assert_eq!(numbers.next(), Some(1));
        drop(numbers);
        sleep(SECOND); // the task itself is well
        log.add("task");
    });
    assert_eq!(log.take(), ["child", "scope", "task"]);
}

/// A failing scope in a loop is no task that resists its end.
#[test]
fn scopes_that_fail_one_after_the_other() {
    const NAME: &str = "scopes_that_fail_one_after_the_other";
    if case().is_none() {
        rerun(NAME, "run", &[]).assert_success();
        return;
    }
    watched(|| {
        for _ in 0..3000 {
            let failed = try_scope(|s| {
                s.spawn(|| Err::<(), _>(5));
                park();
                Ok(())
            });
            assert_eq!(failed, Err(5));
            let text = failure(|| {
                scope(|s| {
                    s.spawn(|| quiet_panic("child") as ());
                    park();
                })
            });
            assert_eq!(text, "child");
        }
    });
}
