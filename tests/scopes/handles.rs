//! Handles of children and their results: joined, dropped, forgotten; the handshake of a start.

use std::cell::Cell;

use greenroom::{
    Instant, StartError, Started, is_cancelled, park, scope, shield, sleep, supervise, timeout,
    yield_now,
};

use crate::support::{Log, OnDrop, on_virtual, quiet_panic, text_of};
use crate::{SECOND, fails_after, failure, watched};

/// A result that is dropped is counted.
#[derive(Debug)]
struct Counted<'a>(&'a Cell<u32>);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

#[test]
fn results_are_dropped_once() {
    let drops = Cell::new(0);
    watched(|| {
        let make = || Counted(&drops);
        let child = || {
            yield_now();
            make()
        };
        scope(|s| {
            drop(s.spawn(child)); // before its end
            let later = s.spawn(child);
            let joined = s.spawn(child);
            let cancelled = s.spawn(|| {
                let _mine = make();
                park();
                make()
            });
            yield_now();
            yield_now();
            assert_eq!(drops.get(), 1);
            drop(later); // after its end
            assert_eq!(drops.get(), 2);
            drop(joined.join());
            assert_eq!(drops.get(), 3);
            cancelled.cancel();
            assert!(cancelled.try_join().is_err());
            assert_eq!(drops.get(), 4);
            let _kept = s.spawn(child);
        });
        assert_eq!(drops.get(), 5, "a handle that lives as long as the body");
        failure(|| {
            scope(|s| {
                let done = s.spawn(make);
                yield_now();
                s.spawn(|| quiet_panic("x") as ());
                park();
                drop(done);
            })
        });
        assert_eq!(drops.get(), 6);
    });
}

/// A handle that is forgotten keeps its result for ever, but its task ends.
#[test]
#[expect(clippy::mem_forget, reason = "it is what is tested")]
fn a_forgotten_handle_does_not_keep_the_task() {
    let drops = Cell::new(0);
    let (_, told) = watched(|| {
        let mut ended = [false; 3];
        let [a, b, c] = &mut ended;
        let text = failure(|| {
            scope(|s| {
                std::mem::forget(s.spawn(|| {
                    sleep(SECOND);
                    *a = true;
                    Counted(&drops)
                }));
                std::mem::forget(s.spawn(|| {
                    let _guard = OnDrop(|| *b = true);
                    park();
                }));
                std::mem::forget(s.spawn(|| {
                    sleep(2 * SECOND);
                    *c = true;
                    quiet_panic("seen") as ()
                }));
            })
        });
        assert_eq!((text.as_str(), ended), ("seen", [true; 3]));
    });
    assert_eq!(drops.get(), 0);
    assert!(told.is_empty());
}

/// Handles may be moved to siblings, and joined there.
#[test]
fn siblings_join_each_other() {
    watched(|| {
        let sum = scope(|s| {
            let mut last = s.spawn(|| 1);
            for n in 2..=10 {
                let before = last;
                last = s.spawn(move || before.join() + n);
            }
            last.join()
        });
        assert_eq!(sum, 55);
    });
}

#[test]
fn panics_in_destructors() {
    let sore = |what: &'static str| OnDrop(move || quiet_panic(what));
    let (_, told) = watched(|| {
        // Of a result that nobody wants: told, and no failure.
        scope(|s| {
            drop(s.spawn(|| sore("unwanted")));
        });
        // Of a result that is there: where the handle is dropped.
        let text = failure(|| {
            scope(|s| {
                let done = s.spawn(|| sore("result"));
                yield_now();
                drop(done);
            })
        });
        assert_eq!(text, "result");
        // Of what a body captured that never began: a failure of the scope.
        let text = failure(|| {
            scope(|s| {
                let guard = sore("capture");
                s.spawn(move || drop(guard)).cancel();
            })
        });
        assert_eq!(text, "capture");
        // Of a local of a child: an ordinary failure.
        let text = failure(|| {
            scope(|s| {
                s.spawn(|| {
                    let _guard = sore("local");
                });
                park();
            })
        });
        assert_eq!(text, "local");
    });
    assert_eq!(told, ["unwanted"]);
}

