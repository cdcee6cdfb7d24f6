//! `CancelScope`: cancelled from elsewhere, and with deadlines that move.

use std::io;
use std::time::Duration;

use greenroom::sync::{RecvError, bounded};
use greenroom::{
    CancelScope, Clock, Config, Delivery, Elapsed, Instant, Runtime, Turn, checkpoint,
    is_cancelled, park, scope, shield, sleep, spawn, timeout, yield_now,
};

use crate::support::{Log, OnDrop, panic_text};
use crate::{SECOND, clean, clean_with};

fn in_seconds(seconds: u32) -> Option<Instant> {
    Instant::now().checked_add(seconds * SECOND)
}

/// How a scope ended: (called, caught, by its deadline, reason).
fn ended(scope: &CancelScope) -> (bool, bool, bool, Option<String>) {
    (
        scope.cancel_called(),
        scope.cancelled_caught(),
        scope.deadline_passed(),
        scope.cancel_reason(),
    )
}

fn because(reason: &str) -> Option<String> {
    Some(reason.to_owned())
}

#[test]
fn cancelled_before_it_is_run() {
    clean(|| {
        let scope = CancelScope::new();
        scope.cancel("first");
        scope.cancel("second");
        assert_eq!(ended(&scope), (true, false, false, because("first")));
        let begun = Log::new();
        let result = scope.run(|| {
            begun.add("begun");
            assert!(is_cancelled());
            park();
        });
        assert_eq!((result, begun.take()), (None, vec!["begun"]));
        assert_eq!(ended(&scope), (true, true, false, because("first")));
        // A body that does not wait is done in spite of it.
        let scope = CancelScope::new();
        scope.cancel("");
        assert_eq!(scope.run(|| 5), Some(5));
        assert_eq!(ended(&scope), (true, false, false, None));
    });
}

#[test]
fn cancelled_while_it_runs() {
    clean(|| {
        let scope = CancelScope::new();
        let (one, two) = (scope.clone(), scope.clone());
        spawn(move || {
            sleep(SECOND);
            one.cancel("first");
            one.cancel("again");
        });
        spawn(move || {
            sleep(SECOND);
            two.cancel("second");
        });
        let start = Instant::now();
        assert_eq!(scope.run(|| sleep(9 * SECOND)), None);
        assert_eq!(start.elapsed(), SECOND);
        assert_eq!(ended(&scope), (true, true, false, because("first")));
        assert!(!is_cancelled());
        // By its own body.
        let scope = CancelScope::new();
        let result = scope.run(|| {
            scope.cancel("myself");
            assert!(is_cancelled());
            yield_now();
        });
        assert_eq!(result, None);
        assert_eq!(scope.cancel_reason(), because("myself"));
    });
}

#[test]
fn cancelled_after_it_was_run() {
    clean(|| {
        let scope = CancelScope::new();
        assert_eq!(scope.run(|| 5), Some(5));
        scope.cancel("late");
        scope.set_deadline(in_seconds(0));
        assert_eq!(ended(&scope), (false, false, false, None));
        yield_now(); // nobody is cancelled
        let scope = CancelScope::builder().deadline(Instant::now()).build();
        assert_eq!(scope.run(park), None);
        scope.cancel("late");
        assert_eq!(ended(&scope), (true, true, true, None));
    });
}

/// The first cause is the cause.
#[test]
fn asked_and_late() {
    clean(|| {
        let scope = CancelScope::builder().deadline(Instant::now()).build();
        scope.cancel("asked first");
        assert_eq!(scope.run(park), None);
        assert_eq!(ended(&scope), (true, true, false, because("asked first")));
        let scope = CancelScope::new();
        scope.set_deadline(in_seconds(1));
        let result = scope.run(|| {
            shield(|| sleep(2 * SECOND));
            scope.cancel("too late");
            yield_now();
        });
        assert_eq!(result, None);
        assert_eq!(ended(&scope), (true, true, true, None));
    });
}

