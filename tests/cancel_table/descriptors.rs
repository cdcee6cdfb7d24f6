//! The rows of calls that wait for a pipe, or for whatever has a descriptor.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::rc::Rc;

use greenroom::io::{Async, PipeReader, PipeWriter, copy, pipe};
use greenroom::net::{Shutdown, TcpStream};
use greenroom::{copy_bidirectional, select, yield_now};

use crate::rows::{Call, Rig, io_said};
use crate::sockets::{pair, reading};

/// A pipe of ours with nothing in it, its other end in std's hands.
fn from_a_pipe<T: 'static>(
    make: impl FnOnce(PipeReader) -> T,
    call: impl FnOnce(&T) -> io::Result<u8> + 'static,
    take: impl FnOnce(&T) -> io::Result<u8> + 'static,
) -> Rig {
    let (reader, writer) = pipe().unwrap();
    let (reader, writer) = (
        Rc::new(make(reader)),
        Rc::new(File::from(OwnedFd::from(writer))),
    );
    let (ours, theirs) = (Rc::clone(&reader), Rc::clone(&writer));
    let complete = move || (&*theirs).write_all(&[5]).unwrap();
    let intact = move || {
        (&*writer).write_all(&[6]).unwrap();
        assert_eq!(take(&reader).unwrap(), 6);
    };
    Rig::new(move || io_said(call(&ours)), complete, intact)
}

/// A pipe of ours with no room in it.
fn into_a_pipe<T: 'static>(
    make: impl FnOnce(PipeWriter) -> T,
    call: impl FnOnce(&T) -> io::Result<usize> + 'static,
) -> Rig {
    let (reader, writer) = pipe().unwrap();
    let mut filled = 0;
    while let Ok(count) = writer.nonblocking().unwrap().write(&[0; 4096]) {
        filled += count;
    }
    let writer = Rc::new(make(writer));
    let ours = Rc::clone(&writer);
    let reader = File::from(OwnedFd::from(reader));
    let mut theirs = reader.try_clone().unwrap();
    let complete = move || theirs.read_exact(&mut vec![0; filled]).unwrap();
    let intact = move || {
        drop(writer);
        let mut all = Vec::new();
        (&reader).read_to_end(&mut all).unwrap();
        assert_eq!(all.len(), filled, "something was written");
    };
    Rig::new(move || io_said(call(&ours)), complete, intact)
}

fn byte(mut from: impl Read) -> io::Result<u8> {
    let mut byte = [0];
    from.read(&mut byte).map(|_| byte[0])
}

fn watched(reader: PipeReader) -> Async<File> {
    Async::new(OwnedFd::from(reader).into()).unwrap()
}

pub(crate) const PIPE_READ: Call = Call::io(
    |_| {
        from_a_pipe(
            |reader| reader,
            |reader| byte(reader),
            |reader| byte(reader),
        )
    },
    "5",
);

pub(crate) const PIPE_WRITE: Call = Call::io(
    |_| into_a_pipe(|writer| writer, |mut writer| writer.write(&[1])),
    "1",
);

pub(crate) const ASYNC_READ: Call = Call::io(
    |_| from_a_pipe(watched, |reader| byte(reader), |reader| byte(reader)),
    "5",
);

pub(crate) const ASYNC_READ_WITH: Call = Call::io(
    |_| {
        from_a_pipe(
            watched,
            |reader| reader.read_with(|file| byte(file)),
            |reader| byte(reader),
        )
    },
    "5",
);

pub(crate) const ASYNC_WRITE: Call = Call::io(
    |_| {
        into_a_pipe(
            |writer| Async::new(File::from(OwnedFd::from(writer))).unwrap(),
            |mut writer| writer.write(&[1]),
        )
    },
    "1",
);

pub(crate) const ASYNC_READABLE: Call = Call::io(
    |_| {
        let call = |reader: &Async<File>| {
            reader.readable()?;
            byte(reader)
        };
        from_a_pipe(watched, call, |reader| byte(reader))
    },
    "5",
);

pub(crate) const ASYNC_WRITABLE: Call = Call::io(
    |_| into_a_pipe(|writer| writer, |writer| writer.writable().map(|()| 1)),
    "1",
);

pub(crate) const ASYNC_ARM: Call = Call::io(
    |_| {
        let call = |reader: &Async<File>| {
            select! {
                readable(reader) -> ready => ready?,
            }
            byte(reader)
        };
        from_a_pipe(watched, call, |reader| byte(reader))
    },
    "5",
);

pub(crate) const SOCKET_READABLE: Call = Call::io(
    |_| {
        reading(|stream: &TcpStream| {
            stream.readable()?;
            byte(stream)
        })
    },
    "5",
);

pub(crate) const VIEW_READABLE: Call = Call::io(
    |_| {
        reading(|stream: &TcpStream| {
            let view = stream.nonblocking()?;
            view.readable()?;
            byte(view)
        })
    },
    "5",
);

pub(crate) const COPY: Call = Call::io(
    |_| {
        let call = |reader: &PipeReader| {
            let mut got = Vec::new();
            copy(&mut reader.take(1), &mut got)?;
            Ok(got[0])
        };
        from_a_pipe(|reader| reader, call, |reader| byte(reader))
    },
    "5",
);

pub(crate) const COPY_BIDIRECTIONAL: Call = Call::io(
    |_| {
        let ((near, near_far), (other, other_far)) = (pair(), pair());
        let streams = Rc::new((TcpStream::from(near), TcpStream::from(other)));
        let (ours, far) = (Rc::clone(&streams), Rc::new((near_far, other_far)));
        let theirs = Rc::clone(&far);
        let ended = Rc::new(Cell::new(false));
        let ends = Rc::clone(&ended);
        let complete = move || {
            theirs.0.shutdown(Shutdown::Write).unwrap();
            theirs.1.shutdown(Shutdown::Write).unwrap();
            // It is made of several calls, and completed when all of them are.
            let mut patience = 100_000;
            while !ended.get() && patience > 0 {
                patience -= 1;
                yield_now();
            }
        };
        let intact = move || {
            // Nobody took it, and nobody ended anything.
            (&far.0).write_all(&[6]).unwrap();
            assert_eq!(byte(&streams.0).unwrap(), 6);
            (&streams.1).write_all(&[7]).unwrap();
            assert_eq!(byte(&far.1).unwrap(), 7);
        };
        let call = move || {
            let counts = copy_bidirectional(&ours.0, &ours.1);
            ends.set(true);
            io_said(counts.map(|counts| format!("{counts:?}")))
        };
        Rig::new(call, complete, intact)
    },
    "(0, 0)",
);
