//! The promise: tasks are to greenroom what threads are to std. Strict turns,
//! joins, names, park and unpark, wakers for other threads, a runtime that is a
//! value. (What ends them is in `shutdown.rs`, and in `deadlocks.rs`.)

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod support;

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;

use greenroom::{
    Builder, Clock, Config, Generator, JoinHandle, Runtime, Turn, Yielder, current, generator,
    in_task, park, run, sleep, spawn, try_current, yield_now,
};
use support::{Log, OnDrop, on_virtual, panic_text, quiet_panic, text_of};

// Whose turn it is.

#[test]
fn tasks_start_in_the_order_they_were_spawned() {
    let log = Log::new();
    run(|| {
        for n in 0..1000 {
            let log = log.clone();
            spawn(move || log.add(n));
        }
        log.add(-1); // the parent goes on
        yield_now();
        log.add(1000);
    });
    assert_eq!(log.take(), (-1..=1000).collect::<Vec<_>>());
}

/// While n tasks are ready, a task that yields is not stepped again before each
/// of them was, once, in order.
#[test]
fn each_round_steps_every_ready_task_once_in_order() {
    for n in [1usize, 2, 3, 10, 100] {
        let log = Log::new();
        run(|| {
            let tasks: Vec<_> = (0..n)
                .map(|id| {
                    let log = log.clone();
                    spawn(move || {
                        for round in 0..20 {
                            log.add((round, id));
                            yield_now();
                        }
                    })
                })
                .collect();
            tasks.into_iter().for_each(|task| task.join().unwrap());
        });
        let wanted: Vec<_> = (0..20)
            .flat_map(|round| (0..n).map(move |id| (round, id)))
            .collect();
        assert_eq!(log.take(), wanted);
    }
}

/// A child spawned by a child goes to the end like any other.
#[test]
fn children_queue_behind_those_who_were_there() {
    let log = Log::new();
    run(|| {
        for name in ["a", "b"] {
            let log = log.clone();
            spawn(move || {
                log.add(name.to_owned());
                let inner = log.clone();
                spawn(move || inner.add(format!("{name}'s child")));
                yield_now();
                log.add(format!("{name} again"));
            });
        }
        for _ in 0..4 {
            yield_now();
        }
    });
    assert_eq!(
        log.take(),
        ["a", "b", "a's child", "a again", "b's child", "b again"]
    );
}

// Joining.

#[test]
fn join_returns_what_the_body_returned() {
    run(|| {
        assert_eq!(spawn(|| "text".to_owned()).join().unwrap(), "text");
        assert_eq!(spawn(|| ()).join().unwrap(), ());
        let finished = spawn(|| vec![1, 2, 3]);
        yield_now();
        assert!(finished.is_finished());
        assert_eq!(finished.join().unwrap(), [1, 2, 3]);
    });
}

#[test]
fn a_panic_is_the_join_error_and_nobody_elses_business() {
    run(|| {
        let error = spawn(|| quiet_panic("the oven is cold"))
            .join()
            .unwrap_err();
        assert!(error.is_panic() && !error.is_cancelled());
        assert_eq!(error.to_string(), "the task panicked: the oven is cold");
        assert_eq!(
            format!("{error:?}"),
            "JoinError::Panicked(\"the oven is cold\")"
        );
        assert_eq!(text_of(&*error.into_panic()), "the oven is cold");

        let other = spawn(|| std::panic::resume_unwind(Box::new(17u8)));
        let _of_unit: &JoinHandle<()> = &other;
        let error = other.join().unwrap_err();
        assert_eq!(error.to_string(), "the task panicked");
        assert_eq!(
            *error.try_into_panic().unwrap().downcast::<u8>().unwrap(),
            17
        );
        assert_eq!(spawn(|| 1).join().unwrap(), 1);
    });
}

#[test]
fn a_task_cannot_join_itself() {
    run(|| {
        let place: Rc<Cell<Option<JoinHandle<String>>>> = Rc::default();
        let own = Rc::clone(&place);
        let (done, result) = greenroom::sync::bounded(1);
        place.set(Some(spawn(move || {
            let handle = own.take().unwrap();
            let text = panic_text(|| handle.join());
            done.send(text.clone()).unwrap();
            text
        })));
        assert_eq!(result.recv().unwrap(), "a task cannot join itself");
    });
}

