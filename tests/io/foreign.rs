//! Types of others that misbehave, and descriptors that are closed behind everybody's back.
#![expect(unsafe_code, reason = "one descriptor is closed by its number")]

use std::cell::Cell;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use greenroom::io::Async;
use greenroom::{run, sleep, spawn, timeout, yield_now};

use crate::again;
use crate::support::{bounded, in_a_task, is_nonblocking, kind, raw_pipe};

/// Names another descriptor each time it is asked.
struct Fickle {
    ends: [File; 2],
    asked: Cell<usize>,
}

impl AsFd for Fickle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.asked.set(self.asked.get() + 1);
        self.ends[(self.asked.get() - 1) % 2].as_fd()
    }
}

/// A pipe to read from, its other end, and a waiter that waits for it through `through`.
fn goes_on(read: &Async<File>, mut write: &File) {
    let byte = |mut read: &Async<File>| {
        let mut byte = [0];
        read.read_exact(&mut byte).unwrap();
        byte
    };
    greenroom::scope(|s| {
        let reader = s.spawn(|| byte(read));
        yield_now();
        write.write_all(b"x").unwrap();
        assert_eq!(reader.join(), *b"x");
    });
}

#[test]
fn one_that_names_another_descriptor_each_time() {
    in_a_task(|| {
        let ((first, first_write), (second, second_write)) = (raw_pipe(), raw_pipe());
        let others = (first.try_clone().unwrap(), second.try_clone().unwrap());
        let fickle = Fickle {
            ends: [first, second],
            asked: Cell::new(0),
        };
        let fickle = Async::new(fickle).unwrap();
        assert!(is_nonblocking(&others.0) && !is_nonblocking(&others.1));
        let read = |fickle: &Async<Fickle>| {
            let mut byte = [0];
            fickle.read_with(|fickle| (&fickle.ends[0]).read(&mut byte))
        };
        assert!(timeout(Duration::from_millis(1), || read(&fickle)).is_err());
        (&first_write).write_all(b"x").unwrap();
        assert_eq!(read(&fickle).unwrap(), 1);
        // Those who watch what it names besides are not disturbed, before or after.
        let real = Async::new(others.1).unwrap();
        goes_on(&real, &second_write);
        assert!(timeout(Duration::from_millis(1), || read(&fickle)).is_err());
        let _raw = (fickle.as_fd().as_raw_fd(), fickle.as_raw_fd());
        drop(fickle);
        assert!(!is_nonblocking(&others.0));
        goes_on(&real, &second_write);
    });
}

/// Panics when it is asked, from the second time on or from the first.
struct Secretive(File, Cell<bool>);

impl AsFd for Secretive {
    fn as_fd(&self) -> BorrowedFd<'_> {
        assert!(self.1.replace(false), "no questions");
        self.0.as_fd()
    }
}

#[test]
fn one_that_panics_when_it_is_asked() {
    in_a_task(|| {
        let (read, write) = raw_pipe();
        let other = read.try_clone().unwrap();
        let asked = catch_unwind(|| Async::new(Secretive(other, Cell::new(false))));
        assert!(asked.is_err());
        let other = read.try_clone().unwrap();
        let secretive = Async::new(Secretive(other, Cell::new(true))).unwrap();
        spawn({
            let write = write.try_clone().unwrap();
            move || (&write).write_all(b"x")
        });
        let mut byte = [0];
        let got = secretive.read_with(|secretive| (&secretive.0).read(&mut byte));
        assert_eq!(got.unwrap(), 1);
        drop(secretive);
        assert!(!is_nonblocking(&read));
        goes_on(&Async::new(read).unwrap(), &write);
    });
}

/// Closes what it has and takes the next whenever it is read.
struct Restless(Vec<File>);

impl AsFd for Restless {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.last().unwrap().as_fd()
    }
}

impl Read for Restless {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        drop(self.0.pop());
        self.0.last().unwrap().read(buf)
    }
}

/// Runs a test that counts on numbers of descriptors in a process of its own, where nobody else opens any.
fn alone(name: &str, test: impl FnOnce() + Send + 'static) {
    if again::case().is_some() {
        return in_a_task(test);
    }
    again::rerun(name, "alone", &[]).assert_success();
}

#[test]
fn one_that_replaces_its_descriptor() {
    alone("foreign::one_that_replaces_its_descriptor", || {
        let (first, first_write) = raw_pipe();
        let (second, second_write) = raw_pipe();
        (&second_write).write_all(b"x").unwrap();
        let number = first.as_raw_fd();
        let mut restless = Async::new(Restless(vec![second, first])).unwrap();
        // It waits for the first pipe, as long as it may.
        let waits = timeout(Duration::from_millis(1), || restless.readable());
        assert!(waits.is_err());
        assert_eq!(restless.read(&mut [0]).unwrap(), 1);
        // The number of the first one is given to somebody else, who is watched.
        let (third, third_write) = raw_pipe();
        assert_eq!(third.as_raw_fd(), number);
        let third = Async::new(third).unwrap();
        goes_on(&third, &third_write);
        drop(restless);
        goes_on(&third, &third_write);
        drop(first_write);
    });
}

