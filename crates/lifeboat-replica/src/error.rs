//! What can go wrong with a replica: one variant per step, each with the replica, the object and a class.
//!
//! Callers act on the [`ErrorClass`] alone; the text is for people, the cause is the `source`.

use std::fmt;
use std::io;
use std::path::PathBuf;

use lifeboat_format::ObjectKey;

use crate::durable::DurableError;
use crate::location::{LocationError, ReplicaName};
use crate::log_source::SignedCheckpoint;

/// What a caller can do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorClass {
    /// Trying again later may work.
    Transient,
    /// A person must change something: a setting, a permission, a full disk.
    Operator,
    /// Stored bytes are missing or wrong; another replica may repair them.
    Corrupt,
    /// Somebody else wrote under our name; nothing more may be written until a person has looked.
    Fenced,
    /// The program contradicts itself.
    Bug,
}

/// The cause of an error in another part of the program.
pub type Cause = Box<dyn std::error::Error + Send + Sync + 'static>;

/// A failure to read from a replica.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The replica's address or options cannot be used.
    #[error("open replica {replica}")]
    Location {
        /// The replica.
        replica: ReplicaName,
        /// What is wrong with them.
        source: LocationError,
    },
    /// The folder of a local replica is not there.
    #[error("open replica {replica}: folder {path} does not exist")]
    FolderMissing {
        /// The replica.
        replica: ReplicaName,
        /// The folder.
        path: PathBuf,
    },
    /// The store could not be set up from the options.
    #[error("set up the store of replica {replica}")]
    Setup {
        /// The replica.
        replica: ReplicaName,
        /// What the store said.
        source: Box<object_store::Error>,
    },
    /// The object is not there.
    #[error("read {key} from replica {replica}: not there")]
    Missing {
        /// The replica.
        replica: ReplicaName,
        /// The object.
        key: ObjectKey,
    },
    /// The object is larger than an object of its kind can be.
    #[error("read {key} from replica {replica}: {size} bytes are more than the limit of {size_max}")]
    TooLarge {
        /// The replica.
        replica: ReplicaName,
        /// The object.
        key: ObjectKey,
        /// Its size in bytes.
        size: u64,
        /// The most bytes that were expected.
        size_max: u64,
    },
    /// The object ended before it should.
    #[error("read {key} from replica {replica}: {size} bytes where {expected} were expected")]
    Short {
        /// The replica.
        replica: ReplicaName,
        /// The object.
        key: ObjectKey,
        /// How many bytes there were.
        size: u64,
        /// How many there should have been.
        expected: u64,
    },
    /// The store did not deliver the object.
    #[error("read {key} from replica {replica}")]
    Read {
        /// The replica.
        replica: ReplicaName,
        /// The object.
        key: ObjectKey,
        /// What the store said.
        source: Box<object_store::Error>,
    },
    /// The store did not answer in time.
    #[error("read {key} from replica {replica}: no answer within {seconds} s")]
    ReadTimeout {
        /// The replica.
        replica: ReplicaName,
        /// The object.
        key: ObjectKey,
        /// How long was waited.
        seconds: u64,
    },
    /// The store did not list its objects.
    #[error("list {folder:?} of replica {replica}")]
    List {
        /// The replica.
        replica: ReplicaName,
        /// The folder of keys, empty for all.
        folder: String,
        /// What the store said.
        source: Box<object_store::Error>,
    },
    /// The store stopped listing.
    #[error("list {folder:?} of replica {replica}: no answer within {seconds} s")]
    ListTimeout {
        /// The replica.
        replica: ReplicaName,
        /// The folder of keys, empty for all.
        folder: String,
        /// How long was waited for the next object.
        seconds: u64,
    },
    /// The store lists more objects than a site can have.
    #[error("list {folder:?} of replica {replica}: more than {objects_max} objects")]
    TooMany {
        /// The replica.
        replica: ReplicaName,
        /// The folder of keys, empty for all.
        folder: String,
        /// The limit.
        objects_max: usize,
    },
    /// The bytes do not have the digest that they should.
    #[error("check {key} of replica {replica}: the bytes do not have the expected digest")]
    Digest {
        /// The replica.
        replica: ReplicaName,
        /// The object.
        key: ObjectKey,
    },
    /// The bytes are not a valid object of their kind, or a signature on them is not valid.
    #[error("check {key} of replica {replica}")]
    Invalid {
        /// The replica.
        replica: ReplicaName,
        /// The object.
        key: ObjectKey,
        /// What is wrong with them.
        source: Cause,
    },
    /// Two objects of the replica contradict each other.
    #[error("check {key} of replica {replica}: {problem}")]
    Contradiction {
        /// The replica.
        replica: ReplicaName,
        /// The object.
        key: ObjectKey,
        /// What does not fit.
        problem: &'static str,
    },
    /// The replica has no checkpoint that the verification key accepts.
    #[error("find the newest snapshot of replica {replica}: no valid checkpoint")]
    NoCheckpoint {
        /// The replica.
        replica: ReplicaName,
    },
    /// The log names no snapshot.
    #[error("find the newest snapshot of replica {replica}: the log names none yet")]
    NoSnapshot {
        /// The replica.
        replica: ReplicaName,
    },
    /// The given identity or passphrase does not open the site.
    #[error("open the epoch secret {key} of replica {replica}")]
    Unlock {
        /// The replica.
        replica: ReplicaName,
        /// The sealed secret.
        key: ObjectKey,
        /// Why it did not open.
        source: Cause,
    },
    /// A background computation died.
    #[error("check bytes of replica {replica} in the background")]
    Background {
        /// The replica.
        replica: ReplicaName,
        /// How it ended.
        source: tokio::task::JoinError,
    },
}

