//! Which replica to read, and which snapshot of it.

use futures::future::join_all;
use lifeboat_format::{Manifest, ManifestId, VerificationKey, VerifiedHead};
use lifeboat_replica::{Choice, Reader, newest};
use serde::Serialize;

use super::{RestoreError, reason_text};

/// Snapshots that are walked back at most to find an older one.
const WALK_MAX: u64 = 1_000_000;

/// Which snapshot is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Snapshot {
    /// The newest accepted one.
    Accepted,
    /// The newest, even when it is held.
    Newest,
    /// The one of this number.
    Sequence(u64),
}

/// A replica that was not used, and why.
#[derive(Debug, Clone, Serialize)]
pub struct Passed {
    /// The replica.
    pub replica: String,
    /// Why it was not used.
    pub reason: String,
}

/// The replica to read, and what it says.
pub struct Chosen {
    /// The replica.
    pub reader: Reader,
    /// Its verified head, with the wanted snapshot as the newest.
    pub head: VerifiedHead,
    /// Which of the head's snapshots to open.
    pub choice: Choice,
    /// The replicas that could not be used.
    pub passed: Vec<Passed>,
}

/// Asks all replicas at once and chooses the one with the longest log that verifies.
pub async fn freshest(
    readers: &[Reader],
    key: &VerificationKey,
    snapshot: Snapshot,
) -> Result<Chosen, RestoreError> {
    let heads = join_all(readers.iter().map(|reader| newest(reader, key))).await;
    let mut best: Option<(&Reader, VerifiedHead)> = None;
    let mut passed = Vec::new();
    for (reader, head) in readers.iter().zip(heads) {
        match head {
            Ok(head) if best.as_ref().is_none_or(|(_, best)| best.checkpoint.size < head.checkpoint.size) => {
                best = Some((reader, head));
            }
            Ok(_) => {}
            Err(error) => {
                passed.push(Passed { replica: reader.name().to_string(), reason: reason_text(&error) });
            }
        }
    }
    let Some((reader, mut head)) = best else {
        return Err(RestoreError::NoCopy { passed });
    };
    let choice = match snapshot {
        Snapshot::Accepted => Choice::Accepted,
        Snapshot::Newest => Choice::Newest,
        Snapshot::Sequence(sequence) => {
            (head.manifest_id, head.manifest) = walk_back(reader, &head, sequence).await?;
            Choice::Newest
        }
    };
    Ok(Chosen { reader: reader.clone(), head, choice, passed })
}

/// Follows the chain of manifests, each named by the digest in the one after it.
async fn walk_back(
    reader: &Reader,
    head: &VerifiedHead,
    sequence: u64,
) -> Result<(ManifestId, Manifest), RestoreError> {
    let (mut id, mut manifest) = (head.manifest_id, head.manifest.clone());
    for _ in 0..WALK_MAX {
        if manifest.sequence.number() == sequence {
            return Ok((id, manifest));
        }
        let Some(previous) = manifest.previous.filter(|_| manifest.sequence.number() > sequence) else {
            break;
        };
        (id, manifest) = (previous, reader.manifest(previous).await?.1);
    }
    Err(RestoreError::NoSuchSnapshot {
        replica: reader.name().to_string(),
        sequence,
        newest: head.manifest.sequence.number(),
    })
}
