//! One trial: a call in a task, beside a witness that counts its own turns.
//!
//! The witness is a task that does nothing but yield. If it had a turn between the
//! beginning and the end of the call, the call waited as a task waits. If not, it held
//! the thread: it blocked, or it computed. What a call waits for comes from a plain
//! thread, which keeps it back until it has seen the witness move, or has seen that it does
//! not move for a while. So who released whom gives the verdict, and never how long
//! something took.

use std::error::Error;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use greenroom::{Config, Runtime, spawn, unblock, yield_now};

/// What a trial returns that could not be made.
pub(crate) type Tried = Result<(), Box<dyn Error + Send + Sync>>;

/// A call, and what it takes to make it.
pub(crate) type Call = fn(&Arc<Gate>) -> Tried;

/// For how long the witness may stand still before a plain thread lets go.
const PATIENCE: Duration = Duration::from_millis(30);

/// The same where the call is expected to wait as a task: then there is no hurry.
const LONG_PATIENCE: Duration = Duration::from_secs(10);

/// For how long the witness stands still before a thread that nobody releases is given up.
const FOR_EVER: Duration = Duration::from_secs(2);

/// Bytes of stack for the calls. Without optimisation some want far more than a task has by
/// default: the program `stack_use` tells how much.
const STACK: usize = 2 << 20;

/// A row of the table.
#[derive(Clone)]
pub(crate) struct Row {
    /// The call, as the table names it.
    pub(crate) call: &'static str,
    pub(crate) kind: Kind,
    pub(crate) alone: Call,
    pub(crate) instead: Instead,
}

/// What holds the call up: so what it is called if it holds the thread.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Something outside of the thread, which the trial keeps back.
    HeldBack,
    /// A disk or a name server, which no trial can keep back.
    Outside,
    /// Nothing: it computes.
    Nothing,
    /// A task of the same thread: nobody will ever release it.
    OwnThread,
}

/// What to call instead; tried as well.
#[derive(Clone)]
pub(crate) enum Instead {
    /// The same call in `unblock`.
    Unblock,
    /// The same, and what else is to be said.
    UnblockAnd(&'static str),
    /// Something else, as the table names it.
    Own(&'static str, Call),
    /// A word of advice, which no trial can make.
    Advice(&'static str),
}

impl Instead {
    pub(crate) fn text(&self) -> &'static str {
        match self {
            Self::Unblock => "`unblock`",
            Self::UnblockAnd(text) | Self::Own(text, _) | Self::Advice(text) => text,
        }
    }
}

/// What came out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Found {
    Waits,
    Blocks,
    MayBlock,
    Computes,
    ForEver,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Waits => "waits",
            Self::Blocks => "**blocks**",
            Self::MayBlock => "**blocks**\u{2020}",
            Self::Computes => "computes",
            Self::ForEver => "**blocks for ever**",
        })
    }
}

/// Stands between the call, the witness, and whoever ends the call.
pub(crate) struct Gate {
    patience: Duration,
    turns: AtomicU64,
    begun: AtomicBool,
    /// The witness's turns when the call began.
    before: AtomicU64,
    /// It had one before the call ended.
    moved: AtomicBool,
    ended: AtomicBool,
    over: AtomicBool,
    helpers: Mutex<Vec<thread::JoinHandle<Tried>>>,
}

impl Gate {
    fn new(patience: Duration) -> Self {
        Self {
            patience,
            turns: AtomicU64::new(0),
            begun: AtomicBool::new(false),
            before: AtomicU64::new(0),
            moved: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            over: AtomicBool::new(false),
            helpers: Mutex::default(),
        }
    }

    /// The call itself: what comes before and after it is not judged.
    pub(crate) fn during<T>(&self, call: impl FnOnce() -> T) -> T {
        let before = self.turns();
        self.before.store(before, Ordering::SeqCst);
        self.begun.store(true, Ordering::SeqCst);
        let value = call();
        self.moved.store(self.turns() != before, Ordering::SeqCst);
        self.ended.store(true, Ordering::SeqCst);
        value
    }

    /// The call in `unblock`. One that nobody keeps back may be over before the witness
    /// has a turn; the task waits for it in any case.
    fn around(&self, kind: Kind, unblocked: impl FnOnce() -> Tried) -> Tried {
        let before = self.turns();
        let tried = unblocked();
        if matches!(kind, Kind::Outside | Kind::Nothing) {
            self.moved.store(self.turns() != before, Ordering::SeqCst);
        }
        tried
    }

    /// Starts a plain thread that ends the call, when `during` has begun and the witness
    /// has moved or will not.
    pub(crate) fn then(self: &Arc<Self>, release: impl FnOnce() -> Tried + Send + 'static) {
        let gate = Arc::clone(self);
        self.beside(move || {
            gate.opens();
            release()
        });
    }

