//! What a runtime tells: of every switch, and of tasks that resist their end.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use greenroom::{
    Builder, CancelScope, Clock, Config, Delivery, JoinHandle, Runtime, Switch, Task, TaskId, Turn,
    current, in_task, park, scope, shield, sleep, spawn, tasks, yield_now,
};

use crate::support::{Log, OnDrop, case, quiet_panic, rerun};
use crate::{SECOND, clean_with};

// Switches.

/// Fails unless each task's switches are In, Out, In, Out, ..., In, End; one at a time.
#[track_caller]
fn assert_orderly(switches: &[Switch]) -> HashMap<TaskId, usize> {
    let mut steps: HashMap<TaskId, usize> = HashMap::new();
    let mut ended = Vec::new();
    for pair in switches.chunks(2) {
        let [Switch::In(task), Switch::Out(left) | Switch::End(left)] = pair else {
            panic!("not in and out in turn: {switches:#?}");
        };
        assert_eq!(task, left, "{switches:#?}");
        assert!(!ended.contains(task), "{task} has ended: {switches:#?}");
        *steps.entry(*task).or_default() += 1;
        if matches!(pair[1], Switch::End(_)) {
            ended.push(*task);
        }
    }
    assert_eq!(ended.len(), steps.len(), "each ends: {switches:#?}");
    steps
}

fn switches_of(main: impl FnOnce()) -> HashMap<TaskId, usize> {
    let log = Log::new();
    let told = log.clone();
    clean_with(
        Config::new().on_switch(move |switch| told.add(switch)),
        main,
    );
    assert_orderly(&log.take())
}

#[test]
fn every_switch_is_told() {
    let steps = switches_of(|| {
        let child = spawn(|| {
            yield_now();
            yield_now();
        });
        let unborn = spawn(|| ());
        unborn.cancel();
        child.join().expect("it returns");
        assert!(unborn.join().is_err());
        scope(|s| {
            s.spawn(|| sleep(SECOND));
            s.spawn(|| sleep(SECOND)).cancel();
        });
        drop(spawn(park)); // cancelled at the end
        yield_now();
    });
    assert_eq!(steps.len(), 6);
    let mut counts: Vec<_> = steps.into_values().collect();
    counts.sort_unstable();
    assert_eq!(counts, [1, 1, 2, 2, 3, 4]);
}

/// A task that waits in its very last destructors has not ended.
#[test]
fn the_end_is_the_end() {
    let waits = || OnDrop(|| sleep(SECOND));
    switches_of(|| {
        drop(spawn(waits)); // a result nobody wants
        let sore = spawn(move || {
            let _local = waits();
            quiet_panic("x") as ()
        });
        assert!(sore.join().is_err());
        sleep(5 * SECOND);
    });
}

/// The hook is on the thread's own stack: there is no task for it to be, and a call
/// that would wait acts as on a plain thread.
#[test]
fn a_hook_that_would_wait() {
    const NAME: &str = "hooks::a_hook_that_would_wait";
    if case().is_none() {
        rerun(NAME, "run", &[]).assert_success();
        return;
    }
    let seen = Rc::new(Cell::new(0));
    let sees = Rc::clone(&seen);
    let config = Config::new().on_switch(move |_| {
        assert!(!in_task());
        yield_now();
        sleep(Duration::from_nanos(1));
        shield(|| ());
        sees.set(sees.get() + 1);
    });
    clean_with(config, || {
        let child = spawn(|| {
            yield_now();
            sleep(SECOND);
        });
        child.join().expect("it returns");
    });
    assert!(seen.get() >= 8);
}

/// A hook's panic is its own, and it may do what needs no wait.
#[test]
fn a_hook_that_panics_or_meddles() {
    let count = Rc::new(Cell::new(0));
    let counts = Rc::clone(&count);
    let config = Config::new().on_switch(move |_| {
        counts.set(counts.get() + 1);
        quiet_panic("hook");
    });
    clean_with(config, || spawn(yield_now).join().expect("it returns"));
    assert_eq!(count.get(), 8);
    let stop = CancelScope::new();
    let (stops, left) = (stop.clone(), Rc::new(Cell::new(5)));
    let config = Config::new().on_switch(move |switch| {
        let _all = tasks();
        if matches!(switch, Switch::Out(_)) && left.get() > 0 {
            left.set(left.get() - 1);
            drop(spawn(|| ()));
            stops.cancel("the hook says so");
        }
    });
    clean_with(config, || assert_eq!(stop.run(park), None));
    assert_eq!(stop.cancel_reason().as_deref(), Some("the hook says so"));
}

/// It may wake the very task it is told of: that is about to run, and runs once.
#[test]
fn a_hook_that_wakes_the_task_it_is_told_of() {
    const NAME: &str = "hooks::a_hook_that_wakes_the_task_it_is_told_of";
    let Some(case) = case() else {
        for case in ["unpark", "cancel", "cancel its scope"] {
            rerun(NAME, case, &[]).assert_success();
        }
        return;
    };
    type Target = (Task, JoinHandle<()>);
    let target: Rc<RefCell<Option<Target>>> = Rc::default();
    let (aims, stop) = (Rc::clone(&target), CancelScope::new());
    let (stops, log) = (stop.clone(), Log::new());
    let told = log.clone();
    let config = Config::new().on_switch(move |switch| {
        told.add(switch);
        let target = aims.borrow();
        let Some((task, handle)) = target.as_ref() else {
            return;
        };
        if switch == Switch::In(task.id()) {
            match case.as_str() {
                "unpark" => task.unpark(),
                "cancel" => handle.cancel(),
                _ => stops.cancel("told"),
            }
        }
    });
    clean_with(config, || {
        let who = Rc::new(OnceCell::new());
        let me = Rc::clone(&who);
        let handle = spawn(move || {
            me.set(current()).expect("once");
            stop.run(park);
        });
        yield_now();
        let task = who.get().expect("it began").clone();
        target.replace(Some((task.clone(), handle)));
        task.unpark();
        // Others take its stack.
        for _ in 0..5 {
            drop(spawn(yield_now));
            yield_now();
            yield_now();
        }
        target.take();
    });
    assert_orderly(&log.take());
}

