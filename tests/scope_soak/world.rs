//! What the tasks of one run share: how they wait, and what is counted.
//!
//! Nothing here may panic in a destructor, or count what it did not do.

use std::cell::{Cell, RefCell};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::rc::Rc;
use std::time::Duration;

use greenroom::net::TcpStream;
use greenroom::sync::{Receiver, Sender, bounded, unbounded};
use greenroom::{CancelScope, Close, Instant, checkpoint, park, select, sleep, timeout, yield_now};

/// SplitMix64 (Steele, Lea, Flood 2014).
pub(crate) struct Rng(pub(crate) u64);

impl Rng {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end.max(1)).unwrap();
        usize::try_from(self.next() % end).unwrap()
    }

    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn millis(&mut self, most: usize) -> Duration {
        Duration::from_millis(u64::try_from(self.below(most)).unwrap())
    }
}

/// How many were made, and how many are gone.
#[derive(Debug, Default)]
pub(crate) struct Count {
    made: Cell<usize>,
    gone: Cell<usize>,
}

impl Count {
    pub(crate) fn made(&self) -> usize {
        self.made.get()
    }

    pub(crate) fn token(self: &Rc<Self>) -> Token {
        self.made.set(self.made.get() + 1);
        Token(Rc::clone(self))
    }

    pub(crate) fn assert_even(&self, what: &str, seed: u64) {
        assert_eq!(self.made, self.gone, "{what} of seed {seed}");
    }
}

/// Counts its own end.
#[derive(Debug)]
pub(crate) struct Token(Rc<Count>);

impl Drop for Token {
    fn drop(&mut self) {
        self.0.gone.set(self.0.gone.get() + 1);
    }
}

/// What a task of ours panics with.
pub(crate) struct Failure;

/// What the tasks of one run share.
pub(crate) struct World {
    /// One for each body that was given to a scope: unrun ones are dropped.
    pub(crate) bodies: Rc<Count>,
    /// One for each value that was to be sent.
    pub(crate) values: Rc<Count>,
    /// Resources that wait when they are closed; and how many were, to the end.
    pub(crate) opened: Cell<usize>,
    pub(crate) closed: Rc<Cell<usize>>,
    /// Values that were sent, by what `send` said; and received.
    pub(crate) sent: Cell<usize>,
    pub(crate) received: Cell<usize>,
    pub(crate) channels: Vec<(Sender<Token>, Receiver<Token>)>,
    /// Both ends of connections, to be written and to be read, and how many bytes were.
    pub(crate) connections: Vec<(TcpStream, TcpStream)>,
    pub(crate) written: Cell<usize>,
    pub(crate) read: Cell<usize>,
    /// Scopes that anyone may cancel.
    pub(crate) scopes: RefCell<Vec<CancelScope>>,
    /// Children found alive where their scope had ended.
    pub(crate) survivors: Cell<usize>,
    /// Whether destructors wait, inside a shield. Then nobody panics: a panic while
    /// another task is parked in its unwinding is another story.
    pub(crate) waits_in_destructors: bool,
    /// One in so many tasks does harm: fails, or cancels others. One run of three is
    /// rough, so that there are also such as reach their full size.
    pub(crate) harm: usize,
    /// How often anyone waited.
    pub(crate) waits: Cell<usize>,
}

impl World {
    pub(crate) fn new(size: usize, sockets: usize, rng: &mut Rng) -> Self {
        let channel = |capacity| match capacity {
            3 => unbounded(),
            capacity => bounded(capacity),
        };
        Self {
            bodies: Rc::default(),
            values: Rc::default(),
            opened: Cell::new(0),
            closed: Rc::default(),
            sent: Cell::new(0),
            received: Cell::new(0),
            channels: (0..4).map(channel).collect(),
            connections: (0..sockets).map(|_| connection()).collect(),
            written: Cell::new(0),
            read: Cell::new(0),
            scopes: RefCell::default(),
            survivors: Cell::new(0),
            waits_in_destructors: rng.one_in(3),
            harm: [50, size, 20 * size][rng.below(3)],
            waits: Cell::new(0),
        }
    }

    fn channel(&self, rng: &mut Rng) -> &(Sender<Token>, Receiver<Token>) {
        &self.channels[rng.below(self.channels.len())]
    }

    pub(crate) fn send(&self, rng: &mut Rng) {
        if self.channel(rng).0.send(self.values.token()).is_ok() {
            self.sent.set(self.sent.get() + 1);
        }
    }

    pub(crate) fn receive(&self, rng: &mut Rng) {
        if self.channel(rng).1.recv().is_ok() {
            self.received.set(self.received.get() + 1);
        }
    }

