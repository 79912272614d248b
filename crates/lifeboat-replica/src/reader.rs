//! Reads one replica: whole objects, ranges of them, and listings, each with a limit.
//!
//! A reader cannot write: it has no such method, and it does not give its store away. Clones share their counters.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use lifeboat_format::ObjectKey;
use object_store::path::Path;
use object_store::{
    GetOptions, GetRange, GetResult, GetResultPayload, ObjectMeta, ObjectStore, ObjectStoreExt as _,
};

use crate::durable::is_leftover;
use crate::error::ReadError;
use crate::location::{ReplicaLocation, ReplicaName};
use crate::store::{Store, time_allowed, within};

/// The most objects that a listing may have; a hundred years of a large site are fewer.
pub const OBJECTS_LISTED_MAX: usize = 20_000_000;

/// The most names of unknown objects that a listing keeps; the rest are counted.
const UNKNOWN_NAMES_KEPT_MAX: usize = 100;

/// How many objects a store lists with one request, for the counter.
const OBJECTS_PER_LIST_REQUEST: u64 = 1_000;

/// Reads one replica.
#[derive(Debug, Clone)]
pub struct Reader {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    name: ReplicaName,
    store: Store,
    requests: AtomicU64,
    bytes: AtomicU64,
}

/// How much was asked of a replica since its reader was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Requests made, those for listings counted by page.
    pub requests: u64,
    /// Bytes of objects received.
    pub bytes: u64,
}

/// The objects of a replica, or of one of its folders, with their sizes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// The objects that the format knows.
    pub objects: BTreeMap<ObjectKey, u64>,
    /// Names that the format does not know, the first few of them.
    pub unknown: Vec<String>,
    /// How many names the format does not know.
    pub unknown_count: u64,
    /// How many temporary files an interrupted writer left.
    pub leftovers: u64,
}

impl Listing {
    /// Says whether an object of this size is listed.
    pub fn holds(&self, key: &ObjectKey, size: u64) -> bool {
        self.objects.get(key) == Some(&size)
    }

    /// Returns the sizes of the logs that listed checkpoints sign, in order.
    pub fn checkpoints(&self) -> impl DoubleEndedIterator<Item = u64> {
        self.objects.range(ObjectKey::Checkpoint(0)..=ObjectKey::Checkpoint(u64::MAX)).filter_map(
            |(key, _)| match key {
                ObjectKey::Checkpoint(size) => Some(*size),
                _ => None,
            },
        )
    }

    fn add(&mut self, meta: &ObjectMeta) {
        let name = meta.location.as_ref();
        if let Ok(key) = name.parse() {
            self.objects.insert(key, meta.size);
        } else if meta.location.filename().is_some_and(|file| is_leftover(file.as_ref())) {
            self.leftovers += 1;
        } else {
            self.unknown_count += 1;
            if self.unknown.len() < UNKNOWN_NAMES_KEPT_MAX {
                self.unknown.push(name.to_owned());
            }
        }
    }
}

impl Reader {
    /// Opens a replica for reading; a folder must exist, another store is first asked when it is read.
    pub fn open(name: ReplicaName, location: &ReplicaLocation) -> Result<Self, ReadError> {
        let store = Store::open(&name, location)?;
        Ok(Self::with_store(name, store))
    }

    /// Reads a replica over a given byte store.
    pub fn over(name: ReplicaName, objects: Arc<dyn ObjectStore>) -> Self {
        Self::with_store(name, Store { objects, folder: None })
    }

    pub(crate) fn with_store(name: ReplicaName, store: Store) -> Self {
        let shared = Shared { name, store, requests: AtomicU64::new(0), bytes: AtomicU64::new(0) };
        Self { shared: Arc::new(shared) }
    }

    /// Returns the replica's name.
    pub fn name(&self) -> &ReplicaName {
        &self.shared.name
    }

    /// Returns how much was asked of the replica so far, over all clones of this reader.
    pub fn traffic(&self) -> Traffic {
        Traffic {
            requests: self.shared.requests.load(Ordering::Relaxed),
            bytes: self.shared.bytes.load(Ordering::Relaxed),
        }
    }

