//! `lifeboat feed inspect`: says what a source is before it is trusted. Nothing is written.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use lifeboat_feeds::inspect::{InspectOptions, Inspection, SourceFiles as _, inspect, inspect_as};
use lifeboat_feeds::recognise::is_impersonal;
use lifeboat_feeds::{Format, Rules};
use serde_json::Value;

use crate::clock;
use crate::engine::{EngineError, SourceError, SourceFiles, UnreadableInput};
use crate::error::{CommandError, ExitStatus};
use crate::feeds::table_feeds;
use crate::output::{Report, to_json};

/// What was found.
struct Found {
    path: PathBuf,
    inspection: Inspection,
    files: usize,
    /// What could not be opened, and why.
    unreadable: Vec<String>,
}

impl Report for Found {
    fn json(&self) -> Value {
        let mut json = to_json(&self.inspection);
        json["path"] = to_json(&self.path);
        json["unreadable"] = to_json(&self.unreadable);
        json
    }

    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}\n", self.path.display())?;
        write!(out, "{}", self.inspection)?;
        if !self.unreadable.is_empty() {
            writeln!(out, "Cannot be opened:")?;
        }
        self.unreadable.iter().try_for_each(|unreadable| writeln!(out, "  {unreadable}"))?;
        if self.files == 0 && self.unreadable.is_empty() {
            writeln!(out, "There are no files here.")?;
        }
        Ok(())
    }

    fn exit(&self) -> ExitStatus {
        let is_of_use = self.inspection.format.is_some() && !self.inspection.is_empty();
        if is_of_use { ExitStatus::Ok } else { ExitStatus::Failed }
    }
}

/// Looks a file or folder through.
pub(super) fn run(path: &Path, format: Option<Format>) -> Result<Box<dyn Report>, CommandError> {
    let source = SourceFiles::of(path).map_err(|error| match error {
        SourceError::Unreadable { path, source } => {
            CommandError::Read { what: "file or folder to inspect", path, source }
        }
        other => EngineError::from(other).into(),
    })?;
    let options = InspectOptions::new(Rules::default(), clock::practice_date(clock::now()));
    let feeds = table_feeds();
    let inspection = match format {
        Some(format) => inspect_as(format, &feeds, &source, &options),
        None => inspect(&feeds, &source, &options),
    };
    let unreadable = source.unreadable().iter().map(unreadable).collect();
    let files = source.files().len();
    Ok(Box::new(Found { path: path.to_owned(), inspection, files, unreadable }))
}

/// Names an input that could not be opened, unless its kind is one that is named after patients.
fn unreadable(input: &UnreadableInput) -> String {
    let name = input.file.rsplit('/').next().unwrap_or(&input.file);
    let file = if is_impersonal(name) { &input.file } else { "a file" };
    format!("{file}: {}", input.reason)
}
