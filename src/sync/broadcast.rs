//! Broadcasts: every receiver gets every value, and whoever is too slow is told how much
//! it has missed.
//!
//! Values lie in a ring (`ring.rs`) until the last receiver has seen them, or they are the
//! oldest and there is no more room. Each receiver has a place of its own there, so
//! nothing is ever handed over, and a wait that is cancelled has taken nothing.
//!
//! Cloning and dropping values is foreign code, which may use this very broadcast, wait or
//! panic. It never runs while the ring is borrowed, and the ring is in order when it runs.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;

use super::error::{BroadcastRecvError, BroadcastTryRecvError, Lagged, SendError};
use super::ring::{Next, Ring};
use crate::awaitable::Awaitable;
use crate::scheduler::WaitReason;
use crate::scheduler::park::{self, Interrupted, Patience, Seat, WaitQueue};
use crate::scheduler::select::sealed::Sealed;
use crate::scheduler::select::{Arm, Entry, Selectable};

struct Broadcast<T> {
    /// Shared, so that one may be cloned while others use the ring.
    ring: RefCell<Ring<Rc<T>>>,
    /// Values the ring may hold.
    capacity: usize,
    /// They have seen everything.
    waiting: WaitQueue,
    senders: Cell<usize>,
    receivers: Cell<usize>,
    closed: Cell<bool>,
}

/// The sending end of a [`broadcast`]. Clones send to the same receivers.
pub struct BroadcastSender<T> {
    broadcast: Rc<Broadcast<T>>,
}

/// A receiving end of a [`broadcast`]: it gets every value that was sent since it is
/// there.
///
/// A clone has seen as much as the original, and gets everything else as well;
/// [`resubscribe`](Self::resubscribe) makes one that gets only what comes from now on.
pub struct BroadcastReceiver<T> {
    broadcast: Rc<Broadcast<T>>,
    /// What it sees next.
    position: u64,
}

/// A channel from which every receiver gets every value that is sent after it was made,
/// in order.
///
/// Sending never waits: of the values that somebody has yet to receive the latest
/// `capacity` are kept, and the oldest goes to make room. A receiver that was too slow for
/// it is told how many values it has missed, and goes on with the oldest that is still there.
///
/// A value is cloned for each receiver but the last, who gets it moved; so it is gone as
/// soon as everyone has seen it. Memory is used as values come. With a capacity of
/// `usize::MAX` nothing is ever missed, and what a receiver does not take stays.
///
/// ```
/// use greenroom::sync::{BroadcastRecvError, broadcast};
/// use greenroom::{run, spawn};
///
/// run(|| {
///     let (prices, mut mine) = broadcast(2);
///     let mut others = prices.subscribe();
///     let other = spawn(move || others.recv());
///     assert_eq!(prices.send(10), Ok(2)); // two receivers
///     assert_eq!(other.join().unwrap(), Ok(10));
///
///     prices.send(11).unwrap();
///     prices.send(12).unwrap(); // no room for 10 any more
///     assert_eq!(mine.recv(), Err(BroadcastRecvError::Lagged(1)));
///     assert_eq!(mine.recv(), Ok(11));
///     assert_eq!(mine.recv(), Ok(12));
///     drop(prices);
///     assert_eq!(mine.recv(), Err(BroadcastRecvError::Disconnected));
/// });
/// ```
///
/// Cloning or dropping a value may do anything, send on this broadcast as well. Where it
/// panics, nobody else has lost anything: see [`send`](BroadcastSender::send) and
/// [`recv`](BroadcastReceiver::recv).
///
/// # Panics
///
/// If the capacity is 0: there would be no place for a value until its receivers run.
#[must_use]
#[track_caller]
pub fn broadcast<T>(capacity: usize) -> (BroadcastSender<T>, BroadcastReceiver<T>) {
    assert!(
        capacity > 0,
        "a broadcast needs room for at least one value"
    );
    let sender = BroadcastSender {
        broadcast: Rc::new(Broadcast {
            ring: RefCell::new(Ring::new()),
            capacity,
            waiting: WaitQueue::new(),
            senders: Cell::new(1),
            receivers: Cell::new(0),
            closed: Cell::new(false),
        }),
    };
    let receiver = sender.subscribe();
    (sender, receiver)
}

