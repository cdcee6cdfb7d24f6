//! `with`: a resource is closed whatever happens, in code that may wait.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use greenroom::sync::bounded;
use greenroom::{
    Close, Config, Elapsed, Instant, checkpoint, is_cancelled, park, scope, sleep, spawn, timeout,
    with, yield_now,
};

use crate::support::{Log, OnDrop, panic_text, quiet_panic, text_of};
use crate::{SECOND, clean, clean_with};

/// A resource that takes its time to close.
struct Slow {
    seconds: u32,
    grace: u32,
    log: Log<String>,
    fails: bool,
}

impl Slow {
    fn new(seconds: u32, log: &Log<String>) -> Self {
        let (log, fails) = (log.clone(), false);
        Self {
            seconds,
            grace: 10,
            log,
            fails,
        }
    }

    fn failing(log: &Log<String>) -> Self {
        Self {
            fails: true,
            ..Self::new(1, log)
        }
    }
}

impl Close for Slow {
    type Error = &'static str;

    fn close(self) -> Result<(), &'static str> {
        let start = Instant::now();
        sleep(self.seconds * SECOND);
        let late = checkpoint().is_err();
        self.log
            .add(format!("closed after {:?}, late: {late}", start.elapsed()));
        if self.fails { Err("close") } else { Ok(()) }
    }

    fn grace(&self) -> Duration {
        self.grace * SECOND
    }
}

/// A resource that cannot be closed.
struct Sore;

impl Close for Sore {
    type Error = &'static str;
    fn close(self) -> Result<(), &'static str> {
        quiet_panic("close")
    }
}

const CLOSED: &str = "closed after 1s, late: false";

/// Runs with a hook; returns what that was told.
fn told(main: impl FnOnce()) -> Vec<String> {
    let log = Log::new();
    let hears = log.clone();
    let config = Config::new().on_unobserved(move |unseen| hears.add(text_of(&*unseen.payload)));
    clean_with(config, main);
    log.take()
}

#[test]
fn closed_however_the_body_ends() {
    let log = Log::new();
    clean(|| {
        assert_eq!(with(Slow::new(1, &log), |_| Ok::<_, &str>(5)), Ok(5));
        assert_eq!(log.take(), [CLOSED]);
        assert_eq!(
            with(Slow::new(1, &log), |_| Err::<(), _>("body")),
            Err("body")
        );
        assert_eq!(log.take(), [CLOSED]);
        let text = panic_text(|| {
            with(Slow::new(1, &log), |_| {
                quiet_panic("body");
                #[expect(unreachable_code, reason = "says the type")]
                Ok::<(), &str>(())
            })
        });
        assert_eq!(
            (text.as_str(), log.take()),
            ("body", vec![CLOSED.to_owned()])
        );
        let late = timeout(SECOND, || {
            with(Slow::new(1, &log), |_| {
                park();
                Ok::<_, &str>(())
            })
        });
        assert_eq!((late, log.take()), (Err(Elapsed), vec![CLOSED.to_owned()]));
        let task = {
            let log = log.clone();
            spawn(move || {
                with(Slow::new(1, &log), |_| {
                    park();
                    Ok::<_, &str>(())
                })
            })
        };
        yield_now();
        task.cancel();
        assert!(task.join().expect_err("it unwound").is_cancelled());
        assert_eq!(log.take(), [CLOSED]);
        assert!(!is_cancelled());
    });
}

#[test]
fn failures_of_closing() {
    let log = Log::new();
    let told = told(|| {
        assert_eq!(
            with(Slow::failing(&log), |_| Ok::<_, &str>(5)),
            Err("close")
        );
        assert_eq!(
            with(Slow::failing(&log), |_| Err::<(), _>("body")),
            Err("body")
        );
        let late = timeout(SECOND, || {
            with(Slow::failing(&log), |_| {
                park();
                Ok::<_, &str>(())
            })
        });
        assert_eq!(late, Err(Elapsed));
    });
    assert_eq!(told, ["\"close\"", "\"close\""]);
    assert_eq!(log.len(), 3);
}

/// When the grace is over closing goes on without waiting.
#[test]
fn closing_has_a_limit() {
    let log = Log::new();
    clean(|| {
        let slow = || Slow {
            grace: 3,
            ..Slow::new(60, &log)
        };
        assert_eq!(with(slow(), |_| Ok::<_, &str>(5)), Ok(5));
        assert_eq!(log.take(), ["closed after 3s, late: true"]);
        let none = Slow {
            grace: 0,
            ..Slow::new(60, &log)
        };
        assert_eq!(with(none, |_| Ok::<_, &str>(5)), Ok(5));
        assert_eq!(log.take(), ["closed after 0ns, late: true"]);
        // Also where the body was cut short, whose own limit it does not shorten.
        let late = timeout(SECOND, || {
            with(slow(), |_| {
                park();
                Ok::<_, &str>(())
            })
        });
        assert_eq!(late, Err(Elapsed));
        assert_eq!(log.take(), ["closed after 3s, late: true"]);
        assert!(!is_cancelled());
    });
}

