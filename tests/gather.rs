//! The promise: jobs that are gathered run at once, start and give in the order in
//! which they are written, and fail together, apart, or by their errors; none is
//! left behind.

#![cfg(unix)]

mod support;

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use greenroom::sync::{Event, Receiver, RecvError, bounded, oneshot};
use greenroom::testing::{self, Random};
use greenroom::{
    Awaitable, CancelScope, Clock, Config, Delivery, Elapsed, Instant, JoinError, Runtime, Timer,
    as_completed, gather, gather_limited, gather_settled, is_cancelled, park, scope, shield, sleep,
    spawn, supervise, timeout, try_gather, yield_now,
};
use support::{Log, OnDrop, panic_text, quiet_panic};

const SECOND: Duration = Duration::from_secs(1);

/// Runs on the virtual clock, and looks that nothing is left. What was told to the
/// hook for failures that nobody sees.
#[track_caller]
fn clean_with(config: Config, main: impl FnOnce()) -> Vec<String> {
    let told = Log::new();
    let log = told.clone();
    let before = testing::stacks_in_use();
    let config = config
        .clock(Clock::virtual_())
        .on_unobserved(move |what| log.add(support::text_of(&*what.payload)));
    let mut runtime = Runtime::with(config);
    runtime.run(main);
    assert_eq!(runtime.tasks_alive(), 0);
    assert_eq!(runtime.next_deadline(), None, "a timer is left");
    assert_eq!(testing::stacks_in_use(), before, "a stack is left");
    told.take()
}

/// The same where nothing is to be told.
#[track_caller]
fn clean(main: impl FnOnce()) {
    assert_eq!(clean_with(Config::new(), main), Vec::<String>::new());
}

/// A job that takes so many seconds, and says when it starts and ends.
fn job(log: &Log<String>, name: &'static str, seconds: u32) -> impl FnOnce() -> u32 + use<> {
    let log = log.clone();
    move || {
        log.add(format!("{name} starts"));
        let l = log.clone();
        let _end = OnDrop(move || l.add(format!("{name} is gone")));
        sleep(SECOND * seconds);
        log.add(format!("{name} ends"));
        seconds
    }
}

fn boom(after: u32, what: &'static str) -> impl FnOnce() -> u32 {
    move || {
        sleep(SECOND * after);
        quiet_panic(what)
    }
}

type Boxed<T> = Box<dyn FnOnce() -> T>;

#[test]
fn outputs_come_in_the_order_of_the_jobs() {
    clean(|| {
        let start = Instant::now();
        let after = |seconds: u32| {
            move || {
                sleep(SECOND * seconds);
                seconds
            }
        };
        assert_eq!(gather([3, 1, 2].map(after)), [3, 1, 2]);
        assert_eq!(start.elapsed(), SECOND * 3, "they ran at once");
        assert_eq!(gather(vec![after(2), after(0), after(1)]), [2, 0, 1]);
        assert_eq!(gather((after(2), after(1))), (2, 1));
        assert_eq!(start.elapsed(), SECOND * 7);
        let odd: Vec<_> = gather((0..100).rev().map(after).collect::<Vec<_>>());
        assert!(odd.into_iter().eq((0..100).rev()));
    });
}

#[test]
fn jobs_start_in_order() {
    let log = Log::new();
    clean(|| {
        let start = |n| {
            let log = log.clone();
            move || {
                log.add(n);
                yield_now();
                log.add(n + 10);
            }
        };
        gather([0, 1, 2].map(start));
        gather((start(0), start(1), start(2)));
        gather(vec![start(0), start(1), start(2)]);
        gather_limited(9, (0..3).map(start));
        for end in gather_settled([0, 1, 2].map(start)) {
            end.unwrap();
        }
    });
    assert_eq!(log.take(), [0, 1, 2, 10, 11, 12].repeat(5));
}

