//! Publishing: objects, manifest, log tiles, signed checkpoint, `HEAD`, each durable before the next.

use std::collections::BTreeSet;
use std::io::Read;

use lifeboat_format::log::{Entry, Growth};
use lifeboat_format::{
    Checkpoint, Digest, EpochNumber, FileEntry, FinishedIndex, FinishedPack, Head, IndexId, Manifest,
    ObjectKey, SealedDictionary, SigningKey, VerifiedHead, open_checkpoint, sign_checkpoint,
};

use super::{Placed, Spool, create_or_compare};
use crate::crash::crash_step;
use crate::durable::{self, Created};
use crate::error::WriteError;
use crate::layout_event::layout_event;
use crate::log_source::SignedCheckpoint;
use crate::newest::verify_head;
use crate::reader::file_in;
use crate::replicate::fork;
use crate::writer::Written;

/// The files of an epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EpochFiles {
    /// The epoch's number.
    pub number: EpochNumber,
    /// The secret sealed to all recipients.
    pub recipients: Vec<u8>,
    /// The secret sealed under the break-glass passphrase, if there is one.
    pub passphrase: Option<Vec<u8>>,
}

impl EpochFiles {
    /// Returns what a manifest says about the file sealed to recipients.
    pub fn recipients_entry(&self) -> FileEntry {
        FileEntry::of(&self.recipients)
    }

    /// Returns what a manifest says about the file sealed under the passphrase.
    pub fn passphrase_entry(&self) -> Option<FileEntry> {
        self.passphrase.as_deref().map(FileEntry::of)
    }
}

/// What to publish together, under one new checkpoint.
///
/// Objects that were put into the spool before need not be here again.
#[derive(Debug, Default)]
pub struct PublishSet {
    /// A new epoch.
    pub epoch: Option<EpochFiles>,
    /// New dictionaries.
    pub dicts: Vec<SealedDictionary>,
    /// New packs.
    pub packs: Vec<FinishedPack>,
    /// New index objects.
    pub indexes: Vec<FinishedIndex>,
    /// The new snapshot's manifest.
    pub manifest: Option<Manifest>,
    /// New log entries; a manifest needs the snapshot entry that names it.
    pub entries: Vec<Entry>,
}

/// What was published.
#[derive(Debug)]
pub struct Published {
    /// The new checkpoint, durable in the spool.
    pub checkpoint: SignedCheckpoint,
    /// The newest snapshot as readers now see it; nothing while the log names none.
    pub head: Option<VerifiedHead>,
    /// Why `HEAD` could not be replaced, if so. The snapshot is published all the same; `HEAD` is only a hint.
    pub head_failure: Option<WriteError>,
    /// Bytes written, without those that were put before.
    pub bytes: u64,
}

impl Spool {
    /// Writes a finished pack; may be called by several threads, before the snapshot is published.
    pub fn put_pack(&self, pack: &FinishedPack) -> Result<Written, WriteError> {
        self.put(&ObjectKey::Pack(pack.id), &pack.bytes)
    }

    /// Writes a sealed dictionary.
    pub fn put_dict(&self, dict: &SealedDictionary) -> Result<Written, WriteError> {
        self.put(&ObjectKey::Dict(dict.id), &dict.bytes)
    }

    /// Writes a finished index object.
    pub fn put_index(&self, index: &FinishedIndex) -> Result<Written, WriteError> {
        self.put(&ObjectKey::Index(index.id), &index.bytes)
    }

    /// Writes an index object that was too large for memory and is read back from elsewhere.
    pub fn put_index_from(&self, id: IndexId, content: &mut dyn Read) -> Result<Written, WriteError> {
        let key = ObjectKey::Index(id);
        let path = file_in(&self.folder, &key);
        let created = durable::create_from(&path, content).map_err(|source| self.local(&key, source))?;
        Ok(if created == Created::New { Written::New } else { Written::AlreadyThere })
    }

    /// Writes the files of an epoch.
    ///
    /// Files of an epoch that no snapshot was ever published with are left of an interrupted run, and are replaced.
    pub fn put_epoch(&self, epoch: &EpochFiles) -> Result<(), WriteError> {
        let passphrase =
            epoch.passphrase.iter().map(|bytes| (ObjectKey::EpochPassphrase(epoch.number), bytes));
        let recipients = (ObjectKey::EpochRecipients(epoch.number), &epoch.recipients);
        for (key, bytes) in std::iter::once(recipients).chain(passphrase) {
            match self.put(&key, bytes) {
                Err(WriteError::Conflict { .. }) if self.newest_epoch()? < Some(epoch.number) => {
                    durable::replace(&file_in(&self.folder, &key), bytes)
                        .map_err(|source| self.local(&key, source))?;
                }
                put => {
                    put?;
                }
            }
        }
        Ok(())
    }

