//! What a verification can find, and what to do about it.

use std::fmt;

use lifeboat_format::{Digest, ObjectKey};

use crate::error::{ErrorClass, ReadError};

/// Something wrong with a replica.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The object; nothing when it is about the replica as a whole.
    pub object: Option<ObjectKey>,
    /// What is wrong.
    pub problem: Problem,
    /// The digest that the object should have, when signed bytes name it; it can then be repaired from elsewhere.
    pub expected: Option<Digest>,
}

/// What is wrong with an object or a replica.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// It is not there.
    Missing,
    /// It has another size than the signed one.
    Size {
        /// The size that it has.
        found: u64,
        /// The size that it should have.
        expected: u64,
    },
    /// Its bytes are not the signed ones.
    Digest,
    /// It is malformed or not signed by the site's key.
    Invalid {
        /// What is wrong with it.
        cause: String,
    },
    /// It contradicts the rest of the replica.
    Contradiction {
        /// What does not fit.
        what: &'static str,
    },
    /// It could not be read.
    Unreadable {
        /// What can be done about it.
        class: ErrorClass,
        /// Why not.
        cause: String,
    },
    /// No checkpoint of the replica verifies.
    NoCheckpoint,
    /// `HEAD` names an older checkpoint than the newest: interrupted, or put back by somebody.
    HeadOlder {
        /// The log size that it names.
        head: u64,
        /// The newest log size.
        newest: u64,
    },
    /// The replica's newest checkpoint is older than one that was seen before.
    RolledBack {
        /// The log size that was seen before.
        known: u64,
        /// The replica's newest log size.
        newest: u64,
    },
    /// The replica's log does not continue one that was seen before, or an older checkpoint of its own.
    Forked {
        /// The log size at which the roots differ.
        size: u64,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("missing"),
            Self::Size { found, expected } => write!(f, "{found} bytes where {expected} are signed"),
            Self::Digest => f.write_str("its bytes are not the signed ones"),
            Self::Invalid { cause } => write!(f, "not valid: {cause}"),
            Self::Contradiction { what } => f.write_str(what),
            Self::Unreadable { cause, .. } => write!(f, "could not be read: {cause}"),
            Self::NoCheckpoint => f.write_str("no checkpoint is signed by the site's key"),
            Self::HeadOlder { head, newest } => {
                write!(f, "it names log size {head}, the newest checkpoint is {newest}")
            }
            Self::RolledBack { known, newest } => {
                write!(f, "its newest log size is {newest}, but {known} was seen before")
            }
            Self::Forked { size } => write!(f, "its log has another root at size {size} than was signed"),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.object {
            Some(object) => write!(f, "{object}: {}", self.problem),
            None => write!(f, "replica: {}", self.problem),
        }
    }
}

impl Finding {
    /// Says what to do about it.
    pub fn remedy(&self) -> &'static str {
        match (&self.problem, &self.object) {
            (Problem::Unreadable { class: ErrorClass::Transient, .. }, _) => {
                "verify again when the store answers"
            }
            (Problem::Unreadable { class: ErrorClass::Operator, .. }, _) => {
                "check the permissions and the state of the store"
            }
            (Problem::RolledBack { .. } | Problem::NoCheckpoint, _) => {
                "find out who put the older state there, then copy to it again from the spool"
            }
            (Problem::Forked { .. }, _) => {
                "keep both checkpoints as evidence and stop publishing until it is known who signed the other"
            }
            (Problem::HeadOlder { .. }, _) | (_, Some(ObjectKey::Head)) => {
                "copy to it again from the spool with a full listing, which replaces HEAD"
            }
            (_, Some(ObjectKey::Tile(_))) => {
                "copy to it again from the spool with a full listing, which rewrites tiles"
            }
            (_, Some(ObjectKey::Checkpoint(_))) => {
                "compare it with the same checkpoint of another replica; if that verifies, this one was damaged"
            }
            (_, Some(_)) if self.expected.is_some() => "repair it from another replica",
            _ => "compare it with another replica",
        }
    }
}

/// Something remarkable that is not wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// Objects that the format does not know.
    Unknown {
        /// How many.
        count: u64,
        /// Some of their names.
        examples: Vec<String>,
    },
    /// Temporary files of an interrupted writer.
    Leftovers {
        /// How many.
        count: u64,
    },
    /// Objects that no snapshot in the log refers to: being written, or left by an interrupted run.
    Unreferenced {
        /// How many.
        count: u64,
        /// Their bytes.
        bytes: u64,
        /// Some of them.
        examples: Vec<ObjectKey>,
    },
    /// Tiles beyond the newest checkpoint: being written, or left by an interrupted run.
    Uncommitted {
        /// How many.
        count: u64,
    },
    /// A newer snapshot arrived while the replica was verified.
    NewerArrived {
        /// Its log size.
        size: u64,
    },
    /// The log vouches for no descriptions, so they were checked by their content alone.
    NoLayout,
}

impl Note {
    /// How many examples a note gives.
    pub(super) const EXAMPLES_MAX: usize = 10;
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { count, .. } => write!(f, "{count} objects that this format does not know"),
            Self::Leftovers { count } => write!(f, "{count} temporary files of an interrupted writer"),
            Self::Unreferenced { count, bytes, .. } => {
                write!(f, "{count} objects ({bytes} bytes) that no snapshot in the log refers to")
            }
            Self::Uncommitted { count } => write!(f, "{count} tiles beyond the newest checkpoint"),
            Self::NewerArrived { size } => write!(f, "a newer snapshot arrived meanwhile (log size {size})"),
            Self::NoLayout => f.write_str("the log does not vouch for lifeboat.json and RECOVER.txt"),
        }
    }
}

/// Turns a failure to read into what is wrong with the object.
impl From<&ReadError> for Problem {
    fn from(error: &ReadError) -> Self {
        match error {
            ReadError::Missing { .. } => Self::Missing,
            ReadError::Short { size, expected, .. } => Self::Size { found: *size, expected: *expected },
            ReadError::TooLarge { size, size_max, .. } => Self::Size { found: *size, expected: *size_max },
            ReadError::Digest { .. } => Self::Digest,
            ReadError::Contradiction { problem, .. } => Self::Contradiction { what: problem },
            ReadError::Invalid { source, .. } => Self::Invalid { cause: chain(source.as_ref()) },
            other => Self::Unreadable { class: other.class(), cause: chain(other) },
        }
    }
}

/// Joins an error and its causes into one line.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
