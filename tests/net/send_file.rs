//! Parts of files over connections: whole, in order, while the other tasks run.

use std::cell::Cell;
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, Write};
use std::net;
use std::rc::Rc;
use std::time::Instant;

use greenroom::net::{TcpStream, UnixStream};
use greenroom::{spawn, timeout, yield_now};

use crate::support::{SHORT, bounded, green_pair, in_a_task, kind};
use crate::unix::Place;

/// A file of so many bytes, and what is in it.
fn file(name: &str, length: usize) -> (File, Vec<u8>) {
    let place = Place::new(name);
    let data: Vec<u8> = (0..length)
        .map(|n| u8::try_from(n % 251).unwrap())
        .collect();
    std::fs::write(&place, &data).unwrap();
    // It lives on without a name.
    (File::open(&place).unwrap(), data)
}

#[test]
fn a_file_larger_than_all_buffers() {
    in_a_task(|| {
        let (file, data) = file("large", 8 << 20);
        let (near, mut far) = green_pair();
        let turns = Rc::new(Cell::new(0));
        let seen = Rc::clone(&turns);
        spawn(move || {
            loop {
                seen.set(seen.get() + 1);
                yield_now();
            }
        });
        let sender = spawn(move || {
            let sent = near.send_file(&file, 3, u64::MAX).unwrap();
            (sent, file)
        });
        let mut all = Vec::new();
        far.read_to_end(&mut all).unwrap();
        let (sent, mut file) = sender.join().unwrap();
        assert_eq!(sent, 8 * 1024 * 1024 - 3);
        assert!(all == data[3..], "{} bytes came", all.len());
        assert_eq!(file.stream_position().unwrap(), 0);
        assert!(turns.get() > 0);
    });
}

#[test]
fn a_part_and_what_is_behind_the_end() {
    in_a_task(|| {
        let (file, data) = file("small", 1_000);
        let (near, mut far) = UnixStream::pair().unwrap();
        assert_eq!(near.send_file(&file, 10, 20).unwrap(), 20);
        assert_eq!(near.send_file(&file, 990, 20).unwrap(), 10);
        assert_eq!(near.send_file(&file, 2_000, 20).unwrap(), 0);
        assert_eq!(near.send_file(&file, 0, 0).unwrap(), 0);
        drop(near);
        let mut all = Vec::new();
        far.read_to_end(&mut all).unwrap();
        assert_eq!(all, [&data[10..30], &data[990..]].concat());
    });
}

#[test]
fn errors_tell_what_was_sent_first() {
    in_a_task(|| {
        let (file, _) = file("errors", 8 << 20);
        let (near, far) = green_pair();
        near.set_write_timeout(Some(SHORT)).unwrap();
        // Nobody reads: it gets some way, and the next call is late.
        let mut sent = near.send_file(&file, 0, 8 << 20).unwrap();
        assert!(0 < sent && sent < 8 << 20);
        let late = loop {
            match near.send_file(&file, sent, 8 << 20) {
                Ok(more) => sent += more,
                Err(error) => break error,
            }
        };
        assert_eq!(late.kind(), ErrorKind::TimedOut);
        near.set_write_timeout(None).unwrap();
        let near = Rc::new(near);
        let theirs = Rc::clone(&near);
        let filling = move || while theirs.send_file(&file, 0, 8 << 20).is_ok() {};
        timeout(SHORT, filling).unwrap_err();
        near.set_nonblocking(true).unwrap();
        let exe = File::open(std::env::current_exe().unwrap()).unwrap();
        let full = loop {
            if let Err(error) = near.send_file(&exe, 0, 1 << 20) {
                break error;
            }
        };
        assert_eq!(full.kind(), ErrorKind::WouldBlock);
        near.set_nonblocking(false).unwrap();
        drop(far);
        let gone = near.send_file(&exe, 0, 1);
        assert!(matches!(
            kind(gone),
            ErrorKind::BrokenPipe | ErrorKind::ConnectionReset
        ));
        let (near, _far) = green_pair();
        assert_eq!(
            kind(near.send_file(&exe, u64::MAX, 1)),
            ErrorKind::InvalidInput
        );
        let folder = File::open("/").unwrap();
        near.send_file(&folder, 0, 1).unwrap_err();
    });
}

/// The kernel cannot copy from such a file by itself.
#[test]
#[cfg(target_os = "linux")]
fn a_file_that_has_to_be_read() {
    in_a_task(|| {
        let text = std::fs::read("/proc/self/limits").unwrap();
        let file = File::open("/proc/self/limits").unwrap();
        let (near, mut far) = green_pair();
        near.send_file(&file, 0, 1 << 20).unwrap();
        drop(near);
        let mut all = Vec::new();
        far.read_to_end(&mut all).unwrap();
        assert_eq!(
            String::from_utf8_lossy(&all),
            String::from_utf8_lossy(&text)
        );
        // Its position cannot be chosen at all.
        let (reader, mut writer) = std::io::pipe().unwrap();
        writer.write_all(b"x").unwrap();
        let (near, _far) = green_pair();
        near.send_file(&reader, 0, 1).unwrap_err();
    });
}

#[test]
fn the_flag_is_given_back() {
    in_a_task(|| {
        let (file, _) = file("flag", 10);
        let (near, _far) = green_pair();
        near.send_file(&file, 0, 10).unwrap();
        let near = net::TcpStream::from(near);
        near.set_read_timeout(Some(SHORT)).unwrap();
        let begin = Instant::now();
        (&near).read(&mut [0]).unwrap_err();
        assert!(begin.elapsed() >= SHORT / 2, "it did not block");
    });
}

#[test]
fn on_a_plain_thread_it_blocks() {
    bounded(|| {
        let (file, data) = file("plain", 4 << 20);
        let (near, mut far) = green_pair();
        let receiver = std::thread::spawn(move || {
            let mut all = Vec::new();
            far.read_to_end(&mut all).unwrap();
            all
        });
        let near: TcpStream = near;
        assert_eq!(near.send_file(file, 0, 4 << 20).unwrap(), 4 << 20);
        drop(near);
        assert!(receiver.join().unwrap() == data);
    });
}
