//! The spool with its newest snapshots at hand.
//!
//! The engine builds each snapshot on earlier ones: it needs the newest manifest for the chain, the
//! newest accepted one for the gate, and that which the state describes for its base.

use super::EngineError;
use jiff::ToSpan as _;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use lifeboat_format::log::Entry;
use lifeboat_format::{
    EpochNumber, FinishedPack, MANIFEST_BYTES_MAX, Manifest, ManifestId, ObjectKey, PACK_BYTES_MAX, PackId,
    RECORD_BYTES_MAX, SigningKey, SiteCode, SiteDescription, Verdict,
};
use lifeboat_plan::gate::{DAYS_KEPT, GateFacts};
use lifeboat_replica::Reader;
use lifeboat_replica::{PublishSet, Published, Spool};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// Log entries that are read at once while looking back.
const ENTRIES_AT_ONCE: u64 = 4096;

/// The log's event of a person accepting a snapshot against the gate; history begins with what follows.
pub(super) const RELEASE: &str = "release";

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
    /// What the gate looks back on: the newest accepted snapshot of each day.
    past: BTreeMap<Date, GateFacts>,
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
        let (spool, past) = wait_for(async {
            let spool = Spool::open(folder, &key).await?;
            let past = accepted_days(&spool).await?;
            Ok::<_, EngineError>((spool, past))
        })??;
        let mut history = Self { spool, signing, newest: None, accepted: None, past: BTreeMap::new() };
        history.look_up()?;
        history.look_back(past);
        Ok(history)
    }

    /// Takes over history that `replica` has and the spool has not; returns whether there was any.
    pub(crate) async fn adopt(&mut self, replica: &Reader) -> Result<bool, EngineError> {
        let adopted = self.spool.adopt(replica).await?;
        self.look_up()?;
        if adopted.copied.is_some() {
            let past = accepted_days(&self.spool).await?;
            self.look_back(past);
        }
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

    /// Reads the facts of accepted snapshots; one whose manifest is not there any more is passed over.
    fn look_back(&mut self, days: Vec<ManifestId>) {
        self.past.clear();
        let manifests: Vec<Manifest> = days.into_iter().filter_map(|id| self.read(id).ok()).collect();
        manifests.iter().for_each(|manifest| self.remember(manifest));
    }

    /// Takes an accepted snapshot into what the gate looks back on.
    fn remember(&mut self, manifest: &Manifest) {
        let facts = GateFacts::from(manifest);
        if facts.released {
            self.past.clear();
        }
        let day = manifest.taken.to_zoned(TimeZone::UTC).date();
        if self.past.get(&day).is_none_or(|kept| kept.sequence < facts.sequence) {
            self.past.insert(day, facts);
        }
        while self.past.len() > DAYS_KEPT {
            self.past.pop_first();
        }
    }

    /// What the gate compares a snapshot with.
    pub(crate) fn facts(&self) -> Vec<GateFacts> {
        self.past.values().cloned().collect()
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
                self.remember(&newest.manifest);
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

/// Finds the newest accepted snapshot of each of the last days, as far back as the last release.
async fn accepted_days(spool: &Spool) -> Result<Vec<ManifestId>, EngineError> {
    let (tree, mut end) = (spool.log().tree(), spool.log().size());
    let mut days: BTreeMap<Date, ManifestId> = BTreeMap::new();
    let mut oldest_wanted = None;
    'back: while end > 0 && days.len() < DAYS_KEPT {
        let start = end.saturating_sub(ENTRIES_AT_ONCE);
        let entries = spool.reader().entries(tree, start..end).await;
        let entries = entries.map_err(|error| EngineError::Spool(error.into()))?;
        for entry in entries.iter().rev() {
            let (time, manifest) = match entry {
                Entry::Snapshot { time, manifest, verdict: Verdict::Accepted, .. } => (time, manifest),
                Entry::Event { name, .. } if name == RELEASE => break 'back,
                _ => continue,
            };
            let day = time.to_zoned(TimeZone::UTC).date();
            days.entry(day).or_insert(*manifest);
            let kept = i64::try_from(DAYS_KEPT).unwrap_or(i64::MAX);
            oldest_wanted.get_or_insert(day.saturating_sub(kept.days()));
        }
        if days.keys().next() < oldest_wanted.as_ref() {
            break;
        }
        end = start;
    }
    Ok(days.into_values().collect())
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
