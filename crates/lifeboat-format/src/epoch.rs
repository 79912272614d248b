//! Epochs: the key to which records are sealed for a while, and its secret, sealed to people.
//!
//! The secret's text is an age identity file, so that stock `age` opens records with it. Whoever writes records
//! keeps only the [`EpochRecipient`]; the secret is made in memory, sealed, and wiped.

use crate::ids::{EpochNumber, SiteCode};
use crate::lookup::LookupKey;
use crate::person::{Identity, Passphrase, PersonKeyError, Recipient};
use crate::sealed::{self, AgeOpenError, AgeSealError};
use crate::text::serde_as_text;
use std::fmt;
use std::str::FromStr;
use zeroize::Zeroizing;

/// The most recipients of one epoch.
pub const EPOCH_RECIPIENTS_MAX: usize = 256;
/// The most bytes of a sealed epoch secret that are read.
pub const EPOCH_SECRET_BYTES_MAX: usize = 64 * 1024;

/// The public key of an epoch: what records, dictionaries and indexes are sealed to.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EpochRecipient(Recipient);

impl EpochRecipient {
    pub(crate) fn as_age(&self) -> &age::x25519::Recipient {
        self.0.as_age()
    }
}

impl fmt::Display for EpochRecipient {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl fmt::Debug for EpochRecipient {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "EpochRecipient({})", self.0)
    }
}

impl FromStr for EpochRecipient {
    type Err = PersonKeyError;
    fn from_str(text: &str) -> Result<Self, PersonKeyError> {
        text.parse().map(Self)
    }
}

serde_as_text!(EpochRecipient, "an age recipient");

/// The secret key of an epoch: opens records, dictionaries and indexes.
#[derive(Clone)]
pub struct EpochIdentity(Identity);

impl EpochIdentity {
    /// Makes a new epoch key from the operating system's randomness.
    pub fn generate() -> Self {
        Self(Identity::generate())
    }

    /// Returns the public half.
    pub fn recipient(&self) -> EpochRecipient {
        EpochRecipient(self.0.recipient())
    }

    pub(crate) fn as_age(&self) -> &age::x25519::Identity {
        self.0.as_age()
    }
}

impl fmt::Debug for EpochIdentity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("EpochIdentity(redacted)")
    }
}

impl FromStr for EpochIdentity {
    type Err = PersonKeyError;
    fn from_str(text: &str) -> Result<Self, PersonKeyError> {
        text.parse().map(Self)
    }
}

/// Says which step of opening an epoch secret failed.
#[derive(Debug, thiserror::Error)]
pub enum EpochError {
    /// The sealed file could not be opened.
    #[error("open the sealed epoch secret")]
    Open(#[source] AgeOpenError),
    /// The opened text is not an epoch secret.
    #[error("the epoch secret has no valid {line}")]
    Text {
        /// Which line is wrong.
        line: &'static str,
    },
    /// The secret key does not belong to the public key beside it.
    #[error("the epoch's public key does not belong to its secret key")]
    PublicKey,
    /// The number of recipients is not between 1 and [`EPOCH_RECIPIENTS_MAX`].
    #[error("an epoch secret is sealed to 1 to {EPOCH_RECIPIENTS_MAX} recipients, not {count}")]
    RecipientCount {
        /// How many recipients were given.
        count: usize,
    },
    /// The secret could not be sealed.
    #[error("seal the epoch secret")]
    Seal(#[source] AgeSealError),
}

/// Everything that recipients of an epoch share.
#[derive(Clone)]
pub struct EpochSecret {
    /// The number of the epoch.
    pub number: EpochNumber,
    /// The site.
    pub site: SiteCode,
    /// The site's lookup key.
    pub lookup_key: LookupKey,
    /// The epoch's secret key.
    pub identity: EpochIdentity,
}

impl EpochSecret {
    /// Returns the public key of the epoch.
    pub fn recipient(&self) -> EpochRecipient {
        self.identity.recipient()
    }

    /// Returns the secret as the text of an age identity file.
    pub fn to_secret_text(&self) -> Zeroizing<String> {
        let lookup_key = self.lookup_key.to_hex();
        let identity = self.identity.0.to_secret_text();
        // The text is written into a buffer that never grows, so that no copy stays behind.
        let mut text = Zeroizing::new(String::with_capacity(512));
        for part in ["# lifeboat epoch ", &self.number.to_string(), " of site ", self.site.as_str(), "\n"] {
            text.push_str(part);
        }
        for part in ["# lookup key: ", lookup_key.as_str(), "\n# public key: ", &self.recipient().to_string()]
        {
            text.push_str(part);
        }
        for part in ["\n", identity.as_str(), "\n"] {
            text.push_str(part);
        }
        text
    }

    /// Reads a secret from the text of an epoch's identity file.
    pub fn from_secret_text(text: &str) -> Result<Self, EpochError> {
        let wrong = |line| EpochError::Text { line };
        let mut lines = text.strip_suffix('\n').ok_or(wrong("last line"))?.split('\n');
        let mut field = |start: &str, line| {
            lines.next().and_then(|text| text.strip_prefix(start)).ok_or(EpochError::Text { line })
        };
        let title = field("# lifeboat epoch ", "title")?;
        let lookup_key = field("# lookup key: ", "lookup key")?;
        let public_key = field("# public key: ", "public key")?;
        let identity = field("", "identity")?;
        if lines.next().is_some() {
            return Err(wrong("end"));
        }
        let (number, site) = title.split_once(" of site ").ok_or(wrong("title"))?;
        let secret = Self {
            number: number.parse().map_err(|_| wrong("title"))?,
            site: site.parse().map_err(|_| wrong("title"))?,
            lookup_key: LookupKey::from_hex(lookup_key).map_err(|_| wrong("lookup key"))?,
            identity: identity.parse().map_err(|_| wrong("identity"))?,
        };
        let public_key: EpochRecipient = public_key.parse().map_err(|_| wrong("public key"))?;
        if secret.recipient() == public_key { Ok(secret) } else { Err(EpochError::PublicKey) }
    }
}

impl fmt::Debug for EpochSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "EpochSecret(epoch {} of {}, redacted)", self.number, self.site)
    }
}