/// A handle may be joined by any task of the thread, also by one that came later.
#[test]
fn a_handle_can_be_passed_on_and_joined_elsewhere() {
    on_virtual(|| {
        let slow = spawn(|| {
            sleep(Duration::from_secs(5));
            1
        });
        let joiner = spawn(move || slow.join().unwrap() + 1);
        let last = spawn(move || joiner.join().unwrap() + 1);
        assert_eq!(last.join().unwrap(), 3);
    });
}

#[test]
fn handles_outlive_their_runtime() {
    let finished = run(|| {
        let task = spawn(|| "kept".to_owned());
        yield_now();
        task
    });
    assert_eq!(finished.join().unwrap(), "kept");
    let cancelled = run(|| spawn(park));
    assert!(cancelled.is_finished());
    assert!(cancelled.join().unwrap_err().is_cancelled());
}

/// A dropped handle lets the task run on.
#[test]
fn a_dropped_handle_detaches() {
    let log = Log::new();
    on_virtual(|| {
        let l = log.clone();
        drop(spawn(move || {
            sleep(Duration::from_secs(1));
            l.add("ran on");
        }));
        sleep(Duration::from_secs(2));
    });
    assert_eq!(log.take(), ["ran on"]);
}

#[test]
fn the_hook_is_told_of_panics_nobody_can_see() {
    let told = Log::new();
    let log = told.clone();
    let hook = move |panic: greenroom::Unobserved<'_>| {
        log.add((
            panic.id,
            panic.name.map(str::to_owned),
            text_of(&*panic.payload),
        ));
    };
    Runtime::with(Config::new().on_unobserved(hook)).run(|| {
        let detached = Builder::new().name("detached");
        let detached = detached.spawn(|| quiet_panic("one")).unwrap();
        let _never: &JoinHandle<()> = &detached;
        let detached_id = detached.id();
        drop(detached);
        yield_now();
        assert_eq!(
            told.take(),
            [(detached_id, Some("detached".to_owned()), "one".to_owned())]
        );

        // Joined: not told.
        let joined: JoinHandle<()> = spawn(|| quiet_panic("two"));
        assert!(joined.join().is_err());
        assert!(told.take().is_empty());

        // Dropped after the end: told when the handle goes.
        let late: JoinHandle<()> = spawn(|| quiet_panic("three"));
        let late_id = late.id();
        yield_now();
        assert!(told.take().is_empty());
        drop(late);
        assert_eq!(told.take(), [(late_id, None, "three".to_owned())]);
    });
}

/// The hook knows the task's name also where the handle was dropped after the end.
#[test]
fn the_hook_is_told_the_name_of_a_task_that_ended_before_its_handle() {
    let told = Log::new();
    let log = told.clone();
    let config = Config::new().on_unobserved(move |panic| log.add(panic.name.map(str::to_owned)));
    Runtime::with(config).run(|| {
        let task = Builder::new().name("baker");
        let task: JoinHandle<()> = task.spawn(|| quiet_panic("cold")).unwrap();
        yield_now();
        drop(task);
    });
    assert_eq!(told.take(), [Some("baker".to_owned())]);
}

#[test]
fn a_hook_that_panics_harms_nobody() {
    let config = Config::new().on_unobserved(|_| quiet_panic("the hook itself"));
    let sum = Runtime::with(config).run(|| {
        drop::<JoinHandle<()>>(spawn(|| quiet_panic("one")));
        yield_now();
        spawn(|| 1).join().unwrap()
    });
    assert_eq!(sum, 1);
}

// Who one is.

#[test]
fn names_and_ids() {
    run(|| {
        assert_eq!(current().name(), None);
        let task = Builder::new().name("baker").spawn(|| {
            let me = current();
            (me.id(), me.name().map(str::to_owned))
        });
        let task = task.unwrap();
        let id = task.id();
        assert_eq!(task.join().unwrap(), (id, Some("baker".to_owned())));
        assert_eq!(
            spawn(|| current().name().map(str::to_owned))
                .join()
                .unwrap(),
            None
        );
        for name in [
            "",
            "日本語",
            "a name that is rather long, with spaces and \n lines",
        ] {
            let task = Builder::new().name(name);
            let task = task.spawn(|| current().name().map(str::to_owned)).unwrap();
            assert_eq!(task.join().unwrap().as_deref(), Some(name));
        }
    });
}