    /// Returns the epoch of the newest snapshot; epochs only ever grow.
    fn newest_epoch(&self) -> Result<Option<EpochNumber>, WriteError> {
        let Some((_, id)) = self.snapshot.as_ref().and_then(|(_, entry)| entry.snapshot()) else {
            return Ok(None);
        };
        let key = ObjectKey::Manifest(id);
        let manifest =
            Manifest::parse(&self.read_file(&key)?).map_err(|source| self.reader.invalid(&key, source))?;
        Ok(Some(manifest.epoch.number))
    }

    /// Publishes: everything is durable in the spool when this returns, and the checkpoint is signed.
    ///
    /// After an error nothing was published, and the same set can be published again.
    pub fn publish(&mut self, set: PublishSet, key: &SigningKey) -> Result<Published, WriteError> {
        if key.verification_key() != self.key {
            return Err(self.refused("the signing key is not the site's"));
        }
        let mut bytes = self.put_objects(&set)?;
        self.check_snapshot(&set)?;

        let mut log = self.log.clone();
        let entries = self.entries_to_append(&set)?;
        let growth = log.append(&entries).map_err(|source| WriteError::Encode {
            replica: self.reader.name().clone(),
            key: ObjectKey::Checkpoint(self.log.size()),
            source: Box::new(source),
        })?;
        bytes += self.put_tiles(&growth)?;
        let checkpoint = self.put_checkpoint(&growth, key)?;
        bytes += checkpoint.note.len() as u64;

        let first = self.log.size();
        let named = (first..).zip(entries).filter(|(_, entry)| entry.snapshot().is_some()).last();
        self.snapshot = named.or(self.snapshot.take());
        self.log = log;
        self.newest = Some(checkpoint.clone());
        let (head, head_failure) = match self.put_head(&checkpoint) {
            Ok(head) => (head, None),
            Err(error) => (None, Some(error)),
        };
        Ok(Published { checkpoint, head, head_failure, bytes })
    }

    /// Writes an object; one with wrong bytes under its name is damage of our own folder, and is replaced.
    fn put(&self, key: &ObjectKey, bytes: &[u8]) -> Result<Written, WriteError> {
        match create_or_compare(self.reader.name(), &self.folder, key, bytes)? {
            Placed::Written(written) => Ok(written),
            Placed::Different if key.content_digest() == Some(Digest::of(bytes)) => {
                durable::replace(&file_in(&self.folder, key), bytes)
                    .map_err(|source| self.local(key, source))?;
                Ok(Written::New)
            }
            Placed::Different => Err(WriteError::Conflict { replica: self.reader.name().clone(), key: *key }),
        }
    }

    fn put_objects(&self, set: &PublishSet) -> Result<u64, WriteError> {
        let mut bytes = 0;
        if let Some(epoch) = &set.epoch {
            self.put_epoch(epoch)?;
            bytes += (epoch.recipients.len() + epoch.passphrase.as_ref().map_or(0, Vec::len)) as u64;
        }
        for dict in &set.dicts {
            self.put_dict(dict)?;
            bytes += dict.bytes.len() as u64;
        }
        for pack in &set.packs {
            self.put_pack(pack)?;
            bytes += pack.bytes.len() as u64;
        }
        for index in &set.indexes {
            self.put_index(index)?;
            bytes += index.bytes.len() as u64;
        }
        if let Some(manifest) = &set.manifest {
            manifest.check().map_err(|source| WriteError::Encode {
                replica: self.reader.name().clone(),
                key: ObjectKey::Manifest(manifest.id()),
                source: Box::new(source),
            })?;
            self.check_objects(manifest)?;
            let manifest_bytes = manifest.to_bytes();
            self.put(&ObjectKey::Manifest(manifest.id()), &manifest_bytes)?;
            bytes += manifest_bytes.len() as u64;
        }
        Ok(bytes)
    }

    /// Makes sure that everything a manifest lists is in the spool.
    fn check_objects(&self, manifest: &Manifest) -> Result<(), WriteError> {
        for (key, size) in manifest.objects() {
            match std::fs::metadata(file_in(&self.folder, &key)) {
                Ok(found) if found.len() == size => {}
                Ok(found) => return Err(self.reader.short(&key, found.len(), size).into()),
                Err(_) => return Err(self.reader.missing(&key).into()),
            }
        }
        Ok(())
    }

    /// Checks that entries and manifest belong together and that a heartbeat names what is there.
    fn check_snapshot(&self, set: &PublishSet) -> Result<(), WriteError> {
        if set.entries.is_empty() {
            return Err(self.refused("there is no log entry"));
        }
        let id = set.manifest.as_ref().map(Manifest::id);
        let snapshots: BTreeSet<_> = set
            .entries
            .iter()
            .filter_map(|entry| match entry {
                Entry::Snapshot { manifest, .. } => Some(*manifest),
                _ => None,
            })
            .collect();
        if !snapshots.iter().copied().eq(id) {
            return Err(self.refused("the manifest and the snapshot entry do not belong together"));
        }
        for entry in &set.entries {
            if let Some((_, named)) = entry.snapshot() {
                let key = ObjectKey::Manifest(named);
                if !file_in(&self.folder, &key).is_file() {
                    return Err(self.reader.missing(&key).into());
                }
            }
        }
        Ok(())
    }

