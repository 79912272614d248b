//! `lifeboat feed inspect`: says what a source is before it is trusted. Nothing is written.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use lifeboat_feeds::inspect::{InspectOptions, Inspection, inspect, inspect_as};
use lifeboat_feeds::{Format, Rules};
use serde_json::Value;

use crate::clock;
use crate::engine::{EngineError, SourceFiles};
use crate::error::{CommandError, ExitStatus};
use crate::feeds::table_feeds;
use crate::output::{Report, to_json};

/// What was found.
struct Found {
    path: PathBuf,
    inspection: Inspection,
}

impl Report for Found {
    fn json(&self) -> Value {
        let mut json = to_json(&self.inspection);
        json["path"] = to_json(&self.path);
        json
    }

    fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}\n", self.path.display())?;
        write!(out, "{}", self.inspection)
    }

    fn exit(&self) -> ExitStatus {
        if self.inspection.format.is_some() { ExitStatus::Ok } else { ExitStatus::Failed }
    }
}

/// Looks a file or folder through.
pub(super) fn run(path: &Path, format: Option<Format>) -> Result<Box<dyn Report>, CommandError> {
    let source = SourceFiles::of(path).map_err(EngineError::from)?;
    let options = InspectOptions::new(Rules::default(), clock::practice_date(clock::now()));
    let feeds = table_feeds();
    let inspection = match format {
        Some(format) => inspect_as(format, &feeds, &source, &options),
        None => inspect(&feeds, &source, &options),
    };
    Ok(Box::new(Found { path: path.to_owned(), inspection }))
}