impl<T> Broadcast<T> {
    /// A receiver of what comes from now on.
    fn subscribe(self: &Rc<Self>) -> BroadcastReceiver<T> {
        self.receivers.set(self.receivers.get() + 1);
        BroadcastReceiver {
            position: self.ring.borrow_mut().enter(),
            broadcast: Rc::clone(self),
        }
    }

    fn is_closed(&self) -> bool {
        self.closed.get() || self.senders.get() == 0
    }

    fn close(&self) {
        self.closed.set(true);
        self.waiting.wake_all();
    }
}

impl<T> BroadcastSender<T> {
    /// Sends a value to every receiver there is, and tells how many these are. Never
    /// waits: if there is no room, the oldest value goes.
    ///
    /// ```
    /// use greenroom::sync::{SendError, broadcast};
    ///
    /// let (sender, receiver) = broadcast(8);
    /// let more = [receiver.clone(), receiver.clone()];
    /// assert_eq!(sender.send("news"), Ok(3));
    /// drop((receiver, more));
    /// assert_eq!(sender.send("late"), Err(SendError::Disconnected("late")));
    /// ```
    ///
    /// # Errors
    ///
    /// [`SendError::Disconnected`] if there is no receiver, or the broadcast was
    /// [closed](Self::close). The value comes back.
    ///
    /// # Panics
    ///
    /// If dropping the oldest value does. The new one has been sent then.
    ///
    /// # Scheduling
    ///
    /// The caller goes on. Receivers that wait go to the end of the queue, in the order
    /// in which they came.
    pub fn send(&self, value: T) -> Result<usize, SendError<T>> {
        let broadcast = &*self.broadcast;
        let receivers = broadcast.receivers.get();
        if receivers == 0 || broadcast.closed.get() {
            return Err(SendError::Disconnected(value));
        }
        let value = Rc::new(value);
        let oldest = broadcast.ring.borrow_mut().push(value, broadcast.capacity);
        broadcast.waiting.wake_all();
        drop(oldest);
        Ok(receivers)
    }

    /// A new receiver. It gets what is sent from now on.
    ///
    /// ```
    /// use greenroom::sync::broadcast;
    ///
    /// let (sender, receiver) = broadcast(8);
    /// sender.send(1).unwrap();
    /// let mut late = sender.subscribe();
    /// sender.send(2).unwrap();
    /// assert_eq!(late.try_recv(), Ok(2));
    /// assert_eq!(receiver.len(), 2);
    /// ```
    #[must_use]
    pub fn subscribe(&self) -> BroadcastReceiver<T> {
        self.broadcast.subscribe()
    }

    /// Nothing more can be sent, by anybody. Receivers get what is there, and then learn
    /// of it; those that wait learn of it at once.
    ///
    /// ```
    /// use greenroom::sync::{BroadcastRecvError, broadcast};
    ///
    /// let (sender, mut receiver) = broadcast(8);
    /// sender.send(1).unwrap();
    /// sender.close();
    /// assert!(sender.is_closed() && receiver.is_closed());
    /// assert!(sender.send(2).is_err());
    /// assert_eq!(receiver.recv(), Ok(1));
    /// assert_eq!(receiver.recv(), Err(BroadcastRecvError::Disconnected));
    /// ```
    ///
    /// # Scheduling
    ///
    /// The caller goes on. Those who waited go to the end of the queue.
    pub fn close(&self) {
        self.broadcast.close();
    }

    /// Whether it was closed, by either end: nothing more can be sent. That there is no
    /// receiver does not close it: one may [subscribe](Self::subscribe).
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.broadcast.is_closed()
    }

    /// How many receivers there are.
    #[must_use]
    pub fn receiver_count(&self) -> usize {
        self.broadcast.receivers.get()
    }

    /// How many values some receiver has yet to see.
    #[must_use]
    pub fn len(&self) -> usize {
        self.broadcast.ring.borrow().len()
    }

    /// Whether every receiver has seen every value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many values it keeps for slow receivers.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.broadcast.capacity
    }
}

