//! Bytes arrive, whole and in order, however they come; and so does the end, of every kind.

use std::io::{ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use greenroom::net::{Shutdown, TcpStream};
use greenroom::{spawn, yield_now};

use crate::support::{green_pair, in_a_task, kind, listener, pair};

/// Makes the runtime watch the stream: a read has to wait, and gets a byte.
fn watch(near: &TcpStream, far: &TcpStream) {
    let mut reader = near;
    let mut writer = far.try_clone().unwrap();
    spawn(move || writer.write_all(b"w"));
    reader.read_exact(&mut [0]).unwrap();
}

/// Bytes whose order shows, in blocks that fit into nothing.
fn bytes() -> impl Iterator<Item = u8> {
    (0..251).cycle()
}

#[test]
fn one_task_reads_while_another_writes() {
    const LENGTH: usize = 4 << 20;
    in_a_task(|| {
        let (near, far) = green_pair();
        let near = Arc::new(near);
        let echo = spawn(move || std::io::copy(&mut &far, &mut &far));
        let writer = spawn({
            let near = Arc::clone(&near);
            move || {
                let data: Vec<u8> = bytes().take(LENGTH).collect();
                (&*near).write_all(&data).unwrap();
                near.shutdown(Shutdown::Write).unwrap();
            }
        });
        let mut all = Vec::new();
        (&*near).read_to_end(&mut all).unwrap();
        assert_eq!(all.len(), LENGTH);
        assert!(all.iter().copied().eq(bytes().take(LENGTH)));
        writer.join().unwrap();
        assert_eq!(echo.join().unwrap().unwrap(), LENGTH as u64);
    });
}

#[test]
fn a_byte_at_a_time() {
    in_a_task(|| {
        let (mut near, mut far) = pair();
        let slow = thread::spawn(move || {
            far.set_nodelay(true).unwrap();
            for byte in 0..=255 {
                far.write_all(&[byte]).unwrap();
                // The other side answers each, so each comes alone.
                far.read_exact(&mut [0]).unwrap();
            }
        });
        for byte in 0..=255 {
            let mut buffer = [0; 64];
            assert_eq!(near.read(&mut buffer).unwrap(), 1);
            assert_eq!(buffer[0], byte);
            near.write_all(b"k").unwrap();
        }
        assert_eq!(near.read(&mut [0; 64]).unwrap(), 0);
        slow.join().unwrap();
    });
}

#[test]
fn the_end_that_came_with_the_data_is_seen() {
    for watched in [false, true] {
        in_a_task(move || {
            let (mut near, mut far) = green_pair();
            if watched {
                watch(&near, &far);
            }
            far.write_all(b"bye").unwrap();
            drop(far);
            let mut buffer = [0; 64];
            assert_eq!(near.read(&mut buffer).unwrap(), 3);
            assert_eq!(near.read(&mut buffer).unwrap(), 0);
            assert_eq!(near.read(&mut buffer).unwrap(), 0);
        });
    }
}

/// As above, but the loop has told of the end before the first read.
#[test]
fn the_end_that_was_told_before_is_seen() {
    in_a_task(|| {
        let (near, mut far) = green_pair();
        watch(&near, &far);
        let other = spawn(move || {
            let mut near = near;
            let mut buffer = [0; 64];
            // Woken by data and end at once.
            assert_eq!(near.read(&mut buffer).unwrap(), 3);
            assert_eq!(near.read(&mut buffer).unwrap(), 0);
        });
        yield_now();
        far.write_all(b"bye").unwrap();
        drop(far);
        other.join().unwrap();
    });
}

/// A short read says "drained", and what comes next must still be noticed, with and without a wait between.
#[test]
fn what_follows_a_short_read_is_noticed() {
    in_a_task(|| {
        let (mut near, mut far) = green_pair();
        watch(&near, &far);
        for round in 0..300 {
            far.write_all(b"abc").unwrap();
            assert_eq!(near.read(&mut [0; 64]).unwrap(), 3);
            if round % 2 == 0 {
                yield_now();
            }
        }
    });
}

/// Closes the hard way.
fn reset(stream: TcpStream) {
    let socket = socket2::SockRef::from(&stream);
    socket.set_linger(Some(Duration::ZERO)).unwrap();
    drop(stream);
}

#[test]
fn a_reset_is_an_error_and_no_signal() {
    in_a_task(|| {
        let (mut near, far) = green_pair();
        let waits = spawn(move || {
            let error = kind(near.read(&mut [0; 64]));
            (near, error)
        });
        yield_now();
        reset(far);
        let (mut near, error) = waits.join().unwrap();
        assert_eq!(error, ErrorKind::ConnectionReset);
        assert_eq!(kind(near.write(b"x")), ErrorKind::BrokenPipe);
        assert_eq!(near.read(&mut [0; 64]).unwrap(), 0);
    });
}

#[test]
fn each_direction_ends_by_itself() {
    in_a_task(|| {
        let (mut near, mut far) = green_pair();
        near.shutdown(Shutdown::Write).unwrap();
        assert_eq!(far.read(&mut [0]).unwrap(), 0);
        assert_eq!(kind(near.write(b"x")), ErrorKind::BrokenPipe);
        far.write_all(b"still here").unwrap();
        let mut buffer = [0; 64];
        assert_eq!(near.read(&mut buffer).unwrap(), 10);

        // Ended from this side, while another task waits for it.
        let near = Arc::new(near);
        let reader = spawn({
            let near = Arc::clone(&near);
            move || (&*near).read(&mut [0; 64]).unwrap()
        });
        yield_now();
        near.shutdown(Shutdown::Read).unwrap();
        assert_eq!(reader.join().unwrap(), 0);
        drop(far);
    });
}

#[test]
fn several_buffers_at_once() {
    in_a_task(|| {
        let (mut near, mut far) = green_pair();
        let data = [IoSlice::new(b"ab"), IoSlice::new(b""), IoSlice::new(b"cde")];
        assert_eq!(near.write_vectored(&data).unwrap(), 5);
        let (mut first, mut second) = ([0; 3], [0; 9]);
        let mut buffers = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)];
        assert_eq!(far.read_vectored(&mut buffers).unwrap(), 5);
        assert_eq!((&first, &second[..2]), (b"abc", &b"de"[..]));

        let reader = spawn(move || {
            let mut buffer = [0; 9];
            let taken = far.read_vectored(&mut [IoSliceMut::new(&mut buffer)]);
            assert_eq!(taken.unwrap(), 1);
            assert_eq!(far.read_vectored(&mut []).unwrap(), 0);
        });
        yield_now();
        near.write_all(b"f").unwrap();
        reader.join().unwrap();
    });
}

