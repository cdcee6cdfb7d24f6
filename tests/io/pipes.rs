//! Pipes between tasks, threads and processes.

use std::io::{ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::process::Command;
use std::thread;
use std::time::Duration;

use greenroom::io::{PipeReader, PipeWriter, pipe};
use greenroom::{run, select, spawn, timeout, yield_now};

use crate::support::{bounded, in_a_task, is_nonblocking, kind};

#[test]
fn what_goes_in_comes_out() {
    in_a_task(|| {
        let (mut reader, mut writer) = pipe().unwrap();
        let sender = spawn(move || {
            for n in 0..200_u8 {
                writer.write_all(&[n; 5_000]).unwrap();
            }
        });
        for n in 0..200 {
            let mut piece = [0; 5_000];
            reader.read_exact(&mut piece).unwrap();
            assert_eq!(piece, [n; 5_000]);
        }
        assert_eq!(reader.read(&mut [0]).unwrap(), 0);
        assert_eq!((&reader).read(&mut [0]).unwrap(), 0);
        sender.join().unwrap();
    });
}

#[test]
fn pieces_views_and_selections() {
    in_a_task(|| {
        let (reader, writer) = pipe().unwrap();
        let (mut near, mut far) = (reader.try_clone().unwrap(), writer.try_clone().unwrap());
        assert_eq!(
            far.write_vectored(&[IoSlice::new(b"a"), IoSlice::new(b"bc")])
                .unwrap(),
            3
        );
        let (mut one, mut two) = ([0; 1], [0; 5]);
        let mut pieces = [IoSliceMut::new(&mut one), IoSliceMut::new(&mut two)];
        assert_eq!(near.read_vectored(&mut pieces).unwrap(), 3);
        let mut view = reader.nonblocking().unwrap();
        assert_eq!(kind(view.read(&mut [0])), ErrorKind::WouldBlock);
        assert_eq!(writer.nonblocking().unwrap().write(b"x").unwrap(), 1);
        reader.readable().unwrap();
        writer.writable().unwrap();
        let name = select! {
            readable(near) -> ready => ready.map(|()| "near").unwrap(),
        };
        assert_eq!(name, "near");
        (&reader).read_exact(&mut [0]).unwrap();
        assert!(timeout(Duration::from_millis(1), || reader.readable()).is_err());
        assert!(format!("{reader:?} {writer:?}").starts_with("PipeReader("));
    });
}

#[test]
fn conversions_give_back_what_came() {
    in_a_task(|| {
        let (mut reader, mut writer) = pipe().unwrap();
        let task = spawn(move || {
            reader.read_exact(&mut [0; 3]).unwrap();
            reader
        });
        yield_now();
        writer.write_all(b"abc").unwrap();
        let reader = task.join().unwrap();
        assert!(is_nonblocking(&reader) && is_nonblocking(&writer));
        let (reader, writer) = (OwnedFd::from(reader), OwnedFd::from(writer));
        assert!(!is_nonblocking(&reader) && !is_nonblocking(&writer));
        let number = reader.as_raw_fd();
        let reader = PipeReader::from(reader).into_raw_fd();
        assert_eq!(reader, number);
        #[expect(unsafe_code, reason = "the number was just given up")]
        // SAFETY: it is ours, and open.
        let mut reader = unsafe { PipeReader::from_raw_fd(reader) };
        let mut writer = PipeWriter::from(writer);
        writer.write_all(b"x").unwrap();
        reader.read_exact(&mut [0]).unwrap();
    });
}

#[test]
fn plain_threads_block() {
    bounded(|| {
        let (mut reader, mut writer) = pipe().unwrap();
        let there = thread::spawn(move || {
            let mut word = [0; 4];
            reader.read_exact(&mut word).unwrap();
            // Now with the flag of a task.
            run(|| reader.read_exact(&mut word).unwrap());
            assert!(is_nonblocking(&reader));
            reader.read_exact(&mut word).unwrap();
            word
        });
        for word in [b"this", b"that", b"last"] {
            writer.write_all(word).unwrap();
        }
        assert_eq!(&there.join().unwrap(), b"last");
        assert_eq!(kind(writer.write(b"x")), ErrorKind::BrokenPipe);
    });
}

#[test]
fn a_program_reads_from_one_and_writes_into_another() {
    in_a_task(|| {
        let (inner, mut input) = pipe().unwrap();
        let (mut output, outer) = pipe().unwrap();
        // Used here before, so that the flag has to be put back for the program.
        (&input).write_all(b"!").unwrap();
        (&inner).read_exact(&mut [0]).unwrap();
        assert!(is_nonblocking(&inner));
        let mut command = Command::new("cat");
        command.stdin(inner).stdout(outer);
        let mut child = command.spawn().unwrap();
        drop(command);
        let sender = spawn(move || input.write_all(&vec![b'x'; 300_000]));
        let mut text = String::new();
        output.read_to_string(&mut text).unwrap();
        assert_eq!(text.len(), 300_000);
        sender.join().unwrap().unwrap();
        assert!(child.wait().unwrap().success());
    });
}

#[test]
fn a_flag_that_somebody_cleared_is_set_again() {
    in_a_task(|| {
        let (mut reader, _writer) = pipe().unwrap();
        for _ in 0..2 {
            assert!(timeout(Duration::from_millis(1), || reader.read(&mut [0])).is_err());
            // By a duplicate, as another process may do it: the next call must not block the thread.
            let duplicate = reader.as_fd().try_clone_to_owned().unwrap();
            std::os::unix::net::UnixStream::from(duplicate)
                .set_nonblocking(false)
                .unwrap();
        }
    });
}

#[test]
fn a_duplicate_that_is_given_back_takes_the_flag_from_nobody() {
    in_a_task(|| {
        let (mut reader, _writer) = pipe().unwrap();
        let duplicate = reader.try_clone().unwrap();
        assert!(timeout(Duration::from_millis(1), || reader.read(&mut [0])).is_err());
        let given = OwnedFd::from(duplicate);
        // The reader may be in the middle of a call, in another thread: it must not begin to block.
        assert!(is_nonblocking(&given));
        drop(reader);
        assert!(!is_nonblocking(&given));
    });
}
