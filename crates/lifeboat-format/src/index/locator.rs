//! Locator rows: which blob holds a record.

use crate::ids::{Digest, PackPrefix, RecordKey};
use crate::manifest::Manifest;
use crate::pack::BlobPlace;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordKind {
    /// A patient's summary.
    Patient,
    /// A day's appointments.
    Day,
}

/// Where a blob lies, with the pack named by the beginning of its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LocatorPlace {
    /// The beginning of the pack's id.
    pub pack: PackPrefix,
    /// Where in the pack the blob begins.
    pub offset: u64,
    /// How long the blob is.
    pub length: u32,
    /// The digest of the blob.
    pub digest: Digest,
}

impl LocatorPlace {
    /// Finds the pack among a manifest's, or returns nothing when there is none or the blob would not lie in it.
    pub fn resolve(&self, manifest: &Manifest) -> Option<BlobPlace> {
        let pack = manifest.pack(self.pack)?;
        let end = self.offset.checked_add(u64::from(self.length))?;
        (self.length > 0 && end <= pack.size).then_some(BlobPlace {
            pack: pack.sha256,
            offset: self.offset,
            length: self.length,
            digest: self.digest,
        })
    }
}

impl From<BlobPlace> for LocatorPlace {
    fn from(place: BlobPlace) -> Self {
        let BlobPlace { pack, offset, length, digest } = place;
        Self { pack: pack.into(), offset, length, digest }
    }
}

/// Says where the current blob of a record lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LocatorRow {
    /// The record.
    pub key: RecordKey,
    /// What the record is.
    pub kind: RecordKind,
    /// Where its blob lies.
    pub place: LocatorPlace,
}

impl LocatorRow {
    /// Makes the row of a record that lies in a pack.
    pub fn new(key: RecordKey, kind: RecordKind, place: BlobPlace) -> Self {
        Self { key, kind, place: place.into() }
    }
}

/// One row of a locator part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "StoredRow", try_from = "StoredRow")]
pub enum LocatorChange {
    /// The record's blob lies here.
    Put(LocatorRow),
    /// The record is no longer part of the site.
    Tombstone(RecordKey),
}

impl LocatorChange {
    /// Returns the record that the row is about.
    pub const fn key(&self) -> RecordKey {
        match self {
            Self::Put(row) => row.key,
            Self::Tombstone(key) => *key,
        }
    }

    /// Returns the row, unless it is a tombstone.
    pub const fn row(&self) -> Option<&LocatorRow> {
        match self {
            Self::Put(row) => Some(row),
            Self::Tombstone(_) => None,
        }
    }
}

impl From<LocatorRow> for LocatorChange {
    fn from(row: LocatorRow) -> Self {
        Self::Put(row)
    }
}

#[derive(Serialize, Deserialize)]
struct StoredRow {
    k: RecordKey,
    t: StoredKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    p: Option<PackPrefix>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    o: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    l: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    h: Option<Digest>,
}

#[derive(Serialize, Deserialize)]
enum StoredKind {
    #[serde(rename = "p")]
    Patient,
    #[serde(rename = "d")]
    Day,
    #[serde(rename = "x")]
    Tombstone,
}

impl From<LocatorChange> for StoredRow {
    fn from(change: LocatorChange) -> Self {
        match change {
            LocatorChange::Tombstone(key) => {
                Self { k: key, t: StoredKind::Tombstone, p: None, o: None, l: None, h: None }
            }
            LocatorChange::Put(row) => Self {
                k: row.key,
                t: match row.kind {
                    RecordKind::Patient => StoredKind::Patient,
                    RecordKind::Day => StoredKind::Day,
                },
                p: Some(row.place.pack),
                o: Some(row.place.offset),
                l: Some(row.place.length),
                h: Some(row.place.digest),
            },
        }
    }
}

impl TryFrom<StoredRow> for LocatorChange {
    type Error = &'static str;

    fn try_from(stored: StoredRow) -> Result<Self, Self::Error> {
        let place = match (stored.p, stored.o, stored.l, stored.h) {
            (Some(pack), Some(offset), Some(length), Some(digest)) => {
                Some(LocatorPlace { pack, offset, length, digest })
            }
            (None, None, None, None) => None,
            _ => return Err("a locator row has all of p, o, l and h, or none"),
        };
        let kind = match stored.t {
            StoredKind::Patient => RecordKind::Patient,
            StoredKind::Day => RecordKind::Day,
            StoredKind::Tombstone if place.is_none() => return Ok(Self::Tombstone(stored.k)),
            StoredKind::Tombstone => return Err("a tombstone has no place"),
        };
        match place {
            Some(place) => Ok(Self::Put(LocatorRow { key: stored.k, kind, place })),
            None => Err("a record's row has a place"),
        }
    }
}

/// Finds a record in the rows of the base and delta parts that would hold it: the delta's word wins.
pub fn find_locator<'a>(
    base: &'a [LocatorChange],
    delta: &'a [LocatorChange],
    key: RecordKey,
) -> Option<&'a LocatorRow> {
    let find = |rows: &'a [LocatorChange]| {
        rows.binary_search_by_key(&key, LocatorChange::key).ok().map(|index| &rows[index])
    };
    find(delta).or_else(|| find(base)).and_then(LocatorChange::row)
}

/// Lays the delta's rows over the base's: changed rows win, tombstones remove.
pub fn merge_locators(
    base: impl IntoIterator<Item = LocatorChange>,
    delta: impl IntoIterator<Item = LocatorChange>,
) -> BTreeMap<RecordKey, LocatorRow> {
    let mut rows = BTreeMap::new();
    for change in base.into_iter().chain(delta) {
        match change {
            LocatorChange::Put(row) => {
                rows.insert(row.key, row);
            }
            LocatorChange::Tombstone(key) => {
                rows.remove(&key);
            }
        }
    }
    rows
}
