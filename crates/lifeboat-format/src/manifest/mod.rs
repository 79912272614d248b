//! The manifest: the plain list of everything that a snapshot consists of. It names no patient.

mod check;
mod write;

pub use check::ManifestError;

use crate::epoch::{EpochRecipient, EpochSecret};
use crate::ids::{DictId, Digest, EpochNumber, IndexId, ManifestId, PackId, PackPrefix, Sequence, SiteCode};
use crate::index::{PartEntry, PartKind};
use crate::json;
use crate::key::ObjectKey;
use crate::text::timestamp;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// The format version that this crate writes.
pub const FORMAT_VERSION: u32 = 1;
/// The largest manifest.
pub const MANIFEST_BYTES_MAX: usize = 8 * 1024 * 1024;
/// The most packs of one snapshot.
pub const MANIFEST_PACKS_MAX: usize = 65_536;
/// The most dictionaries of one snapshot.
pub const MANIFEST_DICTS_MAX: usize = 16;
/// The most parts of one index object.
pub const INDEX_PARTS_MAX: usize = 32_768;
/// The most reasons of one verdict.
pub const GATE_REASONS_MAX: usize = 64;
/// The longest short text, such as a feed's name, in bytes.
pub const SHORT_TEXT_BYTES_MAX: usize = 64;
/// The code of the first reason of a snapshot that a person accepted against the gate.
pub const RELEASED: &str = "released";
/// The longest explanation of a gate reason, in bytes.
pub const GATE_DETAIL_BYTES_MAX: usize = 1024;

/// A snapshot's manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The format version, [`FORMAT_VERSION`].
    pub format: u32,
    /// The site.
    pub site: SiteCode,
    /// The snapshot's number.
    pub sequence: Sequence,
    /// The manifest of the snapshot before this one.
    #[serde(deserialize_with = "json::nullable")]
    pub previous: Option<ManifestId>,
    /// The epoch to which everything in the snapshot is sealed.
    pub epoch: EpochEntry,
    /// When the source made what was read, if it says so.
    #[serde(with = "timestamp::option")]
    pub source_time: Option<Timestamp>,
    /// When the snapshot was taken.
    #[serde(with = "timestamp")]
    pub taken: Timestamp,
    /// When the next snapshot or heartbeat is expected at the latest.
    #[serde(with = "timestamp")]
    pub next_by: Timestamp,
    /// What was read.
    pub feed: FeedEntry,
    /// The dictionaries.
    pub dicts: Vec<DictEntry>,
    /// The packs.
    pub packs: Vec<PackEntry>,
    /// The index objects.
    pub indexes: Indexes,
    /// How much the snapshot holds.
    pub counts: Counts,
    /// How sound the records look; missing in manifests that were written before it was counted.
    #[serde(default)]
    pub quality: Option<Quality>,
    /// What a reader must be ready for.
    pub limits: Limits,
    /// Whether the snapshot is plausible.
    pub gate: Gate,
    /// The newest accepted snapshot before this one, when this one is held.
    #[serde(deserialize_with = "json::nullable")]
    pub accepted: Option<AcceptedEntry>,
}

/// The epoch of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochEntry {
    /// The epoch's number.
    pub number: EpochNumber,
    /// The epoch's public key.
    pub recipient: EpochRecipient,
    /// The secret sealed to recipients.
    pub recipients: FileEntry,
    /// The secret sealed under the break-glass passphrase.
    #[serde(deserialize_with = "json::nullable")]
    pub passphrase: Option<FileEntry>,
}

/// The size and digest of an object that is not named by its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// How many bytes it has.
    pub size: u64,
    /// The digest of its bytes.
    pub sha256: Digest,
}

impl FileEntry {
    /// Describes some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self { size: bytes.len() as u64, sha256: Digest::of(bytes) }
    }

    /// Says whether some bytes are the object.
    pub fn check(&self, bytes: &[u8]) -> bool {
        bytes.len() as u64 == self.size && Digest::of(bytes) == self.sha256
    }
}

/// What was read to make a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeedEntry {
    /// The feed's format, such as `fhir-r4-folder`.
    pub format: String,
    /// How many documents were read.
    pub documents: u64,
    /// How many inputs could not be read.
    pub unreadable: u64,
}

/// A sealed dictionary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DictEntry {
    /// The object's id.
    pub sha256: DictId,
    /// How many bytes it has.
    pub size: u64,
    /// The id that frames made with the dictionary carry.
    pub id: u32,
}

/// A pack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackEntry {
    /// The pack's id.
    pub sha256: PackId,
    /// How many bytes it has.
    pub size: u64,
}

/// The index objects of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Indexes {
    /// The complete index as it was at the last re-base.
    pub base: IndexEntry,
    /// Everything that differs from the base.
    #[serde(deserialize_with = "json::nullable")]
    pub delta: Option<IndexEntry>,
}

/// An index object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IndexEntry {
    /// The object's id.
    pub sha256: IndexId,
    /// How many bytes it has.
    pub size: u64,
    /// Its parts, which cover it without gap.
    pub parts: Vec<PartEntry>,
}

impl IndexEntry {
    /// Returns the directory parts, in order.
    pub fn directory_parts(&self) -> &[PartEntry] {
        &self.parts[..self.parts.partition_point(|part| part.kind < PartKind::DirectoryRoot)]
    }

    /// Returns the directory root.
    pub fn root_part(&self) -> Option<&PartEntry> {
        self.parts.iter().find(|part| part.kind == PartKind::DirectoryRoot)
    }

