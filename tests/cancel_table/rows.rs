//! The rows of the table: every call that waits, and what it says.

use std::cell::{Cell, OnceCell, RefCell};
use std::io;
use std::rc::Rc;
use std::time::Duration;

use greenroom::sync::{Receiver, RecvError, SendError, Sender, bounded};
use greenroom::{
    Cancelled, Instant, Task, Timer, checkpoint, current, generator, interval, park, scope, shield,
    sleep, sleep_until, spawn, supervise, yield_now,
};

/// How long the calls that wait for a moment wait.
pub(crate) const LONG: Duration = Duration::from_secs(10);

/// A call, and what is around it.
pub(crate) struct Rig {
    /// What the cancelled task does. It tells how the call ended.
    pub(crate) call: Box<dyn FnOnce() -> String>,
    /// Makes the call complete, from another task.
    pub(crate) complete: Box<dyn FnOnce()>,
    /// Fails if a call that did not complete has taken or left something.
    pub(crate) intact: Box<dyn FnOnce()>,
}

impl Rig {
    pub(crate) fn new(
        call: impl FnOnce() -> String + 'static,
        complete: impl FnOnce() + 'static,
        intact: impl FnOnce() + 'static,
    ) -> Self {
        Self {
            call: Box::new(call),
            complete: Box::new(complete),
            intact: Box::new(intact),
        }
    }
}

/// A row of the table.
#[derive(Clone, Copy)]
pub(crate) struct Call {
    /// Makes the rig. Whether the call is to complete in the end.
    pub(crate) rig: fn(bool) -> Rig,
    /// What it says when it completes.
    pub(crate) done: &'static str,
    /// What it says with errors, cancelled while it waits.
    pub(crate) cancelled: &'static str,
    /// The same when it was a deadline.
    pub(crate) late: &'static str,
    /// What it says in the destructor of a task that panics.
    pub(crate) unwinding: &'static str,
    /// What it says with errors, if it is made by a task that is cancelled.
    pub(crate) born: &'static str,
    /// Whether it cannot fail, and so waits on where nothing may be thrown.
    pub(crate) patient: bool,
    /// Whether it opens a scope, which waits for its child before it unwinds.
    pub(crate) opens: bool,
    /// How long it takes if nobody does anything.
    pub(crate) time: Duration,
    /// Whether it does not park: it gives the others a turn.
    pub(crate) turns: bool,
    /// Whether the virtual clock stands still while it waits: no deadline comes.
    pub(crate) still: bool,
}

impl Call {
    /// A call that returns nothing, and returns where it may not wait.
    pub(crate) const fn plain(rig: fn(bool) -> Rig) -> Self {
        Self {
            rig,
            done: "returned",
            cancelled: "returned",
            late: "returned",
            unwinding: "returned",
            born: "returned",
            patient: false,
            opens: false,
            time: Duration::ZERO,
            turns: false,
            still: false,
        }
    }

    /// A call that waits for so long by itself.
    pub(crate) const fn timed(rig: fn(bool) -> Rig) -> Self {
        Self {
            time: LONG,
            ..Self::plain(rig)
        }
    }

    /// A call that fails where it may not wait, whatever the cause, with one error.
    pub(crate) const fn fails(
        rig: fn(bool) -> Rig,
        done: &'static str,
        error: &'static str,
    ) -> Self {
        Self {
            done,
            cancelled: error,
            late: error,
            unwinding: error,
            born: error,
            ..Self::plain(rig)
        }
    }

    /// A call of a socket.
    pub(crate) const fn io(rig: fn(bool) -> Rig, done: &'static str) -> Self {
        Self {
            done,
            cancelled: "Cancelled",
            late: "TimedOut",
            unwinding: "Other",
            born: "Cancelled",
            ..Self::plain(rig)
        }
    }

    /// A call that waits for a child of a scope of its own.
    pub(crate) const fn child(
        rig: fn(bool) -> Rig,
        done: &'static str,
        born: &'static str,
    ) -> Self {
        Self {
            done,
            cancelled: done,
            late: done,
            unwinding: done,
            born,
            patient: true,
            opens: true,
            ..Self::plain(rig)
        }
    }

    pub(crate) fn needs_help(&self) -> bool {
        self.time.is_zero() && !self.turns
    }
}

