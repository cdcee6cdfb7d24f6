//! Where a task runs, when it begins, what it is called.

use std::cell::RefCell;
use std::io;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;

use greenroom::{
    Awaitable, Builder, Handle, RemoteJoinHandle, Runtime, Turn, current, run, spawn, tasks,
    yield_now,
};

use crate::support::text_of;
use crate::{Elsewhere, from_outside};

#[test]
fn handles_may_go_to_other_threads() {
    fn crosses<T: Send + Sync + 'static>() {}
    crosses::<Handle>();
    crosses::<RemoteJoinHandle<std::cell::Cell<u8>>>();
}

#[test]
fn a_task_runs_in_the_runtimes_thread() {
    let here = thread::current().id();
    let ran_in = from_outside(|handle| {
        let task = handle.spawn(|| (thread::current().id(), greenroom::in_task()));
        task.join().unwrap()
    });
    assert_eq!(ran_in, (here, true));
}

#[test]
fn tasks_begin_in_the_order_in_which_they_were_sent() {
    let mut rt = Runtime::new();
    let handle = rt.handle().unwrap();
    let begun = Arc::new(Mutex::new(Vec::new()));
    let tasks: Vec<_> = (0..1000)
        .map(|n| {
            let begun = Arc::clone(&begun);
            handle.spawn(move || {
                begun.lock().unwrap().push(n);
                yield_now();
            })
        })
        .collect();
    while rt.turn() == Turn::Ready {}
    assert!(tasks.into_iter().all(|task| task.join().is_ok()));
    assert_eq!(*begun.lock().unwrap(), (0..1000).collect::<Vec<_>>());
}

#[test]
fn a_task_is_put_behind_those_that_are_ready() {
    thread_local! {
        static ORDER: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
    }
    let note = |what| ORDER.with_borrow_mut(|order| order.push(what));
    let mut rt = Runtime::new();
    let handle = rt.handle().unwrap();
    let _first = rt.spawn(move || note("ready before"));
    let _second = handle.spawn(move || note("sent"));
    let _third = rt.spawn(move || note("spawned later, but not sent"));
    while rt.turn() == Turn::Ready {}
    assert_eq!(
        ORDER.take(),
        ["ready before", "spawned later, but not sent", "sent"]
    );
}

#[test]
fn a_handle_works_inside_its_own_runtime() {
    run(|| {
        let handle = Handle::current().unwrap();
        let tasks = [1, 2, 3].map(|n| handle.spawn(move || n));
        let local = spawn(|| 4);
        let sum: i32 = tasks.map(|task| task.join().unwrap()).iter().sum();
        assert_eq!(sum + local.join().unwrap(), 10);
    });
}

#[test]
fn a_busy_runtime_sees_it_within_the_event_interval() {
    run(|| {
        let task = Handle::current().unwrap().spawn(|| ());
        let mut turns = 0;
        while !task.is_finished() {
            yield_now();
            turns += 1;
        }
        assert!(turns <= 258, "{turns}");
    });
}

#[test]
fn a_burst_from_several_threads_arrives_whole() {
    let elsewhere = Elsewhere::start();
    let senders = [0_u64, 1].map(|number| {
        let handle = elsewhere.handle().clone();
        thread::spawn(move || {
            let tasks: Vec<_> = (0..10_000)
                .map(|n| {
                    handle.spawn(move || {
                        yield_now();
                        number * n
                    })
                })
                .collect();
            let results = tasks.into_iter().map(|task| task.join().unwrap());
            results.sum::<u64>()
        })
    });
    let sums = senders.map(|sender| sender.join().unwrap());
    assert_eq!(sums, [0, 49_995_000]);
}

#[test]
fn what_is_dropped_at_once_runs_by_itself() {
    let (ran, order) = mpsc::channel();
    from_outside(move |handle| {
        for n in 0..100 {
            let ran = ran.clone();
            drop(handle.spawn(move || ran.send(n).unwrap()));
        }
        handle.spawn(|| ()).join().unwrap();
    });
    assert_eq!(
        order.try_iter().collect::<Vec<_>>(),
        (0..100).collect::<Vec<_>>()
    );
}

#[test]
fn a_task_has_a_name_and_the_place_where_it_was_sent() {
    run(|| {
        let handle = Handle::current().unwrap();
        let named = Builder::new().name("remote").stack_size(128 * 1024);
        let task = named
            .spawn_on(&handle, || current().name().map(str::to_owned))
            .unwrap();
        let line = line!() + 1;
        let plain = handle.spawn(greenroom::park);
        // Both are there after a look at the messages; the first has run then.
        assert_eq!(task.join().unwrap().as_deref(), Some("remote"));
        let info = tasks().pop().unwrap();
        assert_eq!(info.spawned_at.file(), file!());
        assert_eq!(info.spawned_at.line(), line);
        assert_eq!(info.waits_for.as_deref(), Some("unpark"));
        plain.cancel();
    });
}

#[test]
fn what_cannot_be_made_is_said() {
    run(|| {
        let handle = Handle::current().unwrap();
        let named = Builder::new().name("a\0b").spawn_on(&handle, || ());
        assert_eq!(named.unwrap_err().kind(), io::ErrorKind::InvalidInput);
        let huge = Builder::new().stack_size(1 << 60).spawn_on(&handle, || ());
        let error = huge.unwrap().join().unwrap_err();
        let text = text_of(&*error.into_panic());
        assert!(text.starts_with("no stack for a task: "), "{text}");
    });
}

#[test]
fn it_is_awaitable() {
    run(|| {
        let handle = Handle::current().unwrap();
        let (a, b) = (handle.spawn(|| 1), handle.spawn(|| 2)).wait();
        assert_eq!(a.unwrap() + b.unwrap(), 3);
    });
}
