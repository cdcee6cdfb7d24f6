//! Words are counted by two runtimes on two threads, and collected by a third thread.
//!
//! ```text
//!   main thread: a runtime         second thread: a runtime      third thread
//!   a task for each file,    --->  three tasks count words  ---> takes what is counted
//!   read by `unblock`        texts                         counts  until there is no more
//!          |                              ^
//!          +---- Handle::spawn, stop -----+
//! ```
//!
//! ```python
//! import asyncio, queue, threading
//!
//! def counter(ready):  # a loop of its own, on a thread of its own
//!     async def main():
//!         texts, stop = asyncio.Queue(1), asyncio.Event()
//!         ready.put((asyncio.get_running_loop(), texts, stop))
//!         ...
//!     asyncio.run(main())
//!
//! async def read(path, loop, texts):
//!     text = await asyncio.to_thread(path.read_text)
//!     put = asyncio.run_coroutine_threadsafe(texts.put(text), loop)  # it is not our queue
//!     await asyncio.wrap_future(put)
//! ```
//!
//! What to notice:
//!
//! - A channel of [`remote`] is the same at both ends, whoever is there: `recv` parks a task
//!   in a runtime, and blocks a plain thread. Nobody has to know whose queue it is.
//! - Reading a file blocks, so `unblock` does it on another thread and only that task waits.
//! - `Handle::spawn` sends a function into the other runtime. There it sees what belongs to
//!   that thread: the total is a plain `Cell`, and nobody locks anything.
//! - To stop is to let go. The texts end with their last sender, so the counters' loops end;
//!   with these go the senders of the counts, so the collector ends. All that was sent has
//!   been counted then. What would never end by itself gets a moment, and is cancelled.

pub(crate) mod support;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use greenroom::sync::remote::{self, OneshotReceiver, OneshotSender, Receiver, Sender};
use greenroom::{Handle, run, scope, sleep, unblock};
use support::say;

/// The name of a file, and what is in it, if it could be read.
type Text = (&'static str, io::Result<String>);

/// The same, counted.
type Count = (&'static str, io::Result<usize>);

const FILES: [(&str, &str); 3] = [
    ("ebb", "what the tide takes away\nthe tide brings back"),
    ("flood", "and what it brings\nis never what it took"),
    (
        "slack",
        "between the two\nthe water waits for nobody at all",
    ),
];

thread_local! {
    /// The words that the tasks of this thread have counted.
    static TOTAL: Cell<usize> = const { Cell::new(0) };
}

fn main() -> io::Result<()> {
    program()
}

/// Counts the words of three files, and of one that is not there.
pub(crate) fn program() -> io::Result<()> {
    let folder = Folder::with_files()?;
    let (texts, unread) = remote::bounded(1);
    let (counts, counted) = remote::bounded(1);
    let (hello, introduced) = remote::oneshot();
    let (stop, stopped) = remote::oneshot();
    let counter = thread::spawn(move || run(|| count(unread, counts, hello, stopped)));
    let collector = thread::spawn(move || collect(counted));
    run(|| {
        let counters = introduced.recv().map_err(io::Error::other)?;
        // A chore that never ends by itself.
        let mut chore = counters.spawn(|| {
            loop {
                sleep(Duration::from_secs(3600));
            }
        });
        read(&folder, &texts);
        drop(texts);
        say("all is read and sent");
        // Ends when the last text is counted.
        let table = unblock(move || collector.join()).map_err(|_| io::Error::other("collector"))?;
        for (name, words) in table {
            match words {
                Ok(words) => say(format!("{name}: {words} words")),
                Err(error) => say(format!("{name}: {}", error.kind())),
            }
        }
        let total = counters.spawn(|| TOTAL.get()).join();
        say(format!(
            "in all: {} words",
            total.map_err(io::Error::other)?
        ));
        if chore.join_timeout(Duration::from_millis(1)).is_none() {
            chore.cancel();
            let ended = chore.join();
            let cancelled = ended.is_err_and(|error| error.is_cancelled());
            say(format!("the chore was cancelled: {cancelled}"));
        }
        stop.send(()).map_err(io::Error::other)?;
        let ended = unblock(move || counter.join()).map_err(|_| io::Error::other("counter"))?;
        say(format!("the second runtime has stopped: {ended}"));
        Ok(())
    })
}

/// Reads all files at once, and sends what is in them. In the first runtime.
fn read(folder: &Folder, texts: &Sender<Text>) {
    scope(|s| {
        for name in ["ebb", "flood", "neap", "slack"] {
            s.spawn(move || {
                let path = folder.path.join(name);
                let text = unblock(move || fs::read_to_string(path));
                // With nobody there to count, there is nothing to be done either.
                let _nobody_counts = texts.send((name, text));
            });
        }
    });
}

/// The main task of the second runtime. It ends when it is told to, or when there is nobody
/// left who could tell.
fn count(
    texts: Receiver<Text>,
    counts: Sender<Count>,
    hello: OneshotSender<Handle>,
    stop: OneshotReceiver<()>,
) -> &'static str {
    let introduced = Handle::current().map(|handle| hello.send(handle));
    if !matches!(introduced, Ok(Ok(()))) {
        return "nobody knows it";
    }
    scope(|s| {
        for _ in 0..3 {
            let (texts, counts) = (texts.clone(), counts.clone());
            s.spawn(move || {
                for (name, text) in texts {
                    let words = text.map(|text| text.split_whitespace().count());
                    TOTAL.set(TOTAL.get() + words.as_ref().map_or(0, |words| *words));
                    let _nobody_collects = counts.send((name, words));
                }
            });
        }
        // What is left are the ends of the tasks.
        drop((texts, counts));
        match stop.recv() {
            Ok(()) => "it was told to",
            Err(_) => "nobody is left",
        }
    })
}

/// A thread without a runtime: it blocks until there is something, or nobody who sends.
fn collect(counts: Receiver<Count>) -> BTreeMap<&'static str, io::Result<usize>> {
    counts.into_iter().collect()
}

/// A folder with the files, removed when it is dropped.
struct Folder {
    path: PathBuf,
}

impl Folder {
    fn with_files() -> io::Result<Self> {
        static FOLDERS: AtomicUsize = AtomicUsize::new(0);
        let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
        let name = format!("greenroom-threads-{}-{number}", process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path)?;
        let folder = Self { path };
        for (name, text) in FILES {
            fs::write(folder.path.join(name), text)?;
        }
        Ok(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _still_there = fs::remove_dir_all(&self.path);
    }
}
