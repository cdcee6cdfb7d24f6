//! tokio's current-thread runtime: stackless tasks, one thread, epoll, as its documentation recommends for one core.
//!
//! Everything runs in spawned tasks, the spawner too: the future given to `block_on` is polled by other rules.
//! Messages from thread to thread go through flume, whose ends block a thread and are awaited in a task alike.
//! Reading and counting of `http` is written out once more here, since a shared function cannot be awaited.

use std::future::Future;
use std::hint::black_box;
use std::io;
use std::thread;
use std::time::Instant;

use ::flume::{Receiver, Sender, bounded, unbounded};
use ::tokio::io::{AsyncReadExt, AsyncWriteExt};
use ::tokio::net::{TcpListener, TcpStream};
use ::tokio::sync::mpsc::channel;
use ::tokio::sync::{Mutex, Semaphore};
use ::tokio::task::{JoinHandle, yield_now};
use ::tokio::time::sleep;
use ::tokio::{runtime, spawn};

use crate::remote::{self, Crossing, Side};
use crate::workload::{BURST, HOUR, Laps, Line, RING, STREAM, Sleepers, Token, rounds, spread};
use crate::{Answer, flume, http};

pub(crate) fn measure(name: &str, n: usize) -> Answer {
    runtime()?.block_on(async {
        let body = match name {
            "yield" => spawn(yields(n)),
            "spawn" => spawn(spawn_and_join(n)),
            "spawnmany" => spawn(spawn_bursts(n)),
            "pingpong" => spawn(ping_pong(n)),
            "stream" => spawn(stream(n)),
            "ring" => spawn(ring(n)),
            "lock" => spawn(lock(n)),
            "acquire" => spawn(acquire(n)),
            "remote-in" => spawn(remote_in(n, bounded(STREAM))),
            "remote-out" => spawn(remote_out(n, bounded(STREAM))),
            "remote-two" => spawn(remote_two(n, bounded(STREAM))),
            "remote-in-unbounded" => spawn(remote_in(n, unbounded())),
            "remote-out-unbounded" => spawn(remote_out(n, unbounded())),
            "remote-two-unbounded" => spawn(remote_two(n, unbounded())),
            "remote-pingpong" => spawn(remote_ping_pong(n)),
            "sleepers" => spawn(sleepers(n)),
            "timers" => spawn(timers(n)),
            "timers-warm" => spawn(timers_warm(n)),
            "http" => return join(spawn(serve(n))).await?.map(|()| None),
            _ => return Ok(None),
        };
        join(body).await?.map(Some)
    })
}

fn runtime() -> io::Result<runtime::Runtime> {
    runtime::Builder::new_current_thread().enable_all().build()
}

async fn join<T>(handle: JoinHandle<T>) -> io::Result<T> {
    handle.await.map_err(io::Error::other)
}

/// A descriptor and a timer that are waited for while something else is measured.
async fn bystanders() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    drop(spawn(async move { listener.accept().await.is_ok() }));
    drop(spawn(sleep(HOUR)));
    Ok(())
}

async fn yields(n: usize) -> io::Result<Line> {
    let laps = Laps::leaked(n, rounds(n));
    bystanders().await?;
    let tasks: Vec<_> = (0..n).map(|_| spawn(lap(laps))).collect();
    for task in tasks {
        join(task).await?;
    }
    laps.line()
}

/// `Laps::run`, with its yields awaited.
async fn lap(laps: &'static Laps) {
    laps.arrive();
    while laps.is_waiting() {
        yield_now().await;
    }
    for _ in 0..laps.start() {
        yield_now().await;
    }
    laps.finish();
    while laps.is_racing() {
        yield_now().await;
    }
}

async fn spawn_and_join(n: usize) -> io::Result<Line> {
    let begin = Instant::now();
    for i in 0..n {
        black_box(join(spawn(async move { i })).await?);
    }
    Ok(Line::each(n, begin.elapsed(), n))
}

