//! Random programs of tasks that send, watch, come and go, and are cut off at random
//! moments, under random schedules on the virtual clock. The model of `model.rs` is kept
//! beside them, and compared whenever a call has returned.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use greenroom::sync::{RecvError, WatchReceiver, WatchSender, watch};
use greenroom::testing::{self, Random};
use greenroom::{
    Clock, Config, Delivery, Runtime, Timer, move_on_after, select, sleep, spawn, yield_now,
};
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop, prop_oneof, proptest};

use crate::model::Model;
use crate::{Counted, counted};

#[derive(Debug, Clone, Copy)]
enum Op {
    Send,
    Modify,
    Changed,
    /// Waits no longer than so many milliseconds.
    ChangedFor(u64),
    /// The same, as an arm.
    Select(u64),
    /// Waits for a number that this divides, no longer than 3 ms.
    WaitFor(u64),
    Mark(bool),
    Clone,
    Leave,
    Yield,
    Sleep(u64),
    DropSender,
}

#[derive(Debug, Clone)]
struct Program {
    budget: u32,
    by_error: bool,
    seed: u64,
    tasks: Vec<Vec<Op>>,
    /// Which task is cancelled, and when.
    cancels: Vec<(usize, u64)>,
}

fn programs() -> impl Strategy<Value = Program> {
    let op = prop_oneof![
        5 => Just(Op::Send),
        2 => Just(Op::Modify),
        5 => Just(Op::Changed),
        3 => (0u64..4).prop_map(Op::ChangedFor),
        3 => (0u64..4).prop_map(Op::Select),
        3 => (1u64..4).prop_map(Op::WaitFor),
        1 => any::<bool>().prop_map(Op::Mark),
        1 => Just(Op::Clone),
        1 => Just(Op::Leave),
        2 => Just(Op::Yield),
        2 => (0u64..4).prop_map(Op::Sleep),
        1 => Just(Op::DropSender),
    ];
    (
        0u32..6,
        any::<bool>(),
        any::<u64>(),
        prop::collection::vec(prop::collection::vec(op, 0..20), 1..6),
        prop::collection::vec((0usize..6, 0u64..8), 0..4),
    )
        .prop_map(|(budget, by_error, seed, tasks, cancels)| Program {
            budget,
            by_error,
            seed,
            tasks,
            cancels,
        })
}

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// The model, and what is compared with it.
struct World {
    model: RefCell<Model>,
    /// Which receivers are in a call that waits without limit.
    waits: RefCell<Vec<bool>>,
    alive: Rc<Cell<usize>>,
    /// The next number.
    next: Cell<u64>,
}

/// A sender that is counted.
struct Tx(WatchSender<Counted>, Rc<World>);

/// A receiver that is in the model.
struct Rx {
    inner: Option<WatchReceiver<Counted>>,
    number: usize,
    world: Rc<World>,
}

impl World {
    fn enter(self: &Rc<Self>, inner: WatchReceiver<Counted>, unseen: bool) -> Rx {
        let mut model = self.model.borrow_mut();
        model.unseen.push(Some(unseen));
        self.waits.borrow_mut().push(false);
        Rx {
            inner: Some(inner),
            number: model.unseen.len() - 1,
            world: Rc::clone(self),
        }
    }

    fn number(&self) -> u64 {
        self.next.set(self.next.get() + 1);
        self.next.get()
    }
}

impl Tx {
    fn new(sender: WatchSender<Counted>, world: &Rc<World>) -> Self {
        world.model.borrow_mut().senders += 1;
        Self(sender, Rc::clone(world))
    }

    fn send(&self) {
        let world = &self.1;
        let number = world.number();
        let sent = self.0.send(counted(number, &world.alive)).is_ok();
        assert_eq!(sent, world.model.borrow_mut().send(number));
    }

    fn modify(&self) {
        let number = self.1.number();
        self.0.send_modify(|value| value.number = number);
        self.1.model.borrow_mut().set(number);
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        self.1.model.borrow_mut().senders -= 1;
    }
}

impl Rx {
    /// What a call gave, against the model: it has happened just now.
    fn got(&self, got: Result<Rc<Counted>, RecvError>) {
        let expected = self.world.model.borrow_mut().changed(self.number);
        let got = got.map(|value| value.number);
        match got {
            Err(RecvError::Cancelled) => assert_eq!(expected, Err(RecvError::WouldBlock)),
            got => assert_eq!(got, expected),
        }
    }

    fn perform(&mut self, op: Op) {
        let Some(inner) = &mut self.inner else {
            return;
        };
        match op {
            Op::Changed => {
                self.world.waits.borrow_mut()[self.number] = true;
                let got = inner.changed();
                self.world.waits.borrow_mut()[self.number] = false;
                self.got(got);
            }
            Op::ChangedFor(limit) => {
                if let Some(got) = move_on_after(ms(limit), || inner.changed()) {
                    self.got(got);
                }
            }
            Op::Select(limit) => {
                let timer = Timer::after(ms(limit));
                let got = select! {
                    wait(&mut *inner) -> got => Some(got),
                    wait(timer) => None,
                };
                if let Some(got) = got {
                    self.got(got);
                }
            }
            Op::WaitFor(divisor) => {
                let wanted = |value: &Counted| value.number % divisor == 0;
                let got = move_on_after(ms(3), || inner.wait_for(wanted));
                let mut model = self.world.model.borrow_mut();
                match got {
                    Some(Ok(value)) => {
                        assert_eq!((value.number, value.number % divisor), (model.value, 0));
                        model.unseen[self.number] = Some(false);
                    }
                    Some(Err(RecvError::Disconnected)) => {
                        assert!(model.senders == 0 && model.value % divisor != 0);
                    }
                    Some(Err(_)) => assert!(model.value % divisor != 0),
                    None => {}
                }
            }
            Op::Mark(changed) => {
                if changed {
                    inner.mark_changed();
                } else {
                    inner.mark_unchanged();
                }
                self.world.model.borrow_mut().unseen[self.number] = Some(changed);
            }
            Op::Clone => {
                let clone = inner.clone();
                let unseen = self.world.model.borrow().unseen[self.number];
                *self = self.world.enter(clone, unseen.unwrap());
            }
            _ => self.leave(),
        }
        if let Some(inner) = &self.inner {
            // Whatever happened, and whatever did not.
            let unseen = self.world.model.borrow().unseen[self.number];
            assert_eq!(Some(inner.has_changed()), unseen);
        }
    }

