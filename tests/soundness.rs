//! The promise: no safe program of coroutines and tasks together does anything
//! undefined. Each test is one way to try, with its stated outcome.

#![cfg(unix)]

mod support;

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use greenroom::CoroutineState::{Complete, Yielded};
use greenroom::{
    CloseError, Coroutine, CoroutineBuilder, CoroutineState, Generator, JoinHandle, ResumeError,
    Runtime, Status, Yielder, current, generator, park, run, sleep, spawn, sync, yield_now,
};
use support::{Log, OnDrop, case, on_virtual, panic_text, quiet_panic, rerun, text_of};

const FOREIGN: &str = "yield_ was called on another stack than its coroutine's own";

// A yielder on a foreign stack. Bodies of tasks are 'static, so a spawned child
// cannot borrow a yielder in safe code; the main body of a run, and the body of a
// scoped coroutine, can.

/// Yielding from the main task of a run, inside the body: a panic of main.
#[test]
fn a_yield_from_a_runs_main_task_panics() {
    let mut g = generator(|y: &Yielder<(), String>| {
        let text = panic_text(|| run(|| y.yield_(String::new())));
        y.yield_(text);
    });
    assert_eq!(g.next().unwrap(), FOREIGN);
    assert_eq!(g.next(), None);
}

/// Yielding from a scoped generator's body inside the body, within a task: a
/// panic, which goes on where the inner one was resumed.
#[test]
fn a_yield_from_an_inner_coroutines_stack_panics() {
    run(|| {
        let mut g = generator(|outer: &Yielder<(), String>| {
            let text = panic_text(|| {
                Generator::scope(
                    |_: &Yielder<(), ()>| outer.yield_(String::new()),
                    |values| values.count(),
                )
            });
            outer.yield_(text);
            let text = panic_text(|| {
                Coroutine::scope(
                    |_: &Yielder<(), ()>, ()| outer.yield_(String::new()),
                    |c| c.resume(()).is_ok(),
                )
            });
            outer.yield_(text);
        });
        assert_eq!(g.next().unwrap(), FOREIGN);
        assert_eq!(g.next().unwrap(), FOREIGN);
        assert_eq!(g.next(), None);
        assert_eq!(spawn(|| 1).join().unwrap(), 1);
    });
}

// A body that waits.

/// It parks the task that asked; the generator is Running meanwhile, and whoever
/// else asks is told so.
#[test]
fn a_body_that_waits_parks_its_task() {
    on_virtual(|| {
        let (send, receive) = sync::bounded::<u32>(0);
        let body = move |y: &Yielder<(), u32>, ()| {
            sleep(Duration::from_secs(5));
            let n = receive.recv().unwrap();
            y.yield_(n);
            receive.recv().unwrap()
        };
        let c = Rc::new(Coroutine::new(body));
        let log = Log::new();
        let first = Rc::clone(&c);
        let task = spawn(move || first.resume(()));
        yield_now();
        assert_eq!(c.status(), Status::Running);
        assert_eq!(c.resume(()), Err(ResumeError::Running(())));
        assert_eq!(c.close(), Err(CloseError::Running));
        let l = log.clone();
        let ticker = spawn(move || {
            for n in 0..5 {
                sleep(Duration::from_secs(1));
                l.add(n);
            }
        });
        ticker.join().unwrap();
        assert_eq!(log.take(), [0, 1, 2, 3, 4], "the others ran meanwhile");
        send.send(7).unwrap();
        assert_eq!(task.join().unwrap(), Ok(Yielded(7)));
        // Resumed from another task, it waits there.
        assert_eq!(c.status(), Status::Suspended);
        let second = Rc::clone(&c);
        let task = spawn(move || second.resume(()));
        send.send(8).unwrap();
        assert_eq!(task.join().unwrap(), Ok(Complete(8)));
        assert_eq!(c.status(), Status::Done);
    });
}

