//! The values of a broadcast that somebody has yet to see, and where each reader stands.
//!
//! ```text
//!   position      7      8      9        10 = the end
//!   value         c      d      e
//!   readers       2      0      1         4      stand here: this is what they see next
//! ```
//!
//! Positions are counted from the first value there ever was. Nobody stands before the
//! first value for nothing: where the last reader leaves it, it goes. A reader that is too
//! slow finds its place gone, and counts as standing at the first value.
//!
//! So every step costs the same, however many readers and values there are. It never runs
//! code of the values': what goes is given back, to be dropped by whoever asked.

use std::collections::VecDeque;

/// A value, and how many readers see it next.
#[derive(Debug)]
struct Slot<V> {
    value: V,
    readers: usize,
}

/// Values in a row, and how many readers stand where.
#[derive(Debug)]
pub(super) struct Ring<V> {
    slots: VecDeque<Slot<V>>,
    /// The position of the first value.
    first: u64,
    /// Readers that have seen everything.
    at_end: usize,
}

/// What a reader finds where it stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next<V> {
    /// It has seen everything.
    Nothing,
    /// So many values went before it could see them.
    Missed(u64),
    /// A value that others are yet to see as well.
    Shared(V),
    /// A value nobody else is waiting to see. It was taken out.
    Last(V),
}

impl<V> Ring<V> {
    /// No values, no readers.
    pub(super) const fn new() -> Self {
        Self {
            slots: VecDeque::new(),
            first: 0,
            at_end: 0,
        }
    }

    /// How many values somebody has yet to see.
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// How many values the reader at `position` has yet to see.
    pub(super) fn unread(&self, position: u64) -> usize {
        self.slots.len() - self.index(position)
    }

    /// Whether the reader at `position` has seen everything.
    pub(super) fn is_at_end(&self, position: u64) -> bool {
        self.index(position) == self.slots.len()
    }

    /// A new reader, who sees what comes from now on: where it stands.
    pub(super) fn enter(&mut self) -> u64 {
        self.at_end += 1;
        self.end()
    }

    /// A new reader beside the one at `position`.
    pub(super) fn enter_beside(&mut self, position: u64) {
        *self.readers(self.index(position)) += 1;
    }

    /// The reader at `position` has gone. What nobody is waiting to see any more.
    pub(super) fn leave(&mut self, position: u64) -> Vec<V> {
        *self.readers(self.index(position)) -= 1;
        let unwanted = |slot: &&Slot<V>| slot.readers == 0;
        let count = self.slots.iter().take_while(unwanted).count();
        self.first = self.position(count);
        let gone = self.slots.drain(..count);
        gone.map(|slot| slot.value).collect()
    }

    /// A value for all readers, of whom there must be one. Returns the oldest if there
    /// are more than `capacity` now.
    pub(super) fn push(&mut self, value: V, capacity: usize) -> Option<V> {
        let readers = std::mem::take(&mut self.at_end);
        self.slots.push_back(Slot { value, readers });
        if self.slots.len() <= capacity {
            return None;
        }
        let gone = self.slots.pop_front()?;
        self.first += 1;
        *self.readers(0) += gone.readers;
        Some(gone.value)
    }

    /// What the reader at `position` sees next. It stays where it is, unless the value
    /// was taken out, or some were missed.
    pub(super) fn next(&mut self, position: &mut u64) -> Next<V>
    where
        V: Clone,
    {
        if *position < self.first {
            // It was counted here when its place went.
            let missed = self.first - *position;
            *position = self.first;
            return Next::Missed(missed);
        }
        let index = self.index(*position);
        let Some(slot) = self.slots.get(index) else {
            return Next::Nothing;
        };
        if index > 0 || slot.readers > 1 {
            return Next::Shared(slot.value.clone());
        }
        match self.advance(position) {
            Some(value) => Next::Last(value),
            None => unreachable!("the first value goes with its last reader"),
        }
    }

    /// The reader at `position` has seen the value there, even if that has gone
    /// meanwhile. Returns the value if it was the last to see it.
    pub(super) fn advance(&mut self, position: &mut u64) -> Option<V> {
        let before = self.index(*position);
        *position += 1;
        let after = self.index(*position);
        *self.readers(after) += 1;
        let left = self.readers(before);
        *left -= 1;
        if before > 0 || *left > 0 {
            return None;
        }
        self.first += 1;
        self.slots.pop_front().map(|slot| slot.value)
    }

    fn end(&self) -> u64 {
        self.position(self.slots.len())
    }

    fn position(&self, index: usize) -> u64 {
        // No machine has room for more values than that.
        self.first + u64::try_from(index).unwrap_or(u64::MAX)
    }

    /// Where the reader at `position` counts as standing.
    fn index(&self, position: u64) -> usize {
        let index = usize::try_from(position.saturating_sub(self.first));
        let index = index.unwrap_or(usize::MAX);
        debug_assert!(index <= self.slots.len(), "no reader is past the end");
        index
    }

    fn readers(&mut self, index: usize) -> &mut usize {
        match self.slots.get_mut(index) {
            Some(slot) => &mut slot.readers,
            None => &mut self.at_end,
        }
    }
}