    /// Lets others find a scope; a few are kept.
    pub(crate) fn show(&self, rng: &mut Rng, scope: &CancelScope) {
        let mut scopes = self.scopes.borrow_mut();
        if scopes.len() < 32 {
            scopes.push(scope.clone());
        } else {
            scopes[rng.below(32)] = scope.clone();
        }
    }

    /// Cancels a scope that somebody showed, or moves its deadline.
    pub(crate) fn disturb(&self, rng: &mut Rng) {
        let scopes = self.scopes.borrow();
        if let Some(scope) = scopes.get(rng.below(scopes.len())) {
            match rng.below(3) {
                0 => scope.cancel("disturbed"),
                1 => scope.set_deadline(Some(Instant::now() + rng.millis(20))),
                _ => scope.set_deadline(None),
            }
        }
    }

    /// Waits in one of many ways. Where nothing outside may end it, the wait is short.
    pub(crate) fn wait(&self, rng: &mut Rng, ends: bool) {
        self.waits.set(self.waits.get() + 1);
        match rng.below(12) {
            0 => yield_now(),
            1 => drop(checkpoint()),
            2 => (0..rng.below(4)).for_each(|_| yield_now()),
            3 => sleep(rng.millis(10)),
            4 if rng.one_in(self.harm / 20) => self.disturb(rng),
            _ if ends => drop(timeout(rng.millis(20), || self.wait_long(rng))),
            _ => self.wait_long(rng),
        }
    }

    fn wait_long(&self, rng: &mut Rng) {
        match rng.below(if self.connections.is_empty() { 8 } else { 14 }) {
            0 | 1 => self.send(rng),
            2 | 3 => self.receive(rng),
            4 => park(),
            5 => sleep(rng.millis(1_000_000)),
            6 | 7 => self.select(rng),
            8..=10 => self.write(rng),
            _ => self.read(rng),
        }
    }

    /// Whatever is first: a value, room for one, or a moment.
    fn select(&self, rng: &mut Rng) {
        let ((sender, _), (_, receiver)) = (self.channel(rng), self.channel(rng));
        select! {
            recv(receiver) -> got => {
                self.received.set(self.received.get() + usize::from(got.is_ok()));
            },
            send(sender, self.values.token()) -> sent => {
                self.sent.set(self.sent.get() + usize::from(sent.is_ok()));
            },
            after(rng.millis(1000)) => {},
        }
    }

    /// An error where harm is to be done.
    pub(crate) fn harmless(&self, rng: &mut Rng) -> Result<(), ()> {
        if rng.one_in(self.harm) {
            Err(())
        } else {
            Ok(())
        }
    }

    fn connection(&self, rng: &mut Rng) -> &(TcpStream, TcpStream) {
        &self.connections[rng.below(self.connections.len())]
    }

    fn write(&self, rng: &mut Rng) {
        let bytes = vec![7; [1, 10, 1 << 20][rng.below(3)]];
        let written = (&self.connection(rng).0).write(&bytes).unwrap_or(0);
        self.written.set(self.written.get() + written);
    }

    fn read(&self, rng: &mut Rng) {
        let mut bytes = vec![0; [1, 10, 1 << 18][rng.below(3)]];
        let read = (&self.connection(rng).1).read(&mut bytes).unwrap_or(0);
        self.read.set(self.read.get() + read);
    }

    /// All were dropped, and what was sent was received, or is on its way.
    pub(crate) fn assert_nothing_is_left(&self, seed: u64) {
        assert_eq!(self.survivors.get(), 0, "seed {seed}");
        self.bodies.assert_even("bodies", seed);
        assert_eq!(self.opened, *self.closed, "resources of seed {seed}");
        let receivers = self.channels.iter().map(|(_, receiver)| receiver);
        let on_their_way: usize = receivers.map(|all| all.try_iter().count()).sum();
        let received = self.received.get() + on_their_way;
        assert_eq!(self.sent.get(), received, "values of seed {seed}");
        self.values.assert_even("values", seed);
    }

    /// What was written and not read, by what the system says.
    pub(crate) fn left_in_connections(&mut self) -> usize {
        let mut left = 0;
        for (writer, mut reader) in self.connections.drain(..) {
            writer.shutdown(Shutdown::Write).unwrap();
            let mut bytes = Vec::new();
            left += reader.read_to_end(&mut bytes).unwrap();
        }
        left
    }
}

/// A connection over the loopback: what is to be written, and what is to be read.
fn connection() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let writer = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (reader, _) = listener.accept().unwrap();
    (writer.into(), reader.into())
}

/// Closes after a while.
pub(crate) struct Slow(pub(crate) Rc<Cell<usize>>, pub(crate) Duration);

impl Close for Slow {
    type Error = ();

    fn close(self) -> Result<(), ()> {
        sleep(self.1);
        self.0.set(self.0.get() + 1);
        Ok(())
    }
}
