//! What the crate does where nothing can be unwound, and on the main thread of a
//! process. One case per run, named by the only argument; see ../../panic_abort.rs.

use std::convert::Infallible;
use std::hint::black_box;
use std::time::Duration;

use greenroom::sync::bounded;
use greenroom::{
    Builder, Clock, Close, Config, Coroutine, CoroutineBuilder, Delivery, Generator, Runtime,
    Yielder, generator, park, run, scope, shield, sleep, spawn, timeout, try_gather, try_scope,
    with, yield_now,
};

/// Says a line when it is dropped.
struct Loud(&'static str);

impl Drop for Loud {
    fn drop(&mut self) {
        println!("{} dropped", self.0);
    }
}

fn main() {
    let case = std::env::args().nth(1).unwrap_or_default();
    match case.as_str() {
        "normal" => normal(),
        "alive" => alive(),
        "reuse" => reuse(),
        "runtime dropped" => runtime_dropped(),
        "unstarted" => unstarted(),
        "coroutine" => coroutine(),
        "generator" => drop_generator(),
        "scope ended" => scoped_generator(usize::MAX),
        "scope suspended" => scoped_generator(2),
        "deadlock" => run(|| {
            Builder::new()
                .name("stuck")
                .spawn(park)
                .map(drop)
                .unwrap_or_default();
            park();
        }),
        "structure" => structure(),
        "unwinding chosen" => unwinding_chosen(),
        "panic" => run(|| {
            let _ended = spawn(|| panic!("no way back")).join();
        }),
        "overflow" => overflow(),
        other => println!("no such case: {other}"),
    }
    println!("the end");
}

fn normal() {
    let clock = Clock::virtual_();
    let sum: u32 = Runtime::with(Config::new().clock(clock.clone())).run(|| {
        let (send, receive) = bounded(1);
        let sender = spawn(move || {
            let _loud = Loud("sender");
            for n in 1..=3 {
                sleep(Duration::from_secs(1));
                let _sent = send.send(n);
            }
        });
        let doubled = generator(move |y: &Yielder<(), u32>| {
            for n in receive {
                y.yield_(2 * n);
            }
        });
        let sum = doubled.sum();
        let _ended = sender.join();
        sum
    });
    println!("sum {sum} after {:?}", clock.elapsed());
}

/// Scopes and cancellation without unwinding: calls fail instead.
fn structure() {
    let clock = Clock::virtual_();
    let config = Config::new().clock(clock.clone());
    Runtime::with(config).run(|| {
        let second = Duration::from_secs(1);
        let (_send, receive) = bounded::<u32>(1);
        println!("{:?}", timeout(second, || receive.recv()));
        println!(
            "{:?} at {:?}",
            timeout(second, || sleep(9 * second)),
            clock.elapsed()
        );

        let words = ["to", "be"];
        let lengths = scope(|s| {
            let children = words.each_ref().map(|word| s.spawn(move || word.len()));
            children.map(|child| child.join())
        });
        println!("{lengths:?}");

        let failed: Result<(), &str> = try_scope(|s| {
            let waits = s.spawn(|| receive.recv().map_err(|_| "received nothing"));
            s.spawn(|| {
                let _loud = Loud("failing child");
                Err::<(), _>("failed")
            });
            println!("{:?}", waits.try_join().map_err(|error| error.to_string()));
            Ok(())
        });
        println!("{failed:?}");
        let gathered: Result<(u32, u32), &str> =
            try_gather((|| receive.recv().map_err(|_| "cut short"), || Err("no")));
        println!("{gathered:?}");

        let (_other, never) = bounded::<u32>(1);
        let task = spawn(move || never.recv());
        yield_now();
        task.cancel();
        println!("{:?}", task.join().ok());
        println!(
            "{:?}",
            shield(|| with(Loud("closed"), |_| Ok::<_, Infallible>(7)))
        );
    });
    println!("at {:?}", clock.elapsed());
}

impl Close for Loud {
    type Error = Infallible;

    fn close(self) -> Result<(), Infallible> {
        sleep(Duration::from_secs(1));
        Ok(())
    }
}

fn unwinding_chosen() {
    Runtime::with(Config::new().delivery(Delivery::Unwind)).run(|| {
        let task = spawn(park);
        yield_now();
        task.cancel();
        let _ended = task.join();
    });
}

fn alive() {
    let value = run(|| {
        for _ in 0..3 {
            spawn(|| {
                let _loud = Loud("task");
                park();
            });
        }
        yield_now();
        7
    });
    println!("run returned {value}");
}

fn reuse() {
    let mut rt = Runtime::new();
    rt.run(|| {
        spawn(|| {
            let _loud = Loud("task");
            println!("task begins");
            yield_now();
            println!("task goes on");
        });
        yield_now();
    });
    println!("alive {}", rt.tasks_alive());
    rt.run(|| {
        yield_now();
        yield_now();
    });
    println!("alive {}", rt.tasks_alive());
}

fn runtime_dropped() {
    let mut rt = Runtime::new();
    let _task = rt.spawn(|| {
        let _loud = Loud("task");
        park();
    });
    let _turn = rt.turn();
    drop(rt);
    println!("went on");
}

fn unstarted() {
    let loud = Loud("body");
    drop(Coroutine::new(move |_: &Yielder<(), ()>, ()| drop(loud)));
    println!("went on");
}

fn coroutine() {
    let c = Coroutine::new(|y: &Yielder<(), u32>, ()| {
        let _loud = Loud("body");
        y.yield_(1);
    });
    println!("{:?}", c.resume(()));
    drop(c);
    println!("went on");
}

fn drop_generator() {
    let mut g = generator(|y: &Yielder<(), u32>| {
        let _loud = Loud("body");
        y.yield_(1);
    });
    println!("{:?}", g.next());
    drop(g);
    // Its stack is not used again.
    for n in 0..100 {
        let mut other = generator(move |y: &Yielder<(), u32>| y.yield_(n));
        assert_eq!((other.next(), other.next()), (Some(n), None));
    }
    println!("went on");
}

fn scoped_generator(count: usize) {
    let words = ["to", "be", "or"].map(str::to_owned);
    let body = |y: &Yielder<(), usize>| words.iter().for_each(|word| y.yield_(word.len()));
    let sum: usize = Generator::scope(body, |values| values.take(count).sum());
    println!("sum {sum}");
}

fn overflow() {
    #[expect(unconditional_recursion, reason = "that is what it is for")]
    fn dig(n: u64) -> u64 {
        black_box(n) + black_box(dig(black_box(n + 1)))
    }
    let body = |y: &Yielder<(), u64>| y.yield_(dig(0));
    let builder = CoroutineBuilder::new().name("digger").stack_size(64 * 1024);
    if let Ok(mut g) = builder.generator(body) {
        println!("{:?}", g.next());
    }
}
