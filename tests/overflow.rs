//! The promise: running into the guard of a stack prints one line, which says who
//! overflowed what and which setting raises it, and aborts; and a fault anywhere
//! else is none of the crate's business.
//!
//! Every case ends a process, so each runs in a child. The main thread of a
//! process is not to be had in a test: see `panic_abort.rs` for it.

#![cfg(target_os = "linux")]
#![expect(
    unsafe_code,
    reason = "makes faults, signal handlers and foreign threads"
)]
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod support;

use std::hint::black_box;
use std::io::Write;
use std::ptr;

use greenroom::{Builder, Config, Coroutine, CoroutineBuilder, Runtime, Yielder, run, spawn};
use support::{Ended, case, rerun};

const SIZE: usize = 64 * 1024;
const MODES: [&[(&str, &str)]; 2] = [&[], &[("GREENROOM_GUARD", "mprotect")]];

/// Fills the stack with many small frames.
#[expect(unconditional_recursion, reason = "that is what it is for")]
fn small_frames(n: u64) -> u64 {
    black_box(n) + black_box(small_frames(black_box(n + 1)))
}

/// Fills the stack with one frame that is as large as the stack itself.
#[inline(never)]
#[expect(clippy::large_stack_arrays, reason = "that is what it is for")]
fn big_frame() -> u8 {
    let mut room = [0u8; SIZE];
    black_box(&mut room)[SIZE / 2] = 1;
    black_box(room)[0]
}

/// Performs the case of a child; the text says what must overflow and how.
fn perform(case: &str) {
    let (who, how) = case.split_once('/').expect("a case has two parts");
    let big = how == "big";
    let dig = move || {
        if big {
            black_box(big_frame());
        } else {
            black_box(small_frames(0));
        }
    };
    let coroutine = CoroutineBuilder::new().stack_size(SIZE);
    match who {
        "named task" => run(|| {
            let task = Builder::new().name("digger").stack_size(SIZE).spawn(dig);
            task.unwrap().join().unwrap();
        }),
        "unnamed task" => Runtime::with(Config::new().stack_size(SIZE)).run(|| {
            spawn(dig).join().unwrap();
        }),
        "main task" => Runtime::with(Config::new().main_stack_size(SIZE)).run(dig),
        "coroutine" => {
            let body = move |_: &Yielder<(), ()>, ()| dig();
            let _ended = coroutine.name("walker").coroutine(body).unwrap().resume(());
        }
        "unnamed coroutine" => {
            let body = move |_: &Yielder<(), ()>, ()| dig();
            let _ended = coroutine.coroutine(body).unwrap().resume(());
        }
        "generator" => {
            let body = move |_: &Yielder<(), u32>| dig();
            let _none = coroutine.name("counter").generator(body).unwrap().next();
        }
        "generator in a task" => run(|| {
            let body = move |_: &Yielder<(), u32>| dig();
            let mut numbers = coroutine.name("inner").generator(body).unwrap();
            spawn(move || numbers.next()).join().unwrap();
        }),
        "reused stack" => run(|| {
            for _ in 0..100 {
                spawn(|| ()).join().unwrap();
            }
            let first = Builder::new().name("first").stack_size(SIZE);
            first.spawn(|| ()).unwrap().join().unwrap();
            let task = Builder::new().name("second").stack_size(SIZE).spawn(dig);
            task.unwrap().join().unwrap();
        }),
        _ => unreachable!("no such case: {who}"),
    }
}

const ALL: [(&str, &str); 8] = [
    (
        "named task",
        "task 'digger' has overflowed its stack of 65536 bytes; raise it with Builder::stack_size or Config::stack_size",
    ),
    (
        "unnamed task",
        "task (unnamed) has overflowed its stack of 65536 bytes; raise it with Builder::stack_size or Config::stack_size",
    ),
    (
        "main task",
        "task 'main' has overflowed its stack of 65536 bytes; raise it with Config::main_stack_size",
    ),
    (
        "coroutine",
        "coroutine 'walker' has overflowed its stack of 65536 bytes; raise it with CoroutineBuilder::stack_size",
    ),
    (
        "unnamed coroutine",
        "coroutine (unnamed) has overflowed its stack of 65536 bytes; raise it with CoroutineBuilder::stack_size",
    ),
    (
        "generator",
        "coroutine 'counter' has overflowed its stack of 65536 bytes; raise it with CoroutineBuilder::stack_size",
    ),
    (
        "generator in a task",
        "coroutine 'inner' has overflowed its stack of 65536 bytes; raise it with CoroutineBuilder::stack_size",
    ),
    (
        "reused stack",
        "task 'second' has overflowed its stack of 65536 bytes; raise it with Builder::stack_size or Config::stack_size",
    ),
];

