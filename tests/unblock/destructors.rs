//! Destructors of what calls own, give and panic with: they may do what they like.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use greenroom::{ThreadPool, shield, sleep, spawn, unblock, yield_now};

use crate::support::{quiet_panic, text_of};
use crate::{clean, eventually, gated, occupied, pool_of};

/// Panics when it is dropped.
struct Explodes(&'static str);

impl Drop for Explodes {
    fn drop(&mut self) {
        quiet_panic(self.0);
    }
}

/// The pool is as it was: it has one thread, this one, which takes the next call.
#[track_caller]
fn still_serves(pool: &ThreadPool, before: thread::ThreadId) {
    eventually(|| pool.counts().idle == 1);
    clean(|| assert_eq!(pool.unblock(|| thread::current().id()), before));
    let counts = pool.counts();
    assert_eq!((counts.threads, counts.idle, counts.queued), (1, 1, 0));
}

fn thread_of(pool: &ThreadPool) -> thread::ThreadId {
    clean(|| pool.unblock(|| thread::current().id()))
}

/// A call that is cancelled while it runs, and then ends so.
fn detached<T: Send + 'static>(pool: &ThreadPool, end: impl FnOnce() -> T + Send + 'static) {
    let (gate, call) = gated(end);
    clean(|| {
        let task = spawn({
            let pool = pool.clone();
            move || drop(pool.unblock(call))
        });
        yield_now();
        gate.wait_begun();
        task.cancel();
    });
    gate.open();
}

#[test]
fn an_unwanted_result_that_panics_does_no_harm() {
    let pool = pool_of(1);
    let before = thread_of(&pool);
    detached(&pool, || Explodes("when dropped"));
    still_serves(&pool, before);
}

#[test]
fn an_unwanted_result_whose_panic_panics_when_dropped_does_no_harm() {
    struct Twice;
    impl Drop for Twice {
        fn drop(&mut self) {
            resume_unwind(Box::new(Explodes("again")));
        }
    }
    let pool = pool_of(1);
    let before = thread_of(&pool);
    detached(&pool, || Twice);
    still_serves(&pool, before);
}

#[test]
fn an_unwanted_panic_does_no_harm() {
    let pool = pool_of(1);
    let before = thread_of(&pool);
    detached(&pool, || -> () { quiet_panic("unheard") });
    detached(&pool, || -> () {
        resume_unwind(Box::new(Explodes("payload")))
    });
    still_serves(&pool, before);
}

#[test]
fn a_panicking_destructor_of_the_calls_own_things_is_its_panic() {
    let pool = pool_of(1);
    let before = thread_of(&pool);
    clean(|| {
        let captured = Explodes("captured");
        let call = || pool.unblock(move || drop(captured));
        let payload = catch_unwind(AssertUnwindSafe(call)).unwrap_err();
        assert_eq!(text_of(&*payload), "captured");
    });
    still_serves(&pool, before);
}

#[test]
fn a_panicking_destructor_of_a_call_dropped_unrun_is_the_tasks_panic() {
    let pool = pool_of(1);
    let before = thread_of(&pool);
    clean(|| {
        let (gate, call) = gated(|| ());
        let busy = spawn({
            let pool = pool.clone();
            move || pool.unblock(call)
        });
        let queued = spawn({
            let (pool, captured) = (pool.clone(), Explodes("unrun"));
            move || pool.unblock(move || drop(captured))
        });
        yield_now();
        gate.wait_begun();
        queued.cancel();
        let payload = queued.join().unwrap_err().into_panic();
        assert_eq!(text_of(&*payload), "unrun");
        gate.open();
        busy.join().unwrap();
    });
    still_serves(&pool, before);
}

#[test]
fn what_is_dropped_unrun_may_really_wait() {
    struct Sleeps(mpsc::Sender<()>);
    impl Drop for Sleeps {
        fn drop(&mut self) {
            // A virtual clock does not stand still for a call that was given up.
            shield(|| sleep(Duration::from_secs(3600)));
            self.0.send(()).unwrap();
        }
    }
    let pool = pool_of(1);
    let (gate, busy) = occupied(&pool);
    let (slept, has_slept) = mpsc::channel();
    clean(|| {
        let queued = spawn({
            let (pool, captured) = (pool.clone(), Sleeps(slept));
            move || pool.unblock(move || drop(captured))
        });
        yield_now();
        assert_eq!(pool.counts().queued, 1);
        queued.cancel();
        assert!(queued.join().unwrap_err().is_cancelled());
    });
    has_slept.try_recv().unwrap();
    gate.open();
    busy.join().unwrap();
}

#[test]
fn an_unwanted_result_may_call_again() {
    struct CallsAgain(mpsc::Sender<thread::ThreadId>);
    impl Drop for CallsAgain {
        fn drop(&mut self) {
            let here = unblock(|| thread::current().id());
            self.0.send(here).unwrap();
        }
    }
    let pool = pool_of(1);
    let before = thread_of(&pool);
    let (to, from) = mpsc::channel();
    detached(&pool, move || CallsAgain(to));
    assert_eq!(from.recv_timeout(crate::PATIENCE), Ok(before));
    still_serves(&pool, before);
}
