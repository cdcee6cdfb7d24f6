//! The promise: every stack has a guard that faults, a size that can be asked for
//! gives a stack and any other a clear error; stacks are reused, their memory is
//! given back, and running out of them is an error after which the program goes on.
//!
//! What measures a whole process runs in a child. Nothing here looks at the clock.

#![cfg(target_os = "linux")]
#![expect(unsafe_code, reason = "touches guards and sets limits of a process")]
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod support;

use std::cell::{Cell, RefCell};
use std::hint::black_box;
use std::io::{self, ErrorKind};
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use greenroom::{
    Builder, Config, Coroutine, CoroutineBuilder, JoinHandle, RunError, Runtime, Yielder, park,
    run, sleep, spawn, yield_now,
};
use support::{Log, OnDrop, case, quiet_panic, rerun, text_of};

const MPROTECT: &[(&str, &str)] = &[("GREENROOM_GUARD", "mprotect")];
const MODES: [&[(&str, &str)]; 2] = [&[], MPROTECT];

// Guards.

/// Touches the page so many bytes below the caller's frame.
#[inline(never)]
fn touch_below(distance: usize) {
    let here = 0u8;
    let here = black_box((&raw const here).expose_provenance());
    let place = std::ptr::with_exposed_provenance::<u8>(here - distance);
    // SAFETY: memory of this stack, which nobody uses below our frame; or its
    // guard, where the fault is the purpose.
    black_box(unsafe { place.read_volatile() });
}

/// The whole stack can be touched, and the first byte below it faults. So does
/// the last byte of a large guard.
#[test]
fn a_guard_lies_right_below_the_stack() {
    const NAME: &str = "a_guard_lies_right_below_the_stack";
    const SIZE: usize = 64 * 1024;
    const GUARD: usize = 1024 * 1024;
    if let Some(case) = case() {
        let task = Builder::new().name("toucher").stack_size(SIZE);
        let task = task.guard_size(if case == "far" { GUARD } else { 1 });
        let body = move || match case.as_str() {
            // Leaves room for the colour, the record and a few frames at the top.
            "inside" => (0..SIZE - 8192).step_by(4096).for_each(touch_below),
            "near" => (SIZE - 16384..SIZE + 4096)
                .step_by(512)
                .for_each(touch_below),
            "far" => touch_below(GUARD),
            _ => unreachable!("no such case"),
        };
        return run(move || task.spawn(body).unwrap().join().unwrap());
    }
    for environment in MODES {
        rerun(NAME, "inside", environment).assert_success();
        for case in ["near", "far"] {
            let ended = rerun(NAME, case, environment);
            ended.assert_signal(libc::SIGABRT);
            let [line] = ended.said()[..] else {
                panic!("one line: {ended:#?}");
            };
            assert!(
                line.starts_with(
                    "greenroom: task 'toucher' has overflowed its stack of 65536 bytes"
                )
            );
        }
    }
}

/// How many mappings this process has; and how many of them nobody may touch.
fn mappings() -> (usize, usize) {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let barred = maps.lines().filter(|line| line.contains(" ---p ")).count();
    (maps.lines().count(), barred)
}

/// A field of /proc/self/status, in bytes.
fn status(field: &str) -> usize {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|line| line.starts_with(field)).unwrap();
    let number = line.split_whitespace().nth(1).unwrap();
    number.parse::<usize>().unwrap() * 1024
}

/// Where the kernel has guards without mappings, a thousand stacks cost a few
/// mappings; the second way costs two each, and works as well.
#[test]
fn the_second_way_of_making_guards_can_be_forced() {
    const NAME: &str = "the_second_way_of_making_guards_can_be_forced";
    let Some(case) = case() else {
        rerun(NAME, "first", &[]).assert_success();
        rerun(NAME, "second", MPROTECT).assert_success();
        return;
    };
    run(|| {
        let (before, barred_before) = mappings();
        let tasks: Vec<_> = (0..1000).map(|n| spawn(move || n)).collect();
        let (after, barred) = mappings();
        let (all, barred) = (after - before, barred - barred_before);
        if case == "second" {
            assert!((1000..=2200).contains(&all), "{all} mappings");
            assert!(barred >= 1000, "{barred} guards");
        } else if barred == 0 {
            assert!(all < 30, "{all} mappings");
        }
        let sum: i32 = tasks.into_iter().map(|task| task.join().unwrap()).sum();
        assert_eq!(sum, 499_500);
    });
}

// Sizes.