/// A close that panics: its panic goes on if there is none before it.
#[test]
fn closing_panics() {
    let told = told(|| {
        assert_eq!(panic_text(|| with(Sore, |_| Ok::<_, &str>(5))), "close");
        let text = panic_text(|| {
            with(Sore, |_| {
                quiet_panic("body");
                #[expect(unreachable_code, reason = "says the type")]
                Ok::<(), &str>(())
            })
        });
        assert_eq!(text, "body");
        let late = timeout(SECOND, || {
            with(Sore, |_| {
                park();
                Ok::<_, &str>(())
            })
        });
        assert_eq!(late, Err(Elapsed));
    });
    assert_eq!(told, ["close", "close"]);
}

/// At the end of main, too: and closing may use tasks of its own.
#[test]
fn closing_with_tasks_at_the_end_of_main() {
    struct Crowd(Rc<Cell<u32>>);
    impl Close for Crowd {
        type Error = ();
        fn close(self) -> Result<(), ()> {
            let (send, receive) = bounded(1);
            scope(|s| {
                s.spawn(|| {
                    sleep(SECOND);
                    send.send(5)
                });
                let child = s.spawn(|| receive.recv().unwrap_or(0));
                self.0.set(child.join());
            });
            Ok(())
        }
    }
    let closed = Rc::new(Cell::new(0));
    clean(|| {
        let crowd = Crowd(Rc::clone(&closed));
        spawn(move || {
            with(crowd, |_| {
                park();
                Ok::<_, ()>(())
            })
        });
        yield_now();
    });
    assert_eq!(closed.get(), 5);
}

/// Several, one in the other: closed from the inside out.
#[test]
fn several_resources() {
    let log = Log::new();
    clean(|| {
        let late = timeout(SECOND, || {
            with(Slow::new(1, &log), |_| {
                with(Slow::new(2, &log), |_| {
                    with(Slow::new(3, &log), |_| {
                        park();
                        Ok::<_, &str>(())
                    })
                })
            })
        });
        assert_eq!(late, Err(Elapsed));
    });
    let seconds = [3, 2, 1].map(|n| format!("closed after {n}s, late: false"));
    assert_eq!(log.take(), seconds);
}

/// Used by a destructor while its task unwinds: the body does not wait, closing does.
#[test]
fn in_a_destructor() {
    let log = Log::new();
    clean(|| {
        let l = log.clone();
        let task = spawn(move || {
            let _guard = OnDrop(move || {
                let result = with(Slow::new(1, &l), |_| {
                    sleep(60 * SECOND); // at once
                    Ok::<_, &str>("done")
                });
                l.add(format!("{result:?}"));
            });
            park();
        });
        yield_now();
        let start = Instant::now();
        task.cancel();
        assert!(task.join().expect_err("it unwound").is_cancelled());
        assert_eq!(start.elapsed(), SECOND);
    });
    assert_eq!(log.take(), [CLOSED, "Ok(\"done\")"]);
}

/// On a plain thread it is closed all the same.
#[test]
fn on_a_plain_thread() {
    struct Plain(Rc<Cell<u32>>, bool);
    impl Close for Plain {
        type Error = &'static str;
        fn close(self) -> Result<(), &'static str> {
            self.0.set(self.0.get() + 1);
            if self.1 { Err("close") } else { Ok(()) }
        }
    }
    let closed = Rc::new(Cell::new(0));
    let plain = |fails| Plain(Rc::clone(&closed), fails);
    assert_eq!(with(plain(false), |_| Ok::<_, &str>(1)), Ok(1));
    assert_eq!(with(plain(true), |_| Ok::<_, &str>(1)), Err("close"));
    assert_eq!(with(plain(true), |_| Err::<(), _>("body")), Err("body"));
    let text = panic_text(|| {
        with(plain(true), |_| {
            quiet_panic("body");
            #[expect(unreachable_code, reason = "says the type")]
            Ok::<(), &str>(())
        })
    });
    assert_eq!((text.as_str(), closed.get()), ("body", 4));
    // The body's panic goes on, whatever closing does.
    let text = panic_text(|| with(Sore, |_| -> Result<(), &str> { quiet_panic("body") }));
    assert_eq!(text, "body");
}