/// Makes the secret of a new epoch.
pub fn generate_epoch(number: EpochNumber, site: &SiteCode, lookup_key: &LookupKey) -> EpochSecret {
    EpochSecret {
        number,
        site: site.clone(),
        lookup_key: lookup_key.clone(),
        identity: EpochIdentity::generate(),
    }
}

/// Seals an epoch secret to people, in one file that each of them opens alone.
pub fn seal_epoch_secret(secret: &EpochSecret, recipients: &[Recipient]) -> Result<Vec<u8>, EpochError> {
    if !(1..=EPOCH_RECIPIENTS_MAX).contains(&recipients.len()) {
        return Err(EpochError::RecipientCount { count: recipients.len() });
    }
    let recipients = recipients.iter().map(|recipient| recipient.as_age() as &dyn age::Recipient);
    sealed::seal_to(recipients, secret.to_secret_text().as_bytes()).map_err(EpochError::Seal)
}

/// Seals an epoch secret under the break-glass passphrase, with a work factor of at most
/// [`WORK_FACTOR_MAX`](crate::WORK_FACTOR_MAX).
pub fn seal_epoch_secret_with_passphrase(
    secret: &EpochSecret,
    passphrase: &Passphrase,
    work_factor: u8,
) -> Result<Vec<u8>, EpochError> {
    let recipient = passphrase.recipient(work_factor);
    let recipients = std::iter::once(&recipient as &dyn age::Recipient);
    sealed::seal_to(recipients, secret.to_secret_text().as_bytes()).map_err(EpochError::Seal)
}

/// Opens an epoch secret with a person's identity.
pub fn open_epoch_secret(sealed: &[u8], identity: &Identity) -> Result<EpochSecret, EpochError> {
    let text =
        sealed::open_with(identity.as_age(), sealed, EPOCH_SECRET_BYTES_MAX).map_err(EpochError::Open)?;
    read_secret(&text)
}

/// Opens an epoch secret with the break-glass passphrase.
pub fn open_epoch_secret_with_passphrase(
    sealed: &[u8],
    passphrase: &Passphrase,
) -> Result<EpochSecret, EpochError> {
    let text = sealed::open_with_passphrase(&passphrase.identity(), sealed, EPOCH_SECRET_BYTES_MAX)
        .map_err(EpochError::Open)?;
    read_secret(&text)
}

fn read_secret(text: &[u8]) -> Result<EpochSecret, EpochError> {
    EpochSecret::from_secret_text(
        std::str::from_utf8(text).map_err(|_| EpochError::Text { line: "encoding" })?,
    )
}

#[cfg(test)]
mod tests;
