//! How large must a task's stack be? The least size with which each of some common calls
//! ends well, to a page.
//!
//! ```text
//! cargo run --bin stack_use             # without optimisation
//! cargo run --release --bin stack_use   # with
//! ```
//!
//! Each size is tried in a process of its own, for one that is too small ends it: the
//! parent looks for the least that does not. Calls are made once, and so do what is done
//! the first time only: symbols are bound, thread-locals initialised, tables built.

use std::collections::HashMap;
use std::error::Error;
use std::hint::black_box;
use std::io::Write;
use std::net::ToSocketAddrs;
use std::process::{Command, Stdio};

use greenroom::{Builder, run};

type Done = Result<(), Box<dyn Error>>;

/// The page, and the least stack there is.
const PAGE: usize = 4096;
const LEAST: usize = 4;
/// More than this no call has any business with.
const MOST: usize = 4096;

/// Its name, `RUST_BACKTRACE`, and the call.
type Probe = (&'static str, &'static str, fn() -> Done);

const PROBES: &[Probe] = &[
    ("nothing", "0", || Ok(())),
    ("a panic, told of in one line", "0", panics),
    ("a panic, with its backtrace", "1", panics),
    ("a panic, with its full backtrace", "full", panics),
    ("`format!`, `println!`", "0", prints),
    ("`thread_local!` initialisers", "0", thread_locals),
    ("`HashMap` of 10,000", "0", hash_map),
    ("`std::fs::read_dir`", "0", read_dir),
    ("`std::process::Command::output`", "0", process),
    ("`ToSocketAddrs` of localhost", "0", lookup),
    ("`serde_json`, 127 levels deep", "0", serde_json),
    ("`regex`, a large pattern", "0", regex),
    ("`csv`", "0", csv),
    ("`flate2`, there and back", "0", flate2),
    ("`sha2`", "0", sha2),
    ("`argon2`", "0", argon2),
    ("`bcrypt`", "0", bcrypt),
    ("`image`, a blurred PNG", "0", image),
    ("`clap`, parse and help", "0", clap),
    ("`rusqlite`, a table and a join", "0", rusqlite),
    ("`log` with `env_logger`", "0", env_logger),
    ("`tracing` with `fmt`", "0", tracing),
    ("`reqwest::blocking`, refused", "0", reqwest),
    ("`ureq`, refused", "0", ureq),
    ("`postgres`, refused", "0", postgres),
];

fn main() -> Done {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, probe, pages] = &arguments[..] {
        return one(probe.parse()?, pages.parse::<usize>()? * PAGE);
    }
    let wanted = arguments.get(1).map_or("", String::as_str);
    println!("| in a task | least stack, KiB |\n|---|---|");
    for (number, (name, backtrace, _)) in PROBES.iter().enumerate() {
        if name.contains(wanted) {
            let pages = least(|pages| survives(number, backtrace, pages))?;
            println!("| {name} | {} |", pages * PAGE / 1024);
        }
    }
    Ok(())
}

/// The least number of pages that is enough.
fn least(enough: impl Fn(usize) -> Result<bool, Box<dyn Error>>) -> Result<usize, Box<dyn Error>> {
    let mut top = LEAST;
    while !enough(top)? {
        top *= 2;
        if top > MOST {
            return Err("no stack is enough".into());
        }
    }
    let mut too_small = top / 2;
    if top == LEAST {
        return Ok(top);
    }
    while top - too_small > 1 {
        let middle = usize::midpoint(too_small, top);
        if enough(middle)? {
            top = middle;
        } else {
            too_small = middle;
        }
    }
    Ok(top)
}

fn survives(probe: usize, backtrace: &str, pages: usize) -> Result<bool, Box<dyn Error>> {
    let ended = Command::new(std::env::current_exe()?)
        .args([probe.to_string(), pages.to_string()])
        .env("RUST_BACKTRACE", backtrace)
        .stdin(Stdio::null())
        .output()?;
    let told = String::from_utf8_lossy(&ended.stderr);
    if ended.status.success() {
        Ok(true)
    } else if told.contains("has overflowed its stack") {
        Ok(false)
    } else {
        Err(format!("{} failed otherwise: {told}", PROBES[probe].0).into())
    }
}

/// The child: one call, in a task with a stack of that size.
fn one(probe: usize, bytes: usize) -> Done {
    let (name, _, call) = PROBES.get(probe).ok_or("there is no such probe")?;
    run(|| {
        let body = || call().map_err(|error| error.to_string());
        // A guard that C code, which has no probes, does not jump over.
        let builder = Builder::new().stack_size(bytes).guard_size(64 * PAGE);
        match builder.spawn(body)?.join() {
            Err(error) if error.is_panic() && name.starts_with("a panic") => Ok(()),
            Err(error) => Err(error.into()),
            Ok(done) => Ok(done?),
        }
    })
}

fn panics() -> Done {
    panic!("as it should");
}

fn prints() -> Done {
    let text = format!("{:?} {:10.3} {:#?}", "text", 1.0, Some([1, 2]));
    println!("{text}");
    eprintln!("{text}");
    Ok(())
}

