//! A file.
#![expect(
    unsafe_code,
    reason = "`FromRawFd` is an unsafe trait method, as in std"
)]

use std::fmt;
use std::fs;
use std::io::{self, IoSlice, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use super::open::{MOST, Open, Order, copy, retry};
use super::{FileTimes, Metadata, OpenOptions, Permissions};
use crate::scheduler::outside::Caller;

/// An open file, as [`std::fs::File`], waiting instead of blocking.
///
/// ```
/// use std::io::{BufRead, BufReader};
/// use greenroom::fs::File;
/// use greenroom::run;
///
/// let lines = run(|| {
///     let file = File::open("Cargo.toml")?;
///     Ok::<_, std::io::Error>(BufReader::new(file).lines().count())
/// })?;
/// assert!(lines > 1);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// [`Read`], [`Write`] and [`Seek`] are implemented for it and for references to it; calls of several tasks
/// are made one after the other, in the order in which they were begun, never mixed. So are those of the files made by
/// [`try_clone`](Self::try_clone). Only calls that do not depend on the position and change nothing
/// ([`metadata`](Self::metadata), [`read_at`](FileExt::read_at)) are made beside each other; and what has no
/// position, such as a pipe or a terminal, is read and written independently.
///
/// In a task one call moves 2 MiB at most, through a buffer that grows to what was asked for and is kept by the
/// file.
///
/// # Scheduling
///
/// As [all of these](super#what-all-calls-here-have-in-common).
///
/// # Cancellation
///
/// A read that is cancelled has taken nothing: what its thread reads all the same is there for the next
/// read, of this file and of those made by [`try_clone`](Self::try_clone). `read_exact`, `read_to_end` and
/// `write_all` may have got some way. A write, a seek, a change that a thread has begun is made to its end,
/// before any later call of this file; one whose turn has not come is not made. As long as a thread has something
/// to do with it the file is open, also if it was dropped meanwhile.
///
/// After a cancelled read the position that other processes, or duplicates made by other means, see may be that
/// after the bytes it read; the next write or seek, or the conversion into std's file, sets it right.
///
/// # Dropping
///
/// closes it, on the spot: that may block the thread where the file lies on a network. Errors are not
/// reported; [`sync_all`](Self::sync_all) tells of those before.
pub struct File(Arc<Open>);

impl File {
    /// Opens a file to read it.
    ///
    /// # Errors
    ///
    /// As std's.
    pub fn open<P: AsRef<Path>>(path: P) -> io::Result<Self> {
        Self::options().read(true).open(path)
    }

    /// Opens a file to write it: a new one, or the one there is, emptied.
    ///
    /// # Errors
    ///
    /// As std's.
    pub fn create<P: AsRef<Path>>(path: P) -> io::Result<Self> {
        Self::options()
            .write(true)
            .create(true)
            .truncate(true)
            .open(path)
    }

    /// Opens a new file to read and write it.
    ///
    /// # Errors
    ///
    /// As std's: `AlreadyExists`, if there is one.
    pub fn create_new<P: AsRef<Path>>(path: P) -> io::Result<Self> {
        Self::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(path)
    }

    /// How to open a file.
    #[must_use]
    pub fn options() -> OpenOptions {
        OpenOptions::new()
    }

    fn call<T: Send + 'static>(
        &self,
        order: Order,
        call: impl FnOnce(&Open) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let open = Arc::clone(&self.0);
        self.0.cursor.call(order, move || call(&open))
    }

    /// Waits until all that was written, and what is known of the file, is on the disk.
    ///
    /// # Errors
    ///
    /// As std's.
    pub fn sync_all(&self) -> io::Result<()> {
        self.call(Order::Write, |open| open.file.sync_all())
    }

    /// Waits until all that was written is on the disk.
    ///
    /// # Errors
    ///
    /// As std's.
    pub fn sync_data(&self) -> io::Result<()> {
        self.call(Order::Write, |open| open.file.sync_data())
    }

    /// Cuts the file, or makes it longer.
    ///
    /// # Errors
    ///
    /// As std's.
    pub fn set_len(&self, size: u64) -> io::Result<()> {
        self.call(Order::Write, move |open| {
            open.put_back()?;
            open.file.set_len(size)
        })
    }

    /// What is known of the file.
    ///
    /// # Errors
    ///
    /// As std's.
    pub fn metadata(&self) -> io::Result<Metadata> {
        self.call(Order::Look, |open| open.file.metadata())
    }

    /// Changes who may do what with it.
    ///
    /// # Errors
    ///
    /// As std's.
    pub fn set_permissions(&self, permissions: Permissions) -> io::Result<()> {
        self.call(Order::Write, move |open| {
            open.file.set_permissions(permissions)
        })
    }

    /// Changes when it was read and written last.
    ///
    /// # Errors
    ///
    /// As std's.
    pub fn set_times(&self, times: FileTimes) -> io::Result<()> {
        self.call(Order::Write, move |open| open.file.set_times(times))
    }

    /// Changes when it was written last.
    ///
    /// # Errors
    ///
    /// As std's.
    pub fn set_modified(&self, time: SystemTime) -> io::Result<()> {
        self.set_times(FileTimes::new().set_modified(time))
    }

    /// Another descriptor of the same open file: both have one position. Never waits.
    ///
    /// # Errors
    ///
    /// If the process has no descriptor left.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self(Arc::new(self.0.duplicate()?)))
    }

    fn receive(&self, buf: &mut [u8]) -> io::Result<usize> {
        let caller = Caller::here();
        if !caller.is_task() {
            let _turn = self.0.cursor.turn(Order::Read);
            return self.0.read(buf);
        }
        if buf.is_empty() {
            return Ok(0);
        }
        caller.spend();
        let ready = self.0.take(buf);
        if ready > 0 {
            return Ok(ready);
        }
        let room = buf.len().min(MOST);
        let loot = self.call(Order::Read, move |open| open.fetch(room))?;
        let count = copy(loot.bytes(), buf);
        loot.handed_over();
        Ok(count)
    }

    /// All that is left, appended.
    fn receive_all(&self, all: &mut Vec<u8>) -> io::Result<usize> {
        if !Caller::here().is_task() {
            let _turn = self.0.cursor.turn(Order::Read);
            return self.0.read_to_end(all);
        }
        let before = all.len();
        let mut room = 64 * 1024;
        loop {
            let loot = self.call(Order::Read, move |open| open.fetch(room))?;
            if loot.bytes().is_empty() {
                return Ok(all.len() - before);
            }
            all.extend_from_slice(loot.bytes());
            loot.handed_over();
            room = MOST.min(2 * room);
        }
    }

    fn receive_text(&self, text: &mut String) -> io::Result<usize> {
        let mut bytes = Vec::new();
        self.receive_all(&mut bytes)?;
        let more = std::str::from_utf8(&bytes).map_err(|_| {
            let what = "the file did not contain valid UTF-8";
            io::Error::new(io::ErrorKind::InvalidData, what)
        })?;
        text.push_str(more);
        Ok(more.len())
    }

    fn send(&self, data: &[u8]) -> io::Result<usize> {
        if !Caller::here().is_task() {
            let _turn = self.0.cursor.turn(Order::Write);
            return self.0.write(data);
        }
        let data = data[..data.len().min(MOST)].to_vec();
        self.call(Order::Write, move |open| open.write(&data))
    }

    fn send_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut data = Vec::new();
        for buf in bufs {
            let room = MOST - data.len();
            data.extend_from_slice(&buf[..buf.len().min(room)]);
        }
        self.call(Order::Write, move |open| open.write(&data))
    }

    fn move_to(&self, to: SeekFrom) -> io::Result<u64> {
        self.call(self.0.position(), move |open| open.seek(to))
    }
}

