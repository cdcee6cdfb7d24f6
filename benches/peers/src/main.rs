//! `peers RUNTIME NAME N`: one workload on one runtime, once, one line of output.
//!
//! Why a process for each: no runtime's threads, memory or signal handlers are there while another is measured,
//! and a script can lay the runs of several side by side in time. What each workload is stands in `workload.rs`,
//! once; the runtimes' files only say it in the words of that runtime. A runtime must never do less of it than
//! another: where one cannot do the same, its file says what it does instead, and where one cannot do it at
//! all, the program says so and exits with 2.

mod corosensei;
mod epoll;
mod flume;
#[cfg(feature = "greenroom")]
mod greenroom;
mod http;
mod may;
mod monoio;
mod remote;
mod thread;
mod tokio;
mod workload;

use std::io;
use std::process::ExitCode;

use workload::Line;

/// What a runtime answers: a figure, or `None` for a workload it does not have.
type Answer = io::Result<Option<Line>>;

const USAGE: &str = "usage: peers RUNTIME NAME N
  RUNTIME  corosensei, epoll, greenroom, may, monoio, thread, tokio
  NAME     generator, yield, spawn, spawnmany, pingpong, stream, ring, lock, acquire, sleepers, timers,
           timers-warm, remote-in, remote-out, remote-two, each also with -unbounded, remote-pingpong;
           or http, and then N is a port on 127.0.0.1 (0: any free one)";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [runtime, name, n] = args.as_slice() else {
        eprintln!("{USAGE}");
        return ExitCode::from(64);
    };
    // A port may be 0, a count may not.
    let Some(n) = n.parse::<usize>().ok().filter(|&n| n > 0 || name == "http") else {
        eprintln!("{n} is not a count\n{USAGE}");
        return ExitCode::from(64);
    };
    // `sleepers-mem` is another name of `sleepers`: what it measures is memory.
    let name = if name == "sleepers-mem" {
        "sleepers"
    } else {
        name
    };
    let answer = match runtime.as_str() {
        "corosensei" => corosensei::measure(name, n),
        "epoll" => epoll::measure(name, n),
        #[cfg(feature = "greenroom")]
        "greenroom" => greenroom::measure(name, n),
        "may" => may::measure(name, n),
        "monoio" => monoio::measure(name, n),
        "thread" => thread::measure(name, n),
        "tokio" => tokio::measure(name, n),
        _ => {
            eprintln!("no runtime {runtime} in this build\n{USAGE}");
            return ExitCode::from(64);
        }
    };
    match answer {
        Ok(Some(line)) => {
            line.print(runtime, name);
            ExitCode::SUCCESS
        }
        Ok(None) => {
            eprintln!("{runtime} has no workload {name}");
            ExitCode::from(2)
        }
        Err(error) => {
            eprintln!("{runtime} {name} {n}: {error}");
            ExitCode::FAILURE
        }
    }
}
