//! How far each replica has come, kept on disk.
//!
//! A cursor saves one look at the replica and tells a replica that was emptied from one that is new. Losing it loses
//! nothing else.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use lifeboat_format::Digest;
use lifeboat_replica::ReplicaCursor;
use lifeboat_replica::ReplicaName;
use lifeboat_replica::durable::{self, DurableError};
use serde::{Deserialize, Serialize};

/// Largest cursor file that is read.
const FILE_BYTES_MAX: u64 = 4096;

/// How far one replica has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cursor {
    /// The size of the log that the replica holds completely.
    pub log_size: u64,
    /// The root of that log.
    pub root: Digest,
    /// When it was copied.
    pub reached: Timestamp,
}

impl From<&Cursor> for ReplicaCursor {
    fn from(cursor: &Cursor) -> Self {
        ReplicaCursor { log_size: cursor.log_size, root: cursor.root }
    }
}

/// Why a cursor could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum CursorError {
    /// The file could not be read.
    #[error("cannot read the cursor {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not a cursor.
    #[error("the cursor {path} is damaged")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// The file could not be written.
    #[error("cannot write the cursor {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: DurableError,
    },
}

/// Returns the file of a replica's cursor.
pub(super) fn path(state_dir: &Path, replica: &ReplicaName) -> PathBuf {
    state_dir.join("cursors").join(format!("{replica}.json"))
}

impl Cursor {
    /// Reads the cursor at `path`, if there is one.
    pub fn load(path: &Path) -> Result<Option<Cursor>, CursorError> {
        let failed = |source| CursorError::Read { path: path.to_owned(), source };
        let size = match fs::metadata(path) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        if size > FILE_BYTES_MAX {
            return Err(failed(io::ErrorKind::FileTooLarge.into()));
        }
        let bytes = fs::read(path).map_err(failed)?;
        let cursor = serde_json::from_slice(&bytes)
            .map_err(|source| CursorError::Damaged { path: path.to_owned(), source })?;
        Ok(Some(cursor))
    }

    /// Writes the cursor durably to `path`.
    pub fn save(&self, path: &Path) -> Result<(), CursorError> {
        let Cursor { log_size, root, reached } = self;
        let text = format!("{{\"log_size\":{log_size},\"root\":\"{root}\",\"reached\":\"{reached}\"}}\n");
        durable::replace(path, text.as_bytes())
            .map_err(|source| CursorError::Write { path: path.to_owned(), source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_kept_and_a_damaged_one_is_told_from_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let name: ReplicaName = "usb".parse().expect("a name");
        let path = path(folder.path(), &name);
        assert_eq!(Cursor::load(&path).expect("there is none"), None);
        let reached = "2026-11-21T08:00:00Z".parse().expect("an instant");
        let cursor = Cursor { log_size: 42, root: Digest::of(b"root"), reached };
        cursor.save(&path).expect("it is written");
        assert_eq!(Cursor::load(&path).expect("it is read"), Some(cursor));
        for damaged in
            ["", "{}", "{\"log_size\":1}", "{\"log_size\":-1,\"reached\":\"2026-11-21T08:00:00Z\"}"]
        {
            fs::write(&path, damaged).expect("it is damaged");
            assert!(matches!(Cursor::load(&path), Err(CursorError::Damaged { .. })), "{damaged}");
        }
        fs::write(&path, vec![b' '; 10_000]).expect("it is damaged");
        assert!(matches!(Cursor::load(&path), Err(CursorError::Read { .. })));
    }
}