macro_rules! traits {
    ($($of:ty)*) => {$(
        impl Read for $of {
            fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                self.receive(buf)
            }

            fn read_to_end(&mut self, buf: &mut Vec<u8>) -> io::Result<usize> {
                self.receive_all(buf)
            }

            fn read_to_string(&mut self, buf: &mut String) -> io::Result<usize> {
                self.receive_text(buf)
            }
        }

        impl Write for $of {
            fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
                self.send(buf)
            }

            fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
                self.send_vectored(bufs)
            }

            /// Has nothing to do, as in std: what was written is with the system.
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }

        impl Seek for $of {
            fn seek(&mut self, pos: SeekFrom) -> io::Result<u64> {
                self.move_to(pos)
            }
        }
    )*};
}

traits! { File &File }

/// At a place, whatever the position is. Several tasks may read at once.
impl FileExt for File {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        if !Caller::here().is_task() {
            let _turn = self.0.cursor.turn(Order::Look);
            return self.0.file.read_at(buf, offset);
        }
        let room = buf.len().min(MOST);
        let bytes = self.call(Order::Look, move |open| {
            let mut bytes = vec![0; room];
            let count = retry(|| open.file.read_at(&mut bytes, offset))?;
            bytes.truncate(count);
            Ok(bytes)
        })?;
        Ok(copy(&bytes, buf))
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        let data = buf[..buf.len().min(MOST)].to_vec();
        self.call(Order::Write, move |open| {
            // What a reader has not got yet may be what is written here.
            let _stays_ahead = open.put_back();
            retry(|| open.file.write_at(&data, offset))
        })
    }
}

