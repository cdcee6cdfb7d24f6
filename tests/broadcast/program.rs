//! Random programs of tasks that send, receive, come and go, and are cut off at random
//! moments, under random schedules on the virtual clock. The model of `model.rs` is kept beside
//! them, and compared whenever a call has returned.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use greenroom::sync::{
    BroadcastReceiver, BroadcastRecvError, BroadcastSender, BroadcastTryRecvError, broadcast,
};
use greenroom::testing::{self, Random};
use greenroom::{
    Clock, Config, Delivery, Runtime, Timer, move_on_after, select, sleep, spawn, yield_now,
};
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop, prop_oneof, proptest};

use crate::model::Model;
use crate::{Census, Counted};

const MS: Duration = Duration::from_millis(1);

#[derive(Debug, Clone, Copy)]
enum Op {
    Send,
    Recv,
    TryRecv,
    /// Waits no longer than so many milliseconds.
    RecvFor(u64),
    /// The same, as an arm.
    Select(u64),
    /// Another receiver instead of the own: a clone, or a new one.
    Clone,
    Resubscribe,
    Leave,
    Yield,
    Sleep(u64),
    DropSender,
    Close,
}

#[derive(Debug, Clone)]
struct Program {
    capacity: usize,
    budget: u32,
    by_error: bool,
    seed: u64,
    tasks: Vec<Vec<Op>>,
    /// Which task is cancelled, and when.
    cancels: Vec<(usize, u64)>,
}

fn programs() -> impl Strategy<Value = Program> {
    let op = prop_oneof![
        6 => Just(Op::Send),
        4 => Just(Op::Recv),
        2 => Just(Op::TryRecv),
        3 => (0u64..4).prop_map(Op::RecvFor),
        3 => (0u64..4).prop_map(Op::Select),
        1 => Just(Op::Clone),
        1 => Just(Op::Resubscribe),
        1 => Just(Op::Leave),
        2 => Just(Op::Yield),
        2 => (0u64..4).prop_map(Op::Sleep),
        1 => Just(Op::DropSender),
    ];
    let op = prop_oneof![60 => op, 1 => Just(Op::Close)];
    let capacity = prop_oneof![Just(1usize), Just(2), Just(3), Just(7), Just(usize::MAX)];
    (
        capacity,
        0u32..6,
        any::<bool>(),
        any::<u64>(),
        prop::collection::vec(prop::collection::vec(op, 0..20), 1..6),
        prop::collection::vec((0usize..6, 0u64..8), 0..4),
    )
        .prop_map(
            |(capacity, budget, by_error, seed, tasks, cancels)| Program {
                capacity,
                budget,
                by_error,
                seed,
                tasks,
                cancels,
            },
        )
}

/// The model, and what is compared with it.
struct World {
    model: RefCell<Model>,
    /// Which receivers are in a call that waits without limit.
    waits: RefCell<Vec<bool>>,
    senders: RefCell<usize>,
    census: Census,
}

/// A sender that is counted.
struct Tx(BroadcastSender<Counted>, Rc<World>);

/// A receiver whose place is in the model.
struct Rx {
    inner: Option<BroadcastReceiver<Counted>>,
    number: usize,
    world: Rc<World>,
}

impl World {
    fn enter(self: &Rc<Self>, inner: BroadcastReceiver<Counted>, next: u64) -> Rx {
        let mut model = self.model.borrow_mut();
        model.next.push(Some(next));
        self.waits.borrow_mut().push(false);
        Rx {
            inner: Some(inner),
            number: model.next.len() - 1,
            world: Rc::clone(self),
        }
    }

    /// No more and no fewer values are alive than somebody has yet to see.
    fn check(&self) {
        let alive = self.model.borrow().alive();
        assert_eq!(self.census.alive() as u64, alive);
        assert_eq!(self.census.clones(), self.model.borrow().clones);
    }
}

impl Tx {
    fn new(sender: BroadcastSender<Counted>, world: &Rc<World>) -> Self {
        *world.senders.borrow_mut() += 1;
        Self(sender, Rc::clone(world))
    }

    fn send(&self) {
        let world = &self.1;
        let number = world.model.borrow().sent;
        let sent = self.0.send(world.census.value(number)).ok();
        assert_eq!(sent, world.model.borrow_mut().send());
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        let mut senders = self.1.senders.borrow_mut();
        *senders -= 1;
        // It is gone when this returns, and nobody runs in between.
        if *senders == 0 {
            self.1.model.borrow_mut().closed = true;
        }
    }
}

impl Rx {
    /// What a call gave, against the model: it has happened just now.
    fn got(&self, got: Result<Counted, BroadcastRecvError>) {
        let expected = self.world.model.borrow_mut().recv(self.number);
        let got = got.map(|value| value.number);
        match got {
            Ok(number) => assert_eq!(expected, Ok(number)),
            Err(BroadcastRecvError::Lagged(n)) => {
                assert_eq!(expected, Err(BroadcastTryRecvError::Lagged(n)));
            }
            Err(BroadcastRecvError::Disconnected) => {
                assert_eq!(expected, Err(BroadcastTryRecvError::Disconnected));
            }
            // It would have waited.
            Err(_) => assert_eq!(expected, Err(BroadcastTryRecvError::Empty)),
        }
    }

