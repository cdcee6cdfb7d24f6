//! The one place that lists operating systems.
//!
//! It turns the target's name into the few facts the sources ask for:
//! `reactor`, which system call tells that descriptors are ready,
//! `exits`, whether the end of a process is told by a descriptor,
//! `stacks`, where the memory of coroutine stacks comes from,
//! `memory`, whose flags of `mmap` and `madvise` may be used,
//! `reuse_port`, whether several sockets may share a port,
//! `sockets`, whose calls and addresses there are beside those all systems have, and
//! `nowait`, whether a single read or write can be told not to wait.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(reactor, values(\"epoll\", \"kqueue\"))");
    println!("cargo::rustc-check-cfg=cfg(exits, values(\"pidfd\"))");
    println!("cargo::rustc-check-cfg=cfg(loom)");
    println!("cargo::rustc-check-cfg=cfg(race_detector)");
    println!("cargo::rustc-check-cfg=cfg(memory, values(\"linux\"))");
    println!("cargo::rustc-check-cfg=cfg(reuse_port)");
    println!("cargo::rustc-check-cfg=cfg(sockets, values(\"linux\"))");
    println!("cargo::rustc-check-cfg=cfg(nowait, values(\"flag\"))");
    println!("cargo::rustc-check-cfg=cfg(stacks, values(\"slab\", \"system\"))");

    let os = env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    let unix = env::var_os("CARGO_CFG_UNIX").is_some();

    match os.as_str() {
        "linux" | "android" | "illumos" => println!("cargo::rustc-cfg=reactor=\"epoll\""),
        "freebsd" | "netbsd" | "openbsd" | "dragonfly" | "macos" | "ios" | "tvos" | "watchos"
        | "visionos" => println!("cargo::rustc-cfg=reactor=\"kqueue\""),
        _ => {}
    }
    if matches!(os.as_str(), "linux" | "android") {
        println!("cargo::rustc-cfg=memory=\"linux\"");
        println!("cargo::rustc-cfg=sockets=\"linux\"");
        println!("cargo::rustc-cfg=nowait=\"flag\"");
    }
    if unix && !matches!(os.as_str(), "illumos" | "solaris") {
        println!("cargo::rustc-cfg=reuse_port");
    }
    if os == "linux" {
        println!("cargo::rustc-cfg=exits=\"pidfd\"");
    }
    let stacks = if unix { "slab" } else { "system" };
    println!("cargo::rustc-cfg=stacks=\"{stacks}\"");
}