/// What it is for: a thread-local that follows tasks.
#[test]
fn ambient_state_follows_tasks() {
    thread_local!(static SPAN: Cell<u32> = const { Cell::new(0) });
    let saved: RefCell<HashMap<TaskId, u32>> = RefCell::default();
    let left = Rc::new(Cell::new(0));
    let leaves = Rc::clone(&left);
    let config = Config::new().on_switch(move |switch| {
        let mut saved = saved.borrow_mut();
        match switch {
            Switch::In(task) => SPAN.set(saved.get(&task).copied().unwrap_or(0)),
            Switch::Out(task) => drop(saved.insert(task, SPAN.take())),
            Switch::End(task) => drop(saved.remove(&task)),
            _ => {}
        }
        leaves.set(saved.len());
    });
    clean_with(config, || {
        scope(|s| {
            for n in 1..=50 {
                s.spawn(move || {
                    assert_eq!(SPAN.replace(n), 0);
                    (0..n).for_each(|_| yield_now());
                    assert_eq!(SPAN.get(), n);
                });
            }
        });
    });
    assert_eq!(left.get(), 0);
}

/// In a loop of one's own the hook is told all the same.
#[test]
fn turns_tell_as_well() {
    let log = Log::new();
    let told = log.clone();
    let mut runtime = Runtime::with(Config::new().on_switch(move |switch| told.add(switch)));
    let task = runtime.spawn(yield_now);
    while runtime.turn() != Turn::Done {}
    task.join().expect("it returns");
    assert_eq!(
        assert_orderly(&log.take())
            .into_values()
            .collect::<Vec<_>>(),
        [2]
    );
}

// The grace.

/// Who is left when the grace is over, as told; each line is one telling.
fn graced(seconds: u32, main: impl FnOnce()) -> Vec<Vec<String>> {
    let log = Log::new();
    let told = log.clone();
    let config = Config::new().shutdown_grace(seconds * SECOND, move |left| {
        let name = |task: &greenroom::StuckTask| task.name.clone().unwrap_or_default();
        told.add(left.iter().map(name).collect::<Vec<_>>());
    });
    clean_with(config, main);
    log.take()
}

fn resists(name: &str, seconds: u32) {
    let body = move || shield(|| sleep(seconds * SECOND));
    drop(Builder::new().name(name).spawn(body).expect("memory"));
}

#[test]
fn those_that_resist_are_told_of_once() {
    let told = graced(2, || {
        resists("quick", 1);
        resists("slow", 5);
        resists("slower", 60);
        drop(spawn(park));
        yield_now();
    });
    assert_eq!(told, [["slow", "slower"]]);
    let none = graced(2, || {
        resists("quick", 1);
        drop(spawn(park));
        yield_now();
    });
    assert!(none.is_empty());
    assert_eq!(
        graced(0, || {
            resists("at once", 1);
            yield_now()
        }),
        [["at once"]]
    );
    // It counts from the end of main.
    let none = graced(2, || {
        resists("long", 10);
        sleep(9 * SECOND);
    });
    assert!(none.is_empty());
}

#[test]
fn a_scope_that_resists() {
    let told = graced(1, || {
        let owner = Builder::new().name("owner").spawn(|| {
            scope(|s| {
                let child = Builder::new().name("child");
                drop(child.spawn_scoped(s, || shield(|| sleep(3 * SECOND))));
            });
        });
        drop(owner.expect("memory"));
        yield_now();
        yield_now();
    });
    assert_eq!(told, [["owner", "child"]]);
}

/// A runtime that is run again begins anew, whatever the last run said.
#[test]
fn each_run_has_its_own_grace() {
    let count = Rc::new(Cell::new(0));
    let counts = Rc::clone(&count);
    let config = Config::new()
        .clock(Clock::virtual_())
        .shutdown_grace(SECOND, move |left| {
            counts.set(counts.get() + left.len());
            quiet_panic("the hook's own"); // is dropped
        });
    let mut runtime = Runtime::with(config);
    for round in 1..=3 {
        runtime.run(|| {
            sleep(5 * SECOND);
            resists("slow", 5);
            yield_now();
        });
        assert_eq!((count.get(), runtime.next_deadline()), (round, None));
    }
    // Dropped with tasks in it: they are told of, too.
    let _task = runtime.spawn(|| shield(|| sleep(5 * SECOND)));
    runtime.turn();
    drop(runtime);
    assert_eq!(count.get(), 4);
}

/// With errors nobody is unwound: who does not look is told of.
#[test]
fn a_grace_with_errors() {
    let log = Log::new();
    let (told, runs) = (log.clone(), log.clone());
    let config = Config::new()
        .delivery(Delivery::Error)
        .shutdown_grace(SECOND, move |left| told.add(format!("{} left", left.len())));
    clean_with(config, || {
        drop(spawn(move || {
            assert!(current().name().is_none());
            park(); // returns
            shield(|| sleep(2 * SECOND));
            sleep(60 * SECOND); // returns
            runs.add("ran to its end".to_owned());
        }));
        yield_now();
    });
    assert_eq!(log.take(), ["1 left", "ran to its end"]);
}
