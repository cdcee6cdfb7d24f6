//! monoio on its epoll driver: stackless tasks that never leave their thread; channels and semaphores from local-sync,
//! which is made for it.
//!
//! Everything runs in spawned tasks, the spawner too, as with tokio. What it lacks: a mutex, and a yield. A task that
//! wakes itself goes to the front of monoio's queue and is polled again at once, so nobody else would have a turn;
//! here one task more, the usher, wakes those that yielded, in their order, once for all of a round. Each yield then
//! costs a waker and its share of the usher, which is the least that takes turns.
//! io_uring, its other driver, is left out: all the others here are on epoll.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::hint::black_box;
use std::io;
use std::task::{Poll, Waker};
use std::thread;
use std::time::Instant;

use ::flume::{Receiver, Sender, bounded, unbounded};
use ::local_sync::mpsc::bounded::channel;
use ::local_sync::semaphore::Semaphore;
use ::monoio::net::TcpListener;
use ::monoio::time::{TimeDriver, sleep};
use ::monoio::{LegacyDriver, Runtime, RuntimeBuilder, spawn};

use crate::remote::{self, Crossing, Side};
use crate::workload::{BURST, HOUR, Laps, Line, RING, STREAM, Token, rounds};
use crate::{Answer, flume};

pub(crate) fn measure(name: &str, n: usize) -> Answer {
    if name.starts_with("remote-") && !cfg!(feature = "monoio-sync") {
        return Ok(None);
    }
    runtime()?.block_on(async {
        let body = match name {
            "yield" => spawn(yields(n)),
            "spawn" => spawn(spawn_and_join(n)),
            "spawnmany" => spawn(spawn_bursts(n)),
            "pingpong" => spawn(ping_pong(n)),
            "stream" => spawn(stream(n)),
            "ring" => spawn(ring(n)),
            "acquire" => spawn(acquire(n)),
            "remote-in" => spawn(remote_in(n, bounded(STREAM))),
            "remote-out" => spawn(remote_out(n, bounded(STREAM))),
            "remote-two" => spawn(remote_two(n, bounded(STREAM))),
            "remote-in-unbounded" => spawn(remote_in(n, unbounded())),
            "remote-out-unbounded" => spawn(remote_out(n, unbounded())),
            "remote-two-unbounded" => spawn(remote_two(n, unbounded())),
            "remote-pingpong" => spawn(remote_ping_pong(n)),
            _ => return Ok(None),
        };
        body.await.map(Some)
    })
}

fn runtime() -> io::Result<Runtime<TimeDriver<LegacyDriver>>> {
    RuntimeBuilder::<TimeDriver<LegacyDriver>>::new().build()
}

/// Those who yielded, and the usher who wakes them.
#[derive(Debug, Default)]
struct Turns {
    waiting: RefCell<Vec<Waker>>,
    usher: RefCell<Option<Waker>>,
}

impl Turns {
    /// Leaked, since tasks outlive what borrows them, and counting references is not what is measured.
    fn leaked() -> &'static Self {
        let turns: &'static Self = Box::leak(Box::default());
        drop(spawn(poll_fn(|cx| -> Poll<()> {
            for waker in turns.waiting.borrow_mut().drain(..) {
                waker.wake();
            }
            turns.usher.replace(Some(cx.waker().clone()));
            Poll::Pending
        })));
        turns
    }

    /// Lets all who are ready run once.
    async fn yield_now(&self) {
        let mut yielded = false;
        poll_fn(|cx| {
            if std::mem::replace(&mut yielded, true) {
                return Poll::Ready(());
            }
            self.waiting.borrow_mut().push(cx.waker().clone());
            if let Some(usher) = self.usher.take() {
                usher.wake();
            }
            Poll::Pending
        })
        .await;
    }
}

/// A descriptor and a timer that are waited for while something else is measured.
fn bystanders() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    drop(spawn(async move { listener.accept().await.is_ok() }));
    drop(spawn(sleep(HOUR)));
    Ok(())
}

