//! Reading a snapshot's index: one locator row, all of them, or the directory.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use jiff::civil::Date;
use lifeboat_format::{
    BlobPlace, DirectoryRow, INDEX_PART_BYTES_MAX, IndexEntry, IndexId, LocatorChange, LocatorRow, ObjectKey,
    PartEntry, RecordKey, find_locator, locator_part_for, merge_directory, merge_locators,
    open_directory_part, open_locator_part, open_root_part,
};

use super::{SiteReader, Unlocked};
use crate::error::ReadError;

/// The most locator parts that are kept open.
const PARTS_KEPT_MAX: usize = 64;

/// How many bytes of neighbouring parts are fetched with one request.
const FETCH_BYTES_MAX: u64 = 2 * 1024 * 1024;

/// How many such requests are under way at once.
const FETCHES_MAX: usize = 4;

/// The rows of a locator part. They name no patient.
type LocatorRows = Arc<Vec<LocatorChange>>;

/// Locator parts that were opened lately.
#[derive(Default)]
pub(super) struct LocatorCache {
    parts: Mutex<HashMap<(IndexId, u64), LocatorRows>>,
}

impl LocatorCache {
    fn find(&self, index: IndexId, part: &PartEntry) -> Option<LocatorRows> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner).get(&(index, part.offset)).cloned()
    }

    fn keep(&self, index: IndexId, part: &PartEntry, rows: &LocatorRows) {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        if parts.len() >= PARTS_KEPT_MAX {
            parts.clear();
        }
        parts.insert((index, part.offset), rows.clone());
    }
}

/// Who is in the snapshot, and of which days it holds a list.
#[derive(Debug)]
pub struct Directory {
    /// One row per patient, sorted by name.
    pub rows: Vec<DirectoryRow>,
    /// The dates of day lists, in order.
    pub days: Vec<Date>,
}

/// Where to find one record: the part that would hold it, fetched or already open.
enum Part {
    None,
    Open(LocatorRows),
    Sealed(IndexId, PartEntry, Bytes),
}

impl SiteReader {
    /// Finds where a record lies; fetches the base's and the delta's part and the epoch's files at once.
    pub async fn locate(&self, key: RecordKey) -> Result<Option<LocatorRow>, ReadError> {
        let indexes = &self.site.manifest.indexes;
        let delta = async {
            match &indexes.delta {
                Some(delta) => self.fetch_locator_part(delta, key).await,
                None => Ok(Part::None),
            }
        };
        let (unlocked, base, delta) =
            futures::try_join!(self.unlocked(), self.fetch_locator_part(&indexes.base, key), delta)?;
        let site = self.clone();
        let found = tokio::task::spawn_blocking(move || {
            let base = site.open_locator_part(&unlocked, base)?;
            let delta = site.open_locator_part(&unlocked, delta)?;
            Ok(find_locator(&base, &delta, key).copied())
        });
        self.joined(found.await)
    }

    /// Returns where every record of the snapshot lies.
    pub async fn locators(&self) -> Result<BTreeMap<RecordKey, LocatorRow>, ReadError> {
        let indexes = &self.site.manifest.indexes;
        let base = self.all_locators(&indexes.base).await?;
        let delta = match &indexes.delta {
            Some(delta) => self.all_locators(delta).await?,
            None => Vec::new(),
        };
        Ok(merge_locators(base, delta))
    }

    /// Returns who is in the snapshot, sorted by name, and the days of which it holds a list.
    pub async fn directory(&self) -> Result<Directory, ReadError> {
        let indexes = &self.site.manifest.indexes;
        let base = self.directory_rows(&indexes.base);
        let Some(delta) = &indexes.delta else {
            let (rows, days) = futures::try_join!(base, self.days(&indexes.base))?;
            return Ok(Directory { rows: merge_directory(rows, Vec::new(), &[]), days });
        };
        let (base, changed, locators, days) =
            futures::try_join!(base, self.directory_rows(delta), self.all_locators(delta), self.days(delta))?;
        Ok(Directory { rows: merge_directory(base, changed, &locators), days })
    }

    /// Resolves a locator row to a place in a pack of the manifest.
    pub(super) fn resolve(&self, row: &LocatorRow) -> Result<BlobPlace, ReadError> {
        row.place.resolve(&self.site.manifest).ok_or_else(|| {
            let index = ObjectKey::Index(self.site.manifest.indexes.base.sha256);
            self.site.reader.contradiction(&index, "a record lies in no pack of the manifest")
        })
    }