#[test]
fn misuse_panics() {
    let sentence = "a cancel scope needs a task: call it inside greenroom::run";
    let scope = CancelScope::new();
    assert_eq!(panic_text(|| scope.run(|| ())), sentence);
    clean(|| {
        assert_eq!(scope.run(|| 1), Some(1)); // that was no run
        let again = panic_text(|| scope.run(|| 2));
        assert_eq!(again, "a cancel scope can be run once");
        let scope = CancelScope::new();
        let inside = scope.run(|| panic_text(|| scope.run(|| 2)));
        assert_eq!(inside.as_deref(), Some("a cancel scope can be run once"));
    });
}

/// A panic in the body goes on, cancelled or not, and the scope is closed.
#[test]
fn a_panic_goes_through() {
    clean(|| {
        let scope = CancelScope::new();
        let text = panic_text(|| {
            scope.run(|| {
                scope.cancel("why not");
                std::panic::resume_unwind(Box::new("mine"));
            });
        });
        assert_eq!(text, "mine");
        assert_eq!(ended(&scope), (true, false, false, because("why not")));
        yield_now();
    });
}

// Deadlines that move.

#[test]
fn moved_before_the_run() {
    clean(|| {
        let scope = CancelScope::new();
        assert_eq!(scope.deadline(), None);
        scope.set_deadline(in_seconds(1));
        scope.set_deadline(in_seconds(3));
        assert_eq!(scope.deadline(), in_seconds(3));
        let start = Instant::now();
        assert_eq!(scope.run(park), None);
        assert_eq!(start.elapsed(), 3 * SECOND);
        let scope = CancelScope::builder().deadline(Instant::now()).build();
        scope.set_deadline(None);
        assert_eq!(scope.run(|| sleep(SECOND)), Some(()));
        assert_eq!(ended(&scope), (false, false, false, None));
    });
}

/// Moves the deadline of a parked task, and says when that ended.
#[track_caller]
fn moved(from: Option<u32>, to: Option<u32>, wanted: u32, is_late: bool) {
    clean(|| {
        let scope = CancelScope::new();
        scope.set_deadline(from.and_then(in_seconds));
        let mover = scope.clone();
        spawn(move || {
            sleep(2 * SECOND);
            // Since the beginning, so that it may have passed.
            let start = Instant::now().checked_sub(2 * SECOND);
            let moment = |seconds| start.and_then(|start| start.checked_add(seconds * SECOND));
            mover.set_deadline(to.and_then(moment));
            assert_eq!(mover.deadline(), to.and_then(moment));
        });
        let start = Instant::now();
        let result = scope.run(|| sleep(10 * SECOND));
        assert_eq!(start.elapsed(), wanted * SECOND);
        assert_eq!(result.is_none(), is_late);
        assert_eq!(ended(&scope), (is_late, is_late, is_late, None));
        sleep(20 * SECOND); // and no old timer disturbs
    });
}

#[test]
fn moved_while_parked() {
    moved(Some(5), Some(8), 8, true); // later
    moved(Some(8), Some(5), 5, true); // earlier
    moved(Some(8), Some(2), 2, true); // now
    moved(Some(8), Some(0), 2, true); // into the past
    moved(Some(8), None, 10, false); // taken away
    moved(None, Some(5), 5, true); // given
    moved(None, Some(1), 2, true); // given, and past
    moved(Some(5), Some(50), 10, false); // beyond the end
    moved(Some(1), Some(8), 1, true); // too late: it is cancelled
    moved(Some(1), None, 1, true);
}

