//! Waiting in several queues at once, in one task: what `select!` stands on.
//!
//! ```text
//!   poll every arm         the first that is ready, from where the turn starts
//!   none: take a seat in the queue of each, and park
//!   woken:  decided        somebody took it out of a queue, and gave what it has
//!           else           poll again: a deadline, a descriptor, room in a channel
//!   leave all seats        the losing arms have lost nothing
//! ```
//!
//! An arm is ready when its call would not wait. Whoever pops a seat decides the
//! selection for that arm, so of two who come at once only one gives something
//! away. What is decided wins over a cancellation that comes later.

#![expect(unsafe_code, reason = "seats are linked by pointer")]

use std::cell::Cell;
use std::ptr;
use std::rc::Rc;

use super::header::{TaskRef, WaitReason};
use super::park;
use super::timers::Sleep;
use super::wait_queue::{Seat, WaitQueue};
use crate::timer::Instant;

/// A call that waits for the first of several things.
#[derive(Debug)]
pub(crate) struct Selection {
    task: TaskRef,
    decided: Cell<Option<usize>>,
    /// When the first of its arms will be ready because of the time.
    earliest: Cell<Instant>,
    /// Whether others may wait in line behind one of its arms.
    has_lines: Cell<bool>,
}

impl Selection {
    pub(super) fn task(&self) -> TaskRef {
        self.task
    }

    pub(super) fn is_decided(&self) -> bool {
        self.decided.get().is_some()
    }

    /// Decides it, unless it is.
    pub(super) fn decide(&self, arm: usize) -> bool {
        let free = self.decided.get().is_none();
        if free {
            self.decided.set(Some(arm));
        }
        free
    }
}

/// The right to take one seat, for as long as the arm is borrowed.
#[derive(Debug)]
pub struct Entry<'a> {
    selection: &'a Selection,
    arm: usize,
}

impl<'a> Entry<'a> {
    /// The task that waits.
    pub(crate) fn task(&self) -> TaskRef {
        self.selection.task
    }

    /// The arm will be ready at this moment, and is to be asked then.
    pub(crate) fn until(&self, deadline: Instant) {
        let earliest = self.selection.earliest.get();
        self.selection.earliest.set(earliest.min(deadline));
    }

    /// Others may wait in line behind the arm.
    pub(crate) fn in_line(&self) {
        self.selection.has_lines.set(true);
    }

    /// Takes a seat at the end of a queue. There is no need to ask again.
    pub(crate) fn sit<T>(self, queue: &'a WaitQueue<T>, seat: &'a Seat<T>) -> bool {
        // SAFETY: all three are borrowed for 'a, in which `wait` makes the arm leave.
        unsafe { seat.take(queue, self.selection, self.arm) };
        false
    }
}

/// Keeps others from making arms: one that does not leave its seat when it is told
/// to would leave a pointer to nothing.
pub(crate) mod sealed {
    #[expect(
        unnameable_types,
        reason = "that nobody outside can name it is its use"
    )]
    pub trait Sealed {}
}

/// One arm of a selection. It leaves its seat when it is told to.
#[doc(hidden)]
pub trait Arm: sealed::Sealed {
    /// Whether the call would not wait now. What it takes by that, it keeps.
    fn poll(&self) -> bool;

    /// Takes a seat where it will be woken. Called once, after a `poll` that said no.
    /// Whether it is to be polled again, because it may be ready since.
    fn enter<'a>(&'a self, entry: Entry<'a>) -> bool;

    /// Leaves its seat, if it has one.
    fn leave(&self);

    /// What it waits in line for, if others wait behind it: the same for arms that
    /// wait for the same.
    fn line(&self) -> *const () {
        ptr::null()
    }

    /// It has not been chosen, nor has another in its line: those behind it may go on.
    fn give_way(&self) {}

    /// It was decided: takes what it was given. Called before `leave`.
    fn take_given(&self) {}

    /// Whether it counts only where no other arm is ready.
    fn is_last(&self) -> bool {
        false
    }

    /// The task is cancelled, and nothing may be thrown: whether this arm can end
    /// by that. It is then the one that does.
    fn interrupt(&self) -> bool {
        false
    }
}

/// What `select!` can wait for with `wait(..)` and its kin.
///
/// | of | the arm is |
/// |---|---|
/// | [`Timer`](crate::Timer), `&Timer` | `wait(timer)`; for a moment said in place `after(..)`, `at(..)` |
/// | `&mut` [`Interval`](crate::Interval) | `wait(&mut ticks)`: as `tick` |
/// | `&`[`Event`](crate::sync::Event) | `wait(&event)` |
/// | `&`[`Receiver`](crate::sync::Receiver), `&`[`remote::Receiver`](crate::sync::remote::Receiver) | `wait(&receiver)`, or `recv(receiver)` |
/// | `&`[`Queue`](crate::sync::Queue) | `wait(&queue)`: as `pop` |
/// | `&mut` [`BroadcastReceiver`](crate::sync::BroadcastReceiver) | `wait(&mut receiver)`: as `recv` |
/// | `&mut` [`WatchReceiver`](crate::sync::WatchReceiver) | `wait(&mut receiver)`: as `changed` |
/// | `&mut` [`OneshotReceiver`](crate::sync::OneshotReceiver), `&mut` [`remote::OneshotReceiver`](crate::sync::remote::OneshotReceiver) | `wait(&mut receiver)`: as `recv` |
/// | `&mut` [`JoinHandle`](crate::JoinHandle), `&mut` [`CancelOnDrop`](crate::CancelOnDrop), `&mut` [`ScopedJoinHandle`](crate::ScopedJoinHandle), `&mut` [`SupervisedJoinHandle`](crate::SupervisedJoinHandle), `&mut` [`RemoteJoinHandle`](crate::RemoteJoinHandle), `&mut` [`RemoteCancelOnDrop`](crate::RemoteCancelOnDrop) | `join(&mut handle)`, or `wait(&mut handle)` |
///
/// What is there for a `&T` is there for a `&Rc<T>`. `&mut` is wanted where the arm, once
/// chosen, changes what one has: the place in a broadcast, the last value seen, the result
/// that is taken.
///
/// It is sealed: an arm is woken through the scheduler's own queues.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an arm of `select!`",
    label = "this is no arm",
    note = "what an arm takes is listed at `greenroom::Selectable`; most want `&` or `&mut`",
    note = "any other call can wait in a task of its own: `let mut task = spawn(..)`, and the arm `join(&mut task)`"
)]
pub trait Selectable: Sized {
    /// What the arm gives.
    type Output;
    #[doc(hidden)]
    type Arm: Arm;
    #[doc(hidden)]
    fn into_arm(self) -> Self::Arm;
    #[doc(hidden)]
    fn finish(arm: &mut Self::Arm) -> Self::Output;
}

