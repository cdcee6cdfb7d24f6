//! Cells that are written once: one task makes the value, the others wait for it.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use greenroom::sync::OnceCell;
use greenroom::{Instant, gather, sleep, spawn, timeout, yield_now};

use crate::support::{Log, on_virtual, panic_text, quiet_panic};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn the_value_is_made_once_and_all_get_it_when_it_is_there() {
    on_virtual(|| {
        let (cell, made, start) = (OnceCell::new(), Cell::new(0), Instant::now());
        let (cell, made) = (&cell, &made);
        let jobs = [0, 1, 2].map(|n| {
            move || {
                let value = *cell.get_or_init(|| {
                    made.set(made.get() + 1);
                    sleep(SECOND);
                    n
                });
                (value, start.elapsed())
            }
        });
        assert_eq!(gather(jobs), [(0, SECOND); 3]);
        assert_eq!(made.get(), 1);
        assert_eq!(cell.get(), Some(&0));
        assert_eq!(*cell.get_or_init(|| unreachable!()), 0);
    });
}

/// It fails in every way there is: an error, a panic, a cancellation. The next in line
/// tries.
#[test]
fn if_it_fails_the_next_in_line_tries() {
    on_virtual(|| {
        let (cell, log) = (Rc::new(OnceCell::new()), Log::new());
        let visit = |n: u32, init: fn() -> Result<u32, &'static str>| {
            let (cell, log) = (Rc::clone(&cell), log.clone());
            spawn(move || {
                let made = cell.get_or_try_init(|| {
                    log.add(n);
                    sleep(SECOND);
                    init()
                });
                made.copied()
            })
        };
        let fails = visit(0, || Err("no"));
        let panics = visit(1, || quiet_panic("never"));
        let cancelled = visit(2, || {
            sleep(100 * SECOND);
            Ok(2)
        });
        let works = visit(3, || Ok(3));
        let waits = visit(4, || Ok(4));
        sleep(3 * SECOND);
        cancelled.cancel();
        assert_eq!(fails.join().unwrap(), Err("no"));
        assert!(panics.join().unwrap_err().is_panic());
        assert!(cancelled.join().unwrap_err().is_cancelled());
        assert_eq!(works.join().unwrap(), Ok(3));
        assert_eq!(waits.join().unwrap(), Ok(3));
        assert_eq!(log.take(), [0, 1, 2, 3]);
    });
}

#[test]
fn one_who_gives_up_leaves_no_trace() {
    on_virtual(|| {
        let cell = Rc::new(OnceCell::new());
        let theirs = Rc::clone(&cell);
        let maker = spawn(move || {
            *theirs.get_or_init(|| {
                sleep(2 * SECOND);
                5
            })
        });
        yield_now();
        assert!(cell.is_initializing());
        assert!(timeout(SECOND, || *cell.get_or_init(|| 6)).is_err());
        assert_eq!(cell.set(7), Err(7), "somebody is making it");
        assert_eq!(maker.join().unwrap(), 5);
        assert!(!cell.is_initializing());
        assert_eq!(cell.set(7), Err(7));
    });
}

#[test]
fn on_a_plain_thread() {
    let mut cell = OnceCell::new();
    assert_eq!(*cell.get_or_init(|| 5), 5);
    assert_eq!(cell.take(), Some(5));
    assert_eq!(cell.set(6), Ok(()));
    *cell.get_mut().unwrap() += 1;
    assert_eq!(cell.clone().into_inner(), Some(7));
    let own = Rc::new(OnceCell::<u32>::new());
    let text = panic_text(|| *own.get_or_init(|| *own.get_or_init(|| 1)));
    assert!(text.contains("no runtime is running here"), "{text}");
}
