//! Any calls on any of two duplicates, beside the same calls on std's files; some of ours are
//! cancelled reads, which must make no difference.

use std::cell::RefCell;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::rc::Rc;

use greenroom::fs::File;
use greenroom::{Config, Runtime, ThreadPool, spawn, yield_now};
use proptest::prelude::{Just, Strategy, any, proptest};
use proptest::prop_oneof;

use crate::Folder;

#[derive(Debug, Clone)]
enum Step {
    Read(usize),
    Cancelled,
    Write(Vec<u8>),
    WriteAt(u64, Vec<u8>),
    Start(u64),
    Current(i64),
    End(i64),
    Length(u64),
    Rest,
    Convert,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..40_usize).prop_map(Step::Read),
        Just(Step::Cancelled),
        proptest::collection::vec(any::<u8>(), 0..20).prop_map(Step::Write),
        (0..80_u64, proptest::collection::vec(any::<u8>(), 0..20))
            .prop_map(|(at, bytes)| Step::WriteAt(at, bytes)),
        (0..80_u64).prop_map(Step::Start),
        (-40..40_i64).prop_map(Step::Current),
        (-40..10_i64).prop_map(Step::End),
        (0..100_u64).prop_map(Step::Length),
        Just(Step::Rest),
        Just(Step::Convert),
    ]
}

/// Reads up to `count` bytes, all that there are of them.
fn some(mut from: impl Read, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    let mut filled = 0;
    while let Ok(more @ 1..) = from.read(&mut bytes[filled..]) {
        filled += more;
    }
    bytes.truncate(filled);
    bytes
}

/// A read that may be cancelled, and what it got if it was not. A large one, so that a thread is busy with the
/// buffer for a while, the first time.
fn perhaps(file: &Rc<File>, pool: &ThreadPool) -> Vec<u8> {
    let got: Rc<RefCell<Vec<u8>>> = Rc::default();
    let (ours, theirs) = (Rc::clone(file), Rc::clone(&got));
    let task = spawn(move || {
        let mut bytes = vec![0; 2 << 20];
        let read = (&*ours).read(&mut bytes).unwrap();
        theirs.borrow_mut().extend_from_slice(&bytes[..read]);
    });
    yield_now();
    while pool.counts().queued > 0 {
        std::thread::yield_now();
    }
    task.cancel();
    let _either = task.join();
    got.take()
}

fn play(steps: Vec<(bool, Step)>) {
    let pool = ThreadPool::builder().max_threads(2).build();
    let mut rt = Runtime::with(Config::new().thread_pool(pool.clone()));
    rt.run(|| {
        let folder = Folder::new();
        let (a, b) = (folder.at("a"), folder.at("b"));
        let text: Vec<u8> = (0..60).collect();
        std::fs::write(&a, &text).unwrap();
        std::fs::write(&b, &text).unwrap();
        let file = File::options().read(true).write(true).open(&a).unwrap();
        let twin = file.try_clone().unwrap();
        let mut files = [Rc::new(file), Rc::new(twin)];
        let mut model = std::fs::File::options()
            .read(true)
            .write(true)
            .open(&b)
            .unwrap();
        for (which, step) in steps {
            let which = usize::from(which);
            let mut file = &*files[which];
            match step {
                Step::Read(count) => assert_eq!(some(file, count), some(&model, count)),
                Step::Cancelled => {
                    let got = perhaps(&files[which], &pool);
                    assert_eq!(got, some(&model, got.len()));
                }
                Step::Write(bytes) => {
                    file.write_all(&bytes).unwrap();
                    model.write_all(&bytes).unwrap();
                }
                Step::WriteAt(at, bytes) => {
                    file.write_all_at(&bytes, at).unwrap();
                    model.write_all_at(&bytes, at).unwrap();
                }
                Step::Start(to) => seek(file, &model, SeekFrom::Start(to)),
                Step::Current(by) => seek(file, &model, SeekFrom::Current(by)),
                Step::End(by) => seek(file, &model, SeekFrom::End(by)),
                Step::Length(length) => {
                    file.set_len(length).unwrap();
                    model.set_len(length).unwrap();
                }
                Step::Rest => {
                    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
                    file.read_to_end(&mut ours).unwrap();
                    model.read_to_end(&mut theirs).unwrap();
                    assert_eq!(ours, theirs);
                }
                Step::Convert => {
                    let other = Rc::new(files[1 - which].try_clone().unwrap());
                    let ours = std::mem::replace(&mut files[which], other);
                    let mut std = std::fs::File::from(Rc::into_inner(ours).unwrap());
                    assert_eq!(
                        std.stream_position().unwrap(),
                        model.stream_position().unwrap()
                    );
                }
            }
        }
        assert_eq!(std::fs::read(&a).unwrap(), std::fs::read(&b).unwrap());
    });
}

fn seek(mut file: &File, mut model: &std::fs::File, to: SeekFrom) {
    let (ours, theirs) = (file.seek(to), model.seek(to));
    match (ours, theirs) {
        (Ok(ours), Ok(theirs)) => assert_eq!(ours, theirs),
        (Err(ours), Err(theirs)) => assert_eq!(ours.kind(), theirs.kind()),
        other => panic!("{to:?}: {other:?}"),
    }
}

proptest! {
    #[test]
    fn any_calls_do_as_std_does(steps in proptest::collection::vec((any::<bool>(), step()), 0..40)) {
        play(steps);
    }
}
