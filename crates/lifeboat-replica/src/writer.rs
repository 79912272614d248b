//! Writes one replica, object by object, and never deletes.
//!
//! Everything but `HEAD` is created if absent. "It exists already" may be our own earlier attempt whose answer was
//! lost, so it is settled by reading back and comparing. An equal object is a success. A different object under a
//! digest's name is damage, and only [`Writer::repair`] overwrites it; a different checkpoint, tile or epoch means
//! that somebody else writes under our name, and nothing more may be written. After writing, a folder's file is read
//! back and compared; another store, which checks a SHA-256 of what it received, is asked for the size.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use lifeboat_format::{Digest, ObjectKey};
use object_store::{ObjectStore, PutMode, PutOptions, PutPayload};

use crate::crash::crash_step;
use crate::durable::{self, Created, DurableError};
use crate::error::WriteError;
use crate::location::{ReplicaLocation, ReplicaName, ReplicaUrl};
use crate::reader::{Reader, file_in, path_of};
use crate::store::{time_allowed, within};

/// How often a creation is tried when the store contradicts itself about whether the object exists.
const CREATE_ATTEMPTS_MAX: u32 = 3;

/// Writes one replica.
#[derive(Debug, Clone)]
pub struct Writer {
    reader: Reader,
}

/// What [`Writer::create`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// The object was not there and now is.
    New,
    /// The very same object was there already.
    AlreadyThere,
}

impl Writer {
    /// Opens a replica for writing; a folder must exist, and is swept of what a killed run left half-written.
    ///
    /// A site has one writer, so nothing else can be writing there.
    pub fn open(name: ReplicaName, location: &ReplicaLocation) -> Result<Self, WriteError> {
        let reader = Reader::open(name.clone(), location)?;
        if let ReplicaUrl::Folder(path) = &location.url {
            durable::remove_leftovers(path)
                .map_err(|source| WriteError::Prepare { replica: name, source })?;
        }
        Ok(Self { reader })
    }

    /// Opens a replica for writing and makes its folder if it has one that is missing.
    pub fn open_new(name: ReplicaName, location: &ReplicaLocation) -> Result<Self, WriteError> {
        if let ReplicaUrl::Folder(path) = &location.url {
            durable::make_folders(path)
                .map_err(|source| WriteError::Prepare { replica: name.clone(), source })?;
        }
        Self::open(name, location)
    }

    /// Writes a replica over a given byte store.
    pub fn over(name: ReplicaName, objects: Arc<dyn ObjectStore>) -> Self {
        Self { reader: Reader::over(name, objects) }
    }

    /// Returns the reader of the same replica.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Returns the replica's name.
    pub fn name(&self) -> &ReplicaName {
        self.reader.name()
    }

    /// Creates an object, or makes sure that the very same one is there.
    pub async fn create(&self, key: &ObjectKey, bytes: Bytes) -> Result<Written, WriteError> {
        self.check_name(key, &bytes)?;
        self.create_checked(key, bytes).await
    }

    /// Creates an object whose bytes the caller has checked against its name.
    pub(crate) async fn create_checked(&self, key: &ObjectKey, bytes: Bytes) -> Result<Written, WriteError> {
        if *key == ObjectKey::Head {
            return Err(WriteError::NotRepairable { replica: self.name().clone(), key: *key });
        }
        for _ in 0..CREATE_ATTEMPTS_MAX {
            if self.put_if_absent(key, &bytes).await? {
                self.check_written(key, &bytes).await?;
                return Ok(Written::New);
            }
            match self.compare(key, &bytes).await? {
                Stored::Same => return Ok(Written::AlreadyThere),
                Stored::Different => return Err(self.different(key)),
                // Some stores say so when two attempts met and neither landed.
                Stored::Absent => {}
            }
        }
        Err(WriteError::Undecided { replica: self.name().clone(), key: *key })
    }

    /// Says whether exactly this object is there.
    pub(crate) async fn holds(&self, key: &ObjectKey, bytes: &Bytes) -> Result<bool, WriteError> {
        Ok(self.compare(key, bytes).await? == Stored::Same)
    }

    /// Replaces `HEAD`, the only object that is ever replaced.
    pub async fn replace_head(&self, bytes: Bytes) -> Result<(), WriteError> {
        self.overwrite(&ObjectKey::Head, bytes).await
    }

    /// Overwrites a damaged object with the bytes that its name demands.
    pub async fn repair(&self, key: &ObjectKey, bytes: Bytes) -> Result<(), WriteError> {
        if key.content_digest().is_none() {
            return Err(WriteError::NotRepairable { replica: self.name().clone(), key: *key });
        }
        self.check_name(key, &bytes)?;
        self.overwrite(key, bytes).await
    }

    /// Overwrites an object whose right bytes the caller has proved from signed ones.
    pub(crate) async fn overwrite(&self, key: &ObjectKey, bytes: Bytes) -> Result<(), WriteError> {
        match self.local_file(key) {
            Some(path) => {
                let content = bytes.clone();
                self.in_background(key, move || durable::replace(&path, &content)).await?;
            }
            None => self
                .put(key, &bytes, PutMode::Overwrite)
                .await?
                .map_err(|source| self.put_error(key, source))?,
        }
        self.check_written(key, &bytes).await
    }

