//! Processes in the image of [`std::process`]: the same names, waiting instead of blocking.
//!
//! ```
//! use greenroom::process::Command;
//! use greenroom::{gather, run};
//!
//! let lengths = run(|| {
//!     gather(["one", "two", "three"].map(|word| {
//!         move || Command::new("echo").arg(word).output().map(|all| all.stdout.len())
//!     }))
//! });
//! let lengths: Vec<usize> = lengths.into_iter().collect::<Result<_, _>>()?;
//! assert_eq!(lengths, [4, 4, 6]);
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! On a plain thread these calls block that thread, as std's do.
//!
//! A limit of time: [`timeout`](crate::timeout) around `output`, `status` or `wait`, and
//! [`kill_on_drop`](Command::kill_on_drop), so that what is late is also ended.
//!
//! Only the child itself is killed, not what it has started. Where that matters, make it the leader of a group,
//! `command.process_group(0)`, and kill the group, whose number is [`Child::id`]. What a child has written until
//! then is lost with a cancelled `output`: to keep it, read [`Child::stdout`] as it comes.
//!
//! A `fork` by other means copies the runtime, and its descriptors are those of this process: the copy must not
//! make calls that wait, but `exec` or `_exit` soon. What is started here does neither harm this process's
//! runtime nor inherit anything of it.

mod both;
mod child;
mod command;
mod orphans;
mod pipes;

pub use std::process::{ExitStatus, Output, Stdio};

pub use child::Child;
pub use command::Command;
pub use pipes::{ChildStderr, ChildStdin, ChildStdout};
