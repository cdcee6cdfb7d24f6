//! Queues of waiting tasks: first come, first served, each with a value in hand.
//!
//! ```text
//!   queue.tail -> node C -> node A -> node B -> (node C)     a ring; tail.next is the head
//!                 each node lies in the frame of the call that waits
//! ```
//!
//! A node may be removed from anywhere in O(1), so a cancelled wait leaves no
//! trace. Whoever wakes a waiter takes its node out and may first put a value
//! into its hand, or take one: what was handed over is not lost, even if the
//! waiter is cancelled before it runs.
//!
//! A call may wait in several queues at once (`select.rs`). Whoever takes it out of
//! one decides it; in the others it is passed over until it leaves them.
//!
//! The safe face: `wait` borrows the queue for as long as its node is linked,
//! so a queue with waiters can neither move nor die.

#![expect(
    unsafe_code,
    reason = "links nodes that lie in the frames of waiting calls"
)]

use std::cell::{Cell, UnsafeCell};
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ptr;

use super::WaitReason;
use super::header::{Reason, TaskRef};
use super::park;
use super::select::Selection;

/// Tasks that wait for the same thing.
pub(crate) struct WaitQueue<T = ()> {
    tail: Cell<*const Node<T>>,
}

/// One waiting call.
struct Node<T> {
    next: Cell<*const Node<T>>,
    previous: Cell<*const Node<T>>,
    /// Null once it was taken out.
    queue: Cell<*const WaitQueue<T>>,
    task: TaskRef,
    hand: Cell<Option<T>>,
    /// The call that waits in several queues at once; null for one that does not.
    selection: Cell<*const Selection>,
    /// Which of that call's arms this is.
    arm: Cell<MaybeUninit<usize>>,
}

/// What a wait does when its task is unwinding and so nothing may be thrown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// It returns [`Interrupted`]: for calls that can fail.
    Fails,
    /// It waits all the same: for calls that must not.
    Waits,
}

/// The wait did not happen: the task is unwinding. What was in hand comes back.
#[derive(Debug)]
pub(crate) struct Interrupted<T>(pub(crate) Option<T>);

impl<T> Default for WaitQueue<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> std::fmt::Debug for WaitQueue<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WaitQueue")
            .field("empty", &self.is_empty())
            .finish()
    }
}

impl<T> WaitQueue<T> {
    /// A queue nobody waits in.
    pub(crate) const fn new() -> Self {
        Self {
            tail: Cell::new(ptr::null()),
        }
    }

