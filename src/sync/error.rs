//! Why a channel or a queue did not pass a value on, or a lock was not taken. Values come back.

use std::error::Error;
use std::fmt;

use crate::scheduler::WaitCycle;

/// Why a value could not be sent. It comes back.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError<T> {
    /// Nothing more goes in: the channel was closed or the queue shut down, or all
    /// receivers are gone.
    Disconnected(T),
    /// The task is unwinding, or cancelled with [`Delivery::Error`](crate::Delivery::Error),
    /// and would have to wait.
    Cancelled(T),
    /// It is full, and no runtime runs here that could wait for room, or none that other
    /// threads can wake: the process has no descriptor left for that.
    WouldBlock(T),
}

impl<T> SendError<T> {
    /// The value that was to be sent.
    pub fn into_inner(self) -> T {
        match self {
            Self::Disconnected(value) | Self::Cancelled(value) | Self::WouldBlock(value) => value,
        }
    }
}

impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Disconnected(_) => "Disconnected(..)",
            Self::Cancelled(_) => "Cancelled(..)",
            Self::WouldBlock(_) => "WouldBlock(..)",
        })
    }
}

impl<T> fmt::Display for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Disconnected(_) => "sending on a closed channel, or one without receivers",
            Self::Cancelled(_) => "sending would wait, and the task is cancelled or unwinding",
            Self::WouldBlock(_) => {
                "sending would wait for ever: the channel is full, and no runtime is running here that could be woken"
            }
        })
    }
}

impl<T> Error for SendError<T> {}

/// Why a value could not be sent at once. It comes back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum TrySendError<T> {
    /// There is no room now.
    Full(T),
    /// Nothing more goes in: the channel was closed or the queue shut down, or all
    /// receivers are gone.
    Disconnected(T),
}

impl<T> TrySendError<T> {
    /// The value that was to be sent.
    pub fn into_inner(self) -> T {
        match self {
            Self::Full(value) | Self::Disconnected(value) => value,
        }
    }
}

impl<T> fmt::Debug for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "Full(..)",
            Self::Disconnected(_) => "Disconnected(..)",
        })
    }
}

impl<T> fmt::Display for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "sending on a full channel",
            Self::Disconnected(_) => "sending on a closed channel, or one without receivers",
        })
    }
}

impl<T> Error for TrySendError<T> {}

/// Why no value was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecvError {
    /// It is empty, and nothing more goes in: the channel was closed or the queue shut
    /// down, or all senders are gone.
    Disconnected,
    /// The task is unwinding, or cancelled with [`Delivery::Error`](crate::Delivery::Error),
    /// and would have to wait.
    Cancelled,
    /// It is empty, and no runtime runs here that could wait for a value, or none that
    /// other threads can wake: the process has no descriptor left for that.
    WouldBlock,
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Disconnected => "receiving on an empty channel that is closed, or without senders",
            Self::Cancelled => "receiving would wait, and the task is cancelled or unwinding",
            Self::WouldBlock => "receiving would wait for ever: the channel is empty, and no runtime is running here that could be woken",
        })
    }
}

impl Error for RecvError {}

/// Why a value was not sent in time. It comes back.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendTimeoutError<T> {
    /// There was no room all the time.
    Timeout(T),
    /// All receivers are gone, or the channel was closed.
    Disconnected(T),
    /// The task is unwinding, or cancelled with [`Delivery::Error`](crate::Delivery::Error),
    /// and would have to wait.
    Cancelled(T),
    /// It would have to wait, and other threads could not wake the runtime: the process
    /// has no descriptor left for that.
    WouldBlock(T),
}

impl<T> SendTimeoutError<T> {
    /// The value that was to be sent.
    pub fn into_inner(self) -> T {
        match self {
            Self::Timeout(value)
            | Self::Disconnected(value)
            | Self::Cancelled(value)
            | Self::WouldBlock(value) => value,
        }
    }
}

impl<T> fmt::Debug for SendTimeoutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Timeout(_) => "Timeout(..)",
            Self::Disconnected(_) => "Disconnected(..)",
            Self::Cancelled(_) => "Cancelled(..)",
            Self::WouldBlock(_) => "WouldBlock(..)",
        })
    }
}

impl<T> fmt::Display for SendTimeoutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Timeout(_) => "timed out waiting for room in a channel",
            Self::Disconnected(_) => "sending on a closed channel, or one without receivers",
            Self::Cancelled(_) => "sending would wait, and the task is cancelled or unwinding",
            Self::WouldBlock(_) => "sending would wait, and the runtime cannot be woken",
        })
    }
}

impl<T> Error for SendTimeoutError<T> {}

/// Why no value was received in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecvTimeoutError {
    /// There was no value all the time.
    Timeout,
    /// The channel is empty, and nothing more will be sent.
    Disconnected,
    /// The task is unwinding, or cancelled with [`Delivery::Error`](crate::Delivery::Error),
    /// and would have to wait.
    Cancelled,
    /// It would have to wait, and other threads could not wake the runtime: the process
    /// has no descriptor left for that.
    WouldBlock,
}