/// The one timer of the task follows the first of all deadlines, wherever it is.
#[test]
fn moved_among_others() {
    let mut runtime = Runtime::with(Config::new().clock(Clock::virtual_()));
    let start = runtime.run(Instant::now);
    let at = |seconds: u32| start.checked_add(seconds * SECOND);
    let scopes: [CancelScope; 3] = std::array::from_fn(|_| CancelScope::new());
    for (scope, seconds) in scopes.iter().zip([30, 20, 40]) {
        scope.set_deadline(at(seconds));
    }
    let [a, b, c] = scopes.clone();
    let task = runtime.spawn(move || a.run(|| b.run(|| c.run(park))));
    assert_eq!(runtime.turn(), Turn::Waiting(at(20)));
    let moves = |which: usize, to: Option<u32>, wanted: Option<u32>| {
        scopes[which].set_deadline(to.and_then(at));
        assert_eq!(
            runtime.next_deadline(),
            wanted.and_then(at),
            "{which} to {to:?}"
        );
    };
    moves(1, Some(50), Some(30)); // the middle one, later: the outer is first
    moves(2, Some(10), Some(10)); // the inner one, earlier
    moves(0, Some(5), Some(5)); // the outer one, earlier still
    moves(0, None, Some(10));
    moves(2, None, Some(50));
    moves(1, None, None);
    moves(0, Some(60), Some(60));
    scopes[1].cancel("enough"); // the outer one goes on to count
    assert_eq!(runtime.next_deadline(), at(60));
    scopes[1].set_deadline(at(1));
    assert_eq!(
        runtime.next_deadline(),
        at(60),
        "it is cancelled: nothing more can come"
    );
    assert_eq!(runtime.turn(), Turn::Done);
    assert_eq!(runtime.next_deadline(), None);
    assert_eq!(task.join().ok(), Some(Some(None)));
}

/// The deadline of a scope that is cancelled does not disturb those inside it.
#[test]
fn a_cancelled_scope_has_no_deadline_any_more() {
    let limited = || shield(|| timeout(10 * SECOND, || sleep(60 * SECOND)));
    clean(|| {
        let start = Instant::now();
        let before = CancelScope::new();
        before.set_deadline(in_seconds(5));
        before.cancel("before it is run");
        assert_eq!(before.run(limited), Some(Err(Elapsed)));
        assert_eq!(start.elapsed(), 10 * SECOND);
        let inside = CancelScope::new();
        inside.set_deadline(in_seconds(5));
        let result = inside.run(|| {
            inside.cancel("from inside");
            limited()
        });
        assert_eq!(result, Some(Err(Elapsed)));
        assert_eq!(start.elapsed(), 20 * SECOND);
    });
}

/// A deadline moved into the past by the body itself.
#[test]
fn moved_by_its_own_body() {
    clean(|| {
        let scope = CancelScope::new();
        let result = scope.run(|| {
            timeout(9 * SECOND, || {
                scope.set_deadline(Some(Instant::now()));
                assert!(is_cancelled());
                sleep(SECOND);
            })
        });
        assert_eq!((result, scope.deadline_passed()), (None, true));
        assert!(!is_cancelled());
    });
}

// Scopes in scopes.

/// A scope further out is cancelled while an inner one unwinds: it is the outer one
/// that catches.
#[test]
fn the_outer_one_is_cancelled_while_the_inner_one_unwinds() {
    clean(|| {
        let outer = CancelScope::new();
        let stop = outer.clone();
        spawn(move || {
            sleep(2 * SECOND);
            stop.cancel("outer");
        });
        let log = Log::new();
        let result = outer.run(|| {
            let inner = timeout(SECOND, || {
                let _slow = OnDrop(|| shield(|| sleep(3 * SECOND)));
                park();
            });
            log.add(inner.is_err());
        });
        assert_eq!((result, log.len()), (None, 0));
        assert!(outer.cancelled_caught());
        // While an inner one was caught already: at the next wait.
        let outer = CancelScope::new();
        let result = outer.run(|| {
            assert_eq!(timeout(SECOND, park), Err(Elapsed));
            outer.cancel("now");
            log.add(true);
            yield_now();
            log.add(false);
        });
        assert_eq!((result, log.take()), (None, vec![true]));
    });
}

/// Children of scopes opened in it are cancelled with it, and see why.
#[test]
fn it_reaches_the_children() {
    let log = Log::new();
    let told = log.clone();
    clean_with(Config::new().delivery(Delivery::Error), || {
        let outer = CancelScope::new();
        let stop = outer.clone();
        spawn(move || {
            sleep(SECOND);
            stop.cancel("closing time");
        });
        let result = outer.run(|| {
            let told = &told;
            let ask = move |name| {
                sleep(9 * SECOND);
                let error = checkpoint().expect_err("it is cancelled");
                told.add((name, error.reason().map(str::to_owned)));
            };
            scope(|s| {
                s.spawn(move || {
                    scope(|s| {
                        s.spawn(move || ask("grandchild"));
                        ask("child");
                    });
                });
                s.spawn(move || {
                    shield(|| told.add(("shielded", checkpoint().err().map(|_| String::new()))))
                });
                ask("body");
            });
            5
        });
        assert_eq!(result, Some(5), "nothing unwinds");
    });
    let mut said = log.take();
    said.sort();
    let why = because("closing time");
    assert_eq!(
        said,
        [
            ("body", why.clone()),
            ("child", why.clone()),
            ("grandchild", why),
            ("shielded", None)
        ]
    );
}

