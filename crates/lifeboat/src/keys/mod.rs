//! The site's keys on disk: the signing key, the lookup key and the host key.
//!
//! They are made once, by `init`, and never overwritten: copies made with lost keys stay readable, but
//! nothing can be added to them. None of them can open a record.

mod source;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use lifeboat_format::{LookupKey, RandomnessError, SigningKey, SigningKeyError, SiteCode, VerificationKey};
use lifeboat_replica::durable::{self, Created, DurableError};

pub use self::source::{CREDENTIALS_VARIABLE, SecretError, SecretSource};
use crate::config::KeySettings;
use crate::engine::{HostKey, HostKeyError, HostKeys};

const SIGNING: &str = "signing key";
const LOOKUP: &str = "lookup key";
const HOST: &str = "host key";

/// Why the keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// A key cannot be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// What was read is not a key of its kind.
    #[error("the {what} in {from} is not one")]
    Malformed {
        /// Which key.
        what: &'static str,
        /// Where it comes from.
        from: SecretSource,
    },
    /// A key file is there already.
    #[error("there is already a key at {path}")]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A key file cannot be written.
    #[error("cannot write the key {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: DurableError,
    },
    /// The lookup key cannot be made.
    #[error("cannot make the lookup key")]
    Randomness(#[from] RandomnessError),
    /// The signing key cannot be made.
    #[error("cannot make the signing key")]
    SigningKey(#[from] SigningKeyError),
    /// The host key cannot be made.
    #[error("cannot make the host key")]
    HostKey(#[from] HostKeyError),
}

/// Where `init` put the keys, and the public half of the signing key.
#[derive(Debug)]
pub struct CreatedKeys {
    /// The files, in the order of the configuration.
    pub files: [PathBuf; 3],
    /// The key that copies are verified with.
    pub verification_key: VerificationKey,
}

/// Reads the site's keys from where the configuration says they are.
pub fn load(settings: &KeySettings) -> Result<HostKeys, KeysError> {
    Ok(HostKeys {
        signing: signing_key(&settings.signing)?,
        lookup: lookup_key(&settings.lookup)?,
        host: host_key(&settings.host)?,
    })
}

/// Reads the signing key.
pub fn signing_key(from: &SecretSource) -> Result<SigningKey, KeysError> {
    let text = from.read(SIGNING)?;
    SigningKey::from_secret_text(&text)
        .map_err(|_| KeysError::Malformed { what: SIGNING, from: from.clone() })
}

/// Reads the lookup key.
pub fn lookup_key(from: &SecretSource) -> Result<LookupKey, KeysError> {
    let text = from.read(LOOKUP)?;
    LookupKey::from_hex(&text).map_err(|_| KeysError::Malformed { what: LOOKUP, from: from.clone() })
}

/// Reads the host key.
pub fn host_key(from: &SecretSource) -> Result<HostKey, KeysError> {
    let text = from.read(HOST)?;
    HostKey::from_hex(&text).map_err(|_| KeysError::Malformed { what: HOST, from: from.clone() })
}

/// Makes the keys of a new site in `folder`, each in a file that only its owner can read.
pub fn create(folder: &Path, site: &SiteCode) -> Result<CreatedKeys, KeysError> {
    let files = ["signing.key", "lookup.key", "host.key"].map(|name| folder.join(name));
    if let Some(path) = files.iter().find(|path| path.exists()) {
        return Err(KeysError::Exists { path: path.clone() });
    }
    let signing = SigningKey::generate(&site.origin())?;
    write(&files[0], &signing.to_secret_text())?;
    write(&files[1], &LookupKey::generate()?.to_hex())?;
    write(&files[2], &HostKey::generate()?.to_hex())?;
    Ok(CreatedKeys { files, verification_key: signing.verification_key() })
}

fn write(path: &Path, text: &str) -> Result<(), KeysError> {
    let line = zeroize::Zeroizing::new(format!("{}\n", text.trim_end()));
    match durable::create(path, line.as_bytes()) {
        Ok(Created::New) => Ok(()),
        Ok(Created::AlreadyThere) => Err(KeysError::Exists { path: path.to_owned() }),
        Err(source) => Err(KeysError::Write { path: path.to_owned(), source }),
    }
}
