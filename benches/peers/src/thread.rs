//! The operating system's threads through std: what blocking code costs without any runtime.
//!
//! Threads are some hundred times dearer than tasks, so each count is cut to a bound here and the line printed
//! says the count that was really done; not so where both threads have a processor each, or there is one thread only.

use std::hint::black_box;
use std::io;
use std::net::TcpListener;
use std::sync::Mutex;
use std::sync::mpsc::{channel, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use crate::remote::{self, Crossing, Side};
use crate::workload::{BURST, Laps, Line, STACK, STREAM};
use crate::{Answer, http};

pub(crate) fn measure(name: &str, n: usize) -> Answer {
    match name {
        "yield" => yields(n.min(1_000)).map(Some),
        "spawn" => spawn_and_join(n.min(20_000)).map(Some),
        "spawnmany" => spawn_bursts(n.min(20_000)).map(Some),
        "pingpong" => ping_pong(n.min(100_000)).map(Some),
        "stream" => stream(n.min(300_000)).map(Some),
        "lock" => lock(n).map(Some),
        "remote-two" => {
            let (sender, receiver) = sync_channel(STREAM);
            let send = move |i| sender.send(i).is_ok();
            remote_two(n, send, move || receiver.recv().ok()).map(Some)
        }
        "remote-two-unbounded" => {
            let (sender, receiver) = channel();
            let send = move |i| sender.send(i).is_ok();
            remote_two(n, send, move || receiver.recv().ok()).map(Some)
        }
        "remote-pingpong" => remote_ping_pong(n).map(Some),
        "http" => serve(n).map(|()| None),
        _ => Ok(None),
    }
}

/// Threads of the same stack size as the tasks; less than std's 2 MiB costs no less, since only touched pages count.
fn spawn<T: Send + 'static>(
    body: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    thread::Builder::new().stack_size(STACK).spawn(body)
}

fn join<T>(handle: JoinHandle<T>) -> io::Result<T> {
    handle
        .join()
        .map_err(|_| io::Error::other("a thread panicked"))
}

/// A tenth of the tasks' yields: the kernel's `sched_yield`, on one core as everything here.
fn yields(n: usize) -> io::Result<Line> {
    let laps = Laps::leaked(n, (1_000_000 / n).max(3));
    let threads = (0..n)
        .map(|_| spawn(|| laps.run(thread::yield_now)))
        .collect::<io::Result<Vec<_>>>()?;
    for thread in threads {
        join(thread)?;
    }
    laps.line()
}

fn spawn_and_join(n: usize) -> io::Result<Line> {
    let begin = Instant::now();
    for i in 0..n {
        black_box(join(spawn(move || i)?)?);
    }
    Ok(Line::each(n, begin.elapsed(), n))
}

/// One burst that is not counted, then the bursts that are.
fn spawn_bursts(n: usize) -> io::Result<Line> {
    let bursts = n.div_ceil(BURST);
    let mut handles = Vec::with_capacity(BURST);
    let mut burst = || -> io::Result<()> {
        for i in 0..BURST {
            handles.push(spawn(move || {
                thread::yield_now();
                i
            })?);
        }
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

/// Two threads and two channels of capacity 1; a round trip is one message each way.
fn ping_pong(n: usize) -> io::Result<Line> {
    let (ping, pinged) = sync_channel::<usize>(1);
    let (pong, ponged) = sync_channel::<usize>(1);
    let echo = spawn(move || {
        for i in pinged {
            if pong.send(i).is_err() {
                break;
            }
        }
    })?;
    let player = spawn(move || {
        let begin = Instant::now();
        for i in 0..n {
            if ping.send(i).is_err() || ponged.recv() != Ok(i) {
                return Err(io::Error::other("the other side left"));
            }
        }
        Ok(begin.elapsed())
    })?;
    let time = join(player)??;
    join(echo)?;
    Ok(Line::each(n, time, n))
}

fn stream(n: usize) -> io::Result<Line> {
    let (sender, receiver) = sync_channel::<usize>(STREAM);
    let begin = Instant::now();
    let source = spawn(move || (0..n).all(|i| sender.send(i).is_ok()))?;
    let sink = spawn(move || {
        receiver
            .iter()
            .map(|i| usize::from(black_box(i) < n))
            .sum::<usize>()
    })?;
    join(source)?;
    let received = join(sink)?;
    Ok(Line::each(received, begin.elapsed(), received))
}

/// One thread, nobody else at the mutex.
fn lock(n: usize) -> io::Result<Line> {
    let mutex = Mutex::new(0);
    let begin = Instant::now();
    for _ in 0..n {
        if let Ok(mut counted) = black_box(&mutex).lock() {
            *counted += 1;
            black_box(&mutex);
        }
    }
    let time = begin.elapsed();
    Line::counted(n, time, mutex.into_inner().unwrap_or(0))
}

/// `stream` once more, with a processor for each thread.
fn remote_two(
    n: usize,
    send: impl Fn(u64) -> bool + Send + 'static,
    recv: impl Fn() -> Option<u64>,
) -> io::Result<Line> {
    let crossing = Crossing::leaked(n)?;
    let source = spawn(move || crossing.send_all(Side::Other, send))?;
    let line = crossing.receive_all(Side::Runtime, recv)?;
    remote::join(source)?;
    Ok(line)
}

/// `pingpong` once more, with a processor for each thread.
fn remote_ping_pong(n: usize) -> io::Result<Line> {
    let (ping, pinged) = sync_channel(1);
    let (pong, ponged) = sync_channel(1);
    let crossing = Crossing::leaked(n)?;
    let send = move |i| pong.send(i).is_ok();
    let echo = spawn(move || crossing.echo(Side::Other, send, || pinged.recv().ok()))?;
    let send = move |i| ping.send(i).is_ok();
    let line = crossing.play(Side::Runtime, send, || ponged.recv().ok())?;
    remote::join(echo)?;
    Ok(line)
}

/// A thread for each connection, blocking reads and writes.
fn serve(port: usize) -> io::Result<()> {
    let listener = TcpListener::bind(http::address(port)?)?;
    http::ready("thread", listener.local_addr()?)?;
    for stream in listener.incoming() {
        let stream = stream?;
        stream.set_nodelay(true)?;
        // A connection that breaks ends its own thread only.
        drop(spawn(move || http::serve(stream))?);
    }
    Ok(())
}
