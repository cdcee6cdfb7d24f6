//! The pipes of a child, one by one.

use std::io::{ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use greenroom::process::Stdio;
use greenroom::{run, select, spawn, timeout, yield_now};

use crate::{LONG, sh};

#[test]
fn a_reader_waits_and_others_run() {
    run(|| {
        let mut child = sh("exec cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        assert_eq!(stdout.read(&mut []).unwrap(), 0);
        let reads = spawn(move || {
            let mut word = [0; 4];
            stdout.read_exact(&mut word).map(|()| (word, stdout))
        });
        (0..3).for_each(|_| yield_now());
        assert!(!reads.is_finished());
        stdin.write_all(b"word").unwrap();
        stdin.flush().unwrap();
        let (word, mut stdout) = reads.join().unwrap().unwrap();
        assert_eq!(&word, b"word");
        select! {
            writable(stdin) -> ready => ready.unwrap(),
            after(LONG) => unreachable!(),
        }
        drop(stdin);
        select! {
            readable(stdout) -> ready => ready.unwrap(),
            after(LONG) => unreachable!(),
        }
        assert_eq!(stdout.read(&mut [0]).unwrap(), 0);
        assert!(child.wait().unwrap().success());
    });
}

#[test]
fn several_pieces_go_through_in_one_call() {
    run(|| {
        let mut child = sh("exec cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take().unwrap();
        let pieces = [IoSlice::new(b"one"), IoSlice::new(b"two")];
        assert_eq!((&stdin).write_vectored(&pieces).unwrap(), 6);
        drop(stdin);
        assert!(child.wait().unwrap().success());
        let (mut first, mut second) = ([0; 2], [0; 9]);
        let mut pieces = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)];
        let mut stdout = child.stdout.take().unwrap();
        assert_eq!(stdout.read_vectored(&mut pieces).unwrap(), 6);
        assert_eq!((&first, &second[..4]), (b"on", &b"etwo"[..]));
    });
}

#[test]
fn used_by_reference_by_several_tasks() {
    run(|| {
        let mut child = sh("exec cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = Arc::new(child.stdout.take().unwrap());
        let readers: Vec<_> = (0..3)
            .map(|_| {
                let stdout = Arc::clone(&stdout);
                spawn(move || {
                    let mut byte = [0];
                    (&*stdout).read_exact(&mut byte).map(|()| byte[0])
                })
            })
            .collect();
        yield_now();
        let stdin = child.stdin.take().unwrap();
        (&stdin).write_all(b"abc").unwrap();
        let got: Vec<u8> = readers
            .into_iter()
            .map(|reader| reader.join().unwrap().unwrap())
            .collect();
        assert_eq!(got, b"abc");
    });
}

#[test]
fn a_writer_waits_for_room_and_learns_of_a_reader_that_is_gone() {
    run(|| {
        let mut child = sh("read line; exec 0<&-; sleep 0.01")
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let piece = vec![b'x'; 1 << 20];
        let full = timeout(Duration::from_millis(20), || stdin.write_all(&piece));
        // What was written so far stays written.
        assert!(full.is_err());
        let wrote = stdin
            .write_all(b"\n")
            .and_then(|()| stdin.write_all(&piece));
        assert_eq!(wrote.unwrap_err().kind(), ErrorKind::BrokenPipe);
        assert!(child.wait().unwrap().success());
    });
}
