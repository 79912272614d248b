//! The spool with its newest snapshots at hand.
//!
//! The engine builds each snapshot on earlier ones: it needs the newest manifest for the chain, the
//! newest accepted one for the gate, and that which the state describes for its base.

use super::EngineError;
use lifeboat_format::log::Entry;
use lifeboat_format::{
    EpochNumber, FinishedPack, MANIFEST_BYTES_MAX, Manifest, ManifestId, ObjectKey, PACK_BYTES_MAX, PackId,
    RECORD_BYTES_MAX, SigningKey, SiteCode, SiteDescription,
};
use lifeboat_replica::Reader;
use lifeboat_replica::{PublishSet, Published, Spool};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// A snapshot as its manifest describes it.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    pub(crate) id: ManifestId,
    pub(crate) manifest: Manifest,
}

/// The spool and the newest snapshots in it.
pub(crate) struct History {
    spool: Spool,
    signing: SigningKey,
    newest: Option<Snapshot>,
    accepted: Option<Snapshot>,
}

impl History {
    /// Opens the spool in `folder`, laying it out if it is new.
    pub(crate) fn open(
        folder: &Path,
        site: &SiteCode,
        name: &str,
        signing: SigningKey,
    ) -> Result<Self, EngineError> {
        let key = signing.verification_key();
        let description = SiteDescription::new(site.clone(), name.to_owned(), key.clone())?;
        if !folder.join(ObjectKey::Site.to_string()).exists() {
            Spool::lay_out(folder, &description)?;
        }
        let spool = wait_for(Spool::open(folder, &key))??;
        let mut history = Self { spool, signing, newest: None, accepted: None };
        history.look_up()?;
        Ok(history)
    }

    /// Takes over history that `replica` has and the spool has not; returns whether there was any.
    pub(crate) async fn adopt(&mut self, replica: &Reader) -> Result<bool, EngineError> {
        let adopted = self.spool.adopt(replica).await?;
        self.look_up()?;
        Ok(adopted.copied.is_some())
    }

    fn look_up(&mut self) -> Result<(), EngineError> {
        let id = match self.spool.newest_snapshot() {
            Some((_, Entry::Snapshot { manifest, .. } | Entry::Heartbeat { manifest, .. })) => *manifest,
            _ => return Ok(()),
        };
        let newest = Snapshot { id, manifest: self.read(id)? };
        self.accepted = match newest.manifest.accepted {
            None if newest.manifest.is_held() => None,
            None => Some(newest.clone()),
            Some(entry) => Some(Snapshot { id: entry.manifest, manifest: self.read(entry.manifest)? }),
        };
        self.newest = Some(newest);
        Ok(())
    }

    /// The newest snapshot, held or not.
    pub(crate) fn newest(&self) -> Option<&Snapshot> {
        self.newest.as_ref()
    }

    /// The newest accepted snapshot.
    pub(crate) fn accepted(&self) -> Option<&Snapshot> {
        self.accepted.as_ref()
    }

    /// The manifest `id`, if the spool has it.
    pub(crate) fn manifest(&self, id: ManifestId) -> Result<Option<Manifest>, EngineError> {
        if self.path(ObjectKey::Manifest(id)).exists() { self.read(id).map(Some) } else { Ok(None) }
    }

    fn read(&self, id: ManifestId) -> Result<Manifest, EngineError> {
        let key = ObjectKey::Manifest(id);
        let bytes = self.file(key, MANIFEST_BYTES_MAX)?;
        if ManifestId::of(&bytes) != id {
            return Err(EngineError::SpoolDamaged { object: key });
        }
        Manifest::parse(&bytes).map_err(|_| EngineError::SpoolDamaged { object: key })
    }

    /// Whether every object of a snapshot is in the spool, in its length.
    pub(crate) fn holds(&self, manifest: &Manifest) -> bool {
        let is_there = |(key, size)| {
            std::fs::metadata(self.path(key)).is_ok_and(|found| found.is_file() && found.len() == size)
        };
        manifest.objects().all(is_there)
    }

    /// The bytes of a pack.
    pub(crate) fn pack(&self, id: PackId) -> Result<Vec<u8>, EngineError> {
        let most = PACK_BYTES_MAX.max(lifeboat_format::blob_bytes_max(RECORD_BYTES_MAX));
        self.file(ObjectKey::Pack(id), most)
    }

    fn file(&self, key: ObjectKey, bytes_max: usize) -> Result<Vec<u8>, EngineError> {
        let path = self.path(key);
        let read = || -> io::Result<Vec<u8>> {
            let mut bytes = Vec::new();
            File::open(&path)?.take(bytes_max as u64 + 1).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        match read() {
            Ok(bytes) if bytes.len() <= bytes_max => Ok(bytes),
            Ok(_) => Err(EngineError::SpoolDamaged { object: key }),
            Err(source) => Err(EngineError::SpoolFile { path, source }),
        }
    }

    fn path(&self, key: ObjectKey) -> PathBuf {
        self.spool.folder().join(key.to_string())
    }

    /// Writes a finished pack; it counts for nothing until a manifest names it.
    pub(crate) fn put_pack(&self, pack: &FinishedPack) -> Result<(), EngineError> {
        self.spool.put_pack(pack)?;
        Ok(())
    }

    /// The number of the next epoch: beyond every one whose files were ever begun.
    pub(crate) fn next_epoch(&self) -> Result<EpochNumber, EngineError> {
        let path = self.spool.folder().join("epochs");
        let folders = match std::fs::read_dir(&path) {
            Ok(folders) => folders,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(EpochNumber::FIRST),
            Err(source) => return Err(EngineError::SpoolFile { path, source }),
        };
        let mut newest: Option<EpochNumber> = None;
        for folder in folders {
            let folder = folder.map_err(|source| EngineError::SpoolFile { path: path.clone(), source })?;
            newest = newest.max(folder.file_name().to_str().and_then(|name| name.parse().ok()));
        }
        newest.map_or(Ok(EpochNumber::FIRST), |newest| newest.next().ok_or(EngineError::EpochsUsedUp))
    }

    /// Publishes a snapshot or a heartbeat.
    pub(crate) fn publish(&mut self, set: PublishSet) -> Result<Published, EngineError> {
        let manifest = set.manifest.clone();
        let published = self.spool.publish(set, &self.signing)?;
        if let Some(manifest) = manifest {
            let newest = Snapshot { id: manifest.id(), manifest };
            if !newest.manifest.is_held() {
                self.accepted = Some(newest.clone());
            }
            self.newest = Some(newest);
        }
        Ok(published)
    }

    /// Reads the spool, from which replicas are fed.
    pub(crate) fn reader(&self) -> Reader {
        self.spool.reader().clone()
    }

    /// The size of the log.
    pub(crate) fn log_size(&self) -> u64 {
        self.spool.log().size()
    }
}

/// Waits for a future from code that may itself run inside a runtime.
fn wait_for<F: Future<Output: Send> + Send>(future: F) -> Result<F::Output, EngineError> {
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.map(|runtime| runtime.block_on(future))
        });
        let waited = waiting.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        waited.map_err(EngineError::Runtime)
    })
}
