//! The arms of a `select!` that wait for a descriptor to become readable or writable.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::os::fd::AsFd;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::descriptor::Descriptor;
use crate::scheduler::io::{Direction, Watching};
use crate::scheduler::select::sealed::Sealed;
use crate::scheduler::select::{Arm, Entry, Selectable};
use crate::scheduler::{cancel, park};
use crate::sys::descriptor;

/// Something with a descriptor that can be waited for beside other things.
#[doc(hidden)]
pub trait Watch {
    /// As std knows it.
    #[doc(hidden)]
    type Std: AsFd;
    #[doc(hidden)]
    fn watched(&self) -> Watched<'_, Self::Std>;
}

/// A descriptor that only this crate can look into.
#[doc(hidden)]
pub struct Watched<'a, S: AsFd>(pub(crate) &'a Descriptor<S>);

impl<S: AsFd> fmt::Debug for Watched<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").finish_non_exhaustive()
    }
}

impl<W: Watch> Watch for &W {
    type Std = W::Std;

    fn watched(&self) -> Watched<'_, W::Std> {
        (**self).watched()
    }
}

impl<W: Watch> Watch for Rc<W> {
    type Std = W::Std;

    fn watched(&self) -> Watched<'_, W::Std> {
        (**self).watched()
    }
}

impl<W: Watch> Watch for Arc<W> {
    type Std = W::Std;

    fn watched(&self) -> Watched<'_, W::Std> {
        (**self).watched()
    }
}

impl<W: Watch> Watch for &mut W {
    type Std = W::Std;

    fn watched(&self) -> Watched<'_, W::Std> {
        (**self).watched()
    }
}

/// `readable(socket)`.
#[doc(hidden)]
#[derive(Debug)]
pub struct Readable<'a, W>(pub &'a W);

/// `writable(socket)`.
#[doc(hidden)]
#[derive(Debug)]
pub struct Writable<'a, W>(pub &'a W);

/// A wait for a descriptor.
#[doc(hidden)]
pub struct ReadyArm<'a, S: AsFd> {
    socket: &'a Descriptor<S>,
    direction: Direction,
    watching: Watching,
    result: RefCell<io::Result<()>>,
}

impl<S: AsFd> fmt::Debug for ReadyArm<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadyArm").finish_non_exhaustive()
    }
}

fn arm<W: Watch>(socket: &W, direction: Direction) -> ReadyArm<'_, W::Std> {
    ReadyArm {
        socket: socket.watched().0,
        direction,
        watching: Watching::default(),
        result: RefCell::new(Ok(())),
    }
}

impl<'a, W: Watch> Selectable for Readable<'a, W> {
    type Output = io::Result<()>;
    type Arm = ReadyArm<'a, W::Std>;

    fn into_arm(self) -> Self::Arm {
        arm(self.0, Direction::Read)
    }

    fn finish(arm: &mut Self::Arm) -> io::Result<()> {
        arm.result.replace(Ok(()))
    }
}

impl<'a, W: Watch> Selectable for Writable<'a, W> {
    type Output = io::Result<()>;
    type Arm = ReadyArm<'a, W::Std>;

    fn into_arm(self) -> Self::Arm {
        arm(self.0, Direction::Write)
    }

    fn finish(arm: &mut Self::Arm) -> io::Result<()> {
        arm.result.replace(Ok(()))
    }
}

impl<S: AsFd> Sealed for ReadyArm<'_, S> {}

impl<S: AsFd> Arm for ReadyArm<'_, S> {
    fn poll(&self) -> bool {
        if self.result.borrow().is_err() {
            return true;
        }
        let reads = self.direction == Direction::Read;
        let fd = self.socket.std().as_fd();
        match descriptor::poll_one(fd, reads, !reads, Some(Duration::ZERO)) {
            Ok(ready) => ready,
            Err(error) => {
                *self.result.borrow_mut() = Err(error);
                true
            }
        }
    }

    fn enter<'a>(&'a self, entry: Entry<'a>) -> bool {
        let fd = self.socket.std().as_fd();
        let registrations = self.socket.registrations();
        let entered = self
            .watching
            .enter(entry, registrations, fd, self.direction);
        if let Err(error) = entered {
            *self.result.borrow_mut() = Err(error);
        }
        true
    }

    fn leave(&self) {
        self.watching.leave();
    }

    fn interrupt(&self) -> bool {
        if let Some(task) = park::current() {
            *self.result.borrow_mut() = Err(cancel::error(task));
        }
        true
    }
}
