//! The sleep queue: a heap of deadlines from which any entry can be removed.
//!
//! ```text
//!   heap     [ (deadline, sequence, place) ... ]   four children to a node
//!   places   [ position in the heap | value ] ...  found by a TimerKey
//! ```
//!
//! Equal deadlines come out in the order they went in: the key is (deadline,
//! sequence). Insert and remove take O(log n), and O(1) where the deadline is
//! the latest of all, as that of a fresh timeout mostly is. Removed entries
//! leave at once: nothing rots in the heap.

use super::Instant;

/// Children of a node: four of an entry's 24 bytes lie in two cache lines.
const ARITY: usize = 4;

/// Names one entry. After the entry is gone it names nothing, for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimerKey {
    place: u32,
    sequence: u64,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    deadline: Instant,
    sequence: u64,
    place: u32,
}

impl Entry {
    fn is_before(&self, other: &Self) -> bool {
        (self.deadline, self.sequence) < (other.deadline, other.sequence)
    }
}

#[derive(Debug)]
enum Place<T> {
    Used {
        position: u32,
        value: T,
    },
    /// The next free place.
    Free(Option<u32>),
}

/// Deadlines with a value each.
#[derive(Debug)]
pub(crate) struct Timers<T> {
    heap: Vec<Entry>,
    places: Vec<Place<T>>,
    free: Option<u32>,
    sequence: u64,
}

impl<T> Timers<T> {
    /// An empty queue.
    pub(crate) fn new() -> Self {
        Self {
            heap: Vec::new(),
            places: Vec::new(),
            free: None,
            sequence: 0,
        }
    }

    /// How many deadlines are waited for.
    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }

    /// The earliest deadline.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.heap.first().map(|entry| entry.deadline)
    }

    /// Adds a deadline.
    ///
    /// # Panics
    ///
    /// If four billion deadlines are waited for at once.
    pub(crate) fn insert(&mut self, deadline: Instant, value: T) -> TimerKey {
        let position = u32::try_from(self.heap.len()).expect("fewer than four billion timers");
        let used = Place::Used { position, value };
        let place = match self.free {
            Some(place) => {
                let old = std::mem::replace(&mut self.places[place as usize], used);
                if let Place::Free(next) = old {
                    self.free = next;
                }
                place
            }
            None => {
                self.places.push(used);
                position_of(self.places.len() - 1)
            }
        };
        let sequence = self.sequence;
        self.sequence += 1;
        self.heap.push(Entry {
            deadline,
            sequence,
            place,
        });
        self.sift_up(self.heap.len() - 1);
        TimerKey { place, sequence }
    }

    /// Takes an entry out before its time. `None` if it is gone already.
    pub(crate) fn remove(&mut self, key: TimerKey) -> Option<T> {
        let position = match self.places.get(key.place as usize) {
            Some(Place::Used { position, .. }) => *position as usize,
            _ => return None,
        };
        if self.heap[position].sequence != key.sequence {
            return None;
        }
        Some(self.take(position))
    }

    /// The next value whose deadline has come.
    pub(crate) fn pop_expired(&mut self, now: Instant) -> Option<T> {
        let first = self.heap.first()?;
        if first.deadline > now || first.deadline == Instant::NEVER {
            return None;
        }
        Some(self.take(0))
    }

    fn take(&mut self, position: usize) -> T {
        let place = self.heap[position].place;
        let last = self.heap.len() - 1;
        if position == last {
            self.heap.truncate(last);
        } else {
            self.heap.swap_remove(position);
            self.settle(position);
        }
        match std::mem::replace(&mut self.places[place as usize], Place::Free(self.free)) {
            Place::Used { value, .. } => {
                self.free = Some(place);
                value
            }
            Place::Free(_) => unreachable!("an entry of the heap has a place in use"),
        }
    }

    /// Puts an entry that took another's position where it belongs.
    fn settle(&mut self, position: usize) {
        if position > 0 && self.heap[position].is_before(&self.heap[(position - 1) / ARITY]) {
            self.sift_up(position);
        } else {
            self.sift_down(position);
        }
    }

    fn sift_up(&mut self, mut position: usize) {
        let entry = self.heap[position];
        while position > 0 {
            let parent = (position - 1) / ARITY;
            if !entry.is_before(&self.heap[parent]) {
                break;
            }
            self.put(position, self.heap[parent]);
            position = parent;
        }
        self.put(position, entry);
    }

    fn sift_down(&mut self, mut position: usize) {
        let entry = self.heap[position];
        loop {
            let first = position * ARITY + 1;
            let end = (first + ARITY).min(self.heap.len());
            let Some(child) =
                (first..end).min_by_key(|&at| (self.heap[at].deadline, self.heap[at].sequence))
            else {
                break;
            };
            if !self.heap[child].is_before(&entry) {
                break;
            }
            self.put(position, self.heap[child]);
            position = child;
        }
        self.put(position, entry);
    }

    fn put(&mut self, position: usize, entry: Entry) {
        self.heap[position] = entry;
        if let Place::Used {
            position: known, ..
        } = &mut self.places[entry.place as usize]
        {
            *known = position_of(position);
        }
    }
}

