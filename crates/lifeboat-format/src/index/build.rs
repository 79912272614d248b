//! Building an index object from sorted rows, part by part, in bounded memory.

use super::directory::{DIRECTORY_ROW_BYTES_MAX, DirectoryRoot, DirectoryRow};
use super::locator::LocatorChange;
use super::{INDEX_PART_BYTES_MAX, INDEX_PART_CONTENT_BYTES_MAX, PartEntry, PartKind};
use crate::epoch::EpochRecipient;
use crate::frame;
use crate::ids::{Digest, IndexId, KeyPrefix, RecordKey};
use crate::manifest::IndexEntry;
use crate::sealed::{self, AgeSealError};
use jiff::civil::Date;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::io::{self, Write};
use zeroize::{Zeroize, Zeroizing};
use zstd::bulk::Compressor;

/// The zstd level of index parts: they are small, and read far more often than written.
const INDEX_LEVEL: i32 = 9;
/// What a sealed part should measure: close to the limit, so that there are few.
const PART_TARGET_BYTES: usize = 60 * 1024;

/// Says which step of building an index failed.
#[derive(Debug, thiserror::Error)]
pub enum BuildIndexError {
    /// A row came out of order, twice, or a directory row after a locator row.
    #[error("index rows came out of order")]
    Order,
    /// A directory row is larger than [`DIRECTORY_ROW_BYTES_MAX`].
    #[error("directory row of {bytes} bytes is larger than {DIRECTORY_ROW_BYTES_MAX}")]
    RowTooLarge {
        /// How large the row is.
        bytes: usize,
    },
    /// Rows that must stay together do not fit one part.
    #[error("rows that belong together do not fit one index part")]
    PartTooLarge,
    /// A row could not be written as JSON.
    #[error("write an index row")]
    Row(#[source] serde_json::Error),
    /// A part could not be compressed.
    #[error("compress an index part")]
    Compress(#[source] io::Error),
    /// A part could not be sealed.
    #[error("seal an index part")]
    Seal(#[source] AgeSealError),
    /// A part could not be written to the sink.
    #[error("write an index part")]
    Write(#[source] io::Error),
}

/// An index object that is complete and will never change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinishedIndex<B = Vec<u8>> {
    /// The object's id.
    pub id: IndexId,
    /// How many bytes it has.
    pub size: u64,
    /// Its parts.
    pub parts: Vec<PartEntry>,
    /// Its bytes, or whatever they were written to.
    pub bytes: B,
}

impl<B> FinishedIndex<B> {
    /// Returns what a manifest says about the object.
    pub fn entry(&self) -> IndexEntry {
        IndexEntry { sha256: self.id, size: self.size, parts: self.parts.clone() }
    }
}

/// The rows of an index, in any order.
#[derive(Debug, Default)]
pub struct IndexContent {
    /// The dates of which the snapshot holds a day list.
    pub days: Vec<Date>,
    /// How many patients the snapshot holds.
    pub patients: u64,
    /// The directory rows of this index.
    pub directory: Vec<DirectoryRow>,
    /// The locator rows of this index.
    pub locators: Vec<LocatorChange>,
}

/// Builds an index object in memory: sorts the rows, then does what [`IndexBuilder`] does.
pub fn build_index(
    mut content: IndexContent,
    recipient: &EpochRecipient,
) -> Result<FinishedIndex, BuildIndexError> {
    content.directory.sort_by_cached_key(|row| (row.sort_name(), row.key));
    content.locators.sort_by_key(LocatorChange::key);
    let mut builder = IndexBuilder::new(recipient, Vec::new(), content.days, content.patients)?;
    for row in &content.directory {
        builder.push_directory(row)?;
    }
    for change in &content.locators {
        builder.push_locator(change)?;
    }
    builder.finish()
}

/// Builds an index object from sorted rows and writes it to a sink as it grows.
///
/// First all directory rows by [`DirectoryRow::sort_name`] and key, then all locator rows by key.
pub struct IndexBuilder<W> {
    sink: W,
    sealer: PartSealer,
    hash: Sha256,
    size: u64,
    parts: Vec<PartEntry>,
    root: DirectoryRoot,
    root_written: bool,
    directory: Pending<(String, RecordKey)>,
    locators: Pending<RecordKey>,
    last_name: String,
}

impl<W> fmt::Debug for IndexBuilder<W> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "IndexBuilder({} parts, {} bytes)", self.parts.len(), self.size)
    }
}

impl<W: Write> IndexBuilder<W> {
    /// Begins an index object that speaks for a snapshot with these day lists and this many patients.
    pub fn new(
        recipient: &EpochRecipient,
        sink: W,
        days: Vec<Date>,
        patients: u64,
    ) -> Result<Self, BuildIndexError> {
        let compressor = frame::new_compressor(INDEX_LEVEL, &[]).map_err(BuildIndexError::Compress)?;
        Ok(Self {
            sink,
            sealer: PartSealer { recipient: recipient.clone(), compressor },
            hash: Sha256::new(),
            size: 0,
            parts: Vec::new(),
            root: DirectoryRoot { fences: Vec::new(), days, patients },
            root_written: false,
            directory: Pending::new(),
            locators: Pending::new(),
            last_name: String::new(),
        })
    }