impl fmt::Display for RecvTimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Timeout => "timed out waiting for a value in a channel",
            Self::Disconnected => {
                "receiving on an empty channel that is closed, or without senders"
            }
            Self::Cancelled => "receiving would wait, and the task is cancelled or unwinding",
            Self::WouldBlock => "receiving would wait, and the runtime cannot be woken",
        })
    }
}

impl Error for RecvTimeoutError {}

/// Why no value was received at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TryRecvError {
    /// There is no value now.
    Empty,
    /// It is empty, and nothing more goes in: the channel was closed or the queue shut
    /// down, or all senders are gone.
    Disconnected,
}

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "receiving on an empty channel",
            Self::Disconnected => {
                "receiving on an empty channel that is closed, or without senders"
            }
        })
    }
}

impl Error for TryRecvError {}

/// Why a lock was not taken.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum LockError {
    /// The task would wait for itself: the circle of tasks that wait for each other.
    Deadlock(WaitCycle),
    /// The task is unwinding, or cancelled with [`Delivery::Error`](crate::Delivery::Error),
    /// and would have to wait.
    Cancelled,
    /// Somebody holds it, and no runtime runs here that could wait.
    WouldBlock,
}

impl fmt::Display for LockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deadlock(circle) => circle.fmt(f),
            Self::Cancelled => {
                f.write_str("locking would wait, and the task is cancelled or unwinding")
            }
            Self::WouldBlock => f.write_str(
                "locking would wait for ever: somebody holds the lock, and no runtime is running here",
            ),
        }
    }
}

impl Error for LockError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Deadlock(circle) => Some(circle),
            Self::Cancelled | Self::WouldBlock => None,
        }
    }
}

/// Why permits were not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AcquireError {
    /// The task is unwinding, or cancelled with [`Delivery::Error`](crate::Delivery::Error),
    /// and would have to wait.
    Cancelled,
    /// There are not so many, and no runtime runs here that could wait.
    WouldBlock,
}

impl fmt::Display for AcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cancelled => "acquiring would wait, and the task is cancelled or unwinding",
            Self::WouldBlock => "acquiring would wait for ever: there are not so many permits, and no runtime is running here",
        })
    }
}

impl Error for AcquireError {}

/// A lock, or as many permits as were asked for, are not to be had at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TryLockError;

impl fmt::Display for TryLockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it is not free now")
    }
}

impl Error for TryLockError {}

/// A receiver of a broadcast was too slow: so many values went before it saw them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lagged(pub u64);

impl fmt::Display for Lagged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1 => f.write_str("the receiver was too slow, and has missed a value"),
            count => write!(
                f,
                "the receiver was too slow, and has missed {count} values"
            ),
        }
    }
}

impl Error for Lagged {}

/// Why no value of a broadcast was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BroadcastRecvError {
    /// The receiver was too slow: so many values went before it saw them. The next call
    /// goes on with the oldest that is still there.
    Lagged(u64),
    /// The receiver has seen everything, and nothing more can be sent.
    Disconnected,
    /// The task is unwinding, or cancelled with [`Delivery::Error`](crate::Delivery::Error),
    /// and would have to wait.
    Cancelled,
    /// The receiver has seen everything, and no runtime runs here that could wait for more.
    WouldBlock,
}

impl BroadcastRecvError {
    /// Of a call that did not wait, and found something.
    pub(super) fn from_ready(error: BroadcastTryRecvError) -> Self {
        match error {
            BroadcastTryRecvError::Lagged(count) => Self::Lagged(count),
            BroadcastTryRecvError::Disconnected => Self::Disconnected,
            BroadcastTryRecvError::Empty => Self::WouldBlock,
        }
    }
}

impl fmt::Display for BroadcastRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lagged(count) => Lagged(*count).fmt(f),
            Self::Disconnected => RecvError::Disconnected.fmt(f),
            Self::Cancelled => RecvError::Cancelled.fmt(f),
            Self::WouldBlock => RecvError::WouldBlock.fmt(f),
        }
    }
}

impl Error for BroadcastRecvError {}

/// Why no value of a broadcast was received at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BroadcastTryRecvError {
    /// The receiver has seen everything.
    Empty,
    /// The receiver was too slow: so many values went before it saw them. The next call
    /// goes on with the oldest that is still there.
    Lagged(u64),
    /// The receiver has seen everything, and nothing more can be sent.
    Disconnected,
}

impl fmt::Display for BroadcastTryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => TryRecvError::Empty.fmt(f),
            Self::Lagged(count) => Lagged(*count).fmt(f),
            Self::Disconnected => TryRecvError::Disconnected.fmt(f),
        }
    }
}

impl Error for BroadcastTryRecvError {}