/// Positions fit: `insert` refuses the entry that would not.
#[expect(
    clippy::cast_possible_truncation,
    reason = "insert checks that every position fits"
)]
fn position_of(index: usize) -> u32 {
    index as u32
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::{Strategy, any, prop, prop_assert_eq, prop_oneof, proptest};

    use super::{Instant, Timers};

    #[derive(Debug, Clone)]
    enum Op {
        Insert(u64),
        Remove(usize),
        Expire(u64),
    }

    fn ops() -> impl Strategy<Value = Vec<Op>> {
        let op = prop_oneof![
            3 => (0u64..50).prop_map(Op::Insert),
            2 => any::<prop::sample::Index>().prop_map(|index| Op::Remove(index.index(64))),
            1 => (0u64..50).prop_map(Op::Expire),
        ];
        prop::collection::vec(op, 0..300)
    }

    proptest! {
        /// The heap does what a sorted map of (deadline, sequence) does.
        #[test]
        fn agrees_with_a_sorted_map(ops in ops()) {
            let mut timers = Timers::new();
            let mut model = BTreeMap::new();
            let mut keys = Vec::new();
            for (number, op) in ops.into_iter().enumerate() {
                match op {
                    Op::Insert(deadline) => {
                        keys.push((timers.insert(Instant::from_nanos(deadline), number), (deadline, number)));
                        model.insert((deadline, number), number);
                    }
                    Op::Remove(index) if !keys.is_empty() => {
                        let (key, wanted) = keys[index % keys.len()];
                        prop_assert_eq!(timers.remove(key), model.remove(&wanted));
                    }
                    Op::Remove(_) => {}
                    Op::Expire(now) => loop {
                        let first = model.first_key_value().map(|(key, _)| *key);
                        let due = first.filter(|(deadline, _)| *deadline <= now);
                        let expected = due.and_then(|key| model.remove(&key));
                        let popped = timers.pop_expired(Instant::from_nanos(now));
                        prop_assert_eq!(popped, expected);
                        if popped.is_none() {
                            break;
                        }
                    },
                }
                prop_assert_eq!(timers.len(), model.len());
                let next = model.first_key_value().map(|((deadline, _), _)| Instant::from_nanos(*deadline));
                prop_assert_eq!(timers.next_deadline(), next);
            }
        }
    }

    #[test]
    fn equal_deadlines_come_out_in_the_order_they_went_in() {
        let mut timers = Timers::new();
        for number in 0..8 {
            timers.insert(Instant::from_nanos(5), number);
        }
        let order: Vec<_> =
            std::iter::from_fn(|| timers.pop_expired(Instant::from_nanos(5))).collect();
        assert_eq!(order, [0, 1, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn never_does_not_come() {
        let mut timers = Timers::new();
        timers.insert(Instant::NEVER, ());
        assert_eq!(timers.pop_expired(Instant::NEVER), None);
        assert_eq!(timers.len(), 1);
    }
}
