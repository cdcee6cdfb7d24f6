//! greenroom: one thread, stackful tasks, everything through the crate's public names.
//!
//! No `unsafe`, and no setting but the stack size: what is measured is what a program gets.

use std::hint::black_box;
use std::io;
use std::thread;
use std::time::Instant;

use ::greenroom::net::TcpListener;
use ::greenroom::sync::remote::{self, Receiver, Sender};
use ::greenroom::sync::{Mutex, Semaphore, bounded};
use ::greenroom::{Config, JoinHandle, Runtime, sleep, spawn, yield_now};

use crate::remote::{Crossing, Side, join as join_thread};
use crate::workload::{
    BURST, HOUR, Laps, Line, RING, STACK, STREAM, Sleepers, Token, rounds, spread,
};
use crate::{Answer, http};

pub(crate) fn measure(name: &str, n: usize) -> Answer {
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
        "remote-in" => |n| remote_in(n, remote::bounded(STREAM)),
        "remote-out" => |n| remote_out(n, remote::bounded(STREAM)),
        "remote-two" => |n| remote_two(n, remote::bounded(STREAM)),
        "remote-in-unbounded" => |n| remote_in(n, remote::unbounded()),
        "remote-out-unbounded" => |n| remote_out(n, remote::unbounded()),
        "remote-two-unbounded" => |n| remote_two(n, remote::unbounded()),
        "remote-pingpong" => remote_ping_pong,
        "sleepers" => sleepers,
        "timers" => timers,
        "timers-warm" => timers_warm,
        "http" => return runtime().run(|| serve(n)).map(|()| None),
        _ => return Ok(None),
    };
    runtime().run(|| body(n)).map(Some)
}

/// Tasks get as much stack as those of the other stackful runtimes.
fn runtime() -> Runtime {
    Runtime::with(Config::new().stack_size(STACK))
}

/// In line, as where a program calls `join` itself: a call between a wait and the loop around it is a return that
/// the processor predicts wrongly after each switch.
#[inline(always)]
fn join<T>(handle: JoinHandle<T>) -> io::Result<T> {
    handle.join().map_err(io::Error::other)
}

/// No scheduler: a generator is an iterator by itself.
fn generator(n: usize) -> io::Result<Line> {
    let mut numbers = ::greenroom::generator(|yielder| {
        let mut i = 0_u64;
        loop {
            yielder.yield_(i);
            i += 1;
        }
    });
    let begin = Instant::now();
    for value in numbers.by_ref().take(n) {
        black_box(value);
    }
    Ok(Line::each(n, begin.elapsed(), n))
}

/// A descriptor and a timer that are waited for while something else is measured: else the loop might never look
/// at either.
fn bystanders() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    drop(spawn(move || listener.accept().is_ok()));
    drop(spawn(|| sleep(HOUR)));
    Ok(())
}

fn yields(n: usize) -> io::Result<Line> {
    let laps = Laps::leaked(n, rounds(n));
    bystanders()?;
    let tasks: Vec<_> = (0..n).map(|_| spawn(|| take_turns(laps))).collect();
    for task in tasks {
        join(task)?;
    }
    laps.line()
}

/// `Laps::run` written out, so that each loop calls `yield_now` itself, as a program would.
fn take_turns(laps: &Laps) {
    laps.arrive();
    while laps.is_waiting() {
        yield_now();
    }
    for _ in 0..laps.start() {
        yield_now();
    }
    laps.finish();
    while laps.is_racing() {
        yield_now();
    }
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

/// Two tasks and two channels of capacity 1; a round trip is one message each way.
fn ping_pong(n: usize) -> io::Result<Line> {
    let (ping, pinged) = bounded::<usize>(1);
    let (pong, ponged) = bounded::<usize>(1);
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
            if ping.send(i).is_err() || ponged.recv().ok() != Some(i) {
                return Err(io::Error::other("the other side left"));
            }
        }
        Ok(begin.elapsed())
    });
    let time = join(player)??;
    join(echo)?;
    Ok(Line::each(n, time, n))
}

fn stream(n: usize) -> io::Result<Line> {
    let (sender, receiver) = bounded::<usize>(STREAM);
    let begin = Instant::now();
    let source = spawn(move || (0..n).all(|i| sender.send(i).is_ok()));
    let sink = spawn(move || {
        let mut received = 0;
        while let Ok(i) = receiver.recv() {
            received += usize::from(black_box(i) < n);
        }
        received
    });
    join(source)?;
    let received = join(sink)?;
    Ok(Line::each(received, begin.elapsed(), received))
}

