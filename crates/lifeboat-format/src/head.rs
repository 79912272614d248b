//! `HEAD`: one small object with which a reader learns the newest snapshot and proves it, in one request.
//!
//! It is a hint. Everything in it is checked against the log's key, and it can be rebuilt from the other objects.

use crate::ids::{Digest, ManifestId};
use crate::json;
use crate::log::{Entry, EntryError, Log, ProofError, hash_leaf, verify_inclusion};
use crate::manifest::{FORMAT_VERSION, Manifest, ManifestError};
use crate::note::{Checkpoint, NoteError, VerificationKey, open_checkpoint};
use serde::{Deserialize, Serialize};

/// The largest `HEAD`: it may hold two manifests of the largest size as strings.
pub const HEAD_BYTES_MAX: usize = 32 * 1024 * 1024;
/// The most hashes of an inclusion proof.
pub const INCLUSION_HASHES_MAX: usize = 64;

/// Says which step of reading or checking a `HEAD` failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// It is larger than [`HEAD_BYTES_MAX`].
    #[error("HEAD of {bytes} bytes is larger than {HEAD_BYTES_MAX}")]
    TooLarge {
        /// How large it is.
        bytes: usize,
    },
    /// It was written by a newer version.
    #[error("HEAD has format {format}, newer than {FORMAT_VERSION}")]
    Newer {
        /// The version that it says it has.
        format: u64,
    },
    /// The bytes are not JSON with the fields of a `HEAD`.
    #[error("not a HEAD: fault at line {line}, column {column}")]
    Json {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// The checkpoint is not accepted.
    #[error("check the checkpoint of HEAD")]
    Checkpoint(#[source] NoteError),
    /// The log entry is malformed.
    #[error("read the log entry of HEAD")]
    Entry(#[source] EntryError),
    /// The log entry names no snapshot.
    #[error("the log entry of HEAD names no snapshot")]
    NotASnapshot,
    /// The log entry is not proven to be in the log.
    #[error("prove that the log entry of HEAD is in the log")]
    Inclusion(#[source] ProofError),
    /// The log does not hold the entry, so nothing can be built.
    #[error("the log has no entry {index}")]
    NoSuchEntry {
        /// The entry.
        index: u64,
    },
    /// A manifest is not the one that the log or the other manifest names.
    #[error("the {which} manifest of HEAD has another digest than is named")]
    ManifestDigest {
        /// Which manifest.
        which: &'static str,
    },
    /// A manifest is malformed.
    #[error("read the {which} manifest of HEAD")]
    Manifest {
        /// Which manifest.
        which: &'static str,
        /// What is wrong with it.
        source: ManifestError,
    },
    /// Entry, manifest and checkpoint contradict each other.
    #[error("HEAD contradicts itself: {what}")]
    Contradiction {
        /// What is wrong.
        what: &'static str,
    },
}

/// A `HEAD` as it is stored: nothing in it is proven yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// The format version, [`FORMAT_VERSION`].
    pub format: u32,
    /// The newest checkpoint, a signed note.
    pub checkpoint: String,
    /// The newest log entry that names a snapshot.
    pub entry: String,
    /// The index of that entry in the log.
    pub entry_index: u64,
    /// The proof that the entry is in the log of the checkpoint.
    pub inclusion: Vec<Digest>,
    /// The manifest that the entry names.
    pub manifest: String,
    /// The newest accepted manifest, when the other one is held.
    #[serde(deserialize_with = "json::nullable")]
    pub accepted_manifest: Option<String>,
}

/// A `HEAD` of which everything was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedHead {
    /// The newest checkpoint.
    pub checkpoint: Checkpoint,
    /// The newest checkpoint as the signed note that it is.
    pub note: String,
    /// The newest log entry that names a snapshot.
    pub entry: Entry,
    /// The index of that entry.
    pub entry_index: u64,
    /// The newest snapshot's manifest.
    pub manifest: Manifest,
    /// The id of that manifest.
    pub manifest_id: ManifestId,
    /// The newest accepted snapshot, when the newest is held.
    pub accepted: Option<(ManifestId, Manifest)>,
}

impl VerifiedHead {
    /// Returns the snapshot to show: the newest that was accepted, if there is one.
    pub fn accepted_snapshot(&self) -> Option<(ManifestId, &Manifest)> {
        if self.manifest.is_held() {
            self.accepted.as_ref().map(|(id, manifest)| (*id, manifest))
        } else {
            Some((self.manifest_id, &self.manifest))
        }
    }
}

impl Head {
    /// Puts a `HEAD` together from a checkpoint of a log, the entry at an index of it, and manifests.
    pub fn build(
        note: String,
        log: &Log,
        entry_index: u64,
        entry: &Entry,
        manifest: &[u8],
        accepted_manifest: Option<&[u8]>,
    ) -> Result<Self, HeadError> {
        let inclusion = log
            .tree()
            .inclusion_proof(entry_index, log.size())
            .ok_or(HeadError::NoSuchEntry { index: entry_index })?;
        let utf8 = |bytes: Vec<u8>, which| {
            String::from_utf8(bytes).map_err(|_| HeadError::Manifest {
                which,
                source: ManifestError::Json { line: 0, column: 0 },
            })
        };
        let entry = entry.to_bytes().map_err(HeadError::Entry)?;
        Ok(Self {
            format: FORMAT_VERSION,
            checkpoint: note,
            entry: String::from_utf8(entry).map_err(|_| HeadError::Entry(EntryError::Json))?,
            entry_index,
            inclusion,
            manifest: utf8(manifest.to_vec(), "newest")?,
            accepted_manifest: match accepted_manifest {
                Some(bytes) => Some(utf8(bytes.to_vec(), "accepted")?),
                None => None,
            },
        })
    }

    /// Reads a `HEAD` without proving anything.
    pub fn parse(bytes: &[u8]) -> Result<Self, HeadError> {
        if bytes.len() > HEAD_BYTES_MAX {
            return Err(HeadError::TooLarge { bytes: bytes.len() });
        }
        json::parse_versioned(bytes).map_err(|error| match error {
            json::VersionedError::Newer { format } => HeadError::Newer { format },
            json::VersionedError::Json { line, column } => HeadError::Json { line, column },
        })
    }

    /// Returns the bytes to store.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(self).expect("a HEAD's values are plain JSON");
        bytes.push(b'\n');
        bytes
    }

    /// Checks everything, from the signature to the manifests.
    pub fn verify(&self, key: &VerificationKey) -> Result<VerifiedHead, HeadError> {
        require(self.format == FORMAT_VERSION, "format")?;
        require(self.inclusion.len() <= INCLUSION_HASHES_MAX, "length of the inclusion proof")?;
        let checkpoint = open_checkpoint(&self.checkpoint, key).map_err(HeadError::Checkpoint)?;
        let leaf = hash_leaf(self.entry.as_bytes());
        verify_inclusion(&leaf, self.entry_index, checkpoint.size, &self.inclusion, &checkpoint.root)
            .map_err(HeadError::Inclusion)?;
        let entry = Entry::parse(self.entry.as_bytes()).map_err(HeadError::Entry)?;
        let (sequence, manifest_id) = entry.snapshot().ok_or(HeadError::NotASnapshot)?;

        let manifest = read_manifest(&self.manifest, manifest_id, "newest")?;
        require(manifest.sequence == sequence, "sequence of the newest snapshot")?;
        require(manifest.site.origin() == checkpoint.origin, "site of the newest snapshot")?;
        if let Entry::Snapshot { verdict, .. } = &entry {
            require(manifest.gate.verdict == *verdict, "verdict on the newest snapshot")?;
        }
        let accepted = match (&manifest.accepted, &self.accepted_manifest) {
            (None, None) => None,
            (Some(named), Some(text)) => {
                let accepted = read_manifest(text, named.manifest, "accepted")?;
                require(accepted.sequence == named.sequence, "sequence of the accepted snapshot")?;
                require(accepted.site == manifest.site, "site of the accepted snapshot")?;
                require(!accepted.is_held(), "verdict on the accepted snapshot")?;
                Some((named.manifest, accepted))
            }
            _ => return Err(HeadError::Contradiction { what: "presence of an accepted snapshot" }),
        };
        let entry_index = self.entry_index;
        let note = self.checkpoint.clone();
        Ok(VerifiedHead { checkpoint, note, entry, entry_index, manifest, manifest_id, accepted })
    }
}

fn read_manifest(text: &str, id: ManifestId, which: &'static str) -> Result<Manifest, HeadError> {
    if ManifestId::of(text.as_bytes()) != id {
        return Err(HeadError::ManifestDigest { which });
    }
    Manifest::parse(text.as_bytes()).map_err(|source| HeadError::Manifest { which, source })
}

fn require(holds: bool, what: &'static str) -> Result<(), HeadError> {
    if holds { Ok(()) } else { Err(HeadError::Contradiction { what }) }
}

#[cfg(test)]
mod tests;
