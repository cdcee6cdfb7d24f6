//! The promise: the worked programs say exactly their lines, each at its moment.
//!
//! Each program is performed twice. In this process, on a virtual clock, beside a
//! witness: a task that must come by at every full second, so a program that
//! blocked the others, or only printed, would be found out. And as the compiled
//! example, whose whole output is compared. Nothing here may look at wall time.

#![expect(
    clippy::duplicate_mod,
    reason = "each example brings the support file it is built with"
)]
#![allow(dead_code, reason = "the examples' own `main`s are not called here")]

use std::cell::RefCell;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::rc::Rc;
use std::time::Duration;

use greenroom::{Clock, Config, Runtime, Status, in_task, sleep, spawn, yield_now};

#[path = "../examples/api_calls.rs"]
mod api_calls;
#[path = "../examples/awaitable.rs"]
mod awaitable;
#[path = "../examples/basics.rs"]
mod basics;
#[path = "../examples/by_hand.rs"]
mod by_hand;
#[path = "../examples/cake.rs"]
mod cake;
#[path = "../examples/cubes.rs"]
mod cubes;
#[path = "../examples/cubes_in_a_loop.rs"]
mod cubes_in_a_loop;
#[path = "../examples/function_or_coroutine.rs"]
mod function_or_coroutine;
#[path = "../examples/start_end.rs"]
mod start_end;
#[path = "../examples/sync_or_async.rs"]
mod sync_or_async;
#[path = "../examples/two_tasks.rs"]
mod two_tasks;
#[path = "../examples/workers.rs"]
mod workers;

/// How each example's copy of the support file is told who listens.
type Listen = fn(Option<Rc<dyn Fn(&str)>>);

/// A runtime on a virtual clock, and the lines said so far, each with its moment.
struct Stage {
    runtime: Runtime,
    clock: Clock,
    lines: Rc<RefCell<Vec<(Duration, String)>>>,
}

impl Stage {
    fn new(listen: Listen) -> Self {
        let clock = Clock::virtual_();
        let lines = Rc::new(RefCell::new(Vec::new()));
        let (time, heard) = (clock.clone(), Rc::clone(&lines));
        listen(Some(Rc::new(move |line| {
            heard.borrow_mut().push((time.elapsed(), line.to_owned()));
        })));
        let runtime = Runtime::with(Config::new().clock(clock.clone()));
        Self {
            runtime,
            clock,
            lines,
        }
    }

    /// Runs `program` beside the witness. It must say these lines at these
    /// seconds and end when `end` seconds have passed, counted from now.
    #[track_caller]
    fn performs<T>(&mut self, program: impl FnOnce() -> T, expected: &[(u64, &str)], end: u64) {
        let before = self.clock.elapsed();
        let visits = Rc::new(RefCell::new(Vec::new()));
        let (time, book) = (self.clock.clone(), Rc::clone(&visits));
        let ended = self.runtime.run(|| {
            spawn(move || {
                loop {
                    sleep(Duration::from_secs(1));
                    book.borrow_mut().push(time.elapsed() - before);
                }
            });
            program();
            let ended = self.clock.elapsed();
            // The witness of the last second is ready too.
            yield_now();
            ended
        });
        let said: Vec<(Duration, String)> = self
            .lines
            .take()
            .into_iter()
            .map(|(at, line)| (at - before, line))
            .collect();
        let expected: Vec<(Duration, String)> = expected
            .iter()
            .map(|(second, line)| (Duration::from_secs(*second), (*line).to_owned()))
            .collect();
        assert_eq!(said, expected);
        assert_eq!(ended - before, Duration::from_secs(end));
        assert_eq!(self.clock.elapsed(), ended, "the end took no time");
        let seconds: Vec<Duration> = (1..=end).map(Duration::from_secs).collect();
        assert_eq!(*visits.borrow(), seconds, "the witness, at every second");
    }
}

/// Starts a compiled example.
fn start(name: &str, arguments: &[&str]) -> Output {
    let this = std::env::current_exe().expect("a test knows its own path");
    let profile = this.parent().and_then(|deps| deps.parent());
    let path: PathBuf = profile
        .expect("a test lies in target/PROFILE/deps")
        .join("examples")
        .join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(
        path.exists(),
        "{} is missing: a plain `cargo test` builds the examples; with `--test programs` run `cargo build --examples` before, with the same profile and target",
        path.display()
    );
    match Command::new(&path).args(arguments).output() {
        Ok(output) => output,
        Err(error) => panic!("{} does not start: {error}", path.display()),
    }
}

/// The compiled example, started with these arguments, prints exactly these lines.
#[track_caller]
fn prints(name: &str, arguments: &[&str], expected: &[&str]) {
    let output = start(name, arguments);
    let mut text = expected.join("\n");
    text.push('\n');
    assert_eq!(String::from_utf8_lossy(&output.stdout), text);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(output.status.success());
}

