//! What lies in a lock, and the rest of their faces.

use std::rc::Rc;

use greenroom::sync::{Mutex, MutexGuard, RwLock, RwLockWriteGuard};
use greenroom::{current, no_switch, run, spawn, try_run, yield_now};

use crate::support::{Log, OnDrop, on_virtual, panic_text, quiet_panic};

/// A panic frees the lock, and leaves no poison.
#[test]
fn there_is_no_poison() {
    on_virtual(|| {
        let (mutex, lock) = (Rc::new(Mutex::new(1)), Rc::new(RwLock::new(1)));
        let (m, l) = (Rc::clone(&mutex), Rc::clone(&lock));
        let ended = spawn(move || {
            *m.lock() += 1;
            *l.write() += 1;
            let _guards = (m.lock(), l.write());
            quiet_panic("with both held")
        });
        assert!(ended.join().map(|never: ()| never).unwrap_err().is_panic());
        assert_eq!((*mutex.lock(), *lock.read()), (2, 2));
    });
}

/// Letting go makes the next one ready, and does not switch to it.
#[test]
fn letting_go_never_switches() {
    on_virtual(|| {
        let (mutex, log) = (Rc::new(Mutex::new(())), Log::new());
        let held = mutex.lock();
        let (theirs, told) = (Rc::clone(&mutex), log.clone());
        let next = spawn(move || {
            let _held = theirs.lock();
            told.add("the next has it");
        });
        yield_now();
        no_switch(|| drop(held));
        log.add("went on");
        assert_eq!(mutex.owner(), Some(next.id()), "it is handed over already");
        assert!(mutex.try_lock().is_err(), "nobody barges in");
        next.join().unwrap();
        assert_eq!(log.take(), ["went on", "the next has it"]);
        assert_eq!(mutex.owner(), None);
    });
}

/// A loop that only locks and unlocks lets others run.
#[test]
fn a_loop_of_locks_uses_up_its_budget() {
    run(|| {
        let mutex = Mutex::new(0u32);
        let other = spawn(|| ());
        let mut rounds = 0;
        while !other.is_finished() {
            *mutex.lock() += 1;
            rounds += 1;
            assert!(rounds < 1000);
        }
    });
}

#[test]
fn unsized_values_and_the_other_ways_in() {
    let mutex: Rc<Mutex<[u8]>> = Rc::new(Mutex::new([1, 2, 3]));
    mutex.lock()[0] = 9;
    assert_eq!(mutex.lock().len(), 3);
    let lock: Rc<RwLock<dyn Fn() -> u8>> = Rc::new(RwLock::new(|| 7));
    assert_eq!((lock.read())(), 7);
    let mut mutex = Mutex::from(5);
    *mutex.get_mut() += 1;
    {
        let guard = mutex.lock();
        assert!(MutexGuard::mutex(&guard).is_locked());
        assert_eq!(format!("{guard} {guard:?}"), "6 6");
        assert_eq!(format!("{mutex:?}"), "Mutex { value: <locked>, .. }");
    }
    assert_eq!(format!("{mutex:?}"), "Mutex { value: 6, .. }");
    assert_eq!(mutex.into_inner(), 6);
    let mut lock = RwLock::from(5);
    *lock.get_mut() += 1;
    assert_eq!(format!("{lock:?}"), "RwLock { value: 6, .. }");
    assert_eq!(lock.into_inner(), 6);
}

/// A write guard that goes on reading: readers in line read along, writers do not.
#[test]
fn a_writer_may_go_on_reading() {
    on_virtual(|| {
        let (lock, log) = (Rc::new(RwLock::new(1)), Log::new());
        let mut writing = lock.write();
        let visit = |name, writes: bool| {
            let (lock, log) = (Rc::clone(&lock), log.clone());
            spawn(move || {
                if writes {
                    *lock.write() += 1;
                } else {
                    assert_eq!(*lock.read(), 5);
                }
                log.add(name);
            })
        };
        let tasks = [
            visit("reader", false),
            visit("another", false),
            visit("writer", true),
        ];
        yield_now();
        *writing = 5;
        let reading = RwLockWriteGuard::downgrade(writing);
        assert_eq!(lock.readers(), 3);
        (0..3).for_each(|_| yield_now());
        assert_eq!(log.take(), ["reader", "another"]);
        assert!(lock.try_read().is_err(), "a writer waits");
        drop(reading);
        tasks.into_iter().for_each(|task| task.join().unwrap());
        assert_eq!(*lock.read(), 6);
    });
}

#[test]
fn a_plain_thread_is_told_instead_of_waiting() {
    let mutex = Mutex::new(());
    let _held = mutex.lock();
    assert!(panic_text(|| mutex.lock()).contains("no runtime is running here"));
    let lock = RwLock::new(());
    let _reading = lock.read();
    assert!(panic_text(|| lock.write()).contains("no runtime is running here"));
    // A runtime that starts meanwhile finds it locked by nobody.
    let error = try_run(|| drop(mutex.lock())).unwrap_err().to_string();
    assert!(
        error.contains("a mutex held by no task that is alive"),
        "{error}"
    );
}

/// A guard dropped in the middle of unwinding hands on as well.
#[test]
fn a_guard_dropped_by_a_cancellation_hands_on() {
    on_virtual(|| {
        let mutex = Rc::new(Mutex::new(0));
        let theirs = Rc::clone(&mutex);
        let holder = spawn(move || {
            let mut held = theirs.lock();
            let _guard = OnDrop(|| *held += 1);
            greenroom::park();
        });
        yield_now();
        let theirs = Rc::clone(&mutex);
        let next = spawn(move || {
            let held = theirs.lock();
            (*held, theirs.owner() == Some(current().id()))
        });
        yield_now();
        holder.cancel();
        assert_eq!(next.join().unwrap(), (1, true));
        assert!(holder.join().unwrap_err().is_cancelled());
    });
}

/// A lock dropped with its holder's guard forgotten does no harm.
#[test]
fn forgotten_guards_do_no_harm() {
    on_virtual(|| {
        let mut mutex = Mutex::new(String::from("kept"));
        std::mem::forget(mutex.lock());
        mutex.get_mut().push('!');
        assert_eq!(mutex.into_inner(), "kept!");
        let mut lock = RwLock::new(String::from("kept"));
        std::mem::forget(lock.read());
        lock.get_mut().push('!');
        assert_eq!(lock.into_inner(), "kept!");
    });
}