    /// Adds the next directory row.
    pub fn push_directory(&mut self, row: &DirectoryRow) -> Result<(), BuildIndexError> {
        let head = (row.sort_name(), row.key);
        let in_order = self.directory.last.as_ref().is_none_or(|last| *last < head);
        if self.root_written || !in_order {
            return Err(BuildIndexError::Order);
        }
        let bytes = self.directory.push(row, head)?;
        if bytes > DIRECTORY_ROW_BYTES_MAX {
            return Err(BuildIndexError::RowTooLarge { bytes });
        }
        while self.directory.is_ripe() && self.write_directory_part(Fill::Target)? {}
        Ok(())
    }

    /// Adds the next locator row.
    pub fn push_locator(&mut self, change: &LocatorChange) -> Result<(), BuildIndexError> {
        self.end_directory()?;
        let key = change.key();
        if self.locators.last.is_some_and(|last| last >= key) {
            return Err(BuildIndexError::Order);
        }
        self.locators.push(change, key)?;
        while self.locators.is_ripe() && self.write_locator_part(Fill::Target)? {}
        Ok(())
    }

    /// Writes what is left and closes the object.
    pub fn finish(mut self) -> Result<FinishedIndex<W>, BuildIndexError> {
        self.end_directory()?;
        while !self.locators.is_empty() {
            self.write_locator_part(Fill::Rest)?;
        }
        let id = IndexId::from(Digest::from_bytes(self.hash.finalize().into()));
        Ok(FinishedIndex { id, size: self.size, parts: self.parts, bytes: self.sink })
    }

    /// Writes the rest of the directory and its root, once.
    fn end_directory(&mut self) -> Result<(), BuildIndexError> {
        if self.root_written {
            return Ok(());
        }
        while !self.directory.is_empty() {
            self.write_directory_part(Fill::Rest)?;
        }
        self.root_written = true;
        let content = Zeroizing::new(serde_json::to_vec(&self.root).map_err(BuildIndexError::Row)?);
        let sealed = self.sealer.seal(&content)?.ok_or(BuildIndexError::PartTooLarge)?;
        self.write_part(PartKind::DirectoryRoot, None, &sealed)
    }

    fn write_directory_part(&mut self, fill: Fill) -> Result<bool, BuildIndexError> {
        let Some(part) = self.directory.take_part(&mut self.sealer, fill, |_, _| true)? else {
            return Ok(false);
        };
        self.root.fences.push(fence(&self.last_name, &part.first.0));
        self.last_name = part.last.0;
        self.write_part(PartKind::Directory, None, &part.sealed)?;
        Ok(true)
    }

    fn write_locator_part(&mut self, fill: Fill) -> Result<bool, BuildIndexError> {
        let may_cut = |before: &RecordKey, after: &RecordKey| before.prefix() != after.prefix();
        let Some(part) = self.locators.take_part(&mut self.sealer, fill, may_cut)? else {
            return Ok(false);
        };
        self.write_part(PartKind::Locator, Some(part.first.prefix()), &part.sealed)?;
        Ok(true)
    }

    fn write_part(
        &mut self,
        kind: PartKind,
        from: Option<KeyPrefix>,
        sealed: &[u8],
    ) -> Result<(), BuildIndexError> {
        let length = u32::try_from(sealed.len()).map_err(|_| BuildIndexError::PartTooLarge)?;
        let sha256 = Digest::of(sealed);
        self.sink.write_all(sealed).map_err(BuildIndexError::Write)?;
        self.hash.update(sealed);
        self.parts.push(PartEntry { kind, from, offset: self.size, length, sha256 });
        self.size += u64::from(length);
        Ok(())
    }
}

/// Returns the shortest text after `before` and not after `first`, or `first` when both are equal.
fn fence(before: &str, first: &str) -> String {
    let shared = before.bytes().zip(first.bytes()).take_while(|(one, two)| one == two).count();
    let mut end = (shared + 1).min(first.len());
    while !first.is_char_boundary(end) {
        end += 1;
    }
    first[..end].to_owned()
}

struct PartSealer {
    recipient: EpochRecipient,
    compressor: Compressor<'static>,
}

