//! Opening many records: all of a snapshot for a restore, or all or some of them to verify that they open.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::StreamExt as _;
use lifeboat_format::{BlobPlace, LocatorRow, ObjectKey, PackId, RecordKey, RecordKind, Sequence};
use tokio::sync::mpsc;

use super::{OpenedRecord, SiteReader};
use crate::error::ReadError;

/// How many packs are fetched and opened at once.
const PACKS_AT_ONCE_MAX: usize = 2;

/// How many opened records wait for whoever takes them.
const RECORDS_WAITING_MAX: usize = 8;

/// A record that did not open; the others go on.
#[derive(Debug, thiserror::Error)]
#[error("open record {key}")]
pub struct OpenFailure {
    /// The record.
    pub key: RecordKey,
    /// What the record is.
    pub kind: RecordKind,
    /// Why it did not open.
    pub source: ReadError,
}

/// The opened records of a snapshot, in no particular order.
#[derive(Debug)]
pub struct RecordStream {
    records: mpsc::Receiver<Result<OpenedRecord, OpenFailure>>,
    total: u64,
}

impl RecordStream {
    /// Returns the next record, or nothing when all were returned.
    pub async fn next(&mut self) -> Option<Result<OpenedRecord, OpenFailure>> {
        self.records.recv().await
    }

    /// Returns how many records there are in all.
    pub fn total(&self) -> u64 {
        self.total
    }
}

/// Which records to open in order to verify a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenSample {
    /// All of them.
    All,
    /// So many, spread evenly, beginning at a place that the caller varies from run to run.
    Records {
        /// How many.
        count: u64,
        /// Where to begin.
        start: u64,
    },
}

/// What opening a snapshot's records showed.
#[derive(Debug)]
pub struct OpenReport {
    /// The snapshot.
    pub sequence: Sequence,
    /// Records that the index lists.
    pub records: u64,
    /// Records that were to be opened.
    pub chosen: u64,
    /// Records that were opened.
    pub opened: u64,
    /// Bytes of opened records.
    pub bytes: u64,
    /// Patients and day lists in the index.
    pub counted: (u64, u64),
    /// Patients and day lists that the manifest promises.
    pub promised: (u64, u64),
    /// Records that did not open.
    pub failures: Vec<OpenFailure>,
}

impl OpenReport {
    /// Says whether everything that was chosen opened, and the index agrees with the manifest.
    pub fn is_good(&self) -> bool {
        self.opened == self.chosen && self.counted == self.promised
    }
}

/// Records of one pack.
type Group = (PackId, Vec<(LocatorRow, BlobPlace)>);

impl SiteReader {
    /// Opens every record of the snapshot, pack by pack, holding a few packs and records at a time.
    pub async fn records(&self) -> Result<RecordStream, ReadError> {
        let rows: Vec<LocatorRow> = self.locators().await?.into_values().collect();
        self.stream(rows).await
    }

    /// Opens all or some records and says which did not open.
    pub async fn verify_open(
        &self,
        sample: OpenSample,
        progress: &(dyn Fn(u64, u64) + Sync),
    ) -> Result<OpenReport, ReadError> {
        let rows: Vec<LocatorRow> = self.locators().await?.into_values().collect();
        let days = rows.iter().filter(|row| row.kind == RecordKind::Day).count() as u64;
        let counts = &self.site.manifest.counts;
        let mut report = OpenReport {
            sequence: self.site.manifest.sequence,
            records: rows.len() as u64,
            chosen: 0,
            opened: 0,
            bytes: 0,
            counted: (rows.len() as u64 - days, days),
            promised: (counts.patients, counts.day_lists),
            failures: Vec::new(),
        };
        let mut stream = self.stream(choose(rows, sample)).await?;
        report.chosen = stream.total();
        let mut tried = 0;
        while let Some(record) = stream.next().await {
            match record {
                Ok(record) => {
                    report.opened += 1;
                    report.bytes += record.bytes.len() as u64;
                }
                Err(failure) => report.failures.push(failure),
            }
            tried += 1;
            progress(tried, stream.total());
        }
        Ok(report)
    }

    async fn stream(&self, rows: Vec<LocatorRow>) -> Result<RecordStream, ReadError> {
        self.unlock().await?;
        let total = rows.len() as u64;
        let mut groups: BTreeMap<PackId, Vec<(LocatorRow, BlobPlace)>> = BTreeMap::new();
        for row in rows {
            let place = self.resolve(&row)?;
            groups.entry(place.pack).or_default().push((row, place));
        }
        let (sender, records) = mpsc::channel(RECORDS_WAITING_MAX);
        let site = self.clone();
        // The task ends when all groups are done, or at the first record that nobody takes any more.
        tokio::spawn(async move {
            futures::stream::iter(groups)
                .for_each_concurrent(PACKS_AT_ONCE_MAX, |group| site.open_group(group, sender.clone()))
                .await;
        });
        Ok(RecordStream { records, total })
    }

