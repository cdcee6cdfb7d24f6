//! The promise: the sockets of `greenroom::net` are std's, except that they wait instead of blocking.
//!
//! All of it on the loopback and the real clock. Nothing here sleeps to put things in order: what
//! has to come first is waited for. Every test gives up after a while, so that a lost wake-up is
//! a failure and not a hang.

#![cfg(all(
    feature = "net",
    any(
        target_os = "linux",
        target_os = "macos",
        target_os = "freebsd",
        target_os = "netbsd",
        target_os = "openbsd"
    )
))]
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

#[path = "net/support.rs"]
mod support;

#[path = "net/datagrams.rs"]
mod datagrams;
#[path = "net/image.rs"]
mod image;
#[path = "net/limits.rs"]
mod limits;
#[path = "net/names.rs"]
mod names;
#[path = "net/options.rs"]
mod options;
#[path = "net/order.rs"]
mod order;
#[path = "net/runtimes.rs"]
mod runtimes;
#[path = "net/send_file.rs"]
mod send_file;
#[path = "net/split.rs"]
mod split;
#[path = "net/traffic.rs"]
mod traffic;
#[path = "net/unix.rs"]
mod unix;
#[path = "net/unix_datagrams.rs"]
mod unix_datagrams;