    /// Whether nobody waits.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.tail.get().is_null()
    }

    /// Waits at the end of the queue, with `hand` in hand, until taken out by
    /// [`pop`](Self::pop). Returns what is in hand then.
    ///
    /// Unwinds if the task is cancelled first.
    ///
    /// # Errors
    ///
    /// [`Interrupted`], at once, for an impatient wait of an unwinding task.
    #[inline(always)]
    pub(crate) fn wait(
        &self,
        task: TaskRef,
        reason: impl Reason,
        patience: Patience,
        hand: Option<T>,
    ) -> Result<Option<T>, Interrupted<T>> {
        self.wait_unless(task, reason, patience, hand, || false)
    }

    /// Like [`wait`](Self::wait), but gives up when `given_up` says so. It is asked when
    /// the task was woken without having been taken out.
    ///
    /// # Errors
    ///
    /// [`Interrupted`] then, and as [`wait`](Self::wait).
    #[inline(always)]
    pub(crate) fn wait_unless(
        &self,
        task: TaskRef,
        reason: impl Reason,
        patience: Patience,
        hand: Option<T>,
        mut given_up: impl FnMut() -> bool,
    ) -> Result<Option<T>, Interrupted<T>> {
        if !park::may_wait(task) {
            return self.wait_unwinding(task, reason.reason(), patience, hand, &mut given_up);
        }
        let node = Node::new(self, task, hand);
        self.link(&node);
        // Takes the node out however this call ends.
        let linked = Linked(&node);
        loop {
            park::switch(task, || reason.reason());
            if node.queue.get().is_null() {
                break;
            }
            let interrupted =
                task.cancel.pending() && !park::may_wait(task) && patience == Patience::Fails;
            if interrupted || given_up() {
                drop(linked);
                return Err(Interrupted(node.hand.take()));
            }
        }
        drop(linked);
        Ok(node.hand.take())
    }

    /// [`wait`](Self::wait) for a task into which nothing may be thrown.
    #[cold]
    #[inline(never)]
    fn wait_unwinding(
        &self,
        task: TaskRef,
        reason: WaitReason,
        patience: Patience,
        hand: Option<T>,
        given_up: &mut dyn FnMut() -> bool,
    ) -> Result<Option<T>, Interrupted<T>> {
        if patience == Patience::Fails {
            return Err(Interrupted(hand));
        }
        let node = Node::new(self, task, hand);
        self.link(&node);
        let linked = Linked(&node);
        while !node.queue.get().is_null() {
            park::switch(task, reason);
            if !node.queue.get().is_null() && given_up() {
                drop(linked);
                return Err(Interrupted(node.hand.take()));
            }
        }
        drop(linked);
        Ok(node.hand.take())
    }

    /// Takes out the one who waits longest. Dropping what is returned wakes it.
    ///
    /// A call that waits in several queues is thereby decided. One that was decided
    /// elsewhere, and has not run since, is passed over.
    #[inline]
    pub(crate) fn pop(&self) -> Option<Waiter<'_, T>> {
        let mut head = self.pop_node()?;
        loop {
            // SAFETY: its frame is alive until the task runs again.
            let node = unsafe { &*head };
            if node.selection.get().is_null() || node.decide() {
                return Some(Waiter {
                    node: head,
                    queue: PhantomData,
                });
            }
            head = self.pop_node()?;
        }
    }

    #[inline(always)]
    fn pop_node(&self) -> Option<*const Node<T>> {
        let tail = self.tail.get();
        if tail.is_null() {
            return None;
        }
        // SAFETY: linked nodes are alive: their frames take them out first.
        let head = unsafe { (*tail).next.get() };
        // SAFETY: as above.
        unsafe { self.unlink(head) };
        Some(head)
    }

    /// Like [`pop`](Self::pop), for a queue in which a call that waits in several
    /// has nothing in hand yet: such a one is woken to try again, and keeps its
    /// place; then the answer is `None`. The call of `seat`, who asks, is passed over.
    #[inline]
    pub(crate) fn pop_giver<U>(&self, seat: Option<&Seat<U>>) -> Option<Waiter<'_, T>> {
        let tail = self.tail.get();
        if tail.is_null() {
            return None;
        }
        // SAFETY: linked nodes are alive: their frames take them out first.
        let head = unsafe { (*tail).next.get() };
        // SAFETY: as above.
        if !unsafe { &*head }.selection.get().is_null() {
            return self.find_giver(seat.map_or(ptr::null(), Seat::selection));
        }
        // SAFETY: as above.
        unsafe { self.unlink(head) };
        Some(Waiter {
            node: head,
            queue: PhantomData,
        })
    }

    /// [`pop_giver`](Self::pop_giver) where the first in the queue is a call that waits
    /// in several.
    #[cold]
    fn find_giver(&self, own: *const Selection) -> Option<Waiter<'_, T>> {
        let node = self.find(|node| match node.selection() {
            None => true,
            Some(selection) => !selection.is_decided() && !ptr::eq(selection, own),
        })?;
        if node.selection.get().is_null() {
            // SAFETY: it is linked here.
            unsafe { self.unlink(node) };
            return Some(Waiter {
                node,
                queue: PhantomData,
            });
        }
        node.nudge();
        None
    }

    /// Takes out the first who has something in hand: no call that waits in several.
    pub(crate) fn pop_holder(&self) -> Option<Waiter<'_, T>> {
        let node = self.find(|node| node.selection.get().is_null())?;
        // SAFETY: it is linked here.
        unsafe { self.unlink(node) };
        Some(Waiter {
            node,
            queue: PhantomData,
        })
    }

    /// The one who waits longest.
    pub(super) fn first_task(&self) -> Option<TaskRef> {
        self.find(|_| true).map(|node| node.task)
    }

    /// Takes out the one who waits longest, if what it has in hand is `wanted`. For queues
    /// without calls that wait in several.
    #[inline]
    pub(crate) fn pop_if(&self, wanted: impl FnOnce(T) -> bool) -> Option<Waiter<'_, T>>
    where
        T: Copy,
    {
        let tail = self.tail.get();
        if tail.is_null() {
            return None;
        }
        // SAFETY: linked nodes are alive: their frames take them out first.
        let head = unsafe { (*tail).next.get() };
        // SAFETY: as above.
        let hand = unsafe { &*head }.hand.get()?;
        if !wanted(hand) {
            return None;
        }
        // SAFETY: as above.
        unsafe { self.unlink(head) };
        Some(Waiter {
            node: head,
            queue: PhantomData,
        })
    }

    /// The first node in the queue of which `wanted` says so.
    fn find(&self, wanted: impl Fn(&Node<T>) -> bool) -> Option<&Node<T>> {
        let tail = self.tail.get();
        if tail.is_null() {
            return None;
        }
        let mut cursor = tail;
        loop {
            // SAFETY: linked nodes are alive: their frames take them out first.
            cursor = unsafe { (*cursor).next.get() };
            // SAFETY: as above.
            let node = unsafe { &*cursor };
            if wanted(node) {
                return Some(node);
            }
            if ptr::eq(cursor, tail) {
                return None;
            }
        }
    }

    /// Wakes everyone, in order.
    #[inline]
    pub(crate) fn wake_all(&self) {
        while let Some(waiter) = self.pop() {
            drop(waiter);
        }
    }

    /// Wakes the one who waits longest, and leaves it in its place: it is to try
    /// again. For [`wait_until`](Self::wait_until).
    pub(crate) fn nudge(&self) {
        let tail = self.tail.get();
        if !tail.is_null() {
            // SAFETY: linked nodes are alive: their frames take them out first.
            let head = unsafe { (*tail).next.get() };
            // SAFETY: as above.
            unsafe { &*head }.nudge();
        }
    }

    /// Waits, first come first served, until `attempt` gives something. It is
    /// tried by the first in the queue only, each time that one is nudged. `quit`
    /// is asked first, wherever the task stands.
    ///
    /// Whoever leaves, for whatever reason, nudges the next.
    ///
    /// # Errors
    ///
    /// [`Interrupted`], at once, if the task is unwinding.
    pub(crate) fn wait_until<R>(
        &self,
        task: TaskRef,
        reason: WaitReason,
        quit: impl Fn() -> Option<R>,
        mut attempt: impl FnMut() -> Option<R>,
    ) -> Result<R, Interrupted<T>> {
        if !park::may_wait(task) {
            return Err(Interrupted(None));
        }
        let node = Node::new(self, task, None);
        self.link(&node);
        let _leaving = Leaving {
            queue: self,
            linked: Linked(&node),
        };
        loop {
            park::switch(task, reason);
            if let Some(result) = quit() {
                return Ok(result);
            }
            if self.is_head(&node) {
                if let Some(result) = attempt() {
                    return Ok(result);
                }
            }
            if task.cancel.pending() && !park::may_wait(task) {
                return Err(Interrupted(None));
            }
        }
    }

    /// Whether anyone waits who can still be woken for this, other than the call of
    /// `seat` itself.
    pub(crate) fn is_live<U>(&self, seat: &Seat<U>) -> bool {
        !self.is_empty() && self.first_live(seat.selection()).is_some()
    }

    /// The first who can still be woken, other than the call `own`.
    fn first_live(&self, own: *const Selection) -> Option<&Node<T>> {
        self.find(|node| {
            node.selection()
                .is_none_or(|other| !other.is_decided() && !ptr::eq(other, own))
        })
    }

    /// In a queue of givers: whether all before `seat` (all, if it has no place here)
    /// are calls that cannot give anything to the first who takes, because they are
    /// that call itself. Then they may be passed.
    pub(crate) fn may_be_passed<U>(&self, seat: &Seat<U>, takers: &WaitQueue<U>) -> bool {
        let own = seat.selection();
        let Some(taker) = takers.first_live(own) else {
            return false;
        };
        let in_the_way = self.find(|node| match node.selection() {
            None => true,
            Some(other) if ptr::eq(other, own) => true,
            Some(other) => !other.is_decided() && !ptr::eq(other, taker.selection.get()),
        });
        in_the_way.is_none_or(|node| !own.is_null() && ptr::eq(node.selection.get(), own))
    }

    /// Whether this seat's call is the first in the queue.
    pub(crate) fn is_first(&self, seat: &Seat<T>) -> bool {
        let own = seat.selection();
        let first = self.find(|node| node.selection().is_none_or(|other| !other.is_decided()));
        !own.is_null() && first.is_some_and(|node| ptr::eq(node.selection.get(), own))
    }

    fn is_head(&self, node: &Node<T>) -> bool {
        let tail = self.tail.get();
        // SAFETY: linked nodes are alive: their frames take them out first.
        !tail.is_null() && ptr::eq(unsafe { (*tail).next.get() }, node)
    }

    #[inline(always)]
    fn link(&self, node: &Node<T>) {
        let tail = self.tail.get();
        let this = ptr::from_ref(node);
        if tail.is_null() {
            node.next.set(this);
            node.previous.set(this);
        } else {
            // SAFETY: linked nodes are alive: their frames take them out first.
            let last = unsafe { &*tail };
            let head = last.next.get();
            node.next.set(head);
            node.previous.set(tail);
            last.next.set(this);
            // SAFETY: as above.
            unsafe { &*head }.previous.set(this);
        }
        self.tail.set(this);
    }

    /// Takes a node out.
    ///
    /// # Safety
    ///
    /// It is linked in this queue.
    #[inline]
    unsafe fn unlink(&self, node: *const Node<T>) {
        // SAFETY: linked nodes are alive: their frames take them out first.
        let gone = unsafe { &*node };
        let (next, previous) = (gone.next.get(), gone.previous.get());
        if next == node {
            self.tail.set(ptr::null());
        } else {
            // SAFETY: as above.
            unsafe { &*next }.previous.set(previous);
            // SAFETY: as above.
            unsafe { &*previous }.next.set(next);
            if self.tail.get() == node {
                self.tail.set(previous);
            }
        }
        gone.queue.set(ptr::null());
    }
}

