//! What the service remembers between snapshots, in one embedded database.
//!
//! Everything in it can be rebuilt from the source: losing it costs one full re-base, never data. It
//! holds keyed digests of documents and records (to see what changed), where each sealed record lies,
//! and each patient's directory row. Rows that say anything about a person are sealed with the
//! [`HostKey`]; names of rows are keyed hashes.
//!
//! The database is committed after the snapshot is in the log. A crash in between leaves it one
//! snapshot behind, which is harmless: it still describes a complete snapshot, and the next run finds
//! the same changes again.

use super::database::{Opened, open_checked};
use super::host_key::{HostKey, HostKeyError};
use super::judging::QualityTotals;
use jiff::civil::Date;
use lifeboat_clinical::record::RecordQuality;
use lifeboat_format::{
    BlobPlace, Digest, DirectoryRow, EpochNumber, ManifestId, PackId, RecordKey, RecordKind,
};
use lifeboat_replica::crash_step;
use redb::{Database, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The state's layout; a database of another layout is rebuilt.
const LAYOUT: u32 = 2;

type Rows = TableDefinition<'static, [u8; 16], &'static [u8]>;
const DOCUMENTS: Rows = TableDefinition::new("documents");
const SOURCES: Rows = TableDefinition::new("sources");
const RECORDS: Rows = TableDefinition::new("records");
const DELTA: TableDefinition<'static, [u8; 16], bool> = TableDefinition::new("delta");
const SITE: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("site");
/// What is remembered of the source for the case that its kept rows are lost.
const ROWS: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("rows");

/// Why the state could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The database file cannot be opened or made.
    #[error("cannot open the state database {}", path.display())]
    Open {
        /// The database file.
        path: PathBuf,
        /// What the database said.
        source: Box<redb::Error>,
    },
    /// A read or write failed.
    #[error("cannot {step} in the state database")]
    Step {
        /// What was attempted.
        step: &'static str,
        /// What the database said.
        source: Box<redb::Error>,
    },
    /// A sealed row does not open.
    #[error("a row of the state database does not open; was the host key replaced?")]
    Sealed(#[from] HostKeyError),
    /// A row is not what this program writes.
    #[error("a row of the state database cannot be understood")]
    Row(#[from] serde_json::Error),
}

fn step<E: Into<redb::Error>>(step: &'static str) -> impl FnOnce(E) -> StateError {
    move |source| StateError::Step { step, source: Box::new(source.into()) }
}

/// What the source last said of one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SourceRow {
    /// Sum of the keyed digests of the documents that the record was made of.
    pub(crate) sum: u128,
    /// How many documents those were.
    pub(crate) documents: u32,
    /// Keyed digest of the record.
    pub(crate) record: [u8; 16],
    /// Whether it was kept although its inputs could not be read.
    pub(crate) carried: bool,
}

impl SourceRow {
    fn to_bytes(self) -> [u8; 37] {
        let mut bytes = [0; 37];
        bytes[..16].copy_from_slice(&self.sum.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.documents.to_le_bytes());
        bytes[20..36].copy_from_slice(&self.record);
        bytes[36] = u8::from(self.carried);
        bytes
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (sum, rest) = bytes.split_first_chunk()?;
        let (documents, rest) = rest.split_first_chunk()?;
        let (record, rest) = rest.split_first_chunk()?;
        let [carried] = rest else { return None };
        Some(Self {
            sum: u128::from_le_bytes(*sum),
            documents: u32::from_le_bytes(*documents),
            record: *record,
            carried: *carried != 0,
        })
    }
}

/// How a place is kept.
#[derive(Serialize, Deserialize)]
#[serde(remote = "BlobPlace")]
struct PlaceFields {
    pack: PackId,
    offset: u64,
    length: u32,
    digest: Digest,
}

/// How a record's kind is kept.
#[derive(Serialize, Deserialize)]
#[serde(remote = "RecordKind")]
enum KindName {
    Patient,
    Day,
}

/// What is kept of one sealed record.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct RecordRow {
    #[serde(with = "KindName")]
    pub(crate) kind: RecordKind,
    #[serde(with = "PlaceFields")]
    pub(crate) place: BlobPlace,
    /// The patient's directory row; day lists have none.
    pub(crate) directory: Option<DirectoryRow>,
    /// The day of a day list.
    pub(crate) day: Option<Date>,
    /// Items per section that the record holds.
    pub(crate) sections: Vec<(String, u32)>,
    pub(crate) appointments: u32,
    /// What was counted of a patient's record.
    #[serde(default)]
    pub(crate) quality: RecordQuality,
}