/// Notes whether its owner ran, and that it was dropped.
fn tell_tale() -> (Rc<Cell<u32>>, Rc<Cell<u32>>, impl FnOnce()) {
    let (ran, dropped) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let (r, d) = (Rc::clone(&ran), Rc::clone(&dropped));
    let guard = OnDrop(move || d.set(d.get() + 1));
    let body = move || {
        let _guard = guard;
        r.set(r.get() + 1);
    };
    (ran, dropped, body)
}

/// The error of making a task and of making a coroutine of this shape. Their
/// bodies must have been dropped unrun.
#[track_caller]
fn refusals(stack: usize, guard: usize) -> [io::Error; 2] {
    let (ran, dropped, body) = tell_tale();
    let task = Builder::new().stack_size(stack).guard_size(guard);
    let of_task = task.spawn(body).expect_err("a task should be refused");
    assert_eq!((ran.get(), dropped.get()), (0, 1));
    let (ran, dropped, body) = tell_tale();
    let coroutine = CoroutineBuilder::new().stack_size(stack).guard_size(guard);
    let of_coroutine = coroutine
        .coroutine(move |_: &Yielder<(), ()>, ()| body())
        .expect_err("a coroutine should be refused");
    assert_eq!((ran.get(), dropped.get()), (0, 1));
    [of_task, of_coroutine]
}

#[test]
fn sizes_that_cannot_work_are_clear_errors() {
    run(|| {
        for (size, guard) in [
            (0, 4096),
            (1, 4096),
            (8191, 4096),
            (16 * 1024 - 1, 4096),
            (usize::MAX, 4096),
            (usize::MAX - 4095, 4096),
            (isize::MAX.unsigned_abs(), 4096),
            (isize::MAX.unsigned_abs() + 1, 4096),
            (65536, 0),
            (65536, usize::MAX),
            (65536, isize::MAX.unsigned_abs()),
        ] {
            for error in refusals(size, guard) {
                assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
                let text = error.to_string();
                assert!(text.contains("a stack"), "{text}");
            }
        }
        // More than a process can have of addresses: only the system can tell.
        for error in refusals(1 << 50, 4096) {
            assert_eq!(error.kind(), ErrorKind::OutOfMemory, "{error}");
            let text = error.to_string();
            assert!(
                text.contains("RLIMIT_AS") && text.contains("mmap"),
                "{text}"
            );
        }
        // Half of all addresses may be had, where the system is generous.
        match Builder::new().stack_size(1 << 46).spawn(|| 5) {
            Ok(task) => assert_eq!(task.join().unwrap(), 5),
            Err(error) => assert_eq!(error.kind(), ErrorKind::OutOfMemory),
        }
        // Nothing was broken by all that.
        assert_eq!(spawn(|| 6).join().unwrap(), 6);
    });
}

#[test]
fn sizes_of_a_runtime_that_cannot_work_are_errors_of_try_run() {
    for size in [0, 1, usize::MAX, 1 << 50] {
        let (ran, dropped, body) = tell_tale();
        let mut rt = Runtime::with(Config::new().main_stack_size(size));
        let error = rt.try_run(body).expect_err("there is no such stack");
        assert!(matches!(error, RunError::Io(_)), "{error}");
        assert!(error.to_string().contains("main task"), "{error}");
        assert_eq!((ran.get(), dropped.get()), (0, 1));
        Runtime::with(Config::new().stack_size(size)).run(|| {
            assert!(Builder::new().spawn(|| ()).is_err());
            let task = Builder::new().stack_size(65536).spawn(|| 3);
            assert_eq!(task.unwrap().join().unwrap(), 3);
        });
    }
}

/// A main task that could not be made leaves the runtime as it was.
#[test]
fn a_runtime_goes_on_after_its_main_task_could_not_be_made() {
    let mut rt = Runtime::with(Config::new().main_stack_size(1));
    let early = rt.spawn(|| 4);
    assert!(rt.try_run(|| ()).is_err());
    let late = rt.spawn(|| 5);
    while rt.turn() != greenroom::Turn::Done {}
    assert_eq!(early.join().unwrap(), 4);
    assert_eq!(late.join().unwrap(), 5);
}

#[test]
fn any_other_size_gives_a_stack_that_works() {
    run(|| {
        for size in [
            16_384,
            16_385,
            65536,
            65537,
            1 << 20,
            (1 << 20) + 1,
            64 << 20,
            1 << 32,
        ] {
            for guard in [1, 4096, 4097, 1 << 20] {
                let task = Builder::new().stack_size(size).guard_size(guard);
                let sum = task.spawn(move || (1..=10).sum::<u32>()).unwrap();
                assert_eq!(sum.join().unwrap(), 55);
            }
        }
    });
}

