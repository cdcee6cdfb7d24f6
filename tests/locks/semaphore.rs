//! Permits: what only a semaphore has.

use std::rc::Rc;
use std::time::Duration;

use greenroom::sync::{AcquireError, Semaphore, TryLockError};
use greenroom::{sleep, spawn, timeout, yield_now};

use crate::support::{Log, on_virtual, panic_text};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_large_wish_is_not_passed_by_small_ones() {
    on_virtual(|| {
        let (semaphore, log) = (Rc::new(Semaphore::new(3)), Log::new());
        let held = semaphore.acquire();
        for (n, count) in [(0, 3), (1, 1), (2, 1)] {
            let (semaphore, log) = (Rc::clone(&semaphore), log.clone());
            spawn(move || {
                let _permits = semaphore.acquire_many(count);
                log.add(n);
                sleep(SECOND);
            });
        }
        yield_now();
        assert_eq!(semaphore.available_permits(), 2);
        assert_eq!(
            semaphore.try_acquire().err(),
            Some(TryLockError),
            "they wait in line"
        );
        assert!(
            semaphore.try_acquire_many(0).is_ok(),
            "nothing is always to be had"
        );
        drop(held);
        sleep(3 * SECOND);
        assert_eq!(log.take(), [0, 1, 2]);
        assert_eq!(semaphore.available_permits(), 3);
    });
}

/// The head of the line goes: those behind it are served with what was free.
#[test]
fn one_who_leaves_lets_those_behind_it_in() {
    on_virtual(|| {
        let semaphore = Rc::new(Semaphore::new(2));
        let theirs = Rc::clone(&semaphore);
        let large = spawn(move || drop(theirs.acquire_many(5)));
        yield_now();
        let theirs = Rc::clone(&semaphore);
        let small = spawn(move || drop(theirs.acquire_many(2)));
        yield_now();
        assert!(!small.is_finished());
        large.cancel();
        small.join().unwrap();
        assert_eq!(semaphore.available_permits(), 2);
        // The whole task is gone with its wish.
        assert!(large.join().unwrap_err().is_cancelled());
    });
}

#[test]
fn permits_are_added_forgotten_split_and_merged() {
    on_virtual(|| {
        let semaphore = Rc::new(Semaphore::new(0));
        let theirs = Rc::clone(&semaphore);
        let waiter = spawn(move || theirs.acquire_many(3).forget());
        yield_now();
        semaphore.add_permits(2);
        yield_now();
        assert!(!waiter.is_finished());
        semaphore.add_permits(2);
        waiter.join().unwrap();
        assert_eq!(semaphore.available_permits(), 1);
        assert_eq!(semaphore.forget_permits(9), 1);
        semaphore.add_permits(5);
        let mut all = Rc::clone(&semaphore).acquire_many_owned(5);
        let two = all.split(2).unwrap();
        assert!(all.split(4).is_none());
        drop(all);
        assert_eq!(semaphore.available_permits(), 3);
        let mut rest = Rc::clone(&semaphore).try_acquire_many_owned(3).unwrap();
        rest.merge(two);
        assert_eq!(rest.count(), 5);
        assert!(Rc::ptr_eq(rest.semaphore(), &semaphore));
        drop(rest);
        assert_eq!(semaphore.available_permits(), 5);
        let other = Semaphore::new(1);
        let text = panic_text(|| {
            let mut one = semaphore.try_acquire().unwrap();
            one.merge(other.try_acquire().unwrap());
        });
        assert!(text.contains("different semaphores"), "{text}");
        assert_eq!(
            (semaphore.available_permits(), other.available_permits()),
            (5, 1)
        );
    });
}

#[test]
fn more_than_there_can_be() {
    let full = Semaphore::new(usize::MAX);
    let text = panic_text(|| full.add_permits(1));
    assert!(text.contains("usize::MAX"), "{text}");
    assert_eq!(full.available_permits(), usize::MAX);
    drop(full.try_acquire_many(usize::MAX).unwrap());
    assert_eq!(full.available_permits(), usize::MAX);
    let mut all = full.try_acquire_many(usize::MAX).unwrap();
    full.add_permits(5);
    let text = panic_text(|| all.merge(full.try_acquire_many(3).unwrap()));
    assert!(text.contains("usize::MAX"), "{text}");
    assert_eq!((all.count(), full.available_permits()), (usize::MAX, 5));
    let none = Semaphore::new(0);
    assert_eq!(
        none.checked_acquire_many(1).err(),
        Some(AcquireError::WouldBlock)
    );
    let text = panic_text(|| none.acquire().count());
    assert!(text.contains("no runtime is running here"), "{text}");
    on_virtual(|| {
        let limit = timeout(SECOND, || none.acquire_many(usize::MAX).count());
        assert!(limit.is_err());
        assert_eq!(none.acquire_many(0).count(), 0);
    });
}

/// An owned permit lives as long as it likes, wherever it goes.
#[test]
fn an_owned_permit_keeps_the_semaphore() {
    on_virtual(|| {
        let semaphore = Rc::new(Semaphore::new(1));
        let permit = Rc::clone(&semaphore).acquire_owned();
        let weak = Rc::downgrade(&semaphore);
        drop(semaphore);
        spawn(move || {
            assert_eq!(weak.upgrade().unwrap().available_permits(), 0);
            drop(permit);
            assert!(weak.upgrade().is_none());
        })
        .join()
        .unwrap();
    });
}
