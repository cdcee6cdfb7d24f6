//! `chat`: what clients hear of each other, and that nobody is held up by a client that reads nothing, says too
//! much, or is gone.
//!
//! Must never: look at wall time where a clock can be had that stands still.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use greenroom::net::{Shutdown, TcpListener, TcpStream};
use greenroom::{Instant, scope, sleep};
use socket2::{Domain, SockRef, Socket, Type};

use super::{MS, Performed, SECOND, Server, performed, start};

#[path = "../../examples/chat.rs"]
mod program;

use program::{LINE, LINES, PATIENCE};

/// Runs `clients` beside the program's server.
fn beside_server<T>(clients: impl FnOnce(&dyn Fn() -> Client) -> T) -> Performed<T> {
    performed(None, || {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        scope(|s| {
            let server = s.spawn(|| program::serve(&listener));
            let result = clients(&|| Client(BufReader::new(TcpStream::connect(address).unwrap())));
            server.cancel();
            result
        })
    })
}

struct Client(BufReader<TcpStream>);

impl Client {
    fn says(&self, text: &str) {
        // In one write: the second of two would wait for the first to be acknowledged.
        let line = format!("{text}\n");
        self.0.get_ref().write_all(line.as_bytes()).unwrap();
    }

    /// What has come by now.
    fn hears(&mut self) -> Vec<String> {
        self.0.get_ref().set_read_timeout(Some(MS)).unwrap();
        let mut lines = Vec::new();
        let mut line = String::new();
        loop {
            match self.0.read_line(&mut line) {
                Ok(0) => {
                    lines.push("(the end)".to_owned());
                    return lines;
                }
                Ok(_) => lines.push(std::mem::take(&mut line).trim_end().to_owned()),
                Err(error) if error.kind() == ErrorKind::TimedOut => return lines,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Comes in with a name, and whatever else it says; hears the welcome.
    fn enters(&mut self, lines: &str) -> Vec<String> {
        self.says(lines);
        self.hears()
    }
}

#[test]
fn a_transcript() {
    beside_server(|connect| {
        let (mut ann, mut bob, mut eve) = (connect(), connect(), connect());
        let welcome = ["* your name?", "* welcome to lobby, ann. Here: nobody else"];
        assert_eq!(ann.enters("ann"), welcome);
        let welcome = ["* your name?", "* welcome to lobby, bob. Here: ann"];
        assert_eq!(bob.enters("bob\r"), welcome);
        let refused = [
            "* your name?",
            "* bob is taken",
            "* a name is up to 16 letters, digits, - and _",
            "* a name is up to 16 letters, digits, - and _",
        ];
        assert_eq!(eve.enters("bob\n\nbob the builder"), refused);
        assert_eq!(
            eve.enters("eve"),
            ["* welcome to lobby, eve. Here: ann, bob"]
        );
        assert_eq!(ann.hears(), ["* bob is here", "* eve is here"]);

        ann.says("hello\n\nyou two\x1b[2J");
        let heard = ["ann: hello", "ann: you two[2J"];
        assert_eq!(bob.hears(), ["* eve is here", heard[0], heard[1]]);
        assert_eq!(eve.hears(), heard);
        assert_eq!(ann.hears(), [""; 0], "it knows what it said");

        eve.says("/join tea\nis anybody in?\n/who");
        let alone = [
            "* welcome to tea, eve. Here: nobody else",
            "* here: nobody else",
        ];
        assert_eq!(eve.hears(), alone);
        assert_eq!(bob.hears(), ["* eve went to tea"]);
        bob.says("/join tea\n/join tea\n/join no such\n/dance\n/who");
        let heard = [
            "* welcome to tea, bob. Here: eve",
            "* a room has a name like yours",
            "* there is /join ROOM, /name NAME, /who and /quit",
            "* here: eve",
        ];
        assert_eq!(bob.hears(), heard);
        bob.says("/name eve\n/name rob\nme again");
        assert_eq!(bob.hears(), ["* eve is taken", "* you are rob now"]);
        let heard = ["* bob is here", "* bob is rob now", "rob: me again"];
        assert_eq!(eve.hears(), heard);
        assert_eq!(ann.hears(), ["* eve went to tea", "* bob went to tea"]);

        bob.says("/quit\nnever heard");
        assert_eq!(bob.hears(), ["(the end)"]);
        assert_eq!(eve.hears(), ["* rob left"]);
        // The names are free again, and the end of what it says is a client's end.
        eve.says("/name bob");
        eve.0.get_ref().shutdown(Shutdown::Write).unwrap();
        assert_eq!(eve.hears(), ["* you are bob now", "(the end)"]);
        let mut late = connect();
        late.enters("bob");
        late.says("/who");
        assert_eq!(late.hears(), ["* here: ann"]);
    });
}

#[test]
fn who_breaks_off_is_seen_to_go() {
    beside_server(|connect| {
        let (mut ann, mut bob) = (connect(), connect());
        ann.enters("ann");
        bob.enters("bob");
        assert_eq!(ann.hears(), ["* bob is here"]);
        let linger = SockRef::from(bob.0.get_ref());
        linger.set_linger(Some(Duration::ZERO)).unwrap();
        drop(bob);
        assert_eq!(ann.hears(), ["* bob left"]);
        // Somebody who breaks off without a name was never here.
        drop(connect());
        let endless = connect();
        endless.says(&"x".repeat(LINE));
        sleep(SECOND);
        ann.says("still here");
        assert_eq!(ann.hears(), [""; 0]);
    });
}

/// A queue holds so many lines: so none of them may be longer than was said.
#[test]
fn no_line_is_longer_than_was_said() {
    const PEOPLE: usize = 30;
    beside_server(|connect| {
        // The longest name there is, and the number.
        let name = |n: usize| format!("{}{n:03}", "\u{10428}".repeat(13));
        let mut all: Vec<_> = (0..PEOPLE).map(|_| connect()).collect();
        for (n, one) in all.iter_mut().enumerate() {
            one.enters(&name(n));
        }
        let [first, .., last] = all.as_mut_slice() else {
            unreachable!("there are many")
        };
        first.hears();
        let heard = last.enters(&format!("/join {}\n/join lobby\n/who", name(999)));
        let who = heard.last().unwrap();
        assert!(
            who.starts_with(&format!("* here: {}, {}", name(0), name(1))),
            "{who}"
        );
        assert!(who.ends_with(" and 19 more"), "{who}");
        let longest = heard.iter().map(String::len).max().unwrap();
        assert!(longest < LINE, "{longest}: {heard:?}");
        first.hears();

        // What is no text does not become a longer one, and nobody's line becomes two or turns round.
        let mut bytes = vec![0xff; LINE - 100];
        bytes.extend_from_slice("so\u{2028}\u{202e}it\u{200f} is\n".as_bytes());
        last.0.get_ref().write_all(&bytes).unwrap();
        assert_eq!(first.hears(), [format!("{}: soit is", name(PEOPLE - 1))]);
    });
}

#[test]
fn who_says_no_name_is_let_go() {
    let played = beside_server(|connect| {
        let mut silent = connect();
        let start = Instant::now();
        silent.0.get_ref().set_read_timeout(None).unwrap();
        let mut all = String::new();
        silent.0.read_to_string(&mut all).unwrap();
        assert_eq!(all, "* your name?\n");
        start.elapsed()
    });
    assert_eq!(played.result, PATIENCE);
}

/// So much that no connection holds it.
const FLOOD: usize = 20_000;

/// Says `FLOOD` long lines, each with its number.
fn flood(mut to: impl Write) -> io::Result<()> {
    let filling = "x".repeat(900);
    for number in 0..FLOOD {
        to.write_all(format!("{number} {filling}\n").as_bytes())?;
    }
    Ok(())
}

/// Each line came, in order, or its absence was told. How many did not.
#[track_caller]
fn complete_but_for_missed(lines: &[String], speaker: &str) -> usize {
    let (mut next, mut missed) = (0, 0);
    for line in lines {
        if let Some(count) = line.strip_prefix("* you missed ") {
            let count: usize = count.strip_suffix(" lines").unwrap().parse().unwrap();
            next += count;
            missed += count;
        } else {
            let said = line.strip_prefix(speaker).unwrap();
            assert_eq!(said.split(' ').nth(1).unwrap(), next.to_string());
            next += 1;
        }
    }
    assert_eq!(next, FLOOD);
    missed
}

#[test]
fn a_client_that_does_not_read_is_in_nobodys_way() {
    let played = beside_server(|connect| {
        let (mut deaf, mut quick, talker) = (connect(), connect(), connect());
        deaf.enters("deaf");
        quick.enters("quick");
        talker.says("talker");
        assert_eq!(quick.hears(), ["* talker is here"]);
        assert_eq!(deaf.hears(), ["* quick is here", "* talker is here"]);
        let hear_a_flood = |quick: &mut Client| {
            scope(|s| {
                let quick = s.spawn(|| {
                    let lines = (&mut quick.0).lines().take(FLOOD);
                    lines.map(Result::unwrap).collect::<Vec<_>>()
                });
                flood(talker.0.get_ref()).unwrap();
                complete_but_for_missed(&quick.join(), "talker:")
            })
        };
        let start = Instant::now();
        assert_eq!(hear_a_flood(&mut quick), 0);
        assert!(start.elapsed() < SECOND, "{:?}", start.elapsed());
        // Now it reads, and is told what it missed: all but what its connection and its queue held.
        let missed = complete_but_for_missed(&deaf.hears(), "talker:");
        assert!((1..FLOOD - LINES).contains(&missed), "{missed}");
        // Again, and it reads nothing any more.
        assert_eq!(hear_a_flood(&mut quick), 0);
        sleep(PATIENCE - SECOND);
        assert_eq!(quick.hears(), [""; 0]);
        sleep(2 * SECOND);
        assert_eq!(quick.hears(), ["* deaf left"]);
    });
    assert!(played.end < PATIENCE + 3 * SECOND);
}

/// By the compiled example: a connection of each kind, and the memory of the process.
#[test]
fn the_memory_is_bounded_and_nc_can_talk() {
    let server = Server::start("chat", &["127.0.0.1:0"]);
    let connect = |name: &str| {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(64 * 1024).unwrap();
        let address: net::SocketAddr = server.address.parse().unwrap();
        socket.connect(&address.into()).unwrap();
        let stream = net::TcpStream::from(socket);
        stream.set_read_timeout(Some(60 * SECOND)).unwrap();
        (&stream).write_all(format!("{name}\n").as_bytes()).unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().starts_with("* welcome")));
        stream
    };
    let deaf: Vec<_> = (0..20).map(|n| connect(&format!("deaf{n}"))).collect();
    let reader = connect("reader");
    let before = server.most_memory().unwrap();
    let talker = connect("talker");
    let heard = thread::spawn(move || {
        let lines = BufReader::new(reader).lines().map(Result::unwrap);
        let of_talker = lines.skip_while(|line| line.starts_with("* talker"));
        let until_all = of_talker.take_while(|line| line != "talker: the end");
        complete_but_for_missed(&until_all.collect::<Vec<_>>(), "talker:")
    });
    flood(&talker).unwrap();
    // One more, so that the reader is told what it missed before it.
    (&talker).write_all(b"the end\n").unwrap();
    heard.join().unwrap();
    let grown = server.most_memory().unwrap() - before;
    // A queue for each and what is being written; the lines themselves are common to all.
    assert!(
        grown < 4 * 1024,
        "{grown} KiB for {FLOOD} lines of 900 bytes"
    );
    drop(deaf);

    let (host, port) = server.address.split_once(':').unwrap();
    let mut nc = Command::new("nc");
    nc.args([host, port])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let Ok(mut nc) = start(&mut nc) else {
        println!("skipped: no nc on this machine");
        return;
    };
    nc.stdin
        .as_ref()
        .unwrap()
        .write_all(b"nancy\nhi\n")
        .unwrap();
    let mut lines = BufReader::new(&talker).lines().map(Result::unwrap);
    assert!(lines.any(|line| line == "* nancy is here"));
    assert_eq!(lines.next().unwrap(), "nancy: hi");
    let mut heard = BufReader::new(nc.stdout.take().unwrap()).lines();
    assert_eq!(heard.next().unwrap().unwrap(), "* your name?");
    let welcome = heard.next().unwrap().unwrap();
    assert!(
        welcome.starts_with("* welcome to lobby, nancy."),
        "{welcome}"
    );
    nc.kill().unwrap();
    nc.wait().unwrap();
    assert_eq!(lines.next().unwrap(), "* nancy left");
}
