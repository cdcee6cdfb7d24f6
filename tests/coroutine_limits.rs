//! The promise: a coroutine that is leaked, left behind by its thread, too large for
//! its stack, or that will not end, harms nobody; where nothing else is possible
//! the process aborts and says whose fault it was.
//!
//! Cases that end the process run in a child: the test starts this very binary
//! again, with itself as the only test.

#![expect(unsafe_code, reason = "looks at the memory of a leaked stack")]

use std::cell::RefCell;
use std::hint::black_box;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, Output};

use greenroom::CoroutineState::{Complete, Yielded};
use greenroom::{Coroutine, DEFAULT_STACK_SIZE, Status, Yielder};

// Leaking them.

#[test]
fn a_leaked_stack_is_never_used_again() {
    const MARK: u64 = 0x5EA1_ED57_AC4D_0000;
    let leaked: Vec<(*const u64, u64)> = (0..10)
        .map(|n| {
            let c = Coroutine::new(move |y: &Yielder<(), *const u64>, ()| {
                let local = MARK + n;
                y.yield_(std::ptr::from_ref(black_box(&local)));
                panic!("nobody resumes it");
            });
            let _unit: &Coroutine<(), *const u64, ()> = &c;
            let Ok(Yielded(address)) = ManuallyDrop::new(c).resume(()) else {
                panic!("it yields first");
            };
            (address, MARK + n)
        })
        .collect();

    // A hundred alive at a time, each writing over most of its stack.
    for _ in 0..100 {
        let round: Vec<_> = (0..100)
            .map(|_| {
                let c = Coroutine::new(|y: &Yielder<(), usize>, ()| {
                    let scratch = [0xAAu8; 16 * 1024];
                    y.yield_(black_box(&scratch).as_ptr().addr());
                });
                let Ok(Yielded(low)) = c.resume(()) else {
                    panic!("it yields first");
                };
                // The frames above the scratch belong to the same stack.
                let high = low + 24 * 1024;
                for (address, _) in &leaked {
                    assert!(!(low..high).contains(&address.addr()), "a leaked stack");
                }
                c
            })
            .collect();
        drop(round);
    }
    for (address, value) in leaked {
        // SAFETY: the stack was leaked while its local was alive, so the memory
        // is never unmapped and nobody writes to it.
        let now = unsafe { address.read_volatile() };
        assert_eq!(now, value);
    }
}

#[test]
fn forgetting_one_inside_another_leaks_no_frame_of_the_outer() {
    let c = Coroutine::new(|y: &Yielder<(), u32>, ()| {
        let inner = Coroutine::new(|y: &Yielder<(), u32>, ()| y.yield_(1));
        inner.resume(()).unwrap();
        let _forgotten = ManuallyDrop::new(inner);
        y.yield_(2);
        3
    });
    assert_eq!(c.resume(()), Ok(Yielded(2)));
    assert_eq!(c.resume(()), Ok(Complete(3)));
}

// Cases that end the process, or a thread.

/// Runs `body` in a child process in which the test of this name is the only one.
/// `None` in the child itself, once `body` is through.
fn in_child(test: &str, body: impl FnOnce()) -> Option<Output> {
    const MARK: &str = "GREENROOM_TEST_CHILD";
    if std::env::var_os(MARK).is_some() {
        body();
        return None;
    }
    let this = std::env::current_exe().expect("a test knows its own path");
    let output = Command::new(this)
        .args(["--exact", test, "--include-ignored", "--nocapture"])
        .env(MARK, "1")
        .output();
    Some(output.expect("this binary starts again"))
}

#[cfg(unix)]
#[track_caller]
fn assert_aborted(child: &Output) -> String {
    use std::os::unix::process::ExitStatusExt;
    const SIGABRT: i32 = 6;
    assert_eq!(child.status.signal(), Some(SIGABRT), "{child:?}");
    String::from_utf8_lossy(&child.stderr).into_owned()
}

#[cfg(unix)]
#[test]
fn a_body_that_never_ends_when_dropped_aborts_with_its_name() {
    let name = "a_body_that_never_ends_when_dropped_aborts_with_its_name";
    let Some(child) = in_child(name, || {
        let c = Coroutine::<(), (), ()>::builder()
            .name("stubborn")
            .coroutine(|y: &Yielder<(), ()>, ()| {
                loop {
                    let _closed = catch_unwind(AssertUnwindSafe(|| y.yield_(())));
                }
            })
            .unwrap();
        assert!(c.resume(()).is_ok());
        drop(c);
    }) else {
        return;
    };
    let said = assert_aborted(&child);
    let line = said.lines().find(|line| line.starts_with("greenroom: "));
    let line = line.expect("it says why");
    assert!(line.starts_with("greenroom: coroutine 'stubborn' made at tests/coroutine_limits.rs:"));
    assert!(line.ends_with("was dropped, and will not end: it keeps yielding while it unwinds"));
}

#[cfg(unix)]
#[test]
fn a_body_that_overflows_aborts_with_its_name() {
    fn descend(depth: u64) -> u64 {
        let frame = black_box([depth; 16]);
        if depth == u64::MAX {
            0
        } else {
            descend(depth + 1) + frame[3]
        }
    }
    let Some(child) = in_child("a_body_that_overflows_aborts_with_its_name", || {
        let c = Coroutine::<(), (), u64>::builder()
            .name("bottomless")
            .coroutine(|_: &Yielder<(), ()>, ()| descend(0))
            .unwrap();
        let _never = c.resume(());
    }) else {
        return;
    };
    let said = assert_aborted(&child);
    assert!(said.contains("bottomless"), "{said}");
}