#[test]
fn every_size_of_tuple() {
    clean(|| {
        fn a() -> u8 {
            1
        }
        let word = String::from("w");
        let b = || word.as_str();
        assert_eq!(gather((a,)), (1,));
        assert_eq!(gather((a, b)), (1, "w"));
        assert_eq!(gather((a, b, a)), (1, "w", 1));
        assert_eq!(gather((a, b, a, b)), (1, "w", 1, "w"));
        assert_eq!(gather((a, b, a, b, a)), (1, "w", 1, "w", 1));
        assert_eq!(gather((a, b, a, b, a, b)), (1, "w", 1, "w", 1, "w"));
        assert_eq!(gather((a, b, a, b, a, b, a)), (1, "w", 1, "w", 1, "w", 1));
        assert_eq!(
            gather((a, b, a, b, a, b, a, b)),
            (1, "w", 1, "w", 1, "w", 1, "w")
        );
        let ok = || Ok::<_, String>(1);
        assert_eq!(try_gather((ok,)), Ok((1,)));
        assert_eq!(
            try_gather((ok, ok, ok, ok, ok, ok, ok, || Ok("end"))),
            Ok((1, 1, 1, 1, 1, 1, 1, "end"))
        );
        let (one,) = gather_settled((a,));
        assert_eq!(one.unwrap(), 1);
        let eight = gather_settled((a, b, a, b, a, b, a, || -> u32 { quiet_panic("8") }));
        assert_eq!(eight.0.unwrap(), 1);
        assert!(eight.7.unwrap_err().is_panic());
    });
}

#[test]
fn nothing_to_gather() {
    clean(|| {
        let none: [u8; 0] = gather([(); 0].map(|()| || 5));
        assert!(none.is_empty());
        assert!(gather(Vec::<fn() -> u8>::new()).is_empty());
        assert_eq!(
            try_gather::<String, _>(Vec::<fn() -> Result<u8, String>>::new()),
            Ok(vec![])
        );
        assert!(gather_settled(Vec::<fn() -> u8>::new()).is_empty());
        assert!(gather_limited(0, std::iter::empty::<fn() -> u8>()).is_empty());
        assert!(Vec::<Timer>::new().wait().is_empty());
    });
}

/// Jobs borrow from the caller, also mutably, and their outputs do.
#[test]
fn jobs_borrow() {
    clean(|| {
        let words = [String::from("green"), String::from("room")];
        let lengths = gather(
            words
                .iter()
                .map(|w| move || (w.len(), w.as_str()))
                .collect::<Vec<_>>(),
        );
        assert_eq!(lengths, [(5, "green"), (4, "room")]);
        let (mut left, mut right) = (0, vec![1]);
        gather((
            || {
                yield_now();
                left += 5;
            },
            || right.push(2),
        ));
        assert_eq!((left, right), (5, vec![1, 2]));
        let mut parts = [1, 2, 3, 4];
        let (a, b) = parts.split_at_mut(2);
        gather([a, b].map(|part| move || part.iter_mut().for_each(|n| *n *= 10)));
        assert_eq!(parts, [10, 20, 30, 40]);
    });
}

/// Handles of every kind are jobs, beside closures.
#[test]
fn handles_are_jobs() {
    clean(|| {
        let task = spawn(|| 5);
        let guarded = spawn(|| 6).cancel_on_drop();
        let (five, six, seven) = gather((task, guarded, || 7));
        assert_eq!((five.unwrap(), six.unwrap(), seven), (5, 6, 7));
        let bad = spawn(|| -> u32 { quiet_panic("alone") });
        let cut = spawn(park);
        cut.cancel();
        let (bad, cut) = gather((bad, cut));
        assert!(bad.unwrap_err().is_panic());
        assert!(cut.unwrap_err().is_cancelled());
        let many: Vec<_> = (0..5).map(|n| spawn(move || n)).collect();
        let all: Result<Vec<_>, JoinError> = gather(many).into_iter().collect();
        assert_eq!(all.unwrap(), [0, 1, 2, 3, 4]);
        let tried = try_gather([spawn(|| 1), spawn(|| quiet_panic("no"))]);
        assert!(tried.unwrap_err().is_panic());
        scope(|s| {
            let children = [1, 2].map(|n| s.spawn(move || n));
            assert_eq!(gather(children), [1, 2]);
        });
        supervise(|s| {
            let children = [1, 2].map(|n| s.spawn(move || n));
            assert_eq!(gather(children).map(Result::unwrap), [1, 2]);
        });
    });
}

/// A handle that is gathered by one who is cancelled is dropped: its task runs on,
/// unless the handle is a guard.
#[test]
fn the_task_of_a_gathered_handle_runs_on() {
    let log = Log::new();
    clean(|| {
        let task = spawn(job(&log, "task", 5));
        let guarded = spawn(job(&log, "guarded", 5)).cancel_on_drop();
        assert_eq!(
            timeout(SECOND, || gather((task, guarded)).0.is_ok()),
            Err(Elapsed)
        );
        sleep(Duration::ZERO);
        let so_far = ["task starts", "guarded starts", "guarded is gone"];
        assert_eq!(log.take(), so_far, "a guard cancels its task");
        sleep(SECOND * 9);
        assert_eq!(log.take(), ["task ends", "task is gone"]);
    });
}