    /// Returns the locator parts, in order.
    pub fn locator_parts(&self) -> &[PartEntry] {
        &self.parts[self.parts.partition_point(|part| part.kind < PartKind::Locator)..]
    }
}

/// How much a snapshot holds, and how much of it changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Patients.
    pub patients: u64,
    /// Day lists.
    pub day_lists: u64,
    /// Appointments in all day lists.
    pub appointments: u64,
    /// Records that the snapshot before did not hold.
    pub added: u64,
    /// Records that differ from the snapshot before.
    pub changed: u64,
    /// Records that the snapshot before held and this does not.
    pub removed: u64,
    /// For each section, how many patients have something recorded, and how many items in all.
    pub sections: BTreeMap<String, SectionCount>,
}

/// How much a snapshot holds of one section.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SectionCount {
    /// Patients with something recorded.
    pub patients: u64,
    /// Items of all patients.
    pub items: u64,
}

/// How sound the records of a snapshot look: numbers over all patients, for the gate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quality {
    /// How many patients have left since the site's first snapshot: a running total.
    pub left: u64,
    /// Patients for whom the source gives an NHS number.
    pub nhs_numbers: u64,
    /// Those of them whose NHS number has the right check digit.
    pub nhs_numbers_valid: u64,
    /// Patients without a name.
    pub without_name: u64,
    /// Patients without a birth date.
    pub without_birth_date: u64,
    /// Patients who stayed and whose name differs from the accepted snapshot before.
    pub names_changed: u64,
    /// Patients who stayed and whose birth date differs from the accepted snapshot before.
    pub birth_dates_changed: u64,
    /// Patients with text that cannot be right.
    pub garbled: u64,
    /// Characters of text in all records, rounded to three digits so that they tell of no single record.
    pub characters: u64,
}

impl Quality {
    /// Rounds a number of characters to the three digits that a manifest may tell.
    pub fn rounded(characters: u64) -> u64 {
        let mut unit = 1;
        while characters / unit >= 1000 {
            unit *= 10;
        }
        (characters + unit / 2) / unit * unit
    }
}

/// What a reader must be ready for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// The size of the largest record, before compression.
    pub record_bytes_max: u64,
}

/// Whether a snapshot is plausible, and why not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// The verdict.
    pub verdict: Verdict,
    /// What speaks against the snapshot. An accepted one has reasons only if a person released it: first
    /// [`RELEASED`], then what was overruled.
    pub reasons: Vec<GateReason>,
}

/// Whether a snapshot may become what a clinician sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It may.
    Accepted,
    /// It may not, until a person releases it.
    Held,
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Accepted => "accepted",
            Self::Held => "held",
        })
    }
}

/// One thing that speaks against a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GateReason {
    /// A stable name of the rule.
    pub code: String,
    /// Aggregate numbers in words; never about one patient.
    pub detail: String,
}

/// The newest accepted snapshot before a held one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AcceptedEntry {
    /// Its number.
    pub sequence: Sequence,
    /// Its manifest.
    pub manifest: ManifestId,
}

impl Manifest {
    /// Returns the digest of the manifest's bytes as this crate writes them.
    pub fn id(&self) -> ManifestId {
        ManifestId::of(&self.to_bytes())
    }

    /// Says whether the snapshot is held.
    pub fn is_held(&self) -> bool {
        self.gate.verdict == Verdict::Held
    }

    /// Finds a pack by the beginning of its id.
    pub fn pack(&self, prefix: PackPrefix) -> Option<&PackEntry> {
        match self.packs.binary_search_by_key(&prefix, |pack| PackPrefix::from(pack.sha256)) {
            Ok(index) => Some(&self.packs[index]),
            // A manifest that is still being put together may not be sorted yet.
            Err(_) => self.packs.iter().find(|pack| PackPrefix::from(pack.sha256) == prefix),
        }
    }

    /// Lists every object that the snapshot needs besides its manifest, with its size, in write order.
    pub fn objects(&self) -> impl Iterator<Item = (ObjectKey, u64)> + '_ {
        let number = self.epoch.number;
        let recipients = (ObjectKey::EpochRecipients(number), self.epoch.recipients.size);
        let passphrase =
            self.epoch.passphrase.as_ref().map(|file| (ObjectKey::EpochPassphrase(number), file.size));
        let indexes = std::iter::once(&self.indexes.base).chain(&self.indexes.delta);
        std::iter::once(recipients)
            .chain(passphrase)
            .chain(self.dicts.iter().map(|dict| (ObjectKey::Dict(dict.sha256), dict.size)))
            .chain(self.packs.iter().map(|pack| (ObjectKey::Pack(pack.sha256), pack.size)))
            .chain(indexes.map(|index| (ObjectKey::Index(index.sha256), index.size)))
    }

    /// Returns the digest that an object of this snapshot must have, if the snapshot has such an object.
    pub fn object_digest(&self, key: &ObjectKey) -> Option<Digest> {
        match key {
            ObjectKey::EpochRecipients(number) if *number == self.epoch.number => {
                Some(self.epoch.recipients.sha256)
            }
            ObjectKey::EpochPassphrase(number) if *number == self.epoch.number => {
                self.epoch.passphrase.as_ref().map(|file| file.sha256)
            }
            _ => key.content_digest(),
        }
    }

    /// Says whether an opened epoch secret is that of this snapshot.
    pub fn matches_epoch(&self, secret: &EpochSecret) -> bool {
        secret.site == self.site
            && secret.number == self.epoch.number
            && secret.recipient() == self.epoch.recipient
    }
}

#[cfg(test)]
pub(crate) mod tests;