    /// Starts a plain thread beside the trial.
    pub(crate) fn beside(&self, work: impl FnOnce() -> Tried + Send + 'static) {
        let helper = thread::spawn(work);
        self.helpers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(helper);
    }

    /// Returns when the call may end.
    pub(crate) fn opens(&self) {
        while !self.begun.load(Ordering::SeqCst) {
            look_away();
        }
        let since = Instant::now();
        let before = self.before.load(Ordering::SeqCst);
        while self.turns() == before && since.elapsed() < self.patience {
            look_away();
        }
    }

    fn turns(&self) -> u64 {
        self.turns.load(Ordering::SeqCst)
    }

    fn verdict(&self, kind: Kind) -> Result<Found, String> {
        if !self.ended.load(Ordering::SeqCst) {
            return Err("the call was never made".into());
        }
        Ok(match kind {
            _ if self.moved.load(Ordering::SeqCst) => Found::Waits,
            Kind::HeldBack | Kind::OwnThread => Found::Blocks,
            Kind::Outside => Found::MayBlock,
            Kind::Nothing => Found::Computes,
        })
    }
}

impl Row {
    /// Tries the call by itself.
    pub(crate) fn try_alone(&self) -> Result<Found, String> {
        attempt(self.kind, PATIENCE, self.alone)
    }

    /// Tries what is to be called instead, if that can be tried.
    pub(crate) fn try_instead(&self) -> Option<Result<Found, String>> {
        let (kind, call) = (self.kind, self.alone);
        match self.instead {
            Instead::Unblock | Instead::UnblockAnd(_) => {
                Some(attempt(kind, LONG_PATIENCE, move |gate| {
                    gate.around(kind, || {
                        let gate = Arc::clone(gate);
                        unblock(move || call(&gate))
                    })
                }))
            }
            Instead::Own(_, own) => Some(attempt(self.kind, LONG_PATIENCE, own)),
            Instead::Advice(_) => None,
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "only plain threads look at the witness"
)]
fn look_away() {
    thread::sleep(Duration::from_micros(200));
}

/// Makes the call in a runtime of its own, on a thread of its own: so one that never
/// returns costs a thread, and no more.
fn attempt(
    kind: Kind,
    patience: Duration,
    call: impl FnOnce(&Arc<Gate>) -> Tried + Send + 'static,
) -> Result<Found, String> {
    let gate = Arc::new(Gate::new(patience));
    let theirs = Arc::clone(&gate);
    let (sender, receiver) = mpsc::channel();
    let runtime = thread::spawn(move || {
        let mut runtime = Runtime::with(Config::new().stack_size(STACK));
        let tried = runtime.run(|| beside_a_witness(&theirs, call));
        // Nobody listens who has given up.
        let _given_up = sender.send(tried);
    });
    let (mut turns, mut since) = (0, Instant::now());
    let tried = loop {
        match receiver.recv_timeout(PATIENCE) {
            Ok(tried) => break tried,
            Err(mpsc::RecvTimeoutError::Disconnected) => break Err("it panicked".into()),
            Err(mpsc::RecvTimeoutError::Timeout) => {}
        }
        if turns != gate.turns() || !gate.begun.load(Ordering::SeqCst) {
            (turns, since) = (gate.turns(), Instant::now());
        } else if kind == Kind::OwnThread && since.elapsed() > FOR_EVER {
            return Ok(Found::ForEver); // and the thread is left behind
        }
    };
    runtime.join().map_err(|_| "it panicked")?;
    tried?;
    let helpers = std::mem::take(&mut *gate.helpers.lock().unwrap_or_else(PoisonError::into_inner));
    for helper in helpers {
        let ended = helper.join().map_err(|_| "its helper panicked")?;
        ended.map_err(|error| format!("its helper: {error}"))?;
    }
    gate.verdict(kind)
}

fn beside_a_witness(
    gate: &Arc<Gate>,
    call: impl FnOnce(&Arc<Gate>) -> Tried + 'static,
) -> Result<(), String> {
    let (counted, theirs) = (Arc::clone(gate), Arc::clone(gate));
    let witness = spawn(move || {
        while !counted.over.load(Ordering::SeqCst) {
            counted.turns.fetch_add(1, Ordering::SeqCst);
            yield_now();
        }
    });
    let tried = spawn(move || call(&theirs)).join();
    gate.over.store(true, Ordering::SeqCst);
    witness.join().map_err(|error| error.to_string())?;
    match tried {
        Ok(tried) => tried.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    }
}
