//! Works out what a replica lacks: from the log's entries to manifests, from manifests to objects.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use bytes::Bytes;
use lifeboat_format::log::{Log, tiles_for_growth};
use lifeboat_format::{
    Digest, Manifest, ManifestId, ObjectKey, RECORD_BYTES_MAX, SITE_BYTES_MAX, TileId, WriteStage,
    blob_bytes_max,
};

use super::Replication;
use crate::error::{ReadError, WriteError};
use crate::newest::{from_first, manifest_from, newest_snapshot_entry};
use crate::reader::{Listing, Reader};

/// How many log entries are looked at before the next are read.
const ENTRIES_AT_ONCE: u64 = 16 * 256;

/// The largest `RECOVER.txt`.
const RECOVER_BYTES_MAX: u64 = 1024 * 1024;

/// One object to copy.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) key: ObjectKey,
    pub(super) size: u64,
    pub(super) content: Content,
    /// Whether the replica lists an object of this name.
    pub(super) listed: bool,
}

/// Where an object's bytes come from, and how they are known to be right.
#[derive(Debug)]
pub(super) enum Content {
    /// From the source, with this digest.
    WithDigest(Digest),
    /// These.
    Given(Bytes),
    /// An entry bundle of the log, from the source, checked against the log's leaves.
    Bundle(TileId),
}

/// Everything to copy, stage by stage.
#[derive(Debug, Default)]
pub(super) struct Work {
    pub(super) stages: BTreeMap<WriteStage, Vec<Job>>,
    /// Objects that need no copying because they were listed.
    pub(super) present: Vec<ObjectKey>,
    /// Snapshots whose manifest no source has any more.
    pub(super) snapshots_not_kept: u64,
}

impl Work {
    fn add(&mut self, job: Job) {
        self.stages.entry(job.key.write_stage()).or_default().push(job);
    }
}

/// Plans the copying of log entries from `start` on, given what was listed.
pub(super) async fn plan(
    replication: &Replication<'_>,
    log: &Log,
    start: u64,
    listing: Option<&Listing>,
) -> Result<Work, WriteError> {
    let sources: Vec<&Reader> = std::iter::once(replication.from).chain(replication.fallbacks).collect();
    let mut work = Work::default();
    if listing.is_some() {
        add_descriptions(&sources, &mut work).await?;
    }
    let mut seen = Seen::default();
    if let Some(baseline) = baseline(&sources, log, start).await? {
        seen.objects.extend(baseline.objects().map(|(key, _)| key));
    }
    let mut from = start;
    while from < log.size() {
        let to = (from + ENTRIES_AT_ONCE).min(log.size());
        add_snapshots(&sources, log, from..to, listing, &mut seen, &mut work).await?;
        from = to;
    }
    add_tiles(log, start, listing, &mut work);
    Ok(work)
}

/// What was decided already, so that it is decided once.
#[derive(Default)]
struct Seen {
    manifests: HashSet<ManifestId>,
    objects: HashSet<ObjectKey>,
}

/// Returns the newest manifest that the replica is known to hold with all its objects.
async fn baseline(sources: &[&Reader], log: &Log, start: u64) -> Result<Option<Manifest>, ReadError> {
    let Some((_, entry)) = newest_snapshot_entry(sources, log, start).await? else { return Ok(None) };
    let Some((_, id)) = entry.snapshot() else { return Ok(None) };
    match manifest_from(sources, id).await {
        Ok((_, manifest)) => Ok(Some(manifest)),
        // Without it, more objects are looked at than need be.
        Err(error) if error.is_missing() => Ok(None),
        Err(error) => Err(error),
    }
}

async fn add_descriptions(sources: &[&Reader], work: &mut Work) -> Result<(), ReadError> {
    for (key, size_max) in [(ObjectKey::Recover, RECOVER_BYTES_MAX), (ObjectKey::Site, SITE_BYTES_MAX as u64)]
    {
        let bytes = from_first(sources, |source| source.object(&key, size_max)).await?;
        work.add(Job { key, size: bytes.len() as u64, content: Content::Given(bytes), listed: false });
    }
    Ok(())
}

async fn add_snapshots(
    sources: &[&Reader],
    log: &Log,
    range: Range<u64>,
    listing: Option<&Listing>,
    seen: &mut Seen,
    work: &mut Work,
) -> Result<(), ReadError> {
    let tree = log.tree();
    let entries = from_first(sources, |source| {
        let range = range.clone();
        async move { source.entries(tree, range).await }
    });
    for entry in entries.await? {
        let Some((_, id)) = entry.snapshot() else { continue };
        if !seen.manifests.insert(id) {
            continue;
        }
        let (bytes, manifest) = match manifest_from(sources, id).await {
            Ok(found) => found,
            Err(error) if error.is_missing() => {
                work.snapshots_not_kept += 1;
                continue;
            }
            Err(error) => return Err(error),
        };
        for (key, size) in manifest.objects() {
            let digest = manifest.object_digest(&key);
            add_object(key, size, digest, listing, seen, work);
        }
        let digest = Some(id.digest());
        add_object(ObjectKey::Manifest(id), bytes.len() as u64, digest, listing, seen, work);
    }
    Ok(())
}

fn add_object(
    key: ObjectKey,
    size: u64,
    digest: Option<Digest>,
    listing: Option<&Listing>,
    seen: &mut Seen,
    work: &mut Work,
) {
    let Some(digest) = digest else { return };
    if !seen.objects.insert(key) {
        return;
    }
    if listing.is_some_and(|listing| listing.holds(&key, size)) {
        work.present.push(key);
    } else {
        work.add(Job { key, size, content: Content::WithDigest(digest), listed: false });
    }
}

fn add_tiles(log: &Log, start: u64, listing: Option<&Listing>, work: &mut Work) {
    for tile in tiles_for_growth(start, log.size()) {
        let key = ObjectKey::Tile(tile);
        let (size, content) = match log.tree().tile(&tile) {
            Some(bytes) => (bytes.len() as u64, Content::Given(bytes.into())),
            None => (0, Content::Bundle(tile)),
        };
        let listed = listing.is_some_and(|listing| listing.objects.contains_key(&key));
        work.add(Job { key, size, content, listed });
    }
}

/// Returns the most bytes that an object of the site may have, whatever a manifest says.
pub(super) fn object_bytes_max(key: &ObjectKey) -> u64 {
    match key {
        ObjectKey::Pack(_) => blob_bytes_max(RECORD_BYTES_MAX) as u64,
        _ => u64::from(u32::MAX),
    }
}
