//! The promise: what other threads ask of a runtime is heard, whatever the runtime is doing:
//! running, between two turns in another loop, before its first turn or after its last.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::cell::{Cell, RefCell};
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Waker;
use std::thread;
use std::time::Duration;

use greenroom::sync::remote;
use greenroom::{
    Builder, Config, Handle, Instant, Runtime, Turn, Unobserved, current, sleep, spawn, yield_now,
};
use support::virtual_runtime;

/// Whether a wait for the runtime's descriptor would end at once.
#[expect(unsafe_code, reason = "asks the system")]
fn is_readable(runtime: &Runtime) -> bool {
    let mut entry = libc::pollfd {
        fd: runtime.descriptor().unwrap().as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: one entry, which outlives the call.
    let ready = unsafe { libc::poll(&raw mut entry, 1, 0) };
    ready == 1
}

/// Spawns from another thread, which has ended when this returns.
fn spawn_from_elsewhere(handle: &Handle, done: &Arc<AtomicUsize>) {
    let (handle, done) = (handle.clone(), Arc::clone(done));
    let send = move || drop(handle.spawn(move || done.fetch_add(1, Ordering::Relaxed)));
    thread::spawn(send).join().unwrap();
}

fn turns(runtime: &mut Runtime) -> usize {
    (1..)
        .find(|_| runtime.turn() != Turn::Ready)
        .unwrap_or_default()
}

#[test]
fn a_spawn_makes_the_descriptor_readable_before_between_and_after() {
    let mut runtime = Runtime::new();
    let handle = runtime.handle().unwrap();
    let done = Arc::new(AtomicUsize::new(0));
    for n in 1..=3 {
        spawn_from_elsewhere(&handle, &done);
        assert!(is_readable(&runtime), "{n}");
        turns(&mut runtime);
        assert_eq!(done.load(Ordering::Relaxed), n);
        assert!(!is_readable(&runtime), "{n}: there is nothing to do");
        if n == 2 {
            runtime.run(|| ());
        }
    }
}

/// What was sent while the last task ended is not overlooked.
#[test]
fn a_turn_is_not_done_while_something_is_asked_for() {
    let mut runtime = Runtime::new();
    let handle = runtime.handle().unwrap();
    let done = Arc::new(AtomicUsize::new(0));
    let (theirs, own) = (Arc::clone(&done), handle.clone());
    let _sender = runtime.spawn(move || spawn_from_elsewhere(&own, &theirs));
    while runtime.turn() != Turn::Done {}
    assert_eq!(done.load(Ordering::Relaxed), 1);
    drop(handle);
}

/// What arrives while `run` ends is announced to whoever waits for the descriptor.
#[test]
fn what_comes_too_late_for_a_run_is_announced() {
    let mut runtime = Runtime::new();
    let handle = runtime.handle().unwrap();
    let done = Arc::new(AtomicUsize::new(0));
    runtime.run(|| spawn_from_elsewhere(&handle, &done));
    assert_eq!(done.load(Ordering::Relaxed), 0);
    assert!(is_readable(&runtime));
    turns(&mut runtime);
    assert_eq!(done.load(Ordering::Relaxed), 1);
}

/// A wake-up that comes when its message was taken already is over with the next turn.
#[test]
fn the_descriptor_does_not_stay_readable() {
    let mut runtime = Runtime::new();
    let (sender, receiver) = remote::unbounded::<u32>();
    let task = runtime.spawn(move || receiver.iter().sum::<u32>());
    turns(&mut runtime);
    let rounds = 2000;
    let thread = thread::spawn(move || (0..rounds).for_each(|_| sender.send(1).unwrap()));
    while !task.is_finished() {
        let _state = runtime.turn();
    }
    thread.join().unwrap();
    assert_eq!(task.join().unwrap(), rounds);
    turns(&mut runtime);
    assert!(!is_readable(&runtime));
}

/// A message that comes of a message is heard before a deadlock is told.
#[test]
fn the_end_of_a_task_that_could_not_begin_is_heard() {
    let (mut runtime, _clock) = virtual_runtime();
    let ended = runtime.try_run(|| {
        let handle = Handle::current().unwrap();
        let huge = Builder::new().stack_size(1 << 60);
        let task = huge.spawn_on(&handle, || 5).unwrap();
        drop(handle);
        task.join()
    });
    assert!(ended.unwrap().unwrap_err().is_panic());
}

/// A task that could not begin, and whose handle is gone, is told to the hook.
#[test]
fn a_task_that_could_not_begin_is_told_of() {
    for early in [true, false] {
        let told = Rc::new(RefCell::new(Vec::new()));
        let seen = Rc::clone(&told);
        let hook = move |unobserved: Unobserved<'_>| {
            let text = support::text_of(&*unobserved.payload);
            seen.borrow_mut().push(text);
        };
        let mut runtime = Runtime::with(Config::new().on_unobserved(hook));
        runtime.run(|| {
            let handle = Handle::current().unwrap();
            let huge = Builder::new().stack_size(1 << 60);
            let task = huge.spawn_on(&handle, || 5).unwrap();
            if early {
                drop(task);
                handle.spawn(|| ()).join().unwrap();
            } else {
                handle.spawn(|| ()).join().unwrap();
                drop(task);
            }
            handle.spawn(|| ()).join().unwrap();
        });
        let told = told.take();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with("no stack for a task"), "{told:?}");
    }
}

/// Virtual time does not pass while something is still to be heard, however much there is.
#[test]
fn a_virtual_clock_waits_for_all_messages() {
    let (mut runtime, _clock) = virtual_runtime();
    let handle = runtime.handle().unwrap();
    let start = runtime.run(Instant::now);
    let late = runtime.run(|| {
        let gone = (0..1000).map(|_| spawn(|| current().waker().unwrap()).join().unwrap());
        let gone: Vec<_> = gone.collect();
        let sleeper = spawn(|| sleep(Duration::from_secs(1)));
        yield_now();
        // Nothing comes of these: their tasks have ended.
        gone.into_iter().for_each(Waker::wake);
        let asked = handle.spawn(move || start.elapsed());
        sleeper.join().unwrap();
        asked.join().unwrap()
    });
    assert_eq!(late, Duration::ZERO);
}

/// However many ask at once, the tasks that are ready get their turns.
#[test]
fn a_burst_is_not_obeyed_in_one_go() {
    let mut runtime = Runtime::new();
    let handle = runtime.handle().unwrap();
    for _ in 0..10_000 {
        drop(handle.spawn(|| ()));
    }
    runtime.run(|| {
        let turns = Rc::new(Cell::new(0));
        let seen = Rc::clone(&turns);
        let counter = spawn(move || {
            loop {
                seen.set(seen.get() + 1);
                yield_now();
            }
        });
        let last = handle.spawn(|| ());
        last.join().unwrap();
        assert!(turns.get() >= 10_000 / 256, "{} turns", turns.get());
        counter.cancel();
    });
}
