//! Folders: what is in them, and making them.
//!
//! A thread of the pool fetches some entries at a time and leaves them where the iterator finds them, also
//! one whose earlier call was cancelled.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io;
use std::iter::FusedIterator;
use std::os::unix::fs::{DirBuilderExt, DirEntryExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};

use super::{FileType, Metadata};
use crate::scheduler::outside::Caller;
use crate::unblock::unblock_or_lack;

/// Entries that are fetched at once.
const BATCH: usize = 32;

/// What is in a folder: an iterator, in no particular order.
///
/// ```
/// # greenroom::run(|| {
/// let mut names = Vec::new();
/// for entry in greenroom::fs::read_dir("src")? {
///     names.push(entry?.file_name());
/// }
/// assert!(names.contains(&"lib.rs".into()));
/// # Ok::<(), std::io::Error>(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
///
/// As [`std::fs::read_dir`]. An error of the iterator may be its end.
///
/// # Scheduling
///
/// As [all of these](super#what-all-calls-here-have-in-common). The iterator waits at its first entry and at every
/// thirty-second after.
///
/// # Cancellation
///
/// As [all of these](super#what-all-calls-here-have-in-common). No entry is lost.
pub fn read_dir<P: AsRef<Path>>(path: P) -> io::Result<ReadDir> {
    let path = path.as_ref().to_owned();
    let std = unblock_or_lack(move || fs::read_dir(path))?;
    Ok(ReadDir {
        listing: Arc::new(Mutex::new(Listing {
            std,
            fetched: VecDeque::new(),
            ended: false,
        })),
        failed: false,
    })
}

/// The entries of a folder: [`read_dir`].
pub struct ReadDir {
    listing: Arc<Mutex<Listing>>,
    /// Whether there was no thread to go on with.
    failed: bool,
}

struct Listing {
    std: fs::ReadDir,
    fetched: VecDeque<io::Result<DirEntry>>,
    ended: bool,
}

impl Listing {
    fn fetch(&mut self) {
        while !self.ended && self.fetched.len() < BATCH {
            let entry = self.std.next().map(|entry| entry.map(DirEntry::new));
            match entry {
                Some(entry) => self.fetched.push_back(entry),
                None => self.ended = true,
            }
        }
    }
}

impl Iterator for ReadDir {
    type Item = io::Result<DirEntry>;

    fn next(&mut self) -> Option<Self::Item> {
        Caller::here().spend();
        if self.failed {
            return None;
        }
        loop {
            // A thread holds it, if an earlier call was cancelled.
            let listing = match self.listing.try_lock() {
                Ok(listing) => Some(listing),
                Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
                Err(TryLockError::WouldBlock) => None,
            };
            if let Some(mut listing) = listing {
                let next = listing.fetched.pop_front();
                if next.is_some() || listing.ended {
                    return next;
                }
            }
            let shared = Arc::clone(&self.listing);
            let fetched = unblock_or_lack(move || {
                let mut listing = shared.lock().unwrap_or_else(PoisonError::into_inner);
                if listing.fetched.is_empty() {
                    listing.fetch();
                }
                Ok(())
            });
            if let Err(error) = fetched {
                self.failed = true;
                return Some(Err(error));
            }
        }
    }
}

impl FusedIterator for ReadDir {}

impl fmt::Debug for ReadDir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadDir").finish_non_exhaustive()
    }
}

/// Something in a folder, as [`std::fs::DirEntry`].
pub struct DirEntry {
    std: Arc<fs::DirEntry>,
    /// Most file systems tell it with the name.
    kind: Option<FileType>,
}

impl DirEntry {
    fn new(std: fs::DirEntry) -> Self {
        Self {
            kind: std.file_type().ok(),
            std: Arc::new(std),
        }
    }

    /// The folder's path, and the name.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.std.path()
    }

    /// The name.
    #[must_use]
    pub fn file_name(&self) -> OsString {
        self.std.file_name()
    }

    /// Its number in the file system.
    #[must_use]
    pub fn ino(&self) -> u64 {
        self.std.ino()
    }

    /// What is known of it; of a link, of itself.
    ///
    /// # Errors
    ///
    /// As std's.
    ///
    /// # Scheduling
    ///
    /// As [all of these](super#what-all-calls-here-have-in-common).
    ///
    /// # Cancellation
    ///
    /// Unwinds; it changes nothing.
    pub fn metadata(&self) -> io::Result<Metadata> {
        let std = Arc::clone(&self.std);
        unblock_or_lack(move || std.metadata())
    }

    /// Whether it is a file, a folder, a link. Was fetched with the entry; only if that failed does it wait.
    ///
    /// # Errors
    ///
    /// As std's.
    ///
    /// # Scheduling
    ///
    /// Goes on at once, if it is known.
    ///
    /// # Cancellation
    ///
    /// Unwinds where it waits; it changes nothing.
    pub fn file_type(&self) -> io::Result<FileType> {
        match self.kind {
            Some(kind) => Ok(kind),
            None => {
                let std = Arc::clone(&self.std);
                unblock_or_lack(move || std.file_type())
            }
        }
    }
}

/// As std's.
impl fmt::Debug for DirEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.std.fmt(f)
    }
}

/// How to make a folder, as [`std::fs::DirBuilder`].
///
/// ```
/// # let path = std::env::temp_dir().join(format!("greenroom-dir-{}", std::process::id()));
/// greenroom::run(|| {
///     greenroom::fs::DirBuilder::new().mode(0o700).create(&path)?;
///     greenroom::fs::remove_dir(&path)
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct DirBuilder {
    recursive: bool,
    mode: Option<u32>,
}

impl DirBuilder {
    /// One folder, with the usual permissions.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether those it lies in are made, too; and whether it may be there already.
    pub fn recursive(&mut self, recursive: bool) -> &mut Self {
        self.recursive = recursive;
        self
    }

    /// Its permissions, less what the process's mask takes away.
    pub fn mode(&mut self, mode: u32) -> &mut Self {
        self.mode = Some(mode);
        self
    }

    /// Makes the folder.
    ///
    /// # Errors
    ///
    /// As std's.
    ///
    /// # Scheduling
    ///
    /// As [all of these](super#what-all-calls-here-have-in-common).
    ///
    /// # Cancellation
    ///
    /// As [all of these](super#what-all-calls-here-have-in-common): once begun, it is done.
    pub fn create<P: AsRef<Path>>(&self, path: P) -> io::Result<()> {
        let path = path.as_ref().to_owned();
        let mut std = fs::DirBuilder::new();
        std.recursive(self.recursive);
        if let Some(mode) = self.mode {
            std.mode(mode);
        }
        unblock_or_lack(move || std.create(path))
    }
}