/// Its task is cancelled: the body is unwound, and the coroutine is done.
#[test]
fn a_body_that_waits_in_a_cancelled_task_is_unwound() {
    let log = Log::new();
    let c = on_virtual(|| {
        let l = log.clone();
        let c = Rc::new(Coroutine::new(move |y: &Yielder<(), ()>, ()| {
            let _guard = OnDrop(move || l.add("body"));
            y.yield_(());
            sleep(Duration::from_secs(1000));
        }));
        assert_eq!(c.resume(()), Ok(Yielded(())));
        let (inner, l) = (Rc::clone(&c), log.clone());
        spawn(move || {
            let _guard = OnDrop(move || l.add("task"));
            let _never = inner.resume(());
        });
        yield_now();
        assert_eq!(c.status(), Status::Running);
        c
    });
    assert_eq!(log.take(), ["body", "task"]);
    assert_eq!(c.status(), Status::Done);
    assert_eq!(c.resume(()), Err(ResumeError::Finished(())));
}

/// A generator suspended at a yield lives on when the task that asked it ends.
#[test]
fn a_suspended_generator_outlives_its_tasks_and_its_runtime() {
    let mut g = run(|| {
        let mut g = generator(|y| (0..1_000_000).for_each(|n| y.yield_(n)));
        assert_eq!(g.next(), Some(0));
        let task = spawn(move || (g.next(), g));
        let (n, g) = task.join().unwrap();
        assert_eq!(n, Some(1));
        g
    });
    assert_eq!(g.next(), Some(2));
    let mut again = run(move || {
        assert_eq!(g.next(), Some(3));
        g
    });
    assert_eq!(again.next(), Some(4));
}

/// Dropped in another task than the one that asked it: its body is unwound there.
#[test]
fn a_generator_dropped_in_another_task_is_unwound_there() {
    run(|| {
        let at = Rc::new(Cell::new(None));
        let a = Rc::clone(&at);
        let mut g = generator(move |y: &Yielder<(), u8>| {
            let _guard = OnDrop(move || a.set(Some(current().id())));
            y.yield_(1);
            y.yield_(2);
        });
        let asked = spawn(move || {
            g.next();
            g
        });
        let g = asked.join().unwrap();
        let dropper = spawn(move || drop(g));
        let id = dropper.id();
        dropper.join().unwrap();
        assert_eq!(at.get(), Some(id));
    });
}

/// Owned by a task that is cancelled: unwound with it. A destructor in the body
/// that would wait does not.
#[test]
fn a_generator_owned_by_a_cancelled_task_is_unwound_with_it() {
    let log = Log::new();
    on_virtual(|| {
        let l = log.clone();
        spawn(move || {
            let mut g = generator(move |y: &Yielder<(), u8>| {
                let _guard = OnDrop(move || {
                    sleep(Duration::from_secs(10));
                    yield_now();
                    l.add("body");
                });
                y.yield_(1);
            });
            g.next();
            park();
        });
        yield_now();
    });
    assert_eq!(log.take(), ["body"]);
}

/// Three deep, each sleeping: the task waits at any depth, and others run.
#[test]
fn nested_generators_that_sleep() {
    on_virtual(|| {
        let nest = || {
            generator(|y: &Yielder<(), u32>| {
                let middle = generator(|y: &Yielder<(), u32>| {
                    let inner = generator(|y: &Yielder<(), u32>| {
                        for n in 0..4 {
                            sleep(Duration::from_secs(1));
                            y.yield_(n);
                        }
                    });
                    for n in inner {
                        sleep(Duration::from_secs(1));
                        y.yield_(n * 10);
                    }
                });
                for n in middle {
                    sleep(Duration::from_secs(1));
                    y.yield_(n + 1);
                }
            })
        };
        let start = greenroom::Instant::now();
        let tasks: Vec<_> = (0..10)
            .map(|_| spawn(move || nest().collect::<Vec<_>>()))
            .collect();
        for task in tasks {
            assert_eq!(task.join().unwrap(), [1, 11, 21, 31]);
        }
        assert_eq!(
            start.elapsed(),
            Duration::from_secs(12),
            "all waited at once"
        );
        // Cut off in the middle of the innermost sleep.
        spawn(move || nest().count());
        sleep(Duration::from_millis(500));
    });
}