fn ring(n: usize) -> io::Result<Line> {
    let token = Token::leaked(n);
    let (first, mut inbox) = bounded::<usize>(1);
    first
        .send(token.first())
        .map_err(|_| io::Error::other("the first channel is closed"))?;
    let mut tasks = Vec::with_capacity(RING);
    let mut last = Some(first);
    for i in 0..RING {
        let (next, next_inbox) = bounded::<usize>(1);
        let next = if i + 1 == RING {
            last.take().unwrap_or(next)
        } else {
            next
        };
        let own = std::mem::replace(&mut inbox, next_inbox);
        tasks.push(spawn(move || {
            while let Ok(left) = own.recv() {
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
        let mut counted = black_box(&mutex).lock();
        *counted += 1;
        black_box(&mutex);
    }
    Line::counted(n, begin.elapsed(), mutex.into_inner())
}

/// One task, nobody else at the semaphore.
fn acquire(n: usize) -> io::Result<Line> {
    let semaphore = Semaphore::new(1);
    let mut acquired = 0;
    let begin = Instant::now();
    for _ in 0..n {
        let _permit = black_box(&semaphore).acquire();
        acquired += 1;
        black_box(&semaphore);
    }
    Line::counted(n, begin.elapsed(), acquired)
}

/// From a plain thread to a task.
fn remote_in(n: usize, channel: (Sender<u64>, Receiver<u64>)) -> io::Result<Line> {
    let (sender, receiver) = channel;
    let crossing = Crossing::leaked(n)?;
    bystanders()?;
    let send = move |i| sender.send(i).is_ok();
    let source = thread::spawn(move || crossing.send_all(Side::Other, send));
    let recv = move || receiver.recv().ok();
    let sink = spawn(move || crossing.receive_all(Side::Runtime, recv));
    let line = join(sink)??;
    join_thread(source)?;
    Ok(line)
}

/// From a task to a plain thread.
fn remote_out(n: usize, channel: (Sender<u64>, Receiver<u64>)) -> io::Result<Line> {
    let (sender, receiver) = channel;
    let crossing = Crossing::leaked(n)?;
    bystanders()?;
    let recv = move || receiver.recv().ok();
    let sink = thread::spawn(move || crossing.receive_all(Side::Other, recv));
    let send = move |i| sender.send(i).is_ok();
    join(spawn(move || crossing.send_all(Side::Runtime, send)))??;
    join_thread(sink)
}

/// From a task of another runtime, on another thread, to a task of this one.
fn remote_two(n: usize, channel: (Sender<u64>, Receiver<u64>)) -> io::Result<Line> {
    let (sender, receiver) = channel;
    let crossing = Crossing::leaked(n)?;
    bystanders()?;
    let send = move |i| sender.send(i).is_ok();
    let source = elsewhere(move || crossing.send_all(Side::Other, send));
    let recv = move || receiver.recv().ok();
    let sink = spawn(move || crossing.receive_all(Side::Runtime, recv));
    let line = join(sink)??;
    join_thread(source)?;
    Ok(line)
}

/// A task of another runtime, on another thread, and a task of this one.
fn remote_ping_pong(n: usize) -> io::Result<Line> {
    let (ping, pinged) = remote::bounded(1);
    let (pong, ponged) = remote::bounded(1);
    let crossing = Crossing::leaked(n)?;
    bystanders()?;
    let send = move |i| pong.send(i).is_ok();
    let echo = elsewhere(move || crossing.echo(Side::Other, send, || pinged.recv().ok()));
    let send = move |i| ping.send(i).is_ok();
    let player = spawn(move || crossing.play(Side::Runtime, send, || ponged.recv().ok()));
    let line = join(player)??;
    join_thread(echo)?;
    Ok(line)
}

/// One more runtime, on a thread of its own, with one task.
fn elsewhere(
    body: impl FnOnce() -> io::Result<()> + Send + 'static,
) -> thread::JoinHandle<io::Result<()>> {
    thread::spawn(|| {
        runtime().run(|| {
            bystanders()?;
            join(spawn(body))?
        })
    })
}

fn sleepers(n: usize) -> io::Result<Line> {
    let sleepers = Sleepers::leaked("greenroom", n)?;
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
    http::ready("greenroom", listener.local_addr()?)?;
    for stream in listener.incoming() {
        let stream = stream?;
        stream.set_nodelay(true)?;
        // A connection that breaks ends its own task only.
        drop(spawn(move || http::serve(stream)));
    }
    Ok(())
}
