//! Looks a source through before it is used: what it is, what is in it, what would be left out, and why.
//!
//! Everything is counted and nothing is kept; of a feed of tables some patients' rows are held for a moment, so that their
//! records can be made and it can be said into which sections the entries go. An inspection holds names of tables,
//! columns and batches, and counts; it holds nothing about any patient.

mod documents;
mod show;
mod tables;
mod version;

use std::collections::BTreeMap;
use std::io::{self, Read};

use jiff::civil::Date;
use lifeboat_clinical::SectionId;
use serde::Serialize;

use crate::archive::ArchiveLimits;
use crate::batch::{BatchKind, FileFacts, ReadHead};
use crate::feed::TableFeed;
use crate::format::Format;
use crate::problem::Problem;
use crate::recognise::{Evidence, recognise};
use crate::rules::Rules;
use crate::table::TableLimits;

/// Gives the files of a source; the entries of archives count as files.
pub trait SourceFiles: ReadHead {
    /// Returns the files.
    fn files(&self) -> &[FileFacts];

    /// Opens the file at this place of the list.
    ///
    /// # Errors
    /// The file cannot be opened.
    fn open(&self, file: usize) -> io::Result<Box<dyn Read + '_>>;
}

/// How a source is looked through.
#[derive(Clone, Debug)]
pub struct InspectOptions {
    /// The site's rules.
    pub rules: Rules,
    /// The day for which records are made.
    pub today: Date,
    /// Of how many patients records are made to see where their entries go.
    pub patients_max: usize,
    /// How much of a table is held.
    pub table_limits: TableLimits,
    /// How much a packed file may hold.
    pub archive_limits: ArchiveLimits,
}

impl InspectOptions {
    /// Returns the usual options.
    pub fn new(rules: Rules, today: Date) -> Self {
        let (table_limits, archive_limits) = (TableLimits::default(), ArchiveLimits::default());
        Self { rules, today, patients_max: 50, table_limits, archive_limits }
    }
}

/// What a source is and what is in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Inspection {
    /// Its format.
    pub format: Option<Format>,
    /// Why its format is not known.
    pub not_recognised: Option<String>,
    /// What the format was recognised by, and what else was found.
    pub evidence: Vec<Evidence>,
    /// How many files are encrypted.
    pub encrypted: u64,
    /// What tells the version of the format.
    pub version: Vec<String>,
    /// The batches, in their order.
    pub batches: Vec<BatchInspection>,
    /// The tables, by name.
    pub tables: Vec<TableInspection>,
    /// The documents, where the format has documents.
    pub documents: Option<DocumentInspection>,
    /// What became of some patients' entries.
    pub sample: Option<SampleInspection>,
    /// What would be left out, and why.
    pub left_out: Vec<String>,
    /// What could not be read, by kinds.
    pub problems: Vec<ProblemCount>,
}

/// One batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BatchInspection {
    /// What names it.
    pub name: String,
    /// Whether it is full.
    pub kind: BatchKind,
    /// What it is sorted by.
    pub order: String,
    /// When it was exported.
    pub exported: Option<String>,
    /// Whose extract it is.
    pub practice: Option<String>,
    /// How many files it has.
    pub files: usize,
    /// Whether it would apply if nothing had been applied before, and why.
    pub decision: String,
}

/// One table, in all batches together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TableInspection {
    /// Its name.
    pub name: String,
    /// How many files hold it.
    pub files: u64,
    /// How many of them could not be read at all.
    pub unread_files: u64,
    /// Rows, well read or not.
    pub rows: u64,
    /// Rows that could not be read, or that lack what they must have.
    pub bad_rows: u64,
    /// Lines that were lost besides.
    pub lost_lines: u64,
    /// Rows that are put into records or tables.
    pub put: u64,
    /// Rows that take others out.
    pub removed: u64,
    /// Rows that are known and not kept.
    pub ignored: u64,
    /// Columns that are not known; their values are not kept.
    pub unknown_columns: Vec<String>,
    /// Columns that are known and not there.
    pub missing_columns: Vec<String>,
    /// The sections that would be "not supplied" without it.
    pub sections: Vec<SectionId>,
}

/// The documents of a source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DocumentInspection {
    /// How many can be read.
    pub read: u64,
    /// How many cannot.
    pub unread: u64,
    /// How many resources they hold, once they are FHIR R4.
    pub resources: u64,
}

