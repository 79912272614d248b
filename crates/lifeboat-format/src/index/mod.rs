//! The index: who is in a snapshot, and where each record lies.
//!
//! An index object is a sequence of *parts*, each sealed alone and small, so that a reader fetches only those it
//! needs. *Directory* parts list patients by name, the *directory root* says which part begins where and which day
//! lists exist, *locator* parts map record keys to places. A snapshot has a `base` index and at most one `delta`,
//! which lists everything that differs from the base; what the delta says wins.

mod build;
mod directory;
mod locator;
mod open;

pub use build::{BuildIndexError, FinishedIndex, IndexBuilder, IndexContent, build_index};
pub use directory::{DIRECTORY_ROW_BYTES_MAX, Died, DirectoryRoot, DirectoryRow, merge_directory, sort_name};
pub use locator::{LocatorChange, LocatorPlace, LocatorRow, RecordKind, find_locator, merge_locators};
pub use open::{
    OpenPartError, PartRows, directory_parts_for_name, locator_part_for, open_directory_part,
    open_locator_part, open_part, open_root_part,
};
pub(crate) use open::{read_locators, read_root, read_rows};

use crate::ids::{Digest, KeyPrefix};
use crate::json;
use serde::{Deserialize, Serialize};

/// The largest sealed part.
pub const INDEX_PART_BYTES_MAX: usize = 64 * 1024;
/// The largest content of a part, before compression.
pub const INDEX_PART_CONTENT_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// What a part holds. Parts lie in an index object in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PartKind {
    /// Patients, sorted by name.
    Directory,
    /// Where directory parts begin, the dates of day lists, and how many patients there are.
    DirectoryRoot,
    /// Places of records, sorted by record key.
    Locator,
}

/// Describes one part of an index object, as the manifest lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartEntry {
    /// What the part holds.
    pub kind: PartKind,
    /// Where the first key of a locator part begins; `null` for other parts.
    #[serde(deserialize_with = "json::nullable")]
    pub from: Option<KeyPrefix>,
    /// Where in the index object the part begins.
    pub offset: u64,
    /// How long the sealed part is.
    pub length: u32,
    /// The digest of the sealed part.
    pub sha256: Digest,
}

impl PartEntry {
    /// Returns the range of bytes in the index object.
    pub fn range(&self) -> std::ops::Range<u64> {
        self.offset..self.offset.saturating_add(u64::from(self.length))
    }

    /// Says whether some bytes are this part.
    pub fn check(&self, bytes: &[u8]) -> bool {
        bytes.len() as u64 == u64::from(self.length) && Digest::of(bytes) == self.sha256
    }
}

#[cfg(test)]
mod tests;