/// One burst that is not counted, then the bursts that are.
async fn spawn_bursts(n: usize) -> io::Result<Line> {
    let bursts = n.div_ceil(BURST);
    let mut handles = Vec::with_capacity(BURST);
    let mut begin = Instant::now();
    for nth in 0..=bursts {
        if nth == 1 {
            begin = Instant::now();
        }
        handles.extend((0..BURST).map(|i| {
            spawn(async move {
                yield_now().await;
                i
            })
        }));
        for handle in handles.drain(..) {
            black_box(join(handle).await?);
        }
    }
    Ok(Line::each(bursts * BURST, begin.elapsed(), bursts * BURST))
}

/// Two tasks and two channels of capacity 1; a round trip is one message each way.
async fn ping_pong(n: usize) -> io::Result<Line> {
    let (ping, mut pinged) = channel::<usize>(1);
    let (pong, mut ponged) = channel::<usize>(1);
    let echo = spawn(async move {
        while let Some(i) = pinged.recv().await {
            if pong.send(i).await.is_err() {
                break;
            }
        }
    });
    let player = spawn(async move {
        let begin = Instant::now();
        for i in 0..n {
            if ping.send(i).await.is_err() || ponged.recv().await != Some(i) {
                return Err(io::Error::other("the other side left"));
            }
        }
        Ok(begin.elapsed())
    });
    let time = join(player).await??;
    join(echo).await?;
    Ok(Line::each(n, time, n))
}

async fn stream(n: usize) -> io::Result<Line> {
    let (sender, mut receiver) = channel::<usize>(STREAM);
    let begin = Instant::now();
    let source = spawn(async move {
        for i in 0..n {
            if sender.send(i).await.is_err() {
                break;
            }
        }
    });
    let sink = spawn(async move {
        let mut received = 0;
        while let Some(i) = receiver.recv().await {
            received += usize::from(black_box(i) < n);
        }
        received
    });
    join(source).await?;
    let received = join(sink).await?;
    Ok(Line::each(received, begin.elapsed(), received))
}

async fn ring(n: usize) -> io::Result<Line> {
    let token = Token::leaked(n);
    let (first, mut inbox) = channel::<usize>(1);
    first.send(token.first()).await.map_err(io::Error::other)?;
    let mut tasks = Vec::with_capacity(RING);
    let mut last = Some(first);
    for i in 0..RING {
        let (next, next_inbox) = channel::<usize>(1);
        let next = if i + 1 == RING {
            last.take().unwrap_or(next)
        } else {
            next
        };
        let mut own = std::mem::replace(&mut inbox, next_inbox);
        tasks.push(spawn(async move {
            while let Some(left) = own.recv().await {
                match token.pass(left) {
                    Some(left) if next.send(left).await.is_ok() => {}
                    _ => break,
                }
            }
        }));
    }
    for task in tasks {
        join(task).await?;
    }
    token.line()
}

/// Never waited for; yet each 128th time the runtime makes the task yield, as it does to every task.
async fn lock(n: usize) -> io::Result<Line> {
    let mutex = Mutex::new(0);
    let begin = Instant::now();
    for _ in 0..n {
        let mut counted = black_box(&mutex).lock().await;
        *counted += 1;
        black_box(&mutex);
    }
    Line::counted(n, begin.elapsed(), mutex.into_inner())
}

/// As `lock`, with a semaphore of one permit.
async fn acquire(n: usize) -> io::Result<Line> {
    let semaphore = Semaphore::new(1);
    let mut acquired = 0;
    let begin = Instant::now();
    for _ in 0..n {
        let permit = black_box(&semaphore).acquire().await;
        acquired += usize::from(permit.is_ok());
        black_box(&semaphore);
    }
    Line::counted(n, begin.elapsed(), acquired)
}