impl<'a, S> Selectable for &'a Rc<S>
where
    &'a S: Selectable,
{
    type Output = <&'a S as Selectable>::Output;
    type Arm = <&'a S as Selectable>::Arm;

    fn into_arm(self) -> Self::Arm {
        (**self).into_arm()
    }

    #[track_caller]
    fn finish(arm: &mut Self::Arm) -> Self::Output {
        <&'a S as Selectable>::finish(arm)
    }
}

/// Makes the arms leave however the wait ends.
struct Leaving<'a> {
    selection: &'a Selection,
    arms: &'a [&'a dyn Arm],
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        for arm in self.arms {
            arm.leave();
        }
        if !self.selection.has_lines.get() {
            return;
        }
        let chosen = self.selection.decided.get();
        let kept = chosen.map_or(ptr::null(), |arm| self.arms[arm].line());
        for arm in self.arms {
            let line = arm.line();
            if !line.is_null() && line != kept {
                arm.give_way();
            }
        }
    }
}

/// Waits until one of the arms, none of which was ready, is; returns which.
/// Polling starts with the arm `start`.
pub(crate) fn wait<'a>(task: TaskRef, start: usize, arms: &'a [&'a dyn Arm]) -> usize {
    let may_wait = park::may_wait(task);
    if !may_wait {
        if let Some(arm) = interrupted(arms) {
            return arm;
        }
    }
    let selection = Selection {
        task,
        decided: Cell::new(None),
        earliest: Cell::new(Instant::NEVER),
        has_lines: Cell::new(false),
    };
    wait_in(&selection, start, arms)
}

fn wait_in(selection: &Selection, start: usize, arms: &[&dyn Arm]) -> usize {
    let task = selection.task;
    let sleep = Sleep::new(task);
    let _leaving = Leaving { selection, arms };
    let mut again = false;
    for (number, arm) in arms.iter().enumerate() {
        again |= arm.enter(Entry {
            selection,
            arm: number,
        });
    }
    let deadline = selection.earliest.get();
    let _timer = (deadline != Instant::NEVER).then(|| sleep.register(task.core(), deadline));
    loop {
        if again {
            if let Some(arm) = poll_all(selection, start, arms) {
                return arm;
            }
        }
        again = true;
        park::switch(task, WaitReason::Select);
        if let Some(arm) = selection.decided.get() {
            arms[arm].take_given();
            return arm;
        }
        if task.cancel.pending() {
            // What is ready wins over the cancellation.
            if let Some(arm) = poll_all(selection, start, arms) {
                return arm;
            }
            if !park::may_wait(task) {
                if let Some(arm) = interrupted(arms) {
                    selection.decide(arm);
                    return arm;
                }
            }
        }
    }
}

/// Asks every arm, beginning with `start`.
fn poll_all(selection: &Selection, start: usize, arms: &[&dyn Arm]) -> Option<usize> {
    let turn = || (start..arms.len()).chain(0..start);
    let ready = turn()
        .find(|arm| !arms[*arm].is_last() && arms[*arm].poll())
        .or_else(|| turn().find(|arm| arms[*arm].is_last() && arms[*arm].poll()))?;
    selection.decide(ready);
    Some(ready)
}

/// The first arm that can end because the task is cancelled.
#[cold]
fn interrupted(arms: &[&dyn Arm]) -> Option<usize> {
    arms.iter().position(|arm| arm.interrupt())
}

/// Where the next selection of the task starts to poll its `arms` arms.
///
/// One further each time, which processors predict; and every eight times somewhere
/// else, by a mixed count, so that each comes first equally often and soon again,
/// also where a loop has as many selections as they have arms, or sixty-two.
#[inline(always)]
pub(crate) fn next_start(task: TaskRef, arms: usize) -> usize {
    let turns = &task.core().selections;
    let turn = turns.get();
    turns.set(turn.wrapping_add(1));
    let mut block = ((turn >> 3) + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    block ^= block >> 32;
    block = block.wrapping_mul(0xD6E8_FEB8_6659_FD93) >> 32;
    let arms = u64::try_from(arms).unwrap_or(u64::MAX);
    usize::try_from(turn.wrapping_add((block * arms) >> 32) % arms).unwrap_or(0)
}