    async fn fetch_locator_part(&self, index: &IndexEntry, key: RecordKey) -> Result<Part, ReadError> {
        let Some(part) = locator_part_for(&index.parts, key) else { return Ok(Part::None) };
        if let Some(rows) = self.site.locators.find(index.sha256, part) {
            return Ok(Part::Open(rows));
        }
        let bytes = self.site.reader.range(&ObjectKey::Index(index.sha256), part.range()).await?;
        Ok(Part::Sealed(index.sha256, part.clone(), bytes))
    }

    fn open_locator_part(&self, unlocked: &Unlocked, part: Part) -> Result<LocatorRows, ReadError> {
        match part {
            Part::None => Ok(Arc::default()),
            Part::Open(rows) => Ok(rows),
            Part::Sealed(index, part, bytes) => {
                let rows = Arc::new(self.open_part(index, &part, &bytes, |bytes| {
                    open_locator_part(bytes, &unlocked.secret.identity)
                })?);
                self.site.locators.keep(index, &part, &rows);
                Ok(rows)
            }
        }
    }

    fn open_part<T>(
        &self,
        index: IndexId,
        part: &PartEntry,
        bytes: &[u8],
        open: impl FnOnce(&[u8]) -> Result<T, lifeboat_format::OpenPartError>,
    ) -> Result<T, ReadError> {
        let key = ObjectKey::Index(index);
        if !part.check(bytes) {
            return Err(self.site.reader.digest_error(&key));
        }
        open(bytes).map_err(|source| self.site.reader.invalid(&key, source))
    }

    async fn days(&self, index: &IndexEntry) -> Result<Vec<Date>, ReadError> {
        let parts = index.root_part().map(std::slice::from_ref).unwrap_or_default();
        let roots = self.open_parts(index, parts, open_root_part).await?;
        Ok(roots.into_iter().flat_map(|root| root.days.clone()).collect())
    }

    async fn directory_rows(&self, index: &IndexEntry) -> Result<Vec<DirectoryRow>, ReadError> {
        let parts = self.open_parts(index, index.directory_parts(), open_directory_part).await?;
        Ok(parts.into_iter().flatten().collect())
    }

    async fn all_locators(&self, index: &IndexEntry) -> Result<Vec<LocatorChange>, ReadError> {
        let parts = self.open_parts(index, index.locator_parts(), open_locator_part).await?;
        Ok(parts.into_iter().flatten().collect())
    }

    /// Fetches neighbouring parts together, a few requests at a time, and opens them in order.
    async fn open_parts<T: Send + 'static>(
        &self,
        index: &IndexEntry,
        parts: &[PartEntry],
        open: fn(&[u8], &lifeboat_format::EpochIdentity) -> Result<T, lifeboat_format::OpenPartError>,
    ) -> Result<Vec<T>, ReadError> {
        let id = index.sha256;
        let fetched = futures::stream::iter(runs(parts).into_iter().map(|run| async move {
            let range = run[0].offset..run[run.len() - 1].range().end;
            let bytes = self.site.reader.range(&ObjectKey::Index(id), range).await?;
            let unlocked = self.unlocked().await?;
            let site = self.clone();
            let opened = tokio::task::spawn_blocking(move || {
                run.iter()
                    .map(|part| {
                        let start = usize::try_from(part.offset - run[0].offset).unwrap_or(usize::MAX);
                        let end = start.saturating_add(part.length as usize);
                        let sealed = bytes.get(start..end).unwrap_or_default();
                        site.open_part(id, part, sealed, |sealed| open(sealed, &unlocked.secret.identity))
                    })
                    .collect::<Result<Vec<_>, _>>()
            });
            self.joined(opened.await)
        }));
        let opened: Vec<Vec<T>> = fetched.buffered(FETCHES_MAX).try_collect().await?;
        Ok(opened.into_iter().flatten().collect())
    }
}

/// Splits parts, which lie back to back, into runs that are fetched together.
fn runs(parts: &[PartEntry]) -> Vec<Vec<PartEntry>> {
    let per_run = usize::try_from(FETCH_BYTES_MAX).unwrap_or(usize::MAX) / INDEX_PART_BYTES_MAX;
    parts.chunks(per_run.max(1)).map(<[PartEntry]>::to_vec).collect()
}
