//! Condition variables: in order, never for nothing, and no notification lost.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use greenroom::sync::{Condvar, Mutex};
use greenroom::{Instant, JoinHandle, run, sleep, spawn, timeout, yield_now};

use crate::support::{Log, on_virtual, panic_text};

const SECOND: Duration = Duration::from_secs(1);

#[derive(Default)]
struct Pair {
    count: Mutex<u32>,
    changed: Condvar,
}

/// So many tasks wait, in order; each says when it was woken.
fn waiters(pair: &Rc<Pair>, log: &Log<usize>, count: usize) -> Vec<JoinHandle<()>> {
    let tasks = (0..count).map(|n| {
        let (pair, log) = (Rc::clone(pair), log.clone());
        spawn(move || {
            let _count = pair.changed.wait(pair.count.lock());
            log.add(n);
        })
    });
    let tasks = tasks.collect();
    yield_now();
    tasks
}

fn settle() {
    (0..5).for_each(|_| yield_now());
}

#[test]
fn notify_one_wakes_the_one_who_waits_longest() {
    on_virtual(|| {
        let (pair, log) = (Rc::new(Pair::default()), Log::new());
        let tasks = waiters(&pair, &log, 3);
        for n in 0..3 {
            pair.changed.notify_one();
            settle();
            assert_eq!(log.take(), [n]);
        }
        pair.changed.notify_one(); // nobody waits: it is not kept
        let late = waiters(&pair, &log, 1);
        settle();
        assert_eq!(log.take(), []);
        pair.changed.notify_all();
        tasks
            .into_iter()
            .chain(late)
            .for_each(|task| task.join().unwrap());
    });
}

#[test]
fn notify_all_wakes_all_in_order() {
    on_virtual(|| {
        let (pair, log) = (Rc::new(Pair::default()), Log::new());
        let tasks = waiters(&pair, &log, 4);
        pair.changed.notify_all();
        settle();
        assert_eq!(log.take(), [0, 1, 2, 3]);
        tasks.into_iter().for_each(|task| task.join().unwrap());
    });
}

/// The lock is free while it waits, and taken again when it returns.
#[test]
fn the_lock_is_given_up_and_taken_again() {
    on_virtual(|| {
        let pair = Rc::new(Pair::default());
        let theirs = Rc::clone(&pair);
        let task = spawn(move || {
            let guard = theirs.changed.wait(theirs.count.lock());
            assert!(theirs.count.is_locked());
            assert_eq!(*guard, 7);
            sleep(SECOND);
        });
        yield_now();
        let mut count = pair.count.try_lock().unwrap();
        pair.changed.notify_one();
        settle();
        *count = 7; // it waits for the lock
        drop(count);
        yield_now();
        assert!(pair.count.try_lock().is_err());
        task.join().unwrap();
        assert!(pair.count.try_lock().is_ok());
    });
}

#[test]
fn nobody_is_woken_by_a_notification_before_it_waits() {
    on_virtual(|| {
        let pair = Pair::default();
        pair.changed.notify_one();
        pair.changed.notify_all();
        let waited = timeout(SECOND, || drop(pair.changed.wait(pair.count.lock())));
        assert!(waited.is_err());
        assert!(
            !pair.count.is_locked(),
            "cancelled, it does not take the lock"
        );
    });
}

/// Cancelled between the notification and the lock: the next one gets it.
#[test]
fn a_notification_is_passed_on() {
    on_virtual(|| {
        let (pair, log) = (Rc::new(Pair::default()), Log::new());
        let tasks = waiters(&pair, &log, 2);
        let held = pair.count.lock();
        pair.changed.notify_one();
        settle(); // the first waits for the lock
        tasks[0].cancel();
        settle();
        drop(held);
        settle();
        assert_eq!(log.take(), [1]);
        let ended: Vec<_> = tasks.into_iter().map(|task| task.join().is_ok()).collect();
        assert_eq!(ended, [false, true]);
    });
}

/// One of many: those who were notified anyway are not notified twice.
#[test]
fn a_notification_of_all_is_not_passed_on() {
    on_virtual(|| {
        let (pair, log) = (Rc::new(Pair::default()), Log::new());
        let tasks = waiters(&pair, &log, 2);
        let held = pair.count.lock();
        pair.changed.notify_all();
        settle();
        let theirs = Rc::clone(&pair);
        tasks[0].cancel();
        settle();
        drop(held);
        settle();
        let later = spawn(move || {
            timeout(SECOND, || drop(theirs.changed.wait(theirs.count.lock()))).is_err()
        });
        assert!(later.join().unwrap(), "nothing was left to wake it");
        assert_eq!(log.take(), [1]);
        drop(tasks);
    });
}