/// It said exactly one line, and was aborted.
#[track_caller]
fn assert_overflow(ended: &Ended, line: &str) {
    ended.assert_signal(libc::SIGABRT);
    assert_eq!(ended.said(), [format!("greenroom: {line}")], "{ended:#?}");
    assert!(!ended.stderr.contains("stack overflow"), "{ended:#?}");
}

#[test]
fn every_kind_of_stack_says_its_line_and_aborts() {
    if let Some(case) = case() {
        return perform(&case);
    }
    for environment in MODES {
        for (who, line) in ALL {
            for how in ["small", "big"] {
                let name = "every_kind_of_stack_says_its_line_and_aborts";
                let ended = rerun(name, &format!("{who}/{how}"), environment);
                assert_overflow(&ended, line);
            }
        }
    }
}

/// A thread that std knows nothing of, and that has no alternate signal stack.
fn on_foreign_thread(body: extern "C" fn(*mut libc::c_void) -> *mut libc::c_void) {
    let mut thread: libc::pthread_t = 0;
    // SAFETY: the body takes no argument, and the place for the name is ours.
    let made = unsafe { libc::pthread_create(&raw mut thread, ptr::null(), body, ptr::null_mut()) };
    assert_eq!(made, 0);
    // SAFETY: the thread was just made, and is joined once.
    let joined = unsafe { libc::pthread_join(thread, ptr::null_mut()) };
    assert_eq!(joined, 0);
}

#[test]
fn a_thread_made_by_c_reports_its_overflows_too() {
    extern "C" fn body(_: *mut libc::c_void) -> *mut libc::c_void {
        perform(&case().expect("only a child comes here"));
        ptr::null_mut()
    }
    if case().is_some() {
        return on_foreign_thread(body);
    }
    for environment in MODES {
        for (who, line) in ALL {
            for how in ["small", "big"] {
                let name = "a_thread_made_by_c_reports_its_overflows_too";
                let ended = rerun(name, &format!("{who}/{how}"), environment);
                assert_overflow(&ended, line);
            }
        }
    }
}

#[test]
fn a_thread_made_later_reports_its_overflows_too() {
    const NAME: &str = "a_thread_made_later_reports_its_overflows_too";
    if let Some(case) = case() {
        run(|| ());
        let thread = std::thread::spawn(move || perform(&case));
        thread.join().unwrap();
        return;
    }
    for (who, line) in ALL {
        assert_overflow(&rerun(NAME, &format!("{who}/small"), &[]), line);
    }
}

/// The thread's alternate signal stack is taken down with its stacks, and a
/// thread that has one keeps its own.
#[test]
fn alternate_stacks_are_lent_for_the_life_of_a_thread() {
    extern "C" fn body(_: *mut libc::c_void) -> *mut libc::c_void {
        assert!(!has_alternate_stack());
        run(|| spawn(|| 1).join().unwrap());
        assert!(has_alternate_stack());
        ptr::null_mut()
    }
    on_foreign_thread(body);
    std::thread::spawn(|| {
        let before = alternate_stack().ss_sp;
        run(|| ());
        assert_eq!(alternate_stack().ss_sp, before);
    })
    .join()
    .unwrap();
}

fn has_alternate_stack() -> bool {
    alternate_stack().ss_flags & libc::SS_DISABLE == 0
}

fn alternate_stack() -> libc::stack_t {
    let mut now = libc::stack_t {
        ss_sp: ptr::null_mut(),
        ss_flags: 0,
        ss_size: 0,
    };
    // SAFETY: reads the setting of this thread into a place of ours.
    let asked = unsafe { libc::sigaltstack(ptr::null(), &raw mut now) };
    assert_eq!(asked, 0);
    now
}

// A fault elsewhere.

/// Writes where nothing is.
fn write_to_nowhere() {
    let nowhere = ptr::without_provenance_mut::<u8>(8);
    // SAFETY: none: the fault is the purpose, in a child that it ends.
    unsafe { nowhere.write_volatile(1) };
}

extern "C" fn exit_with_42(_: libc::c_int) {
    // SAFETY: _exit may be called from a signal handler.
    unsafe { libc::_exit(42) };
}

extern "C" fn exit_with_43(_: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the kernel passes a valid siginfo to a handler with SA_SIGINFO.
    let info = unsafe { &*info };
    // SAFETY: a fault carries an address.
    let address = unsafe { info.si_addr() };
    let code = if address.addr() == 8 { 43 } else { 44 };
    // SAFETY: _exit may be called from a signal handler.
    unsafe { libc::_exit(code) };
}

fn handle(signal: libc::c_int, handler: usize, flags: libc::c_int) {
    // SAFETY: a sigaction of zeros is a valid value of the plain C struct.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler;
    action.sa_flags = flags;
    // SAFETY: the handlers of this file only call _exit.
    let set = unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) };
    assert_eq!(set, 0);
}

