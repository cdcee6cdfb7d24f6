//! What is of one task: `no_switch`, `task_local!`, `tasks()`; and each function on a
//! plain thread, and where a coroutine must not yield.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use greenroom::sync::bounded;
use greenroom::{
    Builder, CancelScope, Close, Elapsed, Instant, Yielder, checkpoint, current, generator,
    interval, is_cancelled, move_on_after, no_switch, park, scope, shield, sleep, spawn, supervise,
    task_local, tasks, timeout, timeout_at, try_scope, with, yield_now,
};

use crate::support::{Log, OnDrop, case, panic_text, quiet_panic, rerun};
use crate::{SECOND, clean};

/// What a call returned does not matter.
fn ignore<T>(_result: T) {}

/// A call by its name.
type Named<'a> = (&'static str, Box<dyn FnMut() + 'a>);

const REFUSED: &str = "a call inside no_switch would let other tasks run";

#[test]
fn no_switch_refuses_every_call_that_would() {
    clean(|| {
        let (send, receive) = bounded(1);
        let other = spawn(park);
        let mut numbers = generator(|y: &Yielder<(), u32>| {
            sleep(SECOND);
            y.yield_(1);
        });
        let mut calls: Vec<Named<'_>> = vec![
            ("yield_now", Box::new(yield_now)),
            ("park", Box::new(park)),
            ("sleep", Box::new(|| sleep(SECOND))),
            ("no sleep", Box::new(|| sleep(Duration::ZERO))),
            ("checkpoint", Box::new(|| drop(checkpoint()))),
            ("tick", Box::new(|| ignore(interval(SECOND).tick()))),
            ("recv", Box::new(|| ignore(receive.recv()))),
            ("generator", Box::new(|| ignore(numbers.next()))),
            ("limit", Box::new(|| ignore(timeout(SECOND, park)))),
            ("shield", Box::new(|| shield(park))),
            ("in itself", Box::new(|| no_switch(park))),
        ];
        for (name, call) in &mut calls {
            assert_eq!(panic_text(|| no_switch(call)), REFUSED, "{name}");
        }
        drop(calls);
        assert_eq!(numbers.next(), None, "its body panicked");
        // What need not wait is allowed; afterwards everything is.
        no_switch(|| {
            send.send(5).expect("there is room");
            assert_eq!(receive.recv(), Ok(5));
            current().unpark();
            park();
            drop(spawn(|| ()));
        });
        let handle = Cell::new(Some(other));
        let join = || drop(handle.take().expect("once").join());
        assert_eq!(panic_text(|| no_switch(join)), REFUSED);
        yield_now();
    });
}

/// A scope that would have to wait for its children panics, and they have ended.
#[test]
fn no_switch_and_scopes() {
    const NAME: &str = "ambient::no_switch_and_scopes";
    if case().is_none() {
        rerun(NAME, "run", &[]).assert_success();
        return;
    }
    let log = Log::new();
    clean(|| {
        let text = panic_text(|| no_switch(|| scope(|s| drop(s.spawn(|| log.add("child"))))));
        assert_eq!(text, REFUSED);
        // Opened outside it, the children may be spawned inside.
        scope(|s| {
            no_switch(|| drop(s.spawn(|| log.add("allowed"))));
            let text = panic_text(|| no_switch(|| s.spawn(|| ()).join()));
            assert_eq!(text, REFUSED);
            s.set_limit(1);
            s.spawn(yield_now);
        });
    });
    assert_eq!(log.take(), ["allowed"]);
}

/// It is the task's own: others switch, and it ends with a panic.
#[test]
fn no_switch_is_of_one_call() {
    clean(|| {
        let caught = catch_unwind(AssertUnwindSafe(|| no_switch(|| quiet_panic("x") as ())));
        assert!(caught.is_err());
        yield_now();
        // In a destructor while the task unwinds it cannot panic: it switches.
        let task = spawn(|| {
            let _guard = OnDrop(|| no_switch(|| sleep(SECOND)));
            quiet_panic("mine") as ()
        });
        assert!(task.join().expect_err("it panics").is_panic());
    });
}

