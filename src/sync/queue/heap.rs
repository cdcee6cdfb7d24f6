//! Items in the order of their kind, the greatest first.
//!
//! ```text
//!   push -> arrivals              in order of arrival, not compared with anything
//!   pop:    heap[..ordered]       a heap: no item is greater than the one above it
//!           heap[ordered..]       have arrived, and still have to rise to their place
//! ```
//!
//! Comparing runs code of the user's. It happens in `pop` alone, and there in steps: first
//! items are compared, and nothing is moved; then they are moved, and nothing is compared.
//! So a comparison that panics leaves every item in here, one that pushes finds the
//! arrivals free, and nothing is ever half moved. It must not pop, nor switch to another
//! task: that panics, and is one that panics.

use std::cell::{Cell, RefCell};
use std::cmp::Ordering;
use std::mem;

use crate::scheduler::{cancel, park};
use crate::sync::channel::Buffer;

/// See above.
#[doc(hidden)]
#[derive(Debug)]
#[expect(unnameable_types, reason = "it is what `Priority` stands for")]
pub struct Heap<T> {
    arrivals: RefCell<Vec<T>>,
    heap: RefCell<Vec<Entry<T>>>,
    /// How many of the heap are in their place.
    ordered: Cell<usize>,
    /// The number of the next that goes into the heap.
    next: Cell<u64>,
    /// Whether somebody pops.
    popping: Cell<bool>,
}

#[derive(Debug)]
struct Entry<T> {
    item: T,
    arrival: u64,
}

impl<T: Ord> Entry<T> {
    /// Whether it is to come out before the other.
    #[inline]
    fn precedes(&self, other: &Self) -> bool {
        let order = self.item.cmp(&other.item);
        order.then(other.arrival.cmp(&self.arrival)) == Ordering::Greater
    }
}

impl<T> Default for Heap<T> {
    fn default() -> Self {
        Self {
            arrivals: RefCell::default(),
            heap: RefCell::default(),
            ordered: Cell::new(0),
            next: Cell::new(0),
            popping: Cell::new(false),
        }
    }
}

impl<T: Ord> Buffer<T> for Heap<T> {
    fn len(&self) -> usize {
        self.heap.borrow().len() + self.arrivals.borrow().len()
    }

    fn push(&self, value: T) {
        self.arrivals.borrow_mut().push(value);
    }

    fn pop(&self) -> Option<T> {
        if self.len() == 0 {
            return None;
        }
        let _popping = Popping::begin(&self.popping);
        self.admit();
        let place = match park::current() {
            Some(task) => cancel::without_switching(task, || self.compare()),
            None => self.compare(),
        };
        self.take_out(place)
    }
}

impl<T: Ord> Heap<T> {
    /// Puts the arrivals at the end of the heap, in their order.
    fn admit(&self) {
        let mut heap = self.heap.borrow_mut();
        let mut number = self.next.get();
        for item in self.arrivals.borrow_mut().drain(..) {
            heap.push(Entry {
                item,
                arrival: number,
            });
            number += 1;
        }
        self.next.set(number);
    }

    /// Makes all of it a heap. Then: where the last of it belongs once the first is gone.
    fn compare(&self) -> usize {
        let count = self.heap.borrow().len();
        while self.ordered.get() < count {
            let from = self.ordered.get();
            self.lift(from, self.place_above(from));
            self.ordered.set(from + 1);
        }
        self.place_below()
    }

    /// How far the entry may rise among those before it.
    fn place_above(&self, from: usize) -> usize {
        let heap = self.heap.borrow();
        let mut place = from;
        while place > 0 {
            let above = (place - 1) / 2;
            if !heap[from].precedes(&heap[above]) {
                break;
            }
            place = above;
        }
        place
    }

    /// Moves an entry up to its place.
    fn lift(&self, from: usize, to: usize) {
        let mut heap = self.heap.borrow_mut();
        let mut place = from;
        while place != to {
            let above = (place - 1) / 2;
            heap.swap(place, above);
            place = above;
        }
    }

    /// Where the last entry would sink to, were it the first. It most often belongs near the
    /// bottom: so first all the way down, and then up again.
    fn place_below(&self) -> usize {
        let heap = self.heap.borrow();
        let Some((last, others)) = heap.split_last() else {
            return 0;
        };
        let mut place = 0;
        while 2 * place + 2 < others.len() {
            let left = 2 * place + 1;
            place = left + usize::from(others[left + 1].precedes(&others[left]));
        }
        if 2 * place + 1 < others.len() {
            place = 2 * place + 1;
        }
        while place > 0 && last.precedes(&others[place]) {
            place = (place - 1) / 2;
        }
        place
    }

    /// Takes the first out; the last goes down to this place.
    fn take_out(&self, place: usize) -> Option<T> {
        let mut heap = self.heap.borrow_mut();
        let last = heap.pop()?;
        self.ordered.set(heap.len());
        if heap.is_empty() {
            return Some(last.item);
        }
        let first = mem::replace(&mut heap[0], last);
        // The way down, read from the place's number: its bits below the highest.
        let number = place + 1;
        let mut from = 0;
        for level in (0..number.ilog2()).rev() {
            let to = (number >> level) - 1;
            heap.swap(from, to);
            from = to;
        }
        Some(first.item)
    }
}

/// One pops at a time: another would be inside a comparison of the first.
struct Popping<'a>(&'a Cell<bool>);

impl<'a> Popping<'a> {
    #[track_caller]
    fn begin(popping: &'a Cell<bool>) -> Self {
        assert!(
            !popping.replace(true),
            "comparing two items of a queue must not take one out of it"
        );
        Self(popping)
    }
}

impl Drop for Popping<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}