/// Both performances of a program that is one function.
#[track_caller]
fn check<T>(
    name: &str,
    listen: Listen,
    program: impl FnOnce() -> T,
    expected: &[(u64, &str)],
    end: u64,
) {
    Stage::new(listen).performs(program, expected, end);
    let lines: Vec<&str> = expected.iter().map(|(_, line)| *line).collect();
    prints(name, &["--virtual"], &lines);
}

#[test]
fn basics() {
    check(
        "basics",
        basics::support::listen,
        || basics::program().unwrap(),
        &[
            (0, "Start"),
            (1, "End"),
            (1, "Task started"),
            (3, "Task finished"),
        ],
        3,
    );
}

#[test]
fn cake() {
    check(
        "cake",
        cake::support::listen,
        || cake::program().unwrap(),
        &[
            (0, "Preheating the oven..."),
            (0, "Gathering frosting ingredients."),
            (2, "Putting the cake in the oven."),
            (3, "Mixing the frosting. It's so smooth!"),
            (7, "Cake is done! It smells delicious."),
            (7, "The final results: Cake is ready and Frosting is ready."),
        ],
        7,
    );
}

#[test]
fn two_tasks() {
    check(
        "two_tasks",
        two_tasks::support::listen,
        two_tasks::program,
        &[(1, "Task 2 done"), (2, "Task 1 done")],
        2,
    );
}

#[test]
fn api_calls() {
    check(
        "api_calls",
        api_calls::support::listen,
        api_calls::program,
        &[
            (0, "Fetching from API 1"),
            (0, "Fetching from API 2"),
            (0, "Fetching from API 3"),
            (1, "Done API 2"),
            (2, "Done API 3"),
            (3, "Done API 1"),
        ],
        3,
    );
}

#[test]
fn workers() {
    check(
        "workers",
        workers::support::listen,
        || workers::program().unwrap(),
        &[
            (0, "A started"),
            (0, "B started"),
            (2, "A finished"),
            (2, "B finished"),
        ],
        2,
    );
}