/// The first panic cancels the others, and goes on when they have ended; later ones
/// are told to the hook.
#[test]
fn a_panic_cancels_the_others() {
    let log = Log::new();
    let told = clean_with(Config::new(), || {
        let start = Instant::now();
        let l = log.clone();
        let slow_to_go = move || -> u32 {
            let _guard = OnDrop(|| {
                shield(|| sleep(SECOND * 3));
                l.add("slow is gone".to_owned());
            });
            sleep(SECOND * 90);
            0
        };
        let fails_late = || -> u32 {
            let cut = catch_unwind(AssertUnwindSafe(|| sleep(SECOND * 90)));
            assert!(cut.is_err());
            quiet_panic("and another")
        };
        let text = panic_text(|| {
            gather((
                job(&log, "a", 50),
                boom(1, "the oven is cold"),
                slow_to_go,
                fails_late,
            ))
        });
        assert_eq!(text, "the oven is cold");
        assert_eq!(start.elapsed(), SECOND * 4);
        assert_eq!(log.take(), ["a starts", "a is gone", "slow is gone"]);
        assert!(!is_cancelled(), "the caller is not");
        // In the same turn: the first in the order of ends.
        let jobs: Vec<Boxed<u32>> = vec![Box::new(boom(1, "one")), Box::new(boom(1, "two"))];
        assert_eq!(panic_text(|| gather(jobs)), "one");
        let text = panic_text(|| gather([boom(2, "later"), boom(1, "sooner")]));
        assert_eq!(text, "sooner");
    });
    assert_eq!(told, ["and another", "two"]);
}

/// Jobs that have not begun when one panics are dropped unrun.
#[test]
fn jobs_that_never_began_are_dropped() {
    clean(|| {
        let (ran, dropped) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let later: Vec<Boxed<u32>> = (0..5)
            .map(|_| {
                let (ran, dropped) = (Rc::clone(&ran), Rc::clone(&dropped));
                let guard = OnDrop(move || dropped.set(dropped.get() + 1));
                let job: Boxed<u32> = Box::new(move || {
                    let _guard = guard;
                    ran.set(ran.get() + 1);
                    1
                });
                job
            })
            .collect();
        let mut jobs: Vec<Boxed<u32>> = vec![Box::new(|| quiet_panic("at once"))];
        jobs.extend(later);
        assert_eq!(panic_text(|| gather(jobs)), "at once");
        assert_eq!((ran.get(), dropped.get()), (0, 5));
    });
}

#[test]
fn the_first_error_cancels_the_others() {
    let log = Log::new();
    let told = clean_with(Config::new(), || {
        let start = Instant::now();
        let fails = |after: u32, what: &'static str| {
            move || -> Result<u32, &'static str> {
                sleep(SECOND * after);
                Err(what)
            }
        };
        let slow = job(&log, "slow", 60);
        let failed = try_gather((fails(2, "late"), || Ok(slow()), fails(1, "first"), || Ok(7)));
        assert_eq!((failed, start.elapsed()), (Err("first"), SECOND));
        assert_eq!(log.take(), ["slow starts", "slow is gone"]);
        // Errors in the same turn: the first is returned, the others told.
        assert_eq!(
            try_gather([fails(1, "x"), fails(1, "y"), fails(1, "z")]),
            Err("x")
        );
        // An error and a panic: whichever is first.
        let jobs: Vec<Boxed<Result<u32, &str>>> = vec![
            Box::new(fails(1, "error")),
            Box::new(|| Ok(boom(2, "panic")())),
        ];
        assert_eq!(try_gather(jobs), Err("error"));
        let jobs: Vec<Boxed<Result<u32, &str>>> = vec![
            Box::new(fails(2, "error")),
            Box::new(|| Ok(boom(1, "panic")())),
        ];
        assert_eq!(panic_text(|| try_gather(jobs)), "panic");
        let fine: Result<_, String> = try_gather([1, 2, 3].map(|n| move || Ok(n)));
        assert_eq!(fine, Ok([1, 2, 3]));
        let fine: Result<_, String> = try_gather(vec![|| Ok(1)]);
        assert_eq!(fine, Ok(vec![1]));
        assert!(!is_cancelled());
    });
    assert_eq!(told, ["\"y\"", "\"z\""]);
}