#[test]
fn one_whose_calls_panic_lets_the_next_one_go_on() {
    in_a_task(|| {
        let (read, mut write) = raw_pipe();
        let read = Rc::new(Async::new(read).unwrap());
        let ours = Rc::clone(&read);
        let mut tries = 0;
        let panics = spawn(move || {
            let call = || {
                ours.read_with(|_| -> io::Result<()> {
                    tries += 1;
                    if tries > 1 {
                        std::panic::resume_unwind(Box::new("enough"));
                    }
                    Err(ErrorKind::WouldBlock.into())
                })
            };
            catch_unwind(AssertUnwindSafe(call)).is_err()
        });
        let ours = Rc::clone(&read);
        let waits = spawn(move || (&*ours).read(&mut [0; 8]));
        yield_now();
        write.write_all(b"abc").unwrap();
        assert!(panics.join().unwrap());
        assert_eq!(waits.join().unwrap().unwrap(), 3);
    });
}

/// The call is the user's code, in the middle of ours.
#[test]
fn one_whose_calls_use_it_again() {
    in_a_task(|| {
        let (read, mut write) = raw_pipe();
        let read = Rc::new(Async::new(read).unwrap());
        write.write_all(b"ab").unwrap();
        let byte = read.read_with(|file| {
            let mut bytes = [0; 2];
            (&*read).read_exact(&mut bytes[..1])?;
            sleep(Duration::from_millis(1));
            let mut file = file;
            file.read_exact(&mut bytes[1..])?;
            Ok(bytes)
        });
        assert_eq!(&byte.unwrap(), b"ab");
    });
}

#[test]
fn several_watch_one_descriptor() {
    in_a_task(|| {
        let (read, mut write) = raw_pipe();
        let several = [(); 3].map(|()| Async::new(read.as_fd()).unwrap());
        for task in &several {
            assert!(timeout(Duration::from_millis(1), || task.readable()).is_err());
        }
        write.write_all(b"x").unwrap();
        for watching in several {
            watching.readable().unwrap();
            drop(watching);
        }
        assert!(!is_nonblocking(&read));
    });
}

/// It may be sound or not; the runtime has to go on.
#[test]
fn a_descriptor_closed_by_its_number_and_used_again() {
    const NAME: &str = "foreign::a_descriptor_closed_by_its_number_and_used_again";
    alone(NAME, || {
        let (read, write) = raw_pipe();
        let number = read.as_raw_fd();
        let read = Rc::new(Async::new(read).unwrap());
        let ours = Rc::clone(&read);
        let waits = spawn(move || (&*ours).read(&mut [0]).map(drop));
        yield_now();
        // SAFETY: nobody reads from it before it is forgotten, and its number is not given up twice.
        assert_eq!(unsafe { libc::close(number) }, 0);
        let (next, next_write) = raw_pipe();
        assert_eq!(next.as_raw_fd(), number, "the number is used again");
        let next = Async::new(next).unwrap();
        goes_on(&next, &next_write);
        // Whoever waits can be cancelled, and takes nobody's registration with it.
        waits.cancel();
        assert!(waits.join().unwrap_err().is_cancelled());
        let closed = Rc::into_inner(read).unwrap().into_inner();
        assert_eq!(closed.into_raw_fd(), number);
        goes_on(&next, &next_write);
        // Nothing here kept the other end alive.
        assert_eq!(kind((&write).write_all(b"x")), ErrorKind::BrokenPipe);
    });
}

#[test]
fn a_duplicate_outlives_what_was_watched() {
    in_a_task(|| {
        let (read, write) = raw_pipe();
        let duplicate = read.try_clone().unwrap();
        for _ in 0..3 {
            let read = Async::new(read.as_fd()).unwrap();
            assert!(timeout(Duration::from_millis(1), || read.readable()).is_err());
        }
        drop(Async::new(read).unwrap());
        // Nobody is told of it any more; who takes it up is.
        (&write).write_all(b"x").unwrap();
        sleep(Duration::from_millis(1));
        let duplicate = Async::new(duplicate).unwrap();
        (&duplicate).read_exact(&mut [0]).unwrap();
        goes_on(&duplicate, &write);
    });
}

/// Streams sent to each other, dropped by other threads while watched.
#[test]
fn it_is_dropped_by_another_thread() {
    bounded(|| {
        run(|| {
            for _ in 0..20 {
                let (read, _write) = raw_pipe();
                let read = Async::new(OwnedFd::from(read)).unwrap();
                assert!(timeout(Duration::from_micros(10), || read.readable()).is_err());
                std::thread::spawn(move || drop(read)).join().unwrap();
            }
            let (read, write) = raw_pipe();
            goes_on(&Async::new(read).unwrap(), &write);
        });
    });
}
