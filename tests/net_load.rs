//! The promise: many connections, and many one after the other, cost what they should and leave nothing.
//!
//! On the loopback and the real clock. Nobody here looks at the time. What is counted are descriptors, tasks and
//! memory, in processes of their own, where no other test is in the way.

#![cfg(all(feature = "net", feature = "sync", target_os = "linux"))]
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod support;

#[path = "net_load/crowd.rs"]
mod crowd;
#[path = "net_load/cycles.rs"]
mod cycles;
#[path = "net_load/deaf.rs"]
mod deaf;

use std::fs;

/// How many descriptors this process has open.
fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// How many mappings its memory has.
fn mappings() -> usize {
    fs::read_to_string("/proc/self/maps")
        .unwrap()
        .lines()
        .count()
}

/// Its resident memory, in KiB.
fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
