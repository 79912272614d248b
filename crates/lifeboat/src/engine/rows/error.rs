//! What can go wrong with kept rows.

use crate::engine::host_key::HostKeyError;
use crate::engine::spill::SpillError;
use std::path::PathBuf;

/// Why rows could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum RowsError {
    /// The database file cannot be opened or made.
    #[error("cannot open the database of rows {}", path.display())]
    Open {
        /// The database file.
        path: PathBuf,
        /// What the database said.
        source: Box<redb::Error>,
    },
    /// A read or write failed.
    #[error("cannot {step} in the database of rows")]
    Step {
        /// What was attempted.
        step: &'static str,
        /// What the database said.
        source: Box<redb::Error>,
    },
    /// A sealed value does not open.
    #[error("a value of the database of rows does not open; was the host key replaced?")]
    Sealed(#[from] HostKeyError),
    /// A value is not what this program writes.
    #[error("{what} of the database of rows cannot be understood")]
    Value {
        /// What it should have been.
        what: &'static str,
    },
    /// Changes could not be kept aside until their batch was complete.
    #[error(transparent)]
    Spill(#[from] SpillError),
    /// Rows could not be compressed.
    #[error("cannot compress rows")]
    Compress(#[source] std::io::Error),
    /// A feed names a table that it does not have.
    #[error("the feed names a table that it does not have; this is a fault in the program")]
    NoSuchTable,
}

/// Says which step failed.
pub(crate) fn step<E: Into<redb::Error>>(step: &'static str) -> impl FnOnce(E) -> RowsError {
    move |source| RowsError::Step { step, source: Box::new(source.into()) }
}
