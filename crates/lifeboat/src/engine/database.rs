//! Opening an embedded database: checked from end to end, and set aside when it is damaged.

use redb::{Database, DatabaseError};
use std::path::Path;

/// Memory for a database's page cache.
const CACHE_BYTES: usize = 32 * 1024 * 1024;

/// What became of opening a database.
pub(crate) enum Opened {
    /// It is whole, or new.
    Whole(Database),
    /// It was damaged; it lies aside and an empty one is in its place.
    Replaced(Database),
}

/// Opens a database and checks all of it; a damaged one is set aside for an empty one.
///
/// # Errors
/// What the database or the disk said.
pub(crate) fn open_checked(path: &Path) -> Result<Opened, redb::Error> {
    match open_whole(path) {
        Found::Whole(database) => Ok(Opened::Whole(database)),
        Found::Failed(error) => Err(error),
        Found::Damaged => {
            std::fs::rename(path, path.with_extension("damaged")).map_err(redb::Error::Io)?;
            Ok(Opened::Replaced(create(path)?))
        }
    }
}

fn create(path: &Path) -> Result<Database, DatabaseError> {
    Database::builder().set_cache_size(CACHE_BYTES).create(path)
}

enum Found {
    Whole(Database),
    Damaged,
    Failed(redb::Error),
}

/// The database library panics on some damage, which is no more than damage here: nothing of it is used afterwards.
fn open_whole(path: &Path) -> Found {
    let opened = std::panic::catch_unwind(|| {
        let mut database = create(path)?;
        database.check_integrity()?;
        Ok::<_, DatabaseError>(database)
    });
    match opened {
        Ok(Ok(database)) => Found::Whole(database),
        Ok(Err(error)) => match redb::Error::from(error) {
            redb::Error::Io(error) if is_damage(&error) => Found::Damaged,
            redb::Error::Corrupted(_) | redb::Error::UpgradeRequired(_) | redb::Error::RepairAborted => {
                Found::Damaged
            }
            error => Found::Failed(error),
        },
        Err(_panic) => Found::Damaged,
    }
}

/// Whether an error speaks of what the file says rather than of the disk or of permissions.
fn is_damage(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof)
}
