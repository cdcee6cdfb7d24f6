//! Folders.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;

use greenroom::fs::{self, DirBuilder};
use greenroom::{Config, Runtime, ThreadPool, spawn, yield_now};

use crate::{Folder, both};

#[test]
fn made_and_removed() {
    both(|| {
        let folder = Folder::new();
        let deep = folder.at("a/b/c");
        assert_eq!(
            fs::create_dir(&deep).unwrap_err().kind(),
            ErrorKind::NotFound
        );
        fs::create_dir_all(&deep).unwrap();
        assert_eq!(
            fs::create_dir(&deep).unwrap_err().kind(),
            ErrorKind::AlreadyExists
        );
        DirBuilder::new().recursive(true).create(&deep).unwrap();
        DirBuilder::new()
            .mode(0o700)
            .create(folder.at("d"))
            .unwrap();
        assert_eq!(fs::metadata(folder.at("d")).unwrap().mode() & 0o777, 0o700);
        fs::remove_dir(&deep).unwrap();
        assert!(fs::remove_dir(folder.at("a")).is_err());
        fs::remove_dir_all(folder.at("a")).unwrap();
        assert!(!fs::exists(folder.at("a")).unwrap());
    });
}

#[test]
fn all_entries_are_there_once() {
    both(|| {
        let folder = Folder::new();
        for number in 0..100 {
            std::fs::write(folder.at(&number.to_string()), b"12").unwrap();
        }
        std::fs::create_dir(folder.at("folder")).unwrap();
        let mut names = BTreeSet::new();
        let mut listing = fs::read_dir(&folder).unwrap();
        for entry in &mut listing {
            let entry = entry.unwrap();
            assert_eq!(entry.path().parent(), Some(folder.as_ref()));
            assert_eq!(entry.ino(), std::fs::metadata(entry.path()).unwrap().ino());
            let is_folder = entry.file_name() == "folder";
            assert_eq!(entry.file_type().unwrap().is_dir(), is_folder);
            assert_eq!(entry.metadata().unwrap().is_dir(), is_folder);
            assert!(format!("{entry:?}").starts_with("DirEntry"));
            assert!(names.insert(entry.file_name()));
        }
        assert_eq!(names.len(), 101);
        assert!(listing.next().is_none());
        let missing = fs::read_dir(folder.at("none")).unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
    });
}

#[test]
fn a_cancelled_iteration_loses_no_entry() {
    let pool = ThreadPool::builder().max_threads(1).build();
    let folder = Folder::new();
    for number in 0..50 {
        std::fs::write(folder.at(&number.to_string()), b"").unwrap();
    }
    let mut rt = Runtime::with(Config::new().thread_pool(pool.clone()));
    rt.run(|| {
        let mut listing = Some(fs::read_dir(&folder).unwrap());
        for round in 0..50 {
            let (sends, back) = std::sync::mpsc::channel();
            let mut held = listing.take().unwrap();
            let task = spawn(move || {
                let next = catch_unwind(AssertUnwindSafe(|| {
                    // The first of each batch waits.
                    held.next()
                }));
                match next {
                    Ok(entry) => sends
                        .send((held, entry.map(|entry| entry.unwrap())))
                        .unwrap(),
                    Err(cancelled) => {
                        sends.send((held, None)).unwrap();
                        resume_unwind(cancelled);
                    }
                }
            });
            yield_now();
            if round % 2 == 0 {
                task.cancel();
            }
            let _end = task.join();
            let (mut held, entry) = back.recv().unwrap();
            let entry = entry.or_else(|| held.next().map(|entry| entry.unwrap()));
            std::fs::remove_file(entry.unwrap().path()).unwrap();
            listing = Some(held);
        }
        assert!(listing.unwrap().next().is_none());
    });
}

#[test]
fn what_a_thread_has_fetched_for_a_cancelled_call_is_kept() {
    let pool = ThreadPool::builder().max_threads(2).build();
    let folder = Folder::new();
    for number in 0..100 {
        std::fs::write(folder.at(&number.to_string()), b"").unwrap();
    }
    let mut rt = Runtime::with(Config::new().thread_pool(pool.clone()));
    rt.run(|| {
        // A thread may be faster than the cancellation: then that round says nothing.
        for _ in 0..200 {
            let listing = Rc::new(RefCell::new(fs::read_dir(&folder).unwrap()));
            let ours = Rc::clone(&listing);
            let got = Rc::new(Cell::new(0));
            let counts = Rc::clone(&got);
            let task = spawn(move || {
                let _entry = ours.borrow_mut().next().unwrap().unwrap();
                counts.set(1);
            });
            yield_now();
            while pool.counts().queued > 0 {
                std::thread::yield_now();
            }
            task.cancel();
            let _either = task.join();
            let rest = listing.borrow_mut().by_ref().count();
            assert_eq!(got.get() + rest, 100);
        }
    });
}