#[test]
fn ids_are_unique_in_the_process() {
    let ids = |count: usize| {
        run(move || {
            let mut ids = vec![current().id()];
            for n in 0..count {
                ids.push(spawn(|| ()).id());
                if n % 1000 == 0 {
                    yield_now();
                }
            }
            ids
        })
    };
    let threads: Vec<_> = (0..4)
        .map(|_| std::thread::spawn(move || ids(500)))
        .collect();
    let mut all = ids(70_000); // more than are taken at a time
    all.extend(
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap()),
    );
    let distinct: HashSet<_> = all.iter().collect();
    assert_eq!(distinct.len(), all.len());
}

#[test]
fn in_task_tells() {
    assert!(!in_task() && try_current().is_none());
    run(|| {
        assert!(in_task() && try_current().is_some());
        assert!(spawn(in_task).join().unwrap());
        // A generator's body runs in the task that asks it.
        let mut asks = generator(|y| y.yield_(in_task()));
        assert_eq!(asks.next(), Some(true));
    });
    assert!(!in_task());
}

// Misuse says a sentence.

#[test]
fn a_runtime_inside_a_runtime_panics() {
    let sentence = "a runtime is running in this thread already: call spawn, or use another thread";
    run(|| {
        assert_eq!(panic_text(|| run(|| ())), sentence);
        assert_eq!(
            spawn(|| panic_text(|| run(|| ()))).join().unwrap(),
            sentence
        );
        let mut inner = generator(|y| y.yield_(panic_text(|| run(|| ()))));
        assert_eq!(inner.next().unwrap(), sentence);
        let mut other = Runtime::new();
        assert_eq!(panic_text(|| other.turn()), sentence);
        assert_eq!(panic_text(|| other.try_run(|| ()).is_ok()), sentence);
        // On another thread it is nobody's business.
        assert_eq!(std::thread::spawn(|| run(|| 5)).join().unwrap(), 5);
    });
    assert_eq!(run(|| 6), 6);
}

#[test]
fn spawn_and_current_outside_a_runtime_panic() {
    let sentence = "spawn needs a runtime: call it inside greenroom::run";
    assert_eq!(panic_text(|| spawn(|| ())), sentence);
    assert_eq!(panic_text(|| Builder::new().spawn(|| ())), sentence);
    let sentence = "current needs a task: call it inside greenroom::run";
    assert_eq!(panic_text(current), sentence);
    run(|| {
        let text = std::thread::spawn(|| panic_text(|| spawn(|| ())))
            .join()
            .unwrap();
        assert!(text.starts_with("spawn needs a runtime"), "{text}");
    });
}

/// A body that could not be spawned is dropped.
#[test]
fn a_body_that_was_refused_is_dropped() {
    let dropped = Rc::new(Cell::new(false));
    let d = Rc::clone(&dropped);
    let guard = OnDrop(move || d.set(true));
    let _sentence = panic_text(move || {
        spawn(move || {
            let _guard = guard;
        })
    });
    assert!(dropped.get());
}

#[test]
fn join_outside_a_runtime_panics_unless_the_task_has_ended() {
    let mut rt = Runtime::new();
    let task = rt.spawn(|| 3);
    let other = rt.spawn(|| 4);
    let text = panic_text(move || other.join());
    assert!(text.starts_with("join would wait for ever"), "{text}");
    assert_eq!(rt.turn(), Turn::Done);
    assert_eq!(task.join().unwrap(), 3);
}

// Park and unpark.

#[test]
fn an_unpark_before_the_park_is_kept_once() {
    run(|| {
        let log = Log::new();
        let parked = Rc::new(RefCell::new(None));
        let (me, l) = (Rc::clone(&parked), log.clone());
        let task = spawn(move || {
            *me.borrow_mut() = Some(current());
            yield_now();
            park();
            l.add("first"); // spared
            park();
            l.add("second"); // not spared: two unparks are one
        });
        yield_now();
        let named = parked.take().unwrap();
        named.unpark();
        named.unpark();
        for _ in 0..10 {
            yield_now();
        }
        assert_eq!(log.take(), ["first"]);
        named.unpark();
        task.join().unwrap();
        assert_eq!(log.take(), ["second"]);
        named.unpark(); // it has ended: left in peace
    });
}

