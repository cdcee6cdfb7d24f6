//! Descriptors of all kinds, read and written by tasks and by plain threads.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use greenroom::io::Async;
use greenroom::{Config, Runtime, run, select, sleep, spawn, timeout, yield_now};

use crate::support::{bounded, in_a_task, is_nonblocking, kind, raw_pipe, set_nonblocking};

fn pipe() -> (Async<File>, Async<File>) {
    let (read, write) = raw_pipe();
    (Async::new(read).unwrap(), Async::new(write).unwrap())
}

#[test]
fn a_pipe_is_read_while_others_run() {
    in_a_task(|| {
        let (mut read, mut write) = pipe();
        let turns = Rc::new(Cell::new(0));
        let seen = Rc::clone(&turns);
        let writer = spawn(move || {
            for n in 0..5_u8 {
                seen.set(seen.get() + 1);
                sleep(Duration::from_millis(1));
                write.write_all(&[n; 3]).unwrap();
            }
        });
        let mut all = Vec::new();
        read.read_to_end(&mut all).unwrap();
        writer.join().unwrap();
        assert_eq!(all, [[0; 3], [1; 3], [2; 3], [3; 3], [4; 3]].concat());
        assert_eq!(turns.get(), 5);
    });
}

#[test]
fn a_full_pipe_makes_the_writer_wait() {
    const LENGTH: usize = 1 << 20;
    in_a_task(|| {
        let (read, write) = pipe();
        let writer = spawn(move || (&write).write_all(&vec![7; LENGTH]));
        yield_now();
        let mut all = Vec::new();
        // By reference, as a `File` may be.
        (&read).read_to_end(&mut all).unwrap();
        writer.join().unwrap().unwrap();
        assert_eq!(all.len(), LENGTH);
    });
}

#[test]
fn pieces_are_passed_on() {
    in_a_task(|| {
        let (mut read, mut write) = pipe();
        let written = write.write_vectored(&[IoSlice::new(b"ab"), IoSlice::new(b"cde")]);
        assert_eq!(written.unwrap(), 5);
        write.flush().unwrap();
        (&write).flush().unwrap();
        let (mut first, mut second) = ([0; 1], [0; 9]);
        let mut pieces = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)];
        assert_eq!(read.read_vectored(&mut pieces).unwrap(), 5);
        assert_eq!((&first, &second[..4]), (b"a", &b"bcde"[..]));
        let written = (&write).write_vectored(&[IoSlice::new(b"x")]);
        assert_eq!(written.unwrap(), 1);
        let mut pieces = [IoSliceMut::new(&mut first)];
        assert_eq!((&read).read_vectored(&mut pieces).unwrap(), 1);
    });
}

#[test]
fn it_works_on_plain_threads() {
    bounded(|| {
        let (mut read, mut write) = pipe();
        let writer = thread::spawn(move || {
            write.writable().unwrap();
            write.write_all(&vec![3; 1 << 18]).unwrap();
        });
        read.readable().unwrap();
        let mut all = Vec::new();
        read.read_to_end(&mut all).unwrap();
        assert_eq!(all.len(), 1 << 18);
        writer.join().unwrap();
    });
}

#[test]
fn one_is_used_by_several_runtimes_in_turn() {
    bounded(|| {
        let (read, write) = pipe();
        let (read, write) = (Arc::new(read), Arc::new(write));
        for n in 0..3 {
            let (ours, theirs) = (Arc::clone(&read), Arc::clone(&write));
            let in_a_runtime = move || {
                run(|| {
                    spawn(move || (&*theirs).write_all(&[n]).unwrap());
                    let mut byte = [9];
                    (&*ours).read_exact(&mut byte).unwrap();
                    assert_eq!(byte, [n]);
                });
            };
            thread::spawn(in_a_runtime).join().unwrap();
        }
        (&*write).write_all(b"x").unwrap();
        (&*read).read_exact(&mut [0]).unwrap();
    });
}