impl<T> BroadcastReceiver<T> {
    /// Takes the next value, waiting for one.
    ///
    /// As an arm of [`select!`](crate::select) it is `wait(&mut receiver)`:
    ///
    /// ```
    /// use std::time::Duration;
    /// use greenroom::sync::broadcast;
    /// use greenroom::{run, select, sleep, spawn};
    ///
    /// run(|| {
    ///     let (news, mut receiver) = broadcast(4);
    ///     spawn(move || {
    ///         sleep(Duration::from_millis(1));
    ///         news.send("at last")
    ///     });
    ///     let heard = select! {
    ///         wait(&mut receiver) -> news => news.ok(),
    ///         after(Duration::from_secs(60)) => None,
    ///     };
    ///     assert_eq!(heard, Some("at last"));
    /// });
    /// ```
    ///
    /// # Errors
    ///
    /// [`BroadcastRecvError::Lagged`] if values have gone before this receiver saw them:
    /// how many, exactly. The next call goes on with the oldest that is still there.
    ///
    /// If nothing is there, and nothing more can be sent. On a plain thread, where nothing
    /// could send, if nothing is there.
    ///
    /// # Panics
    ///
    /// If cloning the value does. It counts as not received: the next call tries again.
    ///
    /// # Scheduling
    ///
    /// With a value there, or an error to tell, it goes on at once; one of every 128 calls
    /// yields. Else the others run.
    ///
    /// # Cancellation
    ///
    /// If it waits, it unwinds when the task was cancelled, unless a value was sent before
    /// that. Nothing was taken then, also where it unwinds out of a clone that waits. While
    /// the task unwinds it returns an error instead of waiting.
    pub fn recv(&mut self) -> Result<T, BroadcastRecvError>
    where
        T: Clone,
    {
        let task = park::current();
        if let Some(task) = task {
            park::spend(task);
        }
        loop {
            match self.try_recv() {
                Err(BroadcastTryRecvError::Empty) => {}
                result => return result.map_err(BroadcastRecvError::from_ready),
            }
            let Some(task) = task else {
                return Err(BroadcastRecvError::WouldBlock);
            };
            let waiting = &self.broadcast.waiting;
            if let Err(Interrupted(_)) =
                waiting.wait(task, WaitReason::Broadcast, Patience::Fails, None)
            {
                return Err(BroadcastRecvError::Cancelled);
            }
        }
    }

    /// Takes the next value if there is one. Never waits.
    ///
    /// ```
    /// use greenroom::sync::{BroadcastTryRecvError, broadcast};
    ///
    /// let (sender, mut receiver) = broadcast(1);
    /// assert_eq!(receiver.try_recv(), Err(BroadcastTryRecvError::Empty));
    /// sender.send(1).unwrap();
    /// sender.send(2).unwrap();
    /// assert_eq!(receiver.try_recv(), Err(BroadcastTryRecvError::Lagged(1)));
    /// assert_eq!(receiver.try_recv(), Ok(2));
    /// ```
    ///
    /// # Errors
    ///
    /// If values were missed, as [`recv`](Self::recv). If there is none now, or there will
    /// be none because nothing more can be sent.
    ///
    /// # Panics
    ///
    /// If cloning the value does, as [`recv`](Self::recv).
    pub fn try_recv(&mut self) -> Result<T, BroadcastTryRecvError>
    where
        T: Clone,
    {
        let next = self.broadcast.ring.borrow_mut().next(&mut self.position);
        match next {
            Next::Missed(count) => Err(BroadcastTryRecvError::Lagged(count)),
            Next::Nothing if self.broadcast.is_closed() => Err(BroadcastTryRecvError::Disconnected),
            Next::Nothing => Err(BroadcastTryRecvError::Empty),
            Next::Shared(value) => {
                let copy = T::clone(&value);
                let ring = &self.broadcast.ring;
                // Others may have seen it during the clone: then it goes now.
                let gone = ring.borrow_mut().advance(&mut self.position);
                drop((value, gone));
                Ok(copy)
            }
            // Whoever is cloning it stands there as well, so nobody else has it.
            Next::Last(value) => Ok(Rc::unwrap_or_clone(value)),
        }
    }