/// What became of some patients' entries.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SampleInspection {
    /// How many patients were looked at.
    pub patients: u64,
    /// How many of them have a record.
    pub records: u64,
    /// How many entries went into each section, and of how many patients the section is withheld in part or whole.
    pub sections: Vec<SectionSample>,
    /// What kinds of entries went to "other items", and how many.
    pub other_items: BTreeMap<String, u64>,
}

/// What went into one section.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SectionSample {
    /// The section.
    pub section: SectionId,
    /// Entries of all patients.
    pub items: u64,
    /// Patients with at least one.
    pub patients: u64,
    /// Patients of whom some or all entries are left out.
    pub withheld: u64,
    /// Patients for whom the section is not supplied.
    pub not_supplied: u64,
}

/// One kind of problem.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProblemCount {
    /// What is wrong.
    pub what: String,
    /// How often.
    pub count: u64,
    /// Where first: a row of a table, a file of lines, or a document by the place of its file among all.
    pub first: String,
}

/// Looks a source through.
pub fn inspect(feeds: &[&dyn TableFeed], source: &dyn SourceFiles, options: &InspectOptions) -> Inspection {
    let recognition = recognise(feeds, source.files(), source);
    let mut inspection = Inspection {
        evidence: recognition.evidence,
        encrypted: recognition.encrypted,
        ..Inspection::default()
    };
    match recognition.format {
        Err(why) => inspection.not_recognised = Some(why.to_string()),
        Ok(format) => look_through(format, feeds, source, options, &mut inspection),
    }
    if inspection.encrypted > 0 {
        let files = show::counted(inspection.encrypted, "encrypted file", "encrypted files");
        inspection.left_out.push(format!("{files}: decrypt first"));
    }
    inspection
}

impl Inspection {
    /// Says whether nothing at all was found that is of the format.
    pub fn is_empty(&self) -> bool {
        self.batches.is_empty() && self.documents.as_ref().is_none_or(|documents| documents.read == 0)
    }

    /// Says whether the format is one of batches and there is none.
    fn lacks_batches(&self) -> bool {
        self.format.is_some() && self.documents.is_none() && self.batches.is_empty()
    }
}

/// Looks a source through as one of a format that is known beforehand.
pub fn inspect_as(
    format: Format,
    feeds: &[&dyn TableFeed],
    source: &dyn SourceFiles,
    options: &InspectOptions,
) -> Inspection {
    let mut inspection = Inspection::default();
    look_through(format, feeds, source, options, &mut inspection);
    inspection
}

fn look_through(
    format: Format,
    feeds: &[&dyn TableFeed],
    source: &dyn SourceFiles,
    options: &InspectOptions,
    inspection: &mut Inspection,
) {
    let mut problems = Problems::default();
    inspection.format = Some(format);
    match feeds.iter().find(|feed| feed.format() == format) {
        Some(feed) => tables::inspect(*feed, source, options, inspection, &mut problems),
        None => documents::inspect(format, source, options, inspection, &mut problems),
    }
    inspection.problems = problems.counted();
}

/// How many kinds of problem are told apart.
const KINDS_MAX: usize = 200;

/// Problems by kinds.
#[derive(Default)]
struct Problems {
    kinds: BTreeMap<String, (u64, String)>,
    others: u64,
}

impl Problems {
    /// Counts a problem of a place, without what tells one row from another.
    fn add(&mut self, place: &str, problem: &Problem) {
        let column = problem.column.as_deref().map(|column| format!("{column}: ")).unwrap_or_default();
        let what = format!("{column}{}", problem.reason);
        let first = match problem.row {
            Some(row) => format!("{place}, row {row}"),
            None => place.to_owned(),
        };
        self.add_text(what, first);
    }

    fn add_text(&mut self, what: String, first: String) {
        if self.kinds.len() >= KINDS_MAX && !self.kinds.contains_key(&what) {
            self.others += 1;
            return;
        }
        self.kinds.entry(what).or_insert((0, first)).0 += 1;
    }

    fn counted(self) -> Vec<ProblemCount> {
        let kinds = self.kinds.into_iter();
        let mut counted: Vec<ProblemCount> =
            kinds.map(|(what, (count, first))| ProblemCount { what, count, first }).collect();
        counted.sort_by_key(|problem| std::cmp::Reverse(problem.count));
        if self.others > 0 {
            let what = "of further kinds".to_owned();
            counted.push(ProblemCount { what, count: self.others, first: String::new() });
        }
        counted
    }
}

#[cfg(test)]
mod tests;