    /// Reads a whole object of at most a given size.
    pub async fn object(&self, key: &ObjectKey, size_max: u64) -> Result<Bytes, ReadError> {
        self.count_request();
        let path = path_of(key);
        let asked = async { self.objects().get(&path).await.map_err(|source| self.read_error(key, source)) };
        let answer = self.timed(key, 0, asked).await?;
        let size = answer.meta.size;
        if size > size_max {
            return Err(ReadError::TooLarge { replica: self.name().clone(), key: *key, size, size_max });
        }
        self.timed(key, size, self.collect(key, answer, size)).await
    }

    /// Reads some bytes of an object; fewer than asked for is an error.
    pub async fn range(&self, key: &ObjectKey, range: Range<u64>) -> Result<Bytes, ReadError> {
        let expected = range.end.saturating_sub(range.start);
        if expected == 0 {
            return Ok(Bytes::new());
        }
        self.count_request();
        let options = GetOptions { range: Some(GetRange::Bounded(range.clone())), ..GetOptions::default() };
        let operation = async {
            match self.objects().get_opts(&path_of(key), options).await {
                Ok(answer) => self.collect(key, answer, expected).await,
                Err(source) => Err(self.range_error(key, &range, source).await),
            }
        };
        self.timed(key, expected, operation).await
    }

    /// Returns the size of an object, or nothing when it is not there.
    pub async fn size(&self, key: &ObjectKey) -> Result<Option<u64>, ReadError> {
        self.count_request();
        let operation = async {
            match self.objects().head(&path_of(key)).await {
                Ok(meta) => Ok(Some(meta.size)),
                Err(object_store::Error::NotFound { .. }) => Ok(None),
                Err(source) => Err(self.read_error(key, source)),
            }
        };
        self.timed(key, 0, operation).await
    }

    /// Lists the whole replica.
    pub async fn list_all(&self) -> Result<Listing, ReadError> {
        self.list("", None).await
    }

    /// Lists one of the format's folders, given as in [`ObjectKey::PACKS`].
    pub async fn list_folder(&self, folder: &str) -> Result<Listing, ReadError> {
        self.list(folder, None).await
    }

    /// Returns the sizes that the replica's checkpoints sign, in order.
    pub async fn list_checkpoints(&self) -> Result<Vec<u64>, ReadError> {
        Ok(self.list(ObjectKey::CHECKPOINTS, None).await?.checkpoints().collect())
    }

    /// Returns the sizes above a given one that the replica's checkpoints sign, in order.
    pub async fn list_checkpoints_after(&self, size: u64) -> Result<Vec<u64>, ReadError> {
        let after = path_of(&ObjectKey::Checkpoint(size));
        let listing = self.list(ObjectKey::CHECKPOINTS, Some(after)).await?;
        Ok(listing.checkpoints().filter(|listed| *listed > size).collect())
    }

    /// Returns the file that holds an object, when the replica is a folder of this machine.
    pub(crate) fn file_of(&self, key: &ObjectKey) -> Option<PathBuf> {
        self.folder().map(|folder| file_in(folder, key))
    }

    pub(crate) fn folder(&self) -> Option<&FilePath> {
        self.shared.store.folder.as_deref()
    }

    pub(crate) fn objects(&self) -> &Arc<dyn ObjectStore> {
        &self.shared.store.objects
    }

