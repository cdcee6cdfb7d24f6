//! Who made which value, who has it, and who waits for what: the model against which
//! random programs are held.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::rc::Rc;

/// A value's name: its maker, and its number among those.
pub(crate) type Name = (usize, u32);

/// What is known of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// In the hands of a call that sends it.
    Sending,
    /// The call that sent it returned; it is on its way.
    Sent,
    /// It came back to its sender.
    Returned,
    /// The call that was to send it was unwound.
    Unwound,
    /// The one of this number has it.
    Received(usize),
    /// It lay in the channel at the end.
    Left,
}

#[derive(Debug)]
struct Entry {
    channel: usize,
    state: State,
    dropped: u32,
    /// It was made when its channel had been closed.
    late: bool,
}

/// What a task waits for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wish {
    pub(crate) sends: Vec<usize>,
    pub(crate) receives: Vec<usize>,
    /// Its number.
    pub(crate) task: usize,
}

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    values: RefCell<BTreeMap<Name, Entry>>,
    /// By channel: values whose receivers were gone may be dropped in it.
    receivers_gone: RefCell<Vec<bool>>,
    /// By channel: somebody has closed it.
    closed: RefCell<Vec<bool>>,
    waiting: RefCell<BTreeMap<usize, Wish>>,
    complaints: RefCell<String>,
    log: RefCell<Vec<String>>,
    next: Cell<u32>,
    /// By maker: the value in the hands of a call.
    open: RefCell<BTreeMap<usize, Name>>,
    /// The last number received by a task from a maker, by channel.
    last: RefCell<BTreeMap<(usize, usize, usize), u32>>,
}

/// A value that tells the ledger of its end.
#[derive(Debug)]
pub(crate) struct Token {
    name: Name,
    ledger: Rc<Ledger>,
}

impl Drop for Token {
    fn drop(&mut self) {
        let ledger = &self.ledger;
        let mut values = ledger.values.borrow_mut();
        let Some(entry) = values.get_mut(&self.name) else {
            return;
        };
        entry.dropped += 1;
        let gone = ledger.receivers_gone.borrow().get(entry.channel) == Some(&true);
        let (state, dropped) = (entry.state, entry.dropped);
        drop(values);
        if dropped > 1 {
            ledger.complain(format!("{:?} was dropped {dropped} times", self.name));
        }
        if state == State::Sent && !gone {
            ledger.complain(format!("{:?} was sent, and dropped on its way", self.name));
        }
    }
}

impl Ledger {
    pub(crate) fn new(channels: usize) -> Rc<Self> {
        let ledger = Self::default();
        ledger.receivers_gone.replace(vec![false; channels]);
        ledger.closed.replace(vec![false; channels]);
        Rc::new(ledger)
    }

    pub(crate) fn complain(&self, text: String) {
        let _written = writeln!(self.complaints.borrow_mut(), "{text}");
    }

    pub(crate) fn note(&self, text: String) {
        self.log.borrow_mut().push(text);
    }

    /// How many values this maker has made.
    pub(crate) fn made_by(&self, maker: usize) -> usize {
        let values = self.values.borrow();
        values.range((maker, 0)..=(maker, u32::MAX)).count()
    }

    /// A new value, about to be sent.
    pub(crate) fn make(self: &Rc<Self>, maker: usize, channel: usize) -> Token {
        let number = self.next.get();
        self.next.set(number + 1);
        let name = (maker, number);
        let entry = Entry {
            channel,
            state: State::Sending,
            dropped: 0,
            late: self.is_closed(channel),
        };
        self.values.borrow_mut().insert(name, entry);
        self.open.borrow_mut().insert(maker, name);
        Token {
            name,
            ledger: Rc::clone(self),
        }
    }

    fn change(&self, name: Name, to: State) -> State {
        let mut values = self.values.borrow_mut();
        match values.get_mut(&name) {
            Some(entry) => std::mem::replace(&mut entry.state, to),
            None => State::Sending,
        }
    }

    /// The last value of this maker was sent. It may have been received already.
    pub(crate) fn sent(&self, maker: usize) {
        let Some(name) = self.close(maker) else {
            return;
        };
        let before = self.state(name);
        match before {
            State::Sending => {
                self.change(name, State::Sent);
            }
            State::Received(_) => {}
            other => self.complain(format!("{name:?} was sent after it was {other:?}")),
        }
        self.note(format!("{name:?} sent"));
    }

    /// The last value of this maker came back.
    pub(crate) fn returned(&self, maker: usize, token: Token) {
        let Some(name) = self.close(maker) else {
            return;
        };
        if token.name != name {
            self.complain(format!("{:?} came back instead of {name:?}", token.name));
        }
        let before = self.change(token.name, State::Returned);
        if before != State::Sending {
            self.complain(format!("{name:?} came back after it was {before:?}"));
        }
        self.note(format!("{name:?} back"));
    }

