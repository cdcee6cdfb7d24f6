//! Which calls block the whole thread of a runtime? Tried, and printed as the tables of
//! `docs/blocking.md`.
//!
//! ```text
//! cargo run                # all
//! cargo run -- recv        # the rows with "recv" in their names
//! ```
//!
//! Rows are in `rows/`, one function a call; `trial.rs` says how they are judged. Nothing
//! here leaves this machine: servers are plain threads on loopback.

mod rows;
mod trial;

use std::error::Error;
use std::io::Write;

use trial::{Found, Row};

fn main() -> Result<(), Box<dyn Error>> {
    let wanted = std::env::args().nth(1).unwrap_or_default();
    let mut failed = 0;
    // Gathered first: some trials put pipes in the place of standard output.
    let mut text = Vec::new();
    for (title, rows) in rows::tables() {
        writeln!(text, "## {title}\n")?;
        writeln!(text, "| call | beside other tasks | instead |")?;
        writeln!(text, "|---|---|---|")?;
        for row in rows.iter().filter(|row| row.call.contains(&wanted)) {
            match tried(row) {
                Ok(alone) => writeln!(text, "| {} | {alone} | {} |", row.call, row.instead.text())?,
                Err(why) => {
                    failed += 1;
                    eprintln!("{}: {why}", row.call);
                }
            }
        }
        writeln!(text)?;
    }
    writeln!(text, "Tried with {}.", versions())?;
    std::io::stdout().write_all(&text)?;
    if failed > 0 {
        return Err(format!("{failed} trials failed").into());
    }
    Ok(())
}

/// What the call does alone, if what is to be called instead waits.
fn tried(row: &Row) -> Result<Found, String> {
    let alone = row.try_alone()?;
    match row.try_instead() {
        None | Some(Ok(Found::Waits)) => Ok(alone),
        Some(Ok(other)) => Err(format!("what is to be called instead {other}")),
        Some(Err(why)) => Err(format!("what is to be called instead: {why}")),
    }
}

/// The crates that were tried, as the lock file has them.
fn versions() -> String {
    let (manifest, lock) = (include_str!("../Cargo.toml"), include_str!("../Cargo.lock"));
    let tried = between(manifest, "# Tried", "# For the trials");
    let ours = between(lock, "name = \"blocking\"", "[[package]]");
    let versions = tried.lines().filter_map(|line| {
        let name = line.split_once(" = ")?.0;
        // Where there are several the lock file says which.
        let version = match between(ours, &format!("\"{name} "), "\"") {
            "" => between(lock, &format!("name = \"{name}\"\nversion = \""), "\""),
            which => which,
        };
        Some(format!("{name} {version}"))
    });
    versions.collect::<Vec<_>>().join(", ")
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let rest = text.split_once(before).map_or("", |halves| halves.1);
    rest.split_once(after).map_or(rest, |halves| halves.0)
}