impl ReadError {
    /// Returns what can be done about it.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Location { .. } | Self::FolderMissing { .. } | Self::Setup { .. } | Self::Unlock { .. } => {
                ErrorClass::Operator
            }
            Self::Read { source, .. } | Self::List { source, .. } => class_of_store_error(source),
            Self::ReadTimeout { .. } | Self::ListTimeout { .. } | Self::NoSnapshot { .. } => {
                ErrorClass::Transient
            }
            Self::Missing { .. }
            | Self::TooLarge { .. }
            | Self::Short { .. }
            | Self::TooMany { .. }
            | Self::Digest { .. }
            | Self::Invalid { .. }
            | Self::Contradiction { .. }
            | Self::NoCheckpoint { .. } => ErrorClass::Corrupt,
            Self::Background { .. } => ErrorClass::Bug,
        }
    }

    /// Says whether the object was simply not there.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Missing { .. })
    }
}

/// A failure to write to a replica.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Something that had to be read first could not be.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A local file could not be written durably.
    #[error("write {key} to replica {replica}")]
    Local {
        /// The replica.
        replica: ReplicaName,
        /// The object.
        key: ObjectKey,
        /// The step that failed.
        source: DurableError,
    },
    /// The folder of a local replica could not be prepared.
    #[error("prepare the folder of replica {replica}")]
    Prepare {
        /// The replica.
        replica: ReplicaName,
        /// The step that failed.
        source: DurableError,
    },
    /// The store refused the object.
    #[error("write {key} to replica {replica}")]
    Put {
        /// The replica.
        replica: ReplicaName,
        /// The object.
        key: ObjectKey,
        /// What the store said.
        source: Box<object_store::Error>,
    },
    /// The store did not confirm the object in time.
    #[error("write {key} to replica {replica}: not confirmed within {seconds} s")]
    PutTimeout {
        /// The replica.
        replica: ReplicaName,
        /// The object.
        key: ObjectKey,
        /// How long was waited.
        seconds: u64,
    },
    /// The store says that the object exists, but does not show it.
    #[error("write {key} to replica {replica}: the store says it exists, and does not have it")]
    Undecided {
        /// The replica.
        replica: ReplicaName,
        /// The object.
        key: ObjectKey,
    },
    /// What was written reads back differently.
    #[error("write {key} to replica {replica}: it reads back differently")]
    ReadBack {
        /// The replica.
        replica: ReplicaName,
        /// The object.
        key: ObjectKey,
    },
    /// A damaged object lies under the name of a good one.
    #[error("write {key} to replica {replica}: a damaged object lies under its name")]
    DamagedUnderName {
        /// The replica.
        replica: ReplicaName,
        /// The object.
        key: ObjectKey,
    },
    /// The replica describes another site.
    #[error("write {key} to replica {replica}: it already holds another one")]
    OtherSite {
        /// The replica.
        replica: ReplicaName,
        /// The object.
        key: ObjectKey,
    },
    /// A different object of the same number exists: somebody else writes under our name.
    #[error("write {key} to replica {replica}: a different one exists")]
    Conflict {
        /// The replica.
        replica: ReplicaName,
        /// The object.
        key: ObjectKey,
    },
    /// Two checkpoints of one signing key contradict each other.
    #[error("{0}")]
    Fork(Box<Fork>),
    /// The replica holds a longer log than the source does.
    #[error("replicate to {replica}: its log has {theirs} entries, the source only {ours}")]
    Ahead {
        /// The replica.
        replica: ReplicaName,
        /// Its log's size.
        theirs: u64,
        /// The source's log's size.
        ours: u64,
    },
    /// A replica that held a copy is empty now.
    #[error("replicate to {replica}: it held {expected} log entries and is empty now")]
    Emptied {
        /// The replica.
        replica: ReplicaName,
        /// The size that its log had.
        expected: u64,
    },
    /// The bytes do not belong to the key.
    #[error("write {key} to replica {replica}: the bytes do not have the digest of their name")]
    Misnamed {
        /// The replica.
        replica: ReplicaName,
        /// The object.
        key: ObjectKey,
    },
    /// The object may not be overwritten.
    #[error("repair {key} of replica {replica}: only objects named by their digest can be overwritten")]
    NotRepairable {
        /// The replica.
        replica: ReplicaName,
        /// The object.
        key: ObjectKey,
    },
    /// What was to be published is not consistent.
    #[error("publish to {replica}: {problem}")]
    Publish {
        /// The replica.
        replica: ReplicaName,
        /// What does not fit.
        problem: &'static str,
    },
    /// What was to be published could not be encoded.
    #[error("encode {key} for replica {replica}")]
    Encode {
        /// The replica.
        replica: ReplicaName,
        /// The object.
        key: ObjectKey,
        /// Why not.
        source: Cause,
    },
    /// A background computation died.
    #[error("write to replica {replica} in the background")]
    Background {
        /// The replica.
        replica: ReplicaName,
        /// How it ended.
        source: tokio::task::JoinError,
    },
}

