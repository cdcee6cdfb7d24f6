//! An open file, and what threads do with it for tasks.
//!
//! ```text
//!   a task                                      a thread of the pool
//!   bytes read ahead? take them
//!   else ask for more, wait    ------------->   under the lock: read, leave the bytes here
//!   take them                  <-------------
//! ```
//!
//! What a thread has read lies here, not with the caller: so a read whose caller was cancelled has lost
//! nothing, the next one finds its bytes. The system's position is ahead by so much; whatever depends on it
//! sets that right first.
//!
//! Must never: make a task wait for the lock. A thread may hold it as long as the disk takes.

use std::fs;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

/// Bytes that go through a thread at once.
pub(super) const MOST: usize = 2 * 1024 * 1024;

/// An open file. Calls that are being made share it.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) file: fs::File,
    /// Shared by duplicates, as the system's position is.
    ahead: Arc<Mutex<Ahead>>,
}

/// Bytes that were read and that nobody has got yet. Whoever holds its lock has the position.
#[derive(Default)]
pub(super) struct Ahead {
    /// Kept, so that it need not be made anew.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl std::fmt::Debug for Ahead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ahead({})", self.bytes().len())
    }
}

impl Ahead {
    fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    fn used(&mut self, count: usize) {
        self.start += count;
    }

    /// Sets the system's position back to where the readers of the file are.
    ///
    /// # Errors
    ///
    /// What seeking says.
    fn put_back(&mut self, mut file: &fs::File) -> io::Result<()> {
        let length = i64::try_from(self.bytes().len()).unwrap_or(i64::MAX);
        if length == 0 {
            return Ok(());
        }
        match file.seek(SeekFrom::Current(-length)) {
            Ok(_) => self.start = self.end,
            // Nothing to set back: what was read is a stream's, and waits for its readers.
            Err(error) if error.kind() == io::ErrorKind::NotSeekable => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

impl Open {
    pub(super) fn new(file: fs::File) -> Self {
        Self {
            file,
            ahead: Arc::default(),
        }
    }

    /// Another descriptor of the same open file.
    pub(super) fn duplicate(&self) -> io::Result<Self> {
        Ok(Self {
            file: self.file.try_clone()?,
            ahead: Arc::clone(&self.ahead),
        })
    }

    /// Waits for the lock. Not for tasks.
    fn lock(&self) -> MutexGuard<'_, Ahead> {
        self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn try_lock(&self) -> Option<MutexGuard<'_, Ahead>> {
        match self.ahead.try_lock() {
            Ok(ahead) => Some(ahead),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Gives bytes that were read ahead to `take`, which says how many it has used. Nothing if there are
    /// none, or if a thread is at it. Never waits.
    pub(super) fn take(&self, take: impl FnOnce(&[u8]) -> usize) -> usize {
        let Some(mut ahead) = self.try_lock() else {
            return 0;
        };
        let count = take(ahead.bytes());
        ahead.used(count);
        count
    }

    /// Whether nothing was read ahead, as far as can be said at once.
    pub(super) fn is_even(&self) -> bool {
        self.try_lock()
            .is_some_and(|ahead| ahead.bytes().is_empty())
    }

    /// Reads ahead, unless that was done. How many bytes are there; 0 is the end of the file.
    pub(super) fn fill(&self, room: usize) -> io::Result<usize> {
        let mut ahead = self.lock();
        if ahead.bytes().is_empty() {
            if ahead.buffer.len() < room {
                ahead.buffer.resize(room, 0);
            }
            (ahead.start, ahead.end) = (0, 0);
            ahead.end = retry(|| (&self.file).read(&mut ahead.buffer[..room]))?;
        }
        Ok(ahead.bytes().len())
    }

    /// Reads without a detour. For plain threads.
    pub(super) fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        let mut ahead = self.lock();
        let count = copy(ahead.bytes(), buf);
        ahead.used(count);
        if count > 0 {
            return Ok(count);
        }
        (&self.file).read(buf)
    }

    /// The same to the end of the file.
    pub(super) fn read_to_end(&self, all: &mut Vec<u8>) -> io::Result<usize> {
        let mut ahead = self.lock();
        let first = ahead.bytes().len();
        all.extend_from_slice(ahead.bytes());
        ahead.used(first);
        Ok(first + (&self.file).read_to_end(all)?)
    }

    pub(super) fn write(&self, data: &[u8]) -> io::Result<usize> {
        self.change(|mut file| retry(|| file.write(data)))
    }

    pub(super) fn seek(&self, to: SeekFrom) -> io::Result<u64> {
        let mut ahead = self.lock();
        let to = match to {
            SeekFrom::Current(by) => {
                let length = i64::try_from(ahead.bytes().len()).unwrap_or(i64::MAX);
                let by = by.checked_sub(length);
                SeekFrom::Current(by.ok_or(io::ErrorKind::InvalidInput)?)
            }
            absolute => absolute,
        };
        let place = (&self.file).seek(to)?;
        ahead.start = ahead.end;
        Ok(place)
    }

    /// Does something when all calls begun before are done.
    pub(super) fn in_turn<T>(
        &self,
        call: impl FnOnce(&fs::File) -> io::Result<T>,
    ) -> io::Result<T> {
        let _turn = self.lock();
        call(&self.file)
    }

    /// The same for what changes the file: bytes that were read before are read again.
    pub(super) fn change<T>(&self, call: impl FnOnce(&fs::File) -> io::Result<T>) -> io::Result<T> {
        let mut ahead = self.lock();
        ahead.put_back(&self.file)?;
        call(&self.file)
    }

    /// Makes the system's position that of the readers, as far as that is possible.
    pub(super) fn settle(&self) {
        let _stays_ahead = self.lock().put_back(&self.file);
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
