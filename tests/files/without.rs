//! Where a thread cannot be had: an error, and no panic.

use std::io::{Read, Write};
use std::sync::Arc;

use greenroom::fs::{self, File};
use greenroom::{Config, Runtime, ThreadPool};

use crate::Folder;
use crate::cancelled::{eventually, on_pool, slow_file};

/// A runtime whose pool can start no thread: there is no room for the stack.
fn without_threads<T>(main: impl FnOnce() -> T) -> T {
    let pool = ThreadPool::builder().stack_size(1 << 62).build();
    Runtime::with(Config::new().thread_pool(pool)).run(main)
}

#[test]
fn calls_fail() {
    let folder = Folder::new();
    let file = File::create(folder.at("a")).unwrap();
    let mut listing = fs::read_dir(&folder).unwrap();
    without_threads(|| {
        let error = fs::metadata(&folder).unwrap_err();
        assert!(error.to_string().contains("no thread"), "{error}");
        assert!(fs::read(folder.at("a")).is_err());
        assert!(fs::write(folder.at("b"), b"x").is_err());
        assert!(!folder.at("b").exists());
        assert!(fs::read_dir(&folder).is_err());
        assert!(fs::create_dir(folder.at("c")).is_err());
        assert!(File::open(folder.at("a")).is_err());
        assert!((&file).write(b"x").is_err());
        assert!(file.set_len(1).is_err());
        assert!(file.metadata().is_err());
        assert!(listing.next().unwrap().is_err());
        assert!(listing.next().is_none());
    });
    // It was only that runtime.
    (&file).write_all(b"x").unwrap();
    assert_eq!(file.metadata().unwrap().len(), 1);
    let std = without_threads(|| std::fs::File::from(file));
    assert_eq!(std.metadata().unwrap().len(), 1);
}

#[test]
fn a_call_fails_whose_turn_comes_when_there_is_no_thread() {
    on_pool(1, |pool| {
        let (file, mut far) = slow_file();
        let ours = Arc::clone(&file);
        let reads = greenroom::spawn(move || {
            let mut byte = [0];
            (&*ours).read_exact(&mut byte).unwrap();
            byte
        });
        greenroom::yield_now();
        eventually(|| pool.counts().queued == 0);
        let theirs = Arc::clone(&file);
        let (tells, told) = std::sync::mpsc::channel();
        let other = std::thread::spawn(move || {
            without_threads(|| {
                greenroom::spawn(move || tells.send(()).unwrap());
                (&*theirs).read(&mut [0]).unwrap_err()
            })
        });
        told.recv().unwrap();
        far.write_all(b"x").unwrap();
        assert_eq!(reads.join().unwrap(), *b"x");
        let error = other.join().unwrap();
        assert!(error.to_string().contains("no thread"), "{error}");
        // The line goes on.
        far.write_all(b"y").unwrap();
        let mut byte = [0];
        (&*file).read_exact(&mut byte).unwrap();
        assert_eq!(byte, *b"y");
    });
}