async fn yields(n: usize) -> io::Result<Line> {
    let laps = Laps::leaked(n, rounds(n));
    let turns = Turns::leaked();
    bystanders()?;
    let tasks: Vec<_> = (0..n).map(|_| spawn(lap(laps, turns))).collect();
    for task in tasks {
        task.await;
    }
    laps.line()
}

/// `Laps::run`, with its yields awaited.
async fn lap(laps: &'static Laps, turns: &'static Turns) {
    laps.arrive();
    while laps.is_waiting() {
        turns.yield_now().await;
    }
    for _ in 0..laps.start() {
        turns.yield_now().await;
    }
    laps.finish();
    while laps.is_racing() {
        turns.yield_now().await;
    }
}

async fn spawn_and_join(n: usize) -> io::Result<Line> {
    let begin = Instant::now();
    for i in 0..n {
        black_box(spawn(async move { i }).await);
    }
    Ok(Line::each(n, begin.elapsed(), n))
}

/// One burst that is not counted, then the bursts that are.
async fn spawn_bursts(n: usize) -> io::Result<Line> {
    let bursts = n.div_ceil(BURST);
    let turns = Turns::leaked();
    let mut handles = Vec::with_capacity(BURST);
    let mut begin = Instant::now();
    for nth in 0..=bursts {
        if nth == 1 {
            begin = Instant::now();
        }
        handles.extend((0..BURST).map(|i| {
            spawn(async move {
                turns.yield_now().await;
                i
            })
        }));
        for handle in handles.drain(..) {
            black_box(handle.await);
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
    let time = player.await?;
    echo.await;
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
    source.await;
    let received = sink.await;
    Ok(Line::each(received, begin.elapsed(), received))
}

async fn ring(n: usize) -> io::Result<Line> {
    let token = Token::leaked(n);
    let (first, mut inbox) = channel::<usize>(1);
    let sent = first.send(token.first()).await;
    sent.map_err(|_| io::Error::other("the first channel is closed"))?;
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
        task.await;
    }
    token.line()
}

/// One task, nobody else at the semaphore.
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
    bystanders()?;
    let send = move |i| sender.send(i).is_ok();
    let source = thread::spawn(move || crossing.send_all(Side::Other, send));
    let sink = spawn(flume::receive_all(crossing, Side::Runtime, receiver));
    let line = sink.await?;
    remote::join(source)?;
    Ok(line)
}

/// From a task to a plain thread.
async fn remote_out(n: usize, channel: (Sender<u64>, Receiver<u64>)) -> io::Result<Line> {
    let (sender, receiver) = channel;
    let crossing = Crossing::leaked(n)?;
    bystanders()?;
    let recv = move || receiver.recv().ok();
    let sink = thread::spawn(move || crossing.receive_all(Side::Other, recv));
    let source = spawn(flume::send_all(crossing, Side::Runtime, sender));
    source.await?;
    remote::join(sink)
}

/// From a task of another runtime, on another thread, to a task of this one.
async fn remote_two(n: usize, channel: (Sender<u64>, Receiver<u64>)) -> io::Result<Line> {
    let (sender, receiver) = channel;
    let crossing = Crossing::leaked(n)?;
    bystanders()?;
    let source = elsewhere(flume::send_all(crossing, Side::Other, sender));
    let sink = spawn(flume::receive_all(crossing, Side::Runtime, receiver));
    let line = sink.await?;
    remote::join(source)?;
    Ok(line)
}

/// A task of another runtime, on another thread, and a task of this one.
async fn remote_ping_pong(n: usize) -> io::Result<Line> {
    let (ping, pinged) = bounded(1);
    let (pong, ponged) = bounded(1);
    let crossing = Crossing::leaked(n)?;
    bystanders()?;
    let echo = elsewhere(flume::echo(crossing, Side::Other, pong, pinged));
    let player = spawn(flume::play(crossing, Side::Runtime, ping, ponged));
    let line = player.await?;
    remote::join(echo)?;
    Ok(line)
}

/// One more runtime, on a thread of its own, with one task.
fn elsewhere(
    body: impl Future<Output = io::Result<()>> + Send + 'static,
) -> thread::JoinHandle<io::Result<()>> {
    thread::spawn(|| {
        runtime()?.block_on(async {
            bystanders()?;
            spawn(body).await
        })
    })
}
