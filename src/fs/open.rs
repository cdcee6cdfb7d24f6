//! An open file, and what threads do with it for tasks.
//!
//! ```text
//!   a task                                      a thread of the pool
//!   bytes read ahead? take them
//!   else ask for more, wait    ------------->   in its turn: read
//!   copy them                  <-------------   hand the bytes over
//!   or: cancelled meanwhile                     leave them here, for the next read
//! ```
//!
//! What a thread has read for nobody lies here: so a read whose caller was cancelled has lost nothing, the next
//! one finds its bytes. The system's position is ahead by so much; whatever depends on it sets that right
//! first.
//!
//! All of it is done in turn. A file with a position has one line of calls; a stream (a pipe, a terminal) has none,
//! so there reading and writing do not wait for each other.
//!
//! Must never: hold a lock while the system reads or writes.

use std::fs;
use std::io::{self, IsTerminal, Read, Seek, SeekFrom, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::line::{Line, Turn};
use crate::scheduler::outside::Caller;
use crate::thread_pool::ThreadPool;
use crate::unblock::{unblock_by, unblock_or_lack};

/// Bytes that go through a thread at once.
pub(super) const MOST: usize = 2 * 1024 * 1024;

/// An open file. Calls that are being made share it.
pub(super) struct Open {
    pub(super) file: fs::File,
    /// Shared by duplicates, as the system's position is.
    pub(super) cursor: Arc<Cursor>,
}

/// Whose turn it is, and where the readers are.
pub(super) struct Cursor {
    reads: Arc<Line>,
    /// The same line, unless it is a stream.
    writes: Arc<Line>,
    is_stream: bool,
    ahead: Mutex<Ahead>,
    /// Kept, so that it need not be made anew.
    spare: Mutex<Vec<u8>>,
}

/// Bytes that were read and that nobody has got yet. Used by whose turn it is.
#[derive(Default)]
struct Ahead {
    buffer: Vec<u8>,
    start: usize,
}

/// What a call depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Read,
    Write,
    /// It changes nothing, and does not depend on the position.
    Look,
}

/// What a thread has read for a task. Dropped, it is there for the next read.
pub(super) struct Loot {
    cursor: Arc<Cursor>,
    buffer: Vec<u8>,
    length: usize,
}

impl Ahead {
    fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    fn used(&mut self, count: usize) {
        self.start += count;
        if self.start == self.buffer.len() {
            *self = Self::default();
        }
    }

    /// What was taken from the front comes back.
    fn give_back(&mut self, bytes: &[u8]) {
        self.buffer.splice(..self.start, bytes.iter().copied());
        self.start = 0;
    }

    fn length(&self) -> i64 {
        i64::try_from(self.bytes().len()).unwrap_or(i64::MAX)
    }
}

impl Cursor {
    fn new(is_stream: bool) -> Self {
        let reads = Arc::<Line>::default();
        Self {
            writes: if is_stream {
                Arc::default()
            } else {
                Arc::clone(&reads)
            },
            reads,
            is_stream,
            ahead: Mutex::default(),
            spare: Mutex::default(),
        }
    }

    fn ahead(&self) -> MutexGuard<'_, Ahead> {
        self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spare(&self) -> MutexGuard<'_, Vec<u8>> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The line of such calls. Nothing of a stream is there to be looked at.
    fn line(&self, order: Order) -> Option<&Arc<Line>> {
        match order {
            Order::Read => Some(&self.reads),
            Order::Write => Some(&self.writes),
            Order::Look => Some(&self.reads).filter(|_| !self.is_stream),
        }
    }

    /// Waits for a turn, blocking the thread. Not for tasks.
    pub(super) fn turn(&self, order: Order) -> Option<Turn> {
        Some(self.line(order)?.turn(order != Order::Look))
    }

    /// Does something in its turn, by a thread of the pool if the caller is a task.
    ///
    /// # Errors
    ///
    /// Those of the call; and if there is no thread for it.
    #[track_caller]
    pub(super) fn call<T: Send + 'static>(
        &self,
        order: Order,
        call: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let caller = Caller::here();
        if !caller.is_task() {
            let _turn = self.turn(order);
            return call();
        }
        let Some(line) = self.line(order) else {
            return unblock_or_lack(call);
        };
        let chosen = caller.thread_pool();
        let pool = chosen.as_ref().unwrap_or_else(|| ThreadPool::global());
        unblock_by(caller, &line.on(pool, order != Order::Look), call)
    }

    /// Waits until all calls begun before are made.
    ///
    /// # Errors
    ///
    /// If there is no thread for it.
    pub(super) fn rest(&self) -> io::Result<()> {
        self.call(Order::Read, || Ok(()))?;
        if self.is_stream {
            self.call(Order::Write, || Ok(()))?;
        }
        Ok(())
    }
}