#[test]
fn the_flag_is_put_back() {
    let (read, write) = raw_pipe();
    let (other, flagged) = (read.try_clone().unwrap(), write.try_clone().unwrap());
    set_nonblocking(&flagged, true);
    let (read, write) = (Async::new(read).unwrap(), Async::new(write).unwrap());
    assert!(is_nonblocking(&other));
    let read = read.into_inner();
    assert!(!is_nonblocking(&read) && !is_nonblocking(&other));
    drop(Async::new(read).unwrap());
    assert!(!is_nonblocking(&other), "dropping puts it back, too");
    drop(write);
    assert!(
        is_nonblocking(&flagged),
        "it was found set, so it stays set"
    );
}

/// Such as a program that was started from here, and ends.
#[test]
fn somebody_else_clears_the_flag() {
    in_a_task(|| {
        let (read, write) = raw_pipe();
        let other = read.try_clone().unwrap();
        let (read, mut write) = (Async::new(read).unwrap(), Async::new(write).unwrap());
        let reader = spawn(move || {
            let mut byte = [0];
            (&read).read_exact(&mut byte).map(|()| byte)
        });
        for _ in 0..3 {
            set_nonblocking(&other, false);
            yield_now();
        }
        // Two for one edge, and a try after that.
        write.write_all(b"x").unwrap();
        assert_eq!(reader.join().unwrap().unwrap(), *b"x");
        set_nonblocking(&other, false);
    });
}

#[test]
fn files_are_refused_at_once_and_left_as_they_are() {
    for name in ["/dev/null", "/", file!()] {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        let file = File::open(path).unwrap();
        let other = file.try_clone().unwrap();
        let error = Async::new(file).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{name}");
        assert!(error.to_string().contains("`unblock`"), "{error}");
        assert!(!is_nonblocking(&other));
    }
}

#[test]
fn readers_are_served_in_order() {
    in_a_task(|| {
        let (read, mut write) = pipe();
        let read = Arc::new(read);
        let take = |read: &Async<File>| {
            let (mut byte, mut read) = ([0], read);
            read.read_exact(&mut byte).unwrap();
            byte[0]
        };
        let tasks: Vec<_> = (0..3)
            .map(|_| {
                let read = Arc::clone(&read);
                spawn(move || take(&read))
            })
            .collect();
        yield_now();
        write.write_all(b"abcd").unwrap();
        assert_eq!(take(&read), b'd', "the last one does not overtake");
        let first: Vec<u8> = tasks.into_iter().map(|task| task.join().unwrap()).collect();
        assert_eq!(first, b"abc");
    });
}

#[test]
fn waiting_takes_nothing() {
    in_a_task(|| {
        let (read, mut write) = pipe();
        assert!(timeout(Duration::from_millis(1), || read.readable()).is_err());
        write.writable().unwrap();
        let writer = spawn(move || {
            write.write_all(b"ab").unwrap();
            write
        });
        for _ in 0..3 {
            read.readable().unwrap();
        }
        let mut bytes = [0; 2];
        (&read).read_exact(&mut bytes).unwrap();
        assert_eq!(&bytes, b"ab");
        assert!(timeout(Duration::from_millis(1), || read.readable()).is_err());
        drop(writer.join().unwrap());
        read.readable().unwrap(); // the end
        assert_eq!((&read).read(&mut bytes).unwrap(), 0);
    });
}