/// `park` returns for an `unpark` and for nothing else, whatever else wakes the
/// task meanwhile.
#[test]
fn park_returns_for_nothing_but_an_unpark() {
    let log = Log::new();
    on_virtual(|| {
        let l = log.clone();
        let sleeper = spawn(move || {
            let me = current();
            l.add(("in", me.clone()));
            sleep(Duration::from_secs(10)); // unparked meanwhile: sleeps on
            l.add(("slept", me.clone()));
            park(); // spared by that
            l.add(("out", me));
        });
        yield_now();
        let (_, named) = log.take().remove(0);
        let start = greenroom::Instant::now();
        sleep(Duration::from_secs(1));
        named.unpark();
        sleep(Duration::from_secs(5));
        assert!(log.take().is_empty(), "sleep is not ended by an unpark");
        sleeper.join().unwrap();
        assert_eq!(start.elapsed(), Duration::from_secs(10));
        let said: Vec<_> = log.take().into_iter().map(|(line, _)| line).collect();
        assert_eq!(said, ["slept", "out"]);
    });
}

#[test]
fn on_a_plain_thread_park_and_yield_are_those_of_std() {
    std::thread::current().unpark();
    park();
    yield_now();
}

// Wakers.

/// A waker of the calling task.
fn my_waker() -> Waker {
    current().waker().unwrap()
}

#[test]
fn a_waker_unparks_from_another_thread() {
    for _ in 0..200 {
        run(|| {
            let waker = my_waker();
            let other = std::thread::spawn(move || waker.wake());
            park();
            other.join().unwrap();
        });
    }
}

#[test]
fn many_wakers_from_many_threads_wake_many_tasks() {
    run(|| {
        let tasks: Vec<_> = (0..64)
            .map(|_| {
                spawn(|| {
                    let waker = my_waker();
                    let again = waker.clone();
                    let thread = std::thread::spawn(move || {
                        waker.wake_by_ref();
                        drop(waker);
                    });
                    park();
                    let second = std::thread::spawn(move || again.wake());
                    park();
                    thread.join().unwrap();
                    second.join().unwrap();
                })
            })
            .collect();
        tasks.into_iter().for_each(|task| task.join().unwrap());
    });
}

#[test]
fn a_waker_may_be_used_at_home_too() {
    run(|| {
        let waker = my_waker();
        spawn(move || waker.wake());
        park();
    });
}

/// A waker of a task that has ended does nothing, also when its place in the
/// table belongs to another task by then.
#[test]
fn a_waker_outlives_its_task() {
    run(|| {
        let waker = spawn(my_waker).join().unwrap();
        waker.wake_by_ref();
        let woken = Rc::new(Cell::new(false));
        let tasks: Vec<_> = (0..600)
            .map(|_| {
                let woken = Rc::clone(&woken);
                spawn(move || {
                    park();
                    woken.set(true);
                })
            })
            .collect();
        for _ in 0..10 {
            waker.wake_by_ref();
            yield_now();
        }
        for _ in 0..600 {
            yield_now(); // more steps than the loop makes without a look at its inbox
        }
        assert!(!woken.get());
        drop(tasks);
    });
}

#[test]
fn a_waker_outlives_its_runtime() {
    let waker = run(my_waker);
    waker.wake_by_ref();
    let copy = waker.clone();
    std::thread::spawn(move || copy.wake()).join().unwrap();
    let kept = std::thread::spawn(|| run(my_waker)).join().unwrap();
    kept.wake_by_ref();
    run(|| {
        let mine = my_waker();
        waker.wake();
        kept.wake();
        mine.wake();
        park();
    });
}

#[test]
fn a_waker_used_while_the_runtime_goes_away() {
    for _ in 0..100 {
        let (send, wakers) = std::sync::mpsc::channel::<Waker>();
        let waking = std::thread::spawn(move || {
            for waker in wakers {
                for _ in 0..20 {
                    waker.wake_by_ref();
                }
            }
        });
        run(move || {
            for _ in 0..5 {
                send.send(my_waker()).unwrap();
            }
            park();
        });
        waking.join().unwrap();
    }
}

// A runtime is a value.