    /// Values as they come, waiting for each, until nothing more can be sent. An item is a
    /// value, or says how many were missed before the next.
    ///
    /// ```
    /// use greenroom::sync::{Lagged, broadcast};
    ///
    /// let (sender, mut receiver) = broadcast(2);
    /// for n in 1..=5 {
    ///     sender.send(n).unwrap();
    /// }
    /// drop(sender);
    /// let mut slow = receiver.clone();
    /// assert!(receiver.iter().eq([Err(Lagged(3)), Ok(4), Ok(5)]));
    /// // Who does not care:
    /// assert!(slow.iter().flatten().eq([4, 5]));
    /// ```
    ///
    /// It ends where [`recv`](Self::recv) gives another error: so also on a plain thread
    /// when nothing is there, while the task unwinds, and, with
    /// [`Delivery::Error`](crate::Delivery::Error), when the task is cancelled.
    pub fn iter(&mut self) -> BroadcastIter<'_, T> {
        BroadcastIter { receiver: self }
    }

    /// A new receiver of the same broadcast. It gets what is sent from now on.
    ///
    /// ```
    /// use greenroom::sync::broadcast;
    ///
    /// let (sender, receiver) = broadcast(8);
    /// sender.send(1).unwrap();
    /// assert_eq!(receiver.clone().len(), 1);
    /// assert_eq!(receiver.resubscribe().len(), 0);
    /// ```
    #[must_use]
    pub fn resubscribe(&self) -> Self {
        self.broadcast.subscribe()
    }

    /// How many values it has yet to see, those it has missed not counted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.broadcast.ring.borrow().unread(self.position)
    }

    /// Whether it has seen everything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Nothing more can be sent, to anybody: see [`BroadcastSender::close`]. To leave alone,
    /// drop the receiver.
    ///
    /// ```
    /// use greenroom::sync::{SendError, broadcast};
    ///
    /// let (sender, mut receiver) = broadcast(8);
    /// sender.send(1).unwrap();
    /// receiver.close();
    /// assert_eq!(sender.send(2), Err(SendError::Disconnected(2)));
    /// assert_eq!(receiver.try_recv(), Ok(1));
    /// ```
    ///
    /// # Scheduling
    ///
    /// The caller goes on. Those who waited go to the end of the queue.
    pub fn close(&self) {
        self.broadcast.close();
    }

    /// Whether nothing more can be sent: it was closed, by either end, or all senders are
    /// gone. Values may still be there.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.broadcast.is_closed()
    }

    /// Whether `recv` would not wait.
    fn is_ready(&self) -> bool {
        let ring = self.broadcast.ring.borrow();
        !ring.is_at_end(self.position) || self.broadcast.is_closed()
    }
}

impl<T> Clone for BroadcastSender<T> {
    fn clone(&self) -> Self {
        let senders = &self.broadcast.senders;
        senders.set(senders.get() + 1);
        Self {
            broadcast: Rc::clone(&self.broadcast),
        }
    }
}

/// It has seen as much as the original.
impl<T> Clone for BroadcastReceiver<T> {
    fn clone(&self) -> Self {
        let broadcast = Rc::clone(&self.broadcast);
        broadcast.receivers.set(broadcast.receivers.get() + 1);
        broadcast.ring.borrow_mut().enter_beside(self.position);
        Self {
            broadcast,
            position: self.position,
        }
    }
}

impl<T> Drop for BroadcastSender<T> {
    fn drop(&mut self) {
        let left = self.broadcast.senders.get() - 1;
        self.broadcast.senders.set(left);
        if left == 0 {
            self.broadcast.waiting.wake_all();
        }
    }
}

