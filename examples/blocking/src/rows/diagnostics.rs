//! Logs and progress bars, which write to something that may be slow.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use log::Log;

use super::row;
use super::system::full_pipe;
use crate::trial::{Gate, Instead, Kind, Row, Tried};

pub(crate) fn rows() -> Vec<Row> {
    use Kind::HeldBack;
    let instead = || {
        Instead::UnblockAnd("fine to a disk or a terminal; else a logger with a thread of its own")
    };
    vec![
        row(
            "`log` with `env_logger`, to a pipe that is full",
            HeldBack,
            env_logger,
            instead(),
        ),
        row(
            "`tracing` with `tracing_subscriber::fmt`, to a pipe that is full",
            HeldBack,
            tracing,
            instead(),
        ),
        row(
            "`indicatif`, to a terminal that is stopped",
            HeldBack,
            indicatif,
            instead(),
        ),
    ]
}

fn env_logger(gate: &Arc<Gate>) -> Tried {
    let (writer, long) = full_pipe(gate)?;
    let logger = env_logger::Builder::new()
        .filter_level(log::LevelFilter::Info)
        .target(env_logger::Target::Pipe(Box::new(writer)))
        .build();
    gate.during(|| {
        let mut record = log::Record::builder();
        record.level(log::Level::Info);
        logger.log(&record.args(format_args!("{long}")).build());
    });
    Ok(())
}

fn tracing(gate: &Arc<Gate>) -> Tried {
    let (writer, long) = full_pipe(gate)?;
    let subscriber = tracing_subscriber::fmt()
        .with_writer(Mutex::new(writer))
        .finish();
    tracing::subscriber::with_default(subscriber, || {
        gate.during(|| tracing::info!("{long}"));
    });
    Ok(())
}

fn indicatif(gate: &Arc<Gate>) -> Tried {
    let (writer, long) = full_pipe(gate)?;
    let terminal = Box::new(Terminal(Mutex::new(writer)));
    let target = indicatif::ProgressDrawTarget::term_like(terminal);
    let bar = indicatif::ProgressBar::with_draw_target(Some(10), target);
    gate.during(|| bar.println(long));
    Ok(())
}

/// A terminal at the other end of a pipe.
#[derive(Debug)]
struct Terminal(Mutex<io::PipeWriter>);

impl Terminal {
    fn write(&self, text: &str) -> io::Result<()> {
        let mut writer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        writer.write_all(text.as_bytes())
    }
}

impl indicatif::TermLike for Terminal {
    fn width(&self) -> u16 {
        80
    }
    fn move_cursor_up(&self, _: usize) -> io::Result<()> {
        Ok(())
    }
    fn move_cursor_down(&self, _: usize) -> io::Result<()> {
        Ok(())
    }
    fn move_cursor_right(&self, _: usize) -> io::Result<()> {
        Ok(())
    }
    fn move_cursor_left(&self, _: usize) -> io::Result<()> {
        Ok(())
    }
    fn write_line(&self, text: &str) -> io::Result<()> {
        self.write(text)
    }
    fn write_str(&self, text: &str) -> io::Result<()> {
        self.write(text)
    }
    fn clear_line(&self) -> io::Result<()> {
        Ok(())
    }
    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}
