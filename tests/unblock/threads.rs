//! The threads of a pool: how many there are, when they come and when they go.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use greenroom::{ThreadPool, run, spawn, unblock, yield_now};

use crate::support::{case, panic_text, rerun};
use crate::{PATIENCE, clean, eventually, gated, occupied, pool_of};

#[test]
fn one_call_after_the_other_needs_one_thread() {
    let pool = pool_of(64);
    clean(|| {
        for n in 0..500 {
            assert_eq!(pool.unblock(move || n), n);
            let counts = pool.counts();
            assert_eq!((counts.threads, counts.idle, counts.queued), (1, 1, 0));
        }
    });
}

#[test]
fn a_thread_is_started_where_none_is_idle() {
    let pool = pool_of(64);
    clean(|| {
        let calls: Vec<_> = (0..5).map(|_| gated(|| ())).collect();
        let mut gates = Vec::new();
        let mut tasks = Vec::new();
        for (gate, call) in calls {
            let pool = pool.clone();
            tasks.push(spawn(move || pool.unblock(call)));
            gates.push(gate);
        }
        yield_now();
        gates.iter().for_each(|gate| gate.wait_begun());
        assert_eq!(pool.counts().threads, 5);
        assert_eq!(pool.counts().idle, 0);
        gates.iter().for_each(|gate| gate.open());
        tasks.into_iter().for_each(|task| task.join().unwrap());
        assert_eq!(pool.counts().idle, 5);
        pool.unblock(|| ());
        assert_eq!(pool.counts().threads, 5);
    });
}

#[test]
fn never_more_run_at_a_time_than_the_limit() {
    for limit in [1, 2, 4] {
        let pool = pool_of(limit);
        let running = Arc::new(AtomicUsize::new(0));
        let most = Arc::new(AtomicUsize::new(0));
        clean(|| {
            let tasks: Vec<_> = (0..300)
                .map(|n| {
                    let (pool, running, most) =
                        (pool.clone(), Arc::clone(&running), Arc::clone(&most));
                    spawn(move || {
                        pool.unblock(move || {
                            most.fetch_max(
                                running.fetch_add(1, Ordering::AcqRel) + 1,
                                Ordering::AcqRel,
                            );
                            thread::yield_now();
                            running.fetch_sub(1, Ordering::AcqRel);
                            n
                        })
                    })
                })
                .collect();
            for (n, task) in tasks.into_iter().enumerate() {
                assert_eq!(task.join().unwrap(), n);
            }
        });
        assert!(most.load(Ordering::Acquire) <= limit);
        assert!(pool.counts().threads <= limit);
    }
}

#[test]
fn with_one_thread_calls_run_in_the_order_in_which_they_were_made() {
    let pool = pool_of(1);
    let (ran, order) = mpsc::channel();
    clean(|| {
        let tasks: Vec<_> = (0..200)
            .map(|n| {
                let (pool, ran) = (pool.clone(), ran.clone());
                spawn(move || pool.unblock(move || ran.send(n).unwrap()))
            })
            .collect();
        tasks.into_iter().for_each(|task| task.join().unwrap());
    });
    let order: Vec<_> = order.try_iter().collect();
    assert_eq!(order, (0..200).collect::<Vec<_>>());
}

#[test]
fn a_limit_of_none_counts_as_one() {
    let pool = pool_of(0);
    clean(|| assert_eq!(pool.unblock(|| 1), 1));
    assert_eq!(pool.counts().threads, 1);
}

#[test]
fn idle_threads_leave_and_others_come() {
    let pool = ThreadPool::builder()
        .max_threads(3)
        .idle_time(Duration::from_millis(1))
        .build();
    clean(|| {
        for round in 0..20 {
            let tasks = [0, 1, 2].map(|n| {
                let pool = pool.clone();
                spawn(move || pool.unblock(move || n + round))
            });
            let sum: i32 = tasks.map(|task| task.join().unwrap()).iter().sum();
            assert_eq!(sum, 3 + 3 * round);
            eventually(|| pool.counts().threads == 0);
        }
    });
}

