//! Batches of a table feed: which files belong together, in which order they apply, and which are refused.

use std::io;

use serde::Serialize;

use crate::problem::{Problem, Reason};

mod plan;

pub use plan::{AppliedBatch, Apply, BatchPlan, BatchStep, Decision, FoundBatch, Refusal, plan_batches};

/// What is known of a file of the source before it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileFacts {
    /// Its path below the source folder, with `/`; an entry of an archive is `archive.zip/entry.csv`.
    pub path: String,
    /// Its length.
    pub bytes: u64,
}

impl FileFacts {
    /// Returns the last part of the path.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }
}

/// Reads the beginnings of the source's files.
pub trait ReadHead {
    /// Returns at most `bytes_max` bytes from the beginning of the file at this place of the list.
    ///
    /// # Errors
    /// The file cannot be read.
    fn head(&self, file: usize, bytes_max: usize) -> io::Result<Vec<u8>>;
}

/// Files that were exported together and apply together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// What names it: the same batch has the same name wherever its files lie.
    pub name: String,
    /// Sorts the batches of one feed: texts that compare as the batches follow each other.
    pub order: String,
    /// Whether it holds everything or changes.
    pub kind: BatchKind,
    /// Up to where the batch before it must reach (an `until` that is not smaller), where the feed says so.
    pub from: Option<String>,
    /// Up to where it reaches.
    pub until: Option<String>,
    /// Whose extract it is, in the feed's own words (an ODS code, the GUID of a sharing agreement), where it says so.
    pub practice: Option<String>,
    /// When it was exported, as local time without an offset, where the feed says so.
    pub exported: Option<jiff::civil::DateTime>,
    /// Its files and what each is.
    pub tables: Vec<BatchTable>,
    /// What is wrong with it and does not stop it: unknown files, missing tables.
    pub problems: Vec<Problem>,
    /// Why it cannot be applied at all, for instance that it is not complete.
    pub refused: Option<Reason>,
}

/// One file of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchTable {
    /// Its place in the list of files.
    pub file: usize,
    /// The table that it holds.
    pub table: &'static str,
}

/// Whether a batch holds everything or changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BatchKind {
    /// Everything: rows that it does not hold are gone.
    Full,
    /// Changes to what came before.
    Delta,
    /// The feed does not say: the first batch is full, a later one is taken for changes.
    Unsaid,
}
