//! Why a site could not be opened: for the log a name, for the reader a sentence and what to do.

use lifeboat_format::{AgeOpenError, KitError};

use super::standing::{Answer, Finding};

/// Why a site could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Nobody gave a passphrase.
    #[error("a passphrase is needed")]
    PassphraseNeeded,
    /// The kit did not open.
    #[error("open the kit")]
    Kit(#[source] KitError),
    /// The kit names a replica in a way that cannot be understood.
    #[error("read the kit's list of replicas")]
    KitReplica,
    /// The identity file could not be read.
    #[error("read the identity file")]
    IdentityFile,
    /// The identity file holds no identity.
    #[error("find an identity in the identity file")]
    NotAnIdentity,
    /// The passphrase does not open the identity file.
    #[error("open the identity file with the passphrase")]
    IdentityPassphrase,
    /// No replica answered.
    #[error("reach a replica")]
    NoneReachable {
        /// What each said.
        answers: Vec<Answer>,
    },
    /// Replicas answered and none verifies.
    #[error("verify a replica")]
    NoneVerifies {
        /// What each said.
        answers: Vec<Answer>,
    },
    /// The identity or passphrase opens no replica.
    #[error("open a replica's keys")]
    NotARecipient,
    /// A background computation died.
    #[error("compute in the background")]
    Background,
}

impl OpenError {
    /// Says whether what was typed, or the identity, is wrong: such tries are throttled.
    pub fn is_wrong_secret(&self) -> bool {
        match self {
            Self::Kit(error) => is_wrong_passphrase(error),
            Self::IdentityPassphrase | Self::NotARecipient => true,
            _ => false,
        }
    }

    /// Returns a stable name for the log.
    pub fn name(&self) -> &'static str {
        match self {
            Self::PassphraseNeeded => "passphrase_needed",
            Self::Kit(_) => "kit",
            Self::KitReplica => "kit_replica",
            Self::IdentityFile => "identity_file",
            Self::NotAnIdentity => "not_an_identity",
            Self::IdentityPassphrase => "identity_passphrase",
            Self::NoneReachable { .. } => "none_reachable",
            Self::NoneVerifies { .. } => "none_verifies",
            Self::NotARecipient => "not_a_recipient",
            Self::Background => "background",
        }
    }

    /// Says what happened, in plain English.
    pub fn sentence(&self) -> String {
        match self {
            Self::PassphraseNeeded => "A passphrase is needed.".to_owned(),
            Self::Kit(error) if is_wrong_passphrase(error) => "The passphrase is wrong.".to_owned(),
            Self::Kit(_) => "The kit file is damaged or is not a kit.".to_owned(),
            Self::KitReplica => {
                "The kit names a copy in a way that this version does not understand.".to_owned()
            }
            Self::IdentityFile => "The identity file cannot be read.".to_owned(),
            Self::NotAnIdentity => "The identity file holds no identity.".to_owned(),
            Self::IdentityPassphrase => "The passphrase is wrong.".to_owned(),
            Self::NoneReachable { answers } => format!("No copy can be reached. {}", list(answers)),
            Self::NoneVerifies { answers } => format!("No copy passes verification. {}", list(answers)),
            Self::NotARecipient => "This passphrase or identity does not open the site's records.".to_owned(),
            Self::Background => "The viewer failed while it was opening the copy.".to_owned(),
        }
    }

    /// Says what the reader can do.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::PassphraseNeeded => "Type it.",
            Self::Kit(error) if is_wrong_passphrase(error) => {
                "Check Caps Lock and the keyboard layout, and try again."
            }
            Self::Kit(_) | Self::KitReplica => "Use another copy of the kit, or ask IT for a new one.",
            Self::IdentityFile | Self::NotAnIdentity => "Check the path and that the disk is plugged in.",
            Self::IdentityPassphrase => "Check Caps Lock and the keyboard layout, and try again.",
            Self::NoneReachable { .. } => {
                "Check the network cable or Wi-Fi, plug in the disk, and try again."
            }
            Self::NoneVerifies { .. } => {
                "Do not use these copies. Try another disk or place that holds a copy, and tell IT."
            }
            Self::NotARecipient => {
                "Check that the kit is of this site and still valid, or use another way in."
            }
            Self::Background => "Close the viewer and start it again.",
        }
    }
}

fn is_wrong_passphrase(error: &KitError) -> bool {
    matches!(error, KitError::Open(AgeOpenError::WrongKey))
}

fn list(answers: &[Answer]) -> String {
    let one = |answer: &Answer| match &answer.finding {
        Finding::Holds(_) => format!("{}: verified.", answer.name),
        Finding::Damaged(why) | Finding::Unusable(why) | Finding::Unreachable(why) => {
            format!("{}: {why}.", answer.name)
        }
    };
    answers.iter().map(one).collect::<Vec<_>>().join(" ")
}
