//! `mini_redis`: it answers as Redis does, however the requests arrive, keys go when their time is over, and
//! nobody takes more memory than is said.
//!
//! What it is to answer was taken down from a Redis 7.0. With `redis-cli` and `redis-benchmark` it is driven by
//! `.ci/mini-redis`.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net;
use std::thread;

use greenroom::net::{Shutdown, TcpListener, TcpStream};
use greenroom::{Instant, scope, sleep};

use super::{MS, SECOND, Server, performed};

#[path = "../../examples/mini_redis.rs"]
mod program;

use program::connection::PORTION;
use program::request::{MOST_LINE, MOST_REQUEST, MOST_WORD, MOST_WORDS, parse};
use program::store::Store;

/// Runs `client` beside the program's server, on a virtual clock.
fn beside_server<T>(client: impl FnOnce(&dyn Fn() -> TcpStream) -> T) -> T {
    let store = RefCell::<Store>::default();
    let played = performed(None, || {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        scope(|s| {
            let server = s.spawn(|| program::serve(&listener, &store));
            let result = client(&|| TcpStream::connect(address).unwrap());
            server.cancel();
            result
        })
    });
    played.result
}

/// Says something, and hears what is answered at once.
fn ask(mut stream: &TcpStream, requests: impl AsRef<[u8]>) -> String {
    stream.write_all(requests.as_ref()).unwrap();
    stream.set_read_timeout(Some(MS)).unwrap();
    let mut answers = Vec::new();
    let ended = stream.read_to_end(&mut answers);
    assert!(
        ended
            .as_ref()
            .is_ok_and(|read| *read > 0 || answers.is_empty())
            || ended.is_err_and(|error| error.kind() == ErrorKind::TimedOut)
    );
    String::from_utf8(answers).unwrap()
}