#[test]
fn a_name_with_a_nul_is_refused() {
    run(|| {
        let (ran, dropped, body) = tell_tale();
        let error = Builder::new().name("a\0b").spawn(body).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("NUL"), "{error}");
        assert_eq!((ran.get(), dropped.get()), (0, 1));
        let c = CoroutineBuilder::new().name("a\0b");
        let error = c.coroutine(|_: &Yielder<(), ()>, ()| ()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    });
}

// Running out.

/// Where guards cost mappings, stacks are refused before the mappings are used
/// up: a thread can still be made. Once tasks have ended, there are stacks again.
#[test]
fn running_out_of_mappings_is_an_error_that_leaves_room_for_threads() {
    const NAME: &str = "running_out_of_mappings_is_an_error_that_leaves_room_for_threads";
    if case().is_none() {
        let limit = std::fs::read_to_string("/proc/sys/vm/max_map_count").unwrap();
        if limit.trim().parse::<usize>().unwrap() <= 1_000_000 {
            rerun(NAME, "run", MPROTECT).assert_success();
        }
        return;
    }
    let mut rt = Runtime::with(Config::new().stack_size(16 * 1024));
    let made: Vec<usize> = (0..2)
        .map(|_| {
            rt.run(|| {
                let (error, made) = spawn_until_refused();
                assert_eq!(error.kind(), ErrorKind::OutOfMemory, "{error}");
                assert!(error.to_string().contains("vm.max_map_count"), "{error}");
                // Asking again changes nothing.
                assert!(Builder::new().spawn(|| ()).is_err());
                assert_eq!(std::thread::spawn(|| 7).join().unwrap(), 7);
                let other = std::thread::spawn(|| {
                    CoroutineBuilder::new()
                        .generator(|_: &Yielder<(), ()>| ())
                        .is_err()
                });
                assert!(other.join().unwrap(), "the limit is that of the process");
                made
            })
        })
        .collect();
    assert!(made[0] > 1000, "{made:?}");
    assert_eq!(made[0], made[1], "all stacks came back");
    assert_eq!(rt.run(|| spawn(|| 8).join().unwrap()), 8);
}

/// Spawns tasks that never run until no more can be had. Tells how many.
fn spawn_until_refused() -> (io::Error, usize) {
    let mut tasks: Vec<JoinHandle<()>> = Vec::with_capacity(1 << 16);
    loop {
        let (ran, dropped, body) = tell_tale();
        match Builder::new().spawn(body) {
            Ok(task) => tasks.push(task),
            Err(error) => {
                assert_eq!((ran.get(), dropped.get()), (0, 1));
                return (error, tasks.len());
            }
        }
        assert!(tasks.len() < 1 << 16, "there is no end of stacks");
    }
}

#[test]
fn running_out_of_addresses_is_an_error_and_the_program_goes_on() {
    const NAME: &str = "running_out_of_addresses_is_an_error_and_the_program_goes_on";
    if case().is_none() {
        for environment in MODES {
            rerun(NAME, "run", environment).assert_success();
        }
        return;
    }
    let mut rt = Runtime::new();
    rt.run(|| spawn(|| ()).join().unwrap());
    let all = u64::try_from(status("VmSize") + (64 << 20)).unwrap();
    let limit = libc::rlimit {
        rlim_cur: all,
        rlim_max: all,
    };
    // SAFETY: passes a limit that outlives the call.
    let set = unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) };
    assert_eq!(set, 0);
    let made: Vec<usize> = (0..3)
        .map(|_| {
            rt.run(|| {
                let (error, made) = spawn_until_refused();
                assert_eq!(error.kind(), ErrorKind::OutOfMemory, "{error}");
                assert!(error.to_string().contains("RLIMIT_AS"), "{error}");
                // The program can still use its heap.
                let room = black_box(vec![1u8; 16 * 1024]);
                assert_eq!(room.len(), 16 * 1024);
                made
            })
        })
        .collect();
    assert!(made[0] > 50, "{made:?}");
    // The heap may give a little back, or take some more.
    assert!(made[1] >= made[0], "stacks were lost: {made:?}");
    assert!(made[2] + 8 >= made[1], "stacks were lost: {made:?}");
    assert_eq!(rt.run(|| spawn(|| 8).join().unwrap()), 8);
}