#[test]
fn a_runtime_is_reusable_and_keeps_its_clock() {
    let clock = Clock::virtual_();
    let mut rt = Runtime::with(Config::new().clock(clock.clone()));
    for n in 1..=100u64 {
        let twice = rt.run(|| {
            sleep(Duration::from_secs(1));
            spawn(move || n).join().unwrap() * 2
        });
        assert_eq!(twice, 2 * n);
        assert_eq!(clock.elapsed(), Duration::from_secs(n));
        assert_eq!(rt.tasks_alive(), 0);
    }
    let panicked = catch_unwind(AssertUnwindSafe(|| rt.run(|| quiet_panic("once"))));
    let _never: &Result<(), _> = &panicked;
    assert_eq!(text_of(&*panicked.unwrap_err()), "once");
    assert!(rt.try_run(park).is_err());
    assert_eq!(rt.run(|| 3), 3);
}

#[test]
fn main_may_borrow_from_the_caller() {
    let mut count = 0;
    let text = String::from("borrowed");
    let length = run(|| {
        count += 1;
        yield_now();
        count += 1;
        text.len()
    });
    assert_eq!((count, length), (2, 8));
}

#[test]
fn two_runtimes_take_turns_on_one_thread() {
    let log = Log::new();
    let mut both = [Runtime::new(), Runtime::new()];
    for (name, rt) in both.iter_mut().enumerate() {
        let log = log.clone();
        rt.spawn(move || {
            for n in 0..3 {
                log.add((name, n));
                yield_now();
            }
        });
    }
    while both
        .iter_mut()
        .map(Runtime::turn)
        .filter(|turn| *turn == Turn::Ready)
        .count()
        > 0
    {}
    assert_eq!(log.take(), [(0, 0), (1, 0), (0, 1), (1, 1), (0, 2), (1, 2)]);
}

/// A channel may connect the tasks of two runtimes of one thread.
#[test]
fn a_channel_between_two_runtimes() {
    let (send, receive) = greenroom::sync::bounded(0);
    let (mut left, mut right) = (Runtime::new(), Runtime::new());
    let sender = left.spawn(move || (0..10).try_for_each(|n| send.send(n)).is_ok());
    let sum = right.spawn(move || receive.iter().sum::<i32>());
    for _ in 0..30 {
        left.turn();
        right.turn();
    }
    assert!(sender.join().unwrap());
    assert_eq!(sum.join().unwrap(), 45);
}

#[test]
fn a_turn_steps_the_ready_tasks_once() {
    let mut rt = Runtime::new();
    assert_eq!(rt.turn(), Turn::Done);
    let log = Log::new();
    for name in ["a", "b"] {
        let log = log.clone();
        rt.spawn(move || {
            log.add(name);
            yield_now();
            log.add(name);
        });
    }
    assert!(log.take().is_empty());
    assert_eq!(rt.turn(), Turn::Ready);
    assert_eq!(log.take(), ["a", "b"]);
    assert_eq!(rt.tasks_alive(), 2);
    assert_eq!(rt.turn(), Turn::Done);
    assert_eq!(log.take(), ["a", "b"]);
    let stuck = rt.spawn(park);
    assert_eq!(rt.turn(), Turn::Waiting(None));
    drop(rt);
    assert!(stuck.join().unwrap_err().is_cancelled());
}

/// The runtime inside another loop: it says until when that may wait.
#[test]
fn a_turn_tells_the_next_deadline() {
    let mut rt = Runtime::new();
    let far = rt.spawn(|| sleep(Duration::MAX));
    assert_eq!(rt.turn(), Turn::Waiting(None));
    assert_eq!(rt.next_deadline(), None);
    let start = greenroom::Instant::now();
    let near = rt.spawn(|| sleep(Duration::from_millis(2)));
    let Turn::Waiting(Some(deadline)) = rt.turn() else {
        panic!("it waits until a moment");
    };
    assert!(deadline >= start + Duration::from_millis(2));
    assert_eq!(rt.next_deadline(), Some(deadline));
    while !near.is_finished() {
        greenroom::sleep_until(deadline); // the other loop blocks its thread
        rt.turn();
    }
    assert!(!far.is_finished());
}

