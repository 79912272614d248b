//! What can go wrong while a snapshot is taken.

use super::command::CommandError;
use super::report::RefusedBatch;
use super::rows::RowsError;
use super::source::SourceError;
use super::spill::SpillError;
use super::state::StateError;
use crate::pull::PullError;
use crate::setup::PullSettingsError;
use lifeboat_feeds::Format;
use lifeboat_feeds::recognise::NotRecognised;
use lifeboat_format::{BuildIndexError, DictionaryError, EpochError, ObjectKey, SealError, SiteError};
use lifeboat_replica::{ErrorClass, WriteError};
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
    /// Rows could not be kept or read.
    #[error(transparent)]
    Rows(#[from] RowsError),
    /// The source command failed.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The format of the source folder is not clear.
    #[error("cannot tell the format of the source folder {}: {why} (seen: {})", path.display(), nothing_or(seen))]
    NotRecognised {
        /// The folder.
        path: PathBuf,
        /// Why not.
        why: NotRecognised,
        /// What lies there: kinds of files and how many, never their names.
        seen: String,
    },
    /// The format is one of batches of tables that this program cannot read.
    #[error("this program has no reader for the format {format}")]
    NoTableFeed {
        /// The format.
        format: Format,
    },
    /// A batch could not be read; nothing of it was applied.
    #[error("cannot read the batch {batch}: {reason}")]
    Batch {
        /// The batch.
        batch: String,
        /// Why not.
        reason: String,
    },
    /// No batch of the source can be applied, and none was before.
    #[error("no batch in the source folder {} can be applied{}", path.display(), reasons(refused))]
    NoBatch {
        /// The folder.
        path: PathBuf,
        /// The batches that are there.
        refused: Vec<RefusedBatch>,
    },
    /// The kept rows are gone, and what the source still holds cannot bring them back.
    #[error("the kept rows are {}, and the source holds no full extract, with all that followed it, to make them from", lost(*damaged))]
    RowsLost {
        /// Whether they were there, and damaged.
        damaged: bool,
    },
    /// Nothing has been pulled yet, or not all of it.
    #[error("nothing whole has been pulled from the source yet")]
    NothingPulled,
    /// The FHIR server could not be pulled from.
    #[error("cannot pull from the FHIR server")]
    Pull(#[source] Box<PullError>),
    /// The settings of the FHIR server cannot be used.
    #[error("cannot use the settings of the FHIR server")]
    PullSettings(#[source] Box<PullSettingsError>),
    /// Grouping failed.
    #[error(transparent)]
    Spill(#[from] SpillError),
    /// The spool could not be read or written.
    #[error("cannot use the spool")]
    Spool(#[from] WriteError),
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
    Index(#[from] BuildIndexError),
    /// There is no snapshot that a heartbeat could confirm.
    #[error("there is no snapshot to confirm")]
    NothingToConfirm,
    /// There is no held snapshot to decide on.
    #[error("the newest snapshot is not held")]
    NothingHeld,
    /// An empty pack refused a blob.
    #[error("a blob fits no pack")]
    PackRefused,
    /// An object in the spool is not what it was.
    #[error("the spool's copy of {object} is damaged")]
    SpoolDamaged {
        /// The object.
        object: ObjectKey,
    },
    /// A file of the spool cannot be read.
    #[error("cannot read {} in the spool", path.display())]
    SpoolFile {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The site's name or key cannot describe a site.
    #[error("the site cannot be described")]
    Site(#[from] SiteError),
    /// No epoch number is left.
    #[error("all epoch numbers are used up")]
    EpochsUsedUp,
    /// The runtime for reading the spool did not start.
    #[error("cannot start the runtime")]
    Runtime(#[source] io::Error),
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
            | Self::Rows(_)
            | Self::Command(_)
            | Self::NotRecognised { .. }
            | Self::NoTableFeed { .. }
            | Self::Batch { .. }
            | Self::NoBatch { .. }
            | Self::RowsLost { .. }
            | Self::NothingPulled
            | Self::State(_)
            | Self::SpoolFile { .. }
            | Self::Site(_)
            | Self::NothingHeld
            | Self::Runtime(_)
            | Self::Spill(_) => ErrorClass::Operator,
            Self::Pull(error) => error.class(),
            Self::PullSettings(_) => ErrorClass::Operator,
            Self::Spool(error) => error.class(),
            Self::SpoolDamaged { .. } => ErrorClass::Corrupt,
            Self::Seal(_)
            | Self::Dictionary(_)
            | Self::Epoch(_)
            | Self::EpochsUsedUp
            | Self::Index(_)
            | Self::NothingToConfirm
            | Self::PackRefused => ErrorClass::Bug,
        }
    }

    /// What to do about it, in plain words.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::NoRecipients => {
                "add one with `lifeboat recipients add NAME age1…` or make a kit with `lifeboat kit create`"
            }
            Self::Locked { .. } => {
                "stop the service first (`systemctl stop lifeboat`) and start it again afterwards; what only looks, such as `lifeboat status` and `lifeboat gate show`, works while it runs"
            }
            Self::NothingHeld => "`lifeboat gate show` says what there is",
            Self::Pull(error) => return error.hint(),
            Self::PullSettings(_) => "check the section `[source.fhir]` and the files that it names",
            Self::Source(SourceError::Unsettled { .. } | SourceError::Moved { .. }) => {
                "let the exporter finish, or have it write elsewhere and rename the finished file into the folder"
            }
            Self::Source(SourceError::Unreadable { .. }) => {
                "check `source.path` and that this user may read it"
            }
            Self::SpoolDamaged { .. } => {
                "run `lifeboat verify` on the spool and copy the object from a replica that is whole"
            }
            Self::State(StateError::Sealed(_)) => {
                "put the former host key back, or move the state database away: it is rebuilt from the source"
            }
            Self::NotRecognised { .. } => {
                "`lifeboat feed inspect FOLDER` shows what lies there; say with `source.format` which format it is, or take away what \
                 does not belong there"
            }
            Self::NoBatch { .. } => "deliver a full extract into the source folder",
            Self::RowsLost { .. } => {
                "put back every batch since the last full one, or ask for a full extract and put it into the source folder; if \
                 the oldest batch there is a full one, say so with `lifeboat snapshot --accept-held \"REASON\"`. The snapshots \
                 that were taken are untouched"
            }
            Self::Batch { .. } => {
                "check that the files are whole and readable; nothing of the batch was applied"
            }
            Self::Rows(RowsError::Sealed(_)) => {
                "put the former host key back, or move `rows.redb` out of the state folder and put a full extract into the \
                 source folder"
            }
            Self::Command(CommandError::Start { .. }) => {
                "check `source.command.program`: write the whole path, and let the service's user run it; nothing was replaced"
            }
            Self::Command(CommandError::TookTooLong { .. }) => {
                "run the command by hand as the service's user, or allow it more time with `source.command.timeout`; nothing \
                 was replaced"
            }
            Self::Command(CommandError::TooMuch { .. }) => {
                "run the command by hand as the service's user, or allow it more with `source.command.output_mib_max`; \
                 nothing was replaced"
            }
            Self::Command(_) => "run the command by hand as the service's user; nothing was replaced",
            _ => return None,
        })
    }

    /// What the source command wrote to standard error: for a terminal, never for a log.
    #[must_use]
    pub fn said_by_command(&self) -> Option<&str> {
        match self {
            Self::Command(error) => error.said(),
            _ => None,
        }
    }
}

fn nothing_or(seen: &str) -> &str {
    if seen.is_empty() { "nothing" } else { seen }
}

fn lost(damaged: bool) -> &'static str {
    if damaged { "damaged" } else { "lost" }
}

fn reasons(refused: &[RefusedBatch]) -> String {
    refused.iter().map(|batch| format!("; {}: {}", batch.name, batch.reason)).collect()
}