impl<T> Drop for BroadcastReceiver<T> {
    fn drop(&mut self) {
        let receivers = &self.broadcast.receivers;
        receivers.set(receivers.get() - 1);
        // What only this one had yet to see; destructors may use the broadcast.
        let unseen = self.broadcast.ring.borrow_mut().leave(self.position);
        drop(unseen);
    }
}

impl<T> fmt::Debug for BroadcastSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BroadcastSender")
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .field("receivers", &self.receiver_count())
            .finish()
    }
}

impl<T> fmt::Debug for BroadcastReceiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BroadcastReceiver")
            .field("len", &self.len())
            .field("is_closed", &self.is_closed())
            .finish()
    }
}

/// Values as they come: see [`BroadcastReceiver::iter`].
#[derive(Debug)]
pub struct BroadcastIter<'a, T> {
    receiver: &'a mut BroadcastReceiver<T>,
}

/// Values as they come, owning the receiver: see [`BroadcastReceiver::iter`].
#[derive(Debug)]
pub struct BroadcastIntoIter<T> {
    receiver: BroadcastReceiver<T>,
}

impl<T: Clone> BroadcastReceiver<T> {
    fn next_item(&mut self) -> Option<Result<T, Lagged>> {
        match self.recv() {
            Ok(value) => Some(Ok(value)),
            Err(BroadcastRecvError::Lagged(count)) => Some(Err(Lagged(count))),
            Err(_) => None,
        }
    }
}

impl<T: Clone> Iterator for BroadcastIter<'_, T> {
    type Item = Result<T, Lagged>;

    fn next(&mut self) -> Option<Self::Item> {
        self.receiver.next_item()
    }
}

impl<T: Clone> Iterator for BroadcastIntoIter<T> {
    type Item = Result<T, Lagged>;

    fn next(&mut self) -> Option<Self::Item> {
        self.receiver.next_item()
    }
}

impl<'a, T: Clone> IntoIterator for &'a mut BroadcastReceiver<T> {
    type Item = Result<T, Lagged>;
    type IntoIter = BroadcastIter<'a, T>;

    fn into_iter(self) -> BroadcastIter<'a, T> {
        self.iter()
    }
}

impl<T: Clone> IntoIterator for BroadcastReceiver<T> {
    type Item = Result<T, Lagged>;
    type IntoIter = BroadcastIntoIter<T>;

    fn into_iter(self) -> BroadcastIntoIter<T> {
        BroadcastIntoIter { receiver: self }
    }
}

/// See [`BroadcastReceiver::recv`].
impl<T: Clone> Awaitable for &mut BroadcastReceiver<T> {
    type Output = Result<T, BroadcastRecvError>;

    fn wait(self) -> Self::Output {
        self.recv()
    }
}

/// A receiver as an arm of `select!`.
#[doc(hidden)]
#[derive(Debug)]
pub struct BroadcastArm<'a, T> {
    receiver: &'a mut BroadcastReceiver<T>,
    seat: Seat<()>,
}

impl<'a, T: Clone> Selectable for &'a mut BroadcastReceiver<T> {
    type Output = Result<T, BroadcastRecvError>;
    type Arm = BroadcastArm<'a, T>;

    fn into_arm(self) -> BroadcastArm<'a, T> {
        BroadcastArm {
            receiver: self,
            seat: Seat::new(),
        }
    }

    fn finish(arm: &mut BroadcastArm<'a, T>) -> Self::Output {
        match arm.receiver.try_recv() {
            // It was chosen with nothing there: because the task is cancelled.
            Err(BroadcastTryRecvError::Empty) => Err(BroadcastRecvError::Cancelled),
            result => result.map_err(BroadcastRecvError::from_ready),
        }
    }
}

impl<T> Sealed for BroadcastArm<'_, T> {}

impl<T> Arm for BroadcastArm<'_, T> {
    fn poll(&self) -> bool {
        self.receiver.is_ready()
    }

    fn enter<'a>(&'a self, entry: Entry<'a>) -> bool {
        entry.sit(&self.receiver.broadcast.waiting, &self.seat)
    }

    fn leave(&self) {
        self.seat.leave();
    }

    fn interrupt(&self) -> bool {
        true
    }
}
