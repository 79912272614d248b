//! Opening parts, and finding the parts that are worth opening.

use super::directory::{DirectoryRoot, DirectoryRow};
use super::locator::LocatorChange;
use super::{INDEX_PART_BYTES_MAX, INDEX_PART_CONTENT_BYTES_MAX, PartEntry, PartKind};
use crate::epoch::EpochIdentity;
use crate::frame::{self, FrameError, Trailer};
use crate::ids::RecordKey;
use crate::sealed::{self, AgeOpenError};
use serde::de::DeserializeOwned;
use std::io;
use std::ops::Range;
use zeroize::Zeroizing;
use zstd::bulk::Decompressor;

/// Says which step of opening an index part failed.
#[derive(Debug, thiserror::Error)]
pub enum OpenPartError {
    /// The sealed part could not be opened.
    #[error("open the sealed index part")]
    Age(#[source] AgeOpenError),
    /// The decompressor could not be set up.
    #[error("prepare the decompressor")]
    Prepare(#[source] io::Error),
    /// The opened bytes are not one frame within the limits.
    #[error("decompress the index part")]
    Frame(#[source] FrameError),
    /// A row is not what the part's kind says.
    #[error("line {line} of the index part is not a row of its kind")]
    Row {
        /// The line, from 1.
        line: usize,
    },
    /// The content does not end with a complete line.
    #[error("the index part ends inside a row")]
    Unterminated,
    /// Locator rows are not in ascending order of their keys.
    #[error("line {line} of the locator part is out of order")]
    Order {
        /// The line, from 1.
        line: usize,
    },
}

/// The rows of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartRows {
    /// The rows of a directory part.
    Directory(Vec<DirectoryRow>),
    /// The root.
    DirectoryRoot(DirectoryRoot),
    /// The rows of a locator part, in ascending order of their keys.
    Locator(Vec<LocatorChange>),
}

/// Opens a part of any kind. Whether the bytes are those that the manifest names is for
/// [`PartEntry::check`].
pub fn open_part(kind: PartKind, bytes: &[u8], identity: &EpochIdentity) -> Result<PartRows, OpenPartError> {
    match kind {
        PartKind::Directory => open_directory_part(bytes, identity).map(PartRows::Directory),
        PartKind::DirectoryRoot => open_root_part(bytes, identity).map(PartRows::DirectoryRoot),
        PartKind::Locator => open_locator_part(bytes, identity).map(PartRows::Locator),
    }
}

/// Opens a directory part.
pub fn open_directory_part(
    bytes: &[u8],
    identity: &EpochIdentity,
) -> Result<Vec<DirectoryRow>, OpenPartError> {
    read_rows(&open_content(bytes, identity)?)
}

/// Opens a directory root.
pub fn open_root_part(bytes: &[u8], identity: &EpochIdentity) -> Result<DirectoryRoot, OpenPartError> {
    read_root(&open_content(bytes, identity)?)
}

/// Opens a locator part.
pub fn open_locator_part(
    bytes: &[u8],
    identity: &EpochIdentity,
) -> Result<Vec<LocatorChange>, OpenPartError> {
    read_locators(&open_content(bytes, identity)?)
}

fn open_content(bytes: &[u8], identity: &EpochIdentity) -> Result<Zeroizing<Vec<u8>>, OpenPartError> {
    let frame =
        sealed::open_with(identity.as_age(), bytes, INDEX_PART_BYTES_MAX).map_err(OpenPartError::Age)?;
    let header = frame::read_header(&frame, INDEX_PART_CONTENT_BYTES_MAX).map_err(OpenPartError::Frame)?;
    if let Some(id) = header.dictionary {
        return Err(OpenPartError::Frame(FrameError::UnknownDictionary { id }));
    }
    let mut decompressor = Decompressor::new().map_err(OpenPartError::Prepare)?;
    frame::decompress(&mut decompressor, header, &frame, Trailer::Nothing).map_err(OpenPartError::Frame)
}

/// Reads the content of a directory root.
pub(crate) fn read_root(content: &[u8]) -> Result<DirectoryRoot, OpenPartError> {
    serde_json::from_slice(content).map_err(|_| OpenPartError::Row { line: 1 })
}

/// Reads the content of a locator part.
pub(crate) fn read_locators(content: &[u8]) -> Result<Vec<LocatorChange>, OpenPartError> {
    let rows: Vec<LocatorChange> = read_rows(content)?;
    match rows.windows(2).position(|pair| pair[0].key() >= pair[1].key()) {
        None => Ok(rows),
        Some(index) => Err(OpenPartError::Order { line: index + 2 }),
    }
}

/// Reads lines of JSON.
pub(crate) fn read_rows<T: DeserializeOwned>(content: &[u8]) -> Result<Vec<T>, OpenPartError> {
    let lines = content.strip_suffix(b"\n").ok_or(OpenPartError::Unterminated)?.split(|byte| *byte == b'\n');
    lines
        .enumerate()
        .map(|(index, line)| serde_json::from_slice(line).map_err(|_| OpenPartError::Row { line: index + 1 }))
        .collect()
}

/// Returns the locator part that holds a record, if the index does.
pub fn locator_part_for(parts: &[PartEntry], key: RecordKey) -> Option<&PartEntry> {
    let first = parts.partition_point(|part| part.kind < PartKind::Locator);
    let locators = &parts[first..];
    let after = locators.partition_point(|part| part.from.is_some_and(|from| from <= key.prefix()));
    locators[..after].last()
}

/// Returns which directory parts, counted from the first, may hold names that begin with a folded text.
pub fn directory_parts_for_name(root: &DirectoryRoot, folded_prefix: &str) -> Range<usize> {
    let first = root.fences.partition_point(|fence| fence.as_str() < folded_prefix);
    let within = |fence: &String| fence.as_str() <= folded_prefix || fence.starts_with(folded_prefix);
    let end = root.fences.partition_point(within);
    let first = first.saturating_sub(1);
    first..end.max(first)
}