/// Also while some other task is parked in the middle of its unwinding.
#[test]
fn no_switch_while_another_task_unwinds() {
    const NAME: &str = "ambient::no_switch_while_another_task_unwinds";
    if case().is_none() {
        rerun(NAME, "run", &[]).assert_success();
        return;
    }
    clean(|| {
        let other = spawn(|| {
            let _slow = OnDrop(|| shield(|| sleep(SECOND)));
            quiet_panic("the other") as ()
        });
        yield_now();
        assert_eq!(panic_text(|| no_switch(yield_now)), REFUSED);
        assert_eq!(panic_text(|| no_switch(park)), REFUSED);
        assert!(other.join().is_err());
    });
}

// Task-locals.

task_local! {
    static NAME: &'static str;
    static DEPTH: u32;
    /// Says when it is dropped.
    static GUARDED: OnDrop<Box<dyn FnMut()>>;
}

#[test]
fn bindings_nest_and_are_the_tasks_own() {
    clean(|| {
        assert!(NAME.try_with(|_| ()).is_none());
        let unbound = panic_text(|| NAME.get());
        assert!(
            unbound.starts_with("a task-local is not bound here"),
            "{unbound}"
        );
        NAME.scope("outer", || {
            let other = spawn(|| {
                assert!(NAME.try_with(|_| ()).is_none());
                NAME.scope("other", || {
                    yield_now();
                    NAME.get()
                })
            });
            yield_now();
            let inner = NAME.scope("inner", || {
                DEPTH.scope(2, || {
                    yield_now();
                    (NAME.get(), DEPTH.get())
                })
            });
            assert_eq!(inner, ("inner", 2));
            assert_eq!((NAME.get(), DEPTH.try_with(|_| ())), ("outer", None));
            assert_eq!(other.join().expect("it returns"), "other");
            // A panic and a cancellation take them back, too.
            let text = panic_text(|| NAME.scope("gone", || quiet_panic("x") as ()));
            assert_eq!((text.as_str(), NAME.get()), ("x", "outer"));
            let late = timeout(SECOND, || NAME.scope("gone", park));
            assert_eq!((late, NAME.get()), (Err(Elapsed), "outer"));
        });
        assert!(NAME.try_with(|_| ()).is_none());
    });
}

#[test]
fn children_inherit_if_they_are_told_to() {
    let dropped = Rc::new(Cell::new(0));
    let counts = Rc::clone(&dropped);
    clean(|| {
        let guard: OnDrop<Box<dyn FnMut()>> =
            OnDrop(Box::new(move || counts.set(counts.get() + 1)));
        let heir = || Builder::new().inherit_locals(true);
        let task = GUARDED.scope(guard, || {
            DEPTH.scope(1, || {
                scope(|s| {
                    let seen = || DEPTH.try_with(|depth| *depth);
                    assert_eq!(s.spawn(seen).join(), None);
                    let child = heir().spawn_scoped(s, move || {
                        let before = seen();
                        let own = DEPTH.scope(2, || {
                            let child = heir().spawn(seen).expect("memory");
                            child.join().expect("it returns")
                        });
                        (before, own, seen())
                    });
                    let child = child.expect("memory");
                    // What is bound after the spawn is not seen.
                    DEPTH.scope(9, || assert_eq!(child.join(), (Some(1), Some(2), Some(1))));
                });
                // It outlives the scope that bound it.
                let heir = heir().spawn(|| {
                    sleep(SECOND);
                    DEPTH.get()
                });
                heir.expect("memory")
            })
        });
        assert_eq!(dropped.get(), 0, "a task has it still");
        assert_eq!(task.join().expect("it returns"), 1);
        assert_eq!(dropped.get(), 1);
        // Who never begins lets go of it, too.
        let guard: OnDrop<Box<dyn FnMut()>> = OnDrop(Box::new(|| ()));
        GUARDED.scope(guard, || {
            let unborn = Builder::new()
                .inherit_locals(true)
                .spawn(|| ())
                .expect("memory");
            unborn.cancel();
            assert!(unborn.join().is_err());
        });
    });
}

