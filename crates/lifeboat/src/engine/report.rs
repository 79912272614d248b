//! What the engine tells its caller: progress while it works, and a report at the end.

use jiff::Timestamp;
use lifeboat_clinical::problem::{Place, Problem};
use lifeboat_format::Sequence;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A step of a snapshot that may take a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Listing the source.
    List,
    /// Asking the source's server for what is new; counted in resources.
    Pull,
    /// Bringing the rows of new batches to those that are kept, or running the command; counted in bytes.
    Intake,
    /// Reading the source and finding what changed; counted in bytes.
    Survey,
    /// Building and sealing changed records; counted in records.
    Seal,
    /// Copying sealed blobs together; counted in packs.
    Fold,
    /// Writing index, manifest and log to the spool.
    Publish,
}

/// Hears how far a snapshot has come.
pub trait Progress: Sync {
    /// A stage begins; `total` is its length if it is known.
    fn stage(&self, stage: Stage, total: Option<u64>);
    /// The stage has come `units` further.
    fn advance(&self, units: u64);
}

/// Listens to nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoProgress;

impl Progress for NoProgress {
    fn stage(&self, _stage: Stage, _total: Option<u64>) {}
    fn advance(&self, _units: u64) {}
}

/// One input that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct UnreadableInput {
    /// The file, below the source folder.
    pub file: String,
    /// The line, for inputs of one document a line.
    pub line: Option<u64>,
    /// What is wrong, without any of the content.
    pub reason: String,
    /// How often, where the same thing is wrong in many rows.
    #[serde(default = "once")]
    pub times: u64,
}

fn once() -> u64 {
    1
}

impl UnreadableInput {
    /// Names a problem in `file`; the line stands apart from the rest of the place.
    pub(crate) fn of(file: &str, problem: &Problem) -> Self {
        let within = Problem { place: Place { line: None, ..problem.place }, reason: problem.reason.clone() };
        Self { file: file.to_owned(), line: problem.place.line, reason: within.to_string(), times: 1 }
    }
}

/// What a snapshot came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "kind")]
pub enum Outcome {
    /// Something changed and a snapshot was written.
    Snapshot {
        /// Its number.
        sequence: Sequence,
        /// Whether the gate held it.
        held: bool,
    },
    /// Nothing changed; a heartbeat confirms the newest snapshot.
    Heartbeat {
        /// The number of the newest snapshot.
        sequence: Sequence,
        /// Whether that snapshot is held.
        held: bool,
    },
}

/// Why the gate held a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HeldReason {
    /// Stable code.
    pub code: String,
    /// The aggregate numbers behind it.
    pub detail: String,
}

/// A batch of the source that is not in the snapshot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RefusedBatch {
    /// The batch, as its files name it.
    pub name: String,
    /// Why it was refused, and what to do about it.
    pub reason: String,
}

/// What one run of the engine did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SnapshotReport {
    /// What it came to.
    pub outcome: Outcome,
    /// The spool's log size afterwards; a replica that has reached it is up to date.
    pub log_size: u64,
    /// When the snapshot was taken.
    pub taken: Timestamp,
    /// The time of the source's newest input.
    pub source_time: Option<Timestamp>,
    /// Documents read from the source.
    pub documents: u64,
    /// Bytes of the source.
    pub source_bytes: u64,
    /// Patients in the snapshot.
    pub patients: u64,
    /// Records added, changed and removed since the snapshot before.
    pub added: u64,
    /// Records sealed again.
    pub changed: u64,
    /// Records that left.
    pub removed: u64,
    /// Appointments in the day lists.
    pub appointments: u64,
    /// Items per section.
    pub sections: BTreeMap<String, u64>,
    /// Bytes written to the spool.
    pub bytes_written: u64,
    /// Blobs copied as ciphertext while folding.
    pub copied: u64,
    /// Inputs that could not be read; their names stay out of logs.
    pub unreadable: Vec<UnreadableInput>,
    /// Parts of readable inputs that were passed over, each with the reason.
    pub notes: Vec<UnreadableInput>,
    /// Batches of the source that could not be applied: the snapshot shows what came before them.
    pub refused_batches: Vec<RefusedBatch>,
    /// Why the snapshot is held, if it is.
    pub held_reasons: Vec<HeldReason>,
}

impl SnapshotReport {
    /// Returns how many inputs and rows could not be read.
    pub fn unreadable_count(&self) -> u64 {
        self.unreadable.iter().map(|input| input.times).sum()
    }
}