impl<T> Node<T> {
    #[inline(always)]
    fn new(queue: &WaitQueue<T>, task: TaskRef, hand: Option<T>) -> Self {
        Self {
            next: Cell::new(ptr::null()),
            previous: Cell::new(ptr::null()),
            queue: Cell::new(queue),
            task,
            hand: Cell::new(hand),
            selection: Cell::new(ptr::null()),
            arm: Cell::new(MaybeUninit::uninit()),
        }
    }

    /// Wakes it, to try again. The running task is awake: it has a place here as
    /// well, in a call that waits in several queues.
    fn nudge(&self) {
        if self.task.core().current.get() != Some(self.task) {
            self.task.wake();
        }
    }

    /// The call that waits in several queues, if it is one.
    fn selection(&self) -> Option<&Selection> {
        // SAFETY: it lies in the same frame as the node, or further out.
        unsafe { self.selection.get().as_ref() }
    }

    /// Decides the call for this arm, unless it was decided already.
    #[cold]
    fn decide(&self) -> bool {
        self.selection()
            // SAFETY: a node of a selection has its arm: see `Seat::take`.
            .is_some_and(|selection| selection.decide(unsafe { self.arm.get().assume_init() }))
    }
}

/// A place in a queue for a call that waits in several.
pub(crate) struct Seat<T> {
    node: UnsafeCell<MaybeUninit<Node<T>>>,
    taken: Cell<bool>,
}