/// A value's destructor may use the key, wait, and panic.
#[test]
fn values_with_destructors() {
    let log = Log::new();
    let plain = |f: Box<dyn FnMut()>| -> OnDrop<Box<dyn FnMut()>> { OnDrop(f) };
    clean(|| {
        let l = log.clone();
        let value = plain(Box::new(move || {
            sleep(SECOND);
            l.add(GUARDED.try_with(|_| ()).is_some());
        }));
        let start = Instant::now();
        GUARDED.scope(value, || ());
        assert_eq!((start.elapsed(), log.take()), (SECOND, vec![false]));
        let text = panic_text(|| GUARDED.scope(plain(Box::new(|| quiet_panic("sore"))), || ()));
        assert_eq!(text, "sore");
        // The last to hold it is a task that ends: nobody is hurt.
        let heir = GUARDED.scope(plain(Box::new(|| quiet_panic("sore"))), || {
            Builder::new()
                .inherit_locals(true)
                .spawn(|| 5)
                .expect("memory")
        });
        assert_eq!(heir.join().expect("it returned"), 5);
        assert!(GUARDED.try_with(|_| ()).is_none());
    });
}

/// A list of bindings may be long.
#[test]
fn many_bindings() {
    fn deeper(depth: u32) -> u32 {
        if depth == 0 {
            return DEPTH.get();
        }
        DEPTH.scope(depth, || deeper(depth - 1))
    }
    clean(|| assert_eq!(deeper(2000), 1));
}

// What tasks() says.

#[test]
fn tasks_are_told_of() {
    assert!(tasks().is_empty(), "a plain thread has none");
    clean(|| {
        sleep(SECOND);
        let started = Instant::now();
        let (_send, receive) = bounded::<()>(0);
        let lonely = Builder::new()
            .name("lonely")
            .spawn(move || receive.recv().is_ok());
        let lonely = lonely.expect("memory");
        let ready = spawn(|| ());
        scope(|s| {
            let child = Builder::new()
                .name("child")
                .spawn_scoped(s, park)
                .expect("memory");
            yield_now();
            let all = tasks();
            let names: Vec<_> = all.iter().map(|task| task.name.as_deref()).collect();
            assert_eq!(names, [None, Some("lonely"), Some("child")], "{all:#?}");
            assert!(ready.is_finished());
            assert_eq!(all[0].waits_for, None);
            assert_eq!(all[0].parent, None);
            assert_eq!(all[1].waits_for.as_deref(), Some("a value in a channel"));
            assert_eq!(all[1].since, Some(started));
            assert_eq!((all[1].id, all[1].parent), (lonely.id(), None));
            assert_eq!((all[2].id, all[2].parent), (child.id(), Some(all[0].id)));
            assert!(all.iter().all(|task| !task.is_cancelled));
            assert!(
                all.iter()
                    .all(|task| 0 < task.stack_in_use && task.stack_in_use <= task.stack_size)
            );
            assert!(all[1].spawned_at.file().ends_with("ambient.rs"));
            s.cancel_children();
            lonely.cancel();
            let cancelled: Vec<_> = tasks().iter().map(|task| task.is_cancelled).collect();
            assert_eq!(cancelled, [false, true, true]);
        });
        let owner = spawn(|| scope(|s| (0..2).for_each(|_| drop(s.spawn(park)))));
        (0..3).for_each(|_| yield_now());
        let owned = tasks()
            .into_iter()
            .find(|task| task.id == owner.id())
            .expect("it waits");
        let waits = owned.waits_for.expect("it waits");
        assert!(waits.starts_with("its 2 children to end: task "), "{waits}");
    });
}

// Coroutines must not yield while a scope of their body is open.

struct Nothing;

impl Close for Nothing {
    type Error = ();
    fn close(self) -> Result<(), ()> {
        Ok(())
    }
}

type Opens = fn(&dyn Fn());

