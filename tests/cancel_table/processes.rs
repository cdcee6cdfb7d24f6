//! The rows of calls that wait for a child process.

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::thread;

use greenroom::process::{ChildStdin, ChildStdout, Command, Stdio};

use crate::rows::{Call, Rig, io_said, nothing};

/// The end of a child. One that was cancelled has its child in a cell still.
pub(crate) const CHILD: Call = Call::io(
    |_| {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let line = child.stdin.take();
        let id = child.id();
        let call = move || io_said(child.wait().map(|status| status.code().unwrap_or(9)));
        let complete = move || {
            drop(line);
            // A zombie: it has ended, and nobody has looked.
            let stat = || std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
            while stat()
                .rsplit(") ")
                .next()
                .is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
            {
                thread::yield_now();
            }
        };
        Rig::new(call, complete, nothing)
    },
    "0",
);

pub(crate) const CHILD_READ: Call = Call::io(
    |_| {
        let (near, far) = UnixStream::pair().unwrap();
        let near = Rc::new(ChildStdout::from(OwnedFd::from(near)));
        let far = Rc::new(far);
        let (ours, theirs) = (Rc::clone(&near), Rc::clone(&far));
        let read = |mut pipe: &ChildStdout| {
            let mut byte = [0];
            pipe.read(&mut byte).map(|_| byte[0])
        };
        let intact = move || {
            (&*far).write_all(&[6]).unwrap();
            assert_eq!(read(&near).unwrap(), 6);
        };
        let complete = move || (&*theirs).write_all(&[5]).unwrap();
        Rig::new(move || io_said(read(&ours)), complete, intact)
    },
    "5",
);

pub(crate) const CHILD_WRITE: Call = Call::io(
    |_| {
        let (near, mut far) = UnixStream::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        let mut filled = 0;
        while let Ok(count) = (&near).write(&[0; 4_096]) {
            filled += count;
        }
        near.set_nonblocking(false).unwrap();
        let near = Rc::new(ChildStdin::from(OwnedFd::from(near)));
        let (ours, mut reader) = (Rc::clone(&near), far.try_clone().unwrap());
        let complete = move || reader.read_exact(&mut vec![0; filled]).unwrap();
        let intact = move || {
            drop(near);
            let mut all = Vec::new();
            far.read_to_end(&mut all).unwrap();
            assert_eq!(all.len(), filled, "something was written");
        };
        Rig::new(move || io_said((&*ours).write(&[1])), complete, intact)
    },
    "1",
);
