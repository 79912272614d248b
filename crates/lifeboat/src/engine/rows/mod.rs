//! Rows of a table feed, kept sealed between batches.
//!
//! One embedded database holds all rows of each owner (a patient, a day, everybody) as one sealed value, with the version
//! of its document beside it. Batches are applied whole or not at all: their rows, the ledger of what has been applied
//! and the cursor of a puller change in one transaction. Everything in it can be made again from the source, given a full
//! extract.

mod apply;
mod change;
mod error;
mod gather;
mod hash;
mod ledger;
mod merge;
mod owners;
mod shared;
mod sink;
mod view;

pub use error::RowsError;
pub use sink::StoreSink;

pub(crate) use apply::Commit;
pub(crate) use change::Order;
pub(crate) use gather::{Inbox, Routed, Router, Scope};
pub(crate) use hash::UnitKey;
pub(crate) use ledger::{AppliedBatch, IsNote};
pub(crate) use view::RowsView;

use super::database::{Opened, open_checked};
use super::host_key::HostKey;
use error::step;
use hash::RowHasher;
use lifeboat_feeds::{TableFeed, TableSpec, UnitRows};
use lifeboat_replica::crash_step;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use serde::{Deserialize, Serialize};
use shared::SharedRows;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// The layout of the database; one of another layout is made anew.
const LAYOUT: u32 = 1;
/// Speed matters more than size for rows that change often.
const ROWS_LEVEL: i32 = 1;
/// Largest value that is opened.
const VALUE_BYTES_MAX: usize = 1 << 30;

type Values = TableDefinition<'static, [u8; 16], &'static [u8]>;
/// Each owner's rows, sealed.
const UNITS: Values = TableDefinition::new("units");
/// Each owner's version: the digest of its rows and the digest of the shared rows that they look up.
const VERSIONS: TableDefinition<'static, [u8; 16], [u8; 32]> = TableDefinition::new("versions");
/// The names of the shared rows that each owner's rows look up.
const USES: Values = TableDefinition::new("uses");
/// The short names of each owner's rows.
const KEYS: Values = TableDefinition::new("keys");
/// The shared rows, in sealed chunks.
const SHARED: TableDefinition<'static, u16, &'static [u8]> = TableDefinition::new("shared");
/// The batches that were applied, sealed.
const BATCHES: Values = TableDefinition::new("batches");
/// What is known of the rows as a whole, sealed.
const HEAD: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("head");

/// What a person said of the rows that are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Trust {
    /// Nothing that speaks against them.
    #[default]
    Undisputed,
    /// A snapshot of them was rejected, and what was wrong with it may still be in them.
    Rejected,
}

/// What is known of the rows as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    layout: u32,
    /// The feed whose rows these are.
    pub(crate) feed: String,
    /// The feed's version when owners' lists of looked-up rows were made.
    version: u32,
    /// The tables that the feed has been seen to supply, with all columns that they need.
    pub(crate) supplied: BTreeSet<String>,
    /// How far a puller has read its source.
    pub(crate) cursor: Option<Vec<u8>>,
    /// What a person said of them; a full batch begins anew.
    #[serde(default)]
    trust: Trust,
}

/// The rows of one feed.
pub(crate) struct RowStore {
    database: Database,
    host: HostKey,
    hasher: RowHasher,
    feed: &'static dyn TableFeed,
    /// Loaded when it is first needed, forgotten when a batch begins to change it.
    shared: Option<Arc<SharedRows>>,
    /// Whether a damaged database was set aside.
    was_damaged: bool,
}

impl RowStore {
    /// Opens the rows of `feed`, or makes an empty database; a damaged one is set aside.
    ///
    /// # Errors
    /// The file cannot be opened or made.
    pub(crate) fn open(
        path: &Path,
        host: HostKey,
        feed: &'static dyn TableFeed,
        threads: usize,
    ) -> Result<Self, RowsError> {
        let opened = open_checked(path)
            .map_err(|source| RowsError::Open { path: path.into(), source: Box::new(source) })?;
        let (database, was_damaged) = match opened {
            Opened::Whole(database) => (database, false),
            Opened::Replaced(database) => (database, true),
        };
        let hasher = RowHasher::new(&host);
        let mut store = Self { database, host, hasher, feed, shared: None, was_damaged };
        store.make_tables()?;
        if store.head()?.is_some_and(|head| head.version != feed.version()) {
            store.refresh(threads)?;
        }
        Ok(store)
    }

    fn make_tables(&self) -> Result<(), RowsError> {
        let writer = self.database.begin_write().map_err(step("begin to write"))?;
        for table in [UNITS, USES, KEYS, BATCHES] {
            writer.open_table(table).map_err(step("make a table"))?;
        }
        writer.open_table(VERSIONS).map_err(step("make a table"))?;
        writer.open_table(SHARED).map_err(step("make a table"))?;
        writer.open_table(HEAD).map_err(step("make a table"))?;
        writer.commit().map_err(step("commit"))
    }

