//! The functions of `std::fs`, each one call on the thread pool.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{Metadata, Permissions};
use crate::scheduler::outside::Caller;
use crate::unblock::unblock_or_lack;

macro_rules! functions {
    ($($(#[$doc:meta])* $name:ident<$($generic:ident),+>($($path:ident: $kind:ident),+) -> $result:ty = $call:path;)*) => {$(
        $(#[$doc])*
        ///
        /// # Errors
        ///
        #[doc = concat!("As [`std::fs::", stringify!($name), "`].")]
        ///
        /// # Scheduling
        ///
        /// As [all of these](super#what-all-calls-here-have-in-common).
        ///
        /// # Cancellation
        ///
        /// As [all of these](super#what-all-calls-here-have-in-common): once begun, it is done.
        pub fn $name<$($generic: AsRef<Path>),+>($($path: $kind),+) -> io::Result<$result> {
            $(let $path = $path.as_ref().to_owned();)+
            unblock_or_lack(move || $call($($path),+))
        }
    )*};
}

functions! {
    /// The path without links and dots, from the root.
    canonicalize<P>(path: P) -> PathBuf = fs::canonicalize;
    /// Copies a file, with its permissions; gives its length. Where cancelled, a part may have been copied, or all.
    copy<P, Q>(from: P, to: Q) -> u64 = fs::copy;
    /// Makes a folder.
    create_dir<P>(path: P) -> () = fs::create_dir;
    /// Makes a folder, and those it lies in.
    create_dir_all<P>(path: P) -> () = fs::create_dir_all;
    /// Whether there is something at the path.
    exists<P>(path: P) -> bool = fs::exists;
    /// Gives a file another name.
    hard_link<P, Q>(original: P, link: Q) -> () = fs::hard_link;
    /// What is known of a file; of a link, of where it leads.
    metadata<P>(path: P) -> Metadata = fs::metadata;
    /// The whole of a file.
    ///
    /// ```
    /// # greenroom::run(|| {
    /// let program = greenroom::fs::read(std::env::current_exe()?)?;
    /// assert!(!program.is_empty());
    /// # Ok::<(), std::io::Error>(())
    /// # })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    read<P>(path: P) -> Vec<u8> = fs::read;
    /// Where a link leads.
    read_link<P>(path: P) -> PathBuf = fs::read_link;
    /// The whole of a file, as text.
    read_to_string<P>(path: P) -> String = fs::read_to_string;
    /// Removes an empty folder.
    remove_dir<P>(path: P) -> () = fs::remove_dir;
    /// Removes a folder, and all in it.
    remove_dir_all<P>(path: P) -> () = fs::remove_dir_all;
    /// Removes a file.
    remove_file<P>(path: P) -> () = fs::remove_file;
    /// Moves a file or folder, in the place of what is there.
    rename<P, Q>(from: P, to: Q) -> () = fs::rename;
    /// What is known of a file; of a link, of itself.
    symlink_metadata<P>(path: P) -> Metadata = fs::symlink_metadata;
}

/// Makes a symbolic link, as [`std::os::unix::fs::symlink`].
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
pub fn symlink<P: AsRef<Path>, Q: AsRef<Path>>(original: P, link: Q) -> io::Result<()> {
    let (original, link) = (original.as_ref().to_owned(), link.as_ref().to_owned());
    unblock_or_lack(move || std::os::unix::fs::symlink(original, link))
}

/// Changes who may do what with a file.
///
/// # Errors
///
/// As [`std::fs::set_permissions`].
///
/// # Scheduling
///
/// As [all of these](super#what-all-calls-here-have-in-common).
///
/// # Cancellation
///
/// As [all of these](super#what-all-calls-here-have-in-common): once begun, it is done.
pub fn set_permissions<P: AsRef<Path>>(path: P, permissions: Permissions) -> io::Result<()> {
    let path = path.as_ref().to_owned();
    unblock_or_lack(move || fs::set_permissions(path, permissions))
}

/// Makes these bytes the whole of a file. In a task they are copied first.
///
/// # Errors
///
/// As [`std::fs::write`].
///
/// # Scheduling
///
/// As [all of these](super#what-all-calls-here-have-in-common).
///
/// # Cancellation
///
/// As [all of these](super#what-all-calls-here-have-in-common): once begun, it is done.
pub fn write<P: AsRef<Path>, C: AsRef<[u8]>>(path: P, contents: C) -> io::Result<()> {
    if !Caller::here().is_task() {
        return fs::write(path, contents);
    }
    let (path, contents) = (path.as_ref().to_owned(), contents.as_ref().to_vec());
    unblock_or_lack(move || fs::write(path, contents))
}