impl<T> std::fmt::Debug for Seat<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seat").field("taken", &self.taken).finish()
    }
}

impl<T> Default for Seat<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Seat<T> {
    /// Not in any queue.
    #[inline(always)]
    pub(crate) fn new() -> Self {
        let mut seat = MaybeUninit::<Self>::uninit();
        // Field by field: as one constant the compiler would zero the node, too.
        // SAFETY: the place is there to be written.
        let taken = unsafe { &raw mut (*seat.as_mut_ptr()).taken };
        // SAFETY: as above.
        unsafe { taken.write(Cell::new(false)) };
        // SAFETY: `taken` is written, and the node may be anything.
        unsafe { seat.assume_init() }
    }

    fn node(&self) -> Option<&Node<T>> {
        if !self.taken.get() {
            return None;
        }
        let node = self.node.get().cast::<Node<T>>();
        // SAFETY: `taken` says that it was written.
        Some(unsafe { &*node })
    }

    /// The call it belongs to, while it has a place.
    fn selection(&self) -> *const Selection {
        self.node().map_or(ptr::null(), |node| node.selection.get())
    }

    /// Takes a place at the end of the queue.
    ///
    /// # Safety
    ///
    /// Seat, queue and selection stay where they are until [`leave`](Self::leave).
    pub(super) unsafe fn take(&self, queue: &WaitQueue<T>, selection: &Selection, arm: usize) {
        assert!(!self.taken.get(), "an arm has one place at a time");
        let node = Node::new(queue, selection.task(), None);
        node.selection.set(selection);
        node.arm.set(MaybeUninit::new(arm));
        let place = self.node.get().cast::<Node<T>>();
        // SAFETY: it is not linked, so nobody looks at it.
        unsafe { place.write(node) };
        self.taken.set(true);
        if let Some(node) = self.node() {
            queue.link(node);
        }
    }