const OPENERS: [(&str, Opens); 11] = [
    ("scope", |yields| scope(|_| yields())),
    ("try_scope", |yields| {
        try_scope::<(), ()>(|_| {
            yields();
            Ok(())
        })
        .unwrap_or_default();
    }),
    ("supervise", |yields| supervise(|_| yields())),
    ("timeout", |yields| ignore(timeout(SECOND, yields))),
    ("timeout_at", |yields| {
        ignore(timeout_at(Instant::now(), yields))
    }),
    ("move_on_after", |yields| {
        ignore(move_on_after(SECOND, yields))
    }),
    ("shield", |yields| shield(yields)),
    ("a cancel scope", |yields| {
        ignore(CancelScope::new().run(yields))
    }),
    ("no_switch", |yields| no_switch(yields)),
    ("with", |yields| {
        with::<_, (), ()>(Nothing, |_| {
            yields();
            Ok(())
        })
        .unwrap_or_default();
    }),
    ("a task-local", |yields| DEPTH.scope(5, yields)),
];

const OPEN: &str = "yield_ was called while a scope opened in the coroutine's body is still open";

#[test]
fn a_yield_inside_an_open_scope_panics() {
    clean(|| {
        for (name, open) in OPENERS {
            let mut texts = generator(move |y: &Yielder<(), String>| {
                let text = panic_text(|| open(&|| y.yield_("inside".to_owned())));
                y.yield_(text); // closed again
                let nested = panic_text(|| shield(|| open(&|| y.yield_("inside".to_owned()))));
                y.yield_(nested);
                open(&|| ());
                y.yield_("after".to_owned());
            });
            assert_eq!(
                texts.by_ref().collect::<Vec<_>>(),
                [OPEN, OPEN, "after"],
                "{name}"
            );
            assert!(DEPTH.try_with(|_| ()).is_none());
            // One of the consumer's does not matter, nor does one of a generator in between.
            let sums = Cell::new(Some(generator(move |y: &Yielder<(), u32>| {
                for n in 0..3 {
                    let log = Log::new();
                    open(&|| log.add(generator(move |y| y.yield_(n)).sum()));
                    y.yield_(log.take()[0]);
                }
            })));
            let total = Cell::new(0);
            open(&|| total.set(sums.take().expect("once").sum()));
            assert_eq!(total.get(), 3, "{name}");
        }
        assert!(!is_cancelled());
    });
}

/// On a plain thread only a task-local has something to keep.
#[test]
fn a_yield_inside_a_task_local_on_a_plain_thread() {
    let mut texts = generator(|y: &Yielder<(), String>| {
        let text = panic_text(|| DEPTH.scope(5, || y.yield_("inside".to_owned())));
        y.yield_(text);
    });
    assert_eq!(texts.next().as_deref(), Some(OPEN));
    assert!(DEPTH.try_with(|_| ()).is_none());
}

#[test]
fn on_a_plain_thread() {
    let needs = |what: &str| format!("{what} needs a task: call it inside greenroom::run");
    assert_eq!(panic_text(|| timeout(SECOND, || ())), needs("timeout"));
    assert_eq!(
        panic_text(|| move_on_after(SECOND, || ())),
        needs("timeout")
    );
    assert_eq!(
        panic_text(|| timeout_at(Instant::now(), || ())),
        needs("timeout_at")
    );
    assert_eq!(shield(|| 5), 5);
    assert_eq!(no_switch(|| 5), 5);
    no_switch(yield_now); // blocks nobody but this thread
    assert!(!is_cancelled());
    assert!(checkpoint().is_ok());
    assert!(tasks().is_empty());
    assert_eq!(
        DEPTH.scope(1, || DEPTH.scope(2, || DEPTH.get()) + DEPTH.get()),
        3
    );
    let scope = CancelScope::new();
    scope.cancel("early");
    scope.set_deadline(Some(Instant::now()));
    assert!(scope.cancel_called() && !scope.cancelled_caught());
    // The thread's bindings are not those of a task that runs on it.
    DEPTH.scope(1, || {
        clean(|| assert!(DEPTH.try_with(|_| ()).is_none()));
        assert_eq!(DEPTH.get(), 1);
    });
}
