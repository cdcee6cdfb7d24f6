//! Reading two pipes at once, in one task: neither may fill up while the other is read.

use std::fs::File;
use std::io::{self, Read};

use super::{ChildStderr, ChildStdout};
use crate::io::Watch;
use crate::io::arms::Readable;
use crate::scheduler::TaskRef;
use crate::scheduler::park;
use crate::scheduler::select::{self, Selectable};

/// Bytes taken from a pipe at once: what it holds on most systems.
const PIECE: usize = 64 * 1024;

/// Reads both pipes to their ends. No pipe is one that has ended.
pub(super) fn read_to_end(
    task: TaskRef,
    out: Option<ChildStdout>,
    err: Option<ChildStderr>,
) -> io::Result<(Vec<u8>, Vec<u8>)> {
    let (mut from_out, mut from_err) = (Vec::new(), Vec::new());
    match (out, err) {
        (Some(out), Some(err)) => together(task, out, &mut from_out, err, &mut from_err)?,
        (Some(mut out), None) => drop(out.read_to_end(&mut from_out)?),
        (None, Some(mut err)) => drop(err.read_to_end(&mut from_err)?),
        (None, None) => {}
    }
    Ok((from_out, from_err))
}

/// What one look at a pipe found.
enum Found {
    Data,
    Nothing,
    End,
}

fn together(
    task: TaskRef,
    mut out: ChildStdout,
    from_out: &mut Vec<u8>,
    mut err: ChildStderr,
    from_err: &mut Vec<u8>,
) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        park::spend(task);
        let first = look(&out, &mut piece, from_out)?;
        let second = look(&err, &mut piece, from_err)?;
        match (first, second) {
            (Found::End, _) => return err.read_to_end(from_err).map(drop),
            (_, Found::End) => return out.read_to_end(from_out).map(drop),
            (Found::Nothing, Found::Nothing) => wait(task, &out, &err)?,
            _ => {}
        }
    }
}

/// Takes what is there, without waiting.
fn look(pipe: &impl Watch<Std = File>, piece: &mut [u8], all: &mut Vec<u8>) -> io::Result<Found> {
    let pipe = pipe.watched().0;
    pipe.keep_flag()?;
    loop {
        return match pipe.std().read(piece) {
            Ok(0) => Ok(Found::End),
            Ok(count) => {
                all.extend_from_slice(&piece[..count]);
                Ok(Found::Data)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Found::Nothing),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
    }
}

/// Waits until one of them is worth a try.
fn wait(task: TaskRef, out: &ChildStdout, err: &ChildStderr) -> io::Result<()> {
    let mut first = Readable(out).into_arm();
    let mut second = Readable(err).into_arm();
    match select::wait(task, 0, &[&first, &second]) {
        0 => Readable::<ChildStdout>::finish(&mut first),
        _ => Readable::<ChildStderr>::finish(&mut second),
    }
}
