//! What a command says: a result for people or for programs on standard output, progress on standard error.
//!
//! Every command ends in a [`Report`]. For people it is text; with `--json` it is one object:
//! `{"command": …, "exit_code": …, "result": {…}}`, or with `"error": {…}` in place of the result.

mod human;
mod progress;

use std::io::{self, IsTerminal as _, Write};

use serde::Serialize;
use serde_json::{Value, json};

pub use self::human::{age_text, bytes_text, count_text};
pub use self::progress::{Bars, Unit};
use crate::error::{CommandError, ExitStatus};

/// The result of a command.
pub trait Report {
    /// Returns the result as one JSON object.
    fn json(&self) -> Value;

    /// Writes the result for a person.
    fn human(&self, out: &mut dyn Write) -> io::Result<()>;

    /// Returns how the command ends.
    fn exit(&self) -> ExitStatus {
        ExitStatus::Ok
    }
}

/// Turns a result into the JSON value that a report needs.
pub fn to_json<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or(Value::Null)
}

/// How much a command says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Volume {
    /// Nothing but errors.
    Quiet,
    /// The result.
    Normal,
    /// The result and what the program did on the way.
    Verbose,
}

/// How a command speaks to its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Output {
    /// Whether results are for people or programs.
    pub form: Form,
    /// How much is said.
    pub volume: Volume,
    /// Whether progress is drawn when standard error is a terminal.
    pub progress: ProgressChoice,
}

/// Whether results are for people or programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Text.
    Human,
    /// One JSON object.
    Json,
}

/// Whether progress is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProgressChoice {
    /// When standard error is a terminal.
    Terminal,
    /// Never.
    Never,
}

impl Output {
    /// Returns the bars that this output draws: none unless a person is watching.
    pub fn bars(&self) -> Bars {
        let watched = self.progress == ProgressChoice::Terminal
            && self.volume != Volume::Quiet
            && self.form == Form::Human
            && io::stderr().is_terminal();
        if watched { Bars::drawn() } else { Bars::silent() }
    }

    /// Writes the end of a command and returns its exit status.
    pub fn finish(&self, command: &str, outcome: Result<Box<dyn Report>, CommandError>) -> ExitStatus {
        let status = match &outcome {
            Ok(report) => report.exit(),
            Err(error) => error.exit(),
        };
        let written = match (self.form, outcome) {
            (Form::Json, Ok(report)) => self.write_json(&json!({
                "command": command,
                "exit_code": status.code(),
                "result": report.json(),
            })),
            (Form::Json, Err(error)) => self.write_json(&json!({
                "command": command,
                "exit_code": status.code(),
                "error": error.to_json(),
            })),
            (Form::Human, Ok(report)) => self.write_human(report.as_ref()),
            (Form::Human, Err(error)) => error.write(&mut io::stderr().lock()),
        };
        match written {
            Ok(()) => status,
            // Whoever read our output has had enough of it, as `head` does.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => status,
            Err(_) => ExitStatus::Failed,
        }
    }

    fn write_human(&self, report: &dyn Report) -> io::Result<()> {
        if self.volume == Volume::Quiet {
            return Ok(());
        }
        let mut out = io::stdout().lock();
        report.human(&mut out)?;
        out.flush()
    }

    fn write_json(&self, value: &Value) -> io::Result<()> {
        let mut out = io::stdout().lock();
        serde_json::to_writer_pretty(&mut out, value)?;
        out.write_all(b"\n")?;
        out.flush()
    }
}