/// As clients send it.
fn request(words: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        write!(bytes, "${}\r\n", word.len()).unwrap();
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// Requests as lines, and the answers to them, as lines.
const CONVERSATION: &[(&str, &str)] = &[
    ("PING", "+PONG"),
    ("ping hello", "$5 hello"),
    ("echo \"a\\x41\\t\\\"\"", "$4 aA\t\""),
    ("echo 'a\\'b\"'", "$4 a'b\""),
    ("echo \"\"", "$0 "),
    (
        "ping a b",
        "-ERR wrong number of arguments for 'ping' command",
    ),
    ("echo", "-ERR wrong number of arguments for 'echo' command"),
    (
        "foo",
        "-ERR unknown command 'foo', with args beginning with: ",
    ),
    (
        "fOo \"a\\nb\" c",
        "-ERR unknown command 'fOo', with args beginning with: 'a b' 'c' ",
    ),
    (
        "averyverylongcommand",
        "-ERR unknown command 'averyverylongcommand', with args beginning with: ",
    ),
    ("GET cow", "$-1"),
    ("SET cow Moo!", "+OK"),
    ("get cow", "$4 Moo!"),
    ("SET a", "-ERR wrong number of arguments for 'set' command"),
    (
        "get a b",
        "-ERR wrong number of arguments for 'get' command",
    ),
    ("set a 1 nx xx", "-ERR syntax error"),
    ("set a 1 ex 5 px 4", "-ERR syntax error"),
    ("set a 1 ex", "-ERR syntax error"),
    ("set a 1 foo", "-ERR syntax error"),
    ("set a 1 ex 0", "-ERR invalid expire time in 'set' command"),
    ("set a 1 px -1", "-ERR invalid expire time in 'set' command"),
    (
        "set a 1 ex 9999999999999999",
        "-ERR invalid expire time in 'set' command",
    ),
    (
        "set a 1 px 9223372036854775807",
        "-ERR invalid expire time in 'set' command",
    ),
    (
        "set a 1 ex x",
        "-ERR value is not an integer or out of range",
    ),
    ("set a 1 xx", "$-1"),
    ("set a 1 nx", "+OK"),
    ("set a 2 NX", "$-1"),
    ("get a", "$1 1"),
    ("set a 3 xx ex 100", "+OK"),
    ("ttl a", ":100"),
    ("set a 3", "+OK"),
    ("ttl a", ":-1"),
    ("expire a 100", ":1"),
    ("pttl nope", ":-2"),
    ("persist a", ":1"),
    ("persist a", ":0"),
    ("ttl nope", ":-2"),
    ("expire nope 1", ":0"),
    ("expire a x", "-ERR value is not an integer or out of range"),
    (
        "expire a 9999999999999999",
        "-ERR invalid expire time in 'expire' command",
    ),
    ("expire a 10 foo", "-ERR Unsupported option"),
    ("exists a a cow nope", ":3"),
    ("expire a -1", ":1"),
    ("exists a", ":0"),
    ("set a 1", "+OK"),
    ("dbsize", ":2"),
    ("del a a nope cow", ":2"),
    ("set n 9223372036854775807", "+OK"),
    ("incr n", "-ERR increment or decrement would overflow"),
    ("decr n", ":9223372036854775806"),
    ("incrby n -5", ":9223372036854775801"),
    ("incrby n x", "-ERR value is not an integer or out of range"),
    ("set n 00", "+OK"),
    ("incr n", "-ERR value is not an integer or out of range"),
    ("set n -0", "+OK"),
    ("incr n", "-ERR value is not an integer or out of range"),
    ("set n \" 1\"", "+OK"),
    ("incr n", "-ERR value is not an integer or out of range"),
    (
        "decrby n2 -9223372036854775808",
        "-ERR decrement would overflow",
    ),
    ("set n -9223372036854775808", "+OK"),
    ("decr n", "-ERR increment or decrement would overflow"),
    ("incr n", ":-9223372036854775807"),
    ("decrby fresh 12", ":-12"),
    ("config get save", "*2 $4 save $0 "),
    ("config get nope", "*0"),
    ("command docs", "*0"),
    ("flushall foo", "-ERR syntax error"),
    ("flushall", "+OK"),
    ("dbsize", ":0"),
    ("quit now", "+OK"),
];

#[test]
fn a_conversation() {
    let (asked, expected): (Vec<_>, Vec<_>) = CONVERSATION.iter().copied().unzip();
    let lines = |lines: &[&str], between: &str| lines.join(between) + "\r\n";
    let expected: String = expected
        .iter()
        .map(|answer| {
            // Where a blank ends a line of the answer.
            let lengths = answer.starts_with(['$', '*']);
            let answer = if lengths {
                answer.replace(' ', "\r\n")
            } else {
                (*answer).to_owned()
            };
            answer + "\r\n"
        })
        .collect();
    beside_server(|connect| {
        // A line at a time, all at once, and all as arrays where there are no quotes.
        let one = connect();
        let answers: Vec<String> = asked
            .iter()
            .map(|line| ask(&one, lines(&[line], "")))
            .collect();
        assert_eq!(answers.concat(), expected);
        let all = lines(&asked, "\r\n") + "never asked\r\n";
        assert_eq!(ask(&connect(), all), expected);
        let plain = asked.iter().filter(|line| !line.contains(['"', '\'']));
        let arrays: Vec<u8> = plain
            .clone()
            .flat_map(|line| {
                let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
                request(&words)
            })
            .collect();
        let plain: Vec<&str> = plain.copied().collect();
        let (by_array, by_line) = (connect(), connect());
        assert_eq!(ask(&by_array, arrays), ask(&by_line, lines(&plain, "\n")));
    });
}

#[test]
fn nonsense_ends_the_connection() {
    let long = |before: &str| before.to_owned() + &"1".repeat(MOST_LINE);
    let most_words = format!("*{}\r\n", MOST_WORDS + 1);
    let most_word = format!("*1\r\n${}\r\n", MOST_WORD + 1);
    let rows = [
        ("PING \"a\r\n", "unbalanced quotes in request"),
        ("echo \"a\"b\r\n", "unbalanced quotes in request"),
        ("*x\r\n", "invalid multibulk length"),
        ("*+1\r\n", "invalid multibulk length"),
        ("*1\n$4\nPING\r\n", "invalid multibulk length"),
        ("*99999999999999999999\r\n", "invalid multibulk length"),
        (&most_words, "invalid multibulk length"),
        ("*1\r\n$-4\r\n", "invalid bulk length"),
        (&most_word, "invalid bulk length"),
        ("*2\r\n$4\r\nPING\r\n:3\r\n", "expected '$', got ':'"),
        (&long("*"), "too big mbulk count string"),
        (&long("*1\r\n$"), "too big bulk count string"),
        (&long(""), "too big inline request"),
    ];
    beside_server(|connect| {
        for (nonsense, why) in rows {
            let client = connect();
            let answer = ask(&client, format!("*0\r\n*-5\r\n\r\nping\r\n{nonsense}"));
            let expected = format!("+PONG\r\n-ERR Protocol error: {why}\r\n");
            assert_eq!(answer, expected, "{:.20}", nonsense);
        }
        // Together too long, though no word is: refused before the second is there.
        let word = vec![b'x'; MOST_WORD];
        let mut long = request(&[b"ECHO", &word, &word]);
        long.truncate(long.len() - MOST_WORD - 2);
        let answer = ask(&connect(), long);
        assert_eq!(answer, "-ERR Protocol error: too big request\r\n");
    });
}

/// The words of all requests, and what is left.
fn words(mut bytes: &[u8]) -> (Vec<Vec<Vec<u8>>>, usize) {
    let (mut requests, mut words) = (Vec::new(), Vec::new());
    while let Ok(Some(length)) = parse(bytes, &mut words) {
        requests.push(words.iter().map(|word| word.to_vec()).collect());
        bytes = &bytes[length..];
    }
    (requests, bytes.len())
}

#[test]
fn a_request_may_come_in_any_pieces() {
    let bytes = [
        request(&[b"SET", b"cow", b"Moo\r\n!"]),
        b"get \"cow\"\r\n\n".to_vec(),
        request(&[b"ECHO", b""]),
    ]
    .concat();
    let (whole, left) = words(&bytes);
    assert_eq!((whole.len(), left), (4, 0));
    assert_eq!(whole[0], [b"SET".as_slice(), b"cow", b"Moo\r\n!"]);
    for cut in 0..bytes.len() {
        let (first, left) = words(&bytes[..cut]);
        let (rest, end) = words(&bytes[cut - left..]);
        assert_eq!(
            (first.into_iter().chain(rest).eq(whole.clone()), end),
            (true, 0)
        );
    }
    // Whatever comes, it is refused or awaited: it does not panic.
    let mut state = 1_u64;
    for _ in 0..20_000 {
        let mut broken = bytes.clone();
        for _ in 0..3 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let [a, b, c, d, ..] = state.to_be_bytes();
            let at = (usize::from(a) << 8 | usize::from(b)) % broken.len();
            broken[at] = [c, b'0' + d % 10, b'\r', b'\n', b'"', b'$'][usize::from(d) % 6];
        }
        words(&broken);
    }
}

