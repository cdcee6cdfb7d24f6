//! flume's channels in tasks that await, for the runtimes that have no channel between threads and tasks of their own
//! kind: `Crossing`'s loops, with their sends and receives awaited.

use std::io;

use ::flume::{Receiver, Sender};

use crate::remote::{Crossing, Side, left};
use crate::workload::Line;

pub(crate) async fn send_all(
    crossing: &'static Crossing,
    side: Side,
    sender: Sender<u64>,
) -> io::Result<()> {
    crossing.meet(side)?;
    for i in crossing.messages() {
        sender.send_async(i).await.map_err(io::Error::other)?;
    }
    Ok(())
}

pub(crate) async fn receive_all(
    crossing: &'static Crossing,
    side: Side,
    receiver: Receiver<u64>,
) -> io::Result<Line> {
    crossing.meet(side)?;
    for i in crossing.messages() {
        if receiver.recv_async().await != Ok(i) {
            return Err(left());
        }
    }
    crossing.line()
}

pub(crate) async fn play(
    crossing: &'static Crossing,
    side: Side,
    sender: Sender<u64>,
    receiver: Receiver<u64>,
) -> io::Result<Line> {
    crossing.meet(side)?;
    for i in crossing.messages() {
        if sender.send_async(i).await.is_err() || receiver.recv_async().await != Ok(i) {
            return Err(left());
        }
    }
    crossing.line()
}

pub(crate) async fn echo(
    crossing: &'static Crossing,
    side: Side,
    sender: Sender<u64>,
    receiver: Receiver<u64>,
) -> io::Result<()> {
    crossing.meet(side)?;
    for _ in crossing.messages() {
        let i = receiver.recv_async().await.map_err(io::Error::other)?;
        sender.send_async(i).await.map_err(io::Error::other)?;
    }
    Ok(())
}