#[test]
fn sync_or_async() {
    check(
        "sync_or_async",
        sync_or_async::support::listen,
        sync_or_async::program,
        &[
            (3, r#"["Done", "Done", "Done"]"#),
            (4, r#"["Done", "Done", "Done"]"#),
        ],
        4,
    );
}

#[test]
fn start_end() {
    check(
        "start_end",
        start_end::support::listen,
        start_end::program,
        &[
            (0, "Start of coroutine_1"),
            (0, "Start of coroutine_2"),
            (1, "End of coroutine_1"),
            (1, "End of coroutine_2"),
        ],
        1,
    );
}

#[test]
fn function_or_coroutine() {
    let mut stage = Stage::new(function_or_coroutine::support::listen);

    // On a plain thread the virtual clock has nothing to do with it. That the
    // thread was really blocked shows on the real one: never less than asked.
    assert!(!in_task());
    let real = std::time::Instant::now();
    function_or_coroutine::outside(Duration::from_millis(1));
    assert!(real.elapsed() >= Duration::from_millis(1));
    let outside = stage.lines.take();
    assert_eq!(
        outside,
        [
            (Duration::ZERO, "Start of the function".to_owned()),
            (Duration::ZERO, "End of the function".to_owned()),
        ]
    );

    stage.performs(
        function_or_coroutine::inside,
        &[(0, "Start of the coroutine"), (1, "End of the coroutine")],
        1,
    );
    prints(
        "function_or_coroutine",
        &["--virtual"],
        &[
            "Start of the function",
            "End of the function",
            "Start of the coroutine",
            "End of the coroutine",
        ],
    );
}

#[test]
fn cubes() {
    let one = [
        (0, "Starting cube with argument 5!"),
        (3, "Starting square with argument 5!"),
        (6, "Finishing square with argument 5!"),
        (6, "Finishing cube with argument 5!"),
        (6, "125"),
    ];
    let several = [
        (0, "Starting cube with argument 3!"),
        (0, "Starting cube with argument 4!"),
        (0, "Starting cube with argument 5!"),
        (3, "Starting square with argument 3!"),
        (3, "Starting square with argument 4!"),
        (3, "Starting square with argument 5!"),
        (6, "Finishing square with argument 3!"),
        (6, "Finishing cube with argument 3!"),
        (6, "Finishing square with argument 4!"),
        (6, "Finishing cube with argument 4!"),
        (6, "Finishing square with argument 5!"),
        (6, "Finishing cube with argument 5!"),
        (6, "[27, 64, 125]"),
    ];
    // One runtime, used twice.
    let mut stage = Stage::new(cubes::support::listen);
    stage.performs(cubes::one, &one, 6);
    stage.performs(cubes::several, &several, 6);
    assert_eq!(stage.clock.elapsed(), Duration::from_secs(12));

    let lines: Vec<&str> = one.iter().chain(&several).map(|(_, line)| *line).collect();
    prints("cubes", &["--virtual"], &lines);
}

#[test]
fn cubes_in_a_loop() {
    check(
        "cubes_in_a_loop",
        cubes_in_a_loop::support::listen,
        cubes_in_a_loop::program,
        &[
            (0, "Starting cube with argument 1!"),
            (3, "Starting square with argument 1!"),
            (6, "Finishing square with argument 1!"),
            (6, "Finishing cube with argument 1!"),
            (6, "Starting cube with argument 2!"),
            (9, "Starting square with argument 2!"),
            (12, "Finishing square with argument 2!"),
            (12, "Finishing cube with argument 2!"),
            (12, "Starting cube with argument 3!"),
            (15, "Starting square with argument 3!"),
            (18, "Finishing square with argument 3!"),
            (18, "Finishing cube with argument 3!"),
            (18, "Starting cube with argument 1!"),
            (18, "Starting cube with argument 2!"),
            (18, "Starting cube with argument 3!"),
            (21, "Starting square with argument 1!"),
            (21, "Starting square with argument 2!"),
            (21, "Starting square with argument 3!"),
            (24, "Finishing square with argument 1!"),
            (24, "Finishing cube with argument 1!"),
            (24, "Finishing square with argument 2!"),
            (24, "Finishing cube with argument 2!"),
            (24, "Finishing square with argument 3!"),
            (24, "Finishing cube with argument 3!"),
            (24, "[1, 8, 27]"),
        ],
        24,
    );
}

#[test]
fn by_hand() {
    let asked = "Please do not continue until 3 seconds have elapsed.";
    let expected = [
        "Starting square with argument 4!",
        "Finishing square with argument 4!",
        "16",
        "Starting cube with argument 3!",
        "Starting square with argument 3!",
        "Finishing square with argument 3!",
        "Finishing cube with argument 3!",
        "27",
        "Starting cube with argument 3!",
        asked,
        "Starting square with argument 3!",
        asked,
        "Finishing square with argument 3!",
        "Finishing cube with argument 3!",
        "27",
        "Starting cube with argument 5!",
        asked,
        "Starting cube with argument 10!",
        asked,
        "Starting square with argument 5!",
        asked,
        "Starting square with argument 10!",
        asked,
        "Finishing square with argument 5!",
        "Finishing cube with argument 5!",
        "125",
        "Finishing square with argument 10!",
        "Finishing cube with argument 10!",
        "1000",
    ];
    let stage = Stage::new(by_hand::support::listen);

    let job = by_hand::sleepy(3);
    assert_eq!(job.status(), Status::Created);
    drop(job);
    assert_eq!(stage.lines.take(), [], "making a coroutine says nothing");

    assert!(!in_task(), "no scheduler");
    by_hand::program().unwrap();
    let said: Vec<String> = stage
        .lines
        .take()
        .into_iter()
        .map(|(_, line)| line)
        .collect();
    assert_eq!(said, expected);

    // It needs no clock, so both ways are the same.
    prints("by_hand", &["--virtual"], &expected);
    prints("by_hand", &[], &expected);
}

#[test]
fn awaitable() {
    let expected = [
        "Starting main",
        "Awaiting",
        "Done",
        "Awaiting",
        "Done",
        "Ending main",
    ];
    let mut stage = Stage::new(awaitable::support::listen);
    stage.performs(awaitable::program, &expected.map(|line| (0, line)), 0);

    // It gives up one turn each time: who is ready gets exactly that.
    let lines = Rc::clone(&stage.lines);
    stage.runtime.run(|| {
        for name in ["first", "second"] {
            let lines = Rc::clone(&lines);
            spawn(move || {
                loop {
                    lines.borrow_mut().push((Duration::ZERO, name.to_owned()));
                    yield_now();
                }
            });
        }
        awaitable::program();
    });
    let said = lines.take();
    let said: Vec<&str> = said.iter().map(|(_, line)| line.as_str()).collect();
    let pause = ["Awaiting", "first", "second", "Done"];
    let with_witnesses = [
        &["Starting main"][..],
        &pause[..],
        &pause[..],
        &["Ending main"][..],
    ];
    assert_eq!(said, with_witnesses.concat());

    prints("awaitable", &["--virtual"], &expected);
}

#[test]
fn an_unknown_argument_is_refused() {
    let output = start("by_hand", &["--virtaul"]);
    assert!(!output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    assert!(String::from_utf8_lossy(&output.stderr).contains("the only argument is --virtual"));
}
