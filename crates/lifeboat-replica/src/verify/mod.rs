//! Proves a replica whole without a decryption key: signature, log, manifests, every byte.
//!
//! The chain is: checkpoints are signed by the site's key; entries and tiles hash to the newest one's root, and all
//! older ones lie on the way to it; snapshots in the log name manifests by digest; manifests name every object with
//! its size and digest; a layout event names the two descriptions. At level [`VerifyLevel::Presence`] everything up
//! to the manifests is read and the other objects must be listed with the right size; at [`VerifyLevel::Digest`] they
//! are read and hashed too. Work goes on after a finding. What the format does not know, or nothing refers to, is
//! noted and is no finding.

mod descriptions;
mod finding;
mod log;
mod objects;

use std::collections::{BTreeMap, BTreeSet};

use lifeboat_format::log::MerkleTree;
use lifeboat_format::{
    Checkpoint, Digest, FileEntry, ManifestId, ObjectKey, Sequence, Verdict, VerificationKey, VerifiedHead,
};

pub use finding::{Finding, Note, Problem};

use crate::error::ReadError;
use crate::layout_event::Layout;
use crate::log_source::SignedCheckpoint;
use crate::reader::{Listing, Reader};

/// How thoroughly to verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum VerifyLevel {
    /// Everything is there with the right size, and the signed parts are right.
    Presence,
    /// Every byte is right.
    Digest,
}

/// How to verify.
#[derive(Debug, Clone)]
pub struct VerifyOptions {
    /// How thoroughly.
    pub level: VerifyLevel,
    /// Objects read and hashed at once.
    pub objects_at_once: usize,
    /// The newest checkpoint that was seen before, here or elsewhere: the replica must hold it or continue it.
    pub known: Option<Checkpoint>,
}

impl VerifyOptions {
    /// Returns the options of a level, with as many objects at once as there are processors.
    pub fn new(level: VerifyLevel) -> Self {
        let objects_at_once = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        Self { level, objects_at_once, known: None }
    }
}

/// How far a verification has come with hashing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VerifyProgress {
    /// Objects hashed.
    pub objects_done: u64,
    /// Objects to hash.
    pub objects_total: u64,
    /// Bytes hashed.
    pub bytes_done: u64,
    /// Bytes to hash.
    pub bytes_total: u64,
}

/// What a verification checked and found.
#[derive(Debug)]
pub struct VerifyReport {
    /// How thoroughly was verified.
    pub level: VerifyLevel,
    /// The newest checkpoint that verifies.
    pub checkpoint: Option<SignedCheckpoint>,
    /// What `HEAD` proves, when it is valid.
    pub head: Option<VerifiedHead>,
    /// The newest snapshot in the log.
    pub newest: Option<SnapshotSeen>,
    /// The newest accepted snapshot in the log.
    pub newest_accepted: Option<SnapshotSeen>,
    /// Snapshots in the log.
    pub snapshots: u64,
    /// Objects that were checked.
    pub objects: u64,
    /// Bytes that were read and checked.
    pub bytes: u64,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// What is remarkable but not wrong.
    pub notes: Vec<Note>,
}

impl VerifyReport {
    /// Says whether nothing is wrong.
    pub fn is_good(&self) -> bool {
        self.findings.is_empty()
    }
}

/// A snapshot as the log names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnapshotSeen {
    /// The snapshot's number.
    pub sequence: Sequence,
    /// Its manifest.
    pub manifest: ManifestId,
    /// Whether it was accepted.
    pub verdict: Verdict,
}

