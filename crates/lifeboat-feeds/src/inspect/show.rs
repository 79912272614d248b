//! An inspection as text for people.

use std::fmt;

use super::{BatchInspection, Inspection, ProblemCount, TableInspection};
use crate::batch::BatchKind;

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.format, &self.not_recognised) {
            (Some(format), _) => writeln!(f, "Format: {} ({format})", format.title())?,
            (None, why) => writeln!(f, "Format: not recognised: {}", why.as_deref().unwrap_or_default())?,
        }
        list(f, "Evidence", &self.evidence)?;
        list(f, "Version", &self.version)?;
        list(f, "Batches, as if none had been applied before", &self.batches)?;
        if self.lacks_batches() {
            writeln!(f, "Batches: none; no file here is a table of this format that belongs to a batch")?;
        }
        list(f, "Tables", &self.tables)?;
        if let Some(documents) = &self.documents {
            writeln!(
                f,
                "Documents: {} read ({}), {} not",
                documents.read,
                counted(documents.resources, "resource", "resources"),
                documents.unread
            )?;
        }
        if let Some(sample) = &self.sample {
            writeln!(
                f,
                "Records of the first {} as they would be, {} made:",
                counted(sample.patients, "patient", "patients"),
                sample.records
            )?;
            for section in &sample.sections {
                let items = counted(section.items, "entry", "entries");
                write!(f, "  {}: {items}", section.section.title())?;
                if section.items > 0 {
                    write!(f, " of {}", counted(section.patients, "patient", "patients"))?;
                }
                if section.not_supplied > 0 {
                    write!(f, "; not supplied for {}", section.not_supplied)?;
                }
                if section.withheld > 0 {
                    write!(f, "; withheld for {}", section.withheld)?;
                }
                writeln!(f)?;
            }
        }
        list(f, "Left out, or shown among other items", &self.left_out)?;
        list(f, "Problems", &self.problems)
    }
}

/// Writes a count with its noun.
pub(super) fn counted(count: u64, one: &str, several: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { several })
}

fn list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, title: &str, items: &[T]) -> fmt::Result {
    if items.is_empty() {
        return Ok(());
    }
    writeln!(f, "{title}:")?;
    items.iter().try_for_each(|item| writeln!(f, "  {item}"))
}

impl fmt::Display for BatchInspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            BatchKind::Full => "full",
            BatchKind::Delta => "changes",
            BatchKind::Unsaid => "full or changes, it does not say",
        };
        let name = if self.name.is_empty() { "the files here" } else { &self.name };
        write!(f, "{name} ({kind}, {}", counted(self.files as u64, "file", "files"))?;
        if let Some(exported) = &self.exported {
            write!(f, ", exported {exported}")?;
        }
        if let Some(practice) = &self.practice {
            write!(f, ", of {practice}")?;
        }
        write!(f, "): {}", self.decision)
    }
}

impl fmt::Display for TableInspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, counted(self.rows, "row", "rows"))?;
        if self.removed > 0 {
            write!(f, ", {}", counted(self.removed, "deletion", "deletions"))?;
        }
        for (count, what) in [(self.ignored, "not kept"), (self.bad_rows, "cannot be read")] {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        if self.unread_files > 0 {
            write!(f, ", {} of {} files not read", self.unread_files, self.files)?;
        }
        if !self.missing_columns.is_empty() {
            write!(f, "; without {}", self.missing_columns.join(", "))?;
        }
        if !self.unknown_columns.is_empty() {
            write!(f, "; not known: {}", self.unknown_columns.join(", "))?;
        }
        if !self.sections.is_empty() {
            let titles: Vec<&str> = self.sections.iter().map(|section| section.title()).collect();
            write!(f, "; feeds {}", titles.join(", "))?;
        }
        Ok(())
    }
}

impl fmt::Display for ProblemCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} × {}", self.count, self.what)?;
        if self.first.is_empty() { Ok(()) } else { write!(f, " (first: {})", self.first) }
    }
}