#[test]
fn keys_go_when_their_time_is_over() {
    beside_server(|connect| {
        let client = connect();
        // Between two sweeps.
        let start = Instant::now();
        ask(&client, "set brief 1 px 30\r\nset other 1 px 30\r\n");
        sleep(40 * MS);
        let gone = ask(&client, "dbsize\r\nget brief\r\ndel other\r\ndbsize\r\n");
        assert_eq!(gone, ":2\r\n$-1\r\n:0\r\n:0\r\n");
        assert!(start.elapsed() < 100 * MS);

        let start = Instant::now();
        let set = "set a 1 ex 2\r\nset b 1 px 2550\r\nset c 1\r\nexpire c 3\r\nset d 1 ex 3\r\npersist d\r\n";
        assert_eq!(
            ask(&client, set),
            "+OK\r\n+OK\r\n+OK\r\n:1\r\n+OK\r\n:1\r\n"
        );
        sleep(1400 * MS - start.elapsed());
        assert_eq!(
            ask(&client, "ttl a\r\nttl b\r\npttl c\r\n"),
            ":1\r\n:1\r\n:1600\r\n"
        );
        sleep(1999 * MS - start.elapsed());
        assert_eq!(ask(&client, "exists a b c d\r\n"), ":4\r\n");
        assert_eq!(start.elapsed(), 2 * SECOND);
        assert_eq!(ask(&client, "get a\r\nset a 2 nx\r\n"), "$-1\r\n+OK\r\n");
        // Nobody asks for them: they are removed all the same.
        sleep(2500 * MS - start.elapsed());
        assert_eq!(ask(&client, "dbsize\r\n"), ":4\r\n");
        sleep(3200 * MS - start.elapsed());
        assert_eq!(
            ask(&client, "dbsize\r\nget a\r\nget d\r\n"),
            ":2\r\n$1\r\n2\r\n$1\r\n1\r\n"
        );
        // A new time replaces the old one.
        ask(
            &client,
            "set a 1 ex 1\r\nset a 1 ex 5\r\nset d 1 ex 1\r\nset d 1\r\n",
        );
        sleep(2 * SECOND);
        assert_eq!(ask(&client, "ttl a\r\nttl d\r\n"), ":3\r\n:-1\r\n");
        // Very many at once are more than one sweep.
        let many: String = (0..5000).map(|n| format!("set k{n} 1 px 50\r\n")).collect();
        assert_eq!(ask(&client, many), "+OK\r\n".repeat(5000));
        sleep(200 * MS);
        assert_eq!(ask(&client, "dbsize\r\n"), ":2\r\n");
    });
}

