//! One stream, several threads, runtimes and handles: whoever waits is woken, and nothing is left behind.

use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::sync::mpsc;
use std::thread;

use greenroom::net::TcpStream;
use greenroom::{run, spawn, yield_now};

use crate::support::{SHORT, bounded, green_pair, in_a_task, kind, pair};

/// Reads one byte that is sent while the reader waits.
fn waits_for_a_byte(near: &TcpStream, far: &TcpStream) {
    let mut writer = far.try_clone().unwrap();
    let task = spawn(move || writer.write_all(b"x"));
    let mut near = near;
    near.read_exact(&mut [0]).unwrap();
    task.join().unwrap().unwrap();
}

#[test]
fn a_stream_moves_to_another_threads_runtime_and_back() {
    bounded(|| {
        let (near, far) = green_pair();
        let (there, taken) = mpsc::channel::<(TcpStream, TcpStream)>();
        let (back, returned) = mpsc::channel();
        let other = thread::spawn(move || {
            run(|| {
                for (near, far) in taken {
                    waits_for_a_byte(&near, &far);
                    // A short read here says nothing of the other runtime.
                    (&far).write_all(b"abc").unwrap();
                    assert_eq!((&near).read(&mut [0; 64]).unwrap(), 3);
                    back.send((near, far)).unwrap();
                }
            });
        });
        run(|| {
            let mut ends = (near, far);
            for _ in 0..20 {
                waits_for_a_byte(&ends.0, &ends.1);
                there.send(ends).unwrap();
                ends = returned.recv().unwrap();
                // Neither runtime: it is used right here, between runs of tasks.
                (&ends.1).write_all(b"abc").unwrap();
                assert_eq!((&ends.0).read(&mut [0; 64]).unwrap(), 3);
            }
            drop(there);
        });
        other.join().unwrap();
    });
}

#[test]
fn two_runtimes_wait_for_one_stream_at_once() {
    bounded(|| {
        let (near, mut far) = pair();
        let near = std::sync::Arc::new(near);
        let (tell, told) = mpsc::channel();
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let (near, tell) = (std::sync::Arc::clone(&near), tell.clone());
                thread::spawn(move || {
                    run(|| {
                        let mut byte = [0];
                        tell.send(()).unwrap();
                        (&*near).read_exact(&mut byte).unwrap();
                        byte[0]
                    })
                })
            })
            .collect();
        told.iter().take(2).for_each(drop);
        // One reader for each byte, whichever comes first.
        far.write_all(b"ab").unwrap();
        let mut got: Vec<u8> = threads.into_iter().map(|t| t.join().unwrap()).collect();
        got.sort_unstable();
        assert_eq!(got, b"ab");
    });
}

#[test]
fn a_stream_used_within_and_without_a_runtime() {
    bounded(|| {
        let (near, mut far) = pair();
        for round in 0..10 {
            if round % 2 == 0 {
                run(|| {
                    near.set_read_timeout(Some(SHORT)).unwrap();
                    assert_eq!(kind((&near).read(&mut [0])), std::io::ErrorKind::TimedOut);
                });
            } else {
                far.write_all(b"x").unwrap();
                (&near).read_exact(&mut [0]).unwrap();
            }
        }
    });
}

/// Descriptors of this process. Other tests run beside, so it is asked for in a quiet child.
#[cfg(target_os = "linux")]
#[test]
fn a_stream_outlives_a_thousand_runtimes() {
    const CHILD: &str = "GREENROOM_TEST_ALONE";
    if std::env::var_os(CHILD).is_none() {
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["runtimes::a_stream_outlives_a_thousand_runtimes", "--exact"])
            .env(CHILD, "yes")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains("1 passed"), "{said}");
        return;
    }
    let open = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    bounded(move || {
        let (near, far) = green_pair();
        run(|| waits_for_a_byte(&near, &far));
        let before = open();
        for _ in 0..1_000 {
            run(|| waits_for_a_byte(&near, &far));
        }
        assert_eq!(open(), before);
        drop((near, far));
        assert_eq!(open(), before - 2);
    });
}

#[test]
fn a_duplicate_goes_on_when_the_first_is_closed() {
    in_a_task(|| {
        let (near, far) = green_pair();
        waits_for_a_byte(&near, &far);
        let duplicate = near.try_clone().unwrap();
        drop(near);
        // A registration left behind would be reported with every byte, for ever.
        for _ in 0..100 {
            waits_for_a_byte(&duplicate, &far);
        }
        let second = duplicate.try_clone().unwrap();
        waits_for_a_byte(&second, &far);
        waits_for_a_byte(&duplicate, &far);
    });
}

#[test]
fn a_number_used_again_at_once_loses_nothing() {
    in_a_task(|| {
        let mut again = 0;
        for _ in 0..200 {
            let (other, mut next_far) = green_pair();
            let (near, mut far) = green_pair();
            waits_for_a_byte(&near, &far);
            let number = near.as_raw_fd();
            // An edge is on its way when the descriptor goes.
            far.write_all(b"stale").unwrap();
            drop(near);
            // The system gives out the lowest number that is free, so those below are taken first.
            let mut below = Vec::new();
            let next = loop {
                let next = other.try_clone().unwrap();
                if next.as_raw_fd() >= number {
                    break next;
                }
                below.push(next);
            };
            again += usize::from(next.as_raw_fd() == number);
            let reader = spawn(move || {
                let mut byte = [0];
                (&next).read_exact(&mut byte).unwrap();
                byte
            });
            yield_now();
            next_far.write_all(b"n").unwrap();
            assert_eq!(&reader.join().unwrap(), b"n");
        }
        // Other tests open descriptors, too, but not each time just then.
        assert!(again > 0, "no number was used again");
    });
}

#[test]
fn a_stream_dropped_in_another_thread_leaves_the_first_ones_runtime() {
    bounded(|| {
        let (near, far) = green_pair();
        run(|| {
            waits_for_a_byte(&near, &far);
            let (inner, helper_far) = green_pair();
            thread::spawn(move || {
                drop(near);
                (&helper_far).write_all(b"done").unwrap();
                // Its number is free, and may be this one's now.
                let (near, far) = green_pair();
                run(|| waits_for_a_byte(&near, &far));
            });
            let mut word = [0; 4];
            (&inner).read_exact(&mut word).unwrap();
            assert_eq!((&far).read(&mut word).unwrap(), 0);
            for _ in 0..10 {
                let (near, far) = green_pair();
                waits_for_a_byte(&near, &far);
            }
        });
    });
}

#[test]
fn a_stream_handed_to_std_is_watched_no_longer() {
    in_a_task(|| {
        let (near, far) = green_pair();
        waits_for_a_byte(&near, &far);
        let near = std::net::TcpStream::from(near);
        (&far).write_all(b"x").unwrap();
        (&near).read_exact(&mut [0]).unwrap();
        let near = TcpStream::from(near);
        waits_for_a_byte(&near, &far);
    });
}