/// The moment at which a thread leaves is when a call comes.
#[test]
fn a_call_that_meets_a_leaving_thread_is_run() {
    let pool = ThreadPool::builder()
        .max_threads(2)
        .idle_time(Duration::ZERO)
        .build();
    let threads = [0, 1].map(|_| {
        let pool = pool.clone();
        thread::spawn(move || {
            run(|| (0..2000).for_each(|n| assert_eq!(pool.unblock(move || n), n)));
        })
    });
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    eventually(|| pool.counts().threads == 0);
}

#[test]
fn the_thread_that_was_busy_last_is_called_first() {
    let pool = pool_of(2);
    let (first_gate, first) = occupied(&pool);
    let (second_gate, second) = occupied(&pool);
    first_gate.open();
    first.join().unwrap();
    eventually(|| pool.counts().idle == 1);
    clean(|| {
        let sat_first = pool.unblock(|| thread::current().id());
        second_gate.open();
        second.join().unwrap();
        eventually(|| pool.counts().idle == 2);
        let sat_last = pool.unblock(|| thread::current().id());
        // From now on the other one is never called.
        for _ in 0..50 {
            assert_eq!(pool.unblock(|| thread::current().id()), sat_last);
        }
        let _one_of_two = sat_first;
    });
}

#[test]
fn the_last_handle_ends_the_threads() {
    thread_local! {
        static AT_END: RefCell<Option<Tells>> = const { RefCell::new(None) };
    }
    struct Tells(mpsc::Sender<()>);
    impl Drop for Tells {
        fn drop(&mut self) {
            self.0.send(()).unwrap();
        }
    }
    let pool = ThreadPool::builder().idle_time(Duration::MAX).build();
    let other = pool.clone();
    let (gone, wait) = mpsc::channel();
    clean(|| {
        pool.unblock(move || AT_END.set(Some(Tells(gone))));
    });
    drop(pool);
    assert_eq!(other.counts().threads, 1);
    assert!(wait.try_recv().is_err());
    drop(other);
    wait.recv_timeout(PATIENCE).unwrap();
}

#[test]
fn the_last_handle_may_go_while_calls_run() {
    let (gate, call) = gated(|| 5);
    let pool = pool_of(1);
    clean(|| {
        let task = spawn(move || pool.unblock(call));
        yield_now();
        gate.wait_begun();
        task.cancel();
        // The task has the last handle.
        assert!(task.join().unwrap_err().is_cancelled());
    });
    gate.open();
}

#[test]
fn without_any_thread_it_panics_and_the_pool_is_as_before() {
    let pool = ThreadPool::builder().stack_size(1 << 60).build();
    clean(|| {
        let dropped = Arc::new(());
        let captured = Arc::clone(&dropped);
        let text = panic_text(|| pool.unblock(move || drop(captured)));
        assert!(
            text.starts_with("unblock has no thread to run on: "),
            "{text}"
        );
        assert_eq!(Arc::strong_count(&dropped), 1);
        assert_eq!(pool.counts().threads, 0);
        assert_eq!(pool.counts().queued, 0);
    });
}

#[test]
fn a_name_that_cannot_be_is_refused() {
    let text = panic_text(|| ThreadPool::builder().thread_name("a\0b").build());
    assert_eq!(text, "the name \"a\\0b\" contains a NUL character");
}

#[test]
fn the_process_ends_while_calls_run_and_wait() {
    if case().is_some() {
        let pool = pool_of(1);
        run(|| {
            let (gate, call) = gated(|| ());
            let forever = pool.clone();
            spawn(move || forever.unblock(call));
            spawn(move || pool.unblock(|| ()));
            yield_now();
            unblock(|| ());
            gate.wait_begun();
            let _for_ever = Box::leak(Box::new(gate));
        });
        return;
    }
    rerun(
        "threads::the_process_ends_while_calls_run_and_wait",
        "child",
        &[],
    )
    .assert_success();
}