/// What a later failure carries may panic when it is dropped, hook or no hook.
#[test]
fn payloads_that_panic_when_dropped() {
    struct Sore;
    impl Drop for Sore {
        fn drop(&mut self) {
            quiet_panic("sore");
        }
    }
    on_virtual(|| {
        let text = failure(|| {
            scope(|s| {
                s.spawn(|| fails_after(1, "first"));
                s.spawn(|| {
                    shield(|| sleep(2 * SECOND));
                    std::panic::resume_unwind(Box::new(Sore))
                });
            })
        });
        assert_eq!(text, "first");
    });
}

#[test]
fn a_child_says_when_it_is_ready() {
    let (_, told) = watched(|| {
        scope(|s| {
            let start = Instant::now();
            let (port, server) = s
                .spawn_started(|ready| {
                    sleep(SECOND);
                    ready.set(8080);
                    sleep(SECOND);
                    "served"
                })
                .unwrap();
            assert_eq!((port, start.elapsed()), (8080, SECOND));
            assert_eq!((server.join(), start.elapsed()), ("served", 2 * SECOND));
            let early = s.spawn_started(|_: Started<()>| 5);
            assert!(matches!(early, Err(StartError::Returned(5))));
            let early = s.spawn_started(|_: Started<()>| quiet_panic("no port") as ());
            let Err(StartError::Failed(error)) = early else {
                panic!("it should have failed");
            };
            assert_eq!(text_of(&*error.into_panic()), "no port");
            assert!(!is_cancelled(), "that is no failure of the scope");
        });
        supervise(|s| {
            let (value, child) = s.spawn_started(|ready| ready.set(1)).unwrap();
            assert_eq!(value, 1);
            child.join().unwrap();
        });
    });
    assert!(told.is_empty());
}

/// After it was ready it is a child like all others.
#[test]
fn a_started_child_fails_like_any() {
    watched(|| {
        let text = failure(|| {
            scope(|s| {
                let started = s.spawn_started(|ready| {
                    ready.set(());
                    yield_now();
                    quiet_panic("later") as ()
                });
                assert!(started.is_ok());
                park();
            })
        });
        assert_eq!(text, "later");
        // Also in the very step in which it was ready.
        let text = failure(|| {
            scope(|s| {
                let started = s.spawn_started(|ready| {
                    ready.set(());
                    quiet_panic("at once") as ()
                });
                drop(started);
                park();
            })
        });
        assert_eq!(text, "at once");
    });
}

/// What says that it is ready may be passed on, dropped, or used too late.
#[test]
fn the_word_may_be_given_by_another() {
    watched(|| {
        scope(|s| {
            let started = s.spawn_started(|ready| {
                s.spawn(move || {
                    sleep(SECOND);
                    ready.set("by a sibling");
                });
                sleep(3 * SECOND);
            });
            assert_eq!(started.unwrap().0, "by a sibling");
            let start = Instant::now();
            let late = s.spawn_started(|ready| {
                s.spawn(move || {
                    sleep(2 * SECOND);
                    ready.set("too late");
                });
                sleep(SECOND);
                5
            });
            assert!(matches!(late, Err(StartError::Returned(5))));
            assert_eq!(start.elapsed(), SECOND);
            let dropped = s.spawn_started(|ready: Started<()>| {
                drop(ready);
                sleep(SECOND);
            });
            assert!(dropped.is_err());
            assert_eq!(start.elapsed(), 2 * SECOND);
        });
    });
}

#[test]
fn who_stops_waiting_for_a_start_cancels_it() {
    let log = Log::new();
    watched(|| {
        scope(|s| {
            let (l, start) = (&log, Instant::now());
            let limited = timeout(SECOND, || {
                drop(s.spawn_started(move |_ready: Started<()>| {
                    let _guard = OnDrop(|| l.add(start.elapsed()));
                    park();
                }));
            });
            assert!(limited.is_err());
            assert!(!is_cancelled());
            sleep(SECOND);
            assert_eq!(s.living(), 0);
        });
        // Born into a cancelled scope it does not start at all.
        let text = failure(|| {
            scope(|s| {
                s.spawn(|| quiet_panic("child") as ());
                shield(|| {
                    yield_now();
                    let unborn = s.spawn_started(|ready| ready.set(1));
                    let Err(StartError::Failed(error)) = unborn else {
                        panic!("it should not have started");
                    };
                    assert!(error.is_cancelled());
                });
            })
        });
        assert_eq!(text, "child");
    });
    assert_eq!(log.take(), [SECOND]);
}
