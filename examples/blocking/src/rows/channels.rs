//! Channels between threads.

use std::sync::{Arc, mpsc};

use greenroom::sync::remote;

use super::row;
use crate::trial::{Gate, Instead, Kind, Row, Tried};

pub(crate) fn rows() -> Vec<Row> {
    use Kind::HeldBack;
    let own_recv = || Instead::Own("`sync::remote`; `sync` inside of a runtime", remote_recv);
    vec![
        row(
            "`std::sync::mpsc::Receiver::recv`",
            HeldBack,
            std_recv,
            own_recv(),
        ),
        row(
            "`std::sync::mpsc::SyncSender::send`",
            HeldBack,
            std_send,
            Instead::Own("`sync::remote`; `sync` inside of a runtime", remote_send),
        ),
        row(
            "`crossbeam_channel`: `recv`, `send`, `select!`",
            HeldBack,
            crossbeam,
            own_recv(),
        ),
        row("`flume`: `recv`, `send`", HeldBack, flume, own_recv()),
        row(
            "`notify`: the channel of its events",
            HeldBack,
            notify,
            Instead::Own("`notify` into a sender of `sync::remote`", notify_own),
        ),
    ]
}

fn std_recv(gate: &Arc<Gate>) -> Tried {
    let (sender, receiver) = mpsc::channel();
    gate.then(move || Ok(sender.send(1)?));
    gate.during(|| receiver.recv())?;
    Ok(())
}

fn remote_recv(gate: &Arc<Gate>) -> Tried {
    let (sender, receiver) = remote::bounded(1);
    gate.then(move || sender.send(1).map_err(|_| "nobody there".into()));
    gate.during(|| receiver.recv())?;
    Ok(())
}

fn std_send(gate: &Arc<Gate>) -> Tried {
    let (sender, receiver) = mpsc::sync_channel(1);
    sender.send(1)?;
    gate.then(move || {
        receiver.iter().for_each(drop);
        Ok(())
    });
    gate.during(|| sender.send(2))?;
    Ok(())
}

fn remote_send(gate: &Arc<Gate>) -> Tried {
    let (sender, receiver) = remote::bounded(1);
    sender.send(1).map_err(|_| "nobody there")?;
    gate.then(move || {
        receiver.iter().for_each(drop);
        Ok(())
    });
    gate.during(|| sender.send(2))
        .map_err(|_| "nobody there".into())
}

fn crossbeam(gate: &Arc<Gate>) -> Tried {
    let (sender, receiver) = crossbeam_channel::bounded(1);
    gate.then(move || Ok(sender.send(1)?));
    gate.during(|| receiver.recv())?;
    Ok(())
}

fn flume(gate: &Arc<Gate>) -> Tried {
    let (sender, receiver) = flume::bounded(1);
    gate.then(move || Ok(sender.send(1)?));
    gate.during(|| receiver.recv())?;
    Ok(())
}

/// The watched folder stays as it is until the gate opens.
fn notify(gate: &Arc<Gate>) -> Tried {
    use notify::Watcher as _;
    let folder = super::system::Folder::new()?;
    let (sender, receiver) = mpsc::channel();
    let mut watcher = notify::recommended_watcher(sender)?;
    watcher.watch(folder.path(), notify::RecursiveMode::NonRecursive)?;
    let new = folder.path().join("new");
    gate.then(move || Ok(std::fs::write(new, "text")?));
    gate.during(|| receiver.recv())??;
    Ok(())
}

fn notify_own(gate: &Arc<Gate>) -> Tried {
    use notify::Watcher as _;
    let folder = super::system::Folder::new()?;
    let (sender, receiver) = remote::unbounded();
    let mut watcher = notify::recommended_watcher(move |event| {
        // Nobody listens any more: then nothing is missed.
        let _gone = sender.send(event);
    })?;
    watcher.watch(folder.path(), notify::RecursiveMode::NonRecursive)?;
    let new = folder.path().join("new");
    gate.then(move || Ok(std::fs::write(new, "text")?));
    gate.during(|| receiver.recv())??;
    Ok(())
}