/// A suspended coroutine that notes in `flag` that it was unwound.
fn suspended(unwound: &'static std::sync::atomic::AtomicU32) -> Coroutine<(), ()> {
    use std::sync::atomic::{AtomicU32, Ordering};
    struct Flag(&'static AtomicU32);
    impl Drop for Flag {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let c = Coroutine::new(move |y: &Yielder<(), ()>, ()| {
        let _flag = Flag(unwound);
        y.yield_(());
    });
    assert!(c.resume(()).is_ok());
    c
}

#[test]
fn a_thread_may_end_with_suspended_coroutines_in_its_locals() {
    use std::sync::atomic::{AtomicU32, Ordering};
    static UNWOUND: AtomicU32 = AtomicU32::new(0);

    // Made before the thread's first coroutine, so it outlives the stacks' owner.
    thread_local! {
        static EARLY: RefCell<Vec<Coroutine<(), ()>>> = const { RefCell::new(Vec::new()) };
    }
    // Made with a coroutine, so it is dropped before the stacks' owner.
    thread_local! {
        static LATE: Coroutine<(), ()> = suspended(&UNWOUND);
    }
    let Some(child) = in_child(
        "a_thread_may_end_with_suspended_coroutines_in_its_locals",
        || {
            for _ in 0..4 {
                let thread = std::thread::spawn(|| {
                    EARLY.with_borrow(Vec::len);
                    EARLY.with_borrow_mut(|all| {
                        all.push(suspended(&UNWOUND));
                        all.push(Coroutine::new(|_: &Yielder<(), ()>, ()| ()));
                        all.push(suspended(&UNWOUND));
                    });
                    LATE.with(|c| assert_eq!(c.status(), Status::Suspended));
                });
                thread.join().unwrap();
            }
            // None is unwound twice; one that is leaked is never.
            assert!(UNWOUND.load(Ordering::SeqCst) <= 12);
            // Threads after those find their stacks in order.
            let after = std::thread::spawn(|| {
                let c = Coroutine::new(|y: &Yielder<u32, u32>, first| y.yield_(first));
                (c.resume(1), c.resume(2))
            });
            assert_eq!(after.join().unwrap(), (Ok(Yielded(1)), Ok(Complete(2))));
        },
    ) else {
        return;
    };
    assert!(child.status.success(), "{child:?}");
}

#[test]
fn a_coroutine_may_be_made_while_its_thread_ends() {
    /// Makes one in a thread-local's destructor: an error at worst.
    struct MakesOne;
    impl Drop for MakesOne {
        fn drop(&mut self) {
            let builder = Coroutine::<(), (), ()>::builder();
            if let Ok(c) = builder.coroutine(|_: &Yielder<(), ()>, ()| ()) {
                assert_eq!(c.resume(()), Ok(Complete(())));
            }
        }
    }
    thread_local! {
        static LAST: MakesOne = const { MakesOne };
    }
    let Some(child) = in_child("a_coroutine_may_be_made_while_its_thread_ends", || {
        for early in [true, false] {
            let thread = std::thread::spawn(move || {
                if early {
                    LAST.with(|_| ());
                }
                Coroutine::new(|_: &Yielder<(), ()>, ()| ())
                    .resume(())
                    .unwrap();
                LAST.with(|_| ());
            });
            thread.join().unwrap();
        }
    }) else {
        return;
    };
    assert!(child.status.success(), "{child:?}");
}

// Values too large for the stack.

#[test]
fn a_value_that_does_not_fit_the_stack_is_refused() {
    type Huge = [u8; 2 * DEFAULT_STACK_SIZE];
    let Some(child) = in_child("a_value_that_does_not_fit_the_stack_is_refused", || {
        let made = Coroutine::<Huge, (), ()>::builder().coroutine(|_: &Yielder<Huge, ()>, _| ());
        assert_eq!(
            made.err().map(|error| error.kind()),
            Some(std::io::ErrorKind::InvalidInput)
        );
    }) else {
        return;
    };
    assert!(child.status.success(), "{child:?}");
}

#[test]
fn an_alignment_that_does_not_fit_the_stack_is_refused() {
    #[repr(align(1048576))]
    struct Page(u8);
    let Some(child) = in_child(
        "an_alignment_that_does_not_fit_the_stack_is_refused",
        || {
            let made = Coroutine::<Page, u8, ()>::builder().coroutine(
                |y: &Yielder<Page, u8>, first: Page| {
                    y.yield_(first.0);
                },
            );
            assert_eq!(
                made.err().map(|error| error.kind()),
                Some(std::io::ErrorKind::InvalidInput)
            );
        },
    ) else {
        return;
    };
    assert!(child.status.success(), "{child:?}");
}

/// The room for a value is taken from the stack, never from the guard below it.
#[test]
fn a_value_is_not_laid_into_the_guard() {
    const STACK: usize = 64 * 1024;
    type Large = [u8; STACK - 8 * 1024];
    type Larger = [u8; STACK];
    fn make<T: 'static>() -> std::io::Result<Coroutine<T, (), ()>> {
        let builder = Coroutine::<T, (), ()>::builder().stack_size(STACK);
        builder
            .guard_size(1 << 20)
            .coroutine(|_: &Yielder<T, ()>, _| ())
    }
    // Whatever the colour of the stack: one fits, the other never does.
    for _ in 0..64 {
        assert!(make::<[u8; STACK / 2]>().is_ok());
        let kind = make::<Larger>().err().map(|error| error.kind());
        assert_eq!(kind, Some(std::io::ErrorKind::InvalidInput));
    }
    // At most 5 KiB must be left, and 2.3 KiB are taken: this one depends on the colour.
    let made: Vec<_> = (0..64).map(|_| make::<Large>()).collect();
    assert!(made.iter().any(Result::is_ok));
}
