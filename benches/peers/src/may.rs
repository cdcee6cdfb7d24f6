//! may: stackful coroutines on worker threads, here one worker.
//!
//! Its `spawn` is an `unsafe fn`: a coroutine that is moved to another worker, uses a thread-local or overruns its stack
//! is undefined behaviour. There is one worker here, no body uses a thread-local of its own, and no body needs more
//! than a few kilobytes of its 64; that is the whole of the promise, made once in `spawn` below.
//! What differs from the others: it has no channel of a capacity, so in `pingpong` and `ring` a send never waits, and in
//! `stream` the source is never held back: it does less there. Of its channels the one for a single sender is used,
//! three times as fast as its mpsc. Its timers fire on a thread of its own, as it is made to be used.
#![expect(unsafe_code, reason = "may's spawn is unsafe")]

use std::hint::black_box;
use std::io;
use std::thread;
use std::time::Instant;

use ::may::coroutine::{self, JoinHandle, sleep, yield_now};
use ::may::net::TcpListener;
use ::may::sync::spsc::{Receiver, Sender, channel};
use ::may::sync::{Mutex, Semphore};

use crate::remote::{self, Crossing, Side};
use crate::workload::{BURST, HOUR, Laps, Line, RING, STACK, Sleepers, Token, rounds, spread};
use crate::{Answer, http};

pub(crate) fn measure(name: &str, n: usize) -> Answer {
    // One worker, because all here is measured on one core; stacks are counted in words; the pool keeps one burst and
    // the spawner, where its default would fall one short.
    ::may::config()
        .set_workers(1)
        .set_stack_size(STACK / size_of::<usize>())
        .set_pool_capacity(BURST + 24);
    let body: fn(usize) -> io::Result<Line> = match name {
        "generator" => return generator(n).map(Some),
        "yield" => yields,
        "spawn" => spawn_and_join,
        "spawnmany" => spawn_bursts,
        "pingpong" => ping_pong,
        "stream" => stream,
        "ring" => ring,
        "lock" => lock,
        "acquire" => acquire,
        "remote-in-unbounded" => remote_in,
        "remote-out-unbounded" => remote_out,
        "sleepers" => sleepers,
        "timers" => timers,
        "timers-warm" => timers_warm,
        "http" => return join(spawn(move || serve(n)))?.map(|()| None),
        _ => return Ok(None),
    };
    // The spawner is a coroutine too.
    join(spawn(move || body(n)))?.map(Some)
}

fn spawn<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    // SAFETY: this file's duty, see its head: one worker, no thread-locals in bodies, stacks far from full.
    unsafe { coroutine::spawn(body) }
}

fn join<T>(handle: JoinHandle<T>) -> io::Result<T> {
    handle
        .join()
        .map_err(|_| io::Error::other("a coroutine panicked"))
}

/// generator-rs, the coroutine below may, as an iterator.
fn generator(n: usize) -> io::Result<Line> {
    let mut numbers =
        ::generator::Gn::<()>::new_scoped_opt(STACK / size_of::<usize>(), |mut scope| {
            let mut i = 0_u64;
            loop {
                scope.yield_(i);
                i += 1;
            }
        });
    let begin = Instant::now();
    for value in numbers.by_ref().take(n) {
        black_box(value);
    }
    Ok(Line::each(n, begin.elapsed(), n))
}

/// A descriptor and a timer that are waited for while something else is measured.
fn bystanders() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    drop(spawn(move || listener.accept().is_ok()));
    drop(spawn(|| sleep(HOUR)));
    Ok(())
}

fn yields(n: usize) -> io::Result<Line> {
    let laps = Laps::leaked(n, rounds(n));
    bystanders()?;
    let tasks: Vec<_> = (0..n).map(|_| spawn(|| laps.run(yield_now))).collect();
    for task in tasks {
        join(task)?;
    }
    laps.line()
}

fn spawn_and_join(n: usize) -> io::Result<Line> {
    let begin = Instant::now();
    for i in 0..n {
        black_box(join(spawn(move || i))?);
    }
    Ok(Line::each(n, begin.elapsed(), n))
}

/// One burst that is not counted, then the bursts that are.
fn spawn_bursts(n: usize) -> io::Result<Line> {
    let bursts = n.div_ceil(BURST);
    let mut handles = Vec::with_capacity(BURST);
    let mut burst = || -> io::Result<()> {
        handles.extend((0..BURST).map(|i| {
            spawn(move || {
                yield_now();
                i
            })
        }));
        for handle in handles.drain(..) {
            black_box(join(handle)?);
        }
        Ok(())
    };
    burst()?;
    let begin = Instant::now();
    for _ in 0..bursts {
        burst()?;
    }
    Ok(Line::each(bursts * BURST, begin.elapsed(), bursts * BURST))
}

