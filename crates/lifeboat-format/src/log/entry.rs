//! Log entries: one line of JSON for each thing that happened.

use crate::ids::{EpochNumber, ManifestId, Sequence};
use crate::manifest::Verdict;
use crate::text::timestamp;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The largest entry.
pub const ENTRY_BYTES_MAX: usize = 1024;

/// Says why bytes are not a log entry, or an entry cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// The entry is larger than [`ENTRY_BYTES_MAX`].
    #[error("log entry of {bytes} bytes is larger than {ENTRY_BYTES_MAX}")]
    TooLarge {
        /// How large it is.
        bytes: usize,
    },
    /// The bytes are not a JSON object with a type.
    #[error("not a log entry")]
    Json,
    /// An entry of a known type lacks a field or has a wrong value.
    #[error("log entry of a known type with a wrong field")]
    Fields,
}

/// One entry of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A snapshot was taken. It exists from here on.
    Snapshot {
        /// When.
        time: Timestamp,
        /// The snapshot's number.
        sequence: Sequence,
        /// Its manifest.
        manifest: ManifestId,
        /// Whether it is plausible.
        verdict: Verdict,
    },
    /// Nothing changed since the snapshot that is named.
    Heartbeat {
        /// When.
        time: Timestamp,
        /// The number of the snapshot that still holds.
        sequence: Sequence,
        /// Its manifest.
        manifest: ManifestId,
        /// When the source made what was read, if it says so.
        source_time: Option<Timestamp>,
        /// When the next snapshot or heartbeat is expected at the latest.
        next_by: Timestamp,
    },
    /// A new epoch began.
    Epoch {
        /// When.
        time: Timestamp,
        /// The epoch's number.
        epoch: EpochNumber,
    },
    /// Something else happened that the log keeps.
    Event {
        /// When.
        time: Timestamp,
        /// A stable name, such as `release`, `drill` or `prune`.
        name: String,
        /// Numbers and names in words; never about a patient.
        detail: String,
    },
    /// An entry of a type that this version does not know, kept as it is.
    Unknown(Vec<u8>),
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Known {
    Snapshot {
        #[serde(with = "timestamp")]
        time: Timestamp,
        sequence: Sequence,
        manifest: ManifestId,
        verdict: Verdict,
    },
    Heartbeat {
        #[serde(with = "timestamp")]
        time: Timestamp,
        sequence: Sequence,
        manifest: ManifestId,
        #[serde(with = "timestamp::option")]
        source_time: Option<Timestamp>,
        #[serde(with = "timestamp")]
        next_by: Timestamp,
    },
    Epoch {
        #[serde(with = "timestamp")]
        time: Timestamp,
        epoch: EpochNumber,
    },
    Event {
        #[serde(with = "timestamp")]
        time: Timestamp,
        name: String,
        detail: String,
    },
}

impl Entry {
    /// Reads an entry. Types and fields that this version does not know are no error.
    pub fn parse(bytes: &[u8]) -> Result<Self, EntryError> {
        #[derive(Deserialize)]
        struct Type {
            r#type: String,
        }
        if bytes.len() > ENTRY_BYTES_MAX {
            return Err(EntryError::TooLarge { bytes: bytes.len() });
        }
        let Type { r#type } = serde_json::from_slice(bytes).map_err(|_| EntryError::Json)?;
        if !["snapshot", "heartbeat", "epoch", "event"].contains(&r#type.as_str()) {
            return Ok(Self::Unknown(bytes.to_vec()));
        }
        let known: Known = serde_json::from_slice(bytes).map_err(|_| EntryError::Fields)?;
        Ok(known.into())
    }

    /// Returns the entry's bytes, which are the data of a leaf.
    pub fn to_bytes(&self) -> Result<Vec<u8>, EntryError> {
        let bytes = match self.known() {
            Some(known) => serde_json::to_vec(&known).expect("an entry's values are plain JSON"),
            None => match self {
                Self::Unknown(bytes) => bytes.clone(),
                _ => Vec::new(),
            },
        };
        if bytes.len() > ENTRY_BYTES_MAX {
            return Err(EntryError::TooLarge { bytes: bytes.len() });
        }
        if bytes.is_empty() { Err(EntryError::Json) } else { Ok(bytes) }
    }

    /// Returns the snapshot that a snapshot entry or heartbeat names.
    pub const fn snapshot(&self) -> Option<(Sequence, ManifestId)> {
        match self {
            Self::Snapshot { sequence, manifest, .. } | Self::Heartbeat { sequence, manifest, .. } => {
                Some((*sequence, *manifest))
            }
            _ => None,
        }
    }

    /// Returns when it happened, unless the type is unknown.
    pub const fn time(&self) -> Option<Timestamp> {
        match self {
            Self::Snapshot { time, .. }
            | Self::Heartbeat { time, .. }
            | Self::Epoch { time, .. }
            | Self::Event { time, .. } => Some(*time),
            Self::Unknown(_) => None,
        }
    }

    fn known(&self) -> Option<Known> {
        Some(match self.clone() {
            Self::Snapshot { time, sequence, manifest, verdict } => {
                Known::Snapshot { time, sequence, manifest, verdict }
            }
            Self::Heartbeat { time, sequence, manifest, source_time, next_by } => {
                Known::Heartbeat { time, sequence, manifest, source_time, next_by }
            }
            Self::Epoch { time, epoch } => Known::Epoch { time, epoch },
            Self::Event { time, name, detail } => Known::Event { time, name, detail },
            Self::Unknown(_) => return None,
        })
    }
}

impl From<Known> for Entry {
    fn from(known: Known) -> Self {
        match known {
            Known::Snapshot { time, sequence, manifest, verdict } => {
                Self::Snapshot { time, sequence, manifest, verdict }
            }
            Known::Heartbeat { time, sequence, manifest, source_time, next_by } => {
                Self::Heartbeat { time, sequence, manifest, source_time, next_by }
            }
            Known::Epoch { time, epoch } => Self::Epoch { time, epoch },
            Known::Event { time, name, detail } => Self::Event { time, name, detail },
        }
    }
}
