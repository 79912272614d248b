//! What a pull tells while it runs and when it is done.

use std::fmt;

use jiff::Timestamp;
use lifeboat_feeds::Problem;

/// Most problems that a report holds; the others are only counted.
const PROBLEMS_MAX: usize = 100;

/// How much was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Extent {
    /// Everything that the server has.
    #[default]
    Full,
    /// What has changed.
    Changes,
}

/// What a pull did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PullReport {
    /// How much was asked for.
    pub extent: Extent,
    /// The time, by the server's clock, that the rows are of.
    pub as_of: Option<Timestamp>,
    /// Resources that were put, changed or not.
    pub put: u64,
    /// Resources, or patients with all of theirs, that were removed.
    pub removed: u64,
    /// Resources that could not be read and are not kept.
    pub unreadable: u64,
    /// Resources of types that were not asked for and are not kept.
    pub unasked: u64,
    /// Patients who were fetched one by one.
    pub patients: u64,
    /// Files of an export that were read.
    pub parts: u64,
    /// Requests, attempts included.
    pub requests: u64,
    /// Attempts that had to be made again.
    pub retries: u64,
    /// Bytes of answers, decompressed.
    pub bytes: u64,
    /// What the server does not offer, and what that means.
    pub notes: Vec<Note>,
    /// What could not be read, up to a hundred.
    pub problems: Vec<Problem>,
}

impl PullReport {
    pub(super) fn note(&mut self, note: Note) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    pub(super) fn unreadable(&mut self, problem: Problem) {
        self.unreadable += 1;
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(problem);
        }
    }
}

/// Something that the server does not offer, or said, and what that means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// The server does not list this type.
    TypeNotListed(String),
    /// Shared resources of this type cannot be searched for.
    SharedNotOffered(String),
    /// Appointments cannot be searched for.
    AppointmentsNotOffered,
    /// Deletions are seen only by full pulls.
    DeletionsOnlyByFull,
    /// Changes cannot be searched for, so that everything is fetched each time.
    ChangesNotOffered,
    /// The export reported errors of its own, which the settings accept.
    ExportErrors(u64),
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Note::TypeNotListed(kind) => write!(f, "the server does not list {kind}; it is not asked for"),
            Note::SharedNotOffered(kind) => {
                write!(f, "{kind} cannot be searched for; records show the names that references carry")
            }
            Note::AppointmentsNotOffered => {
                f.write_str("appointments cannot be searched for; there are no day lists")
            }
            Note::DeletionsOnlyByFull => {
                f.write_str("the server does not list deletions; they are seen by the next full pull")
            }
            Note::ChangesNotOffered => {
                f.write_str("changes cannot be searched for; everything is fetched each time")
            }
            Note::ExportErrors(count) => {
                write!(f, "the export reported {count} errors of its own, which the settings accept")
            }
        }
    }
}

/// What a pull tells while it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PullProgress {
    /// The server works on an export; in its own words how far it is.
    Exporting(Option<String>),
    /// So many files of an export are read.
    Parts {
        /// Read.
        done: usize,
        /// Of so many.
        of: usize,
    },
    /// So many patients are fetched.
    Patients {
        /// Fetched.
        done: usize,
        /// Of so many.
        of: usize,
    },
    /// So many resources have been taken.
    Resources(u64),
}
