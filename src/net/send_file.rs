//! Sending a part of a file over a connection.
//!
//! The system's call cannot be told "do not wait", so the socket's own flag is set, and taken back by
//! conversions. One call sends a piece at most, so that a fast receiver does not keep the thread.
//!
//! Must never: lose count of what was sent.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use crate::io::descriptor::Descriptor;
use crate::scheduler::io::Direction;
use crate::sys::send_file::{COPIES, read_at, send_file};

/// What one call sends at most.
const PIECE: usize = 256 * 1024;

/// What is read at once, where the system cannot copy by itself.
const READ_AT_ONCE: usize = 64 * 1024;

impl<S: AsFd> Descriptor<S> {
    /// Sends `len` bytes of a file from `offset` on, or all there are. Fails only if nothing was sent.
    pub(super) fn send_file(&self, file: BorrowedFd<'_>, offset: u64, len: u64) -> io::Result<u64> {
        let mut sent = 0;
        let mut buffer = Vec::new();
        while sent < len {
            let piece = usize::try_from(len - sent).map_or(PIECE, |left| left.min(PIECE));
            let place = offset.saturating_add(sent);
            let result = if buffer.is_empty() {
                match self.copy(file, place, piece) {
                    Ok(Some(count)) => Ok(count),
                    Ok(None) => {
                        buffer.resize(READ_AT_ONCE, 0);
                        continue;
                    }
                    Err(error) => Err(error),
                }
            } else {
                let piece = piece.min(READ_AT_ONCE);
                read_at(file, &mut buffer[..piece], place)
                    .and_then(|there| self.write(&buffer[..there]))
            };
            match result {
                Ok(0) => break,
                Ok(count) => sent += u64::try_from(count).unwrap_or(0),
                Err(error) if sent == 0 => return Err(error),
                // The next call meets it again.
                Err(_) => break,
            }
        }
        Ok(sent)
    }

    fn copy(&self, file: BorrowedFd<'_>, offset: u64, most: usize) -> io::Result<Option<usize>> {
        if !COPIES {
            return Ok(None);
        }
        self.transfer(
            Direction::Write,
            |_| false,
            |fd| {
                self.keep_flag()?;
                send_file(fd, file, offset, most)
            },
        )
    }
}
