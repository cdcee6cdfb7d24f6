//! The promise: files and folders as with std, while the other tasks go on; a cancelled read loses no byte, a
//! cancelled write is made whole or not at all, what several tasks do with a file is never mixed, and is done in the order
//! in which they began it.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

#[path = "files/cancelled.rs"]
mod cancelled;
#[path = "files/folders.rs"]
mod folders;
#[path = "files/image.rs"]
mod image;
#[path = "files/model.rs"]
mod model;
#[path = "files/order.rs"]
mod order;
#[path = "files/tasks.rs"]
mod tasks;
#[path = "files/without.rs"]
mod without;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A folder for one test, removed with all in it when it is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("greenroom-files-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).expect("there is room for a folder");
        Self(path)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl AsRef<Path> for Folder {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}

/// In a task and on a plain thread.
fn both(test: impl Fn()) {
    greenroom::run(&test);
    test();
}
