//! Finds the newest snapshot of a replica and proves it.
//!
//! `HEAD` answers in one request, but it is only a hint: it may be missing, damaged, or older than the checkpoints
//! beside it, when a writer was interrupted or somebody put an old one back. Then the same proof is built from the
//! newest checkpoint that verifies, the log's tiles and the manifests.

use bytes::Bytes;
use lifeboat_format::log::{Entry, Log};
use lifeboat_format::{
    HEAD_BYTES_MAX, Head, MANIFEST_BYTES_MAX, Manifest, ManifestId, ObjectKey, VerificationKey, VerifiedHead,
};

use crate::error::{ErrorClass, ReadError};
use crate::log_source::SignedCheckpoint;
use crate::reader::Reader;

/// How many checkpoints that do not verify are passed over in search of one that does.
pub(crate) const CHECKPOINTS_TRIED_MAX: usize = 16;

/// What `HEAD` was found to be, compared with the checkpoints beside it.
#[derive(Debug)]
pub enum HeadState {
    /// It names the newest checkpoint.
    Current,
    /// It is valid, and a newer checkpoint lies beside it.
    Older {
        /// The log size that it names.
        size: u64,
    },
    /// It is missing, damaged or not signed by the site's key.
    Bad(ReadError),
}

/// The newest snapshot of a replica, and how it was found.
#[derive(Debug)]
pub struct Newest {
    /// The proof of the newest snapshot, from `HEAD` or rebuilt.
    pub head: VerifiedHead,
    /// What `HEAD` was found to be.
    pub state: HeadState,
    /// Sizes of newer checkpoints that do not verify.
    pub unverified: Vec<u64>,
}

/// Reads `HEAD` and proves everything in it: one round trip.
pub async fn head_only(reader: &Reader, key: &VerificationKey) -> Result<VerifiedHead, ReadError> {
    let bytes = reader.object(&ObjectKey::Head, HEAD_BYTES_MAX as u64).await?;
    verify_head(reader, &bytes, key)
}

/// Finds the newest snapshot that verifies, whatever the state of `HEAD`.
pub async fn newest(reader: &Reader, key: &VerificationKey) -> Result<VerifiedHead, ReadError> {
    newest_thorough(reader, key).await.map(|newest| newest.head)
}

/// Finds the newest snapshot that verifies and says what `HEAD` was: two round trips when all is well.
pub async fn newest_thorough(reader: &Reader, key: &VerificationKey) -> Result<Newest, ReadError> {
    let head = match head_only(reader, key).await {
        Err(error) if error.class() != ErrorClass::Corrupt => return Err(error),
        head => head,
    };
    let known = head.as_ref().map_or(0, |head| head.checkpoint.size);
    let sizes = match known {
        0 => reader.list_checkpoints().await?,
        known => reader.list_checkpoints_after(known).await?,
    };
    let mut unverified = Vec::new();
    for size in sizes.into_iter().rev().take(CHECKPOINTS_TRIED_MAX) {
        match rebuild_head(reader, size, key).await {
            Ok(Some(rebuilt)) => {
                let state = match head {
                    Ok(old) => HeadState::Older { size: old.checkpoint.size },
                    Err(error) => HeadState::Bad(error),
                };
                return Ok(Newest { head: rebuilt, state, unverified });
            }
            Ok(None) => return Err(ReadError::NoSnapshot { replica: reader.name().clone() }),
            Err(error) if error.class() == ErrorClass::Corrupt => unverified.push(size),
            Err(error) => return Err(error),
        }
    }
    match head {
        Ok(head) => Ok(Newest { head, state: HeadState::Current, unverified }),
        Err(error) if unverified.is_empty() && error.is_missing() => {
            Err(ReadError::NoCheckpoint { replica: reader.name().clone() })
        }
        Err(error) => Err(error),
    }
}