/// Two tasks and two unbounded channels.
fn ping_pong(n: usize) -> io::Result<Line> {
    let (ping, pinged) = channel::<usize>();
    let (pong, ponged) = channel::<usize>();
    let echo = spawn(move || {
        while let Ok(i) = pinged.recv() {
            if pong.send(i).is_err() {
                break;
            }
        }
    });
    let player = spawn(move || {
        let begin = Instant::now();
        for i in 0..n {
            if ping.send(i).is_err() || ponged.recv() != Ok(i) {
                return Err(io::Error::other("the other side left"));
            }
        }
        Ok(begin.elapsed())
    });
    let time = join(player)??;
    join(echo)?;
    Ok(Line::each(n, time, n))
}

/// An unbounded channel: the source is never held back.
fn stream(n: usize) -> io::Result<Line> {
    let (sender, receiver) = channel::<usize>();
    let begin = Instant::now();
    let source = spawn(move || (0..n).all(|i| sender.send(i).is_ok()));
    let sink = spawn(move || {
        receiver
            .into_iter()
            .map(|i| usize::from(black_box(i) < n))
            .sum::<usize>()
    });
    join(source)?;
    let received = join(sink)?;
    Ok(Line::each(received, begin.elapsed(), received))
}

fn ring(n: usize) -> io::Result<Line> {
    let token = Token::leaked(n);
    let (first, mut inbox) = channel::<usize>();
    first.send(token.first()).map_err(io::Error::other)?;
    let mut tasks = Vec::with_capacity(RING);
    let mut last = Some(first);
    for i in 0..RING {
        let (next, next_inbox) = channel::<usize>();
        let next = if i + 1 == RING {
            last.take().unwrap_or(next)
        } else {
            next
        };
        let own = std::mem::replace(&mut inbox, next_inbox);
        tasks.push(spawn(move || {
            for left in own {
                match token.pass(left) {
                    Some(left) if next.send(left).is_ok() => {}
                    _ => break,
                }
            }
        }));
    }
    for task in tasks {
        join(task)?;
    }
    token.line()
}

/// One task, nobody else at the mutex.
fn lock(n: usize) -> io::Result<Line> {
    let mutex = Mutex::new(0);
    let begin = Instant::now();
    for _ in 0..n {
        // It may be poisoned, as std's; here nobody panics.
        if let Ok(mut counted) = black_box(&mutex).lock() {
            *counted += 1;
            black_box(&mutex);
        }
    }
    let time = begin.elapsed();
    Line::counted(n, time, mutex.into_inner().unwrap_or(0))
}

/// Its semaphore has no guard: what is taken is given back by a call.
fn acquire(n: usize) -> io::Result<Line> {
    let semaphore = Semphore::new(1);
    let mut acquired = 0;
    let begin = Instant::now();
    for _ in 0..n {
        black_box(&semaphore).wait();
        acquired += 1;
        black_box(&semaphore).post();
    }
    Line::counted(n, begin.elapsed(), acquired)
}

/// From a plain thread to a task.
fn remote_in(n: usize) -> io::Result<Line> {
    let (sender, receiver): (Sender<u64>, Receiver<u64>) = channel();
    let crossing = Crossing::leaked(n)?;
    bystanders()?;
    let send = move |i| sender.send(i).is_ok();
    let source = thread::spawn(move || crossing.send_all(Side::Other, send));
    let recv = move || receiver.recv().ok();
    let sink = spawn(move || crossing.receive_all(Side::Runtime, recv));
    let line = join(sink)??;
    remote::join(source)?;
    Ok(line)
}

/// From a task to a plain thread.
fn remote_out(n: usize) -> io::Result<Line> {
    let (sender, receiver): (Sender<u64>, Receiver<u64>) = channel();
    let crossing = Crossing::leaked(n)?;
    bystanders()?;
    let recv = move || receiver.recv().ok();
    let sink = thread::spawn(move || crossing.receive_all(Side::Other, recv));
    let send = move |i| sender.send(i).is_ok();
    join(spawn(move || crossing.send_all(Side::Runtime, send)))??;
    remote::join(sink)
}

fn sleepers(n: usize) -> io::Result<Line> {
    let sleepers = Sleepers::leaked("may", n)?;
    for _ in 0..n {
        drop(spawn(|| {
            sleep(sleepers.lie_down());
            sleepers.wake();
        }));
    }
    while let Some(pause) = sleepers.pause() {
        sleep(pause);
    }
    sleep(sleepers.settle());
    sleepers.print_and_exit()
}

fn timers(n: usize) -> io::Result<Line> {
    let begin = Instant::now();
    let tasks: Vec<_> = (0..n).map(|i| spawn(move || sleep(spread(i, n)))).collect();
    for task in tasks {
        join(task)?;
    }
    Ok(Line::seconds(n, begin.elapsed()))
}

fn timers_warm(n: usize) -> io::Result<Line> {
    let tasks: Vec<_> = (0..n).map(|_| spawn(yield_now)).collect();
    for task in tasks {
        join(task)?;
    }
    timers(n)
}

fn serve(port: usize) -> io::Result<()> {
    let listener = TcpListener::bind(http::address(port)?)?;
    http::ready("may", listener.local_addr()?)?;
    for stream in listener.incoming() {
        let stream = stream?;
        stream.set_nodelay(true)?;
        // A connection that breaks ends its own task only.
        drop(spawn(move || http::serve(stream)));
    }
    Ok(())
}
