//! A tour of greenroom, in a minute's reading.
//!
//! ```text
//! cargo run --release --example tour
//! ```

#![expect(clippy::print_stdout, reason = "an example shows its work")]

use std::error::Error;
use std::io::{self, BufRead, BufReader, Write};
use std::time::Duration;

use greenroom::net::{TcpListener, TcpStream};
use greenroom::sync::bounded;
use greenroom::{
    Clock, Config, Coroutine, CoroutineState, Generator, RunError, Runtime, Yielder, generator,
    run, sleep, spawn, try_run,
};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

fn main() -> Outcome {
    title("Generators are iterators");
    generators();

    title("Coroutines take values and give values");
    sends()?;

    title("They yield from any depth, and may borrow");
    tree_walk();

    title("Tasks look like threads");
    tasks()?;

    title("An hour of sleep takes no time on the virtual clock");
    virtual_time();

    title("A deadlock is a report, not silence");
    deadlock();

    title("Servers are written in plain blocking style");
    run(server_and_clients)?;
    Ok(())
}

fn title(text: &str) {
    println!("\n{text}");
}

fn generators() {
    let fib = generator(|y| {
        let (mut a, mut b) = (0u64, 1);
        loop {
            y.yield_(a); // stops here until the next value is wanted
            (a, b) = (b, a + b);
        }
    });
    println!("  fibonacci: {:?}", fib.take(10).collect::<Vec<_>>());
}

fn sends() -> Outcome {
    let average = Coroutine::new(|y: &Yielder<f64, f64>, first| {
        let (mut sum, mut n) = (first, 1.0);
        while n < 3.0 {
            sum += y.yield_(sum / n); // gives the average, takes the next number
            n += 1.0;
        }
        sum / n
    });
    for number in [10.0, 30.0, 5.0] {
        match average.resume(number)? {
            CoroutineState::Yielded(mean) => println!("  sent {number}, the average is {mean}"),
            CoroutineState::Complete(mean) => println!("  sent {number}, it returned {mean}"),
        }
    }
    println!("  its status is {:?}", average.status());
    Ok(())
}

struct Tree {
    left: Option<Box<Tree>>,
    value: u32,
    right: Option<Box<Tree>>,
}

fn walk(tree: &Tree, y: &Yielder<(), u32>) {
    if let Some(left) = &tree.left {
        walk(left, y);
    }
    y.yield_(tree.value);
    if let Some(right) = &tree.right {
        walk(right, y);
    }
}

fn tree_walk() {
    let node = |left, value, right| Some(Box::new(Tree { left, value, right }));
    let tree = Tree {
        left: node(node(None, 1, None), 2, None),
        value: 3,
        right: node(None, 4, node(None, 5, None)),
    };
    let in_order = Generator::scope(|y| walk(&tree, y), |values| values.collect::<Vec<u32>>());
    println!("  in order: {in_order:?}");
}

fn tasks() -> Outcome {
    let (sender, receiver) = bounded(2);
    let total = run(|| {
        spawn(move || {
            for word in ["the", "show", "must", "go", "on"] {
                println!("  sending {word}");
                if sender.send(word).is_err() {
                    break;
                }
            }
        });
        let counter = spawn(move || receiver.iter().map(str::len).sum::<usize>());
        counter.join()
    })?;
    println!("  {total} letters were counted by another task");
    Ok(())
}

fn virtual_time() {
    let clock = Clock::virtual_();
    Runtime::with(Config::new().clock(clock.clone())).run(|| {
        let long = spawn(|| sleep(Duration::from_secs(3600)));
        let short = spawn(|| sleep(Duration::from_secs(60)));
        let _ended = (short.join(), long.join());
    });
    println!("  the clock says {:?}", clock.elapsed());
}

fn deadlock() {
    let ended = try_run(|| {
        let (_kept, values) = bounded::<()>(1);
        let _never = values.recv(); // the only sender is our own
    });
    if let Err(RunError::Deadlock(report)) = ended {
        for line in report.to_string().lines() {
            println!("  {line}");
        }
    }
}

fn server_and_clients() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    spawn(move || {
        for stream in listener.incoming().flatten() {
            spawn(move || shout(&stream)); // a task for each connection
        }
    });

    let clients: Vec<_> = ["hello", "is anybody there", "bye"]
        .into_iter()
        .map(|text| {
            spawn(move || {
                let mut stream = TcpStream::connect(address)?;
                writeln!(stream, "{text}")?;
                let mut answer = String::new();
                BufReader::new(&stream).read_line(&mut answer)?;
                io::Result::Ok(answer)
            })
        })
        .collect();
    for client in clients {
        let answer = client.join().map_err(io::Error::other)??;
        println!("  the server answered {}", answer.trim_end());
    }
    Ok(()) // the server is still accepting: leaving `run` ends it
}

/// Answers each line in capitals.
fn shout(stream: &TcpStream) -> io::Result<()> {
    let mut writer = stream;
    for line in BufReader::new(stream).lines() {
        writeln!(writer, "{}", line?.to_uppercase())?;
    }
    Ok(())
}