/// From a plain thread to a task.
async fn remote_in(n: usize, channel: (Sender<u64>, Receiver<u64>)) -> io::Result<Line> {
    let (sender, receiver) = channel;
    let crossing = Crossing::leaked(n)?;
    bystanders().await?;
    let send = move |i| sender.send(i).is_ok();
    let source = thread::spawn(move || crossing.send_all(Side::Other, send));
    let sink = spawn(flume::receive_all(crossing, Side::Runtime, receiver));
    let line = join(sink).await??;
    remote::join(source)?;
    Ok(line)
}

/// From a task to a plain thread.
async fn remote_out(n: usize, channel: (Sender<u64>, Receiver<u64>)) -> io::Result<Line> {
    let (sender, receiver) = channel;
    let crossing = Crossing::leaked(n)?;
    bystanders().await?;
    let recv = move || receiver.recv().ok();
    let sink = thread::spawn(move || crossing.receive_all(Side::Other, recv));
    let source = spawn(flume::send_all(crossing, Side::Runtime, sender));
    join(source).await??;
    remote::join(sink)
}

/// From a task of another runtime, on another thread, to a task of this one.
async fn remote_two(n: usize, channel: (Sender<u64>, Receiver<u64>)) -> io::Result<Line> {
    let (sender, receiver) = channel;
    let crossing = Crossing::leaked(n)?;
    bystanders().await?;
    let source = elsewhere(flume::send_all(crossing, Side::Other, sender));
    let sink = spawn(flume::receive_all(crossing, Side::Runtime, receiver));
    let line = join(sink).await??;
    remote::join(source)?;
    Ok(line)
}

/// A task of another runtime, on another thread, and a task of this one.
async fn remote_ping_pong(n: usize) -> io::Result<Line> {
    let (ping, pinged) = bounded(1);
    let (pong, ponged) = bounded(1);
    let crossing = Crossing::leaked(n)?;
    bystanders().await?;
    let echo = elsewhere(flume::echo(crossing, Side::Other, pong, pinged));
    let player = spawn(flume::play(crossing, Side::Runtime, ping, ponged));
    let line = join(player).await??;
    remote::join(echo)?;
    Ok(line)
}

/// One more runtime, on a thread of its own, with one task.
fn elsewhere(
    body: impl Future<Output = io::Result<()>> + Send + 'static,
) -> thread::JoinHandle<io::Result<()>> {
    thread::spawn(|| {
        runtime()?.block_on(async {
            bystanders().await?;
            join(spawn(body)).await?
        })
    })
}

async fn sleepers(n: usize) -> io::Result<Line> {
    let sleepers = Sleepers::leaked("tokio", n)?;
    for _ in 0..n {
        drop(spawn(async {
            sleep(sleepers.lie_down()).await;
            sleepers.wake();
        }));
    }
    while let Some(pause) = sleepers.pause() {
        sleep(pause).await;
    }
    sleep(sleepers.settle()).await;
    sleepers.print_and_exit()
}

async fn timers(n: usize) -> io::Result<Line> {
    let begin = Instant::now();
    let tasks: Vec<_> = (0..n)
        .map(|i| spawn(async move { sleep(spread(i, n)).await }))
        .collect();
    for task in tasks {
        join(task).await?;
    }
    Ok(Line::seconds(n, begin.elapsed()))
}

async fn timers_warm(n: usize) -> io::Result<Line> {
    let tasks: Vec<_> = (0..n).map(|_| spawn(yield_now())).collect();
    for task in tasks {
        join(task).await?;
    }
    timers(n).await
}

async fn serve(port: usize) -> io::Result<()> {
    let listener = TcpListener::bind(http::address(port)?).await?;
    http::ready("tokio", listener.local_addr()?)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        // A connection that breaks ends its own task only.
        drop(spawn(connection(stream)));
    }
}

/// `http::serve`, with its reads and writes awaited.
async fn connection(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = [0; http::BUFFER];
    let mut requests = http::Requests::default();
    loop {
        let len = stream.read(&mut buffer).await?;
        if len == 0 {
            return Ok(());
        }
        for piece in http::replies(requests.count(&buffer[..len])) {
            stream.write_all(piece).await?;
        }
    }
}
