//! The promise: whatever is cancelled at whatever moment, nothing is left. A
//! thousand tasks in nested scopes of every kind wait in every way there is, and
//! are cancelled at a random moment; then everything is counted.
//!
//! A run is made from its seed alone, so a failure can be looked at again:
//!
//! ```text
//!   GREENROOM_SOAK_TASKS=100000   how many tasks, at most, in each run
//!   GREENROOM_SOAK_SEEDS=1000     how many runs
//!   GREENROOM_SOAK_FIRST=17       the first seed
//! ```

#![cfg(all(unix, feature = "net"))]
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]
#![expect(clippy::print_stdout, reason = "it says what it ran")]

mod support;
#[path = "scope_soak/world.rs"]
mod world;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::time::Duration;

use greenroom::testing::{self, Random};
use greenroom::{
    CancelScope, Clock, Config, Delivery, Instant, Runtime, ScopedJoinHandle, SupervisedJoinHandle,
    checkpoint, move_on_at, scope, shield, sleep, spawn, supervise, timeout, try_scope, with,
    yield_now,
};
use support::OnDrop;
use world::{Failure, Rng, Slow, World};

/// The body of a task with `size` tasks below it.
fn node(world: &World, seed: u64, size: usize, ends: bool) {
    let mut rng = Rng(seed);
    let last = rng.next();
    let _at_end = OnDrop(|| clean_up(world, &mut Rng(last)));
    if rng.one_in(8) {
        let body = AssertUnwindSafe(|| layers(world, &mut rng, size, ends, 6));
        if let Err(payload) = catch_unwind(body) {
            if !payload.is::<Failure>() {
                resume_unwind(payload);
            }
        }
    } else {
        layers(world, &mut rng, size, ends, 6);
    }
    if !world.waits_in_destructors && rng.one_in(world.harm) {
        resume_unwind(Box::new(Failure));
    }
}

/// What a destructor does, in ordinary code and while the task unwinds.
fn clean_up(world: &World, rng: &mut Rng) {
    match rng.below(12) {
        0 => yield_now(),
        1 => drop(timeout(rng.millis(5), || world.receive(rng))),
        2 => drop(timeout(rng.millis(5), || world.send(rng))),
        3 if world.waits_in_destructors => shield(|| sleep(rng.millis(5))),
        _ => {}
    }
}

/// Some scopes without children, at most `depth`, round a crowd.
fn layers(world: &World, rng: &mut Rng, size: usize, ends: bool, depth: u32) {
    let layer = if depth == 0 { 11 } else { rng.below(12) };
    match layer {
        0 => drop(timeout(rng.millis(100), || {
            layers(world, rng, size, ends, depth - 1)
        })),
        1 => drop(move_on_at(Instant::now() + rng.millis(100), || {
            layers(world, rng, size, ends, depth - 1);
        })),
        2 if size < 20 => shield(|| layers(world, rng, size, true, depth - 1)),
        3 => {
            world.opened.set(world.opened.get() + 1);
            let slow = Slow(Rc::clone(&world.closed), rng.millis(5));
            let _closed = with(slow, |_| {
                layers(world, rng, size, ends, depth - 1);
                Ok::<_, ()>(())
            });
        }
        4 | 5 => {
            let mut builder = CancelScope::builder();
            let mut ends = ends;
            match rng.below(4) {
                0 => builder = builder.delivery(Delivery::Error),
                1 => builder = builder.delivery(Delivery::Unwind),
                2 if size < 20 => {
                    builder = builder.shield();
                    ends = true;
                }
                _ => builder = builder.deadline(Instant::now() + rng.millis(200)),
            }
            let scope = builder.build();
            world.show(rng, &scope);
            let _caught = scope.run(|| layers(world, rng, size, ends, depth - 1));
        }
        _ if size == 0 => (0..1 + rng.below(3)).for_each(|_| world.wait(rng, ends)),
        _ => crowd(world, rng, size, ends),
    }
}

/// The handle of a child, of whatever kind.
trait Child {
    fn wait(self: Box<Self>);
    fn cancel(&self);
}

