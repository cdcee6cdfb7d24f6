//! Two streams, each of which is given what comes from the other.
//!
//! It is made of two tasks in a scope, so that it serves whatever can be read and written, and not only
//! what has a descriptor. That is why it lives in a room above both scopes and streams.
//!
//! Must never: hold more than a buffer for each direction, or end before both have.

use std::io::{self, ErrorKind, Read, Write};

use crate::io::{CloseWrite, copy};
use crate::scheduler::park;
use crate::scope::try_scope;
use crate::task::Builder;

/// Passes on what comes from `a` to `b` and what comes from `b` to `a`, until both have come to their ends. Returns
/// how many bytes went from `a` to `b`, and from `b` to `a`.
///
/// The end of one direction is passed on ([`CloseWrite::close_write`]) while the other goes on. What a proxy does:
///
/// ```
/// use std::io::{Read, Write};
/// use greenroom::net::{Shutdown, TcpListener, TcpStream};
/// use greenroom::{copy_bidirectional, run, spawn};
///
/// run(|| {
///     let server = TcpListener::bind("127.0.0.1:0")?;
///     let proxy = TcpListener::bind("127.0.0.1:0")?;
///     let (inner, outer) = (server.local_addr()?, proxy.local_addr()?);
///     spawn(move || {
///         let mut question = String::new();
///         let (mut stream, _) = server.accept()?;
///         stream.read_to_string(&mut question)?;
///         stream.write_all(question.to_uppercase().as_bytes())
///     });
///     let passed = spawn(move || {
///         let (client, _) = proxy.accept()?;
///         copy_bidirectional(&client, &TcpStream::connect(inner)?)
///     });
///     let mut client = TcpStream::connect(outer)?;
///     client.write_all(b"hello")?;
///     client.shutdown(Shutdown::Write)?; // the question is over
///     let mut answer = String::new();
///     client.read_to_string(&mut answer)?;
///     assert_eq!(answer, "HELLO");
///     assert_eq!(passed.join()??, (5, 5));
///     Ok::<(), std::io::Error>(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// Each direction holds 16 KiB at most. A side that does not take what is sent to it makes the other one wait,
/// and its own direction goes on.
///
/// # Errors
///
/// The first error of either direction, which ends the other one too; and if there is no memory for a task.
/// The streams are left open, for the caller to drop.
///
/// # Panics
///
/// On a plain thread: it needs two tasks.
///
/// # Scheduling
///
/// The other tasks run while neither stream has anything; where they always have, each call of theirs takes part in
/// the budget, as any other.
///
/// # Cancellation
///
/// Unwinds when both directions have. What was read and not yet written, 16 KiB at most for each direction,
/// is lost.
#[doc(alias = "io::copy_bidirectional")]
#[track_caller]
pub fn copy_bidirectional<A, B>(a: &A, b: &B) -> io::Result<(u64, u64)>
where
    A: CloseWrite,
    B: CloseWrite,
    for<'a> &'a A: Read + Write,
    for<'b> &'b B: Read + Write,
{
    assert!(
        park::current().is_some(),
        "copy_bidirectional needs a task: call it inside greenroom::run"
    );
    try_scope::<io::Error, _>(|s| {
        let builder = Builder::new().name("copy_bidirectional");
        let back = builder.try_spawn_scoped(s, || one_way(b, a))?;
        let there = one_way(a, b)?;
        Ok((there, back.join()))
    })
}

fn one_way<From, To>(from: &From, to: &To) -> io::Result<u64>
where
    To: CloseWrite,
    for<'a> &'a From: Read,
    for<'a> &'a To: Write,
{
    let (mut reader, mut writer) = (from, to);
    let length = copy(&mut reader, &mut writer)?;
    writer.flush()?;
    match to.close_write() {
        // It has closed both directions already, and took all before it did.
        Err(error) if error.kind() == ErrorKind::NotConnected => {}
        result => result?,
    }
    Ok(length)
}