#[test]
fn clients_count_together() {
    beside_server(|connect| {
        scope(|s| {
            for _ in 0..50 {
                s.spawn(|| {
                    let mut client = connect();
                    client
                        .write_all("INCR n\r\n".repeat(200).as_bytes())
                        .unwrap();
                    client.shutdown(Shutdown::Write).unwrap();
                    let lines = BufReader::new(client).lines();
                    let numbers: Vec<usize> = lines
                        .map(|line| line.unwrap()[1..].parse().unwrap())
                        .collect();
                    assert_eq!(numbers.len(), 200);
                    assert!(numbers.is_sorted());
                });
            }
        });
        assert_eq!(ask(&connect(), "get n\r\n"), "$5\r\n10000\r\n");
    });
}

/// By the compiled example.
#[test]
fn memory_is_bounded_whoever_sends_or_does_not_read() {
    let server = Server::start("mini_redis", &["127.0.0.1:0"]);
    let connect = || {
        let stream = net::TcpStream::connect(&server.address).unwrap();
        stream.set_read_timeout(Some(60 * SECOND)).unwrap();
        stream.set_write_timeout(Some(60 * SECOND)).unwrap();
        stream
    };
    let mut client = connect();
    let value = vec![b'x'; MOST_WORD];
    client
        .write_all(&request(&[b"SET", b"long", &value]))
        .unwrap();
    let mut answer = [0; 5];
    client.read_exact(&mut answer).unwrap();
    // A very long pipeline of short requests, read meanwhile.
    let mut says = client.try_clone().unwrap();
    let speaker = thread::spawn(move || {
        let batch = "PING\r\n".repeat(1000);
        for _ in 0..300 {
            says.write_all(batch.as_bytes()).unwrap();
        }
    });
    let mut pongs = vec![0; "+PONG\r\n".len() * 300_000];
    client.read_exact(&mut pongs).unwrap();
    assert!(pongs.chunks(7).all(|pong| pong == b"+PONG\r\n"));
    speaker.join().unwrap();

    let before = server.most_memory().unwrap();
    // Ask for a gigabyte each, and take nothing.
    let deaf: Vec<_> = (0..8)
        .map(|_| {
            let mut stream = connect();
            stream.set_write_timeout(Some(100 * MS)).unwrap();
            let batch = "GET long\r\n".repeat(1000);
            while stream.write_all(batch.as_bytes()).is_ok() {}
            stream
        })
        .collect();
    // Begin the longest request there is, and never end it.
    let slow: Vec<_> = (0..8)
        .map(|_| {
            let mut stream = connect();
            let mut longest = request(&[b"ECHO", &value]);
            longest.truncate(longest.len() - 3);
            stream.write_all(&longest).unwrap();
            stream
        })
        .collect();
    // Everybody else is served.
    client.write_all(b"PING\r\n").unwrap();
    client.read_exact(&mut pongs[..7]).unwrap();
    let grown = server.most_memory().unwrap() - before;
    let each = u64::try_from(MOST_REQUEST + MOST_WORD + 2 * PORTION).unwrap() / 1024;
    assert!(grown < 16 * each, "{grown} KiB");
    drop((deaf, slow));
}
