//! Programs of tasks that use one queue, and what they did.
//!
//! Each task notes an operation right before it begins it, and when it is unwound out of it;
//! nothing switches in between, so the notes are the order in which things happened to the
//! queue, whatever the schedule was. The
//! model, told the same, says how each one must have ended.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::mem::ManuallyDrop;
use std::rc::Rc;

use greenroom::sync::{
    Order, Queue, Receiver, RecvError, SendError, Sender, TryRecvError, TrySendError,
};
use greenroom::{Clock, Config, JoinHandle, Runtime, Schedule, select, spawn, yield_now};

use crate::model::{End, Id, Item, Kind, Model, Op};
use crate::support::OnDrop;

/// The operations of each task.
pub(crate) type Tasks = Vec<Vec<Op>>;

/// What is noted while a program runs.
#[derive(Debug, Clone, Copy)]
enum Note {
    Began(Id, Op),
    /// It was cancelled, and unwound.
    Cut(Id),
}

/// What was seen of a program.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    notes: Vec<Note>,
    ended: BTreeMap<Id, End>,
    left: Vec<u32>,
    /// Nothing, where it is not counted.
    unfinished: Option<usize>,
}

/// The name of what an operation pushes.
fn name((task, number): Id) -> u32 {
    u32::try_from(task * 1000 + number).expect("programs are small")
}

/// A queue, or what is like one.
pub(crate) trait Subject {
    fn push(&self, item: Item) -> Result<(), SendError<Item>>;
    fn try_push(&self, item: Item) -> Result<(), TrySendError<Item>>;
    fn pop(&self) -> Result<Item, RecvError>;
    fn select(&self) -> Result<Item, RecvError>;
    fn try_pop(&self) -> Result<Item, TryRecvError>;
    fn shutdown(&self);
    fn unfinished(&self) -> Option<usize>;
    /// What only queues do.
    fn of_queues(&self, op: Op) -> End;
}

impl<O: Order<Item>> Subject for Queue<Item, O> {
    fn push(&self, item: Item) -> Result<(), SendError<Item>> {
        self.push(item)
    }

    fn try_push(&self, item: Item) -> Result<(), TrySendError<Item>> {
        self.try_push(item)
    }

    fn pop(&self) -> Result<Item, RecvError> {
        self.pop()
    }

    fn select(&self) -> Result<Item, RecvError> {
        select! { wait(self) -> item => item }
    }

    fn try_pop(&self) -> Result<Item, TryRecvError> {
        self.try_pop()
    }

    fn shutdown(&self) {
        self.shutdown();
    }

    fn unfinished(&self) -> Option<usize> {
        Some(self.unfinished())
    }

    fn of_queues(&self, op: Op) -> End {
        match op {
            Op::TaskDone if self.unfinished() <= self.len() => return End::WouldPanic,
            Op::TaskDone => self.task_done(),
            Op::Join => self.join(),
            Op::ShutdownNow => {
                let left = self.shutdown_now();
                return End::Left(left.iter().map(|item| item.name).collect());
            }
            op => unreachable!("{op:?} is of all"),
        }
        End::Done
    }
}

/// Closed by either end, in turn.
impl Subject for (Sender<Item>, Receiver<Item>) {
    fn push(&self, item: Item) -> Result<(), SendError<Item>> {
        self.0.send(item)
    }

    fn try_push(&self, item: Item) -> Result<(), TrySendError<Item>> {
        self.0.try_send(item)
    }

    fn pop(&self) -> Result<Item, RecvError> {
        self.1.recv()
    }

    fn select(&self) -> Result<Item, RecvError> {
        select! { recv(self.1) -> item => item }
    }

    fn try_pop(&self) -> Result<Item, TryRecvError> {
        self.1.try_recv()
    }

    fn shutdown(&self) {
        if self.0.len() % 2 == 0 {
            self.0.close();
        } else {
            self.1.close();
        }
    }

    fn unfinished(&self) -> Option<usize> {
        None
    }

    fn of_queues(&self, op: Op) -> End {
        unreachable!("{op:?} is of queues")
    }
}