/// With errors the outermost that can be seen says why.
#[test]
fn errors_name_the_outermost_cause() {
    clean(|| {
        let (_send, receive) = bounded::<()>(0);
        let fails = || CancelScope::builder().delivery(Delivery::Error).build();
        let listener = greenroom::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let accept = || listener.accept().expect_err("it is cancelled");
        let scope = fails();
        let result = scope.run(|| {
            let late = timeout(SECOND, accept).expect("it fails, it does not unwind");
            assert_eq!(late.kind(), io::ErrorKind::TimedOut);
            assert!(!is_cancelled());
            scope.cancel("asked");
            let error = timeout(Duration::ZERO, accept).expect("as above");
            assert_eq!(error.kind(), io::ErrorKind::Other);
            assert_eq!(error.to_string(), "cancelled: asked");
            assert_eq!(receive.recv(), Err(RecvError::Cancelled));
            let text = receive.recv().expect_err("as above").to_string();
            assert!(text.contains("cancelled"), "{text}");
            "done"
        });
        assert_eq!(result, Some("done"));
        assert_eq!(ended(&scope), (true, false, false, because("asked")));
    });
}

/// A whole task that is cancelled is further out than all its scopes.
#[test]
fn a_cancelled_task_is_no_late_scope() {
    clean_with(Config::new().delivery(Delivery::Error), || {
        let listener = greenroom::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let task = spawn(move || {
            let error = timeout(SECOND, || {
                shield(|| sleep(2 * SECOND));
                listener.accept().expect_err("it is cancelled")
            });
            error.expect("nothing unwinds").kind()
        });
        yield_now();
        task.cancel();
        let kind = task.join().expect("nothing unwinds");
        assert_eq!(
            kind,
            io::ErrorKind::Other,
            "it was asked, and not just late"
        );
    });
}

/// A delivery holds for what is inside, until something further in says otherwise.
#[test]
fn deliveries_nest() {
    clean(|| {
        let fails = CancelScope::builder().delivery(Delivery::Error).build();
        let unwinds = CancelScope::builder().delivery(Delivery::Unwind).build();
        let log = Log::new();
        let result = fails.run(|| {
            unwinds.run(|| {
                fails.cancel("outer");
                log.add("inside");
                sleep(SECOND);
                log.add("not here");
            });
            log.add("nor here");
        });
        assert_eq!(result, None, "what unwinds goes up to who asked");
        assert_eq!(log.take(), ["inside"]);
        // Tasks of a scope learn of it as the scope does.
        let fails = CancelScope::builder().delivery(Delivery::Error).build();
        let result = fails.run(|| {
            scope(|s| {
                let child = s.spawn(|| {
                    sleep(9 * SECOND);
                    checkpoint().is_err()
                });
                yield_now();
                fails.cancel("");
                child.join()
            })
        });
        assert_eq!(result, Some(true));
    });
}

/// It may be cancelled while no task runs: between the turns of a loop.
#[test]
fn cancelled_between_turns() {
    let mut runtime = Runtime::with(Config::new().clock(Clock::virtual_()));
    let scope = CancelScope::new();
    let inside = scope.clone();
    let task = runtime.spawn(move || inside.run(park));
    assert_eq!(runtime.turn(), Turn::Waiting(None));
    scope.cancel("from outside");
    assert_eq!(runtime.turn(), Turn::Done);
    assert_eq!(task.join().ok(), Some(None));
    assert!(scope.cancelled_caught());
    // And in another runtime than the one where it was made.
    let later = runtime.run(CancelScope::new);
    later.cancel("before");
    drop(runtime);
    clean(|| assert_eq!(later.run(park), None));
}
