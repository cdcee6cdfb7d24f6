//! What children of a scope may do: borrow, nest, spawn siblings; how many may live.

use std::cell::Cell;

use greenroom::{
    Builder, Instant, current, park, scope, sleep, supervise, testing, timeout, try_run, try_scope,
    yield_now,
};

use crate::support::{Log, OnDrop, panic_text};
use crate::{SECOND, watched};

#[test]
fn children_borrow_from_the_caller() {
    let (words, nothing) = watched(|| {
        let mut numbers = vec![0; 100];
        let (sum, text) = (Cell::new(0), String::from("shared"));
        let longest = scope(|s| {
            for (n, chunk) in numbers.chunks_mut(10).enumerate() {
                let sum = &sum;
                s.spawn(move || {
                    yield_now();
                    chunk.fill(n);
                    sum.set(sum.get() + chunk.len());
                });
            }
            let borrowed = s.spawn(|| &text[1..]);
            borrowed.join().len()
        });
        assert_eq!((longest, sum.get()), (5, 100));
        assert_eq!(numbers[95..], [9; 5]);
        text
    });
    assert_eq!(words, "shared");
    assert!(nothing.is_empty());
}

/// Scopes in children of scopes, each borrowing from all that are around it.
#[test]
fn scopes_nest() {
    fn tree(depth: u32, sum: &Cell<u32>) {
        sum.set(sum.get() + 1);
        if depth > 0 {
            scope(|s| {
                s.spawn(|| tree(depth - 1, sum));
                s.spawn(|| tree(depth - 1, sum));
                yield_now();
            });
        }
    }
    watched(|| {
        let sum = Cell::new(0);
        tree(8, &sum);
        assert_eq!(sum.get(), 511);
    });
}

/// Who spawns siblings need not be the body, and not be there when they end.
#[test]
fn children_spawn_siblings() {
    let log = Log::new();
    watched(|| {
        scope(|s| {
            s.spawn(|| {
                s.spawn(|| {
                    sleep(SECOND);
                    let handle = s.spawn(|| {
                        sleep(SECOND);
                        7
                    });
                    log.add("middle");
                    assert_eq!(handle.join(), 7);
                    log.add("joined");
                });
                log.add("first");
            });
        });
        log.add("out");
    });
    assert_eq!(log.take(), ["first", "middle", "joined", "out"]);
}

/// So can the destructor of a result that nobody wants: its task has not ended.
#[test]
fn a_results_destructor_spawns_a_sibling() {
    let log = Log::new();
    watched(|| {
        scope(|s| {
            let l = &log;
            drop(s.spawn(move || {
                OnDrop(move || {
                    l.add("result dropped");
                    s.spawn(move || {
                        sleep(SECOND);
                        l.add("sibling");
                    });
                })
            }));
        });
        log.add("out");
    });
    assert_eq!(log.take(), ["result dropped", "sibling", "out"]);
}

#[test]
fn children_start_in_order_and_the_scope_waits() {
    let log = Log::new();
    let (value, _) = watched(|| {
        let start = Instant::now();
        let value = scope(|s| {
            for n in 0..5_u32 {
                let log = &log;
                s.spawn(move || {
                    log.add(n);
                    sleep((5 - n) * SECOND);
                    log.add(10 + n);
                });
            }
            log.add(99);
            "value"
        });
        assert_eq!(start.elapsed(), 5 * SECOND);
        value
    });
    assert_eq!(value, "value");
    assert_eq!(log.take(), [99, 0, 1, 2, 3, 4, 14, 13, 12, 11, 10]);
}

#[test]
fn builders_make_children() {
    watched(|| {
        scope(|s| {
            let named = Builder::new().name("crumb").stack_size(64 * 1024);
            let child = named.spawn_scoped(s, || current().name().map(str::to_owned));
            assert_eq!(child.unwrap().join().as_deref(), Some("crumb"));
            let bad = Builder::new().name("a\0b").spawn_scoped(s, || ());
            assert!(bad.is_err());
            assert_eq!(s.living(), 0);
        });
        let made = try_scope::<&str, _>(|s| {
            let child = Builder::new().try_spawn_scoped(s, || Ok(1)).unwrap();
            Ok(child.join())
        });
        assert_eq!(made, Ok(1));
        supervise(|s| {
            let child = Builder::new().spawn_supervised(s, || 2).unwrap();
            assert_eq!(child.join().unwrap(), 2);
        });
    });
}