/// Never waits.
impl From<fs::File> for File {
    fn from(file: fs::File) -> Self {
        Self(Arc::new(Open::new(file)))
    }
}

/// Waits, if a call of a cancelled task is still being made; then it unwinds when the task was cancelled, and
/// the file is closed. The position is where the readers are.
///
/// # Panics
///
/// If it would wait, and the pool or the process lacks what that takes: a thread, a descriptor.
impl From<File> for fs::File {
    fn from(file: File) -> Self {
        let mut shared = file.0;
        loop {
            shared = match Arc::try_unwrap(shared) {
                Ok(open) if open.settle_at_once() => return open.file,
                // A duplicate is being used.
                Ok(open) => {
                    let cursor = Arc::clone(&open.cursor);
                    let settled = cursor.call(Order::Write, move || {
                        let _stays_ahead = open.put_back();
                        Ok(open.file)
                    });
                    return settled.unwrap_or_else(|error| in_use(&error));
                }
                // Calls let go of it before their turn ends.
                Err(busy) => {
                    let rested = busy.cursor.rest();
                    rested.unwrap_or_else(|error| in_use(&error));
                    std::thread::yield_now();
                    busy
                }
            };
        }
    }
}

#[cold]
fn in_use(error: &io::Error) -> ! {
    panic!("a file that is in use cannot be converted: {error}");
}

impl From<OwnedFd> for File {
    fn from(fd: OwnedFd) -> Self {
        fs::File::from(fd).into()
    }
}

/// As the conversion into std's file.
impl From<File> for OwnedFd {
    fn from(file: File) -> Self {
        fs::File::from(file).into()
    }
}

/// For a child process. As the conversion into std's file.
impl From<File> for std::process::Stdio {
    fn from(file: File) -> Self {
        fs::File::from(file).into()
    }
}

impl AsFd for File {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.file.as_fd()
    }
}

impl AsRawFd for File {
    fn as_raw_fd(&self) -> RawFd {
        self.0.file.as_raw_fd()
    }
}

impl IntoRawFd for File {
    fn into_raw_fd(self) -> RawFd {
        fs::File::from(self).into_raw_fd()
    }
}

impl FromRawFd for File {
    unsafe fn from_raw_fd(fd: RawFd) -> Self {
        // SAFETY: the caller's duty is the same: the descriptor is open, and theirs to give away.
        unsafe { fs::File::from_raw_fd(fd) }.into()
    }
}

/// As std's.
impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.file.fmt(f)
    }
}
