//! The promise: the redis crate's typed commands, pipelines, transactions and subscriptions work on greenroom's sockets,
//! unchanged, against a real Redis; and a command that blocks holds up its own task and nobody else.
//!
//! Each test starts a server of its own, `redis-server` from the path, and ends it. Without one it fails.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::collections::HashMap;
use std::env;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ecosystem::redis::Connection;
use greenroom::net::{TcpListener, TcpStream, UnixStream};
use greenroom::sync::Event;
use greenroom::{gather, run, sleep, spawn, timeout};
use redis::{Commands, ConnectionLike, ErrorKind, Pipeline, cmd, pipe};

/// A Redis of one's own, which ends with the test.
struct Redis {
    process: Child,
    port: u16,
    /// It listens here as well.
    path: PathBuf,
}

impl Redis {
    fn start() -> Self {
        for _ in 0..10 {
            if let Some(redis) = Self::start_at(free_port()) {
                return redis;
            }
        }
        panic!("redis-server was started ten times and did not get a port");
    }

    /// `None` if somebody else was faster to take the port.
    fn start_at(port: u16) -> Option<Self> {
        let path = env::temp_dir().join(format!("ecosystem-redis-{port}"));
        let process = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
            .arg("--unixsocket")
            .arg(&path)
            .args(["--save", "", "--appendonly", "no"])
            .stdout(Stdio::null())
            .spawn()
            .expect("these tests need `redis-server` (on Debian: `apt-get install redis-server`)");
        let mut redis = Self {
            process,
            port,
            path,
        };
        let own = format!("process_id:{}\r", redis.process.id());
        while redis.process.try_wait().unwrap().is_none() {
            sleep(Duration::from_millis(10));
            if let Ok(stream) = TcpStream::connect(("127.0.0.1", port)) {
                let about = cmd("INFO").query::<String>(&mut Connection::new(stream));
                if about.is_ok_and(|about| about.contains(&own)) {
                    return Some(redis);
                }
            }
        }
        None
    }

    fn connect(&self) -> Connection<TcpStream> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_nodelay(true).unwrap();
        Connection::new(stream)
    }
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        // It was never there if the server did not get that far.
        let _gone = std::fs::remove_file(&self.path);
    }
}

#[test]
fn commands_are_typed() {
    run(|| {
        let redis = Redis::start();
        let mut db = redis.connect();
        let _: () = db.set("cow", "Moo!").unwrap();
        assert_eq!(db.get::<_, String>("cow").unwrap(), "Moo!");
        assert_eq!(db.get::<_, Option<String>>("cat").unwrap(), None);
        assert_eq!(db.incr::<_, _, u64>("count", 41).unwrap(), 41);
        let _: () = db
            .hset_multiple("user", &[("name", "Ada"), ("year", "1815")])
            .unwrap();
        let user: HashMap<String, String> = db.hgetall("user").unwrap();
        assert_eq!(user["name"], "Ada");
        let _: () = db.rpush("queue", &[1, 2, 3]).unwrap();
        assert_eq!(db.lrange::<_, Vec<u8>>("queue", 0, -1).unwrap(), [1, 2, 3]);
        // More than the socket holds.
        let long = "x".repeat(8 << 20);
        let _: () = db.set("long", &long).unwrap();
        assert!(db.get::<_, String>("long").unwrap() == long);
        assert!(db.check_connection());
    });
}

#[test]
fn a_refusal_is_an_error_and_the_connection_goes_on() {
    run(|| {
        let redis = Redis::start();
        let mut db = redis.connect();
        let _: () = db.set("word", "one").unwrap();
        let refused = db.incr::<_, _, u64>("word", 1).unwrap_err();
        assert!(refused.to_string().contains("not an integer"), "{refused}");
        let mixed = pipe()
            .incr("word", 1)
            .get("word")
            .query::<(u64, String)>(&mut db);
        assert!(mixed.is_err());
        assert_eq!(db.get::<_, String>("word").unwrap(), "one");
        assert!(db.is_open());
    });
}

