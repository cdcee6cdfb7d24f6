//! Files and folders in the image of [`std::fs`]: the same names, waiting instead of blocking.
//!
//! ```
//! use std::io::{Read, Seek, Write};
//! use greenroom::fs::{self, File};
//! use greenroom::run;
//!
//! # let folder = std::env::temp_dir().join(format!("greenroom-doc-{}", std::process::id()));
//! run(|| {
//!     fs::create_dir_all(&folder)?;
//!     let mut file = File::options().read(true).write(true).create(true).open(folder.join("a"))?;
//!     file.write_all(b"hello")?;
//!     file.rewind()?;
//!     let mut text = String::new();
//!     file.read_to_string(&mut text)?;
//!     assert_eq!(text, "hello");
//!     fs::remove_dir_all(&folder)
//! })?;
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! The systems here cannot tell when a file on a disk is ready: a call that goes to the disk blocks whoever
//! makes it. So each call here is made by a thread of the [pool](crate::Config::thread_pool), by
//! [`unblock`](crate::unblock); the task waits, and the others run. On a plain thread it is std's call itself.
//!
//! # What all calls here have in common
//!
//! - **Scheduling**: they always wait, tens of microseconds at least: read and write large pieces, or put a
//!   `BufReader` or `BufWriter` around the file. A virtual clock stands still meanwhile.
//! - **Cancellation**: they unwind when the task was cancelled. A call that no thread has begun is not made. One
//!   that has begun is made to its end, and nobody learns how it ended: a folder is made, a file is written
//!   or removed. Reading loses nothing: see [`File`]. What must be known to be done goes into
//!   [`shield`](crate::shield). As they go through `unblock`, they cannot be sent away: with
//!   [`Delivery::Error`](crate::Delivery::Error), and while the task unwinds, they really wait.
//! - What a call needs is copied for the thread: paths, and the bytes that are read or written.
//! - **Errors**: those of std; and one in a task if its call finds no thread to be made by, because the pool has
//!   none and none can be started, or no descriptor for the runtime to be woken by. The call is not made then.
//!
//! Pipes, terminals and devices can keep a thread of the pool for as long as nobody writes there:
//! for those there is [`io::Async`](crate::io::Async), which needs none. A [`File`] that is one, and so has no
//! position, is read and written independently: a read that blocks does not hold up a write.

mod dir;
mod file;
mod functions;
mod line;
mod open;
mod options;

pub use std::fs::{FileTimes, FileType, Metadata, Permissions};

pub use dir::{DirBuilder, DirEntry, ReadDir, read_dir};
pub use file::File;
pub use functions::{
    canonicalize, copy, create_dir, create_dir_all, exists, hard_link, metadata, read, read_link,
    read_to_string, remove_dir, remove_dir_all, remove_file, rename, set_permissions, symlink,
    symlink_metadata, write,
};
pub use options::OpenOptions;
