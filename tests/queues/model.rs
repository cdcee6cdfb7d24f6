//! A queue as it should be, written as plainly as can be: lists that are searched and
//! shifted, and nobody who waits.
//!
//! The model is told, in order, which operation each task began, and tells how each one
//! ended. An operation that has not ended waits.

#![allow(dead_code, reason = "channels do a part of what queues do")]

use std::cmp::Reverse;
use std::collections::BTreeMap;

/// A priority and a name. The name does not count where items are compared.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Item {
    pub(crate) rank: u32,
    pub(crate) name: u32,
}

impl PartialEq for Item {
    fn eq(&self, other: &Self) -> bool {
        self.rank == other.rank
    }
}

impl Eq for Item {}

impl PartialOrd for Item {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Item {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.rank.cmp(&other.rank)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Fifo,
    Lifo,
    Priority,
}

/// What a task does with the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    /// With this rank.
    Push(u32),
    TryPush(u32),
    Pop,
    TryPop,
    /// `wait(&queue)` in a `select!`.
    Select,
    TaskDone,
    Join,
    Shutdown,
    ShutdownNow,
    /// Another task is cancelled.
    Cancel(usize),
}

/// How an operation ended. Items are known by their names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    Done,
    Got(u32),
    /// What was pushed came back: the queue is shut down.
    Back(u32),
    Full(u32),
    Empty,
    Over,
    Left(Vec<u32>),
    WouldPanic,
}

/// Which operation: the task, and its number there.
pub(crate) type Id = (usize, usize);

#[derive(Debug)]
pub(crate) struct Model {
    kind: Kind,
    capacity: usize,
    pub(crate) items: Vec<Item>,
    pushing: Vec<(Id, Item)>,
    popping: Vec<Id>,
    joining: Vec<Id>,
    pub(crate) unfinished: usize,
    shut_down: bool,
    pub(crate) ended: BTreeMap<Id, End>,
}

impl Model {
    pub(crate) fn new(kind: Kind, capacity: usize) -> Self {
        Self {
            kind,
            capacity,
            items: Vec::new(),
            pushing: Vec::new(),
            popping: Vec::new(),
            joining: Vec::new(),
            unfinished: 0,
            shut_down: false,
            ended: BTreeMap::new(),
        }
    }

    /// A task begins an operation. What it pushes has this name.
    pub(crate) fn begin(&mut self, id: Id, op: Op, name: u32) {
        let end = match op {
            Op::Push(rank) => {
                let item = Item { rank, name };
                let end = self.try_push(item);
                if end == End::Full(name) {
                    self.pushing.push((id, item));
                    return;
                }
                end
            }
            Op::TryPush(rank) => self.try_push(Item { rank, name }),
            Op::Pop | Op::Select => {
                let end = self.try_pop();
                if end == End::Empty {
                    self.popping.push(id);
                    return;
                }
                end
            }
            Op::TryPop => self.try_pop(),
            Op::TaskDone if self.unfinished <= self.items.len() => End::WouldPanic,
            Op::TaskDone => {
                self.finish(1);
                End::Done
            }
            Op::Join if self.unfinished > 0 => {
                self.joining.push(id);
                return;
            }
            Op::Join => End::Done,
            Op::Shutdown => {
                self.shut_down();
                End::Done
            }
            Op::ShutdownNow => {
                self.shut_down();
                let mut left = Vec::new();
                while let Some(item) = self.next() {
                    left.push(item.name);
                }
                self.finish(left.len());
                End::Left(left)
            }
            // It is told to leave, and may still be served before it does.
            Op::Cancel(_) => End::Done,
        };
        self.ended.insert(id, end);
    }

    fn try_push(&mut self, item: Item) -> End {
        if self.shut_down {
            return End::Back(item.name);
        }
        if !self.popping.is_empty() {
            let who = self.popping.remove(0);
            self.ended.insert(who, End::Got(item.name));
        } else if self.pushing.is_empty() && self.items.len() < self.capacity {
            self.items.push(item);
        } else {
            return End::Full(item.name);
        }
        self.unfinished += 1;
        End::Done
    }

    fn try_pop(&mut self) -> End {
        let next = self.next();
        if self.pushing.is_empty() {
            let over = if self.shut_down {
                End::Over
            } else {
                End::Empty
            };
            return next.map_or(over, |item| End::Got(item.name));
        }
        let (who, item) = self.pushing.remove(0);
        self.ended.insert(who, End::Done);
        self.unfinished += 1;
        match next {
            Some(next) => {
                self.items.push(item);
                End::Got(next.name)
            }
            None => End::Got(item.name),
        }
    }

    /// Takes the next out of those inside.
    pub(crate) fn next(&mut self) -> Option<Item> {
        let place = match self.kind {
            Kind::Fifo => 0,
            Kind::Lifo => self.items.len().checked_sub(1)?,
            Kind::Priority => {
                let places = 0..self.items.len();
                places.min_by_key(|n| (Reverse(self.items[*n].rank), *n))?
            }
        };
        (place < self.items.len()).then(|| self.items.remove(place))
    }

    fn finish(&mut self, count: usize) {
        self.unfinished -= count;
        if count > 0 && self.unfinished == 0 {
            for who in self.joining.drain(..) {
                self.ended.insert(who, End::Done);
            }
        }
    }

    fn shut_down(&mut self) {
        self.shut_down = true;
        for who in self.popping.drain(..) {
            self.ended.insert(who, End::Over);
        }
        for (who, item) in self.pushing.drain(..) {
            self.ended.insert(who, End::Back(item.name));
        }
    }

    /// An operation that waited is given up: it did nothing.
    pub(crate) fn cut(&mut self, id: Id) {
        self.pushing.retain(|(who, _)| *who != id);
        self.popping.retain(|who| *who != id);
        self.joining.retain(|who| *who != id);
    }
}
