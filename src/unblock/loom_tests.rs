//! Calls on a pool with threads in every order: each runs once or is given back, its
//! caller is woken, and every thread of the pool leaves in the end.
//!
//! A thread that sleeps for ever is what loom reports as a deadlock.

use std::sync::Arc;
use std::time::Duration;

use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use super::{Got, Job, wait_for};
use crate::scheduler::outside::Caller;
use crate::thread_pool::{ThreadPool, Work};

/// A pool whose threads leave at once, or never.
fn pool_of(threads: usize, stay: bool) -> ThreadPool {
    let idle = if stay { Duration::MAX } else { Duration::ZERO };
    ThreadPool::builder()
        .max_threads(threads)
        .idle_time(idle)
        .build()
}

/// Calls from so many threads at once, each so often.
fn calls(pool: &ThreadPool, callers: usize, each: usize) {
    let call = move |pool: &ThreadPool| {
        for n in 0..each {
            assert_eq!(wait_for(Caller::here(), pool, move || n), n);
        }
    };
    let others: Vec<_> = (1..callers)
        .map(|_| {
            let pool = pool.clone();
            thread::spawn(move || call(&pool))
        })
        .collect();
    call(pool);
    for other in others {
        other.join().unwrap();
    }
    let counts = pool.counts();
    assert_eq!((counts.idle, counts.queued), (counts.threads, 0));
}

#[test]
fn a_call_meets_a_thread_that_is_about_to_leave() {
    loom::model(|| calls(&pool_of(1, false), 1, 3));
}

#[test]
fn a_call_meets_a_thread_that_is_about_to_sit_down() {
    loom::model(|| calls(&pool_of(1, true), 1, 3));
}

#[test]
fn two_call_one_thread() {
    for stay in [true, false] {
        loom::model(move || calls(&pool_of(1, stay), 2, 1));
    }
}

#[test]
fn two_call_two_threads() {
    for stay in [true, false] {
        loom::model(move || calls(&pool_of(2, stay), 2, 1));
    }
}

/// The caller gives up at any moment: then it gets the call, or what that gave, or the
/// call is another thread's.
#[test]
fn a_call_that_is_given_up_is_whole() {
    for stay in [true, false] {
        loom::model(move || {
            let pool = pool_of(1, stay);
            let ran = Arc::new(AtomicUsize::new(0));
            let counts = Arc::clone(&ran);
            let call = move || counts.fetch_add(1, Ordering::AcqRel) + 5;
            let address = Caller::here().address().unwrap();
            let job = Arc::new(Job::new(call, address));
            let ticket = pool.submit(Arc::clone(&job) as Arc<dyn Work>).unwrap();
            match job.let_go() {
                Some(Got::Back(call)) => {
                    pool.withdraw(ticket);
                    assert_eq!(pool.counts().queued, 0);
                    assert_eq!(ran.load(Ordering::Acquire), 0);
                    drop(call);
                }
                Some(Got::Result(result)) => assert_eq!(result.unwrap(), 5_usize),
                Some(Got::Refused(..)) => unreachable!("it was queued"),
                None => {}
            }
            // Whatever became of it, the next one is served, and after it.
            assert_eq!(wait_for(Caller::here(), &pool, || 7), 7);
            assert!(ran.load(Ordering::Acquire) <= 1);
        });
    }
}
