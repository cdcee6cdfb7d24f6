//! Files, processes, and the standard streams.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::row;
use crate::trial::{Gate, Instead, Kind, Row, Tried};

pub(crate) fn rows() -> Vec<Row> {
    use Kind::{HeldBack, Outside};
    vec![
        row(
            "`std::fs`, a file on a disk",
            Outside,
            disk,
            Instead::Own("`fs`", disk_own),
        ),
        row(
            "`std::fs`, a FIFO or a terminal",
            HeldBack,
            fifo,
            Instead::Own("`fs`, or a thread of its own", fifo_own),
        ),
        row("`walkdir`", Outside, walk, Instead::Unblock),
        row(
            "`std::process::Command`: `output`, `status`",
            HeldBack,
            output,
            Instead::Own("`process::Command`", output_own),
        ),
        row(
            "`std::process::Child`: `wait`, `wait_with_output`",
            HeldBack,
            wait,
            Instead::Own("`process::Child`", wait_own),
        ),
        row(
            "`std::io::stdin`",
            HeldBack,
            stdin,
            Instead::Own("`io::stdin`", stdin_own),
        ),
        row(
            "`println!`, `eprintln!` to a pipe that is full",
            HeldBack,
            print,
            Instead::Own("`writeln!` to `io::stdout()`, `io::stderr()`", print_own),
        ),
    ]
}

/// A folder that is removed when it is dropped.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> io::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("greenroom-blocking-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path)?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // One that stays is the system's to remove.
        let _stays = fs::remove_dir_all(&self.0);
    }
}

fn disk(gate: &Arc<Gate>) -> Tried {
    let folder = Folder::new()?;
    let path = folder.path().join("file");
    fs::write(&path, vec![7; 4 << 20])?;
    gate.during(|| fs::read(path))?;
    Ok(())
}

fn disk_own(gate: &Arc<Gate>) -> Tried {
    let folder = Folder::new()?;
    let path = folder.path().join("file");
    fs::write(&path, vec![7; 4 << 20])?;
    gate.during(|| greenroom::fs::read(path))?;
    Ok(())
}

fn walk(gate: &Arc<Gate>) -> Tried {
    let folder = Folder::new()?;
    (0..20).try_for_each(|n| fs::write(folder.path().join(n.to_string()), "text"))?;
    let found = gate.during(|| walkdir::WalkDir::new(folder.path()).into_iter().count());
    if found == 21 {
        Ok(())
    } else {
        Err("not all was found".into())
    }
}

fn make_fifo(folder: &Folder) -> Result<PathBuf, Box<dyn std::error::Error + Send + Sync>> {
    let path = folder.path().join("fifo");
    let made = Command::new("mkfifo").arg(&path).status()?;
    if made.success() {
        Ok(path)
    } else {
        Err("no FIFO could be made".into())
    }
}

/// Opens the end of a FIFO that is written to, and closes it.
fn hang_up(other_end: &Path) -> Tried {
    File::options().write(true).open(other_end)?;
    Ok(())
}

fn fifo(gate: &Arc<Gate>) -> Tried {
    let folder = Folder::new()?;
    let path = make_fifo(&folder)?;
    let other_end = path.clone();
    gate.then(move || hang_up(&other_end));
    gate.during(|| fs::read(path))?;
    Ok(())
}

fn fifo_own(gate: &Arc<Gate>) -> Tried {
    let folder = Folder::new()?;
    let path = make_fifo(&folder)?;
    let other_end = path.clone();
    gate.then(move || hang_up(&other_end));
    gate.during(|| greenroom::fs::read(path))?;
    Ok(())
}

fn output(gate: &Arc<Gate>) -> Tried {
    let folder = Folder::new()?;
    let path = make_fifo(&folder)?;
    let other_end = path.clone();
    gate.then(move || hang_up(&other_end));
    gate.during(|| Command::new("cat").arg(path).output())?;
    Ok(())
}

fn output_own(gate: &Arc<Gate>) -> Tried {
    let folder = Folder::new()?;
    let path = make_fifo(&folder)?;
    let other_end = path.clone();
    gate.then(move || hang_up(&other_end));
    gate.during(|| greenroom::process::Command::new("cat").arg(path).output())?;
    Ok(())
}

fn wait_own(gate: &Arc<Gate>) -> Tried {
    let mut child = greenroom::process::Command::new("cat")
        .stdin(Stdio::piped())
        .spawn()?;
    let input = child.stdin.take();
    gate.then(move || {
        drop(input);
        Ok(())
    });
    gate.during(|| child.wait())?;
    Ok(())
}

fn wait(gate: &Arc<Gate>) -> Tried {
    let mut child = Command::new("cat").stdin(Stdio::piped()).spawn()?;
    let input = child.stdin.take();
    gate.then(move || {
        drop(input);
        Ok(())
    });
    gate.during(|| child.wait())?;
    Ok(())
}

/// A pipe in the place of standard input, with a line in it when the gate opens.
fn with_input(gate: &Arc<Gate>, read: impl FnOnce(&mut String) -> io::Result<usize>) -> Tried {
    let (reader, mut writer) = io::pipe()?;
    let before = rustix::io::dup(io::stdin())?;
    rustix::stdio::dup2_stdin(reader)?;
    gate.then(move || Ok(writer.write_all(b"text\n")?));
    let read = gate.during(|| read(&mut String::new()));
    rustix::stdio::dup2_stdin(before)?;
    read?;
    Ok(())
}

fn stdin(gate: &Arc<Gate>) -> Tried {
    with_input(gate, |line| io::stdin().read_line(line))
}

fn stdin_own(gate: &Arc<Gate>) -> Tried {
    with_input(gate, |line| greenroom::io::stdin().read_line(line))
}

/// A pipe in the place of standard output, which is read from when the gate opens.
fn with_output(gate: &Arc<Gate>, print: impl FnOnce(&str) -> io::Result<()>) -> Tried {
    let (mut reader, writer) = io::pipe()?;
    let before = rustix::io::dup(io::stdout())?;
    rustix::stdio::dup2_stdout(writer)?;
    // Until both ends that write are closed: the one above, and standard output.
    gate.then(move || {
        io::copy(&mut reader, &mut io::sink())?;
        Ok(())
    });
    let long = "x".repeat(1 << 20);
    let printed = gate.during(|| print(&long));
    rustix::stdio::dup2_stdout(before)?;
    Ok(printed?)
}

fn print(gate: &Arc<Gate>) -> Tried {
    with_output(gate, |text| {
        println!("{text}");
        Ok(())
    })
}

fn print_own(gate: &Arc<Gate>) -> Tried {
    with_output(gate, |text| writeln!(greenroom::io::stdout(), "{text}"))
}

/// A pipe that is read from when the gate opens, and more text than fits into it.
pub(crate) fn full_pipe(gate: &Arc<Gate>) -> io::Result<(io::PipeWriter, String)> {
    let (mut reader, writer) = io::pipe()?;
    gate.then(move || {
        reader.read_to_end(&mut Vec::new())?;
        Ok(())
    });
    Ok((writer, "x".repeat(1 << 20)))
}