/// Many, in many tasks, in every state when the runtime ends.
#[test]
fn ten_thousand_generators_in_tasks() {
    let unwound = Rc::new(Cell::new(0u32));
    on_virtual(|| {
        for task in 0..100u32 {
            let unwound = Rc::clone(&unwound);
            spawn(move || {
                let mut all: Vec<_> = (0..100u32)
                    .map(|n| {
                        let unwound = Rc::clone(&unwound);
                        let body = move |y: &Yielder<(), u32>| {
                            let _guard = OnDrop(move || unwound.set(unwound.get() + 1));
                            for value in n.. {
                                y.yield_(value);
                            }
                        };
                        CoroutineBuilder::new()
                            .stack_size(32 * 1024)
                            .generator(body)
                            .unwrap()
                    })
                    .collect();
                for round in 0..3 {
                    for (n, g) in (0u32..).zip(&mut all) {
                        assert_eq!(g.next(), Some(n + round));
                    }
                    yield_now();
                }
                if task % 2 == 0 {
                    park(); // the others end by themselves
                }
            });
        }
        for _ in 0..5 {
            yield_now();
        }
        assert_eq!(unwound.get(), 5_000);
    });
    assert_eq!(unwound.get(), 10_000);
}

// Unwinding.

/// A task in the middle of its unwinding, parked in a join, is woken like any other.
#[test]
fn a_task_is_woken_in_the_middle_of_its_unwinding() {
    struct Join(Option<JoinHandle<u32>>, Rc<Cell<u32>>);
    impl Drop for Join {
        fn drop(&mut self) {
            let value = self.0.take().unwrap().join().unwrap();
            self.1.set(value);
        }
    }
    on_virtual(|| {
        let got = Rc::new(Cell::new(0));
        let g = Rc::clone(&got);
        let task = spawn(move || {
            let slow = spawn(|| {
                sleep(Duration::from_secs(3));
                5
            });
            let _join = Join(Some(slow), g);
            quiet_panic("mine");
        });
        let _never: &JoinHandle<()> = &task;
        let start = greenroom::Instant::now();
        assert_eq!(text_of(&*task.join().unwrap_err().into_panic()), "mine");
        assert_eq!((got.get(), start.elapsed()), (5, Duration::from_secs(3)));
    });
}

/// Meanwhile the others are not unwinding: they wait, and coroutines work.
#[test]
fn others_work_while_a_task_is_parked_in_its_unwinding() {
    on_virtual(|| {
        let task: JoinHandle<()> = spawn(|| {
            let mut slow = Some(spawn(|| sleep(Duration::from_secs(10))));
            let _join = OnDrop(move || drop(slow.take().map(JoinHandle::join)));
            quiet_panic("mine");
        });
        yield_now();
        assert!(
            std::thread::panicking(),
            "std cannot tell tasks apart: documented"
        );
        let start = greenroom::Instant::now();
        sleep(Duration::from_secs(1));
        assert_eq!(start.elapsed(), Duration::from_secs(1));
        let (send, receive) = sync::bounded(0);
        let other = spawn(move || send.send(4));
        assert_eq!(receive.recv(), Ok(4));
        other.join().unwrap().unwrap();
        let mut g = generator(|y: &Yielder<(), u8>| {
            sleep(Duration::from_secs(1));
            y.yield_(1);
            y.yield_(2);
        });
        assert_eq!(g.next(), Some(1));
        g.close().unwrap();
        let inner = catch_unwind(|| -> () { quiet_panic("inner") });
        assert!(inner.is_err());
        assert!(task.join().unwrap_err().is_panic());
        assert!(!std::thread::panicking());
    });
}

