//! A task that would wait in a circle is told at once, by name; one that would not is
//! left in peace.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use greenroom::sync::{LockError, Mutex, OnceCell, RwLock, bounded};
use greenroom::{
    Builder, CancelScope, Delivery, Instant, WaitCycle, gather, park, scope, shield, sleep, spawn,
    timeout, yield_now,
};

use crate::support::{on_virtual, panic_text};

const SECOND: Duration = Duration::from_secs(1);

/// The circle that a lock was refused for.
#[track_caller]
pub(crate) fn circle<T>(result: Result<T, LockError>) -> WaitCycle {
    match result {
        Err(LockError::Deadlock(circle)) => circle,
        Err(error) => panic!("another error: {error}"),
        Ok(_) => panic!("no error"),
    }
}

#[test]
fn a_task_that_locks_twice_is_told() {
    on_virtual(|| {
        let mutex = Mutex::new(1);
        let held = mutex.lock();
        assert_eq!(circle(mutex.checked_lock()).tasks().len(), 1);
        let text = panic_text(|| mutex.lock());
        assert!(text.starts_with("deadlock: "), "{text}");
        assert!(text.contains("waits for a mutex held by itself"), "{text}");
        drop(held);
        assert_eq!(*mutex.lock(), 1, "the lock is whole");
    });
}

#[test]
fn two_tasks_that_lock_crosswise_the_second_is_told_and_the_first_goes_on() {
    on_virtual(|| {
        let (a, b) = (Rc::new(Mutex::new(())), Rc::new(Mutex::new(())));
        let start = Instant::now();
        let named = |name: &str| Builder::new().name(name);
        let (first, second) = (Rc::clone(&a), Rc::clone(&b));
        let one = named("one")
            .spawn(move || {
                let _a = first.lock();
                sleep(SECOND);
                let _b = second.lock();
                start.elapsed()
            })
            .unwrap();
        let other = named("other")
            .spawn(move || {
                let _b = b.lock();
                sleep(2 * SECOND);
                let circle = circle(a.checked_lock());
                (start.elapsed(), circle)
            })
            .unwrap();
        let (told, circle) = other.join().unwrap();
        assert_eq!(told, 2 * SECOND, "at once");
        assert_eq!(
            one.join().unwrap(),
            2 * SECOND,
            "the other gave up its lock"
        );
        let names: Vec<_> = circle
            .tasks()
            .iter()
            .map(|task| (task.name.clone().unwrap(), task.waits_for.clone()))
            .collect();
        assert_eq!(names[0].0, "other");
        assert!(names[0].1.starts_with("a mutex held by task "), "{names:?}");
        assert!(names[0].1.ends_with("'one'"), "{names:?}");
        assert_eq!(names[1].0, "one");
        assert!(names[1].1.ends_with("'other'"), "{names:?}");
        let text = circle.to_string();
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(text.contains("tests/locks/cycles.rs"), "{text}");
    });
}

/// A ring of any length: only the one who closes it is told.
#[test]
fn a_long_ring_is_found() {
    for length in [2, 3, 10, 200] {
        on_virtual(|| {
            let forks: Vec<_> = (0..length).map(|_| Rc::new(Mutex::new(()))).collect();
            let diners: Vec<_> = (0..length)
                .map(|n| {
                    let left = Rc::clone(&forks[n]);
                    let right = Rc::clone(&forks[(n + 1) % length]);
                    spawn(move || {
                        let _left = left.lock();
                        sleep(SECOND);
                        right.checked_lock().map(drop).map_err(|error| match error {
                            LockError::Deadlock(circle) => circle.tasks().len(),
                            error => panic!("{error}"),
                        })
                    })
                })
                .collect();
            let told: Vec<_> = diners
                .into_iter()
                .map(|diner| diner.join().unwrap())
                .filter_map(Result::err)
                .collect();
            assert_eq!(told, [length]);
        });
    }
}

#[test]
fn a_join_is_part_of_a_circle() {
    on_virtual(|| {
        let mutex = Rc::new(Mutex::new(()));
        let _held = mutex.lock();
        let theirs = Rc::clone(&mutex);
        let helper = spawn(move || circle(theirs.checked_lock()).to_string());
        let text = helper.join().unwrap();
        assert!(text.contains("waits for the end of task "), "{text}");
    });
}

#[test]
fn the_end_of_a_scope_is_part_of_a_circle() {
    on_virtual(|| {
        let mutex = Mutex::new(());
        let told = RefCell::new(String::new());
        let held = mutex.lock();
        scope(|s| {
            s.spawn(|| sleep(SECOND));
            s.spawn(|| {
                yield_now();
                *told.borrow_mut() = circle(mutex.checked_lock()).to_string();
            });
        });
        drop(held);
        let told = told.into_inner();
        assert!(told.contains("its 2 children to end"), "{told}");
    });
}