    fn leave(&mut self) {
        if let Some(inner) = self.inner.take() {
            drop(inner);
            self.world.model.borrow_mut().unseen[self.number] = None;
            self.world.waits.borrow_mut()[self.number] = false;
        }
    }
}

impl Drop for Rx {
    fn drop(&mut self) {
        self.leave();
    }
}

fn task(ops: Vec<Op>, sender: Tx, mut receiver: Rx) {
    let world = Rc::clone(&sender.1);
    let mut sender = Some(sender);
    for op in ops {
        match (op, &sender) {
            (Op::Send, Some(sender)) => sender.send(),
            (Op::Modify, Some(sender)) => sender.modify(),
            (Op::Send | Op::Modify, None) => {}
            (Op::DropSender, _) => sender = None,
            (Op::Yield, _) => yield_now(),
            (Op::Sleep(limit), _) => sleep(ms(limit)),
            (op, _) => receiver.perform(op),
        }
        assert!(world.alive.get() <= 1, "nobody keeps a look");
    }
}

fn perform(program: &Program) {
    let stacks = testing::stacks_in_use();
    let alive = Rc::new(Cell::new(0));
    let world = Rc::new(World {
        model: RefCell::new(Model {
            value: 0,
            unseen: Vec::new(),
            senders: 0,
        }),
        waits: RefCell::default(),
        alive: Rc::clone(&alive),
        next: Cell::new(0),
    });
    let delivery = if program.by_error {
        Delivery::Error
    } else {
        Delivery::Unwind
    };
    let config = Config::new()
        .clock(Clock::virtual_())
        .schedule(Random::seeded(program.seed))
        .delivery(delivery)
        .budget(program.budget)
        .stack_size(256 * 1024);
    let mut runtime = Runtime::with(config);
    runtime.run(|| {
        let (sender, receiver) = watch(counted(0, &alive));
        let tasks: Vec<_> = program
            .tasks
            .iter()
            .map(|ops| {
                let own = Tx::new(sender.clone(), &world);
                let receiver = world.enter(receiver.clone(), false);
                let ops = ops.clone();
                spawn(move || task(ops, own, receiver))
            })
            .collect();
        drop((sender, receiver));
        let mut cancels = program.cancels.clone();
        cancels.sort_by_key(|(_, at)| *at);
        let mut now = 0;
        for (which, at) in cancels {
            sleep(ms(at - now));
            now = at;
            if let Some(task) = tasks.get(which) {
                task.cancel();
            }
        }
        sleep(ms(1000));
        // Who waits still has nothing to see.
        let mut model = world.model.borrow().clone();
        for (number, waits) in world.waits.borrow().iter().enumerate() {
            if *waits {
                assert_eq!(model.changed(number), Err(RecvError::WouldBlock));
            }
        }
        tasks.iter().for_each(greenroom::JoinHandle::cancel);
        for task in tasks {
            if let Err(error) = task.join() {
                assert!(error.is_cancelled(), "{error}");
            }
        }
    });
    assert_eq!(runtime.tasks_alive(), 0);
    assert_eq!((alive.get(), testing::stacks_in_use()), (0, stacks));
    assert_eq!(Rc::strong_count(&world), 1, "nobody keeps anything");
}

/// How many cases the property has; `PROPTEST_CASES` overrides it.
fn config(cases: u32) -> ProptestConfig {
    let given = std::env::var("PROPTEST_CASES").ok();
    ProptestConfig {
        cases: given.and_then(|n| n.parse().ok()).unwrap_or(cases),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config(400))]

    #[test]
    fn random_programs_do_as_the_model(program in programs()) {
        perform(&program);
    }
}

/// Many receivers that come, are cancelled and go: nothing is left.
#[test]
fn nothing_is_left_of_many_programs() {
    let ops = |n: usize| {
        let every = [
            Op::Send,
            Op::ChangedFor(1),
            Op::Clone,
            Op::Changed,
            Op::Modify,
            Op::Select(2),
            Op::WaitFor(3),
            Op::Mark(true),
            Op::Sleep(1),
            Op::Yield,
            Op::Send,
        ];
        let pick = |i: usize| every[(i * 7 + n * 3 + i / 5) % every.len()];
        (0..40).map(pick).collect::<Vec<_>>()
    };
    for seed in 0..100 {
        perform(&Program {
            budget: 2 + u32::try_from(seed % 7).unwrap(),
            by_error: seed % 3 == 0,
            seed,
            tasks: (0..20).map(ops).collect(),
            cancels: (0..20)
                .zip((0..6).cycle())
                .map(|(n, at)| (n, at + seed % 3))
                .collect(),
        });
    }
}