/// What is kept of a pack that the newest snapshot refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PackUse {
    pub(crate) id: PackId,
    pub(crate) bytes: u64,
    pub(crate) live_bytes: u64,
    pub(crate) since_base: bool,
}

/// Patients and items of one section.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SectionTotal {
    pub(crate) patients: u64,
    pub(crate) items: u64,
}

/// Totals over all records.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Totals {
    pub(crate) patients: u64,
    /// Days of which there is a day list.
    pub(crate) days: BTreeSet<Date>,
    pub(crate) appointments: u64,
    pub(crate) sections: BTreeMap<String, SectionTotal>,
    #[serde(default)]
    pub(crate) quality: QualityTotals,
}

/// A source that the gate held, so that the same one is not sealed again each time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HeldSource {
    pub(crate) fingerprint: [u8; 16],
    pub(crate) manifest: ManifestId,
}

/// The batch with which the kept rows begin, and those that were applied on top of it; it outlives the rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FullBatch {
    pub(crate) feed: String,
    pub(crate) name: String,
    /// Without any of them the rows would not be the same again.
    #[serde(default)]
    pub(crate) followers: Vec<String>,
}

/// What is kept of the site as a whole.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SiteState {
    layout: u32,
    /// The snapshot that this state describes.
    pub(crate) tip: ManifestId,
    pub(crate) epoch: EpochNumber,
    /// Digest of the recipients and passphrase of the epoch.
    pub(crate) recipients: [u8; 16],
    /// Digest of everything outside a patient's own documents that shapes a record.
    pub(crate) generation: [u8; 16],
    pub(crate) base_rows: u64,
    pub(crate) packs: Vec<PackUse>,
    pub(crate) totals: Totals,
    pub(crate) unreadable: u64,
    pub(crate) record_bytes_max: u64,
    pub(crate) held: Option<HeldSource>,
    /// Fingerprints of sources that a person rejected, oldest first.
    #[serde(default)]
    pub(crate) rejected: Vec<[u8; 16]>,
}

impl SiteState {
    /// Starts the state anew, keeping only which source is held and which were rejected.
    pub(crate) fn anew(&self, epoch: EpochNumber, recipients: [u8; 16]) -> Self {
        let (held, rejected) = (self.held.clone(), self.rejected.clone());
        Self { held, rejected, ..Self::new(self.tip, epoch, recipients) }
    }

    /// The same state, with every record compared under `generation`.
    pub(crate) fn in_generation(&self, generation: [u8; 16]) -> Self {
        Self { generation, ..self.clone() }
    }

    /// Starts the state of an epoch that has no record yet.
    pub(crate) fn new(tip: ManifestId, epoch: EpochNumber, recipients: [u8; 16]) -> Self {
        Self {
            layout: LAYOUT,
            tip,
            epoch,
            recipients,
            generation: [0; 16],
            base_rows: 0,
            packs: Vec::new(),
            totals: Totals::default(),
            unreadable: 0,
            record_bytes_max: 0,
            held: None,
            rejected: Vec::new(),
        }
    }
}

/// The state database.
pub(crate) struct State {
    database: Database,
    host: HostKey,
}

impl State {
    /// Opens the database, or makes a new one; a damaged one is set aside, since it can be rebuilt.
    pub(crate) fn open(path: &Path, host: HostKey) -> Result<Self, StateError> {
        let opened = open_checked(path)
            .map_err(|source| StateError::Open { path: path.into(), source: Box::new(source) })?;
        let (Opened::Whole(database) | Opened::Replaced(database)) = opened;
        let state = Self { database, host };
        let writer = state.write()?;
        writer.make_tables()?;
        writer.commit()?;
        Ok(state)
    }