/// The runtime inside a loop over poll(2): its descriptor becomes readable when
/// another thread wakes a task.
#[test]
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "calls poll, as a foreign loop would")]
fn a_runtime_can_be_embedded_in_a_loop_over_poll() {
    use std::os::fd::AsRawFd;
    let mut rt = Runtime::new();
    let log = Log::new();
    let l = log.clone();
    let (send, wakers) = std::sync::mpsc::channel();
    rt.spawn(move || {
        for n in 0..5 {
            send.send(my_waker()).unwrap();
            park();
            l.add(n);
            sleep(Duration::from_micros(200));
        }
    });
    let waking = std::thread::spawn(move || wakers.into_iter().for_each(Waker::wake));
    loop {
        let until = match rt.turn() {
            Turn::Done => break,
            Turn::Ready => continue,
            Turn::Waiting(until) => until,
        };
        let mut entry = libc::pollfd {
            fd: rt.descriptor().unwrap().as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        let timeout = until.map_or(5_000, |_| 1);
        // SAFETY: one entry, ours for the length of the call.
        let ready = unsafe { libc::poll(&raw mut entry, 1, timeout) };
        assert!(
            ready > 0 || until.is_some(),
            "the wake-up was not seen by poll"
        );
    }
    waking.join().unwrap();
    assert_eq!(log.take(), [0, 1, 2, 3, 4]);
}

// Panics of several.

/// Two tasks in the middle of a panic each, on one thread: each keeps its own.
#[test]
fn two_tasks_in_mid_panic_keep_their_own_payloads() {
    struct Join(Option<JoinHandle<()>>);
    impl Drop for Join {
        fn drop(&mut self) {
            let _waited = self.0.take().map(JoinHandle::join);
        }
    }
    // They end their waits in both orders.
    for delays in [[1, 2], [2, 1], [1, 1]] {
        on_virtual(|| {
            let tasks: Vec<JoinHandle<()>> = delays
                .into_iter()
                .enumerate()
                .map(|(n, delay)| {
                    spawn(move || {
                        let slow = spawn(move || sleep(Duration::from_secs(delay)));
                        let _join = Join(Some(slow));
                        std::panic::resume_unwind(Box::new(n));
                    })
                })
                .collect();
            let healthy = spawn(|| {
                for _ in 0..10 {
                    yield_now();
                    sleep(Duration::from_millis(100));
                }
                greenroom::Instant::now()
            });
            for (n, task) in tasks.into_iter().enumerate() {
                let payload = task.join().unwrap_err().into_panic();
                assert_eq!(*payload.downcast::<usize>().unwrap(), n);
            }
            healthy.join().unwrap();
            assert!(!std::thread::panicking());
        });
    }
}

/// A panic, caught in the task, is no affair of anyone.
#[test]
fn a_panic_caught_inside_the_task_leaves_it_whole() {
    on_virtual(|| {
        let task = spawn(|| {
            let caught = catch_unwind(|| {
                sleep(Duration::from_secs(1));
                quiet_panic("caught");
            });
            let _never: &Result<(), _> = &caught;
            sleep(Duration::from_secs(1));
            text_of(&*caught.unwrap_err())
        });
        assert_eq!(task.join().unwrap(), "caught");
        assert_eq!(greenroom::Instant::now().elapsed(), Duration::ZERO);
    });
}

/// The payload of main's panic comes out of `run`, whatever its type.
#[test]
fn the_panic_of_main_goes_on_in_the_caller() {
    let payload = catch_unwind(|| {
        run(|| {
            std::panic::set_hook(Box::new(|_| {}));
            panic_any(vec![1, 2, 3])
        })
    });
    let _hook = std::panic::take_hook();
    let _never: &Result<(), _> = &payload;
    assert_eq!(
        *payload.unwrap_err().downcast::<Vec<i32>>().unwrap(),
        [1, 2, 3]
    );
}

/// A generator made in one task and asked in others is one generator.
#[test]
fn a_generator_is_passed_from_task_to_task() {
    run(|| {
        let mut numbers: Generator<u32> = generator(|y: &Yielder<(), u32>| {
            for n in 0.. {
                yield_now();
                y.yield_(n);
            }
        });
        for wanted in 0..50 {
            let task = spawn(move || (numbers.next(), numbers));
            let (n, back) = task.join().unwrap();
            assert_eq!(n, Some(wanted));
            numbers = back;
        }
    });
}