impl WriteError {
    /// Returns what can be done about it.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Read(error) => error.class(),
            Self::Local { source, .. } | Self::Prepare { source, .. } => {
                source.io_error().map_or(ErrorClass::Bug, class_of_io_error)
            }
            Self::Put { source, .. } => class_of_store_error(source),
            Self::PutTimeout { .. } | Self::Undecided { .. } => ErrorClass::Transient,
            Self::ReadBack { .. } | Self::DamagedUnderName { .. } => ErrorClass::Corrupt,
            Self::OtherSite { .. } | Self::Emptied { .. } => ErrorClass::Operator,
            Self::Conflict { .. } | Self::Fork(_) | Self::Ahead { .. } => ErrorClass::Fenced,
            Self::Misnamed { .. }
            | Self::NotRepairable { .. }
            | Self::Publish { .. }
            | Self::Encode { .. }
            | Self::Background { .. } => ErrorClass::Bug,
        }
    }
}

/// Two checkpoints of one signing key that contradict each other; they print with both notes, the evidence to keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fork {
    /// Where our checkpoint lies.
    pub ours_at: ReplicaName,
    /// Our checkpoint.
    pub ours: SignedCheckpoint,
    /// Where the other checkpoint lies.
    pub theirs_at: ReplicaName,
    /// The other checkpoint.
    pub theirs: SignedCheckpoint,
}

impl fmt::Display for Fork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ours_at, ours, theirs_at, theirs } = self;
        let (ours, theirs) = (ours.note.trim_end(), theirs.note.trim_end());
        write!(
            f,
            "the logs of {ours_at} and {theirs_at} have forked; {ours_at}:\n{ours}\n{theirs_at}:\n{theirs}"
        )
    }
}

/// Classifies what the operating system said.
pub(crate) fn class_of_io_error(error: &io::Error) -> ErrorClass {
    match error.kind() {
        io::ErrorKind::StorageFull
        | io::ErrorKind::QuotaExceeded
        | io::ErrorKind::FileTooLarge
        | io::ErrorKind::PermissionDenied
        | io::ErrorKind::ReadOnlyFilesystem
        | io::ErrorKind::NotADirectory
        | io::ErrorKind::IsADirectory
        | io::ErrorKind::NotFound
        | io::ErrorKind::Unsupported => ErrorClass::Operator,
        _ => ErrorClass::Transient,
    }
}

/// Classifies what a store said, looking through it for what the operating system said.
pub(crate) fn class_of_store_error(error: &object_store::Error) -> ErrorClass {
    use object_store::Error as Store;
    match error {
        Store::NotFound { .. } => ErrorClass::Corrupt,
        Store::PermissionDenied { .. }
        | Store::Unauthenticated { .. }
        | Store::NotSupported { .. }
        | Store::NotImplemented { .. }
        | Store::UnknownConfigurationKey { .. } => ErrorClass::Operator,
        Store::InvalidPath { .. } => ErrorClass::Bug,
        _ => {
            let mut cause = std::error::Error::source(error);
            while let Some(error) = cause {
                if let Some(error) = error.downcast_ref::<io::Error>() {
                    return class_of_io_error(error);
                }
                cause = error.source();
            }
            ErrorClass::Transient
        }
    }
}