/// Suspended coroutines dropped while their thread panics are unwound.
#[test]
fn coroutines_dropped_while_the_thread_panics() {
    let count = Rc::new(Cell::new(0));
    let c = Rc::clone(&count);
    let panicked = catch_unwind(AssertUnwindSafe(move || {
        let all: Vec<_> = (0..10)
            .map(|_| {
                let c = Rc::clone(&c);
                let mut g = generator(move |y: &Yielder<(), u8>| {
                    let _guard = OnDrop(move || c.set(c.get() + 1));
                    y.yield_(1);
                });
                g.next();
                g
            })
            .collect();
        let _kept = all;
        quiet_panic("the thread");
    }));
    let _never: &Result<(), _> = &panicked;
    assert!(panicked.is_err());
    assert_eq!(count.get(), 10);
}

// Threads that end.

/// A runtime kept in a `thread_local!`, with tasks in every state: they are
/// unwound when the thread ends.
#[test]
fn a_thread_ends_with_tasks_in_a_thread_local_runtime() {
    thread_local! {
        static KEPT: RefCell<Option<Runtime>> = const { RefCell::new(None) };
    }
    let (send, dropped) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut rt = Runtime::new();
        for n in 0..5 {
            let send = send.clone();
            rt.spawn(move || {
                let _guard = OnDrop(move || send.send(n).unwrap());
                let mut g = generator(|y: &Yielder<(), u8>| y.yield_(1));
                g.next();
                park();
            });
        }
        rt.turn();
        rt.spawn(move || drop(send));
        KEPT.with(|kept| *kept.borrow_mut() = Some(rt));
    })
    .join()
    .unwrap();
    assert_eq!(dropped.iter().collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
}

/// The same with a runtime that is leaked: nothing runs, nothing breaks, and
/// wakers that are left do nothing.
#[test]
fn a_thread_ends_with_a_leaked_runtime() {
    let waker = std::thread::spawn(|| {
        let mut rt = Runtime::new();
        let (send, wakers) = sync::bounded(1);
        rt.spawn(move || {
            send.send(current().waker().unwrap()).unwrap();
            let _guard = OnDrop(|| unreachable!("it is leaked"));
            park();
        });
        rt.turn();
        let waker = wakers.recv().unwrap();
        Box::leak(Box::new(rt));
        waker
    })
    .join()
    .unwrap();
    waker.wake_by_ref();
    run(|| {
        let tasks: Vec<_> = (0..100).map(|n| spawn(move || n)).collect();
        tasks
            .into_iter()
            .for_each(|task| assert!(task.join().is_ok()));
    });
}

/// Suspended generators kept in a `thread_local!` are unwound when the thread ends.
#[test]
fn a_thread_ends_with_suspended_generators() {
    thread_local! {
        static KEPT: RefCell<Vec<Generator<u32>>> = const { RefCell::new(Vec::new()) };
    }
    let (send, dropped) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for n in 0..5 {
            let send = send.clone();
            let mut g = generator(move |y: &Yielder<(), u32>| {
                let _guard = OnDrop(move || send.send(n).unwrap());
                y.yield_(n);
            });
            g.next();
            KEPT.with(|kept| kept.borrow_mut().push(g));
        }
    })
    .join()
    .unwrap();
    let mut all: Vec<_> = dropped.iter().collect();
    all.sort_unstable();
    assert_eq!(all, [0, 1, 2, 3, 4]);
}

/// Used while the thread ends, the crate works or says an error; it does not crash.
#[test]
fn a_thread_local_destructor_may_use_the_crate() {
    const NAME: &str = "a_thread_local_destructor_may_use_the_crate";
    struct Late(std::sync::mpsc::Sender<bool>);
    impl Drop for Late {
        fn drop(&mut self) {
            let body = |y: &Yielder<(), u8>| y.yield_(1);
            let works = match CoroutineBuilder::new().generator(body) {
                Ok(mut g) => g.next() == Some(1),
                Err(error) => error.to_string().contains("this thread is ending"),
            };
            self.0.send(works).unwrap();
        }
    }
    thread_local! {
        static LATE: RefCell<Option<Late>> = const { RefCell::new(None) };
    }
    if case().is_none() {
        rerun(NAME, "run", &[]).assert_success();
        return;
    }
    for first in [true, false] {
        let (send, works) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            if first {
                run(|| ());
            }
            LATE.with(|late| *late.borrow_mut() = Some(Late(send)));
            run(|| ());
        })
        .join()
        .unwrap();
        assert_eq!(works.recv(), Ok(true));
    }
}