/// Faults where the second part of the case says.
fn fault(place: &str) {
    match place {
        "thread" => {
            run(|| ());
            write_to_nowhere();
        }
        "task" => run(|| {
            spawn(write_to_nowhere).join().unwrap();
        }),
        "coroutine" => {
            let c = Coroutine::new(|_: &Yielder<(), ()>, ()| write_to_nowhere());
            let _ended = c.resume(());
        }
        _ => unreachable!("no such place: {place}"),
    }
}

/// A handler that was there before the crate was first used still gets what is
/// not an overflow, with its arguments; without one the process dies of SIGSEGV.
#[test]
fn a_fault_elsewhere_goes_to_the_handler_that_was_there_before() {
    const NAME: &str = "a_fault_elsewhere_goes_to_the_handler_that_was_there_before";
    if let Some(case) = case() {
        let (handler, place) = case.split_once('/').expect("a case has two parts");
        match handler {
            "plain" => {
                let handler: extern "C" fn(libc::c_int) = exit_with_42;
                handle(libc::SIGSEGV, handler as usize, libc::SA_ONSTACK);
            }
            "full" => {
                let handler: extern "C" fn(_, _, _) = exit_with_43;
                let flags = libc::SA_ONSTACK | libc::SA_SIGINFO;
                handle(libc::SIGSEGV, handler as usize, flags);
            }
            "default" => handle(libc::SIGSEGV, libc::SIG_DFL, 0),
            _ => {}
        }
        return fault(place);
    }
    for place in ["thread", "task", "coroutine"] {
        for (handler, code) in [("plain", 42), ("full", 43)] {
            let ended = rerun(NAME, &format!("{handler}/{place}"), &[]);
            assert_eq!(ended.status.code(), Some(code), "{ended:#?}");
            assert!(ended.said().is_empty(), "{ended:#?}");
        }
        for handler in ["std", "default"] {
            let ended = rerun(NAME, &format!("{handler}/{place}"), &[]);
            ended.assert_signal(libc::SIGSEGV);
            assert!(ended.said().is_empty(), "{ended:#?}");
        }
    }
}

/// A signal that a process sent carries no address; it goes the same way.
#[test]
fn a_sent_signal_goes_to_the_handler_that_was_there_before() {
    const NAME: &str = "a_sent_signal_goes_to_the_handler_that_was_there_before";
    if case().is_some() {
        for signal in [libc::SIGSEGV, libc::SIGBUS] {
            let handler: extern "C" fn(libc::c_int) = exit_with_42;
            handle(signal, handler as usize, libc::SA_ONSTACK);
        }
        run(|| ());
        let signal = if case().as_deref() == Some("segv") {
            libc::SIGSEGV
        } else {
            libc::SIGBUS
        };
        // SAFETY: the handler only calls _exit.
        unsafe { libc::raise(signal) };
        return;
    }
    for signal in ["segv", "bus"] {
        let ended = rerun(NAME, signal, &[]);
        assert_eq!(ended.status.code(), Some(42), "{ended:#?}");
    }
}

/// std's own message about a plain thread's stack still comes.
#[test]
fn std_still_reports_the_overflow_of_a_plain_thread() {
    const NAME: &str = "std_still_reports_the_overflow_of_a_plain_thread";
    if case().is_some() {
        run(|| spawn(|| 1).join().unwrap());
        let thread = std::thread::Builder::new().name("plain".to_owned());
        let thread = thread.stack_size(SIZE).spawn(|| {
            run(|| ());
            black_box(small_frames(0))
        });
        let _sum = thread.unwrap().join();
        return;
    }
    let ended = rerun(NAME, "run", &[]);
    ended.assert_signal(libc::SIGABRT);
    assert!(ended.said().is_empty(), "{ended:#?}");
    assert!(ended.stderr.contains("thread 'plain'"), "{ended:#?}");
    assert!(
        ended.stderr.contains("has overflowed its stack"),
        "{ended:#?}"
    );
}

/// A task that fills most of its stack is not bothered, and neither is one that
/// panics deep down.
#[test]
fn most_of_a_stack_can_be_used() {
    #[inline(never)]
    fn descend(left: usize) -> usize {
        let mut room = [1u8; 1024];
        black_box(&mut room);
        if left == 0 {
            return 0;
        }
        descend(left - 1) + usize::from(black_box(room)[7])
    }
    // A frame has its room twice in a build without optimisation, and more.
    let deep = 512 * 1024 / 4096;
    run(move || {
        let task = Builder::new()
            .stack_size(512 * 1024)
            .spawn(move || descend(deep));
        assert_eq!(task.unwrap().join().unwrap(), deep);
    });
    std::io::stdout().flush().unwrap();
}
