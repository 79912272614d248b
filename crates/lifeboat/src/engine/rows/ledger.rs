//! The ledger of batches that were applied.

use super::error::{RowsError, step};
use super::{BATCHES, RowStore};
use crate::engine::report::UnreadableInput;
use jiff::civil::DateTime;
use redb::{ReadableDatabase, ReadableTable};
use serde::{Deserialize, Serialize};

/// One batch that was applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AppliedBatch {
    /// What names it.
    pub(crate) name: String,
    /// Sorts it among the others.
    pub(crate) order: String,
    /// Whether it was taken for everything.
    pub(crate) full: bool,
    /// Up to where it reached.
    pub(crate) until: Option<String>,
    /// Whose extract it was.
    pub(crate) practice: Option<String>,
    /// When it was exported.
    pub(crate) exported: Option<DateTime>,
    /// The digest of what its files hold.
    pub(crate) content: [u8; 16],
    /// The digest of its files' names, lengths and times, by which it is known again without reading it.
    pub(crate) stamp: [u8; 16],
    /// Rows that it held.
    pub(crate) rows: u64,
    /// What could not be read of it, each with how often.
    pub(crate) problems: Vec<(UnreadableInput, IsNote)>,
}

/// Whether a problem is worth a note only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum IsNote {
    /// Something is missing.
    No,
    /// Nothing is.
    Yes,
}

impl RowStore {
    /// The batches that were applied to the rows that are kept, in order.
    pub(crate) fn applied(&self) -> Result<Vec<AppliedBatch>, RowsError> {
        let mut batches = Vec::new();
        if self.head()?.is_none() {
            return Ok(batches);
        }
        let reader = self.database.begin_read().map_err(step("begin to read"))?;
        let table = reader.open_table(BATCHES).map_err(step("open the ledger"))?;
        for row in table.iter().map_err(step("read the ledger"))? {
            let (key, value) = row.map_err(step("read a batch"))?;
            let opened = self.host.open(&key.value(), value.value())?;
            let batch: AppliedBatch =
                serde_json::from_slice(&opened).map_err(|_| RowsError::Value { what: "a batch" })?;
            batches.push(batch);
        }
        batches.sort_by(|a, b| a.order.cmp(&b.order).then_with(|| a.name.cmp(&b.name)));
        Ok(batches)
    }

    /// Notes a batch.
    pub(super) fn put_batch(
        &self,
        writer: &redb::WriteTransaction,
        batch: &AppliedBatch,
    ) -> Result<(), RowsError> {
        let mut table = writer.open_table(BATCHES).map_err(step("open the ledger"))?;
        let key = self.hasher.row("batch", &batch.name);
        let plain = serde_json::to_vec(batch).map_err(|_| RowsError::Value { what: "a batch" })?;
        let sealed = self.host.seal(&key, &plain)?;
        table.insert(key, sealed.as_slice()).map_err(step("note a batch"))?;
        Ok(())
    }
}