// Reuse.

/// A hundred thousand tasks, a thousand at a time, use the stacks of a thousand.
#[test]
fn stacks_are_reused() {
    const NAME: &str = "stacks_are_reused";
    if case().is_none() {
        for environment in MODES {
            rerun(NAME, "run", environment).assert_success();
        }
        return;
    }
    let wave = || {
        let tasks: Vec<_> = (0..1000u32)
            .map(|n| {
                spawn(move || {
                    yield_now();
                    n
                })
            })
            .collect();
        let sum: u32 = tasks.into_iter().map(|task| task.join().unwrap()).sum();
        assert_eq!(sum, 499_500);
    };
    let mut rt = Runtime::with(Config::new().stack_size(65536));
    rt.run(wave);
    let (rss, (maps, _)) = (status("VmRSS"), mappings());
    for _ in 1..100 {
        rt.run(wave);
    }
    let (rss_now, (maps_now, _)) = (status("VmRSS"), mappings());
    assert!(maps_now <= maps + 8, "{maps} mappings became {maps_now}");
    assert!(rss_now <= rss + (2 << 20), "{rss} bytes became {rss_now}");
}

#[inline(never)]
fn use_deeply(bytes: usize) {
    for distance in (4096..bytes).step_by(4096) {
        touch_for_write(distance);
    }
}

/// Writes to the page so many bytes below.
#[inline(never)]
fn touch_for_write(distance: usize) {
    let mut here = 0u8;
    let here = black_box((&raw mut here).expose_provenance());
    let place = std::ptr::with_exposed_provenance_mut::<u8>(here - distance);
    // SAFETY: memory of this stack, which nobody uses below our frame.
    unsafe { place.write_volatile(1) };
}

/// Memory that many deep stacks used is given back when the loop has nothing to
/// do; that of large stacks at once.
#[test]
fn deep_pages_are_given_back() {
    const NAME: &str = "deep_pages_are_given_back";
    let Some(case) = case() else {
        for environment in MODES {
            for case in ["many", "large"] {
                rerun(NAME, case, environment).assert_success();
            }
        }
        return;
    };
    let (count, stack, deep) = match case.as_str() {
        "many" => (800, 256 << 10, 128 << 10),
        _ => (40, 4 << 20, 2 << 20),
    };
    run(|| {
        let before = status("VmRSS");
        let tasks: Vec<_> = (0..count)
            .map(|_| {
                let task = Builder::new().stack_size(stack);
                let body = move || {
                    use_deeply(deep);
                    yield_now();
                };
                task.spawn(body).unwrap()
            })
            .collect();
        yield_now();
        let high = status("VmRSS") - before;
        assert!(high > count * deep * 9 / 10, "{high} bytes were used");
        for task in tasks {
            task.join().unwrap();
        }
        if case == "many" {
            sleep(Duration::from_millis(1));
        }
        let low = status("VmRSS").saturating_sub(before);
        assert!(low < high / 2, "of {high} bytes {low} were kept");
        if case == "large" {
            assert!(low < 2 << 20, "of {high} bytes {low} were kept");
        }
        // They can be used again.
        let again = Builder::new().stack_size(stack);
        again
            .spawn(move || use_deeply(deep))
            .unwrap()
            .join()
            .unwrap();
    });
}

/// The stack of a coroutine that was leaked while suspended is nobody else's, ever.
#[test]
fn a_leaked_coroutine_keeps_its_stack() {
    const PATTERN: u64 = 0x5EED_5EED_5EED_5EED;
    let leaked: Vec<_> = (0..20)
        .map(|_| {
            let c: Coroutine<(), usize> = Coroutine::new(|y: &Yielder<(), usize>, ()| {
                let kept = [PATTERN; 64];
                y.yield_((&raw const kept).expose_provenance());
                black_box(&kept);
            });
            let Ok(greenroom::CoroutineState::Yielded(place)) = c.resume(()) else {
                panic!("it yields");
            };
            (place, ManuallyDrop::new(c))
        })
        .collect();
    let places: Vec<usize> = leaked.iter().map(|(place, _)| *place).collect();
    let check = move || {
        let here = 0u8;
        let here = (&raw const here).addr();
        for place in &places {
            assert!(
                here.abs_diff(*place) > 200 * 1024,
                "a leaked stack is in use"
            );
        }
    };
    let check = Rc::new(check);
    for _ in 0..50 {
        let many: Vec<_> = (0..20)
            .map(|_| {
                let check = Rc::clone(&check);
                Coroutine::new(move |y: &Yielder<(), ()>, ()| {
                    check();
                    y.yield_(());
                    check();
                })
            })
            .collect();
        for c in &many {
            assert!(c.resume(()).is_ok());
        }
        run(|| {
            for _ in 0..20 {
                let check = Rc::clone(&check);
                spawn(move || {
                    yield_now();
                    check();
                });
            }
            yield_now();
            yield_now();
        });
    }
    for (place, c) in &leaked {
        let kept = std::ptr::with_exposed_provenance::<[u64; 64]>(*place);
        // SAFETY: the array lies in the frame of a suspended body that is never
        // resumed or dropped.
        let kept = unsafe { kept.read_volatile() };
        assert_eq!(kept, [PATTERN; 64]);
        assert_eq!(c.status(), greenroom::Status::Suspended);
    }
}