#[test]
fn settled_jobs_fail_alone() {
    let log = Log::new();
    clean(|| {
        let start = Instant::now();
        let ends = gather_settled([
            Box::new(job(&log, "a", 3)) as Boxed<u32>,
            Box::new(boom(1, "b")),
            Box::new(boom(5, "c")),
            Box::new(job(&log, "d", 2)),
        ]);
        assert_eq!(start.elapsed(), SECOND * 5);
        let told: Vec<_> = ends
            .into_iter()
            .map(|end| end.map_err(|e| support::text_of(&*e.into_panic())))
            .collect();
        assert_eq!(told, [Ok(3), Err("b".into()), Err("c".into()), Ok(2)]);
        let ends = gather_settled(vec![boom(0, "x"), boom(1, "y")]);
        assert!(
            ends.iter()
                .all(|end| end.as_ref().is_err_and(JoinError::is_panic))
        );
    });
}

/// Never more than so many at once, never less than one; jobs are taken from the
/// iterator as there is room.
#[test]
fn limits_are_kept() {
    clean(|| {
        for limit in [0, 1, 2, 3, 7, 20, usize::MAX] {
            let (alive, most, taken) = (Cell::new(0usize), Cell::new(0usize), Cell::new(0usize));
            let (alive, most, taken) = (&alive, &most, &taken);
            let start = Instant::now();
            let jobs = (0..20u32).map(|n| {
                taken.set(taken.get() + 1);
                let begun = taken.get() - 1;
                assert!(begun < limit.max(1) || alive.get() <= limit.max(1));
                move || {
                    alive.set(alive.get() + 1);
                    most.set(most.get().max(alive.get()));
                    sleep(SECOND * (1 + n % 3));
                    alive.set(alive.get() - 1);
                    n
                }
            });
            let all = gather_limited(limit, jobs);
            assert!(all.into_iter().eq(0..20), "in the order of the jobs");
            assert_eq!(most.get(), limit.clamp(1, 20));
            let total = (0..20u32).map(|n| 1 + n % 3).sum::<u32>();
            let most = u32::try_from(limit.clamp(1, 20)).unwrap();
            assert!(start.elapsed() >= SECOND * total / most);
            assert!(start.elapsed() <= SECOND * (total / most + 3));
        }
        // An iterator without end is taken only as far as it is needed.
        let taken = Cell::new(0u32);
        let endless = std::iter::from_fn(|| {
            let n = taken.get();
            taken.set(n + 1);
            Some(move || {
                sleep(SECOND);
                if n == 10 {
                    quiet_panic("enough");
                }
            })
        });
        assert_eq!(panic_text(|| gather_limited(3, endless)), "enough");
        assert!((11..=17).contains(&taken.get()), "{}", taken.get());
    });
}

/// An iterator that panics, or waits, is part of the caller.
#[test]
fn iterators_may_wait_and_fail() {
    let log = Log::new();
    clean(|| {
        let jobs = (0..3).map(|n| {
            sleep(SECOND);
            move || n
        });
        assert_eq!(gather_limited(2, jobs), [0, 1, 2]);
        let mut first = Some(job(&log, "first", 60));
        let jobs = (0..3).map(|n| {
            if n == 2 {
                quiet_panic("no more jobs");
            }
            yield_now();
            first
                .take()
                .map_or_else(|| Box::new(|| 0u32) as Boxed<u32>, |job| Box::new(job))
        });
        assert_eq!(panic_text(|| gather_limited(9, jobs)), "no more jobs");
        assert_eq!(log.take(), ["first starts", "first is gone"]);
    });
}

/// When the caller is cancelled, so are the jobs, and it goes on when they have ended.
#[test]
fn a_cancelled_caller_cancels_its_jobs() {
    let log = Log::new();
    clean(|| {
        let cut = timeout(SECOND, || gather((job(&log, "a", 5), job(&log, "b", 9))));
        assert_eq!(cut, Err(Elapsed));
        assert_eq!(
            log.take(),
            ["a starts", "b starts", "a is gone", "b is gone"]
        );
        let cut = timeout(SECOND, || {
            gather_limited(1, [5, 6].map(|n| job(&log, "c", n)))
        });
        assert_eq!(cut, Err(Elapsed));
        assert_eq!(log.take(), ["c starts", "c is gone"]);
        let cut = timeout(SECOND, || gather_settled([job(&log, "d", 5)]).len());
        assert_eq!(cut, Err(Elapsed));
        let slow = job(&log, "e", 5);
        let cut = timeout(SECOND, || try_gather((|| Ok::<_, ()>(slow()),)));
        assert_eq!(cut, Err(Elapsed));
        assert_eq!(
            log.take(),
            ["d starts", "d is gone", "e starts", "e is gone"]
        );
        // By its handle, and before it began.
        let l = log.clone();
        let task = spawn(move || gather([job(&l, "f", 5), job(&l, "g", 5)]));
        yield_now();
        yield_now();
        task.cancel();
        assert!(task.join().unwrap_err().is_cancelled());
        assert_eq!(
            log.take(),
            ["f starts", "g starts", "f is gone", "g is gone"]
        );
        let stop = CancelScope::new();
        stop.cancel("enough");
        assert_eq!(stop.run(|| gather([job(&log, "h", 5)])), None);
        assert_eq!(log.take(), Vec::<String>::new(), "it never began");
    });
}