impl PartSealer {
    /// Seals a part, or returns nothing when it would be too large.
    fn seal(&mut self, content: &[u8]) -> Result<Option<Vec<u8>>, BuildIndexError> {
        if content.len() as u64 > INDEX_PART_CONTENT_BYTES_MAX {
            return Ok(None);
        }
        let frame = frame::compress(&mut self.compressor, content, 0).map_err(BuildIndexError::Compress)?;
        if frame.len() > INDEX_PART_BYTES_MAX {
            return Ok(None);
        }
        let recipients = std::iter::once(self.recipient.as_age() as &dyn age::Recipient);
        let sealed = sealed::seal_to(recipients, &frame).map_err(BuildIndexError::Seal)?;
        Ok((sealed.len() <= INDEX_PART_BYTES_MAX).then_some(sealed))
    }
}

/// How much of the pending rows a part must take.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fill {
    /// A part close to the target size, or none yet.
    Target,
    /// As much as fits, because no more rows come.
    Rest,
}

/// Rows that are not in a part yet. `H` is what rows are sorted by.
struct Pending<H> {
    lines: Vec<u8>,
    heads: Vec<(usize, H)>,
    last: Option<H>,
    ripe_bytes: usize,
}

struct TakenPart<H> {
    sealed: Vec<u8>,
    first: H,
    last: H,
}

impl<H> Drop for Pending<H> {
    fn drop(&mut self) {
        self.lines.zeroize();
    }
}

impl<H: Clone> Pending<H> {
    fn new() -> Self {
        Self { lines: Vec::new(), heads: Vec::new(), last: None, ripe_bytes: PART_TARGET_BYTES * 2 }
    }

    fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }

    /// Says whether there are enough rows to expect a full part.
    fn is_ripe(&self) -> bool {
        self.lines.len() >= self.ripe_bytes
    }

    fn push(&mut self, row: &impl Serialize, head: H) -> Result<usize, BuildIndexError> {
        let start = self.lines.len();
        serde_json::to_writer(&mut self.lines, row).map_err(BuildIndexError::Row)?;
        self.lines.push(b'\n');
        self.heads.push((self.lines.len(), head.clone()));
        self.last = Some(head);
        Ok(self.lines.len() - start)
    }

    /// Seals the longest beginning of the rows that fits a part and ends where a cut is allowed. With
    /// [`Fill::Target`], waits for more rows while they all fit with room to spare.
    fn take_part(
        &mut self,
        sealer: &mut PartSealer,
        fill: Fill,
        may_cut: impl Fn(&H, &H) -> bool,
    ) -> Result<Option<TakenPart<H>>, BuildIndexError> {
        let mut rows = self.heads.len();
        if fill == Fill::Target {
            // What follows the last row is not known yet, so the last row stays for a later part.
            rows = self.cut_before(rows.saturating_sub(1), &may_cut);
        }
        while rows > 0 {
            let end = self.heads[rows - 1].0;
            match sealer.seal(&self.lines[..end])? {
                Some(sealed) if fill == Fill::Target && self.may_grow(end, sealed.len()) => return Ok(None),
                Some(sealed) => return Ok(Some(self.remove(rows, sealed))),
                None => rows = self.cut_before(rows - rows.div_ceil(8), &may_cut),
            }
        }
        if fill == Fill::Target && self.lines.len() as u64 <= INDEX_PART_CONTENT_BYTES_MAX {
            self.ripe_bytes = self.lines.len() * 2;
            return Ok(None);
        }
        Err(BuildIndexError::PartTooLarge)
    }

    /// Learns from a measured part, and says whether it is worth waiting for more rows.
    fn may_grow(&mut self, content: usize, sealed: usize) -> bool {
        let content_max = usize::try_from(INDEX_PART_CONTENT_BYTES_MAX).unwrap_or(usize::MAX);
        self.ripe_bytes = (content * PART_TARGET_BYTES / sealed).min(content_max);
        let grows = sealed < PART_TARGET_BYTES * 7 / 8 && content < content_max / 8 * 7;
        if grows {
            // Rows that must stay together may keep the part from growing; trying again must be worth it.
            self.ripe_bytes = self.ripe_bytes.max(self.lines.len() + self.lines.len() / 8);
        }
        grows
    }

    /// Returns the largest number of rows, at most `rows`, after which a cut is allowed.
    fn cut_before(&self, mut rows: usize, may_cut: impl Fn(&H, &H) -> bool) -> usize {
        while rows > 0 && rows < self.heads.len() && !may_cut(&self.heads[rows - 1].1, &self.heads[rows].1) {
            rows -= 1;
        }
        rows
    }

    fn remove(&mut self, rows: usize, sealed: Vec<u8>) -> TakenPart<H> {
        let end = self.heads[rows - 1].0;
        let part = TakenPart { sealed, first: self.heads[0].1.clone(), last: self.heads[rows - 1].1.clone() };
        self.heads.drain(..rows);
        self.heads.iter_mut().for_each(|(line_end, _)| *line_end -= end);
        self.lines.copy_within(end.., 0);
        let left = self.lines.len() - end;
        self.lines[left..].zeroize();
        self.lines.truncate(left);
        part
    }
}