#[test]
fn pipelines_and_transactions() {
    run(|| {
        let redis = Redis::start();
        let mut db = redis.connect();
        let both = |pipeline: &mut Pipeline| pipeline.incr("n", 1).incr("n", 1).get("n").clone();
        let plain: (u64, u64, u64) = both(&mut pipe()).query(&mut db).unwrap();
        assert_eq!(plain, (1, 2, 2));
        let atomic: (u64, u64, u64) = both(pipe().atomic()).query(&mut db).unwrap();
        assert_eq!(atomic, (3, 4, 4));
        let refused = pipe().atomic().incr("n", 1).cmd("MOO").query::<()>(&mut db);
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("unknown command"), "{refused}");
        assert_eq!(db.get::<_, u64>("n").unwrap(), 4);
        let mut many = pipe();
        for i in 0..10_000 {
            many.set(i, i).ignore();
        }
        let _: () = many.query(&mut db).unwrap();
        assert_eq!(db.get::<_, u32>(9_999).unwrap(), 9_999);
    });
}

#[test]
fn two_hundred_connections_on_one_thread() {
    run(|| {
        let redis = Redis::start();
        let jobs = (0..200).map(|_| {
            let mut db = redis.connect();
            move || (0..10).map(|_| db.incr::<_, _, u64>("n", 1).unwrap()).max()
        });
        let highest = gather(jobs.collect::<Vec<_>>());
        assert_eq!(highest.into_iter().max().unwrap(), Some(2000));
    });
}

/// If `BLPOP` blocked the thread, nobody would be left to push what it waits for.
#[test]
fn a_command_that_blocks_holds_up_nobody_else() {
    run(|| {
        let redis = Redis::start();
        let waiting: Vec<_> = (0..50)
            .map(|_| {
                let mut db = redis.connect();
                spawn(move || db.blpop::<_, (String, u32)>("jobs", 0.0).unwrap().1)
            })
            .collect();
        let mut db = redis.connect();
        for job in 0..50u32 {
            let _: () = db.rpush("jobs", job).unwrap();
        }
        let mut done: Vec<_> = waiting.into_iter().map(|job| job.join().unwrap()).collect();
        done.sort_unstable();
        assert_eq!(done, (0..50).collect::<Vec<_>>());
    });
}

#[test]
fn subscriptions_are_iterators() {
    run(|| {
        let redis = Redis::start();
        let subscribed = Event::new();
        greenroom::scope(|s| {
            let news = s.spawn(|| {
                let messages = redis.connect().subscribe(&["news", "weather"]).unwrap();
                subscribed.set();
                messages
                    .take(3)
                    .map(|message| {
                        let message = message.unwrap();
                        let text: String = message.get_payload().unwrap();
                        format!("{}: {text}", message.get_channel_name())
                    })
                    .collect::<Vec<_>>()
            });
            subscribed.wait();
            let mut db = redis.connect();
            for (channel, text) in [("news", "one"), ("weather", "rain"), ("news", "two")] {
                assert_eq!(db.publish::<_, _, u32>(channel, text).unwrap(), 1);
            }
            assert_eq!(news.join(), ["news: one", "weather: rain", "news: two"]);
        });
    });
}

#[test]
fn over_a_unix_socket() {
    run(|| {
        let redis = Redis::start();
        let mut db = Connection::new(UnixStream::connect(&redis.path).unwrap());
        let _: () = db.set("cow", "Moo!").unwrap();
        assert_eq!(db.get::<_, String>("cow").unwrap(), "Moo!");
    });
}

#[test]
fn on_a_plain_thread_it_just_blocks() {
    let redis = Redis::start();
    let mut db = redis.connect();
    let _: () = db.set("cow", "Moo!").unwrap();
    assert_eq!(db.get::<_, String>("cow").unwrap(), "Moo!");
}

#[test]
fn a_connection_that_broke_says_so() {
    run(|| {
        let redis = Redis::start();
        let mut db = redis.connect();
        assert!(db.check_connection());
        drop(redis);
        let broken = db.get::<_, String>("cow").unwrap_err();
        assert_eq!(broken.kind(), ErrorKind::Io);
        assert!(!db.is_open());
    });
}

#[test]
fn a_command_that_is_given_up_leaves_no_answer_for_the_next() {
    let redis = Redis::start();
    run(|| {
        let mut connection = redis.connect();
        let _: () = connection.set("a", 1).unwrap();
        let soon = Duration::from_millis(20);
        let late = timeout(soon, || connection.blpop::<_, Option<String>>("empty", 5.0));
        assert!(late.is_err());
        // Its answer may still come: it must not be taken for this one's.
        assert!(!connection.is_open());
        assert!(connection.get::<_, i32>("a").is_err());
    });
}