impl Child for ScopedJoinHandle<'_, ()> {
    fn wait(self: Box<Self>) {
        let _ended = self.try_join();
    }

    fn cancel(&self) {
        ScopedJoinHandle::cancel(self);
    }
}

impl Child for SupervisedJoinHandle<'_, ()> {
    fn wait(self: Box<Self>) {
        let _ended = self.join();
    }

    fn cancel(&self) {
        SupervisedJoinHandle::cancel(self);
    }
}

/// A scope with `size` tasks in it. None is alive when it has ended, however.
fn crowd(world: &World, rng: &mut Rng, size: usize, ends: bool) {
    let living = Cell::new(0usize);
    let _joined = OnDrop(|| world.survivors.set(world.survivors.get() + living.get()));
    let living = &living;
    // What a child runs: it borrows from this frame to the last.
    let body = |seed, size| {
        let body = world.bodies.token();
        living.set(living.get() + 1);
        let gone = OnDrop(move || living.set(living.get() - 1));
        move || {
            let _guards = (body, gone);
            node(world, seed, size, ends);
        }
    };
    let limit = rng.one_in(20).then(|| 1 + rng.below(4));
    match rng.below(4) {
        0 => scope(|s| {
            limit.into_iter().for_each(|limit| s.set_limit(limit));
            lead(world, rng, size, ends, |seed, size| {
                Box::new(s.spawn(body(seed, size)))
            });
        }),
        1 => supervise(|s| {
            limit.into_iter().for_each(|limit| s.set_limit(limit));
            lead(world, rng, size, ends, |seed, size| {
                Box::new(s.spawn(body(seed, size)))
            });
            if rng.one_in(world.harm) {
                s.cancel_children();
            }
        }),
        2 => supervise(|s| {
            for _ in 0..size.min(2) {
                let (body, wait) = (body(rng.next(), 0), rng.millis(5));
                let _started = s.spawn_started(move |ready| {
                    sleep(wait);
                    ready.set(world.values.token());
                    body();
                });
            }
            lead(world, rng, size.saturating_sub(2), ends, |seed, size| {
                Box::new(s.spawn(body(seed, size)))
            });
        }),
        _ => drop(try_scope(|s| {
            lead(world, rng, size, ends, |seed, size| {
                let body = body(seed, size);
                Box::new(s.spawn(move || {
                    body();
                    world.harmless(&mut Rng(seed))
                }))
            });
            world.harmless(rng)
        })),
    }
}

/// The body of a scope: spawns, waits, joins a few, cancels a few, and leaves.
fn lead<'scope>(
    world: &World,
    rng: &mut Rng,
    size: usize,
    ends: bool,
    spawn: impl Fn(u64, usize) -> Box<dyn Child + 'scope>,
) {
    let mut children = Vec::new();
    let mut left = size;
    while left > 0 {
        let most = [1, 10, left, left][rng.below(4)].min(left);
        let part = 1 + rng.below(most);
        left -= part;
        children.push(spawn(rng.next(), part - 1));
        match rng.below(30) {
            0 => yield_now(),
            1 => sleep(rng.millis(3)),
            2 if rng.one_in(world.harm / 20) => children[rng.below(children.len())].cancel(),
            _ => {}
        }
    }
    for _ in 0..rng.below(3) {
        match rng.below(3) {
            0 if !children.is_empty() => children.swap_remove(rng.below(children.len())).wait(),
            _ => world.wait(rng, ends),
        }
    }
}

