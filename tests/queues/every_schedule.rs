//! Every schedule there is of a small program.

use std::cell::RefCell;
use std::rc::Rc;

use greenroom::{ReadyTask, Schedule};

use crate::model::Op;
use crate::program::Tasks;

/// A walk through the tree of all choices: which was made at each step, out of how many.
#[derive(Debug, Default)]
struct Walk {
    path: Vec<(usize, usize)>,
    step: usize,
}

impl Walk {
    /// Goes on to the next path. Whether there is one.
    fn advance(&mut self) -> bool {
        while let Some((choice, of)) = self.path.pop() {
            if choice + 1 < of {
                self.path.push((choice + 1, of));
                return true;
            }
        }
        false
    }
}

pub(crate) struct Walker(Rc<RefCell<Walk>>);

impl Schedule for Walker {
    fn next(&mut self, ready: &[ReadyTask]) -> usize {
        let mut walk = self.0.borrow_mut();
        let step = walk.step;
        walk.step += 1;
        match walk.path.get(step) {
            Some((choice, of)) => {
                assert_eq!(*of, ready.len(), "two runs of one schedule differ");
                *choice
            }
            None => {
                walk.path.push((0, ready.len()));
                0
            }
        }
    }
}

/// Performs a program under every schedule. How many there were.
#[track_caller]
pub(crate) fn explore(tasks: &Tasks, check: impl Fn(&Tasks, Walker) -> Result<(), String>) -> u32 {
    let walk: Rc<RefCell<Walk>> = Rc::default();
    let mut count = 0;
    loop {
        walk.borrow_mut().step = 0;
        if let Err(text) = check(tasks, Walker(Rc::clone(&walk))) {
            panic!("{tasks:?} {:?}\n{text}", walk.borrow().path);
        }
        count += 1;
        if !walk.borrow_mut().advance() {
            return count;
        }
    }
}

/// Two tasks of two operations each: all there are of the given ones.
pub(crate) fn all_pairs(ops: &[Op]) -> impl Iterator<Item = Tasks> {
    let pair = |n: usize| vec![ops[n % ops.len()], ops[n / ops.len() % ops.len()]];
    let pairs = ops.len() * ops.len();
    (0..pairs * pairs).map(move |n| vec![pair(n % pairs), pair(n / pairs)])
}
