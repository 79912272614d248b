//! Copies to one replica everything that it lacks, in write order, until it holds the source's newest checkpoint.
//!
//! With a cursor from the last complete run only newer log entries are looked at, and a replica that is up to date
//! costs one request. Without one, or when the replica does not hold what the cursor says, the whole replica is
//! listed. History is kept complete: the objects of every snapshot whose manifest the source still has are copied
//! before the new checkpoint and `HEAD`, so that whoever reads a checkpoint finds everything that it signs.
//!
//! Nothing is written to a replica whose own checkpoint contradicts the source's log. A tile, epoch secret or
//! content-addressed object that is there with wrong bytes is therefore damage, and is written again.

pub(crate) mod copy;
mod jobs;

use lifeboat_format::log::Log;
use lifeboat_format::{Checkpoint, Digest, ObjectKey, VerificationKey, WriteStage};
use serde::{Deserialize, Serialize};

use crate::error::{ErrorClass, Fork, ReadError, WriteError};
use crate::log_source::SignedCheckpoint;
use crate::newest::{build_head, newest_valid};
use crate::reader::{Listing, Reader};
use crate::writer::Writer;
use copy::Copier;

/// What to copy from where to where.
#[derive(Debug, Clone, Copy)]
pub struct Replication<'a> {
    /// The replica to copy from, normally the spool.
    pub from: &'a Reader,
    /// Other replicas to take an object from when the first has it damaged or not at all.
    pub fallbacks: &'a [Reader],
    /// The replica to copy to.
    pub to: &'a Writer,
    /// The key that the site's checkpoints are signed with.
    pub key: &'a VerificationKey,
    /// Where the last complete run ended.
    pub cursor: Option<&'a ReplicaCursor>,
    /// The log size to copy up to; the source's newest checkpoint when absent.
    pub up_to: Option<u64>,
    /// How much to do at once.
    pub settings: ReplicateSettings,
}

/// How much to do at once, and when to give up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplicateSettings {
    /// Objects under way at once; each is held in memory, 8 MiB for a full pack.
    pub objects_at_once: usize,
    /// After so many failed objects, the rest is left for the next run.
    pub failures_max: usize,
}

impl Default for ReplicateSettings {
    fn default() -> Self {
        Self { objects_at_once: 4, failures_max: 8 }
    }
}

/// How far a replica was copied, kept by the caller between runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplicaCursor {
    /// The size of the log that the replica holds completely.
    pub log_size: u64,
    /// The root of that log.
    pub root: Digest,
}

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplicateProgress {
    /// What is being copied.
    pub stage: WriteStage,
    /// Objects done, copied or found.
    pub objects_done: u64,
    /// Objects in all.
    pub objects_total: u64,
    /// Bytes done.
    pub bytes_done: u64,
    /// Bytes in all.
    pub bytes_total: u64,
}

/// An object that could not be copied.
#[derive(Debug, thiserror::Error)]
#[error("copy {key}")]
pub struct ReplicateFailure {
    /// The object.
    pub key: ObjectKey,
    /// Why not.
    pub source: WriteError,
}

/// What a run did.
#[derive(Debug)]
pub struct ReplicateReport {
    /// The log size that the run was to reach.
    pub goal: u64,
    /// Where the replica is now complete; nothing when objects are missing and the checkpoint was not written.
    pub cursor: Option<ReplicaCursor>,
    /// Whether the whole replica was listed.
    pub listed: bool,
    /// Objects that were written.
    pub copied: u64,
    /// Objects that were there already.
    pub found: u64,
    /// Objects that were there with wrong bytes and were written again.
    pub repaired: u64,
    /// Bytes that were written.
    pub bytes: u64,
    /// Snapshots in the log whose manifest the source no longer has.
    pub snapshots_not_kept: u64,
    /// Objects that could not be copied.
    pub failures: Vec<ReplicateFailure>,
}

impl ReplicateReport {
    fn new(goal: u64) -> Self {
        Self {
            goal,
            cursor: None,
            listed: false,
            copied: 0,
            found: 0,
            repaired: 0,
            bytes: 0,
            snapshots_not_kept: 0,
            failures: Vec::new(),
        }
    }

    /// Says whether the replica now holds everything.
    pub fn is_complete(&self) -> bool {
        self.cursor.is_some()
    }

    /// Returns the most serious class among the failures.
    pub fn failure_class(&self) -> Option<ErrorClass> {
        self.failures.iter().map(|failure| failure.source.class()).max()
    }
}

/// What is known of the replica before anything is written.
struct Target {
    /// The log size up to which nothing needs to be looked at.
    start: u64,
    /// The newest checkpoint that verifies.
    newest: Option<SignedCheckpoint>,
    /// What is there, when everything was listed.
    listing: Option<Listing>,
}

/// Copies everything that a replica lacks.
///
/// An error means that nothing can be copied: the store cannot be asked, or somebody else writes to it. Objects that
/// fail one by one are in the report.
pub async fn replicate(
    replication: &Replication<'_>,
    progress: &(dyn Fn(&ReplicateProgress) + Sync),
) -> Result<ReplicateReport, WriteError> {
    let Replication { from, key, .. } = *replication;
    let goal = match replication.up_to {
        Some(size) => from.checkpoint(size, key).await?,
        None => newest_checkpoint(from, key, 0).await?.ok_or_else(|| no_checkpoint(from))?,
    };
    let mut report = ReplicateReport::new(goal.checkpoint.size);
    if is_up_to_date(replication, &goal.checkpoint).await? {
        report.cursor = replication.cursor.cloned();
        return Ok(report);
    }
    let target = examine(replication, &goal.checkpoint).await?;
    let log = from.log(&goal.checkpoint).await?;
    refuse_fork(replication, &log, &goal, &target)?;
    report.listed = target.listing.is_some();

    let mut work = jobs::plan(replication, &log, target.start, target.listing.as_ref()).await?;
    report.snapshots_not_kept = work.snapshots_not_kept;
    report.found += work.present.len() as u64;
    let copier = Copier::new(replication, &log, &work, progress);
    for (stage, jobs) in std::mem::take(&mut work.stages) {
        copier.copy_stage(stage, jobs, &mut report).await?;
        if !report.failures.is_empty() {
            return Ok(report);
        }
    }
    replication.to.settle(work.present.iter().copied()).await?;
    publish(replication, &log, &goal).await?;
    report.cursor = Some(ReplicaCursor { log_size: goal.checkpoint.size, root: goal.checkpoint.root });
    Ok(report)
}