// The state of a coroutine after it yielded while it unwound.

struct YieldOnDrop<'a>(&'a Yielder<(), u32>);

impl Drop for YieldOnDrop<'_> {
    fn drop(&mut self) {
        self.0.yield_(2);
    }
}

/// A body that yielded in a destructor while it was closed, and then ended its
/// unwinding, can be closed like any other.
#[test]
fn a_body_that_has_stopped_unwinding_can_be_closed() {
    const NAME: &str = "a_body_that_has_stopped_unwinding_can_be_closed";
    if case().is_none() {
        rerun(NAME, "run", &[]).assert_success();
        return;
    }
    let c = Coroutine::new(|y: &Yielder<(), u32>, ()| {
        let caught = catch_unwind(AssertUnwindSafe(|| {
            let _yields = YieldOnDrop(y);
            y.yield_(1);
        }));
        assert!(caught.is_err());
        y.yield_(3);
    });
    assert_eq!(c.resume(()), Ok(Yielded(1)));
    assert_eq!(c.close(), Err(CloseError::Yielded(2)));
    assert_eq!(c.resume(()), Ok(Yielded(3)));
    assert_eq!(c.close(), Ok(None));
}

/// A body suspended in a destructor of its own panic can be resumed. Closing it is
/// a panic in a destructor during a panic: Rust aborts, as `close` documents.
#[test]
fn a_body_suspended_in_its_own_panic_is_resumed_not_closed() {
    const NAME: &str = "a_body_suspended_in_its_own_panic_is_resumed_not_closed";
    if case().is_none() {
        rerun(NAME, "resume", &[]).assert_success();
        rerun(NAME, "close", &[]).assert_signal(libc::SIGABRT);
        return;
    }
    let c: Coroutine<(), u32> = Coroutine::new(|y: &Yielder<(), u32>, ()| {
        let _yields = YieldOnDrop(y);
        quiet_panic("mine");
    });
    assert_eq!(c.resume(()), Ok(Yielded(2)));
    if case().as_deref() == Some("close") {
        let _never = c.close();
    }
    let panic = catch_unwind(AssertUnwindSafe(|| c.resume(())));
    assert_eq!(text_of(&*panic.unwrap_err()), "mine");
}

/// A scoped body in a cancelled task is closed before its borrows end.
#[test]
fn a_borrowing_generator_in_a_cancelled_task() {
    let log = Log::new();
    on_virtual(|| {
        let l = log.clone();
        spawn(move || {
            let text = String::from("borrowed");
            let body = |y: &Yielder<(), usize>| {
                let _guard = OnDrop(|| l.add(text.clone()));
                loop {
                    y.yield_(text.len());
                }
            };
            Generator::scope(body, |mut values| {
                assert_eq!(values.next(), Some(8));
                sleep(Duration::from_secs(1000));
            });
        });
        yield_now();
    });
    assert_eq!(log.take(), ["borrowed"]);
}

/// A handle forgotten, a stack lost: nothing else.
#[test]
fn forgotten_handles_and_coroutines_harm_nobody() {
    run(|| {
        for _ in 0..100 {
            Box::leak(Box::new(spawn(|| vec![1; 100])));
            let c: Coroutine<(), u8> = Coroutine::new(|y: &Yielder<(), u8>, ()| y.yield_(1));
            let state: Result<CoroutineState<u8, ()>, _> = c.resume(());
            assert_eq!(state, Ok(Yielded(1)));
            Box::leak(Box::new(c));
            yield_now();
        }
        assert_eq!(spawn(|| 1).join().unwrap(), 1);
    });
}