    async fn open_group(&self, (pack, rows): Group, sender: mpsc::Sender<Result<OpenedRecord, OpenFailure>>) {
        if sender.is_closed() {
            return;
        }
        let wanted: u64 = rows.iter().map(|(_, place)| u64::from(place.length)).sum();
        let size =
            self.site.manifest.packs.iter().find(|entry| entry.sha256 == pack).map_or(0, |entry| entry.size);
        let key = ObjectKey::Pack(pack);
        // A pack of which little is wanted is not fetched whole.
        let whole = if wanted * 2 >= size { Some(self.site.reader.object(&key, size).await) } else { None };
        let mut blobs = Vec::with_capacity(rows.len());
        for (row, place) in rows {
            let blob = match &whole {
                Some(Ok(bytes)) => Ok(slice(bytes, &place)),
                // The pack as a whole cannot be had: perhaps its parts can.
                Some(Err(_)) | None => self.site.reader.range(&key, place.range()).await,
            };
            blobs.push((row, place, blob));
        }
        let site = self.clone();
        let opened = tokio::task::spawn_blocking(move || site.open_blobs(&key, blobs, &sender));
        // Whatever ends this early, the stream's reader sees by the count.
        let _ended = opened.await;
    }

    fn open_blobs(
        &self,
        pack: &ObjectKey,
        blobs: Vec<(LocatorRow, BlobPlace, Result<Bytes, ReadError>)>,
        sender: &mpsc::Sender<Result<OpenedRecord, OpenFailure>>,
    ) {
        let reader = &self.site.reader;
        let limit = self.site.manifest.limits.record_bytes_max;
        let Some(unlocked) = self.site.unlocked.get() else { return };
        for (row, place, blob) in blobs {
            let opened = blob.and_then(|blob| {
                if place.check(&blob) {
                    unlocked.open(reader, pack, &blob, limit)
                } else {
                    Err(reader.digest_error(pack))
                }
            });
            let record = match opened {
                Ok(bytes) => Ok(OpenedRecord { key: row.key, kind: row.kind, bytes }),
                Err(source) => Err(OpenFailure { key: row.key, kind: row.kind, source }),
            };
            if sender.blocking_send(record).is_err() {
                return;
            }
        }
    }
}

/// Takes a blob out of its pack; a pack that is too short gives nothing, which then fails its check.
fn slice(pack: &Bytes, place: &BlobPlace) -> Bytes {
    let range = place.range();
    match (usize::try_from(range.start), usize::try_from(range.end)) {
        (Ok(start), Ok(end)) if end <= pack.len() => pack.slice(start..end),
        _ => Bytes::new(),
    }
}

/// Chooses records spread evenly over the whole.
fn choose(rows: Vec<LocatorRow>, sample: OpenSample) -> Vec<LocatorRow> {
    let OpenSample::Records { count, start } = sample else { return rows };
    let total = rows.len() as u64;
    if count >= total {
        return rows;
    }
    let place = |number: u64| (start % total + scaled(number, total, count)) % total;
    (0..count).filter_map(|number| rows.get(usize::try_from(place(number)).ok()?).copied()).collect()
}

/// Returns `number × total / count` without overflow.
fn scaled(number: u64, total: u64, count: u64) -> u64 {
    u64::try_from(u128::from(number) * u128::from(total) / u128::from(count)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use lifeboat_format::Digest;

    fn rows(count: u8) -> Vec<LocatorRow> {
        let place = BlobPlace { pack: PackId::of(b"pack"), offset: 0, length: 1, digest: Digest::of(b"x") };
        (0..count)
            .map(|number| LocatorRow::new(RecordKey::from_bytes([number; 16]), RecordKind::Patient, place))
            .collect()
    }

    #[test]
    fn a_sample_is_spread_evenly_and_moves_with_its_start() {
        let chosen = |count, start| {
            choose(rows(10), OpenSample::Records { count, start })
                .iter()
                .map(|row| row.key.as_bytes()[0])
                .collect::<Vec<_>>()
        };
        assert_eq!(chosen(3, 0), [0, 3, 6]);
        assert_eq!(chosen(3, 28), [8, 1, 4]);
        assert_eq!(chosen(10, 5), (0..10).collect::<Vec<_>>());
        assert_eq!(chosen(99, 5).len(), 10);
        assert_eq!(chosen(0, 5), [] as [u8; 0]);
        assert_eq!(choose(rows(4), OpenSample::All).len(), 4);
        assert_eq!(choose(Vec::new(), OpenSample::Records { count: 1, start: 3 }).len(), 0);
    }
}