    /// Starts to read.
    pub(crate) fn read(&self) -> Result<StateReader, StateError> {
        let reader = self.database.begin_read().map_err(step("begin to read"))?;
        Ok(StateReader {
            documents: reader.open_table(DOCUMENTS).map_err(step("open the documents"))?,
            sources: reader.open_table(SOURCES).map_err(step("open the sources"))?,
            records: reader.open_table(RECORDS).map_err(step("open the records"))?,
            delta: reader.open_table(DELTA).map_err(step("open the delta"))?,
            site: reader.open_table(SITE).map_err(step("open the site"))?,
            rows: reader.open_table(ROWS).map_err(step("open the rows' beginning"))?,
            host: self.host.clone(),
        })
    }

    /// Starts to write; nothing lasts until [`StateWriter::commit`].
    pub(crate) fn write(&self) -> Result<StateWriter, StateError> {
        let writer = self.database.begin_write().map_err(step("begin to write"))?;
        Ok(StateWriter { writer, host: self.host.clone() })
    }
}

/// One consistent view of the state.
pub(crate) struct StateReader {
    documents: redb::ReadOnlyTable<[u8; 16], &'static [u8]>,
    sources: redb::ReadOnlyTable<[u8; 16], &'static [u8]>,
    records: redb::ReadOnlyTable<[u8; 16], &'static [u8]>,
    delta: redb::ReadOnlyTable<[u8; 16], bool>,
    site: redb::ReadOnlyTable<&'static str, &'static [u8]>,
    rows: redb::ReadOnlyTable<&'static str, &'static [u8]>,
    host: HostKey,
}

impl StateReader {
    /// The batch with which the kept rows begin.
    pub(crate) fn full_batch(&self) -> Result<Option<FullBatch>, StateError> {
        let Some(row) = self.rows.get("full").map_err(step("read the rows' beginning"))? else {
            return Ok(None);
        };
        Ok(Some(serde_json::from_slice(&self.host.open(b"full", row.value())?)?))
    }

    /// What is kept of a document that was read before.
    pub(crate) fn document(&self, digest: &[u8; 16]) -> Result<Option<Vec<u8>>, StateError> {
        let row = self.documents.get(digest).map_err(step("read a document"))?;
        Ok(row.map(|row| row.value().to_vec()))
    }

    /// How many documents are kept.
    pub(crate) fn documents(&self) -> Result<u64, StateError> {
        self.documents.len().map_err(step("count the documents"))
    }

    /// What the source last said of a record.
    pub(crate) fn source(&self, key: RecordKey) -> Result<Option<SourceRow>, StateError> {
        let row = self.sources.get(key.as_bytes()).map_err(step("read a source row"))?;
        Ok(row.and_then(|row| SourceRow::parse(row.value())))
    }

    /// Visits what the source last said of every record.
    pub(crate) fn each_source(&self, mut visit: impl FnMut(RecordKey, SourceRow)) -> Result<(), StateError> {
        for row in self.sources.iter().map_err(step("read the sources"))? {
            let (key, value) = row.map_err(step("read a source row"))?;
            if let Some(row) = SourceRow::parse(value.value()) {
                visit(RecordKey::from_bytes(key.value()), row);
            }
        }
        Ok(())
    }

    /// What is kept of the site, if this program wrote it.
    pub(crate) fn site(&self) -> Result<Option<SiteState>, StateError> {
        let Some(row) = self.site.get("site").map_err(step("read the site"))? else { return Ok(None) };
        let site: SiteState = serde_json::from_slice(&self.host.open(b"site", row.value())?)?;
        Ok((site.layout == LAYOUT).then_some(site))
    }

    /// The dictionary under which records are being sealed.
    pub(crate) fn dictionary(&self) -> Result<Option<Vec<u8>>, StateError> {
        let Some(row) = self.site.get("dictionary").map_err(step("read the dictionary"))? else {
            return Ok(None);
        };
        Ok(Some(self.host.open(b"dictionary", row.value())?.to_vec()))
    }

