//! The keys of people: age recipients and identities, and passphrases.

use crate::text::serde_as_text;
use secrecy::{ExposeSecret, SecretString};
use std::fmt;
use std::str::FromStr;
use zeroize::Zeroizing;

/// The passphrase work factor (log2 of scrypt's N) that new files use: about a second of work.
pub const WORK_FACTOR_DEFAULT: u8 = 18;
/// The highest passphrase work factor that is accepted when opening.
pub const WORK_FACTOR_MAX: u8 = 20;
/// The most bytes of an identity file that are read.
pub const IDENTITY_FILE_BYTES_MAX: usize = 64 * 1024;

/// Says why a text is not a key. It never repeats the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PersonKeyError {
    /// The text is not an age X25519 recipient.
    #[error("expected an age recipient, `age1…`")]
    Recipient,
    /// The text is not an age X25519 identity.
    #[error("expected an age identity, `AGE-SECRET-KEY-1…`")]
    Identity,
    /// An identity file holds no identity, or more than one.
    #[error("expected an identity file with exactly one identity, found {found}")]
    IdentityCount {
        /// How many identities the file holds.
        found: usize,
    },
    /// An identity file is larger than [`IDENTITY_FILE_BYTES_MAX`].
    #[error("identity file is too large")]
    FileTooLarge,
}

/// A person's public key, `age1…`: what epoch secrets are sealed to.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Recipient(age::x25519::Recipient);

impl Recipient {
    pub(crate) fn as_age(&self) -> &age::x25519::Recipient {
        &self.0
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Recipient({})", self.0)
    }
}

impl FromStr for Recipient {
    type Err = PersonKeyError;
    fn from_str(text: &str) -> Result<Self, PersonKeyError> {
        let recipient: age::x25519::Recipient = text.parse().map_err(|_| PersonKeyError::Recipient)?;
        if recipient.to_string() == text { Ok(Self(recipient)) } else { Err(PersonKeyError::Recipient) }
    }
}

serde_as_text!(Recipient, "an age recipient");

/// A person's secret key, `AGE-SECRET-KEY-1…`.
#[derive(Clone)]
pub struct Identity(age::x25519::Identity);

impl Identity {
    /// Makes a new identity from the operating system's randomness.
    pub fn generate() -> Self {
        Self(age::x25519::Identity::generate())
    }

    /// Reads the one identity of an age identity file, in which comments and empty lines are allowed.
    pub fn from_file_text(text: &str) -> Result<Self, PersonKeyError> {
        if text.len() > IDENTITY_FILE_BYTES_MAX {
            return Err(PersonKeyError::FileTooLarge);
        }
        let keys = |line: &&str| !line.is_empty() && !line.starts_with('#');
        let lines: Vec<&str> = text.lines().map(str::trim).filter(keys).collect();
        let [line] = lines[..] else {
            return Err(PersonKeyError::IdentityCount { found: lines.len() });
        };
        line.parse()
    }

    /// Returns the public half.
    pub fn recipient(&self) -> Recipient {
        Recipient(self.0.to_public())
    }

    /// Returns the secret as text, to be written where only its owner reads.
    pub fn to_secret_text(&self) -> Zeroizing<String> {
        Zeroizing::new(self.0.to_string().expose_secret().to_owned())
    }

    pub(crate) fn as_age(&self) -> &age::x25519::Identity {
        &self.0
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Identity(redacted)")
    }
}

impl FromStr for Identity {
    type Err = PersonKeyError;
    fn from_str(text: &str) -> Result<Self, PersonKeyError> {
        let identity: age::x25519::Identity = text.parse().map_err(|_| PersonKeyError::Identity)?;
        if identity.to_string().expose_secret() == text {
            Ok(Self(identity))
        } else {
            Err(PersonKeyError::Identity)
        }
    }
}

/// A passphrase that a person knows.
#[derive(Clone)]
pub struct Passphrase(SecretString);

impl Passphrase {
    /// Wraps a passphrase exactly as it was typed.
    pub fn new(text: String) -> Self {
        Self(text.into())
    }

    /// Says whether nothing was typed.
    pub fn is_empty(&self) -> bool {
        self.0.expose_secret().is_empty()
    }

    /// Returns the passphrase itself, for hashing it or handing it on.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Returns what age seals under; the work factor is held within 1 to [`WORK_FACTOR_MAX`].
    pub(crate) fn recipient(&self, work_factor: u8) -> age::scrypt::Recipient {
        let mut recipient = age::scrypt::Recipient::new(self.0.clone());
        recipient.set_work_factor(work_factor.clamp(1, WORK_FACTOR_MAX));
        recipient
    }

    /// Returns what age opens with.
    pub(crate) fn identity(&self) -> age::scrypt::Identity {
        let mut identity = age::scrypt::Identity::new(self.0.clone());
        identity.set_max_work_factor(WORK_FACTOR_MAX);
        identity
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Passphrase(redacted)")
    }
}

impl From<String> for Passphrase {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<&str> for Passphrase {
    fn from(text: &str) -> Self {
        Self::new(text.to_owned())
    }
}

#[cfg(test)]
mod tests;
