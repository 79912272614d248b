//! Opens one snapshot of a replica for somebody who holds an identity or the break-glass passphrase.
//!
//! One patient takes three round trips: `HEAD`; the epoch secret, the dictionaries and the index parts that would
//! hold the patient, all at once; the exact bytes of the record. Everything is checked on the way: the parts and the
//! secret by the signed manifest's digests, the record's bytes by the locator's. What is opened lies in buffers that
//! are wiped when dropped.

mod index;
mod records;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use lifeboat_format::{
    Dictionary, EpochError, EpochSecret, Identity, Manifest, ManifestId, ObjectKey, Opener, Passphrase,
    RecordKey, RecordKind, RecordName, VerificationKey, VerifiedHead, open_epoch_secret,
    open_epoch_secret_with_passphrase,
};
use tokio::sync::OnceCell;
use zeroize::Zeroizing;

pub use index::Directory;
pub use records::{OpenFailure, OpenReport, OpenSample, RecordStream};

use crate::error::ReadError;
use crate::newest::{head_only, newest};
use crate::reader::Reader;
use index::LocatorCache;

/// The most openers that are kept ready; each holds decompression tables.
const OPENERS_KEPT_MAX: usize = 16;

/// What opens a site's epoch secrets.
#[derive(Clone)]
pub enum Access {
    /// The identity of one of the recipients.
    Identity(Identity),
    /// The break-glass passphrase.
    Passphrase(Passphrase),
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Identity(_) => "Identity(redacted)",
            Self::Passphrase(_) => "Passphrase(redacted)",
        })
    }
}

/// Which snapshot to open when the newest is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// The newest accepted one; the newest of all when none was ever accepted.
    Accepted,
    /// The newest of all, held or not.
    Newest,
}

/// Opens one snapshot of a replica. Clones share what was opened.
#[derive(Clone)]
pub struct SiteReader {
    site: Arc<Site>,
}

struct Site {
    reader: Reader,
    head: VerifiedHead,
    manifest_id: ManifestId,
    manifest: Manifest,
    access: Access,
    unlocked: OnceCell<Arc<Unlocked>>,
    locators: LocatorCache,
}

/// The opened epoch.
pub(crate) struct Unlocked {
    secret: EpochSecret,
    dictionaries: Vec<Dictionary>,
    openers: Mutex<Vec<Opener>>,
}

/// One opened record; its bytes are wiped when it is dropped.
pub struct OpenedRecord {
    /// The record's key.
    pub key: RecordKey,
    /// What the record is.
    pub kind: RecordKind,
    /// The record as it was sealed.
    pub bytes: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for OpenedRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpenedRecord({}, {:?}, redacted)", self.key, self.kind)
    }
}

impl fmt::Debug for SiteReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SiteReader({}, snapshot {})", self.site.reader.name(), self.site.manifest.sequence)
    }
}

impl SiteReader {
    /// Finds the newest snapshot that verifies and prepares to open it: one round trip unless `HEAD` is damaged.
    pub async fn open(
        reader: Reader,
        key: &VerificationKey,
        access: Access,
        choice: Choice,
    ) -> Result<Self, ReadError> {
        let head = match head_only(&reader, key).await {
            Ok(head) => head,
            Err(error) if error.class() == crate::error::ErrorClass::Corrupt => newest(&reader, key).await?,
            Err(error) => return Err(error),
        };
        Ok(Self::from_head(reader, head, access, choice))
    }

    /// Prepares to open a snapshot that was already found and verified, without asking the replica.
    pub fn from_head(reader: Reader, head: VerifiedHead, access: Access, choice: Choice) -> Self {
        let (manifest_id, manifest) = match (&head.accepted, choice) {
            (Some((id, manifest)), Choice::Accepted) => (*id, manifest.clone()),
            _ => (head.manifest_id, head.manifest.clone()),
        };
        Self {
            site: Arc::new(Site {
                reader,
                head,
                manifest_id,
                manifest,
                access,
                unlocked: OnceCell::new(),
                locators: LocatorCache::default(),
            }),
        }
    }

    /// Returns the replica that is read.
    pub fn reader(&self) -> &Reader {
        &self.site.reader
    }

    /// Returns what `HEAD` said: the checkpoint, the newest log entry, the newest snapshot.
    pub fn head(&self) -> &VerifiedHead {
        &self.site.head
    }

    /// Returns the manifest of the snapshot that is opened.
    pub fn manifest(&self) -> &Manifest {
        &self.site.manifest
    }

    /// Returns the id of the manifest of the snapshot that is opened.
    pub fn manifest_id(&self) -> ManifestId {
        self.site.manifest_id
    }

    /// Opens the epoch secret, if it is not open yet, and so proves that the identity or passphrase is right.
    pub async fn unlock(&self) -> Result<(), ReadError> {
        self.unlocked().await.map(|_unlocked| ())
    }

    /// Returns the key of a record by its name.
    pub async fn record_key(&self, name: &RecordName<'_>) -> Result<RecordKey, ReadError> {
        Ok(self.unlocked().await?.secret.lookup_key.record_key(name))
    }