    /// The feed whose rows are kept.
    pub(crate) fn feed(&self) -> &'static dyn TableFeed {
        self.feed
    }

    /// Says where changes of a batch go.
    pub(crate) fn router(&self, scope: Scope) -> Router {
        Router::new(self.feed, self.hasher, scope)
    }

    /// Whether a damaged database was set aside when the rows were opened.
    pub(crate) fn was_damaged(&self) -> bool {
        self.was_damaged
    }

    /// What is known of the rows as a whole; nothing before the first batch, and nothing of another feed's rows.
    pub(crate) fn head(&self) -> Result<Option<Head>, RowsError> {
        let reader = self.database.begin_read().map_err(step("begin to read"))?;
        let table = reader.open_table(HEAD).map_err(step("open the head"))?;
        let Some(sealed) = table.get("head").map_err(step("read the head"))? else { return Ok(None) };
        let opened = self.host.open(b"head", sealed.value())?;
        let head: Head =
            serde_json::from_slice(&opened).map_err(|_| RowsError::Value { what: "the head" })?;
        Ok((head.layout == LAYOUT && head.feed == self.feed.format().name()).then_some(head))
    }

    /// What a person said of the rows.
    pub(crate) fn trust(&self) -> Result<Trust, RowsError> {
        Ok(self.head()?.map(|head| head.trust).unwrap_or_default())
    }

    /// Notes what a person says of the rows; of none there is nothing to note.
    pub(crate) fn put_trust(&mut self, trust: Trust) -> Result<(), RowsError> {
        let Some(head) = self.head()?.filter(|head| head.trust != trust) else { return Ok(()) };
        let writer = self.database.begin_write().map_err(step("begin to write"))?;
        self.put_head(&writer, &Head { trust, ..head })?;
        writer.commit().map_err(step("commit"))
    }

    /// The shared rows.
    fn shared(&mut self, threads: usize) -> Result<Arc<SharedRows>, RowsError> {
        if let Some(shared) = &self.shared {
            return Ok(shared.clone());
        }
        let shared = Arc::new(self.load_shared(threads)?);
        self.shared = Some(shared.clone());
        Ok(shared)
    }

    fn load_shared(&self, threads: usize) -> Result<SharedRows, RowsError> {
        let mut shared = SharedRows::new(self.hasher);
        if self.head()?.is_none() {
            return Ok(shared);
        }
        let reader = self.database.begin_read().map_err(step("begin to read"))?;
        let table = reader.open_table(SHARED).map_err(step("open the shared rows"))?;
        let mut sealed: Vec<(u8, Vec<u8>)> = Vec::new();
        for row in table.iter().map_err(step("read the shared rows"))? {
            let (number, value) = row.map_err(step("read a chunk of shared rows"))?;
            let number = u8::try_from(number.value()).map_err(|_| RowsError::Value { what: "a chunk" })?;
            sealed.push((number, value.value().to_vec()));
        }
        let share = sealed.len().div_ceil(threads.max(1)).max(1);
        let opened: Vec<Result<Vec<(u8, UnitRows)>, RowsError>> = std::thread::scope(|scope| {
            let open = |chunks: &[(u8, Vec<u8>)]| -> Result<Vec<_>, RowsError> {
                chunks
                    .iter()
                    .map(|(number, sealed)| Ok((*number, self.open_chunk(*number, sealed)?)))
                    .collect()
            };
            let threads: Vec<_> =
                sealed.chunks(share).map(|share| scope.spawn(move || open(share))).collect();
            threads.into_iter().map(apply::rejoin).collect()
        });
        for chunks in opened {
            for (number, rows) in chunks? {
                shared.replace(number, rows, self.feed.tables());
            }
        }
        Ok(shared)
    }

    fn seal_chunk(&self, number: u8, rows: &UnitRows) -> Result<Vec<u8>, RowsError> {
        let packed = pack(&rows.encode())?;
        Ok(self.host.seal(&[&b"shared"[..], &[number]].concat(), &packed)?)
    }

    fn open_chunk(&self, number: u8, sealed: &[u8]) -> Result<UnitRows, RowsError> {
        let packed = self.host.open(&[&b"shared"[..], &[number]].concat(), sealed)?;
        UnitRows::decode(&unpack(&packed)?).ok_or(RowsError::Value { what: "a chunk of shared rows" })
    }

    fn put_head(&self, writer: &redb::WriteTransaction, head: &Head) -> Result<(), RowsError> {
        let plain = serde_json::to_vec(head).map_err(|_| RowsError::Value { what: "the head" })?;
        let sealed = self.host.seal(b"head", &plain)?;
        let mut table = writer.open_table(HEAD).map_err(step("open the head"))?;
        table.insert("head", sealed.as_slice()).map_err(step("keep the head"))?;
        Ok(())
    }

    fn commit(&self, writer: redb::WriteTransaction) -> Result<(), RowsError> {
        crash_step("rows: before commit");
        writer.commit().map_err(step("commit"))?;
        crash_step("rows: after commit");
        Ok(())
    }
}

/// The specification of a table.
fn spec_of(tables: &'static [TableSpec], name: &str) -> Option<&'static TableSpec> {
    tables.iter().find(|table| table.name == name)
}

/// Compresses a value, with its length before it.
fn pack(plain: &[u8]) -> Result<Vec<u8>, RowsError> {
    let mut packed = (plain.len() as u64).to_le_bytes().to_vec();
    packed.append(&mut zstd::bulk::compress(plain, ROWS_LEVEL).map_err(RowsError::Compress)?);
    Ok(packed)
}

/// Decompresses what [`pack`] made.
fn unpack(packed: &[u8]) -> Result<Vec<u8>, RowsError> {
    let damaged = || RowsError::Value { what: "a value" };
    let (length, compressed) = packed.split_first_chunk().ok_or_else(damaged)?;
    let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| damaged())?;
    if length > VALUE_BYTES_MAX {
        return Err(damaged());
    }
    zstd::bulk::decompress(compressed, length).map_err(RowsError::Compress)
}