/// A join has no error to give: the one who waits for the lock is told, when it closes.
#[test]
fn a_circle_that_a_join_closes_is_told_to_the_lock() {
    on_virtual(|| {
        let mutex = Rc::new(Mutex::new(()));
        let _held = mutex.lock();
        let theirs = Rc::clone(&mutex);
        let locker = spawn(move || circle(theirs.checked_lock()).tasks().len());
        yield_now(); // it waits
        let between = spawn(move || locker.join().unwrap());
        yield_now(); // it waits for the one that waits
        assert_eq!(between.join().unwrap(), 3);
    });
}

#[test]
fn a_circle_that_the_end_of_a_scope_closes_is_told_to_the_lock() {
    on_virtual(|| {
        let (mutex, lock) = (Mutex::new(()), RwLock::new(()));
        let told = Cell::new(0);
        let tell = |circle: WaitCycle| told.set(told.get() + circle.tasks().len());
        let _held = (mutex.lock(), lock.read());
        scope(|s| {
            s.spawn(|| tell(circle(mutex.checked_lock())));
            s.spawn(|| tell(circle(lock.checked_write())));
            s.spawn(|| sleep(SECOND));
            yield_now(); // they wait
            assert_eq!(told.get(), 0);
        });
        assert_eq!(told.get(), 4);
    });
}

/// Whoever is cancelled is told that first.
#[test]
fn a_cancelled_task_unwinds_also_from_a_circle() {
    on_virtual(|| {
        let mutex = Mutex::new(());
        let _held = mutex.lock();
        let limit = CancelScope::new();
        let own = limit.clone();
        let refused = limit.run(|| {
            own.cancel("enough");
            mutex.lock().to_owned()
        });
        assert!(refused.is_none());
    });
}

#[test]
fn a_reader_who_reads_again_behind_a_writer_is_told() {
    on_virtual(|| {
        let lock = Rc::new(RwLock::new(5));
        let reading = lock.read();
        assert_eq!(*lock.read(), 5, "without a writer that is fine");
        let theirs = Rc::clone(&lock);
        let writer = spawn(move || *theirs.write() += 1);
        yield_now();
        // It waits for the writer, who waits for it.
        assert_eq!(circle(lock.checked_read()).tasks().len(), 2);
        assert_eq!(circle(lock.checked_write()).tasks().len(), 2);
        drop(reading);
        writer.join().unwrap();
        assert_eq!(*lock.read(), 6);
    });
}

/// All readers must go before a writer can: one of them in a circle is enough.
#[test]
fn a_writer_waits_for_every_reader() {
    on_virtual(|| {
        let (lock, mutex) = (Rc::new(RwLock::new(())), Rc::new(Mutex::new(())));
        let readers: Vec<_> = (0..3)
            .map(|n| {
                let (lock, mutex) = (Rc::clone(&lock), Rc::clone(&mutex));
                spawn(move || {
                    let _reading = lock.read();
                    sleep(SECOND);
                    if n == 1 {
                        drop(mutex.lock());
                    }
                })
            })
            .collect();
        let _held = mutex.lock();
        sleep(SECOND / 2);
        // Two of three only sleep; the third will wait for the mutex, but does not yet.
        let early = timeout(SECOND / 4, || lock.write().to_owned());
        assert!(early.is_err(), "nobody waits in a circle yet");
        sleep(SECOND);
        assert_eq!(circle(lock.checked_write()).tasks().len(), 2);
        drop(_held);
        readers
            .into_iter()
            .for_each(|reader| reader.join().unwrap());
    });
}

#[test]
fn a_cell_that_needs_itself_is_told() {
    on_virtual(|| {
        let cell: Rc<OnceCell<u32>> = Rc::default();
        let own = Rc::clone(&cell);
        let text = panic_text(|| *cell.get_or_init(|| *own.get_or_init(|| 5)));
        assert!(
            text.contains("a value that is being made by itself"),
            "{text}"
        );
        assert_eq!(cell.get(), None);
        assert_eq!(*cell.get_or_init(|| 6), 6, "the next one tries");
    });
}

#[test]
fn what_anybody_could_end_is_no_circle() {
    on_virtual(|| {
        let mutex = Rc::new(Mutex::new(()));
        let (send, receive) = bounded::<()>(0);
        let theirs = Rc::clone(&mutex);
        let holder = spawn(move || {
            let _held = theirs.lock();
            receive.recv().unwrap();
        });
        yield_now();
        // It waits for us, but we could as well be another.
        let waiter = spawn(move || drop(mutex.lock()));
        yield_now();
        send.send(()).unwrap();
        gather((|| holder.join().unwrap(), || waiter.join().unwrap()));
    });
}

