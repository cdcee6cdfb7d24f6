//! Circles that close in other ways than by a lock, and what only looks like one.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use greenroom::sync::{Mutex, RwLock, bounded};
use greenroom::{CancelScope, Delivery, Instant, scope, shield, sleep, spawn, yield_now};

use crate::cycles::circle;
use crate::support::{OnDrop, on_virtual, quiet_panic};

const SECOND: Duration = Duration::from_secs(1);

/// In a destructor during a panic nobody can be told: the other is, though it was there
/// first.
#[test]
fn a_circle_closed_while_unwinding_is_told_to_the_other() {
    on_virtual(|| {
        let (a, b) = (Rc::new(Mutex::new(())), Rc::new(Mutex::new(())));
        let start = Instant::now();
        let (first, second) = (Rc::clone(&a), Rc::clone(&b));
        let told = spawn(move || {
            let _b = second.lock();
            sleep(SECOND / 8);
            circle(first.checked_lock()).tasks().len()
        });
        let unwinding = spawn(move || {
            let _a = a.lock();
            sleep(SECOND);
            let _guard = OnDrop(|| drop(b.lock())); // closes the circle
            quiet_panic("mine");
        });
        assert_eq!(told.join().unwrap(), 2);
        assert!(
            unwinding
                .join()
                .map(|never: ()| never)
                .unwrap_err()
                .is_panic()
        );
        assert_eq!(start.elapsed(), SECOND);
    });
}

/// One that is cancelled, but waits on for its child, does not let go.
#[test]
fn a_scope_that_outlasts_its_cancellation_is_part_of_a_circle() {
    on_virtual(|| {
        let mutex = Rc::new(Mutex::new(()));
        let (tell, told) = bounded::<()>(1);
        let length = Rc::new(Cell::new(0));
        let (theirs, seen) = (Rc::clone(&mutex), Rc::clone(&length));
        let owner = spawn(move || {
            let _held = theirs.lock();
            let body = || {
                told.recv().unwrap();
                seen.set(circle(theirs.checked_lock()).tasks().len());
            };
            scope(|s| drop(s.spawn(|| shield(body))));
        });
        yield_now();
        yield_now();
        tell.send(()).unwrap();
        owner.cancel(); // ready, behind the child
        assert!(owner.join().unwrap_err().is_cancelled());
        assert_eq!(length.get(), 2);
    });
}

/// A join with errors waits on as well.
#[test]
fn a_join_that_outlasts_its_cancellation_is_part_of_a_circle() {
    on_virtual(|| {
        let mutex = Rc::new(Mutex::new(()));
        let (tell, told) = bounded::<()>(1);
        let (ours, theirs) = (Rc::clone(&mutex), Rc::clone(&mutex));
        let child = spawn(move || {
            told.recv().unwrap();
            circle(theirs.checked_lock()).tasks().len()
        });
        let limit = CancelScope::builder().delivery(Delivery::Error).build();
        let own = limit.clone();
        let holder = spawn(move || {
            let _held = ours.lock();
            own.run(|| child.join().unwrap())
        });
        yield_now();
        yield_now();
        tell.send(()).unwrap();
        limit.cancel("too early");
        assert_eq!(holder.join().unwrap(), Some(2));
    });
}

/// Who stands behind a writer that was cancelled, and has not run since, will be served.
#[test]
fn a_cancelled_writer_in_line_is_no_circle() {
    on_virtual(|| {
        let (lock, mutex) = (Rc::new(RwLock::new(())), Rc::new(Mutex::new(())));
        let reading = lock.read();
        let theirs = Rc::clone(&lock);
        let writer = spawn(move || drop(theirs.write()));
        yield_now();
        let (read, held) = (Rc::clone(&lock), Rc::clone(&mutex));
        let reader = spawn(move || {
            let _held = held.lock();
            drop(read.read());
        });
        yield_now();
        writer.cancel();
        drop(mutex.checked_lock().unwrap());
        drop(reading);
        reader.join().unwrap();
    });
}

/// Ten thousand readers, ten thousand who wait behind a writer: the search is bounded.
#[test]
fn a_crowd_does_not_search_for_ever() {
    on_virtual(|| {
        let lock = RwLock::new(0);
        scope(|s| {
            for n in 0..20_001 {
                let lock = &lock;
                s.spawn(move || {
                    if n == 10_000 {
                        *lock.write() += 1;
                    } else {
                        let seen = lock.read();
                        sleep(SECOND);
                        assert_eq!(*seen, i32::from(n > 10_000));
                    }
                });
            }
        });
        assert_eq!(*lock.read(), 1);
    });
}

/// Writing a lock down holds it: what it writes to may wait.
#[test]
fn a_lock_that_is_written_down_is_held() {
    struct Waits;
    impl std::fmt::Debug for Waits {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            sleep(SECOND);
            f.write_str("Waits")
        }
    }
    on_virtual(|| {
        let (mutex, lock) = (Rc::new(Mutex::new(Waits)), Rc::new(RwLock::new(Waits)));
        let (m, l) = (Rc::clone(&mutex), Rc::clone(&lock));
        let writer = spawn(move || format!("{m:?} {l:?}"));
        yield_now();
        let start = Instant::now();
        drop(mutex.lock());
        assert_eq!(start.elapsed(), SECOND);
        yield_now();
        drop(lock.write());
        assert_eq!(start.elapsed(), 2 * SECOND);
        let text = writer.join().unwrap();
        assert_eq!(
            text,
            "Mutex { value: Waits, .. } RwLock { value: Waits, .. }"
        );
    });
}