    pub(crate) fn count_request(&self) {
        self.shared.requests.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_bytes(&self, bytes: u64) {
        self.shared.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    async fn timed<T>(
        &self,
        key: &ObjectKey,
        bytes: u64,
        operation: impl Future<Output = Result<T, ReadError>>,
    ) -> Result<T, ReadError> {
        let time = time_allowed(bytes);
        within(time, operation).await.unwrap_or_else(|| {
            Err(ReadError::ReadTimeout { replica: self.name().clone(), key: *key, seconds: time.as_secs() })
        })
    }

    /// Collects exactly the expected bytes, never more than that in memory.
    async fn collect(&self, key: &ObjectKey, answer: GetResult, expected: u64) -> Result<Bytes, ReadError> {
        let delivers = answer.range.end.saturating_sub(answer.range.start);
        if delivers != expected {
            return Err(self.short(key, delivers, expected));
        }
        let failed = |source| self.read_error(key, source);
        let bytes = match &answer.payload {
            GetResultPayload::File(..) => answer.bytes().await.map_err(failed)?,
            GetResultPayload::Stream(_) => {
                let mut collected = BytesMut::new();
                let mut stream = answer.into_stream();
                while let Some(chunk) = stream.next().await {
                    let chunk = chunk.map_err(failed)?;
                    collected.extend_from_slice(&chunk);
                    if collected.len() as u64 > expected {
                        return Err(self.short(key, collected.len() as u64, expected));
                    }
                }
                collected.freeze()
            }
        };
        self.count_bytes(bytes.len() as u64);
        if bytes.len() as u64 == expected {
            Ok(bytes)
        } else {
            Err(self.short(key, bytes.len() as u64, expected))
        }
    }

    /// Tells an object that ends too early from a store that failed.
    async fn range_error(
        &self,
        key: &ObjectKey,
        range: &Range<u64>,
        source: object_store::Error,
    ) -> ReadError {
        if matches!(source, object_store::Error::NotFound { .. }) {
            return self.read_error(key, source);
        }
        self.count_request();
        match self.objects().head(&path_of(key)).await {
            Ok(meta) if meta.size < range.end => {
                self.short(key, meta.size.saturating_sub(range.start), range.end - range.start)
            }
            _ => self.read_error(key, source),
        }
    }

    async fn list(&self, folder: &str, after: Option<Path>) -> Result<Listing, ReadError> {
        let prefix = (!folder.is_empty()).then(|| Path::from(folder));
        let mut found = match &after {
            Some(after) => self.objects().list_with_offset(prefix.as_ref(), after),
            None => self.objects().list(prefix.as_ref()),
        };
        let time = time_allowed(0);
        let mut listing = Listing::default();
        let mut listed = 0;
        loop {
            if listed % OBJECTS_PER_LIST_REQUEST == 0 {
                self.count_request();
            }
            let next = within(time, found.next()).await.ok_or_else(|| ReadError::ListTimeout {
                replica: self.name().clone(),
                folder: folder.to_owned(),
                seconds: time.as_secs(),
            })?;
            let Some(meta) = next else { return Ok(listing) };
            let meta = meta.map_err(|source| ReadError::List {
                replica: self.name().clone(),
                folder: folder.to_owned(),
                source: Box::new(source),
            })?;
            listing.add(&meta);
            listed += 1;
            if listing.objects.len() > OBJECTS_LISTED_MAX {
                return Err(ReadError::TooMany {
                    replica: self.name().clone(),
                    folder: folder.to_owned(),
                    objects_max: OBJECTS_LISTED_MAX,
                });
            }
        }
    }

    pub(crate) fn read_error(&self, key: &ObjectKey, source: object_store::Error) -> ReadError {
        match source {
            object_store::Error::NotFound { .. } => self.missing(key),
            source => ReadError::Read { replica: self.name().clone(), key: *key, source: Box::new(source) },
        }
    }

    /// Makes the error of a file that could not be read.
    pub(crate) fn file_error(&self, key: &ObjectKey, error: std::io::Error) -> ReadError {
        match error.kind() {
            std::io::ErrorKind::NotFound => self.missing(key),
            _ => self
                .read_error(key, object_store::Error::Generic { store: "folder", source: Box::new(error) }),
        }
    }

    pub(crate) fn missing(&self, key: &ObjectKey) -> ReadError {
        ReadError::Missing { replica: self.name().clone(), key: *key }
    }

    pub(crate) fn short(&self, key: &ObjectKey, size: u64, expected: u64) -> ReadError {
        ReadError::Short { replica: self.name().clone(), key: *key, size, expected }
    }

    pub(crate) fn digest_error(&self, key: &ObjectKey) -> ReadError {
        ReadError::Digest { replica: self.name().clone(), key: *key }
    }

    pub(crate) fn invalid(
        &self,
        key: &ObjectKey,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> ReadError {
        ReadError::Invalid { replica: self.name().clone(), key: *key, source: Box::new(source) }
    }

    pub(crate) fn contradiction(&self, key: &ObjectKey, problem: &'static str) -> ReadError {
        ReadError::Contradiction { replica: self.name().clone(), key: *key, problem }
    }
}

/// Returns the store's path for a key.
pub(crate) fn path_of(key: &ObjectKey) -> Path {
    Path::from(key.to_string())
}

/// Returns the file of an object in a local replica.
pub(crate) fn file_in(folder: &FilePath, key: &ObjectKey) -> PathBuf {
    folder.join(key.to_string())
}