fn perform_one(subject: &impl Subject, op: Op, id: Id) -> Option<End> {
    let item = |rank| Item {
        rank,
        name: name(id),
    };
    let taken = |end: Result<Item, RecvError>| match end {
        Ok(item) => Some(End::Got(item.name)),
        Err(RecvError::Disconnected) => Some(End::Over),
        Err(_) => None,
    };
    match op {
        Op::Push(rank) => match subject.push(item(rank)) {
            Ok(()) => Some(End::Done),
            Err(SendError::Disconnected(item)) => Some(End::Back(item.name)),
            Err(_) => None,
        },
        Op::TryPush(rank) => Some(match subject.try_push(item(rank)) {
            Ok(()) => End::Done,
            Err(TrySendError::Full(item)) => End::Full(item.name),
            Err(TrySendError::Disconnected(item)) => End::Back(item.name),
        }),
        Op::Pop => taken(subject.pop()),
        Op::Select => taken(subject.select()),
        Op::TryPop => Some(match subject.try_pop() {
            Ok(item) => End::Got(item.name),
            Err(TryRecvError::Empty) => End::Empty,
            Err(TryRecvError::Disconnected) => End::Over,
        }),
        Op::Shutdown => {
            subject.shutdown();
            Some(End::Done)
        }
        Op::Cancel(_) => Some(End::Done),
        Op::TaskDone | Op::Join | Op::ShutdownNow => Some(subject.of_queues(op)),
    }
}

/// Performs a program under a schedule.
pub(crate) fn perform(
    subject: impl Subject + 'static,
    tasks: &Tasks,
    schedule: impl Schedule + 'static,
) -> Seen {
    let config = Config::new()
        .clock(Clock::virtual_())
        .schedule(schedule)
        .budget(u32::MAX)
        .stack_size(128 * 1024);
    let mut runtime = Runtime::with(config);
    let subject = Rc::new(subject);
    let seen = runtime.run(|| {
        let seen = Rc::new(RefCell::new(Seen::default()));
        let handles: Rc<RefCell<Vec<JoinHandle<()>>>> = Rc::default();
        for (me, ops) in tasks.iter().enumerate() {
            let (subject, seen, others) =
                (Rc::clone(&subject), Rc::clone(&seen), Rc::clone(&handles));
            let ops = ops.clone();
            let task = spawn(move || {
                for (n, op) in ops.into_iter().enumerate() {
                    let id = (me, n);
                    seen.borrow_mut().notes.push(Note::Began(id, op));
                    if let Op::Cancel(task) = op {
                        let others = others.borrow();
                        others.get(task % others.len()).map(JoinHandle::cancel);
                    }
                    let cut = OnDrop(|| seen.borrow_mut().notes.push(Note::Cut(id)));
                    let end = perform_one(&*subject, op, id);
                    let _over = ManuallyDrop::new(cut);
                    if let Some(end) = end {
                        seen.borrow_mut().ended.insert(id, end);
                    }
                    yield_now();
                }
            });
            handles.borrow_mut().push(task);
        }
        // The clock jumps when nobody can go on any more.
        greenroom::sleep(std::time::Duration::from_secs(1000));
        let handles = handles.take();
        handles.iter().for_each(JoinHandle::cancel);
        for task in handles {
            let panicked = task.join().is_err_and(|error| error.is_panic());
            assert!(!panicked, "a task panicked");
        }
        seen.take()
    });
    assert_eq!(runtime.tasks_alive(), 0);
    let unfinished = subject.unfinished();
    let mut left = Vec::new();
    while let Ok(item) = subject.try_pop() {
        left.push(item.name);
    }
    Seen {
        left,
        unfinished,
        ..seen
    }
}

impl Seen {
    /// What the model says of it, or what differs.
    pub(crate) fn check(&self, kind: Kind, capacity: usize) -> Result<(), String> {
        let mut model = Model::new(kind, capacity);
        for note in &self.notes {
            match *note {
                Note::Began(id, op) => model.begin(id, op, name(id)),
                Note::Cut(id) => model.cut(id),
            }
        }
        let unfinished = model.unfinished;
        let mut left = Vec::new();
        while let Some(item) = model.next() {
            left.push(item.name);
        }
        if self.ended == model.ended
            && self.left == left
            && self.unfinished.is_none_or(|n| n == unfinished)
        {
            return Ok(());
        }
        Err(format!(
            "{kind:?} of {capacity}: {self:#?}\nshould have ended {:#?}\nand left {left:?}, {unfinished} unfinished",
            model.ended
        ))
    }
}