    /// The call that was to send the last value of this maker was unwound, if it was
    /// on its way to be sent.
    pub(crate) fn unwound(&self, maker: usize) {
        let Some(name) = self.close(maker) else {
            return;
        };
        match self.state(name) {
            State::Sending => {
                self.change(name, State::Unwound);
            }
            State::Received(by) => self.complain(format!(
                "{name:?} was received by {by}, and the call that sent it unwound"
            )),
            _ => {}
        }
    }

    pub(crate) fn received(&self, by: usize, channel: usize, token: Token) {
        let name = token.name;
        self.note(format!("{name:?} to {by}"));
        let before = self.change(name, State::Received(by));
        if !matches!(before, State::Sending | State::Sent) {
            self.complain(format!(
                "{name:?} was received by {by} after it was {before:?}"
            ));
        }
        let of = self.values.borrow().get(&name).map(|entry| entry.channel);
        if of != Some(channel) {
            self.complain(format!(
                "{name:?} came out of channel {channel}, it was sent to {of:?}"
            ));
        }
        let key = (by, channel, name.0);
        let earlier = self.last.borrow_mut().insert(key, name.1);
        if earlier.is_some_and(|earlier| earlier > name.1) {
            self.complain(format!("{name:?} came to {by} after {earlier:?}"));
        }
    }

    /// A value that lay in a channel at the end.
    pub(crate) fn left(&self, token: Token) {
        let before = self.change(token.name, State::Left);
        if before != State::Sent {
            self.complain(format!(
                "{:?} lay in a channel, but it was {before:?}",
                token.name
            ));
        }
    }

    pub(crate) fn receivers_are_gone(&self, channel: usize) {
        if let Some(gone) = self.receivers_gone.borrow_mut().get_mut(channel) {
            *gone = true;
        }
    }

    pub(crate) fn closes(&self, channel: usize) {
        self.note(format!("{channel} closed"));
        if let Some(closed) = self.closed.borrow_mut().get_mut(channel) {
            *closed = true;
        }
    }

    fn is_closed(&self, channel: usize) -> bool {
        self.closed.borrow().get(channel) == Some(&true)
    }

    pub(crate) fn waits(&self, task: usize, wish: Option<Wish>) {
        let mut waiting = self.waiting.borrow_mut();
        match wish {
            Some(wish) => {
                waiting.insert(task, wish);
            }
            None => {
                waiting.remove(&task);
            }
        }
    }

    /// Nothing moves any more: could anything?
    pub(crate) fn look_for_progress(&self, lengths: &[(usize, usize)]) {
        let waiting = self.waiting.borrow().clone();
        for (channel, (length, capacity)) in lengths.iter().enumerate() {
            let who = |ends: fn(&Wish) -> &Vec<usize>| -> Vec<usize> {
                let wants = |wish: &&Wish| ends(wish).contains(&channel);
                waiting
                    .values()
                    .filter(wants)
                    .map(|wish| wish.task)
                    .collect()
            };
            let (senders, receivers) = (who(|w| &w.sends), who(|w| &w.receives));
            if self.is_closed(channel) && !(senders.is_empty() && receivers.is_empty()) {
                self.complain(format!(
                    "channel {channel} is closed, and {senders:?} and {receivers:?} wait"
                ));
            }
            let meet = senders.iter().any(|s| receivers.iter().any(|r| r != s));
            if meet {
                self.complain(format!(
                    "channel {channel}: {senders:?} wait to send and {receivers:?} to receive"
                ));
            }
            if *length > 0 && !receivers.is_empty() {
                self.complain(format!(
                    "channel {channel}: {receivers:?} wait, it holds {length}"
                ));
            }
            if length < capacity && !senders.is_empty() {
                self.complain(format!(
                    "channel {channel}: {senders:?} wait, it holds {length} of {capacity}"
                ));
            }
        }
    }

    /// The call that had a value of this maker in its hands is over.
    fn close(&self, maker: usize) -> Option<Name> {
        self.open.borrow_mut().remove(&maker)
    }

    fn state(&self, name: Name) -> State {
        let values = self.values.borrow();
        values
            .get(&name)
            .map_or(State::Sending, |entry| entry.state)
    }

    /// Everything is over. What was noted, or what was wrong.
    pub(crate) fn settle(&self) -> Result<Vec<String>, String> {
        for (name, entry) in self.values.borrow().iter() {
            let gone = self.receivers_gone.borrow().get(entry.channel) == Some(&true);
            if entry.dropped != 1 {
                self.complain(format!(
                    "{name:?}, {:?}, was dropped {} times",
                    entry.state, entry.dropped
                ));
            }
            if entry.late && !matches!(entry.state, State::Returned | State::Unwound) {
                self.complain(format!(
                    "{name:?} was {:?} after its channel was closed",
                    entry.state
                ));
            }
            match entry.state {
                State::Sending => self.complain(format!("{name:?} is still being sent")),
                State::Sent if !gone => self.complain(format!("{name:?} was sent, and lost")),
                _ => {}
            }
        }
        let complaints = self.complaints.take();
        if complaints.is_empty() {
            Ok(self.log.take())
        } else {
            Err(format!("{complaints}{:#?}", self.log.take()))
        }
    }
}