    /// Takes out what was put into the hand.
    pub(crate) fn take_hand(&self) -> Option<T> {
        self.node().and_then(|node| node.hand.take())
    }

    /// Gives the place up, and drops what is in hand.
    pub(crate) fn leave(&self) {
        if let Some(node) = self.node() {
            Linked(node).leave();
            drop(node.hand.take());
            self.taken.set(false);
        }
    }
}

/// Takes a node out, and then nudges the next.
struct Leaving<'a, T> {
    queue: &'a WaitQueue<T>,
    linked: Linked<'a, T>,
}

impl<T> Drop for Leaving<'_, T> {
    fn drop(&mut self) {
        self.linked.leave();
        self.queue.nudge();
    }
}

/// A node in a queue, from the side of the call that waits.
struct Linked<'a, T>(&'a Node<T>);

impl<T> Drop for Linked<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.leave();
    }
}

impl<T> Linked<'_, T> {
    #[inline]
    fn leave(&self) {
        let queue = self.0.queue.get();
        if !queue.is_null() {
            // SAFETY: `wait` borrows the queue as long as this value lives.
            let queue = unsafe { &*queue };
            // SAFETY: a node knows the queue it is linked in.
            unsafe { queue.unlink(self.0) };
        }
    }
}

/// A waiter that was taken out. It wakes when this is dropped.
///
/// Nothing switches between [`WaitQueue::pop`] and the drop, so the waiting
/// frame is still there.
pub(crate) struct Waiter<'a, T> {
    node: *const Node<T>,
    queue: PhantomData<&'a WaitQueue<T>>,
}

impl<T> Waiter<'_, T> {
    #[inline]
    fn node(&self) -> &Node<T> {
        // SAFETY: see the type: its frame cannot go on before the drop.
        unsafe { &*self.node }
    }

    /// Whose call it is.
    #[inline]
    pub(crate) fn task(&self) -> TaskRef {
        self.node().task
    }

    /// Puts a value into the waiter's hand, and wakes it.
    #[inline]
    pub(crate) fn give(self, value: T) {
        self.node().hand.set(Some(value));
    }

    /// Takes what the waiter has in hand, and wakes it.
    #[inline]
    pub(crate) fn take(self) -> Option<T> {
        self.node().hand.take()
    }
}

impl<T> Drop for Waiter<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.node().task.wake();
    }
}