#[test]
fn a_reader_that_is_gone_is_an_error() {
    in_a_task(|| {
        let (read, mut write) = pipe();
        let writer = spawn(move || {
            loop {
                if let Err(error) = write.write(&[0; 4096]) {
                    break error.kind();
                }
            }
        });
        (0..3).for_each(|_| yield_now());
        drop(read);
        assert_eq!(writer.join().unwrap(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn it_is_an_arm_of_a_selection() {
    in_a_task(|| {
        let ((first, _write), (second, mut write)) = (pipe(), pipe());
        spawn(move || {
            write.write_all(b"x").unwrap();
            write
        });
        let name = select! {
            readable(first) -> ready => ready.map(|()| 1).unwrap(),
            readable(second) -> ready => ready.map(|()| 2).unwrap(),
        };
        assert_eq!(name, 2);
        let name = select! {
            readable(first) -> _ready => 1,
            writable(_write) -> ready => ready.map(|()| 3).unwrap(),
        };
        assert_eq!(name, 3);
    });
}

/// Calls that want `&mut`, as those of many a library's types do.
#[test]
fn calls_that_change_the_source() {
    struct Counting(UnixStream, usize);
    impl Counting {
        fn receive(&mut self) -> io::Result<u8> {
            self.1 += 1;
            let mut byte = [0];
            self.0.read_exact(&mut byte)?;
            Ok(byte[0])
        }
        fn send(&mut self, byte: u8) -> io::Result<usize> {
            self.0.write(&[byte])
        }
    }
    impl AsFd for Counting {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.0.as_fd()
        }
    }
    in_a_task(|| {
        let (near, far) = UnixStream::pair().unwrap();
        let [mut near, mut far] = [near, far].map(|end| Async::new(Counting(end, 0)).unwrap());
        let reader = spawn(move || {
            let byte = near.read_with_mut(Counting::receive).unwrap();
            (byte, near.get_mut().1)
        });
        yield_now();
        assert!(!reader.is_finished());
        assert_eq!(far.write_with_mut(|far| far.send(7)).unwrap(), 1);
        assert_eq!(reader.join().unwrap(), (7, 2));
    });
}

#[test]
fn interruptions_are_not_told() {
    in_a_task(|| {
        let (read, write) = pipe();
        let calls = Rc::new(RefCell::new(Vec::new()));
        let seen = Rc::clone(&calls);
        let reader = spawn(move || {
            read.read_with(|mut file| {
                let mut calls = seen.borrow_mut();
                calls.push(file.as_raw_fd());
                if calls.len() % 2 == 1 {
                    return Err(ErrorKind::Interrupted.into());
                }
                drop(calls);
                let mut byte = [0];
                file.read_exact(&mut byte).map(|()| byte[0])
            })
        });
        yield_now();
        assert_eq!(calls.borrow().len(), 2, "one interruption, one try");
        write.write_with(|mut file| file.write(b"z")).unwrap();
        assert_eq!(reader.join().unwrap().unwrap(), b'z');
        // The registration may bring one try more, at most.
        assert!((4..=6).contains(&calls.borrow().len()));
        let error = write.write_with(|_| Err::<(), _>(ErrorKind::NotFound.into()));
        assert_eq!(kind(error), ErrorKind::NotFound);
    });
}

#[test]
fn it_starves_nobody() {
    let mut runtime = Runtime::with(Config::new().budget(4));
    runtime.run(|| {
        let (mut read, mut write) = pipe();
        write.write_all(&[0; 1000]).unwrap();
        let turns = Rc::new(Cell::new(0));
        let seen = Rc::clone(&turns);
        spawn(move || {
            loop {
                seen.set(seen.get() + 1);
                yield_now();
            }
        });
        for n in 0..1000 {
            match n % 2 {
                0 => read.readable().unwrap(),
                _ => read.read_exact(&mut [0]).unwrap(),
            }
        }
        assert!(turns.get() >= 1000 / 5, "{}", turns.get());
    });
}

#[test]
fn it_may_be_sent_and_shared_and_shown() {
    fn check<T: Send + Sync + std::fmt::Debug>() {}
    check::<Async<UnixStream>>();
    let (near, _far) = UnixStream::pair().unwrap();
    let number = near.as_raw_fd();
    let near = Async::new(near).unwrap();
    assert_eq!(
        (near.as_raw_fd(), near.get_ref().as_raw_fd()),
        (number, number)
    );
    assert!(format!("{near:?}").starts_with("Async(UnixStream"));
}

/// What only Linux has.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "std has no names for these")]
mod linux {
    use std::os::fd::{FromRawFd, OwnedFd};
    use std::time::Instant;

    use super::*;

    /// What the kernel just made.
    fn owned(fd: libc::c_int) -> OwnedFd {
        assert!(fd >= 0);
        // SAFETY: it was just made, for nobody else.
        unsafe { OwnedFd::from_raw_fd(fd) }
    }

    #[test]
    fn a_counter_of_the_kernel() {
        in_a_task(|| {
            // SAFETY: no pointer is passed.
            let counter = File::from(owned(unsafe { libc::eventfd(0, libc::EFD_SEMAPHORE) }));
            let counter = Arc::new(Async::new(counter).unwrap());
            let tasks: Vec<_> = (0..3)
                .map(|n| {
                    let counter = Arc::clone(&counter);
                    spawn(move || (&*counter).read_exact(&mut [0; 8]).map(|()| n))
                })
                .collect();
            yield_now();
            // One edge, and each of them takes one.
            (&*counter).write_all(&3_u64.to_ne_bytes()).unwrap();
            for (n, task) in tasks.into_iter().enumerate() {
                assert_eq!(task.join().unwrap().unwrap(), n);
            }
        });
    }

    #[test]
    fn a_timer_of_the_kernel() {
        in_a_task(|| {
            // SAFETY: no pointer is passed.
            let timer = owned(unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, 0) });
            let tick = libc::timespec {
                tv_sec: 0,
                tv_nsec: 2_000_000,
            };
            let times = libc::itimerspec {
                it_interval: tick,
                it_value: tick,
            };
            let start = Instant::now();
            // SAFETY: the times outlive the call; the old ones are not wanted.
            let set = unsafe {
                libc::timerfd_settime(timer.as_raw_fd(), 0, &raw const times, std::ptr::null_mut())
            };
            assert_eq!(set, 0);
            let mut timer = Async::new(File::from(timer)).unwrap();
            let mut ticks = 0;
            while ticks < 5 {
                let mut count = [0; 8];
                timer.read_exact(&mut count).unwrap();
                ticks += u64::from_ne_bytes(count);
            }
            assert!(start.elapsed() >= Duration::from_millis(10));
        });
    }

    #[test]
    fn changes_of_a_folder() {
        let folder = std::env::temp_dir().join(format!("greenroom-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let watched = folder.clone();
        in_a_task(move || {
            // SAFETY: no pointer is passed.
            let changes = owned(unsafe { libc::inotify_init1(0) });
            let path = std::ffi::CString::new(watched.to_str().unwrap()).unwrap();
            // SAFETY: the path ends with a zero, and outlives the call.
            let watch = unsafe {
                libc::inotify_add_watch(changes.as_raw_fd(), path.as_ptr(), libc::IN_CREATE)
            };
            assert!(watch >= 0);
            let mut changes = Async::new(File::from(changes)).unwrap();
            spawn(move || std::fs::write(watched.join("a new one"), "").unwrap());
            let mut buffer = [0; 4096];
            let length = changes.read(&mut buffer).unwrap();
            assert!(buffer[..length].windows(9).any(|name| name == b"a new one"));
        });
        std::fs::remove_dir_all(folder).unwrap();
    }

    /// The two ends of a terminal that is none.
    #[test]
    fn a_terminal() {
        in_a_task(|| {
            // SAFETY: no pointer is passed.
            let master = owned(unsafe { libc::posix_openpt(libc::O_RDWR | libc::O_NOCTTY) });
            // SAFETY: no pointer is passed.
            assert_eq!(unsafe { libc::grantpt(master.as_raw_fd()) }, 0);
            // SAFETY: no pointer is passed.
            assert_eq!(unsafe { libc::unlockpt(master.as_raw_fd()) }, 0);
            let flags = libc::O_RDWR | libc::O_NOCTTY;
            // SAFETY: the request takes a number.
            let end = unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCGPTPEER, flags) };
            let mut near = Async::new(File::from(master)).unwrap();
            let far = Async::new(File::from(owned(end))).unwrap();
            let reader = spawn(move || {
                let mut line = [0; 64];
                let length = (&far).read(&mut line).unwrap();
                line[..length].to_vec()
            });
            near.write_all(b"half a line").unwrap();
            (0..3).for_each(|_| yield_now());
            assert!(!reader.is_finished());
            near.write_all(b", and the rest\n").unwrap();
            assert_eq!(reader.join().unwrap(), b"half a line, and the rest\n");
            // What was typed comes back.
            let mut echo = [0; 8];
            near.read_exact(&mut echo).unwrap();
            assert_eq!(&echo, b"half a l");
        });
    }
}

/// Another one of the same open file takes the flag away when it goes.
#[test]
fn what_was_taken_does_not_block_after_another_has_gone() {
    in_a_task(|| {
        let (read, _write) = raw_pipe();
        let other = Async::new(read.try_clone().unwrap()).unwrap();
        let read = Async::new(read).unwrap();
        drop(other);
        assert!(is_nonblocking(read.get_ref()));
        assert_eq!(kind(read.get_ref().read(&mut [0])), ErrorKind::WouldBlock);
        assert!(!is_nonblocking(&read.into_inner()));
    });
}