    /// Makes sure that objects which were found in place survive a power cut.
    ///
    /// An earlier process may have died between naming a file and syncing its folder. Stores other than folders
    /// confirm an object only when it is durable.
    pub async fn settle(&self, keys: impl IntoIterator<Item = ObjectKey>) -> Result<(), WriteError> {
        let Some(root) = self.reader.folder() else { return Ok(()) };
        let mut folders = BTreeSet::new();
        for key in keys {
            let file = file_in(root, &key);
            folders.extend(
                file.ancestors().skip(1).take_while(|folder| folder.starts_with(root)).map(PathBuf::from),
            );
        }
        let replica = self.name().clone();
        let synced = tokio::task::spawn_blocking(move || {
            folders.iter().try_for_each(|folder| durable::sync_folder(folder))
        });
        match synced.await {
            Ok(result) => result.map_err(|source| WriteError::Prepare { replica, source }),
            Err(source) => Err(WriteError::Background { replica, source }),
        }
    }

    /// Puts an object unless one of its name exists; says whether it was put.
    async fn put_if_absent(&self, key: &ObjectKey, bytes: &Bytes) -> Result<bool, WriteError> {
        if let Some(path) = self.local_file(key) {
            let content = bytes.clone();
            let created = self.in_background(key, move || durable::create(&path, &content)).await?;
            return Ok(created == Created::New);
        }
        match self.put(key, bytes, PutMode::Create).await? {
            Ok(()) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {
                Ok(false)
            }
            Err(object_store::Error::NotImplemented { .. } | object_store::Error::NotSupported { .. }) => {
                self.look_and_put(key, bytes).await
            }
            Err(source) => Err(self.put_error(key, source)),
        }
    }

    /// Creates on a store that knows no conditional put; one writer per site makes that harmless.
    async fn look_and_put(&self, key: &ObjectKey, bytes: &Bytes) -> Result<bool, WriteError> {
        if self.reader.size(key).await?.is_some() {
            return Ok(false);
        }
        let put = self.put(key, bytes, PutMode::Overwrite).await?;
        put.map(|()| true).map_err(|source| self.put_error(key, source))
    }

    async fn put(
        &self,
        key: &ObjectKey,
        bytes: &Bytes,
        mode: PutMode,
    ) -> Result<object_store::Result<()>, WriteError> {
        crash_step("store.put:before");
        self.reader.count_request();
        let time = time_allowed(bytes.len() as u64);
        let path = path_of(key);
        let payload = PutPayload::from_bytes(bytes.clone());
        let options = PutOptions::from(mode);
        let answer = within(time, self.reader.objects().put_opts(&path, payload, options)).await;
        crash_step("store.put:after");
        match answer {
            Some(answer) => Ok(answer.map(|_version| ())),
            None => Err(WriteError::PutTimeout {
                replica: self.name().clone(),
                key: *key,
                seconds: time.as_secs(),
            }),
        }
    }

    /// Checks what was just written: a folder's file by its bytes, an object of another store by its size.
    async fn check_written(&self, key: &ObjectKey, bytes: &Bytes) -> Result<(), WriteError> {
        let good = if self.reader.folder().is_some() {
            self.compare(key, bytes).await? == Stored::Same
        } else {
            self.reader.size(key).await? == Some(bytes.len() as u64)
        };
        if good { Ok(()) } else { Err(WriteError::ReadBack { replica: self.name().clone(), key: *key }) }
    }

    async fn compare(&self, key: &ObjectKey, bytes: &Bytes) -> Result<Stored, WriteError> {
        match self.reader.size(key).await? {
            None => return Ok(Stored::Absent),
            Some(size) if size != bytes.len() as u64 => return Ok(Stored::Different),
            Some(_) => {}
        }
        let stored = self.reader.object(key, bytes.len() as u64).await?;
        Ok(if stored == bytes { Stored::Same } else { Stored::Different })
    }

    fn check_name(&self, key: &ObjectKey, bytes: &[u8]) -> Result<(), WriteError> {
        match key.content_digest() {
            Some(digest) if digest != Digest::of(bytes) => {
                Err(WriteError::Misnamed { replica: self.name().clone(), key: *key })
            }
            _ => Ok(()),
        }
    }

    fn different(&self, key: &ObjectKey) -> WriteError {
        let (replica, key) = (self.name().clone(), *key);
        match key {
            ObjectKey::Site | ObjectKey::Recover => WriteError::OtherSite { replica, key },
            _ if key.content_digest().is_some() => WriteError::DamagedUnderName { replica, key },
            _ => WriteError::Conflict { replica, key },
        }
    }

    fn local_file(&self, key: &ObjectKey) -> Option<PathBuf> {
        self.reader.file_of(key)
    }

    fn put_error(&self, key: &ObjectKey, source: object_store::Error) -> WriteError {
        WriteError::Put { replica: self.name().clone(), key: *key, source: Box::new(source) }
    }

    async fn in_background<T: Send + 'static>(
        &self,
        key: &ObjectKey,
        work: impl FnOnce() -> Result<T, DurableError> + Send + 'static,
    ) -> Result<T, WriteError> {
        let replica = self.name().clone();
        match tokio::task::spawn_blocking(work).await {
            Ok(result) => result.map_err(|source| WriteError::Local { replica, key: *key, source }),
            Err(source) => Err(WriteError::Background { replica, source }),
        }
    }
}

/// How a stored object compares with the one that should be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stored {
    Absent,
    Same,
    Different,
}
