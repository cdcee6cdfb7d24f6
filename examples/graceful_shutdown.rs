//! A server that is told to stop, and ends with nothing left.
//!
//! ```text
//! cargo run --example graceful_shutdown
//! cargo run --example graceful_shutdown -- --virtual
//! ```
//!
//! At a line `shutdown` on its control port it closes its door, gives the requests that
//! are running two seconds, cancels what is left then, and returns when all have ended.
//!
//! ```text
//! second     0        1        2        3        4
//! quick      =========>
//! steady     ===========================>
//! endless    ====================================x cancelled
//! operator                     shutdown
//! late                         refused
//! ```
//!
//! What to notice:
//!
//! - [`serve`] is the whole of it: a scope with a deadline that is set when somebody asks
//!   for the end. No flag is handed down to be looked at: a request that is cancelled
//!   unwinds where it waits, and so its connection is closed.
//! - [`supervise`] returns when the last request has ended. What it borrowed is still
//!   there, and no task is left that could use it.
//! - The door's listener belongs to the door's task, and goes with it. When the operator
//!   hears `stopping`, nobody can come in any more.

pub(crate) mod support;

use std::cell::Cell;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::time::Duration;

use greenroom::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use greenroom::{CancelScope, Instant, scope, sleep, supervise, try_scope};
use support::say;

/// How long requests may go on after the word to stop.
const GRACE: Duration = Duration::from_secs(2);

fn main() -> io::Result<()> {
    support::runtime().run(program)
}

/// A server, its clients, and its operator: four seconds.
pub(crate) fn program() -> io::Result<()> {
    let door = TcpListener::bind("127.0.0.1:0")?;
    let control = TcpListener::bind("127.0.0.1:0")?;
    let (address, operators) = (door.local_addr()?, control.local_addr()?);
    try_scope(|s| {
        let server = s.spawn(|| serve(door, &control));
        scope(|clients| {
            for (name, seconds) in [("quick", 1), ("steady", 3), ("endless", 3600)] {
                clients.spawn(move || client(name, seconds, address));
            }
            sleep(Duration::from_secs(2));
            shut_down(operators)?;
            client("late", 1, address);
            Ok::<(), io::Error>(())
        })?;
        server.join();
        say("the server has ended");
        Ok(())
    })
}

/// What became of the requests.
#[derive(Default)]
struct Count {
    begun: Cell<usize>,
    answered: Cell<usize>,
}

/// Serves requests until an operator says `shutdown`.
pub(crate) fn serve(door: TcpListener, control: &TcpListener) -> io::Result<()> {
    let count = Count::default();
    let requests = CancelScope::new();
    let ended = requests.run(|| {
        supervise(|s| {
            let at_the_door = s.spawn(|| {
                let door = door; // it is closed with this task
                for stream in door.incoming() {
                    let (stream, count) = (stream?, &count);
                    s.spawn(move || answer(&stream, count));
                }
                Ok::<(), io::Error>(())
            });
            let word = wait_for_word(control);
            at_the_door.cancel();
            // Cancelled is well; returned is why it could not go on.
            let stood = at_the_door.join().unwrap_or(Ok(()));
            say(format!("stopping: {} requests are running", s.living()));
            requests.set_deadline(Some(Instant::now() + GRACE));
            // An operator who does not listen is no reason to go on.
            let _told = word?.write_all(b"stopping\n");
            stood
        })
    });
    let (begun, answered) = (count.begun.get(), count.answered.get());
    say(format!("{answered} of {begun} requests were answered"));
    // The deadline cut some of them short, and that is no error.
    ended.unwrap_or(Ok(()))
}

/// Waits for an operator who says `shutdown`. They are heard one after the other.
fn wait_for_word(control: &TcpListener) -> io::Result<TcpStream> {
    for operator in control.incoming() {
        let operator = operator?;
        let lines = BufReader::new(&operator).lines();
        if lines.map_while(Result::ok).any(|line| line == "shutdown") {
            return Ok(operator);
        }
    }
    unreachable!("a listener's connections have no end")
}

/// One request: a line with the seconds it takes. Its answer is `done`.
fn answer(mut stream: &TcpStream, count: &Count) -> io::Result<()> {
    count.begun.set(count.begun.get() + 1);
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    let seconds = line.trim_end().parse().map_err(io::Error::other)?;
    sleep(Duration::from_secs(seconds));
    stream.write_all(b"done\n")?;
    count.answered.set(count.answered.get() + 1);
    Ok(())
}

/// Asks for something that takes so many seconds, and says what came of it.
fn client(name: &str, seconds: u64, address: SocketAddr) {
    say(match ask(address, &seconds.to_string()) {
        Ok(answer) if answer.is_empty() => format!("{name}: no answer"),
        Ok(answer) => format!("{name}: {answer}"),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => format!("{name}: refused"),
        Err(error) => format!("{name}: {error}"),
    });
}

/// Says `shutdown`, and waits until the server is stopping.
pub(crate) fn shut_down(operators: SocketAddr) -> io::Result<()> {
    ask(operators, "shutdown").map(drop)
}

fn ask(address: SocketAddr, question: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(format!("{question}\n").as_bytes())?;
    stream.shutdown(Shutdown::Write)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.trim_end().to_owned())
}
