//! Values of a channel between threads, one after the other.

use super::Receiver;

/// Values as they come: see [`Receiver::iter`].
#[derive(Debug)]
pub struct Iter<'a, T> {
    receiver: &'a Receiver<T>,
}

/// The values that are there: see [`Receiver::try_iter`].
#[derive(Debug)]
pub struct TryIter<'a, T> {
    receiver: &'a Receiver<T>,
}

/// Values as they come, owning the receiver.
#[derive(Debug)]
pub struct IntoIter<T> {
    receiver: Receiver<T>,
}

impl<T> Receiver<T> {
    /// Values as they come, waiting for each, until the channel is empty and nothing
    /// more will be sent.
    ///
    /// ```
    /// use greenroom::sync::remote;
    ///
    /// let (sender, receiver) = remote::bounded(1);
    /// std::thread::spawn(move || (1..=4).for_each(|n| sender.send(n).unwrap()));
    /// assert_eq!(receiver.iter().sum::<i32>(), 10);
    /// ```
    ///
    /// It ends where [`recv`](Self::recv) gives an error: so also while the task
    /// unwinds, and, with [`Delivery::Error`](crate::Delivery::Error), when the task
    /// is cancelled. Where that matters ask [`is_cancelled`](crate::is_cancelled) after
    /// the loop.
    pub fn iter(&self) -> Iter<'_, T> {
        Iter { receiver: self }
    }

    /// The values that are there. Never waits.
    ///
    /// ```
    /// use greenroom::sync::remote;
    ///
    /// let (sender, receiver) = remote::unbounded();
    /// sender.send('a').unwrap();
    /// sender.send('b').unwrap();
    /// assert_eq!(receiver.try_iter().collect::<String>(), "ab");
    /// ```
    pub fn try_iter(&self) -> TryIter<'_, T> {
        TryIter { receiver: self }
    }
}

impl<T> Iterator for Iter<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.receiver.recv().ok()
    }
}

impl<T> Iterator for TryIter<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.receiver.try_recv().ok()
    }
}

impl<T> Iterator for IntoIter<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.receiver.recv().ok()
    }
}

impl<'a, T> IntoIterator for &'a Receiver<T> {
    type Item = T;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

impl<T> IntoIterator for Receiver<T> {
    type Item = T;
    type IntoIter = IntoIter<T>;

    fn into_iter(self) -> IntoIter<T> {
        IntoIter { receiver: self }
    }
}