    /// Puts the entry that vouches for the replica's descriptions before the very first ones.
    fn entries_to_append(&self, set: &PublishSet) -> Result<Vec<Entry>, WriteError> {
        let mut entries = Vec::with_capacity(set.entries.len() + 1);
        if self.log.size() == 0 {
            let time = set.entries.iter().find_map(Entry::time);
            let time = time.ok_or_else(|| self.refused("the first log entries say no time"))?;
            let (site, recover) = (self.read_file(&ObjectKey::Site)?, self.read_file(&ObjectKey::Recover)?);
            entries.push(layout_event(time, &site, &recover));
        }
        entries.extend(set.entries.iter().cloned());
        Ok(entries)
    }

    /// Writes the tiles of a growth. None of them was ever signed at this size, so leftovers are replaced.
    fn put_tiles(&self, growth: &Growth) -> Result<u64, WriteError> {
        let mut bytes = 0;
        for (key, content) in &growth.objects {
            if let Placed::Different = create_or_compare(self.reader.name(), &self.folder, key, content)? {
                durable::replace(&file_in(&self.folder, key), content)
                    .map_err(|source| self.local(key, source))?;
            }
            bytes += content.len() as u64;
        }
        Ok(bytes)
    }

    /// Signs the new size, once: a checkpoint that is there already is taken as it is, or stops everything.
    fn put_checkpoint(&self, growth: &Growth, key: &SigningKey) -> Result<SignedCheckpoint, WriteError> {
        let origin = self.key.name().to_owned();
        let checkpoint = Checkpoint { origin, size: growth.size, root: growth.root };
        crash_step("checkpoint.sign:before");
        let note = sign_checkpoint(&checkpoint, key);
        let signed = SignedCheckpoint { checkpoint, note };
        let object = signed.object_key();
        match create_or_compare(self.reader.name(), &self.folder, &object, signed.note.as_bytes())? {
            Placed::Written(_) => {}
            Placed::Different => return self.compare_checkpoint(signed),
        }
        crash_step("checkpoint.sign:after");
        Ok(signed)
    }

    fn compare_checkpoint(&self, ours: SignedCheckpoint) -> Result<SignedCheckpoint, WriteError> {
        let object = ours.object_key();
        let stored = self.read_file(&object)?;
        let note = String::from_utf8(stored).map_err(|source| self.reader.invalid(&object, source))?;
        let checkpoint =
            open_checkpoint(&note, &self.key).map_err(|source| self.reader.invalid(&object, source))?;
        let stored = SignedCheckpoint { checkpoint, note };
        if stored.checkpoint == ours.checkpoint {
            Ok(stored)
        } else {
            Err(fork(&self.reader, &ours, &self.reader, &stored))
        }
    }

    fn put_head(&self, checkpoint: &SignedCheckpoint) -> Result<Option<VerifiedHead>, WriteError> {
        let Some(bytes) = self.head_bytes(checkpoint)? else { return Ok(None) };
        let head = verify_head(&self.reader, &bytes, &self.key)?;
        durable::replace(&file_in(&self.folder, &ObjectKey::Head), &bytes)
            .map_err(|source| self.local(&ObjectKey::Head, source))?;
        Ok(Some(head))
    }

    fn head_bytes(&self, checkpoint: &SignedCheckpoint) -> Result<Option<Vec<u8>>, WriteError> {
        let Some((index, entry)) = &self.snapshot else { return Ok(None) };
        let Some((_, id)) = entry.snapshot() else { return Ok(None) };
        let key = ObjectKey::Manifest(id);
        let manifest_bytes = self.read_file(&key)?;
        let manifest =
            Manifest::parse(&manifest_bytes).map_err(|source| self.reader.invalid(&key, source))?;
        let accepted = match &manifest.accepted {
            Some(accepted) => Some(self.read_file(&ObjectKey::Manifest(accepted.manifest))?),
            None => None,
        };
        let head = Head::build(
            checkpoint.note.clone(),
            &self.log,
            *index,
            entry,
            &manifest_bytes,
            accepted.as_deref(),
        );
        let head = head.map_err(|source| self.reader.invalid(&ObjectKey::Head, source))?;
        Ok(Some(head.to_bytes()))
    }

    fn refused(&self, problem: &'static str) -> WriteError {
        WriteError::Publish { replica: self.reader.name().clone(), problem }
    }
}
