//! What a call gives, where it runs, and what goes on meanwhile.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use greenroom::{
    Clock, Config, Instant, Runtime, ThreadPool, Turn, no_switch, run, sleep, spawn, tasks,
    unblock, yield_now,
};

use crate::support::{Log, panic_text, virtual_runtime};
use crate::{clean, gated, pool_of};

#[test]
fn a_result_comes_back_by_value() {
    clean(|| {
        let text = String::from("a lengthy text");
        let (text, bytes) = unblock(move || (text, [7_u8; 4096]));
        assert_eq!(text, "a lengthy text");
        assert_eq!(bytes, [7; 4096]);
    });
}

#[test]
fn it_runs_on_another_thread_while_other_tasks_run() {
    clean(|| {
        let here = thread::current().id();
        let (send, wait) = mpsc::channel();
        let other = spawn(move || send.send(thread::current().id()).unwrap());
        // Blocks until the other task has run.
        let (there, from) = unblock(move || (thread::current().id(), wait.recv().unwrap()));
        assert_ne!(there, here);
        assert_eq!(from, here);
        other.join().unwrap();
    });
}

#[test]
fn it_always_waits() {
    clean(|| {
        let log = Log::new();
        let other = log.clone();
        let child = spawn(move || other.add("another task"));
        unblock(|| ());
        log.add("the caller");
        child.join().unwrap();
        assert_eq!(log.take(), ["another task", "the caller"]);
    });
}

#[test]
fn a_panic_comes_back_with_what_it_carried() {
    #[derive(Debug, PartialEq)]
    struct Carried(u32);
    clean(|| {
        let call = || unblock(|| -> () { resume_unwind(Box::new(Carried(5))) });
        let payload = catch_unwind(AssertUnwindSafe(call)).unwrap_err();
        assert_eq!(payload.downcast_ref::<Carried>(), Some(&Carried(5)));
        let task = spawn(|| unblock(|| -> () { resume_unwind(Box::new("lost")) }));
        let error = task.join().unwrap_err();
        assert_eq!(error.to_string(), "the task panicked: lost");
    });
}

#[test]
fn on_a_plain_thread_it_is_a_plain_call() {
    let here = thread::current().id();
    assert_eq!(unblock(|| thread::current().id()), here);
    let pool = pool_of(1);
    assert_eq!(pool.unblock(|| thread::current().id()), here);
    assert_eq!(pool.counts().threads, 0);
}

#[test]
fn a_call_inside_a_call_is_a_plain_call() {
    let pool = pool_of(1);
    clean(|| {
        let inner = pool.clone();
        let (outer, inner) = pool.unblock(move || {
            let here = thread::current().id();
            (here, inner.unblock(|| thread::current().id()))
        });
        assert_eq!(outer, inner);
    });
}

#[test]
fn a_call_may_run_a_runtime_of_its_own() {
    clean(|| {
        let sum = unblock(|| {
            run(|| {
                let tasks = [1, 2, 3].map(|n| spawn(move || unblock(move || n)));
                tasks.map(|task| task.join().unwrap()).iter().sum::<i32>()
            })
        });
        assert_eq!(sum, 6);
    });
}

#[test]
fn a_virtual_clock_stands_still_while_a_call_runs_or_is_queued() {
    let (mut rt, clock) = virtual_runtime();
    let pool = pool_of(1);
    rt.run(|| {
        let start = Instant::now();
        let (gate, call) = gated(|| ());
        let first = spawn({
            let pool = pool.clone();
            move || {
                pool.unblock(call);
                Instant::now()
            }
        });
        let second = spawn({
            let pool = pool.clone();
            move || {
                pool.unblock(|| ());
                Instant::now()
            }
        });
        // It would be over at once if time could jump.
        let sleeper = spawn(|| sleep(Duration::from_secs(3600)));
        yield_now();
        gate.wait_begun();
        assert_eq!(pool.counts().queued, 1);
        // Real time passes for a runtime that has nothing else to do.
        let opener = thread::spawn(move || {
            thread::park_timeout(Duration::from_millis(20));
            gate.open();
        });
        assert_eq!(first.join().unwrap(), start);
        assert_eq!(second.join().unwrap(), start);
        assert!(!sleeper.is_finished());
        sleeper.join().unwrap();
        assert_eq!(Instant::now(), start + Duration::from_secs(3600));
        opener.join().unwrap();
    });
    assert!(clock.is_virtual());
}

#[test]
fn a_waiting_call_is_no_deadlock_and_says_what_it_waits_for() {
    clean(|| {
        let (gate, call) = gated(|| ());
        let task = spawn(|| unblock(call));
        yield_now();
        gate.wait_begun();
        let waits_for = tasks().pop().unwrap().waits_for;
        assert_eq!(waits_for.as_deref(), Some("a call on the thread pool"));
        let opener = thread::spawn(move || gate.open());
        task.join().unwrap();
        opener.join().unwrap();
    });
}

#[test]
fn a_runtime_uses_the_pool_it_was_given() {
    let pool = ThreadPool::builder().thread_name("its own").build();
    let config = Config::new().thread_pool(pool.clone());
    let name = || thread::current().name().map(str::to_owned);
    Runtime::with(config.clock(Clock::virtual_())).run(|| {
        assert_eq!(unblock(name).as_deref(), Some("its own"));
    });
    assert_eq!(pool.counts().threads, 1);
    clean(|| assert_eq!(unblock(name).as_deref(), Some("unblock")));
    assert!(ThreadPool::global().counts().threads > 0);
}

#[test]
fn runtimes_of_several_threads_share_a_pool() {
    let pool = pool_of(1);
    let threads = [0_u64, 1, 2].map(|number| {
        let pool = pool.clone();
        thread::spawn(move || {
            clean(|| {
                let tasks: Vec<_> = (0..100)
                    .map(|n| {
                        let pool = pool.clone();
                        spawn(move || pool.unblock(move || 1000 * number + n))
                    })
                    .collect();
                tasks
                    .into_iter()
                    .map(|task| task.join().unwrap())
                    .sum::<u64>()
            })
        })
    });
    for (number, thread) in (0..).zip(threads) {
        assert_eq!(thread.join().unwrap(), 100_000 * number + 4950);
    }
    assert_eq!(pool.counts().threads, 1);
}

#[test]
fn a_runtime_that_is_driven_by_turns_learns_of_the_end() {
    let mut rt = Runtime::new();
    let (gate, call) = gated(|| 5);
    let task = rt.spawn(|| unblock(call));
    while rt.turn() == Turn::Ready {}
    gate.wait_begun();
    assert_eq!(rt.turn(), Turn::Waiting(None));
    gate.open();
    while rt.turn() != Turn::Done {
        thread::yield_now();
    }
    assert_eq!(task.join().unwrap(), 5);
}

#[test]
fn inside_no_switch_it_panics_and_nothing_runs() {
    let pool = pool_of(1);
    let text = clean(|| panic_text(|| no_switch(|| pool.unblock(|| unreachable!()))));
    assert_eq!(text, "a call inside no_switch would let other tasks run");
    assert_eq!(pool.counts().threads, 0);
}