fn thread_locals() -> Done {
    thread_local! {
        static NUMBERS: Vec<u32> = (0..100).collect();
        static TEXT: String = NUMBERS.with(|numbers| format!("{numbers:?}"));
    }
    TEXT.with(|text| black_box(text.len()));
    black_box(std::thread::current().id());
    Ok(())
}

fn hash_map() -> Done {
    let map: HashMap<u32, String> = (0..10_000).map(|n| (n, n.to_string())).collect();
    black_box(map.get(&77));
    Ok(())
}

fn read_dir() -> Done {
    for entry in std::fs::read_dir("/")? {
        black_box(entry?.metadata()?);
    }
    Ok(())
}

fn process() -> Done {
    Command::new("true").output()?;
    Ok(())
}

fn lookup() -> Done {
    black_box("localhost:80".to_socket_addrs()?.count());
    Ok(())
}

fn serde_json() -> Done {
    let text = format!("{}1{}", "{\"a\":[".repeat(63), "]}".repeat(63));
    let text = format!("[{text}]");
    let value: serde_json::Value = serde_json::from_str(&text)?;
    black_box(serde_json::to_string_pretty(&value)?);
    let deeper = serde_json::from_str::<serde_json::Value>(&format!("[{text}]"));
    if deeper.is_ok() {
        return Err("this is not the deepest there is".into());
    }
    Ok(())
}

fn regex() -> Done {
    let words: Vec<String> = (0..300)
        .map(|n| format!(r"(?P<w{n}>\w+{n}\d{{2,5}})"))
        .collect();
    let pattern = regex::RegexBuilder::new(&format!("(?i){}|((a|b)*c){{3}}$", words.join("|")))
        .size_limit(1 << 26)
        .build()?;
    black_box(
        pattern
            .captures_iter(&"abc12312 xy7712 ".repeat(20))
            .count(),
    );
    Ok(())
}

fn csv() -> Done {
    let text = "name,age\n".repeat(1000);
    black_box(
        csv::Reader::from_reader(text.as_bytes())
            .into_records()
            .count(),
    );
    Ok(())
}

fn flate2() -> Done {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&[7; 10_000])?;
    let packed = encoder.finish()?;
    let mut decoder = flate2::read::GzDecoder::new(&packed[..]);
    std::io::copy(&mut decoder, &mut std::io::sink())?;
    Ok(())
}

fn sha2() -> Done {
    use sha2::Digest as _;
    black_box(sha2::Sha512::digest([7; 1000]));
    Ok(())
}

fn argon2() -> Done {
    let mut key = [0; 32];
    let small = argon2::Params::new(64, 1, 1, None).map_err(|error| error.to_string())?;
    argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, small)
        .hash_password_into(b"password", b"salt and more", &mut key)
        .map_err(|error| error.to_string())?;
    Ok(())
}

fn bcrypt() -> Done {
    black_box(bcrypt::hash("password", 4)?);
    Ok(())
}

fn image() -> Done {
    let picture = image::imageops::blur(&image::RgbImage::new(32, 32), 2.0);
    let mut png = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut png, image::ImageFormat::Png)?;
    black_box(image::load_from_memory(png.get_ref())?);
    Ok(())
}

fn clap() -> Done {
    let command = clap::Command::new("tool")
        .subcommand(clap::Command::new("run").arg(clap::arg!(--name <NAME>)));
    command
        .clone()
        .try_get_matches_from(["tool", "run", "--name", "x"])?;
    let refused = command.try_get_matches_from(["tool", "fly"]);
    black_box(refused.err().map(|error| error.to_string()));
    Ok(())
}

fn rusqlite() -> Done {
    let database = rusqlite::Connection::open_in_memory()?;
    database.execute_batch(
        "create table a (n primary key, t); create index i on a (t);
         insert into a values (1, 'one'), (2, 'two');",
    )?;
    let query = "select count(*) from a join a as b on a.n < b.n where a.t like '%o%' group by a.t order by b.t";
    let count: i64 = database.query_row(query, [], |row| row.get(0))?;
    black_box(count);
    Ok(())
}

fn env_logger() -> Done {
    env_logger::Builder::new()
        .filter_level(log::LevelFilter::Info)
        .try_init()?;
    log::info!("{:?}", [1, 2, 3]);
    Ok(())
}

fn tracing() -> Done {
    tracing::subscriber::with_default(tracing_subscriber::fmt().finish(), || {
        let span = tracing::info_span!("span", number = 7);
        span.in_scope(|| tracing::info!(text = "text", "{:?}", [1, 2, 3]));
    });
    Ok(())
}

/// Nobody listens there.
fn nobody() -> std::io::Result<std::net::SocketAddr> {
    std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()
}

fn reqwest() -> Done {
    black_box(reqwest::blocking::get(format!("http://{}/", nobody()?)).is_err());
    Ok(())
}

fn ureq() -> Done {
    black_box(ureq::get(format!("http://{}/", nobody()?)).call().is_err());
    Ok(())
}

fn postgres() -> Done {
    let mut config = postgres::Config::new();
    config
        .host("127.0.0.1")
        .port(nobody()?.port())
        .user("nobody");
    black_box(config.connect(postgres::NoTls).is_err());
    Ok(())
}