/// The main task: lets them run for a while, and makes an end.
fn main_task(world: &Rc<World>, rng: &mut Rng, size: usize) {
    let (seed, w) = (rng.next(), Rc::clone(world));
    let stop = CancelScope::new();
    let root = spawn({
        let stop = stop.clone();
        move || stop.run(|| node(&w, seed, size - 1, false)).is_some()
    });
    match rng.below(8) {
        0 => {}
        1 | 2 => (0..rng.below(100)).for_each(|_| yield_now()),
        3..=5 => sleep(rng.millis(300)),
        _ => {
            // Until all are there; those that cannot be are not waited for.
            let mut turns = 0;
            while world.bodies.made() + 1 < size && turns < 300 {
                sleep(Duration::from_millis(1));
                turns += 1;
            }
        }
    }
    match rng.below(4) {
        0 => {} // it is the end of main that cancels them
        1 => {
            root.cancel();
            let _ended = root.join();
        }
        2 => {
            stop.cancel("all");
            let _ended = root.join();
        }
        _ => {
            // Dropping the handle cancels; nobody joins.
            let root = root.cancel_on_drop();
            let _late = timeout(rng.millis(20), || {
                while !root.is_finished() && checkpoint().is_ok() {
                    sleep(Duration::from_millis(1));
                }
            });
        }
    }
}

/// What kind of run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    AnySchedule,
    Sockets,
}

/// One run from its seed. Returns how many tasks there were, and how many waits.
fn soak(kind: Kind, size: usize, seed: u64) -> (usize, usize) {
    let mut rng = Rng(seed);
    let before = testing::stacks_in_use();
    let mut config = Config::new()
        .clock(Clock::virtual_())
        .event_interval([1, 16, 256][rng.below(3)])
        .budget([0, 1, 128][rng.below(3)]);
    if rng.one_in(4) {
        config = config.delivery(Delivery::Error);
    }
    if kind == Kind::AnySchedule {
        config = config.schedule(Random(seed));
    }
    let mut runtime = Runtime::with(config);
    let sockets = if kind == Kind::Sockets { 4 } else { 0 };
    let world = Rc::new(World::new(size, sockets, &mut rng));
    runtime.run(|| main_task(&world, &mut rng, size));

    let left = runtime.left_over();
    let kept = left.descriptors;
    assert_eq!(
        (left.tasks, left.timers, left.wakers),
        (0, 0, 0),
        "seed {seed}"
    );
    assert!(kept <= 2 * sockets, "{left} of seed {seed}");
    assert_eq!(runtime.next_deadline(), None, "seed {seed}");
    assert_eq!(testing::stacks_in_use(), before, "seed {seed}");
    world.assert_nothing_is_left(seed);
    let mut world = Rc::into_inner(world).unwrap_or_else(|| panic!("seed {seed}: who has it?"));
    let read = world.read.get() + world.left_in_connections();
    assert_eq!(world.written.get(), read, "bytes of seed {seed}");
    // The streams are gone: the runtime hears of it when it looks outside.
    runtime.run(|| sleep(Duration::from_millis(1)));
    let left = runtime.left_over();
    assert!(left.is_nothing(), "{left} of seed {seed}");
    (world.bodies.made() + 1, world.waits.get())
}

fn from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().expect("a number"))
}

/// Runs so many seeds, and says what it came to.
fn soak_many(kind: Kind, size: usize, seeds: u64) {
    let first = from_environment("GREENROOM_SOAK_FIRST", 0);
    let seeds = from_environment("GREENROOM_SOAK_SEEDS", seeds);
    let start = std::time::Instant::now();
    let (mut tasks, mut waits, mut full) = (0, 0, 0);
    for seed in first..first + seeds {
        let (made, waited) = soak(kind, size, seed);
        tasks += made;
        waits += waited;
        full += usize::from(made >= size - size / 10);
    }
    let took = start.elapsed();
    println!(
        "{seeds} runs of at most {size} tasks ({full} had nine tenths of them): {tasks} tasks, {waits} waits, {took:.1?}"
    );
    assert!(
        seeds < 100 || full > 0,
        "the runs are not what they should be"
    );
}

#[test]
fn nothing_is_left_of_a_thousand_tasks() {
    let size = from_environment("GREENROOM_SOAK_TASKS", 1000);
    soak_many(Kind::Plain, usize::try_from(size).unwrap(), 1000);
}

#[test]
fn nothing_is_left_under_any_schedule() {
    soak_many(Kind::AnySchedule, 60, 1000);
}

/// The virtual clock jumps while bytes are on their way, so these runs are not the
/// same each time; what is counted is.
#[test]
fn nothing_is_left_of_tasks_on_sockets() {
    soak_many(Kind::Sockets, 200, 200);
}