/// One that was handed the lock, and has not run since, waits for nobody.
#[test]
fn a_lock_on_its_way_is_no_circle() {
    on_virtual(|| {
        let (a, b) = (Rc::new(Mutex::new(())), Rc::new(Mutex::new(())));
        let held = a.lock();
        let (theirs, other) = (Rc::clone(&a), Rc::clone(&b));
        let next = spawn(move || {
            let _b = other.lock();
            drop(theirs.lock());
        });
        yield_now();
        drop(held); // it is theirs now
        drop(b.checked_lock().unwrap());
        next.join().unwrap();
    });
}

/// One that was cancelled, and has not run since, will let go.
#[test]
fn a_cancelled_holder_is_no_circle() {
    on_virtual(|| {
        let mutex = Rc::new(Mutex::new(()));
        let scope_of_holder = CancelScope::new();
        let (theirs, limit) = (Rc::clone(&mutex), scope_of_holder.clone());
        let me = greenroom::current();
        let done = Rc::new(Cell::new(false));
        let seen = Rc::clone(&done);
        let locker_gate = Rc::new(Mutex::new(()));
        let gate = locker_gate.lock();
        let gate_of_locker = Rc::clone(&locker_gate);
        let ours = Rc::clone(&mutex);
        let locker = spawn(move || {
            drop(gate_of_locker.lock());
            drop(ours.checked_lock().unwrap());
            seen.set(true);
        });
        let holder = spawn(move || {
            let _held = theirs.lock();
            assert!(limit.run(|| locker.join().unwrap()).is_none());
        });
        yield_now();
        drop(gate); // the locker is ready,
        scope_of_holder.cancel("in a hurry"); // and so is the holder, behind it
        holder.join().unwrap();
        yield_now();
        assert!(done.get());
        me.unpark();
        park();
    });
}

/// A guard that was forgotten, its task gone: nobody is in a circle, and the deadlock is
/// the whole runtime's.
#[test]
fn a_forgotten_guard_holds_for_ever() {
    let mutex = Rc::new(Mutex::new(()));
    on_virtual(|| {
        let theirs = Rc::clone(&mutex);
        spawn(move || std::mem::forget(theirs.lock()))
            .join()
            .unwrap();
        assert!(timeout(SECOND, || drop(mutex.checked_lock())).is_err());
    });
    // Also in another runtime, whose tasks have the same places.
    let error = greenroom::try_run(|| drop(mutex.lock())).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("a mutex held by no task that is alive"),
        "{text}"
    );
    assert!(mutex.owner().is_some());
}

/// What a report says of locks.
#[test]
fn reports_name_the_holders() {
    on_virtual(|| {
        let lock = Rc::new(RwLock::new(()));
        let readers: Vec<_> = (0..6)
            .map(|n| {
                let lock = Rc::clone(&lock);
                let reader = Builder::new().name(format!("reader {n}"));
                reader
                    .spawn(move || {
                        let _reading = lock.read();
                        park();
                    })
                    .unwrap()
            })
            .collect();
        yield_now();
        let theirs = Rc::clone(&lock);
        let writer = spawn(move || drop(theirs.write()));
        yield_now();
        let tasks = greenroom::tasks();
        let report = tasks.iter().find(|task| task.id == writer.id()).unwrap();
        let waits_for = report.waits_for.clone().unwrap();
        assert!(waits_for.starts_with("a lock held by task "), "{waits_for}");
        assert!(waits_for.contains("'reader 0'"), "{waits_for}");
        assert!(waits_for.ends_with("and 2 more"), "{waits_for}");
        readers.iter().for_each(greenroom::JoinHandle::cancel);
        writer.join().unwrap();
    });
}

/// With errors a lock that cannot fail waits on, also where it was cancelled.
#[test]
fn with_errors_a_cancelled_lock_waits_on() {
    on_virtual(|| {
        let mutex = Rc::new(Mutex::new(()));
        let held = mutex.lock();
        let theirs = Rc::clone(&mutex);
        let task = spawn(move || {
            let limit = CancelScope::builder().delivery(Delivery::Error).build();
            let own = limit.clone();
            limit.run(move || {
                own.cancel("before it began");
                let refused = theirs.checked_lock();
                assert!(matches!(refused, Err(LockError::Cancelled)));
                drop(theirs.lock());
            })
        });
        (0..3).for_each(|_| yield_now());
        assert!(!task.is_finished());
        drop(held);
        shield(|| task.join()).unwrap();
    });
}
