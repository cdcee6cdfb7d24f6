//! What `docs/blocking.md` says is what the trials find.

use std::error::Error;
use std::process::Command;

#[test]
fn the_documentation_has_what_was_found() -> Result<(), Box<dyn Error>> {
    let output = Command::new(env!("CARGO_BIN_EXE_blocking")).output()?;
    let (found, failed) = (
        String::from_utf8(output.stdout)?,
        String::from_utf8(output.stderr)?,
    );
    assert!(output.status.success(), "{failed}");
    let documented = include_str!("../../../docs/blocking.md");
    assert_eq!(tables(documented), tables(&found));
    Ok(())
}

/// The rows, and the titles above them; and what was tried.
fn tables(text: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut title = "";
    for line in text.lines() {
        if line.starts_with("## ") {
            title = line;
        } else if line.starts_with("| call ") {
            lines.push(title);
        } else if line.starts_with('|') || line.starts_with("Tried with ") {
            lines.push(line);
        }
    }
    lines
}