    /// Reads and opens one record, or returns nothing when the snapshot does not hold it.
    pub async fn record(&self, key: RecordKey) -> Result<Option<OpenedRecord>, ReadError> {
        let Some(row) = self.locate(key).await? else { return Ok(None) };
        let place = self.resolve(&row)?;
        let pack = ObjectKey::Pack(place.pack);
        let blob = self.site.reader.range(&pack, place.range()).await?;
        let unlocked = self.unlocked().await?;
        let (site, limit) = (self.clone(), self.site.manifest.limits.record_bytes_max);
        let opened = tokio::task::spawn_blocking(move || {
            if !place.check(&blob) {
                return Err(site.site.reader.digest_error(&pack));
            }
            unlocked.open(&site.site.reader, &pack, &blob, limit)
        });
        let bytes = self.joined(opened.await)?;
        Ok(Some(OpenedRecord { key, kind: row.kind, bytes }))
    }

    pub(crate) async fn unlocked(&self) -> Result<Arc<Unlocked>, ReadError> {
        self.site.unlocked.get_or_try_init(|| self.open_epoch()).await.cloned()
    }

    /// Fetches the epoch secret and all dictionaries at once and opens them.
    async fn open_epoch(&self) -> Result<Arc<Unlocked>, ReadError> {
        let epoch = &self.site.manifest.epoch;
        let (key, file) = match (&self.site.access, &epoch.passphrase) {
            (Access::Identity(_), _) => (ObjectKey::EpochRecipients(epoch.number), &epoch.recipients),
            (Access::Passphrase(_), Some(file)) => (ObjectKey::EpochPassphrase(epoch.number), file),
            (Access::Passphrase(_), None) => {
                let key = ObjectKey::EpochPassphrase(epoch.number);
                let source = Box::new(NoPassphrase);
                return Err(ReadError::Unlock { replica: self.site.reader.name().clone(), key, source });
            }
        };
        let dictionaries = self.site.manifest.dicts.iter().map(|dict| async {
            let key = ObjectKey::Dict(dict.sha256);
            let bytes = self.site.reader.object(&key, dict.size).await?;
            Ok::<_, ReadError>((key, bytes))
        });
        let (sealed, dictionaries) = futures::try_join!(
            self.site.reader.object(&key, file.size),
            futures::future::try_join_all(dictionaries)
        )?;
        if !file.check(&sealed) {
            return Err(self.site.reader.digest_error(&key));
        }
        let site = self.clone();
        let opened =
            tokio::task::spawn_blocking(move || site.open_fetched_epoch(&key, &sealed, &dictionaries));
        self.joined(opened.await).map(Arc::new)
    }

    fn open_fetched_epoch(
        &self,
        key: &ObjectKey,
        sealed: &[u8],
        dictionaries: &[(ObjectKey, bytes::Bytes)],
    ) -> Result<Unlocked, ReadError> {
        let reader = &self.site.reader;
        let opened: Result<EpochSecret, EpochError> = match &self.site.access {
            Access::Identity(identity) => open_epoch_secret(sealed, identity),
            Access::Passphrase(passphrase) => open_epoch_secret_with_passphrase(sealed, passphrase),
        };
        let secret = opened.map_err(|source| ReadError::Unlock {
            replica: reader.name().clone(),
            key: *key,
            source: Box::new(source),
        })?;
        if !self.site.manifest.matches_epoch(&secret) {
            return Err(
                reader.contradiction(key, "it is not the secret of the epoch that the manifest names")
            );
        }
        let dictionaries = dictionaries
            .iter()
            .map(|(key, sealed)| {
                if key.content_digest() != Some(lifeboat_format::Digest::of(sealed)) {
                    return Err(reader.digest_error(key));
                }
                Dictionary::open(sealed, &secret.identity).map_err(|source| reader.invalid(key, source))
            })
            .collect::<Result<_, _>>()?;
        Ok(Unlocked { secret, dictionaries, openers: Mutex::new(Vec::new()) })
    }

    pub(crate) fn joined<T>(
        &self,
        result: Result<Result<T, ReadError>, tokio::task::JoinError>,
    ) -> Result<T, ReadError> {
        result.unwrap_or_else(|source| {
            Err(ReadError::Background { replica: self.site.reader.name().clone(), source })
        })
    }
}

impl Unlocked {
    /// Opens one blob; takes an opener that is free, or makes one.
    pub(crate) fn open(
        &self,
        reader: &Reader,
        pack: &ObjectKey,
        blob: &[u8],
        limit: u64,
    ) -> Result<Zeroizing<Vec<u8>>, ReadError> {
        let kept = self.openers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut opener = match kept {
            Some(opener) => opener,
            None => Opener::new(self.secret.identity.clone(), self.dictionaries.clone())
                .map_err(|source| reader.invalid(pack, source))?,
        };
        let opened = opener.open(blob, limit).map_err(|source| reader.invalid(pack, source));
        let mut openers = self.openers.lock().unwrap_or_else(PoisonError::into_inner);
        if openers.len() < OPENERS_KEPT_MAX {
            openers.push(opener);
        }
        opened
    }
}

/// Says that the epoch has no break-glass passphrase.
#[derive(Debug, thiserror::Error)]
#[error("the epoch is not sealed under a passphrase")]
struct NoPassphrase;
