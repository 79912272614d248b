//! The configuration: one TOML file with the settings, and beside it the list of recipients.
//!
//! Unknown settings are errors that name their line and the nearest known setting. Secrets never stand in
//! the file: it says where they are. Relative paths are relative to the file itself.

mod load;
mod problem;
mod recipients;
mod reference;
mod section;
mod source;
mod units;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use lifeboat_format::{SiteCode, VerificationKey};
use lifeboat_replica::{ReplicaName, ReplicaUrl};

pub use self::problem::{Problem, Reason};
pub use self::recipients::{RecipientEntry, RecipientList, RecipientsError};
pub use self::reference::{InitialValues, Need, SETTINGS, Setting, reference_page, sample};
pub use self::source::{
    FhirAuth, FhirFetch, FhirMode, FhirSettings, RulesSettings, SourceKind, SourceSettings,
};
pub use self::units::{format_duration, parse_duration};
use crate::keys::SecretSource;

/// The environment variable that names the configuration file.
pub const CONFIG_VARIABLE: &str = "LIFEBOAT_CONFIG";

/// Where the configuration is when nothing else is said and the user is root.
pub const SYSTEM_PATH: &str = "/etc/lifeboat/lifeboat.toml";

/// Where the configuration is when nothing else is said and the user is not root.
pub const LOCAL_PATH: &str = "lifeboat.toml";

/// Largest configuration file that is read.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Everything that one site is told.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The file that it was read from.
    pub path: PathBuf,
    /// Which practice this is.
    pub site: SiteSettings,
    /// Where its records come from.
    pub source: SourceSettings,
    /// How often snapshots are taken.
    pub snapshot: SnapshotSettings,
    /// The folder of the spool, the state database and the cursors.
    pub state_dir: PathBuf,
    /// The replicas, in the order of the file.
    pub replicas: Vec<ReplicaSettings>,
    /// The file with the list of recipients.
    pub recipients_file: PathBuf,
    /// Where the site's keys are.
    pub keys: KeySettings,
    /// How the service logs.
    pub log: LogSettings,
}

/// Which practice this is.
#[derive(Debug, Clone, PartialEq)]
pub struct SiteSettings {
    /// The practice's ODS code.
    pub code: SiteCode,
    /// The practice's name, shown in the viewer.
    pub name: String,
    /// The public key that the site's copies are verified with.
    pub verification_key: Option<VerificationKey>,
}

/// How often snapshots are taken.
#[derive(Debug, Clone, PartialEq)]
pub struct SnapshotSettings {
    /// The least time between two snapshots.
    pub interval: Duration,
    /// After how many intervals without news a copy counts as overdue.
    pub expected_by: u32,
    /// How many threads seal; all cores when absent.
    pub threads: Option<usize>,
}

/// One replica.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplicaSettings {
    /// Its name in reports.
    pub name: ReplicaName,
    /// Where it is.
    pub url: ReplicaUrl,
    /// The S3 server's address, when it is not Amazon's.
    pub endpoint: Option<String>,
    /// The S3 region.
    pub region: Option<String>,
    /// Whether plain HTTP may be used, for a server in the same room.
    pub allow_http: Option<bool>,
    /// Whether the bucket stands in the path (the default) or in the host name.
    pub path_style: Option<bool>,
    /// A certificate authority to trust beside the usual ones, as a PEM file.
    pub ca_file: Option<PathBuf>,
    /// Where the S3 access key is.
    pub access_key: Option<SecretSource>,
    /// Where the S3 secret key is.
    pub secret_key: Option<SecretSource>,
    /// Where the session token of a temporary S3 credential is.
    pub session_token: Option<SecretSource>,
    /// Where the access key of a credential that can only read is, for kits.
    pub reader_access_key: Option<SecretSource>,
    /// Where the secret key of a credential that can only read is, for kits.
    pub reader_secret_key: Option<SecretSource>,
    /// Where the address of an HTTP proxy is, which may hold a password.
    pub proxy: Option<SecretSource>,
    /// How many objects are copied at once.
    pub concurrency: usize,
}