    fn perform(&mut self, op: Op) {
        let Some(inner) = &mut self.inner else {
            return;
        };
        match op {
            Op::Recv => {
                self.world.waits.borrow_mut()[self.number] = true;
                let got = inner.recv();
                self.world.waits.borrow_mut()[self.number] = false;
                self.got(got);
            }
            Op::TryRecv => {
                let got = inner.try_recv();
                let got = got.map_err(|error| match error {
                    BroadcastTryRecvError::Empty => BroadcastRecvError::WouldBlock,
                    BroadcastTryRecvError::Lagged(n) => BroadcastRecvError::Lagged(n),
                    BroadcastTryRecvError::Disconnected => BroadcastRecvError::Disconnected,
                });
                self.got(got);
            }
            Op::RecvFor(limit) => {
                if let Some(got) =
                    move_on_after(MS * u32::try_from(limit).unwrap(), || inner.recv())
                {
                    self.got(got);
                }
            }
            Op::Select(limit) => {
                let timer = Timer::after(MS * u32::try_from(limit).unwrap());
                let got = select! {
                    wait(&mut *inner) -> got => Some(got),
                    wait(timer) => None,
                };
                if let Some(got) = got {
                    self.got(got);
                }
            }
            Op::Clone => {
                let clone = inner.clone();
                let next = self.world.model.borrow().next[self.number].unwrap();
                *self = self.world.enter(clone, next);
            }
            Op::Resubscribe => {
                let anew = inner.resubscribe();
                let next = self.world.model.borrow().sent;
                *self = self.world.enter(anew, next);
            }
            _ => self.leave(),
        }
    }

    fn leave(&mut self) {
        if let Some(inner) = self.inner.take() {
            drop(inner);
            self.world.model.borrow_mut().next[self.number] = None;
            self.world.waits.borrow_mut()[self.number] = false;
            if !std::thread::panicking() {
                self.world.check();
            }
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
        match op {
            Op::Send => {
                if let Some(sender) = &sender {
                    sender.send();
                }
            }
            Op::Close => {
                if let Some(sender) = &sender {
                    sender.0.close();
                    world.model.borrow_mut().closed = true;
                }
            }
            Op::DropSender => sender = None,
            Op::Yield => yield_now(),
            Op::Sleep(limit) => sleep(MS * u32::try_from(limit).unwrap()),
            op => receiver.perform(op),
        }
        world.check();
    }
}

fn perform(program: &Program) {
    let stacks = testing::stacks_in_use();
    let census = Census::default();
    let world = Rc::new(World {
        model: RefCell::new(Model::new(program.capacity, 0)),
        waits: RefCell::default(),
        senders: RefCell::default(),
        census: census.clone(),
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
        let (sender, receiver) = broadcast(program.capacity);
        let first = world.enter(receiver, 0);
        let tasks: Vec<_> = program
            .tasks
            .iter()
            .map(|ops| {
                let own = Tx::new(sender.clone(), &world);
                let inner = sender.subscribe();
                let receiver = world.enter(inner, 0);
                let ops = ops.clone();
                spawn(move || task(ops, own, receiver))
            })
            .collect();
        drop((first, sender));
        let mut cancels = program.cancels.clone();
        cancels.sort_by_key(|(_, at)| *at);
        let mut now = 0;
        for (which, at) in cancels {
            sleep(MS * u32::try_from(at - now).unwrap());
            now = at;
            if let Some(task) = tasks.get(which) {
                task.cancel();
            }
        }
        sleep(MS * 1000);
        // Who waits still has nothing to see.
        let mut model = world.model.borrow().clone();
        for (number, waits) in world.waits.borrow().iter().enumerate() {
            if *waits {
                assert_eq!(model.recv(number), Err(BroadcastTryRecvError::Empty));
            }
        }
        // Those that wait for ever hang on each other's senders: they are cut off.
        tasks.iter().for_each(greenroom::JoinHandle::cancel);
        for task in tasks {
            if let Err(error) = task.join() {
                assert!(error.is_cancelled(), "{error}");
            }
        }
    });
    assert_eq!(runtime.tasks_alive(), 0);
    assert_eq!((census.alive(), testing::stacks_in_use()), (0, stacks));
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

/// Thousands of receivers that come, are slow, are cancelled and go: nothing is left.
#[test]
fn nothing_is_left_of_many_programs() {
    let ops = |n: usize| {
        let every = [
            Op::Send,
            Op::RecvFor(1),
            Op::Clone,
            Op::Recv,
            Op::Send,
            Op::Send,
            Op::Select(2),
            Op::Resubscribe,
            Op::TryRecv,
            Op::Sleep(1),
            Op::Yield,
            Op::Send,
            Op::Leave,
        ];
        (0..40)
            .map(|i| every[(i * 7 + n * 3 + i / 5) % every.len()])
            .collect::<Vec<_>>()
    };
    for seed in 0..100 {
        perform(&Program {
            capacity: 1 + usize::try_from(seed % 5).unwrap(),
            budget: 2 + u32::try_from(seed % 7).unwrap(),
            by_error: seed % 3 == 0,
            seed,
            tasks: (0..20).map(ops).collect(),
            cancels: (0..20)
                .map(|n| (n, u64::try_from(n).unwrap() % 6 + seed % 3))
                .collect(),
        });
    }
}
