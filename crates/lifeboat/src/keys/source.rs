//! Where a secret comes from, and reading it from there.
//!
//! A file or a systemd credential that others can read is refused: a secret that everybody has is none.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// The environment variable in which systemd names the folder of credentials.
pub const CREDENTIALS_VARIABLE: &str = "CREDENTIALS_DIRECTORY";

/// Largest secret that is read.
const SECRET_BYTES_MAX: u64 = 64 * 1024;

/// Where a secret comes from. Names no secret itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// A file that only its owner can read.
    File(PathBuf),
    /// An environment variable.
    Environment(String),
    /// A systemd credential, looked up in `$CREDENTIALS_DIRECTORY`.
    Credential(String),
}

impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SecretSource::File(path) => write!(f, "the file {}", path.display()),
            SecretSource::Environment(name) => write!(f, "the environment variable {name}"),
            SecretSource::Credential(name) => write!(f, "the systemd credential {name}"),
        }
    }
}

/// Why a secret could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file could not be read.
    #[error("cannot read the {what} from {from}")]
    Read {
        /// Which secret.
        what: &'static str,
        /// Where it was to come from.
        from: SecretSource,
        /// Why.
        source: io::Error,
    },
    /// People other than the owner can read the file.
    #[error("{path}, which holds the {what}, can be read by everybody (mode {mode:03o})")]
    Exposed {
        /// Which secret.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The secret is too large to be one.
    #[error("the {what} in {from} is larger than {SECRET_BYTES_MAX} bytes")]
    TooLarge {
        /// Which secret.
        what: &'static str,
        /// Where it comes from.
        from: SecretSource,
    },
    /// The secret is empty.
    #[error("the {what} in {from} is empty")]
    Empty {
        /// Which secret.
        what: &'static str,
        /// Where it comes from.
        from: SecretSource,
    },
    /// The environment variable is not set, or is not text.
    #[error("the {what} is not there: {from} is not set")]
    VariableAbsent {
        /// Which secret.
        what: &'static str,
        /// Where it was to come from.
        from: SecretSource,
    },
    /// systemd has not passed any credentials.
    #[error("the {what} cannot be read from {from}: {CREDENTIALS_VARIABLE} is not set")]
    NoCredentials {
        /// Which secret.
        what: &'static str,
        /// Where it was to come from.
        from: SecretSource,
    },
    /// The credential's name is a path.
    #[error("{from} must be a plain name, without slashes")]
    CredentialName {
        /// Where the secret was to come from.
        from: SecretSource,
    },
}

impl SecretSource {
    /// Makes the path of a file absolute, seen from `folder`.
    #[must_use]
    pub fn relative_to(self, folder: &Path) -> Self {
        match self {
            SecretSource::File(path) => SecretSource::File(folder.join(path)),
            other => other,
        }
    }

    /// Reads the secret without the white space around it; `what` names it in errors.
    pub fn read(&self, what: &'static str) -> Result<Zeroizing<String>, SecretError> {
        let text = match self {
            SecretSource::File(path) => self.read_file(path, what)?,
            SecretSource::Environment(name) => {
                let absent = |_| SecretError::VariableAbsent { what, from: self.clone() };
                std::env::var(name).map(Zeroizing::new).map_err(absent)?
            }
            SecretSource::Credential(name) => {
                if name.contains('/') || name == ".." {
                    return Err(SecretError::CredentialName { from: self.clone() });
                }
                let folder = std::env::var_os(CREDENTIALS_VARIABLE)
                    .ok_or_else(|| SecretError::NoCredentials { what, from: self.clone() })?;
                self.read_file(&Path::new(&folder).join(name), what)?
            }
        };
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return Err(SecretError::Empty { what, from: self.clone() });
        }
        Ok(Zeroizing::new(trimmed.to_owned()))
    }

    fn read_file(&self, path: &Path, what: &'static str) -> Result<Zeroizing<String>, SecretError> {
        let failed = |source| SecretError::Read { what, from: self.clone(), source };
        let file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if let Some(mode) = exposed_mode(&metadata) {
            return Err(SecretError::Exposed { what, path: path.to_owned(), mode });
        }
        let mut text = Zeroizing::new(String::new());
        let mut bounded = file.take(SECRET_BYTES_MAX + 1);
        bounded.read_to_string(&mut text).map_err(failed)?;
        if text.len() as u64 > SECRET_BYTES_MAX {
            return Err(SecretError::TooLarge { what, from: self.clone() });
        }
        Ok(text)
    }
}

/// Returns the permissions when they let everybody in.
#[cfg(unix)]
fn exposed_mode(metadata: &std::fs::Metadata) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = metadata.permissions().mode() & 0o777;
    (mode & 0o007 != 0).then_some(mode)
}

/// Returns nothing: this system keeps permissions elsewhere.
#[cfg(not(unix))]
fn exposed_mode(_metadata: &std::fs::Metadata) -> Option<u32> {
    None
}