/// Where the site's keys are.
#[derive(Debug, Clone, PartialEq)]
pub struct KeySettings {
    /// Signs the log's checkpoints.
    pub signing: SecretSource,
    /// Turns patients into record keys.
    pub lookup: SecretSource,
    /// Seals the state database at rest.
    pub host: SecretSource,
    /// Optional break-glass passphrase that opens the site beside the recipients.
    pub passphrase: Option<SecretSource>,
}

/// How the service logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogSettings {
    /// The form of a line.
    pub format: LogFormat,
    /// The least important level that is logged.
    pub level: LogLevel,
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For a person at a terminal.
    Human,
    /// One JSON object per line.
    Json,
}

/// The least important level that is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// A person must act.
    Error,
    /// Something went wrong and was recovered.
    Warn,
    /// What the service does.
    Info,
    /// How it does it.
    Debug,
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// There is no configuration.
    #[error("there is no configuration at {path}")]
    Absent {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The file could not be read.
    #[error("cannot read the configuration {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is too large to be a configuration.
    #[error("the configuration {path} is larger than {FILE_BYTES_MAX} bytes")]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// The file is not TOML.
    #[error("the configuration {path} is not TOML, line {line}: {message}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What the parser says.
        message: String,
    },
    /// Settings are wrong.
    #[error("the configuration {path} has {} wrong\n{}", count(problems.len()), list(problems))]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Everything that is wrong, in the order of the file.
        problems: Vec<Problem>,
    },
}

impl Config {
    /// Reads and checks the configuration at `path`.
    pub fn load(path: &Path) -> Result<Config, ConfigError> {
        let absolute = std::path::absolute(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let size = match std::fs::metadata(&absolute) {
            Ok(found) => found.len(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(ConfigError::Absent { path: absolute });
            }
            Err(source) => {
                return Err(ConfigError::Read { path: absolute, source });
            }
        };
        if size > FILE_BYTES_MAX {
            return Err(ConfigError::TooLarge { path: absolute });
        }
        let text = std::fs::read_to_string(&absolute)
            .map_err(|source| ConfigError::Read { path: absolute.clone(), source })?;
        load::parse(&text, &absolute)
    }

    /// Checks `text`, the contents of the file at the absolute `path`.
    pub fn parse(text: &str, path: &Path) -> Result<Config, ConfigError> {
        load::parse(text, path)
    }

    /// Returns how long may pass between two snapshots or heartbeats.
    pub fn heartbeat(&self) -> Duration {
        self.snapshot.interval.max(self.source.rescan)
    }

    /// Returns the folder of the spool.
    pub fn spool_dir(&self) -> PathBuf {
        self.state_dir.join("spool")
    }

    /// Returns the replica of this name.
    pub fn replica(&self, name: &str) -> Option<&ReplicaSettings> {
        self.replicas.iter().find(|replica| replica.name.as_str() == name)
    }
}

/// Returns where the configuration is when the command line does not say.
pub fn default_path(user_is_root: UserIsRoot) -> PathBuf {
    match std::env::var_os(CONFIG_VARIABLE) {
        Some(path) if !path.is_empty() => PathBuf::from(path),
        _ => match user_is_root {
            UserIsRoot::Yes => PathBuf::from(SYSTEM_PATH),
            UserIsRoot::No => PathBuf::from(LOCAL_PATH),
        },
    }
}

/// Whether the program runs as root, which decides where its configuration is by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserIsRoot {
    /// It runs as root: the system's configuration.
    Yes,
    /// It does not: the one in the present folder.
    No,
}

fn count(problems: usize) -> String {
    match problems {
        1 => "one thing".to_owned(),
        more => format!("{more} things"),
    }
}

fn list(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(|problem| format!("  {problem}")).collect();
    lines.join("\n")
}