/// Verifies a replica.
///
/// An error means that the replica could not be listed; everything else is in the report.
pub async fn verify(
    reader: &Reader,
    key: &VerificationKey,
    options: &VerifyOptions,
    progress: &(dyn Fn(&VerifyProgress) + Sync),
) -> Result<VerifyReport, ReadError> {
    let listing = reader.list_all().await?;
    let mut verification = Verification::new(reader, key, options, listing);
    let checkpoints = verification.check_checkpoints().await;
    match checkpoints.last() {
        None => verification.find(None, Problem::NoCheckpoint, None),
        Some(newest) => {
            verification.report.checkpoint = Some(newest.clone());
            let log = verification.check_log(&newest.checkpoint).await;
            if let Some(tree) = &log.tree {
                verification.check_history(&checkpoints, tree);
                verification.check_tiles(tree).await;
            }
            verification.check_known(&newest.checkpoint, log.tree.as_ref());
            verification.check_descriptions(log.layout.as_ref()).await;
            verification.check_manifests(&log.snapshots).await;
            verification.check_presence().await;
            if options.level == VerifyLevel::Digest {
                verification.check_digests(progress).await;
            }
            verification.check_head(newest, &log).await;
        }
    }
    Ok(verification.finish())
}

/// What the log of a replica says.
#[derive(Default)]
struct LogSeen {
    /// The tree, when its root is the signed one.
    tree: Option<MerkleTree>,
    /// Snapshots with the index of their entry, in order.
    snapshots: Vec<(u64, SnapshotSeen)>,
    /// The index of the newest entry that names a snapshot.
    newest_entry: Option<u64>,
    /// The newest layout event.
    layout: Option<Layout>,
}

/// A verification under way.
struct Verification<'a> {
    reader: &'a Reader,
    key: &'a VerificationKey,
    options: &'a VerifyOptions,
    listing: Listing,
    /// What manifests say must be there.
    expected: BTreeMap<ObjectKey, FileEntry>,
    /// Objects with a finding, so that each has one.
    found: BTreeSet<ObjectKey>,
    /// Tiles that were read and checked with the entries.
    tiles_read: BTreeSet<ObjectKey>,
    report: VerifyReport,
}

impl<'a> Verification<'a> {
    fn new(
        reader: &'a Reader,
        key: &'a VerificationKey,
        options: &'a VerifyOptions,
        listing: Listing,
    ) -> Self {
        let report = VerifyReport {
            level: options.level,
            checkpoint: None,
            head: None,
            newest: None,
            newest_accepted: None,
            snapshots: 0,
            objects: 0,
            bytes: 0,
            findings: Vec::new(),
            notes: Vec::new(),
        };
        Self {
            reader,
            key,
            options,
            listing,
            expected: BTreeMap::new(),
            found: BTreeSet::new(),
            tiles_read: BTreeSet::new(),
            report,
        }
    }

    /// Records what is wrong with an object, once, and how it should be if that is known.
    fn find(&mut self, object: Option<ObjectKey>, problem: Problem, expected: Option<Digest>) {
        if object.is_none_or(|object| self.found.insert(object)) {
            self.report.findings.push(Finding { object, problem, expected });
        }
    }

    /// Counts an object that was read whole.
    fn count(&mut self, bytes: usize) {
        self.report.objects += 1;
        self.report.bytes += bytes as u64;
    }

    fn finish(mut self) -> VerifyReport {
        self.note_extras();
        self.report.findings.sort_by_key(|finding| finding.object);
        self.report
    }

    fn note_extras(&mut self) {
        let notes = &mut self.report.notes;
        if self.listing.unknown_count > 0 {
            let (count, examples) = (self.listing.unknown_count, self.listing.unknown.clone());
            notes.push(Note::Unknown { count, examples });
        }
        if self.listing.leftovers > 0 {
            notes.push(Note::Leftovers { count: self.listing.leftovers });
        }
        let is_listed_in_manifests = |key: &ObjectKey| {
            key.content_digest().is_some()
                || matches!(key, ObjectKey::EpochRecipients(_) | ObjectKey::EpochPassphrase(_))
        };
        let unreferenced: Vec<_> = self
            .listing
            .objects
            .iter()
            .filter(|(key, _)| is_listed_in_manifests(key) && !self.expected.contains_key(key))
            .collect();
        if !unreferenced.is_empty() {
            let bytes = unreferenced.iter().map(|(_, size)| **size).sum();
            let examples = unreferenced.iter().take(Note::EXAMPLES_MAX).map(|(key, _)| **key).collect();
            notes.push(Note::Unreferenced { count: unreferenced.len() as u64, bytes, examples });
        }
    }
}