    /// What is kept of one record.
    pub(crate) fn record(&self, key: RecordKey) -> Result<Option<RecordRow>, StateError> {
        let row = self.records.get(key.as_bytes()).map_err(step("read a record row"))?;
        row.map(|row| open_record(&self.host, key, row.value())).transpose()
    }

    /// Records changed, added or removed since the base.
    pub(crate) fn delta_rows(&self) -> Result<u64, StateError> {
        self.delta.len().map_err(step("count the delta"))
    }
}

fn open_record(host: &HostKey, key: RecordKey, sealed: &[u8]) -> Result<RecordRow, StateError> {
    Ok(serde_json::from_slice(&host.open(key.as_bytes(), sealed)?)?)
}

/// Changes to the state that become true together.
pub(crate) struct StateWriter {
    writer: redb::WriteTransaction,
    host: HostKey,
}

impl StateWriter {
    fn make_tables(&self) -> Result<(), StateError> {
        for table in [DOCUMENTS, SOURCES, RECORDS] {
            self.writer.open_table(table).map_err(step("make a table"))?;
        }
        self.writer.open_table(DELTA).map_err(step("make a table"))?;
        self.writer.open_table(SITE).map_err(step("make a table"))?;
        self.writer.open_table(ROWS).map_err(step("make a table"))?;
        Ok(())
    }

    /// Remembers the batch with which the kept rows begin.
    pub(crate) fn put_full_batch(&self, full: &FullBatch) -> Result<(), StateError> {
        let sealed = self.host.seal(b"full", &serde_json::to_vec(full)?)?;
        let mut table = self.writer.open_table(ROWS).map_err(step("open the rows' beginning"))?;
        table.insert("full", sealed.as_slice()).map_err(step("keep the rows' beginning"))?;
        Ok(())
    }

    /// Forgets everything but the documents' outlines.
    pub(crate) fn forget_records(&self) -> Result<(), StateError> {
        for table in [SOURCES, RECORDS] {
            self.writer.delete_table(table).map_err(step("empty a table"))?;
        }
        self.writer.delete_table(DELTA).map_err(step("empty a table"))?;
        self.writer.delete_table(SITE).map_err(step("empty a table"))?;
        self.make_tables()
    }

    /// Forgets the documents' outlines.
    pub(crate) fn forget_documents(&self) -> Result<(), StateError> {
        self.writer.delete_table(DOCUMENTS).map_err(step("empty a table"))?;
        self.make_tables()
    }

    /// Keeps the outlines of documents.
    pub(crate) fn put_documents<'a>(
        &self,
        rows: impl Iterator<Item = (&'a [u8; 16], &'a [u8])>,
    ) -> Result<(), StateError> {
        let mut table = self.writer.open_table(DOCUMENTS).map_err(step("open the documents"))?;
        for (digest, row) in rows {
            table.insert(digest, row).map_err(step("keep a document"))?;
        }
        Ok(())
    }

    /// Opens the tables of records for many changes.
    pub(crate) fn records(&self) -> Result<RecordsWriter<'_>, StateError> {
        Ok(RecordsWriter {
            sources: self.writer.open_table(SOURCES).map_err(step("open the sources"))?,
            records: self.writer.open_table(RECORDS).map_err(step("open the records"))?,
            delta: self.writer.open_table(DELTA).map_err(step("open the delta"))?,
            host: &self.host,
        })
    }

    /// Empties the delta: all records are in the base now.
    pub(crate) fn clear_delta(&self) -> Result<(), StateError> {
        self.writer.delete_table(DELTA).map_err(step("empty the delta"))?;
        self.make_tables()
    }

    /// Keeps the site's state.
    pub(crate) fn put_site(&self, site: &SiteState) -> Result<(), StateError> {
        let sealed = self.host.seal(b"site", &serde_json::to_vec(site)?)?;
        let mut table = self.writer.open_table(SITE).map_err(step("open the site"))?;
        table.insert("site", sealed.as_slice()).map_err(step("keep the site"))?;
        Ok(())
    }

    /// Keeps the dictionary under which records are being sealed, or forgets it.
    pub(crate) fn put_dictionary(&self, dictionary: Option<&[u8]>) -> Result<(), StateError> {
        let mut table = self.writer.open_table(SITE).map_err(step("open the site"))?;
        match dictionary {
            Some(bytes) => {
                let sealed = self.host.seal(b"dictionary", bytes)?;
                table.insert("dictionary", sealed.as_slice()).map_err(step("keep the dictionary"))?;
            }
            None => {
                table.remove("dictionary").map_err(step("forget the dictionary"))?;
            }
        }
        Ok(())
    }

    /// Makes the changes last.
    pub(crate) fn commit(self) -> Result<(), StateError> {
        crash_step("state: before commit");
        self.writer.commit().map_err(step("commit"))?;
        crash_step("state: after commit");
        Ok(())
    }
}

