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
        list(f, "Tables", &self.tables)?;
        if let Some(documents) = &self.documents {
            writeln!(
                f,
                "Documents: {} read ({} resources), {} not",
                documents.read, documents.resources, documents.unread
            )?;
        }
        if let Some(sample) = &self.sample {
            writeln!(
                f,
                "Records of {} patients, as they would be ({} made):",
                sample.patients, sample.records
            )?;
            for section in &sample.sections {
                write!(f, "  {}: {} entries", section.section.title(), section.items)?;
                write!(f, " of {} patients", section.patients)?;
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
        write!(f, "{} ({kind}, {} files", self.name, self.files)?;
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
        write!(f, "{}: {} rows", self.name, self.rows)?;
        let counts =
            [(self.removed, "deletions"), (self.ignored, "not kept"), (self.bad_rows, "cannot be read")];
        for (count, what) in counts.into_iter().filter(|(count, _)| *count > 0) {
            write!(f, ", {count} {what}")?;
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
