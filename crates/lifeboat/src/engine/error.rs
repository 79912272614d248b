//! What can go wrong while a snapshot is taken.

use super::grouper::SpillError;
use super::source::SourceError;
use super::state::StateError;
use lifeboat_format::{DictionaryError, EpochError, PackId, SealError};
use lifeboat_replica::{ErrorClass, spool::SpoolError};
use std::io;
use std::path::PathBuf;

/// Why a snapshot could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Nobody could open what would be sealed.
    #[error("the site has no recipients")]
    NoRecipients,
    /// Another process has the state folder open.
    #[error("another process is using the state folder {}", path.display())]
    Locked {
        /// The folder.
        path: PathBuf,
    },
    /// The state folder cannot be used.
    #[error("cannot use the state folder {}", path.display())]
    StateFolder {
        /// The folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The source cannot be read as a whole.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The state database failed.
    #[error(transparent)]
    State(#[from] StateError),
    /// Grouping failed.
    #[error(transparent)]
    Spill(#[from] SpillError),
    /// The spool could not be read or written.
    #[error("cannot use the spool")]
    Spool(#[from] SpoolError),
    /// A record could not be sealed.
    #[error("cannot seal a record")]
    Seal(#[from] SealError),
    /// The dictionary could not be trained or sealed.
    #[error("cannot make the dictionary")]
    Dictionary(#[from] DictionaryError),
    /// The epoch's key could not be made or sealed.
    #[error("cannot seal the epoch's key to the recipients")]
    Epoch(#[from] EpochError),
    /// The index could not be built.
    #[error("cannot build the index")]
    Index(#[from] lifeboat_format::IndexError),
    /// An empty pack refused a blob.
    #[error("a blob fits no pack")]
    PackRefused,
    /// A pack in the spool is not what it was.
    #[error("the spool's copy of pack {pack} is damaged")]
    SpoolDamaged {
        /// The pack.
        pack: PackId,
    },
}

impl EngineError {
    /// What the caller can do about it.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Source(SourceError::Unsettled { .. } | SourceError::Moved { .. }) => ErrorClass::Transient,
            Self::NoRecipients
            | Self::Locked { .. }
            | Self::StateFolder { .. }
            | Self::Source(_)
            | Self::State(_)
            | Self::Spill(_) => ErrorClass::Operator,
            Self::Spool(error) => error.class(),
            Self::SpoolDamaged { .. } => ErrorClass::Corrupt,
            Self::Seal(_) | Self::Dictionary(_) | Self::Epoch(_) | Self::Index(_) | Self::PackRefused => ErrorClass::Bug,
        }
    }

    /// What to do about it, in plain words.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::NoRecipients => "add one with `lifeboat recipients add NAME age1…` or make a kit with `lifeboat kit create`",
            Self::Locked { .. } => "stop the service first, or let it take the snapshot",
            Self::Source(SourceError::Unsettled { .. } | SourceError::Moved { .. }) => {
                "let the exporter finish, or have it write elsewhere and rename the finished file into the folder"
            }
            Self::Source(SourceError::Unreadable { .. }) => "check `source.path` and that this user may read it",
            Self::SpoolDamaged { .. } => "run `lifeboat verify` on the spool and copy the pack from a replica that is whole",
            Self::State(StateError::Sealed(_)) => {
                "put the former host key back, or move the state database away: it is rebuilt from the source"
            }
            _ => return None,
        })
    }
}