/// The tables of records, open for writing.
pub(crate) struct RecordsWriter<'a> {
    sources: redb::Table<'a, [u8; 16], &'static [u8]>,
    records: redb::Table<'a, [u8; 16], &'static [u8]>,
    delta: redb::Table<'a, [u8; 16], bool>,
    host: &'a HostKey,
}

impl RecordsWriter<'_> {
    /// Keeps what the source said of a record.
    pub(crate) fn put_source(&mut self, key: RecordKey, row: SourceRow) -> Result<(), StateError> {
        let bytes = row.to_bytes();
        self.sources.insert(key.as_bytes(), bytes.as_slice()).map_err(step("keep a source row"))?;
        Ok(())
    }

    /// Keeps a record's row and returns the one before.
    pub(crate) fn put_record(
        &mut self,
        key: RecordKey,
        row: &RecordRow,
    ) -> Result<Option<RecordRow>, StateError> {
        let sealed = self.host.seal(key.as_bytes(), &serde_json::to_vec(row)?)?;
        let before =
            self.records.insert(key.as_bytes(), sealed.as_slice()).map_err(step("keep a record row"))?;
        before.map(|before| open_record(self.host, key, before.value())).transpose()
    }

    /// Reads a record's row as changed so far.
    pub(crate) fn record(&self, key: RecordKey) -> Result<Option<RecordRow>, StateError> {
        let row = self.records.get(key.as_bytes()).map_err(step("read a record row"))?;
        row.map(|row| open_record(self.host, key, row.value())).transpose()
    }

    /// Forgets a record and returns its row.
    pub(crate) fn remove(&mut self, key: RecordKey) -> Result<Option<RecordRow>, StateError> {
        self.sources.remove(key.as_bytes()).map_err(step("forget a source row"))?;
        let before = self.records.remove(key.as_bytes()).map_err(step("forget a record row"))?;
        before.map(|before| open_record(self.host, key, before.value())).transpose()
    }

    /// Marks a record as changed since the base; `present` is false for one that left.
    pub(crate) fn mark_delta(&mut self, key: RecordKey, present: bool) -> Result<(), StateError> {
        self.delta.insert(key.as_bytes(), present).map_err(step("mark the delta"))?;
        Ok(())
    }

    /// How many records are marked.
    pub(crate) fn delta_rows(&self) -> Result<u64, StateError> {
        self.delta.len().map_err(step("count the delta"))
    }

    /// The marked records, and whether each is still present.
    pub(crate) fn delta(&self) -> Result<Vec<(RecordKey, bool)>, StateError> {
        let rows = self.delta.iter().map_err(step("read the delta"))?;
        rows.map(|row| {
            let (key, present) = row.map_err(step("read the delta"))?;
            Ok((RecordKey::from_bytes(key.value()), present.value()))
        })
        .collect()
    }

    /// Visits every record's row.
    pub(crate) fn each_record(
        &self,
        mut visit: impl FnMut(RecordKey, RecordRow) -> Result<(), StateError>,
    ) -> Result<(), StateError> {
        for row in self.records.iter().map_err(step("read the records"))? {
            let (key, value) = row.map_err(step("read a record row"))?;
            let key = RecordKey::from_bytes(key.value());
            visit(key, open_record(self.host, key, value.value())?)?;
        }
        Ok(())
    }
}
