//! Copying from any reader to any writer.
//!
//! Must never: hold more than one buffer, or keep it on the stack of the task.

use std::io::{self, ErrorKind, Read, Write};
use std::rc::Rc;
use std::sync::Arc;

/// How much is on its way at most.
const BUFFER: usize = 16 * 1024;

/// Copies all there is from a reader to a writer, and returns how many bytes.
///
/// ```
/// use greenroom::io;
///
/// greenroom::run(|| {
///     let (mut reader, mut writer) = io::pipe()?;
///     greenroom::spawn(move || io::copy(&mut &b"all of it"[..], &mut writer));
///     let mut text = Vec::new();
///     assert_eq!(io::copy(&mut reader, &mut text)?, 9);
///     assert_eq!(text, b"all of it");
///     Ok::<(), std::io::Error>(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// As [`std::io::copy`], which works as well; this one has its buffer of 16 KiB on the heap, and not on the task's
/// stack. A writer that is slow makes the reader wait. It does not flush, and ends nothing: a socket stays open.
///
/// # Errors
///
/// The first that reading or writing gives; `WriteZero` for a writer that takes nothing. `Interrupted` is tried
/// again. What was written before stays written.
///
/// # Scheduling
///
/// As its reads and writes: those of this crate let the others run when they have to wait, and one of every 128
/// times. A reader and a writer in memory never do.
///
/// # Cancellation
///
/// Unwinds in a read or a write. What was read and not yet written, 16 KiB at most, is lost then.
pub fn copy<R, W>(reader: &mut R, writer: &mut W) -> io::Result<u64>
where
    R: Read + ?Sized,
    W: Write + ?Sized,
{
    let mut buffer = vec![0; BUFFER];
    let mut total = 0;
    loop {
        let length = match reader.read(&mut buffer) {
            Ok(0) => return Ok(total),
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        writer.write_all(&buffer[..length])?;
        total += u64::try_from(length).unwrap_or(u64::MAX);
    }
}

/// A stream with two directions, of which the outgoing one can be ended by itself.
///
/// It is what [`copy_bidirectional`](crate::copy_bidirectional) needs besides [`Read`] and [`Write`].
///
/// ```
/// use std::io::Read;
/// use greenroom::io::CloseWrite;
/// use greenroom::net::{TcpListener, TcpStream};
///
/// greenroom::run(|| {
///     let listener = TcpListener::bind("127.0.0.1:0")?;
///     let near = TcpStream::connect(listener.local_addr()?)?;
///     let (mut far, _) = listener.accept()?;
///     near.close_write()?;
///     assert_eq!(far.read(&mut [0; 8])?, 0); // the end
///     Ok::<(), std::io::Error>(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait CloseWrite {
    /// Says that nothing more will be written: whoever reads at the other side comes to the end.
    ///
    /// # Errors
    ///
    /// What the system says. `NotConnected` says that there is no other side any more.
    fn close_write(&self) -> io::Result<()>;
}

impl<S: CloseWrite + ?Sized> CloseWrite for &S {
    fn close_write(&self) -> io::Result<()> {
        (**self).close_write()
    }
}

impl<S: CloseWrite + ?Sized> CloseWrite for Rc<S> {
    fn close_write(&self) -> io::Result<()> {
        (**self).close_write()
    }
}

impl<S: CloseWrite + ?Sized> CloseWrite for Arc<S> {
    fn close_write(&self) -> io::Result<()> {
        (**self).close_write()
    }
}