/// With delivery by errors the jobs learn of it by errors, and give what they give.
#[test]
fn a_cancelled_caller_with_delivery_by_errors() {
    clean(|| {
        let (_s, r) = bounded::<u32>(0);
        let limit = || {
            CancelScope::builder()
                .delivery(Delivery::Error)
                .deadline(Instant::now() + SECOND)
                .build()
        };
        let get = || r.recv();
        let gone = Err(RecvError::Cancelled);
        assert_eq!(limit().run(|| gather([get, get])), Some([gone, gone]));
        assert_eq!(limit().run(|| gather((get, || 5))), Some((gone, 5)));
        assert_eq!(
            limit().run(|| try_gather((get, || Ok(5)))),
            Some(Err(RecvError::Cancelled))
        );
        let ends = limit().run(|| gather_settled(vec![get]).pop().unwrap().unwrap());
        assert_eq!(ends, Some(gone));
        assert_eq!(
            limit().run(|| gather_limited(1, [get, get])),
            Some(vec![gone, gone])
        );
    });
}

/// Under any schedule the order of outputs is the same, and nothing is left.
#[test]
fn under_any_schedule() {
    for seed in 0..200 {
        let config = Config::new().schedule(Random(seed));
        let told = clean_with(config, || {
            let turns = |n: u32| {
                move || {
                    (0..n % 5).for_each(|_| yield_now());
                    n
                }
            };
            assert_eq!(gather([4, 3, 2, 1, 0].map(turns)), [4, 3, 2, 1, 0]);
            assert!(gather_limited(2, (0..9).map(turns)).into_iter().eq(0..9));
            let ends = gather_settled((turns(3), || -> u32 { quiet_panic("no") }, turns(1)));
            assert_eq!((ends.0.unwrap(), ends.2.unwrap()), (3, 1));
            let failed: Result<_, u32> =
                try_gather((|| Err::<(), _>(turns(2)()), || Ok(turns(4)())));
            assert_eq!(failed, Err(2));
            assert_eq!(
                panic_text(|| gather((turns(4), || -> u32 { quiet_panic("one") }))),
                "one"
            );
        });
        assert_eq!(told, Vec::<String>::new());
    }
}

#[test]
fn on_a_plain_thread() {
    let text = panic_text(|| gather([|| 5]));
    assert!(text.contains("needs a task"), "{text}");
    assert!(panic_text(|| try_gather((|| Ok::<_, ()>(1),))).contains("needs a task"));
    assert!(panic_text(|| gather_settled([|| 5]).len()).contains("needs a task"));
    assert!(panic_text(|| gather_limited(1, [|| 5])).contains("needs a task"));
}

// Awaitables.

/// One of a user's own: it waits by calling things that wait.
struct Slow(u32, Log<u32>);

impl Awaitable for Slow {
    type Output = u32;

    fn wait(self) -> u32 {
        sleep(SECOND * self.0);
        self.1.add(self.0);
        self.0
    }
}

fn wait_for<A: Awaitable>(what: A) -> A::Output {
    what.wait()
}

