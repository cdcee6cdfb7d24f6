//! How to open a file.

use std::fs;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::File;
use crate::unblock::unblock_or_lack;

/// How to open a file, as [`std::fs::OpenOptions`].
///
/// ```
/// use std::io::Write;
/// use greenroom::fs::OpenOptions;
///
/// # let path = std::env::temp_dir().join(format!("greenroom-log-{}", std::process::id()));
/// greenroom::run(|| {
///     let mut log = OpenOptions::new().append(true).create(true).open(&path)?;
///     writeln!(log, "one line more")?;
///     greenroom::fs::remove_file(&path)
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct OpenOptions(fs::OpenOptions);

macro_rules! switches {
    ($($(#[$doc:meta])* $name:ident($value:ident: $kind:ty);)*) => {$(
        $(#[$doc])*
        pub fn $name(&mut self, $value: $kind) -> &mut Self {
            self.0.$name($value);
            self
        }
    )*};
}

impl OpenOptions {
    /// Nothing is allowed yet.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "as std's")]
    pub fn new() -> Self {
        Self(fs::OpenOptions::new())
    }

    switches! {
        /// Whether it can be read.
        read(read: bool);
        /// Whether it can be written.
        write(write: bool);
        /// Whether all writes go to the end.
        append(append: bool);
        /// Whether it is emptied.
        truncate(truncate: bool);
        /// Whether it is made, if there is none.
        create(create: bool);
        /// Whether it is made, and must not be there before.
        create_new(create_new: bool);
        /// The permissions of a file that is made, less what the process's mask takes away.
        mode(mode: u32);
        /// More flags for the system.
        custom_flags(flags: i32);
    }

    /// Opens the file.
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
    /// As [all of these](super#what-all-calls-here-have-in-common): a file that was to be made may have been; what
    /// was opened is closed.
    pub fn open<P: AsRef<Path>>(&self, path: P) -> io::Result<File> {
        let (options, path) = (self.0.clone(), path.as_ref().to_owned());
        unblock_or_lack(move || options.open(path).map(File::from))
    }
}

impl From<fs::OpenOptions> for OpenOptions {
    fn from(options: fs::OpenOptions) -> Self {
        Self(options)
    }
}