// The rows.

pub(crate) fn nothing() {}

pub(crate) fn said(result: Result<(), Cancelled>) -> String {
    result.map_or_else(|_| "Cancelled".to_owned(), |()| "returned".to_owned())
}

pub(crate) fn io_said<T: ToString>(result: io::Result<T>) -> String {
    match result {
        Ok(value) => value.to_string(),
        Err(error) if error.kind() == io::ErrorKind::Other => {
            let inner = error.get_ref().is_some_and(|inner| inner.is::<Cancelled>());
            if inner { "Cancelled" } else { "Other" }.to_owned()
        }
        Err(error) => format!("{:?}", error.kind()),
    }
}

pub(crate) fn returns(call: impl FnOnce() + 'static) -> Rig {
    let call = move || {
        call();
        "returned".to_owned()
    };
    Rig::new(call, nothing, nothing)
}

pub(crate) const YIELD: Call = Call {
    turns: true,
    ..Call::plain(|_| returns(yield_now))
};

pub(crate) const CHECKPOINT: Call = Call {
    turns: true,
    unwinding: "returned", // the task is not cancelled there
    done: "returned",
    ..Call::fails(
        |_| Rig::new(|| said(checkpoint()), nothing, nothing),
        "returned",
        "Cancelled",
    )
};

pub(crate) const SLEEP: Call = Call::timed(|_| returns(|| sleep(LONG)));

pub(crate) const SLEEP_UNTIL: Call = Call::timed(|_| {
    let moment = Instant::now().checked_add(LONG).unwrap();
    returns(move || sleep_until(moment))
});

pub(crate) const TIMER: Call = Call::timed(|_| {
    let timer = Timer::after(LONG);
    returns(move || timer.wait())
});

pub(crate) const TICK: Call = Call::timed(|_| {
    let ticks = Rc::new(RefCell::new(interval(LONG)));
    let due = ticks.borrow_mut().tick().checked_add(LONG).unwrap();
    let (calls, kept) = (Rc::clone(&ticks), ticks);
    let call = move || {
        let _due = calls.borrow_mut().tick();
        "returned".to_owned()
    };
    let intact = move || assert_eq!(kept.borrow_mut().tick(), due, "the tick is lost");
    Rig::new(call, nothing, intact)
});

pub(crate) const PARK: Call = Call::plain(|_| {
    let who: Rc<OnceCell<Task>> = Rc::default();
    let (me, them) = (Rc::clone(&who), who);
    let call = move || {
        me.set(current()).unwrap();
        park();
        "returned".to_owned()
    };
    let complete = move || them.get().unwrap().unpark();
    Rig::new(call, complete, nothing)
});

pub(crate) fn sending(capacity: usize) -> Rig {
    let (send, receive) = bounded(capacity);
    for n in 0..capacity {
        send.try_send(n).unwrap();
    }
    let receive = Rc::new(receive);
    let (left, kept) = (Rc::clone(&receive), send.clone());
    let call = move || match send.send(9) {
        Ok(()) => "returned".to_owned(),
        Err(SendError::Cancelled(value)) => format!("Cancelled({value})"),
        Err(error) => format!("{error:?}"),
    };
    let complete = move || {
        assert_eq!(receive.try_recv(), Ok(if capacity == 0 { 9 } else { 0 }));
    };
    let intact = move || {
        // Nothing was sent, and nobody is left in the queue.
        assert_eq!(
            left.try_iter().collect::<Vec<_>>(),
            Vec::from_iter(0..capacity)
        );
        assert_eq!(kept.try_send(7).is_ok(), capacity > 0);
        assert_eq!(left.try_recv().ok(), (capacity > 0).then_some(7));
    };
    Rig::new(call, complete, intact)
}

pub(crate) const SEND_FULL: Call = Call::fails(|_| sending(1), "returned", "Cancelled(9)");
pub(crate) const SEND_RENDEZVOUS: Call = Call::fails(|_| sending(0), "returned", "Cancelled(9)");

