//! Several tasks, one file.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

use greenroom::fs::{self, File};
use greenroom::{Clock, Config, Instant, Runtime, run, sleep, spawn, yield_now};

use crate::Folder;

#[test]
fn the_others_run_and_a_virtual_clock_stands_still() {
    let folder = Folder::new();
    std::fs::write(folder.at("a"), b"abc").unwrap();
    let mut rt = Runtime::with(Config::new().clock(Clock::virtual_()));
    rt.run(|| {
        let start = Instant::now();
        let path = folder.at("a");
        let reads = spawn(move || (fs::read(path).unwrap(), Instant::now()));
        let sleeps = spawn(|| sleep(Duration::from_secs(1)));
        yield_now();
        let (read, when) = reads.join().unwrap();
        assert_eq!(
            (read, when.duration_since(start)),
            (b"abc".to_vec(), Duration::ZERO)
        );
        sleeps.join().unwrap();
    });
}

#[test]
fn writes_of_several_tasks_are_not_mixed() {
    let folder = Folder::new();
    run(|| {
        let file = Arc::new(File::create(folder.at("a")).unwrap());
        let tasks: Vec<_> = (0..10_u8)
            .map(|number| {
                let file = Arc::clone(&file);
                spawn(move || {
                    for _ in 0..20 {
                        assert_eq!((&*file).write(&[number; 1_000]).unwrap(), 1_000);
                    }
                })
            })
            .collect();
        for task in tasks {
            task.join().unwrap();
        }
    });
    let all = std::fs::read(folder.at("a")).unwrap();
    assert_eq!(all.len(), 200_000);
    let mut counts = BTreeMap::new();
    for piece in all.chunks(1_000) {
        assert!(piece.iter().all(|byte| *byte == piece[0]));
        *counts.entry(piece[0]).or_insert(0) += 1;
    }
    assert!(counts.len() == 10 && counts.values().all(|count| *count == 20));
}

#[test]
fn readers_of_one_file_share_it_without_loss() {
    let folder = Folder::new();
    let text: Vec<u8> = (0..50_000_u32).flat_map(u32::to_be_bytes).collect();
    std::fs::write(folder.at("a"), &text).unwrap();
    let read = || {
        let file = Arc::new(File::open(folder.at("a")).unwrap());
        let tasks: Vec<_> = (0..8)
            .map(|number| {
                let file = Arc::clone(&file);
                spawn(move || {
                    let mut mine = Vec::new();
                    let mut piece = vec![0; 400 + number * 100];
                    loop {
                        let count = (&*file).read(&mut piece).unwrap();
                        if count == 0 {
                            return mine;
                        }
                        mine.extend_from_slice(&piece[..count]);
                    }
                })
            })
            .collect();
        tasks
            .into_iter()
            .flat_map(|task| task.join().unwrap())
            .collect::<Vec<u8>>()
    };
    let mut all = run(read);
    assert_eq!(all.len(), text.len());
    let mut expected = text;
    all.sort_unstable();
    expected.sort_unstable();
    assert!(all == expected);
}

#[test]
fn a_file_goes_to_other_threads() {
    fn anywhere<T: Send + Sync>() {}
    anywhere::<(File, fs::OpenOptions, fs::DirBuilder, fs::DirEntry)>();
    fn sent<T: Send>() {}
    sent::<fs::ReadDir>();
    let folder = Folder::new();
    let file = Arc::new(File::create_new(folder.at("a")).unwrap());
    let threads: Vec<_> = (0..4)
        .map(|number| {
            let file = Arc::clone(&file);
            std::thread::spawn(move || {
                let write = || (&*file).write_all(&[b'0' + number; 64]).unwrap();
                if number % 2 == 0 { write() } else { run(write) }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(std::fs::read(folder.at("a")).unwrap().len(), 256);
}