/// The time limits the wait for the notification, not the wait for the lock.
#[test]
fn a_limit_of_time() {
    on_virtual(|| {
        let pair = Rc::new(Pair::default());
        let start = Instant::now();
        let wait = |limit| {
            let pair = Rc::clone(&pair);
            spawn(move || {
                let (_count, waited) = pair.changed.wait_timeout(pair.count.lock(), limit);
                (waited.timed_out(), start.elapsed())
            })
        };
        let (late, early, now) = (wait(SECOND), wait(9 * SECOND), wait(Duration::ZERO));
        let huge = wait(Duration::MAX);
        yield_now();
        let held = pair.count.lock();
        sleep(2 * SECOND);
        pair.changed.notify_one(); // the first of the two that still wait
        drop(held);
        assert_eq!(late.join().unwrap(), (true, 2 * SECOND));
        assert_eq!(now.join().unwrap(), (true, 2 * SECOND));
        assert_eq!(early.join().unwrap(), (false, 2 * SECOND));
        pair.changed.notify_one();
        assert_eq!(huge.join().unwrap(), (false, 2 * SECOND));
    });
}

/// The limit is for the whole, however often it is woken.
#[test]
fn a_limit_of_time_for_a_condition() {
    on_virtual(|| {
        let pair = Rc::new(Pair::default());
        let start = Instant::now();
        let wait = |limit, least| {
            let pair = Rc::clone(&pair);
            spawn(move || {
                let count = pair.count.lock();
                let until = |count: &mut u32| *count < least;
                let (_count, waited) = pair.changed.wait_timeout_while(count, limit, until);
                (waited.timed_out(), start.elapsed())
            })
        };
        let (early, late) = (wait(9 * SECOND, 3), wait(5 * SECOND / 2, 9));
        let (now, never) = (wait(Duration::ZERO, 1), wait(Duration::ZERO, 0));
        for _ in 0..4 {
            sleep(SECOND);
            *pair.count.lock() += 1;
            pair.changed.notify_all();
        }
        assert_eq!(early.join().unwrap(), (false, 3 * SECOND));
        assert_eq!(late.join().unwrap(), (true, 5 * SECOND / 2));
        assert_eq!(now.join().unwrap(), (true, Duration::ZERO));
        assert_eq!(never.join().unwrap(), (false, Duration::ZERO));
    });
}

#[test]
fn wait_while_looks_each_time() {
    on_virtual(|| {
        let pair = Rc::new(Pair::default());
        let looks = Rc::new(Cell::new(0));
        let (theirs, counts) = (Rc::clone(&pair), Rc::clone(&looks));
        let task = spawn(move || {
            let full = theirs.changed.wait_while(theirs.count.lock(), |count| {
                counts.set(counts.get() + 1);
                *count < 3
            });
            *full
        });
        for _ in 0..3 {
            yield_now();
            *pair.count.lock() += 1;
            pair.changed.notify_all();
        }
        assert_eq!(task.join().unwrap(), 3);
        assert_eq!(looks.get(), 4);
    });
}

/// Producers and consumers with two conditions: as in every textbook.
#[test]
fn a_bounded_buffer() {
    #[derive(Default)]
    struct Buffer {
        items: Mutex<Vec<u32>>,
        filled: Condvar,
        emptied: Condvar,
    }
    let seen = run(|| {
        let buffer = Rc::new(Buffer::default());
        let producers = (0..3).map(|p| {
            let buffer = Rc::clone(&buffer);
            spawn(move || {
                for n in 0..50 {
                    let items = buffer.items.lock();
                    let mut items = buffer.emptied.wait_while(items, |items| items.len() >= 4);
                    items.push(p * 50 + n);
                    yield_now();
                    drop(items);
                    buffer.filled.notify_one();
                }
            })
        });
        let producers: Vec<_> = producers.collect();
        let consumers = (0..2).map(|_| {
            let buffer = Rc::clone(&buffer);
            spawn(move || {
                let mut seen = Vec::new();
                for _ in 0..75 {
                    let items = buffer.items.lock();
                    let mut items = buffer.filled.wait_while(items, |items| items.is_empty());
                    assert!(items.len() <= 4);
                    seen.push(items.remove(0));
                    drop(items);
                    buffer.emptied.notify_one();
                }
                seen
            })
        });
        let consumers: Vec<_> = consumers.collect();
        producers.into_iter().for_each(|task| task.join().unwrap());
        let mut seen: Vec<_> = consumers
            .into_iter()
            .flat_map(|task| task.join().unwrap())
            .collect();
        seen.sort_unstable();
        seen
    });
    assert_eq!(seen, Vec::from_iter(0..150));
}

#[test]
fn a_plain_thread_is_told() {
    let pair = Pair::default();
    let text = panic_text(|| drop(pair.changed.wait(pair.count.lock())));
    assert!(text.contains("no runtime is running here"), "{text}");
    assert!(!pair.count.is_locked());
}