// What goes in and what comes out.

/// A capture of `N` bytes arrives whole, also where it is too large to be copied
/// to the new stack.
fn capture_of<const N: usize>() {
    let bytes = std::array::from_fn::<u8, N, _>(|n| u8::try_from(n % 251).unwrap());
    let whole = move || {
        bytes
            .iter()
            .enumerate()
            .all(|(n, b)| usize::from(*b) == n % 251)
    };
    assert!(run(move || spawn(whole).join().unwrap()));
    let c = Coroutine::new(move |_: &Yielder<(), ()>, ()| whole());
    assert_eq!(c.resume(()), Ok(greenroom::CoroutineState::Complete(true)));
}

#[test]
fn captures_of_any_size_arrive() {
    capture_of::<0>();
    capture_of::<1>();
    capture_of::<900>();
    capture_of::<960>();
    capture_of::<976>();
    capture_of::<984>();
    capture_of::<992>();
    capture_of::<1000>();
    capture_of::<1008>();
    capture_of::<1016>();
    capture_of::<1023>();
    capture_of::<1024>();
    capture_of::<1025>();
    capture_of::<1032>();
    capture_of::<4096>();
    capture_of::<16_384>();
}

#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(align(32))]
struct A32(u8);
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(align(128))]
struct A128([u8; 3]);
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(align(4096))]
struct A4096(u64);

/// An over-aligned value is aligned where the body finds it, on the way in and
/// on the way out.
fn aligned<T: Copy + PartialEq + std::fmt::Debug + 'static>(value: T) {
    let check = |value: &T| {
        let place = std::ptr::from_ref(black_box(value)).addr();
        assert_eq!(place % align_of::<T>(), 0);
    };
    let out = run(move || {
        // In debug builds each frame it passes takes two or three pages.
        let task = Builder::new().stack_size(1 << 20).spawn(move || {
            check(&value);
            yield_now();
            let local = black_box(value);
            check(&local);
            local
        });
        let task = task.unwrap();
        yield_now();
        yield_now();
        yield_now();
        assert!(task.is_finished());
        task.join().unwrap()
    });
    check(&out);
    assert_eq!(out, value);
    let c = CoroutineBuilder::new().stack_size(1 << 20);
    let c = c.coroutine(move |y: &Yielder<T, T>, sent: T| {
        check(&value);
        check(&sent);
        let sent = y.yield_(sent);
        check(&sent);
        value
    });
    let c = c.unwrap();
    assert_eq!(
        c.resume(value),
        Ok(greenroom::CoroutineState::Yielded(value))
    );
    assert_eq!(
        c.resume(value),
        Ok(greenroom::CoroutineState::Complete(value))
    );
}

#[test]
fn over_aligned_captures_and_results_stay_aligned() {
    aligned(A32(7));
    aligned(A128([1, 2, 3]));
    aligned(A4096(u64::MAX));
}

/// Results of any size come out whole, before and after the end of the task.
fn result_of<const N: usize>() {
    let wanted = std::array::from_fn::<u8, N, _>(|n| u8::try_from(n % 251).unwrap());
    run(move || {
        assert_eq!(spawn(move || wanted).join().unwrap(), wanted);
        let early = spawn(move || wanted);
        yield_now();
        assert!(early.is_finished());
        assert_eq!(early.join().unwrap(), wanted);
        drop(spawn(move || wanted));
        let dropped_late = spawn(move || wanted);
        yield_now();
        drop(dropped_late);
    });
}