impl Open {
    pub(super) fn new(file: fs::File) -> Self {
        let is_stream = (&file).stream_position().is_err() || file.is_terminal();
        Self {
            file,
            cursor: Arc::new(Cursor::new(is_stream)),
        }
    }

    /// Another descriptor of the same open file.
    pub(super) fn duplicate(&self) -> io::Result<Self> {
        Ok(Self {
            file: self.file.try_clone()?,
            cursor: Arc::clone(&self.cursor),
        })
    }

    /// Takes bytes that were read ahead, if there are some and no call is being made. Never waits.
    pub(super) fn take(&self, buf: &mut [u8]) -> usize {
        let turn = self.cursor.reads.try_turn();
        turn.map_or(0, |_turn| self.copy_ahead(buf))
    }

    fn copy_ahead(&self, buf: &mut [u8]) -> usize {
        let mut ahead = self.cursor.ahead();
        let count = copy(ahead.bytes(), buf);
        ahead.used(count);
        count
    }

    /// Reads so many bytes at most, those first that were read ahead. None is the end of the file.
    pub(super) fn fetch(&self, room: usize) -> io::Result<Loot> {
        let mut loot = Loot {
            cursor: Arc::clone(&self.cursor),
            buffer: std::mem::take(&mut *self.cursor.spare()),
            length: 0,
        };
        if loot.buffer.len() < room {
            loot.buffer.resize(room, 0);
        }
        let piece = &mut loot.buffer[..room];
        loot.length = self.copy_ahead(piece);
        if loot.length == 0 {
            loot.length = retry(|| (&self.file).read(piece))?;
        }
        Ok(loot)
    }

    /// Reads without a detour. For plain threads, in their turn.
    pub(super) fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        match self.copy_ahead(buf) {
            0 => (&self.file).read(buf),
            count => Ok(count),
        }
    }

    /// The same to the end of the file.
    pub(super) fn read_to_end(&self, all: &mut Vec<u8>) -> io::Result<usize> {
        let first = {
            let mut ahead = self.cursor.ahead();
            all.extend_from_slice(ahead.bytes());
            let length = ahead.bytes().len();
            ahead.used(length);
            length
        };
        Ok(first + (&self.file).read_to_end(all)?)
    }

    pub(super) fn write(&self, data: &[u8]) -> io::Result<usize> {
        self.put_back()?;
        retry(|| (&self.file).write(data))
    }

    pub(super) fn seek(&self, to: SeekFrom) -> io::Result<u64> {
        let to = match to {
            SeekFrom::Current(by) => {
                let by = by.checked_sub(self.cursor.ahead().length());
                SeekFrom::Current(by.ok_or(io::ErrorKind::InvalidInput)?)
            }
            absolute => absolute,
        };
        let place = (&self.file).seek(to)?;
        *self.cursor.ahead() = Ahead::default();
        Ok(place)
    }

    /// What a seek depends on. A stream has no position, so there it only fails.
    pub(super) fn position(&self) -> Order {
        if self.cursor.is_stream {
            Order::Look
        } else {
            Order::Write
        }
    }

    /// Sets the system's position back to where the readers of the file are: bytes that were read ahead are read
    /// again. Those of a stream wait for their readers.
    ///
    /// # Errors
    ///
    /// What seeking says.
    pub(super) fn put_back(&self) -> io::Result<()> {
        let length = self.cursor.ahead().length();
        if length > 0 && !self.cursor.is_stream {
            (&self.file).seek(SeekFrom::Current(-length))?;
            *self.cursor.ahead() = Ahead::default();
        }
        Ok(())
    }

    /// Makes the system's position that of the readers, as far as that is possible; `false` if a call is being
    /// made. Never waits.
    pub(super) fn settle_at_once(&self) -> bool {
        self.cursor.is_stream
            || self
                .cursor
                .reads
                .try_turn()
                .map(|_turn| self.put_back())
                .is_some()
    }
}

impl Loot {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[..self.length]
    }

    /// Somebody has got it.
    pub(super) fn handed_over(mut self) {
        self.length = 0;
    }
}

impl Drop for Loot {
    fn drop(&mut self) {
        if self.length > 0 {
            self.cursor.ahead().give_back(self.bytes());
        }
        let buffer = std::mem::take(&mut self.buffer);
        let mut spare = self.cursor.spare();
        if spare.len() < buffer.len() {
            *spare = buffer;
        }
    }
}

pub(super) fn copy(from: &[u8], to: &mut [u8]) -> usize {
    let count = from.len().min(to.len());
    to[..count].copy_from_slice(&from[..count]);
    count
}

/// A call that a signal interrupts is made again.
pub(super) fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