/// Returns the newest checkpoint above a size that verifies.
pub(crate) async fn newest_checkpoint(
    reader: &Reader,
    key: &VerificationKey,
    above: u64,
) -> Result<Option<SignedCheckpoint>, ReadError> {
    let sizes = if above == 0 {
        reader.list_checkpoints().await?
    } else {
        reader.list_checkpoints_after(above).await?
    };
    newest_valid(reader, key, sizes).await
}

fn no_checkpoint(reader: &Reader) -> ReadError {
    ReadError::NoCheckpoint { replica: reader.name().clone() }
}

/// Says whether the cursor is at the goal and the replica still has that checkpoint.
async fn is_up_to_date(replication: &Replication<'_>, goal: &Checkpoint) -> Result<bool, WriteError> {
    let Some(cursor) = replication.cursor else { return Ok(false) };
    if cursor.log_size != goal.size || cursor.root != goal.root {
        return Ok(false);
    }
    Ok(replication.to.reader().size(&ObjectKey::Checkpoint(goal.size)).await?.is_some())
}

/// Finds out where the replica stands: by the cursor if the replica agrees with it, else by listing everything.
async fn examine(replication: &Replication<'_>, goal: &Checkpoint) -> Result<Target, WriteError> {
    let reader = replication.to.reader();
    if let Some(cursor) = replication.cursor {
        if reader.size(&ObjectKey::Checkpoint(cursor.log_size)).await?.is_some() {
            let newest = newest_checkpoint(reader, replication.key, cursor.log_size).await?;
            let newest = newest.unwrap_or_else(|| recorded(cursor, goal));
            return Ok(Target { start: newest.checkpoint.size, newest: Some(newest), listing: None });
        }
        if reader.size(&ObjectKey::Site).await?.is_none() {
            let replica = reader.name().clone();
            return Err(WriteError::Emptied { replica, expected: cursor.log_size });
        }
    }
    let listing = reader.list_all().await?;
    let newest = newest_valid(reader, replication.key, listing.checkpoints().collect()).await?;
    Ok(Target { start: 0, newest, listing: Some(listing) })
}

/// The checkpoint that a cursor remembers; its signature was checked when it was written.
fn recorded(cursor: &ReplicaCursor, goal: &Checkpoint) -> SignedCheckpoint {
    let checkpoint = Checkpoint { origin: goal.origin.clone(), size: cursor.log_size, root: cursor.root };
    SignedCheckpoint { checkpoint, note: String::new() }
}

/// Refuses to write to a replica whose log is not the beginning of the source's.
fn refuse_fork(
    replication: &Replication<'_>,
    log: &Log,
    goal: &SignedCheckpoint,
    target: &Target,
) -> Result<(), WriteError> {
    let Some(newest) = &target.newest else { return Ok(()) };
    let replica = replication.to.name();
    let (theirs, ours) = (newest.checkpoint.size, goal.checkpoint.size);
    if theirs > ours {
        return Err(WriteError::Ahead { replica: replica.clone(), theirs, ours });
    }
    if log.tree().root_at(theirs) == Some(newest.checkpoint.root) {
        return Ok(());
    }
    Err(fork(replication.from, goal, replication.to.reader(), newest))
}

/// Makes the error that carries both signed notes.
pub(crate) fn fork(
    ours_at: &Reader,
    ours: &SignedCheckpoint,
    theirs_at: &Reader,
    theirs: &SignedCheckpoint,
) -> WriteError {
    WriteError::Fork(Box::new(Fork {
        ours_at: ours_at.name().clone(),
        ours: ours.clone(),
        theirs_at: theirs_at.name().clone(),
        theirs: theirs.clone(),
    }))
}

/// Writes the checkpoint and then `HEAD`.
async fn publish(
    replication: &Replication<'_>,
    log: &Log,
    goal: &SignedCheckpoint,
) -> Result<(), WriteError> {
    let Replication { from, fallbacks, to, key, .. } = *replication;
    let sources: Vec<&Reader> = std::iter::once(from).chain(fallbacks).collect();
    let head = build_head(&sources, log, goal).await?;
    match to.create(&goal.object_key(), goal.note.clone().into()).await {
        Err(conflict @ WriteError::Conflict { .. }) => {
            let theirs = to.reader().checkpoint(goal.checkpoint.size, key).await;
            match theirs {
                // A witness may have added its signature.
                Ok(theirs) if theirs.checkpoint == goal.checkpoint => {}
                Ok(theirs) => return Err(fork(from, goal, to.reader(), &theirs)),
                // What nobody signed is damage and no evidence of another writer.
                Err(error) if error.class() == ErrorClass::Corrupt => {
                    to.overwrite(&goal.object_key(), goal.note.clone().into()).await?;
                }
                Err(_) => return Err(conflict),
            }
        }
        created => {
            created?;
        }
    }
    match head {
        Some(head) => to.replace_head(head).await,
        // The log names no snapshot yet.
        None => Ok(()),
    }
}
