//! Calls of one file are made in the order in which they were begun, and those of different directions of a stream do not
//! wait for each other.

use std::cell::{Cell, RefCell};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use greenroom::fs::File;
use greenroom::{Config, Runtime, ThreadPool, run, scope, spawn, timeout, unblock, yield_now};
use proptest::prelude::{ProptestConfig, any, proptest};

use crate::Folder;
use crate::cancelled::{cancelled_read, eventually, on_pool, slow_file};

/// What one of several tasks does again and again: how long it is patient, in microseconds, how much it writes,
/// by which of two duplicates.
type Plan = Vec<(u8, bool, bool)>;

/// Every write begins with its number, in the order in which they were begun. What is in the file then is
/// in order, and whatever was told to be written is there.
fn numbered(threads: usize, plans: &[Plan]) {
    let pool = ThreadPool::builder().max_threads(threads).build();
    let folder = Folder::new();
    let written = RefCell::new(Vec::new());
    Runtime::with(Config::new().thread_pool(pool)).run(|| {
        let file = File::create(folder.at("a")).unwrap();
        let twin = file.try_clone().unwrap();
        let next = Cell::new(0_u32);
        scope(|s| {
            for plan in plans {
                let (files, next, written) = ([&file, &twin], &next, &written);
                s.spawn(move || {
                    for (patience, large, which) in plan {
                        let mut file = files[usize::from(*which)];
                        let limit = Duration::from_micros(u64::from(*patience));
                        let end = timeout(limit, || {
                            let number = next.get();
                            next.set(number + 1);
                            let mut bytes = vec![0; if *large { 400_000 } else { 4 }];
                            bytes[..4].copy_from_slice(&(number + 1).to_le_bytes());
                            assert_eq!(file.write(&bytes).unwrap(), bytes.len());
                            number + 1
                        });
                        written.borrow_mut().extend(end.ok());
                    }
                });
            }
        });
        file.sync_data().unwrap();
    });
    let bytes = std::fs::read(folder.at("a")).unwrap();
    let found: Vec<u32> = bytes
        .chunks(4)
        .map(|number| u32::from_le_bytes(number.try_into().unwrap()))
        .filter(|number| *number != 0)
        .collect();
    assert!(found.is_sorted(), "{found:?}");
    for number in written.take() {
        assert!(found.binary_search(&number).is_ok(), "{number}: {found:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_is_cancelled_nothing_overtakes(
        threads in 1..4_usize,
        plans in proptest::collection::vec(
            proptest::collection::vec((any::<u8>(), any::<bool>(), any::<bool>()), 1..12),
            1..5,
        ),
    ) {
        numbered(threads, &plans);
    }
}

#[test]
fn what_is_cancelled_while_an_earlier_call_is_made_is_not_made() {
    on_pool(3, |pool| {
        let (file, mut far) = slow_file();
        let full = vec![b'a'; 1 << 20];
        let first = spawn({
            let file = Arc::clone(&file);
            move || (&*file).write_all(&full).unwrap()
        });
        yield_now();
        eventually(|| pool.counts().queued == 0);
        first.cancel();
        assert!(first.join().unwrap_err().is_cancelled());
        for letter in *b"bcd" {
            let file = Arc::clone(&file);
            let cancelled = spawn(move || (&*file).write(&[letter]).unwrap());
            yield_now();
            eventually(|| pool.counts().queued == 0);
            cancelled.cancel();
            assert!(cancelled.join().unwrap_err().is_cancelled());
        }
        let last = spawn(move || (&*file).write_all(b"z").unwrap());
        yield_now();
        let drained = std::thread::spawn(move || {
            let mut all = Vec::new();
            far.read_to_end(&mut all).unwrap();
            all
        });
        last.join().unwrap();
        let all = drained.join().unwrap();
        let place = all.iter().position(|byte| *byte != b'a').unwrap();
        assert_eq!(&all[place..], b"z");
    });
}

#[test]
fn a_write_that_was_begun_after_a_read_is_made_after_it() {
    let folder = Folder::new();
    for round in 0..200 {
        std::fs::write(folder.at("a"), b"0123456789").unwrap();
        run(|| {
            let file = Arc::new(
                File::options()
                    .read(true)
                    .write(true)
                    .open(folder.at("a"))
                    .unwrap(),
            );
            let reads = Arc::clone(&file);
            let reads = spawn(move || {
                let mut bytes = [0; 4];
                assert_eq!((&*reads).read(&mut bytes).unwrap(), 4);
                bytes
            });
            let writes = Arc::clone(&file);
            let writes = spawn(move || match round % 3 {
                0 => (&*writes).write_all(b"ab").unwrap(),
                1 => writes.write_all_at(b"ab", 4).unwrap(),
                _ => assert_eq!((&*writes).seek(SeekFrom::Current(2)).unwrap(), 6),
            });
            assert_eq!(reads.join().unwrap(), *b"0123");
            writes.join().unwrap();
        });
        let all = std::fs::read(folder.at("a")).unwrap();
        let expected: &[u8] = if round % 3 == 2 {
            b"0123456789"
        } else {
            b"0123ab6789"
        };
        assert_eq!(all, expected);
    }
}

#[test]
fn a_read_of_a_stream_does_not_hold_up_a_write() {
    on_pool(3, |pool| {
        let (file, mut far) = slow_file();
        cancelled_read(&file, pool, 10);
        let waits = Arc::clone(&file);
        let waits = spawn(move || {
            let mut bytes = [0; 10];
            let count = (&*waits).read(&mut bytes).unwrap();
            bytes[..count].to_vec()
        });
        yield_now();
        (&*file).write_all(b"question").unwrap();
        assert!((&*file).seek(SeekFrom::Start(0)).is_err());
        file.metadata().unwrap();
        let mut question = [0; 8];
        far.read_exact(&mut question).unwrap();
        assert_eq!(&question, b"question");
        far.write_all(b"answer").unwrap();
        // Got by the cancelled one, and not lost.
        assert_eq!(waits.join().unwrap(), b"answer");
    });
}

#[test]
fn the_only_thread_of_a_pool_may_use_the_file_itself() {
    on_pool(1, |pool| {
        let folder = Folder::new();
        let file = Arc::new(File::create(folder.at("a")).unwrap());
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let inner = Arc::clone(&file);
        let thread = spawn(move || {
            unblock(move || {
                wait.recv().unwrap();
                (&*inner).write_all(b"b").unwrap();
            });
        });
        yield_now();
        eventually(|| pool.counts().queued == 0);
        let before = spawn({
            let file = Arc::clone(&file);
            move || (&*file).write_all(b"a").unwrap()
        });
        yield_now();
        go.send(()).unwrap();
        thread.join().unwrap();
        before.join().unwrap();
        assert_eq!(std::fs::read(folder.at("a")).unwrap(), b"ab");
    });
}

#[test]
fn a_conversion_leaves_the_thread_its_wake_up() {
    let (file, mut far) = on_pool(2, |pool| {
        let (file, far) = slow_file();
        cancelled_read(&file, pool, 1);
        (file, far)
    });
    let writes = std::thread::spawn(move || {
        // So that it is likely to come while the conversion waits.
        std::thread::park_timeout(Duration::from_millis(50));
        far.write_all(b"x").unwrap();
    });
    std::thread::current().unpark();
    let std = std::fs::File::from(Arc::into_inner(file).unwrap());
    let start = Instant::now();
    std::thread::park_timeout(Duration::from_secs(20));
    assert!(start.elapsed() < Duration::from_secs(10));
    writes.join().unwrap();
    drop(std);
}
