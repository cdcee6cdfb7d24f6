//! Cancelled callers.

use std::io::{Read, Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Instant;

use greenroom::fs::{self, File};
use greenroom::{
    CancelScope, Clock, Config, Delivery, Runtime, ThreadPool, shield, spawn, timeout, yield_now,
};

use crate::Folder;

/// A runtime with a pool of so many threads of its own.
pub(crate) fn on_pool<T>(threads: usize, main: impl FnOnce(&ThreadPool) -> T) -> T {
    let pool = ThreadPool::builder().max_threads(threads).build();
    let config = Config::new()
        .thread_pool(pool.clone())
        .clock(Clock::virtual_());
    let mut rt = Runtime::with(config);
    let value = rt.run(|| main(&pool));
    assert!(rt.left_over().is_nothing());
    value
}

/// Blocks until something that other threads do is true.
#[track_caller]
pub(crate) fn eventually(what: impl Fn() -> bool) {
    let start = Instant::now();
    while !what() {
        assert!(start.elapsed().as_secs() < 60, "it did not happen");
        std::thread::yield_now();
    }
}

/// A file whose reads block until the other end writes.
pub(crate) fn slow_file() -> (Arc<File>, UnixStream) {
    let (near, far) = UnixStream::pair().unwrap();
    (Arc::new(File::from(OwnedFd::from(near))), far)
}

/// Begins to read so many bytes, and is cancelled when a thread of the pool is at it.
pub(crate) fn cancelled_read(file: &Arc<File>, pool: &ThreadPool, count: usize) {
    let ours = Arc::clone(file);
    let task = spawn(move || (&*ours).read(&mut vec![0; count]).unwrap());
    yield_now();
    eventually(|| pool.counts().queued == 0);
    task.cancel();
    assert!(task.join().unwrap_err().is_cancelled());
}

#[test]
fn what_a_cancelled_read_reads_is_there_for_the_next() {
    on_pool(2, |pool| {
        let (file, mut far) = slow_file();
        cancelled_read(&file, pool, 100);
        far.write_all(b"abc").unwrap();
        let mut two = [0; 2];
        (&*file).read_exact(&mut two).unwrap();
        assert_eq!(&two, b"ab");
        // What is left goes first, also to a duplicate.
        far.write_all(b"d").unwrap();
        let mut twin = file.try_clone().unwrap();
        twin.read_exact(&mut two).unwrap();
        assert_eq!(&two, b"cd");
        cancelled_read(&file, pool, 100);
        far.write_all(b"end").unwrap();
        drop(far);
        let mut rest = String::new();
        twin.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "end");
    });
}

#[test]
fn nobody_asks_for_a_read_that_no_thread_has_begun() {
    on_pool(1, |pool| {
        let (first, mut far) = slow_file();
        cancelled_read(&first, pool, 1);
        let folder = Folder::new();
        let path = folder.at("a");
        let write = spawn(move || fs::write(&path, b"x"));
        yield_now();
        assert_eq!(pool.counts().queued, 1);
        write.cancel();
        assert!(write.join().unwrap_err().is_cancelled());
        far.write_all(b"x").unwrap();
        eventually(|| pool.counts().idle == 1);
        assert!(!folder.at("a").exists());
    });
}

#[test]
fn positions_are_those_of_the_readers_after_a_cancelled_read() {
    // Large, so that the thread is still at it when the reader is cancelled.
    const SIZE: usize = 1_000_000;
    on_pool(2, |pool| {
        let folder = Folder::new();
        let path = folder.at("a");
        let text = vec![b'a'; SIZE + 10];
        for round in 0..100 {
            std::fs::write(&path, &text).unwrap();
            let file = Arc::new(File::options().read(true).write(true).open(&path).unwrap());
            let ours = Arc::clone(&file);
            let task = spawn(move || (&*ours).read(&mut vec![0; SIZE]).unwrap());
            yield_now();
            eventually(|| pool.counts().queued == 0);
            task.cancel();
            // It may have been faster.
            let at = task.join().unwrap_or(0);
            let at = u64::try_from(at).unwrap();
            match round % 4 {
                0 => assert_eq!((&*file).stream_position().unwrap(), at),
                1 => assert_eq!((&*file).seek(SeekFrom::Current(2)).unwrap(), at + 2),
                2 => {
                    (&*file).write_all(b"X").unwrap();
                    let written = std::fs::read(&path).unwrap();
                    assert_eq!(written[usize::try_from(at).unwrap()], b'X');
                }
                _ => {
                    let mut std = std::fs::File::from(Arc::into_inner(file).unwrap());
                    assert_eq!(std.stream_position().unwrap(), at);
                }
            }
        }
    });
}

#[test]
fn a_file_is_converted_when_the_thread_is_done_with_it() {
    on_pool(2, |pool| {
        let (file, mut far) = slow_file();
        cancelled_read(&file, pool, 1);
        let converts = spawn(move || std::fs::File::from(Arc::into_inner(file).unwrap()));
        (0..3).for_each(|_| yield_now());
        assert!(!converts.is_finished());
        far.write_all(b"xy").unwrap();
        let mut std = converts.join().unwrap();
        let mut byte = [0];
        std.read_exact(&mut byte).unwrap();
        // A stream cannot be put back: that byte was read for nobody.
        assert_eq!(byte, *b"y");
    });
}

#[test]
fn a_write_that_was_begun_is_made_before_what_comes_later() {
    on_pool(2, |pool| {
        let folder = Folder::new();
        for _ in 0..50 {
            let file = Arc::new(File::create(folder.at("a")).unwrap());
            let ours = Arc::clone(&file);
            let writes = spawn(move || (&*ours).write(&vec![b'x'; 500_000]).unwrap());
            yield_now();
            eventually(|| pool.counts().queued == 0);
            writes.cancel();
            let _either = writes.join();
            file.sync_data().unwrap();
            let length = std::fs::metadata(folder.at("a")).unwrap().len();
            assert!(length == 500_000 || length == 0, "{length}");
        }
    });
}

#[test]
fn with_errors_and_while_unwinding_it_really_waits() {
    let folder = Folder::new();
    let path = folder.at("a");
    let mut rt = Runtime::with(Config::new().delivery(Delivery::Error));
    rt.run(|| {
        let scope = CancelScope::new();
        scope.cancel("early");
        scope.run(|| fs::write(&path, b"x").unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"x");
    });
    greenroom::run(|| {
        let late = timeout(std::time::Duration::ZERO, || {
            let _log = crate::support::OnDrop(|| fs::write(&path, b"last words").unwrap());
            shield(|| fs::remove_file(&path).unwrap());
            fs::read(&path).unwrap()
        });
        assert!(late.is_err());
        assert_eq!(fs::read(&path).unwrap(), b"last words");
    });
}
