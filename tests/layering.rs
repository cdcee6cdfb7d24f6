//! The walls of the house: a room imports only from rooms below it.
//!
//! The table below is the one of ARCHITECTURE.md. Names taken from the crate's
//! root count too: they would be a way round the walls.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

/// Layers, lowest first. Rooms of one layer do not know each other.
const LAYERS: &[&[&str]] = &[
    &["sys", "id", "error", "panic", "awaitable"],
    &["coroutine", "timer", "reactor", "thread_pool"],
    &["generator"],
    &["scheduler"],
    &["task", "time", "sync", "unblock", "io"],
    &["net", "fs", "process", "signal", "scope", "select"],
    &["relay"],
    &["testing"],
];

/// Names that live in these rooms only.
const HOMES: &[(&str, &[&str])] = &[
    ("libc::", &["sys"]),
    ("corosensei::", &["coroutine"]),
    ("socket2::", &["sys", "net"]),
    ("signal_hook_registry::", &["sys"]),
];

/// The rooms that may keep something for a thread, and nobody else. The last one does
/// under loom alone.
const THREAD_LOCALS: &[&str] = &[
    "src/coroutine/pool.rs",
    "src/scheduler/current.rs",
    "src/sys/threads.rs",
];

fn layer(room: &str) -> Option<usize> {
    LAYERS.iter().position(|rooms| rooms.contains(&room))
}

/// The source without comments, doc comments and the text of strings.
fn code(source: &str) -> String {
    let mut code = String::new();
    for line in source.lines() {
        let mut quoted = false;
        let mut previous = ' ';
        for (at, letter) in line.char_indices() {
            if letter == '"' && previous != '\\' && previous != '\'' {
                quoted = !quoted;
            }
            if !quoted && line[at..].starts_with("//") {
                break;
            }
            if !quoted {
                code.push(letter);
            }
            previous = letter;
        }
        code.push('\n');
    }
    code
}

/// Every name that follows `crate::`, also inside braces.
fn imports(code: &str) -> Vec<String> {
    let name = |text: &str| -> String {
        text.chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect()
    };
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        // A macro's `$crate::` is said by its user.
        if code[..at].ends_with('$') {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            None => found.push(name(rest)),
            Some(list) => {
                let mut depth = 0;
                let mut start = true;
                for (at, letter) in list.char_indices() {
                    match letter {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => start = true,
                        c if start && depth == 0 && (c.is_alphanumeric() || c == '_') => {
                            found.push(name(&list[at..]));
                            start = false;
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    found
}

/// What a file of `room` does that it must not.
fn violations(room: &str, source: &str) -> Vec<String> {
    let code = code(source);
    let mut found = Vec::new();
    let own = layer(room).unwrap_or_else(|| panic!("the room {room} has no layer"));
    for import in imports(&code) {
        match layer(&import) {
            _ if import == room => {}
            Some(other) if other < own => {}
            Some(_) => found.push(format!("{room} imports {import}, which is not below it")),
            None => found.push(format!("{room} imports {import} from the crate's root")),
        }
    }
    for (name, home) in HOMES {
        if code.contains(name) && !home.contains(&room) {
            found.push(format!("{room} names {name}, which lives in {home:?}"));
        }
    }
    found
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
    found
}

#[test]
fn rooms_import_only_from_below() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut seen = 0;
    for path in sources(&root.join("src")) {
        let inside = path.strip_prefix(root.join("src")).unwrap();
        let first = inside
            .components()
            .next()
            .unwrap()
            .as_os_str()
            .to_str()
            .unwrap();
        let room = first.trim_end_matches(".rs");
        if room == "lib" {
            continue;
        }
        seen += 1;
        let source = fs::read_to_string(&path).unwrap();
        for violation in violations(room, &source) {
            found.push(format!("{}: {violation}", inside.display()));
        }
        let name = path.strip_prefix(root).unwrap().to_str().unwrap();
        if code(&source).contains("thread_local!") && !THREAD_LOCALS.contains(&name) {
            found.push(format!(
                "{}: keeps something for a thread",
                inside.display()
            ));
        }
    }
    assert!(seen > 30, "only {seen} sources were found");
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_broken_wall_is_seen() {
    let broken = [
        ("timer", "use crate::scheduler::park;"),
        ("reactor", "use crate::timer::Clock;"),
        ("sync", "let x = crate::net::TcpStream::connect(a);"),
        ("scheduler", "use crate::{timer::Clock, task::run};"),
        ("generator", "use crate::Coroutine;"),
        ("net", "unsafe { libc::close(fd) }"),
        ("task", "use corosensei::Coroutine;"),
    ];
    for (room, source) in broken {
        assert_eq!(violations(room, source).len(), 1, "{room}: {source}");
    }
    let sound = [
        (
            "scheduler",
            "use crate::{timer::{Clock, Instant}, sys::clock};",
        ),
        (
            "coroutine",
            "use crate::coroutine::pool; // crate::task is above",
        ),
        (
            "sys",
            "/// See [`crate::Builder`].\nlibc::close(fd); let s = \"crate::net\";",
        ),
    ];
    for (room, source) in sound {
        assert_eq!(
            violations(room, source),
            Vec::<String>::new(),
            "{room}: {source}"
        );
    }
}
