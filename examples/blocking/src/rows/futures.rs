//! Executors that drive a future to its end on the calling thread.

use std::sync::Arc;

use super::row;
use crate::trial::{Gate, Instead, Kind, Row, Tried};

pub(crate) fn rows() -> Vec<Row> {
    use Kind::HeldBack;
    vec![
        row(
            "`tokio::runtime::Runtime::block_on`",
            HeldBack,
            tokio,
            Instead::UnblockAnd(
                "`unblock`; or tokio on a thread of its own, and `sync::remote` between the two",
            ),
        ),
        row(
            "`futures::executor::block_on`",
            HeldBack,
            futures,
            Instead::Unblock,
        ),
        row("`smol::block_on`", HeldBack, smol, Instead::Unblock),
    ]
}

fn tokio(gate: &Arc<Gate>) -> Tried {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let (sender, receiver) = tokio::sync::oneshot::channel();
    gate.then(move || sender.send(1).map_err(|_| "nobody there".into()));
    gate.during(|| runtime.block_on(receiver))?;
    Ok(())
}

fn futures(gate: &Arc<Gate>) -> Tried {
    let (sender, receiver) = flume::bounded(1);
    gate.then(move || Ok(sender.send(1)?));
    gate.during(|| futures::executor::block_on(receiver.recv_async()))?;
    Ok(())
}

fn smol(gate: &Arc<Gate>) -> Tried {
    let (sender, receiver) = flume::bounded(1);
    gate.then(move || Ok(sender.send(1)?));
    gate.during(|| smol::block_on(receiver.recv_async()))?;
    Ok(())
}