/// Returns the newest checkpoint among some sizes that verifies, passing over those that do not.
pub(crate) async fn newest_valid(
    reader: &Reader,
    key: &VerificationKey,
    sizes: Vec<u64>,
) -> Result<Option<SignedCheckpoint>, ReadError> {
    for size in sizes.into_iter().rev().take(CHECKPOINTS_TRIED_MAX) {
        match reader.checkpoint(size, key).await {
            Ok(checkpoint) => return Ok(Some(checkpoint)),
            // Verify reports it; whoever can write junk must not be able to stop the work.
            Err(error) if error.class() == ErrorClass::Corrupt => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// Checks the bytes of a `HEAD`.
pub(crate) fn verify_head(
    reader: &Reader,
    bytes: &[u8],
    key: &VerificationKey,
) -> Result<VerifiedHead, ReadError> {
    Head::parse(bytes)
        .and_then(|head| head.verify(key))
        .map_err(|source| reader.invalid(&ObjectKey::Head, source))
}

/// Builds the proof that `HEAD` should have carried for a checkpoint.
async fn rebuild_head(
    reader: &Reader,
    size: u64,
    key: &VerificationKey,
) -> Result<Option<VerifiedHead>, ReadError> {
    let checkpoint = reader.checkpoint(size, key).await?;
    let log = reader.log(&checkpoint.checkpoint).await?;
    match build_head(&[reader], &log, &checkpoint).await? {
        Some(bytes) => verify_head(reader, &bytes, key).map(Some),
        None => Ok(None),
    }
}

/// Builds the bytes of `HEAD` for a checkpoint, reading manifests from the first replica that has them.
///
/// Returns nothing when the log names no snapshot yet.
pub(crate) async fn build_head(
    sources: &[&Reader],
    log: &Log,
    checkpoint: &SignedCheckpoint,
) -> Result<Option<Bytes>, ReadError> {
    let Some((index, entry)) = newest_snapshot_entry(sources, log, log.size()).await? else {
        return Ok(None);
    };
    let Some((_, id)) = entry.snapshot() else { return Ok(None) };
    let (manifest_bytes, manifest) = manifest_from(sources, id).await?;
    let accepted = match manifest.accepted {
        Some(accepted) => Some(manifest_from(sources, accepted.manifest).await?.0),
        None => None,
    };
    let note = checkpoint.note.clone();
    let head = Head::build(note, log, index, &entry, &manifest_bytes, accepted.as_deref());
    let head = head.map_err(|source| sources[0].invalid(&ObjectKey::Head, source))?;
    Ok(Some(head.to_bytes().into()))
}

/// Finds the newest entry before an index that names a snapshot.
pub(crate) async fn newest_snapshot_entry(
    sources: &[&Reader],
    log: &Log,
    before: u64,
) -> Result<Option<(u64, Entry)>, ReadError> {
    let mut end = before;
    while end > 0 {
        let start = (end - 1) / 256 * 256;
        let entries =
            from_first(sources, |source| async move { source.entries(log.tree(), start..end).await });
        let found = (start..).zip(entries.await?).filter(|(_, entry)| entry.snapshot().is_some()).last();
        if found.is_some() {
            return Ok(found);
        }
        end = start;
    }
    Ok(None)
}

/// Reads a manifest from the first replica that has it whole.
pub(crate) async fn manifest_from(
    sources: &[&Reader],
    id: ManifestId,
) -> Result<(Bytes, Manifest), ReadError> {
    from_first(sources, |source| async move { source.manifest(id).await }).await
}

/// Asks replicas in turn; returns the first failure when none of them delivers.
pub(crate) async fn from_first<'a, T, F>(
    sources: &[&'a Reader],
    read: impl Fn(&'a Reader) -> F,
) -> Result<T, ReadError>
where
    F: Future<Output = Result<T, ReadError>>,
{
    let mut first = None;
    for source in sources {
        match read(source).await {
            Ok(good) => return Ok(good),
            Err(error) => first = first.or(Some(error)),
        }
    }
    Err(first.expect("at least one replica is asked"))
}

impl Reader {
    /// Reads a manifest and checks it against its id.
    pub async fn manifest(&self, id: ManifestId) -> Result<(Bytes, Manifest), ReadError> {
        let key = ObjectKey::Manifest(id);
        let bytes = self.object(&key, MANIFEST_BYTES_MAX as u64).await?;
        if ManifestId::of(&bytes) != id {
            return Err(self.digest_error(&key));
        }
        let manifest = Manifest::parse(&bytes).map_err(|source| self.invalid(&key, source))?;
        Ok((bytes, manifest))
    }
}
