//! Every sequence of a few operations by three tasks, against the model. The tasks are
//! puppets: they do what they are told, one thing at a time.

use std::cell::{Cell, RefCell};

use greenroom::{CancelScope, Scope, Task, current, park, scope, yield_now};

use crate::kinds::{KINDS, Kind, Lock};
use crate::line::Model;
use crate::support::on_virtual;

const PUPPETS: usize = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Ask(usize),
    Release,
    Cancel,
}

/// How a puppet is: what it shows to whoever pulls the strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pose {
    Idle,
    Waits,
    Holds,
}

#[derive(Default)]
struct Strings {
    order: Cell<Option<Order>>,
    task: RefCell<Option<Task>>,
    pose: Cell<Option<Pose>>,
    limit: RefCell<CancelScope>,
    is_over: Cell<bool>,
}

impl Strings {
    fn pull(&self, order: Order) {
        if order == Order::Cancel {
            self.limit.borrow().cancel("told to");
        } else {
            self.order.set(Some(order));
            self.task.borrow().as_ref().unwrap().unpark();
        }
    }

    /// The next order, or `None` when the play is over.
    fn wait(&self) -> Option<Order> {
        loop {
            if self.is_over.get() {
                return None;
            }
            match self.order.take() {
                Some(order) => return Some(order),
                None => park(),
            }
        }
    }
}

fn puppet(strings: &Strings, lock: &Lock) {
    *strings.task.borrow_mut() = Some(current());
    strings.pose.set(Some(Pose::Idle));
    while let Some(order) = strings.wait() {
        let Order::Ask(places) = order else {
            unreachable!("an idle puppet can only ask");
        };
        strings.pose.set(Some(Pose::Waits));
        let limit = CancelScope::new();
        *strings.limit.borrow_mut() = limit.clone();
        if let Some(guard) = limit.run(|| lock.hold(places)) {
            strings.pose.set(Some(Pose::Holds));
            let end = strings.wait();
            drop(guard);
            if end.is_none() {
                break;
            }
        }
        strings.pose.set(Some(Pose::Idle));
    }
}

fn settle() {
    (0..6).for_each(|_| yield_now());
}

/// Performs a sequence, and compares after each step.
fn perform(kind: Kind, orders: &[(usize, Order)]) {
    let (lock, puppets) = (kind.make(), <[Strings; PUPPETS]>::default());
    let mut model = Model::new(kind.places());
    on_virtual(|| {
        scope(|s: &Scope<'_, '_>| {
            for strings in &puppets {
                s.spawn(|| puppet(strings, &lock));
            }
            settle();
            for (who, order) in orders {
                match *order {
                    Order::Ask(places) => drop(model.ask(*who, places)),
                    Order::Release => drop(model.release(*who)),
                    Order::Cancel => drop(model.leave(*who)),
                }
                puppets[*who].pull(*order);
                settle();
                for (who, strings) in puppets.iter().enumerate() {
                    let expected = pose(&model, who);
                    assert_eq!(strings.pose.get(), Some(expected), "{kind:?}: {orders:?}");
                }
            }
            for strings in &puppets {
                strings.is_over.set(true);
                strings.limit.borrow().cancel("the play is over");
                strings.task.borrow().as_ref().unwrap().unpark();
            }
        });
    });
    lock.assert_free(kind);
}

fn pose(model: &Model, who: usize) -> Pose {
    match () {
        () if model.holds(who) => Pose::Holds,
        () if model.waits(who) => Pose::Waits,
        () => Pose::Idle,
    }
}

/// Every order that makes sense now.
fn possible(kind: Kind, model: &Model) -> Vec<(usize, Order)> {
    let mut orders = Vec::new();
    for who in 0..PUPPETS {
        match pose(model, who) {
            Pose::Waits => orders.push((who, Order::Cancel)),
            Pose::Holds => orders.push((who, Order::Release)),
            Pose::Idle => {
                let mut sizes: Vec<_> = (1..=3).map(|size| kind.wanted(size)).collect();
                sizes.dedup();
                sizes.truncate(if kind == Kind::Semaphore { 3 } else { 2 });
                orders.extend(sizes.into_iter().map(|places| (who, Order::Ask(places))));
            }
        }
    }
    orders
}

/// Every sequence of so many steps that begins like this.
fn explore(kind: Kind, model: &Model, begun: &mut Vec<(usize, Order)>, steps: usize) -> usize {
    if steps == 0 {
        perform(kind, begun);
        return 1;
    }
    let mut count = 0;
    for (who, order) in possible(kind, model) {
        let mut then = model.clone();
        match order {
            Order::Ask(places) => drop(then.ask(who, places)),
            Order::Release => drop(then.release(who)),
            Order::Cancel => drop(then.leave(who)),
        }
        begun.push((who, order));
        count += explore(kind, &then, begun, steps - 1);
        begun.pop();
    }
    count
}

#[test]
fn every_short_sequence_does_what_the_model_does() {
    for kind in KINDS {
        let model = Model::new(kind.places());
        let steps = if kind == Kind::Semaphore { 5 } else { 6 };
        let count = explore(kind, &model, &mut Vec::new(), steps);
        assert!(count > 500, "{kind:?}: {count}");
    }
}