#[test]
fn peeking_takes_nothing() {
    in_a_task(|| {
        let (mut near, mut far) = green_pair();
        let writer = spawn(move || far.write_all(b"abc"));
        let mut buffer = [0; 64];
        assert_eq!(near.peek(&mut buffer).unwrap(), 3);
        assert_eq!(near.peek(&mut buffer[..2]).unwrap(), 2);
        assert_eq!(near.read(&mut buffer).unwrap(), 3);
        writer.join().unwrap().unwrap();
        assert_eq!(near.peek(&mut buffer).unwrap(), 0);
    });
}

#[test]
fn an_empty_buffer_never_waits() {
    in_a_task(|| {
        let (mut near, _far) = green_pair();
        assert_eq!(near.read(&mut []).unwrap(), 0);
        assert_eq!(near.peek(&mut []).unwrap(), 0);
        assert_eq!(near.write(&[]).unwrap(), 0);
    });
}

#[test]
fn a_connection_that_breaks_in_the_queue_ends_no_server() {
    in_a_task(|| {
        let listener = listener();
        let address = listener.local_addr().unwrap();
        let broken = TcpStream::connect(address).unwrap();
        reset(broken);
        let whole = TcpStream::connect(address).unwrap();
        let from = whole.local_addr().unwrap();
        // Systems differ in whether the broken one is still handed out.
        while listener.accept().unwrap().1 != from {}
    });
}

/// A read stops at urgent data, so it comes short with more behind it.
#[test]
fn what_follows_urgent_data_is_noticed() {
    in_a_task(|| {
        let (near, far) = green_pair();
        watch(&near, &far);
        let reader = spawn(move || {
            let mut all = Vec::new();
            let mut buffer = [0; 64];
            while all.len() < 6 {
                let count = (&near).read(&mut buffer).unwrap();
                all.extend_from_slice(&buffer[..count]);
            }
            all
        });
        yield_now();
        (&far).write_all(b"bcd").unwrap();
        let urgent = socket2::SockRef::from(&far).send_out_of_band(b"X");
        assert_eq!(urgent.unwrap(), 1);
        (&far).write_all(b"efg").unwrap();
        assert_eq!(reader.join().unwrap(), b"bcdefg");
        drop(far);
    });
}