#[test]
fn results_of_any_size_come_out() {
    result_of::<0>();
    result_of::<1>();
    result_of::<15>();
    result_of::<16>();
    result_of::<17>();
    result_of::<4096>();
}

/// Every result is dropped exactly once, whoever drops it and whenever.
#[test]
fn results_are_dropped_once() {
    fn check<const N: usize>() {
        let count = Rc::new(Cell::new(0));
        let c = Rc::clone(&count);
        let make = Rc::new(move || std::array::from_fn::<_, N, _>(|_| Rc::clone(&c)));
        run(|| {
            let m = Rc::clone(&make);
            let joined = spawn(move || m());
            let m = Rc::clone(&make);
            let dropped_early = spawn(move || m());
            let m = Rc::clone(&make);
            let dropped_late = spawn(move || m());
            let m = Rc::clone(&make);
            let never_joined = spawn(move || m());
            drop(dropped_early);
            yield_now();
            assert_eq!(Rc::strong_count(&count), 2 + 3 * N);
            drop(dropped_late);
            assert_eq!(Rc::strong_count(&count), 2 + 2 * N);
            drop(joined.join().unwrap());
            assert_eq!(Rc::strong_count(&count), 2 + N);
            drop(never_joined);
            assert_eq!(Rc::strong_count(&count), 2);
        });
    }
    check::<0>();
    check::<1>();
    check::<2>();
    check::<3>();
    check::<500>();
}

/// A result whose destructor panics: where the handle was dropped before the
/// end, the hook is told; else the panic is that of whoever drops the result.
#[test]
fn a_result_whose_drop_panics() {
    struct Sore;
    impl Drop for Sore {
        fn drop(&mut self) {
            quiet_panic("sore");
        }
    }
    let told = Log::new();
    let log = told.clone();
    let config = Config::new().on_unobserved(move |panic| log.add(text_of(&*panic.payload)));
    Runtime::with(config).run(move || {
        drop(spawn(|| Sore));
        yield_now();
        assert_eq!(told.take(), ["sore"]);

        let finished = spawn(|| Sore);
        yield_now();
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(finished)));
        assert_eq!(text_of(&*dropped.unwrap_err()), "sore");
        assert!(told.take().is_empty());

        let joined = spawn(|| Sore).join().unwrap();
        assert!(catch_unwind(AssertUnwindSafe(|| drop(joined))).is_err());
        // The runtime is none the worse for it.
        assert_eq!(spawn(|| 1).join().unwrap(), 1);
    });
}

/// A finished task holds no stack, so a hundred thousand handles are cheap.
#[test]
fn finished_tasks_whose_handles_are_kept_are_small() {
    const NAME: &str = "finished_tasks_whose_handles_are_kept_are_small";
    if case().is_none() {
        rerun(NAME, "run", &[]).assert_success();
        return;
    }
    const COUNT: usize = 100_000;
    run(|| {
        let kept = RefCell::new(Vec::with_capacity(COUNT));
        let wave = || {
            for n in 0..1000usize {
                kept.borrow_mut().push(spawn(move || n));
            }
            yield_now();
        };
        wave();
        let before = status("VmRSS");
        while kept.borrow().len() < COUNT {
            wave();
        }
        let used = status("VmRSS") - before;
        assert!(used < 200 * COUNT, "{} bytes each", used / COUNT);
        for (n, task) in kept.take().into_iter().enumerate() {
            assert_eq!(task.join().unwrap(), n % 1000);
        }
    });
}

/// Stacks of other tasks are none of the business of one that waits: a thousand
/// parked tasks of each of several sizes do not mix.
#[test]
fn stacks_of_several_sizes_do_not_mix() {
    run(|| {
        let sizes = [16_384usize, 65536, 262_144, 1 << 20];
        for round in 0..3 {
            let tasks: Vec<_> = (0..400usize)
                .map(|n| {
                    let task = Builder::new().stack_size(sizes[(n + round) % sizes.len()]);
                    let body = move || {
                        let mine = [n; 32];
                        park();
                        assert!(black_box(mine).iter().all(|m| *m == n));
                        n
                    };
                    let (name, named) = greenroom::sync::bounded(1);
                    let body = move || {
                        name.send(greenroom::current()).unwrap();
                        body()
                    };
                    (task.spawn(body).unwrap(), named)
                })
                .collect();
            for (n, (task, named)) in tasks.into_iter().enumerate() {
                named.recv().unwrap().unpark();
                assert_eq!(task.join().unwrap(), n);
            }
        }
    });
}
