//! tokio's current-thread runtime: stackless tasks, one thread, epoll, as its documentation recommends for one core.
//!
//! Everything runs in spawned tasks, the spawner too: the future given to `block_on` is polled by other rules.
//! Reading and counting of `http` is written out once more here, since a shared function cannot be awaited.

use std::hint::black_box;
use std::io;
use std::time::Instant;

use ::tokio::io::{AsyncReadExt, AsyncWriteExt};
use ::tokio::net::{TcpListener, TcpStream};
use ::tokio::sync::mpsc::channel;
use ::tokio::task::{JoinHandle, yield_now};
use ::tokio::time::sleep;
use ::tokio::{runtime, spawn};

use crate::workload::{BURST, HOUR, Laps, Line, RING, STREAM, Sleepers, Token, rounds, spread};
use crate::{Answer, http};

pub(crate) fn measure(name: &str, n: usize) -> Answer {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let body = match name {
            "yield" => spawn(yields(n)),
            "spawn" => spawn(spawn_and_join(n)),
            "spawnmany" => spawn(spawn_bursts(n)),
            "pingpong" => spawn(ping_pong(n)),
            "stream" => spawn(stream(n)),
            "ring" => spawn(ring(n)),
            "sleepers" => spawn(sleepers(n)),
            "timers" => spawn(timers(n)),
            "timers-warm" => spawn(timers_warm(n)),
            "http" => return join(spawn(serve(n))).await?.map(|()| None),
            _ => return Ok(None),
        };
        join(body).await?.map(Some)
    })
}

async fn join<T>(handle: JoinHandle<T>) -> io::Result<T> {
    handle.await.map_err(io::Error::other)
}

/// With a descriptor and a timer waited for meanwhile, as everywhere.
async fn yields(n: usize) -> io::Result<Line> {
    let laps = Laps::leaked(n, rounds(n));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    drop(spawn(async move { listener.accept().await.is_ok() }));
    drop(spawn(sleep(HOUR)));
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
