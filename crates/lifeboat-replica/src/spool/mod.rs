//! The spool: the local replica into which snapshots are published and from which all other replicas are fed.
//!
//! The spool holds the log in memory, checked against its newest signed checkpoint. Publishing writes in the order
//! that every replica is written in, and the signed checkpoint is durable here before anybody else can see it: a log
//! size is signed once. What lies beyond the newest checkpoint was never signed and may be written again.

mod adopt;
mod publish;

use std::path::{Path, PathBuf};

use lifeboat_format::log::{Entry, Log};
use lifeboat_format::{ObjectKey, SiteDescription, VerificationKey, recover_text};

pub use adopt::Adopted;
pub use publish::{EpochFiles, PublishSet, Published};

use crate::durable::{self, Created, DurableError};
use crate::error::{ErrorClass, ReadError, WriteError};
use crate::location::{ReplicaLocation, ReplicaName};
use crate::log_source::SignedCheckpoint;
use crate::newest::{build_head, newest_snapshot_entry};
use crate::reader::{Reader, file_in};
use crate::writer::Written;

/// The local replica, with its log in memory.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    reader: Reader,
    key: VerificationKey,
    log: Log,
    newest: Option<SignedCheckpoint>,
    /// The newest entry that names a snapshot.
    snapshot: Option<(u64, Entry)>,
}

impl Spool {
    /// Lays out a new site in a folder: what the replica is, and how to recover from it.
    pub fn lay_out(folder: &Path, site: &SiteDescription) -> Result<(), WriteError> {
        let name = ReplicaName::spool();
        durable::make_folders(folder)
            .map_err(|source| WriteError::Prepare { replica: name.clone(), source })?;
        let files =
            [(ObjectKey::Recover, recover_text(site).into_bytes()), (ObjectKey::Site, site.to_bytes())];
        for (key, bytes) in files {
            match create_or_compare(&name, folder, &key, &bytes)? {
                Placed::Written(_) => {}
                Placed::Different => return Err(WriteError::OtherSite { replica: name, key }),
            }
        }
        Ok(())
    }

    /// Opens the spool: sweeps what an interrupted run left, reads the log back and checks it.
    ///
    /// Nothing else may write to the folder while it is open. A new, empty folder is an empty spool.
    pub async fn open(folder: &Path, key: &VerificationKey) -> Result<Self, WriteError> {
        let name = ReplicaName::spool();
        let reader = Reader::open(name.clone(), &ReplicaLocation::folder(folder))?;
        durable::remove_leftovers(folder).map_err(|source| WriteError::Prepare { replica: name, source })?;
        let mut spool = Self {
            folder: folder.to_owned(),
            reader,
            key: key.clone(),
            log: Log::new(),
            newest: None,
            snapshot: None,
        };
        spool.load().await?;
        Ok(spool)
    }

    /// Returns the reader of the spool, from which other replicas are fed.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Returns the folder of the spool.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the key that the site's checkpoints are signed with.
    pub fn key(&self) -> &VerificationKey {
        &self.key
    }

    /// Returns the newest checkpoint, if anything was published yet.
    pub fn newest(&self) -> Option<&SignedCheckpoint> {
        self.newest.as_ref()
    }

    /// Returns the log.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Returns the newest log entry that names a snapshot, with its index.
    pub fn newest_snapshot(&self) -> Option<(u64, &Entry)> {
        self.snapshot.as_ref().map(|(index, entry)| (*index, entry))
    }

    /// Reads the newest checkpoint and the log that it signs, and puts `HEAD` right.
    ///
    /// A newest checkpoint that does not verify is an error: below it nothing may be signed again.
    async fn load(&mut self) -> Result<(), WriteError> {
        let Some(size) = self.reader.list_checkpoints().await?.pop() else { return Ok(()) };
        let checkpoint = self.reader.checkpoint(size, &self.key).await?;
        self.log = self.reader.log(&checkpoint.checkpoint).await?;
        self.snapshot = newest_snapshot_entry(&[&self.reader], &self.log, size).await?;
        match build_head(&[&self.reader], &self.log, &checkpoint).await {
            Ok(Some(head)) => self.put_head_right(&head)?,
            Ok(None) => {}
            // A damaged manifest does not keep the service from taking new snapshots; verify reports it.
            Err(error) if error.class() == ErrorClass::Corrupt => {}
            Err(error) => return Err(error.into()),
        }
        self.newest = Some(checkpoint);
        Ok(())
    }

    fn put_head_right(&self, head: &[u8]) -> Result<(), WriteError> {
        let path = file_in(&self.folder, &ObjectKey::Head);
        if std::fs::read(&path).is_ok_and(|stored| stored == head) {
            return Ok(());
        }
        durable::replace(&path, head).map_err(|source| self.local(&ObjectKey::Head, source))
    }

    fn local(&self, key: &ObjectKey, source: DurableError) -> WriteError {
        WriteError::Local { replica: self.reader.name().clone(), key: *key, source }
    }

    fn read_file(&self, key: &ObjectKey) -> Result<Vec<u8>, ReadError> {
        std::fs::read(file_in(&self.folder, key)).map_err(|error| self.reader.file_error(key, error))
    }
}

/// What became of a file that was to be created.
enum Placed {
    Written(Written),
    Different,
}

/// Creates a file of the spool, or compares it with the one that is there.
fn create_or_compare(
    name: &ReplicaName,
    folder: &Path,
    key: &ObjectKey,
    bytes: &[u8],
) -> Result<Placed, WriteError> {
    let created = durable::create(&file_in(folder, key), bytes).map_err(|source| WriteError::Local {
        replica: name.clone(),
        key: *key,
        source,
    })?;
    Ok(match created {
        Created::New => Placed::Written(Written::New),
        // What cannot be read is not what was to be written either.
        Created::AlreadyThere => match std::fs::read(file_in(folder, key)) {
            Ok(stored) if stored == bytes => Placed::Written(Written::AlreadyThere),
            _ => Placed::Different,
        },
    })
}