pub(crate) fn receiving(call: impl FnOnce(&Receiver<u32>) -> String + 'static) -> Rig {
    let (send, receive) = bounded(1);
    let (receive, send) = (Rc::new(receive), Rc::new(send));
    let (ours, left) = (Rc::clone(&receive), receive);
    let theirs = Rc::clone(&send);
    let complete = move || theirs.try_send(5).unwrap();
    let intact = move || {
        send.try_send(6).unwrap();
        assert_eq!(left.try_recv(), Ok(6), "somebody is still in the queue");
        assert!(left.try_recv().is_err());
    };
    Rig::new(move || call(&ours), complete, intact)
}

pub(crate) const RECV: Call = Call::fails(
    |_| {
        receiving(|receive| match receive.recv() {
            Ok(value) => value.to_string(),
            Err(RecvError::Cancelled) => "Cancelled".to_owned(),
            Err(error) => format!("{error:?}"),
        })
    },
    "5",
    "Cancelled",
);

pub(crate) const ITER: Call = Call::fails(
    |_| receiving(|receive| format!("{:?}", receive.iter().next())),
    "Some(5)",
    "None",
);

pub(crate) const GENERATOR_SLEEPS: Call = Call {
    done: "Some(3)",
    cancelled: "Some(3)",
    late: "Some(3)",
    unwinding: "Some(3)",
    born: "Some(3)",
    ..Call::timed(|_| {
        let mut numbers = generator(|y| {
            sleep(LONG);
            y.yield_(3);
        });
        Rig::new(move || format!("{:?}", numbers.next()), nothing, nothing)
    })
};

pub(crate) const GENERATOR_RECEIVES: Call = Call::fails(
    |_| {
        receiving(|receive| {
            let receive = receive.clone();
            generator(move |y| y.yield_(receive.recv()))
                .next()
                .map_or("nothing".to_owned(), |received| format!("{received:?}"))
        })
    },
    "Ok(5)",
    "Err(Cancelled)",
);

/// Somebody to be waited for, who ends with what comes through the gate, and who
/// is not to be hurried.
pub(crate) fn gate() -> (Sender<u32>, impl FnOnce() -> u32 + 'static) {
    let (open, wait) = bounded(1);
    (open, move || shield(|| wait.recv().unwrap()))
}

pub(crate) const JOIN: Call = Call {
    patient: true,
    ..Call::fails(
        |_| {
            let (open, slow) = gate();
            let ended = Rc::new(Cell::new(false));
            let (open, sees) = (Rc::new(open), Rc::clone(&ended));
            let again = Rc::clone(&open);
            let helper = spawn(move || {
                let value = slow();
                sees.set(true);
                value
            });
            let intact = move || {
                assert!(!ended.get());
                again.try_send(5).unwrap();
                yield_now();
                assert!(ended.get(), "it runs on");
            };
            let call = move || helper.join().unwrap().to_string();
            Rig::new(call, move || open.try_send(5).unwrap(), intact)
        },
        "5",
        "5",
    )
};

pub(crate) fn child(call: impl FnOnce(Box<dyn FnOnce() -> u32>) -> String + 'static) -> Rig {
    let (open, slow) = gate();
    let complete = move || open.try_send(5).unwrap();
    Rig::new(move || call(Box::new(slow)), complete, nothing)
}

pub(crate) const SCOPED_JOIN: Call = Call::child(
    |_| child(|slow| scope(|s| s.spawn(slow).join()).to_string()),
    "5",
    "5", // a child is run, if its scope cannot be unwound
);

pub(crate) const SCOPED_TRY_JOIN: Call = Call::child(
    |_| child(|slow| format!("{:?}", scope(|s| s.spawn(slow).try_join()))),
    "Ok(5)",
    "Ok(5)",
);

pub(crate) const SUPERVISED_JOIN: Call = Call::child(
    |_| child(|slow| format!("{:?}", supervise(|s| s.spawn(slow).join()))),
    "Ok(5)",
    "Ok(5)",
);

pub(crate) const SCOPE_EXIT: Call = Call::child(
    |_| {
        child(|slow| {
            scope(|s| drop(s.spawn(slow)));
            "returned".to_owned()
        })
    },
    "returned",
    "returned",
);

pub(crate) const STARTED: Call = Call::child(
    |_| {
        child(|slow| {
            let begun = scope(|s| {
                let begun = s.spawn_started(|ready| ready.set(slow()));
                begun.map(|(value, _child)| value).ok()
            });
            format!("{begun:?}")
        })
    },
    "Some(5)",
    "Some(5)",
);