#[test]
fn scopes_need_a_task() {
    let sentence = |what| format!("{what} needs a task: call it inside greenroom::run");
    assert_eq!(panic_text(|| scope(|_| ())), sentence("scope"));
    assert_eq!(panic_text(|| supervise(|_| ())), sentence("supervise"));
    let tried = panic_text(|| try_scope(|_| Ok::<(), ()>(())));
    assert_eq!(tried, sentence("try_scope"));
}

/// Memory is for those who live, not for those who lived.
#[test]
fn a_scope_that_serves_for_long() {
    watched(|| {
        let before = testing::stacks_in_use();
        let served = Cell::new(0_u32);
        supervise(|s| {
            for _ in 0..100_000 {
                drop(s.spawn(|| served.set(served.get() + 1)));
                yield_now();
                assert_eq!(s.living(), 0);
                assert!(testing::stacks_in_use() <= before + 1);
            }
        });
        scope(|s| {
            s.set_limit(3);
            for _ in 0..10_000 {
                s.spawn(|| served.set(served.get() + 1));
                assert!(s.living() <= 3);
            }
        });
        assert_eq!(served.get(), 110_000);
        assert_eq!(testing::stacks_in_use(), before);
    });
}

#[test]
fn ten_thousand_at_once() {
    watched(|| {
        let count = Cell::new(0);
        scope(|s| {
            for _ in 0..10_000 {
                s.spawn(|| {
                    sleep(SECOND);
                    count.set(count.get() + 1);
                });
            }
            assert_eq!(s.living(), 10_000);
        });
        assert_eq!(count.get(), 10_000);
        let limited = timeout(SECOND, || {
            scope(|s| {
                (0..10_000).for_each(|_| drop(s.spawn(park)));
                park();
            })
        });
        assert!(limited.is_err());
    });
}

#[test]
fn a_limit_is_served_in_order() {
    let log = Log::new();
    watched(|| {
        let most = Cell::new(0);
        scope(|s| {
            s.set_limit(2);
            let (l, most) = (&log, &most);
            for n in 0..6_u32 {
                s.spawn(move || {
                    most.set(most.get().max(s.living()));
                    l.add((n, Instant::now()));
                    sleep(SECOND);
                });
            }
            s.set_limit(0); // is one
            s.spawn(move || {
                assert_eq!(s.living(), 1);
                sleep(SECOND);
            });
        });
        assert_eq!(most.get(), 2);
    });
    let begun = log.take();
    assert!(begun.is_sorted());
    assert_eq!(begun.len(), 6);
    assert_eq!(begun[5].1.duration_since(begun[0].1), 2 * SECOND);
}

/// Several wait for a place, and one stops waiting: the others lose nothing.
#[test]
fn places_are_passed_on() {
    let log = Log::new();
    watched(|| {
        scope(|s| {
            s.set_limit(1);
            let l = &log;
            s.spawn(|| sleep(2 * SECOND));
            scope(|inner| {
                for n in 0..4 {
                    inner.spawn(move || {
                        let limited = timeout(if n == 1 { SECOND } else { 60 * SECOND }, || {
                            s.spawn(move || l.add(n));
                        });
                        assert_eq!(limited.is_err(), n == 1);
                    });
                }
            });
        });
    });
    assert_eq!(log.take(), [0, 2, 3]);
}

/// A raised limit lets as many in at once.
#[test]
fn a_limit_is_raised() {
    watched(|| {
        scope(|s| {
            s.set_limit(1);
            s.spawn(|| sleep(10 * SECOND));
            scope(|inner| {
                for _ in 0..3 {
                    inner.spawn(|| drop(s.spawn(|| sleep(10 * SECOND))));
                }
                sleep(SECOND);
                assert_eq!((s.living(), inner.living()), (1, 3));
                s.set_limit(3);
                sleep(SECOND);
                assert_eq!((s.living(), inner.living()), (3, 1));
            });
        });
    });
}

/// A spawn that fails gives the place it had waited for to the next.
#[test]
fn a_failed_spawn_keeps_no_place() {
    let ran = Cell::new(false);
    let ended = try_run(|| {
        scope(|s| {
            s.set_limit(1);
            s.spawn(|| (0..5).for_each(|_| yield_now()));
            scope(|inner| {
                inner.spawn(|| {
                    let huge = Builder::new().stack_size(usize::MAX / 2);
                    assert!(huge.spawn_scoped(s, || ()).is_err());
                });
                inner.spawn(|| drop(s.spawn(|| ran.set(true))));
            });
        });
    });
    ended.unwrap();
    assert!(ran.get());
}