/// Tuples, arrays and vectors are waited for all at once, nested as one likes.
#[test]
fn collections_are_waited_for_at_once() {
    let log = Log::new();
    clean(|| {
        let slow = |n| Slow(n, log.clone());
        let start = Instant::now();
        assert_eq!(wait_for([slow(3), slow(1), slow(2)]), [3, 1, 2]);
        assert_eq!(start.elapsed(), SECOND * 3);
        assert_eq!(log.take(), [1, 2, 3]);
        assert_eq!(vec![slow(2), slow(1)].wait(), [2, 1]);
        let mixed = (
            slow(1),
            Timer::after(SECOND * 4),
            spawn(|| 5),
            (slow(2), [slow(1)]),
            vec![slow(3)],
        );
        let (one, (), five, (two, [again]), three) = mixed.wait();
        assert_eq!(
            (one, five.unwrap(), two, again, three),
            (1, 5, 2, 1, vec![3])
        );
        assert_eq!(start.elapsed(), SECOND * 9);
        assert_eq!((slow(1),).wait(), (1,));
        let eight = (
            slow(1),
            slow(2),
            slow(3),
            slow(1),
            slow(2),
            slow(3),
            slow(1),
            slow(2),
        )
            .wait();
        assert_eq!(eight, (1, 2, 3, 1, 2, 3, 1, 2));
        assert_eq!(start.elapsed(), SECOND * 13);
    });
}

/// Those of the crate: by value where they are used up, by reference where not.
#[test]
fn everything_of_the_crate_can_be_waited_for() {
    clean(|| {
        let event = Rc::new(Event::new());
        let (s, r): (_, Receiver<u32>) = bounded(0);
        let (answer, shot) = oneshot();
        let setter = Rc::clone(&event);
        spawn(move || {
            sleep(SECOND);
            setter.set();
            s.send(7).unwrap();
            answer.send("yes").unwrap();
        });
        let (guarded, plain) = (spawn(|| 1).cancel_on_drop(), spawn(|| 2));
        let ((), seven, yes, two, ()) = (&*event, &r, shot, plain, Timer::after(SECOND)).wait();
        assert_eq!((seven, yes, two.unwrap()), (Ok(7), Ok("yes"), 2));
        assert_eq!(guarded.join().unwrap(), 1);
        scope(|s| {
            let children = [1, 2].map(|n| s.spawn(move || n));
            assert_eq!(children.wait(), [1, 2]);
        });
        supervise(|s| {
            let children = vec![s.spawn(|| 1), s.spawn(|| quiet_panic("no"))];
            let ends = children.wait();
            assert!(ends[0].is_ok() && ends[1].is_err());
        });
        let job = |a: Slow| move || a.wait();
        let gathered = gather([job(Slow(1, Log::new())), job(Slow(2, Log::new()))]);
        assert_eq!(gathered, [1, 2]);
    });
}

/// A collection whose waiting is cancelled, or one of which panics, is like a gather.
#[test]
fn a_collection_that_is_cut_off() {
    struct Bad;
    impl Awaitable for Bad {
        type Output = ();
        fn wait(self) {
            yield_now();
            quiet_panic("bad")
        }
    }
    let log = Log::new();
    clean(|| {
        let slow = |n| Slow(n, log.clone());
        assert_eq!(timeout(SECOND, || [slow(5), slow(6)].wait()), Err(Elapsed));
        assert_eq!(panic_text(|| (slow(5), Bad).wait()), "bad");
        let (_s, r) = bounded::<u32>(0);
        assert_eq!(timeout(SECOND, || (&r, &r).wait()), Err(Elapsed));
        assert_eq!(log.take(), Vec::<u32>::new());
    });
}

/// Gathers in gathers, in the destructors of a task that unwinds, and of thousands.
#[test]
fn in_strange_places() {
    let log = Log::new();
    clean(|| {
        let nested = gather([0, 10].map(|tens| move || gather([1, 2].map(|n| move || tens + n))));
        assert_eq!(nested, [[1, 2], [11, 12]]);
        let many = gather(
            (0..3000u32)
                .map(|n| {
                    move || {
                        yield_now();
                        n
                    }
                })
                .collect::<Vec<_>>(),
        );
        assert!(many.into_iter().eq(0..3000));
        let l = log.clone();
        let text = panic_text(move || {
            let _guard = OnDrop(|| {
                shield(|| {
                    l.add(gather([|| {
                        sleep(SECOND);
                        5
                    }]))
                });
                l.add(gather([|| {
                    sleep(SECOND);
                    6
                }]));
            });
            quiet_panic("the body")
        });
        assert_eq!(text, "the body");
        assert_eq!(log.take(), [[5], [6]]);
        let order = RefCell::new(Vec::new());
        scope(|s| {
            let children = [3, 1, 2].map(|n| {
                s.spawn(move || {
                    sleep(SECOND * n);
                    n
                })
            });
            for n in as_completed(children) {
                order.borrow_mut().push(n);
            }
        });
        assert_eq!(order.take(), [1, 2, 3]);
    });
}
