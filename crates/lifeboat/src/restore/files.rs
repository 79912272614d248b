//! The folder that is restored into: one file per record, named by the record's key.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use lifeboat_replica::OpenedRecord;
use lifeboat_replica::durable::{self, DurableError};
use tokio::task::JoinSet;

use super::RestoreError;

/// Files that are written at once.
const WRITES_MAX: usize = 8;

/// What to do about a folder that is not empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Refuse it.
    Refuse,
    /// Write into it, replacing files of the same name.
    Replace,
}

/// The folder with the writes that are under way.
pub(super) struct Target {
    folder: PathBuf,
    writes: JoinSet<Result<(), DurableError>>,
}

impl Target {
    /// Makes the folder, or checks that it is empty.
    pub(super) fn prepare(folder: &Path, existing: Existing) -> Result<Self, RestoreError> {
        let failed = |source| RestoreError::Folder { path: folder.to_owned(), source };
        match fs::read_dir(folder) {
            Ok(mut entries) => {
                if existing == Existing::Refuse && entries.next().is_some() {
                    return Err(RestoreError::NotEmpty { path: folder.to_owned() });
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                durable::make_folders(folder)
                    .map_err(|source| RestoreError::Write { path: folder.to_owned(), source })?;
            }
            Err(error) => return Err(failed(error)),
        }
        Ok(Target { folder: folder.to_owned(), writes: JoinSet::new() })
    }

    /// Begins to write a record, waiting when too many writes are under way.
    pub(super) async fn write(&mut self, record: OpenedRecord) -> Result<(), RestoreError> {
        if self.writes.len() >= WRITES_MAX {
            self.settle().await?;
        }
        let path = self.folder.join(format!("{}.json", record.key));
        self.writes.spawn_blocking(move || durable::replace(&path, &record.bytes));
        Ok(())
    }

    /// Waits until everything is written.
    pub(super) async fn finish(mut self) -> Result<(), RestoreError> {
        while !self.writes.is_empty() {
            self.settle().await?;
        }
        Ok(())
    }

    /// Waits for one write to end.
    async fn settle(&mut self) -> Result<(), RestoreError> {
        match self.writes.join_next().await {
            Some(written) => {
                written?.map_err(|source| RestoreError::Write { path: self.folder.clone(), source })
            }
            None => Ok(()),
        }
    }
}
